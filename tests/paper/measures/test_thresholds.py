"""Spreads of thresholds, and a network whose channels have those of their layer's mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from csqcfs.conversion import family, quantize
from csqcfs.paper.measures.thresholds import levelled, spread_of_layers, variation
from torch import nn


def test_spreads_by_hand():
    thresholds = {"a": [1.0, 3.0], "b": [2.0, 2.0]}
    assert spread_of_layers(thresholds).tolist() == [200.0, 0.0]
    assert variation(thresholds) == pytest.approx((0.5 + 0) / 2)
    assert np.isinf(spread_of_layers({"a": [-1.0, 3.0]})).all()


@pytest.mark.parametrize("activation", ["cqcfs", "csqcfs", "ctqcfs", "ceqcfs"])
def test_levelled_keeps_all_but_the_differences(activation):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU())
    model = family.switch(
        quantize.quantize_activations(net, L=4, threshold=2.0, example=torch.rand(2, 3, 8, 8)), activation
    )
    with torch.no_grad():
        for site in family.sites(model).values():
            site.raw.copy_(site.to_raw(torch.linspace(0.5, 3.5, site.channels)))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    level = levelled(model)
    for site in family.sites(level).values():
        assert torch.allclose(site.threshold, torch.full((site.channels,), 2.0))
    after, raw = level.state_dict(), {f"{name}.raw" for name in family.sites(model)}
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items() if name not in raw)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())
