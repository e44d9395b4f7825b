"""Signed spikes (Wang et al., 2022): a negative spike takes an excess one back.

    h = v + x;   s = 1 if h >= theta, -1 if h < 0 and the neuron has fired more often than taken back, else 0
    v <- h - s theta

h < 0 means that the input so far asks for fewer spikes than were sent. The price is a second bit for the sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..neurons import along_channels, current, over_time
from .base import Fire, Method, Neurons


def signed_block(
    x: Tensor, plus: Tensor | None, states: tuple[Tensor, ...], theta: Tensor, steps: int
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """As `neurons.if_block`; the states are v, and the spikes sent less those taken back."""
    outputs, (v, sent) = [], states
    for t in range(steps):
        h = v + current(x, plus, t)
        spike = (h >= theta).to(h.dtype) - ((h < 0) & (sent > 0)).to(h.dtype)
        out = theta * spike
        v, sent = h - out, sent + spike
        outputs.append(out)
    return torch.stack(outputs), (v, sent)


@dataclass(frozen=True)
class Signed(Method):
    """No hidden step: what was wrong in one step is mended in a later one."""

    name = "signed"
    label = "signed"
    colour = "#5F2D69"
    marker = "X"
    source = "Wang et al., 2022"
    summary = "a spike of −θ takes back one that later inputs show to be too many"

    def neurons(self, work: int) -> tuple[None, Fire]:
        def fire(site: str, x: Tensor, plus: Tensor | None, layer: Neurons) -> Tensor:
            half = (along_channels(layer.threshold, x.dim() - 1) / 2).expand(x.shape[1:])
            return over_time(signed_block, x, layer.threshold, (half, torch.zeros_like(x[0])), plus, work)[0]

        return None, fire

    def bits(self, L: int) -> int:
        return 2
