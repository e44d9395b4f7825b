"""Accuracy against what it costs, and energy over time-steps."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from .. import published
from ..bench import report
from ..claims.costs import additions_per_synapse
from ..experiments.rows import COMPARED
from ..measures import energy
from ..pages import costs
from . import shared, style

AXES = {
    "steps": ("steps of each layer", lambda point: point.latency),
    "clock": ("steps on one clock", lambda point: point.clock),
    "operations": ("additions per image (M)", lambda point: point.ac / 1e6),
}
TICKS = {"steps": published.TIMESTEPS, "clock": (1, 4, 16, 64)}
LINES = dict(zip(energy.CONVENTIONS, ("-", "--", ":", "-.")))
BELOW: dict[str, dict] = {"qcfs": {"linewidth": 3.5, "alpha": 0.45}, "csqcfs": {}}  # of two lines that may coincide
QUIET, MISSED = "#555555", "#B2182B"  # of targets


def against(ax: Axes, lines: Sequence[Sequence[costs.Point]], axis: str) -> list[costs.Point]:
    """Accuracy over one of `AXES`, a line through T = 1, 2, 4, ..., 32 for each method.

    Rings mark the Pareto front of all points, which is returned; the vertical axis is logarithmic in the error.
    """
    label, value = AXES[axis]
    for line in lines:
        look, x = style.METHODS[line[0].method], [value(point) for point in line]
        ax.plot(x, [point.accuracy for point in line], **look.kwargs(), **shared.EDGE)
        low, high = zip(*(point.interval for point in line), strict=True)
        ax.fill_between(x, low, high, color=look.colour, alpha=0.16, linewidth=0)
    best = costs.front([point for line in lines for point in line], costs.COSTS[axis])
    ring = {"marker": "o", "markersize": 8, "markerfacecolor": "none", "markeredgecolor": "black"}
    ax.plot(
        [value(point) for point in best],
        [point.accuracy for point in best],
        linestyle="none",
        markeredgewidth=0.7,
        label="on the front",
        **ring,
    )
    ax.margins(x=0.12, y=0.12)
    if axis in TICKS:
        shared.log2_axis(ax, TICKS[axis], label)
    else:
        shared.log_axis(ax, label)
    ax.grid(axis="y")
    shared.error_scale(ax)
    return best


def pareto(page) -> Figure | None:
    """A row for each network of the page "latency", a panel for each of `AXES`; one range of accuracy for all."""
    names = costs.networks(page)
    if not names:
        return None
    fig, axes = plt.subplots(
        len(names), 3, figsize=(style.PAGE, 0.6 + 2.5 * len(names)), sharey=True, sharex="col", squeeze=False
    )
    fronts = []
    for row, name in zip(axes, names):
        lines = [line for method in COMPARED if (line := costs.points(page, name, method))]
        fronts += [(ax, axis, against(ax, lines, axis)) for ax, axis in zip(row, AXES)]
        row[0].set_ylabel(shared.ERROR_SCALE)
        row[0].set_title(shared.headed(shared.title(page, name), {line[0].seeds for line in lines}), loc="left")
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    style.legend(fig)
    for ax, axis, best in fronts:
        points = [
            (AXES[axis][1](point), point.accuracy, str(point.T), style.METHODS[point.method].colour)
            for point in sorted(best, key=lambda point: -point.accuracy)  # the upper one's text stands above
        ]
        style.label_points(ax, points)
    return fig


def energy_over_time(page) -> Figure | None:
    """A row for each network of the page "table7": additions per synapse, and energy by convention, over T."""
    networks = {}
    for network in dict.fromkeys(key[0] for key in page.rows):
        if found := {model: metrics for model in BELOW if (metrics := page.metrics((network, model)))}:
            networks[network] = found
    if not networks:
        return None
    fig, axes = plt.subplots(
        len(networks), 2, figsize=(style.PAGE, 0.8 + 2.5 * len(networks)), sharey="col", sharex=True, squeeze=False
    )
    for (left, right), (network, found) in zip(axes, networks.items()):
        additions(left, found)
        energies(right, found)
        left.set_title(shared.headed(shared.title(page, network, ["cifar100"]), map(len, found.values())), loc="left")
    for ax in axes[-1]:
        ax.set_xlabel("time-step T")
    by_line = [
        plt.Line2D([], [], color="#666666", linestyle=line, label=energy.CONVENTIONS[name].short)
        for name, line in LINES.items()
    ]
    methods = {line.get_label(): line for ax in axes[:, 0] for line in ax.get_legend_handles_labels()[0]}
    style.legend(fig, [*methods.values(), axes[0, 1].get_lines()[-1], *by_line])
    return fig


def additions(ax: Axes, found: dict[str, list[dict]]) -> Axes:
    """Additions per synapse over T, means over seeds; dashed: the paper's two counts, whose T is not stated."""
    for model, seeds in found.items():
        ax.plot(
            published.TIMESTEPS,
            [statistics.fmean(energy.additions_per_synapse(seed, T) for seed in seeds) for T in published.TIMESTEPS],
            **style.METHODS[model].kwargs() | BELOW[model],
        )
    look = style.METHODS["paper"]
    for place, value in enumerate(additions_per_synapse().values()):
        label = "_" if place else "paper's counts (ResNet-50), T not stated"
        ax.axhline(value, color=look.colour, linestyle=look.line, linewidth=0.8, label=label)
    ax.set_ylabel("additions per synapse")
    return _time_axis(ax)


