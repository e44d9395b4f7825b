"""The operations of a traced network that are replaced, and what stands at a call site.

Names decide only what becomes an activation, an average pooling or a module of its own; whether the rest of a
network can be converted is measured (`probe`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.utils import _triple

from .errors import InputError
from .shadow import held

RELUS = {F.relu, F.relu_, torch.relu, torch.relu_, "relu", "relu_"}
CLAMPS = {torch.clamp, torch.clip, torch.clamp_min, "clamp", "clip", "clamp_min"}
MAX_TO_AVERAGE = {
    nn.MaxPool1d: nn.AvgPool1d,
    nn.MaxPool2d: nn.AvgPool2d,
    nn.MaxPool3d: nn.AvgPool3d,
    nn.AdaptiveMaxPool1d: nn.AdaptiveAvgPool1d,
    nn.AdaptiveMaxPool2d: nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool3d: nn.AdaptiveAvgPool3d,
}
# Functions that become modules: the module, and the function's parameters after the input.
_POOL = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_ADAPTIVE = ("output_size", "return_indices")
MAX_FUNCTIONS = {
    F.max_pool1d: (nn.MaxPool1d, _POOL),
    F.max_pool2d: (nn.MaxPool2d, _POOL),
    F.max_pool3d: (nn.MaxPool3d, _POOL),
    torch.max_pool1d: (nn.MaxPool1d, _POOL),
    torch.max_pool2d: (nn.MaxPool2d, _POOL),
    torch.max_pool3d: (nn.MaxPool3d, _POOL),
    F.adaptive_max_pool1d: (nn.AdaptiveMaxPool1d, _ADAPTIVE),
    F.adaptive_max_pool2d: (nn.AdaptiveMaxPool2d, _ADAPTIVE),
    F.adaptive_max_pool3d: (nn.AdaptiveMaxPool3d, _ADAPTIVE),
}
DROPOUTS = {
    F.dropout: nn.Dropout,
    torch.dropout: nn.Dropout,
    F.dropout1d: nn.Dropout1d,
    F.dropout2d: nn.Dropout2d,
    F.dropout3d: nn.Dropout3d,
}
NORMS = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
SCORES = (nn.Softmax, nn.Softmax2d, nn.Softmin, nn.LogSoftmax, nn.Sigmoid, nn.LogSigmoid)
SCORE_FUNCTIONS = {
    F.softmax,
    F.softmin,
    F.log_softmax,
    F.sigmoid,
    F.logsigmoid,
    torch.softmax,
    torch.log_softmax,
    torch.sigmoid,
    torch.special.expit,
    torch.special.softmax,
    torch.special.log_softmax,
    "softmax",
    "log_softmax",
    "sigmoid",
}


def module_at(node: fx.Node, model: fx.GraphModule) -> nn.Module | None:
    """The module that ``node`` calls."""
    return model.get_submodule(node.target) if node.op == "call_module" else None


def bound(node: fx.Node, model: fx.GraphModule) -> float | None:
    """The upper bound of the ReLU at ``node``: infinite, or where it is clipped; None for anything else."""
    module = module_at(node, model)
    if module is not None:
        if isinstance(module, nn.Hardtanh):
            return float(module.max_val) if module.min_val == 0 else None
        return math.inf if isinstance(module, nn.ReLU) else None
    if node.target in RELUS:
        return math.inf
    if node.target is F.relu6:
        return 6.0
    if node.target is F.hardtanh:
        low, high = _arguments(node, ("min_val", "max_val"), (-1.0, 1.0))
    elif node.target in CLAMPS:
        low, high = _arguments(node, ("min", "max"), (None, None))
    else:
        return None
    if isinstance(low, fx.Node) or isinstance(high, fx.Node) or low is None or low != 0:
        return None
    return math.inf if high is None else float(high) if high > 0 else None


def is_max_pool(node: fx.Node, model: fx.GraphModule) -> bool:
    return type(module_at(node, model)) in MAX_TO_AVERAGE or node.target in MAX_FUNCTIONS


def is_score(node: fx.Node, model: fx.GraphModule) -> bool:
    """Whether a score, not the mean over time, belongs into ``node``: a softmax or a sigmoid."""
    return isinstance(module_at(node, model), SCORES) or node.target in SCORE_FUNCTIONS


def counts_images(node: fx.Node) -> bool:
    """Whether ``node`` is the first size of a tensor, as x.size(0) or x.shape[0]."""
    if node.target == "size":
        return node.args[1:] == (0,)
    if node.target is not operator.getitem or node.args[1] != 0:
        return False
    sizes = node.args[0]
    while sizes.target is held:
        sizes = sizes.args[0]
    return sizes.target == "size" or (sizes.target is getattr and sizes.args[1] == "shape")


def behind(graph: fx.Graph, starts: Any) -> set[fx.Node]:
    """Nodes that depend on one for which ``starts`` is true, those among them."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        if starts(node) or any(parent in found for parent in node.all_input_nodes):
            found.add(node)
    return found


def describe(node: fx.Node, model: fx.GraphModule) -> str:
    """What stands at a call site: a module's type, or a function's name."""
    if node.op == "call_module":
        return type(model.get_submodule(node.target)).__name__
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    return f"{node.meta.get('written', name)}()"


def place(node: fx.Node) -> str:
    """Dotted name of the module at a call site, or of the one whose forward calls the function."""
    if node.op == "call_module":
        return node.target
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return stack[-1][0] if stack else ""


