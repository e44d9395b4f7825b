"""Tables and findings of what goes beyond the paper: second stages, and quantization steps."""

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

TIMES = (1, 2, 4, 8)
STAGES = {  # rows of the page "softplus", and how tables and figures call them
    "start": "QCFS, the start",
    "qcfs-2": "QCFS, two stages",
    "csqcfs": "CS-QCFS, as printed",
    "csqcfs, no decay": "CS-QCFS, λ without decay",
    "ctqcfs": "CT-QCFS, step on θ",
    "ceqcfs": "CE-QCFS, Exp",
    "cqcfs": "C-QCFS",
    "cqcfs, no decay": "C-QCFS, without decay",
}
NOT_HERE = "The profile has no runs of this; `./run_all.sh --profile quick` has."
NETWORKS = {"csqcfs": "CS-QCFS", "other": "CS-QCFS, other start", "start": "QCFS, the start"}


def levels(records: Sequence[Record]) -> tuple[float, float]:
    """Mean over layers of the mean threshold, and the least threshold; means over seeds."""
    layers = [list(record.metrics["thresholds"].values()) for record in records]
    means = [np.mean([np.mean(theta) for theta in seed]) for seed in layers]
    return float(np.mean(means)), float(np.mean([min(map(min, seed)) for seed in layers]))


def cell(records: Sequence[Record], column: compare.Column) -> str:
    """Mean over seeds with half of the 95 % interval."""
    found = compare.contrast((1.0, records, column))
    return "" if found is None else found.short().lstrip("+")


def softplus_frame(page) -> pd.DataFrame:
    """Accuracy (%) and thresholds of each second stage; stages without a record are absent."""
    lines = []
    for name, label in STAGES.items():
        if plain := page.results((name, "plain")):
            low, least = levels(plain)
            offset = cell(page.results((name, "cos")), 1) if page.results((name, "cos")) else ""
            accuracies = [cell(plain, column) for column in ("ann", *TIMES)]
            lines.append((label, str(len(plain)), *accuracies, offset, f"{low:.3f}", f"{least:.3f}"))
    plain = [f"T = {T}" for T in TIMES]
    columns = ["Second stage", "n", "ANN", *plain, "offset spikes, T = 1", "mean θ", "least θ"]
    return pd.DataFrame(lines, columns=columns).set_index("Second stage")


def softplus_gains(page) -> pd.DataFrame:
    """Each second stage minus CS-QCFS as printed, in points, with half of the 95 % interval."""
    lines = []
    for name, label in STAGES.items():
        found = [said.compared(page, (name, "plain"), ("csqcfs", "plain"), column) for column in ("ann", *TIMES)]
        if name != "csqcfs" and all(found):
            lines.append((label, *(one.short() for one in found)))
    columns = ["minus CS-QCFS as printed", "ANN", *(f"T = {T}" for T in TIMES)]
    return pd.DataFrame(lines, columns=columns).set_index(columns[0])


def softplus_best(page) -> list[str]:
    """The second stage with the most accurate first step, if that is not CS-QCFS as printed, against it."""
    found = {name: records for name in STAGES if (records := page.results((name, "plain")))}
    if not found:
        return []
    best = max(found, key=lambda name: np.mean([one.metrics["snn"][0] for one in found[name]]))
    gaps = [said.compared(page, (best, "plain"), ("csqcfs", "plain"), column) for column in (1, 2, 4, "ann")]
    if best == "csqcfs" or not all(gaps):
        return []
    points = ", ".join(f"{gap.short()} at T = {T}" for T, gap in zip((1, 2, 4), gaps, strict=False))
    ann = gaps[-1]
    return [
        f"Of all second stages {STAGES[best]} has the best first step; against CS-QCFS as printed: {points} points, "
        f"its ANN {said.verdict(ann)} ({ann.short()}; {said.rests_on(found[best], ann.seeds)})."
    ]


def softplus(page) -> list[str]:
    """Which explanation survives, decay, damping or level, each by the stage that takes it away."""
    sentences = [] if page.rows else [NOT_HERE]
    for name, what in (
        ("csqcfs, no decay", "Without weight decay on λ, CS-QCFS"),
        ("ctqcfs", "With the step on θ, CS-QCFS"),
        ("ceqcfs", "With Exp in place of Softplus it"),
        ("cqcfs", "C-QCFS, without Softplus,"),
    ):
        found = said.compared(page, (name, "plain"), ("csqcfs", "plain"), 1)
        if found is not None:
            mine, printed = (levels(page.results((key, "plain")))[0] for key in (name, "csqcfs"))
            rests = said.rests_on(page.results((name, "plain")), found.seeds)
            sentences.append(
                f"{what} is {said.verdict(found)} at plain T = 1, {found} points ({rests}), at a mean threshold of "
                f"{mine:.2f} instead of {printed:.2f}."
            )
    return sentences + softplus_best(page)


class Answer(NamedTuple):
    """One method after ``T`` steps, with all that it takes."""

    name: str
    T: int
    accuracy: float
    clock: int
    additions: float = 0.0
    bits: float = 0.0
    records: Sequence[Record] = ()


