"""Activation, neuron and error for one setting, as a still figure and under sliders."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from PIL import Image

from ..claims import response
from ..claims.reference import LEVELS
from ..names import count, number
from ..plots import style
from ..plots.spikes import sawtooth


class Setting(NamedTuple):
    """What the sliders choose: threshold and input z in the same units, v(0) in thresholds."""

    threshold: float = 1.0
    L: int = 4
    T: int = 4
    z: float = 0.6
    start: float = 0.5


RANGE = np.linspace(-1.0, 2.5, 701)  # inputs
# T below, at and above L, and a neuron that starts empty
SETTINGS = (Setting(T=2), Setting(), Setting(T=16), Setting(start=0.0))
PRESETS = {
    "T = L": Setting(),
    "T beyond L": Setting(T=32),
    "starts empty": Setting(start=0.0),
    "negative threshold": Setting(threshold=-1.0),
}
NEURON, ACTIVATION = style.NEURON, style.METHODS["qcfs"].colour


class View:
    """Three views of a setting on three axes: curves, one spike train, error over the input.

    The artists stay, `set` moves them; so do the limits, so that only what a slider changes moves.

    Args:
        axes: three of one figure.
        reach: the largest threshold on either side of 0 that there is room for.
        steps: the largest T.
        gap: the largest error on either side of 0, by default ``reach``.
    """

    def __init__(self, axes: Sequence[Axes], reach: float, steps: int, gap: float | None = None):
        self.curves, self.train, self.error = axes
        self.curves.plot(RANGE, response.relu(RANGE), color="#bbbbbb", linewidth=0.9, label="ReLU")
        (self.qcfs,) = self.curves.plot([], [], color=ACTIVATION, label="QCFS")
        (self.neuron,) = self.curves.plot([], [], color=NEURON, linestyle="--", label="IF, mean output")
        (self.dot,) = self.curves.plot([], [], "o", color=NEURON, markersize=5, label="at the input z")
        self.curves.set(xlabel="input z", ylabel="output", xlim=RANGE[[0, -1]], ylim=(-reach - 0.3, reach + 0.6))
        (self.potential,) = self.train.plot([], [], color=NEURON, linewidth=1, label="membrane potential")
        (self.level,) = self.train.plot([], [], color="black", linestyle="--", linewidth=0.8, label="threshold")
        (self.spikes,) = self.train.plot([], [], "|", color="black", markersize=9, label="spike")
        self.count = self.train.set_title("", fontsize=style.FONT)
        self.train.set(
            xlabel="time-step t", ylabel="potential v", xlim=(0, steps + 0.5), ylim=(-1.6 * reach, 2 * reach)
        )
        self.train.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        (self.gap,) = self.error.plot([], [], color="black", linewidth=0.9)
        (self.at,) = self.error.plot([], [], color="#888888", linewidth=0.8, linestyle=":")
        self.error.set(xlabel="input z", ylabel="IF − QCFS", xlim=RANGE[[0, -1]])
        for ax in (self.curves, self.error):
            ax.axhline(0, color="#dddddd", linewidth=0.5, zorder=0)
        self.steps, self.bottom = steps, 1.1 * (gap or reach)
        self.error.set_ylim(-self.bottom, self.bottom)

    @property
    def moving(self) -> list:
        """The artists that `set` moves."""
        lines = (self.qcfs, self.neuron, self.dot, self.potential, self.level, self.spikes, self.gap, self.at)
        return [*lines, self.count]

    def set(self, setting: Setting) -> View:
        """Show ``setting``; a negative threshold is simulated as Eqs. 1-3 say."""
        threshold, L, T, z, start = setting
        start *= threshold
        output, activation = response.neuron(RANGE, threshold, T, start), response.qcfs(RANGE, threshold, L)
        spikes, potential = response.trace(np.array([z]), threshold, T, start)
        fired = np.flatnonzero(spikes[:, 0]) + 1
        self.qcfs.set_data(RANGE, activation)
        self.neuron.set_data(RANGE, output)
        self.dot.set_data([z], [threshold * spikes.mean()])
        self.potential.set_data(*sawtooth(spikes[:, 0], potential[:, 0], threshold, start))
        self.level.set_data([0, self.steps + 0.5], [threshold, threshold])
        self.spikes.set_data(fired, np.full(len(fired), threshold))
        self.count.set_text(f"{count(len(fired), 'spike')} in {count(T, 'step')}")
        self.gap.set_data(RANGE, output - activation)
        self.at.set_data([z, z], [-self.bottom, self.bottom])
        return self


def grid() -> Figure:
    """A `View` for each of SETTINGS, a column each."""
    fig, axes = plt.subplots(3, len(SETTINGS), figsize=(style.PAGE, 5.8), sharey="row")
    for column, setting in zip(axes.T, SETTINGS, strict=True):
        View(column, reach=1, steps=setting.T, gap=0.3).set(setting)
        start = "θ/2" if setting.start == 0.5 else f"{setting.start:g}"
        column[0].set_title(f"L = {setting.L}, T = {setting.T},\nv(0) = {start}")
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    style.legend(fig)
    return fig


def table() -> pd.DataFrame:
    """Outputs at the input of `grid`, for each of SETTINGS."""
    lines = []
    for threshold, L, T, z, start in SETTINGS:
        spikes, _ = response.trace(np.array([z]), threshold, T, start * threshold)
        qcfs = response.qcfs(np.array([z]), threshold, L)[0]
        lines.append([str(int(spikes.sum())), threshold * spikes.mean(), qcfs, max(z, 0.0)])
    index = pd.MultiIndex.from_tuples(
        [(str(one.L), str(one.T), f"{one.start:g}") for one in SETTINGS], names=["L", "T", "v(0) / θ"]
    )
    return pd.DataFrame(lines, index=index, columns=["Spikes", "IF, mean output", "QCFS", "ReLU"])


def found(page) -> list[str]:
    """Sentences on where neuron and activation agree in `table`."""
    lines = table().reset_index()
    equal = lines[lines["IF, mean output"] == lines["QCFS"]]
    widest = float((lines["IF, mean output"] - lines["QCFS"]).abs().max())
    still = float((lines["QCFS"] - lines["ReLU"]).abs().max())
    others = len(lines) - len(equal)
    differing = f"{count(others, 'other')} {'differs' if others == 1 else 'differ'}"
    return [
        f"At an input of 0.6 and L = {LEVELS}, neuron and activation give the same in {len(equal)} of the {len(lines)} "
        f"settings below; the {differing} by up to {widest:.3g} thresholds.",
        f"The activation itself is {number(still)} thresholds from ReLU there.",
    ]


class Screen:
    """A `View` in a figure of its own as PNG; what stands still is drawn once, and each frame adds what moves."""

    def __init__(self, setting: Setting):
        layout = ConstrainedLayoutEngine(wspace=0.06)
        self.figure = Figure(figsize=(1.25 * style.PAGE, 3.1), dpi=100, layout=layout)  # unknown to pyplot
        canvas = FigureCanvasAgg(self.figure)
        self.view = View(self.figure.subplots(1, 3), reach=2, steps=32).set(setting)
        style.legend(self.figure)
        for _ in range(2):  # the first pass moves the axes
            self.figure.draw_without_rendering()
        self.figure.set_layout_engine("none")
        for artist in self.view.moving:
            artist.set_animated(True)
        canvas.draw()
        self.still = canvas.copy_from_bbox(self.figure.bbox)

    def png(self, setting: Setting) -> bytes:
        self.view.set(setting)
        canvas = self.figure.canvas
        canvas.restore_region(self.still)
        for artist in self.view.moving:
            artist.axes.draw_artist(artist)
        file = io.BytesIO()
        Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(file, "png", compress_level=1)
        return file.getvalue()


def sliders():
    """A `Screen` under a slider for each part of `Setting`, and a button for each of PRESETS; they need a kernel."""
    import ipywidgets

    wide = {"layout": ipywidgets.Layout(width="680px"), "style": {"description_width": "90px"}}
    # no neuron has threshold 0, and a slider of choices has no place for it
    choices = [round(0.05 * step, 2) for step in range(-40, 41) if step]
    controls: Mapping[str, ipywidgets.Widget] = {
        "threshold": ipywidgets.SelectionSlider(options=choices, value=1.0, description="threshold θ", **wide),
        "L": ipywidgets.IntSlider(4, min=1, max=32, description="levels L", **wide),
        "T": ipywidgets.IntSlider(4, min=1, max=32, description="steps T", **wide),
        "z": ipywidgets.FloatSlider(0.6, min=-1, max=2.5, step=0.05, description="input z", **wide),
        "start": ipywidgets.FloatSlider(0.5, min=-0.5, max=1.5, step=0.05, description="v(0) / θ", **wide),
    }
    screen = Screen(Setting())
    shown = ipywidgets.Image(value=screen.png(Setting()), format="png", layout=ipywidgets.Layout(width="900px"))
    held = []  # not empty while a preset moves several sliders, for one frame instead of five

    def redraw(*_) -> None:
        if not held:
            shown.value = screen.png(Setting(**{name: control.value for name, control in controls.items()}))

    def preset(setting: Setting) -> None:
        held.append(setting)
        for name, control in controls.items():
            control.value = getattr(setting, name)
        held.clear()
        redraw()

    for control in controls.values():
        control.observe(redraw, "value")
    buttons = []
    for name, setting in PRESETS.items():
        buttons.append(ipywidgets.Button(description=name, layout=ipywidgets.Layout(width="165px")))
        buttons[-1].on_click(lambda _, setting=setting: preset(setting))
    return ipywidgets.VBox([ipywidgets.HBox(buttons), *controls.values(), shown])


def show_sliders() -> None:
    """Show `sliders`; a page without a kernel has a picture or a line of text in their place."""
    from IPython.display import display

    panel = sliders()
    still = {
        "text/plain": "sliders: open this notebook in Jupyter and run it to move them",
        "image/png": b64encode(panel.children[-1].value).decode(),
    }
    display(panel._repr_mimebundle_() | still, raw=True)
