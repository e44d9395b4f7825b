"""Dropout and batch norm that were written as functions: modules, which follow training and evaluation."""

from __future__ import annotations

import torch
from torch import fx, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from .frozen import DROPOUTS, FROZEN, NORM, Site, site
from .layers import arguments, attribute, behind, names_for, put

NORMS = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}


def functions_to_modules(model: fx.GraphModule, root: nn.Module, frozen: set[Site]) -> None:
    """Let dropout and batch norm, written as functions and traced in one mode, follow the mode as modules.

    Those at ``frozen`` are in evaluation in every mode: such a dropout goes, such a batch norm is one that stays so. A
    batch norm takes the name of the norm of ``root`` whose statistics it uses, or one of its own.
    """
    images = behind(model.graph, lambda node: node.op == "placeholder")
    drops = [node for node in images if node.target in DROPOUTS and site(node) not in frozen]
    norms = {node: made for node in images if (made := _norm(node, model, root, site(node) in frozen)) is not None}
    order = list(model.graph.nodes)
    names = names_for(sorted(drops, key=order.index), model, "dropout")
    names |= names_for(sorted((n for n, made in norms.items() if not made[1]), key=order.index), model, "norm")
    for node in images:
        if node.target in DROPOUTS and site(node) in frozen:
            node.replace_all_uses_with(node.all_input_nodes[0])
    for node in drops:
        put(node, model, DROPOUTS[node.target](*arguments(node, ("p",), (0.5,))), names[node])
    for node, (norm, owner) in norms.items():
        put(node, model, norm, owner or names[node])
    model.graph.eliminate_dead_code()
    _drop_unread(model)


def _drop_unread(model: fx.GraphModule) -> None:
    """Leave out parameters and buffers that no operation reads any more, such as a counter of calls."""
    called = {node.target for node in model.graph.nodes if node.op == "call_module"}
    read = {node.target for node in model.graph.nodes if node.op == "get_attr"}
    for path, module in model.named_modules():
        parts = path.split(".") if path else []
        if not any(".".join(parts[: i + 1]) in called for i in range(len(parts))):
            for name in [*module._parameters, *module._buffers]:
                if ".".join([*parts, name]) not in read:
                    delattr(module, name)


def _norm(node: fx.Node, model: fx.GraphModule, root: nn.Module, frozen: bool) -> tuple[nn.Module, str] | None:
    """A batch norm module for F.batch_norm with running statistics, and the name of the norm they come from."""
    if node.target is not F.batch_norm:
        return None
    *tensors, training, momentum, eps = arguments(node, NORM, (None, None, None, None, False, 0.1, 1e-5))
    given = [t for t in tensors if t is not None]
    if training or tensors[0] is None or any(not isinstance(t, fx.Node) or t.op != "get_attr" for t in given):
        return None
    path = tensors[0].target.rpartition(".")[0]
    owner = root.get_submodule(path)
    owned = isinstance(owner, _BatchNorm)
    shape = node.args[0].meta.get("shape") if node.args else None
    kind = NORMS.get(len(shape)) if shape is not None else None
    if kind is None:
        kind = next((k for k in NORMS.values() if isinstance(owner, k)), None)
    if kind is None:
        return None
    mean, var, weight, bias = (None if t is None else attribute(model, t.target) for t in tensors)
    momentum = owner.momentum if owned else momentum
    norm = (FROZEN[kind] if frozen else kind)(
        len(mean), eps, momentum, affine=False, device=mean.device, dtype=mean.dtype
    ).eval()
    norm.running_mean, norm.running_var = mean, var
    norm.affine = weight is not None
    for name, value in (("weight", weight), ("bias", bias)):
        delattr(norm, name)
        (
            norm.register_buffer
            if isinstance(value, torch.Tensor) and not isinstance(value, nn.Parameter)
            else norm.register_parameter
        )(name, value)
    if owned:
        norm.num_batches_tracked = owner.num_batches_tracked
        for name, child in model.get_submodule(path).named_children():
            norm.add_module(name, child)
    return norm, path if owned else ""
