"""Figures and tables of Figs. 3-6, Table 5 and the conversion error, from made-up records."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import torch
from csqcfs.paper import published
from csqcfs.paper.experiments import profiles
from csqcfs.paper.measures.thresholds import spread_of_layers
from csqcfs.paper.pages import formats, page
from csqcfs.paper.plots import channels, error, quantization, spread, style, thresholds
from csqcfs.paper.runs.records import Record
from matplotlib import pyplot as plt
from torch.nn import functional as F


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


class FakePage:
    """A page in the demo profile; rows are told apart by their runs, here their keys."""

    profile = profiles.get("demo")

    def __init__(self, found, runs=None):
        self.found, self.rows = found, runs or {key: (str(key),) for key in found}

    def results(self, key):
        settings = {"dataset": "digits"}
        return [
            Record({"training": settings | {"seed": seed}}, metrics, {}, "made up")
            for seed, metrics in enumerate(self.found.get(key, []))
        ]

    def metrics(self, key):
        return self.found.get(key, [])


@pytest.mark.parametrize(
    "id, draw",
    [
        ("figure3", channels.overview),
        ("figure4", quantization.figure4),
        ("figure5", quantization.figure5),
        ("figure6", thresholds.figure6),
        ("figure6", thresholds.effect_figure),
        ("table5", spread.figure),
        ("conversion_error", lambda page: error.over_depth(page, "vgg16")),
        ("conversion_error", lambda page: error.over_L(page, "vgg16")),
        ("conversion_error", lambda page: error.by_time(page, "resnet20")),
    ],
)
def test_pages_without_records_have_no_figure(id, draw, monkeypatch, tmp_path):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))
    monkeypatch.setattr("csqcfs.engine.paths.reference_records", lambda profile: tmp_path)
    assert draw(page.open(id, "paper")) is None


@pytest.mark.parametrize(
    "id, make",
    [
        ("figure3", channels.spread),
        ("figure4", quantization.figure4_table),
        ("figure5", quantization.figure5_table),
        ("figure6", thresholds.effect_table),
        ("conversion_error", error.table),
    ],
)
def test_tables_without_records_have_their_head(id, make, monkeypatch, tmp_path):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))
    monkeypatch.setattr("csqcfs.engine.paths.reference_records", lambda profile: tmp_path)
    frame = make(page.open(id, "paper"))
    assert len(frame) == 0 and formats.to_markdown(frame).count("\n") == 2


# Fig. 3


def site(scale: float, channels: int = 4) -> dict:
    values = [scale * (i + 1) / channels for i in range(channels)]
    return {
        "channels": channels,
        "channel": list(range(channels)),
        "mean": values,
        "maximum": values,
        "preactivation": [value - scale / 2 for value in values],
        "thresholds": [scale] * channels,
        "layer_maximum": scale,
        "ridges": {"0": [0.0, 0.5, 0.5, 0.0], "3": [0.0, 0.2, 0.8, 0.0]},
    }


def test_channels_are_ranked_and_normalised_in_each_layer():
    values = channels.ranked({"a": site(2.0), "b": site(8.0, 7)}, "mean", ranks=4)
    assert values.shape == (4, 2)
    assert np.allclose(values[:, 0], [1, 0.75, 0.5, 0.25]) and np.all(np.diff(values, axis=0) < 0)
    assert values[0, 1] == 1


def test_overview_of_channels():
    found = {
        ("vgg16", end): [{"bins": [-2.0, 2.0, 4], "sites": {"a": site(2.0), "b": site(8.0)}}]
        for end in ("qcfs", "csqcfs")
    }
    fig = channels.overview(FakePage(found))
    titles = [ax.get_title(loc="left") for ax in fig.axes]
    assert [title[:3] for title in titles if title] == ["(a)", "(b)", "(c)", "(d)"]
    frame = channels.spread(FakePage(found))
    assert frame.loc[("2", "b"), "pre-activation, min"] == pytest.approx(-0.25)


# Figs. 4 and 5


def test_figure4_has_one_line_for_each_method_and_relu_across():
    found = {("cifar10", "resnet20", "relu", None): [{"ann": 92.0}]}
    for end, offset in (("qcfs", 0), ("csqcfs", 1)):
        for L in (2, 4):
            found["cifar10", "resnet20", end, L] = [{"ann": 80.0 + L + offset}, {"ann": 82.0 + L + offset}]
    found["cifar100", "resnet20", "relu", None] = [{"ann": 60.0}]  # nothing to compare with: no panel
    fig = quantization.figure4(FakePage(found))
    (ax,) = fig.axes
    assert ax.get_title() == "ResNet-20, handwritten digits (n = 1-2)"
    (relu,) = (line for line in ax.get_lines() if line.get_label() == "ReLU")
    assert set(relu.get_ydata()) == {92.0}
    means = {bar.get_label(): [] for bar in ax.containers if not bar.get_label().startswith("_")}
    for bar in ax.containers:
        colour = bar.lines[0].get_color()
        means["QCFS" if colour == style.METHODS["qcfs"].colour else "CS-QCFS"].append(bar.lines[0].get_ydata()[0])
    assert means == {"QCFS": [83, 85], "CS-QCFS": [84, 86]}
    frame = quantization.figure4_table(FakePage(found))
    assert frame.loc[("handwritten digits", "ResNet-20", "4")].tolist() == [
        "92.00",
        "85.00",
        "86.00",
        "+1.00",
        "-7.00",  # of the seed that both have
    ]
    for L in (2, 4):
        found["cifar10", "resnet20", "csqcfs", L] = []
    found["cifar10", "resnet20", "relu", None] = []
    (legend,) = quantization.figure4(FakePage(found)).legends
    assert [text.get_text() for text in legend.get_texts()] == ["QCFS", "no record: ReLU, CS-QCFS"]
    assert list(quantization.figure4_table(FakePage(found)).columns) == ["QCFS"]


def test_figure5_reads_the_papers_time_steps():
    found = {("cifar10", "vgg16", L): [{"ann": 90.0, "snn": [50.0 + L + t for t in range(1, 33)]}] for L in (4, 8)}
    (ax,) = quantization.figure5(FakePage(found)).axes
    assert [line.get_label() for line in ax.get_lines()] == ["L = 4", "L = 8"]
    assert ax.get_lines()[0].get_ydata().tolist() == [54 + t for t in published.TIMESTEPS]
    frame = quantization.figure5_table(FakePage(found))
    assert frame.loc[("handwritten digits", "VGG-16", "8"), "best T − ANN"] == "+0.00"


# Fig. 6


def history(*smallest: float) -> list[dict]:
    return [{"thresholds": {"a": [value, value, value], "b": [3.0, 3.0, 3.0]}} for value in smallest]


def test_crossing_is_the_first_epoch_that_is_not_positive():
    assert thresholds.crossing(history(1.0, 0.5, 0.0, -1.0, 2.0)) == 3
    assert thresholds.crossing(history(1.0, 0.1)) is None
    assert thresholds.layer_traces(history(1.0, -2.0)).tolist() == [[1, 3], [-2, 3]]


def fig6_page() -> FakePage:
    found, runs = {}, {}
    for dataset in ("cifar10", "cifar100"):  # one stands in for both, so their runs are the same
        for end, last in (("qcfs", -1.0), ("csqcfs-1", 0.5)):
            key = ("a", dataset, "resnet20", end, 8, 1.0)
            found[*key, "trace"] = [{"ann": 70.0, "history": history(0.7, last)}]
            found[*key, "snn"] = [{"ann": 70.0, "snn": [float(t) for t in range(1, 33)]}]
            runs |= {(*key, what): (end, what) for what in ("trace", "snn")}
    return FakePage(found, runs)


def test_figure6_draws_a_shared_training_once_and_marks_the_crossing():
    fig = thresholds.figure6(fig6_page())
    (ax,) = fig.axes
    assert ax.get_title(loc="left").startswith("(a1) ResNet-20, handwritten digits")
    assert ax.get_yscale() == "symlog" and "logarithmic" in ax.get_ylabel()
    crosses = [line for line in ax.get_lines() if line.get_marker() == "X"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in crosses] == [(2, -1.0)]
    thick = [line for line in ax.get_lines() if line.get_label() in ("QCFS", "CS-QCFS")]
    assert [line.get_ydata().tolist() for line in thick] == [[1.0, 0.7, -1.0], [1.0, 0.7, 0.5]]


def test_effects_of_a_crossing():
    lines = thresholds.effects(fig6_page())
    assert [(line["method"], line["last"], line["sites"], line["crossing"], line["T = 8"]) for line in lines] == [
        ("qcfs", -1.0, 1, 2, 8.0),
        ("csqcfs", 0.5, 0, None, 8.0),
    ]
    fig = thresholds.effect_figure(fig6_page())
    assert [label.get_fontweight() for label in fig.axes[0].get_yticklabels()] == ["bold", "normal"]


# Table 5


def test_differences_are_of_each_layer_and_infinite_where_not_defined():
    found = spread_of_layers({"a": [1.0, 1.5, 2.0], "b": [4.0, 4.0], "c": [0.0, 1.0], "d": [-1.0, 1.0]})
    assert found.tolist() == [100.0, 0.0, np.inf, np.inf]


def test_spread_of_both_readings_of_threshold():
    lam = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    theta = {"a": F.softplus(lam).tolist()}
    assert spread.raw(theta)["a"] == pytest.approx(lam.tolist())
    key = ("csqcfs", "cifar10", "vgg16")
    page = FakePage({key: [{"thresholds": theta}], ("cqcfs", "cifar10", "vgg16"): [{"thresholds": theta}]})
    found = spread.spread(page)
    assert found[key]["MaxDiff of λ"] == pytest.approx([300.0])
    assert found[key]["MaxDiff"] == pytest.approx([100 * (theta["a"][2] / theta["a"][0] - 1)])
    assert found["cqcfs", "cifar10", "vgg16"]["MaxDiff of λ"] == found["cqcfs", "cifar10", "vgg16"]["MaxDiff"]
    frame = spread.table5(page)
    assert len(frame) == len(published.TABLE5) + len(found)
    assert frame.loc[("C-QCFS", "CIFAR-10", "VGG-16", "paper"), "MaxDiff"] == "339.7"


def test_thresholds_that_vanish_have_an_undefined_spread_of_lambda():
    page = FakePage({("csqcfs", "cifar10", "vgg16"): [{"thresholds": {"a": [1e-30, 1.0]}}]})
    frame = spread.table5(page)
    assert frame.loc[("CS-QCFS", "handwritten digits", "VGG-16", "ours (demo, n = 1)"), "AvgDiff of λ"] == "undefined"


# Conversion error


def test_error_over_layers_in_percent():
    metrics = {
        "sites": ["a", "b"],
        "rms_own": {"clipping": [0.3, 0.4], "quantization": [0.0, 0.0]},
        "rms": {str(T): {part: [0.03 * T, 0.04 * T] for part in error.COLUMNS} for T in published.TIMESTEPS},
    }
    found = FakePage({("vgg16", end, L): [metrics] for end in error.ENDS for L in (4, 8)})
    frame = error.table(found)
    assert frame.loc[("VGG-16", "QCFS", "2"), "flooring"] == pytest.approx(100 * 2 * np.sqrt(0.00125))
    assert frame.loc[("VGG-16", "QCFS", "2"), "clipping"] == pytest.approx(100 * np.sqrt(0.125))
    fig = error.over_depth(found, "vgg16")
    assert len(fig.axes) == 6
    assert fig.axes[0].get_lines()[0].get_ydata().tolist() == pytest.approx([3, 4])
    assert fig.axes[1].get_lines()[0].get_ydata().tolist() == pytest.approx([12, 16])
    assert fig.axes[3].get_lines()[0].get_ydata().tolist() == [0, 0]  # the two networks are the same
    parts = error.by_time(found, "vgg16").axes
    assert [len(ax.get_lines()) for ax in parts] == [len(error.STEPS)] * 3
    assert parts[2].get_lines()[1].get_ydata().tolist() == pytest.approx([6, 8])
    lines = error.over_L(found, "vgg16").axes[0].get_lines()
    assert lines[0].get_xdata().tolist() == [4, 8]


def test_parts_that_are_zero_by_definition_are_not_drawn():
    def metrics(rms: float) -> dict:
        parts = {part: [rms, rms] for part in error.COLUMNS}
        first = parts | {"unevenness": [0.0, 0.0]}
        return {"sites": ["a", "b"], "rms": {str(T): first if T == 1 else parts for T in published.TIMESTEPS}}

    found = FakePage({("vgg16", end, 4): [metrics(rms)] for end, rms in zip(error.ENDS, (0.1, 0.15), strict=True)})
    fig = error.over_depth(found, "vgg16")
    shown = [[line.get_label() for line in ax.get_lines()] for ax in fig.axes[:3]]
    assert "unevenness" not in shown[0] and "unevenness" in shown[1] and "flooring" in shown[0]
    assert fig.axes[3].get_lines()[0].get_ydata().tolist() == pytest.approx([5, 5])


def test_levels_are_means_of_layers_and_the_least_of_all():
    seed = {"ann": 90.0, "snn": [50.0] * 32, "thresholds": {"a": [1.0, 3.0], "b": [0.5] * 6}}
    other = {"ann": 90.0, "snn": [60.0] * 32, "thresholds": {"a": [2.0, 2.0], "b": [1.5] * 6}}
    frame = spread.levels(FakePage({("cifar10", "vgg16", "csqcfs"): [seed, other], ("cifar10", "vgg16", "qcfs-2"): []}))
    assert frame.index.tolist() == [("handwritten digits", "VGG-16", "CS-QCFS")]
    assert frame.iloc[0].tolist() == [1.5, 1.0, 55.0]  # (2 + 0.5) / 2 and (2 + 1.5) / 2; 0.5 and 1.5
