"""Where conversion error lives: its parts over the layers of a network and over L, at a few time-steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .. import published
from ..measures import conversion_error
from ..names import NAMES
from . import shared, style

ENDS = ("qcfs", "csqcfs")
SHOWN = (1, 4, 32)  # time-steps
STEPS = {1: "o", 2: "s", 4: "^", 8: "D", 32: "."}  # of `by_time`, with their markers
COLUMNS = {"flooring": "flooring", "propagated": "propagated", "unevenness": "unevenness", "total": "SNN − ANN"}

LOOKS = {  # colour and marker of each part
    "flooring": ("#7A8B00", "v"),
    "propagated": ("#777777", "s"),
    "unevenness": ("#C2185B", "o"),
    "total": ("#000000", "."),
}

Errors = Mapping[str, Mapping[str, Sequence[float]]]  # {method: {part: values}}


def over_sites(errors: Sequence[float]) -> float:
    """One value for the network: root mean square over its sites, each of equal weight."""
    return float(np.sqrt(np.mean(np.square(errors))))


def over_depth(page, network: str) -> Figure | None:
    """Error at each layer of ``network``, at the paper's L."""
    found = {end: metrics for end in ENDS if (metrics := _metrics(page, network, end))}
    if len(found) < len(ENDS):
        return None
    title = shared.title(page, network)
    layers = range(1, len(found[ENDS[0]]["sites"]) + 1)
    fig, axes = _grid(
        title, layers, {T: {end: metrics["rms"][str(T)] for end, metrics in found.items()} for T in SHOWN}
    )
    axes[0].xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for ax in axes[len(SHOWN) :]:
        ax.set_xlabel("layer")
    return fig


def by_time(page, network: str, end: str = "csqcfs") -> Figure | None:
    """A panel for each part of the SNN's error, a line over the layers for each T: where the steps go."""
    found = _metrics(page, network, end)
    if not found:
        return None
    layers = range(1, len(found["sites"]) + 1)
    fig, axes = style.panels(len(conversion_error.PARTS), 2.8)
    shades = plt.get_cmap("viridis_r")(np.linspace(0.2, 1, len(STEPS)))
    for ax, part in zip(axes, conversion_error.PARTS):
        for (T, marker), shade in zip(STEPS.items(), shades, strict=True):
            error = 100 * np.asarray(found["rms"][str(T)][part])
            if error.any():  # else it is zero by definition
                ax.plot(layers, error, color=shade, marker=marker, markersize=3, label=f"T = {T}", linewidth=1)
        ax.set_xlabel("layer")
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.grid(axis="y")
    axes[0].set_ylim(bottom=-1)  # of all, once each has its lines
    style.letters(axes, [COLUMNS[part] for part in conversion_error.PARTS])
    style.label_left(axes, f"{NAMES[end]}: RMS error (% of θ)")
    style.legend(fig, axes[1].get_lines())  # the one panel with a line for each T
    return fig


def over_L(page, network: str) -> Figure | None:
    """Error of the whole network, root mean square over its layers, over L; None for a profile with one L."""
    found = {
        L: both
        for L in sorted({key[2] for key in page.rows if key[0] == network})
        if None not in (both := [_metrics(page, network, end, L) for end in ENDS])
    }
    if len(found) < 2:
        return None
    errors = {
        T: {
            end: {part: [over_sites(both[i]["rms"][str(T)][part]) for both in found.values()] for part in COLUMNS}
            for i, end in enumerate(ENDS)
        }
        for T in SHOWN
    }
    title = shared.title(page, network)
    fig, axes = _grid(title, list(found), errors)
    for ax in axes[len(SHOWN) :]:
        shared.log2_axis(ax, list(found), "quantization step L")
    return fig


def table(page) -> pd.DataFrame:
    """Error in % of the threshold, root mean square over layers, at the paper's L: the activation's, the SNN's."""
    lines = {}
    for network in dict.fromkeys(key[0] for key in page.rows):
        for end in ENDS:
            if not (metrics := _metrics(page, network, end)):
                continue
            own = {part: over_sites(metrics["rms_own"][part]) for part in conversion_error.OWN}
            for T, errors in metrics["rms"].items():
                values = own | {label: over_sites(errors[part]) for part, label in COLUMNS.items()}
                lines[NAMES[network], NAMES[end], T] = {k: 100 * v for k, v in values.items()}
    columns = [*conversion_error.OWN, *COLUMNS.values()]
    index = pd.MultiIndex.from_tuples(lines, names=["Architecture", "Activation", "T"])
    return pd.DataFrame(list(lines.values()), index=index, columns=columns, dtype=float)


def widest(page) -> tuple[float, int, int] | None:
    """Where CS-QCFS minus QCFS is largest in a single layer: the total in % of the threshold, the layer, and T."""
    found = []
    for network in dict.fromkeys(key[0] for key in page.rows):
        base, other = (_metrics(page, network, end) for end in ENDS)
        for T in base["rms"] if base and other else ():
            gaps = 100 * np.subtract(other["rms"][T]["total"], base["rms"][T]["total"])
            layer = int(np.abs(gaps).argmax())
            found.append((float(gaps[layer]), layer + 1, int(T)))
    return max(found, key=lambda one: abs(one[0]), default=None)


def _metrics(page, network: str, end: str, L: int | None = None) -> dict[str, Any] | None:
    """What the first seed measured at ``L``, by default the paper's."""
    L = L or published.PAPER_SETTINGS["cifar10", network].quantization_step
    return next(iter(page.metrics((network, end, L))), None)


def _grid(title: str, x: Sequence[float], errors: Mapping[int, Errors]) -> tuple[Figure, list[Axes]]:
    """A column for each time-step: above the parts of the QCFS network, below what CS-QCFS has more of each.

    The lines of the two networks would hide each other. A part that is zero by definition is left out: unevenness
    at T = 1, flooring at T = L. Each row has one range.
    """
    fig, axes = plt.subplots(
        2, len(errors), figsize=(style.PAGE, 4.4), sharex=True, sharey="row", height_ratios=(3, 2), squeeze=False
    )
    base, other = ENDS
    for (top, bottom), found in zip(axes.T, errors.values()):
        for part, (colour, marker) in LOOKS.items():
            one, two = (100 * np.asarray(found[end][part]) for end in (base, other))
            if not (one.any() or two.any()):
                continue
            look = {"color": colour, "marker": marker, "markersize": 3, "linewidth": 1}
            top.plot(x, one, label=COLUMNS[part], **look)
            bottom.plot(x, two - one, **look)
        bottom.axhline(0, color="#444444", linewidth=0.6)
        top.set_ylim(bottom=0)
        for ax in (top, bottom):
            ax.grid(axis="y")
    style.letters(axes[0], [f"{title}, T = {T}" for T in errors])
    axes[0, 0].set_ylabel("QCFS:\nRMS error (% of θ)")
    axes[1, 0].set_ylabel("CS-QCFS − QCFS: difference\nof RMS errors (points, % of θ)")
    drawn = {line.get_label(): line for ax in axes[0] for line in ax.get_lines()}
    style.legend(fig, [drawn[label] for label in COLUMNS.values() if label in drawn])
    return fig, list(axes.flat)
