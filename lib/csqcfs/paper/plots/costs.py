"""Accuracy against what it costs, and energy over time-steps."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from .. import published
from ..bench import report
from ..claims.costs import additions_per_synapse
from ..measures import energy
from ..pages import costs, style, tables

AXES = {
    "latency": ("steps of each layer", lambda point: point.latency),
    "operations": ("additions per image (M)", lambda point: point.ac / 1e6),
    "energy": ("energy per image (µJ)", lambda point: 1e3 * point.millijoules),
}
TICKS = (0, 20, 40, 50, 60, 70, 75, 80, 85, 88, 90, 93, 95, 96, 97, 98, 99, 99.5, 99.9)
LINES = dict(zip(energy.CONVENTIONS, ("-", "--", ":", "-.")))


def against(ax: Axes, lines: Sequence[Sequence[costs.Point]], axis: str) -> Axes:
    """Accuracy over one of `AXES`, a line through T = 1, 2, 4, ..., 32 for each method.

    Rings mark the Pareto front of all points, with their T beside them.
    """
    label, value = AXES[axis]
    for line in lines:
        ax.plot(
            [value(point) for point in line],
            [point.accuracy for point in line],
            **style.METHODS[line[0].method].kwargs(),
        )
    best = costs.front([point for line in lines for point in line], costs.COSTS[axis])
    ax.plot(
        [value(point) for point in best],
        [point.accuracy for point in best],
        linestyle="none",
        marker="o",
        markersize=8,
        markerfacecolor="none",
        markeredgecolor="black",
        markeredgewidth=0.7,
        label="_front",
    )
    for point in best:
        ax.annotate(
            str(point.T),
            (value(point), point.accuracy),
            (-4, 4),
            textcoords="offset points",
            ha="right",
            fontsize=style.FONT - 2,
            color=style.METHODS[point.method].colour,
        )
    ax.margins(x=0.1, y=0.1)
    ax.set_xscale("log", base=2 if axis == "latency" else 10)
    if axis == "latency":
        ax.set_xticks(published.TIMESTEPS, [str(T) for T in published.TIMESTEPS])
    else:
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(label)
    ax.grid(axis="y")
    return error_scale(ax)


def error_scale(ax: Axes) -> Axes:
    """Accuracies on a logarithmic scale of the error, on which the last percent is as long as the first ten."""
    ax.set_yscale(
        "function",
        functions=(
            lambda accuracy: -np.log10(np.clip(100 - accuracy, 0.02, None)),
            lambda place: 100 - 10 ** -np.asarray(place),
        ),
    )
    low, high = ax.get_ylim()
    ax.set_yticks([value for value in TICKS if low <= value <= high])
    ax.minorticks_off()
    return ax


def pareto(page) -> Figure:
    """A row for each network of the page "latency", a panel for each cost."""
    names = costs.networks(page)
    if not names:
        return style.nothing_yet()
    fig, axes = plt.subplots(len(names), 3, figsize=(style.PAGE, 2.4 * len(names)), sharey="row", squeeze=False)
    for row, name in zip(axes, names):
        lines = [line for method in costs.METHODS if (line := costs.points(page, name, method))]
        for ax, axis in zip(row, AXES):
            against(ax, lines, axis)
        row[0].set_ylabel("accuracy (%)")
        row[0].set_title(tables.NAMES[name], loc="left")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=len(labels), columnspacing=1.2)
    return fig


def energy_over_time(page) -> Figure:
    """A row for each network of the page "table7": additions per synapse, and energy by convention, over T."""
    networks = [
        network
        for network in dict.fromkeys(key[0] for key in page.rows)
        if page.metrics((network, "qcfs")) and page.metrics((network, "csqcfs"))
    ]
    if not networks:
        return style.nothing_yet()
    fig, axes = plt.subplots(len(networks), 2, figsize=(style.PAGE, 2.6 * len(networks)), squeeze=False)
    for (left, right), network in zip(axes, networks):
        additions(left, {model: page.metrics((network, model)) for model in ("qcfs", "csqcfs")})
        shares(right, page.metrics((network, "csqcfs")))
        left.set_title(tables.NAMES[network], loc="left")
        right.set_title(f"{tables.NAMES[network]}, SNN with CS-QCFS", loc="left")
    return fig


def additions(ax: Axes, found: dict[str, list[dict]]) -> Axes:
    """Additions per synapse over T, means over seeds; grey: the paper's, whose T is not stated."""
    below = {"linewidth": 3.5, "markersize": 7, "alpha": 0.6}  # two lines that may coincide
    for model, more in (("qcfs", below), ("csqcfs", {})):
        ax.plot(
            published.TIMESTEPS,
            [
                statistics.fmean(energy.additions_per_synapse(seed, T) for seed in found[model])
                for T in published.TIMESTEPS
            ],
            **style.METHODS[model].kwargs(),
            **more,
        )
    printed, look = additions_per_synapse(), style.METHODS["paper"]
    for value in printed.values():
        ax.axhline(value, color=look.colour, linestyle=look.line, linewidth=0.8)
    ax.annotate(
        "paper: CS-QCFS above QCFS, T not stated",
        (32, printed["qcfs"]),
        (0, -3),
        ha="right",
        va="top",
        textcoords="offset points",
        fontsize=style.FONT - 1,
        color=look.colour,
    )
    ax.set_ylabel("additions per synapse")
    ax.legend(loc="upper left")
    _time_axis(ax).set_ylim(bottom=0.4 * printed["qcfs"])
    return ax


