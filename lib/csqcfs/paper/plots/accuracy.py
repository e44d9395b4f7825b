"""Accuracy over time-steps: how soon a spiking network says what its ANN says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import published
from ..pages import style
from ..runs.records import Record
from . import shared

ANN = 78  # where the column of the ANNs stands, right of T = 32


def over_time(ax: Axes, found: Mapping[str, Sequence[Record]]) -> Axes:
    """One line for each method with its interval, and right of T = 32 the ANN that it was converted from.

    Marks at one T stand a little beside each other. Methods that share an ANN have one mark there, that of the first.

    Args:
        found: {method of `style.METHODS`: records of the kind "accuracy", one for each seed}.
    """
    steps = list(published.TIMESTEPS)
    networks: dict[str, str] = {}
    for shift, (name, records) in zip(shared.aside(len(found)), found.items(), strict=True):
        look = style.METHODS[name]
        shared.band(ax, shift * np.array(steps), [(records, T) for T in steps], look.colour, **shared.line(look))
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
    """A panel for each network of a page with rows (network, method), all with one range; None without records."""
    found = {
        network: {name: records for name in methods if (records := page.results((network, name)))}
        for network in dict.fromkeys(key[0] for key in page.rows)
    }
    found = {network: methods for network, methods in found.items() if methods}
    if not found:
        return None
    fig, axes = style.panels(len(found))
    for ax, (network, rows) in zip(axes, found.items(), strict=True):
        over_time(ax, rows)
        ax.set_title(shared.title(page, network, [dataset]))
    style.label_left(axes, shared.ERROR_SCALE)
    style.legend(fig)
    return fig
