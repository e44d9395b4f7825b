"""Playground and spike plots: what is drawn is what the neuron does."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from csqcfs.paper.claims import response
from csqcfs.paper.pages import playground
from csqcfs.paper.plots import spikes
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@settings(max_examples=15, deadline=None)
@given(st.floats(0.25, 2), st.integers(1, 8), st.integers(1, 16), st.floats(-1, 2.5))
def test_spikes_drawn_are_those_of_the_mean_output(threshold, L, T, z):
    _, axes = plt.subplots(1, 3)
    playground.draw(axes, threshold, L, T, z, 0.5)
    ticks = axes[1].get_lines()[-1].get_xdata()
    assert len(ticks) * threshold / T == pytest.approx(response.neuron(np.array([z]), threshold, T)[0])
    plt.close("all")


def test_no_error_is_drawn_where_activation_and_neuron_agree():
    _, axes = plt.subplots(1, 3)
    playground.draw(axes, 1.0, 4, 4, 0.5, 0.5)
    gap = axes[2].get_lines()[0].get_ydata()
    # the inputs are not dyadic, so that ties may fall to either side
    assert np.mean(gap != 0) < 0.02
    assert len(playground.grid().axes) == 3 * len(playground.SETTINGS)


def test_sliders_exist_without_a_kernel():
    assert [child.description for child in playground.sliders().children[:2]] == ["threshold", "L"]


def test_the_table_at_the_marked_input():
    frame = playground.table()
    assert frame["IF, mean output"].tolist() == [0.5, 0.5, 0.625, 0.5]
    assert set(frame["QCFS"]) == {0.5} and frame["Spikes"].tolist() == ["1", "2", "10", "2"]


def test_a_page_without_a_kernel_has_text_in_place_of_the_sliders(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))
    playground.show_sliders()
    assert shown[0]["text/plain"].startswith("sliders: ")
    assert "application/vnd.jupyter.widget-view+json" in shown[0]


def test_potential_is_drawn_before_and_after_the_reset():
    time, level = spikes.sawtooth(np.array([0, 1]), np.array([0.75, 0.25]), 1.0, 0.5)
    assert time.tolist() == [0, 1, 1, 2, 2] and level.tolist() == [0.5, 0.75, 0.75, 1.25, 0.25]


def neuron(site: str, train: str) -> dict:
    return {
        "site": site,
        "channel": 1,
        "threshold": 2.0,
        "z": 1.0,
        "target": 1.0,
        "input": [1.0] * 4,
        "potential": [1.0, 2.0, 1.0, 0.5],
        "spikes": train,
    }


def test_spike_plots_and_running_mean():
    found = [
        {
            "T": 4,
            "L": 4,
            "depth": 2,
            "sites": {"a": 1, "b": 2},
            "neurons": [neuron("a", "0101"), neuron("a", "0001"), neuron("b", "1111"), neuron("b", "0000")],
            "raster": {"site": "b", "neurons": [{"rate": 0.5, "spikes": "0101"}, {"rate": 1.0, "spikes": "1111"}]},
        }
    ]
    assert spikes.running_mean(found[0]["neurons"][0]).tolist() == pytest.approx([0, 0.5, 1 / 3, 0.5])
    for figure in (spikes.membranes(found), spikes.raster(found), spikes.means(found)):
        assert figure.axes and "no records" not in str(figure.axes[0].texts)
    assert spikes.raster(found).axes[0].collections  # a collection of spikes for each row
    assert "no records" in spikes.means([]).axes[0].texts[0].get_text()
