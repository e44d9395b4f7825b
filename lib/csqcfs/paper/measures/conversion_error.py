"""Where the output of a spiking network departs from its ANN: each site's error in parts that add up.

At one site, let z be the input of the ANN's activation, x(t) the input of the IF neurons, s(t) theta their
output, and z' = mean of x(t), o' = mean of s(t) theta over steps 1..T. With the response of IF neurons to a
constant input (T steps from v(0) = theta / 2; Eq. 11 with L = T, exact for theta > 0)

    g_T(z) = theta clip(floor(z T / theta + 1/2) / T, 0, 1)

the way from ReLU to the SNN is a telescoping sum:

    clipping      clip(z, 0, theta) - max(z, 0)    the activation's own error, which training has seen
    quantization  g_L(z) - clip(z, 0, theta)       likewise; g_L is the ANN's activation
    flooring      g_T(z) - g_L(z)                  T steps for L levels: 0 for T = L
    propagated    g_T(z') - g_T(z)                 the input's mean is not the ANN's: errors of sites before
    unevenness    o' - g_T(z')                     spikes that come too early or too late

The last three add up to the SNN's error o' - g_L(z), all five to its distance from ReLU. Clipping has no part
in the SNN's error, since both networks clip at theta. Eq. 13 says that the error of one layer at equal input is 0,
which leaves out flooring where T is not L, and unevenness. What the paper calls flooring in Fig. 1 and Eq. 10 is the
distance of g_T from the line, quantization and flooring together (`claims.response.conversion_error`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ... import data
from ...activations import qcfs
from ...conversion import family
from ...conversion.snn import convert
from ...engine.modules import device_of
from ...neurons import along_channels
from .. import published
from .trained import Trained, sample

OWN = ("clipping", "quantization")
PARTS = ("flooring", "propagated", "unevenness")
BATCH = 20  # images whose ANN inputs of all sites are held at once
DIGITS = 6


def own_error(z: Tensor, theta: Tensor, L: int) -> dict[str, Tensor]:
    """Clipping and quantization error of the activation itself, shapes as ``z`` [N, C, ...]."""
    level = along_channels(theta, z.dim())
    clipped = torch.minimum(z.clamp_min(0), level)
    return {"clipping": clipped - z.clamp_min(0), "quantization": qcfs(z, theta, L) - clipped}


def snn_error(z: Tensor, x: Tensor, out: Tensor, theta: Tensor, L: int) -> dict[str, Tensor]:
    """The three `PARTS` of the SNN's error after all T steps, and their "total".

    Args:
        z: input of the ANN's activation, [N, C, ...].
        x, out: input and output s theta of the IF neurons, [T, N, C, ...].
        theta: threshold, [] or [C], positive.
    """
    T, mean, output = len(x), x.mean(0), out.mean(0)
    ann, steady, carried = qcfs(z, theta, L), qcfs(z, theta, T), qcfs(mean, theta, T)
    return {
        "flooring": steady - ann,
        "propagated": carried - steady,
        "unevenness": output - carried,
        "total": output - ann,
    }


class _Moments:
    """Mean and root mean square of values that come in pieces, by name."""

    def __init__(self):
        self.sums: dict[str, Tensor] = {}
        self.count: dict[str, int] = {}

    def add(self, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            value = value.double()
            both = torch.stack([value.sum(), value.square().sum()])
            self.sums[name] = self.sums.get(name, 0) + both
            self.count[name] = self.count.get(name, 0) + value.numel()

    def bias(self, name: str) -> float:
        return round(float(self.sums[name][0]) / self.count[name], DIGITS)

    def rms(self, name: str) -> float:
        return round((float(self.sums[name][1]) / self.count[name]) ** 0.5, DIGITS)


@torch.no_grad()
def conversion_error(trained: Trained, images: int = 200) -> dict[str, Any]:
    """Root mean square ("rms") and mean ("bias") of each part at each site, in units of the neuron's threshold.

    For plain IF neurons, over all neurons and ``images`` test images: "rms_own" and "bias_own" are {part:
    [site]} of the activation's own parts and of its value ("activation"); "rms" and "bias" are {T: {part or
    "total": [site]}} of the SNN.

    Raises:
        InputError: a threshold that is not positive, as `snn.convert`.
    """
    test = sample(trained.splits.test, images)
    snn, activations = convert(trained.model), family.sites(trained.model)
    own = {name: _Moments() for name in activations}
    parts = {T: {name: _Moments() for name in activations} for T in published.TIMESTEPS}
    inputs: dict[str, Tensor] = {}
    seen: dict[str, int] = {}

    def keep(name: str):
        def hook(module: nn.Module, args: tuple, out: Tensor) -> None:
            inputs[name], seen[name] = args[0], 0

        return hook

    def observe(name: str, module: nn.Module | None, x: Tensor, out: Tensor, phase: str) -> None:
        if name not in activations:
            return
        first, seen[name] = seen[name], seen[name] + x.shape[1]  # the simulation runs the batch in pieces
        z, theta = inputs[name][first : seen[name]], module.threshold
        scale, L = along_channels(theta, z.dim()), activations[name].L
        own[name].add({part: error / scale for part, error in own_error(z, theta, L).items()})
        own[name].add({"activation": qcfs(z, theta, L) / scale})
        for T, moments in parts.items():
            errors = snn_error(z, x[:T], out[:T], theta, L)
            moments[name].add({part: error / scale for part, error in errors.items()})

    hooks = [site.register_forward_hook(keep(name)) for name, site in activations.items()]
    try:
        for x, _ in data.batches(test, BATCH, device_of(trained.model)):
            trained.model(x)
            snn(x, max(parts), observe)
    finally:
        for hook in hooks:
            hook.remove()
    return {
        "images": len(test),
        "sites": list(activations),
        **{
            f"{measure}_own": {part: [getattr(m, measure)(part) for m in own.values()] for part in (*OWN, "activation")}
            for measure in ("rms", "bias")
        },
        **{
            measure: {
                str(T): {part: [getattr(m, measure)(part) for m in moments.values()] for part in (*PARTS, "total")}
                for T, moments in parts.items()
            }
            for measure in ("rms", "bias")
        },
    }
