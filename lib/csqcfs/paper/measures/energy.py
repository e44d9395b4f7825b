"""Operations and energy of one inference from counted synaptic operations, by several conventions (Table 7).

A synaptic operation is one weight that meets one input. With binary spikes and theta folded into the next
layer's weights it is an accumulation (AC), with any other input a multiplication and an accumulation (MAC).
Published counts differ in what they do with three kinds of inputs:

- the image, analog and constant: its layers compute the same value at every step, so once is enough, but most
  counts have it T times;
- spikes averaged by a pooling layer: k theta / m is an addition after folding only if one counts what is not
  zero, as NeuroBench and SpikingJelly do not: they count an input that is not binary as MAC;
- spikes worth theta where theta is not folded: the same tools then count every layer as MAC.

A spike that carries one of several levels ("graded") is a small number, and a MAC in every convention.

Counts here are per image. Zero inputs cost nothing; membrane updates and biases are not counted; whether the paper
counts them it does not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ... import methods
from ...engine.errors import InputError
from .. import published


class Convention(NamedTuple):
    """What counts as MAC, and how often the layers before the first neurons are computed."""

    label: str
    short: str
    macs: frozenset[str]  # of the kinds of input "analog", "graded", "averaged", "spikes"
    analog_each_step: bool


CONVENTIONS = {
    "folded": Convention("theta folded, first layer once", "folded", frozenset({"analog", "graded"}), False),
    "each step": Convention(
        "theta folded, first layer at every step", "first layer each step", frozenset({"analog", "graded"}), True
    ),
    "averages": Convention(
        "averaged spikes are MACs, first layer at every step",
        "averages MACs",
        frozenset({"analog", "graded", "averaged"}),
        True,
    ),
    "unfolded": Convention(
        "every input worth theta is a MAC, first layer at every step",
        "all MACs",
        frozenset({"analog", "graded", "averaged", "spikes"}),
        True,
    ),
}
DEFAULT = "folded"


class Operations(NamedTuple):
    """Accumulations and multiply-accumulations of one image."""

    ac: float
    mac: float

    @property
    def millijoules(self) -> float:
        """Energy in mJ at 0.9 pJ for each AC and 4.6 pJ for each MAC (section 5.7)."""
        return (self.ac * published.PICOJOULE_PER_AC + self.mac * published.PICOJOULE_PER_MAC) * 1e-9


def ann(metrics: Mapping[str, Any]) -> Operations:
    """The network as an ANN: every weight meets every input, by the layers' shapes, padding included."""
    return Operations(0.0, sum(layer["macs"] for layer in metrics["layers"]))


def snn(metrics: Mapping[str, Any], T: int, convention: str = DEFAULT, *, presteps: bool = False) -> Operations:
    """Operations of the SNN for T steps.

    Args:
        metrics: of a run of the kind "operations".
        convention: one of `CONVENTIONS`.
        presteps: with the steps that the method takes before it answers, see `methods`. A layer of COS needs rho
            steps of the layer before it, so that its T = 1 costs as much as T = rho.

    Raises:
        InputError: a T that was not counted; an unknown convention.
    """
    if convention not in CONVENTIONS:
        raise InputError(f"convention = {convention!r}: expected one of {', '.join(CONVENTIONS)}")
    longest = metrics["T"]
    if T not in range(1, longest + 1):
        raise InputError(f"T = {T!r}: expected 1 to {longest}, the steps that were counted")
    kinds, analog_each_step = CONVENTIONS[convention].macs, CONVENTIONS[convention].analog_each_step
    run = methods.of_record(metrics).length(T) if presteps else T
    sums = {"ac": 0.0, "mac": 0.0}
    for layer in metrics["layers"]:
        if layer["kind"] == "analog":
            total = layer["macs"] * ((run + metrics["presteps"] * presteps) if analog_each_step else 1)
        else:
            total = layer["ac"][run - 1] + layer["pre"] * presteps
        sums["mac" if layer["kind"] in kinds else "ac"] += total
    return Operations(**sums)


def additions_per_synapse(metrics: Mapping[str, Any], T: int) -> float:
    """Accumulations of ``T`` steps over the synapses of all layers that see spikes."""
    layers = [layer for layer in metrics["layers"] if layer["kind"] != "analog"]
    return sum(layer["ac"][T - 1] for layer in layers) / sum(layer["macs"] for layer in layers)


def matching_time(metrics: Mapping[str, Any], per_synapse: float) -> float | None:
    """The T, interpolated, at which `additions_per_synapse` reach a value; None beyond the counted steps.

    A T below 1 means that the first step has more already: no run is so short.
    """
    before = 0.0
    for T in range(1, metrics["T"] + 1):
        now = additions_per_synapse(metrics, T)
        if now >= per_synapse:
            return T - 1 + (per_synapse - before) / (now - before)
        before = now
    return None
