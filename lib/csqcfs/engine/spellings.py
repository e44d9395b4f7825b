"""ReLUs in other words, as ``h * (h > 0)``, ``torch.maximum(h, zeros)`` or ``relu(h).clamp(max=1)``, found by values.

Names decide only what is tried: functions of one element at a time, and of constants that neither training nor a file
changes. A value that is a ReLU of an earlier one, clipped or not, at numbers of every size and sign, and has its
slope, is written as that ReLU. Shapes and types of the example tell values from sizes: without one nothing is tried.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from .folding import refuse_hooks
from .layers import attribute, behind, bound, describe
from .modules import device_of
from .shadow import applied, held

ELEMENTWISE = set(
    "gt ge lt le greater greater_equal less less_equal logical_not logical_and invert and maximum minimum fmax fmin "
    "max min where add sub rsub mul multiply div truediv divide neg negative abs absolute masked_fill zero assigned "
    "sign relu relu6 hardtanh threshold leaky_relu elu celu prelu clamp clip clamp_min clamp_max clone contiguous to "
    "detach type type_as float double int long bool zeros_like ones_like full_like new_tensor tensor full "
    "new_full".split()
)
MADE_OF_SIZES = {"zeros", "ones", "new_zeros", "new_ones"}  # whose values do not depend on them
LONGEST = 12  # operations of one
VALUES = 512  # at which one is compared first; where a constant has a shape of its own, at those of the example


def respell(graph: fx.GraphModule) -> None:
    """Write every ReLU of ``graph`` that is in other words as F.relu or F.hardtanh, in place.

    Raises:
        InputError: a hook on a module that is a part of one.
    """
    images = behind(graph.graph, lambda node: node.op == "placeholder")
    order = {node: number for number, node in enumerate(graph.graph.nodes)}
    for node in list(graph.graph.nodes):
        known = bound(node, graph)
        if node not in images or not _floating(node) or not (_elementwise(node) or known is not None):
            continue
        for start, between in _starts(node, images, order, graph):
            if not _alike(start, node) or (known is not None and not between):
                continue
            steps = _steps(graph, start, node, order)
            high = steps and _bound(graph, start, steps)
            if high is not None and (known is None or float(torch.tensor(known, dtype=node.meta["dtype"])) != high):
                new = _rewritten(graph, start, steps, high)
                order[new] = order[node]
                images.add(new)
                break


def _floating(node: fx.Node) -> bool:
    return "dtype" in node.meta and node.meta["dtype"].is_floating_point


def _alike(start: fx.Node, node: fx.Node) -> bool:
    return all(start.meta.get(what) == node.meta.get(what) for what in ("shape", "dtype"))


def _name(node: fx.Node) -> str:
    target = node.args[1] if node.target is applied else node.target
    return (target if isinstance(target, str) else getattr(target, "__name__", "")).split(".")[0].strip("_")


def _elementwise(node: fx.Node) -> bool:
    """Whether ``node`` is a function of one element at a time, by name: max and min are, of two tensors."""
    if node.op not in ("call_function", "call_method") or _name(node) not in ELEMENTWISE | MADE_OF_SIZES:
        return False
    return _name(node) not in ("max", "min") or len(node.all_input_nodes) == 2


def _size(node: fx.Node) -> bool:
    """Whether ``node`` is the shape of a value, or a size of it."""
    if node.op == "call_function" and node.target in (operator.getitem, held):
        return isinstance(node.args[0], fx.Node) and _size(node.args[0])
    return (node.op == "call_method" and node.target == "size") or (node.target is getattr and node.args[1] == "shape")


def _about(node: fx.Node) -> bool:
    """Whether ``node`` is the type or device of a value."""
    return node.target is getattr and node.args[1] in ("dtype", "device")


def _starts(
    node: fx.Node, images: set[fx.Node], order: dict[fx.Node, int], graph: fx.GraphModule
) -> Iterator[tuple[fx.Node, list[fx.Node]]]:
    """Values that ``node`` is a function of, nearest first, each with the operations between them, last first."""
    front, between = {parent for parent in node.all_input_nodes if parent in images}, list[fx.Node]()
    while front and len(between) < LONGEST:
        last = max(front, key=order.__getitem__)
        if len(front) == 1:
            yield last, between
        if not (_elementwise(last) or _size(last) or _about(last) or bound(last, graph) is not None):
            return
        front = (front - {last}) | {parent for parent in last.all_input_nodes if parent in images}
        between.append(last)


def _steps(graph: fx.GraphModule, start: fx.Node, node: fx.Node, order: dict[fx.Node, int]) -> list[fx.Node] | None:
    """What must be computed for ``node`` where ``start`` is given, in order; None where values of it may change."""
    needed, left = {node}, [node]
    while left:
        new = {parent for parent in left.pop().all_input_nodes if parent is not start and parent not in needed}
        needed |= new
        left += new
    for one in needed:
        if one.op == "get_attr":
            kept = one.target.rpartition(".")[2].startswith("_tensor_constant") or one.target not in graph.state_dict()
            if not kept or isinstance(attribute(graph, one.target), nn.Parameter):
                return None  # by training, or by a file that is read
        elif _size(one):
            if not all(_size(user) or _name(user) in MADE_OF_SIZES for user in one.users if user in needed):
                return None  # by other images
        elif not (_elementwise(one) or _about(one) or bound(one, graph) is not None):
            return None
    return sorted(needed, key=order.__getitem__)


def _bound(graph: fx.GraphModule, start: fx.Node, steps: Sequence[fx.Node]) -> float | None:
    """The upper bound of the ReLU of ``start`` that the last of ``steps`` is; None where it is none, or but a multiple
    of one that is known among them, which it hands on.
    """
    high = None
    for shape in ((VALUES,), tuple(start.meta["shape"])):
        try:
            x, y, slope, others = _compared(graph, start, steps, shape)
        except Exception:  # constants of another shape, or other functions of the same names
            high = None
            continue
        high = math.inf if y.max() == x.max() else float(y.max())
        if not (high > 0 and torch.equal(y, x.clamp(0, high)) and torch.equal(slope, ((x > 0) & (x < high)).to(slope))):
            return None
        rounding = 4 * torch.finfo(x.dtype).eps
        for other in others:
            if torch.allclose(y, other * (y.max() / other.max()), rounding, 0):
                return None
    return high


def _compared(
    graph: fx.GraphModule, start: fx.Node, steps: Sequence[fx.Node], shape: tuple[int, ...]
) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    """Values of ``start``, those of the last step, its slopes, and values of the ReLUs among the others, flat.

    They come with both signs, and with either alone.
    """
    generator = torch.Generator().manual_seed(0)
    relus = [node for node in steps[:-1] if bound(node, graph) is not None and _alike(start, node)]
    most = 8 if torch.finfo(start.meta["dtype"]).max > 1e10 else 4  # of their exponents
    runs: list[list[Tensor]] = []
    with torch.inference_mode(False), torch.enable_grad():
        sizes = torch.empty(shape, device="cpu").uniform_(-4, most, generator=generator)
        drawn = torch.randn(shape, generator=generator, device="cpu") * 10**sizes
        for values in (drawn, drawn.abs(), -drawn.abs()):
            x = values.to(device_of(graph), start.meta["dtype"]).requires_grad_()
            interpreter = fx.Interpreter(graph)
            interpreter.extra_traceback, interpreter.env = False, {start: x}
            for node in steps:
                interpreter.env[node] = interpreter.run_node(node)
            y = interpreter.env[steps[-1]]
            (slope,) = torch.autograd.grad(y.sum(), x)
            found = [x, y, slope, *(interpreter.env[node] for node in relus)]
            if any(value.shape != x.shape for value in found):
                raise ValueError(f"{shape} becomes {tuple(y.shape)}")
            runs.append([value.detach().flatten() for value in found])
    x, y, slope, *others = (torch.cat(values) for values in zip(*runs, strict=True))
    return x, y, slope, others


def _rewritten(graph: fx.GraphModule, start: fx.Node, steps: Sequence[fx.Node], high: float) -> fx.Node:
    """The ReLU in the place of the last of ``steps``; what nothing else reads is gone."""
    node = steps[-1]
    with graph.graph.inserting_before(node):
        if math.isinf(high):
            new = graph.graph.call_function(F.relu, (start,))
        else:
            new = graph.graph.call_function(F.hardtanh, (start, 0.0, high))
    new.meta = node.meta | {"written": describe(node, graph).removesuffix("()")}
    node.replace_all_uses_with(new)
    for old in reversed(steps):
        if not old.users and old.target is not held:
            if old.op == "call_module":
                refuse_hooks(old.target, graph.get_submodule(old.target), "replaced by QCFS")
            graph.graph.erase_node(old)
    return new
