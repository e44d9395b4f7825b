"""A network as training may leave it: weights that are exactly 0 or 1 are so by their initialisation.

What stands behind such a weight, as a gate in a residual block whose last batch norm starts at 0, shows once training
has moved it. Then the training is lost if the network cannot be converted.
"""

from __future__ import annotations

import torch
from torch import fx, nn

from .copies import deepcopy

# that a weight moves: it stays between 0 and 1, where its root and logarithm are defined, and rounds as before
MOST = 0.2


def as_trained(graph: fx.GraphModule) -> fx.GraphModule | None:
    """A copy that shares all tensors but those with trainable weights of 0 or 1, which lie between; None without such.

    Buffers, masks among them, and frozen weights are what they are for good.
    """
    generator = torch.Generator().manual_seed(0)
    memo = {id(tensor): tensor for tensor in (*graph.parameters(), *graph.buffers())}
    moved = False
    for weight in graph.parameters():
        initial = (weight == 0) | (weight == 1)
        if weight.requires_grad and bool(initial.any()):
            step = torch.rand(weight.shape, generator=generator, device="cpu") * MOST
            new = torch.where(initial, (weight - step.to(weight)).abs(), weight)
            memo[id(weight)] = nn.Parameter(new.detach(), False)
            moved = True
    return deepcopy(graph, memo) if moved else None
