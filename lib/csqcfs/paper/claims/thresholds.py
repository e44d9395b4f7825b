"""Sections 4.2, 4.3.2 and 5.6 with Figs. 3 and 6 and Table 5: channels and their thresholds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..measures.thresholds import spread_of_layers
from ..names import count
from ..published import TABLE5
from .claim import NOT_RUN, Claims, Outcome, Verdict
from .decide import SIMILAR, condition, every, left_out
from .evidence import Evidence, Printed, Recorded, lowest_traced, traced, where

CLAIMS = Claims()
DISPARITY = 0.5  # of the mean: standard deviation of channel means that we call notable
SPREAD = 10.0  # % of the smallest threshold: a mean difference that we call large
SITES = {"vgg16": 15, "resnet20": 19}  # activations with thresholds


@CLAIMS.records(
    "Section 4.2.1, Fig. 3",
    "VGG-16: within a layer, channels have notably different activations (standard deviation of their means above "
    f"{DISPARITY:g} of its mean, in every layer)",
)
def channel_disparity(ours: Recorded) -> Outcome:
    found, rows = [], []
    for network, end in ours.keys("figure3"):
        rows += [("figure3", network, end)] if end == "qcfs" else []
        for record in ours.records("figure3", network, end) if end == "qcfs" else ():
            for site, values in record.metrics["sites"].items():
                mean = np.asarray(values["mean"])
                if mean.mean() > 0:
                    found.append((site, float(mean.std() / mean.mean())))
    unit = "standard deviation of channel means over their mean"
    outcome = every(found, lambda ratio: ratio > DISPARITY, unit, ours.size(rows), ours.once(rows))
    others = [network for _, network, _ in rows if network != "vgg16"]
    return outcome._replace(verdict=Verdict.NOT_TESTED) if others else outcome


@CLAIMS.records(
    "Section 4.3.2", "training channel-wise thresholds directly can be worse than layer-wise ones (one stage)"
)
def direct_training(ours: Recorded) -> Outcome:
    """One clear case shows that it can be, by an interval that is wider for the cases looked at; none shows nothing."""
    conditions = []
    for key in ours.keys("figure6"):
        layer, channel = ("figure6", *key), ("figure6", *key[:3], "csqcfs-1", *key[4:])
        if key[3] == "qcfs" and key[-1] == "snn" and ours.lowest(*layer) > 0:
            name = where(ours, key[1], key[2], f"L = {key[4]}", f"from {key[5]:g}")
            conditions += condition(ours, name, (1.0, layer, "ann"), (-1.0, channel, "ann"), low=SIMILAR)
    if not conditions:
        return NOT_RUN
    worst = max(conditions, key=lambda one: one.found.points)
    size = ours.size([row for one in conditions for row in one.rows], [one.found.seeds for one in conditions])
    clear = [one for one in conditions if one.found.interval(len(conditions))[0] > one.low]
    held = Verdict.HOLDS_ONCE if all(one.once for one in clear) else Verdict.HOLDS
    return Outcome(
        held if clear else Verdict.UNDECIDED,
        f"the ANN loses up to {worst.found} points ({worst.name}) where QCFS keeps positive thresholds; {size}",
    )


# Table 5


def average_differences(evidence: Evidence) -> dict[tuple, float]:
    """AvgDiff of Table 5 in %, mean over seeds, by (end, data set, network)."""
    if isinstance(evidence, Printed):
        return {key: row.avg_diff for key, row in TABLE5.items()}
    return {
        key: float(np.mean([spread_of_layers(network).mean() for network in evidence.thresholds("table5", *key)]))
        for key in evidence.keys("table5")
    }


def _unseen(evidence: Evidence) -> str:
    """The places (data set, network) of Table 5 that were not run, as a number."""
    seen = (key[1:] for key in average_differences(evidence))
    return left_out((key[1:] for key in TABLE5), seen, "networks of Table 5")


def _rows(evidence: Evidence) -> list[tuple]:
    return [("table5", *key) for key in evidence.keys("table5")]


@CLAIMS.printed(
    "Section 5.6.1, Table 5", "VGG-16: 339.7 and 153.4 (C-QCFS, CIFAR-10), 65.8 and 14.0 (CS-QCFS, CIFAR-100)"
)
def table5_quotes(paper: Printed) -> Outcome:
    raw, soft = TABLE5["cqcfs", "cifar10", "vgg16"], TABLE5["csqcfs", "cifar100", "vgg16"]
    holds = raw == (339.7, 153.4) and soft == (65.8, 14.0)
    return Outcome.of(holds, "all four are in their cells; the table prints 99.5 without its % sign")


@CLAIMS.printed("Section 5.6.1, Table 5", "MaxDiff and AvgDiff are the maximum and mean of one set of layers")
def table5_maximum_and_mean(paper: Printed) -> Outcome:
    holds = all(row.max_diff / SITES[key[2]] <= row.avg_diff <= row.max_diff for key, row in TABLE5.items())
    return Outcome.of(holds, "mean between maximum / number of layers (15 and 19) and maximum in all eight rows")


@CLAIMS.both("Section 5.6.1, Table 5", f"channel thresholds differ much, also with Softplus (above {SPREAD:g} %)")
def thresholds_differ(evidence: Evidence) -> Outcome:
    found = [(where(evidence, *key), value) for key, value in average_differences(evidence).items()]
    rows = _rows(evidence)
    note, once, lacking = evidence.size(rows), evidence.once(rows), _unseen(evidence)
    return every(found, lambda value: value > SPREAD, "% AvgDiff", note, once, lacking)


@CLAIMS.both("Section 5.6.1, Table 5", "Softplus narrows the spread of thresholds")
def table5_softplus_narrows(evidence: Evidence) -> Outcome:
    found = average_differences(evidence)
    ratios = [
        (where(evidence, *place), value / found["csqcfs", *place])
        for (end, *place), value in found.items()
        if end == "cqcfs" and ("csqcfs", *place) in found
    ]
    note = "whether λ or Softplus(λ) is measured for CS-QCFS the paper does not say"
    rows = _rows(evidence)
    note = "; ".join(filter(None, (note, evidence.size(rows))))
    return every(
        ratios, lambda ratio: ratio > 1, "times the AvgDiff with it", note, evidence.once(rows), _unseen(evidence)
    )


@CLAIMS.printed("Section 5.6.1, Table 5", "Diff = (MaxThre − MinThre) / MinThre measures C-QCFS too")
def table5_undefined(paper: Printed) -> Outcome:
    difference = (0.5 - -0.1) / -0.1
    return Outcome.of(
        None if difference < 0 else True,
        f"its thresholds may be ≤ 0 (section 5.6.2): from −0.1 to 0.5 Diff is −{-100 * difference:.0f} %, with a"
        " smallest threshold of 0 it divides by zero",
    )


# Fig. 6


def crossed(ours: Recorded, panels: tuple[str, ...], kind: Callable[[tuple], object], kinds: int) -> Outcome:
    """Whether a threshold turned <= 0 in some training of each ``kind``, of which the claim needs so many."""
    found = lowest_traced(ours, "qcfs", panels)
    if not found:
        return NOT_RUN
    below = [place for place, low in found.items() if low <= 0]
    named = "; ".join(traced(ours, *place) for place in below[:4])
    text = f"{len(below)} of {count(len(found), 'training')}" + (f": {named}" if named else "")
    tried, seen = ({kind(place) for place in places} for places in (found, below))
    if tried == seen and len(tried) < kinds:
        return Outcome(Verdict.NOT_TESTED, f"{text}; {len(tried)} of at least {kinds} that it speaks of")
    traces = (key for key in ours.keys("figure6") if key[0] in panels and (key[3], key[-1]) == ("qcfs", "trace"))
    if ours.once([("figure6", *key) for key in traces]):
        return Outcome(Verdict.HOLDS_ONCE if tried == seen else Verdict.FAILS_ONCE, f"{text}; n = 1")
    return Outcome.of(tried == seen, text)


@CLAIMS.records("Section 5.6.2, Fig. 6a", "ResNet-20 gets negative thresholds when it starts with low ones")
def negative_resnet20(ours: Recorded) -> Outcome:
    return crossed(ours, ("a",), lambda place: place[1], 1)


@CLAIMS.records("Section 5.6.2, Fig. 6b", "VGG-16 gets negative thresholds from the usual initial one, for various L")
def negative_vgg16(ours: Recorded) -> Outcome:
    return crossed(ours, ("b",), lambda place: place[2], 2)


@CLAIMS.records(
    "Section 5.6.2", "negative thresholds emerge regardless of data and network (in some training of each, Fig. 6)"
)
def negative_everywhere(ours: Recorded) -> Outcome:
    return crossed(ours, ("a", "b"), lambda place: place[:2], 2)
