"""The two published corrections of the unevenness error, which look at the input before they answer.

Both act on the IF neurons of `neurons.py` with thresholds per layer or per channel, and both need steps that
"T" does not count:

- SRP (Hao, Bu, et al. 2023): ``tau`` steps of the whole network find the neurons whose residual membrane
  potential says that they should be silent; in the T steps that follow, their output is zero.
- COS (Hao, Ding, et al. 2023), the offset spikes of the paper's own results: in every layer, ``rho`` steps of
  its input decide whether the initial membrane potential is shifted so that one spike is added or removed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..engine.kernels import fastest
from ..neurons import Layout, along_channels, current, if_step

RESIDUE = 1e-3  # of theta: a membrane potential above this marks a neuron as active (SRP)
MARGIN = 1e-3  # of theta: how far a shift goes past the point where the spike count changes (COS)
NO_SILENT_STEP = -1000.0  # of theta: stands for the largest silent membrane where every step fired


def residual_mask(v: Tensor, theta: Tensor) -> Tensor:
    """Neurons that SRP lets speak: membrane potential after ``tau`` steps above 1e-3 theta. Bool, as ``v``."""
    return v / along_channels(theta, v.dim()) > RESIDUE


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
    layout = Layout(x)
    more = None if plus is None else layout.train(plus[:rho])
    run = fastest(shift, work or x.numel(), x.device, recursion=True)
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
