"""Publishing: what travels with the repository is finished, measured, and of real data."""

from __future__ import annotations

import csqcfs
import pytest
import torch
from csqcfs import data
from csqcfs.engine import paths
from csqcfs.engine.checkpoint import load_metadata
from csqcfs.paper import cli, publish
from csqcfs.paper.experiments import profiles, registry, trainings
from csqcfs.paper.experiments.configs import Run
from csqcfs.paper.experiments.profile import Profile, of_the_paper
from csqcfs.paper.runs import records


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (8, 3, 32, 32), generator=generator, dtype=torch.uint8)
    known = data.CIFAR["cifar10"]
    return csqcfs.ImageSet(
        pixels, torch.arange(8), tuple("abcdefghij"), known.mean, known.std, data.identity("cifar10")
    )


@pytest.fixture
def place(tmp_path, monkeypatch, images):
    """A home, a repository, and CIFAR of eight images."""
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(paths, "REPOSITORY", tmp_path)
    monkeypatch.setattr(paths, "in_repository", lambda: True)
    monkeypatch.setattr(publish, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(data, "load", lambda name, root=None, val=0, seed=0: data.Splits(images, images, images))
    small = Profile(
        "quick", "", networks={"resnet20": of_the_paper("resnet20", 0.25)}, epochs=1, finetune_epochs=1, batch_size=4
    )
    monkeypatch.setitem(profiles.PROFILES, "quick", small)
    return small


@pytest.mark.large
def test_publish_copies_records_and_finished_networks(place, tmp_path, capsys):
    training = place.training("cifar10", "resnet20", "csqcfs")
    model, *_ = trainings.train(training, progress=False)
    run = Run.of("accuracy", training, method="cos")
    values = {"images": 8, "ann": 50.0, "snn": [12.5], "presteps": 4, "thresholds": {"act": [1.0]}}
    path = records.write(run, values, 3.0)
    records.write(Run.of("accuracy", training, method="other"), values, 3.0)  # no artefact shows it
    assert cli.main(["publish", "--profile", "quick"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("1 of ") and "resnet20-cifar10-csqcfs-quick.safetensors: 0." in printed
    copies = list(paths.reference_records("quick").iterdir())
    assert [copy.name for copy in copies] == [path.name] and copies[0].read_bytes() == path.read_bytes()
    written = [path.name for path in (tmp_path / "weights").iterdir()]
    assert written == ["resnet20-cifar10-csqcfs-quick.safetensors"]  # stage 1 is trained, too, but was not measured
    loaded = csqcfs.load(tmp_path / "weights" / "resnet20-cifar10-csqcfs-quick.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(loaded.state_dict().values(), model.state_dict().values()))
    assert loaded.meta["zoo"]["info"]["results"] == [
        {"record": run.name, "method": "cos", "images": 8, "ann": 50.0, "snn": [12.5], "presteps": 4}
    ]
    assert loaded.meta["zoo"]["info"]["provenance"]["seconds"] == 3.0
    assert loaded.meta["zoo"]["info"]["training"] == training.settings()
    assert loaded.meta["zoo"]["info"]["digest"] == training.digest


def test_what_fine_tunings_start_from_is_never_written():
    """The file is part of the digest of all that start from it."""
    for profile in profiles.PROFILES.values():
        assert publish.published(profile).keys().isdisjoint(profile.starts.values())


def test_nothing_finished_publishes_nothing(place, capsys):
    assert cli.main(["publish", "--profile", "quick"]) == 0
    assert capsys.readouterr().out.startswith("0 of ")


def test_stand_ins_are_not_published_as_cifar(monkeypatch, tmp_path):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))
    monkeypatch.setattr(trainings, "history", lambda training: pytest.fail("the demo has no CIFAR"))
    assert publish.publish_networks(profiles.get("demo"), []) == []


def test_the_network_trained_in_turns_is_published_once():
    """Of the profile whose fine-tunings have a start, beside those that the profile trains from scratch."""
    quick, paper = (publish.published(profiles.get(name)) for name in ("quick", "paper"))
    assert quick["resnet20-cifar10-csqcfs-turns"].levels == (1, 2, 4) and quick.keys() & paper.keys() == set()
    assert quick["resnet20-cifar10-csqcfs-quick"] == profiles.get("quick").training("cifar10", "resnet20", "csqcfs")
    assert all(name.endswith("-paper") and training.levels is None for name, training in paper.items())


def test_nothing_of_other_images_is_published_as_cifar(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data, "identity", lambda name: "3d731c79aaaabbbb")
    training = place.training("cifar10", "resnet20", "qcfs")
    monkeypatch.setattr(trainings, "history", lambda training: pytest.fail("looked at a network"))
    values = {"images": 8, "ann": 50.0, "snn": [12.5], "presteps": 0, "thresholds": {"act": [1.0]}}
    records.write(Run.of("accuracy", training, method="plain"), values, 3.0)
    assert cli.main(["publish", "--profile", "quick"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: other images under the name CIFAR-10 (3d731c79…): expected those that the name st")
    assert not paths.reference_records("quick").exists() and not (tmp_path / "weights").exists()


@pytest.mark.parametrize("name", profiles.PROFILES)
def test_checkpoints_of_the_repository_are_finished_and_still_needed(name):
    """Those that runs without a record go on from, and only until they have one."""
    profile = profiles.get(name)
    runs = {run for artefact in registry.ARTEFACTS for run in artefact.runs(profile, profile.seeds) if run.training}
    waiting = {run for run in runs if records.reference(run, name) is None}
    needed = {trainings.checkpoint_path(t).name: t for run in waiting for t in trainings.chain(run.training)}
    for path in (paths.reference_records(name).parent / "checkpoints").glob("*"):
        assert path.name in needed, "every run that goes on from it has a record: remove it, and say so in the README"
        assert len(load_metadata(path)["history"]) == needed[path.name].stages[-1].epochs, path.name
