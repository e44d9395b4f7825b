"""From a network to its graph: every operation of its forward, with the user's names and lines.

With an example, values decide Python's control flow (`shadow`); without one torch.fx decides alone. In-place
operations become ordinary ones whose result every later reader sees. The trace is one of evaluation mode.
"""

from __future__ import annotations

import inspect
import os
import sys
import weakref
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from .following import following
from .layers import behind
from .shadow import SIZES, TELLING, TYPES, InPlace, Shadow, Untraceable, applied, held, kind, leaves, value_of

WHOLE = "torchvision.transforms"  # its modules look at types and values of images; without weights, each stays whole
_OURS = tuple(os.path.dirname(module.__file__) + os.sep for module in (torch, fx)) + (
    os.path.dirname(os.path.dirname(__file__)) + os.sep + "engine",
    os.path.dirname(os.path.dirname(__file__)) + os.sep + "conversion",
)


class Tracer(fx.Tracer):
    """Follows ``forward`` on proxies, with the values of ``example`` where one is given; ``whole`` types stay whole."""

    def __init__(self, example: tuple | None, whole: tuple[type, ...]):
        super().__init__()
        self.whole = whole
        self.example, self.proxy_buffer_attributes = example, True
        self.live: weakref.WeakSet[Shadow] = weakref.WeakSet()
        self.running, self.rank_read = False, False
        self.types_read: list[str] = []  # where Python asked for a dtype or a device
        self.asked: list[
            tuple[tuple[int, int], fx.Node]
        ] = []  # guards of sizes whose index Python asked for, and where

    def trace(self, root: nn.Module, concrete_args: dict | None = None) -> fx.Graph:
        buffers = [(m._buffers, dict(m._buffers)) for m in root.modules()]
        try:
            with torch.no_grad(), following(root):
                return super().trace(root)
        finally:  # a forward may have written proxies there
            for now, before in buffers:
                now.clear()
                now.update(before)

    def create_args_for_root(self, root_fn: Any, is_module: bool, concrete_args: Any = None) -> tuple[Any, list]:
        """A placeholder for each input of the example, or each argument without a default; others keep theirs."""
        proxies: list[Any] = [self.root]
        parameters = list(inspect.signature(inspect.unwrap(root_fn)).parameters.values())[1:]
        names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
        if self.example is None:
            names = [p.name for p in parameters if p.name in names and p.default is p.empty] or names[:1] or [rest]
        else:
            names += [f"{rest}_{i}" for i in range(len(names), len(self.example))] if rest else []
            names = names[: len(self.example)]
        for i, name in enumerate(filter(None, names)):
            node = self.create_node("placeholder", name, (), {})
            proxies.append(InPlace(node, self) if self.example is None else self._shadow(node, self.example[i], False))
        if self.example is not None and len(names) < len(self.example):
            raise Untraceable(f"forward takes {len(names)} inputs and the example has {len(self.example)}")
        return root_fn, proxies

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        whole = isinstance(module, self.whole) or type(module).__module__.startswith(WHOLE)
        return whole or super().is_leaf_module(module, name)

    def call_module(self, module: nn.Module, forward: Any, args: tuple, kwargs: dict) -> Any:
        if self.running:
            return forward(*args, **kwargs)
        try:
            self.path_of_module(module)
        except NameError:  # made on the fly, as nn.ReLU()(x)
            return forward(*args, **kwargs)
        return super().call_module(module, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict) -> Any:
        return attr_val if self.running else super().getattr(attr, attr_val, parameter_proxy_cache)

    def create_arg(self, a: Any) -> Any:
        if isinstance(a, np.generic):  # its text is no Python without numpy
            a = a.item()
        return a.node if isinstance(a, fx.Proxy) else super().create_arg(a)

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        node.meta["line"] = _line()
        if node.target is held:
            node.args = (*node.args[:2], node.meta["line"])
        return node

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return InPlace(node, self)

    def create_proxy(self, kind: str, target: Any, args: tuple, kwargs: dict, *more: Any, **named: Any) -> Any:
        if target is torch._assert:
            return bool(args[0]) if self.example is not None else None
        written, changes = getattr(target, "__name__", target), self._changes(kind, target, args, kwargs)
        changed = kwargs.get("out", args[0] if args else kwargs.get("input"))
        if changes and kind != "call_module":
            kind, target, args, kwargs = changes
        if self.example is None:
            new = super().create_proxy(kind, target, args, kwargs, *more, **named)
        else:
            new = self._followed(kind, target, args, kwargs)
            if not isinstance(new, Shadow):
                return new
        if changes:
            new.node.meta["written"] = written
            return changed.become(new) if isinstance(changed, InPlace) else new
        return new

    def _changes(self, kind: str, target: Any, args: tuple, kwargs: dict) -> tuple | None:
        """The ordinary operation for one that changes its first argument, or ``out``; or None."""
        if kind == "call_module":
            module = self.root.get_submodule(target)
            return (kind, target, args, kwargs) if getattr(module, "inplace", False) is True else None
        name = target if kind == "call_method" else getattr(target, "__name__", "")
        if kind == "call_method" and name.endswith("_") and not name.endswith("__"):
            if hasattr(Tensor, name[:-1]):
                return kind, name[:-1], args, kwargs
            return "call_function", applied, (args[0], name, *args[1:]), kwargs
        if kind != "call_function":
            return None
        if isinstance(kwargs.get("out"), fx.Proxy):
            return kind, target, args, {k: v for k, v in kwargs.items() if k != "out"}
        if name.endswith("_") and not name.startswith("_") and not name.endswith("__"):
            twin = getattr(F, name[:-1], None) or getattr(torch, name[:-1], None)
            return (kind, twin, args, kwargs) if twin is not None and target is not twin else None
        if getattr(target, "__module__", "") == F.__name__ and "inplace" in (names := list(_parameters(target))):
            bound = dict(zip(names, args)) | kwargs
            if bound.get("inplace"):
                at = names.index("inplace")
                return (
                    kind,
                    target,
                    args[:at],
                    {k: v for k, v in kwargs.items() if k != "inplace"} | dict(zip(names[at + 1 :], args[at + 1 :])),
                )
        return None

    def _followed(self, kind: str, target: Any, args: tuple, kwargs: dict) -> Any:
        """The operation's value on the example, as a shadow where later inputs may have another."""
        values, named = value_of((args, kwargs))
        inputs = [v for v in leaves((args, kwargs)) if isinstance(v, Shadow)]
        result = self._run(kind, target, values, named)
        name = values[1] if target is getattr else getattr(target, "__name__", target)
        sized = not _holds_tensor(result) and (name in SIZES or any(v.sized for v in inputs))
        if not _holds_tensor(result) and any(v.is_tensor for v in inputs) and kind != "call_module":
            if not (target is getattr or name in TELLING or name.startswith("is_") or result is None):
                raise Untraceable(f"{name}() takes the value of a tensor to Python")
        if name in TYPES and not _holds_tensor(result):
            self._hold_types([v for v in inputs if v.is_tensor])
        if target is not held and not sized and (result is None or isinstance(result, (bool, int, float, str))):
            return result
        if isinstance(result, (torch.dtype, torch.device)):
            self.types_read.append(_line())
        if name in ("ndim", "dim", "ndimension"):
            return self.ranked(result)
        return self._shadow(super().create_proxy(kind, target, args, kwargs).node, result, sized)

    def _hold_types(self, read: list[Shadow]) -> None:
        """Hold the graph to the kinds of values that images decide; those of weights are the network's own."""
        images = behind(self.graph, lambda node: node.op == "placeholder")
        for shadow in read:
            if shadow.node in images:
                read_kind = super().create_proxy("call_function", kind, (shadow,), {})
                super().create_proxy("call_function", held, (read_kind, kind(shadow.value)), {})

    def _run(self, kind: str, target: Any, args: tuple, kwargs: dict) -> Any:
        self.running = True
        try:
            if kind == "get_attr":
                value = self.root
                for part in target.split("."):
                    value = getattr(value, part)
                return value.detach().clone() if isinstance(value, Tensor) else value
            if kind == "call_module":
                module = self.root.get_submodule(target)
                changes, was = hasattr(module, "inplace"), getattr(module, "inplace", None)
                if changes:
                    module.inplace = False
                out = module(*args, **kwargs)
                if changes:
                    module.inplace = was
                return out
            return target(*args, **kwargs) if kind == "call_function" else getattr(args[0], target)(*args[1:], **kwargs)
        finally:
            self.running = False

    def _shadow(self, node: fx.Node, value: Any, sized: bool) -> Shadow:
        shadow = Shadow(node, self, value, sized)
        if isinstance(value, Tensor):
            node.meta |= {"shape": value.shape, "dtype": value.dtype}
            self.live.add(shadow)
        return shadow

    def aliases(self, shadow: Shadow) -> list[Shadow]:
        """Live proxies of the whole of the same memory, ``shadow`` among them."""
        return [s for s in self.live if s is shadow or _same_memory(s.value, shadow.value)] or [shadow]

    def ranked(self, rank: int) -> int:
        self.rank_read = True
        return rank


def _same_memory(a: Tensor, b: Tensor) -> bool:
    return a.data_ptr() == b.data_ptr() and a.shape == b.shape and a.stride() == b.stride() and a.numel() > 0


def _holds_tensor(value: Any) -> bool:
    return any(
        isinstance(leaf, Tensor) for leaf in leaves(value if isinstance(value, (tuple, list, dict)) else (value,))
    )


def _parameters(function: Any) -> Any:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ()


def _line() -> str:
    """File and line of the user's Python that is being traced."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame is not None else ""
