"""Neurons of a spiking network over time: membrane potentials, spike raster, mean outputs (Algorithm 1).

Functions take the metrics of the kind "spikes" (see `measure_spikes`), one dict for each seed, and draw the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from .. import style

LINE, TARGET = style.METHODS["csqcfs"].colour, style.METHODS["ann"].colour


def train(spikes: str) -> np.ndarray:
    """A spike train such as "0110" as numbers [T]."""
    return np.array([int(fired) for fired in spikes])


def running_mean(neuron: Mapping[str, Any]) -> np.ndarray:
    """Mean output of a neuron over steps 1..t, [T], in units of its threshold."""
    spikes = train(neuron["spikes"])
    return spikes.cumsum() / np.arange(1, len(spikes) + 1)


def _grid(neurons: Sequence[Mapping[str, Any]], depths: Mapping[str, int]) -> tuple[Figure, np.ndarray]:
    """One panel for each neuron, a column for each layer; titles say which."""
    columns = len(depths)
    fig, axes = plt.subplots(-(-len(neurons) // columns), columns, figsize=(style.PAGE, 3.6), sharex=True,
                             sharey=True, squeeze=False)
    panels = axes.T.flatten()
    for ax, neuron in zip(panels, neurons):
        ax.set_title(f"layer {depths[neuron['site']]}, channel {neuron['channel']}", loc="left")
    for ax in axes[-1]:
        ax.set_xlabel("time-step t")
    return fig, panels


def membranes(found: Sequence[Mapping[str, Any]]) -> Figure:
    """Membrane potential after each reset, threshold and spikes of single neurons, in units of the threshold."""
    if not found:
        return style.nothing_yet()
    neurons, depths = found[0]["neurons"], found[0]["sites"]
    fig, panels = _grid(neurons, depths)
    for ax, neuron in zip(panels, neurons):
        potential = np.array([0.5 * neuron["threshold"], *neuron["potential"]]) / neuron["threshold"]
        fired = np.flatnonzero(train(neuron["spikes"])) + 1
        ax.plot(np.arange(len(potential)), potential, color=LINE)
        ax.axhline(1, color=TARGET, linestyle="--", linewidth=0.8)
        ax.vlines(fired, 0.92, 1, transform=ax.get_xaxis_transform(), color=TARGET, linewidth=1)
    low, high = panels[0].get_ylim()
    panels[0].set_ylim(low, high + 0.15 * (high - low))  # room for the spikes
    fig.supylabel("membrane potential v / θ (dashed: threshold; ticks: spikes)", fontsize=style.FONT)
    return fig


def raster(found: Sequence[Mapping[str, Any]]) -> Figure:
    """Spikes of neurons of one layer, a row each, beside their target rates."""
    if not found:
        return style.nothing_yet()
    layer = found[0]["raster"]
    rows = [np.flatnonzero(train(neuron["spikes"])) + 1 for neuron in layer["neurons"]]
    rates = [neuron["rate"] for neuron in layer["neurons"]]
    fig, (left, right) = plt.subplots(1, 2, figsize=(style.PAGE, 3.2), sharey=True, width_ratios=(3, 1))
    left.eventplot(rows, colors=LINE, linelengths=0.8, linewidths=1.4)
    left.set(xlabel="time-step t", xlim=(0.5, found[0]["T"] + 0.5), ylabel="neuron, by the ANN's activation",
             title=f"spikes in layer {found[0]['sites'][layer['site']]} of {found[0]['depth']}")
    right.barh(range(len(rates)), rates, color="#bbbbbb", height=0.8)
    right.plot([train(neuron["spikes"]).mean() for neuron in layer["neurons"]], range(len(rates)), "o", color=LINE,
               markersize=3)
    right.set(xlabel="rate: ANN bars, SNN dots", xlim=(0, 1.05), title="ANN and SNN")
    return fig


def means(found: Sequence[Mapping[str, Any]]) -> Figure:
    """Mean output over steps 1..t and the level of the quantized activation, in units of the threshold."""
    if not found:
        return style.nothing_yet()
    neurons, depths = found[0]["neurons"], found[0]["sites"]
    fig, panels = _grid(neurons, depths)
    for ax, neuron in zip(panels, neurons):
        ax.axhline(neuron["target"] / neuron["threshold"], color=TARGET, linestyle="--", linewidth=0.8)
        ax.plot(np.arange(1, found[0]["T"] + 1), running_mean(neuron), color=LINE, marker=".", markersize=4)
        ax.set_ylim(-0.05, 1.05)
    fig.supylabel("mean output / θ", fontsize=style.FONT)
    return fig
