"""Figure of *What the gradient's window changes*: accuracy while training, and what each window brings over time."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ..experiments import beyond
from ..names import NAMES, WINDOWS
from ..pages import windows as page_of
from . import shared, style
from .activation import WINDOWS as COLOURS

ANN = 16  # where the differences of the ANNs stand, right of T = 8
MARKS = {"qcfs": style.METHODS["qcfs"].marker, "csqcfs": style.METHODS["csqcfs"].marker}


def figure(page) -> Figure | None:
    """(a) accuracy on held-out images over epochs, a line for each seed; (b) each other window minus the paper's."""
    curves = {key[:2]: found for key in page.rows if key[2] == "training" and (found := page.results(key))}
    if not curves:
        return None
    fig, (left, right) = plt.subplots(1, 2, figsize=(style.PAGE, 3.2))
    for (_, window), records in curves.items():
        colour = "grey" if window is None else COLOURS[window]
        label = f"{NAMES['relu'] if window is None else WINDOWS[window]} (n = {len(records)})"
        for number, record in enumerate(records):
            told = [epoch["val_accuracy"] for epoch in record.metrics["history"]]
            look = {"linestyle": "--" if window is None else "-", "label": None if number else label}
            left.plot(range(1, len(told) + 1), told, color=colour, **look)
    right.axhline(0, color="grey", linewidth=0.8)
    right.axvline(11.3, color="#bbbbbb", linewidth=0.6)
    places = np.array([*beyond.SHOWN, ANN])
    shown = [(end, window) for window in page_of.OTHERS for end in page_of.ENDS]
    for factor, (end, window) in zip(shared.aside(len(shown), 1.5), shown, strict=True):
        gaps = [page_of.gap(page, end, window, column) for column in (*beyond.SHOWN, "ann")]
        if None in gaps:
            continue
        fill = COLOURS[window] if end == "qcfs" else "white"
        shared.differences(right, factor * places, gaps, COLOURS[window], marker=MARKS[end], markerfacecolor=fill)
        if gaps[0].seeds > 1:
            each = [page_of.of_each_seed(page, end, window, column) for column in (*beyond.SHOWN, "ann")]
            right.plot(1.07 * factor * places, each, "_", color=COLOURS[window], markersize=5)
    drawn = [end for end in page_of.ENDS if page.results((end, beyond.NEWER, "plain"))]
    for end in drawn:
        fill = "black" if end == "qcfs" else "white"
        right.plot([], [], "k", marker=MARKS[end], markerfacecolor=fill, linestyle="none", label=f"(b) {NAMES[end]}")
    left.set(xlabel="epoch", ylabel="held-out images right (%)")
    shared.log2_axis(right, beyond.SHOWN, "time-step T, plain")
    right.set_xticks(places, [*map(str, beyond.SHOWN), "ANN"])
    right.set_ylabel("minus the paper's window (points)")
    style.letters((left, right), ("while training", "what another window brings"))
    for ax in (left, right):
        ax.grid(axis="y")
    style.legend(fig)
    return fig
