"""The settings of a training: their ranges and the learning rate that follows from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..data.augment import Augment
from ..engine.errors import InputError

SCHEDULES = ("cosine", "onecycle")
PRECISIONS = ("float32", "bfloat16")
WARM_UP = 0.2  # share of a one-cycle schedule


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


@dataclass(frozen=True)
class Recipe:
    """What, beside network and images, decides the result of `fit`, which explains the fields.

    Raises:
        InputError: a value out of range, by name.
    """

    epochs: int
    lr: float
    batch_size: int
    momentum: float
    weight_decay: float
    schedule: str
    label_smoothing: float
    augment: Augment | None
    seed: int
    precision: str
    compiled: bool
    threshold_decay: float | None = None

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
        for name, choices in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} = {getattr(self, name)!r}: expected one of {', '.join(choices)}")
        if not isinstance(self.compiled, bool):
            raise InputError(f"compiled = {self.compiled!r}: expected True or False")
        if not (self.augment is None or isinstance(self.augment, Augment)):
            raise InputError(f"augment = {self.augment!r}: expected an Augment, or None for no augmentation")

    def rate(self, epoch: int, step: int, steps: int) -> float:
        """Learning rate of one step: constant within an epoch for "cosine", else that of its middle."""
        done = epoch if self.schedule == "cosine" else epoch + (step + 0.5) / steps
        return learning_rate(self.schedule, self.lr, done / self.epochs)
