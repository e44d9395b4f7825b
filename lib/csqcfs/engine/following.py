"""While a forward is traced with an example, Python's own functions and torch's factories understand shadows."""

from __future__ import annotations

import builtins
import contextlib
import inspect
import sys
import types
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


def names_in(code: types.CodeType) -> set[str]:
    """What a function names, its comprehensions and inner functions included."""
    inner = [names_in(one) for one in code.co_consts if inspect.iscode(one)]
    return set(code.co_names).union(*inner)


def _scopes(root: nn.Module) -> list[dict[str, Any]]:
    """Globals of the files whose code may run in a forward: of the network's classes, those they are made from, and the
    functions that these name. Not torch's own.
    """
    parts = [part for module in root.modules() for kind in type(module).__mro__ for part in vars(kind).values()]
    todo = [getattr(part, "__func__", part) for part in parts]
    seen: set[types.CodeType] = set()
    scopes: dict[int, dict[str, Any]] = {}
    while todo:
        if not inspect.isfunction(part := todo.pop()) or (function := inspect.unwrap(part)).__code__ in seen:
            continue
        seen.add(function.__code__)
        scope = function.__globals__
        if f"{scope.get('__name__', 'torch')}.".startswith(("torch.", f"{__package__}.")):
            continue
        scopes[id(scope)] = scope
        names = names_in(function.__code__)
        known = [scope[name] for name in names if name in scope]
        todo += [*known, *(vars(one).get(name) for one in known if inspect.ismodule(one) for name in names)]
    return list(scopes.values())


@contextlib.contextmanager
def _builtins_follow(root: nn.Module) -> Iterator[None]:
    """``len``, ``isinstance`` and ``type`` understand shadows in the files of `_scopes`."""
    scopes = _scopes(root)
    ours = {"len": _len, "isinstance": _isinstance, "type": _Type}
    before = [(scope, {name: scope[name] for name in ours if name in scope}) for scope in scopes]
    for scope in scopes:
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
    """All of it, in the files that ``root`` runs; one thread at a time."""
    with GLOBAL, _builtins_follow(root), _factories_follow(), _compiled_follow():
        yield
