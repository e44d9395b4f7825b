"""The SNN of a NIR graph that `nir_write` made."""

from __future__ import annotations

import operator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, fx, nn

from ..engine.errors import InputError, reason
from ..engine.graphs import Traced
from ..engine.simulation import IF
from ..methods import Plain
from .snn import SNN
from .tools import STATED, require_nir


def from_nir(graph) -> SNN:
    """The SNN of a graph that `to_nir` made, or of a file of it; every threshold is 1.

    Raises:
        InputError: a file that `nir` does not read, or a graph that does not state these neurons.
    """
    if isinstance(graph, (str, Path)):
        try:
            graph = require_nir().read(graph)
        except (OSError, KeyError, ValueError, AssertionError) as error:
            why = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"{graph} is no NIR file ({why}): expected one of nir.write") from error
    if not _states(graph):
        raise InputError("the NIR graph does not state soft reset, >= and v(0) = 1/2: expected one of csqcfs.export")
    try:
        return SNN(_read(graph), Plain())
    except InputError:
        raise
    except Exception as error:  # of whatever another tool, or an editor, made of it
        raise InputError(f"the NIR graph is damaged ({reason(error)}): expected one of csqcfs.export") from error


def _states(stating) -> bool:
    """Whether the metadata of a graph or of neurons say what NIR's IF leaves open."""
    stated = {key: str(value) for key, value in (getattr(stating, "metadata", None) or {}).items()}
    return all(stated.get(key) == value for key, value in STATED.items())


class Scaling(nn.Module):
    """Multiplication by a constant."""

    def __init__(self, scale: Tensor):
        super().__init__()
        self.register_buffer("scale", scale)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def _finite(name: str, values) -> Tensor:
    found = torch.from_numpy(np.array(values))
    if not bool(found.isfinite().all()):
        raise InputError(f"{name} has values that are not finite: expected numbers; export the SNN again")
    return found


def _module(nir, name: str, node) -> nn.Module:
    if isinstance(node, nir.IF):
        if not bool((node.v_threshold == 1).all() and (node.r == 1).all()):
            raise InputError(f"{name} has thresholds other than 1: expected a graph of csqcfs.export")
        if not _states(node) or np.any(getattr(node, "v_reset", 0)):
            raise InputError(f"{name} are other neurons, by their metadata or reset: expected a graph of csqcfs.export")
        return IF(torch.from_numpy(np.array(node.v_threshold)).flatten()[0])
    if isinstance(node, nir.Scale):
        return Scaling(_finite(name, node.scale))
    if isinstance(node, nir.Flatten):
        return nn.Flatten(int(node.start_dim) + 1, int(node.end_dim) + (int(node.end_dim) >= 0))
    if isinstance(node, nir.AvgPool2d):
        return nn.AvgPool2d(*(tuple(map(int, v)) for v in (node.kernel_size, node.stride, node.padding)))
    if not isinstance(node, (nir.Affine, nir.Conv1d, nir.Conv2d)):
        raise InputError(f"{name} is a {type(node).__name__}: expected what csqcfs.export writes")
    weight, bias = _finite(name, node.weight), _finite(name, node.bias)
    if isinstance(node, nir.Affine):
        layer: nn.Module = nn.Linear(*reversed(weight.shape), dtype=weight.dtype)
    else:
        groups = int(node.groups)
        kind = nn.Conv1d if isinstance(node, nir.Conv1d) else nn.Conv2d
        stride, padding, dilation = (
            v if isinstance(v, str) else tuple(int(n) for n in np.atleast_1d(v))
            for v in (node.stride, node.padding, node.dilation)
        )
        layer = kind(
            weight.shape[1] * groups,
            len(weight),
            tuple(weight.shape[2:]),
            stride,
            padding,
            dilation,
            groups,
            dtype=weight.dtype,
        )
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer


def _read(nir_graph) -> fx.GraphModule:
    """The graph of an SNN, its nodes in an order in which they can run."""
    nir = require_nir()
    ends = [sum(isinstance(node, kind) for node in nir_graph.nodes.values()) for kind in (nir.Input, nir.Output)]
    unknown = [end for edge in nir_graph.edges for end in edge if end not in nir_graph.nodes]
    if ends != [1, 1] or unknown or len({*map(tuple, nir_graph.edges)}) != len(nir_graph.edges):
        what = f"an edge of {unknown[0]!r}, which is no node" if unknown else "edges twice, or no one input and output"
        raise InputError(f"the NIR graph has {what}: expected one of csqcfs.export")
    sources: dict[str, list[str]] = {name: [] for name in nir_graph.nodes}
    for source, reader in nir_graph.edges:
        sources[reader].append(source)
    root, graph, values = nn.Module(), fx.Graph(), {}
    waiting = dict(nir_graph.nodes)
    while waiting:
        ready = [name for name in waiting if all(source in values for source in sources[name])]
        if not ready:
            raise InputError("the NIR graph has a loop: expected a network that feeds forward")
        for name in ready:
            node, inputs = waiting.pop(name), [values[source] for source in sources[name]]
            if isinstance(node, nir.Input):
                values[name] = graph.placeholder("x")
                continue
            total = inputs[0]
            for other in inputs[1:]:
                total = graph.call_function(operator.add, (total, other))
            if isinstance(node, nir.Output):
                values[name] = graph.output(total)
                continue
            place = f"n{len(values)}_" + "".join(c if c.isalnum() else "_" for c in name)
            root.add_module(place, _module(nir, name, node))
            values[name] = graph.call_module(place, (total,))
    return Traced(root, graph).eval()
