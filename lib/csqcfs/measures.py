"""What a `Run` measures: one function for each kind, from a trained network to numbers ready for JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from . import data, surgery, trainings
from .configs import Run
from .errors import InputError
from .evaluation import evaluate, evaluate_snn
from .images import ImageSet
from .snn import convert

T_MAX = 32  # the tables' last time-step


class Trained(NamedTuple):
    """A trained network with the history of its stages and its data."""

    model: nn.Module
    history: list[dict[str, Any]]
    splits: data.Splits


Measure = Callable[..., dict[str, Any]]
KINDS: dict[str, Measure] = {}


def kind(function: Measure) -> Measure:
    """Register a function(trained, **options) as the kind of its name."""
    KINDS[function.__name__] = function
    return function


def measure(run: Run, root: Path | str | None = None, *, deadline: float | None = None, progress: bool = True
            ) -> dict[str, Any]:
    """Train what ``run`` needs, unless it is trained, and measure it.

    Raises:
        InputError: an unknown kind or option, or as `trainings.train`.
    """
    if run.kind not in KINDS:
        raise InputError(f"kind {run.kind!r}: expected one of {', '.join(KINDS)}")
    if run.training is None:
        return KINDS[run.kind](**dict(run.options))
    trained = Trained(*trainings.train(run.training, root, deadline=deadline, progress=progress))
    return KINDS[run.kind](trained, **dict(run.options))


def sample(images: ImageSet, count: int | None) -> ImageSet:
    """``count`` images, the same ones each time and each class with its share; all for None."""
    return images if count is None or count >= len(images) else data.hold_out(images, count, seed=0)[1]


@kind
def training(trained: Trained) -> dict[str, Any]:
    """Accuracy in % of the network itself on all test images, and the history of its training."""
    return {"ann": evaluate(trained.model, trained.splits.test), "history": trained.history}


@kind
def accuracy(trained: Trained, method: str, images: int | None = None, allow_nonpositive: bool = False
             ) -> dict[str, Any]:
    """Accuracy in % of the ANN and of its SNN at T = 1..32, on the same test images, and the thresholds."""
    test = sample(trained.splits.test, images)
    snn = convert(trained.model, method, allow_nonpositive=allow_nonpositive)
    thresholds = {name: site.threshold.detach().flatten().tolist() for name, site in
                  surgery.sites(trained.model).items()}
    return {"images": len(test), "ann": evaluate(trained.model, test), "snn": evaluate_snn(snn, test, T_MAX),
            "presteps": snn.presteps, "thresholds": thresholds}


# kinds register on import
from . import measure_channels, measure_error, measure_operations, measure_spikes  # noqa: E402,F401
from .bench import epoch, report  # noqa: E402,F401
