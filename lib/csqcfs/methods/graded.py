"""Graded spikes (Scale-and-Fire, arXiv 2510.23383): one spike carries a whole number of levels, 0..L.

With the step theta / L of the activation, in place of theta, and v(0) of half a step,

    k = clip(floor((v + x) / step), 0, L);   v <- v + x - k step;   output k step

so that the first step of each neuron is QCFS itself and T = 1 loses nothing but rounding. The price: a spike has L + 1
values, so that a link carries ceil(log2(L + 1)) bits, and a synapse multiplies its weight by a small number, which is
at most as many shifted additions; for L = 4 fewer would do, since no level up to 4 has more than two bits set.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..neurons import current, over_time
from .base import Fire, Method, Neurons


def graded_block(
    x: Tensor, plus: Tensor | None, states: tuple[Tensor, ...], theta: Tensor, steps: int
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """As `neurons.if_block`; the states are v in units of step, and L."""
    outputs, (v, L) = [], states
    step = theta / L
    for t in range(steps):
        v = v + current(x, plus, t) / step
        k = torch.minimum(v.floor().clamp_min(0), L)
        v = v - k
        outputs.append(k * step)
    return torch.stack(outputs), (v, L)


@dataclass(frozen=True)
class Graded(Method):
    """No hidden step: a spike tells in one step what takes others L."""

    name = "graded"
    label = "graded"
    colour = "#9608F4"
    marker = "*"
    source = "arXiv 2510.23383"
    summary = "a spike carries one of L + 1 levels, so that one step is QCFS itself"
    binary = False

    def neurons(self, work: int) -> tuple[None, Fire]:
        def fire(site: str, x: Tensor, plus: Tensor | None, layer: Neurons) -> Tensor:
            states = (torch.full_like(x[0], 0.5), torch.full_like(x[0], layer.L))
            return over_time(graded_block, x, layer.threshold, states, plus, work)[0]

        return None, fire

    def bits(self, L: int) -> int:
        return L.bit_length()  # = ceil(log2(L + 1))

    def additions(self, L: int) -> int:
        return self.bits(L)