def where(node: fx.Node, model: fx.GraphModule) -> str:
    """A call site in a sentence: what, in which module, and the line of the user's file where known."""
    line = f" ({node.meta['line']})" if node.meta.get("line") and node.op != "call_module" else ""
    return f"{describe(node, model)} at {place(node) or 'forward'}{line}"


def average_pool(node: fx.Node, model: fx.GraphModule) -> nn.Module:
    """The average pooling for a max pooling.

    Raises:
        InputError: dilated pooling, pooling indices or arguments that depend on the input.
    """
    module = module_at(node, model)
    if module is None:
        kind, names = MAX_FUNCTIONS[node.target]
        arguments = dict(zip(names, node.args[1:])) | {k: v for k, v in node.kwargs.items() if k in names}
        if any(isinstance(value, fx.Node) for value in arguments.values()):
            raise InputError(
                f"{describe(node, model)} in {place(node) or 'forward'} has a size that depends on "
                "the input; give it a fixed kernel size"
            )
        module = kind(**arguments)
    dilation = torch.atleast_1d(torch.tensor(getattr(module, "dilation", 1)))
    if module.return_indices or bool((dilation != 1).any()):
        raise InputError(
            f"{module} at {place(node) or 'forward'} is dilated or returns indices, which average "
            "pooling cannot; use plain max pooling"
        )
    if "Adaptive" in type(module).__name__:
        return MAX_TO_AVERAGE[type(module)](module.output_size)
    if isinstance(module, nn.MaxPool3d) and any(_triple(module.padding)) and not module.ceil_mode:
        return PaddingAvgPool3d(module.kernel_size, module.stride, module.padding)
    return MAX_TO_AVERAGE[type(module)](module.kernel_size, module.stride, module.padding, module.ceil_mode)


class PaddingAvgPool3d(nn.AvgPool3d):
    """AvgPool3d on whatever MaxPool3d takes: PyTorch's own refuses fewer frames than its kernel has, padded or not."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        padded = F.pad(x, [p for p in reversed(_triple(self.padding)) for _ in range(2)])
        return F.avg_pool3d(padded, self.kernel_size, self.stride)


def functions_to_modules(model: fx.GraphModule, root: nn.Module) -> None:
    """Let dropout and batch norm, written as functions and traced in one mode, follow the mode as modules.

    A batch norm takes the name of the norm of ``root`` whose statistics it uses, or one of its own.
    """
    images = behind(model.graph, lambda node: node.op == "placeholder")
    drops = [node for node in images if node.target in DROPOUTS]
    norms = {node: made for node in images if (made := _norm(node, model, root)) is not None}
    order = list(model.graph.nodes)
    names = names_for(sorted(drops, key=order.index), model, "dropout")
    names |= names_for(sorted((n for n, made in norms.items() if not made[1]), key=order.index), model, "norm")
    for node in drops:
        put(node, model, DROPOUTS[node.target](*_arguments(node, ("p",), (0.5,))), names[node])
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


def _norm(node: fx.Node, model: fx.GraphModule, root: nn.Module) -> tuple[nn.Module, str] | None:
    """A batch norm module for F.batch_norm with running statistics, and the name of the norm they come from."""
    if node.target is not F.batch_norm:
        return None
    names = ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
    *tensors, training, momentum, eps = _arguments(node, names, (None, None, None, None, False, 0.1, 1e-5))
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
    mean, var, weight, bias = (None if t is None else _attribute(model, t.target) for t in tensors)
    momentum = owner.momentum if owned else momentum
    norm = kind(len(mean), eps, momentum, affine=False, device=mean.device, dtype=mean.dtype).eval()
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


def _attribute(model: nn.Module, target: str) -> Any:
    path, _, name = target.rpartition(".")
    return getattr(model.get_submodule(path), name)


def _has(model: nn.Module, target: str) -> bool:
    try:
        _attribute(model, target)
    except AttributeError:
        return False
    return True


def _arguments(node: fx.Node, names: tuple[str, ...], defaults: tuple) -> list:
    """Arguments after the input, by place or by keyword."""
    given = dict(zip(names, node.args[1:])) | node.kwargs
    return [given.get(name, default) for name, default in zip(names, defaults)]


def put(node: fx.Node, model: fx.GraphModule, module: nn.Module, name: str) -> None:
    """Make ``node`` call ``module`` on its input, given by place or by keyword, under ``name``."""
    x = node.args[0] if node.args else node.kwargs["input"]
    node.meta["was"] = describe(node, model)
    model.add_submodule(name, module)
    node.op, node.target, node.args, node.kwargs = "call_module", name, (x,), {}


def names_for(
    nodes: list[fx.Node], model: fx.GraphModule, function: str, others: Iterable[str] = ()
) -> dict[fx.Node, str]:
    """A module name for each call site: the module's own at its first use, then with _2, _3, ... behind it.

    Functions are named ``function`` inside the module that calls them. No attribute of the model has the name of a
    new module, nor has any of ``others``, which are given and not there yet.
    """
    taken = set(others)
    free = {node.target for node in nodes if node.op == "call_module"}
    names: dict[fx.Node, str] = {}
    for node in nodes:
        base = node.target if node.op == "call_module" else ".".join(filter(None, (place(node), function)))
        name, number = base, 1
        while (name in taken or _has(model, name)) and not (name == base and name in free):
            number += 1
            name = f"{base}_{number}"
        names[node] = name
        taken.add(name)
        free.discard(name)
    return names
