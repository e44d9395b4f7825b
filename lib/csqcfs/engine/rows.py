"""An activation's input as rows [., ., C] or [., C, .]: one compiled kernel serves every rank and memory format."""

from __future__ import annotations

import math

import torch
from torch import Tensor

PARTS = 8  # of the batch in one compiled backward kernel: more take longer to compile and are not faster


def channels_lie_last(z: Tensor) -> bool:
    """Whether neighbours in the memory of ``z`` [N, C, ...] are channels, as for every matrix and in channels_last."""
    return z.dim() <= 2 or all(z.stride(1) < step for size, step in zip(z.shape[2:], z.stride()[2:]) if size > 1)


def as_rows(z: Tensor, last: bool) -> Tensor:
    """[., ., C] if channels are to lie ``last``, else [., C, .]: a view, or a copy where ``z`` has gaps.

    One shape serves every rank and both memory formats, and no strides are left, so that the kernels are compiled
    once for each.
    """
    if z.dim() <= 2:
        return z.reshape(1, math.prod(z.shape[:-1]), z.shape[-1] if z.dim() else 1).contiguous()
    return (z.movedim(1, -1).flatten(1, -2) if last else z.flatten(2)).contiguous()


def from_rows(rows: Tensor, shape: torch.Size, last: bool) -> Tensor:
    """Undo `as_rows`: a tensor of ``shape`` in the same memory order."""
    if len(shape) > 2 and last:
        return rows.unflatten(1, shape[2:]).movedim(-1, 1)
    return rows.view(shape)


def parts_of(shape: torch.Size, last: bool) -> tuple[int, int, int, int]:
    """Shape of `as_rows` cut into equal parts, none of them through the channels: parts first."""
    first, second, third = shape
    if first == 1 and last:
        parts = math.gcd(second, PARTS)
        return parts, 1, second // parts, third
    parts = math.gcd(first, PARTS)
    return parts, first // parts, second, third
