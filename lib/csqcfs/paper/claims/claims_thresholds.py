"""Claims about thresholds and channels: sections 3, 4 and 5.6 with Figs. 3 and 6 and Table 5."""

from __future__ import annotations

import numpy as np

from ...activations import SMALLEST
from ..pages.tables import NAMES
from ..plots.spread import differences
from .checks import Checks, Outcome
from .ledger import NOT_RUN, SIMILAR, Ledger, every, size, where

CLAIMS = Checks()
DISPARITY = 0.5  # of the mean: standard deviation of channel means that we call notable
SPREAD = 10.0  # % of the smallest threshold: a mean difference that we call large
SOFTPLUS = {"sqcfs", "csqcfs"}
CLASSES = {"cifar100": 100}  # ten elsewhere


# Sections 3 and 4


@CLAIMS.add("Eq. 13", "with positive thresholds the error between ANN and SNN is zero (here: at T = L)")
def no_error(ledger: Ledger) -> Outcome:
    gaps, cells = [], []
    for id in ("table1", "table2"):
        for network, method in ledger.keys(id):
            cell = ledger.cell(id, network, method)
            if method == "csqcfs" and cell.lowest > 0:
                L = {run.settings["training"]["L"] for run in ledger.records(id, network, method)}.pop()
                cells.append(cell)
                gaps.append((f"{NAMES[network]} in {id}", cell.at(L) - cell.ann))
    return every(gaps, lambda gap: abs(gap) < 0.05, "points between SNN at T = L and ANN, plain neurons", size(*cells))


@CLAIMS.add("Section 4.1.1", "a negative threshold makes SNN and ANN inconsistent")
def negative_inconsistent(ledger: Ledger) -> Outcome:
    gaps, chance, cells = [], 0, []
    for key in ledger.keys("figure6"):
        cell = ledger.cell("figure6", *key)
        if key[-1] != "snn" or cell.lowest > 0 or key[3] != "qcfs":
            continue
        if cell.ann < 1.5 * max(100 / CLASSES.get(name, 10) for name in cell.datasets):
            chance += 1
            continue
        cells.append(cell)
        gaps.append((where(key[1], key[2], f"L = {key[4]}", f"from {key[5]:g}"), cell.ann - cell.at(32)))
    note = f"{chance} networks more whose ANN itself is at chance" if chance else ""
    return (
        every(gaps, lambda gap: gap > SIMILAR, "points lost at T = 32", "; ".join(filter(None, (note, size(*cells)))))
        if gaps
        else Outcome(None, note or NOT_RUN.found)
    )


@CLAIMS.add("Section 4.2.1, Fig. 3", "within a layer, channels have notably different activations")
def channel_disparity(ledger: Ledger) -> Outcome:
    found = []
    for network, end in ledger.keys("figure3"):
        for record in ledger.records("figure3", network, end) if end == "qcfs" else ():
            for site, values in record.metrics["sites"].items():
                mean = np.asarray(values["mean"])
                if mean.mean() > 0:
                    found.append((site, float(mean.std() / mean.mean())))
    return every(found, lambda ratio: ratio > DISPARITY, "standard deviation of channel means over their mean")


@CLAIMS.add("Section 4.3.2", "training channel-wise thresholds directly can be worse than layer-wise first")
def direct_training(ledger: Ledger) -> Outcome:
    gaps, cells = [], []
    for key in ledger.keys("figure6"):
        layer, channel = (ledger.cell("figure6", *key[:3], end, *key[4:]) for end in ("qcfs", "csqcfs-1"))
        if key[3] == "qcfs" and key[-1] == "snn" and channel and layer.lowest > 0:
            cells.append(layer)
            gaps.append((where(key[1], key[2], f"L = {key[4]}", f"from {key[5]:g}"), layer.ann - channel.ann))
    if not gaps:
        return NOT_RUN
    worst = max(gaps, key=lambda gap: gap[1])
    return Outcome(
        worst[1] > SIMILAR,
        f"the ANN loses up to {worst[1]:.2f} points ({worst[0]}) where QCFS keeps positive thresholds; {size(*cells)}",
    )


# Section 5.6, Table 5 and Fig. 6


def average_differences(ledger: Ledger) -> dict[tuple, float]:
    """AvgDiff of Table 5 in %, mean over seeds."""
    cells = {key: ledger.cell("table5", *key) for key in ledger.keys("table5")}
    return {
        key: float(np.mean([differences(network).mean() for network in cell.thresholds])) for key, cell in cells.items()
    }


