"""Figures of what goes beyond the paper: second stages, the honest first step, methods on three axes.

Those of second stages and first steps take the part of the page for one data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ..experiments import beyond
from ..names import NAMES, span
from ..pages import biases, first_step, said, since, softplus
from . import shared, style

WITHOUT = ", no decay"  # behind the name of a second stage, which is drawn hollow then
CHOSEN = {"markersize": 7, "markeredgecolor": "black", "markerfacecolor": "none", "linestyle": "none"}
OWN = style.METHODS["csqcfs"]
FEW = {1: ("#4D3500", "o"), 2: ("#8A5F00", "s"), 3: ("#A87300", "p"), 4: ("#C9A14A", "h")}  # L other than the paper's


def _stage(name: str, seeds: int) -> tuple[str, dict[str, Any]]:
    """Colour and mark of a second stage: its activation's, hollow without decay."""
    look = style.METHODS["qcfs" if name == "start" else name.removesuffix(WITHOUT)]
    mark = {"marker": look.marker, "label": _with_seeds(softplus.STAGES[name], seeds)}
    return look.colour, mark | {"markerfacecolor": "white" if name.endswith(WITHOUT) else look.colour}


def _with_seeds(label: str, seeds: int) -> str:
    """A label of a legend, with what its interval rests on."""
    return f"{label} (n = {seeds})"


def second_stages(page) -> Figure | None:
    """(a) each second stage minus CS-QCFS as printed over time, plain; (b) what differences between channels bring."""
    found = {name: records for name in softplus.STAGES if (records := page.results((name, "plain")))}
    if not found:
        return None
    fig, (left, right) = plt.subplots(1, 2, figsize=(style.PAGE, 3.2))
    left.axhline(0, color="grey", linewidth=0.8)
    for factor, name in zip(shared.aside(len(found), 1.6), found, strict=True):
        gaps = [said.compared(page, (name, "plain"), ("csqcfs", "plain"), T) for T in beyond.SHOWN]
        if name == "csqcfs" or None in gaps:
            continue
        colour, mark = _stage(name, gaps[0].seeds)
        shared.differences(left, factor * np.array(beyond.SHOWN), gaps, colour, **mark)
    right.axhline(0, color="grey", linewidth=0.8)
    for name, (apart, gaps) in softplus.spread(page).items():
        colour, mark = _stage(name, gaps[1].seeds)
        shared.differences(right, [apart], [gaps[1]], colour, **mark)
    shared.log2_axis(left, beyond.SHOWN, "time-step T")
    left.set_ylabel("minus CS-QCFS, plain (points)")
    right.set_xlim(left=0)
    right.set_xlabel("spread of a layer's thresholds, σ / mean")
    right.set_ylabel("gain over their mean at T = 1 (points)")
    style.letters((left, right), ("against CS-QCFS as printed", "what the channels' own thresholds bring"))
    for ax in (left, right):
        ax.grid(axis="y")
    style.legend(fig)
    return fig


