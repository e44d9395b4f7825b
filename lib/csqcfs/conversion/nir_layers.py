"""What of a network's poolings, flattenings and weights NIR has nodes for."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn

from ..engine.layers import called
from ..engine.modules import does

Shapes = Mapping[fx.Node, tuple[int, ...]]  # of every tensor without its batch dimension
FLATTENING = ("flatten", "view", "reshape", torch.flatten, torch.reshape)


def pooling(node: fx.Node, module: nn.Module | None, shapes: Shapes) -> tuple | None:
    """Kernel, stride and padding of an average pooling; None for something else."""
    if does(module, nn.AvgPool2d):
        pairs = [
            (v, v) if isinstance(v, int) else tuple(v) for v in (module.kernel_size, module.stride, module.padding)
        ]
        before, after = shapes[node.all_input_nodes[0]][1:], shapes[node][1:]
        plain = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(before, *pairs, strict=True))
        counts = module.count_include_pad or pairs[2] == (0, 0)
        return pairs if plain == after and counts and module.divisor_override is None else None
    mean = called(node) in ("mean", torch.mean) and len(shapes.get(node.all_input_nodes[0], ())) == 3
    dims = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    whole = mean and isinstance(dims, (tuple, list)) and sorted(d % 4 for d in dims) == [2, 3]
    if whole or does(module, nn.AdaptiveAvgPool2d):
        before = shapes[node.all_input_nodes[0]][1:]
        after = shapes[node][1:] or (1, 1)
        if all(n % m == 0 for n, m in zip(before, after, strict=True)):
            kernel = tuple(n // m for n, m in zip(before, after, strict=True))
            return kernel, kernel, (0, 0)
    return None


def flattens(node: fx.Node, module: nn.Module | None, shapes: Shapes) -> bool:
    """Whether ``node`` makes one dimension of all but the batch."""
    read = node.all_input_nodes[:1]
    shape = shapes.get(read[0], ()) if read else ()
    return (does(module, nn.Flatten) or called(node) in FLATTENING) and shapes[node] == (math.prod(shape),)


def dense(weight: Tensor, groups: int) -> Tensor:
    """Weights of one group with zeros between: `nir` 1.0 does not read grouped convolutions of a known size."""
    if groups == 1:
        return weight.clone()
    blocks = [
        nn.functional.pad(block.movedim(1, -1), (0, weight.shape[1] * (groups - 1))) for block in weight.chunk(groups)
    ]
    return (
        torch.cat([block.roll(g * weight.shape[1], -1) for g, block in enumerate(blocks)]).movedim(-1, 1).contiguous()
    )
