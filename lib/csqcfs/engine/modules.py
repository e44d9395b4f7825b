"""What any module has: a device and a mode for each part."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from .errors import InputError, kind, reason, shown


def require_network(model: Any) -> None:
    """Raise InputError unless ``model`` is an nn.Module."""
    if not isinstance(model, nn.Module):
        raise InputError(f"network of {kind(model)}: expected an nn.Module; make one, and load weights into it, first")


def does(module: Any, *kinds: type[nn.Module]) -> bool:
    """Whether ``module`` is one of ``kinds`` with its forward, which no subclass and nobody by hand replaced."""
    return any(isinstance(module, k) and getattr(module.forward, "__func__", None) is k.forward for k in kinds)


@contextlib.contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Every module leaves as it came, training or not; one by one, since parts may be frozen."""
    require_network(model)
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextlib.contextmanager
def values_kept(model: nn.Module) -> Iterator[None]:
    """Every parameter and buffer leaves as it came, in value and gradient, whatever a run within does to them."""
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    tensors = [
        (home, name, tensor, tensor.detach().clone())
        for module in model.modules()
        for home in (module._parameters, module._buffers)
        for name, tensor in home.items()
        if tensor is not None and not is_lazy(tensor)  # those have no value yet
    ]
    for parameter, _ in gradients:
        parameter.grad = None  # else a backward within adds to it
    try:
        yield
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for home, name, tensor, value in tensors:
            home[name] = tensor
            if tensor.shape != value.shape:
                tensor.data = value
            elif not torch.equal(tensor, value):
                tensor.data.copy_(value)


GLOBAL = threading.RLock()  # for what changes a setting of the whole process: one thread at a time
_tf32: list[bool] = []  # what each thread within `full_float32` found; the first one's is the caller's


@contextlib.contextmanager
def full_float32() -> Iterator[None]:
    """Convolutions of float32 on a GPU in float32, until the last thread within has left.

    PyTorch lets cuDNN round their factors to the 10 bits of TF32, unless told otherwise; a pre-activation that is off
    by 1e-3 comes out one step of the activation higher or lower.
    """
    with GLOBAL:
        _tf32.append(torch.backends.cudnn.allow_tf32)
        torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        with GLOBAL:
            before = _tf32.pop()
            if not _tf32:
                torch.backends.cudnn.allow_tf32 = before


def device_of(model: nn.Module) -> torch.device:
    """Where the first parameter or buffer of ``model`` lies."""
    return next((tensor.device for tensor in (*model.parameters(), *model.buffers())), torch.device("cpu"))


def usable(device: torch.device | str) -> torch.device:
    """``device``, on which a tensor can be made and read.

    Raises:
        InputError: there is none of that name here.
    """
    try:
        torch.zeros(1, device=device).item()
        return torch.device(device)
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"device = {shown(device)} ({reason(error)}): expected one of this machine, such as 'cpu'"
        ) from error


def as_model(model: nn.Module, x: Tensor) -> Tensor:
    """``x`` where ``model`` lies, and in the type of its first parameter or buffer of numbers that are not whole."""
    floating = (t for t in (*model.parameters(), *model.buffers()) if t.is_floating_point())
    return x.to(next((tensor.dtype for tensor in floating), x.dtype)).to(device_of(model))
