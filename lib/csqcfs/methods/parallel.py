"""Parallel neurons (Hao et al., ICML 2025, arXiv 2412.13610): all T spikes follow from the sum of all T inputs.

    s(t) = [x(1) + ... + x(T) + theta / 2 >= (T - t + 1) theta]

A neuron thus fires clip(floor(sum / theta + 1/2), 0, T) times, in its last steps: QCFS of its mean input with L = T,
in whatever order the inputs come, so that there is no unevenness. The price: a layer needs all its T inputs before
its first output. On one clock each layer takes T - 1 steps longer than the one before, and a run is made for one T:
the beginning of a longer run answers nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..neurons import along_channels
from .base import Fire, Method


def all_at_once(x: Tensor, theta: Tensor, plus: Tensor | None = None) -> Tensor:
    """Outputs s(t) theta [T, N, C, ...] for the inputs ``x`` and what is added to them."""
    level = along_channels(theta, x.dim() - 1)
    total = level / 2 + x.sum(0) + (0 if plus is None else plus.sum(0))
    needed = torch.arange(len(x), 0, -1, device=x.device, dtype=x.dtype).view(-1, *[1] * (x.dim() - 1))
    return level * (total >= needed * level)


@dataclass(frozen=True)
class Parallel(Method):
    """A layer works T steps to listen and T to speak, of which one is the same; the next layer starts then."""

    name = "parallel"
    label = "parallel"
    colour = "#92B161"
    marker = "p"
    source = "Hao et al., ICML 2025"
    summary = "all T spikes are decided from the sum of the T inputs, for which a layer waits"
    anytime = False

    def neurons(self, work: int) -> tuple[None, Fire]:
        return None, lambda site, x, plus, layer: all_at_once(x, layer.threshold, plus)

    def steps(self, T: int, last: bool = False) -> int:
        return 2 * T - 1

    def clock(self, T: int, sites: int) -> int:
        """The first layer sees one image all the time and need not wait; each further one waits T - 1 steps."""
        return T + (sites - 1) * (T - 1)
