"""Activation, neuron and error for one setting, as a still figure and under sliders."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..claims import response
from ..plots.spikes import sawtooth
from . import style

RANGE = np.linspace(-1.0, 2.5, 701)  # inputs, in the units of the threshold's sliders
# (L, T, v(0) in thresholds): T below, at and above L, and a neuron that starts empty
SETTINGS = ((4, 2, 0.5), (4, 4, 0.5), (4, 16, 0.5), (4, 4, 0.0))
NEURON, ACTIVATION = style.METHODS["csqcfs"].colour, style.METHODS["qcfs"].colour


def draw(axes: np.ndarray, threshold: float, L: int, T: int, z: float, start: float) -> np.ndarray:
    """Three views of one setting on three axes: curves, one spike train, error over the input.

    Args:
        threshold: theta; a negative one is simulated as Eqs. 1-3 say.
        z: the constant input of the spike train.
        start: v(0) in units of the threshold.
    """
    curves, train, error = axes
    _curves(curves, threshold, L, T, z, start)
    spikes, potential = response.trace(np.array([z]), threshold, T, start * threshold)
    fired = np.flatnonzero(spikes[:, 0]) + 1
    train.plot(*sawtooth(spikes[:, 0], potential[:, 0], threshold, start * threshold), color=NEURON, linewidth=1)
    train.axhline(threshold, color="black", linestyle="--", linewidth=0.8)
    train.plot(fired, np.full(len(fired), threshold), "|", color="black", markersize=9)
    train.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    train.set(xlabel="time-step t", ylabel="potential v")
    train.set_title(f"z = {z:g} fires {len(fired)} of {T}", fontsize=style.FONT)
    gap = response.neuron(RANGE, threshold, T, start * threshold) - response.qcfs(RANGE, threshold, L)
    error.plot(RANGE, gap, color="black", linewidth=0.9)
    error.axvline(z, color="#999999", linewidth=0.8, linestyle=":")
    error.set(xlabel="input z", ylabel="IF − QCFS")
    return axes


def _curves(ax: Axes, threshold: float, L: int, T: int, z: float, start: float) -> None:
    ax.plot(RANGE, response.relu(RANGE), color="#bbbbbb", linewidth=0.9, label="ReLU")
    ax.plot(RANGE, response.qcfs(RANGE, threshold, L), color=ACTIVATION, label="QCFS")
    output = response.neuron(RANGE, threshold, T, start * threshold)
    ax.plot(RANGE, output, color=NEURON, linestyle="--", label="IF")
    at = response.neuron(np.array([z]), threshold, T, start * threshold)[0]
    ax.plot([z], [at], "o", color=NEURON, markersize=5)
    low, high = sorted((0.0, threshold))
    ax.set_title(f"θ = {threshold:g}, L = {L},\nT = {T}, v(0) = {start:g} θ")
    ax.set(ylim=(low - 0.3, high + 0.5), ylabel="output")


def grid(threshold: float = 1.0, z: float = 0.6) -> Figure:
    """`draw` for each of SETTINGS, a column each."""
    fig, axes = plt.subplots(3, len(SETTINGS), figsize=(style.PAGE, 5.4), sharey="row")
    for column, (L, T, start) in zip(axes.T, SETTINGS):
        draw(column, threshold, L, T, z, start)
    for row in axes:
        for ax in row[1:]:
            ax.set_ylabel("")
    axes[0, 0].legend(loc="upper left", fontsize=7)
    return fig


def table(threshold: float = 1.0, z: float = 0.6) -> pd.DataFrame:
    """Outputs at the input of `grid`, for each of SETTINGS."""
    at = np.array([z])
    lines = []
    for L, T, start in SETTINGS:
        spikes, _ = response.trace(at, threshold, T, start * threshold)
        qcfs = response.qcfs(at, threshold, L)[0]
        lines.append([str(int(spikes.sum())), threshold * spikes.mean(), qcfs, max(z, 0.0)])
    index = pd.MultiIndex.from_tuples(
        [(str(L), str(T), f"{start:g}") for L, T, start in SETTINGS], names=["L", "T", "v(0) / θ"]
    )
    return pd.DataFrame(lines, index=index, columns=["Spikes", "IF, mean output", "QCFS", "ReLU"])


def sliders():
    """`draw` under sliders for threshold, L, T, input and initial membrane potential; they need a kernel."""
    from ipywidgets import FloatSlider, IntSlider, interactive

    def show(threshold: float, L: int, T: int, z: float, start: float) -> None:
        _, axes = plt.subplots(1, 3, figsize=(1.25 * style.PAGE, 2.6))
        draw(axes, threshold or 0.05, L, T, z, start)  # no neuron has threshold 0
        plt.show()

    return interactive(
        show,
        threshold=FloatSlider(1.0, min=-2, max=2, step=0.05, description="threshold"),
        L=IntSlider(4, min=1, max=32),
        T=IntSlider(4, min=1, max=32),
        z=FloatSlider(0.6, min=-1, max=2.5, step=0.01, description="input z"),
        start=FloatSlider(0.5, min=-0.5, max=1.5, step=0.05, description="v(0) / θ"),
    )


def show_sliders() -> None:
    """Show `sliders`; a page without a kernel has a line of text in their place."""
    from IPython.display import display

    bundle = sliders()._repr_mimebundle_()
    display(bundle | {"text/plain": "sliders: open this notebook in Jupyter and run it to move them"}, raw=True)
