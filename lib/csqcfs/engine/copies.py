"""Copies of a user's network, whatever it keeps beside its weights, and without wrappers around it."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.graph import _PyTreeCodeGen
from torch.nn.parameter import is_lazy
from torch.nn.utils import remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm, SpectralNormLoadStateDictPreHook
from torch.nn.utils.weight_norm import WeightNorm
from torch.overrides import TorchFunctionMode

from .errors import InputError, reason
from .modules import require_network

REMOVED = {WeightNorm: remove_weight_norm, SpectralNorm: remove_spectral_norm}
FLOAT = "FloatFunctional"  # stands among them, adds floats, and is in networks that may be quantized later
QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")
CARRIED = ("mean", "std")  # the normalisation of its inputs, which a network carries beside its weights


class _WithoutHistory(TorchFunctionMode):
    """Tensors that an operation made, which PyTorch refuses to copy, are copied as values."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is Tensor.__deepcopy__ and not args[0].is_leaf:
            return args[0].detach().clone()
        return function(*args, **(kwargs or {}))


def deepcopy(value: Any, memo: dict[int, Any] | None = None) -> Any:
    """A deep copy, wherever a forward, a hook or pruning left a tensor with a history in ``value``."""
    memo = {} if memo is None else memo
    if isinstance(value, nn.Module):
        memo |= _new_empty(value)
    with _WithoutHistory():
        return copy.deepcopy(value, memo)


def _new_empty(model: nn.Module) -> dict[int, Any]:
    """A memo of new containers for the empty ones of its modules: a dozen of each, which are half of a copy's time."""
    parts = [part for module in model.modules() for part in vars(module).values()]
    return {id(part): type(part)() for part in parts if type(part) in (OrderedDict, dict, set) and not part}


def opened(model: nn.Module) -> nn.Module:
    """The network inside DataParallel and torch.compile.

    Raises:
        InputError: no network.
    """
    require_network(model)
    while isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)) or hasattr(model, "_orig_mod"):
        model = model._orig_mod if hasattr(model, "_orig_mod") else model.module
    return model


def copied(model: nn.Module) -> nn.Module:
    """A deep copy without wrappers, with old-style weight norm as ordinary weights.

    Tensors with a history, which a forward may have left behind, are copied without it; what Python cannot copy
    (a lock, an open file) is shared.

    Raises:
        InputError: TorchScript, a layer that has no weights yet, or a network that cannot be copied.
    """
    model = opened(model)
    if isinstance(model, fx.GraphModule) and isinstance(model.graph._codegen, _PyTreeCodeGen):
        raise InputError("the network is one of torch.export: expected the nn.Module that it was made from")
    for name, module in model.named_modules():
        what = name or "the network"
        if isinstance(module, torch.jit.ScriptModule):
            raise InputError(f"{what} is TorchScript: expected the nn.Module that it was made from")
        if type(module).__module__.startswith(QUANTIZED) and not type(module).__name__.endswith(FLOAT):
            raise InputError(f"{what} is a quantized {type(module).__name__}: expected layers of floats; begin there")
    new = with_wrappers(model)
    for name, module in list(new.named_modules()):
        if name and (inner := opened(module)) is not module:
            new.set_submodule(name, inner)
    for module in new.modules():
        for hook in list(module._forward_pre_hooks.values()):
            if type(hook) in REMOVED:
                REMOVED[type(hook)](module, hook.name)
        for key, wrapped in list(module._load_state_dict_pre_hooks.items()):  # PyTorch looks for it unwrapped
            if isinstance(getattr(wrapped, "hook", wrapped), SpectralNormLoadStateDictPreHook):
                del module._load_state_dict_pre_hooks[key]
    carry(model, new)
    return new


def with_wrappers(model: nn.Module) -> nn.Module:
    """A deep copy as `copied` makes it, with the same names of tensors.

    Raises:
        InputError: a layer that has no weights yet, or a network that cannot be copied.
    """
    for name, module in model.named_modules():
        what = name or "the network"
        if any(is_lazy(t) for t in (*module.parameters(recurse=False), *module.buffers(recurse=False))):
            raise InputError(f"{what} is lazy and has no weights yet: expected some; run the network once first")
        if any(t.is_meta for t in (*module.parameters(recurse=False), *module.buffers(recurse=False))):
            raise InputError(f"{what} is on the device meta and has no weights yet: expected some; load them first")
    try:
        try:
            return deepcopy(model)
        except Exception:  # of whatever kind, as its class pleases
            memo: dict[int, Any] = {}
            for _, module in model.named_modules():
                _share_uncopyable(module, memo)
            return deepcopy(model, memo)
    except Exception as error:
        raise InputError(
            f"{type(model).__name__} cannot be copied ({reason(error)}); take out what it keeps"
        ) from error


def duplicate(model: fx.GraphModule) -> fx.GraphModule:
    """A deep copy of a traced network with the normalisation of its inputs."""
    new = deepcopy(model)
    carry(model, new)
    return new


def sharing(model: fx.GraphModule, dtype: torch.dtype | None = None) -> fx.GraphModule:
    """A copy of a traced network that holds the same parameters and buffers, or as ``dtype`` those of another type."""
    memo: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        wanted = tensor.dtype if dtype is None else as_precise(tensor.dtype, dtype)
        other = tensor.dtype != wanted
        new = tensor.detach().to(wanted) if other else tensor
        memo[id(tensor)] = nn.Parameter(new, False) if other and isinstance(tensor, nn.Parameter) else new
    new = deepcopy(model, memo)
    carry(model, new)
    return new


def as_precise(own: torch.dtype, dtype: torch.dtype) -> torch.dtype:
    """``dtype`` in place of ``own``: for complex numbers that of its pairs, for whole ones their own."""
    return dtype if own.is_floating_point else dtype.to_complex() if own.is_complex else own


def carry(model: nn.Module, new: nn.Module) -> None:
    """Give ``new`` the normalisation of ``model``, which torch.fx does not copy."""
    for name in CARRIED:
        if hasattr(model, name) and not hasattr(new, name):
            setattr(new, name, deepcopy(getattr(model, name)))


def _share_uncopyable(module: nn.Module, memo: dict[int, Any]) -> None:
    for name, value in vars(module).items():
        if name in ("_parameters", "_buffers", "_modules"):
            continue
        try:
            deepcopy(value, memo.copy())
        except Exception:
            memo[id(value)] = value
