"""Trainings in stages: what each stage starts from, shared checkpoints, exact resuming, refusals."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import time
from pathlib import Path

import pytest
import torch
from csqcfs import data, models
from csqcfs.conversion import family, quantize
from csqcfs.data.augment import Augment
from csqcfs.engine import paths
from csqcfs.engine.checkpoint import load_state
from csqcfs.engine.errors import InputError
from csqcfs.models import zoo
from csqcfs.paper.experiments import profiles, trainings
from csqcfs.paper.experiments.configs import RELU, Stage, Training
from csqcfs.training import train
from csqcfs.training.train import OutOfTime
from torch import nn
from torch.nn import functional as F

CHAIN = Training(
    "digits",
    "resnet8",
    0.1,
    4,
    None,
    (Stage(RELU, 2, 0.1), Stage("qcfs", 3, 0.05), Stage("csqcfs", 2, 0.02)),
    val=20,
    batch_size=64,
    schedule="onecycle",
    augment=Augment(crop=1, flip=False, autoaugment=False, cutout=0),
)
STEPS = 3  # of 200 images in batches of 64, in each epoch
KINDS = {"qcfs": "QCFS", "sqcfs": "SQCFS", "cqcfs": "CQCFS", "csqcfs": "CSQCFS"}
whole_set = data.load


def ending(*activations: str, **changes) -> Training:
    """One epoch for each stage."""
    return dataclasses.replace(CHAIN, stages=tuple(Stage(a, 1, 0.05) for a in activations), **changes)


pytestmark = pytest.mark.usefixtures("resnet8")


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """A home of this test's own, 220 of the digits, and the CPU, where results are promised bit by bit."""
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def load(name, root=None, val=0, seed=0):
        splits = whole_set(name, root, 0)
        part = data.hold_out(splits.train, 220, seed=5)[1]
        return data.Splits(*data.hold_out(part, val, seed), data.hold_out(splits.test, 60, seed=5)[1])

    monkeypatch.setattr(data, "load", load)


@pytest.fixture
def steps(monkeypatch):
    """A list that grows by one entry with every training step."""
    original, taken = F.cross_entropy, []

    def cross_entropy(*args, **kwargs):
        taken.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(F, "cross_entropy", cross_entropy)
    return taken


def run(training: Training, **arguments) -> tuple[nn.Module, list[dict], data.Splits]:
    return trainings.train(training, progress=False, **arguments)


def assert_same_weights(first: nn.Module, second: nn.Module) -> None:
    one, two = first.state_dict(), second.state_dict()
    assert one.keys() == two.keys() and len(one) > 30
    for name in one:
        assert torch.equal(one[name], two[name]), name


def without_seconds(history: list[dict]) -> list[dict]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in history]


# the chain


def test_history_and_network_of_a_whole_chain(steps):
    model, history, splits = run(CHAIN)
    assert [(r["stage"], r["activation"], r["epoch"]) for r in history] == [
        (1, RELU, 1),
        (1, RELU, 2),
        (2, "qcfs", 1),
        (2, "qcfs", 2),
        (2, "qcfs", 3),
        (3, "csqcfs", 1),
        (3, "csqcfs", 2),
    ]
    assert len(steps) == 7 * STEPS and len(splits.train) == 200 and len(splits.val) == 20
    assert not any(module.training for module in model.modules())
    assert [type(m).__name__ for m in family.sites(model).values()] == ["CSQCFS"] * 7
    assert all("val_accuracy" in record for record in history)
    assert history[0]["thresholds"] == {} and len(history[-1]["thresholds"]) == 7
    assert sorted(p.name for p in paths.checkpoints().iterdir()) == sorted(
        trainings.checkpoint_path(t).name for t in (CHAIN, CHAIN.parent, CHAIN.parent.parent)
    )


@pytest.mark.parametrize(
    "activations",
    [
        (RELU,),
        ("qcfs",),
        ("csqcfs",),
        ("qcfs", "qcfs"),
        ("qcfs", "sqcfs"),
        ("qcfs", "cqcfs"),
        (RELU, RELU),
        (RELU, "csqcfs"),
        ("sqcfs", "csqcfs"),
    ],
)
def test_every_order_of_stages_ends_with_its_activation(activations):
    model, history, _ = run(ending(*activations, threshold=2.0))
    assert [record["activation"] for record in history] == list(activations)
    last = activations[-1]
    assert {type(m).__name__ for m in family.sites(model).values()} == ({KINDS[last]} if last != RELU else set())


