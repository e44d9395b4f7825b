"""Fig. 3: what the channels of each layer do, and which thresholds they get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from . import shared, style

RANKS = 100  # rows of a heat map, however many channels a layer has

Site = Mapping[str, Any]  # of the measurement "channels"


def ranked(sites: Mapping[str, Site], quantity: str, ranks: int = RANKS) -> np.ndarray:
    """[rank, layer]: a channel quantity over the layer's maximum, sorted from the largest down, per layer."""
    columns = []
    for site in sites.values():
        values = np.sort(site[quantity])[::-1] / site["layer_maximum"]
        columns.append(np.interp(np.linspace(0, 1, ranks), np.linspace(0, 1, len(values)), values))
    return np.stack(columns, axis=1)


def heat_map(ax: Axes, sites: Mapping[str, Site], quantity: str, label: str) -> Axes:
    """Layers from left to right, each layer's channels from the most to the least active.

    Colours run through white at 0 where there are values on both sides of it.
    """
    values = ranked(sites, quantity)
    if values.min() < 0 < values.max():
        bound = np.abs(values).max()
        look = {"cmap": "RdBu_r", "norm": TwoSlopeNorm(0, -bound, bound)}
    else:
        look = {"cmap": "cividis", "vmin": 0}
    layers = len(sites)
    image = ax.imshow(values, aspect="auto", extent=(0.5, layers + 0.5, 100, 0), interpolation="nearest", **look)
    ax.set_xticks(range(1, layers + 1, 1 + layers // 10))
    ax.set_yticks([0, 50, 100])
    ax.set_xlabel("layer")
    ax.set_ylabel("channels by rank (%)")
    ax.get_figure().colorbar(image, ax=ax, label=label, pad=0.02)
    return ax


def ridges(ax: Axes, site: Site, bins: tuple[float, float, int]) -> Axes:
    """Histograms of a few channels' pre-activations, in units of the layer's mean threshold, one above another.

    From the lowest mean at the bottom to the highest; each is as high as its row. The outer bins also hold all that
    lies outside the axis and are not drawn: what share of the values they have stands beside the channel. Dotted
    lines at 0 and at the threshold bound what the activation does not clip.
    """
    low, high, count = bins
    width = (high - low) / count
    edges = low + width * np.arange(1, count)
    found = {channel: np.array(density) for channel, density in site["ridges"].items()}
    middle = low + width * (np.arange(count) + 0.5)
    order = sorted(found, key=lambda channel: float(found[channel] @ middle) / max(found[channel].sum(), 1e-9))
    colour = style.METHODS["qcfs"].colour
    outside = []
    for row, channel in enumerate(order):
        inner = found[channel][1:-1]
        ax.stairs(row + 0.85 * inner / max(inner.max(), 1e-9), edges, baseline=row, color=colour, linewidth=0.8)
        ax.stairs(row + 0.85 * inner / max(inner.max(), 1e-9), edges, baseline=row, fill=True, color=colour, alpha=0.3)
        outside.append(1 - inner.sum() / max(found[channel].sum(), 1e-9))
    for level in (0, 1):
        ax.axvline(level, color="#666666", linewidth=0.7, linestyle=":")
    names = [f"{channel} ({100 * abs(share):.0f} %)" for channel, share in zip(order, outside, strict=True)]
    ax.set_yticks(np.arange(len(order)) + 0.3, names)
    ax.set_ylabel("channel, by its mean\n(share beyond the axis)")
    ax.set_xlim(edges[0], edges[-1])
    ax.set_xlabel("pre-activation / threshold of the layer")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax


def thresholds(ax: Axes, layerwise: Mapping[str, Site], channelwise: Mapping[str, Site]) -> Axes:
    """Each layer's channel thresholds as points, sorted, relative to the one threshold that QCFS has there."""
    look = style.METHODS["csqcfs"]
    for layer, name in enumerate(layerwise, 1):
        values = np.sort(channelwise[name]["thresholds"])[::-1] / layerwise[name]["thresholds"][0]
        places = layer + np.linspace(-0.35, 0.35, len(values))
        ax.scatter(places, values, s=3, color=look.colour, linewidth=0)
    ax.axhline(1, color=style.METHODS["qcfs"].colour, linewidth=1)
    ax.set_xticks(range(1, len(layerwise) + 1, 1 + len(layerwise) // 10))
    ax.set_xlabel("layer (in each, channels from the highest threshold)")
    ax.set_ylabel(r"$\theta$ of channel / $\theta$ of layer")
    ax.grid(axis="y")
    return ax


def overview(page) -> Figure | None:
    """Four panels for the page's network: activations, pre-activations, ridges of the first layer, thresholds."""
    network = next((network for network, end in page.rows if page.metrics((network, end))), None)
    layer, channel = (page.metrics((network, end)) for end in ("qcfs", "csqcfs"))
    if not layer or not channel:
        return None
    sites = layer[0]["sites"]
    first = next(iter(sites.values()))
    fig, axes = plt.subplots(2, 2, figsize=(style.PAGE, 5.4))
    heat_map(axes[0, 0], sites, "mean", "mean activation\n/ maximum of the layer")
    heat_map(axes[0, 1], sites, "preactivation", "mean pre-activation\n/ maximum of the layer")
    ridges(axes[1, 0], first, layer[0]["bins"])
    thresholds(axes[1, 1], sites, channel[0]["sites"])
    titles = ("activations, QCFS", "pre-activations, QCFS", "layer 1, QCFS", "thresholds, CS-QCFS (QCFS = 1)")
    style.letters(list(axes.flat), titles)
    fig.suptitle(shared.title(page, network), fontsize=9)
    return fig


def spread(page) -> pd.DataFrame:
    """For each layer of the QCFS network: the least, median and greatest value of a channel / layer maximum."""
    lines = []
    for network, end in page.rows:
        for seed in page.metrics((network, end)) if end == "qcfs" else []:
            for number, (name, site) in enumerate(seed["sites"].items(), 1):
                values = [
                    reduce(np.array(site[quantity])) / site["layer_maximum"]
                    for quantity in ("mean", "preactivation")
                    for reduce in (np.min, np.median, np.max)
                ]
                lines.append((str(number), name, str(site["channels"]), *map(float, values)))
    columns = [
        f"{quantity}, {reduced}"
        for quantity in ("activation", "pre-activation")
        for reduced in ("min", "median", "max")
    ]
    frame = pd.DataFrame(lines, columns=["Layer", "Site", "Channels", *columns])
    return frame.set_index(["Layer", "Site"])
