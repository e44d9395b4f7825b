"""Training: what it learns, that it repeats and resumes exactly, and what it refuses."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import random
import re
import time

import numpy as np
import pytest
import torch
from csqcfs.conversion import family, quantize
from csqcfs.data import epoch_generator
from csqcfs.data.augment import Augment
from csqcfs.data.images import ImageSet
from csqcfs.engine.checkpoint import load_metadata, load_state, save_state
from csqcfs.engine.errors import Busy, InputError, shown
from csqcfs.engine.files import lock
from csqcfs.training import epoch as one_epoch
from csqcfs.training import evaluation, inputs, precision, resume, train
from csqcfs.training.evaluation import evaluate, evaluate_snn
from csqcfs.training.precision import REPAID, REPAID_ON_A_GPU, in_use, resolve_precision, worth_compiling
from csqcfs.training.recipe import Recipe, learning_rate
from csqcfs.training.train import OutOfTime, TrainingDiverged, fit
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

SMALL = Augment(crop=1, flip=True, autoaugment=False, cutout=2)
QUIET = {"batch_size": 16, "lr": 0.05, "augment": SMALL, "progress": False}


def image_set(count: int = 70, classes: int = 4, seed: int = 0) -> ImageSet:
    """Noise around one pattern for each class, so that there is something to learn."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randint(60, 196, (classes, 3, 8, 8), generator=torch.Generator().manual_seed(99))
    labels = torch.arange(count) % classes
    noise = torch.randint(-40, 41, (count, 3, 8, 8), generator=generator)
    images = (patterns[labels] + noise).to(torch.uint8)
    return ImageSet(images, labels, tuple("abcdefgh"[:classes]), (0.5,) * 3, (0.25,) * 3)


def network(classes: int = 4, quantized: bool = True, width: int = 8, seed: int = 5) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        plain = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Flatten(),
            nn.Linear(16 * width, classes),
        )
        if not quantized:
            return plain
        return family.to_channelwise(quantize.quantize_activations(plain, 4, 1.0, torch.zeros(2, 3, 8, 8)))


def assert_same_weights(first: nn.Module, second: nn.Module) -> None:
    one, two = first.state_dict(), second.state_dict()
    assert one.keys() == two.keys()
    for name in one:
        assert torch.equal(one[name], two[name]), name


def without_seconds(history: list[dict]) -> list[dict]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in history]


class Interrupted(Exception):
    pass


def interrupt(monkeypatch, at_step: int, error: type[BaseException] = Interrupted) -> None:
    """Let the loss raise ``error`` at its ``at_step``-th call, counted from 0."""
    original, calls = F.cross_entropy, itertools.count()

    def cross_entropy(*args, **kwargs):
        if next(calls) == at_step:
            raise error
        return original(*args, **kwargs)

    monkeypatch.setattr(F, "cross_entropy", cross_entropy)


# learning


def test_loss_falls_and_the_history_says_so():
    model, images, held_out = network(), image_set(260), image_set(seed=1)
    before = evaluate(model, held_out)
    history = fit(model, images, epochs=8, val_set=held_out, **QUIET)
    assert [record["epoch"] for record in history] == list(range(1, 9))
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert history[-1]["val_accuracy"] == evaluate(model, held_out) > max(before, 90)
    assert 0 <= history[0]["accuracy"] < history[-1]["accuracy"] <= 100
    assert all(record["seconds"] > 0 for record in history)


def test_history_has_the_spread_of_every_threshold():
    model = network()
    record = fit(model, image_set(), epochs=1, **QUIET)[0]
    assert list(record["thresholds"]) == list(family.sites(model)) and len(record["thresholds"]) == 2
    for name, site in family.sites(model).items():
        theta = site.threshold.detach()
        assert record["thresholds"][name] == [theta.min().item(), theta.mean().item(), theta.max().item()]
        assert theta.min() < theta.max()
    assert fit(network(quantized=False), image_set(), epochs=1, **QUIET)[0]["thresholds"] == {}


@pytest.mark.parametrize("schedule", ["cosine", "onecycle"])
def test_weights_equal_those_of_a_loop_written_out(schedule):
    """Plain PyTorch: SGD, momentum, weight decay on everything, the schedule by hand."""
    from csqcfs import data

    images, epochs, lr = image_set(), 5, 0.05
    model, reference = network(), network()
    for dropout in (m for net in (model, reference) for m in net.modules() if isinstance(m, nn.Dropout)):
        dropout.p = 0.0
    history = fit(model, images, epochs=epochs, schedule=schedule, label_smoothing=0.1, weight_decay=0.01, **QUIET)

    reference = reference.to(memory_format=torch.channels_last).train()
    velocity = {name: torch.zeros_like(p) for name, p in reference.named_parameters()}
    for epoch in range(epochs):
        for step, (x, y) in enumerate(data.train_batches(images, 16, SMALL, 0, epoch)):
            done = (4 * epoch + step + 0.5) / (4 * epochs)
            if schedule == "cosine":
                rate = lr * (1 + math.cos(math.pi * done)) / 2
            else:
                rate = lr * (done / 0.2 if done < 0.2 else (1 + math.cos(math.pi * (done - 0.2) / 0.8)) / 2)
            reference.zero_grad()
            log_p = reference(x).log_softmax(1)
            target = 0.9 * nn.functional.one_hot(y, 4) + 0.1 / 4
            (-(target * log_p).sum(1).mean()).backward()
            with torch.no_grad():
                for name, p in reference.named_parameters():
                    velocity[name] = 0.9 * velocity[name] + p.grad + 0.01 * p
                    p -= rate * velocity[name]
        assert history[epoch]["lr"] == pytest.approx(rate)
    for (name, p), q in zip(model.named_parameters(), reference.parameters()):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5, msg=name)


def test_weight_decay_reaches_the_thresholds():
    thetas = {}
    for decay in (0.0, 0.5):
        model = network()
        fit(model, image_set(), epochs=3, weight_decay=decay, **QUIET)
        thetas[decay] = torch.cat([site.threshold for site in family.sites(model).values()]).max().item()
    assert thetas[0.5] < thetas[0.0] - 0.05


