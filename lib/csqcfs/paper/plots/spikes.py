"""Neurons of a spiking network over time: membrane potentials, spike raster, mean outputs (Algorithm 1).

Functions take the metrics of the kind "spikes" (see `measures.spikes`), one dict for each seed, and draw the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from . import style

LINE, TARGET = style.METHODS["csqcfs"].colour, style.METHODS["ann"].colour


def train(spikes: str) -> np.ndarray:
    """A spike train such as "0110" as numbers [T]."""
    return np.array([int(fired) for fired in spikes])


def running_mean(neuron: Mapping[str, Any]) -> np.ndarray:
    """Mean output of a neuron over steps 1..t, [T], in units of its threshold."""
    spikes = train(neuron["spikes"])
    return spikes.cumsum() / np.arange(1, len(spikes) + 1)


def sawtooth(spikes: np.ndarray, potential: np.ndarray, theta: float, start: float) -> tuple[np.ndarray, np.ndarray]:
    """Time and membrane potential as a line: up to v(t-1) + x(t), which decides the spike, then the reset to v(t).

    Args:
        spikes, potential: 0 or 1, and v(t) after the reset, at steps 1..T.
        start: v(0).
    """
    time = np.append(0, np.repeat(np.arange(1, len(spikes) + 1), 2))
    return time, np.append(start, np.column_stack([potential + theta * spikes, potential]).ravel())


def _grid(
    neurons: Sequence[Mapping[str, Any]], depths: Mapping[str, int], sharey: str | bool
) -> tuple[Figure, list[Axes]]:
    """One panel for each neuron, in the order of ``neurons``; a column for each layer."""
    columns = len(depths)
    fig, axes = plt.subplots(
        -(-len(neurons) // columns), columns, figsize=(style.PAGE, 4.0), sharex=True, sharey=sharey, squeeze=False
    )
    panels = list(axes.T.flatten())[: len(neurons)]
    rank = ("median", "90th percentile")  # the two of each layer, see `measures.spikes`
    titles = [
        f"layer {depths[neuron['site']]}, channel {neuron['channel']},\n{rank[place % axes.shape[0]]} of the active"
        for place, neuron in enumerate(neurons)
    ]
    by_row = np.array(titles + [""] * (axes.size - len(titles))).reshape(columns, -1).T  # letters run along rows
    style.letters(axes.flat, by_row.flat)
    for ax in axes[-1]:
        ax.set_xlabel("time-step t")
    return fig, panels


def membranes(found: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Membrane potential, threshold and spikes of single neurons, in units of the threshold; each has its range."""
    if not found:
        return None
    fig, panels = _grid(found[0]["neurons"], found[0]["sites"], sharey=False)
    for ax, neuron in zip(panels, found[0]["neurons"]):
        spikes, potential = train(neuron["spikes"]), np.array(neuron["potential"]) / neuron["threshold"]
        time, level = sawtooth(spikes, potential, 1.0, 0.5)
        ax.plot(time, level, color=LINE, linewidth=1, label="membrane potential")
        ax.axhline(1, color=TARGET, linestyle="--", linewidth=0.8, label="threshold")
        fired, top = np.flatnonzero(spikes) + 1, ax.get_xaxis_transform()
        ax.plot(fired, np.full(len(fired), 0.96), "|", transform=top, color=TARGET, markersize=7, label="spike")
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.15 * (high - low))  # room for the spikes
    fig.supylabel("membrane potential v / θ", fontsize=style.FONT)
    style.legend(fig)
    return fig


def raster(found: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Spikes of neurons of one layer, a row each, beside their target rates."""
    if not found:
        return None
    layer = found[0]["raster"]
    rows = [np.flatnonzero(train(neuron["spikes"])) + 1 for neuron in layer["neurons"]]
    places = np.arange(1, len(rows) + 1)
    rates = [neuron["rate"] for neuron in layer["neurons"]]
    fig, (left, right) = plt.subplots(1, 2, figsize=(style.PAGE, 3.2), sharey=True, width_ratios=(3, 1))
    left.eventplot(rows, colors=LINE, lineoffsets=places, linelengths=0.8, linewidths=1.4)
    left.set(
        xlabel="time-step t",
        xlim=(0.5, found[0]["T"] + 0.5),
        ylim=(0, len(rows) + 1),
        ylabel="neuron, by the ANN's activation",
    )
    left.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    right.barh(places, rates, color="#bbbbbb", height=0.8, label="ANN: f(z) / θ")
    means = [train(neuron["spikes"]).mean() for neuron in layer["neurons"]]
    right.plot(means, places, "o", color=LINE, markersize=3, label=f"SNN: spikes per step, T = {found[0]['T']}")
    right.set(xlabel="rate", xlim=(0, 1.05))
    style.letters((left, right), (f"spikes, layer {found[0]['sites'][layer['site']]} of {found[0]['depth']}", "rates"))
    style.legend(fig)
    return fig


def means(found: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Mean output over steps 1..t, the level f(z), and clip(z, 0, theta), in units of the threshold."""
    if not found:
        return None
    fig, panels = _grid(found[0]["neurons"], found[0]["sites"], sharey="col")
    for ax, neuron in zip(panels, found[0]["neurons"]):
        ax.plot(
            np.arange(1, found[0]["T"] + 1),
            running_mean(neuron),
            color=LINE,
            marker=".",
            markersize=4,
            label="SNN: mean output over steps 1..t",
        )
        level, clipped = neuron["target"] / neuron["threshold"], np.clip(neuron["z"] / neuron["threshold"], 0, 1)
        ax.axhline(level, color=TARGET, linestyle="--", linewidth=0.8, label="ANN: f(z) / θ")
        ax.axhline(clipped, color="#777777", linestyle=":", linewidth=1.2, label="z / θ, clipped to [0, 1]")
        ax.axvline(found[0]["L"], color="#cccccc", linewidth=0.8, zorder=0, label="T = L")
        ax.set_ylim(-0.05, 1.08)
    fig.supylabel("output / θ", fontsize=style.FONT)
    style.legend(fig)
    return fig
