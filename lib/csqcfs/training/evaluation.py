"""Top-1 accuracy of networks, and of SNNs at every time-step of one run."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .. import data
from ..data.images import ImageSet
from ..engine.errors import InputError
from ..engine.memory_format import laid_out
from ..engine.modules import as_model, device_of, full_float32, modes_kept, require_network
from ..methods.base import check_steps
from .trial import check_width, one_tensor, taking


def evaluate(model: nn.Module, images: ImageSet, batch_size: int = 500) -> float:
    """Top-1 accuracy in % of ``model`` in evaluation mode; its mode is restored.

    Raises:
        InputError: no images, or something other than an `ImageSet`, whose normalisation would be unknown; images
            that the network cannot take, or labels for which it has no output; scores that are infinite or NaN, by
            the image's place.
    """
    return _percent(correct(model, images, batch_size)[None])[0]


def evaluate_snn(snn: nn.Module, images: ImageSet, T: int = 32, batch_size: int = 50) -> list[float]:
    """Top-1 accuracy in % at each t = 1..T of one run, from the mean output over steps 1..t.

    Args:
        snn: called as ``snn(x, T)``, gives scores [T, N, classes].

    Raises:
        InputError: as `evaluate`; ``T`` below 1.
    """
    return _percent(correct_snn(snn, images, T, batch_size))


def correct(model: nn.Module, images: ImageSet, batch_size: int = 500) -> Tensor:
    """Which images `evaluate` counts as right, bool [N] in the order of ``images``; it raises the same."""
    return _correct(model, images, batch_size, lambda x: one_tensor(type(model).__name__, model(x))[None])[0]


def correct_snn(snn: nn.Module, images: ImageSet, T: int = 32, batch_size: int = 50) -> Tensor:
    """Which images `evaluate_snn` counts as right at each t = 1..T, bool [T, N]; it raises the same."""
    T = check_steps("T", T)
    require_network(snn)
    try:
        inspect.signature(snn.forward).bind(None, T)
    except TypeError as error:
        raise InputError(
            f"{type(snn).__name__} does not take images and T: expected an SNN; evaluate is for a network, and convert "
            "makes an SNN of it"
        ) from error
    return _correct(snn, images, batch_size, lambda x: one_tensor(type(snn).__name__, snn(x, T)))


def _percent(right: Tensor) -> list[float]:
    """Share in % of each row of ``right``, bool [K, N]."""
    return (100 * right.sum(1).double() / right.shape[1]).tolist()


@torch.no_grad()
def _correct(model: nn.Module, images: ImageSet, batch_size: int, scores: Callable[[Tensor], Tensor]) -> Tensor:
    """Where the highest of ``scores(x)``, [K, N, classes], is at the label: bool [K, N], on the CPU."""
    if not isinstance(images, ImageSet):
        raise InputError(
            f"images of type {type(images).__name__}: expected an ImageSet; "
            "ImageSet.from_dataset converts, and its mean and std must be those of training"
        )
    if not len(images):
        raise InputError("an image set without images: expected at least one to evaluate")
    with modes_kept(model), full_float32():
        model.eval()
        batches = data.batches(images, batch_size, device_of(model))
        found: list[Tensor] = []
        scores = laid_out(scores)
        for x, y in batches:
            with taking(type(model).__name__, images):
                given = scores(as_model(model, x))
            if given.dim() != 3 or given.shape[1] != len(y):
                raise InputError(
                    f"{type(model).__name__} gives scores of shape {list(given.shape[1:])} for {len(y)} images: "
                    "expected [N, classes]; a network is for evaluate, and its SNN for evaluate_snn"
                )
            check_width(type(model).__name__, given[0], images)
            if not bool(given.isfinite().all()):
                first = sum(part.shape[1] for part in found) + int(
                    given.isfinite().all(2).all(0).logical_not().nonzero()[0]
                )
                raise InputError(
                    f"image {first} of {len(images)} has scores that are not finite: expected numbers; "
                    "the network's weights have diverged, or are not finite; train it again at a lower rate"
                )
            found.append((given.argmax(2) == y).cpu())
        return torch.cat(found, 1)
