"""The integrate-and-fire (IF) neuron with soft reset, as pure functions over a whole spike train (Eqs. 1-3).

    h(t) = v(t-1) + x(t);   s(t) = [h(t) >= theta];   v(t) = h(t) - s(t) theta;   output s(t) theta

starting from v(0) = theta / 2. Time is the leading axis, [T, N, C, ...]; theta is [] or [C]. Eqs. 1 and 3 use
one symbol for the membrane potential before and after the reset; here it is h before and v after.

For a constant input and T = L steps the mean output equals QCFS exactly, ties included, in exact arithmetic.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .kernels import as_rows, fastest, from_rows

BLOCK = 32  # most time-steps in one kernel, which keeps v in registers throughout


def along_channels(theta: Tensor, dim: int) -> Tensor:
    """Shape theta ([] or [C]) to broadcast against [N, C, ...] of ``dim`` dimensions."""
    return theta.reshape(-1, *[1] * (dim - 2)) if theta.dim() else theta


def if_step(v: Tensor, x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
    """One step (Eqs. 1-3): output s theta and the membrane potential after the soft reset, shapes as ``x``.

    ``theta`` broadcasts against ``x``; a negative one is simulated as the equations say.
    """
    h = v + x
    out = torch.where(h >= theta, theta, 0)
    return out, h - out


def if_block(x: Tensor, plus: Tensor | None, v: Tensor, theta: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """``steps`` of `if_step` from ``v``: outputs [steps, ...] and the last membrane potential.

    ``x`` is [steps, ...], or [1, ...] where the input is constant; ``plus`` is added to it, [steps, ...].
    """
    outputs = []
    for t in range(steps):
        current = x[t if len(x) > 1 else 0]
        out, v = if_step(v, current if plus is None else current + plus[t], theta)
        outputs.append(out)
    return torch.stack(outputs), v


def start(x: Tensor, theta: Tensor) -> Tensor:
    """v(0) = theta / 2 in the shape and memory order of one step of ``x`` [T, N, C, ...]."""
    return torch.empty_like(x[0]).copy_(along_channels(theta, x.dim() - 1) / 2)


def as_neurons(x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor, int]:
    """``x`` [T, N, C, ...] in memory order, ``theta`` to broadcast against one step of it, and the channels' place.

    [T, rows, C] where channels lie last in memory or ``x`` is [T, N, C], else [T, N, C, rows]. No other shapes
    occur, since a size of 1 would have a kernel of its own. A constant ``x`` keeps its one step, [1, ...].
    """
    constant = len(x) > 1 and x.stride(0) == 0
    rows, channel_dim = as_rows(x[0] if constant else x.flatten(0, 1))
    if channel_dim == 2:
        rows = rows.reshape(1 if constant else len(x), -1, rows.shape[2])
        return rows, theta.reshape(-1), channel_dim
    return rows.unflatten(0, (1 if constant else len(x), -1)), theta.reshape(-1, 1), channel_dim


def from_neurons(rows: Tensor, shape: torch.Size, channel_dim: int) -> Tensor:
    """Undo `as_neurons` for one step, ``shape`` [N, C, ...], or for several merged into N."""
    if channel_dim == 2:
        return from_rows(rows.reshape(shape[0], -1, shape[1]), shape, 2) if len(shape) > 2 else rows.reshape(shape)
    return rows.reshape(shape)


def integrate_and_fire(
    x: Tensor, theta: Tensor, v: Tensor | None = None, plus: Tensor | None = None, work: int | None = None
) -> tuple[Tensor, Tensor]:
    """Output s(t) theta of IF neurons for the input ``x``, and their last membrane potential.

    Args:
        x: input of each step, [T, N, C, ...]; a constant input may be an expanded view of one step.
        theta: threshold, [] or [C].
        v: membrane potential at the start, [N, C, ...]; theta / 2 by default.
        plus: added to ``x``, of the same shape and strides: a residual sum without a pass over memory.
        work: elements of the simulation to which ``x`` belongs, which decide whether a compiler pays; those of
            ``x`` by default.
    """
    T, shape = len(x), x.shape[1:]
    v = start(x, theta) if v is None else torch.empty_like(x[0]).copy_(v)
    rows, level, channel_dim = as_neurons(x, theta)
    potential = as_neurons(v[None], theta)[0][0]
    more = None if plus is None else as_neurons(plus, theta)[0]
    run = fastest(if_block, work or x.numel(), x.device)
    parts = []
    for t in range(0, T, BLOCK):
        steps = slice(t, min(t + BLOCK, T))
        current = rows if len(rows) < T else rows[steps]
        out, potential = run(current, more if more is None else more[steps], potential, level, steps.stop - t)
        parts.append(out)
    out = parts[0] if len(parts) == 1 else torch.cat(parts)
    out = from_neurons(out, torch.Size((T * shape[0], *shape[1:])), channel_dim)
    return out.unflatten(0, (T, -1)), from_neurons(potential, shape, channel_dim)


def trace(x: Tensor, theta: Tensor, v: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Outputs and membrane potentials after each reset, both [T, N, C, ...]; the same dynamics, kept whole."""
    level = along_channels(theta, x.dim() - 1)
    v = start(x, theta) if v is None else v
    steps = []
    for current in x:
        out, v = if_step(v, current, level)
        steps.append((out, v))
    outputs, potentials = zip(*steps)
    return torch.stack(outputs), torch.stack(potentials)
