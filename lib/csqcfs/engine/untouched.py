"""What a network's code can reach beyond any copy of it stays as it was: the user's network and what it shares.

A deep copy has the functions of its original: an instance's lambda, a hook that closes over ``self``, what fills a
cache in a global, a class or a default argument. Run or traced, the copy writes there, symbolic values among it.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from .following import names_in
from .modules import GLOBAL

FOREIGN = {"torch", "numpy", "builtins", __name__.partition(".")[0], *sys.stdlib_module_names}  # keep nothing of a user
PLAIN = (str, bytes, int, float, complex, Tensor, type(None))
LONG = 1000  # entries from which a container is one of data, whose entries lead to nothing of a network
Undo = Callable[[], None]


@contextlib.contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """``model`` with its weights, buffers and modes, and all that its functions name, leave as they came."""
    with GLOBAL:  # while another thread traces, globals are not the user's
        undos = _undos(model)
    try:
        yield
    finally:
        with GLOBAL, torch.no_grad():
            for undo in undos:
                undo()


def _undos(root: nn.Module) -> list[Undo]:
    """What puts back whatever can be written into, of all that ``root`` leads to."""
    undos: list[Undo] = []
    seen: dict[int, Any] = {}  # and kept, so that no other gets the number of one that is gone
    todo: list[Any] = [root]
    while todo:
        one = todo.pop()
        if id(one) not in seen and not isinstance(one, PLAIN):
            seen[id(one)] = one
            undos += _undos_of(one)
            todo += _led_to(one)
    return undos


def _undos_of(one: Any) -> list[Undo]:
    if type(one) in (dict, collections.OrderedDict, collections.defaultdict, set):
        return [functools.partial(_refill, one, one.copy(), one.update)]
    if type(one) in (list, collections.deque):
        return [functools.partial(_refill, one, one.copy(), one.extend)]
    if inspect.isfunction(one) and not _foreign(one):
        cells = [functools.partial(setattr, cell, "cell_contents", value) for cell, value in _cells(one)]
        return [*cells, functools.partial(_rename, one.__globals__, _globals(one), names_in(one.__code__))]
    if isinstance(one, type) and not _foreign(one):
        return [functools.partial(_reset, one, dict(vars(one)))]
    if isinstance(one, nn.Module):
        own = (*one.parameters(recurse=False), *one.buffers(recurse=False))
        return [functools.partial(_rewrite, t, t.detach().clone()) for t in own if not (is_lazy(t) or t.is_meta)]
    return []


def _led_to(one: Any) -> list[Any]:
    if isinstance(one, (dict, list, set, tuple, collections.deque)):
        entries = one.values() if isinstance(one, dict) else one
        return list(entries) if len(one) < LONG else []
    if isinstance(one, types.MethodType):
        return [one.__self__, one.__func__]
    if isinstance(one, (staticmethod, classmethod)):
        return [one.__func__]
    if isinstance(one, property):
        return [one.fget]
    if isinstance(one, functools.partial):
        return [one.func, one.args, one.keywords]
    if isinstance(one, functools._lru_cache_wrapper):
        return [one.__wrapped__]
    if inspect.isfunction(one):
        if _foreign(one):
            return [vars(one)]  # a wrapper's has what it wraps
        known, names = _globals(one).values(), names_in(one.__code__)
        inside = [vars(module).get(name) for module in known if inspect.ismodule(module) for name in names]
        return [*known, *inside, *(value for _, value in _cells(one)), one.__defaults__, one.__kwdefaults__, vars(one)]
    if isinstance(one, type):
        return [] if _foreign(one) else [*vars(one).values(), *one.__mro__]
    if isinstance(one, nn.Module) or (hasattr(one, "__dict__") and not _foreign(type(one))):
        return [vars(one), type(one)]
    return []


def _foreign(one: Any) -> bool:
    """Whether the file of a function or class is one of Python, PyTorch or the library."""
    file = one.__globals__.get("__name__") if inspect.isfunction(one) else getattr(one, "__module__", None)
    return str(file).partition(".")[0] in FOREIGN


def _cells(function: types.FunctionType) -> list[tuple[Any, Any]]:
    """What a function closes over; a name that is not bound yet has an empty cell."""
    filled = []
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):
            filled.append((cell, cell.cell_contents))
    return filled


def _globals(function: types.FunctionType) -> dict[str, Any]:
    return {n: function.__globals__[n] for n in names_in(function.__code__) if n in function.__globals__}


def _refill(container: Any, before: Any, add: Callable[[Any], None]) -> None:
    if _identities(container) != _identities(before):
        container.clear()
        add(before)


def _rewrite(tensor: Tensor, before: Tensor) -> None:
    if not torch.equal(tensor, before):
        tensor.copy_(before)


def _identities(container: Any) -> list[int]:
    if isinstance(container, dict):
        return [*map(id, container), *map(id, container.values())]
    return sorted(map(id, container)) if isinstance(container, set) else [*map(id, container)]


def _rename(scope: dict[str, Any], before: dict[str, Any], names: set[str]) -> None:
    """Give ``names`` of a file what they meant ``before``, if anything."""
    for name in names:
        if name in before:
            scope[name] = before[name]
        else:
            scope.pop(name, None)


def _reset(kind: type, before: dict[str, Any]) -> None:
    """Give a class the attributes that it had ``before``."""
    for name, value in dict(vars(kind)).items():
        if name not in before:
            delattr(kind, name)
        elif before[name] is not value:
            setattr(kind, name, before[name])
    for name in before.keys() - vars(kind).keys():
        setattr(kind, name, before[name])
