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
from . import said

NETWORKS = {
    "csqcfs": "CS-QCFS",
    "turns": "CS-QCFS, in turns",
    "other": "CS-QCFS, other start",
    "ceqcfs": "CE-QCFS",
    "start": "QCFS, the start",
}
TURNS = ", ".join(map(str, beyond.TURNS))
ACCURACIES = ("ANN", *(f"T = {T}" for T in beyond.SHOWN))  # columns of `accuracies`


class Answer(NamedTuple):
    """One method after ``T`` steps, with all that it takes."""

    name: str
    T: int
    accuracy: float
    clock: int
    additions: float = 0.0
    bits: float = 0.0
    records: Sequence[Record] = ()


def levels(page) -> list[int]:
    """Quantization steps that networks were trained at; the paper's comes last."""
    return sorted({L for _, L, _ in page.rows})


def trained_at(network: str, L: int) -> str:
    """Quantization steps of the training."""
    return TURNS if network == "turns" else str(L)


def named(network: str, L: int) -> str:
    """A network in a sentence or a legend."""
    return f"{NETWORKS[network].split(',')[0]}, L = {trained_at(network, L)}" + " in turns" * (network == "turns")


def accuracies(records: Sequence[Record]) -> list[str]:
    """Of the network itself and of its SNN at the steps that tables show, in %."""
    return [said.cell(records, column) for column in ("ann", *beyond.SHOWN)]


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
    """Every network of the page "honest_first_step" at T = 1..8, on the clock of all layers at once."""
    found: dict[str, list[Answer]] = {}
    for (network, L, method), _ in page.rows.items():
        others = network == "start" and method == "plain" and L != levels(page)[-1]
        if method == "sure" or network == "other" or others:
            continue
        if records := page.results((network, L, method)):
            kind = methods.of_record({"method": method, "presteps": records[0].metrics["presteps"]})
            sites = len(records[0].metrics["thresholds"])
            name = named(network, L) + ("" if method == "plain" else f", {NAMES[method]}")
            curve = np.mean([record.metrics["snn"] for record in records], 0)
            found[name] = [
                Answer(name, T, float(a), kind.clock(T, sites), records=records) for T, a in enumerate(curve, 1)
            ]
    return found


def turns_gaps(page, L: int) -> dict[int, compare.Difference]:
    """The network trained in turns minus CS-QCFS of one L, in points, by T; empty where one has no record."""
    gaps = {T: said.compared(page, ("turns", 1, "plain"), ("csqcfs", L, "plain"), T) for T in beyond.SHOWN}
    return {T: gap for T, gap in gaps.items() if gap is not None}


def turns_frame(page) -> pd.DataFrame:
    """`turns_gaps` as a table, with half of the 95 % interval; n seeds that both have."""
    lines = []
    for L in levels(page):
        if gaps := turns_gaps(page, L):
            lines.append((named("csqcfs", L), str(gaps[1].seeds), *(gap.short() for gap in gaps.values())))
    columns = ["in turns, minus", "n", *(f"T = {T}" for T in beyond.SHOWN)]
    return pd.DataFrame(lines, columns=columns).set_index(columns[0])


def turns_sentence(page) -> list[str]:
    """What one network trained at several L reaches, against those of L = 1 and of the paper's L."""
    if not (found := page.results(("turns", 1, "plain"))):
        return []
    reached = ", ".join(f"{said.cell(found, T)} % at T = {T}" for T in beyond.SHOWN)
    against = []
    for L in (1, levels(page)[-1]):
        if gaps := turns_gaps(page, L):
            points = ", ".join(f"{gap.short()} at T = {T} ({said.verdict(gap)})" for T, gap in gaps.items())
            against.append(f"against the one of L = {L} alone {points} points ({count(gaps[1].seeds, 'seed')})")
    lead = f"One network trained at L = {TURNS} in turns has {reached} ({said.rests_on(found)})"
    return [f"{'; '.join([lead, *against])}."]


