"""Initial thresholds from the activations of a trained ReLU network, for a warm start of stage 1.

The paper starts every layer at one constant (4 or 8) and lets training find the rest. A network that is
already trained knows better: the threshold of a site is the one whose quantized activation is nearest, in mean
squares, to the ReLU it replaces.
"""

from __future__ import annotations

import torch
from torch import Tensor, fx

from .activations import inverse_softplus, qcfs
from .errors import InputError
from .evaluation import device_of, modes_kept
from .surgery import sites

CANDIDATES = 64  # thresholds tried for each site, evenly spaced up to the largest activation


def nearest_threshold(z: Tensor, L: int) -> Tensor:
    """The threshold [] of least mean square of QCFS(z) - ReLU(z), on a grid up to the largest ``z``.

    Raises:
        InputError: no pre-activation above 0, so that any threshold would do.
    """
    largest = z.max()
    if not largest > 0:
        raise InputError("no pre-activation above 0: expected some to place a threshold; train the network first")
    grid = largest * torch.arange(1, CANDIDATES + 1, device=z.device) / CANDIDATES
    target = z.clamp_min(0)
    return grid[torch.stack([(qcfs(z, theta, L) - target).square().mean() for theta in grid]).argmin()]


@torch.no_grad()
def calibrate(model: fx.GraphModule, x: Tensor, sample: int = 1 << 18) -> fx.GraphModule:
    """Set every threshold of ``model`` in place from one pass of ``x``, layer by layer, and return it.

    Each site sees its predecessors already quantized. ``sample`` bounds the pre-activations used of each.

    Args:
        model: a trained ReLU network after `quantize_activations`.
        x: normalised images [N, C, H, W].

    Raises:
        InputError: no quantized activation, or a site that no image activates.
    """
    found = sites(model)
    if not found:
        raise InputError(f"{type(model).__name__} has no quantized activation; call quantize_activations first")

    def place(module, inputs):
        z = inputs[0].flatten()
        theta = nearest_threshold(z[:: max(1, len(z) // sample)], module.L)
        module.raw.copy_((inverse_softplus(theta) if module.softplus else theta).expand_as(module.raw))

    handles = [module.register_forward_pre_hook(place) for module in found.values()]
    try:
        with modes_kept(model):
            model.eval()(x.to(device_of(model)))
    finally:
        for handle in handles:
            handle.remove()
    return model
