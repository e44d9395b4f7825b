"""The two runs that the probe compares: all steps of a batch at once, and one image alone, on random activations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from .errors import InputError
from .simulation import IF, Simulation, in_order

RELATIVE = 1e-9  # of the largest number that moves at a site
ABSOLUTE = 1e-11  # of the draw's size
SWING = 16  # of large disturbances: both signs of a number that few values make, which a clamp tells apart
OFF_GRID = 1 + 2**-40  # makes of a number in single precision one that is none


@dataclass
class Draw:
    """Random outputs of every activation for ``images`` over ``steps``, the same whatever runs them."""

    images: int
    steps: int
    size: float
    positive: bool = False  # as neurons with a positive threshold: roots, logarithms and powers have their values there
    disturbed: bool = True
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))
    values: dict[str, Tensor] = field(default_factory=dict)
    noise: dict[str, Tensor] = field(default_factory=dict)

    def spikes(self, name: str, x: Tensor) -> Tensor:
        """Outputs [steps, images ...] for the input ``x`` of a layer: v and a disturbance of mean zero.

        For a random half of the entries it is Gaussian, which no ReLU commutes with, and in a positive draw that of
        shares of v. The others are steps v at one step and exactly 0 at the rest, as spikes are: a network may ask
        whether a value is 0.
        """
        if name not in self.values:
            shape = (self.steps, *x.shape[1:])
            value, noise = self._normal(shape[1:]), self._normal(shape) * (SWING if self.size > 1 else 1)
            if self.positive:
                value, noise = value.abs(), noise.abs()
                noise = value * noise / noise.mean(0)
            spike = torch.where(noise == noise.amax(0), value * (self.steps - 1), -value)
            spiking = self._normal(shape[1:]) > 0
            self.noise[name] = torch.where(spiking, spike, noise - noise.mean(0)).to(x.device)
            self.values[name] = value.to(x.device)
        value = self.values[name].expand(x.shape[0], *self.values[name].shape)
        out = (value + self.noise[name] if self.disturbed else value).flatten(0, 1)
        return in_order((out,))[0].unflatten(0, (self.steps, -1))

    def _normal(self, shape: tuple[int, ...]) -> Tensor:
        drawn = torch.randn(shape, generator=self.generator, dtype=torch.float32, device="cpu")  # a third of the time
        return drawn.double() * (self.size * OFF_GRID)


class Together(Simulation):
    """The simulation with the draw's spikes: what enters each layer, and, to find a fault, every value's mean."""

    def __init__(self, graph: fx.GraphModule, draw: Draw, carrying: dict[str, str], keep: bool = False):
        super().__init__(graph, draw.steps, self._fire, None, "probe", carrying)
        self.draw, self.keep = draw, keep
        self.entering: dict[str, Tensor] = {}
        self.means: dict[fx.Node, Any] = {}
        self.node: fx.Node | None = None

    def _fire(self, name: str, x: Tensor, plus: Tensor | None, neurons: IF) -> Tensor:
        self.entering[name] = x if plus is None else x + plus
        return self.draw.spikes(name, x)

    def run_node(self, node: fx.Node) -> Any:
        self.node = node
        out = super().run_node(node)
        if self.keep and isinstance(out, Tensor) and node in self.timed and node.op != "output":
            self.means[node] = precise(self._steps(out)).mean(0) if self._in_front(out) else None
        return out


class Alone(fx.Interpreter):
    """Image ``i`` of a draw by itself, once, with the activations' undisturbed values."""

    def __init__(self, graph: fx.GraphModule, draw: Draw, i: int, keep: bool = False):
        super().__init__(graph)
        self.draw, self.i, self.keep, self.extra_traceback = draw, i, keep, False
        self.entering: dict[str, Tensor] = {}
        self.all: dict[fx.Node, Any] = {}
        self.out: Any = None

    def run_node(self, node: fx.Node) -> Any:
        self.site = node.name
        out = super().run_node(node)
        if self.keep:
            self.all[node] = out
        return out

    def call_module(self, target: str, args: tuple, kwargs: dict) -> Any:
        if not isinstance(self.module.get_submodule(target), IF):
            return super().call_module(target, args, kwargs)
        x = self.entering[self.site] = args[0]
        value = share(self.draw.values[self.site], self.draw.images, self.i)
        if value.numel() != x.numel():
            raise InputError(
                f"the batch is not in dimension 0 at {target}, where one image gives {list(x.shape)}: expected it "
                "there; move it back before the activation"
            )
        return value.reshape(x.shape)


def share(value: Tensor, images: int, i: int) -> Tensor:
    """What image ``i`` has of a value whose first dimension is that of ``images``."""
    each = len(value) // images
    return value[i * each : (i + 1) * each]


def precise(x: Tensor) -> Tensor:
    """``x`` in double precision, complex where it is."""
    return x.to(torch.complex128 if x.is_complex() else torch.float64)


def same(over_time: Any, alone: Any, draw: Draw, i: int) -> bool:
    """Whether [steps, images ...] is, in the mean over steps, [1 ...] at image ``i``."""
    if not isinstance(over_time, Tensor) or not isinstance(alone, Tensor):
        return type(over_time) is type(alone) and over_time == alone
    with torch._C.DisableTorchFunction():  # the probe's mode is for what the network makes, and costs more than these
        return _same(over_time, alone, draw, i)


def _same(over_time: Tensor, alone: Tensor, draw: Draw, i: int) -> bool:
    if over_time.dim() < 2 or over_time.shape[1] % draw.images:
        return False
    mine = precise(share(over_time.movedim(0, 1), draw.images, i).movedim(0, 1))
    if mine[0].numel() != alone.numel() or mine[0].dim() - alone.dim() not in (0, 1):
        return False
    wanted = precise(alone).reshape(mine[0].shape)
    if not wanted.numel():
        return True
    mean, lost = mine.mean(0), ~wanted.isfinite()  # broken weights are not the probe's to find
    moving = ~(mine == wanted).all(0)  # a mask's constant -1e9 says nothing of the rounding beside it
    largest = max(float((x.nan_to_num(0, 0, 0).abs() * moving).max()) for x in (mine, wanted))
    near = (mean - wanted).abs() <= RELATIVE * largest + ABSOLUTE * draw.size
    return bool((near | ~moving | (lost & ~mean.isfinite())).all())


def without_finite(value: Any) -> bool:
    """Whether a tensor in ``value`` has floats and none that is finite, so that `same` compares nothing."""
    tensors = [x for x in pytree.tree_leaves(value) if isinstance(x, Tensor) and x.numel()]
    return any(not x.isfinite().any() for x in tensors)
