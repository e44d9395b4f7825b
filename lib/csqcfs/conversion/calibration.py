"""Initial thresholds from the activations of a trained ReLU network, for a warm start of stage 1.

The paper starts every layer at one constant (4 or 8) and lets training find the rest. A network that is
already trained knows better: the threshold of a site is the one whose quantized activation is nearest, in mean
squares, to the ReLU it replaces.
"""

from __future__ import annotations

import torch
from torch import Tensor, fx

from ..activations import inverse_softplus, qcfs
from ..engine.errors import InputError
from ..engine.modules import device_of, modes_kept
from .quantize import sites

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

    Each site sees its predecessors already quantized. ``sample`` bounds the pre-activations used of each, drawn
    at random: an even stride would divide the width of the maps and see their left border alone.

    Args:
        model: a trained ReLU network after `quantize_activations`.
        x: normalised images [N, C, H, W].

    Raises:
        InputError: no quantized activation, or a site that no image activates, by name; ``model`` is left as
            it was.
    """
    found = sites(model)
    if not found:
        raise InputError(f"{type(model).__name__} has no quantized activation; call quantize_activations first")

    before = {name: module.raw.clone() for name, module in found.items()}
    generator = torch.Generator().manual_seed(0)

    def place(name, module, z):
        z = z.flatten()
        if len(z) > sample:
            z = z[torch.randint(len(z), (sample,), generator=generator).to(z.device)]
        try:
            theta = nearest_threshold(z, module.L)
        except InputError as error:
            raise InputError(f"{name} has {error}") from error
        module.raw.copy_((inverse_softplus(theta) if module.softplus else theta).expand_as(module.raw))

    handles = [
        module.register_forward_pre_hook(lambda module, inputs, name=name: place(name, module, inputs[0]))
        for name, module in found.items()
    ]
    try:
        with modes_kept(model):
            model.eval()(x.to(device_of(model)))
    except BaseException:
        for name, module in found.items():
            module.raw.copy_(before[name])
        raise
    finally:
        for handle in handles:
            handle.remove()
    return model
