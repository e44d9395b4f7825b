"""Where the features of a value lie, which are the channels of the layer that made it: in dimension 1, or elsewhere.

A convolution makes [N, C, ...], a linear layer [N, ..., features], and a network may move dimensions in between.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator

import torch
from torch import fx, nn
from torch.nn import functional as F

from .layers import behind, called, module_at

LAST = (nn.Linear, nn.Bilinear, nn.Embedding)
LAST_FUNCTIONS = {F.linear, F.bilinear, F.embedding}
PRODUCTS = {torch.matmul, operator.matmul, "matmul", "__matmul__"}  # with weights behind
FIRST = (nn.modules.conv._ConvNd,)
FIRST_FUNCTIONS = {
    *(F.conv1d, F.conv2d, F.conv3d, torch.conv1d, torch.conv2d, torch.conv3d),
    *(F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d),
}
NAMES = ("permute", "transpose", "movedim", "moveaxis", "swapaxes", "swapdims", "adjoint", "t")
MOVES = {*NAMES, *(getattr(torch, name) for name in NAMES)}
TURNED = {"T", "mT", "H", "mH"}


def axes(graph: fx.GraphModule) -> dict[fx.Node, int]:
    """The dimension of each value's features, as far as the layers before it and shapes in the nodes tell."""
    found: dict[fx.Node, int] = {}
    images = behind(graph.graph, lambda node: node.op == "placeholder")
    for node in graph.graph.nodes:
        rank, module = len(node.meta.get("shape", ())), module_at(node, graph)
        by_weights = called(node) in PRODUCTS and len(node.args) > 1 and node.args[1] not in images
        if rank < 2:
            continue
        if isinstance(module, LAST) or node.target in LAST_FUNCTIONS or by_weights:
            found[node] = rank - 1
        elif isinstance(module, FIRST) or node.target in FIRST_FUNCTIONS:
            found[node] = 1
        elif (axis := next(_inherited(node, found), None)) is not None:
            found[node] = axis
    return found


def _inherited(node: fx.Node, found: dict[fx.Node, int]) -> Iterator[int]:
    """The dimension in which ``node`` leaves the features of a value that it reads."""
    after = node.meta["shape"]
    for read in node.all_input_nodes:
        axis, before = found.get(read), read.meta.get("shape", ())
        if axis is None:
            continue
        if called(node) in MOVES or (node.target is getattr and node.args[1] in TURNED):
            if len(node.all_input_nodes) == 1:  # by fixed numbers
                yield _moved(node, read, axis)
        elif len(before) == len(after):
            yield axis
        elif axis == len(before) - 1 and before[-1] == after[-1]:
            yield len(after) - 1
        elif axis == 1 and before[1] == after[1]:
            yield 1


def _moved(node: fx.Node, read: fx.Node, axis: int) -> int:
    """Where ``node`` moves dimension ``axis`` of ``read``, found with sizes that are all different."""
    x = torch.empty([2 + d for d in range(len(read.meta["shape"]))], device="meta")
    args, kwargs = fx.map_arg((node.args, node.kwargs), lambda other: x if other is read else other)
    out = getattr(x, node.target)(*args[1:], **kwargs) if node.op == "call_method" else node.target(*args, **kwargs)
    return list(out.shape).index(2 + axis)
