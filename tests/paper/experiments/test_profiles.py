"""Profiles: the paper's settings in full, reductions that stay valid, names that do not exist."""

from __future__ import annotations

import dataclasses

import pytest
from csqcfs import models
from csqcfs.conversion.family import ACTIVATIONS
from csqcfs.data.augment import Augment
from csqcfs.engine.errors import InputError
from csqcfs.paper import published
from csqcfs.paper.experiments import profiles, registry
from csqcfs.paper.experiments.configs import RELU, Stage
from csqcfs.paper.experiments.profile import Network, ends
from csqcfs.paper.experiments.profiles import PROFILES, get
from csqcfs.paper.experiments.trainings import chain
from csqcfs.paper.pages import index, readme
from csqcfs.paper.published import PAPER_SETTINGS
from torch import nn

PAPER = get("paper")

# Section 5.1 again, typed from the text and not from `paper.py`: rate, L, threshold.
SECTION_5_1 = {
    ("cifar10", "resnet18"): (0.1, 4, 4.0),
    ("cifar10", "resnet20"): (0.1, 4, 4.0),
    ("cifar10", "vgg16"): (0.1, 4, 4.0),
    ("cifar10", "resnet50"): (0.01, 4, 4.0),
    ("cifar10", "resnet101"): (0.01, 4, 4.0),
    ("cifar100", "resnet20"): (0.05, 8, 8.0),
    ("cifar100", "vgg16"): (0.05, 4, 4.0),
    ("cifar100", "resnet50"): (0.01, 4, 4.0),
    ("cifar100", "resnet101"): (0.01, 4, 4.0),
}


def test_the_paper_has_nine_settings():
    assert set(PAPER_SETTINGS) == set(SECTION_5_1)


@pytest.mark.parametrize(("dataset", "network"), SECTION_5_1)
def test_paper_profile_is_the_paper(dataset, network):
    rate, L, threshold = SECTION_5_1[dataset, network]
    training = PAPER.training(dataset, network)
    assert training.stages == (Stage("qcfs", 300, rate), Stage("csqcfs", 100, pytest.approx(rate / 10)))
    assert (training.L, training.threshold) == (L, threshold)
    assert (training.dataset, training.network, training.width) == (dataset, network, 1.0)
    assert training.augment == Augment(crop=4, flip=True, autoaugment=True, cutout=16)
    assert (training.momentum, training.weight_decay, training.schedule) == (0.9, 5e-4, "cosine")
    assert (training.batch_size, training.label_smoothing, training.precision) == (300, 0.0, "float32")
    assert training.val == 0
    assert PAPER.trace_images is None and set(PAPER.networks) == {name for _, name in SECTION_5_1}


@pytest.mark.parametrize(
    ("end", "activations", "epochs"),
    [
        (RELU, [RELU], [300]),
        ("qcfs", ["qcfs"], [300]),
        ("csqcfs-1", ["csqcfs"], [300]),
        ("qcfs-2", ["qcfs", "qcfs"], [300, 100]),
        ("sqcfs", ["qcfs", "sqcfs"], [300, 100]),
        ("cqcfs", ["qcfs", "cqcfs"], [300, 100]),
        ("csqcfs", ["qcfs", "csqcfs"], [300, 100]),
    ],
)
def test_stages_of_every_end(end, activations, epochs):
    stages = PAPER.training("cifar10", "vgg16", end).stages
    assert [stage.activation for stage in stages] == activations
    assert [stage.epochs for stage in stages] == epochs
    assert {RELU, "qcfs", "qcfs-2", *(f"{a}{b}" for a in set(ACTIVATIONS) - {"qcfs"} for b in ("", "-1"))} == set(
        ends()
    )


@pytest.mark.parametrize("name", PROFILES)
def test_second_stages_share_the_first(name):
    """Tables 3 and 4 compare ends of one stage 1, which is trained once."""
    profile = get(name)
    network = list(profile.networks)[-1]
    ends = [profile.training("cifar10", network, end) for end in ("qcfs-2", "sqcfs", "cqcfs", "csqcfs")]
    assert {t.parent.digest for t in ends} == {profile.training("cifar10", network, "qcfs").digest}
    assert len({t.digest for t in ends}) == 4


