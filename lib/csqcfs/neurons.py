"""The integrate-and-fire (IF) neuron with soft reset, as pure functions over a whole spike train (Eqs. 1-3).

    h(t) = v(t-1) + x(t);   s(t) = [h(t) >= theta];   v(t) = h(t) - s(t) theta;   output s(t) theta

starting from v(0) = theta / 2. Time is the leading axis, [T, N, C, ...]; theta is [] or [C]. Eqs. 1 and 3 use
one symbol for the membrane potential before and after the reset; here it is h before and v after.

For a constant input and T = L steps the mean output equals QCFS exactly, ties included, in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .engine.kernels import fastest_over_time

# (inputs, added inputs, states, thresholds, steps) -> (outputs, states), as `if_block`
Block = Callable[[Tensor, Tensor | None, tuple[Tensor, ...], Tensor, int], tuple[Tensor, tuple[Tensor, ...]]]
# Most time-steps in one kernel, which keeps v in registers meanwhile. With 32, a simulation of so many is no faster,
# and its kernels are ready after 36 s instead of 23.
BLOCK = 8


def along_channels(theta: Tensor, dim: int) -> Tensor:
    """Shape theta ([] or [C]) to broadcast against [N, C, ...] of ``dim`` dimensions."""
    return theta.reshape(-1, *[1] * (dim - 2)) if theta.dim() else theta


def if_step(v: Tensor, x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
    """One step (Eqs. 1-3): output s theta and the membrane potential after the soft reset, shapes as ``x``.

    ``theta`` broadcasts against ``x``; a negative one is simulated as the equations say.
    """
    h = v + x
    # not torch.where: without a compiler it takes twice the time, and with one ten times where theta is one number
    out = theta * (h >= theta)
    return out, h - out


def if_block(
    x: Tensor, plus: Tensor | None, states: tuple[Tensor, ...], theta: Tensor, steps: int
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """``steps`` of `if_step` from the membrane potentials ``states[0]`` [n]: outputs [steps, n] and the last states.

    ``x`` is [steps, n], or [1, n] where the input is constant; ``plus`` [steps, n] is added to it.
    """
    outputs, (v,) = [], states
    for t in range(steps):
        out, v = if_step(v, current(x, plus, t), theta)
        outputs.append(out)
    return torch.stack(outputs), (v,)


def current(x: Tensor, plus: Tensor | None, t: int) -> Tensor:
    """Input of step ``t``, as in `if_block`."""
    x = x[t if len(x) > 1 else 0]
    return x if plus is None else x + plus[t]


class Layout:
    """The memory order of ``x`` [T, N, C, ...], in which neurons are written as one axis.

    One axis serves every rank, both memory formats and both kinds of threshold, so that they share a kernel. An input
    that is an expanded view of one step is constant, unless ``plus`` is added to it.
    """

    def __init__(self, x: Tensor, plus: Tensor | None = None):
        self.shape = x.shape[1:]
        self.constant = len(x) > 1 and x.stride(0) == 0 and plus is None
        self.channels_last = x.dim() > 3 and self._steps(x).movedim(1, -1).is_contiguous()

    def _steps(self, x: Tensor) -> Tensor:
        """[M, C, ...] with M the images of all steps, or those of one step where the input is constant."""
        return x[0] if self.constant else x.flatten(0, 1)

    def flat(self, z: Tensor) -> Tensor:
        """[M, C, ...] as one axis."""
        return (z.movedim(1, -1) if self.channels_last else z).reshape(-1)

    def train(self, x: Tensor) -> Tensor:
        """[T, N, C, ...] as [T, n]; [1, n] where it is constant."""
        return self.flat(self._steps(x)).reshape(1 if self.constant else len(x), -1)

    def per_neuron(self, theta: Tensor) -> Tensor:
        """theta, [] or [C], of each neuron: [n]."""
        return self.flat(along_channels(theta, len(self.shape)).expand(self.shape))

    def back(self, flat: Tensor) -> Tensor:
        """[n] as [N, C, ...], or [T, n] as [T, N, C, ...]."""
        number, channels, *size = self.shape
        lead = flat.shape[:-1]
        if self.channels_last:
            return flat.view(*lead, number, *size, channels).movedim(-1, len(lead) + 1)
        return flat.view(*lead, *self.shape)


def integrate_and_fire(
    x: Tensor, theta: Tensor, v: Tensor | None = None, plus: Tensor | None = None, work: int | None = None
) -> tuple[Tensor, Tensor]:
    """Output s(t) theta of IF neurons for the input ``x``, and their last membrane potential.

    Args:
        x: input of each step, [T, N, C, ...]; a constant input may be an expanded view of one step.
        theta: threshold, [] or [C].
        v: membrane potential at the start, [N, C, ...]; theta / 2 by default.
        plus: added to ``x``, of the same shape: a residual sum without a pass over memory.
        work: elements of the simulation to which ``x`` belongs, which decide whether a compiler pays; those of
            ``x`` by default.
    """
    v = (along_channels(theta, x.dim() - 1) / 2).expand(x.shape[1:]) if v is None else v
    out, (v,) = over_time(if_block, x, theta, (v,), plus, work)
    return out, v


def over_time(
    block: Block, x: Tensor, theta: Tensor, states: tuple[Tensor, ...], plus: Tensor | None, work: int | None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Outputs [T, N, C, ...] and last states [N, C, ...] of neurons whose recursion is ``block``, see `if_block`."""
    T, layout = len(x), Layout(x, plus)
    level, inputs = layout.per_neuron(theta), layout.train(x)
    flat = tuple(layout.flat(state).contiguous() for state in states)  # a kernel for expanded ones would be another
    more = None if plus is None else layout.train(plus)
    run = fastest_over_time(block, x, work)
    parts = []
    for t in range(0, T, BLOCK):
        steps = slice(t, min(t + BLOCK, T))
        out, flat = run(
            inputs if layout.constant else inputs[steps],
            more if more is None else more[steps],
            flat,
            level,
            steps.stop - t,
        )
        parts.append(out)
    return layout.back(parts[0] if len(parts) == 1 else torch.cat(parts)), tuple(map(layout.back, flat))


def trace(x: Tensor, theta: Tensor, v: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Outputs and membrane potentials after each reset, both [T, N, C, ...]; the same dynamics, kept whole."""
    level = along_channels(theta, x.dim() - 1)
    v = level / 2 if v is None else v
    steps = []
    for step in x:
        out, v = if_step(v, step, level)
        steps.append((out, v))
    outputs, potentials = zip(*steps)
    return torch.stack(outputs), torch.stack(potentials)
