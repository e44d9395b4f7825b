"""COS (Hao, Ding, et al. 2023), the offset spikes of the paper's own results.

In every layer, ``rho`` steps of its input decide whether the initial membrane potential is shifted so that one
spike is added or removed; then the layer starts again and answers.

What an answer at T takes: a layer looks at rho steps of its input and then answers. The layer behind it looks at
rho steps of that answer, so it has to emit max(T, rho) of them and works rho + max(T, rho) steps: 8 at T = 1 and
rho = 4. Only the last layer, which no neurons follow, is done after rho + T, 5. Since every layer holds its first
answer back for rho steps, the clock shows rho times the number of layers, + T.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..engine.kernels import fastest_over_time
from ..neurons import Layout, current, if_step, integrate_and_fire
from .base import Fire, Method, Neurons

MARGIN = 1e-3  # of theta: how far a shift goes past the point where the spike count changes
NO_SILENT_STEP = -1000.0  # of theta: stands for the largest silent membrane where every step fired


@dataclass(frozen=True)
class COS(Method):
    """Offset spikes, for each image and layer anew."""

    rho: int = 4

    name = "cos"
    label = "COS"
    colour = "#009E73"
    marker = "^"
    source = "Hao et al., ICLR 2023"
    summary = "in every layer, ρ steps of its input first shift the start by one spike where that is needed"

    @property
    def presteps(self) -> int:
        return self.rho

    def length(self, T: int) -> int:
        """Never below rho, which the next layer looks at: a shorter run is the beginning of one of rho steps."""
        return max(T, self.rho)

    def steps(self, T: int, last: bool = False) -> int:
        return self.rho + (T if last else self.length(T))

    def clock(self, T: int, sites: int) -> int:
        return self.rho * sites + T

    def neurons(self, work: int) -> tuple[None, Fire]:
        def fire(site: str, x: Tensor, plus: Tensor | None, layer: Neurons) -> Tensor:
            v = offset_start(x, layer.threshold, self.rho, plus, work)
            return integrate_and_fire(x, layer.threshold, v, plus, work)[0]

        return None, fire


def offset_start(x: Tensor, theta: Tensor, rho: int, plus: Tensor | None = None, work: int | None = None) -> Tensor:
    """The shifted initial membrane potential [N, C, ...] of COS, from the first ``rho`` steps of ``x``.

    In units of theta, with residual v after rho steps, smallest pre-reset potential m_fired of the steps that
    fired and largest m_silent of those that did not:

        v < 0 and fired at least once:  v(0) = 1/2 - max(1, m_fired - 0.999)    removes a spike
        v >= 1:                         v(0) = 1/2 + max(1, 1.001 - m_silent)   adds one

    A neuron that fired in all rho steps and still has v >= 1 has no silent step. As in the public code it
    starts at about 1001 theta and fires for ever: its target rate is saturated.

    Args:
        x: input, [T, N, C, ...] with T >= rho; further steps are not looked at.
        theta: threshold, [] or [C].
        plus, work: as in `neurons.integrate_and_fire`.
    """
    layout = Layout(x, plus)
    more = None if plus is None else layout.train(plus[:rho])
    run = fastest_over_time(shift, x, work)
    return layout.back(run(layout.train(x[:rho]), more, layout.per_neuron(theta), rho))


def shift(x: Tensor, plus: Tensor | None, theta: Tensor, rho: int) -> Tensor:
    """`offset_start` [n] for ``x`` and ``plus`` as in `neurons.if_block`, and the threshold of each neuron."""
    begin = v = theta / 2
    fired, silent = torch.full_like(v, torch.inf), torch.full_like(v, NO_SILENT_STEP)
    for t in range(rho):
        step = current(x, plus, t)
        h = (v + step) / theta
        spike = h >= 1
        fired = torch.where(spike, torch.minimum(fired, h), fired)
        silent = torch.where(spike, silent, torch.maximum(silent, h))
        v = if_step(v, step, theta)[1]
    residual = v / theta
    down = torch.where((residual < 0) & fired.isfinite(), (fired - 1 + MARGIN).clamp_min(1), 0)
    up = torch.where(residual >= 1, (1 + MARGIN - silent).clamp_min(1), 0)
    return begin + (up - down) * theta
