"""How a difference is said: what has the highest mean, and whether it is ahead of the next."""

from __future__ import annotations

import numpy as np
import pytest
from csqcfs.paper.measures.right import kept, percent
from csqcfs.paper.pages import said
from csqcfs.paper.runs.records import RUN, Record


def record(share: float, seed: int = 0) -> Record:
    right = np.arange(1000) < 10 * share
    metrics = {"images": 1000, "ann": percent(right), "snn": [percent(right)], "right": kept(right, right[None])}
    return Record({"options": {}, "training": {"dataset": "cifar10", "seed": seed}}, metrics, {}, RUN)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"a": [record(80.0)], "b": [record(90.0)]}, "b (next: a, ahead by +10.00 ± 1.88 points, n = 1 seed)"),
        ({"a": [record(80.0)], "b": [record(80.1)]}, "b (next: a, undecided by +0.10 ± 0.34 points, n = 1 seed)"),
        ({"a": [record(80.0)], "b": [record(90.0, seed=1)]}, "b (next: a)"),
        # the highest mean of three is behind on the seed that both have
        (
            {"a": [record(60.0), record(90.0, 1), record(90.0, 2)], "b": [record(70.0)]},
            "a (next: b, behind by −10.00 ± 1.88 points, n = 1 seed)",
        ),
    ],
)
def test_the_highest_mean_is_compared_with_the_next_on_the_seeds_that_both_have(rows, told):
    assert said.highest(rows, 1) == told.replace("−", "-")
