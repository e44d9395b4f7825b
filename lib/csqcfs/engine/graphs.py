"""A traced network that is pickled with its graph.

torch.fx pickles the text of a graph's forward and traces that anew on loading, without an example: what holds sizes
(`shadow.held`) or makes tensors of them cannot be traced so, and what tracing noted of each node would be lost.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import fx, nn

from .copies import carry
from .layers import place

NOTED = ("was", "written", "line", "shape", "dtype")  # of a node's meta


class Reader(str):
    """The name of a node, where another one reads it."""


class Written(NamedTuple):
    """One node as plain data."""

    name: str
    op: str
    target: Any
    args: Any
    kwargs: Any
    meta: dict[str, Any]


class Traced(fx.GraphModule):
    """A GraphModule; `torch.save` of the whole and `pickle` keep its graph, a copy the normalisation of its inputs."""

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in self.__dict__.items() if name != "_graph"}
        return _read, (type(self).__name__, state, [_written(node) for node in self.graph.nodes])

    def __deepcopy__(self, memo: dict[int, Any]) -> Traced:
        new = super().__deepcopy__(memo)
        carry(self, new)
        return new


def _written(node: fx.Node) -> Written:
    args, kwargs = fx.node.map_aggregate(
        (node.args, node.kwargs), lambda a: Reader(a.name) if isinstance(a, fx.Node) else a
    )
    meta = {name: node.meta[name] for name in NOTED if name in node.meta}
    if path := place(node):  # without the classes on the way, which may be gone when the file is read
        meta["nn_module_stack"] = {path: (path, None)}
    return Written(node.name, node.op, node.target, args, kwargs, meta)


def _read(name: str, state: dict[str, Any], nodes: list[Written]) -> Traced:
    graph, made = fx.Graph(), dict[str, fx.Node]()
    for node in nodes:
        args, kwargs = fx.node.map_aggregate(
            (node.args, node.kwargs), lambda a: made[a] if isinstance(a, Reader) else a
        )
        made[node.name] = graph.create_node(node.op, node.target, args, kwargs, node.name)
        made[node.name].meta.update(node.meta)
    root = nn.Module()
    root.__dict__.update(state)
    traced = Traced(root, graph, name)
    traced.__dict__.update(state)
    return traced