def test_a_torch_dataset_is_trained_like_its_image_set(monkeypatch):
    images, held_out = image_set(), image_set(20, seed=1)
    pairs = list(zip(images.images, images.labels.tolist()))
    known, evaluated = ImageSet.from_dataset(pairs), []
    first, second = network(), network()
    monkeypatch.setattr(train, "evaluate", lambda model, images: evaluated.append(images))
    fit(first, pairs, epochs=1, val_set=list(zip(held_out.images, held_out.labels.tolist())), **QUIET)
    fit(second, known, epochs=1, **QUIET)
    assert_same_weights(first, second)
    assert torch.equal(evaluated[0].images, held_out.images)
    assert (evaluated[0].mean, evaluated[0].std) == (known.mean, known.std)  # not of held-out images


def test_bfloat16_learns_with_float32_weights():
    model = network()
    history = fit(model, image_set(260), epochs=6, precision="bfloat16", **QUIET)
    other = network()
    fit(other, image_set(260), epochs=6, **QUIET)
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not torch.equal(model.get_parameter("0.weight"), other.get_parameter("0.weight"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_network_of_another_type_trains_and_is_evaluated_in_it(dtype):
    model = network().to(dtype)
    history = fit(model, image_set(260), epochs=6, val_set=image_set(40, seed=1), **QUIET)
    assert {p.dtype for p in model.parameters()} == {dtype}
    assert history[-1]["loss"] < 0.6 * history[0]["loss"] and history[-1]["val_accuracy"] > 80


# what is given


def test_images_in_any_usual_form_train_the_same():
    images = image_set()
    pairs = list(zip(images.images, images.labels.tolist(), strict=True))
    floats = images.images / 255
    known = ImageSet.from_dataset(pairs)
    forms = {
        "set": known,
        "dataset": pairs,
        "loader": DataLoader(pairs, batch_size=16, shuffle=True),
        "tensors": (images.images, images.labels),
        "list of tensors": [floats, images.labels.int()],
        "TensorDataset": TensorDataset(floats, images.labels),
    }
    trained = {}
    for name, form in forms.items():
        trained[name] = network()
        fit(trained[name], form, val_set=form, epochs=1, **QUIET)
        assert_same_weights(trained["set"], trained[name])
    assert inputs.image_set(forms["tensors"]).mean == known.mean


def test_a_loader_brings_its_batch_size():
    pairs, settings = list(zip(*image_set_parts(), strict=True)), {k: v for k, v in QUIET.items() if k != "batch_size"}
    models = [network(), network(), network()]
    fit(models[0], DataLoader(pairs, batch_size=10), epochs=1, **settings)
    fit(models[1], pairs, batch_size=10, epochs=1, **settings)
    fit(models[2], DataLoader(pairs, batch_size=35), batch_size=10, epochs=1, **settings)
    assert_same_weights(models[0], models[1])
    assert_same_weights(models[0], models[2])


def image_set_parts():
    images = image_set()
    return images.images, images.labels.tolist()


def test_mean_and_std_of_ones_own(monkeypatch):
    seen = []
    monkeypatch.setattr(train, "evaluate", lambda model, images: seen.append(images) or 0.0)
    monkeypatch.setattr(train, "training_format", lambda model, x: seen.append(x) or torch.contiguous_format)
    images, own = image_set(), {"mean": (0.1, 0.2, 0.3), "std": [1, 2, 3]}
    fit(network(), images, val_set=images, epochs=1, **own, **QUIET)
    raw = images.images[:2] / 255
    torch.testing.assert_close(
        seen[0], (raw - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor([1.0, 2, 3]).view(3, 1, 1)
    )
    assert (seen[1].mean, seen[1].std) == ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    with pytest.raises(InputError, match="^mean and std belong together"):
        fit(network(), images, mean=(0.1, 0.2, 0.3), epochs=1, **QUIET)


class Stream(IterableDataset):
    def __iter__(self):
        yield torch.zeros(3, 8, 8), 0


FOUR = TensorDataset(torch.zeros(4, 3, 8, 8), torch.zeros(4, dtype=torch.int64))


class Repeating(SequentialSampler):
    def __iter__(self):
        return iter([0] * len(self))


class Ones(DataLoader):
    def __iter__(self):
        return ((images, labels + 1) for images, labels in super().__iter__())


class Cropped:
    """Four images, each cropped anew at every reading, by one of three generators of random numbers."""

    def __init__(self, draw):
        self.draw = draw

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError
        return torch.zeros(3, 8, 8).roll(int(8 * self.draw()), 1), 0


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ([(torch.zeros(3, 8, 8), 0, 1)], "^sample 0 has 3 parts: expected a pair"),
        ([{"image": torch.zeros(3, 8, 8), "label": 0}], "^sample 0 has type dict: expected a pair"),
        ([torch.zeros(3, 8, 8)], "^sample 0 has type Tensor"),
        ([(torch.zeros(3, 8, 8), 0), (torch.zeros(3, 8, 8), 0, 1)], "^sample 1 has 3 parts: expected a pair"),
        (Stream(), "^images of type Stream: expected an ImageSet, a map-style"),
        (DataLoader(Stream()), "^images of type Stream"),
        (DataLoader(FOUR, collate_fn=list), "^a DataLoader with a collate_fn"),
        (DataLoader(FOUR, sampler=SubsetRandomSampler([0, 1])), "^a DataLoader with a SubsetRandomSampler.*Subset$"),
        (DataLoader(FOUR, sampler=WeightedRandomSampler([1.0] * 4, 4)), "^a DataLoader with a WeightedRandomSampler"),
        (DataLoader(FOUR, sampler=RandomSampler(FOUR, replacement=True)), "^a DataLoader with a RandomSampler"),
        (DataLoader(FOUR, batch_sampler=BatchSampler(range(2), 2, False)), "^a DataLoader with a range"),
        (DataLoader(FOUR, batch_sampler=[[0, 1], [0, 2]]), "^a DataLoader with a list, which fit does not ask"),
        (DataLoader(FOUR, sampler=Repeating(FOUR)), "^a DataLoader with a Repeating"),
        (Ones(FOUR), "^a Ones with an __iter__ of its own"),
        *((Cropped(draw), "^samples of type Cropped are drawn at random") for draw in (random.random, np.random.rand)),
        (Cropped(lambda: torch.rand(())), "^samples of type Cropped are drawn at random.*augment=$"),
        (
            (np.zeros((4, 3, 8, 8), np.uint8), np.zeros(4, np.int64)),
            "^images of type ndarray and labels of type ndarray: expected two tensors",
        ),
        (3, "^images of type int"),
        ((torch.zeros(4, 3, 8, 8), torch.zeros(3).long()), r"labels of shape \[3\]: expected"),
        ((torch.zeros(4, 3, 8, 8), torch.zeros(4, 2).long()), r"labels of shape \[4, 2\]: expected"),
        ((torch.zeros(4, 3, 8, 8), torch.zeros(4)), "^label"),
        ((torch.zeros(4, 3, 2, 8, 8), torch.zeros(4).long()), r"^image 0 has shape \[3, 2, 8, 8\]"),
        ((torch.zeros(4, 20), torch.zeros(4).long()), r"^image 0 has shape \[20\]"),
    ],
)
def test_images_of_another_form_are_one_line(given, named):
    with pytest.raises(InputError, match=named) as caught:
        fit(network(), given, epochs=1, **QUIET)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [tuple, list, dict])
