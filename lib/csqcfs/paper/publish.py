"""Put finished results of this machine where they travel with the repository.

    csqcfs publish --profile quick

copies the profile's records to paper_figures/<profile>/records, and those of its ResNet-20 networks on CIFAR that
have a record (1 MB each, seed 0) to the package: with the profile's name behind theirs, "-quick" or "-paper", and
with "-turns" or "-mixed" those that were fine-tuned at several L. Larger networks stay here; their digests are in
the records.

The plain names, where fine-tunings start, are never written: the digest of such a file is part of theirs, and all of
them would have to be computed again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from .. import data
from ..engine.errors import InputError
from ..models.zoo import WEIGHTS, save
from .experiments import beyond, profiles, registry, trainings
from .experiments.configs import Run, Training
from .experiments.profile import Profile
from .names import are_others, count, images
from .runs import records

SMALL = "resnet20"  # the network whose weights are small enough for a repository
ENDS = ("qcfs", "sqcfs", "cqcfs", "csqcfs")


def publish_networks(profile: Profile, runs: Iterable[Run]) -> list[Path]:
    """Write the networks of `published` that are trained and measured here, with what was measured."""
    written, runs = [], list(runs)
    for name, training in published(profile).items():
        results, provenance = _results(training, runs)
        path = WEIGHTS / f"{name}.safetensors"
        if results and len(trainings.history(training)) == training.stages[-1].epochs:
            model, _, splits = trainings.train(training, progress=False)
            told = {"training": training.settings(), "digest": training.digest}
            info = told | {"results": results, "provenance": provenance}
            written.append(save(model, path, images=splits.test, info=info))
    return written


def published(profile: Profile) -> dict[str, Training]:
    """The ResNet-20 of each data set of CIFAR and each end, and those of several L, by their names in the package."""
    sets = [name for name in data.CIFAR if profile.datasets.get(name, name) == name]
    named = {
        f"{SMALL}-{dataset}-{end}-{profile.name}": profile.training(dataset, SMALL, end)
        for dataset in (sets if SMALL in profile.networks else ())
        for end in ENDS
    }
    several = {"turns": beyond.turns, "mixed": beyond.mixed}
    return named | {
        f"{SMALL}-{dataset}-csqcfs-{name}": of(profile, dataset)
        for dataset in profile.starts
        for name, of in several.items()
    }


def _results(training: Training, runs: Iterable[Run]) -> tuple[list[dict], dict]:
    """Accuracies measured of ``training``, and the origin of the last one."""
    found = [(run, records.here(run)) for run in runs if run.training == training and run.kind == "accuracy"]
    shown = ("images", "ann", "snn", "presteps")
    results = [
        {"record": run.name, **dict(run.options), **{key: record.metrics[key] for key in shown}}
        for run, record in found
        if record
    ]
    return results, next((record.provenance for _, record in reversed(found) if record), {})


def main(options: argparse.Namespace) -> int:
    """Publish what this machine has of a profile; the exit status.

    Raises:
        InputError: other images in the place of CIFAR, a damaged record or checkpoint, or a folder that cannot be
            written to.
    """
    profile = profiles.get(options.profile)
    runs = list(dict.fromkeys(run for a in registry.ARTEFACTS for run in a.runs(profile, profile.seeds)))
    for seen in dict.fromkeys((run.training.dataset, run.training.data) for run in runs if run.training):
        if are_others(*seen):
            raise InputError(
                f"{images(*seen)}: expected those that the name stands for; name their folder by --data or CSQCFS_DATA"
            )
    copied = records.publish(runs, profile.name)
    print(f"{len(copied)} of {count(len(runs), 'record')}")
    for path in publish_networks(profile, runs):
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
    return 0