@pytest.fixture
def calls(monkeypatch):
    """`fit` replaced by one that trains nothing and notes what it was given."""
    noted = []

    def fit(model, images, **settings):
        noted.append((model, images, settings))
        return []

    monkeypatch.setattr(trainings, "fit", fit)
    return noted


def test_every_setting_reaches_fit(calls):
    training = dataclasses.replace(
        CHAIN,
        seed=7,
        momentum=0.8,
        weight_decay=1e-3,
        label_smoothing=0.1,
        precision="bfloat16",
        schedule="cosine",
        batch_size=32,
    )
    run(training)
    for (_, images, settings), stage, owner in zip(
        calls, training.stages, (training.parent.parent, training.parent, training), strict=True
    ):
        for name in (
            "batch_size",
            "momentum",
            "weight_decay",
            "schedule",
            "label_smoothing",
            "augment",
            "seed",
            "precision",
        ):
            assert getattr(settings["recipe"], name) == getattr(training, name), name
        assert (settings["recipe"].epochs, settings["recipe"].lr) == (stage.epochs, stage.lr)
        assert settings["checkpoint"] == trainings.checkpoint_path(owner)
        assert len(images) == 200 and len(settings["val_set"]) == 20
    calls.clear()
    run(dataclasses.replace(training, val=0))
    assert [settings["val_set"] for _, _, settings in calls] == [None] * 3


@pytest.mark.parametrize("end", ["csqcfs", "cqcfs", "sqcfs", "qcfs"])
def test_a_stage_starts_with_the_function_of_the_one_before(calls, end):
    stages = (*CHAIN.stages[:2], Stage(end, 2, 0.02))
    _, _, splits = run(dataclasses.replace(CHAIN, stages=stages))
    x = splits.test.normalise(splits.test.images)
    with torch.no_grad():
        before, after = (model.eval()(x) for model, _, _ in calls[1:])
    close = torch.isclose(before, after, rtol=1e-4, atol=1e-4 * float(before.abs().max())).all(1)
    assert int(close.sum()) >= len(x) - 1 and float(before.std()) > 1e-3  # a tie may fall to its other side


def test_given_and_calibrated_thresholds(calls):
    given, _, _ = run(dataclasses.replace(CHAIN, stages=CHAIN.stages[1:], threshold=2.5, L=8))
    sites = family.sites(given).values()
    assert {m.L for m in sites} == {8}
    for module in sites:
        torch.testing.assert_close(module.threshold, torch.full_like(module.threshold, 2.5))
    calibrated, _, _ = run(CHAIN)
    layers = [m.threshold.detach() for m in family.sites(calibrated).values()]
    assert all(torch.allclose(theta, theta[0]) for theta in layers)  # each channel starts with its layer
    assert len({round(theta[0].item(), 4) for theta in layers}) == 7


def test_seeds_decide_weights_and_images_but_not_the_validation_split(calls):
    (one, _, first), (two, _, second), (same, _, _) = (run(ending(RELU, seed=s)) for s in (0, 1, 0))
    assert_same_weights(one, same)
    assert not torch.equal(one.get_parameter("conv.weight"), two.get_parameter("conv.weight"))
    assert torch.equal(first.val.images, second.val.images)
    images = [trainings.initial_images(ending(RELU, seed=s), first.train) for s in (0, 1)]
    assert images[0].shape == (200, 1, 8, 8) and not torch.equal(*images)


# sharing


def test_children_share_their_parents_checkpoint(steps):
    """Four ends of one stage 1, as in Tables 3 and 4, train it once."""
    parent = ending(RELU, "qcfs")
    run(parent)
    assert len(steps) == 2 * STEPS
    before = trainings.checkpoint_path(parent).read_bytes()
    for number, end in enumerate(("qcfs", "sqcfs", "cqcfs", "csqcfs"), 1):
        child = ending(RELU, "qcfs", end)
        _, history, _ = run(child)
        assert len(steps) == (2 + number) * STEPS and len(history) == 3
    assert trainings.checkpoint_path(parent).read_bytes() == before
    assert len(list(paths.checkpoints().iterdir())) == 6


