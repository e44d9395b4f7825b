"""Figs. 4 and 5: accuracy over the quantization step L, of the network itself and of its SNN over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import published
from ..pages import style, tables


def title(page, network: str, dataset: str) -> str:
    """Network and data set, with what stands in for the data set in the page's profile."""
    used = page.profile.datasets.get(dataset, dataset)
    name = tables.NAMES.get(dataset, dataset)
    return f"{tables.NAMES.get(network, network)}, {name if used == dataset else f'{used} for {name}'}"


def band(ax: Axes, x: Sequence[float], seeds: Sequence[Sequence[float]], colour: str, **look) -> None:
    """The mean over ``seeds`` of values at ``x``, with ± one standard deviation where there are several."""
    values = np.array(seeds)
    mean = values.mean(0)
    ax.plot(x, mean, color=colour, **look)
    if len(values) > 1:
        spread = values.std(0, ddof=1)
        ax.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)


def _log2_ticks(ax: Axes, ticks: Sequence[int], label: str) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.set_xlabel(label)
    ax.set_ylabel("accuracy (%)")
    ax.grid(axis="y")


def over_L(ax: Axes, curves: Mapping[str, Mapping[int, Sequence[float]]], relu: Sequence[float] = ()) -> Axes:
    """Accuracy of networks over L, and of the network with ReLU, which has no L, as a horizontal line.

    Args:
        curves: {method: {L: accuracy in % for each seed}}.
    """
    steps = sorted({L for found in curves.values() for L in found})
    if relu:
        look = style.METHODS["relu"]
        ends = [min(steps), max(steps)]
        band(
            ax,
            ends if len(steps) > 1 else [steps[0] / 1.2, steps[0] * 1.2],
            [[accuracy, accuracy] for accuracy in relu],
            look.colour,
            label=look.label,
            linestyle="--",
        )
    for method, found in curves.items():
        look = style.METHODS[method]
        count = min(map(len, found.values()))  # seeds that every L has
        seeds = np.array([found[L][:count] for L in sorted(found)]).T
        band(ax, sorted(found), seeds, look.colour, label=look.label, marker=look.marker, linestyle=look.line)
    _log2_ticks(ax, steps, "quantization step L")
    return ax


def over_T(ax: Axes, curves: Mapping[int, Sequence[Sequence[float]]]) -> Axes:
    """Accuracy of SNNs over time, a line for each L from light to dark.

    Args:
        curves: {L: accuracy in % at T = 1, 2, ... for each seed}.
    """
    steps = list(published.TIMESTEPS)
    shades = dict(
        zip(
            published.QUANTIZATION_STEPS_TRIED,
            colormaps["plasma_r"](np.linspace(0.2, 0.95, len(published.QUANTIZATION_STEPS_TRIED))),
        )
    )
    for L, seeds in sorted(curves.items()):
        band(
            ax,
            steps,
            [[seed[t - 1] for t in steps] for seed in seeds],
            shades.get(L, "#666666"),
            label=f"L = {L}",
            marker=".",
        )
    _log2_ticks(ax, steps, "time-step T")
    return ax


def networks(page) -> dict[tuple[str, str], dict[str, dict[int | None, list[float]]]]:
    """Fig. 4 from the records: {(data set, network): {method: {L: accuracy of the ANN for each seed}}}.

    Places without any quantized network are left out.
    """
    found: dict[tuple, dict] = {}
    for dataset, network, end, L in page.rows:
        if accuracies := [seed["ann"] for seed in page.metrics((dataset, network, end, L))]:
            found.setdefault((dataset, network), {}).setdefault(end, {})[L] = accuracies
    return {place: ends for place, ends in found.items() if ends.keys() - {"relu"}}


def figure4(page) -> Figure:
    """A panel for each network and data set with records."""
    found = networks(page)
    if not found:
        return style.nothing_yet()
    fig, axes = style.panels(len(found))
    for ax, ((dataset, network), ends) in zip(axes, found.items()):
        relu = ends.get("relu", {}).get(None, ())
        over_L(ax, {end: curve for end, curve in ends.items() if end != "relu"}, relu)
        ax.set_title(title(page, network, dataset))
    for ax in axes:
        style.label_lines(ax)
    return fig


def figure4_table(page) -> pd.DataFrame:
    """The numbers of Fig. 4; differences are ours to judge by, since the paper prints none."""
    lines = []
    for (dataset, network), ends in networks(page).items():
        relu = ends.get("relu", {}).get(None)
        for L in sorted({L for end, curve in ends.items() if end != "relu" for L in curve}):
            qcfs, ours = (ends.get(end, {}).get(L) for end in ("qcfs", "csqcfs"))
            lines.append(
                (
                    tables.NAMES[dataset],
                    tables.NAMES[network],
                    str(L),
                    *map(tables.cell, (relu, qcfs, ours)),
                    _gap(ours, qcfs),
                    _gap(ours, relu),
                )
            )
    columns = ["ReLU", "QCFS", "CS-QCFS", "CS-QCFS − QCFS", "CS-QCFS − ReLU"]
    return pd.DataFrame(lines, columns=["Dataset", "Architecture", "L", *columns]).set_index(
        ["Dataset", "Architecture", "L"]
    )


def _gap(one: Sequence[float] | None, other: Sequence[float] | None) -> str:
    """Difference of means with its sign, empty where one is missing."""
    return f"{np.mean(one) - np.mean(other):+.2f}" if one and other else ""


def spiking(page) -> dict[tuple[str, str], dict[int, list]]:
    """Fig. 5 from the records: {(data set, network): {L: metrics for each seed}}."""
    found: dict[tuple, dict] = {}
    for dataset, network, L in page.rows:
        if seeds := page.metrics((dataset, network, L)):
            found.setdefault((dataset, network), {})[L] = seeds
    return found


def figure5(page) -> Figure:
    """A panel for each network and data set with records."""
    found = spiking(page)
    if not found:
        return style.nothing_yet()
    fig, axes = style.panels(len(found))
    for ax, ((dataset, network), curves) in zip(axes, found.items()):
        over_T(ax, {L: [seed["snn"] for seed in seeds] for L, seeds in curves.items()})
        ax.set_title(title(page, network, dataset))
    for ax in axes:
        style.label_lines(ax)
    return fig


def figure5_table(page) -> pd.DataFrame:
    """What the paper reads off Fig. 5: accuracy within 4 steps, the best at any, and its distance to the ANN."""
    lines = []
    for (dataset, network), curves in spiking(page).items():
        for L, seeds in sorted(curves.items()):
            ann = [seed["ann"] for seed in seeds]
            best = [max(seed["snn"][t - 1] for t in published.TIMESTEPS) for seed in seeds]
            early = [[seed["snn"][t - 1] for seed in seeds] for t in (1, 2, 4)]
            lines.append(
                (
                    tables.NAMES[dataset],
                    tables.NAMES[network],
                    str(L),
                    *map(tables.cell, (ann, *early, best)),
                    _gap(best, ann),
                )
            )
    columns = ["ANN", "T = 1", "T = 2", "T = 4", "best T", "best T − ANN"]
    return pd.DataFrame(lines, columns=["Dataset", "Architecture", "L", *columns]).set_index(
        ["Dataset", "Architecture", "L"]
    )
