"""How every figure of the project looks and is stored: sizes, one colour and marker per method, saving."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.ticker import Locator
from matplotlib.transforms import Bbox

from ... import methods
from ...engine.files import atomic_write
from ..names import NAMES

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


# Colour and marker; Okabe-Ito, but for its yellow, which is too pale for lines on white: a dark brown stands in for it.
LOOKS = {
    "ann": ("#000000", "s"),
    "relu": ("#000000", "s"),
    "qcfs": ("#0072B2", "o"),
    "qcfs-2": ("#332288", "h"),
    "sqcfs": ("#56B4E9", "<"),
    "cqcfs": ("#661100", ">"),
    "csqcfs": ("#E69F00", "D"),
    "ctqcfs": ("#AE5447", "d"),
    "ceqcfs": ("#614CCC", "H"),
    **{kind.name: (kind.colour, kind.marker) for kind in methods.METHODS.values() if kind is not methods.Plain},
    "ours": ("#D55E00", "P"),
}
METHODS = {name: Method(NAMES[name], *look) for name, look in LOOKS.items()}
METHODS["paper"] = Method("paper", "#666666", "x", "--")
NEURON = "#8E1B6B"  # a single IF neuron, which is no method's


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
                    functools.partial(fig.savefig, format=kind, dpi=DPI, metadata=metadata),
                )
            )
    return paths


def panels(count: int, height: float = 2.4, *, share: bool = True) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels in rows of up to three, each row as wide as the page; one alone is narrower.

    Args:
        height: of a row, inches.
        share: one vertical range for all panels, since they are compared; ticks then stand at the left alone.
    """
    from matplotlib import pyplot as plt

    rows = np.array_split(np.arange(count), 2 if count == 4 else -(-count // 3))
    fig = plt.figure(figsize=(PAGE if count > 1 else 0.65 * PAGE, height * len(rows)))
    columns = math.lcm(*map(len, rows))
    grid = fig.add_gridspec(len(rows), columns)
    axes: list[Axes] = []
    for place, row in enumerate(rows):
        wide = columns // len(row)
        for column in range(len(row)):
            cell = grid[place, column * wide : (column + 1) * wide]
            axes.append(fig.add_subplot(cell, sharey=axes[0] if share and axes else None))
            if share and column:
                axes[-1].tick_params(labelleft=False)
    return fig, axes


def label_left(axes: Sequence[Axes], label: str) -> None:
    """The vertical label of panels that share their range, at the first of each row."""
    for ax in axes:
        if ax.get_subplotspec().is_first_col():
            ax.set_ylabel(label)


def legend(fig: Figure, handles: Sequence[Artist] = ()) -> Legend:
    """One legend above the figure, each label once, in as many columns as its width has room for.

    Takes the place of labels at the lines, which coincide where accuracies do. ``handles`` stand for the labelled
    artists of the figure's axes where there are any.
    """
    found = list(handles) or [handle for ax in fig.axes for handle in ax.get_legend_handles_labels()[0]]
    unique = {handle.get_label(): handle for handle in found}
    for columns in sorted({-(-len(unique) // rows) for rows in range(1, len(unique) + 1)}, reverse=True):  # full rows
        made = fig.legend(
            handles=list(unique.values()),
            loc="outside upper center",
            ncols=columns,
            columnspacing=1.4,
            handlelength=1.8,
        )
        if columns == 1 or made.get_window_extent(fig.canvas.get_renderer()).width < 0.98 * fig.bbox.width:
            return made
        made.remove()
    raise ValueError("a legend without labels")


def letters(axes: Sequence[Axes], titles: Sequence[str]) -> None:
    """Titles "(a) ...", "(b) ..." at the left of panels, for texts to point at."""
    for letter, ax, title in zip("abcdefghijklmnopqrstuvwxyz", axes, titles, strict=False):
        ax.set_title(f"({letter}) {title}", loc="left")


def label_points(ax: Axes, points: Sequence[tuple[float, float, str, str]], reach: float = 5.0) -> list[Annotation]:
    """Write short texts beside points (x, y, text, colour), each where it covers neither another nor a point.

    Each takes the first free place of eight around its point; one for which there is none is left out. Call it
    last: it needs the final limits and the final layout. ``reach``: points from the point to its text.
    """
    figure = ax.get_figure(root=True)
    figure.draw_without_rendering()  # constrained layout sets the axes only while drawing
    renderer, scale = figure.canvas.get_renderer(), figure.dpi / 72
    spots = ax.transData.transform([point[:2] for point in points])
    taken = [Bbox.from_bounds(x - 4 * scale, y - 4 * scale, 8 * scale, 8 * scale) for x, y in spots]
    frame, texts = ax.get_window_extent(renderer), []
    sides = [(-1, 1), (1, -1), (0, 1), (0, -1), (-1, 0), (1, 0), (1, 1), (-1, -1)]
    for x, y, text, colour in points:
        for across, up in sides:
            made = ax.annotate(
                text,
                (x, y),
                (across * reach, up * reach),
                textcoords="offset points",
                ha={-1: "right", 0: "center", 1: "left"}[across],
                va={-1: "top", 0: "center", 1: "bottom"}[up],
                fontsize=FONT - 1,
                color=darker(colour),
                path_effects=[withStroke(linewidth=1.5, foreground="white")],  # legible where it crosses a line
            )
            box = made.get_window_extent(renderer)
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                texts.append(made)
                break
            made.remove()
    return texts


def darker(colour: str) -> tuple[float, float, float]:
    """A shade for text: light hues are hard to read."""
    red, green, blue = to_rgb(colour)
    return 0.75 * red, 0.75 * green, 0.75 * blue


class ErrorTicks(Locator):
    """Ticks of a scale on which accuracies near 100 % are far apart: round ones, best first, two lines apart."""

    ROUND = (0, 50, 90, 99, 99.9, 80, 95, 70, 60, 40, 20, 98, 97, 85, 99.5, 75, 93, 96, 88, 30, 10, 86, 92)

    def __call__(self) -> list[float]:
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        low, high = sorted((vmin, vmax))
        height = self.axis.axes.get_window_extent().height * 72 / self.axis.get_figure(root=True).dpi
        place = self.axis.get_transform().transform
        ends = place(np.array([low, high]))
        gap = 1.6 * FONT * (ends[1] - ends[0]) / max(height, 1)
        kept: list[float] = []
        for value in self.ROUND:
            at = float(place(np.array([value]))[0])
            if low <= value <= high and all(abs(at - float(place(np.array([o]))[0])) >= gap for o in kept):
                kept.append(value)
        return sorted(kept)
