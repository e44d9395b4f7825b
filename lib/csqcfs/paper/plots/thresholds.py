"""Fig. 6: thresholds over training, where they cross zero, and what that does to the SNN."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..measures import compare
from ..names import NAMES, number
from . import shared, style

ENDS = {"qcfs": "qcfs", "csqcfs-1": "csqcfs"}  # a training of Fig. 6, and its method of `style.METHODS`
EFFECT = {"ANN": ("s", None), "T = 8": ("v", 8), "T = 32": ("o", 32)}  # marker and time-step, the last on top
CROSSING = {"marker": "X", "markersize": 6, "markeredgecolor": "white", "linestyle": "none"}


def layer_traces(history: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """[epoch, site]: the smallest threshold of each site after each epoch."""
    return np.array([[low for low, _, _ in epoch["thresholds"].values()] for epoch in history])


def crossing(history: Sequence[Mapping[str, Any]]) -> int | None:
    """The first epoch, from 1, after which some threshold is not positive."""
    below = np.flatnonzero(layer_traces(history).min(1) <= 0)
    return int(below[0]) + 1 if len(below) else None


def trace(ax: Axes, histories: Mapping[str, Sequence[Mapping[str, Any]]], initial: float) -> Axes:
    """The smallest threshold of each layer over epochs (thin), and that of the network (thick).

    Args:
        histories: {method: history of one training}.
        initial: threshold before the first epoch.
    """
    ax.axhline(0, color="#444444", linewidth=0.8)
    for method, history in histories.items():
        look = style.METHODS[method]
        layers = layer_traces(history)
        layers = np.vstack([np.full(layers.shape[1], initial), layers])
        epochs = np.arange(len(layers))
        ax.plot(epochs, layers, color=look.colour, linewidth=0.4, alpha=0.35)
        ax.plot(epochs, layers.min(1), color=look.colour, linewidth=1.6, label=look.label)
        if (epoch := crossing(history)) is not None:
            ax.plot(epoch, layers[epoch].min(), color=look.colour, **CROSSING)
    ax.set_yscale("symlog", linthresh=1, linscale=2)  # a threshold may run away, and what happens near 0 decides
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return ax


def ticks(ax: Axes) -> None:
    """Ticks at 0, ±0.5, ±1 and, beyond, at decades far enough apart; call it when the limits are final."""
    low, high = ax.get_ylim()
    powers = range(0, 1 + max(0, *(int(np.log10(max(abs(end), 1))) for end in (low, high))))
    step = 1 + len(powers) // 4
    chosen = [sign * 10.0**power for power in powers[::step] for sign in (-1, 1)]
    halves = (0.5, -0.5) if len(powers) < 3 else ()
    values = sorted(
        {
            0.0,
            *(value for value in halves if low <= value <= high),
            *(value for value in chosen if low <= value <= high),
        }
    )
    ax.set_yticks(values, [number(value) for value in values])
    ax.minorticks_off()


def _once(page) -> list[tuple]:
    """Row keys without their last part, of trainings with records; one that two data sets share stands once."""
    found: dict[tuple, tuple] = {}
    for key in page.rows:
        if key[-1] == "trace" and page.metrics(key):
            found.setdefault((key[3], tuple(page.rows[key])), key[:-1])
    return list(found.values())


def _panels(page) -> dict[tuple, str]:
    """The letter of each pair of trainings: a1, a2, ... for the paper's panel (a), b1, b2, ... for (b)."""
    counts: dict[str, int] = {}
    letters: dict[tuple, str] = {}
    for panel, dataset, network, _, L, threshold in _once(page):
        place = (panel, dataset, network, L, threshold)
        if place not in letters:
            counts[panel] = counts.get(panel, 0) + 1
            letters[place] = f"{panel}{counts[panel]}"
    return letters


def figure6(page) -> Figure | None:
    """A panel for each pair of trainings with records, QCFS and CS-QCFS from the start; all with one range."""
    found: dict[tuple, dict[str, Sequence]] = {}
    for key in _once(page):
        panel, dataset, network, end, L, threshold = key
        histories = found.setdefault((panel, dataset, network, L, threshold), {})
        histories[ENDS[end]] = page.metrics((*key, "trace"))[0]["history"]
    if not found:
        return None
    fig, axes = style.panels(len(found), height=2.3)
    letters = _panels(page)
    for ax, (place, histories) in zip(axes, found.items()):
        _, dataset, network, L, threshold = place
        used = page.profile.datasets.get(dataset, dataset)
        trace(ax, histories, threshold)
        ax.set_title(
            f"({letters[place]}) {_name(network)}, {_name(used)}\nL = {L}, from θ = {threshold:g}",
            loc="left",
            fontsize=style.FONT,
        )
    style.label_left(axes, "threshold θ\n(logarithmic beyond ±1)")
    ticks(axes[0])
    crossed = plt.Line2D([], [], color="#666666", **CROSSING, label="first epoch with θ ≤ 0")
    thin = plt.Line2D([], [], color="#666666", linewidth=0.6, alpha=0.6, label="smallest of each layer")
    style.legend(fig, [*_colours(ENDS.values()), thin, crossed])
    return fig


