"""Accuracy over time-steps: how soon a spiking network says what its ANN says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import published
from ..pages import style, tables


def over_time(ax: Axes, curves: Mapping[str, Sequence[Sequence[float]]], ann: Sequence[float] = ()) -> Axes:
    """One line for each method, mean over seeds with a band of ± one standard deviation where there are several.

    Args:
        curves: {method of `style.METHODS`: accuracy in % at T = 1, 2, ... for each seed}.
        ann: accuracy of the ANN for each seed, a dashed line.
    """
    steps = np.array(published.TIMESTEPS)
    for name, seeds in curves.items():
        values = np.array([[seed[t - 1] for t in steps] for seed in seeds])
        look = style.METHODS[name]
        ax.plot(steps, values.mean(0), **look.kwargs())
        if len(values) > 1:
            spread = values.std(0, ddof=1)
            low, high = values.mean(0) - spread, values.mean(0) + spread
            ax.fill_between(steps, low, high, color=look.colour, alpha=0.2, linewidth=0)
    if ann:
        ax.axhline(np.mean(ann), color=style.METHODS["ann"].colour, linestyle=":", linewidth=1)
    ax.set_xscale("log", base=2)
    ax.set_xticks(steps, [str(t) for t in steps])
    ax.set_xlabel("time-step T")
    ax.grid(axis="y")
    return ax


def comparison(page, methods: Sequence[str]) -> Figure:
    """A panel for each network of a page with rows (network, method); labels at the lines' ends."""
    networks = list(dict.fromkeys(network for network, _ in page.rows if page.metrics((network, methods[0]))))
    if not networks:
        return style.nothing_yet()
    fig, axes = style.panels(len(networks))
    for ax, network in zip(axes, networks):
        found = {name: page.metrics((network, name)) for name in methods}
        over_time(
            ax,
            {name: [seed["snn"] for seed in seeds] for name, seeds in found.items() if seeds},
            [seed["ann"] for seed in found[methods[0]]],
        )
        ax.set_title(tables.NAMES.get(network, network))
        ax.set_ylabel("accuracy (%)")
    for ax in axes:
        style.label_lines(ax)
    return fig
