"""From a network with ReLU to one with quantized activations, and between the members of their family.

Works on any traceable ``nn.Module`` through torch.fx: every call site of a ReLU, not every ReLU object, gets
an activation and thus a threshold of its own; max pooling becomes average pooling of the same geometry,
since the mean of spikes over time commutes with an average and not with a maximum.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..activations import CEQCFS, CQCFS, CSQCFS, CTQCFS, QCFS, SQCFS, ThresholdActivation
from ..engine import layers
from ..engine.errors import InputError, NonpositiveThreshold

ACTIVATIONS: dict[str, type[ThresholdActivation]] = {
    "qcfs": QCFS,
    "sqcfs": SQCFS,
    "cqcfs": CQCFS,
    "csqcfs": CSQCFS,
    "ctqcfs": CTQCFS,
    "ceqcfs": CEQCFS,
}


@dataclass(frozen=True)
class Replacement:
    """One line of the report: where, what stood there, what stands there now."""

    site: str
    was: str
    now: str


class _Tracer(fx.Tracer):
    """Keeps our activations whole and looks into modules that a forward makes on the fly, as nn.ReLU()(x)."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, ThresholdActivation) or super().is_leaf_module(module, name)

    def call_module(self, module: nn.Module, forward: Callable, args: tuple, kwargs: dict) -> Any:
        try:
            self.path_of_module(module)
        except NameError:
            return forward(*args, **kwargs)
        return super().call_module(module, forward, args, kwargs)


def trace(model: nn.Module) -> fx.GraphModule:
    """A traced deep copy of ``model``.

    Raises:
        InputError: torch.fx cannot follow the model's Python, for example a branch on a tensor's value.
    """
    model, tracer = copy.deepcopy(model), _Tracer()
    try:
        traced = fx.GraphModule(model, tracer.trace(model), type(model).__name__)
    except Exception as error:  # whatever the model's own forward raises on symbolic values
        inside = [name for name, _ in tracer.module_stack.values()]  # torch.fx leaves it as it was at the error
        where = f" at {inside[-1]}" if inside else ""
        raise InputError(
            f"{type(model).__name__} cannot be traced by torch.fx{where} ({_reason(error)}); "
            "take data-dependent Python control flow out of its forward"
        ) from error
    traced.meta |= getattr(model, "meta", {})  # such as what `models.build` made
    return traced


def quantize_activations(
    model: nn.Module, L: int = 4, threshold: float = 4.0, example: Tensor | None = None, *, window: str = "paper"
) -> fx.GraphModule:
    """Algorithm 1, lines 1-5: a copy of ``model`` with a QCFS (Eq. 11) at every call site of a ReLU.

    Args:
        model: any network that torch.fx can trace; it is not changed.
        L: quantization step.
        threshold: initial threshold of every site.
        example: a batch of inputs; one forward pass with it finds each site's channels, which
            `to_channelwise` needs.
        window: gradient window, see `kernels.WINDOWS`.

    Returns:
        The quantized network; `report` lists what was replaced.

    Raises:
        InputError: no ReLU; activations that are quantized already; an operation that an SNN of IF neurons
            cannot express (GELU, softmax, a product of two activations), named with its module; a model that
            cannot be traced.
    """
    if example is not None and not isinstance(example, Tensor):
        raise InputError(f"example of type {type(example).__name__}: expected a batch of inputs as one tensor")
    traced = trace(model)
    if quantized := sites(traced):
        raise InputError(
            f"{next(iter(quantized))} of {type(model).__name__} is quantized already: expected a "
            "network with ReLU; use to_channelwise or surgery.switch to go on from it"
        )
    kinds = {node: layers.classify(node, traced) for node in traced.graph.nodes}
    for node, kind in kinds.items():
        if kind == "unsupported":
            raise InputError(
                f"{layers.describe(node, traced)} at {layers.place(node) or 'forward'} of {type(model).__name__} "
                "has no counterpart in an SNN of IF neurons: expected ReLU between linear layers; replace it by a "
                "ReLU"
            )
    relus = [node for node, kind in kinds.items() if kind == "relu"]
    if not relus:
        raise InputError(f"{type(model).__name__} has no ReLU: expected at least one nn.ReLU, F.relu or x.relu()")
    channels = _channels(traced, relus, example)

    new: dict[fx.Node, nn.Module] = {n: QCFS(L, threshold, window=window, channels=channels.get(n)) for n in relus}
    new |= {n: layers.as_module(n, traced) for n, kind in kinds.items() if kind in ("max_pool", "dropout")}
    names: dict[fx.Node, str] = {}
    for kind, base in (("relu", "act"), ("max_pool", "pool"), ("dropout", "dropout")):
        names |= layers.names_for([n for n in new if kinds[n] == kind], traced, base)
    replacements = [Replacement(names[n], layers.describe(n, traced), type(new[n]).__name__) for n in kinds if n in new]
    for node, module in new.items():
        layers.put(node, traced, module, names[node])
    traced.graph.lint()
    traced.delete_all_unused_submodules()
    traced.recompile()
    _copy_modes(model, traced)
    parameter = next(model.parameters(), None)
    if parameter is not None:
        traced.to(parameter.device)
    traced.meta["replacements"] = replacements
    return traced


