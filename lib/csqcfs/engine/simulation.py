"""A traced network over all time-steps at once: which values depend on time, and how they carry it.

A value that depends on the image alone (analog coding: the same image at every step) is computed once. Behind
the first neurons every value has time in its batch dimension, [T N, ...], so that the layers between neurons
see T N images.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

import torch
from torch import Tensor, fx, nn

Observer = Callable[[str, nn.Module | None, Tensor, Tensor, str], None]
Fire = Callable[[str, Tensor, Tensor | None, "IF"], Tensor]  # (call site, input, added input, neurons) -> output
SUMS = {operator.add, operator.iadd, torch.add}


class IF(nn.Module):
    """A layer of IF neurons: its threshold, [] or [C], the levels L of its activation, its place in the network."""

    def __init__(self, threshold: Tensor, L: int = 1):
        super().__init__()
        self.L = L
        self.register_buffer("threshold", threshold.detach().clone())

    def extra_repr(self) -> str:
        low, high = self.threshold.min().item(), self.threshold.max().item()
        return f"thresholds={self.threshold.numel()}, {low:.4g}..{high:.4g}"


class Simulation(fx.Interpreter):
    """Runs ``graph`` for T steps; ``fire`` gives the output of each layer of neurons, [T, N, C, ...]."""

    def __init__(self, graph: fx.GraphModule, T: int, fire: Fire, observer: Observer | None, phase: str):
        super().__init__(graph)
        self.T, self.fire, self.observer, self.phase = T, fire, observer, phase
        self.N = 0
        self.constant, self.timed = dependence(graph)
        # an observer sees the sum; without one the neurons' kernel adds, which saves a pass over memory
        self.sums = set() if observer is not None else {n for n in self.timed if self._ends_in_neurons(n)}

    def run(self, x: Tensor) -> Tensor:
        self.N = len(x)
        out = super().run(x)
        return out.unflatten(0, (self.T, self.N))

    def run_node(self, node: fx.Node):
        if node not in self.timed:
            return super().run_node(node)
        module = self.module.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(module, IF):
            return self._neurons(node, module)
        args, kwargs = fx.map_arg((node.args, node.kwargs), self._over_time)
        if node.op == "output":
            return args[0]
        if node in self.sums and _alike(*args):
            return args
        if node.target in ("view", "reshape", torch.reshape):
            args = (args[0], self._new_batch(*args[1:]))
        out = getattr(self, node.op)(node.target, args, kwargs)
        if self.observer is not None and module is not None:
            self.observer(node.target, module, self._steps(args[0]), self._steps(out), self.phase)
        return out

    def call_method(self, target: str, args: tuple, kwargs: dict):
        # images are in channels_last order, of which a view may not exist
        return super().call_method("reshape" if target == "view" else target, args, kwargs)

    def _neurons(self, node: fx.Node, module: IF) -> Tensor:
        value, plus = self.env[node.args[0]], None
        if isinstance(value, tuple):
            x, plus = map(self._steps, value)
        elif node.args[0] in self.constant:
            x = value.expand(self.T, *value.shape)
        else:
            x = self._steps(value)
        out = self.fire(node.name, x, plus, module)  # a name for each call, not for each module
        if self.observer is not None:
            self.observer(node.target, module, x, out, self.phase)
        return out.flatten(0, 1)

    def _over_time(self, node: fx.Node):
        """The value of ``node`` at every step, [T N, ...]."""
        value = self.env[node]
        if isinstance(value, Tensor) and node in self.constant:
            return value.expand(self.T, *value.shape).flatten(0, 1)
        return value

    def _steps(self, value: Tensor) -> Tensor:
        return value.unflatten(0, (self.T, self.N))

    def _new_batch(self, *sizes) -> tuple:
        """Target sizes of a reshape, where the batch size was read off a value without time."""
        sizes = sizes[0] if isinstance(sizes[0], (tuple, list)) else sizes
        return (self.T * self.N if sizes[0] == self.N else sizes[0], *sizes[1:])

    def _ends_in_neurons(self, node: fx.Node) -> bool:
        """Whether ``node`` is a sum of two values that only one layer of neurons reads."""
        if node.op != "call_function" or node.target not in SUMS or node.kwargs or len(node.all_input_nodes) != 2:
            return False
        reader = next(iter(node.users)) if len(node.users) == 1 else None
        return (
            reader is not None
            and reader.op == "call_module"
            and isinstance(self.module.get_submodule(reader.target), IF)
        )


def _alike(a, b) -> bool:
    """Whether two values are tensors of one kind, shape and memory order."""
    return (
        isinstance(a, Tensor)
        and isinstance(b, Tensor)
        and a.dtype == b.dtype
        and a.shape == b.shape
        and a.stride() == b.stride()
    )


def dependence(graph: fx.GraphModule) -> tuple[set[fx.Node], set[fx.Node]]:
    """Nodes that depend on the image alone, and nodes that depend on spikes (and the output)."""
    constant: set[fx.Node] = set()
    timed: set[fx.Node] = set()
    for node in graph.graph.nodes:
        neurons = node.op == "call_module" and isinstance(graph.get_submodule(node.target), IF)
        if neurons or node.op == "output" or any(parent in timed for parent in node.all_input_nodes):
            timed.add(node)
        elif node.op == "placeholder" or any(parent in constant for parent in node.all_input_nodes):
            constant.add(node)
    return constant, timed
