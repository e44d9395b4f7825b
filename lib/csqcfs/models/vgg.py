"""VGG for small images: groups of conv-norm-ReLU with a max pooling after each, then three linear layers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn


class VGG(nn.Module):
    """The convolutions have a bias although a norm follows, as in the public QCFS code.

    Args:
        channels: of each group.
        depths: convolutions in each group.
        hidden: units of the classifier's two hidden layers.
    """

    def __init__(
        self, channels: tuple[int, ...], depths: tuple[int, ...], hidden: int, num_classes: int, in_channels: int
    ) -> None:
        super().__init__()
        features: OrderedDict[str, nn.Module] = OrderedDict()
        inputs = in_channels
        for group, (width, depth) in enumerate(zip(channels, depths, strict=True), start=1):
            for position in range(1, depth + 1):
                features[f"conv{group}_{position}"] = nn.Conv2d(inputs, width, 3, padding=1)
                features[f"norm{group}_{position}"] = nn.BatchNorm2d(width)
                features[f"act{group}_{position}"] = nn.ReLU()
                inputs = width
            # Rounding sizes up lets an image smaller than 32 x 32 through as a 1 x 1 map.
            features[f"pool{group}"] = nn.MaxPool2d(2, ceil_mode=True)
        self.features = nn.Sequential(features)
        self.classifier = nn.Sequential(
            OrderedDict(
                [
                    ("linear1", nn.Linear(inputs, hidden)),
                    ("act1", nn.ReLU()),
                    ("dropout1", nn.Dropout(0.5)),
                    ("linear2", nn.Linear(hidden, hidden)),
                    ("act2", nn.ReLU()),
                    ("dropout2", nn.Dropout(0.5)),
                    ("linear3", nn.Linear(hidden, num_classes)),
                ]
            )
        )
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, in_channels, H, W] of at most 32 x 32 -> scores [N, num_classes]."""
        return self.classifier(torch.flatten(self.features(x), 1))


def vgg16(scaled: Callable[[int], int], num_classes: int, in_channels: int) -> VGG:
    """13 convolutions; ``scaled`` gives the channels for those of full width."""
    channels = tuple(map(scaled, (64, 128, 256, 512, 512)))
    return VGG(channels, (2, 2, 3, 3, 3), scaled(4096), num_classes, in_channels)
