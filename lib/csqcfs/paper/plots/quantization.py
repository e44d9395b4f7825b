"""Figs. 4 and 5: accuracy over the quantization step L, of the network itself and of its SNN over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import names, published
from ..measures import compare
from ..names import NAMES
from ..pages import said
from ..runs.records import Record
from . import shared, style


def over_L(ax: Axes, curves: Mapping[str, Mapping[int | None, Sequence[Record]]]) -> Axes:
    """Accuracy of networks over L with intervals; that of the network with ReLU, which has no L, as a level.

    Args:
        curves: {method: {L: records, one for each seed}}; {None: records} for ReLU.
    """
    steps = sorted({L for found in curves.values() for L in found if L is not None})
    side_by_side = [method for method in curves if method != "relu"]
    reach = (2 * max(steps) / min(steps)) ** 0.04  # so that none hides another, however long the axis
    shifts = dict(zip(side_by_side, shared.aside(len(side_by_side), reach), strict=True))
    for method, found in curves.items():
        look = style.METHODS[method]
        for number, (L, records) in enumerate(found.items()):
            if L is None:
                ends = [min(steps) / 1.4, max(steps) * 1.4]
                shared.band(ax, ends, 2 * [(records, "ann")], look.colour, label=look.label, linestyle="--")
            else:
                label = "_" if number else look.label
                shared.point(ax, L * shifts[method], records, "ann", look.colour, marker=look.marker, label=label)
    ax.set_xlim(min(steps) / 1.4, max(steps) * 1.4)
    ax.grid(axis="y")
    return shared.log2_axis(ax, steps, "quantization step L")


def over_T(ax: Axes, curves: Mapping[int, Sequence[Record]]) -> Axes:
    """Accuracy of SNNs over time with intervals, a line for each L from light to dark.

    Args:
        curves: {L: records of the kind "accuracy", one for each seed}.
    """
    steps = list(published.TIMESTEPS)
    known = sorted({*published.QUANTIZATION_STEPS_TRIED, *curves})
    shades = colormaps["plasma_r"](np.linspace(0, 1, len(known) + 2)[1:-1])
    for L, records in sorted(curves.items()):
        look = {"label": f"L = {L}", "marker": "osD^v"[known.index(L) % 5]}
        shared.band(ax, steps, [(records, T) for T in steps], shades[known.index(L)], **look)
    ax.grid(axis="y")
    return shared.log2_axis(ax, steps, "time-step T")


def networks(page) -> dict[tuple[str, str], dict[str, dict[int | None, list[Record]]]]:
    """Fig. 4 from the records: {(data set, network): {method: {L: records, one for each seed}}}.

    Places without any quantized network are left out.
    """
    found: dict[tuple, dict] = {}
    for key in page.rows:
        dataset, network, end, L = key
        if records := page.results(key):
            found.setdefault((dataset, network), {}).setdefault(end, {})[L] = records
    return {place: ends for place, ends in found.items() if ends.keys() - {"relu"}}


def spiking(page) -> dict[tuple[str, str], dict[int, list[Record]]]:
    """Fig. 5 from the records: {(data set, network): {L: records, one for each seed}}."""
    found: dict[tuple, dict] = {}
    for key in page.rows:
        dataset, network, L = key
        if records := page.results(key):
            found.setdefault((dataset, network), {})[L] = records
    return found


def _figure(
    page, found: Mapping[shared.Place, Mapping], draw: Callable[[Axes, Mapping], Axes], absent: Sequence[str] = ()
) -> Figure | None:
    """A panel for each network and data set with records; those of one data set have one range. ``absent``: methods
    that have no record."""
    named = shared.titles(page, {place: [key for key in page.rows if key[:2] == place] for place in found})
    if not named:
        return None
    fig, axes = style.panels(len(named), share=False)
    first: dict[str, Axes] = {}
    for ax, (place, name) in zip(axes, named.items(), strict=True):
        if (leader := first.setdefault(names.dataset(place[0], page.profile), ax)) is not ax:
            ax.sharey(leader)
        draw(ax, found[place]).set_title(shared.headed(name, _seeds(found[place])))
    style.label_left(axes, "accuracy (%)")
    handles = [handle for ax in axes for handle in ax.get_legend_handles_labels()[0]]
    handles.sort(key=lambda handle: int(handle.get_label().partition("L = ")[2] or 0))
    style.legend(fig, handles + shared.absent(absent))
    return fig


def _seeds(found: Mapping) -> list[int]:
    """How many records each row of a panel has, by L or by method and L."""
    rows = [row for value in found.values() for row in (value.values() if isinstance(value, Mapping) else [value])]
    return list(map(len, rows))


def figure4(page) -> Figure | None:
    """Without networks that stand alone, which compare with nothing; `figure4_table` has them."""
    found = {place: ends for place, ends in networks(page).items() if sum(map(len, ends.values())) > 1}
    wanted = dict.fromkeys(end for _, _, end, _ in page.rows)
    absent = [end for end in wanted if not any(end in ends for ends in found.values())]
    return _figure(page, found, over_L, absent)


def figure5(page) -> Figure | None:
    return _figure(page, spiking(page), over_T)


def figure4_table(page) -> pd.DataFrame:
    """The numbers of Fig. 4; differences are ours to judge by, since the paper prints none."""
    lines = []
    for (dataset, network), ends in networks(page).items():
        relu = ends.get("relu", {}).get(None)
        for L in sorted({L for end, curve in ends.items() if end != "relu" for L in curve}):
            qcfs, ours = (ends.get(end, {}).get(L) for end in ("qcfs", "csqcfs"))
            lines.append(
                (
                    names.dataset(dataset, page.profile),
                    NAMES[network],
                    str(L),
                    *(said.cell(records, "ann") if records else "" for records in (relu, qcfs, ours)),
                    _gap(ours, qcfs),
                    _gap(ours, relu),
                )
            )
    columns = ["ReLU", "QCFS", "CS-QCFS", "CS-QCFS − QCFS", "CS-QCFS − ReLU"]
    labels = ["Dataset", "Architecture", "L"]
    frame = pd.DataFrame(lines, columns=[*labels, *columns]).drop_duplicates().set_index(labels)
    return frame.loc[:, (frame != "").any()] if len(frame) else frame  # without columns of what was not run


def _gap(
    one: Sequence[Record] | None,
    other: Sequence[Record] | None,
    column: compare.Column = "ann",
    at: compare.Column = "ann",
) -> str:
    """Difference of accuracies, ± half of its interval; empty where one is missing."""
    found = compare.difference(one, other, column, at) if one and other else None
    return found.short() if found else ""


def figure5_table(page) -> pd.DataFrame:
    """What the paper reads off Fig. 5: accuracy within 4 steps, the best mean at any T, and its distance to the ANN."""
    lines = []
    for (dataset, network), curves in spiking(page).items():
        for L, records in sorted(curves.items()):
            best = max(published.TIMESTEPS, key=lambda T, found=records: compare.contrast((1.0, found, T)).points)
            cells = (said.cell(records, column) for column in ("ann", 1, 2, 4, best))
            place = names.dataset(dataset, page.profile), NAMES[network], str(L)
            lines.append((*place, *cells, _gap(records, records, best, "ann")))
    columns = ["ANN", "T = 1", "T = 2", "T = 4", "best T", "best T − ANN"]
    labels = ["Dataset", "Architecture", "L"]
    return pd.DataFrame(lines, columns=[*labels, *columns]).drop_duplicates().set_index(labels)
