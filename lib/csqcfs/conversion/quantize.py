"""From a network with ReLU to one with quantized activations.

Works on any traceable ``nn.Module`` through torch.fx: every call site of a ReLU, not every ReLU object, gets
an activation and thus a threshold of its own; max pooling becomes average pooling of the same geometry,
since the mean of spikes over time commutes with an average and not with a maximum. Whether the rest can be
converted is measured on the example, see `engine.probe`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from ..activations import QCFS, ThresholdActivation, checked_threshold
from ..engine import features, layers, probe, traced
from ..engine.batched import copying
from ..engine.copies import opened
from ..engine.errors import InputError
from ..engine.examples import checked_example
from ..engine.folding import refuse_hooks
from ..engine.modules import device_of, require_network
from ..engine.notes import note
from ..engine.simulation import IF
from ..engine.spellings import respell
from .family import sites
from .spiking import unfolded

KEPT = 2  # inputs of the example that a network keeps for `convert`


@dataclass(frozen=True)
class Replacement:
    """One line of the report: where, what stood there, what stands there now."""

    site: str
    was: str
    now: str


def trace(model: nn.Module, example: Tensor | tuple[Tensor, ...] | None = None) -> fx.GraphModule:
    """A traced deep copy of ``model``, which computes what ``model`` computes on inputs like ``example``.

    Raises:
        InputError: Python that torch.fx cannot follow, or values changed in place where the graph does not see it.
    """
    require_network(model)
    if any(isinstance(module, IF) for module in model.modules()):
        raise InputError(
            f"{type(model).__name__} is an SNN already: expected the network before convert; it takes images"
        )
    return traced.trace(model, checked_example(example), (ThresholdActivation,))


def quantize_activations(
    model: nn.Module,
    L: int = 4,
    threshold: float = 4.0,
    example: Tensor | tuple[Tensor, ...] | None = None,
    *,
    window: str = "paper",
) -> fx.GraphModule:
    """Algorithm 1, lines 1-5: a copy of ``model`` with a QCFS (Eq. 11) at every call site of a ReLU.

    A clipped ReLU (ReLU6, Hardtanh(0, b), clamp(0, b)) becomes a QCFS whose threshold starts at its bound. Either may
    be written in other words, as ``h * (h > 0)`` or ``relu(h).clamp(max=1)``, if there is an example, see
    `engine.spellings`.
    What a layer of torch.nn computes inside stays analog, as the ReLU of an nn.TransformerEncoderLayer: write it out to
    have it replaced.

    Args:
        model: any network whose forward torch.fx can follow; it is not changed.
        L: quantization step.
        threshold: initial threshold of every other site.
        example: a batch of inputs, or a tuple of them where the network takes several. Its sizes decide Python's
            control flow, it finds each site's channels, which `to_channelwise` needs, and with it the network is
            measured at once: without one, what cannot be converted is found by `convert` or the SNN's first input.
        window: where the gradient passes, see `kernels.WINDOWS`: "paper" is Eq. 19; "clamp_floor", that of the newer
            public code, gave better ANNs (notebook *What the gradient's window changes*).

    Returns:
        The quantized network; `report` lists what was replaced.

    Raises:
        InputError: no ReLU; activations that are quantized already; an operation that an SNN of IF neurons
            cannot express (GELU, a product of two activations), named with its module and line; a model that
            cannot be traced; a hook on a module that is replaced.
    """
    inputs = checked_example(example)
    graph, name = trace(model, inputs), type(opened(model)).__name__
    respell(graph)
    _with_qcfs(graph, name, L, threshold, window)
    note(graph, name=name)
    if inputs is not None:
        note(graph, example=tuple(x[:KEPT].to("cpu", copy=True) for x in inputs))
        probe.check(*unfolded(graph, inputs), inputs, name)
    return graph


def quantize_known(
    model: nn.Module, L: int, threshold: float, example: Tensor, *, window: str = "paper"
) -> fx.GraphModule:
    """`quantize_activations` of a network that `models.build` made, of which tests say that it can be converted: what
    is measured of others takes five sixths of the time.
    """
    graph, name = traced.trace_known(model, (example,), (ThresholdActivation,)), type(model).__name__
    _with_qcfs(graph, name, L, threshold, window)
    note(graph, name=name, example=(example[:KEPT].to("cpu", copy=True),))
    return graph


def _with_qcfs(graph: fx.GraphModule, name: str, L: int, threshold: float, window: str) -> None:
    """Put a QCFS at every ReLU of a graph and average pooling at every max pooling, in place; errors as above."""
    if quantized := sites(graph):
        raise InputError(
            f"{next(iter(quantized))} of {name} is quantized already: expected a "
            "network with ReLU; use to_channelwise or conversion.family.switch to go on from it"
        )
    images = {n for n in layers.behind(graph.graph, lambda node: node.op == "placeholder") if _may_float(n)}
    bounds = {n: b for n in graph.graph.nodes if n in images and (b := layers.bound(n, graph)) is not None}
    if not bounds:
        raise InputError(f"{name} has no ReLU: expected at least one nn.ReLU, F.relu or x.relu()")
    like = next((p for p in graph.parameters() if p.is_floating_point()), None)
    dtype = torch.get_default_dtype() if like is None else like.dtype
    new: dict[fx.Node, nn.Module] = {}
    axes = features.axes(graph)
    for node in graph.graph.nodes:
        if node.op == "call_method":
            node.target, node.args, node.kwargs = copying(node.target, node.args, node.kwargs)
        if node in bounds:
            theta = threshold if math.isinf(bounds[node]) else bounds[node]
            with device_of(graph):  # not the default one
                theta = checked_threshold(theta, dtype)  # whose bounds are not those of the default type
                new[node] = QCFS(L, theta, window=window, channels=_channels(node, axes.get(node, 1)))
            new[node].bound = bounds[node]
        elif node in images and layers.is_max_pool(node, graph):
            new[node] = layers.average_pool(node, graph)
    names = layers.names_for([n for n in new if n in bounds], graph, "act")
    names |= layers.names_for([n for n in new if n not in bounds], graph, "pool", names.values())
    for node, module in new.items():
        was = layers.module_at(node, graph)
        if was is not None:
            refuse_hooks(node.target, was, f"replaced by {type(module).__name__}")
        module.training = (was or _caller(node, graph)).training
        layers.put(node, graph, module if like is None else module.to(like.device, like.dtype), names[node])
    graph.graph.lint()
    graph.delete_all_unused_submodules()
    graph.recompile()


def report(model: nn.Module) -> list[Replacement]:
    """What `quantize_activations` replaced in ``model``, in the order in which it runs."""
    model = opened(model)
    if not isinstance(model, fx.GraphModule):
        return []
    replaced = [node for node in model.graph.nodes if "was" in node.meta and node.op == "call_module"]
    return [Replacement(n.target, n.meta["was"], type(model.get_submodule(n.target)).__name__) for n in replaced]


def _channels(node: fx.Node, axis: int) -> int | None:
    """Channels of a site, where tracing with an example left its shape, and its features lie in dimension 1."""
    shape = node.meta.get("shape", ())
    return int(shape[1]) if len(shape) > 1 and axis == 1 else None


def _may_float(node: fx.Node) -> bool:
    """Whether a value is one of floats, as far as known: a clamp of tokens or bytes is no activation."""
    return node.meta.get("dtype", torch.float32).is_floating_point


def _caller(node: fx.Node, graph: fx.GraphModule) -> nn.Module:
    """The module whose forward calls the function at ``node``, or the whole where it is gone."""
    path = layers.place(node)
    try:
        return graph.get_submodule(path)
    except AttributeError:
        return graph
