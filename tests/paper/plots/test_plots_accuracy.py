"""Curves of accuracy over time: means and intervals, the ANNs beside them, and panels only where there are records."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import math

import numpy as np
import pytest
from csqcfs.paper import published
from csqcfs.paper.experiments import profiles
from csqcfs.paper.plots import accuracy, shared, style
from csqcfs.paper.runs.records import Record
from matplotlib import pyplot as plt
from scipy import stats


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


class FakePage:
    profile = profiles.get("quick")

    def __init__(self, found):
        self.found, self.rows = found, {key: [key] for key in found}

    def results(self, key):
        return self.found.get(key, [])

    def metrics(self, key):
        return [record.metrics for record in self.results(key)]


def record(offset: float, seed: int = 0, end: str = "qcfs", **more) -> Record:
    metrics = {"ann": 90 + offset, "snn": [50 + offset + t for t in range(32)], "images": 1000}
    training = {"seed": seed, "dataset": "cifar10", "stages": [{"activation": end}]}
    return Record({"training": training}, metrics | more, {}, "made up")


def test_lines_are_means_at_the_papers_time_steps_and_each_network_has_one_mark():
    _, ax = plt.subplots()
    shared_one = [record(0), record(2, 1)]
    rows = {"qcfs": shared_one, "cos": shared_one, "csqcfs": [record(0, end="csqcfs"), record(2, 1, "csqcfs")]}
    accuracy.over_time(ax, rows)
    lines = {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}
    assert list(lines) == ["QCFS", "COS", "CS-QCFS"]
    assert all(list(line.get_xdata()) == list(published.TIMESTEPS) for line in lines.values())  # none aside
    assert np.allclose(lines["QCFS"].get_ydata(), [50 + t for t in published.TIMESTEPS])
    marks = [float(bar.lines[0].get_ydata()[0]) for bar in ax.containers]
    assert marks == [91, 91]  # QCFS and COS share their network, CS-QCFS is another one, as accurate


def test_an_interval_of_one_seed_is_that_of_its_images():
    mean, low, high = shared.interval([record(0, ann=90.0)], "ann")
    share = (900 + 1) / 1002  # Agresti and Caffo: one made-up image of each kind
    reach = stats.norm.ppf(0.975) * 100 * math.sqrt(share * (1 - share) / 1002)
    assert mean == 90 and (low, high) == pytest.approx((90 - reach, 90 + reach))
    low, high = shared.interval([record(0), record(2, 1), record(4, 2)], "ann")[1:]
    assert (high - low) / 2 > stats.t.ppf(0.975, 2) * 2 / math.sqrt(3)  # that of the seeds is in it


def test_without_a_number_of_images_there_is_no_interval():
    old = record(0)
    del old.metrics["images"]
    assert shared.interval([old], "ann") == (90, 90, 90)


def test_one_panel_for_each_network_with_records():
    page = FakePage({("resnet20", "qcfs"): [record(0)], ("resnet20", "cos"): [record(1)], ("vgg16", "qcfs"): []})
    fig = accuracy.comparison(page, ("qcfs", "cos"))
    assert [ax.get_title() for ax in fig.axes] == ["ResNet-20, CIFAR-10 (n = 1)"]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["QCFS", "COS"]
    page.profile = profiles.get("demo")
    assert accuracy.comparison(page, ("qcfs",)).axes[0].get_title() == "ResNet-20, handwritten digits (n = 1)"


def test_a_page_without_records_has_no_figure():
    assert accuracy.comparison(FakePage({("vgg16", "qcfs"): []}), ("qcfs",)) is None
    assert accuracy.gains(FakePage({("vgg16", "qcfs"): [record(0)]}), [("cos", "qcfs")]) is None


def test_two_data_sets_have_a_panel_and_a_range_each():
    found = {(dataset, "resnet20", "qcfs"): [record(0)] for dataset in ("cifar10", "cifar100")}
    left, right = accuracy.comparison(FakePage(found), ("qcfs",)).axes
    assert [left.get_title(), right.get_title()] == ["ResNet-20, CIFAR-10 (n = 1)", "ResNet-20, CIFAR-100 (n = 1)"]
    assert not left.get_shared_y_axes().joined(left, right)


def test_differences_stand_at_their_time_steps_beside_the_papers():
    """A pair without records of both is left out, and one whose first was there before is hollow."""
    rows = {"qcfs": [record(0), record(1, 1)], "sqcfs": [record(1), record(4, 1)], "csqcfs": [record(3), record(8, 1)]}
    page = FakePage({("vgg16", name): records for name, records in rows.items()})
    printed = {("vgg16", name): published.TABLE3["vgg16", name] for name in ("csqcfs", "sqcfs")}
    pairs = [("csqcfs", "qcfs"), ("csqcfs", "sqcfs"), ("cqcfs", "qcfs")]
    (ax,) = accuracy.gains(page, pairs, printed).axes
    assert ax.get_title() == "VGG-16, CIFAR-10 (n = 2)"
    one, other = (bar.lines[0] for bar in ax.containers)
    assert set(one.get_ydata()) == {5.0} and set(other.get_ydata()) == {3.0}  # (3 + 7) / 2 and (2 + 4) / 2
    assert (one.get_markerfacecolor(), other.get_markerfacecolor()) == (one.get_color(), "white")
    theirs = next(line for line in ax.get_lines() if line.get_marker() == "x")
    assert list(theirs.get_xdata()) == list(other.get_xdata())
    gaps = np.subtract(published.TABLE3["vgg16", "csqcfs"].snn, published.TABLE3["vgg16", "sqcfs"].snn)
    assert np.allclose(theirs.get_ydata(), gaps)
    assert np.allclose(np.array(other.get_xdata()) / published.TIMESTEPS, other.get_xdata()[0])
    (ax,) = accuracy.gains(page, [("cqcfs", "qcfs"), ("csqcfs", "qcfs")]).axes
    assert list(ax.containers[0].lines[0].get_xdata()) == list(published.TIMESTEPS)  # alone at its place


def test_a_row_of_another_name_looks_like_its_method():
    page = FakePage({("vgg16", "channel-wise"): [record(1)], ("vgg16", "origin"): [record(0)]})
    fig = accuracy.gains(page, [("channel-wise", "origin")], kinds={"channel-wise": "cqcfs", "origin": "qcfs"})
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["C-QCFS − QCFS"]
    assert fig.axes[0].containers[0].lines[0].get_color() == style.METHODS["cqcfs"].colour
