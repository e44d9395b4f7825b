"""Figures: one look for each method, the same bytes each time, labels that do not overlap."""

from __future__ import annotations

import itertools
import os

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from csqcfs.engine.errors import InputError
from csqcfs.methods import METHODS, Plain
from csqcfs.paper.pages import tables
from csqcfs.paper.plots import style
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image

META = {"experiment": "table1", "records": "5e884898da28"}


@pytest.fixture(autouse=True)
def restore():
    with matplotlib.rc_context():
        style.use()
        yield
    plt.close("all")


def draw(ends=(90.0, 90.1, 90.2, 50.0)):
    fig, ax = plt.subplots()
    for end, method in zip(ends, style.METHODS.values()):
        ax.plot([1, 2, 4], [10.0, 40.0, end], **method.kwargs())
    ax.set_xlabel("time-step T")
    return fig, ax


def test_use_forgets_what_was_set_before():
    matplotlib.rcParams["axes.spines.top"] = True
    matplotlib.rcParams["lines.linestyle"] = ":"
    style.use()
    assert not matplotlib.rcParams["axes.spines.top"]
    assert matplotlib.rcParams["lines.linestyle"] == "-"


def test_methods_differ_in_label_colour_and_marker():
    methods = {name: method for name, method in style.METHODS.items() if name != "relu"}
    # "relu" is the ANN, called by its activation
    assert style.METHODS["relu"][1:] == style.METHODS["ann"][1:]
    for part in ("label", "colour", "marker"):
        assert len({getattr(method, part) for method in methods.values()}) == len(methods)
    assert [name for name, method in methods.items() if method.line != "-"] == ["paper"]


# Machado, Oliveira & Fernandes (2009), severity 1, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "deuteranopia": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "tritanopia": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}


def lab(linear: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB under D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.clip(to_xyz @ np.clip(linear, 0, 1), 0.0089, None) / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_colours_stay_apart_without_full_colour_vision(deficiency):
    colours = {method.colour for method in style.METHODS.values()}
    seen = [lab(DEFICIENCIES[deficiency] @ np.array(to_rgb(colour)) ** 2.2) for colour in sorted(colours)]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 12


def test_same_figure_same_bytes(tmp_path):
    fig, _ = draw()
    style.legend(fig)
    once = [path.read_bytes() for path in style.save(fig, tmp_path / "a", "f", META)]
    twice = [path.read_bytes() for path in style.save(fig, tmp_path / "b", "f", META)]
    other, _ = draw()
    style.legend(other)
    again = [path.read_bytes() for path in style.save(other, tmp_path / "c", "f", META)]
    assert once == twice == again
    changed = [path.read_bytes() for path in style.save(draw((1, 2, 3, 4))[0], tmp_path / "d", "f", META)]
    assert all(a != b for a, b in zip(once, changed, strict=True))


def test_files_and_their_metadata(tmp_path):
    png, svg = style.save(draw()[0], tmp_path / "new" / "folder", "fig1", META)
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["fig1.png", "fig1.svg"]
    with Image.open(png) as image:
        assert image.text == META
        assert image.size[0] == round(style.COLUMN * style.DPI)
    text = svg.read_text()
    assert "experiment: table1; records: 5e884898da28" in text
    assert "<dc:date>" not in text and "Matplotlib v" not in text
    assert ">time-step T</text>" in text


def test_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        style.save(draw()[0], tmp_path / "file", "fig1", META)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind root")
def test_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="cannot write"):
            style.save(draw()[0], tmp_path, "fig1", META)
    finally:
        tmp_path.chmod(0o700)


def test_a_failed_save_leaves_the_old_file_alone(tmp_path, monkeypatch):
    png, svg = style.save(draw()[0], tmp_path, "fig1", META)
    before = png.read_bytes()
    fig, _ = draw((1, 2, 3, 4))

    def fail(path, **_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fig, "savefig", fail)
    with pytest.raises(InputError, match="No space left"):
        style.save(fig, tmp_path, "fig1", META)
    assert png.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [png, svg]


@pytest.mark.parametrize("count", range(1, 10))
def test_panels_fill_their_rows_and_share_one_range(count):
    fig, axes = style.panels(count)
    axes[-1].plot([0, 1], [-3, 7])
    assert len(axes) == count and len({ax.get_ylim() for ax in axes}) == 1
    fig.draw_without_rendering()
    rows: dict[float, list] = {}
    for ax in axes:
        rows.setdefault(round(ax.get_position().y0, 3), []).append(ax.get_position())
    rights = [max(box.x1 for box in row) for row in rows.values()]
    assert max(rights) - min(rights) < 0.01 and max(map(len, rows.values())) <= 3  # no corner is empty


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 14), st.integers(1, 30))
def test_a_legend_is_within_its_figure_and_names_each_label_once(count, length):
    fig, axes = style.panels(2)
    for ax in axes:
        for place in range(count):
            ax.plot([0, 1], [0, place], label=f"{place:02} {length * 'n'}")
    texts = [text.get_text() for text in style.legend(fig).get_texts()]
    fig.draw_without_rendering()
    assert texts == [f"{place:02} {length * 'n'}" for place in range(count)]
    assert fig.bbox.x0 <= fig.legends[0].get_window_extent().x0
    plt.close(fig)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12))
def test_labels_of_points_overlap_nothing(points):
    fig, ax = plt.subplots()
    ax.plot(*zip(*points, strict=True), "o")
    labels = style.label_points(ax, [(x, y, "32", "#0072B2") for x, y in points])
    boxes = [Text.get_window_extent(label) for label in labels]
    assert len(points) > 1 or len(labels) == 1
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    spots = ax.transData.transform(points)
    assert not any(box.contains(*spot) for box in boxes for spot in spots)
    plt.close(fig)


@settings(max_examples=12, deadline=None)
@given(st.floats(0, 99.8), st.floats(0.1, 60))
def test_ticks_of_an_error_axis_are_apart(low, reach):
    from csqcfs.paper.plots.shared import error_scale

    high = min(low + reach, 99.95)
    fig, ax = plt.subplots()
    error_scale(ax).set_ylim(low, high)
    fig.draw_without_rendering()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    plt.close(fig)


def test_tables_and_figures_read_the_declaration():
    for kind in METHODS.values():
        assert tables.NAMES[kind.name] == kind.label
        if kind is not Plain:  # drawn by the activation of its network
            assert style.METHODS[kind.name][:3] == (kind.label, kind.colour, kind.marker)