def test_networks_with_several_outputs_are_one_line(kind):
    class Several(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(192, 4)

        def forward(self, x):
            out = self.layer(x.flatten(1))
            return {"out": out} if kind is dict else kind((out, out))

    with pytest.raises(InputError, match=f"^Several gives a {kind.__name__}: expected one tensor") as caught:
        fit(Several(), image_set(), epochs=1, **QUIET)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("layer", [nn.Conv3d(3, 4, 3), nn.Conv1d(3, 4, 3), nn.Linear(5, 4), nn.Embedding(3, 4)])
def test_networks_for_other_inputs_are_one_line(layer):
    with pytest.raises(InputError, match=r"^Sequential (does not run on images of shape|gives an output)") as caught:
        fit(nn.Sequential(layer), image_set(), epochs=1, **QUIET)
    assert "\n" not in str(caught.value)


# learning rate


def test_cosine_is_that_of_pytorch():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    for epoch in range(31):
        expected = scheduler.get_last_lr()[0]
        assert learning_rate("cosine", 0.1, epoch / 30) == pytest.approx(expected, abs=1e-12)
        optimizer.step()
        scheduler.step()


def test_a_long_cosine_is_the_papers_and_a_short_one_comes_down_by_step():
    for epochs in (300, 20):
        recipe = Recipe(epochs=epochs, lr=0.1)
        for epoch in (0, 7, epochs - 1):
            expected = 0.1 * (1 + math.cos(math.pi * epoch / epochs)) / 2
            assert [recipe.rate(epoch, step, 9) for step in range(9)] == [pytest.approx(expected)] * 9
    assert Recipe(epochs=20, lr=1.0).rate(19, 8, 9) < 0.007
    for epochs in (1, 2, 19):
        recipe = Recipe(epochs=epochs, lr=0.1)
        rates = [recipe.rate(epoch, step, 50) for epoch in range(epochs) for step in range(50)]
        assert rates == sorted(rates, reverse=True) and rates[0] > 0.0999 and rates[-1] < 1e-4


def test_onecycle_corners():
    points = {0.0: 0.0, 0.1: 0.05, 0.2: 0.1, 0.6: 0.05, 1.0: 0.0}
    assert {p: learning_rate("onecycle", 0.1, p) for p in points} == pytest.approx(points, abs=1e-15)


@given(st.sampled_from(["cosine", "onecycle"]), st.floats(0, 1), st.floats(0, 1))
def test_rate_stays_between_zero_and_lr_and_only_warm_up_rises(schedule, one, two):
    low, high = sorted((one, two))
    rates = learning_rate(schedule, 0.3, low), learning_rate(schedule, 0.3, high)
    assert all(0 <= rate <= 0.3 for rate in rates)
    if schedule == "cosine" or low >= 0.2:
        assert rates[0] >= rates[1]


# repeating and resuming


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("schedule", ["cosine", "onecycle"])
def test_resumed_training_ends_bit_identical(tmp_path, monkeypatch, precision, schedule):
    setup = {**QUIET, "epochs": 4, "precision": precision, "schedule": schedule, "val_set": image_set(20, seed=1)}
    whole = network()
    expected = fit(whole, image_set(), **setup)

    path = tmp_path / "run.safetensors"
    with monkeypatch.context() as patch:
        interrupt(patch, at_step=4 + 2)  # in the second of four epochs of four steps
        with pytest.raises(Interrupted):
            fit(network(), image_set(), checkpoint=path, **setup)
    torch.manual_seed(12345)  # the random state of another process
    resumed = network(seed=6)
    history = fit(resumed, image_set(), checkpoint=path, **setup)
    assert_same_weights(whole, resumed)
    assert without_seconds(history) == without_seconds(expected)


def test_dropout_matters_to_the_test_above_and_seeds_decide():
    models = {}
    for key, seed, p in (("a", 0, 0.2), ("b", 0, 0.2), ("seed", 1, 0.2), ("p", 0, 0.0)):
        models[key] = network()
        next(m for m in models[key].modules() if isinstance(m, nn.Dropout)).p = p
        fit(models[key], image_set(), epochs=1, seed=seed, **QUIET)
    assert_same_weights(models["a"], models["b"])
    for other in ("seed", "p"):
        assert not torch.equal(models["a"].get_parameter("8.weight"), models[other].get_parameter("8.weight"))


def test_epochs_draw_different_dropout_masks():
    masks = []
    model = network()
    dropout = next(m for m in model.modules() if isinstance(m, nn.Dropout))
    dropout.register_forward_hook(lambda module, args, out: masks.append(module.training and torch.rand(3)))
    fit(model, image_set(16), epochs=2, **QUIET)
    _, first, second = (mask for mask in masks if isinstance(mask, torch.Tensor))  # the first is of a trial
    assert not torch.equal(first, second)


def test_dropout_is_drawn_by_seed_and_epoch_and_apart_from_the_batches():
    draws = set()
    with torch.random.fork_rng([]):
        for seed, at in itertools.product((0, 1), repeat=2):
            one_epoch.seed_dropout(seed, at, torch.device("cpu"))
            draws.add(tuple(torch.rand(4).tolist()))
            draws.add(tuple(torch.rand(4, generator=epoch_generator(seed, at)).tolist()))
    assert len(draws) == 8


def test_the_history_does_not_depend_on_how_often_the_loss_is_read(monkeypatch):
    histories = []
    for every in (20, 3, 1):
        monkeypatch.setattr(one_epoch, "READ_EVERY", every)
        histories.append(without_seconds(fit(network(), image_set(), epochs=2, **QUIET)))
    assert histories[0] == histories[1] == histories[2]


def test_ctrl_c_leaves_the_last_epoch(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    one = network()
    fit(one, image_set(), epochs=3, checkpoint=tmp_path / "other", **QUIET)
    with monkeypatch.context() as patch:
        interrupt(patch, at_step=2 * 4 + 3, error=KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(network(), image_set(), epochs=3, checkpoint=path, **QUIET)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["other", "run.safetensors"]
    with monkeypatch.context() as patch:
        interrupt(patch, at_step=4)  # one epoch is left, of four steps
        two = network()
        assert len(fit(two, image_set(), epochs=3, checkpoint=path, **QUIET)) == 3
    assert_same_weights(one, two)


def test_finished_checkpoint_returns_at_once(tmp_path, monkeypatch):
    path = tmp_path / "run"
    model, other = network(), network(seed=6)
    history = fit(model, image_set(), epochs=2, checkpoint=path, **QUIET)
    interrupt(monkeypatch, at_step=0)
    past = time.monotonic() - 1
    assert fit(other, image_set(), epochs=2, checkpoint=path, deadline=past, **QUIET) == history
    assert_same_weights(model, other)


def test_a_checkpoint_has_one_writer(tmp_path, monkeypatch):
    """A second call is refused while the first trains; a complete checkpoint is only read, by anybody."""
    path, original, refused = tmp_path / "one", train.train_epoch, []

    def train_epoch(*args):
        if not refused:
            with pytest.raises(Busy, match="one is being made by another process: wait") as caught:
                refused.append(True) or fit(network(), image_set(), epochs=2, checkpoint=path, **QUIET)
            refused.append(caught)
        return original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(train, "train_epoch", train_epoch)
        history = fit(network(), image_set(), epochs=2, checkpoint=path, **QUIET)
    assert len(refused) == 2 and [p.name for p in tmp_path.iterdir()] == ["one"]
    with lock(path):
        assert fit(network(), image_set(), epochs=2, checkpoint=path, **QUIET) == history


def test_a_checkpoint_never_goes_back(tmp_path, monkeypatch):
    """Not even where locks do not work: a slower process leaves what a faster one has finished."""
    path, original, raced = tmp_path / "one", train.train_epoch, []
    monkeypatch.setattr(train, "lock", lambda path: contextlib.nullcontext())

    def train_epoch(*args):
        result = original(*args)
        if not raced:
            raced.append(fit(network(), image_set(), epochs=3, checkpoint=raced.append(1) or path, **QUIET))
        return result

    monkeypatch.setattr(train, "train_epoch", train_epoch)
    written = []
    monkeypatch.setattr(resume, "save_state", lambda path, t, metadata: written.append(save_state(path, t, metadata)))
    assert len(fit(network(), image_set(), epochs=3, checkpoint=path, **QUIET)) == 3
    assert len(written) == 3 and load_state(path)[1]["history"] == raced[1]


def test_deadline_stops_after_an_epoch_and_the_next_call_finishes(tmp_path, monkeypatch):
    clock = itertools.count(step=5)  # each reading is 5 s later
    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(train.time, "monotonic", lambda: float(next(clock)))
        with pytest.raises(OutOfTime, match="2 of 5 epochs done, 3 left at about 5 s each.*again with .*run$"):
            fit(network(), image_set(), epochs=5, checkpoint=path, deadline=34.0, **QUIET)
    model, whole = network(), network()
    assert len(fit(model, image_set(), epochs=5, checkpoint=path, **QUIET)) == 5
    fit(whole, image_set(), epochs=5, **QUIET)
    assert_same_weights(model, whole)


def test_the_last_epoch_says_how_long_the_next_takes(tmp_path, monkeypatch):
    path, setup = tmp_path / "run", {**QUIET, "epochs": 3}
    with monkeypatch.context() as patch:
        interrupt(patch, at_step=2 * 4 + 1)
        with pytest.raises(Interrupted):
            fit(network(), image_set(), checkpoint=path, **setup)
    tensors, metadata = load_state(path)
    metadata["history"][0]["seconds"], metadata["history"][1]["seconds"] = 0.01, 1e6
    save_state(path, tensors, metadata)
    with pytest.raises(OutOfTime, match=r"^2 of 3 epochs done, 1 left at about 1e\+06 s each"):
        fit(network(), image_set(), checkpoint=path, deadline=time.monotonic() + 1000, **setup)


def test_deadline_already_past_trains_nothing():
    model = network()
    with pytest.raises(OutOfTime, match="0 of 2 epochs done, 2 left.*no checkpoint"):
        fit(model, image_set(), epochs=2, deadline=time.monotonic() - 1, **QUIET)
    assert_same_weights(model, network())


@pytest.mark.parametrize(
    "change, named",
    [
        ({"lr": 0.01}, r"lr 0\.05 there, 0\.01 here"),
        ({"epochs": 3}, "epochs 2 there, 3 here"),
        ({"augment": None}, "augment .* there, None here"),
        ({"val_set": image_set(20)}, "val_set None there"),
        ({"train_set": image_set(seed=3)}, "train_set"),
        ({"model": network(width=4)}, "network"),
        ({"model": family.switch(network(), "cqcfs")}, "network"),
    ],
)
def test_checkpoint_of_another_training_is_refused(tmp_path, change, named):
    path = tmp_path / "run"
    call = {"model": network(), "train_set": image_set(), "epochs": 2, "checkpoint": path, **QUIET}
    fit(**call)
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"{path} is of another training.*{named}.*delete it") as caught:
        fit(**{**call, **change})
    assert "\n" not in str(caught.value) and path.read_bytes() == before


def test_a_checkpoint_of_other_operations_between_the_same_layers_is_refused(tmp_path):
    class Signed(nn.Module):
        def __init__(self, sign):
            super().__init__()
            self.conv, self.head, self.sign = nn.Conv2d(3, 4, 3), nn.Linear(4, 4), sign

        def forward(self, x):
            return self.head(self.sign * F.relu(self.conv(x)).mean((2, 3)))

    ann, other = (quantize.quantize_activations(Signed(sign), 4, 1.0, torch.zeros(2, 3, 8, 8)) for sign in (1, -1))
    fit(ann, image_set(), epochs=1, checkpoint=tmp_path / "run", **QUIET)
    with pytest.raises(InputError, match="is of another training.*network.*delete it"):
        fit(other, image_set(), epochs=1, checkpoint=tmp_path / "run", **QUIET)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, m: m.update(history=None), "lacks settings or history"),
        (lambda t, m: m.update(history=[None]), "lacks settings or history"),
        (lambda t, m: m.update(history=[{"epoch": 1}]), "lacks settings or history"),
        (lambda t, m: m.pop("identity"), "lacks settings or history"),
        (lambda t, m: m.update(identity=[1]), "lacks settings or history"),
        (lambda t, m: m.update(tensors=None), "lacks settings or history"),
        (lambda t, m: m.pop("computed"), "lacks precision or threads"),
        (lambda t, m: m["computed"].update(threads=0), "lacks precision or threads"),
        (lambda t, m: m["computed"].update(precision="float8"), "lacks precision or threads"),
        (lambda t, m: t.popitem(), "lacks m"),
        (lambda t, m: t.pop(next(name for name in t if name.startswith("momentum."))), "lacks momentum."),
        (lambda t, m: t.pop(next(name for name in t if name.startswith("model."))), "lacks model."),
        (lambda t, m: t.update({name: value.double() for name, value in t.items()}), "of float64: expected"),
        (lambda t, m: next(iter(t.values())).fill_(torch.nan), "are not finite"),
    ],
)
def test_well_formed_but_wrong_checkpoints_are_refused(tmp_path, change, message):
    path = tmp_path / "state"
    fit(network(), image_set(), epochs=1, checkpoint=path, **QUIET)
    tensors, metadata = load_state(path)
    change(tensors, metadata)
    save_state(path, tensors, metadata)
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(InputError, match=message) as caught:
        fit(model, image_set(), epochs=1, checkpoint=path, **QUIET)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    assert all(map(torch.equal, model.state_dict().values(), before.values()))


