"""Sections 5.4 and 5.5: what channels, Softplus and a second stage bring (Tables 3-4), and which L (Fig. 5).

Tables 3 and 4 name their recipes in words only; a finding that takes two of them for one recipe says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import published
from ..measures.compare import Column
from ..names import signed
from ..published import TABLE1, TABLE3, TABLE4, TIMESTEPS
from .claim import Claims, Outcome, Verdict
from .decide import SIMILAR, Condition, condition, decide
from .evidence import Evidence, Printed, Recorded, where

CLAIMS = Claims()
ABLATED = ("vgg16", "resnet20")
LOW = (1, 2, 4)  # "ultra-low latency, specifically within 4 time-steps"
CHANNEL_WISE = [("table4", *key) for key in TABLE4 if key[-1] == "channel-wise"]  # rows whose thresholds may be <= 0


def full_against(evidence: Evidence, variant: str) -> Outcome:
    """Whether the full method of Table 3 is ahead of one without a part, at every T."""
    conditions = []
    for network in dict.fromkeys(network for network, _ in evidence.keys("table3")):
        full, less = ("table3", network, "csqcfs"), ("table3", network, variant)
        for T in TIMESTEPS:
            conditions += condition(evidence, where(evidence, network, f"T = {T}"), (1.0, full, T), (-1.0, less, T))
    return decide(evidence, conditions, about=[("table3", network, variant) for network in ABLATED])


@CLAIMS.both("Section 5.4.1, Table 3", "without channel-wise thresholds accuracy is lower at every T")
def without_channel(evidence: Evidence) -> Outcome:
    return full_against(evidence, "sqcfs")


@CLAIMS.both(
    "Section 5.4.1, Table 3", 'implied by "a subtle reduction in accuracy": without Softplus it is lower at every T'
)
def without_softplus(evidence: Evidence) -> Outcome:
    return full_against(evidence, "cqcfs")


@CLAIMS.printed("Section 5.4.1, Table 3", "four activations are contrasted, the standard QCFS among them")
def table3_standard_qcfs(paper: Printed) -> Outcome:
    variants = sorted({variant for _, variant in TABLE3})
    found = f"the table has {len(variants)} rows for each network, none of them QCFS"
    return Outcome.of("qcfs" in variants, found)


@CLAIMS.printed("Tables 1 and 3", '"Full" is "Ours"')
def table3_full_is_ours(paper: Printed) -> Outcome:
    same = all(TABLE3[a, "csqcfs"] == TABLE1[a, "ours"] for a in ABLATED)
    return Outcome.of(same, "the rows of VGG-16 and ResNet-20 are equal in all seven columns")


@CLAIMS.printed("Tables 3 and 4", "implied: C-QCFS after two stages has one result")
def table3_against_table4(paper: Printed) -> Outcome:
    rows = {a: (TABLE4["cifar10", a, "channel-wise"], TABLE3[a, "cqcfs"]) for a in ABLATED}
    gaps = {a: [round(x - y, 2) for x, y in zip(one.snn, two.snn, strict=True)] for a, (one, two) in rows.items()}
    largest = max(abs(value) for row in gaps.values() for value in row)
    return Outcome.of(
        largest == 0,
        f"Table 4 minus Table 3: VGG-16 {signed(gaps['vgg16'])}; ResNet-20 {signed(gaps['resnet20'])}: a spread of"
        f" up to {largest:.2f} between runs, if they are one recipe; no seeds are given",
    )


@CLAIMS.both("Section 5.4.1, Tables 3-4", "Softplus contributes individually")
def softplus_alone(evidence: Evidence) -> Outcome:
    conditions = []
    for network in ABLATED:
        alone, base = ("table3", network, "sqcfs"), ("table4", "cifar10", network, "layer-wise")
        for T in TIMESTEPS:
            conditions += condition(evidence, where(evidence, network, f"T = {T}"), (1.0, alone, T), (-1.0, base, T))
    return decide(evidence, conditions, '"w/o channel" minus Table 4\'s "layer-wise", if both have two stages')


@CLAIMS.printed("Section 5.4.1, Tables 1, 2 and 4", "implied: Ours is ahead of Table 4's channel-wise rows as well")
def full_against_table4(paper: Printed) -> Outcome:
    conditions = []
    for dataset, table in (("cifar10", "table1"), ("cifar100", "table2")):
        for network in ABLATED:
            full, less = (table, network, "ours"), ("table4", dataset, network, "channel-wise")
            for T in TIMESTEPS:
                name = where(paper, dataset, network, f"T = {T}")
                conditions += condition(paper, name, (1.0, full, T), (-1.0, less, T))
    return decide(paper, conditions, "both with channels, Ours with Softplus")


def strategies(
    evidence: Evidence,
    better: str,
    worse: str,
    columns: Sequence[Column],
    datasets: tuple[str, ...] = ("cifar10", "cifar100"),
    low: float = 0.0,
    high: float = np.inf,
) -> list[Condition]:
    """Differences of two strategies of Table 4, of the ANNs or at some T."""
    conditions = []
    for dataset, network in dict.fromkeys(key[:2] for key in evidence.keys("table4")):
        one, other = (("table4", dataset, network, name) for name in (better, worse))
        for column in columns if dataset in datasets else ():
            step = () if column == "ann" else (f"T = {column}",) if isinstance(column, int) else ("mean over T",)
            name = where(evidence, dataset, network, *step)
            conditions += condition(evidence, name, (1.0, one, column), (-1.0, other, column), low=low, high=high)
    return conditions


@CLAIMS.both("Section 5.4.2, Table 4", "CIFAR-10: layer-wise two-stage training improves the ANN")
def two_stage_ann_cifar10(evidence: Evidence) -> Outcome:
    return decide(evidence, strategies(evidence, "layer-wise", "origin", ("ann",), ("cifar10",)))


@CLAIMS.both(
    "Section 5.4.2, Table 4",
    f"implied: CIFAR-10: the SNN improves only marginally (within {SIMILAR:g} point) beside the ANN (less than half)",
)
def two_stage_snn_cifar10(evidence: Evidence) -> Outcome:
    conditions = strategies(evidence, "layer-wise", "origin", TIMESTEPS, ("cifar10",), low=-SIMILAR, high=SIMILAR)
    for dataset, network in dict.fromkeys(key[:2] for key in evidence.keys("table4")):
        if dataset == "cifar10":
            one, other = (("table4", dataset, network, name) for name in ("layer-wise", "origin"))
            terms = (1.0, one, TIMESTEPS), (-1.0, other, TIMESTEPS), (-0.5, one, "ann"), (0.5, other, "ann")
            name = where(evidence, dataset, network, "mean over T minus half of the ANN's")
            conditions += condition(evidence, name, *terms, low=-np.inf, high=0.0)
    return decide(evidence, conditions)


@CLAIMS.both(
    "Section 5.4.2, Table 4",
    'implied by "remains consistent" on CIFAR-100: two-stage training improves the ANN there, too',
)
def two_stage_ann_cifar100(evidence: Evidence) -> Outcome:
    return decide(evidence, strategies(evidence, "layer-wise", "origin", ("ann",), ("cifar100",)))


@CLAIMS.both("Section 5.4.2, Table 4", "channel-wise thresholds bring more than layer-wise at T = 1 and 2")
def channelwise_low_latency(evidence: Evidence) -> Outcome:
    return decide(evidence, strategies(evidence, "channel-wise", "layer-wise", (1, 2)), about=CHANNEL_WISE)


@CLAIMS.both(
    "Sections 5.4.2 and 5.5, Table 4",
    'implied by "ultra-low latency", within 4 time-steps: channel-wise thresholds bring more at T = 4, too',
)
def channelwise_four_steps(evidence: Evidence) -> Outcome:
    return decide(evidence, strategies(evidence, "channel-wise", "layer-wise", (4,)), about=CHANNEL_WISE)


@CLAIMS.both("Section 5.4.2, Table 4", "channel-wise thresholds improve low latency (T = 1, 2) more than high (T ≥ 8)")
def channelwise_few_against_many(evidence: Evidence) -> Outcome:
    conditions, few, many = [], (1, 2), (8, 16, 32)
    for dataset, network in dict.fromkeys(key[:2] for key in evidence.keys("table4")):
        one, other = (("table4", dataset, network, name) for name in ("channel-wise", "layer-wise"))
        terms = (1.0, one, few), (-1.0, other, few), (-1.0, one, many), (1.0, other, many)
        conditions += condition(evidence, where(evidence, dataset, network), *terms)
    note = "gain over layer-wise at few steps minus that at many"
    return decide(evidence, conditions, note, about=CHANNEL_WISE)


# Section 5.5, Fig. 5


def sweeps(ours: Recorded) -> dict[tuple[str, str], list[int]]:
    """The L of each network of Fig. 5, where there are three or more."""
    found: dict[tuple[str, str], list[int]] = {}
    for dataset, network, L in ours.keys("figure5"):
        found.setdefault((dataset, network), []).append(L)
    return {place: sorted(steps) for place, steps in found.items() if len(steps) > 2}


def best_step(ours: Recorded, row: tuple) -> int:
    return max(TIMESTEPS, key=lambda T: ours.accuracy(row, T))


FEW = Outcome(Verdict.NOT_TESTED, "no network has records of three L")


@CLAIMS.records("Section 5.5, Fig. 5", "accuracy at ultra-low latency (T ≤ 4) decreases as L increases")
def larger_L_slower(ours: Recorded) -> Outcome:
    conditions = []
    for (dataset, network), steps in sweeps(ours).items():
        rows = [("figure5", dataset, network, L) for L in steps]
        slope = np.log2(steps) - np.mean(np.log2(steps))  # least squares: points for each doubling of L
        terms = [(weight, row, LOW) for weight, row in zip(slope / (slope @ slope), rows, strict=True)]
        conditions += condition(ours, where(ours, network, dataset), *terms, low=-np.inf, high=0.0)
    return decide(ours, conditions, "mean of T = 1, 2, 4, for each doubling of L") if conditions else FEW


@CLAIMS.records("Section 5.5, Fig. 5", "the best SNN of L = 2 stays further below the original ANN than with larger L")
def smallest_L(ours: Recorded) -> Outcome:
    """The original ANN is one for all L, so that it drops out of the difference."""
    conditions = []
    for (dataset, network), steps in sweeps(ours).items():
        rows = {L: ("figure5", dataset, network, L) for L in steps}
        for L in (L for L in steps if L > 2 and 2 in steps):
            terms = (1.0, rows[L], best_step(ours, rows[L])), (-1.0, rows[2], best_step(ours, rows[2]))
            conditions += condition(ours, where(ours, network, dataset, f"L = {L}"), *terms)
    return decide(ours, conditions, "points over L = 2") if conditions else FEW


@CLAIMS.records("Section 5.5, Fig. 5", f"for L > 4 the best SNN aligns with the source ANN (within {SIMILAR:g} point)")
def larger_L_aligned(ours: Recorded) -> Outcome:
    conditions = []
    for (dataset, network), steps in sweeps(ours).items():
        for L in (L for L in steps if L > 4):
            row = ("figure5", dataset, network, L)
            terms = (1.0, row, best_step(ours, row)), (-1.0, row, "ann")
            conditions += condition(ours, where(ours, network, dataset, f"L = {L}"), *terms, low=-SIMILAR, high=SIMILAR)
    return decide(ours, conditions) if conditions else FEW


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
    return decide(ours, conditions) if conditions else FEW
