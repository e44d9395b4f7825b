"""How far the thresholds of one layer's channels lie apart (Table 5), and a network without these differences."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from ...conversion import family


def spread_of_layers(thresholds: Mapping[str, Sequence[float]]) -> np.ndarray:
    """(max - min) / min of each site's thresholds in % (section 5.6.1); infinite where min is not positive."""
    low, high = (np.array([choose(values) for values in thresholds.values()]) for choose in (min, max))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(low > 0, 100 * (high - low) / low, np.inf)


def variation(thresholds: Mapping[str, Sequence[float]]) -> float:
    """Standard deviation over the channels of a layer as a part of their mean; mean over layers."""
    return float(np.mean([np.std(values) / np.mean(values) for values in thresholds.values()]))


@torch.no_grad()
def levelled(model: nn.Module) -> nn.Module:
    """A copy in which every channel has the mean threshold of its layer, all else as it was."""
    model = copy.deepcopy(model)
    for site in family.sites(model).values():
        site.raw.copy_(site.to_raw(site.threshold.mean()).expand_as(site.raw))
    return model