def shares(ax: Axes, seeds: Sequence[dict]) -> Axes:
    """Energy in % of the ANN's over T, by convention, means over seeds."""
    for name, line in LINES.items():
        values = [
            statistics.fmean(
                100 * energy.snn(seed, T, name).millijoules / energy.ann(seed).millijoules for seed in seeds
            )
            for T in published.TIMESTEPS
        ]
        ax.plot(
            published.TIMESTEPS,
            values,
            color=style.METHODS["csqcfs"].colour,
            linestyle=line,
            label=energy.CONVENTIONS[name].short,
        )
    ax.axhline(100, color=style.METHODS["ann"].colour, linewidth=0.8)
    ax.annotate("ANN", (1, 100), (0, 2), textcoords="offset points")
    ax.set_ylabel("energy (% of the ANN's)")
    ax.legend(loc="lower right", fontsize=style.FONT - 1)
    return _time_axis(ax)


def epoch_time(page) -> Figure:
    """Each round's step times over that of QCFS (dots), their median and quartiles (black), the paper's ratio."""
    if not page.metrics(()):
        return style.nothing_yet()
    metrics = page.metrics(())[0]
    fig, ax = plt.subplots(figsize=(style.COLUMN, 1.6))
    names = [name for name in metrics["ratios"] if name != "qcfs"]
    for place, name in enumerate(names):
        values, middle = metrics["ratios"][name], metrics["against_qcfs"][name]
        look = style.METHODS[name]
        jitter = 0.3 * np.modf(np.arange(len(values)) * 0.618)[0] - 0.15  # evenly spread, the same each time
        ax.scatter(values, place + jitter, s=6, color=look.colour, alpha=0.4, linewidths=0)
        reach = [[middle["median"] - middle["low"]], [middle["high"] - middle["median"]]]
        ax.errorbar(
            middle["median"], place, xerr=reach, color="black", marker="|", markersize=9, capsize=3, linewidth=1
        )
    ax.axvline(1, color=style.METHODS["qcfs"].colour, linewidth=0.8)
    ax.plot(
        1 + published.TABLE6_INCREASE / 100,
        names.index("csqcfs") + 0.32,
        marker="v",
        clip_on=False,
        color=style.METHODS["paper"].colour,
    )
    ax.annotate(
        "paper",
        (1 + published.TABLE6_INCREASE / 100, names.index("csqcfs") + 0.32),
        (5, 0),
        va="center",
        textcoords="offset points",
        color=style.METHODS["paper"].colour,
    )
    ax.set_yticks(range(len(names)), [style.METHODS[name].label for name in names])
    ax.set_ylim(-0.5, len(names) - 0.5)
    everything = [value for name in names for value in metrics["ratios"][name]]
    low, high = np.quantile(everything, [0.02, 0.98])  # a step may be hit by other work
    ax.set_xlim(low - 0.05, high + 0.05)
    ax.set_xlabel("time of a training step, QCFS of the same round = 1")
    ax.grid(axis="x")
    return fig


def speed(page) -> Figure:
    """The table of speed: each line as a part of its target, on a logarithmic axis; left of 1 it is met."""
    lines = [line for metrics in page.metrics(("bench",)) for line in metrics["lines"] if line["outcome"]]
    if not lines:
        return style.nothing_yet()
    fig, ax = plt.subplots(figsize=(style.PAGE, 0.8 + 0.19 * len(lines)))
    for place, line in enumerate(lines):
        low, median, high = (line["outcome"][key] / line["target"] for key in ("low", "median", "high"))
        if line["above"]:
            low, median, high = 1 / high, 1 / median, 1 / low
        colour = style.METHODS["cos" if line["met"] else "ours"].colour
        ax.plot([low, high], [place, place], color=colour, linewidth=2, alpha=0.5)
        ax.plot(median, place, color=colour, marker="o" if line["met"] else "X", markersize=5)
        sign = "≥" if line["above"] else "≤"
        ax.annotate(
            f"{report.value(line)} ({sign} {line['target']:g})",
            (1.01, place),
            va="center",
            xycoords=("axes fraction", "data"),
            annotation_clip=False,
        )
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set_yticks(
        range(len(lines)),
        [", ".join(filter(None, (line["what"], line["size"]))) for line in lines],
        fontsize=style.FONT - 2,
    )
    ax.set_ylim(len(lines) - 0.5, -0.5)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("part of the target (left of 1: met)")
    ax.grid(axis="x")
    return fig


def _time_axis(ax: Axes) -> Axes:
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks(published.TIMESTEPS, [str(T) for T in published.TIMESTEPS])
    ax.set_xlabel("time-step T")
    ax.grid(axis="y")
    return ax
