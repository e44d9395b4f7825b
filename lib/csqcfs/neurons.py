"""The integrate-and-fire (IF) neuron with soft reset, as pure functions over a whole spike train (Eqs. 1-3).

    h(t) = v(t-1) + x(t);   s(t) = [h(t) >= theta];   v(t) = h(t) - s(t) theta;   output s(t) theta

starting from v(0) = theta / 2. Time is the leading axis, [T, N, C, ...]; theta is [] or [C]. Eqs. 1 and 3 use
one symbol for the membrane potential before and after the reset; here it is h before and v after.

For a constant input and T = L steps the mean output equals QCFS exactly, ties included, in exact arithmetic.
"""

from __future__ import annotations

import torch
from torch import Tensor


def along_channels(theta: Tensor, dim: int) -> Tensor:
    """Shape theta ([] or [C]) to broadcast against [N, C, ...] of ``dim`` dimensions."""
    return theta.reshape(-1, *[1] * (dim - 2)) if theta.dim() else theta


def if_step(v: Tensor, x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
    """One step (Eqs. 1-3): spikes (bool) and the membrane potential after the soft reset, shapes as ``x``."""
    h = v + x
    spikes = h >= theta
    return spikes, h - spikes * theta


def integrate_and_fire(x: Tensor, theta: Tensor, v: Tensor | None = None, *, membrane: Tensor | None = None) -> Tensor:
    """Output s(t) theta of IF neurons for the input ``x``, both [T, N, C, ...].

    Args:
        x: input of each step; may be an expanded view when it is constant.
        theta: threshold, [] or [C]; a negative one is simulated as Eqs. 1-3 say.
        v: membrane potential at the start, [N, C, ...] or broadcastable to it; theta / 2 by default.
        membrane: filled with the membrane potential after each reset when given, [T, N, C, ...].
    """
    theta = along_channels(theta, x.dim() - 1)
    v = (theta / 2 if v is None else v).expand(x.shape[1:]).clone(memory_format=torch.preserve_format)
    v = torch.empty_like(x[0]).copy_(v)  # the memory format of the input, for every buffer
    out = torch.empty_like(x) if not _is_expanded(x) else torch.stack([torch.empty_like(x[0])] * len(x))
    for t in range(len(x)):
        v.add_(x[t])
        torch.mul(v >= theta, theta, out=out[t])
        v.sub_(out[t])
        if membrane is not None:
            membrane[t] = v
    return out
