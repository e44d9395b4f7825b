"""Training time of ReLU, QCFS and CS-QCFS (Table 6): steps of the three networks take turns in one process.

Seconds of one machine say little about another's, and the load of a machine changes from minute to minute.
Steps that alternate, in an order that rotates, share both, so that the ratio to QCFS of the same round is what
the table needs. A step is forward, backward and SGD on images that stay the same; augmentation is left out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ... import models
from ...conversion import family, quantize
from ...data.sets import SETS
from ...engine.errors import InputError
from ...engine.memory_format import training_format
from ...training.precision import LONG, compiled, resolve_precision, worth_compiling

ACTIVATIONS = ("relu", "qcfs", "csqcfs")
WARM_UP = 3  # steps of each network that are not timed


ROUNDS = 25
SHAPES = {"digits": (1, 8, 8), "cifar10": (3, 32, 32), "cifar100": (3, 32, 32)}  # of an image


@dataclass(frozen=True)
class Size:
    """What is trained, as a profile's own trainings are."""

    dataset: str
    network: str
    width: float
    batch_size: int
    precision: str = "float32"
    compiled: bool = False

    @property
    def classes(self) -> int:
        return SETS[self.dataset].classes

    @property
    def image(self) -> tuple[int, int, int]:
        return SHAPES[self.dataset]


def quartiles(values: Sequence[float]) -> dict[str, float]:
    """Median and quartiles, rounded: {"median", "low", "high"}."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": round(median, 6), "low": round(low, 6), "high": round(high, 6)}


def take_turns(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each step in each round; the order rotates, since a step may warm caches for the next."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    for index in range(rounds):
        for name in names[index % len(names) :] + names[: index % len(names)]:
            begin = time.perf_counter()
            steps[name]()
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def training_step(size: Size, activation: str, device: torch.device) -> Callable[[], None]:
    """One training step of a network with ``activation``, as `train.fit` makes it."""
    torch.manual_seed(0)
    model: nn.Module = models.build(size.network, size.classes, size.width, size.image[0])
    if activation != "relu":
        model = family.switch(quantize.quantize_known(model, 4, 4.0, torch.zeros(1, *size.image)), activation)
    x = torch.randn(size.batch_size, *size.image, device=device)
    x = x.clone(memory_format=training_format(model.to(device), x[:2]))
    model.train()
    y = torch.randint(size.classes, (size.batch_size,), device=device)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, 0.9, weight_decay=5e-4, foreach=True)
    network = compiled(model, device) if size.compiled else model

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=size.precision == "bfloat16"):
            logits = network(x).float()
        loss = F.cross_entropy(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def epoch_time(rounds: int = ROUNDS, **size: Any) -> dict[str, Any]:
    """Seconds of a step by activation, and the ratio to the QCFS step of the same round; medians and quartiles.

    Args:
        size: the fields of `Size`.

    Raises:
        InputError: a data set whose images have no known shape.
    """
    size = Size(**size)
    if size.dataset not in SHAPES:
        raise InputError(f"dataset = {size.dataset!r}: the time of an epoch is measured for {', '.join(SHAPES)}")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = resolve_precision(size.precision, device)
    size = replace(size, precision=precision, compiled=worth_compiling(precision, device, LONG))
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        steps = {name: training_step(size, name, device) for name in ACTIVATIONS}
        for step in steps.values():
            for _ in range(WARM_UP):
                step()
        seconds = take_turns(steps, rounds)
    ratios = {name: [own / base for own, base in zip(values, seconds["qcfs"])] for name, values in seconds.items()}
    return {
        **asdict(size),
        "image": list(size.image),
        "rounds": rounds,
        "device": device.type,
        "seconds": {name: quartiles(values) for name, values in seconds.items()},
        "against_qcfs": {name: quartiles(values) for name, values in ratios.items()},
        "ratios": {name: [round(value, 4) for value in values] for name, values in ratios.items()},
    }
