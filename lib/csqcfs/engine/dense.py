"""Tensors that hold a value at each place, as everything here needs them; others fail in the middle of PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

from .errors import InputError


def require_dense(x: Tensor, what: str) -> None:
    """Raise InputError, which names ``x`` as ``what``, where it has no values or keeps them packed."""
    odd = (
        (x.is_meta, "on the device meta", "load its values onto another device"),
        (x.is_nested, "nested", "bring its parts to one size and stack them"),
        (x.layout != torch.strided, f"of layout {x.layout}", "use x.to_dense()"),
        (x.is_quantized, f"of type {x.dtype}", "use x.dequantize()"),
        (x.is_floating_point() and x.itemsize == 1, f"of type {x.dtype}", "use x.float()"),
    )
    for found, kind, remedy in odd:
        if found:
            raise InputError(f"{what} {kind}: expected a dense tensor with values; {remedy}")
