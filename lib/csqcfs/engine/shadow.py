"""A proxy that knows what it stands for on the example, so that values decide Python's control flow in a trace.

Sizes stay symbolic as long as they can: ``x.shape[0] * 2`` becomes nodes of the graph, and the batch size remains
free. Where Python needs the number itself (``if h.shape[2] % 2``, ``range(n)``), the trace goes on with that of the
example and the graph gets a node that holds later inputs to it, see `held`.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from .errors import InputError

# what a tensor tells without its values; sizes among it are followed, the rest is taken as it is
SIZES = {"shape", "size", "numel", "nelement", "stride", "dim", "ndim", "ndimension"}
OPERATORS = {  # of numpy on its own numbers
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
}
TYPES = {"dtype", "is_floating_point", "is_complex", "is_signed", "element_size", "itemsize", "nbytes", "type"}
TELLING = SIZES | {"element_size", "storage_offset", "get_device", "data_ptr", "type"}


class Untraceable(Exception):
    """A line of Python that no trace can follow; its text says which and why."""


def held(value: Any, expected: Any, line: str = "") -> Any:
    """``value``, which must be what it was when the network was traced; a tuple must have so many entries.

    Raises:
        InputError: it is another, so that the network's own Python, at ``line``, would have gone another way.
    """
    found = len(value) if isinstance(value, (tuple, list)) else value
    if found != expected:
        raise InputError(
            f"a size or type, or a condition on them, that the network's Python decides by is {found}, and was "
            f"{expected} for the example; quantize it with an example of this kind, or keep sizes and types out of its "
            "control flow"
            f"{f' ({line})' if line else ''}"
        )
    return value


def kind(x: Tensor) -> str:
    """The type of ``x`` as far as it is held: floating numbers of any precision are one, since a network may go on
    in another, as by ``.half()``.
    """
    return "floating" if x.is_floating_point() else "complex" if x.is_complex() else str(x.dtype)


def assigned(x: Tensor, index: Any, value: Any) -> Tensor:
    """``x[index] = value`` on a copy."""
    x = x.clone()
    x[index] = value
    return x


def applied(x: Tensor, method: str, *args: Any, **kwargs: Any) -> Tensor:
    """The in-place ``method`` on a copy of ``x``."""
    x = x.clone()
    getattr(x, method)(*args, **kwargs)
    return x


torch.fx.node.has_side_effect(held)


class InPlace(fx.Proxy):
    """A proxy whose in-place operations are seen by every later reader of the same tensor."""

    def __setitem__(self, index: Any, value: Any) -> None:
        self.become(self.tracer.create_proxy("call_function", assigned, (self, index, value), {}))

    def become(self, new: fx.Proxy) -> fx.Proxy:
        """Let later readers of this tensor read ``new``."""
        self.node = new.node
        return self

    @property
    def is_tensor(self) -> bool:
        return True


def _in_place(name: str) -> Any:
    operation = getattr(operator, name)

    def method(self: InPlace, other: Any) -> fx.Proxy:
        new = self.tracer.create_proxy("call_function", operation, (self, other), {})
        return self.become(new) if self.is_tensor else new

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor", "matmul"):
    setattr(InPlace, f"__i{_name.rstrip('_')}__", _in_place(_name))


class Shadow(InPlace):
    """A proxy with its ``value`` on the example; ``sized`` if that follows from the sizes of tensors."""

    def __init__(self, node: fx.Node, tracer: fx.Tracer, value: Any, sized: bool):
        super().__init__(node, tracer)
        self.value, self.sized = value, sized

    @property
    def is_tensor(self) -> bool:
        return isinstance(self.value, Tensor)

    def become(self, new: fx.Proxy) -> fx.Proxy:
        for other in self.tracer.aliases(self):
            other.node, other.value = new.node, new.value
        return self

    def __getattr__(self, name: str) -> Any:
        if "value" not in self.__dict__:
            raise AttributeError(name)
        if callable(getattr(self.value, name)):  # AttributeError as the value's own
            return fx.proxy.Attribute(self, name)
        return self.tracer.create_proxy("call_function", getattr, (self, name), {})

    def concrete(self) -> Any:
        """The value itself, to which the graph is held from here on.

        Raises:
            Untraceable: it is that of a tensor.
        """
        if self.is_tensor:
            raise Untraceable("control flow that depends on the value of a tensor")
        if isinstance(self.value, (tuple, list)):
            return type(self.value)(e.concrete() if type(e) is Shadow else e for e in self)
        if self.sized:
            self.tracer.create_proxy("call_function", held, (self, self.value), {})
        return self.value

    def __iter__(self) -> Iterator[Any]:
        if self.is_tensor:
            return iter([self[i] for i in range(len(self))])
        if not isinstance(self.value, (tuple, list)):
            raise TypeError(f"{type(self.value).__name__!r} object is not iterable")
        whole = self
        if not self.sized:
            whole = self.tracer.create_proxy("call_function", held, (self, len(self.value)), {})
        return iter([whole[i] for i in range(len(self.value))])

    def __len__(self) -> int:
        length = self.length()
        return length.concrete() if isinstance(length, Shadow) else length

    def length(self) -> Any:
        """What ``len`` means: of a tensor its first size, which stays free."""
        if self.is_tensor:
            return self.size(0)
        return self.tracer.ranked(len(self.value)) if self.sized else len(self.value)

    def __bool__(self) -> bool:
        return bool(self.concrete())

    def __int__(self) -> int:
        return int(self.concrete())

    def __index__(self) -> int:
        value, last = operator.index(self.concrete()), next(iter(reversed(self.tracer.graph.nodes)))
        if self.sized:
            self.tracer.asked.append((_caller(), last))
        return value

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = None, kwargs: Any = None) -> Any:
        # PyTorch asks for the index of every size before it hands the call over, as a size and not for its value
        tracer, here = next(a.tracer for a in _shadows((args, kwargs))), _caller()
        for place, guard in tracer.asked:
            if place == here and not guard.users:
                tracer.graph.erase_node(guard)
        tracer.asked = [asked for asked in tracer.asked if asked[0] != here]
        return super().__torch_function__(function, types, args, kwargs)

    def __float__(self) -> float:
        return float(self.concrete())

    def __round__(self, digits: int | None = None) -> Any:
        return round(self.concrete(), digits)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """``np.sqrt(h.shape[1])``, a number, and ``np.float64(2) * h``, the tensor's own operation."""
        if not any(shadow.is_tensor for shadow in _shadows(inputs)):
            known = fx.node.map_aggregate(inputs, lambda a: a.concrete() if type(a) is Shadow else a)
            return getattr(ufunc, method)(*known, **kwargs)
        if ufunc.__name__ not in OPERATORS:
            raise Untraceable(f"numpy.{ufunc.__name__}() takes the value of a tensor to Python; use that of torch")
        return OPERATORS[ufunc.__name__](*(a.item() if isinstance(a, np.generic) else a for a in inputs))

    def __contains__(self, item: Any) -> bool:
        return item in self.concrete()

    def __divmod__(self, other: Any) -> tuple:
        return self // other, self % other

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)


def _caller() -> tuple[int, int]:
    """The call in the user's Python from which PyTorch or Python itself came here."""
    frame = sys._getframe(2)
    return id(frame), frame.f_lasti


def _shadows(argument: Any) -> list[Shadow]:
    found: list[Shadow] = []
    fx.node.map_aggregate(argument, lambda a: found.append(a) if type(a) is Shadow else None)
    return found


def value_of(argument: Any) -> Any:
    """``argument`` with every shadow replaced by what it stands for."""
    return fx.node.map_aggregate(argument, lambda a: a.value if type(a) is Shadow else a)


def leaves(argument: Any) -> list[Any]:
    """What nested arguments of torch.fx hold."""
    found: list[Any] = []

    def note(leaf: Any) -> Any:
        found.append(leaf)
        return leaf

    fx.node.map_aggregate(argument, note)
    return found
