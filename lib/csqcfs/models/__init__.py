"""The paper's networks as ordinary ReLU networks; `surgery.quantize_activations` makes them the paper's."""

from __future__ import annotations

import math
from numbers import Real

from torch import nn

from ..engine.errors import InputError
from .resnet import BasicBlock, Bottleneck, ResNet
from .vgg import VGG

_RESNETS = {
    "resnet18": (BasicBlock, (64, 128, 256, 512), (2, 2, 2, 2)),
    "resnet20": (BasicBlock, (16, 32, 64), (3, 3, 3)),
    "resnet50": (Bottleneck, (64, 128, 256, 512), (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (64, 128, 256, 512), (3, 4, 23, 3)),
}
_VGGS = {"vgg16": ((64, 128, 256, 512, 512), (2, 2, 3, 3, 3), 4096)}
NAMES = (*_VGGS, *_RESNETS)


def build(name: str, num_classes: int = 10, width: float = 1.0, in_channels: int = 3) -> nn.Module:
    """A freshly initialised network for images [N, in_channels, H, W], giving scores [N, num_classes].

    Args:
        name: one of `NAMES`.
        num_classes: number of scores.
        width: factor on every hidden channel count, the classifier's of VGG included; none falls below 4.
        in_channels: channels of the images.

    Raises:
        InputError: unknown name; width not positive and finite; a count that is no positive integer.
    """
    if name not in NAMES:
        raise InputError(f"name = {name!r}: expected a network; choose one of {', '.join(NAMES)}")
    for label, count in (("num_classes", num_classes), ("in_channels", in_channels)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(f"{label} = {count!r}: expected a positive integer; pass 1 or more")
    if isinstance(width, bool) or not isinstance(width, Real) or not (math.isfinite(width) and width > 0):
        raise InputError(f"width = {width!r}: expected a positive number; pass 1.0 for the paper's width")

    def scaled(channels: int) -> int:
        return max(4, round(channels * width))

    if name in _VGGS:
        channels, depths, hidden = _VGGS[name]
        model = VGG(tuple(map(scaled, channels)), depths, scaled(hidden), num_classes, in_channels)
    else:
        block, channels, depths = _RESNETS[name]
        model = ResNet(block, tuple(map(scaled, channels)), depths, num_classes, in_channels)
    # goes along with every copy that the library makes, so that `zoo.save` knows what to write
    model.meta = {"built": {"name": name, "num_classes": num_classes, "width": width, "in_channels": in_channels}}
    return model
