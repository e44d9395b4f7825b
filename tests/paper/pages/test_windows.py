"""Tables, figure and findings of *What the gradient's window changes*, on records made up by hand."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from csqcfs.engine import kernels
from csqcfs.paper import names
from csqcfs.paper.experiments import beyond
from csqcfs.paper.measures.right import kept, percent
from csqcfs.paper.pages import found, page, windows
from csqcfs.paper.plots import windows as plots
from csqcfs.paper.runs import records

IMAGES = 400
SHARES = {"paper": 0.80, "clamp_floor": 0.84, "floor_clamp": 0.82, None: 0.86}


def right(share: float) -> np.ndarray:
    """Which images are right, the same ones for a lower share and some more for a higher."""
    return np.random.default_rng(0).permutation(IMAGES) < round(share * IMAGES)


def history(share: float, least: float) -> list[dict]:
    thresholds = [{"a": [1.0, 1.0, 1.0]}, {"a": [least, 1.0, 1.0]}]
    return [{"epoch": n, "val_accuracy": 100 * share - 2 + n, "thresholds": t} for n, t in enumerate(thresholds, 1)]


@pytest.fixture
def measured(home):
    for (_, window, kind), runs in page.open("windows", "quick").rows.items():
        share = SHARES[window]
        for run in runs:
            metrics = {"images": IMAGES, "ann": percent(right(share))}
            if kind in ("training", "low", *beyond.HELD_OUT.values()):
                least = -0.5 if kind == "low" and window == "paper" else 0.5
                metrics |= {"right": kept(right(share)), "history": history(share, least)}
            else:
                steps = 32 if kind in beyond.HELD_OUT else beyond.T
                curve = np.stack([right(share - 0.4 / 2**t) for t in range(steps)])
                metrics |= {"snn": [percent(one) for one in curve], "right": kept(right(share), curve), "presteps": 0}
                metrics["thresholds"] = {"a": [1.0], "b": [0.5]}
            if not records.is_done(run):
                records.write(run, metrics, 1.0)
    return page.open("windows", "quick")


def test_windows_have_names():
    assert set(names.WINDOWS) == set(kernels.WINDOWS) and set(beyond.WINDOWS) < set(kernels.WINDOWS)


def test_without_records_there_is_nothing(home):
    for profile in ("demo", "quick", "paper"):
        shown = page.open("windows", profile)
        assert all(
            frame(shown).empty
            for frame in (windows.frame, windows.gains, windows.own_schedule, windows.held_out, windows.low_start)
        )
        assert plots.figure(shown) is None and windows.sentences(shown) == []
    assert page.open("windows", "demo").rows == {}
    assert {kind for *_, kind in page.open("windows", "paper").rows} == {"schedule"}


def test_tables_compare_each_window_with_that_of_the_paper(measured):
    frame = windows.frame(measured)
    assert list(frame.index) == [
        *((end, names.WINDOWS[window]) for end in ("QCFS", "CS-QCFS") for window in beyond.WINDOWS),
        ("ReLU", ""),
    ]
    assert frame.loc[("QCFS", "clamp, then floor"), "ANN"].startswith("84.00 ± ")
    assert frame.loc[("QCFS", "clamp, then floor"), "T = 1"].startswith("44.00 ± ")
    assert frame.loc[("QCFS", "paper (Eq. 19)"), ["n", "mean θ", "least θ"]].tolist() == ["3", "0.750", "0.500"]
    assert frame.loc[("ReLU", ""), "ANN"].startswith("86.00 ± ") and frame.loc[("ReLU", ""), "T = 1"] == ""
    gains = windows.gains(measured)
    assert gains.loc[("CS-QCFS", "clamp, then floor"), "ANN"].startswith("+4.00 ± ")
    assert gains.loc[("QCFS", names.WINDOWS["floor_clamp"]), "T = 8"].startswith("+2.00 ± ")
    own = windows.own_schedule(measured)
    assert own.loc[("QCFS", "30 + 15", "minus the paper's"), "T = 32"].startswith("+4.00 ± ") and len(own) == 8
    assert own.loc[("CS-QCFS", "30 + 30 + 10", "clamp, then floor"), "ANN"].startswith("84.00 ± ")
    tried = windows.held_out(measured)
    assert [epochs for epochs, _ in tried.index] == ["30 + 15", "30 + 15", "30 + 30"]
    assert tried["held out"].tolist() == ["80.00", "84.00", "84.00"] and tried["test"].iloc[0].startswith("80.00 ± ")
    low = windows.low_start(measured)
    assert low["first epoch"].tolist() == ["2", "never", "never"]
    assert low["layers at the end"].tolist() == ["1", "0", "0"] and low["least θ on the way"].tolist() == [
        "-0.500",
        "0.500",
        "0.500",
    ]


def test_a_caption_names_the_records_of_its_own_rows(measured):
    low = measured.ending("low")
    assert {key[-1] for key in low.rows} == {"low"} and low.results(("qcfs", "paper", "low"))
    assert "n = 1 seed, 400 images" in low.source and "n = 1-3 seeds" in measured.source
    assert "3 records" in low.note() and measured.results(("qcfs", "paper", "plain"))


def test_the_page_says_what_a_window_brings(measured):
    told = found.show(measured).data
    assert "with the window of clamp, then floor, minus the paper's: as an ANN ahead, +4.00 ± " in told
    assert "(n = 3 seeds, 400 images)" in told
    assert "ReLU, trained as long, is +6.00 ± " in told and "and +2.00 ± " in told
    assert "turn negative with paper (Eq. 19), of 3 windows tried" in told
    assert (
        "80.00 % (30 + 15 epochs, paper (Eq. 19)); 84.00 % (30 + 15 epochs, clamp, then floor); 84.00 % (30 + " in told
    )
    assert (
        "CS-QCFS after 30 + 15 + 10 epochs with clamp, then floor, minus the paper's window, as an ANN: ahead" in told
    )


def test_the_figure_has_a_line_for_each_seed_and_marks_for_each_window(measured):
    left, right_ = plots.figure(measured).axes
    assert len(left.lines) == 4 * 3 and len(right_.containers) == 4
    assert left.lines[0].get_ydata()[-1] == 80.0
    each = [line for line in right_.lines if line.get_marker() == "_"]
    assert len(each) == 4 * 3 and np.allclose(each[0].get_ydata()[-1], 4.0)
