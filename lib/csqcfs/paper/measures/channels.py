"""What the channels of each layer do in a trained network: means, maxima, and a few histograms (Fig. 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ... import data
from ...conversion import family
from ...data.images import ImageSet
from ...engine.modules import device_of
from .trained import Trained, sample

BATCH = 100
CHANNELS = 128  # most channels of a layer that a record holds, evenly spaced
RIDGES = 5  # channels of a layer with a histogram
LOW, HIGH, BINS = -2.0, 2.0, 48  # of histograms, in units of the layer's mean threshold
DIGITS = 4

Observe = Callable[[str, Tensor, Tensor], None]  # (site, pre-activations, activations), both [C, values]


def channels(trained: Trained, images: int = 500) -> dict[str, Any]:
    """Per site and channel, over ``images`` test images and all positions, in the network's own units.

    Each of ``sites`` has ``mean`` and ``maximum`` of the activation and ``preactivation``, the mean of its
    input, all [channel]; ``thresholds``, [1] or [channel]; ``layer_maximum``, the largest activation of the
    whole layer; ``ridges``, {channel: histogram of its input} for channels from the lowest to the highest mean
    input. Of a layer with more than `CHANNELS` channels, ``channel`` says which they are.
    """
    test = sample(trained.splits.test, images)
    statistics = channel_statistics(trained.model, test)
    ranked = {name: statistic["preactivation"].argsort() for name, statistic in statistics.items()}
    few = {name: order[every(len(order), RIDGES)].tolist() for name, order in ranked.items()}
    thresholds = {name: site.threshold.detach().flatten() for name, site in family.sites(trained.model).items()}
    scales = {name: float(theta.mean()) for name, theta in thresholds.items()}
    ridges = histograms(trained.model, test, few, scales)
    sites = {}
    for name, statistic in statistics.items():
        count, theta = len(statistic["mean"]), thresholds[name]
        shown = every(count, CHANNELS)
        sites[name] = {
            "channels": count,
            "channel": shown,
            **{quantity: _rounded(values[shown]) for quantity, values in statistic.items()},
            "thresholds": _rounded(theta[shown] if len(theta) > 1 else theta),
            "layer_maximum": round(float(statistic["maximum"].max()), DIGITS),
            "ridges": ridges[name],
        }
    return {"images": len(test), "bins": [LOW, HIGH, BINS], "sites": sites}


def channel_statistics(model: nn.Module, images: ImageSet) -> dict[str, dict[str, Tensor]]:
    """{site: preactivation (mean input), mean and maximum (of the output), each [C]}."""
    sums: dict[str, list[Tensor]] = {}
    count: dict[str, int] = {}

    def observe(name: str, z: Tensor, out: Tensor) -> None:
        now = [z.double().sum(1), out.double().sum(1), out.amax(1)]
        before = sums.get(name)
        sums[name] = now if before is None else [before[0] + now[0], before[1] + now[1], before[2].maximum(now[2])]
        count[name] = count.get(name, 0) + z.shape[1]

    _observed(model, images, observe)
    return {
        name: {"preactivation": z / count[name], "mean": mean / count[name], "maximum": maximum}
        for name, (z, mean, maximum) in sums.items()
    }


def histograms(
    model: nn.Module, images: ImageSet, wanted: Mapping[str, list[int]], scales: Mapping[str, float]
) -> dict[str, dict[str, list[float]]]:
    """{site: {channel: density of its input / scale}}; what lies outside LOW..HIGH counts in the outer bins."""
    counts = {name: {str(channel): torch.zeros(BINS) for channel in some} for name, some in wanted.items()}

    def observe(name: str, z: Tensor, out: Tensor) -> None:
        for channel in wanted[name]:
            values = (z[channel] / scales[name]).clamp(LOW, HIGH).cpu()
            counts[name][str(channel)] += torch.histc(values, BINS, LOW, HIGH)

    _observed(model, images, observe)
    width = (HIGH - LOW) / BINS
    return {
        name: {channel: _rounded(count / (count.sum() * width)) for channel, count in some.items()}
        for name, some in counts.items()
    }


def every(count: int, most: int) -> list[int]:
    """At most ``most`` of the indices 0..count - 1, evenly spaced, both ends among them."""
    return sorted(set(torch.linspace(0, count - 1, min(count, most)).round().long().tolist()))


@torch.no_grad()
def _observed(model: nn.Module, images: ImageSet, observe: Observe) -> None:
    """One pass over ``images``, with ``observe`` called at each site."""

    def hook(name: str):
        return lambda site, args, out: observe(name, *(x.transpose(0, 1).flatten(1) for x in (args[0], out)))

    handles = [site.register_forward_hook(hook(name)) for name, site in family.sites(model).items()]
    try:
        for x, _ in data.batches(images, BATCH, device_of(model)):
            model(x)
    finally:
        for handle in handles:
            handle.remove()


def _rounded(values: Tensor) -> list[float]:
    return [round(value, DIGITS) for value in values.tolist()]
