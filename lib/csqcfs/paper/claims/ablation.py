"""Section 5.4: what channels, Softplus and a second stage bring (Tables 3-4).

Tables 3 and 4 name their recipes in words only; a finding that takes two of them for one recipe says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..measures.compare import Column
from ..names import signed
from ..published import TABLE1, TABLE3, TABLE4, TIMESTEPS
from .claim import Claims, Outcome
from .decide import SIMILAR, Condition, condition, decide, left_out
from .evidence import Evidence, Printed, where

CLAIMS = Claims()
ABLATED = ("vgg16", "resnet20")
CHANNEL_WISE = [("table4", *key) for key in TABLE4 if key[-1] == "channel-wise"]  # rows whose thresholds may be <= 0
PLACES = {
    "table3": ({key[:-1] for key in TABLE3}, "networks of Table 3"),
    "table4": ({key[:-1] for key in TABLE4}, "networks of Table 4"),
}


def unseen(conditions: Iterable[Condition], id: str, *datasets: str) -> str:
    """The networks of Table 3 or 4 that ``conditions`` leave out, as a number; those of ``datasets`` alone, if any."""
    whole, what = PLACES[id]
    seen = {row[1:-1] for one in conditions for row in one.rows if row[0] == id}
    return left_out({place for place in whole if not datasets or place[0] in datasets}, seen, what)


def full_against(evidence: Evidence, variant: str) -> Outcome:
    """Whether the full method of Table 3 is ahead of one without a part, at every T."""
    conditions = []
    for network in dict.fromkeys(network for network, _ in evidence.keys("table3")):
        full, less = ("table3", network, "csqcfs"), ("table3", network, variant)
        for T in TIMESTEPS:
            conditions += condition(evidence, where(evidence, network, f"T = {T}"), (1.0, full, T), (-1.0, less, T))
    about = [("table3", network, variant) for network in ABLATED]
    return decide(evidence, conditions, about=about, lacking=unseen(conditions, "table3"))


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
    note = '"w/o channel" minus Table 4\'s "layer-wise", if both have two stages'
    return decide(evidence, conditions, note, lacking=unseen(conditions, "table3"))


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
    conditions = strategies(evidence, "layer-wise", "origin", ("ann",), ("cifar10",))
    return decide(evidence, conditions, lacking=unseen(conditions, "table4", "cifar10"))


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
    return decide(evidence, conditions, lacking=unseen(conditions, "table4", "cifar10"))


@CLAIMS.both(
    "Section 5.4.2, Table 4",
    'implied by "remains consistent" on CIFAR-100: two-stage training improves the ANN there, too',
)
def two_stage_ann_cifar100(evidence: Evidence) -> Outcome:
    conditions = strategies(evidence, "layer-wise", "origin", ("ann",), ("cifar100",))
    return decide(evidence, conditions, lacking=unseen(conditions, "table4", "cifar100"))


@CLAIMS.both("Section 5.4.2, Table 4", "channel-wise thresholds bring more than layer-wise at T = 1 and 2")
def channelwise_low_latency(evidence: Evidence) -> Outcome:
    conditions = strategies(evidence, "channel-wise", "layer-wise", (1, 2))
    return decide(evidence, conditions, about=CHANNEL_WISE, lacking=unseen(conditions, "table4"))


@CLAIMS.both(
    "Sections 5.4.2 and 5.5, Table 4",
    'implied by "ultra-low latency", within 4 time-steps: channel-wise thresholds bring more at T = 4, too',
)
def channelwise_four_steps(evidence: Evidence) -> Outcome:
    conditions = strategies(evidence, "channel-wise", "layer-wise", (4,))
    return decide(evidence, conditions, about=CHANNEL_WISE, lacking=unseen(conditions, "table4"))


@CLAIMS.both("Section 5.4.2, Table 4", "channel-wise thresholds improve low latency (T = 1, 2) more than high (T ≥ 8)")
def channelwise_few_against_many(evidence: Evidence) -> Outcome:
    conditions, few, many = [], (1, 2), (8, 16, 32)
    for dataset, network in dict.fromkeys(key[:2] for key in evidence.keys("table4")):
        one, other = (("table4", dataset, network, name) for name in ("channel-wise", "layer-wise"))
        terms = (1.0, one, few), (-1.0, other, few), (-1.0, one, many), (1.0, other, many)
        conditions += condition(evidence, where(evidence, dataset, network), *terms)
    note = "gain over layer-wise at few steps minus that at many"
    return decide(evidence, conditions, note, about=CHANNEL_WISE, lacking=unseen(conditions, "table4"))
