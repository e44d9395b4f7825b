"""Tables and findings of *The honest first step*: networks trained for few steps, and stopping when sure.

Each takes the part of the page for one data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ... import methods
from ..experiments import beyond
from ..measures import compare
from ..names import NAMES, count
from ..runs.records import Record
from . import biases, said
from .few import ACCURACIES, BIASED, NETWORKS, SEVERAL, accuracies, levels, named, trained_at


class Answer(NamedTuple):
    """One method after ``T`` steps, with all that it takes."""

    name: str
    T: int
    accuracy: float
    clock: int
    additions: float = 0.0
    bits: float = 0.0
    records: Sequence[Record] = ()


def frame(page) -> pd.DataFrame:
    """Accuracy (%) of plain SNNs by L; rows without a record are absent. In turns, the ANN is that of L = 1."""
    lines = []
    for network, label in NETWORKS.items():
        for L in levels(page):
            if found := page.results((network, L, "plain")):
                thresholds = found[0].settings["training"].get("start_thresholds", "its own")
                lines.append((label, trained_at(network, L), thresholds, str(len(found)), *accuracies(found)))
    columns = ["Network", "L", "start's thresholds", "n", *ACCURACIES]
    return pd.DataFrame(lines, columns=columns).set_index(columns[:2])


def answers(page) -> dict[str, list[Answer]]:
    """Every network of the page "honest_first_step" at T = 1..8, on the clock of all layers at once; with biases
    calibrated for T at that T alone. Those that a worse start leaves behind are no rivals: "other", and the start at
    other L than its own.
    """
    found: dict[str, list[Answer]] = {}
    for (network, L, method), _ in page.rows.items():
        others = network == "start" and method == "plain" and L != levels(page)[-1]
        if method in ("sure", beyond.OF_LONG) or network == "other" or others:
            continue
        if records := page.results((network, L, method)):
            steps = next((T for T, name in beyond.CALIBRATED.items() if name == method), None)
            own = method if steps is None else "plain"
            kind = methods.of_record({"method": own, "presteps": records[0].metrics["presteps"]})
            sites = len(records[0].metrics["thresholds"])
            name = named(network, L) + (BIASED if steps else "" if method == "plain" else f", {NAMES[method]}")
            curve = np.mean([record.metrics["snn"] for record in records], 0)
            found.setdefault(name, []).extend(
                Answer(name, T, float(a), kind.clock(T, sites), records=records)
                for T, a in enumerate(curve, 1)
                if steps in (None, T)
            )
    return found


def unhidden(page) -> dict[str, list[Answer]]:
    """Those of `answers` whose T is all that they take."""
    return {name: curve for name, curve in answers(page).items() if curve[0].clock == curve[0].T}


def several(page) -> dict[tuple[str, int], list[Record]]:
    """Networks that were trained at several L, with their records; those without are absent."""
    keys = [(network, L) for network in SEVERAL for L in levels(page)]
    return {key: found for key in keys if (found := page.results((*key, "plain")))}


def gaps(page, network: str, own: int, L: int) -> dict[str, compare.Difference]:
    """A network of `several` minus CS-QCFS of one L, in points, by the columns of `ACCURACIES`; {} without records.

    The ANN of another L is another network's.
    """
    columns = dict(zip(ACCURACIES, ("ann", *beyond.SHOWN), strict=True))
    if own != L:
        del columns["ANN"]
    found = {
        name: said.compared(page, (network, own, "plain"), ("csqcfs", L, "plain"), c) for name, c in columns.items()
    }
    return {name: gap for name, gap in found.items() if gap is not None}


def several_frame(page) -> pd.DataFrame:
    """`gaps` as a table, with half of the 95 % interval; n seeds that both have."""
    lines = []
    for network, own in several(page):
        for L in levels(page):
            if found := gaps(page, network, own, L):
                cells = [found[name].short() if name in found else "" for name in ACCURACIES]
                lines.append((named(network, own), f"CS-QCFS, L = {L}", str(found["T = 1"].seeds), *cells))
    columns = ["Network", "minus", "n", *ACCURACIES]
    return pd.DataFrame(lines, columns=columns).set_index(columns[:2])


def best(page, *clocks: int) -> dict[int, Answer]:
    """The most accurate answer within so many steps on the clock; absent where there is none."""
    every = [answer for curve in answers(page).values() for answer in curve]
    found = {clock: [answer for answer in every if answer.clock <= clock] for clock in clocks}
    return {clock: max(within, key=lambda one: one.accuracy) for clock, within in found.items() if within}


def rivals(page, one: Answer, clock: int) -> list[str]:
    """What ``one`` is not shown to be ahead of within so many steps, none hidden, on the seeds that both have."""
    return [
        f"{answer.name} (n = {len(answer.records)})"
        for curve in unhidden(page).values()
        if (answer := next((a for a in reversed(curve) if a.clock <= clock), one)).name != one.name
        and (gap := compare.difference(one.records, answer.records, one.T, answer.T)) is not None
        and gap.interval()[0] <= 0  # it may even be behind
    ]


def best_sentence(page) -> list[str]:
    """Which network is the most accurate within 1, 2 and 4 steps, none of them hidden, and what it is not ahead of."""
    told, every = [], unhidden(page)
    for clock, one in best(page, 1, 2, 4).items():
        even = rivals(page, one, clock)
        tie = f", not shown to be ahead of {' and '.join(even)}" if even else ""
        reached = f"{said.cell(one.records, one.T)} %, {one.name} (n = {len(one.records)}{tie})"
        told.append(f"within {count(clock, 'step')} {reached}")
    lead = f"The highest mean on the test images with no hidden step, of {count(len(every), 'network')}"
    return [f"{lead}: {'; '.join(told)}."] if told else []


def best_frame(page) -> pd.DataFrame:
    """`best` as a table."""
    found = best(page, 1, 2, 4, 8, 12, 84)
    lines = [
        (str(clock), one.name, str(one.T), str(len(one.records)), said.cell(one.records, one.T))
        for clock, one in found.items()
    ]
    columns = ["steps on the clock, at most", "network", "its T", "n", "accuracy (%)"]
    return pd.DataFrame(lines, columns=columns).set_index(columns[0])


def sure(page) -> dict[tuple, dict]:
    """Records of stopping when sure, by row key."""
    found = {key: page.metrics(key) for key in page.rows if key[2] == "sure"}
    return {key: metrics[0] for key, metrics in found.items() if metrics}


def sure_frame(page) -> pd.DataFrame:
    """What stopping saves at the margin that the validation images choose."""
    lines = []
    for (network, L, _), found in sure(page).items():
        test, place = found["test"], found["chosen"]
        name = NETWORKS[network].split(",")[0]
        whole = (f"{test['accuracy'][-1]:.2f}", f"{found['margins'][place]:.4g}")
        lines.append((name, str(L), *whole, f"{test['accuracy'][place]:.2f}", f"{test['steps'][place]:.2f}"))
    columns = ["Network", "L", f"all {beyond.T} steps (%)", "margin", "stopping (%)", "mean steps"]
    return pd.DataFrame(lines, columns=columns).set_index(columns[:2])


def honest_first_step(page) -> list[str]:
    """`sentences` of each data set."""
    return said.of_each(page, sentences) if page.rows else [said.NOT_HERE]


def sentences(page) -> list[str]:
    """What one step reaches, what is best within so many steps, and what stopping saves and biases bring."""
    found, (*_, full) = [], levels(page)
    if one := page.results(("csqcfs", 1, "plain")):
        gap = said.compared(page, ("csqcfs", 1, "plain"), ("csqcfs", full, "plain"), 1)
        against = f"; against CS-QCFS at L = {full} it is {said.verdict(gap)}, {gap} points" if gap is not None else ""
        found.append(
            f"Trained at L = 1, one honest step reaches {said.cell(one, 1)} % (its ANN {said.cell(one, 'ann')} %; "
            f"{said.rests_on(one)}){against}."
        )
    return found + best_sentence(page) + stopping(page) + biases.sentences(page)


def stopping(page) -> list[str]:
    """What stopping when sure saves, over all networks that were tried."""
    found = sure(page)
    if not found:
        return []
    steps, points = [], []
    for one in found.values():
        test, place = one["test"], one["chosen"]
        steps.append(beyond.T - test["steps"][place])
        points.append(test["accuracy"][place] - test["accuracy"][-1])
    rests = said.rests_on(next(page.results(key) for key in found))
    return [
        f"Stopping when sure saves {min(steps):.2f} to {max(steps):.2f} of {count(beyond.T, 'step')} on average, for "
        f"{min(points):+.2f} to {max(points):+.2f} points ({count(len(found), 'network')}; {rests})."
    ]
