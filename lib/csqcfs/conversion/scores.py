"""What an SNN answers from what its network gives at each step: means over time, of every output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from ..engine.batched import Batched


def scores(out: Any, T: int, end: fx.GraphModule | None) -> Any:
    """The mean of every output [T, N, ...] over steps 1..t, and of that what the network's ``end`` makes of it."""
    means = pytree.tree_map_only(Tensor, lambda leaf: mean_so_far(leaf[:T]), out)
    if end is None:
        return means
    ended = Batched(end).run(*(leaf.flatten(0, 1) for leaf in means))
    return pytree.tree_map_only(Tensor, lambda leaf: leaf.unflatten(0, (T, -1)), ended)


def mean_so_far(out: Tensor) -> Tensor:
    """Means over steps 1..t of [T, ...], summed in float32 where the network's type has less."""
    out = out if out.is_floating_point() or out.is_complex() else out.double()
    wide = out.float() if out.dtype in (torch.float16, torch.bfloat16) else out
    steps = torch.arange(1, len(out) + 1, device=out.device).view(-1, *[1] * (out.dim() - 1))
    return (wide.cumsum(0) / steps).to(out.dtype)


def joined(pieces: list) -> Any:
    """Results [T, n, ...] of pieces of the batch as one."""
    return _merged(pieces, lambda parts: torch.cat(parts, 1))


def last_of(runs: list) -> Any:
    """The last step of each of several runs, as the steps of one."""
    return _merged(runs, lambda parts: torch.stack([part[-1] for part in parts]))


def _merged(results: list, merge: Callable[[tuple[Tensor, ...]], Tensor]) -> Any:
    """Results of one structure as one, with ``merge`` for the tensors at each place; of all else the first."""
    return pytree.tree_map(lambda *parts: merge(parts) if isinstance(parts[0], Tensor) else parts[0], *results)