def energies(ax: Axes, found: dict[str, list[dict]]) -> Axes:
    """Energy per image in mJ over T, by method and convention, means over seeds, and that of the ANN."""
    for model, seeds in found.items():
        for name, line in LINES.items():
            values = [
                statistics.fmean(energy.snn(seed, T, name).millijoules for seed in seeds) for T in published.TIMESTEPS
            ]
            colour = style.METHODS[model].colour
            ax.plot(published.TIMESTEPS, values, **{"color": colour, "linestyle": line} | BELOW[model])
    ann = statistics.fmean(energy.ann(seed).millijoules for seed in next(iter(found.values())))
    ax.axhline(ann, color=style.METHODS["ann"].colour, linewidth=0.8, label="ANN")
    ax.set_ylabel("energy per image (mJ)")
    return _time_axis(ax)


def epoch_time(page) -> Figure | None:
    """Each round's step times over that of QCFS (dots, first round on top), median and quartiles, the paper's ratio."""
    import seaborn  # takes two seconds, which every page with costs would wait for

    if not page.metrics(("step",)):
        return None
    ratios = page.metrics(("step",))[0]["ratios"]
    names = [name for name in ratios if name != "qcfs"]
    frame = pd.DataFrame([(style.METHODS[name].label, value) for name in names for value in ratios[name]])
    frame.columns = ["network", "ratio"]
    fig, ax = plt.subplots(figsize=(0.65 * style.PAGE, 2.2))
    marks = {"color": "black", "marker": "|", "linestyle": "none", "capsize": 0.2}
    seaborn.pointplot(frame, x="ratio", y="network", ax=ax, estimator="median", errorbar=("pi", 50), **marks)
    for place, name in enumerate(names):
        rounds = place + np.linspace(-0.25, 0.25, len(ratios[name]))
        ax.plot(ratios[name], rounds, "o", color=style.METHODS[name].colour, markersize=3, alpha=0.5, label="_")
    ax.axvline(1, color=style.METHODS["qcfs"].colour, linewidth=1, label="QCFS of the same round")
    look = style.METHODS["paper"]
    ax.axvline(
        1 + published.TABLE6_INCREASE / 100, color=look.colour, linestyle=look.line, linewidth=1, label="CS-QCFS, paper"
    )
    low, high = np.quantile(frame["ratio"], [0.02, 0.98])  # a step may be hit by other work
    ax.set_xlim(min(low, 1) - 0.05, max(high, 1) + 0.05)
    ax.set(xlabel="time of a training step, QCFS = 1", ylabel="")
    ax.grid(axis="x")
    middle = plt.Line2D([], [], color="black", marker="|", markersize=8, label="median and quartiles")
    style.legend(fig, [*(line for line in ax.get_lines() if line.get_label()[:1] not in "_"), middle])
    return fig


def speed(page) -> Figure | None:
    """The table of speed: each line over its target, or under it where more is better; left of 1 it is met."""
    lines = [line for metrics in page.metrics(("bench",)) for line in metrics["lines"] if line["outcome"]]
    if not lines:
        return None
    fig, ax = plt.subplots(figsize=(style.PAGE, 0.8 + 0.19 * len(lines)))
    for place, line in enumerate(lines):
        low, median, high = (line["outcome"][key] / line["target"] for key in ("low", "median", "high"))
        if line["above"]:
            low, median, high = 1 / high, 1 / median, 1 / low
        colour = QUIET if line["met"] else MISSED
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
    ax.annotate("measured (target)", (1.01, -1), va="center", xycoords=("axes fraction", "data"), annotation_clip=False)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set_yticks(
        range(len(lines)),
        [", ".join(filter(None, (report.name(line, part) for part in ("what", "size")))) for line in lines],
        fontsize=style.FONT - 1,
    )
    ax.set_ylim(len(lines) - 0.5, -0.5)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    ax.set_xlabel("measured / target, for ≥ target / measured\n(left of 1: met, dots; right: missed, crosses)")
    ax.grid(axis="x")
    return fig


def _time_axis(ax: Axes) -> Axes:
    shared.log2_axis(ax, published.TIMESTEPS, "")
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(numticks=7))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.grid(axis="y")
    return ax