def test_a_checkpoint_goes_on_as_it_began(tmp_path, monkeypatch):
    """In its precision and with its threads, whatever this process would choose."""
    path, setup = tmp_path / "run", {**QUIET, "epochs": 3, "precision": "fast"}
    monkeypatch.setattr(precision, "resolve_precision", lambda precision, device: "bfloat16")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        whole = network()
        fit(whole, image_set(), **setup)
        with monkeypatch.context() as patch:
            interrupt(patch, at_step=6)
            with pytest.raises(Interrupted):
                fit(network(), image_set(), checkpoint=path, **setup)
        assert load_metadata(path)["computed"] == {"precision": "bfloat16", "threads": 2, "devices": ["cpu"]}
        torch.set_num_threads(1)
        monkeypatch.setattr(precision, "resolve_precision", lambda precision, device: "float32")
        threads, resumed = [], network(seed=6)
        monkeypatch.setattr(train, "_spread", lambda theta: threads.append(torch.get_num_threads()))
        fit(resumed, image_set(), checkpoint=path, **setup)
        assert set(threads) == {2} and torch.get_num_threads() == 1
        assert load_metadata(path)["computed"] == {"precision": "bfloat16", "threads": 2, "devices": ["cpu"]}
    finally:
        torch.set_num_threads(before)
    assert_same_weights(whole, resumed)


