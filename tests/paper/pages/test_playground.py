"""Playground and spike plots: what is drawn is what the neuron does, and the values are the sliders'."""

from __future__ import annotations

import io

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from csqcfs.paper.claims import response
from csqcfs.paper.pages import playground
from csqcfs.paper.pages.playground import Setting
from csqcfs.paper.plots import spikes, style
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from PIL import Image


@pytest.fixture(autouse=True)
def closed():
    with matplotlib.rc_context():
        style.use()
        yield
    plt.close("all")


def view(setting: Setting) -> playground.View:
    _, axes = plt.subplots(1, 3)
    return playground.View(axes, reach=2, steps=32).set(setting)


def controls(panel) -> dict:
    return dict(zip(Setting._fields, panel.children[1:-1], strict=True))


@settings(max_examples=15, deadline=None)
@given(st.floats(0.25, 2), st.integers(1, 8), st.integers(1, 16), st.floats(-1, 2.5))
def test_spikes_drawn_are_those_of_the_mean_output(threshold, L, T, z):
    shown = view(Setting(threshold, L, T, z))
    output = len(shown.spikes.get_xdata()) * threshold / T
    assert output == pytest.approx(response.neuron(np.array([z]), threshold, T)[0])
    assert shown.dot.get_ydata()[0] == pytest.approx(output) and shown.dot.get_xdata()[0] == z
    plt.close("all")


def test_no_error_is_drawn_where_activation_and_neuron_agree():
    # the inputs are not dyadic, so that ties may fall to either side
    assert np.mean(view(Setting(z=0.5)).gap.get_ydata() != 0) < 0.02
    assert len(playground.grid().axes) == 3 * len(playground.SETTINGS)


@settings(max_examples=20, deadline=None)
@given(st.floats(-2, 2).filter(lambda value: abs(value) > 0.01), st.integers(1, 32), st.integers(1, 32))
def test_another_setting_moves_artists_and_neither_limits_nor_axes(threshold, L, T):
    shown = view(Setting())
    before = [(ax.get_xlim(), ax.get_ylim(), len(ax.lines)) for ax in (shown.curves, shown.train, shown.error)]
    artists = list(map(id, shown.moving))
    shown.set(Setting(threshold, L, T))
    assert [(ax.get_xlim(), ax.get_ylim(), len(ax.lines)) for ax in (shown.curves, shown.train, shown.error)] == before
    assert list(map(id, shown.moving)) == artists
    for line, ax in ((shown.qcfs, shown.curves), (shown.neuron, shown.curves), (shown.gap, shown.error)):
        low, high = ax.get_ylim()
        assert low <= min(line.get_ydata()) and max(line.get_ydata()) <= high
    plt.close("all")


def test_a_frame_is_what_a_full_drawing_gives():
    setting = Setting(-1.0, 8, 16, 1.2, 0.25)
    frame = np.asarray(Image.open(io.BytesIO(playground.Screen(Setting()).png(setting))))
    screen = playground.Screen(setting)
    for artist in screen.view.moving:
        artist.set_animated(False)
    screen.figure.canvas.draw()
    whole = np.asarray(screen.figure.canvas.buffer_rgba())[..., :3]
    assert np.mean(np.abs(frame.astype(int) - whole) > 32) < 0.002  # where lines cross, the order of drawing differs


def test_a_slider_and_a_preset_change_the_picture_and_no_value_is_another_than_the_sliders(monkeypatch):
    panel = playground.sliders()
    seen = []
    draw = playground.Screen.png
    monkeypatch.setattr(playground.Screen, "png", lambda self, setting: (seen.append(setting), draw(self, setting))[1])
    picture = panel.children[-1]
    first = picture.value
    controls(panel)["T"].value = 16
    assert seen == [Setting(T=16)] and picture.value != first
    buttons = {button.description: button for button in panel.children[0].children}
    assert {"T = L", "starts empty", "negative threshold"} <= set(buttons)
    for name, button in buttons.items():
        button.click()
        assert seen[-1] == playground.PRESETS[name]
        assert {key: control.value for key, control in controls(panel).items()} == playground.PRESETS[name]._asdict()
    assert len(seen) == 1 + len(buttons)


def test_sliders_are_wide_enough_for_each_of_their_values():
    for name, control in controls(playground.sliders()).items():
        if name == "threshold":
            count = len(control.options)
            assert 0 not in control.options
        else:
            count = (control.max - control.min) / control.step + 1
        assert float(control.layout.width.removesuffix("px")) - 150 > 2 * count, name  # less description and number


def test_the_table_at_the_marked_input():
    frame = playground.table()
    assert frame["IF, mean output"].tolist() == [0.5, 0.5, 0.625, 0.5]
    assert set(frame["QCFS"]) == {0.5} and frame["Spikes"].tolist() == ["1", "2", "10", "2"]


def test_a_page_without_a_kernel_has_a_picture_and_text_in_place_of_the_sliders(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: shown.append(bundle))
    playground.show_sliders()
    assert shown[0]["text/plain"].startswith("sliders: ") and shown[0]["image/png"].startswith("iVBOR")
    assert "application/vnd.jupyter.widget-view+json" in shown[0]


def test_potential_is_drawn_before_and_after_the_reset():
    time, level = spikes.sawtooth(np.array([0, 1]), np.array([0.75, 0.25]), 1.0, 0.5)
    assert time.tolist() == [0, 1, 1, 2, 2] and level.tolist() == [0.5, 0.75, 0.75, 1.25, 0.25]


def test_running_mean():
    neuron = {"spikes": "0101"}
    assert spikes.running_mean(neuron).tolist() == pytest.approx([0, 0.5, 1 / 3, 0.5])
    assert spikes.means([]) is None
