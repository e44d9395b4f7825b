"""Trained networks as files: the same outputs, a header that says what they are, and nothing else is loaded."""

from __future__ import annotations

import dataclasses
import os
import pickle
import subprocess
import sys

import csqcfs
import pytest
import torch
from csqcfs import data, models
from csqcfs.conversion import quantize
from csqcfs.data.augment import Augment
from csqcfs.engine import paths
from csqcfs.engine.checkpoint import load_state, save_state
from csqcfs.engine.errors import InputError
from csqcfs.models import zoo
from csqcfs.paper import publish as command
from csqcfs.paper.experiments import configs, profiles, trainings
from csqcfs.paper.experiments.configs import RELU, Run, Stage, Training
from csqcfs.paper.runs import records
from csqcfs.training import evaluation

ENDS = ("qcfs", "sqcfs", "cqcfs", "csqcfs", RELU)


def training_of(end: str, L: int = 4, network: str = "resnet20") -> Training:
    stages = (Stage(end, 1, 0.1),) if end in ("qcfs", RELU) else (Stage("qcfs", 1, 0.1), Stage(end, 1, 0.1))
    return Training("cifar10", network, 0.25, L, 2.0, stages, augment=Augment())


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (8, 3, 32, 32), generator=generator, dtype=torch.uint8)
    known = data.CIFAR["cifar10"]
    return csqcfs.ImageSet(pixels, torch.arange(8), tuple("abcdefghij"), known.mean, known.std)


def network(training: Training, images) -> torch.nn.Module:
    """Weights, statistics and thresholds that no fresh network has."""
    torch.manual_seed(3)
    model = trainings._with_activation(
        models.build(training.network, 10, training.width),
        dataclasses.replace(training, stages=training.stages[:1]),
        images,
    )
    if training.parent is not None:
        model = trainings._with_activation(model, training, images)
    model.train()(images.normalise(images.images))
    with torch.no_grad():
        for site in quantize.sites(model).values():
            site.raw += 0.3 * torch.rand_like(site.raw)
    return model


@pytest.fixture
def saved(tmp_path, images):
    training = training_of("csqcfs")
    return zoo.save(network(training, images), tmp_path / "net.safetensors", training, images)


# round trip


@pytest.mark.parametrize("end", ENDS)
def test_a_loaded_network_gives_the_same_outputs(end, images, tmp_path):
    training = training_of(end, L=8)
    model = network(training, images)
    state = torch.random.get_rng_state()
    path = zoo.save(model, tmp_path / "net.safetensors", training, images)
    loaded = csqcfs.load(path)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert isinstance(loaded, torch.fx.GraphModule) and not any(m.training for m in loaded.modules())
    x = images.normalise(images.images)
    with torch.no_grad():
        assert torch.equal(loaded(x), model.eval()(x))
    assert (loaded.mean, loaded.std) == (images.mean, images.std) and len(loaded.mean) == 3
    kinds = {type(site).__name__.lower() for site in quantize.sites(loaded).values()}
    assert kinds == (set() if end == RELU else {end})
    assert {site.L for site in quantize.sites(loaded).values()} <= {8}
    if end != RELU:
        with torch.no_grad():
            assert torch.equal(csqcfs.convert(loaded)(x, 4), csqcfs.convert(model)(x, 4))


def test_a_threshold_below_zero_survives(images, tmp_path):
    training = training_of("cqcfs")
    model = network(training, images)
    with torch.no_grad():
        next(iter(quantize.sites(model).values())).raw[0] = -0.5
    loaded = csqcfs.load(zoo.save(model, tmp_path / "net.safetensors", training, images))
    assert next(iter(quantize.sites(loaded).values())).threshold[0] == -0.5


def test_the_header_says_what_it_is(images, tmp_path):
    training = training_of("csqcfs")
    results = [{"record": "accuracy-0", "method": "plain", "ann": 91.8, "snn": [52.3]}]
    path = tmp_path / "net.safetensors"
    zoo.save(network(training, images), path, training, images, results, {"torch": "2"})
    tensors, header = load_state(path)
    assert {key: header[key] for key in ("network", "width", "L", "activation", "image", "digest")} == {
        "network": "resnet20",
        "width": 0.25,
        "L": 4,
        "activation": "csqcfs",
        "image": [3, 32, 32],
        "digest": training.digest,
    }
    assert header["training"] == training.settings() and len(header["classes"]) == 10
    assert header["results"] == results and header["provenance"] == {"torch": "2"}
    for name, theta in header["thresholds"].items():
        torch.testing.assert_close(torch.tensor(theta), torch.nn.functional.softplus(tensors[f"{name}.raw"]))
    assert csqcfs.load(path).meta["zoo"] == header
    assert not any("momentum" in name for name in tensors)


