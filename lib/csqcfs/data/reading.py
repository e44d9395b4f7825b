"""A map-style Dataset read into memory once, sample by sample: images of 8 bits, labels, names of classes."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from ..engine.dense import require_dense
from ..engine.errors import InputError, kind, reason, shown
from ..engine.repeatable import draws
from .pixels import pixels

SINGLE = torch.finfo(torch.float32).eps  # float64 images come from float32 ones, too
LARGEST_LABEL = 99_999  # more classes than any data set has: another number got in place of the label


def map_style(dataset: Any) -> bool:
    """Whether ``dataset`` has a length and samples by number; a stream inherits both from Dataset and has neither."""
    by_number = all(hasattr(type(dataset), name) for name in ("__getitem__", "__len__"))
    return by_number and not isinstance(dataset, (IterableDataset, Mapping, str, bytes, Tensor, np.ndarray))


def collected(dataset: Any) -> tuple[Tensor, Tensor]:
    """Images, uint8 [N, C, H, W], and labels, int64 [N], of a map-style Dataset.

    Raises:
        InputError: as `images.ImageSet.from_dataset`.
    """
    if not map_style(dataset):
        raise InputError(
            f"a data set of {kind(dataset)}: expected (image, label) pairs by number and their length, "
            "as of a list or a map-style Dataset; make a list of pairs of it"
        )
    images: list[Tensor] = []
    labels: list[int] = []
    if len(dataset) and draws(lambda: _pair(dataset, 0)):
        raise InputError(
            f"samples of {kind(dataset)} are drawn at random, and each would stay what it is now: expected the same at "
            "each reading; leave random transforms to fit, which has augment="
        )
    for index in range(len(dataset)):
        image, label = _pair(dataset, index)
        images.append(_as_uint8(image, index))
        if images[-1].shape != images[0].shape:
            raise InputError(
                f"image {index} has shape {list(images[-1].shape)}, expected "
                f"{list(images[0].shape)} as image 0 has; resize the images to one size"
            )
        labels.append(_number(label, index))
    if not images:
        raise InputError("a data set without images: expected at least one (image, label) pair")
    return torch.stack(images), torch.tensor(labels)


def names(classes: Any) -> tuple[str, ...]:
    """Names of classes, in whatever a data set lists them: also an array, or numbers.

    Raises:
        InputError: no list, or one without an order.
    """
    listed = classes.tolist() if hasattr(classes, "tolist") else classes
    if isinstance(listed, (str, bytes, Mapping, set, frozenset)) or not isinstance(listed, Iterable):
        raise InputError(
            f"classes = {shown(classes)}: expected a list of their names, in the order of the labels; a data set that "
            "lists none needs no attribute classes"
        )
    return tuple(map(str, listed))


def _pair(dataset: Any, index: int) -> Any:
    try:
        sample = dataset[index]
    except (LookupError, NotImplementedError) as error:
        raise InputError(
            f"sample {index} of {type(dataset).__name__} cannot be read ({type(error).__name__}: {reason(error)}): "
            f"expected {len(dataset)} (image, label) pairs by number, from 0; mend its __getitem__ or __len__"
        ) from error
    if isinstance(sample, (tuple, list)) and len(sample) == 2:
        return sample
    parts = f"{len(sample)} parts" if isinstance(sample, (tuple, list)) else f"type {type(sample).__name__}"
    raise InputError(
        f"sample {index} has {parts}: expected a pair (image, label); choose two in the data set's __getitem__"
    )


def _number(label: Any, index: int) -> int:
    """The label of one image."""
    try:
        number = operator.index(label)
    except (TypeError, ValueError, RuntimeError):
        number = None
    if number is None or not 0 <= number <= LARGEST_LABEL:
        raise InputError(
            f"label {shown(label if number is None else number)} of image {index}: expected the number of a class, a "
            f"whole one from 0 to at most {LARGEST_LABEL}; count the classes from 0, one by one"
        )
    return number


def _as_uint8(image, index: int) -> Tensor:
    """One image of a Dataset as uint8 [C, H, W]."""
    if not isinstance(image, Tensor):
        if not hasattr(image, "convert"):
            raise InputError(
                f"image {index} is a {type(image).__name__}: expected a tensor [C, H, W] or a "
                "PIL image; convert it in the data set's transform"
            )
        return torch.from_numpy(pixels(image, f"image {index}").copy())
    require_dense(image, f"image {index}")
    if image.dim() != 3 or not (image.dtype == torch.uint8 or image.is_floating_point()):
        raise InputError(
            f"image {index} has shape {list(image.shape)} and type {image.dtype}: expected "
            "[C, H, W] of uint8 or of floats in [0, 1]"
        )
    if image.dtype == torch.uint8:
        return image.cpu()
    image = image.detach().cpu()
    if not bool(((image >= 0) & (image <= 1)).all()):
        raise InputError(
            f"image {index} has values {float(image.min()):g}..{float(image.max()):g}: expected "
            "floats in [0, 1]; remove normalisation from the data set's transform"
        )
    levels = image.double().mul(255).round()
    back = levels.div(255).to(image.dtype)
    if not torch.allclose(back, image, rtol=2 * max(torch.finfo(image.dtype).eps, SINGLE), atol=0):
        odd = float(image[back != image][0])
        raise InputError(
            f"image {index} has the value {odd:g}, which is none of the 256 levels k / 255 of 8-bit images: round "
            "on purpose by torchvision's v2.ToDtype(torch.uint8, scale=True) in the data set's transform"
        )
    return levels.to(torch.uint8)