def test_truncated_checkpoint_is_refused(tmp_path):
    path = tmp_path / "run"
    fit(network(), image_set(), epochs=1, checkpoint=path, **QUIET)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match=f"{path} is truncated.*delete it"):
        fit(network(), image_set(), epochs=1, checkpoint=path, **QUIET)


def test_the_callers_random_state_and_modes_are_left_alone():
    model = network().eval()
    next(iter(family.sites(model).values())).train()
    modes = [module.training for module in model.modules()]
    torch.manual_seed(3)
    before = torch.get_rng_state()
    fit(model, image_set(), epochs=1, val_set=image_set(20), **QUIET)
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in model.modules()] == modes and any(modes) and not all(modes)


def test_progress_bar_counts_every_step(capsys):
    fit(network(), image_set(), epochs=2, **{**QUIET, "progress": True})
    bar = capsys.readouterr().err
    assert "8/8" in bar and "loss=" in bar and "acc=" in bar and "lr=" in bar
    fit(network(), image_set(), epochs=1, **QUIET)
    assert capsys.readouterr().err == ""


# refusals


@pytest.mark.parametrize(
    "name, value",
    [
        ("epochs", 0),
        ("epochs", 1.5),
        ("epochs", True),
        ("batch_size", -1),
        ("seed", -1),
        ("lr", 0.0),
        ("lr", -0.1),
        ("lr", math.nan),
        ("lr", math.inf),
        ("lr", "0.1"),
        ("momentum", 1.0),
        ("momentum", -0.1),
        ("weight_decay", -1e-4),
        ("label_smoothing", 1.0),
        ("label_smoothing", -0.1),
        ("levels", 4),
        ("levels", ()),
        ("levels", (0, 1)),
        ("levels", (1, 2.0)),
        ("levels", [True]),
        ("levels", {1, 2}),
        ("levels", "12"),
        ("schedule", ["cosine"]),
        ("lr", True),
        pytest.param("lr", 10**400, id="lr-too-large"),
        ("recipe", {"epochs": 3}),
        ("deadline", "noon"),
        ("go_on", 3),
        ("schedule", "step"),
        ("precision", "float16"),
        ("augment", "crop"),
    ],
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(InputError, match=re.escape(f"{name} = {shown(value)}: expected ")) as caught:
        fit(network(), image_set(), **{"epochs": 1, **QUIET, name: value})
    assert "\n" not in str(caught.value)


def test_a_batch_may_be_larger_than_any_memory():
    one, two = network(), network()
    fit(one, image_set(), epochs=1, **QUIET | {"batch_size": 10**30})
    fit(two, image_set(), epochs=1, **QUIET | {"batch_size": 70})
    assert_same_weights(one, two)


def test_a_checkpoint_has_a_path():
    with pytest.raises(InputError, match="^path '3': .*; name another$"):
        fit(network(), image_set(), epochs=1, checkpoint=3, **QUIET)


@pytest.mark.parametrize("name", ["epochs", "batch_size", "seed", "levels", "lr", "schedule", "precision", "augment"])
def test_an_array_in_place_of_a_setting_is_one_line(name):
    with pytest.raises(InputError, match=f"^{name} = a ndarray of shape ") as caught:
        Recipe(**{name: np.array([["cosine", "fast"]] * 2)})
    assert "\n" not in str(caught.value)


def test_numbers_of_numpy_and_any_sequence_are_settings(tmp_path):
    plain = Recipe(epochs=1, batch_size=16, seed=3, lr=0.5, levels=(1, 2), augment=SMALL)
    augment = Augment(crop=np.int8(1), flip=np.True_, autoaugment=np.False_, cutout=np.int64(2))
    numbers = {"epochs": np.int64(1), "batch_size": np.int32(16), "seed": np.uint8(3), "lr": np.float32(0.5)}
    for levels in ([1, 2], range(1, 3), np.array([1, 2]), torch.tensor([1, 2]), [np.int64(1), 2]):
        assert Recipe(**numbers, levels=levels, augment=augment) == plain
    given, known = network(), network()
    path = tmp_path / "run"  # which holds the settings as JSON
    fit(given, image_set(), **numbers, levels=[1, np.int64(2)], augment=augment, checkpoint=path, progress=False)
    fit(known, image_set(), recipe=plain, checkpoint=path, progress=False)
    assert_same_weights(given, known)


def test_image_sets_that_do_not_fit_are_refused():
    empty = image_set().subset([])
    with pytest.raises(InputError, match="without images"):
        fit(network(), empty, epochs=1, **QUIET)
    with pytest.raises(InputError, match="without images"):
        fit(network(), image_set(), epochs=1, val_set=empty, **QUIET)
    with pytest.raises(InputError, match="labels go up to 5.*more classes"):
        fit(network(), image_set(classes=6), epochs=1, **QUIET)
    pixels = torch.zeros(4, 3, 9, 13, dtype=torch.uint8)
    large = ImageSet(pixels, torch.arange(4), tuple("abcd"), (0.5,) * 3, (1.0,) * 3)
    with pytest.raises(InputError, match=r"does not run on images of shape \[3, 9, 13\]"):
        fit(network(), large, epochs=1, **QUIET)
    with pytest.raises(InputError, match="no parameter to train"):
        fit(network().requires_grad_(False), image_set(), epochs=1, **QUIET)


def test_frozen_parameters_stay():
    model = network()
    model.get_parameter("0.weight").requires_grad_(False)
    fit(model, image_set(), epochs=1, **QUIET)
    assert torch.equal(model.get_parameter("0.weight"), network().get_parameter("0.weight"))
    assert not torch.equal(model.get_parameter("4.weight"), network().get_parameter("4.weight"))


def test_divergence_is_named_with_its_step(monkeypatch):
    original, calls = F.cross_entropy, itertools.count()
    monkeypatch.setattr(F, "cross_entropy", lambda *a, **k: original(*a, **k) * (math.nan if next(calls) == 6 else 1))
    with pytest.raises(TrainingDiverged, match=r"loss is nan in step 3 of 4 of epoch 2: lower.*lr = 0\.05"):
        fit(network(), image_set(), epochs=3, **QUIET)


def test_divergence_in_the_very_last_step_is_noticed(tmp_path, monkeypatch):
    """Its loss is finite, its gradient is not."""
    original, calls, path = F.cross_entropy, itertools.count(), tmp_path / "run"

    def cross_entropy(logits, *args, **kwargs):
        loss = original(logits, *args, **kwargs)
        if next(calls) == 7:
            loss.register_hook(lambda grad: grad * math.inf)
        return loss

    monkeypatch.setattr(F, "cross_entropy", cross_entropy)
    with pytest.raises(TrainingDiverged, match=r"not finite after epoch 2: lower.*lr = 0\.05"):
        fit(network(), image_set(), epochs=2, checkpoint=path, **QUIET)
    assert len(load_metadata(path)["history"]) == 1


# settings


def test_a_recipe_is_the_same_as_its_settings():
    models = [network(), network(), network()]
    fit(models[0], image_set(), epochs=1, **QUIET)
    recipe = Recipe(epochs=1, **{name: value for name, value in QUIET.items() if name != "progress"})
    fit(models[1], image_set(), recipe=recipe, progress=False)
    fit(models[2], image_set(), recipe=dataclasses.replace(recipe, lr=9.0), lr=0.05, progress=False)
    assert_same_weights(models[0], models[1])
    assert_same_weights(models[0], models[2])
    with pytest.raises(InputError, match="^setting 'compiled': expected one of batch_size.*lr$"):
        fit(network(), image_set(), compiled=True)
    with pytest.raises(InputError, match="^setting 'epoch': did you mean epochs"):
        fit(network(), image_set(), epoch=3)


@pytest.mark.parametrize(
    ("amx", "avx", "onednn", "expected"),
    [
        (True, True, True, "bfloat16"),
        (False, True, True, "bfloat16"),
        (True, False, True, "bfloat16"),
        (False, False, True, "float32"),
        (True, True, False, "float32"),
    ],
)
def test_fast_is_bfloat16_where_the_processor_computes_it(monkeypatch, amx, avx, onednn, expected):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: onednn)
    assert resolve_precision("fast", "cpu") == expected
    assert [resolve_precision(name, "cpu") for name in ("float32", "bfloat16")] == ["float32", "bfloat16"]


