"""Tables and findings of *What the gradient's window changes*: equal trainings whose gradient passes elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..experiments import beyond
from ..measures import compare
from ..names import NAMES, WINDOWS
from ..plots import thresholds
from ..runs.records import Record
from . import said, softplus

OTHERS = tuple(window for window in beyond.WINDOWS if window != beyond.PRINTED)
ENDS = ("qcfs", "csqcfs")
COLUMNS = ("ann", *beyond.SHOWN)
HEADS = ["ANN", *(f"T = {T}" for T in beyond.SHOWN)]


def validated(records: Sequence[Record], epoch: int = -1) -> np.ndarray:
    """Accuracy in % on the held-out training images after an epoch, of each seed."""
    return np.array([record.metrics["history"][epoch]["val_accuracy"] for record in records])


def frame(page) -> pd.DataFrame:
    """Accuracy (%) of what was trained with each window, and its thresholds; without a record a line is absent."""
    lines = []
    for end in ENDS:
        for window in beyond.WINDOWS:
            if found := page.results((end, window, "plain")):
                low, least = softplus.levels(found)
                accuracies = [said.cell(found, column) for column in COLUMNS]
                lines.append((NAMES[end], WINDOWS[window], str(len(found)), *accuracies, f"{low:.3f}", f"{least:.3f}"))
    if relu := page.results(("relu", None, "training")):
        lines.append((NAMES["relu"], "", str(len(relu)), said.cell(relu, "ann"), *[""] * (len(beyond.SHOWN) + 2)))
    columns = ["Activation", "gradient window", "n", *HEADS, "mean θ", "least θ"]
    return pd.DataFrame(lines, columns=columns).set_index(columns[:2])


def gap(page, end: str, window: str, column: compare.Column, kind: str = "plain") -> compare.Difference | None:
    """One window minus the paper's; None without records of both."""
    return said.compared(page, (end, window, kind), (end, beyond.PRINTED, kind), column)


def of_each_seed(page, end: str, window: str, column: compare.Column) -> list[float]:
    """What `gap` has of each seed that both windows have, in points."""
    mine, theirs = (
        {one.settings["training"]["seed"]: one for one in page.results((end, name, "plain"))}
        for name in (window, beyond.PRINTED)
    )
    return [compare.difference([one], [theirs[seed]], column).points for seed, one in mine.items() if seed in theirs]


def gains(page) -> pd.DataFrame:
    """Each other window minus the paper's, in points, with half of the 95 % interval; n seeds that both have."""
    lines = []
    for end in ENDS:
        for window in OTHERS:
            found = [gap(page, end, window, column) for column in COLUMNS]
            if all(found):
                lines.append((NAMES[end], WINDOWS[window], str(found[0].seeds), *(one.short() for one in found)))
    columns = ["Activation", "minus the paper's window", "n", *HEADS]
    return pd.DataFrame(lines, columns=columns).set_index(columns[:2])


def epochs(records: Sequence[Record]) -> str:
    """Of each stage of one of the trainings, "30 + 15"."""
    return " + ".join(str(stage["epochs"]) for stage in records[0].settings["training"]["stages"])


def own_schedule(page) -> pd.DataFrame:
    """Accuracy (%) after each schedule that was tried, with each window, and what it is above the paper's (points)."""
    lines, columns = [], ("ann", *beyond.TO_THE_END)
    for end, kind in itertools.product(ENDS, beyond.HELD_OUT):
        for window in beyond.WINDOWS:
            if not (found := page.results((end, window, kind))):
                continue
            accuracies = [said.cell(found, column) for column in columns]
            lines.append((NAMES[end], epochs(found), WINDOWS[window], str(len(found)), *accuracies))
            gaps = [gap(page, end, window, column, kind) for column in columns]
            if window != beyond.PRINTED and all(gaps):
                short = [one.short() for one in gaps]
                lines.append((NAMES[end], epochs(found), "minus the paper's", str(gaps[0].seeds), *short))
    heads = ["Activation", "epochs", "gradient window", "n", "ANN", *(f"T = {T}" for T in beyond.TO_THE_END)]
    return pd.DataFrame(lines, columns=heads).set_index(heads[:3])


