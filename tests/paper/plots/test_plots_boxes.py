"""Every figure of every notebook, drawn from made-up records of many methods, networks and seeds.

No two texts overlap, none is cut off, no panel is empty, and none is there twice.
"""

from __future__ import annotations

import functools
import itertools

import csqcfs
import jupytext
import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from csqcfs.engine import paths
from csqcfs.paper.pages import page
from csqcfs.paper.plots import style
from matplotlib import pyplot as plt
from matplotlib.axis import Axis
from matplotlib.text import Text

NOTEBOOKS = [path for path in sorted(paths.notebooks().glob("*.py")) if ".figure(" in path.read_text(encoding="utf-8")]
SLACK = 1.0  # pixels
# short fine-tunings from a network of the package, which no other profile runs
SHORT = ("windows", "softplus", "honest_first_step", "since_the_paper")


def fit_shortly(fit, *args, epochs: int, **settings):
    """One epoch: how good a network is does not move a text."""
    return fit(*args, epochs=1, **settings)


def drawn(path, profile: str, monkeypatch) -> dict:
    """{caption: figure} of a notebook in a profile."""
    found = {}
    monkeypatch.setattr(page.Page, "figure", lambda self, fig, caption, name=None, **_: found.update({caption: fig}))
    monkeypatch.setattr(page.Page, "table", lambda *_, **__: None)
    monkeypatch.setattr(page.Page, "found", lambda self: None)
    monkeypatch.setattr("csqcfs.paper.pages.playground.show_sliders", lambda: None)
    monkeypatch.setattr(csqcfs, "fit", functools.partial(fit_shortly, csqcfs.fit), raising=False)
    names: dict = {}
    for cell in jupytext.read(path).cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
            if "parameters" in cell.metadata.get("tags", []):
                names["profile"] = profile
    return found


def visible_texts(fig) -> list[Text]:
    """All texts that are drawn; matplotlib keeps tick labels that lie outside the axes."""
    hidden = set()
    for axis in fig.findobj(Axis):
        low, high = sorted(axis.get_view_interval())
        room = 1e-6 * (abs(low) + abs(high))
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not (low - room <= tick.get_loc() <= high + room and tick.get_visible()):
                hidden |= {tick.label1, tick.label2}
    return [t for t in fig.findobj(Text) if t.get_visible() and t.get_text().strip() and t not in hidden]


def faults(fig) -> list[str]:
    fig.set_dpi(style.DPI)
    fig.draw_without_rendering()
    if (engine := fig.get_layout_engine()) is not None:
        engine.execute(fig)  # again, now that the texts have their sizes
    fig.set_layout_engine("none")
    fig.draw_without_rendering()
    texts = visible_texts(fig)
    boxes = [Text.get_window_extent(text) for text in texts]
    found = []
    for text, box in zip(texts, boxes, strict=True):
        if box.x0 < -SLACK or box.y0 < -SLACK or box.x1 > fig.bbox.x1 + SLACK or box.y1 > fig.bbox.y1 + SLACK:
            found.append(f"{text.get_text()!r} is cut off")
    for (one, a), (other, b) in itertools.combinations(zip(texts, boxes, strict=True), 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        if wide > SLACK and high > SLACK:
            found.append(f"{one.get_text()!r} overlaps {other.get_text()!r}")
    shown = [contents(ax) for ax in fig.axes]
    found += [f"panel {place} is empty" for place, content in enumerate(shown) if not content]
    found += [
        f"panels {i} and {j} are the same" for (i, a), (j, b) in itertools.combinations(enumerate(shown), 2) if a == b
    ]
    return found


def contents(ax) -> tuple:
    """What a panel shows, without its title."""
    lines = [(line.get_color(), *map(tuple, np.asarray(line.get_xydata()).round(9).T)) for line in ax.get_lines()]
    offsets = [tuple(map(tuple, np.ma.filled(c.get_offsets(), np.nan).round(9))) for c in ax.collections]
    paths_ = [tuple(map(tuple, path.vertices.round(9))) for c in ax.collections for path in c.get_paths()[:3]]
    images = [np.asarray(image.get_array()).tobytes() for image in ax.get_images()]
    patches = [tuple(map(tuple, patch.get_path().vertices.round(9))) for patch in ax.patches]
    return (
        tuple(map(str, (ax.get_xlabel(), *lines, *offsets, *paths_, *images, *patches)))
        if (lines or offsets or images or patches)
        else ()
    )


@pytest.mark.large
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_text_overlaps_or_is_cut_off_and_no_panel_is_empty_or_twice(path, made_up, monkeypatch):
    found = drawn(path, "quick" if path.stem in SHORT else "paper", monkeypatch)
    assert found and all(fig is not None for fig in found.values())
    wrong = {caption: lines for caption, fig in found.items() if (lines := faults(fig))}
    plt.close("all")
    assert not wrong


@pytest.mark.parametrize("name", ["figure4", "figure5", "table5", "figure6", "table1"])
def test_what_two_data_sets_share_is_drawn_once(name, made_up, monkeypatch):
    """In the demo one data set stands in for both of the paper's."""
    found = drawn(paths.notebooks() / f"{name}.py", "demo", monkeypatch)
    assert found
    for fig in found.values():
        assert faults(fig) == []
        assert not any("CIFAR" in t.get_text() and "settings" not in t.get_text() for t in visible_texts(fig))
    plt.close("all")


def test_the_checks_see_what_they_are_for():
    style.use()
    fig, (left, right) = plt.subplots(1, 2, layout="none")
    for ax in (left, right):
        ax.plot([0, 1], [0, 1])
    left.text(0.5, 0.5, "one text")
    left.text(0.52, 0.5, "another")
    right.text(0.9, 0.9, "a text that is much too long for its panel")
    assert {line.rpartition(" ")[2] for line in faults(fig)} >= {"'another'", "off"}
    fig, (left, right, empty) = plt.subplots(1, 3)
    for ax in (left, right):
        ax.plot([0, 1], [0, 1])
    assert faults(fig)[-2:] == ["panel 2 is empty", "panels 0 and 1 are the same"]
    plt.close("all")