def test_fast_on_a_gpu_goes_by_its_capability(monkeypatch):
    for capability, expected in (((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, capability=capability: capability)
        assert resolve_precision("fast", "cuda") == expected
    assert resolve_precision("fast", "meta") == "float32"


def test_only_a_long_training_is_compiled(monkeypatch):
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(precision, "compiler_available", lambda device: True)
    assert worth_compiling("bfloat16", cpu, REPAID)
    assert not worth_compiling("float32", cpu, REPAID) and not worth_compiling("bfloat16", cpu, REPAID - 1)
    assert worth_compiling("float32", cuda, REPAID_ON_A_GPU) and not worth_compiling("bfloat16", cuda, REPAID)
    monkeypatch.setattr(precision, "compiler_available", lambda device: False)
    assert not worth_compiling("bfloat16", cpu, REPAID) and not worth_compiling("float32", cuda, REPAID_ON_A_GPU)


def test_float32_on_a_gpu_says_whether_its_products_are_rounded(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    for allowed in (True, False):
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", allowed)
        assert ("tf32" in in_use("float32", torch.device("cuda"))) is allowed
    assert set(in_use("bfloat16", torch.device("cuda"))) == set(in_use("float32", torch.device("cpu")))


def test_a_checkpoint_names_every_device_that_trained_it(tmp_path, monkeypatch):
    path, setup = tmp_path / "run", {**QUIET, "epochs": 3}
    with monkeypatch.context() as patch:
        interrupt(patch, at_step=6)
        with pytest.raises(Interrupted):
            fit(network(), image_set(), checkpoint=path, **setup)
    tensors, metadata = load_state(path)
    metadata["computed"] |= {"devices": ["NVIDIA H200"], "tf32": True}
    save_state(path, tensors, metadata)
    fit(network(), image_set(), checkpoint=path, **setup)
    found = load_metadata(path)["computed"]
    assert found["devices"] == ["NVIDIA H200", "cpu"] and found["tf32"]
    fit(network(), image_set(), checkpoint=path, **setup)  # it is complete, and only read
    assert load_metadata(path)["computed"] == found


# evaluation


def test_evaluate_counts_every_image_and_restores_the_mode():
    images, model = image_set(23), network().train()
    model.get_submodule("1").eval()
    modes = [module.training for module in model.modules()]
    accuracy = evaluate(model, images, batch_size=7)
    assert [module.training for module in model.modules()] == modes
    reference = model.eval()(images.normalise(images.images)).argmax(1)
    assert accuracy == pytest.approx(100 * sum(int(a == b) for a, b in zip(reference, images.labels)) / 23)
    assert accuracy == evaluate(model, images)


def test_evaluate_restores_the_mode_after_an_error():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("broken")

    model = Broken()
    with pytest.raises(InputError, match="broken"):
        evaluate(model, image_set())
    assert model.training


class Guess(nn.Module):
    """Scores that are right at time t for the labels below t."""

    def __init__(self, labels: torch.Tensor):
        super().__init__()
        self.labels, self.seen = labels, 0

    def forward(self, x, T):
        assert not self.training and not torch.is_grad_enabled()
        y = self.labels[self.seen : self.seen + len(x)]
        self.seen += len(x)
        guesses = [torch.where(y < t, y, (y + 1) % 4) for t in range(1, T + 1)]
        return torch.stack([nn.functional.one_hot(guess, 4) for guess in guesses])


def test_evaluate_snn_gives_the_accuracy_at_every_step():
    images = image_set(22)  # 6, 6, 5, 5 images of the classes
    accuracies = evaluate_snn(Guess(images.labels), images, T=5, batch_size=8)
    assert accuracies == pytest.approx([100 * n / 22 for n in (6, 12, 17, 22, 22)])
    right = evaluation.correct_snn(Guess(images.labels), images, T=5, batch_size=8)
    assert torch.equal(right, images.labels < torch.arange(1, 6)[:, None])


def test_correct_says_which_images_are_right():
    model, images = network().eval(), image_set(30)
    right = evaluation.correct(model, images, batch_size=7)
    with torch.no_grad():
        assert torch.equal(right, model(images.normalise(images.images)).argmax(1) == images.labels)
    assert evaluate(model, images) == pytest.approx(100 * float(right.double().mean()))


def test_evaluation_refuses_what_it_cannot_measure():
    for call in (lambda s: evaluate(network(), s), lambda s: evaluate_snn(Guess(image_set().labels), s)):
        with pytest.raises(InputError, match="without images"):
            call(image_set().subset([]))
        with pytest.raises(InputError, match="expected an ImageSet"):
            call([(torch.zeros(3, 8, 8), 0)])
    for T in (0, 2.0, True):
        with pytest.raises(InputError, match=f"^T = {T!r}"):
            evaluate_snn(Guess(image_set().labels), image_set(), T=T)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_an_error_that_names_the_image(value):
    class Wrong(nn.Module):
        def forward(self, x, T=None):
            out = torch.zeros(len(x), 4)
            out[x[:, 0, 0, 0] == marked, 2] = value
            return out if T is None else out.expand(T, -1, -1)

    images = image_set(40)
    images.images[:, 0, 0, 0], images.images[13, 0, 0, 0] = 0, 255
    marked = images.normalise(images.images[13:14])[0, 0, 0, 0]
    for call in (lambda: evaluate(Wrong(), images, 8), lambda: evaluate_snn(Wrong(), images, 3, 5)):
        with pytest.raises(InputError, match="^image 13 of 40 has scores that are not finite") as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_cuda_learns_and_leaves_both_random_states():
    model = network()
    states = torch.get_rng_state(), torch.cuda.get_rng_state()
    history = fit(model, image_set(260), epochs=6, device="cuda", precision="bfloat16", **QUIET)
    assert next(model.parameters()).is_cuda and history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert torch.equal(states[0], torch.get_rng_state())
    assert torch.equal(states[1], torch.cuda.get_rng_state())


def test_thresholds_may_have_a_weight_decay_of_their_own():
    """One step at a rate of 1, half way down, without momentum moves a parameter by its gradient and its decay."""
    after = {}
    for decay in (None, 0.0, 0.5):
        torch.manual_seed(0)
        model = quantize.quantize_activations(nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.ReLU()), 4, 2.0)
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        images = ImageSet(
            torch.zeros(8, 1, 4, 4, dtype=torch.uint8), torch.arange(8) % 4, tuple("abcd"), (0.0,), (1.0,)
        )
        settings = {"epochs": 1, "lr": 2.0, "batch_size": 8, "momentum": 0.0, "augment": None, "schedule": "cosine"}
        fit(model, images, **settings, weight_decay=0.1, threshold_decay=decay, progress=False)
        after[decay] = {name: p.detach() - before[name] for name, p in model.named_parameters()}
    raw = next(name for name in before if name.endswith("raw"))
    for name, start in before.items():
        pulled = -0.5 * start if name == raw else torch.zeros_like(start)
        torch.testing.assert_close(after[0.5][name] - after[0.0][name], pulled)
    torch.testing.assert_close(after[None][raw] - after[0.0][raw], -0.1 * before[raw])


def turns(levels: tuple[int, ...] | None, own: int = 3):
    """L of the first activation in each batch of two epochs of three batches, and the network."""
    model, seen = network(), []
    for site in family.sites(model).values():
        site.L = own
    site = next(iter(family.sites(model).values()))
    site.register_forward_pre_hook(lambda module, _: seen.append(module.L) if module.training else None)
    fit(model, image_set(60), epochs=2, levels=levels, **QUIET | {"batch_size": 20})
    return seen[1:], model  # the first is of a trial


def test_levels_take_turns_and_the_own_one_is_back():
    seen, model = turns((1, 2))
    assert seen == [1, 2, 1] * 2 and all(site.L == 3 for site in family.sites(model).values())
    assert turns(None)[0] == [3] * 6


def test_training_in_turns_is_that_of_the_level_where_there_is_one():
    """As of a network that has this L, which differs from one that has its own."""
    weights = [turns(levels, own)[1].state_dict() for levels, own in (((2,), 3), (None, 2), (None, 3))]
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())
    assert any(not torch.equal(weights[0][name], value) for name, value in weights[2].items())


def test_a_training_in_turns_that_fails_leaves_the_own_level():
    model = network()
    with pytest.raises(TrainingDiverged):
        fit(model, image_set(60), epochs=1, levels=(1, 2), **QUIET | {"lr": 1e30})
    assert all(site.L == 4 for site in family.sites(model).values())


def test_turns_need_a_quantized_network():
    with pytest.raises(InputError, match=r"levels = \(1, 2\): Sequential has no L, see quantize_activations"):
        fit(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), image_set(60), levels=(1, 2), **QUIET)