def first_steps(page) -> Figure | None:
    """(a) plain accuracy over T of networks trained at each L; (b) the best of them on one clock, with hidden steps.

    Of COS, T = 1 and the last alone, beside each other: on one clock they are as good as at one place.
    """
    looks = _few_looks(first_step.levels(page))
    if not any(page.results((*key, "plain")) for key in looks):
        return None
    fig, (left, right) = plt.subplots(1, 2, figsize=(style.PAGE, 3.5))
    every = range(1, beyond.T + 1)
    for factor, ((network, L), (colour, marker)) in zip(shared.aside(len(looks), 1.1), looks.items(), strict=True):
        if records := page.results((network, L, "plain")):
            look = {"marker": marker, "linestyle": {"start": ":", "longer": "--"}.get(network, "-")}
            look["label"] = _with_seeds(first_step.named(network, L), len(records))
            shared.band(left, factor * np.array(every), [(records, T) for T in every], colour, **look)
    curves = first_step.answers(page)
    plain = [curve for curve in curves.values() if curve[0].clock == 1]
    if plain:
        within = [[one for curve in plain for one in curve if one.clock <= T] for T in every]
        best = [(one.records, one.T) for one in (max(some, key=lambda one: one.accuracy) for some in within)]
        n = span(len(records) for records, _ in best)
        label = f"best with no hidden step, calibrated biases among them (n = {n})"
        x, rows = [*every, 1.2 * beyond.T], [*best, best[-1]]  # for the last one to be seen
        shared.band(right, x, rows, "black", drawstyle="steps-post", label=label)
    cos = [name for name in curves if NAMES["cos"] in name]
    beside = dict(zip(cos, shared.aside(len(cos), 1.6), strict=True))
    for name, curve in curves.items():
        if name in cos or NAMES["srp"] in name:
            look = style.METHODS[{"CS-": "ours", "CE-": "ceqcfs"}.get(name[:3], "cos" if name in cos else "srp")]
            shown = [curve[0], curve[-1]] if name in cos else curve
            x, rows = [beside.get(name, 1) * one.clock for one in shown], [(one.records, one.T) for one in shown]
            drawn = {"marker": look.marker, "label": _with_seeds(name, len(curve[0].records))}
            hollow = look is style.METHODS["ceqcfs"]  # whose full mark is that of plain neurons in (a)
            drawn["markerfacecolor"] = "white" if hollow else look.colour
            shared.bars(right, x, rows, look.colour, **drawn)
    shared.log2_axis(left, beyond.SHOWN, "time-step T, no hidden steps\n(networks side by side)")
    clock = "steps on one clock, hidden ones counted\n(COS: T = 1 and the last, side by side)"
    shared.log2_axis(right, (1, 2, 4, 8, 16, 32, 64), clock)
    style.letters((left, right), ("trained for few steps", "what an answer takes"))
    for ax in (left, right):
        ax.set_ylabel("accuracy (%)")
        ax.grid(axis="y")
    style.legend(fig)
    return fig


def _few_looks(levels: Sequence[int]) -> dict[tuple[str, int], tuple[str, str]]:
    """Colour and marker of each network; neurons of the start are the same SNN at every L."""
    if not levels:
        return {}
    *_, full = levels
    exponential, qcfs = style.METHODS["ceqcfs"], style.METHODS["qcfs"]
    return {
        **{("csqcfs", L): FEW[L] for L in levels if L != full},
        ("csqcfs", full): (OWN.colour, OWN.marker),
        ("longer", 1): (FEW[1][0], "v"),
        ("turns", 1): ("#D6278A", "*"),
        ("mixed", full): ("#2BC4C4", "X"),
        ("ceqcfs", full): (exponential.colour, exponential.marker),
        ("start", full): (qcfs.colour, qcfs.marker),
        ("paper", full): ("#C42503", "v"),
    }


def when_sure(page) -> Figure | None:
    """Accuracy over mean steps: of all images alike (thin), and stopping when sure, each margin a point of a line."""
    found = first_step.sure(page)
    if not found:
        return None
    fig, ax = plt.subplots(figsize=(0.75 * style.PAGE, 3.2))
    for (network, L, _), one in found.items():
        look = style.METHODS["qcfs" if network == "start" else network]
        name, line = f"{look.label}, L = {L}", "-" if L == first_step.levels(page)[-1] else "--"
        curve = page.results((network, L, "plain"))[:1]  # the seed whose stopping is measured
        if curve:
            steps = range(1, beyond.T + 1)
            accuracies = [shared.interval(curve, T)[0] for T in steps]
            ax.plot(steps, accuracies, color=look.colour, linewidth=0.7, marker=".", linestyle=line, alpha=0.7)
        mark = {"marker": look.marker, "markerfacecolor": look.colour if line == "-" else "white"}
        every = len(one["test"]["steps"]) // 6
        drawn = {"color": look.colour, "linestyle": line, "markevery": every, "label": name}
        ax.plot(one["test"]["steps"], one["test"]["accuracy"], **drawn, **mark)
        place = one["chosen"]
        chosen = one["test"]["steps"][place], one["test"]["accuracy"][place]
        ax.plot(*chosen, marker=look.marker, zorder=3, **CHOSEN)
    ax.plot([], [], marker="o", **CHOSEN, label="margin chosen on validation images")
    ax.plot([], [], color="#666666", linewidth=0.7, marker=".", alpha=0.7, label="all images alike")
    shared.log2_axis(ax, beyond.SHOWN, "steps, mean over images")
    ax.set_ylabel("accuracy (%)")
    ax.grid(axis="y")
    style.legend(fig)
    return fig