def turns_verdicts(page) -> list[str]:
    """`turns_gaps` in words, against the same networks as in `turns_sentence`."""
    told = []
    for L in (1, levels(page)[-1]):
        groups = said.by_verdict({str(T): gap for T, gap in turns_gaps(page, L).items()})
        if groups:
            words = ", ".join(f"{word} at T = {', '.join(steps)}" for word, steps in groups.items())
            told.append(f"against the one of L = {L} alone {words}")
    return [f"The network trained at L = {TURNS} in turns is {'; '.join(told)}."] if told else []


def trained_frame(page) -> pd.DataFrame:
    """CS-QCFS of `frame` by the L of its training, for whoever has not read the page."""
    lines = []
    for network in ("csqcfs", "turns"):
        for L in levels(page):
            if found := page.results((network, L, "plain")):
                lines.append((named(network, L), str(len(found)), *accuracies(found)))
    columns = ["Network", "n", *ACCURACIES]
    return pd.DataFrame(lines, columns=columns).set_index(columns[0])


def best(page, *clocks: int) -> dict[int, Answer]:
    """The most accurate answer within so many steps on the clock; absent where there is none."""
    every = [answer for curve in answers(page).values() for answer in curve]
    found = {clock: [answer for answer in every if answer.clock <= clock] for clock in clocks}
    return {clock: max(within, key=lambda one: one.accuracy) for clock, within in found.items() if within}


def best_sentence(page) -> list[str]:
    """Which network is the most accurate within 1, 2 and 4 steps, none of them hidden, and what it is not ahead of."""
    named = []
    for clock, one in best(page, 1, 2, 4).items():
        rivals = [
            f"{answer.name} (n = {len(answer.records)})"
            for curve in answers(page).values()
            if (answer := next((a for a in reversed(curve) if a.clock <= clock), one)).name != one.name
            and (gap := compare.difference(one.records, answer.records, one.T, answer.T)) is not None
            and gap.interval()[0] <= 0  # on the seeds that both have, where it may even be behind
        ]
        tie = f", not ahead of {' and '.join(rivals)}" if rivals else ""
        reached = f"{said.cell(one.records, one.T)} %, n = {len(one.records)}{tie}"
        named.append(f"{one.name} within {count(clock, 'step')} ({reached})")
    told = f"Among the networks of “{page.artefact.title}”, all from one start, the most accurate with no hidden step"
    return [f"{told} are, by their means, {', '.join(named)}."] if named else []


def best_frame(page) -> pd.DataFrame:
    """`best` as a table."""
    found = best(page, 1, 2, 4, 8, 12, 84)
    lines = [(str(clock), one.name, str(one.T), f"{one.accuracy:.2f}") for clock, one in found.items()]
    columns = ["steps on the clock, at most", "network", "its T", "accuracy (%)"]
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
    """What one step reaches, what is best within so many steps, and what stopping saves."""
    found, (*_, full) = [], levels(page)
    if one := page.results(("csqcfs", 1, "plain")):
        gap = said.compared(page, ("csqcfs", 1, "plain"), ("csqcfs", full, "plain"), 1)
        against = f"; against CS-QCFS at L = {full} it is {said.verdict(gap)}, {gap} points" if gap is not None else ""
        found.append(
            f"Trained at L = 1, one honest step reaches {said.cell(one, 1)} % (its ANN {said.cell(one, 'ann')} %; "
            f"{said.rests_on(one)}){against}."
        )
    found += turns_sentence(page) + best_sentence(page)
    told = [
        f"{NETWORKS[network].split(',')[0]} at L = {L} takes {test['steps'][place]:.2f} steps on average "
        f"({test['accuracy'][place]:.2f} instead of {test['accuracy'][-1]:.2f} %)"
        for (network, L, _), one in sure(page).items()
        for test, place in [(one["test"], one["chosen"])]
    ]
    if told:
        rests = said.rests_on(next(page.results(key) for key in sure(page)))
        found.append(f"Stopping when sure, instead of {count(beyond.T, 'step')} ({rests}): {'; '.join(told)}.")
    return found
