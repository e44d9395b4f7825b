"""What a checkpoint's identity knows of the network: its structure and settings, not how PyTorch prints them."""

from __future__ import annotations

from dataclasses import replace

import torch
from csqcfs.activations import QCFS
from csqcfs.data.images import ImageSet
from csqcfs.training import resume
from torch import nn


class Doubled(nn.Module):
    def __init__(self, factor: int = 2):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x

    def extra_repr(self) -> str:
        return f"factor={self.factor}"


def digest(eps: float = 1e-5, L: int = 4, factor: int = 2, stride: int = 1) -> str:
    parts = (nn.Conv2d(3, 4, 3, stride=stride), nn.BatchNorm2d(4, eps=eps), QCFS(L), Doubled(factor))
    return resume._network_digest(nn.Sequential(*parts))


def test_another_print_of_a_layer_is_the_same_network(monkeypatch):
    """PyTorch 2.14 prints bias=True for a batch norm, 2.11 does not: a GPU's checkpoint goes on elsewhere."""
    before = digest()
    monkeypatch.setattr(nn.BatchNorm2d, "extra_repr", lambda self: "printed otherwise")
    assert digest() == before


def test_other_settings_are_another_network():
    assert len({digest(), digest(eps=1e-3), digest(L=2), digest(factor=3), digest(stride=2)}) == 5
    assert digest() == digest()


def test_another_window_type_or_set_of_trained_weights_is_another_network():
    def net(window: str = "paper") -> nn.Sequential:
        return nn.Sequential(nn.Linear(3, 4), QCFS(4, window=window))

    frozen = net()
    frozen[0].bias.requires_grad_(False)
    networks = (net(), net("clamp_floor"), net().double(), frozen)
    assert len({resume._network_digest(one) for one in networks}) == 4


def test_other_pixels_labels_means_and_deviations_are_other_images():
    pixels = torch.arange(12, dtype=torch.uint8).view(-1, 1, 1, 1)
    one = ImageSet(pixels, torch.arange(12) % 3, ("a", "b", "c"), (0.5,), (0.25,))
    changes = ({"images": pixels.flip(0)}, {"labels": one.labels.flip(0)}, {"mean": (0.4,)}, {"std": (0.4,)})
    assert len({resume._images_digest(images) for images in (one, *(replace(one, **it) for it in changes))}) == 5


def test_weights_do_not_matter():
    torch.manual_seed(1)
    first = digest()
    torch.manual_seed(2)
    assert digest() == first
