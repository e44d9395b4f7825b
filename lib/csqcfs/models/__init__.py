"""The paper's networks as ordinary ReLU networks; `conversion.quantize_activations` makes them the paper's."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from numbers import Real

from torch import nn

from ..engine.errors import InputError, unknown
from ..engine.notes import note
from .resnet import BasicBlock, Bottleneck, residual
from .vgg import vgg16

# A further network is a module with a function like these, and one line here: from what scales a number of channels,
# the number of scores and the channels of the images to the network, for images of any size.
NETWORKS: dict[str, Callable[[Callable[[int], int], int, int], nn.Module]] = {
    "vgg16": vgg16,
    "resnet18": functools.partial(residual, BasicBlock, (64, 128, 256, 512), (2, 2, 2, 2)),
    "resnet20": functools.partial(residual, BasicBlock, (16, 32, 64), (3, 3, 3)),
    "resnet50": functools.partial(residual, Bottleneck, (64, 128, 256, 512), (3, 4, 6, 3)),
    "resnet101": functools.partial(residual, Bottleneck, (64, 128, 256, 512), (3, 4, 23, 3)),
}


def build(name: str, num_classes: int = 10, width: float = 1.0, in_channels: int = 3) -> nn.Module:
    """A freshly initialised network for images [N, in_channels, H, W], giving scores [N, num_classes].

    Args:
        name: one of `NETWORKS`.
        num_classes: number of scores.
        width: factor on every hidden channel count, the classifier's of VGG included; none falls below 4.
        in_channels: channels of the images.

    Raises:
        InputError: unknown name; width not positive and finite; a count that is no positive integer.
    """
    if name not in list(NETWORKS):  # of whatever type
        raise unknown("name =", name, NETWORKS)
    for label, count in (("num_classes", num_classes), ("in_channels", in_channels)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InputError(f"{label} = {count!r}: expected a positive integer; pass 1 or more")
    if isinstance(width, bool) or not isinstance(width, Real) or not (math.isfinite(width) and width > 0):
        raise InputError(f"width = {width!r}: expected a positive number; pass 1.0 for the paper's width")

    def scaled(channels: int) -> int:
        return max(4, round(channels * width))

    model = NETWORKS[name](scaled, num_classes, in_channels)
    # what `save` writes, so that `load` builds it again
    note(model, built={"name": name, "num_classes": num_classes, "width": width, "in_channels": in_channels})
    return model
