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
from ..pages import style, tables

ENDS = ("qcfs", "csqcfs")
SHOWN = (1, 4, 32)  # time-steps
COLUMNS = {"flooring": "flooring", "propagated": "propagated", "unevenness": "unevenness", "total": "SNN − ANN"}

Errors = Mapping[str, Mapping[str, Sequence[float]]]  # {method: {part: values}}


def over_sites(errors: Sequence[float]) -> float:
    """One value for the network: root mean square over its sites, each of equal weight."""
    return float(np.sqrt(np.mean(np.square(errors))))


def parts(axes: Sequence[Axes], x: Sequence[float], errors: Errors) -> None:
    """A panel for each of COLUMNS, with a line for each method; ``errors`` in units of the threshold."""
    for ax, part in zip(axes, COLUMNS, strict=True):
        for method, values in errors.items():
            look = style.METHODS[method]
            ax.plot(
                x,
                100 * np.asarray(values[part]),
                color=look.colour,
                marker=look.marker,
                markersize=2.5,
                label=look.label,
            )
        ax.grid(axis="y")


def over_depth(page, network: str) -> Figure:
    """Error at each layer of ``network``, at the paper's L."""
    found = {end: metrics for end in ENDS if (metrics := _metrics(page, network, end))}
    if not found:
        return style.nothing_yet()
    layers = range(1, len(next(iter(found.values()))["sites"]) + 1)
    fig, axes = _grid(
        layers, {T: {end: metrics["rms"][str(T)] for end, metrics in found.items()} for T in SHOWN}, "layer"
    )
    axes[0, 0].xaxis.set_major_locator(MaxNLocator(4, integer=True))
    return fig


def over_L(page, network: str) -> Figure:
    """Error of the whole network, root mean square over its layers, over L; gaps where there is no record.

    Empty for a profile that has one L alone.
    """
    steps = sorted({key[2] for key in page.rows if key[0] == network and page.metrics(key)})
    if len(steps) < 2:
        return style.nothing_yet()
    found = {(end, L): _metrics(page, network, end, L) for end in ENDS for L in steps}
    fig, axes = _grid(
        steps,
        {
            T: {
                end: {
                    part: [over_sites(found[end, L]["rms"][str(T)][part]) if found[end, L] else np.nan for L in steps]
                    for part in COLUMNS
                }
                for end in ENDS
            }
            for T in SHOWN
        },
        "quantization step L",
    )
    axes[0, 0].set_xscale("log", base=2)
    axes[0, 0].set_xticks(steps, [str(L) for L in steps])
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
                lines[tables.NAMES[network], tables.NAMES[end], T] = {k: 100 * v for k, v in values.items()}
    columns = [*conversion_error.OWN, *COLUMNS.values()]
    index = pd.MultiIndex.from_tuples(lines, names=["Architecture", "Activation", "T"])
    return pd.DataFrame(list(lines.values()), index=index, columns=columns, dtype=float)


def _metrics(page, network: str, end: str, L: int | None = None) -> dict[str, Any] | None:
    """What the first seed measured at ``L``, by default the paper's."""
    L = L or published.PAPER_SETTINGS["cifar10", network].quantization_step
    return next(iter(page.metrics((network, end, L))), None)


def _grid(x: Sequence[float], errors: Mapping[int, Errors], label: str) -> tuple[Figure, np.ndarray]:
    """Parts in columns, time-steps in rows; one scale for each row."""
    fig, axes = plt.subplots(
        len(errors),
        len(COLUMNS),
        figsize=(style.PAGE, 0.6 + 1.5 * len(errors)),
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    for row, (T, found) in zip(axes, errors.items()):
        parts(row, x, found)
        row[0].set_ylabel(f"T = {T}\nRMS (% of θ)")
        row[0].set_ylim(bottom=0)
    for ax, title in zip(axes[0], COLUMNS.values()):
        ax.set_title(title)
    for ax in axes[-1]:
        ax.set_xlabel(label)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(ENDS))
    return fig, axes
