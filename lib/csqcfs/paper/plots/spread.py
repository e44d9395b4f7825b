"""Table 5: how far the thresholds of one layer's channels lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from .. import published
from ..measures.thresholds import spread_of_layers
from ..names import shown_as
from ..pages import tables
from . import shared, style

COLUMNS = ("MaxDiff", "AvgDiff", "MaxDiff of λ", "AvgDiff of λ")  # in %


def raw(thresholds: Mapping[str, Sequence[float]]) -> dict[str, np.ndarray]:
    """The trained parameters lambda = log(exp(theta) - 1) of CS-QCFS with these effective thresholds."""
    return {
        name: np.asarray(theta) + np.log(-np.expm1(-np.asarray(theta, dtype=float)))
        for name, theta in thresholds.items()
    }


def spread(page) -> dict[tuple, dict[str, list[float]]]:
    """Table 5 from the records: {row: {column: value for each seed}}.

    MaxDiff and AvgDiff of the effective thresholds, and of the parameters lambda, which for C-QCFS are the same.
    """
    found = {}
    for key in page.rows:
        by_seed = [seed["thresholds"] for seed in page.metrics(key)]
        if by_seed:
            parameters = [raw(thresholds) if key[0] == "csqcfs" else thresholds for thresholds in by_seed]
            found[key] = {
                f"{name}{of}": [float(reduce(spread_of_layers(values))) for values in kind]
                for of, kind in (("", by_seed), (" of λ", parameters))
                for name, reduce in (("MaxDiff", np.max), ("AvgDiff", np.mean))
            }
    return found


def table5(page) -> pd.DataFrame:
    """Ours beside the paper's, in %; the paper does not say whether it took theta or lambda."""
    printed = {key: {"MaxDiff": row.max_diff, "AvgDiff": row.avg_diff} for key, row in published.TABLE5.items()}
    return tables.beside(
        printed,
        spread(page),
        labels=("Activation", "Dataset", "Architecture"),
        columns=COLUMNS,
        profile=page.profile.name,
        difference=page.profile.name == "paper",
        digits=1,
    )


def levels(page) -> pd.DataFrame:
    """How high the thresholds lie beside plain accuracy, for rows (data set, network, training); means over seeds.

    "mean" is that of the layers' means, "least" the smallest of all thresholds.
    """
    lines, here = [], shown_as(page.profile)
    for key in page.rows:
        if metrics := page.metrics(key):
            layers = [list(seed["thresholds"].values()) for seed in metrics]
            lines.append(
                (
                    *(here[part] for part in key),
                    float(np.mean([np.mean([np.mean(theta) for theta in seed]) for seed in layers])),
                    float(np.mean([min(map(min, seed)) for seed in layers])),
                    float(np.mean([seed["snn"][0] for seed in metrics])),
                )
            )
    columns = ["Dataset", "Architecture", "Training", "mean threshold", "least threshold", "T = 1 (%)"]
    return pd.DataFrame(lines, columns=columns).set_index(columns[:3])


def over_depth(ax: Axes, found: Mapping[str, Mapping[str, Sequence[float]]]) -> Axes:
    """The difference within each layer over depth, a line for each method; a gap where it is undefined."""
    for method, thresholds in found.items():
        values = spread_of_layers(thresholds)
        ax.plot(
            np.arange(1, len(values) + 1),
            np.where(np.isfinite(values), values, np.nan),
            **style.METHODS[method].kwargs(),
        )
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_xlabel("layer")
    ax.grid(axis="y")
    return ax


def figure(page) -> Figure | None:
    """A panel for each network and data set with records, all with one range; the first seed."""
    found: dict[tuple, dict[str, Mapping]] = {}
    keys: dict[tuple, list[tuple]] = {}
    for key in page.rows:
        if metrics := page.metrics(key):
            end, *place = key
            found.setdefault(tuple(place), {})[end] = metrics[0]["thresholds"]
            keys.setdefault(tuple(place), []).append(key)
    named = shared.titles(page, keys)
    if not named:
        return None
    fig, axes = style.panels(len(named))
    for ax, (place, name) in zip(axes, named.items(), strict=True):
        over_depth(ax, found[place]).set_title(name)
    style.label_left(axes, "thresholds θ of a layer:\n(max − min) / min (%)")
    style.legend(fig)
    return fig
