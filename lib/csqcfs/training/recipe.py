"""The settings of a training: their ranges and the learning rate that follows from them.

They are written here once, for `fit` and for the trainings of the experiments. Nothing here takes torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..engine.errors import InputError

if TYPE_CHECKING:
    from ..data.augment import Augment

SCHEDULES = ("cosine", "onecycle")
PRECISIONS = ("float32", "bfloat16", "fast")
WARM_UP = 0.2  # share of a one-cycle schedule
SHORT = 20  # epochs; with fewer, a cosine that is constant within each would end above 0.6 % of its rate


def augmentation(**changes: Any) -> Augment:
    """The paper's augmentation, with ``changes``; imported late, since listing artefacts must not import torch."""
    from ..data.augment import Augment

    return Augment(**changes)


def learning_rate(schedule: str, lr: float, progress: float) -> float:
    """Rate at ``progress`` in [0, 1] of the training.

    "cosine" is lr (1 + cos(pi p)) / 2; "onecycle" rises linearly over the first 20 % and then follows a
    cosine from lr to 0.
    """
    if schedule == "onecycle":
        if progress < WARM_UP:
            return lr * progress / WARM_UP
        progress = (progress - WARM_UP) / (1 - WARM_UP)
    return lr * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the stages of a training have in common.

    Attributes:
        threshold_decay: weight decay of the thresholds' parameters, where it is another.
        levels: quantization steps L that take turns, a batch each, for one network that is to answer after any of so
            many time-steps; its own L is back after each epoch.
        schedule: "cosine" is annealed to 0, epoch by epoch as in the paper, or step by step where there are fewer
            than 20 epochs: the last would come down too little. "onecycle" goes step by step, with a warm-up.
        augment: None turns augmentation off; AutoAugment, on by default, needs three channels.
        seed: of order, augmentation and dropout.
        precision: "bfloat16" runs the forward pass under autocast; weights stay as they are. "fast" is bfloat16
            where the machine computes it at full speed, else float32; see `resolve_precision`.
    """

    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    threshold_decay: float | None = None
    levels: tuple[int, ...] | None = None
    schedule: str = "cosine"
    label_smoothing: float = 0.0
    augment: Augment | None = field(default_factory=augmentation)
    seed: int = 0
    precision: str = "float32"


@dataclass(frozen=True, kw_only=True)
class Recipe(Settings):
    """What, beside network and images, decides the result of `fit`.

    Raises:
        InputError: a value out of range, by name.
    """

    epochs: int = 10
    lr: float = 0.1

    def __post_init__(self):
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} = {value!r}: expected a whole number of {least} or more")
        ranges: dict[str, tuple[Callable[[float], bool], str]] = {
            "lr": (lambda v: 0 < v < math.inf, "a finite number above 0, such as 0.1"),
            "momentum": (lambda v: 0 <= v < 1, "a number from 0 to below 1, such as 0.9"),
            "weight_decay": (lambda v: 0 <= v < math.inf, "a finite number of 0 or more, such as 5e-4"),
            "label_smoothing": (lambda v: 0 <= v < 1, "a number from 0 to below 1, 0 for none"),
        }
        if self.threshold_decay is not None:
            ranges["threshold_decay"] = ranges["weight_decay"]
        for name, (allowed, expected) in ranges.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not allowed(value):
                raise InputError(f"{name} = {value!r}: expected {expected}")
        levels = self.levels
        if levels is not None and not (
            isinstance(levels, tuple) and levels and all(type(L) is int and L >= 1 for L in levels)
        ):
            raise InputError(f"levels = {levels!r}: expected quantization steps such as (1, 2, 4), or None")
        for name, choices in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} = {getattr(self, name)!r}: expected one of {', '.join(choices)}")
        if not (self.augment is None or isinstance(self.augment, type(augmentation()))):
            raise InputError(f"augment = {self.augment!r}: expected an Augment, or None for no augmentation")

    def rate(self, epoch: int, step: int, steps: int) -> float:
        """Learning rate of one step: that of its middle, or of its epoch's begin for a long cosine."""
        by_epoch = self.schedule == "cosine" and self.epochs >= SHORT
        done = epoch if by_epoch else epoch + (step + 0.5) / steps
        return learning_rate(self.schedule, self.lr, done / self.epochs)
