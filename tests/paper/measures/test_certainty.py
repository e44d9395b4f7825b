"""Stopping when sure, against a loop over images and steps."""

from __future__ import annotations

import math

import pytest
import torch
from csqcfs import data, models
from csqcfs.conversion import quantize
from csqcfs.engine.errors import InputError
from csqcfs.paper.measures import certainty
from csqcfs.paper.measures.trained import Trained
from hypothesis import given, settings
from hypothesis import strategies as st


def loop(scores: list, margin: float) -> list[int]:
    """Images [N] of scores[t][n][class], one by one."""
    taken = []
    for n in range(len(scores[0])):
        for t, step in enumerate(scores, 1):
            powers = [math.exp(value - max(step[n])) for value in step[n]]
            best, second = sorted((p / sum(powers) for p in powers), reverse=True)[:2]
            if best - second >= margin or t == len(scores):
                taken.append(t)
                break
    return taken


@given(st.integers(1, 6), st.integers(2, 5), st.sampled_from([0.0, 0.1, 0.37, 0.8, 1.0]), st.integers(0, 2**20))
@settings(max_examples=60, deadline=None)
def test_steps_of_each_image(T, classes, margin, seed):
    scores = 3 * torch.randn(T, 7, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert certainty.steps_until_sure(scores, margin).tolist() == loop(scores.tolist(), margin)


def test_more_doubt_takes_more_steps():
    scores = torch.randn(8, 100, 10, generator=torch.Generator().manual_seed(0)).cumsum(0)
    steps = [certainty.steps_until_sure(scores, margin) for margin in (0.0, 0.3, 0.9, 1.0)]
    assert all(bool((a <= b).all()) for a, b in zip(steps, steps[1:], strict=False))
    assert set(steps[0].tolist()) == {1} and float(steps[3].float().mean()) > 7
    for wrong in (-0.1, 1.5, math.nan):
        with pytest.raises(InputError, match="margin = "):
            certainty.steps_until_sure(scores, wrong)


def test_the_answer_is_the_one_of_the_step_where_it_stops():
    scores = torch.tensor([[[9.0, 0.0], [0.1, 0.0]], [[0.0, 9.0], [0.0, 9.0]]])  # two steps, two images
    steps, right = certainty.answered(scores, torch.tensor([0, 0]), 0.5)
    assert steps.tolist() == [1, 2] and right.tolist() == [True, False]


def test_a_record_of_digits():
    torch.manual_seed(0)
    splits = data.load("digits", val=40)
    part = data.hold_out(splits.test, 60, seed=0)[1]
    x = splits.train.normalise(splits.train.images[:2])
    model = quantize.quantize_activations(models.build("resnet20", 10, 0.1, 1).eval(), 4, 0.5, x)
    trained = Trained(model, [], splits._replace(test=part))
    found = certainty.certainty(trained, "plain", 4)
    assert found["test"]["images"] == sum(found["taken"]) == 60 and found["val"]["images"] == 40
    assert found["test"]["steps"][0] == 1 and found["test"]["steps"] == sorted(found["test"]["steps"])
    enough = found["val"]["accuracy"][-1] - certainty.LOSS
    accuracies = found["val"]["accuracy"]
    assert accuracies[found["chosen"]] >= enough > max(accuracies[: found["chosen"]], default=-1)
    mean = sum(t * count for t, count in enumerate(found["taken"], 1)) / 60
    assert mean == pytest.approx(found["test"]["steps"][found["chosen"]], abs=1e-3)
    with pytest.raises(InputError, match="'parallel': it decides for one T alone"):
        certainty.certainty(trained, "parallel", 4)
