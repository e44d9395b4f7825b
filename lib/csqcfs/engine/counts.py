"""Numbers by which a network counts along the batch, as the 16 of ``h[:16]``: measured only with more images than that.

Such an operation is right for few images and wrong for many, and time makes T images of one.
"""

from __future__ import annotations

import operator
from typing import Any

from torch import Tensor, fx

from .layers import counts_images
from .shadow import leaves
from .simulation import dependence

# operations that take numbers of entries, along dimension 0 unless another is given
COUNTING = {"split", "split_with_sizes", "tensor_split", "chunk", "narrow", "select", "roll", "unsafe_split", "vsplit"}


def largest_count(graph: fx.GraphModule) -> int:
    """The largest number by which an operation over time may count along dimension 0; 0 where there is none."""
    _, timed = dependence(graph)
    return max((abs(number) for node in timed for number in _numbers(node, graph)), default=0)


def _numbers(node: fx.Node, graph: fx.GraphModule) -> list[int]:
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if name in COUNTING:
        dim = node.kwargs.get("dim", 0)
        found = _whole((node.args[1:], node.kwargs))
        return found if dim == 0 and (len(found) < 2 or 0 in found or isinstance(node.args[1], (list, tuple))) else []
    if node.target is not operator.getitem:
        return []
    source, index = node.args
    first = index[0] if isinstance(index, tuple) and index else index
    if isinstance(first, slice) and _counts(first.start, first.stop) and source.op == "get_attr":
        table = operator.attrgetter(source.target)(graph)  # a table of which each image of the batch takes its own part
        return [len(table)] if isinstance(table, Tensor) and table.dim() else []
    return _whole((first.start, first.stop) if isinstance(first, slice) else (first,))


def _whole(argument: Any) -> list[int]:
    """The whole numbers in nested arguments."""
    return [leaf for leaf in leaves(argument) if type(leaf) is int]


def _counts(*ends: Any) -> bool:
    """Whether one of the ends of a slice is a number of images."""
    return any(isinstance(end, fx.Node) and counts_images(end) for end in ends)