def test_every_L_shares_the_relu_network(steps):
    for number, L in enumerate((2, 4, 8), 1):
        run(ending(RELU, "qcfs", L=L))
        assert len(steps) == (1 + number) * STEPS


def test_a_finished_training_is_only_loaded(finished, steps):
    training, first, history = finished
    second, again, _ = run(training, deadline=time.monotonic() - 1)
    assert not steps and again == history and len(history) == 2
    assert_same_weights(first, second)
    assert_same_weights(first, second)


def test_any_setting_makes_another_checkpoint(steps):
    changes = ({}, {"seed": 1}, {"L": 8}, {"threshold": 1.0}, {"weight_decay": 0.0}, {"val": 30})
    chains = [ending("qcfs", **{"threshold": 2.0, **change}) for change in changes]
    assert len({trainings.checkpoint_path(chain) for chain in chains}) == len(changes)
    run(chains[0])
    del steps[:]
    run(chains[1])
    assert steps


# resuming


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def uninterrupted(resnet8, tmp_path_factory):
    """Weights and history of the whole chain in one go."""
    with pytest.MonkeyPatch.context() as patch:
        small.__wrapped__(tmp_path_factory.mktemp("whole"), patch)
        model, history, _ = run(CHAIN)
    return model, history


@pytest.mark.parametrize(
    "at",
    [
        STEPS + 1,  # second epoch of stage 1
        2 * STEPS,  # before the first checkpoint of stage 2
        4 * STEPS + 2,  # third epoch of stage 2
        5 * STEPS,  # before the first checkpoint of stage 3
        6 * STEPS + 2,  # last epoch of all
    ],
)
def test_an_interrupted_chain_ends_bit_identical(uninterrupted, monkeypatch, steps, at):
    taken = itertools.count()
    noted = F.cross_entropy

    def cross_entropy(*args, **kwargs):
        if next(taken) == at:
            raise Interrupted
        return noted(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(F, "cross_entropy", cross_entropy)
        with pytest.raises(Interrupted):
            run(CHAIN)
    assert len(steps) == at
    torch.manual_seed(4711)  # another process has another random state
    model, history, _ = run(CHAIN)
    assert len(steps) == at + 7 * STEPS - at // STEPS * STEPS  # only the epoch that was cut is done again
    assert_same_weights(model, uninterrupted[0])
    assert without_seconds(history) == without_seconds(uninterrupted[1])
    assert not [p for p in paths.checkpoints().iterdir() if p.name.startswith(".")]


def test_deadlines_pass_through_all_stages(uninterrupted, monkeypatch, steps):
    """Call by call, as a scheduler with short slots would."""
    stopped = 0
    for _ in range(10):
        del steps[:]
        with monkeypatch.context() as patch:
            clock = itertools.count()  # each reading is a second later
            patch.setattr(train.time, "monotonic", lambda: float(next(clock)))
            try:
                run(CHAIN, deadline=4.5)
            except OutOfTime as error:
                assert "epochs done" in str(error) and steps and len(steps) % STEPS == 0
                stopped += 1
            else:
                break
    assert 2 <= stopped < 7
    model, history, _ = run(CHAIN)
    assert_same_weights(model, uninterrupted[0])
    assert without_seconds(history) == without_seconds(uninterrupted[1])


def test_a_deadline_already_past_trains_nothing(steps):
    with pytest.raises(OutOfTime, match="0 of 2 epochs done"):
        run(CHAIN, deadline=time.monotonic() - 1)
    assert not steps and not list(paths.checkpoints().glob("*.safetensors"))


def test_the_callers_random_state_is_left_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    run(ending(RELU, "csqcfs"))
    assert torch.equal(torch.get_rng_state(), before)


# refusals


@pytest.fixture(scope="module")
def trained_once(resnet8, tmp_path_factory):
    """A training of two stages, its network and history, and the home with its checkpoints."""
    training, home = ending(RELU, "qcfs"), tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch:
        small.__wrapped__(home, patch)
        model, history, _ = run(training)
    return (training, model, history), home / "home"


@pytest.fixture
def finished(trained_once, tmp_path):
    """The training, its network and history, with copies of its checkpoints in this test's home."""
    shutil.copytree(trained_once[1], tmp_path / "home")
    return trained_once[0]


@pytest.mark.parametrize(
    ("training", "named"),
    [
        (ending("qcfs", threshold=0.0), "^threshold = 0: expected"),
        (ending("qcfs", threshold=-1.0), "^threshold = -1"),
        (ending("qcfs", threshold=float("nan")), "^threshold = nan"),
        (ending("qcfs", threshold=4.0, L=0), "^L = 0"),
        (ending("gelu", threshold=4.0), "^activation = 'gelu': expected one of qcfs"),
        (ending(RELU, network="resnet34"), "^name = 'resnet34'"),
        (ending(RELU, width=0.0), "^width = 0.0"),
        (ending(RELU, batch_size=0), "^batch_size = 0"),
        (ending(RELU, val=220), "^val = 220"),
        (ending(RELU, dataset="mnist"), "^data set 'mnist': expected"),
        (ending(RELU, precision="int8"), "^precision"),
        (ending(RELU, augment=Augment(autoaugment=False)), "^cutout = 16 on 8x8 images"),
    ],
)
def test_bad_settings_are_one_line_and_leave_nothing(training, named, steps):
    with pytest.raises(InputError, match=named) as caught:
        run(training)
    assert "\n" not in str(caught.value) and not steps
    assert not list(paths.checkpoints().glob("*.safetensors"))


@pytest.mark.parametrize("damage", [lambda b: b[:-40], lambda b: b"", lambda b: b[:-3] + bytes([b[-3] ^ 1]) + b[-2:]])
@pytest.mark.parametrize("which", [lambda t: t, lambda t: t.parent])
def test_a_damaged_checkpoint_is_one_line_and_its_removal_the_remedy(finished, damage, which):
    training, expected, _ = finished
    path = trainings.checkpoint_path(which(training))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        InputError, match=f"^{path} is (truncated|damaged).*delete it and (run|get it) again$"
    ) as caught:
        run(training)
    assert "\n" not in str(caught.value)
    path.unlink()
    model, _, _ = run(training)
    assert_same_weights(model, expected)


