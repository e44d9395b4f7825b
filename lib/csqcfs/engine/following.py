"""While a forward is traced with an example, Python's own functions and torch's factories understand shadows."""

from __future__ import annotations

import builtins
import contextlib
import inspect
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .modules import GLOBAL
from .shadow import Shadow, leaves

FACTORIES = ("zeros", "ones", "empty", "full", "rand", "randn", "arange", "linspace", "eye", "tensor", "as_tensor")
SIZED = ("expand", "repeat", "reshape", "view", "new_zeros", "new_ones", "new_full", "new_empty")  # of real tensors


def _len(value: Any) -> Any:
    return value.length() if type(value) is Shadow else builtins.len(value)


def _isinstance(value: Any, kinds: Any) -> bool:
    return builtins.isinstance(value, kinds) or (type(value) is Shadow and builtins.isinstance(value.value, kinds))


class _OfValue(type):
    def __call__(cls, value: Any, *more: Any) -> Any:
        return builtins.type(value.value) if builtins.type(value) is Shadow else builtins.type(value, *more)

    def __instancecheck__(cls, value: Any) -> bool:
        return builtins.isinstance(value, builtins.type)


class _Type(type, metaclass=_OfValue):
    """``type``, of what a shadow stands for."""


@contextlib.contextmanager
def _builtins_follow(root: nn.Module) -> Iterator[None]:
    """``len``, ``isinstance`` and ``type`` understand shadows in the files whose classes the network is made of."""
    scopes: dict[int, dict] = {}
    for module in root.modules():
        scope = getattr(inspect.unwrap(type(module).forward), "__globals__", {})
        if not scope.get("__name__", "torch.").startswith(("torch.", __package__)):
            scopes[id(scope)] = scope
    ours = {"len": _len, "isinstance": _isinstance, "type": _Type}
    before = [(scope, {name: scope[name] for name in ours if name in scope}) for scope in scopes.values()]
    for scope in scopes.values():
        scope.update(ours)
    try:
        yield
    finally:
        for scope, had in before:
            for name in ours:
                scope.pop(name, None)
            scope.update(had)


def _compiled_follow() -> contextlib.AbstractContextManager:
    """A forward under ``@torch.compile`` is called as it was written."""
    dynamo = sys.modules.get("torch._dynamo")  # there if anything was compiled
    return dynamo.config.patch(error_on_nested_fx_trace=False) if dynamo else contextlib.nullcontext()


@contextlib.contextmanager
def _factories_follow() -> Iterator[None]:
    """``torch.zeros(len(x), 8)`` and ``mask.expand(len(x), 8)`` become nodes, although no tensor has a shadow."""
    before = {name: getattr(torch, name) for name in (*FACTORIES, "is_tensor")}
    own = {name: Tensor.__dict__[name] for name in SIZED if name in Tensor.__dict__}  # a user's

    def following(function: Any, kind: str = "call_function", target: Any = None) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            shadow = next((a for a in leaves((args, kwargs)) if type(a) is Shadow), None)
            if shadow is None:
                return function(*args, **kwargs)
            return shadow.tracer.create_proxy(kind, target or function, args, kwargs)

        return call

    for name, function in before.items():
        setattr(torch, name, following(function))
    for name in SIZED:
        setattr(Tensor, name, following(getattr(Tensor, name), "call_method", name))
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(torch, name, function)
        for name in SIZED:
            delattr(Tensor, name)  # that of its base class remains
        for name, function in own.items():
            setattr(Tensor, name, function)


@contextlib.contextmanager
def following(root: nn.Module) -> Iterator[None]:
    """All of it, in the files whose classes ``root`` is made of; one thread at a time."""
    with GLOBAL, _builtins_follow(root), _factories_follow(), _compiled_follow():
        yield
