"""Batches of an `ImageSet` for evaluation and training."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..engine.errors import InputError, shown
from .augment import Augment
from .images import ImageSet

CHUNK = 2048  # images augmented at once: fewer pay for the calls, more leave the processor's cache


def check_batch_size(batch_size: int) -> None:
    """Refuse what is no whole number of 1 or more; NumPy's are some.

    Raises:
        InputError: by its value.
    """
    try:
        enough = operator.index(batch_size) >= 1
    except TypeError:
        enough = False
    if not enough:
        raise InputError(f"batch size {shown(batch_size)}: expected a whole number of images, 1 or more")


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Batches that `train_batches` makes of ``count`` images: all full ones, or the one partial batch.

    Raises:
        InputError: ``batch_size`` that is no whole number of 1 or more, or no images.
    """
    check_batch_size(batch_size)
    if count < 1:
        raise InputError("a training set without images: expected at least one")
    return max(count // batch_size, 1)


def batches(
    images: ImageSet, batch_size: int, device: torch.device | str | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Normalised images [B, C, H, W] and labels [B] in order, all of them; for evaluation.

    Raises:
        InputError: ``batch_size`` that is no whole number of 1 or more.
    """
    check_batch_size(batch_size)
    size = min(batch_size, max(len(images), 1))  # PyTorch counts with 64 bits
    for x, y in zip(images.images.split(size), images.labels.split(size)):
        if len(x):  # an empty tensor splits into one empty part
            yield images.normalise(x.to(device)), y.to(device)


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """Random numbers of one epoch, independent of those of every other seed and epoch.

    Raises:
        InputError: a negative ``seed``.
    """
    if seed < 0:
        raise InputError(f"seed = {seed}: expected 0 or more")
    state = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def train_batches(
    images: ImageSet,
    batch_size: int,
    augment: Augment | None,
    seed: int,
    epoch: int,
    device: torch.device | str | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled, augmented and normalised batches of one epoch, `steps_per_epoch` of them.

    Order and augmentation follow from ``seed`` and ``epoch`` alone, so that an interrupted training continues
    as it would have gone on. The last, incomplete batch is dropped, unless it is the only one. A GPU makes batches in
    a stream of their own: the processor, which waits for it as it tells it what to draw, does not wait for training.

    Raises:
        InputError: ``batch_size`` below 1, no images, a negative ``seed``, or as `Augment` raises.
    """
    steps, batch_size = steps_per_epoch(len(images), batch_size), min(batch_size, len(images))  # as in `batches`
    generator = epoch_generator(seed, epoch)
    order = torch.randperm(len(images), generator=generator)[: steps * batch_size]
    beside = torch.cuda.Stream(device) if torch.device(device or "cpu").type == "cuda" else None
    for chunk in order.split(max(CHUNK // batch_size, 1) * batch_size):
        with torch.cuda.stream(beside):
            x, y = images.images[chunk].to(device), images.labels[chunk].to(device)
            if augment is not None:
                x = augment(x, generator, images.mean_colour)
        if beside is not None:
            training = torch.cuda.current_stream(device)
            training.wait_stream(beside)
            for tensor in (x, y):
                tensor.record_stream(training)
        for part, labels in zip(x.split(batch_size), y.split(batch_size)):
            yield images.normalise(part), labels