@pytest.mark.parametrize("name", PROFILES)
def test_every_training_of_a_profile_is_valid(name):
    """Settings that `fit` and `models.build` accept, stages in an order that can run."""
    profile = get(name)
    assert profile.name == name and profile.summary and "\n" not in profile.summary
    assert set(profile.networks) <= set(models.NETWORKS)
    assert profile.seeds and len(set(profile.seeds)) == len(profile.seeds)
    for dataset, network in [(d, n) for n, known in profile.networks.items() for d in known.settings]:
        for end in ends():
            training = profile.training(dataset, network, end, seed=3)
            assert training.seed == 3 and training.activation == end.split("-")[0]
            for stage in training.stages:
                assert stage.activation in (RELU, *ACTIVATIONS)
            for one in chain(training):
                assert one.recipe.epochs == one.stages[-1].epochs  # within its ranges, or it raises
            if training.threshold is None:  # calibrated on a network that has learnt
                assert [stage.activation for stage in training.stages][0] == RELU != training.activation


def test_demo_runs_on_digits_and_quick_on_cifar():
    for dataset in ("cifar10", "cifar100"):
        assert get("demo").training(dataset, "resnet20").dataset == "digits"
        assert get("quick").training(dataset, "resnet20").dataset == dataset
    assert get("demo").training("cifar10", "vgg16").width < 1 == get("quick").training("cifar10", "resnet20").width


def test_quick_warms_up_and_calibrates():
    quick = get("quick")
    training = quick.training("cifar10", "resnet20")
    assert [stage.activation for stage in training.stages] == [RELU, "qcfs", "csqcfs"]
    assert training.threshold is None and training.L == 4 and training.window == quick.window
    for L in (2, 8):  # one ReLU network serves them all
        assert quick.training("cifar10", "resnet20", L=L).parent.parent.digest == training.parent.parent.digest


def test_quick_has_three_seeds_of_what_it_trains_fastest():
    """One of larger networks, which have a schedule of their own, and of another L than theirs."""
    quick = get("quick")
    for network, dataset, L, seeds in (
        ("resnet20", "cifar10", None, 3),
        ("resnet20", "cifar100", 8, 3),
        ("resnet20", "cifar10", 8, 1),
        ("vgg16", "cifar10", None, 1),
        ("resnet18", "cifar10", None, 1),
    ):
        assert len(quick.seeds_for(dataset, network, quick.seeds, L)) == seeds
        assert len(get("paper").seeds_for(dataset, network, (0, 1), L)) == 2
    assert quick.seeds_for("cifar10", "vgg16", (2, 1)) == (2,)  # the first of those that were asked for
    assert [*quick.seeds_for("cifar100", "resnet20", (0,), 2)] == [1]  # all L start from the ReLU network of one seed
    assert list(quick.sweep("cifar10", "vgg16")) == [4] and 32 in quick.sweep("cifar10", "resnet20")
    epochs = [[stage.epochs for stage in quick.training("cifar10", name).stages] for name in ("vgg16", "resnet20")]
    assert epochs == [[12, 8, 5], [30, 30, 10]]


@pytest.mark.parametrize("name", PROFILES)
def test_given_values_take_the_place_of_the_papers(name):
    training = get(name).training("cifar100", "resnet20", seed=2, L=16, threshold=1.0)
    assert (training.seed, training.L, training.threshold) == (2, 16, 1.0)
    assert training.stages[0].activation == "qcfs"  # a warm-up would set another threshold
    assert training.window is None  # Fig. 6 traces what the paper prints
    assert get(name).training("cifar100", "resnet20").L == (4 if name == "demo" else 8)


def test_zero_is_a_value_and_not_the_papers():
    """It is refused later, by name, rather than replaced."""
    assert PAPER.training("cifar10", "vgg16", L=0).L == 0
    assert PAPER.training("cifar10", "vgg16", threshold=0.0).threshold == 0.0


