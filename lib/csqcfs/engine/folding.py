"""Batch norm folded into the layer before it: the same function in evaluation, with fewer operations."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.nn.utils.prune import BasePruningMethod

from .copies import duplicate
from .errors import InputError
from .frozen import FROZEN
from .memory_format import of_convolutions
from .modules import does

_NORM_AFTER = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
    nn.Linear: nn.BatchNorm1d,
}


class RowsLinear(nn.Linear):
    """A linear layer with a batch norm folded in, which is one of both for rows [N, features] alone."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 2:
            raise InputError(
                f"a linear layer with a batch norm folded in got {list(x.shape)}: expected [N, features] as in the "
                "example; convert the network with an example of this shape"
            )
        return super().forward(x)


def fold_batchnorm(model: fx.GraphModule) -> fx.GraphModule:
    """A copy of ``model`` without dropout and with its batch norms folded where that is exact.

    A norm with running mean mu and variance var after a layer W x + b gives

        a (W x + b - mu) + beta  =  (a W) x + a (b - mu) + beta,   a = gamma / sqrt(var + eps)

    with one value of a per output channel. It is folded if the layer is a convolution (not a transposed
    one) or a linear layer, both are called once, and nothing else reads the layer's output or parameters;
    otherwise it stays. After a linear layer the norm must be known to act on [N, features]: on [N, C, L] it acts on
    another dimension than the layer. Shapes are those that tracing with an example left in the nodes.

    Args:
        model: a traced network in evaluation mode; it is not changed.

    Raises:
        InputError: not a GraphModule; a batch norm or dropout in training mode; a hook on a module that would go.
    """
    if not isinstance(model, fx.GraphModule):
        raise InputError(f"model of type {type(model).__name__}: expected a GraphModule; use torch.fx.symbolic_trace")
    for name, module in model.named_modules():
        if isinstance(module, (_BatchNorm, _DropoutNd)) and module.training:
            raise InputError(f"{name} is in training mode: expected evaluation mode; call model.eval() first")
    model = duplicate(model)
    _remove_dropout(model)
    uses = Counter(id(module) for node in model.graph.nodes for module in _modules_used(node, model))
    for node in list(model.graph.nodes):
        if node.op == "call_module" and _foldable(node, model, uses):
            before = node.all_input_nodes[0]
            layer, norm = model.get_submodule(before.target), model.get_submodule(node.target)
            for name, module in ((before.target, layer), (node.target, norm)):
                refuse_hooks(name, module, "folded with its neighbour")
            fuse = fuse_linear_bn_eval if isinstance(layer, nn.Linear) else fuse_conv_bn_eval
            fused = fuse(layer.eval(), norm)
            if isinstance(fused, nn.Linear):
                fused.__class__ = RowsLinear
            model.set_submodule(before.target, fused)
            _bypass(node, model)
    model.graph.lint()
    model.recompile()
    return model


def _modules_used(node: fx.Node, model: fx.GraphModule) -> list[nn.Module]:
    """The module that ``node`` calls, or the one whose parameter or buffer it reads."""
    if node.op == "call_module":
        return [model.get_submodule(node.target)]
    if node.op == "get_attr":
        return [model.get_submodule(node.target.rpartition(".")[0])]
    return []


def _foldable(node: fx.Node, model: fx.GraphModule, uses: Counter[int]) -> bool:
    """Whether the module called at ``node`` is a batch norm that can be folded into the layer before it."""
    norm = model.get_submodule(node.target)
    if not isinstance(norm, _BatchNorm):
        return False
    before = node.all_input_nodes[0]
    if before.op != "call_module" or len(before.users) != 1:
        return False
    layer = model.get_submodule(before.target)
    # Exact types: a subclass or a parametrized layer may compute its weights anew at each call.
    # So does a pruned one, by a hook.
    if any(isinstance(hook, BasePruningMethod) for hook in layer._forward_pre_hooks.values()):
        return False
    kind = _NORM_AFTER.get(type(layer))
    if kind is None or type(norm) not in (kind, FROZEN[kind]):
        return False
    if not does(layer, type(layer)) or not does(norm, kind):
        return False  # written over by hand
    if norm.running_mean is None or (isinstance(layer, nn.Linear) and not norm.affine):
        return False  # batch statistics; a case fuse_linear_bn_eval does not know
    if isinstance(layer, nn.Linear) and len(before.meta.get("shape", ())) != 2:
        return False
    return uses[id(layer)] == 1 and uses[id(norm)] == 1 and layer.weight.shape[0] == norm.num_features


def _remove_dropout(model: fx.GraphModule) -> None:
    """Bypass every dropout module, the identity in evaluation."""
    for node in list(model.graph.nodes):
        if node.op == "call_module" and isinstance(model.get_submodule(node.target), _DropoutNd):
            last = sum(other.target == node.target for other in model.graph.nodes) == 1
            refuse_hooks(node.target, model.get_submodule(node.target), "left out")
            _bypass(node, model, delete=last)


def _bypass(node: fx.Node, model: fx.GraphModule, delete: bool = True) -> None:
    """Let readers of ``node`` read its input, and drop its module, but not modules that it holds."""
    node.replace_all_uses_with(node.all_input_nodes[0])
    model.graph.erase_node(node)
    if delete:
        held = dict(model.get_submodule(node.target).named_children())
        model.delete_submodule(node.target)
        for name, child in held.items():
            model.add_submodule(f"{node.target}.{name}", child)


def folded(graph: fx.GraphModule) -> fx.GraphModule:
    """A copy with batch norm folded, images and weights of two-dimensional convolutions in channels_last order."""
    graph = fold_batchnorm(graph)
    for tensor in of_convolutions(graph):
        tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return graph


def forward_hooks(module: nn.Module) -> list:
    """Hooks that may change what ``module`` takes or gives, those of pruning among them."""
    return [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]


def refuse_hooks(name: str, module: nn.Module, fate: str) -> None:
    """Raise InputError if hooks stand on a module that will be gone."""
    if forward_hooks(module) or module._backward_hooks or module._backward_pre_hooks:
        raise InputError(
            f"{name} ({type(module).__name__}) has a hook and is {fate}, so that the hook would be lost: expected none "
            "there; remove the hook first"
        )


def refuse_forward(name: str, module: nn.Module, kind: type[nn.Module], fate: str) -> None:
    """Raise InputError if a module that is taken for ``kind`` has another forward."""
    if not does(module, kind):
        raise InputError(
            f"{name} ({type(module).__name__}) has a forward of its own and is {fate}: expected that of "
            f"{kind.__name__}; make what it adds a module before or behind it"
        )
