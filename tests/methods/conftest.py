"""Networks that fire, and the same ones with stateful neurons that are called once a step."""

from __future__ import annotations

import copy

import pytest
import torch
from csqcfs import SNN, quantize_activations, to_channelwise
from csqcfs.conversion import family
from csqcfs.engine.simulation import IF
from csqcfs.models import build
from torch import Tensor, nn

SIZES = {"vgg16": 16}
WIDTHS = {"vgg16": 0.125, "resnet8": 0.5, "resnet20": 0.5, "resnet50": 0.0625}


def make(name: str, per_channel: bool) -> tuple[nn.Module, Tensor]:
    """A network with random norms and thresholds, and two images for it, in double precision."""
    torch.manual_seed(0)
    size = SIZES.get(name, 8)
    module = build(name, width=WIDTHS[name])
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.3)
            nn.init.uniform_(part.weight, 0.7, 1.5)
    ann = quantize_activations(module, 4, 1.0, torch.randn(2, 3, size, size))
    ann = to_channelwise(ann) if per_channel else ann
    for site in family.sites(ann).values():
        with torch.no_grad():
            site.raw += 0.3 * torch.rand_like(site.raw)
    return ann.eval(), torch.randn(2, 3, size, size, dtype=torch.float64)


class Neurons(nn.Module):
    """Stateful IF neurons, called once a step."""

    def __init__(self, theta: Tensor):
        super().__init__()
        self.theta, self.v, self.mask = theta, None, None

    def level(self, x: Tensor) -> Tensor:
        return self.theta.view(-1, *[1] * (x.dim() - 2)) if self.theta.dim() else self.theta

    def forward(self, x: Tensor) -> Tensor:
        theta = self.level(x)
        h = (torch.zeros_like(x) + theta / 2 if self.v is None else self.v) + x
        s = (h >= theta).to(x.dtype)
        self.v = h - s * theta
        return s * theta if self.mask is None else s * theta * self.mask


def with_neurons(snn: SNN) -> tuple[nn.Module, list[Neurons]]:
    graph, found = copy.deepcopy(snn.graph).double(), []
    for name, module in list(graph.named_modules()):
        if isinstance(module, IF):
            found.append(Neurons(module.threshold.double()))
            graph.set_submodule(name, found[-1])
    return graph, found


@pytest.fixture
def network(resnet8):
    return make


@pytest.fixture
def stateful():
    return with_neurons
