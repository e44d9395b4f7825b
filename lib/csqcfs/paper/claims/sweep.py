"""Section 5.5: which quantization step L suits which latency (Fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import published
from ..published import TIMESTEPS
from .anns import unseen
from .claim import Claims, Outcome, Verdict
from .decide import SIMILAR, Condition, condition, decide
from .evidence import Recorded, where

CLAIMS = Claims()
LOW = (1, 2, 4)  # "ultra-low latency, specifically within 4 time-steps"


def sweeps(ours: Recorded) -> dict[tuple[str, str], list[int]]:
    """The L of each network of Fig. 5, where there are three or more."""
    found: dict[tuple[str, str], list[int]] = {}
    for dataset, network, L in ours.keys("figure5"):
        found.setdefault((dataset, network), []).append(L)
    return {place: sorted(steps) for place, steps in found.items() if len(steps) > 2}


def best_step(ours: Recorded, row: tuple) -> int:
    return max(TIMESTEPS, key=lambda T: ours.accuracy(row, T))


def over_L(ours: Recorded, conditions: Sequence[Condition], note: str = "") -> Outcome:
    if not conditions:
        return Outcome(Verdict.NOT_TESTED, "no network has records of three L")
    return decide(ours, conditions, note, lacking=unseen(conditions, "Fig. 5"))


@CLAIMS.records("Section 5.5, Fig. 5", "accuracy at ultra-low latency (T ≤ 4) decreases as L increases")
def larger_L_slower(ours: Recorded) -> Outcome:
    conditions = []
    for (dataset, network), steps in sweeps(ours).items():
        rows = [("figure5", dataset, network, L) for L in steps]
        slope = np.log2(steps) - np.mean(np.log2(steps))  # least squares: points for each doubling of L
        terms = [(weight, row, LOW) for weight, row in zip(slope / (slope @ slope), rows, strict=True)]
        conditions += condition(ours, where(ours, network, dataset), *terms, low=-np.inf, high=0.0)
    return over_L(ours, conditions, "mean of T = 1, 2, 4, for each doubling of L")


@CLAIMS.records("Section 5.5, Fig. 5", "the best SNN of L = 2 stays further below the original ANN than with larger L")
def smallest_L(ours: Recorded) -> Outcome:
    """The original ANN is one for all L, so that it drops out of the difference."""
    conditions = []
    for (dataset, network), steps in sweeps(ours).items():
        rows = {L: ("figure5", dataset, network, L) for L in steps}
        for L in (L for L in steps if L > 2 and 2 in steps):
            terms = (1.0, rows[L], best_step(ours, rows[L])), (-1.0, rows[2], best_step(ours, rows[2]))
            conditions += condition(ours, where(ours, network, dataset, f"L = {L}"), *terms)
    return over_L(ours, conditions, "points over L = 2")


@CLAIMS.records("Section 5.5, Fig. 5", f"for L > 4 the best SNN aligns with the source ANN (within {SIMILAR:g} point)")
def larger_L_aligned(ours: Recorded) -> Outcome:
    conditions = []
    for (dataset, network), steps in sweeps(ours).items():
        for L in (L for L in steps if L > 4):
            row = ("figure5", dataset, network, L)
            terms = (1.0, row, best_step(ours, row)), (-1.0, row, "ann")
            conditions += condition(ours, where(ours, network, dataset, f"L = {L}"), *terms, low=-SIMILAR, high=SIMILAR)
    return over_L(ours, conditions)


@CLAIMS.records("Section 5.5", "L = 4 or 8 is the best compromise of low latency and best accuracy (mean of both)")
def recommended_L(ours: Recorded) -> Outcome:
    conditions = []
    for (dataset, network), steps in sweeps(ours).items():
        rows = {L: ("figure5", dataset, network, L) for L in steps}

        def compromise(L: int, weight: float, rows=rows) -> list:
            return [(weight / 2, rows[L], LOW), (weight / 2, rows[L], best_step(ours, rows[L]))]

        def value(L: int, rows=rows) -> float:
            return ours.accuracy(rows[L], LOW) + ours.accuracy(rows[L], best_step(ours, rows[L]))

        advised = [L for L in steps if L in published.QUANTIZATION_STEPS_RECOMMENDED]
        for L in steps:
            if advised and L not in advised:
                best = max(advised, key=value)
                name = where(ours, network, dataset, f"L = {best} over L = {L}")
                conditions += condition(ours, name, *compromise(best, 1.0), *compromise(L, -1.0))
    return over_L(ours, conditions)
