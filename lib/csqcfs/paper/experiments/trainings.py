"""Run a `Training`: its stages in order, each kept as a checkpoint that later stages and runs start from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ... import data, models
from ...conversion import family, quantize
from ...conversion.calibration import calibrate
from ...data.images import ImageSet
from ...engine import files, paths
from ...engine.checkpoint import load_metadata
from ...engine.errors import Busy, InputError
from ...engine.modules import device_of
from ...models import zoo
from ...training.train import TrainingDiverged, fit
from .configs import PAPER_WINDOW, RELU, Training

CALIBRATION_IMAGES = 512


class StageDiverged(TrainingDiverged):
    """A stage of a training diverged; every training that goes on from it would do so again."""

    def __init__(self, training: Training, reason: str):
        super().__init__(training, reason)
        self.training = training

    def __str__(self) -> str:
        return f"stage {len(self.training.stages)} of {self.training} diverged: {self.args[1]}"


def chain(training: Training | None) -> list[Training]:
    """``training`` and all that it goes on from, the first stage first; empty for None."""
    return [] if training is None else [*chain(training.parent), training]


def checkpoint_path(training: Training) -> Path:
    """Where the state of ``training`` lies, finished or interrupted."""
    return paths.checkpoints() / f"{training.network}-{training.activation}-{training.digest}.safetensors"


def history(training: Training) -> list[dict[str, Any]]:
    """The epochs done of the last stage of ``training``; empty without a checkpoint that can be read."""
    try:
        found = load_metadata(checkpoint_path(training)).get("history")
    except InputError:
        return []
    return found if isinstance(found, list) else []


def computed(training: Training) -> dict[str, Any]:
    """In which precision and with how many threads the last stage of ``training`` is computed; see `fit`."""
    try:
        return load_metadata(checkpoint_path(training)).get("computed", {})
    except InputError:
        return {}


def train(
    training: Training, *, deadline: float | None = None, go_on: Callable[[], bool] | None = None, progress: bool = True
) -> tuple[nn.Module, list[dict[str, Any]], data.Splits]:
    """The trained network in evaluation mode, the history of all its stages, and the data.

    It is trained on the GPU where there is one. Finished stages are loaded from their checkpoints; an interrupted
    one goes on.

    Args:
        deadline, go_on: see `fit`.

    Raises:
        InputError: settings or data that do not fit, other images than ``training`` was declared on among them.
        StageDiverged: the loss of a stage became infinite or NaN.
        OutOfTime: ``deadline`` or ``go_on``.
        Busy: another process trains one of the stages.
    """
    for stage in chain(training):
        if files.is_busy(path := checkpoint_path(stage)):  # before seconds of reading images
            raise Busy(f"{path} is being trained by another process: wait for it")
    splits = data.load(training.dataset, None, training.val)
    if (found := splits.train.origin) != training.data:
        raise InputError(
            f"{training.dataset} has other images ({found}) than when this training was declared ({training.data}): "
            "run again, or name their folder by --data or CSQCFS_DATA"
        )
    model, epochs = _stages(training, splits, deadline=deadline, go_on=go_on, progress=progress)
    return model.eval(), epochs, splits


def initial_images(training: Training, images: ImageSet) -> torch.Tensor:
    """Normalised training images [512, C, H, W] at most, for shapes and for calibration; they follow the seed."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(training.seed))
    return images.normalise(images.images[order[:CALIBRATION_IMAGES]])


def _stages(training: Training, splits: data.Splits, **how: Any) -> tuple[nn.Module, list[dict[str, Any]]]:
    before: list[dict[str, Any]] = []
    if training.parent is None and training.start is not None:
        model = _start(training, splits.train)
    elif training.parent is None:
        with torch.random.fork_rng([]):
            torch.manual_seed(training.seed)
            channels = splits.train.images.shape[1]
            model = models.build(training.network, len(splits.train.classes), training.width, channels)
    else:
        model, before = _stages(training.parent, splits, **how)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    model = _with_activation(model, training, splits.train)
    stage = training.stages[-1]
    if not stage.epochs:
        return model, before
    try:
        trained = fit(
            model,
            splits.train,
            recipe=training.recipe,
            val_set=splits.val if training.val else None,
            checkpoint=checkpoint_path(training),
            **how,
        )
    except TrainingDiverged as error:
        raise StageDiverged(training, str(error)) from error
    number = len(training.stages)
    return model, before + [{"stage": number, "activation": stage.activation, **record} for record in trained]


def _start(training: Training, images: ImageSet) -> nn.Module:
    """The network of the package that ``training`` starts from, with the L of ``training``.

    Its own thresholds are the better ones at another L before any training, and at L = 1 the worse ones to train from.

    Raises:
        InputError: another architecture, other classes or another normalisation than those of ``training``.
    """
    model = zoo.load(training.start)
    header = model.meta["zoo"]
    built = {"name": training.network, "width": training.width, "num_classes": len(images.classes)}
    found = {key: header["built"][key] for key in built} | {"mean": model.mean, "std": model.std}
    wanted = built | {"mean": tuple(images.mean), "std": tuple(images.std)}
    if found != wanted:
        raise InputError(f"{training.start} has {found}: expected {wanted}, as the training and its images have")
    for site in family.sites(model).values():
        site.L, site.window = training.L, training.window or site.window
    return calibrate(model, initial_images(training, images)) if training.start_thresholds == "calibrated" else model


def _with_activation(model: nn.Module, training: Training, images: ImageSet) -> nn.Module:
    """The network of the stage before, with the activation of the last stage."""
    now, sites = training.activation, family.sites(model).values()
    before = next((name for name, kind in family.ACTIVATIONS.items() if type(next(iter(sites), None)) is kind), RELU)
    if before == now:
        return model
    if before == RELU:
        x = initial_images(training, images).to(device_of(model))
        threshold = 1.0 if training.threshold is None else training.threshold
        window = training.window or PAPER_WINDOW
        model = quantize.quantize_known(model, training.L, threshold, x[:2], window=window)
        if training.threshold is None and not checkpoint_path(training).exists():  # else its thresholds are there
            model = calibrate(model, x)
        if now == "qcfs":
            return model
    return family.switch(model, now)