@CLAIMS.add("Section 5.6.1, Table 5", f"channel thresholds differ much, also with Softplus (above {SPREAD:g} %)")
def thresholds_differ(ledger: Ledger) -> Outcome:
    found = [(f"{NAMES[end]}, {where(*place)}", value) for (end, *place), value in average_differences(ledger).items()]
    return every(found, lambda value: value > SPREAD, "% AvgDiff")


@CLAIMS.add("Section 5.6.1, Table 5", "Softplus moderates the range of thresholds")
def softplus_moderates(ledger: Ledger) -> Outcome:
    found = average_differences(ledger)
    return every(
        [
            (where(*place), value / found["csqcfs", *place])
            for (end, *place), value in found.items()
            if end == "cqcfs" and ("csqcfs", *place) in found
        ],
        lambda ratio: ratio > 1,
        "times the AvgDiff without it",
    )


@CLAIMS.add("Abstract, Algorithm 1", "maintains positive thresholds; implied: also stage 1, with plain QCFS")
def second_stage_starts(ledger: Ledger) -> Outcome:
    runs = {
        record.digest: record
        for found in ledger.page.records.values()
        for record in found
        if (training := record.settings.get("training"))
        and len(training["stages"]) > 1
        and training["stages"][-1]["activation"] in SOFTPLUS
    }
    refused = [record.metrics["refused"].partition(":")[0] for record in runs.values() if "refused" in record.metrics]
    if not runs:
        return NOT_RUN
    text = f"{len(refused)} of {len(runs)} runs could not start stage 2"
    return Outcome(not refused, "; ".join([text, *dict.fromkeys(refused[:3])]))


def lowest_by_end(ledger: Ledger, end: str, panels: tuple[str, ...]) -> list[tuple[str, float]]:
    """The smallest threshold at any epoch of each training of Fig. 6."""
    found = []
    for key in ledger.keys("figure6"):
        if key[0] in panels and key[3] == end and key[-1] == "trace":
            low = min(
                site[0]
                for record in ledger.records("figure6", *key)
                for epoch in record.metrics["history"]
                for site in epoch["thresholds"].values()
            )
            found.append((where(key[1], key[2], f"L = {key[4]}", f"from {key[5]:g}"), low))
    return found


def crossed(found: list[tuple[str, float]], all_of_them: bool = False) -> Outcome:
    if not found:
        return NOT_RUN
    names = [name for name, low in found if low <= 0]
    text = f"{len(names)} of {len(found)} trainings" + (f": {'; '.join(names[:4])}" if names else "")
    return Outcome(len(names) == len(found) if all_of_them else bool(names), text)


@CLAIMS.add("Section 5.6.2, Fig. 6a", "ResNet-20 gets negative thresholds when it starts with low ones")
def negative_resnet20(ledger: Ledger) -> Outcome:
    return crossed(lowest_by_end(ledger, "qcfs", ("a",)))


@CLAIMS.add("Section 5.6.2, Fig. 6b", "VGG-16 gets negative thresholds from the usual initial one, for various L")
def negative_vgg16(ledger: Ledger) -> Outcome:
    return crossed(lowest_by_end(ledger, "qcfs", ("b",)))


@CLAIMS.add("Section 5.6.2", "negative thresholds emerge regardless of data and network (all trainings of Fig. 6)")
def negative_everywhere(ledger: Ledger) -> Outcome:
    return crossed(lowest_by_end(ledger, "qcfs", ("a", "b")), all_of_them=True)


@CLAIMS.add("Sections 4.1.2 and 5.6.2", "Softplus guarantees positive thresholds")
def softplus_positive(ledger: Ledger) -> Outcome:
    found = lowest_by_end(ledger, "csqcfs-1", ("a", "b"))
    for id in ("table1", "table2", "table3", "table4", "table5", "figure5"):
        for key in ledger.keys(id):
            ends = {record.settings["training"]["stages"][-1]["activation"] for record in ledger.records(id, *key)}
            if ends <= SOFTPLUS:
                found.append((f"{id}: {', '.join(map(str, key))}", ledger.cell(id, *key).lowest))
    if not found:
        return NOT_RUN
    failed = [name for name, low in found if low < 2 * SMALLEST]
    text = f"smallest of {len(found)} rows: {min(low for _, low in found):.3g}"
    if failed:
        text += (
            f"; in {len(failed)} it fell to {SMALLEST:g}, where this code stops since Softplus underflows: "
            f"{'; '.join(failed[:3])}"
        )
    return Outcome(not failed, text)