def test_a_checkpoint_of_other_images_is_refused(finished, monkeypatch):
    training = finished[0].parent
    original = data.load
    monkeypatch.setattr(data, "load", lambda *args: original(*args)._replace(train=original(*args).test))
    with pytest.raises(InputError, match="is of another training.*train_set"):
        run(training)


def test_images_that_changed_since_a_training_was_declared_are_refused(monkeypatch):
    training, original = ending(RELU), data.load

    def load(*args):
        splits = original(*args)
        return splits._replace(train=dataclasses.replace(splits.train, origin="0123456789abcdef"))

    monkeypatch.setattr(data, "load", load)
    said = r"^digits has other images \(0123456789abcdef\) than when .*--data or CSQCFS_DATA$"
    with pytest.raises(InputError, match=said):
        run(training)
    assert not list(paths.checkpoints().glob("*.safetensors"))


def test_a_home_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "occupied").write_text("")
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "occupied"))
    with pytest.raises(InputError, match="^cannot write .*occupied/checkpoints.*; choose a writable") as caught:
        run(ending(RELU))
    assert "\n" not in str(caught.value)


# real images


@pytest.mark.slow
def test_a_quick_chain_on_cifar(monkeypatch, folder_of_images):
    root = folder_of_images or Path("none")
    if not (root / "cifar10").exists() and not (root / "cifar-10-python.tar.gz").exists():
        pytest.skip("CSQCFS_DATA has no cifar10")
    monkeypatch.setenv("CSQCFS_DATA", str(root))

    def load(name, root=None, val=0, seed=0):
        splits = whole_set(name, root, 0)
        return data.Splits(*data.hold_out(data.hold_out(splits.train, 3000, 0)[1], val, seed), splits.test)

    monkeypatch.setattr(data, "load", load)
    training = profiles.get("quick").training("cifar10", "resnet20")
    stages = tuple(dataclasses.replace(stage, epochs=4) for stage in training.stages)
    training = dataclasses.replace(training, stages=stages, width=0.5, val=500)
    model, history, splits = run(training)
    assert len(history) == 12 and splits.train.images.shape == (2500, 3, 32, 32)
    assert history[-1]["loss"] < history[0]["loss"] and history[-1]["val_accuracy"] > 20
    assert all(bool((m.threshold > 0).all()) for m in family.sites(model).values())
    tensors, _ = load_state(trainings.checkpoint_path(training))
    assert sum(name.startswith("model.") for name in tensors) == len(model.state_dict())


