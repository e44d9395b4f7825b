"""What a measurement starts from: a trained network, and the test images it looks at."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn

from ... import data
from ...data.images import ImageSet

T_MAX = 32  # the tables' last time-step


class Trained(NamedTuple):
    """A trained network with the history of its stages and its data."""

    model: nn.Module
    history: list[dict[str, Any]]
    splits: data.Splits


def sample(images: ImageSet, count: int | None) -> ImageSet:
    """``count`` images, the same ones each time and each class with its share; all for None."""
    return images if count is None or count >= len(images) else data.hold_out(images, count, seed=0)[1]