# names


def test_names_of_the_package(saved, monkeypatch, tmp_path):
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "weights")
    with pytest.raises(InputError, match=r"^'resnet20-cifar10-x' is neither .* expected .* one of \(none yet\)"):
        csqcfs.load("resnet20-cifar10-x")
    for name in ("resnet20-cifar10-qcfs", "resnet20-cifar10-csqcfs"):
        (tmp_path / "weights").mkdir(exist_ok=True)
        (tmp_path / "weights" / f"{name}.safetensors").write_bytes(saved.read_bytes())
    assert csqcfs.load("resnet20-cifar10-csqcfs").meta["zoo"]["L"] == 4
    with pytest.raises(InputError, match="one of resnet20-cifar10-csqcfs, resnet20-cifar10-qcfs$"):
        csqcfs.load("resnet20-cifar10-cs")


# bad files


def rewrite(path, change) -> None:
    tensors, header = load_state(path)
    change(tensors, header)
    save_state(path, tensors, header)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors, header: header.update(L=8), "says L 8, of a training with 4: its header was changed"),
        (lambda tensors, header: header.update(network="resnet18"), "says network 'resnet18', of a training with"),
        (lambda tensors, header: header["training"].update(seed=5), "says digest .*, of a training with "),
        (lambda tensors, header: tensors.pop("linear.bias"), 'does not hold the resnet20 .*Missing.*"linear.bias"'),
        (lambda tensors, header: tensors.update(x=torch.ones(1)), 'does not hold the resnet20 .*Unexpected key.*"x"'),
        (lambda tensors, header: header.pop("training"), "is not a file of zoo.save"),
        (lambda tensors, header: header.pop("mean"), "is not a file of zoo.save"),
        (lambda tensors, header: header.update(classes=list("abc")), "does not hold .*size mismatch for linear"),
    ],
)
def test_a_file_that_disagrees_with_itself(saved, change, message):
    rewrite(saved, change)
    with pytest.raises(InputError, match=message) as caught:
        csqcfs.load(saved)
    assert "\n" not in str(caught.value) and str(saved) in str(caught.value)


@pytest.mark.parametrize("length", [0, 7, 500, -1])
def test_a_truncated_file(saved, length):
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(InputError, match="is truncated or not a checkpoint"):
        csqcfs.load(saved)


class Trap:
    def __reduce__(self):
        return os.system, ("touch trapped",)


def test_pickle_is_never_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.safetensors").write_bytes(pickle.dumps(Trap()))
    torch.save(Trap(), tmp_path / "net.pt")
    for name in ("net.safetensors", "net.pt"):
        with pytest.raises(InputError, match="is truncated or not a checkpoint"):
            csqcfs.load(name)
    assert not (tmp_path / "trapped").exists()


def test_a_checkpoint_of_a_training_is_told_apart(tmp_path):
    path = save_state(tmp_path / "c.safetensors", {}, {"identity": {}, "history": []})
    with pytest.raises(InputError, match="published by csqcfs publish"):
        csqcfs.load(path)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (training_of("qcfs"), "does not hold the resnet20 that its settings describe .*size mismatch for act.raw"),
        (training_of("csqcfs", network="resnet18"), "does not hold the resnet18 .*Missing key"),
        (dataclasses.replace(training_of("csqcfs"), width=0.5), "does not hold the resnet20 .*size mismatch"),
        (training_of("csqcfs", L=8), "has CSQCFS with L = 4 and the paper window at act: expected CSQCFS with L = 8"),
        (training_of("cqcfs"), "has CSQCFS with L = 4 .* expected CQCFS with L = 4 .*; name its own training"),
    ],
)
def test_settings_of_another_network_are_refused_when_saving(images, tmp_path, other, message):
    model = network(training_of("csqcfs"), images)
    with pytest.raises(InputError, match=message):
        zoo.save(model, tmp_path / "net.safetensors", other, images)
    assert not list(tmp_path.iterdir())