def first_step_frame(page) -> pd.DataFrame:
    """Accuracy (%) of plain SNNs by L; rows without a record are absent."""
    lines = []
    for network, label in NETWORKS.items():
        for L in beyond.LEVELS:
            if found := page.results((network, L, "plain")):
                thresholds = found[0].settings["training"].get("start_thresholds", "its own")
                accuracies = (cell(found, column) for column in ("ann", *TIMES))
                lines.append((label, str(L), thresholds, str(len(found)), *accuracies))
    columns = ["Network", "L", "start's thresholds", "n", "ANN", *(f"T = {T}" for T in TIMES)]
    return pd.DataFrame(lines, columns=columns).set_index(columns[:2])


def answers(page) -> dict[str, list[Answer]]:
    """Every network of the page "honest_first_step" at T = 1..8, on the clock of all layers at once."""
    found: dict[str, list[Answer]] = {}
    for (network, L, method), _ in page.rows.items():
        if method == "sure" or network == "other" or (network == "start" and method == "plain" and L != 4):
            continue
        if records := page.results((network, L, method)):
            kind = methods.of_record({"method": method, "presteps": records[0].metrics["presteps"]})
            sites = len(records[0].metrics["thresholds"])
            name = f"{NETWORKS[network].split()[0].rstrip(',')}, L = {L}" + (
                "" if method == "plain" else f", {NAMES[method]}"
            )
            curve = np.mean([record.metrics["snn"] for record in records], 0)
            found[name] = [
                Answer(name, T, float(a), kind.clock(T, sites), records=records) for T, a in enumerate(curve, 1)
            ]
    return found


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
            answer.name
            for curve in answers(page).values()
            if (answer := next((a for a in reversed(curve) if a.clock <= clock), one)).name != one.name
            and (gap := compare.difference(one.records, answer.records, one.T, answer.T)) is not None
            and not gap.decided
        ]
        tie = f", undecided against {' and '.join(rivals)}" if rivals else ""
        named.append(f"{one.name} within {count(clock, 'step')} ({cell(one.records, one.T)} %{tie})")
    told = f"Among the networks of “{page.artefact.title}”, all from one start, the most accurate with no hidden step"
    return [f"{told} are {', '.join(named)}."] if named else []


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
        name = NAMES.get(network, NETWORKS.get(network, network).split(",")[0])
        whole = (f"{test['accuracy'][-1]:.2f}", f"{found['margins'][place]:.2f}")
        lines.append((name, str(L), *whole, f"{test['accuracy'][place]:.2f}", f"{test['steps'][place]:.2f}"))
    columns = ["Network", "L", f"all {beyond.T} steps (%)", "margin", "stopping (%)", "mean steps"]
    return pd.DataFrame(lines, columns=columns).set_index(columns[:2])


def honest_first_step(page) -> list[str]:
    """What one step reaches, and what it is compared with."""
    sentences = [] if page.rows else [NOT_HERE]
    if one := page.results(("csqcfs", 1, "plain")):
        sentences.append(
            f"Trained at L = 1, one honest step reaches {cell(one, 1)} % (its ANN {cell(one, 'ann')} %; "
            f"{said.rests_on(one)})."
        )
        gap = said.compared(page, ("csqcfs", 1, "plain"), ("csqcfs", 4, "plain"), 1)
        if gap is not None:
            sentences.append(f"Against CS-QCFS at L = 4 it is {said.verdict(gap)} at T = 1, {gap} points.")
        gap = said.compared(page, ("other", 1, "plain"), ("csqcfs", 1, "plain"), 1)
        if gap is not None:
            start = "the thresholds of L = 4 instead of calibrated ones"
            sentences.append(f"Trained from {start} it is {said.verdict(gap)}, {gap} points.")
    for L in beyond.LEVELS[1:]:
        records = page.results(("csqcfs", L, "plain"))
        gap = compare.difference(records, one, L, 1) if records and one else None
        if gap is not None:
            sentences.append(f"The network of L = {L} after {count(L, 'step')} is {gap} points from it.")
    sentences += best_sentence(page)
    for (network, L, _), found in sure(page).items():
        if network == "csqcfs" and L == 4:
            test, place = found["test"], found["chosen"]
            steps, accuracy = test["steps"][place], test["accuracy"][place]
            sentences.append(
                f"Stopping when sure, CS-QCFS at L = 4 takes {steps:.2f} of {count(found['T'], 'step')} "
                f"on average for {accuracy:.2f} instead of {test['accuracy'][-1]:.2f} %."
                if steps < found["T"]
                else "Stopping when sure saves CS-QCFS at L = 4 no step at the margin that lacks at most 0.5 points."
            )
            if alike := page.results((network, L, "plain")):
                mean = float(np.interp(4, test["steps"], test["accuracy"]))
                four = np.mean([one.metrics["snn"][3] for one in alike])
                sentences.append(
                    f"With 4 steps on average it reaches {mean:.2f} %, with 4 for every image {four:.2f} %."
                )
    return sentences
