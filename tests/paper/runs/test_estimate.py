"""Remaining time: from timed epochs and measurements, and honest where nothing was timed."""

from __future__ import annotations

import dataclasses
import json

import pytest
from csqcfs.engine import files, paths
from csqcfs.engine.checkpoint import save_state
from csqcfs.paper.experiments import profiles, trainings
from csqcfs.paper.experiments.configs import Run
from csqcfs.paper.runs import estimate, records

DEMO = profiles.get("demo")
QCFS, CSQCFS = (DEMO.training("cifar10", "resnet20", end) for end in ("qcfs", "csqcfs"))
VGG = DEMO.training("cifar10", "vgg16", "qcfs")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))


def checkpoint(training, *seconds: float) -> None:
    save_state(trainings.checkpoint_path(training), {}, {"history": [{"seconds": s} for s in seconds]})


def accuracy(training, method: str = "plain") -> Run:
    return Run.of("accuracy", training, method=method)


def reference(folder, run: Run, seconds: float, metrics: dict | None = None, hardware: str = "a slow one") -> None:
    origin = {"seconds": seconds, "hardware": hardware, "torch": "2.14.1", "devices": ["a GPU", "cpu"]}
    content = {"settings": run.settings(), "metrics": metrics or {}, "provenance": origin}
    files.write_text(folder / "reference" / f"{run.name}.json", json.dumps(content))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (5400, "1.5 h"), (200000, "2.3 days")],
)
def test_duration(seconds, text):
    assert estimate.duration(seconds) == text


def test_unknown_until_an_epoch_was_timed():
    runs = [accuracy(CSQCFS), accuracy(VGG)]
    found = estimate.remaining([[run] for run in runs], runs)
    assert found == (0.0, ("resnet20", "vgg16"), "")
    assert str(found) == "unknown until one training has run (resnet20, vgg16)"
    checkpoint(QCFS, 2.0)
    found = estimate.remaining([[run] for run in runs], runs)
    assert found == (2.0 * 16, ("vgg16",), "")  # 11 epochs of stage 1 and 5 of stage 2
    assert str(found) == "about 32 s and more, unknown until one training has run (vgg16)"


def test_one_training_counts_once_and_measurements_by_their_kind():
    checkpoint(QCFS, 100.0, *[3.0] * 10, 1.0)  # finished; the first epoch compiled, the median is 3
    runs = [accuracy(CSQCFS, m) for m in ("plain", "cos")] + [accuracy(QCFS), accuracy(QCFS, "cos")]
    records.write(runs[2], {}, 10.0)
    records.write(runs[3], {}, 20.0)
    assert estimate.remaining([runs[:2]], runs) == (5 * 3.0 + 10.0 + 20.0, (), "")
    assert str(estimate.remaining([], runs)) == "about 0 s"


def test_workers_share_groups_but_not_one_group():
    checkpoint(QCFS, 1.0)
    seeds = [dataclasses.replace(QCFS, seed=s) for s in (1, 2, 3)]
    groups = [[accuracy(training)] for training in seeds]
    runs = [accuracy(QCFS), *(run for group in groups for run in group)]
    assert [estimate.remaining(groups, runs, n).seconds for n in (1, 2, 3, 9)] == [36.0, 18.0, 12.0, 12.0]


def test_longest_first():
    relu = DEMO.training("cifar10", "resnet50", "relu")
    groups = [[Run.of("epoch_time")], [accuracy(QCFS)], [accuracy(CSQCFS)], [accuracy(relu)], [accuracy(VGG)]]
    assert estimate.longest_first(groups) == [groups[i] for i in (3, 2, 1, 4, 0)]
    checkpoint(relu, *[1.0] * 12)
    assert estimate.longest_first(groups)[0] == groups[2]  # nothing of ResNet-50 is left


def test_a_damaged_checkpoint_counts_as_none():
    trainings.checkpoint_path(QCFS).parent.mkdir()
    trainings.checkpoint_path(QCFS).write_bytes(b"half")
    assert estimate.epoch_seconds([accuracy(QCFS)]) == {}


def test_reference_records_stand_in_before_anything_was_timed(monkeypatch, tmp_path):
    """With the name of their machine; what this one has timed counts before them."""
    monkeypatch.setattr(paths, "reference_records", lambda profile: tmp_path / "reference")
    trained, measured = Run.of("training", QCFS), accuracy(QCFS)
    reference(tmp_path, trained, 50.0, {"history": [{"seconds": 4.0}] * 3}, hardware="a fast machine")
    reference(tmp_path, measured, 8.0)
    found = estimate.remaining([[measured]], [trained, measured], 1, "demo")
    assert found == (12 * 4.0 + 8.0, (), "a GPU and a fast machine")
    assert str(found) == "about 56 s at the speed of a GPU and a fast machine"
    checkpoint(QCFS, 1.0)
    assert estimate.remaining([[measured]], [trained, measured], 1, "demo").speed == ""


def with_seed(seed: int):
    return dataclasses.replace(QCFS, seed=seed)


def test_a_measurement_takes_the_shortest_time_it_took():
    """The first one of a network may have trained it."""
    for seed in (0, 1, 2):
        checkpoint(with_seed(seed), *[3.0] * 12)
    runs = [accuracy(with_seed(seed)) for seed in (0, 1, 2)]
    for run, seconds in zip(runs, (10.0, 50.0)):
        records.write(run, {}, seconds)
    assert estimate.remaining([[runs[2]]], runs).seconds == 10.0


def test_what_was_timed_here_counts_before_what_was_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "reference_records", lambda profile: tmp_path / "reference")
    checkpoint(QCFS, *[3.0] * 12)
    here, new, trained, vgg = accuracy(QCFS), accuracy(with_seed(1)), Run.of("training", QCFS), Run.of("training", VGG)
    records.write(here, {}, 10.0)
    reference(tmp_path, accuracy(with_seed(2)), 77.0)
    reference(tmp_path, trained, 1.0, {"history": [{"seconds": 99.0}]})
    reference(tmp_path, vgg, 1.0, {"history": [{"seconds": 4.0}]})
    runs = [here, new, accuracy(with_seed(2)), trained, vgg]
    found = estimate.remaining([[new], [vgg]], runs, 1, "demo")
    assert found.seconds == 12 * 3.0 + 10.0 + 12 * 4.0 + 1.0  # of the new training, its measurement, and of the VGG's
