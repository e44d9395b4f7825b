"""Top-1 accuracy of networks, and of SNNs at every time-step of one run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from .. import data
from ..data.images import ImageSet
from ..engine.errors import InputError


def evaluate(model: nn.Module, images: ImageSet, batch_size: int = 500) -> float:
    """Top-1 accuracy in % of ``model`` in evaluation mode; its mode is restored.

    Raises:
        InputError: no images, or something other than an `ImageSet`, whose normalisation would be unknown.
    """
    return _accuracies(model, images, batch_size, lambda x: model(x)[None])[0]


def evaluate_snn(snn: nn.Module, images: ImageSet, T: int = 32, batch_size: int = 50) -> list[float]:
    """Top-1 accuracy in % at each t = 1..T of one run, from the mean output over steps 1..t.

    Args:
        snn: called as ``snn(x, T)``, gives scores [T, N, classes].

    Raises:
        InputError: as `evaluate`; ``T`` below 1.
    """
    if isinstance(T, bool) or not isinstance(T, int) or T < 1:
        raise InputError(f"T = {T!r}: expected a whole number of time-steps, 1 or more")
    return _accuracies(snn, images, batch_size, lambda x: snn(x, T))


@torch.no_grad()
def _accuracies(model: nn.Module, images: ImageSet, batch_size: int, scores: Callable[[Tensor], Tensor]) -> list[float]:
    """Accuracy in % for each leading entry of ``scores(x)``, [K, N, classes]."""
    if not isinstance(images, ImageSet):
        raise InputError(
            f"images of type {type(images).__name__}: expected an ImageSet; "
            "ImageSet.from_dataset converts, and its mean and std must be those of training"
        )
    if not len(images):
        raise InputError("an image set without images: expected at least one to evaluate")
    with modes_kept(model):
        model.eval()
        batches = data.batches(images, batch_size, device_of(model))
        hits = sum((scores(x).argmax(2) == y).sum(1) for x, y in batches)
    return (100 * hits.double() / len(images)).tolist()


@contextlib.contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Every module leaves as it came, training or not; one by one, since parts may be frozen."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def device_of(model: nn.Module) -> torch.device:
    return next((tensor.device for tensor in (*model.parameters(), *model.buffers())), torch.device("cpu"))
