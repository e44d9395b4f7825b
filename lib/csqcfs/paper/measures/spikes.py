"""What single neurons of a spiking network do with one test image: inputs, spikes, membrane potentials.

The record is small: a few neurons of three sites in full, and the spike trains of some neurons of one site. A
spike train is a string such as "0110", one character for each time-step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...activations import ThresholdActivation
from ...conversion import family
from ...conversion.snn import convert
from ...engine.modules import device_of
from ...neurons import along_channels, trace
from .trained import Trained

T = 16
IMAGE = 0  # in the order of the test images: no choice of one that looks good
TRACED = (0.5, 0.9)  # quantiles among a site's active neurons
RASTER = 40
DIGITS = 5


def active(rates: Tensor) -> Tensor:
    """Flat indices of the neurons whose activation is above zero, by ``rates`` = f(z) / theta, ascending.

    All neurons where none is active.
    """
    flat = rates.flatten()
    order = flat.argsort(stable=True)
    found = order[flat[order] > 0]
    return found if len(found) else order


def at_quantiles(order: Tensor, quantiles: tuple[float, ...]) -> list[int]:
    """Entries of ``order`` at these quantiles of their places, each once."""
    places = [round(q * (len(order) - 1)) for q in quantiles]
    return [int(order[place]) for place in dict.fromkeys(places)]


def rounded(values: Tensor) -> list[float]:
    return [round(value, DIGITS) for value in values.tolist()]


def train_of(spikes: Tensor) -> str:
    """A spike train [T] as a string of 0 and 1."""
    return "".join("1" if fired else "0" for fired in spikes.tolist())


class _Site:
    """One layer of neurons on one image: ANN activations [C, ...], and [T, C, ...] over the steps."""

    def __init__(self, name: str, activation: ThresholdActivation, z: Tensor, x: Tensor):
        self.name = name
        theta = activation.threshold.detach()
        out, potential = trace(x, theta)
        self.z, self.target = z[0], activation(z)[0]
        self.inputs, self.spikes, self.potential = x[:, 0], out[:, 0] != 0, potential[:, 0]
        self.theta = along_channels(theta, z.dim()).expand_as(self.z)
        self.order = active(self.target / self.theta)

    def neuron(self, index: int) -> dict[str, Any]:
        """Everything about one neuron, ``index`` in the flattened layer."""
        place = torch.unravel_index(torch.tensor(index), self.z.shape)
        over_time = (slice(None), *place)
        return {
            "site": self.name,
            "channel": int(place[0]),
            "threshold": round(float(self.theta[place]), DIGITS),
            "z": round(float(self.z[place]), DIGITS),
            "target": round(float(self.target[place]), DIGITS),
            "input": rounded(self.inputs[over_time]),
            "potential": rounded(self.potential[over_time]),
            "spikes": train_of(self.spikes[over_time]),
        }

    def train(self, index: int) -> dict[str, Any]:
        """Spike train and target rate of one neuron."""
        place = torch.unravel_index(torch.tensor(index), self.z.shape)
        return {
            "rate": round(float(self.target[place] / self.theta[place]), DIGITS),
            "spikes": train_of(self.spikes[(slice(None), *place)]),
        }


@torch.no_grad()
def spikes(trained: Trained) -> dict[str, Any]:
    """Neurons of the plain SNN over T = 16 steps of the first test image.

    ``neurons``: two of each of three sites (first, middle, last), at the median and the 90th percentile of the
    active ones; "z" and "target" are input and output of the ANN's activation, "potential" is taken after the
    reset. ``raster``: neurons of the middle site, evenly spaced over the active ones. ``answers``: the class with
    the highest score at each step.
    """
    test = trained.splits.test
    x = test.normalise(test.images[IMAGE : IMAGE + 1]).to(device_of(trained.model))
    activations = family.sites(trained.model)
    names = list(activations)
    chosen = list(dict.fromkeys((names[0], names[len(names) // 2], names[-1])))
    inputs: dict[str, Tensor] = {}
    seen: dict[str, Tensor] = {}

    def observe(name: str, module: nn.Module | None, x: Tensor, out: Tensor, phase: str) -> None:
        if name in chosen:
            seen[name] = x.clone()

    hooks = [
        activations[name].register_forward_hook(lambda module, args, out, name=name: inputs.update({name: args[0]}))
        for name in chosen
    ]
    try:
        scores = trained.model(x)
    finally:
        for hook in hooks:
            hook.remove()
    answers = convert(trained.model)(x, T, observe)[:, 0].argmax(1)
    layers = [_Site(name, activations[name], inputs[name], seen[name]) for name in chosen]
    middle = layers[len(layers) // 2]
    evenly = tuple(i / (RASTER - 1) for i in range(RASTER))
    return {
        "T": T,
        "L": activations[chosen[0]].L,
        "label": int(test.labels[IMAGE]),
        "ann": int(scores.argmax()),
        "answers": answers.tolist(),
        "depth": len(names),
        "sites": {name: names.index(name) + 1 for name in chosen},
        "neurons": [site.neuron(index) for site in layers for index in at_quantiles(site.order, TRACED)],
        "raster": {
            "site": middle.name,
            "neurons": [middle.train(index) for index in at_quantiles(middle.order, evenly)],
        },
    }
