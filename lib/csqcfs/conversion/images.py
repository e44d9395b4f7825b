"""Some images to calibrate a network with: what `calibration` and `bias` take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..data.images import ImageSet
from ..engine.errors import InputError

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
        return images
    raise InputError(f"images of type {type(images).__name__}: expected the {number} inputs as a tuple of tensors")


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
        taken, count = [], 0
        for batch in images if isinstance(images, Iterable) else ():
            taken.append(batch[0] if isinstance(batch, (tuple, list)) else batch)
            if not isinstance(taken[-1], Tensor) or (count := count + len(taken[-1])) >= IMAGES:
                break
        if not taken or not all(isinstance(batch, Tensor) for batch in taken):
            raise InputError(
                f"images of type {type(images).__name__}: expected normalised images as one tensor, an ImageSet or a "
                "DataLoader of batches"
            )
        images = torch.cat(taken)[:IMAGES]
    if not images.dim() or not len(images):
        raise InputError(f"images of shape {list(images.shape)}: expected normalised images, at least one")
    return images


def _labelled(images: Any) -> bool:
    """Whether ``images`` is a pair of images and their labels, as `fit` takes it."""
    if not isinstance(images, (tuple, list)) or len(images) != 2 or not all(isinstance(x, Tensor) for x in images):
        return False
    return images[1].dim() == 1 and not images[1].is_floating_point()
