"""Tables and findings of the methods since the paper, all on one network."""

from __future__ import annotations

import pandas as pd

from ... import methods
from ..experiments.beyond import RULES, SHOWN
from ..names import NAMES, count
from . import said
from .first_step import Answer

LABELS = {rule: f"plain, thresholds by {rule!r}" for rule in RULES}


def answers(page) -> dict[str, list[Answer]]:
    """Every method of the page "since_the_paper" with operations, at T = 1..8; costs include the steps before T."""
    found = {}
    for method in methods.METHODS:
        records, counts = (page.metrics(("start", method, kind)) for kind in ("snn", "operations"))
        if not records or not counts:
            continue
        one, kind = counts[0], methods.of_record(counts[0])
        layers = [layer for layer in one["layers"] if layer["kind"] != "analog"]
        found[method] = []
        for T in range(1, one["T"] + 1):
            run = kind.length(T) - 1
            additions = one["additions"] * sum(layer["ac"][run] + layer["pre"] for layer in layers)
            moved = one["bits"][run] + one["bits_pre"]
            accuracy = records[0]["snn"][T - 1]
            found[method].append(Answer(method, T, accuracy, kind.clock(T, one["sites"]), additions, moved))
    return found


def frame(page) -> pd.DataFrame:
    """Each method at T = 1, 2, 4, 8, with what T = 1 takes."""
    lines = []
    for method, curve in answers(page).items():
        kind, first = methods.METHODS[method], curve[0]
        accuracies = [said.cell(page.results(("start", method, "snn")), T) for T in SHOWN]
        price = (str(first.clock), f"{first.additions / 1e6:.2f}", f"{first.bits / 1e3:.1f}")
        lines.append((kind.label, kind.source, *accuracies, *price))
    columns = ["Method", "source", *(f"T = {T}" for T in SHOWN)]
    columns += ["T = 1: steps on one clock", "additions (M)", "kilobits"]
    return pd.DataFrame(lines, columns=columns).set_index("Method")


def rules_frame(page) -> pd.DataFrame:
    """Thresholds without training, and channel-wise ones with it; plain neurons."""
    rows = {("start", "plain", "snn"): "QCFS, as trained", **{("start", rule, "snn"): LABELS[rule] for rule in RULES}}
    rows |= {(end, "plain", "snn"): f"{NAMES[end]}, second stage" for end in ("cqcfs", "csqcfs")}
    lines = []
    for key, label in rows.items():
        if found := page.results(key):
            lines.append((label, str(len(found)), *(said.cell(found, column) for column in ("ann", *SHOWN))))
    columns = ["Thresholds", "n", "ANN", *(f"T = {T}" for T in SHOWN)]
    return pd.DataFrame(lines, columns=columns).set_index("Thresholds")


def since_the_paper(page) -> list[str]:
    """Graded spikes against plain ones at one step with their price; signed spikes and parallel neurons at T = 8."""
    found = answers(page)
    sentences = [] if page.rows else [said.NOT_HERE]
    if "plain" in found and "graded" in found:
        plain, graded = found["plain"][0], found["graded"][0]
        one, other = (page.results(("start", name, "snn")) for name in ("graded", "plain"))
        sentences.append(
            f"One step of graded spikes reaches {said.cell(one, 1)} % where one of plain spikes reaches "
            f"{said.cell(other, 1)} %, for {graded.bits / plain.bits:.1f} times the bits and at most "
            f"{graded.additions / plain.additions:.1f} times the additions ({page.seen('network')}, "
            f"{page.seen('dataset')}, {said.rests_on(one)})."
        )
    for name, what in (("signed", "Signed spikes"), ("parallel", "Parallel neurons")):
        gap = said.compared(page, ("start", name, "snn"), ("start", "plain", "snn"), 8) if name in found else None
        if gap is not None:
            clock = found[name][7].clock
            sentences.append(
                f"{what} are {said.verdict(gap)} of plain ones at T = 8, {gap} "
                f"points, and answer after {count(clock, 'step')} on one clock."
            )
    return sentences
