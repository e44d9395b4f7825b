"""Batch norm folded into the layer before it: the same function in evaluation, with fewer operations."""

from __future__ import annotations

import copy
from collections import Counter

from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from .errors import InputError

_NORM_AFTER = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
    nn.Linear: nn.BatchNorm1d,
}


def fold_batchnorm(model: fx.GraphModule) -> fx.GraphModule:
    """A copy of ``model`` without dropout and with its batch norms folded where that is exact.

    A norm with running mean mu and variance var after a layer W x + b gives

        a (W x + b - mu) + beta  =  (a W) x + a (b - mu) + beta,   a = gamma / sqrt(var + eps)

    with one value of a per output channel. It is folded if the layer is a convolution (not a transposed
    one) or a linear layer, both are called once, and nothing else reads the layer's output or parameters;
    otherwise it stays. A norm after a linear layer is taken to act on [N, features].

    Args:
        model: a traced network in evaluation mode; it is not changed.

    Raises:
        InputError: not a GraphModule; a batch norm or dropout in training mode.
    """
    if not isinstance(model, fx.GraphModule):
        raise InputError(f"model of type {type(model).__name__}: expected a GraphModule; use torch.fx.symbolic_trace")
    for name, module in model.named_modules():
        if isinstance(module, (_BatchNorm, _DropoutNd)) and module.training:
            raise InputError(f"{name} is in training mode: expected evaluation mode; call model.eval() first")
    model = copy.deepcopy(model)
    _remove_dropout(model)
    uses = Counter(id(module) for node in model.graph.nodes for module in _modules_used(node, model))
    for node in list(model.graph.nodes):
        if node.op == "call_module" and _foldable(node, model, uses):
            before = node.all_input_nodes[0]
            layer, norm = model.get_submodule(before.target), model.get_submodule(node.target)
            fuse = fuse_linear_bn_eval if isinstance(layer, nn.Linear) else fuse_conv_bn_eval
            model.set_submodule(before.target, fuse(layer.eval(), norm))
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
    if type(layer) not in _NORM_AFTER or type(norm) is not _NORM_AFTER[type(layer)]:
        return False
    if norm.running_mean is None or (isinstance(layer, nn.Linear) and not norm.affine):
        return False  # batch statistics; a case fuse_linear_bn_eval does not know
    return uses[id(layer)] == 1 and uses[id(norm)] == 1 and layer.weight.shape[0] == norm.num_features


def _remove_dropout(model: fx.GraphModule) -> None:
    """Bypass every dropout module, the identity in evaluation."""
    for node in list(model.graph.nodes):
        if node.op == "call_module" and isinstance(model.get_submodule(node.target), _DropoutNd):
            last = sum(other.target == node.target for other in model.graph.nodes) == 1
            _bypass(node, model, delete=last)


def _bypass(node: fx.Node, model: fx.GraphModule, delete: bool = True) -> None:
    """Let readers of ``node`` read its input, and drop its module."""
    node.replace_all_uses_with(node.all_input_nodes[0])
    model.graph.erase_node(node)
    if delete:
        model.delete_submodule(node.target)
