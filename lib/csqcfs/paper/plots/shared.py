"""What several figures share: accuracies with intervals, titles that name network and data, panels drawn once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from .. import names
from ..measures import compare
from ..runs.records import Record
from . import style

Place = tuple[str, str]  # data set, network
ERROR_SCALE = "accuracy (%),\nlogarithmic in the error"  # label of an axis of `error_scale`
EDGE = {"markeredgecolor": "white", "markeredgewidth": 0.5, "markersize": 5.5}  # of marks that may lie on each other


def interval(records: Sequence[Record], column: compare.Column) -> tuple[float, float, float]:
    """One accuracy of a row in %, mean over seeds, and the ends of its 95 % interval (see `measures.compare`).

    Without a number of test images in the records both ends are the mean.
    """
    found = compare.contrast((1.0, records, column))
    low, high = found.interval()
    return (found.points, low, high) if np.isfinite(high) else (found.points, found.points, found.points)


def band(
    ax: Axes, x: Sequence[float], rows: Sequence[tuple[Sequence[Record], compare.Column]], colour: str, **look
) -> None:
    """Mean accuracies at ``x``, one of ``rows`` (records and which accuracy) each, with their intervals as a band."""
    mean, low, high = np.transpose([interval(*row) for row in rows])
    ax.plot(x, mean, color=colour, **look)
    step = "post" if look.get("drawstyle") == "steps-post" else None
    ax.fill_between(x, low, high, step=step, color=colour, alpha=0.16, linewidth=0)


def bars(
    ax: Axes, x: Sequence[float], rows: Sequence[tuple[Sequence[Record], compare.Column]], colour: str, **look
) -> None:
    """The same with an interval as a bar for each."""
    mean, low, high = np.transpose([interval(*row) for row in rows])
    ax.errorbar(x, mean, yerr=(mean - low, high - mean), color=colour, elinewidth=1, **look)


def point(ax: Axes, x: float, records: Sequence[Record], column: compare.Column, colour: str, **look) -> None:
    """One accuracy with its interval as a bar."""
    bars(ax, [x], [(records, column)], colour, linestyle="none", **look)


def differences(ax: Axes, x: Sequence[float], gaps: Sequence[compare.Difference], colour: str, **look) -> None:
    """Differences in points at ``x`` with their intervals; dotted ones of a single seed are over images alone."""
    points, ends = np.array([gap.points for gap in gaps]), np.transpose([gap.interval() for gap in gaps])
    look = {"color": colour, "elinewidth": 1, "linestyle": "none", **look}
    _, _, (drawn,) = ax.errorbar(x, points, yerr=np.abs(ends - points), **look)
    drawn.set_linestyle("-" if gaps[0].seeds > 1 else ":")


def aside(count: int, width: float = 1.2) -> np.ndarray:
    """Factors around 1, ``width`` apart in all, by which marks stand beside each other that would hide each other."""
    return width ** np.linspace(-0.5, 0.5, count) if count > 1 else np.ones(1)


def remark(text: str) -> plt.Line2D:
    """An entry of a legend that is text alone."""
    return plt.Line2D([], [], linestyle="none", label=text)


def absent(methods: Iterable[str]) -> list[plt.Line2D]:
    """What a legend says of methods without records; nothing where there are none."""
    labels = ", ".join(style.METHODS[name].label for name in methods)
    return [remark(f"no record: {labels}")] if labels else []


def line(look: style.Method) -> dict[str, str]:
    """How a method's line is drawn, but for its colour."""
    return {key: value for key, value in look.kwargs().items() if key != "color"}


def title(page, network: str, datasets: Sequence[str] = ("cifar10",)) -> str:
    """Network and the data that it really saw."""
    used = dict.fromkeys(names.dataset(one, page.profile) for one in datasets)
    return f"{names.NAMES.get(network, network)}, {' and '.join(used)}"


def titles(page, panels: Mapping[Place, Sequence[Hashable]]) -> dict[Place, str]:
    """The title of each panel, given its row keys; one that shows the same runs as an earlier one is left out.

    Where one data set stands in for several, a panel says whose settings it has, unless it has those of all.
    """
    places: dict[tuple, list[Place]] = {}
    for place, keys in panels.items():
        places.setdefault(tuple(tuple(page.rows[key]) for key in keys), []).append(place)
    used = {names.dataset(dataset, page.profile) for dataset, _ in panels}
    ambiguous = len({dataset for dataset, _ in panels}) > len(used)
    found = {}
    for same in places.values():
        (dataset, network), *more = same
        found[dataset, network] = title(page, network, [dataset, *(other for other, _ in more)])
        if ambiguous and not more:
            found[dataset, network] += f"\n(settings for {names.NAMES[dataset]})"
    return found


def places(page, dataset: str = "cifar10") -> dict[tuple[str, ...], str]:
    """Titles of the places of a page with rows (network, method) of one data set, or (data set, network, method)."""
    keys: dict[tuple, list[tuple]] = {}
    for key in page.rows:
        keys.setdefault(key[:-1], []).append(key)
    if all(len(place) == 1 for place in keys):
        return {place: title(page, place[0], [dataset]) for place in keys}
    return dict(titles(page, keys))


def headed(title: str, seeds: Iterable[int]) -> str:
    """A panel's title with the numbers of seeds of its rows; those of another panel may be others."""
    return f"{title} (n = {names.span(seeds)})"


def log2_axis(ax: Axes, ticks: Sequence[int], label: str) -> Axes:
    """A logarithmic axis of steps T or L, with a tick for each."""
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel(label)
    return ax


def log_axis(ax: Axes, label: str) -> Axes:
    """A logarithmic axis of costs, with ticks at 1, 3, 10, ..."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=8))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    ax.set_xlabel(label)
    return ax


def error_scale(ax: Axes) -> Axes:
    """Accuracies on a logarithmic scale of the error, on which the last percent is as long as the first ten."""
    ax.set_yscale(
        "function",
        functions=(
            lambda accuracy: -np.log10(np.clip(100 - accuracy, 0.02, None)),
            lambda place: 100 - 10 ** -np.asarray(place),
        ),
    )
    ax.autoscale(axis="y")  # limits that stand have the margins of a linear axis
    ax.yaxis.set_major_locator(style.ErrorTicks())
    ax.yaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    return ax
