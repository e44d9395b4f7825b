"""The settings of a training: their ranges and the learning rate that follows from them.

They are written here once, for `fit` and for the trainings of the experiments. Nothing here takes torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..engine.errors import InputError, integer, real, shown

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
            number = integer(value := getattr(self, name))
            if number is None or number < least:
                raise InputError(f"{name} = {shown(value)}: expected a whole number of {least} or more")
            object.__setattr__(self, name, number)  # it is frozen, and checkpoints hold Python's own numbers
        ranges: dict[str, tuple[Callable[[float], bool], str]] = {
            "lr": (lambda v: 0 < v < math.inf, "a finite number above 0, such as 0.1"),
            "momentum": (lambda v: 0 <= v < 1, "a number from 0 to below 1, such as 0.9"),
            "weight_decay": (lambda v: 0 <= v < math.inf, "a finite number of 0 or more, such as 5e-4"),
            "label_smoothing": (lambda v: 0 <= v < 1, "a number from 0 to below 1, 0 for none"),
        }
        if self.threshold_decay is not None:
            ranges["threshold_decay"] = ranges["weight_decay"]
        for name, (allowed, expected) in ranges.items():
            rate = real(value := getattr(self, name))
            if rate is None or not allowed(rate):
                raise InputError(f"{name} = {shown(value)}: expected {expected}")
            object.__setattr__(self, name, rate)
        if self.levels is not None:
            object.__setattr__(self, "levels", _levels(self.levels))
        for name, choices in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            value = getattr(self, name)
            if not isinstance(value, str) or value not in choices:
                raise InputError(f"{name} = {shown(value)}: expected one of {', '.join(choices)}")
        if not (self.augment is None or isinstance(self.augment, type(augmentation()))):
            raise InputError(f"augment = {shown(self.augment)}: expected an Augment, or None for no augmentation")

    def rate(self, epoch: int, step: int, steps: int) -> float:
        """Learning rate of one step: that of its middle, or of its epoch's begin for a long cosine."""
        by_epoch = self.schedule == "cosine" and self.epochs >= SHORT
        done = epoch if by_epoch else epoch + (step + 0.5) / steps
        return learning_rate(self.schedule, self.lr, done / self.epochs)


def _levels(given: Any) -> tuple[int, ...]:
    """Quantization steps of any sequence, also of an array or a tensor, as a tuple.

    Raises:
        InputError: no sequence of whole numbers, or an empty one.
    """
    listed = given.tolist() if hasattr(given, "tolist") else given
    levels = tuple(map(integer, listed)) if isinstance(listed, Sequence) else ()
    found = tuple(L for L in levels if L is not None and L >= 1)
    if not found or len(found) < len(levels):
        raise InputError(f"levels = {shown(given)}: expected quantization steps such as (1, 2, 4), or None")
    return found
