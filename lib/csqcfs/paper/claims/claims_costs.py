"""Claims about cost: sections 3.1, 4.3 and 5.7 with Tables 6-7."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ..measures import energy
from ..pages.tables import NAMES
from .checks import Checks, Outcome
from .ledger import NOT_RUN, TIMES, Ledger, every, size

CLAIMS = Checks()
MINOR_TIME = 5.0  # % of training time that we let pass as minimal
MINOR_ENERGY = 15.0  # % of energy that we let pass as minor; the paper has 10.51


def shares(ledger: Ledger, convention: str) -> list[tuple[str, float]]:
    """Energy of the SNNs of Table 7 in % of their ANN's."""

    def share(metrics: Mapping[str, Any], T: int) -> float:
        return 100 * energy.snn(metrics, T, convention).millijoules / energy.ann(metrics).millijoules

    return [
        (
            f"{NAMES[network]} {NAMES[end]} T = {T}",
            statistics.fmean(share(record.metrics, T) for record in ledger.records("table7", network, end)),
        )
        for network, end in ledger.keys("table7")
        for T in TIMES
    ]


@CLAIMS.add("Sections 1 and 3.1", "event-based computation reduces the energy of SNNs compared to ANNs")
def less_energy(ledger: Ledger) -> Outcome:
    return every(
        shares(ledger, energy.DEFAULT),
        lambda share: share < 100,
        "% of the ANN's",
        f"{energy.CONVENTIONS[energy.DEFAULT].label}, no steps before the first",
    )


@CLAIMS.add("Section 1", "SNNs are multiplication-free")
def multiplication_free(ledger: Ledger) -> Outcome:
    found = [
        (f"{NAMES[network]} {NAMES[end]}", 100 * energy.snn(record.metrics, 1).mac / energy.ann(record.metrics).mac)
        for network, end in ledger.keys("table7")
        for record in ledger.records("table7", network, end)
    ]
    return every(found, lambda share: share == 0, "% of the ANN's MACs remain, in the analog first layer")


@CLAIMS.add("Section 5.7, Table 6", f"training takes minimally longer (up to {MINOR_TIME:g} %; paper +1.65 %)")
def training_time(ledger: Ledger) -> Outcome:
    found = ledger.records("table6")
    if not found:
        return NOT_RUN
    ratios = found[0].metrics["ratios"]["csqcfs"]
    low, high = (100 * (bound - 1) for bound in median_interval(ratios))
    median = 100 * (statistics.median(ratios) - 1)
    text = f"{median:+.1f} % a step, 95 % interval {low:+.1f} to {high:+.1f} % ({len(ratios)} rounds)"
    if low <= MINOR_TIME < high:
        return Outcome(None, f"{text}: too noisy to tell")
    return Outcome(median <= MINOR_TIME, text)


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """About 95 % confidence for the median, by order statistics."""
    ordered, n = sorted(values), len(values)
    reach = 0.98 * math.sqrt(n)
    return ordered[max(0, math.floor(n / 2 - reach))], ordered[min(n - 1, math.ceil(n / 2 + reach))]


@CLAIMS.add("Section 5.7, Table 7", f"CS-QCFS is a minor increase in energy over QCFS (up to {MINOR_ENERGY:g} %)")
def minor_energy(ledger: Ledger) -> Outcome:
    gains = []
    for network in dict.fromkeys(network for network, _ in ledger.keys("table7")):
        ours, base = (ledger.records("table7", network, end) for end in ("csqcfs", "qcfs"))
        gains += [
            (
                f"{NAMES[network]} T = {T}",
                100
                * (
                    statistics.fmean(
                        energy.snn(a.metrics, T).millijoules / energy.snn(b.metrics, T).millijoules
                        for a, b in zip(ours, base)
                    )
                    - 1
                ),
            )
            for T in TIMES
            if ours and base
        ]
    return every(gains, lambda gain: gain <= MINOR_ENERGY, "% more energy")


@CLAIMS.add("Section 5.7", "for this energy, CS-QCFS is more accurate (plain SNNs of Table 7's network, every T)")
def more_accurate(ledger: Ledger) -> Outcome:
    ours, base = (ledger.cell("table2", "resnet50", method) for method in ("csqcfs", "qcfs"))
    if ours is None or base is None:
        return NOT_RUN
    gaps = [(f"T = {T}", ours.at(T) - base.at(T)) for T in TIMES]
    return every(gaps, lambda gap: gap > 0, "points", size(ours, base))