def effects(page) -> list[dict[str, Any]]:
    """One line for each training of Fig. 6 that has its SNN: thresholds, where they cross, and accuracies.

    "smallest" is over all epochs, "last" after the last; "sites" counts those then not positive; "upper" is the upper
    end of the 95 % interval at T = 32.
    """
    lines, letters = [], _panels(page)
    for key in _once(page):
        panel, dataset, network, end, L, threshold = key
        for trained, record in zip(page.metrics((*key, "trace")), page.results((*key, "snn"))):
            smallest, snn = layer_traces(trained["history"]), record.metrics
            lines.append(
                {
                    "panel": letters[panel, dataset, network, L, threshold],
                    "dataset": page.profile.datasets.get(dataset, dataset),
                    "network": network,
                    "L": L,
                    "initial": threshold,
                    "method": ENDS[end],
                    "smallest": float(smallest.min()),
                    "last": float(smallest[-1].min()),
                    "sites": int((smallest[-1] <= 0).sum()),
                    "crossing": crossing(trained["history"]),
                    "ANN": snn["ann"],
                    **{name: snn["snn"][T - 1] for name, (_, T) in EFFECT.items() if T},
                    "upper": shared.interval([record], 32)[2],
                }
            )
    return lines


def effect(ax: Axes, lines: Sequence[Mapping[str, Any]]) -> Axes:
    """A row for each training: accuracy of the ANN and of its SNN at T = 8 and 32, named by its thresholds.

    Args:
        lines: as `effects` gives them, drawn from the top down.
    """
    for row, line in enumerate(lines):
        look, values = style.METHODS[line["method"]], [line[name] for name in EFFECT]
        ax.hlines(row, min(values), max(values), color=look.colour, linewidth=0.8, alpha=0.6)
        for name, (marker, T) in EFFECT.items():
            ax.plot(
                line[name],
                row,
                marker,
                color=look.colour,
                markersize=4.5,
                markerfacecolor=look.colour if T == 32 else "white",
            )
    ax.set_yticks(
        range(len(lines)),
        [
            f"({line['panel']}) {_name(line['network'])}, {_name(line['dataset'])}, {_name(line['method'])}, "
            f"L = {line['L']}, {line['initial']:g} → {number(line['last'])}"
            for line in lines
        ],
    )
    ax.set_ylim(len(lines) - 0.5, -0.5)
    for label, line in zip(ax.get_yticklabels(), lines):
        label.set_fontweight("bold" if line["last"] <= 0 else "normal")
    ax.set_xlim(-3, 103)
    ax.set_xlabel("accuracy (%)")
    names = "smallest θ, initial → trained (bold: not positive)  "
    ax.set_title(names, x=0, ha="right", fontsize=style.FONT)  # over the names of the rows
    ax.grid(axis="x")
    return ax


def effect_figure(page) -> Figure | None:
    """What the crossing does to the SNN; rows whose smallest threshold is not positive are bold."""
    lines = effects(page)
    if not lines:
        return None
    fig, ax = plt.subplots(figsize=(style.PAGE, 1.6 + 0.2 * len(lines)))
    effect(ax, lines)
    guess = max(compare.chance(line["dataset"]) for line in lines)
    ax.axvline(guess, color="#999999", linewidth=0.8, linestyle=":", zorder=0, label=f"guessing, {guess:g} %")
    keys = [
        plt.Line2D(
            [], [], color="#666666", linestyle="", marker=marker, label=f"SNN, {name}" if T else name, markersize=4.5
        )
        for name, (marker, T) in EFFECT.items()
    ]
    for key, (_, T) in zip(keys, EFFECT.values()):
        key.set_markerfacecolor("#666666" if T == 32 else "white")
    style.legend(fig, [*keys, *_colours(line["method"] for line in lines), *ax.get_legend_handles_labels()[0]])
    return fig


def _name(key: str) -> str:
    return NAMES.get(key, key)


def _colours(methods: Iterable[str]) -> list[plt.Line2D]:
    """Keys of a legend for the colours of ``methods``."""
    return [
        plt.Line2D([], [], color=look.colour, label=look.label)
        for look in (style.METHODS[method] for method in dict.fromkeys(methods))
    ]


def effect_table(page) -> pd.DataFrame:
    """The numbers of `effect_figure`, and the epoch in which the smallest threshold crosses zero."""
    lines = [
        (
            f"({line['panel']})",
            _name(line["dataset"]),
            _name(line["network"]),
            str(line["L"]),
            f"{line['initial']:g}",
            _name(line["method"]),
            number(line["last"]),
            str(line["sites"]),
            "never" if line["crossing"] is None else str(line["crossing"]),
            *(line[name] for name in EFFECT),
        )
        for line in effects(page)
    ]
    labels = ["Panel", "Dataset", "Architecture", "L", "Initial θ", "Activation"]
    columns = ["smallest θ", "layers with θ ≤ 0", "θ ≤ 0 from epoch", *EFFECT]
    return pd.DataFrame(lines, columns=[*labels, *columns]).set_index(labels)
