"""Some images to calibrate a network with: what `calibration` and `bias` take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from ..data.images import ImageSet
from ..engine.dense import require_dense
from ..engine.errors import InputError, kind, reason, shortage

IMAGES = 512  # taken from an image set or a DataLoader


def few(images: Any, model: nn.Module) -> tuple[Tensor, ...]:
    """Some images to calibrate ``model`` with, as `calibrate` takes them: one tensor for each of its inputs.

    Raises:
        InputError: others, or values that are not finite.
    """
    takes = sum(node.op == "placeholder" for node in model.graph.nodes) if isinstance(model, fx.GraphModule) else 1
    inputs = (_images(images),) if takes == 1 else _several(images, takes)
    if not all(bool(x.isfinite().all()) for x in inputs):
        raise InputError("images with values that are not finite: expected none")
    return inputs


def _several(images: Any, number: int) -> tuple[Tensor, ...]:
    """The inputs of a network that takes ``number``.

    Raises:
        InputError: others.
    """
    if isinstance(images, tuple) and len(images) == number and all(isinstance(x, Tensor) for x in images):
        for place, x in enumerate(images):
            require_dense(x, f"input {place}")
        return images
    raise InputError(f"images of {kind(images)}: expected the {number} inputs as a tuple of tensors")


def _images(images: Tensor | ImageSet | Iterable) -> Tensor:
    """Normalised images [N, C, H, W].

    Raises:
        InputError: nothing of the kind.
    """
    if isinstance(images, ImageSet):
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:IMAGES]
        images = images.normalise(images.images[order])
    elif _labelled(images):
        images = images[0]
    elif not isinstance(images, Tensor):
        images = _first(images)
    require_dense(images, "images")
    if not images.dim() or not len(images):
        raise InputError(f"images of shape {list(images.shape)}: expected normalised images, at least one")
    return images


def _first(batches: Any) -> Tensor:
    """The first images of a DataLoader, or of another source of batches of one size.

    Raises:
        InputError: another kind of source or batch, or images of several sizes.
    """
    expected = "expected normalised images as one tensor, an ImageSet or a DataLoader of batches"
    if isinstance(batches, (str, Mapping, np.ndarray)) or not isinstance(batches, Iterable):
        raise InputError(f"images of {kind(batches)}: {expected}")
    taken: list[Tensor] = []
    for batch in _read(batches):
        x = batch[0] if isinstance(batch, (tuple, list)) and batch else batch
        if not isinstance(x, Tensor):
            raise InputError(f"a batch of {kind(x)} in images of {kind(batches)}: {expected}, with labels or without")
        require_dense(x, "a batch")
        taken.append(x)
        if not x.dim() or x.shape[1:] != taken[0].shape[1:]:
            raise InputError(
                f"batches of shape {list(taken[0].shape)} and {list(x.shape)}: expected images of one size; resize them"
            )
        if sum(map(len, taken)) >= IMAGES:
            break
    if not taken:
        raise InputError(f"images of {kind(batches)} without any batch: {expected}")
    return torch.cat([x.to(taken[0].device) for x in taken])[:IMAGES]


def _read(batches: Iterable) -> Iterator[Any]:
    """``batches``, or one line where a DataLoader cannot stack its samples."""
    try:
        yield from batches
    except (RuntimeError, TypeError) as error:
        if shortage(error):
            raise
        raise InputError(
            f"images of {kind(batches)} give no batch ({reason(error)}): expected tensors of one size, which can be "
            "stacked; convert and resize them in the Dataset"
        ) from error


def _labelled(images: Any) -> bool:
    """Whether ``images`` is a pair of images and their labels, as `fit` takes it."""
    if not isinstance(images, (tuple, list)) or len(images) != 2 or not all(isinstance(x, Tensor) for x in images):
        return False
    return images[1].dim() == 1 and not images[1].is_floating_point()
