"""Residual networks for small images: a 3x3 stem without pooling, stages of blocks, one linear layer.

Every call site of a ReLU has a module of its own, so that the names of thresholds say where they act.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Conv2d:
    """[N, inputs, H, W] -> [N, outputs, H/stride, W/stride]; no bias: the norm after it would cancel it."""
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Identity, or a 1x1 convolution and norm where the block changes the shape."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """act2(norm2(conv2(act1(norm1(conv1(x))))) + shortcut(x)) with 3x3 convolutions."""

    expansion = 1

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(inputs, channels, 3, stride)
        self.norm1 = nn.BatchNorm2d(channels)
        self.act1 = nn.ReLU()
        self.conv2 = conv(channels, channels, 3)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = shortcut(inputs, channels, stride)
        self.act2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, channels, H/stride, W/stride]."""
        out = self.act1(self.norm1(self.conv1(x)))
        return self.act2(self.norm2(self.conv2(out)) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride) and 1x1 convolution; the last gives ``expansion`` times the channels."""

    expansion = 4

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        outputs = channels * self.expansion
        self.conv1 = conv(inputs, channels, 1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.act1 = nn.ReLU()
        self.conv2 = conv(channels, channels, 3, stride)
        self.norm2 = nn.BatchNorm2d(channels)
        self.act2 = nn.ReLU()
        self.conv3 = conv(channels, outputs, 1)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.shortcut = shortcut(inputs, outputs, stride)
        self.act3 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, 4 channels, H/stride, W/stride]."""
        out = self.act1(self.norm1(self.conv1(x)))
        out = self.act2(self.norm2(self.conv2(out)))
        return self.act3(self.norm3(self.conv3(out)) + self.shortcut(x))


class ResNet(nn.Module):
    """Stem, stages (all but the first halve the image), global average, linear layer.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        channels: of each stage, before the block's expansion; the stem has those of the first.
        depths: blocks in each stage.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        channels: tuple[int, ...],
        depths: tuple[int, ...],
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        self.conv = conv(in_channels, channels[0], 3)
        self.norm = nn.BatchNorm2d(channels[0])
        self.act = nn.ReLU()
        inputs, stages = channels[0], []
        for index, (width, depth) in enumerate(zip(channels, depths, strict=True)):
            blocks = []
            for position in range(depth):
                blocks.append(block(inputs, width, stride=2 if index > 0 and position == 0 else 1))
                inputs = width * block.expansion
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(inputs, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, in_channels, H, W] of any size -> scores [N, num_classes]."""
        out = self.stages(self.act(self.norm(self.conv(x))))
        return self.linear(torch.flatten(self.pool(out), 1))


def residual(
    block: type[BasicBlock] | type[Bottleneck],
    channels: tuple[int, ...],
    depths: tuple[int, ...],
    scaled: Callable[[int], int],
    num_classes: int,
    in_channels: int,
) -> ResNet:
    """``scaled`` gives the channels for those of full width."""
    return ResNet(block, tuple(map(scaled, channels)), depths, num_classes, in_channels)
