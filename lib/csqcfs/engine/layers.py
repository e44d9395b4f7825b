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
from torch.nn.modules.utils import _triple

from .errors import InputError
from .modules import does
from .shadow import held

RELUS = {F.relu, F.relu_, torch.relu, torch.relu_, "relu", "relu_"}
CLAMPS = {torch.clamp, torch.clip, torch.clamp_min, "clamp", "clip", "clamp_min"}
THRESHOLDS = {F.threshold, F.threshold_, torch.threshold, torch.threshold_}  # a ReLU where both numbers are 0
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


def called(node: fx.Node) -> Any:
    """The function that ``node`` calls, or the name of the method: a module or an input may have that name, too."""
    return node.target if node.op in ("call_function", "call_method") else None


def bound(node: fx.Node, model: fx.GraphModule) -> float | None:
    """The upper bound of the ReLU at ``node``: infinite, or where it is clipped; None for anything else."""
    module = module_at(node, model)
    if module is not None:
        if does(module, nn.Hardtanh):
            return float(module.max_val) if module.min_val == 0 else None
        if does(module, nn.LeakyReLU):
            return math.inf if module.negative_slope == 0 else None
        if does(module, nn.Threshold):
            return math.inf if module.threshold == module.value == 0 else None
        return math.inf if does(module, nn.ReLU) else None
    if called(node) in RELUS:
        return math.inf
    if node.target is F.relu6:
        return 6.0
    if node.target in THRESHOLDS:
        return math.inf if arguments(node, ("threshold", "value"), (None, None)) == [0, 0] else None
    if node.target is F.hardtanh:
        low, high = arguments(node, ("min_val", "max_val"), (-1.0, 1.0))
    elif called(node) in CLAMPS:
        low, high = arguments(node, ("min", "max"), (None, None))
    else:
        return None
    if isinstance(low, fx.Node) or isinstance(high, fx.Node) or low is None or low != 0:
        return None
    return math.inf if high is None else float(high) if high > 0 else None


def is_max_pool(node: fx.Node, model: fx.GraphModule) -> bool:
    module = module_at(node, model)
    return (type(module) in MAX_TO_AVERAGE and does(module, type(module))) or node.target in MAX_FUNCTIONS


def is_score(node: fx.Node, model: fx.GraphModule) -> bool:
    """Whether a score, not the mean over time, belongs into ``node``: a softmax or a sigmoid."""
    return isinstance(module_at(node, model), SCORES) or called(node) in SCORE_FUNCTIONS


def counts_images(node: fx.Node) -> bool:
    """Whether ``node`` is the first size of a tensor, as x.size(0) or x.shape[0]."""
    if called(node) == "size":
        return node.args[1:] == (0,)
    if node.target is not operator.getitem or node.args[1] != 0:
        return False
    sizes = node.args[0]
    while sizes.target is held:
        sizes = sizes.args[0]
    return called(sizes) == "size" or (sizes.target is getattr and sizes.args[1] == "shape")


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
    dilation = torch.atleast_1d(torch.tensor(getattr(module, "dilation", 1), device="cpu"))
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


def attribute(model: nn.Module, target: str) -> Any:
    path, _, name = target.rpartition(".")
    return getattr(model.get_submodule(path), name)


def has(model: nn.Module, target: str) -> bool:
    """Whether there is an attribute of that dotted name."""
    try:
        attribute(model, target)
    except AttributeError:
        return False
    return True


def arguments(node: fx.Node, names: tuple[str, ...], defaults: tuple) -> list:
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
        while (name in taken or has(model, name)) and not (name == base and name in free):
            number += 1
            name = f"{base}_{number}"
        names[node] = name
        taken.add(name)
        free.discard(name)
    return names
