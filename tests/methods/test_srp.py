"""SRP against a network called step by step, written from its description and not from the code."""

from __future__ import annotations

import pytest
import torch
from csqcfs import convert, quantize_activations
from csqcfs.conversion import family
from torch import Tensor, nn


@pytest.mark.parametrize(
    ("name", "per_channel"),
    [("resnet8", False), ("resnet20", True), ("vgg16", True), pytest.param("resnet50", True, marks=pytest.mark.large)],
)
@torch.no_grad()
def test_srp_is_the_whole_network_step_by_step(network, stateful, name, per_channel):
    """tau steps; mark membranes above 1e-3 theta; reset to theta / 2; T steps with the others at zero."""
    model, x = network(name, per_channel)
    snn = convert(model, "srp", tau=3).double()
    graph, neurons = stateful(snn)
    for _ in range(3):
        graph(x)
    for layer in neurons:
        layer.mask = (layer.v / layer.level(layer.v) > 1e-3).double()
        layer.v = None
    T = 5
    outputs = torch.stack([graph(x) for _ in range(T)])
    expected = outputs.cumsum(0) / torch.arange(1, T + 1).view(-1, 1, 1)
    torch.testing.assert_close(snn(x, T), expected, rtol=1e-9, atol=1e-9)
    assert snn.presteps == 3 and any(0 < float(layer.mask.mean()) < 1 for layer in neurons)


class Twice(nn.Module):
    """Two layers of equal thresholds, far enough from each other to need other masks."""

    def __init__(self):
        super().__init__()
        self.stem, self.body, self.head = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4 * 36, 3)
        self.first, self.second = nn.ReLU(), nn.ReLU()
        for layer in (self.stem, self.body):
            nn.init.normal_(layer.weight, 0, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.stem(x))
        x = self.second(self.body(x))
        return self.head(x.flatten(1))


@torch.no_grad()
def test_an_activation_called_twice_has_two_masks():
    """Sites get a module each when they are made; one that a user shares is called twice and masked twice."""
    torch.manual_seed(3)
    x, both = torch.randn(8, 1, 8, 8), []
    for shared in (False, True):
        torch.manual_seed(1)
        model = quantize_activations(Twice().eval(), 4, 1.0, x)
        names = list(family.sites(model))
        if shared:  # both calls go to one module
            for node in model.graph.nodes:
                node.target = names[0] if node.target == names[1] else node.target
            model.delete_all_unused_submodules()
            model.recompile()
            assert list(family.sites(model)) == names[:1]
        both.append(convert(model, "srp")(x, 4))
    plain = convert(model)(x, 4)
    assert torch.equal(*both) and not torch.equal(both[0], plain)
