"""Accuracy over time-steps: how soon a spiking network says what its ANN says, and what one brings over another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import published
from ..measures import compare
from ..pages import said
from ..runs.records import Record
from . import shared, style

ANN = 78  # where the column of the ANNs stands, right of T = 32


def over_time(ax: Axes, found: Mapping[str, Sequence[Record]]) -> Axes:
    """One line for each method with its interval, and right of T = 32 the ANN that it was converted from.

    Every mark stands at its T, since lines moved aside would cross elsewhere. Methods that share an ANN have one mark
    there, that of the first.

    Args:
        found: {method of `style.METHODS`: records of the kind "accuracy", one for each seed}.
    """
    steps = list(published.TIMESTEPS)
    networks: dict[str, str] = {}
    for name, records in found.items():
        look = style.METHODS[name]
        shared.band(ax, steps, [(records, T) for T in steps], look.colour, **shared.line(look), **shared.EDGE)
        trained = [record.settings["training"] for record in records]
        networks.setdefault(json.dumps(trained, sort_keys=True), name)
    for x, name in zip(ANN * shared.aside(len(networks), 1.12 ** (len(networks) - 1)), networks.values(), strict=True):
        look = style.METHODS[name]
        shared.point(ax, x, found[name], "ann", look.colour, marker=look.marker)
    shared.log2_axis(ax, steps, "time-step T")
    ax.axvline(46, color="#bbbbbb", linewidth=0.6)
    ax.set_xticks([*steps, ANN], [*map(str, steps), "ANN"])
    ax.grid(axis="y")
    return shared.error_scale(ax)


def comparison(page, methods: Sequence[str], dataset: str = "cifar10") -> Figure | None:
    """A panel for each place of a page, see `shared.places`, with one range for one data set; None without records."""
    titles = shared.places(page, dataset)
    found = {
        place: {name: records for name in methods if (records := page.results((*place, name)))} for place in titles
    }
    found = {place: methods for place, methods in found.items() if methods}
    if not found:
        return None
    fig, axes = style.panels(len(found), share=len({place[:-1] for place in found}) == 1)
    for ax, (place, rows) in zip(axes, found.items(), strict=True):
        over_time(ax, rows)
        ax.set_title(shared.headed(titles[place], map(len, rows.values())))
    style.label_left(axes, shared.ERROR_SCALE)
    handles = [handle for ax in axes for handle in ax.get_legend_handles_labels()[0]]
    missing = [name for name in methods if not any(name in rows for rows in found.values())]
    style.legend(fig, handles + shared.absent(missing))
    return fig


def gains(
    page,
    pairs: Sequence[tuple[str, str]],
    printed: Mapping[tuple, published.Row] = {},
    dataset: str = "cifar10",
    kinds: Mapping[str, str] = {},
) -> Figure | None:
    """A panel for each place of a page, see `shared.places`: the first of each pair of methods minus the second, image
    by image and seed by seed, with the intervals; None without records.

    Curves that lie on each other say little of their differences, whose intervals are narrower. The paper's stand
    beside ours, where it ``printed`` both. Of two pairs with the same first, the latter is drawn hollow. ``kinds`` says
    which of `style.METHODS` a row is that the page calls otherwise.
    """
    steps = np.array(published.TIMESTEPS)
    titles = shared.places(page, dataset)
    found = {place: gaps for place in titles if (gaps := _gaps(page, place, pairs))}
    if not found:
        return None
    drawn = [pair for pair in pairs if any(pair in gaps for gaps in found.values())]
    fig, axes = style.panels(len(found), share=False)
    for ax, (place, gaps) in zip(axes, found.items(), strict=True):
        ax.axhline(0, color="grey", linewidth=0.8)
        for (first, second), x in zip(drawn, shared.aside(len(drawn), 1.12 ** (len(drawn) - 1))[:, None] * steps):
            look, other = (style.METHODS[kinds.get(name, name)] for name in (first, second))
            hollow = next(pair for pair in drawn if pair[0] == first) != (first, second)
            mark = {"marker": look.marker, "markerfacecolor": "white" if hollow else look.colour}
            if (first, second) in gaps:
                label = f"{look.label} − {other.label}"
                shared.differences(ax, x, gaps[first, second], look.colour, label=label, **mark)
            rows = [printed.get((*place, method)) for method in (first, second)]
            if None not in rows:
                theirs = np.subtract(*(np.array(row.snn, float) for row in rows))
                ax.plot(x, theirs, color=look.colour, marker="x", linestyle="none")
        label = "time-step T (pairs side by side)" if len(drawn) > 1 else "time-step T"
        shared.log2_axis(ax, published.TIMESTEPS, label).grid(axis="y")
        ax.set_title(shared.headed(titles[place], {gap.seeds for every in gaps.values() for gap in every}))
    style.label_left(axes, "difference (points)")
    handles = [handle for ax in axes for handle in ax.get_legend_handles_labels()[0]]
    if printed:
        handles.append(plt.Line2D([], [], color="#666666", marker="x", linestyle="none", label="the paper's"))
    style.legend(fig, handles)
    return fig


def _gaps(page, place: tuple, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[compare.Difference]]:
    """For each pair of which both have records, first minus second at each of the paper's T."""
    found = {}
    for first, second in pairs:
        gaps = [said.compared(page, (*place, first), (*place, second), T) for T in published.TIMESTEPS]
        if None not in gaps:
            found[first, second] = gaps
    return found
