"""Which operations of a traced network an SNN of IF neurons can express, and how call sites are replaced.

Between two layers of neurons everything must be linear (affine) in the spikes and act on each image of a
batch alone: only then is the network's mean over time the network of the mean.
"""

from __future__ import annotations

import operator

import torch
from torch import fx, nn
from torch.nn import functional as F

from .errors import InputError

LINEAR_MODULES = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.Linear,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AvgPool3d,
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.Identity,
    nn.Flatten,
    nn.Unflatten,
    nn.ZeroPad2d,
    nn.PixelShuffle,
    nn.Upsample,
)
LINEAR_FUNCTIONS = {
    operator.add,
    operator.iadd,
    operator.sub,
    operator.isub,
    operator.neg,
    operator.getitem,
    operator.floordiv,
    torch.add,
    torch.sub,
    torch.neg,
    torch.cat,
    torch.concat,
    torch.flatten,
    torch.reshape,
    torch.permute,
    torch.transpose,
    torch.squeeze,
    torch.unsqueeze,
    torch.mean,
    torch.sum,
    torch.conv1d,
    torch.conv2d,
    F.conv2d,
    F.linear,
    F.avg_pool2d,
    F.adaptive_avg_pool2d,
    F.pad,
    F.interpolate,
    getattr,
}
LINEAR_METHODS = {
    "add",
    "add_",
    "sub",
    "sub_",
    "neg",
    "flatten",
    "view",
    "reshape",
    "permute",
    "transpose",
    "contiguous",
    "mean",
    "sum",
    "squeeze",
    "unsqueeze",
    "size",
    "dim",
    "chunk",
    "split",
    "to",
    "clone",
}
DIVISIONS = {operator.truediv, torch.div, "div", "div_"}
SCALINGS = DIVISIONS | {operator.mul, operator.imul, torch.mul, "mul", "mul_"}
RELU_FUNCTIONS = {F.relu, F.relu_, torch.relu, torch.relu_}
MAX_TO_AVERAGE = {
    nn.MaxPool1d: nn.AvgPool1d,
    nn.MaxPool2d: nn.AvgPool2d,
    nn.MaxPool3d: nn.AvgPool3d,
    nn.AdaptiveMaxPool1d: nn.AdaptiveAvgPool1d,
    nn.AdaptiveMaxPool2d: nn.AdaptiveAvgPool2d,
}
# Functions that become modules: the module, and the function's parameters after the input.
_POOL = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_DROP = ("p", "training", "inplace")
FUNCTIONAL = {
    F.max_pool1d: (nn.MaxPool1d, _POOL),
    F.max_pool2d: (nn.MaxPool2d, _POOL),
    F.max_pool3d: (nn.MaxPool3d, _POOL),
    torch.max_pool1d: (nn.MaxPool1d, _POOL),
    torch.max_pool2d: (nn.MaxPool2d, _POOL),
    F.adaptive_max_pool2d: (nn.AdaptiveMaxPool2d, ("output_size", "return_indices")),
    F.dropout: (nn.Dropout, _DROP),
    F.dropout2d: (nn.Dropout2d, _DROP),
}


def classify(node: fx.Node, model: fx.GraphModule) -> str:
    """ "relu", "max_pool", "dropout" (as a function), "linear" or "unsupported"."""
    if node.op in ("placeholder", "output", "get_attr"):
        return "linear"
    if node.op == "call_module":
        module = model.get_submodule(node.target)
        if isinstance(module, nn.ReLU):
            return "relu"
        if type(module) in MAX_TO_AVERAGE:
            return "max_pool"
        return "linear" if isinstance(module, LINEAR_MODULES) else "unsupported"
    if node.target in RELU_FUNCTIONS or (node.op == "call_method" and node.target in ("relu", "relu_")):
        return "relu"
    if node.target in FUNCTIONAL:
        return "max_pool" if FUNCTIONAL[node.target][0] in MAX_TO_AVERAGE else "dropout"
    if node.target in SCALINGS:
        return "linear" if scales(node) else "unsupported"
    known = LINEAR_METHODS if node.op == "call_method" else LINEAR_FUNCTIONS
    return "linear" if node.target in known else "unsupported"


def scales(node: fx.Node) -> bool:
    """Whether a product or quotient is one activation times a constant or a parameter: x * x and 1 / x are not."""
    operands = [*node.args, *node.kwargs.values()]
    varying = [isinstance(operand, fx.Node) and operand.op != "get_attr" for operand in operands]
    if node.target in DIVISIONS:
        return varying[0] and not any(varying[1:]) and node.kwargs.get("rounding_mode") is None
    return sum(varying) == 1


def describe(node: fx.Node, model: fx.GraphModule) -> str:
    """What stands at a call site: a module's type, or a function's name."""
    if node.op == "call_module":
        return type(model.get_submodule(node.target)).__name__
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
    return f"{name}()"


def place(node: fx.Node) -> str:
    """Dotted name of the module at a call site, or of the one whose forward calls the function."""
    if node.op == "call_module":
        return node.target
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return stack[-1][0] if stack else ""


def as_module(node: fx.Node, model: fx.GraphModule) -> nn.Module:
    """The module for a max pooling (its average) or a functional dropout, which tracing froze in one mode.

    Raises:
        InputError: dilated pooling, pooling indices or arguments that depend on the input.
    """
    if node.op == "call_module":
        module = model.get_submodule(node.target)
    else:
        kind, names = FUNCTIONAL[node.target]
        arguments = dict(zip(names, node.args[1:])) | {k: v for k, v in node.kwargs.items() if k in names}
        if kind in (nn.Dropout, nn.Dropout2d):
            return kind(arguments.get("p", 0.5))
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
    if isinstance(module, (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)):
        return MAX_TO_AVERAGE[type(module)](module.output_size)
    return MAX_TO_AVERAGE[type(module)](module.kernel_size, module.stride, module.padding, module.ceil_mode)


def put(node: fx.Node, model: fx.GraphModule, module: nn.Module, name: str) -> None:
    """Make ``node`` call ``module`` on its input, given by place or by keyword, under ``name``."""
    x = node.args[0] if node.args else node.kwargs["input"]
    model.add_submodule(name, module)
    node.op, node.target, node.args, node.kwargs = "call_module", name, (x,), {}


def names_for(nodes: list[fx.Node], model: fx.GraphModule, function: str) -> dict[fx.Node, str]:
    """A module name for each call site: the module's own at its first use, then with _2, _3, ... behind it.

    Functions are named ``function`` inside the module that calls them.
    """
    taken = {name for name, _ in model.named_modules(remove_duplicate=False)}
    free = {node.target for node in nodes if node.op == "call_module"}
    names: dict[fx.Node, str] = {}
    for node in nodes:
        base = node.target if node.op == "call_module" else ".".join(filter(None, (place(node), function)))
        name, number = base, 1
        while name in taken and not (name == base and name in free):
            number += 1
            name = f"{base}_{number}"
        names[node] = name
        taken.add(name)
        free.discard(name)
    return names