def report(model: nn.Module) -> list[Replacement]:
    """What `quantize_activations` replaced in ``model``."""
    return list(getattr(model, "meta", {}).get("replacements", []))


def sites(model: nn.Module) -> dict[str, ThresholdActivation]:
    """The quantized activations of ``model`` by name, in the order in which they run."""
    if not isinstance(model, fx.GraphModule):
        return {name: m for name, m in model.named_modules() if isinstance(m, ThresholdActivation)}
    called = [node.target for node in model.graph.nodes if node.op == "call_module"]
    modules = {name: model.get_submodule(name) for name in called}
    return {name: m for name, m in modules.items() if isinstance(m, ThresholdActivation)}


def switch(model: fx.GraphModule, activation: str) -> fx.GraphModule:
    """A copy of ``model`` whose sites use another member of the family, computing the same function.

    Raw parameters are set from effective thresholds, so that Softplus starts from its inverse; Algorithm 1,
    line 9 hands the threshold over as the raw parameter, which would change it.

    Raises:
        InputError: unknown activation; no quantized activation; a threshold that is not positive, which
            has no inverse under Softplus; unknown channels.
    """
    if activation not in ACTIVATIONS:
        raise InputError(f"activation = {activation!r}: expected one of {', '.join(ACTIVATIONS)}")
    kind = ACTIVATIONS[activation]
    model = copy.deepcopy(model)
    found = sites(model)
    if not found:
        raise InputError(f"{type(model).__name__} has no quantized activation; call quantize_activations first")
    for name, old in found.items():
        theta = old.threshold.detach()
        if not bool((theta > 0).all()):
            raise NonpositiveThreshold(
                f"threshold {float(theta.min()):.4g} at {name}: expected a positive one, since Softplus reaches "
                "no other; train stage 1 with a higher initial threshold or a lower rate"
            )
        if issubclass(kind, CQCFS):
            if old.channels is None:
                raise InputError(f"channels of {name} are unknown; pass example=x to quantize_activations")
            new = kind(old.channels, old.L, theta, window=old.window)
        elif old.per_channel:
            raise InputError(f"{name} has {old.channels} thresholds: {activation} holds one for the whole layer")
        else:
            new = kind(old.L, theta, window=old.window, channels=old.channels)
        model.set_submodule(name, new.to(theta.device).train(old.training))
    return model


def to_channelwise(model: fx.GraphModule, softplus: bool = True) -> fx.GraphModule:
    """Algorithm 1, lines 7-11: a copy with CS-QCFS (Eq. 18), or C-QCFS (Eq. 17) without Softplus.

    Each channel starts at the threshold of its layer, so the copy computes the same function.
    """
    return switch(model, "csqcfs" if softplus else "cqcfs")


def _channels(traced: fx.GraphModule, nodes: list[fx.Node], example: Tensor | None) -> dict[fx.Node, int]:
    """Channels (dimension 1) of each node's output, found by running ``example`` through the network."""
    if example is None:
        return {}
    shapes = {}

    class Probe(fx.Interpreter):
        def run_node(self, node: fx.Node):
            out = super().run_node(node)
            if node in wanted:
                shapes[node] = out.shape
            return out

    wanted = set(nodes)
    try:
        with torch.no_grad():
            Probe(traced.eval()).run(example)
    except Exception as error:
        raise InputError(
            f"the network does not run on an example of shape {list(example.shape)} "
            f"({_reason(error)}); pass a batch of its inputs"
        ) from error
    return {node: int(shape[1]) for node, shape in shapes.items() if len(shape) > 1}


def _copy_modes(model: nn.Module, traced: fx.GraphModule) -> None:
    """Training or not, module by module, since parts may be frozen; new modules follow the whole."""
    modes = {name: module.training for name, module in model.named_modules(remove_duplicate=False)}
    for name, module in traced.named_modules():
        module.training = modes.get(name, model.training)


def _reason(error: Exception) -> str:
    """The first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
