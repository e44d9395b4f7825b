"""IF neurons as they are (Eqs. 1-3), and the other two starts of their membrane potential.

For a constant input z and T steps the number of spikes is, within 0..T,

    v(0) = 0          floor(z T / theta)
    v(0) = theta / 2  floor(z T / theta + 1/2), QCFS: half a step up and down
    v(0) = theta      floor(z T / theta + 1), the ceiling but where z T is a multiple of theta

so that only a start at theta / 2 answers as a network trained with QCFS expects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..neurons import along_channels, integrate_and_fire
from .base import Fire, Method, Neurons


@dataclass(frozen=True)
class Plain(Method):
    """IF neurons from theta / 2, nothing before them: T steps are T steps."""

    name = "plain"
    label = "plain"
    colour = "#0072B2"
    marker = "o"
    source = "Bu et al., ICLR 2022"
    summary = "IF neurons that start at θ/2; T steps are T steps"
    any_threshold = True
    start: ClassVar[float] = 0.5  # v(0) in units of theta

    def neurons(self, work: int) -> tuple[None, Fire]:
        def fire(site: str, x: Tensor, plus: Tensor | None, layer: Neurons) -> Tensor:
            v = None
            if self.start != 0.5:
                v = (self.start * along_channels(layer.threshold, x.dim() - 1)).expand(x.shape[1:])
            return integrate_and_fire(x, layer.threshold, v, plus, work)[0]

        return None, fire


@dataclass(frozen=True)
class Floor(Plain):
    """IF neurons from 0, which round down."""

    name = "floor"
    label = "start at 0"
    colour = "#8E78FF"
    marker = "1"
    source = "Rueckauer et al., 2017"
    summary = "IF neurons that start at 0 and so round down"
    start = 0.0


@dataclass(frozen=True)
class Ceil(Plain):
    """IF neurons from theta, which round up."""

    name = "ceil"
    label = "start at θ"
    colour = "#A11500"
    marker = "2"
    source = "openreview 9pZhYkf80k"
    summary = "IF neurons that start at θ and so round up"
    start = 1.0