def test_profiles_differ_in_every_training():
    digests = {name: get(name).training("cifar10", "resnet20").digest for name in PROFILES}
    assert len(set(digests.values())) == len(PROFILES) == 3


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: get("full"), "^profile 'full': expected one of demo, quick, paper$"),
        (lambda: get(""), "^profile '': expected one of"),
        (
            lambda: PAPER.training("cifar10", "vgg16", "gelu"),
            "^end = 'gelu': did you mean relu. expected one of relu, qcfs",
        ),
        (
            lambda: PAPER.training("imagenet", "vgg16"),
            "^vgg16 on imagenet is not in the profile paper: expected.*cifar10",
        ),
        (lambda: PAPER.training("cifar10", "resnet34"), "^resnet34 on cifar10 is not in the profile paper"),
        (lambda: PAPER.training("cifar100", "resnet18"), "^resnet18 on cifar100 is not in the profile paper"),
    ],
)
def test_unknown_names_are_one_line(call, named):
    with pytest.raises(InputError, match=named) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_profiles_cannot_be_changed_by_accident():
    with pytest.raises(dataclasses.FrozenInstanceError):
        profiles.PAPER.epochs = 1


def test_the_demo_trains_and_shows_the_same_images_once():
    demo, quick = get("demo"), get("quick")
    assert demo.panels == ["cifar10"] and quick.panels == PAPER.panels == ["cifar10", "cifar100"]
    for network in ("resnet20", "vgg16"):
        assert demo.training("cifar10", network).digest == demo.training("cifar100", network).digest


def test_a_further_network_is_a_module_a_line_and_its_settings(monkeypatch):
    """It gets its rows in the tables of its data sets; the paper has no settings for it."""
    monkeypatch.setitem(models.NETWORKS, "resnet34", lambda scaled, classes, channels: nn.Linear(scaled(8), classes))
    assert models.build("resnet34", 7, 0.5).weight.shape == (7, 4)
    network = Network({"cifar10": published.Settings(0.2, 8, 2.0)}, 0.5)
    wider = dataclasses.replace(get("quick"), networks={**get("quick").networks, "resnet34": network})
    training = wider.training("cifar10", "resnet34")
    assert (training.network, training.width, training.L, training.stages[1].lr) == ("resnet34", 0.5, 8, 0.2)
    assert ("resnet34", "ours") in registry.get("table1").rows(wider, (0,))
    assert ("resnet34", "ours") not in registry.get("table2").rows(wider, (0,))
    with pytest.raises(InputError, match="^resnet34 on cifar100 is not in the profile quick: expected one of"):
        wider.training("cifar100", "resnet34")


def test_a_further_data_set_is_one_line_of_a_profile():
    other = dataclasses.replace(get("quick"), datasets={"cifar10": "svhn"})
    assert {run.training.dataset for run in registry.get("table1").runs(other, (0,))} == {"svhn"}


def test_a_further_activation_is_an_end(monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "wide", ACTIVATIONS["csqcfs"])
    assert {"wide", "wide-1"} <= set(ends())
    stages = PAPER.training("cifar10", "vgg16", "wide").stages
    assert [stage.activation for stage in stages] == ["qcfs", "wide"]


def test_a_further_figure_is_one_line_of_the_registry(monkeypatch):
    """The command line, the index and the README's map know it."""
    further = registry.Artefact("figure7", "beyond the paper", "A further figure", "What is in it?")
    monkeypatch.setattr(registry, "ARTEFACTS", (*registry.ARTEFACTS, further))
    monkeypatch.setattr(registry, "IDS", (*registry.IDS, "figure7"))
    assert registry.get("figure7").runs(PAPER, (0,)) == []
    assert "[A further figure](figure7.ipynb)" in index.table("quick")["Notebook"].tolist()
    assert "[figure7](notebooks/figure7.ipynb)" in readme.artefact_map()
