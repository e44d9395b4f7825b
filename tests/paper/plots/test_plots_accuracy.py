"""Curves of accuracy over time: the means, the bands, and panels only where there are records."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from csqcfs.paper import published
from csqcfs.paper.plots import accuracy
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


class FakePage:
    def __init__(self, found):
        self.found, self.rows = found, dict.fromkeys(found)

    def metrics(self, key):
        return self.found.get(key, [])


def seed(offset: float) -> dict:
    return {"ann": 90 + offset, "snn": [50 + offset + t for t in range(32)]}


def test_lines_are_means_at_the_papers_time_steps():
    _, ax = plt.subplots()
    accuracy.over_time(ax, {"qcfs": [seed(0)["snn"], seed(2)["snn"]]}, [90.0, 92.0])
    line, level = ax.get_lines()
    assert line.get_xdata().tolist() == list(published.TIMESTEPS)
    assert np.allclose(line.get_ydata(), [50 + t for t in published.TIMESTEPS])
    assert level.get_ydata()[0] == 91 and len(ax.collections) == 1


def test_one_panel_for_each_network_with_records():
    page = FakePage({("resnet20", "qcfs"): [seed(0)], ("resnet20", "cos"): [seed(1)], ("vgg16", "qcfs"): []})
    fig = accuracy.comparison(page, ("qcfs", "cos"))
    assert [ax.get_title() for ax in fig.axes] == ["ResNet-20"]
    assert len(fig.axes[0].texts) == 2  # labels at the lines' ends


def test_a_page_without_records_says_so():
    fig = accuracy.comparison(FakePage({("vgg16", "qcfs"): []}), ("qcfs",))
    assert "no records" in fig.axes[0].texts[0].get_text()
