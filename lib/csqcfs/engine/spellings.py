"""ReLUs in other words, as ``h * (h > 0)``, ``torch.maximum(h, zeros)`` or ``relu(h).clamp(max=1)``, found by values.

Names decide only what is tried: functions that take one element at a time. A value that is a ReLU of an earlier one,
clipped or not, at numbers of every size, and has the gradient of one, is written as that ReLU.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from .layers import attribute, behind, bound, describe
from .modules import device_of

ELEMENTWISE = set(
    "gt ge lt le greater greater_equal less less_equal logical_not invert and maximum minimum max min fmax fmin where "
    "add sub rsub mul multiply div truediv divide neg negative abs absolute masked_fill assigned applied sign detach "
    "relu relu6 hardtanh threshold leaky_relu elu celu prelu clamp clip clamp_min clamp_max clone contiguous float to "
    "double type_as zeros ones full tensor zeros_like ones_like full_like new_zeros new_ones new_full size getattr "
    "held".split()
)
LONGEST = 12  # operations of one
VALUES = 512  # at least, at which one is compared


def respell(graph: fx.GraphModule) -> None:
    """Write every ReLU of ``graph`` that is in other words as F.relu or F.hardtanh, in place."""
    images = behind(graph.graph, lambda node: node.op == "placeholder")
    order = {node: number for number, node in enumerate(graph.graph.nodes)}
    for node in list(graph.graph.nodes):
        known = bound(node, graph)
        if node not in images or (known is None and not _elementwise(node)):
            continue
        for start, between in _starts(node, images, order, graph):
            if not _alike(start, node) or (known is not None and not between):
                continue
            high = _bound(graph, start, node, order)
            if high not in (None, known, *(bound(other, graph) for other in between)):  # else one of them is that ReLU
                new = _rewritten(graph, start, node, between, high)
                order[new] = order[node]
                images.add(new)
                break


def _alike(start: fx.Node, node: fx.Node) -> bool:
    """Whether two values have one shape and type, as far as known."""
    return all(start.meta.get(what) == node.meta.get(what) for what in ("shape", "dtype"))


def _elementwise(node: fx.Node) -> bool:
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return node.op in ("call_function", "call_method") and name.split(".")[0].strip("_") in ELEMENTWISE


def _starts(
    node: fx.Node, images: set[fx.Node], order: dict[fx.Node, int], graph: fx.GraphModule
) -> Iterator[tuple[fx.Node, list[fx.Node]]]:
    """Values that ``node`` is a function of, nearest first, each with the operations between them, last first."""
    front, between = {parent for parent in node.all_input_nodes if parent in images}, list[fx.Node]()
    while front and len(between) < LONGEST:
        last = max(front, key=order.__getitem__)
        if len(front) == 1:
            yield last, between
        if not _elementwise(last) and bound(last, graph) is None:
            return
        front = (front - {last}) | {parent for parent in last.all_input_nodes if parent in images}
        between.append(last)


def _bound(graph: fx.GraphModule, start: fx.Node, node: fx.Node, order: dict[fx.Node, int]) -> float | None:
    """The upper bound of the ReLU that ``node`` is of ``start``, by values and slopes; None where it is none."""
    needed, left = {node}, [node]
    while left:
        new = [parent for parent in left.pop().all_input_nodes if parent is not start and parent not in needed]
        needed.update(new)
        left += new
    if any(n.op == "get_attr" and isinstance(attribute(graph, n.target), nn.Parameter) for n in needed):
        return None  # it would be trained
    steps, shape = sorted(needed, key=order.__getitem__), start.meta.get("shape", (VALUES,))
    dtype = start.meta.get("dtype", torch.get_default_dtype())
    generator = torch.Generator().manual_seed(0)
    runs: list[tuple[Tensor, ...]] = []
    for _ in range(-(-VALUES // max(math.prod(shape), 1))):
        sizes = torch.empty(shape, device="cpu").uniform_(-4, 4, generator=generator)
        x = torch.randn(shape, generator=generator, device="cpu") * 10**sizes
        try:
            runs.append(_run(graph, start, steps, x.to(device_of(graph), dtype)))
        except Exception:  # other functions of the same names
            return None
    x, y, slope = (torch.cat([run[i].flatten() for run in runs]) for i in range(3))
    high = math.inf if y.max() == x.max() else float(y.max())
    same = high > 0 and torch.equal(y, x.clamp(0, high)) and torch.equal(slope, ((x > 0) & (x < high)).to(slope))
    return high if same else None


def _run(graph: fx.GraphModule, start: fx.Node, steps: list[fx.Node], x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``x`` at ``start``, what the last of ``steps`` gives for it, and the slope."""
    interpreter = fx.Interpreter(graph)
    interpreter.extra_traceback, interpreter.env = False, {start: x}
    with torch.enable_grad():
        x.requires_grad_()
        for node in steps:
            interpreter.env[node] = interpreter.run_node(node)
        y = interpreter.env[steps[-1]]
        (slope,) = torch.autograd.grad(y.sum(), x)
    if y.shape != x.shape:
        raise ValueError(y.shape)
    return x.detach(), y.detach(), slope


def _rewritten(graph: fx.GraphModule, start: fx.Node, node: fx.Node, between: list[fx.Node], high: float) -> fx.Node:
    """The ReLU in the place of ``node``; what nothing else reads is gone."""
    with graph.graph.inserting_before(node):
        if math.isinf(high):
            new = graph.graph.call_function(F.relu, (start,))
        else:
            new = graph.graph.call_function(F.hardtanh, (start, 0.0, high))
    new.meta = node.meta | {"written": describe(node, graph).removesuffix("()")}
    node.replace_all_uses_with(new)
    for old in (node, *between):
        if not old.users:
            graph.graph.erase_node(old)
    return new
