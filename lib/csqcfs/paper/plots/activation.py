"""Curves of ReLU, QCFS and IF over a constant input, their errors, and gradients (Figs. 1-2, Eqs. 19-20)."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...engine import kernels
from ..claims import corrections, gradient_check, response
from ..claims.reference import LEVELS, softplus
from ..names import WINDOWS as LABELS
from . import style

SNN = style.NEURON  # the neuron's own output
# Greys, since neither error is a method's; the hatch tells them apart without colour.
FLOORING = {"facecolor": "#cccccc", "linewidth": 0}
CLIPPING = {"facecolor": "none", "edgecolor": "#aaaaaa", "hatch": "////", "linewidth": 0}
QUIET = "#666666"
WINDOWS = dict(zip(kernels.WINDOWS, plt.get_cmap("cividis")(np.linspace(0.85, 0.0, len(kernels.WINDOWS))), strict=True))


def inputs(low: float, high: float, count: int = 2001) -> np.ndarray:
    """Evenly spaced inputs, dense enough for jumps to look upright."""
    return np.linspace(low, high, count)


def axes_through_zero(ax: Axes) -> Axes:
    for line in (ax.axhline, ax.axvline):
        line(0, color="#bbbbbb", linewidth=0.5, zorder=0)
    return ax


def errors_filled(ax: Axes, T: int, start: float) -> Axes:
    """Fig. 1: ReLU and the mean output of IF neurons, threshold 1, with both parts of Eq. 10 between them."""
    z = inputs(-0.4, 2.0)
    relu, output = response.relu(z), response.neuron(z, 1.0, T, start)
    clipped = np.clip(z, 0, 1)
    ax.fill_between(z, output, clipped, where=z <= 1, **FLOORING, label="flooring error")
    ax.fill_between(z, 1, relu, where=z >= 1, **CLIPPING, label="clipping error")
    ax.plot(z, relu, color=style.METHODS["relu"].colour, label="ReLU")
    ax.plot(z, output, color=SNN, label=rf"IF, $\phi(T)$, T = {T}")
    ax.set_xlabel(r"input $z$ (thresholds)")
    return axes_through_zero(ax)


def errors_over_input(ax: Axes, timesteps: Sequence[int], start: float) -> Axes:
    """Eq. 10 itself, phi(T) - ReLU(z), for a few T; flooring up to the threshold, clipping beyond."""
    z = inputs(-0.4, 2.0)
    ax.axvspan(0, 1, **FLOORING, alpha=0.4)
    ax.axvspan(1, 2, **CLIPPING, alpha=0.4)
    shades = plt.get_cmap("cividis")(np.linspace(0.75, 0.0, len(timesteps)))
    for T, shade in zip(timesteps, shades, strict=True):
        ax.plot(z, sum(response.conversion_error(z, 1.0, T, start).values()), color=shade, label=f"error, T = {T}")
    ax.set(xlabel=r"input $z$ (thresholds)", ylim=(-1.08, 0.75))
    return axes_through_zero(ax)


def conversion_errors(timesteps: Sequence[int] = (1, 2, 4, 16), shown: int = 4) -> Figure:
    """Fig. 1 from v(0) = 0, as Eq. 9 has it, and from half the threshold, as Algorithm 1 line 17 sets it."""
    fig, axes = plt.subplots(2, 2, figsize=(style.PAGE, 5.0), sharex=True, sharey="row")
    for (top, bottom), start in zip(axes.T, (0.0, 0.5), strict=True):
        errors_filled(top, shown, start).set_xlabel("")
        errors_over_input(bottom, timesteps, start)
    starts = (r"$v(0) = 0$ (Eq. 9)", r"$v(0) = \theta/2$ (line 17)")
    style.letters(axes.flat, [f"{what}, {start}" for what in ("output", "error") for start in starts])
    axes[0, 0].set_ylabel("output (thresholds)")
    axes[1, 0].set_ylabel("error, Eq. 10 (thresholds)")
    style.legend(fig)
    return fig


def _panel(ax: Axes, z: np.ndarray, output: np.ndarray, title: str, colour: str) -> None:
    ax.plot(z, output, color=colour)
    ax.set_title(title, loc="left")
    axes_through_zero(ax).set(xlim=(z[0], z[-1]), ylim=(-1.25, 1.65))


def behaviours(L: int = 4, T: int = 4) -> Figure:
    """Fig. 2 (a)-(e), and as (f) the form of the neuron for which a negative threshold does no harm."""
    z, relu, qcfs = inputs(-1.6, 1.6), style.METHODS["relu"].colour, style.METHODS["qcfs"].colour
    fig, axes = plt.subplots(2, 3, figsize=(style.PAGE, 4.2), sharex=True, sharey=True)
    panels = (
        (response.relu(z), "(a) ReLU", relu),
        (response.qcfs(z, 1.0, L), r"(b) QCFS, $\lambda = 1$", qcfs),
        (response.neuron(z, 1.0, T), r"(c) IF, $\theta = 1$", SNN),
        (response.qcfs(z, -1.0, L), r"(d) QCFS, $\lambda = -1$", qcfs),
        (response.neuron(z, -1.0, T), r"(e) IF, $\theta = -1$, Eqs. 1-3", SNN),
        (response.normalised_neuron(z, -1.0, T), r"(f) IF, $\theta = -1$, normalised", SNN),
    )
    for ax, (output, title, colour) in zip(axes.flat, panels, strict=True):
        _panel(ax, z, output, title, colour)
    for text, at in (("fires at every step", (0.75, -0.95)), ("silent", (-1.05, 0.05))):
        axes[1, 1].text(*at, text, ha="center", va="bottom", color=QUIET, fontsize=style.FONT - 1)
    fig.supxlabel(r"input $z$", fontsize=style.FONT)
    fig.supylabel(r"output: activation, or $\phi(T)$", fontsize=style.FONT)
    return fig


def negative_errors(L: int = 4) -> Figure:
    """Eq. 12 for a negative threshold: simulated, as derived, and as Eq. 14 prints it."""
    z = inputs(-1.8, 0.8)
    error = response.negative_error(z, -1.0, L)
    fig, ax = plt.subplots(figsize=(style.COLUMN, 2.6))
    ax.plot(z, error["simulated"], color=SNN, linewidth=3.5, alpha=0.5, label="simulated")
    ax.plot(z, error["derived"], color="black", linewidth=0.9, label="derived")
    ax.plot(z, error["printed"], color=style.METHODS["paper"].colour, linestyle="--", label="Eq. 14, printed")
    axes_through_zero(ax).set(
        xlabel=r"input $z$ ($\lambda = -1$, L = T = 4)", ylabel=r"QCFS$(z) - \phi(T)$", ylim=(-1.2, 1.2)
    )
    style.legend(fig)
    return fig


def gradients(lambdas: Sequence[float] = gradient_check.LAMBDAS) -> Figure:
    """Eqs. 19-20 over the input, a column for each lambda; z in units of theta = Softplus(lambda)."""
    fig, axes = plt.subplots(2, len(lambdas), figsize=(style.PAGE, 4.2), sharex=True, sharey="row")
    looks = (
        {"color": style.METHODS["csqcfs"].colour, "linewidth": 4, "alpha": 0.5},
        {"color": "black", "linewidth": 0.9},
        {"color": style.METHODS["paper"].colour, "linestyle": "--"},
    )
    for (top, bottom), raw in zip(axes.T, lambdas, strict=True):
        z, theta = gradient_check.inputs(raw), softplus(raw)
        found = {
            "csqcfs (autograd)": gradient_check.autograd(z, raw),
            "finite differences": gradient_check.finite_differences(z, raw),
            "as printed": corrections.gradients_printed(z, raw),
        }
        for name, look in zip(found, looks, strict=True):
            top.plot(z / theta, found[name].by_input, label=name, **look)
            bottom.plot(z / theta, found[name].by_raw, label=name, **look)
        top.set_title(rf"$\lambda = {raw:g}$, $\theta = {theta:.2f}$")
        bottom.set_yscale("symlog", linthresh=1, linscale=2)
        bottom.set_yticks([-10, -1, -0.5, 0, 0.5, 1], ["−10", "−1", "−0.5", "0", "0.5", "1"])
        bottom.minorticks_off()
        for ax in (top, bottom):
            axes_through_zero(ax)
    axes[0, 0].set_ylabel(r"$\partial f/\partial z$ (Eq. 19)")
    axes[1, 0].set_ylabel("$\\partial f/\\partial \\lambda$ (Eq. 20)\n(logarithmic beyond ±1)")
    fig.supxlabel(r"input $z/\theta$", fontsize=style.FONT)
    style.legend(fig)
    return fig


def windows(theta: float = 1.0) -> Figure:
    """The gradient windows in use at theta = 1: where df/dz passes, and df/dtheta."""
    z = inputs(-0.4, 1.5)
    found = gradient_check.window_gradients(z, theta)
    fig, (left, right) = plt.subplots(1, 2, figsize=(style.PAGE, 2.9))
    left.plot(z, response.qcfs(z, theta, LEVELS), color=QUIET, linewidth=1, label=r"$f(z)$")
    for place, (window, colour) in enumerate(WINDOWS.items()):
        passes = z[found[window].by_input > 0]
        height = -0.2 * (place + 1)
        left.plot([passes[0], passes[-1]], [height, height], color=colour, linewidth=4, solid_capstyle="butt")
        right.plot(z, found[window].by_raw + 0.0, color=colour, linewidth=3.9 - 0.9 * place, label=LABELS[window])
    left.set(xlabel=r"input $z$ ($\theta = 1$, L = 4)", ylim=(-0.95, 1.2), yticks=[0, 0.5, 1])
    axes_through_zero(right).set(xlabel=r"input $z$ ($\theta = 1$, L = 4)", ylabel=r"$\partial f/\partial\theta$")
    titles = (r"$f(z)$, bars: where $\partial f/\partial z = 1$", r"$\partial f/\partial\theta$")
    style.letters((left, right), titles)
    style.legend(fig)
    return fig