# from a network of the package


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """A network of the digits, with thresholds of its own, as one of the package's files."""
    splits = data.load("digits", val=20)
    torch.manual_seed(7)
    model = models.build("resnet8", 10, 0.1, 1)
    model = quantize.quantize_activations(model, 4, 1.0, splits.train.normalise(splits.train.images[:2]))
    for number, site in enumerate(family.sites(model).values()):
        site.raw.data.fill_(0.5 + number / 10)
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    return zoo.save(model, tmp_path / "small.safetensors", images=splits.train)


def starting(activation: str = "csqcfs", epochs: int = 0, **changes) -> Training:
    return dataclasses.replace(CHAIN, start="small", stages=(Stage(activation, epochs, 0.02),), **changes)


def test_a_training_goes_on_from_a_network_of_the_package(packaged):
    model, history, splits = trainings.train(starting())
    x = splits.test.normalise(splits.test.images)
    with torch.no_grad():
        assert torch.equal(trainings.train(starting("qcfs"))[0](x), zoo.load("small")(x))
        torch.testing.assert_close(model(x), zoo.load("small")(x))
    assert history == [] and not list(paths.checkpoints().glob("*"))
    assert {type(site).__name__ for site in family.sites(model).values()} == {"CSQCFS"}
    trained, history, _ = trainings.train(starting(epochs=1))
    assert len(history) == 1 and not torch.equal(trained(x), model(x))
    again, _, _ = trainings.train(starting(epochs=1))  # from its checkpoint
    assert torch.equal(trained(x), again(x))


@pytest.mark.parametrize("thresholds", ["kept", "calibrated"])
def test_another_L_keeps_the_thresholds_or_calibrates_them(packaged, thresholds):
    training = starting(L=1, start_thresholds=thresholds)
    model, _, splits = trainings.train(training)
    sites = family.sites(model).values()
    assert {site.L for site in sites} == {1}
    with torch.no_grad():
        levels = {len(site(torch.linspace(-9, 9, 99)[:, None].expand(-1, site.channels)).unique()) for site in sites}
    before = [site.threshold.item() for site in family.sites(zoo.load("small")).values()]
    alike = [site.threshold[0].item() for site in sites] == pytest.approx(before, rel=1e-3)
    assert 2 in levels and alike == (thresholds == "kept")
    assert training.settings()["start_thresholds"] == thresholds
    assert "start_thresholds" not in starting(start_thresholds=thresholds).settings()


def test_the_start_is_in_the_digest(packaged):
    first = starting()
    assert first.settings()["start_digest"] == zoo.digest("small") == first.start_digest
    with torch.no_grad():
        network = zoo.load("small")
        next(iter(family.sites(network).values())).raw.add_(1)
        zoo.save(network, packaged, images=data.load("digits", val=20).train)
    assert starting().digest != first.digest
    assert not {"start", "start_digest", "start_thresholds", "threshold_decay", "levels"} & CHAIN.settings().keys()


def test_a_start_that_does_not_fit_is_refused(packaged):
    with pytest.raises(InputError, match="'other': expected a network of the package, one of small"):
        dataclasses.replace(CHAIN, start="other")
    with pytest.raises(InputError, match="small has {'name': 'resnet8', 'width': 0.1") as refusal:
        trainings.train(starting(width=0.2))
    assert "\n" not in str(refusal.value)


def test_a_window_is_that_of_every_stage_and_of_a_start():
    whole = dataclasses.replace(CHAIN, stages=tuple(Stage(a, 1, 0.05) for a in ("qcfs", "csqcfs")), threshold=1.0)
    other = dataclasses.replace(whole, window="clamp_floor")
    assert dataclasses.replace(whole, window="paper") == whole != other  # what is no change has no digest of its own
    model, _, _ = trainings.train(other, progress=False)
    assert {site.window for site in family.sites(model).values()} == {"clamp_floor"}
    printed, _, _ = trainings.train(whole, progress=False)
    assert {site.window for site in family.sites(printed).values()} == {"paper"}
    first, second = (model.state_dict() for model in (model, printed))
    assert any(not torch.equal(first[name], second[name]) for name in first)
