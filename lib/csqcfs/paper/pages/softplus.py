"""Tables and findings of *What Softplus costs*: second stages of equal length from one network.

Each takes the part of the page for one data set.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..experiments import beyond
from ..measures import compare
from ..measures.thresholds import variation
from ..names import count
from ..runs.records import Record
from . import said

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


def levels(records: Sequence[Record]) -> tuple[float, float]:
    """Mean over layers of the mean threshold, and the least threshold; means over seeds."""
    layers = [list(record.metrics["thresholds"].values()) for record in records]
    means = [np.mean([np.mean(theta) for theta in seed]) for seed in layers]
    return float(np.mean(means)), float(np.mean([min(map(min, seed)) for seed in layers]))


def frame(page) -> pd.DataFrame:
    """Accuracy (%) and thresholds of each second stage; stages without a record are absent."""
    lines = []
    for name, label in STAGES.items():
        if plain := page.results((name, "plain")):
            low, least = levels(plain)
            counted = page.results((name, "cos"))
            fewer = f" (n = {len(counted)})" if len(counted) != len(plain) else ""
            offset = said.cell(counted, 1) + fewer if counted else ""
            accuracies = [said.cell(plain, column) for column in ("ann", *beyond.SHOWN)]
            lines.append((label, str(len(plain)), *accuracies, offset, f"{low:.3f}", f"{least:.3f}"))
    plain = [f"T = {T}" for T in beyond.SHOWN]
    columns = ["Second stage", "n", "ANN", *plain, "offset spikes, T = 1", "mean θ", "least θ"]
    return pd.DataFrame(lines, columns=columns).set_index("Second stage")


def long_frame(page) -> pd.DataFrame:
    """Accuracy (%) of plain neurons to T = 32, of one seed, and at the end minus CS-QCFS as printed in points."""
    lines = []
    for name, label in STAGES.items():
        if found := page.results((name, beyond.OF_LONG)):
            accuracies = [said.cell(found, column) for column in ("ann", *beyond.TO_THE_END)]
            gap = said.compared(page, (name, beyond.OF_LONG), ("csqcfs", beyond.OF_LONG), beyond.LONG)
            lines.append((label, *accuracies, gap.short() if gap is not None and name != "csqcfs" else ""))
    columns = ["Second stage", "ANN", *(f"T = {T}" for T in beyond.TO_THE_END), f"T = {beyond.LONG}, minus CS-QCFS"]
    return pd.DataFrame(lines, columns=columns).set_index("Second stage")


def gains(page) -> pd.DataFrame:
    """Each second stage minus CS-QCFS as printed, in points, with half of the 95 % interval; n seeds that both have."""
    lines = []
    for name, label in STAGES.items():
        found = [said.compared(page, (name, "plain"), ("csqcfs", "plain"), column) for column in ("ann", *beyond.SHOWN)]
        if name != "csqcfs" and all(found):
            lines.append((label, str(found[0].seeds), *(one.short() for one in found)))
    columns = ["minus CS-QCFS as printed", "n", "ANN", *(f"T = {T}" for T in beyond.SHOWN)]
    return pd.DataFrame(lines, columns=columns).set_index(columns[0])


def spread(page) -> dict[str, tuple[float, dict[int | str, compare.Difference]]]:
    """Of each channel-wise second stage how far its thresholds lie apart, and what that brings over their means."""
    found = {}
    for name in STAGES:
        own, level = page.results((name, "plain")), page.results((name, beyond.LAYER_MEAN))
        if own and level:
            apart = float(np.mean([variation(record.metrics["thresholds"]) for record in own]))
            found[name] = apart, {column: compare.difference(own, level, column) for column in ("ann", *beyond.SHOWN)}
    return found


def spread_frame(page) -> pd.DataFrame:
    """`spread` as a table, with the first step that is left once the thresholds of a layer are equal."""
    lines = []
    for name, (apart, gaps) in spread(page).items():
        level = page.results((name, beyond.LAYER_MEAN))
        left = said.cell(level, 1)
        lines.append((STAGES[name], str(gaps[1].seeds), f"{apart:.3f}", left, *(gap.short() for gap in gaps.values())))
    columns = ["Second stage", "n", "σ / mean of θ", "equal: T = 1", "ANN", *(f"T = {T}" for T in beyond.SHOWN)]
    return pd.DataFrame(lines, columns=columns).set_index("Second stage")


def seed_noise(page) -> list[str]:
    """`said.seed_noise` of the second stages with more than one seed."""
    return said.seed_noise({STAGES[name].split(",")[0]: page.results((name, "plain")) for name in beyond.SEEDED})


def softplus(page) -> list[str]:
    """`sentences` of each data set."""
    return said.of_each(page, sentences) if page.rows else [said.NOT_HERE]


def sentences(page) -> list[str]:
    """Each second stage against the printed one at plain T = 1, and what the differences between channels bring."""
    told, found = [], {name: said.compared(page, (name, "plain"), ("csqcfs", "plain"), 1) for name in STAGES}
    against = {name: gap for name, gap in found.items() if gap is not None and name not in ("csqcfs", "start")}
    if against:
        groups: dict[str, list[str]] = {}
        for name, gap in against.items():
            groups.setdefault(said.verdict(gap), []).append(f"{STAGES[name]} {gap.short()} (n = {gap.seeds})")
        words = "; ".join(f"{verdict} {', '.join(names)}" for verdict, names in groups.items())
        images = page.results((next(iter(against)), "plain"))[0].metrics["images"]
        told.append(f"Against CS-QCFS as printed at plain T = 1, in points over {count(images, 'image')}: {words}.")
    if gains := [gaps[1] for _, gaps in spread(page).values()]:
        low, *_, high = sorted(gap.points for gap in gains)
        ahead = sum(gap.decided and gap.points > 0 for gap in gains)
        told.append(
            f"What the channels' own thresholds bring at T = 1 over their layer's mean: {low:+.2f} to {high:+.2f} "
            f"points in {count(len(gains), 'second stage')}, ahead in {ahead}."
        )
    return told + seed_noise(page)