def calibrated(page) -> Figure | None:
    """Accuracy of runs of T steps with biases calibrated for T (filled), and with the network's own (hollow)."""
    found = biases.calibrated(page)
    if not found:
        return None
    fig, ax = plt.subplots(figsize=(0.75 * style.PAGE, 3.2))
    looks = _few_looks(first_step.levels(page))
    for factor, (key, runs) in zip(shared.aside(len(found), 1.3), found.items(), strict=True):
        colour, marker = looks[key]
        name = _with_seeds(first_step.named(*key), len(next(iter(runs.values()))))
        x, look = factor * np.array(list(runs)), {"marker": marker}
        if plain := biases.own(page, key):
            shared.bars(ax, x, [(plain, T) for T in runs], colour, linestyle=":", markerfacecolor="white", **look)
        shared.bars(ax, x, [(records, T) for T, records in runs.items()], colour, linestyle="-", label=name, **look)
    ax.plot([], [], color="#666666", marker="o", markerfacecolor="white", linestyle=":", label="their own biases")
    shared.log2_axis(ax, tuple(beyond.CALIBRATED), "time-step T, no hidden steps (networks side by side)")
    ax.set_ylabel("accuracy (%)")
    ax.grid(axis="y")
    style.legend(fig)
    return fig


LOST = 20  # % that a method never reaches which has lost the network
COSTS = {
    "steps on one clock": lambda answer: answer.clock,
    "additions per image (M)": lambda answer: answer.additions / 1e6,
    "kilobits per image": lambda answer: answer.bits / 1e3,
}


def methods(page) -> Figure | None:
    """Accuracy of every method on one network against its clock, its additions and the bits of its spikes.

    Plain neurons are drawn hollow and larger, since some methods are one with them at T = 1.
    """
    found = since.answers(page)
    if not found:
        return None
    lost = [method for method, curve in found.items() if max(answer.accuracy for answer in curve) < LOST]
    fig, axes = plt.subplots(1, 3, figsize=(style.PAGE, 3.2), sharey=True)
    for ax, (label, cost) in zip(axes, COSTS.items(), strict=True):
        drawn = [method for method in found if method not in lost]
        for method in drawn:
            plain, records = method == "plain", page.results(("start", method, "snn"))
            look = style.METHODS["qcfs" if plain else method]
            x = [cost(answer) for answer in found[method] if answer.T in beyond.SHOWN]
            hollow = {"markerfacecolor": "white", "markersize": 7, "zorder": 1}
            mark: dict[str, Any] = {"marker": look.marker, "label": "plain (QCFS)" if plain else look.label}
            shared.bars(
                ax, x, [(records, T) for T in beyond.SHOWN], look.colour, **mark, **(hollow if plain else shared.EDGE)
            )
        shared.error_scale(ax)
        shared.log_axis(ax, label).grid(axis="y")
    handles, _ = axes[0].get_legend_handles_labels()
    if lost:
        names = " and ".join(style.METHODS[method].label for method in lost)
        handles.append(shared.remark(f"not drawn, below {LOST} %: {names}"))
    axes[0].set_ylabel(shared.ERROR_SCALE)
    style.letters(axes, ("time", "arithmetic", "communication"))
    style.legend(fig, handles)
    return fig
