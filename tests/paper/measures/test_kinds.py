"""Measurements: what a record of each kind holds, and which test images it is about."""

from __future__ import annotations

import pytest
import torch
from csqcfs import data
from csqcfs.conversion import family
from csqcfs.conversion.calibration import calibrate
from csqcfs.conversion.snn import convert
from csqcfs.engine.errors import InputError
from csqcfs.paper.experiments.configs import Run
from csqcfs.paper.measures import kinds
from csqcfs.paper.measures.right import right
from csqcfs.paper.measures.thresholds import levelled


def test_accuracy_is_that_of_the_scores(trained):
    metrics = kinds.accuracy(trained, "cos", images=60)
    test = kinds.sample(trained.splits.test, 60)
    scores = convert(trained.model, "cos")(test.normalise(test.images), 32)
    wanted = 100 * (scores.argmax(2) == test.labels).double().mean(1)
    assert metrics["snn"] == pytest.approx(wanted.tolist()) and metrics["images"] == 60
    with torch.no_grad():
        ann = trained.model(test.normalise(test.images)).argmax(1)
    assert metrics["ann"] == pytest.approx(100 * float((ann == test.labels).double().mean()))
    assert right(metrics).tolist() == (ann == test.labels).tolist()
    for T in (1, 2, 32):
        assert right(metrics, T).tolist() == (scores[T - 1].argmax(1) == test.labels).tolist()
    assert metrics["presteps"] == 4
    for name, site in family.sites(trained.model).items():
        assert metrics["thresholds"][name] == pytest.approx(site.threshold.detach().tolist())


def test_accuracy_under_the_layers_mean_thresholds(trained):
    metrics = kinds.accuracy(trained, "plain", images=60, T=2, rule="layer mean")
    level = trained._replace(model=levelled(trained.model))
    assert metrics == kinds.accuracy(level, "plain", images=60, T=2)
    own = kinds.accuracy(trained, "plain", images=60, T=2)["thresholds"]
    assert any(min(values) < max(values) for values in own.values())
    for name, values in metrics["thresholds"].items():
        assert values == pytest.approx([sum(own[name]) / len(own[name])] * len(values))


def test_a_rule_places_a_threshold_per_channel_from_training_images(trained):
    found = kinds.accuracy(trained, "plain", images=20, T=1, rule="99.9%")["thresholds"]
    placed = calibrate(trained.model, trained.splits.train, per_channel=True, rule="99.9%")
    wanted = {name: pytest.approx(site.threshold.tolist()) for name, site in family.sites(placed).items()}
    assert found == wanted


def test_training_has_the_history_of_all_stages(trained):
    metrics = kinds.training(trained)
    history = metrics["history"]
    assert metrics["images"] == len(trained.splits.test) == len(right(metrics))
    assert [(h["stage"], h["activation"], h["epoch"]) for h in history] == [(1, "qcfs", 1), (2, "csqcfs", 1)]


def test_sample_is_the_same_each_time_and_has_every_class():
    test = data.load("digits").test
    one, two = (kinds.sample(test, 50) for _ in range(2))
    assert torch.equal(one.images, two.images) and len(one) == 50
    assert one.labels.bincount(minlength=10).min() >= 4
    assert kinds.sample(test, None) is test is kinds.sample(test, 10_000)


def test_unknown_kind_is_refused():
    with pytest.raises(InputError, match="^kind 'acuracy': expected one of training, accuracy"):
        kinds.measure(Run.of("acuracy"))