# publishing


@pytest.fixture
def place(tmp_path, monkeypatch, images):
    """A home, a repository, and CIFAR of eight images."""
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(paths, "REPOSITORY", tmp_path)
    monkeypatch.setattr(command, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(data, "load", lambda name, root=None, val=0, seed=0: data.Splits(images, images, images))
    small = profiles.Profile(
        "quick", "", networks=("resnet20",), widths={"resnet20": 0.25}, epochs=1, finetune_epochs=1, batch_size=4
    )
    monkeypatch.setitem(profiles.PROFILES, "quick", small)
    return small


def test_publish_copies_records_and_finished_networks(place, tmp_path, capsys):
    training = place.training("cifar10", "resnet20", "csqcfs")
    model, *_ = trainings.train(training, progress=False)
    run = Run.of("accuracy", training, method="cos")
    values = {"images": 8, "ann": 50.0, "snn": [12.5], "presteps": 4, "thresholds": {"act": [1.0]}}
    path = records.write(run, values, 3.0)
    records.write(Run.of("accuracy", training, method="other"), values, 3.0)  # no artefact shows it
    assert command.main(["publish", "--profile", "quick"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("1 of ") and "resnet20-cifar10-csqcfs.safetensors: 0." in printed
    copies = list(paths.reference_records("quick").iterdir())
    assert [copy.name for copy in copies] == [path.name] and copies[0].read_bytes() == path.read_bytes()
    written = [path.name for path in (tmp_path / "weights").iterdir()]
    assert written == ["resnet20-cifar10-csqcfs.safetensors"]  # stage 1 is trained, too, but was not measured
    loaded = csqcfs.load(tmp_path / "weights" / "resnet20-cifar10-csqcfs.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(loaded.state_dict().values(), model.state_dict().values()))
    assert loaded.meta["zoo"]["results"] == [
        {"record": run.name, "method": "cos", "images": 8, "ann": 50.0, "snn": [12.5], "presteps": 4}
    ]
    assert loaded.meta["zoo"]["provenance"]["seconds"] == 3.0


def test_nothing_finished_publishes_nothing(place, capsys):
    assert command.main(["publish", "--profile", "quick"]) == 0
    assert capsys.readouterr().out.startswith("0 of ")
    assert command.main(["publish", "--profile", "fast"]) == 2
    assert capsys.readouterr().err == "error: profile 'fast': expected one of demo, quick, paper\n"


def test_stand_ins_are_not_published_as_cifar(monkeypatch, tmp_path):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))
    monkeypatch.setattr(trainings, "history", lambda training: pytest.fail("the demo has no CIFAR"))
    assert command.publish_networks(profiles.get("demo"), []) == []


def test_the_command_runs():
    command = [sys.executable, "-m", "csqcfs.models.zoo", "--help"]
    environment = os.environ | {"PYTHONPATH": str(paths.REPOSITORY / "lib")}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "publish" in run.stdout and not run.stderr


# what the repository ships


@pytest.mark.parametrize("name", zoo.names() or [None])
def test_shipped_networks_give_their_recorded_accuracy(name):
    """ANN and SNN at T = 1 on the record's own images, to two images of rounding between machines."""
    if name is None:
        pytest.skip("no network is shipped yet")
    model = csqcfs.load(name)
    header = model.meta["zoo"]
    assert configs.digest_of(header["training"]) == header["digest"]
    recorded = next((r for r in header["results"] if r["method"] == "plain"), None)
    if recorded is None:
        pytest.skip(f"{name} has no record of plain conversion")
    try:
        splits = data.load(header["training"]["dataset"], os.environ.get("CSQCFS_DATA", "/nowhere"))
    except InputError as error:
        pytest.skip(f"no images: {error}")
    from csqcfs.paper.measures.kinds import sample

    test = sample(splits.test, recorded["images"])
    assert len(test) == recorded["images"] and model.mean == tuple(test.mean) and model.std == tuple(test.std)
    few = 2 * 100 / len(test)
    assert abs(evaluation.evaluate(model, test) - recorded["ann"]) <= few
    snn = evaluation.evaluate_snn(csqcfs.convert(model), test, 1)
    assert abs(snn[0] - recorded["snn"][0]) <= few
