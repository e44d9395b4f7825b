"""A ReLU that shows how often it was applied, so that a comparison sees one that the graph lost.

An in-place ReLU on a view of values that are rectified already changes nothing that could be compared, and yet the
activation in its place, of which two are not one, would change what others read from the same memory.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

CLAMPS = {"clamp": ("min", "max"), "clip": ("min", "max"), "clamp_min": ("min",), "hardtanh": ("min_val", "max_val")}


@contextlib.contextmanager
def halving() -> Iterator[None]:
    """Within it every ReLU gives half, one in a compiled forward too, which runs as it was written."""
    with as_written(), _Halving():
        yield


def as_written() -> contextlib.AbstractContextManager:
    """Within it a compiled network runs as it was written."""
    compiled = "torch._dynamo" in sys.modules  # there if anything was compiled
    return torch.compiler.set_stance("force_eager") if compiled else contextlib.nullcontext()


class _Halving(TorchFunctionMode):
    """A ReLU, clipped or not, gives half: no value leaves the range that it had, as an index must not."""

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        out = function(*args, **kwargs)
        if isinstance(out, Tensor) and out.is_floating_point() and _rectifies(function, args, kwargs):
            out.mul_(0.5)
        return out


def _rectifies(function: Any, args: tuple, kwargs: dict) -> bool:
    name = getattr(function, "__name__", "").rstrip("_")
    if name not in CLAMPS:
        return name in ("relu", "relu6")
    given = dict(zip(("input", *CLAMPS[name]), args)) | kwargs
    low = given.get(CLAMPS[name][0])
    return isinstance(low, (int, float)) and low == 0