def held_out(page) -> pd.DataFrame:
    """Accuracy (%) of the network on held-out training images and on test images, for each schedule that was tried."""
    lines = []
    for kind in beyond.HELD_OUT.values():
        for window in beyond.WINDOWS:
            if found := page.results(("qcfs", window, kind)):
                accuracies = compare.over_seeds(validated(found)).short().lstrip("+"), said.cell(found, "ann")
                lines.append((epochs(found), WINDOWS[window], str(len(found)), *accuracies))
    columns = ["Epochs of ReLU + QCFS", "gradient window", "n", "held out", "test"]
    return pd.DataFrame(lines, columns=columns).set_index(columns[:2])


def low_start(page) -> pd.DataFrame:
    """QCFS of Fig. 6a with each window: after which epoch a threshold is not positive, the least one, the accuracy."""
    lines = []
    for window in beyond.WINDOWS:
        for record in page.results(("qcfs", window, "low")):
            history = record.metrics["history"]
            epoch, layers = thresholds.crossing(history), thresholds.layer_traces(history)
            below = str(int((layers[-1] <= 0).sum()))
            lines.append(
                (WINDOWS[window], str(epoch or "never"), below, f"{layers.min():.3f}", said.cell([record], "ann"))
            )
    columns = ["Gradient window", "first epoch", "layers at the end", "least θ on the way", "ANN"]
    return pd.DataFrame(lines, columns=columns).set_index(columns[0])


def sentences(page) -> list[str]:
    """What each other window brings as an ANN and as an SNN, how far ReLU is ahead, and what thresholds do."""
    told, best = [], WINDOWS[beyond.NEWER]
    for window in OTHERS:
        found = {f"at plain T = {T}": gap(page, "qcfs", window, T) for T in (1, beyond.T)}
        found = {"as an ANN": gap(page, "qcfs", window, "ann"), **found}
        if all(found.values()):
            words = "; ".join(f"{place} {said.verdict(one)}, {one.short()} points" for place, one in found.items())
            rests = said.rests_on(page.results(("qcfs", window, "plain")), found["as an ANN"].seeds)
            lead = f"QCFS from random weights with the window of {WINDOWS[window]}, minus the paper's"
            told.append(f"{lead}: {words} ({rests}).")
    relu = [
        said.compared(page, ("relu", None, "training"), ("qcfs", window, "training"), "ann")
        for window in (beyond.PRINTED, beyond.NEWER)
    ]
    if all(relu):
        points, seeds = [one.short() for one in relu], min(one.seeds for one in relu)
        told.append(
            f"ReLU, trained as long, is {points[0]} points above QCFS with the paper's window and {points[1]} above "
            f"that with {best} (n = {seeds})."
        )
    crossed = {
        window: thresholds.crossing(found[0].metrics["history"])
        for window in beyond.WINDOWS
        if (found := page.results(("qcfs", window, "low")))
    }
    if len(crossed) > 1:
        turned = ", ".join(WINDOWS[window] for window, epoch in crossed.items() if epoch) or "none of these windows"
        told.append(
            f"From an initial threshold of 1 and with L = 8 (Fig. 6a), thresholds of QCFS turn negative with {turned}, "
            f"of {len(crossed)} windows tried (n = 1 seed each)."
        )
    for end, kind in itertools.product(ENDS, beyond.HELD_OUT):
        if one := gap(page, end, beyond.NEWER, "ann", kind):
            rests = said.rests_on(found := page.results((end, beyond.NEWER, kind)), one.seeds)
            lead = f"{NAMES[end]} after {epochs(found)} epochs with {best}, minus the paper's window, as an ANN"
            told.append(f"{lead}: {said.verdict(one)}, {one.short()} points ({rests}).")
    if not (tried := held_out(page)).empty:
        ends = (f"{row['held out']} % ({length} epochs, {window})" for (length, window), row in tried.iterrows())
        told.append(f"On held-out training images QCFS after a ReLU network ends at {'; '.join(ends)}.")
    return told