# a network as it was given


class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 10)

    def forward(self, x):
        return self.fc(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


def few_images() -> ImageSet:
    pixels = torch.randint(256, (10, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return ImageSet(pixels, torch.arange(10), tuple("0123456789"), (0.5,) * 3, (0.2,) * 3)


@pytest.mark.parametrize(("training", "frozen", "seen"), [(True, True, 0), (True, False, 4), (False, True, 4)])
def test_a_frozen_norm_stays_frozen(training, frozen, seen):
    """In a network that was given in training mode; one in evaluation mode trains whole."""
    model = Normed().train(training)
    model.norm.train(not frozen)
    settings = {"epochs": 2, "batch_size": 5, "augment": None, "progress": False}
    fit(model, few_images(), val_set=few_images(), **settings)
    assert int(model.norm.num_batches_tracked) == seen
    assert (model.training, model.norm.training) == (training, not frozen)


def test_an_empty_val_set_is_named():
    images = few_images()
    with pytest.raises(InputError, match="^a val_set without images: "):
        fit(Normed(), images, val_set=images.subset([]), epochs=1, progress=False)


def test_training_needs_its_gradients_wherever_it_is_called(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    model = Normed()
    before = model.fc.weight.detach().clone()
    with torch.no_grad():
        fit(model, few_images(), epochs=1, batch_size=5, augment=None, checkpoint="~/net.safetensors", progress=False)
        assert not torch.is_grad_enabled()
    assert not torch.equal(model.fc.weight, before) and (tmp_path / "net.safetensors").exists()


class Pooled(nn.Module):
    """A batch norm of one value for each image and channel."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(3, 4, 3), nn.BatchNorm1d(4), nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(torch.relu(self.norm(self.conv(x).mean((2, 3)))))


def test_batches_of_one_image_are_refused_where_a_norm_needs_more():
    model, images = Pooled(), image_set(6)
    for some, size in ((images, 1), (images.subset([0]), 4)):
        with pytest.raises(InputError, match="^norm .BatchNorm1d. gets one value of each channel.*raise batch_size"):
            fit(model, some, epochs=1, **QUIET | {"batch_size": size})
    assert not model.norm._forward_pre_hooks and not model.norm.num_batches_tracked
    model.norm.eval()
    fit(model, images, epochs=1, **QUIET | {"batch_size": 1})  # frozen


def test_a_layer_without_weights_yet_gets_them():
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)
    fit(nn.Sequential(*layers), image_set(6), epochs=1, **QUIET | {"batch_size": 1})


@pytest.mark.parametrize("device", ["cuda:77", "foo", "meta", [], torch.device("meta")])
def test_a_device_that_is_none_leaves_the_network_where_it_is(device):
    model = Pooled()
    with pytest.raises(InputError, match="^device = .*: expected one of this machine, such as 'cpu'$") as caught:
        fit(model, image_set(6), epochs=1, device=device, **QUIET)
    assert "\n" not in str(caught.value) and model.fc.weight.device.type == "cpu"


def test_training_in_inference_mode_is_refused():
    images = image_set(6)
    with torch.inference_mode():
        made_there = Pooled()
        with pytest.raises(InputError, match="^Pooled in torch.inference_mode, or made there.*outside of it$"):
            fit(Pooled(), images, epochs=1, **QUIET)
    with pytest.raises(InputError, match="^Pooled in torch.inference_mode, or made there"):
        fit(made_there, images, epochs=1, **QUIET)
