"""How every figure of the project looks and is stored: sizes, one colour and marker per method, saving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from ... import methods
from ...engine.files import atomic_write

COLUMN, PAGE = 3.5, 7.2  # widths of one column and of the full page, inches
DPI = 200
FONT = 8  # points

RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],  # the first ships with matplotlib
    "font.size": FONT,
    "axes.titlesize": 9,
    "axes.labelsize": FONT,
    "xtick.labelsize": FONT,
    "ytick.labelsize": FONT,
    "legend.fontsize": FONT,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "figure.figsize": (COLUMN, 2.5),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "savefig.dpi": DPI,
    "svg.fonttype": "none",  # text stays text: searchable and editable
    "pdf.fonttype": 42,
}


class Method(NamedTuple):
    """How one method is drawn, in every figure alike."""

    label: str
    colour: str
    marker: str
    line: str = "-"

    def kwargs(self) -> dict[str, str]:
        """Keyword arguments for ``Axes.plot``."""
        return {"label": self.label, "color": self.colour, "marker": self.marker, "linestyle": self.line}


# Okabe-Ito, but for its yellow, which is too pale for lines on white: a dark brown stands in for it.
METHODS = {
    "ann": Method("ANN", "#000000", "s"),
    "relu": Method("ReLU", "#000000", "s"),
    "qcfs": Method("QCFS", "#0072B2", "o"),
    "qcfs-2": Method("QCFS, two stages", "#332288", "h"),
    "sqcfs": Method("S-QCFS", "#56B4E9", "<"),
    "cqcfs": Method("C-QCFS", "#661100", ">"),
    "csqcfs": Method("CS-QCFS", "#E69F00", "D"),
    **{m.name: Method(m.label, m.colour, m.marker) for m in methods.METHODS.values() if m is not methods.Plain},
    "ours": Method("CS-QCFS + offset", "#D55E00", "P"),
    "paper": Method("paper", "#666666", "x", "--"),
}


def use() -> None:
    """Make this style matplotlib's, whatever its settings were before."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(RC)


def save(fig: Figure, folder: Path | str, name: str, meta: Mapping[str, str]) -> list[Path]:
    """Write ``name``.png and ``name``.svg; the same figure gives the same bytes.

    ``meta`` (experiment, digest of its records, ...) goes into both files: a text chunk for each entry in the
    PNG, one description in the SVG. Dates, software versions and random ids are left out. The layout of the
    figure is final from here on.

    Raises:
        InputError: the folder cannot be written to.
    """
    description = "; ".join(f"{key}: {value}" for key, value in meta.items())
    described = {"png": {"Software": None, **meta}, "svg": {"Date": None, "Creator": None, "Description": description}}
    fig.set_dpi(DPI)  # at another resolution, hinting makes texts wider or narrower than the room made for them
    for _ in range(2):  # the first pass moves the axes, which may change the tick labels it made room for
        fig.draw_without_rendering()
    fig.set_layout_engine("none")  # each further draw would refine the layout, and so change the bytes
    paths = []
    with matplotlib.rc_context({"svg.hashsalt": "csqcfs", "svg.fonttype": "none"}):
        for kind, metadata in described.items():
            paths.append(
                atomic_write(
                    Path(folder) / f"{name}.{kind}",
                    lambda file: fig.savefig(file, format=kind, dpi=DPI, metadata=metadata),
                )
            )
    return paths


def panels(count: int) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels, two in a row; one alone has the width of one, and room for `label_lines`."""
    from matplotlib import pyplot as plt

    nrows, ncols = -(-count // 2), min(2, count)
    width = PAGE if ncols > 1 else 0.65 * PAGE
    fig, axes = plt.subplots(nrows, ncols, figsize=(width, 2.4 * nrows), squeeze=False)
    for ax in axes.flat[count:]:
        ax.remove()
    return fig, list(axes.flat[:count])


def nothing_yet() -> Figure:
    """Stands where a profile has no record to draw, so that a page without results still has its place."""
    from matplotlib import pyplot as plt

    fig, ax = plt.subplots(figsize=(COLUMN, 0.6))
    ax.set_axis_off()
    ax.text(0.5, 0.5, "no records of this figure in this profile", ha="center", va="center", color="#666666")
    return fig


def darker(colour: str) -> tuple[float, float, float]:
    """A shade for text: light hues are hard to read."""
    red, green, blue = to_rgb(colour)
    return 0.75 * red, 0.75 * green, 0.75 * blue


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Positions in the order of ``wanted``, at least ``gap`` apart, within [low, high], nearest in squares.

    With y sorted, z_i = y_i - i gap has to be non-decreasing: isotonic regression, by pooling neighbours that
    violate it. Where they do not all fit, the gap holds and the stack overflows both ends alike.
    """
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(order))
    pools: list[tuple[float, int]] = []  # (mean, size)
    for value in np.asarray(wanted, dtype=float)[order] - steps:
        mean, size = value, 1
        while pools and pools[-1][0] > mean:
            left, count = pools.pop()
            mean, size = (left * count + mean * size) / (count + size), count + size
        pools.append((mean, size))
    fitted = np.repeat([mean for mean, _ in pools], [size for _, size in pools])
    top = high - gap * (len(order) - 1)
    if top < low:
        low = top = (low + top) / 2
    placed = np.empty(len(order))
    placed[order] = np.clip(fitted, low, top) + steps
    return placed


def label_lines(ax: Axes, pad: float = 6.0) -> list[Annotation]:
    """Write each line's label at its right end, in a darker shade of its colour, without overlaps.

    Takes the place of a legend. ``pad``: points from line to label, more where a label has to move and a
    leader joins the two. Call it last: it needs the final limits. Lines without a label are skipped.
    """
    ends = []
    for line in ax.get_lines():
        x, y = (np.ma.filled(np.ma.asarray(data, dtype=float), np.nan) for data in line.get_data())
        finite = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        if len(finite) and not line.get_label().startswith("_"):
            ends.append((line, (x[finite[-1]], y[finite[-1]])))
    if not ends:
        return []
    figure = ax.get_figure(root=True)
    figure.draw_without_rendering()  # constrained layout sets the height of the axes only while drawing
    points = 72 / figure.dpi
    heights = ax.transData.transform([end for _, end in ends])[:, 1] * points
    frame = ax.get_window_extent()
    places = spread(heights, 1.2 * FONT, frame.y0 * points + FONT / 2, frame.y1 * points - FONT / 2)
    moves = places - heights
    moved = np.abs(moves) > FONT / 2
    across = 2.5 * pad if moved.any() else pad
    texts = []
    for (line, end), move, leads in zip(ends, moves, moved, strict=True):
        leader = {
            "arrowstyle": "-",
            "color": line.get_color(),
            "linewidth": 0.5,
            "shrinkA": 0,
            "shrinkB": 3,
            "relpos": (0, 0.5),
        }
        texts.append(
            ax.annotate(
                line.get_label(),
                end,
                (across, move),
                textcoords="offset points",
                va="center",
                fontsize=FONT,
                color=darker(line.get_color()),
                annotation_clip=False,
                arrowprops=leader if leads else None,
            )
        )
    return texts
