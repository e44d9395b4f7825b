"""A traced network over all time-steps at once: which values depend on time, and how they carry it.

A value that depends on the image alone (analog coding: the same image at every step) is computed once. Behind
the first neurons every value has time in front of the batch in its first dimension, [T N, ...], so that the
layers between neurons see T N images.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from .batched import Batched
from .errors import InputError

Observer = Callable[[str, nn.Module | None, Tensor, Tensor, str], None]
Fire = Callable[[str, Tensor, Tensor | None, "IF"], Tensor]  # (call site, input, added input, neurons) -> output
SUMS = {operator.add, torch.add}
LEAVES = (Tensor, int, float, complex, str, type(None))


class IF(nn.Module):
    """A layer of IF neurons: its threshold, [] or [C], the levels L of its activation, its place in the network."""

    def __init__(self, threshold: Tensor, L: int = 1):
        super().__init__()
        self.L = L
        self.register_buffer("threshold", threshold.detach().clone())

    def extra_repr(self) -> str:
        theta = self.threshold
        spread = "meta" if theta.is_meta else f"{theta.min().item():.4g}..{theta.max().item():.4g}"
        return f"thresholds={theta.numel()}, {spread}"


class Simulation(Batched):
    """Runs ``graph`` for T steps; ``fire`` gives the output of each layer of neurons, [T, N, C, ...].

    ``front`` says how values that depend on the image alone carry the batch, see `front`. The result has the
    structure of the network's, with time in front of every tensor.
    """

    def __init__(
        self, graph: fx.GraphModule, T: int, fire: Fire, observer: Observer | None, phase: str, front: dict[str, str]
    ):
        super().__init__(graph)
        self.T, self.fire, self.observer, self.phase, self.front = T, fire, observer, phase, front
        self.N = 0
        self.again: dict[fx.Node, Any] = {}
        self.constant, self.timed = dependence(graph)
        # an observer sees the sum; without one the neurons' kernel adds, which saves a pass over memory
        self.sums = set() if observer is not None else {n for n in self.timed if self._ends_in_neurons(n)}

    def run(self, *inputs: Tensor) -> Any:
        self.N = len(inputs[0])
        return _tensors(self._steps, plain(super().run(*inputs)))

    def run_node(self, node: fx.Node):
        if node not in self.timed:
            out = super().run_node(node)
            if self.front.get(node.name) == "again":
                shapes = not any(isinstance(leaf, Tensor) for leaf in pytree.tree_leaves(out))
                over_time = self._shape_over_time if shapes else self._over_time
                args, kwargs = fx.map_arg((node.args, node.kwargs), over_time)
                self.again[node] = getattr(self, node.op)(node.target, args, kwargs)
            return out
        module = self.module.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(module, IF):
            return self._neurons(node, module)
        args, kwargs = fx.map_arg((node.args, node.kwargs), self._over_time)
        if node.op == "output":
            return args[0]
        if node in self.sums and _alike(*args):
            return args
        out = getattr(self, node.op)(node.target, args, kwargs)
        if self.observer is not None and module is not None and args and self._in_front(args[0], out):
            self.observer(node.target, module, self._steps(args[0]), self._steps(out), self.phase)
        return out

    def _neurons(self, node: fx.Node, module: IF) -> Tensor:
        (source,) = node.all_input_nodes
        value, plus = self.env[source], None
        if isinstance(value, tuple):
            x, plus = map(self._steps, value)
        elif source in self.constant and self.front.get(source.name) == "batched":
            x = value.expand(self.T, *value.shape)
        else:
            x = self._steps(self._over_time(source))
        single = x.dim() == 2  # one number for each image: a layer of one channel
        if single:
            x, plus = x.unsqueeze(-1), None if plus is None else plus.unsqueeze(-1)
        out = self.fire(node.name, x, plus, module)  # a name for each call, not for each module
        if self.observer is not None:
            self.observer(node.target, module, x, out, self.phase)
        return out.flatten() if single else out.flatten(0, 1)

    def _over_time(self, node: fx.Node) -> Any:
        """The value of ``node`` at every step, [T N, ...]."""
        return self._told(node, lambda x: x.expand(self.T, *x.shape).flatten(0, 1))

    def _shape_over_time(self, node: fx.Node) -> Any:
        """As `_over_time` where only the shape matters."""
        return self._told(node, lambda x: torch.empty((self.T * len(x), *x.shape[1:]), dtype=x.dtype, device="meta"))

    def _told(self, node: fx.Node, expanded: Callable[[Tensor], Tensor]) -> Any:
        if node in self.again:
            return self.again[node]
        value = self.env[node]
        if node not in self.constant or self.front.get(node.name) == "fixed":
            return value
        return _tensors(expanded, value)

    def _steps(self, value: Tensor) -> Tensor:
        if not value.dim() or len(value) % (self.T * self.N):
            found = len(value) if value.dim() else "none"
            raise ValueError(f"{found} entries in dimension 0 for {self.N} images at {self.T} steps")
        return value.unflatten(0, (self.T, -1))

    def _in_front(self, *values: Any) -> bool:
        """Whether all are tensors with time and batch in their first dimension."""
        return all(isinstance(v, Tensor) and v.dim() and not v.shape[0] % (self.T * self.N) for v in values)

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


def plain(value: Any) -> Any:
    """``value`` with the dicts and lists of torch.fx, and ordered ones, as Python's own.

    Raises:
        InputError: something of a kind whose tensors cannot be told.
    """
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list) or type(value) is tuple:
        return (list if isinstance(value, list) else tuple)(plain(entry) for entry in value)
    if not isinstance(value, LEAVES) and pytree.tree_structure(value).is_leaf():
        raise InputError(
            f"the network gives a {type(value).__name__}: expected tensors, or tuples, lists and dicts of them; return "
            "these instead"
        )
    return value


def in_order(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """``inputs`` in the memory order in which they are simulated: images as channels_last."""
    return tuple(x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x for x in inputs)


def _tensors(function: Callable[[Tensor], Any], value: Any) -> Any:
    """``value`` with ``function`` applied to every tensor in it."""
    return pytree.tree_map(lambda leaf: function(leaf) if isinstance(leaf, Tensor) else leaf, value)


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


def front(graph: fx.GraphModule, three: tuple[Tensor, ...], two: tuple[Tensor, ...]) -> dict[str, str]:
    """How each value that depends on the image alone carries the batch, found with three images and two others.

    "batched": in its first dimension; "fixed": the same for any images, as ``x.shape[2]``; "again": otherwise, as
    ``x.shape[0]``, so that it is computed anew for the images of all steps.
    """
    constant, timed = dependence(graph)
    seen: list[dict[fx.Node, Any]] = []

    class Front(fx.Interpreter):
        def run_node(self, node: fx.Node):
            if node in timed:
                return None
            out = super().run_node(node)
            if node in constant:
                seen[-1][node] = out
            return out

    for inputs in (three, two):
        seen.append({})
        interpreter = Front(graph)
        interpreter.extra_traceback = False
        interpreter.run(*inputs)
    return {node.name: _carrying(seen[0][node], seen[1][node]) for node in constant}


def _carrying(three: Any, two: Any) -> str:
    (a, first), (b, second) = pytree.tree_flatten(three), pytree.tree_flatten(two)
    if first != second:
        return "again"
    if all(_equal(x, y) for x, y in zip(a, b)):
        return "fixed"
    return "batched" if all(_batched(x, y) for x, y in zip(a, b)) else "again"


def _equal(x: Any, y: Any) -> bool:
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return x.shape == y.shape and torch.equal(x, y)
    return type(x) is type(y) and x == y


def _batched(x: Any, y: Any) -> bool:
    if not isinstance(x, Tensor) or not isinstance(y, Tensor) or not x.dim() or not y.dim():
        return False
    return x.shape[1:] == y.shape[1:] and x.shape[0] * 2 == y.shape[0] * 3 and x.shape[0] > 0
