"""What is computed, as plain values: a training, and a measurement of what it trained.

Both have a digest of every setting that decides the result, by which checkpoints and records are named: the
same settings are never computed twice, and no setting can change unnoticed.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from ...engine.errors import InputError
from ...training.recipe import Recipe, Settings

RELU = "relu"  # the activation of an ordinary stage, before thresholds exist
PAPER_WINDOW = "paper"  # the gradient window of Eq. 19, which `quantize_activations` takes by itself


def digest_of(settings: dict[str, Any]) -> str:
    """Twelve hexadecimal digits of SHA-256 over canonical JSON."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _whole_to_float(instance: Any, *names: str) -> None:
    """Store 4 as 4.0 where a number is meant, so that equal settings have equal digests."""
    for name in names:
        value = getattr(instance, name)
        if isinstance(value, int) and not isinstance(value, bool):
            object.__setattr__(instance, name, float(value))


def _identity(dataset: str) -> str:
    from ... import data

    return data.identity(dataset)


def _start(name: str) -> tuple[str, int | None]:
    from ...models import zoo

    return zoo.digest(name), zoo.quantization_step(name)


@dataclass(frozen=True)
class Stage:
    """One call of `fit`: with which activation, how long, and from which learning rate; none for 0 epochs."""

    activation: str
    epochs: int
    lr: float

    def __post_init__(self):
        _whole_to_float(self, "lr")


class Digested(ABC):
    """Equal where the digests are: what decides nothing, such as L before there are thresholds, tells none apart."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Everything that decides the result, ready for JSON."""

    @functools.cached_property
    def digest(self) -> str:
        return digest_of(self.settings())

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@dataclass(frozen=True, eq=False)
class Training(Digested, Settings):
    """A network trained in stages; each stage goes on from the network that the one before it left.

    Attributes:
        dataset: name or folder, see `data.load`.
        network, width: see `models.build`.
        L: quantization step.
        threshold: initial threshold of the first quantized stage; None to calibrate it on the ReLU network
            of the stage before.
        stages: the last one names the activation of the result.
        seed: also of the weights at the start, see `Settings`.
        val: training images held out for validation, always the same ones.
        start: network of the package that the first stage goes on from instead of random weights.
        start_digest: of its file.
        start_thresholds: "kept" or "calibrated" anew, where ``L`` is not that of ``start``; otherwise they stay.
        window: where the gradient passes, if not where Eq. 19 has it, see `kernels.WINDOWS`.
        data: digest of the images that ``dataset`` stands for here, see `data.identity`.
    """

    dataset: str
    network: str
    width: float
    L: int
    threshold: float | None
    stages: tuple[Stage, ...]
    val: int = 0
    start: str | None = None
    start_thresholds: str | None = None
    window: str | None = None
    start_digest: str | None = field(init=False)
    data: str = field(init=False)

    def __post_init__(self):
        _whole_to_float(self, "width", "threshold", "momentum", "weight_decay", "label_smoothing", "threshold_decay")
        digest, L = (None, self.L) if self.start is None else _start(self.start)
        object.__setattr__(self, "start_digest", digest)
        if self.start_thresholds not in (None, "kept", "calibrated"):
            raise InputError(f"start_thresholds is {self.start_thresholds!r}: expected 'kept' or 'calibrated'")
        object.__setattr__(self, "start_thresholds", None if L == self.L else self.start_thresholds or "kept")
        object.__setattr__(self, "window", None if self.window == PAPER_WINDOW else self.window)
        object.__setattr__(self, "data", _identity(self.dataset))

    @property
    def parent(self) -> Training | None:
        """The training without its last stage, on the same images."""
        if len(self.stages) == 1:
            return None
        parent = object.__new__(Training)  # without another look at the images
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        parent.__dict__.update(values, stages=self.stages[:-1])
        return parent

    @property
    def activation(self) -> str:
        return self.stages[-1].activation

    @property
    def recipe(self) -> Recipe:
        """The settings of the last stage for `fit`."""
        shared = {setting.name: getattr(self, setting.name) for setting in dataclasses.fields(Settings)}
        if self.activation == RELU:
            shared["levels"] = None
        return Recipe(epochs=self.stages[-1].epochs, lr=self.stages[-1].lr, **shared)

    def settings(self) -> dict[str, Any]:
        """Everything that decides the weights, ready for JSON; L and threshold only where they matter."""
        settings = dataclasses.asdict(self)
        # absent where they change nothing
        for name in ("threshold_decay", "levels", "start", "start_digest", "start_thresholds", "window"):
            if settings[name] is None:
                del settings[name]
        if self.start is None and all(stage.activation == RELU for stage in self.stages):
            for name in ("L", "threshold", "levels", "window"):
                settings.pop(name, None)
        return json.loads(json.dumps(settings))

    def __str__(self) -> str:
        stages = " + ".join(f"{stage.activation} {stage.epochs}" for stage in self.stages)
        start = "" if self.start is None else f"from {self.start}, "
        start += "" if self.start_thresholds is None else f"thresholds {self.start_thresholds}, "
        decay = "" if self.threshold_decay is None else f", decay {self.threshold_decay:g} of thresholds"
        turns = "" if self.levels is None else f" (trained at {', '.join(map(str, self.levels))} in turns)"
        window = "" if self.window is None else f", gradient window {self.window}"
        settings = f"L = {self.L}{turns}, {start}{stages} epochs{decay}{window}"
        return f"{self.network} on {self.dataset}, {settings}, seed {self.seed}"


@dataclass(frozen=True, eq=False)
class Run(Digested):
    """One measurement, the unit of computing: a kind (see `measures.KINDS`), a trained network, options."""

    kind: str
    training: Training | None
    options: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, kind: str, training: Training | None = None, **options: Any) -> Run:
        return cls(kind, training, tuple(sorted(options.items())))

    def settings(self) -> dict[str, Any]:
        training = None if self.training is None else self.training.settings()
        return json.loads(json.dumps({"kind": self.kind, "training": training, "options": dict(self.options)}))

    @property
    def name(self) -> str:
        """Stem of the record's file."""
        return f"{self.kind}-{self.digest}"

    def __str__(self) -> str:
        options = ", ".join(f"{key} {value}" for key, value in self.options)
        return ": ".join(filter(None, (" ".join(filter(None, (self.kind, options))), str(self.training or ""))))
