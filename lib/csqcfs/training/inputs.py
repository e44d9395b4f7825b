"""Images in any of the forms that `fit` takes, as one `ImageSet`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    default_collate,
    default_convert,
)

from ..data.images import ImageSet, constants
from ..data.reading import map_style
from ..engine.dense import require_dense
from ..engine.errors import InputError, kind


def image_set(given: Any, mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> ImageSet:
    """Images in memory of an `ImageSet`, a map-style Dataset, a DataLoader or a pair (images, labels) of tensors.

    Of a DataLoader the Dataset is read, sample by sample and in its own order: `fit` shuffles and makes batches itself,
    so that a loader with another sampler or a collate_fn is refused.

    Args:
        mean, std: of each channel in units of 0..1; by default those of the images.

    Raises:
        InputError: anything else, samples that are no (image, label) pairs, or as `ImageSet.from_dataset`.
    """
    if isinstance(given, ImageSet):
        if mean is None and std is None:
            return given
        mean, std = constants(mean, std)
        return dataclasses.replace(given, mean=mean, std=std)
    if isinstance(given, DataLoader):
        given = _behind(given)
    if isinstance(given, (tuple, list)) and len(given) == 2 and any(isinstance(p, (Tensor, np.ndarray)) for p in given):
        given = TensorDataset(*_tensors(*given))
    if not map_style(given):
        raise InputError(
            f"images of {kind(given)}: expected an ImageSet, a map-style Dataset, a DataLoader of one, "
            "or (images, labels) tensors; read a stream, or columns by name, into one of these"
        )
    return ImageSet.from_dataset(given, mean=mean, std=std)


def _tensors(images: Any, labels: Any) -> tuple[Tensor, Tensor]:
    """Images and labels that were given as a pair.

    Raises:
        InputError: one of them is no tensor, or there is not one label for each image.
    """
    if not isinstance(images, Tensor) or not isinstance(labels, Tensor):
        raise InputError(
            f"images of type {type(images).__name__} and labels of type {type(labels).__name__}: expected two tensors; "
            "use torch.as_tensor, which takes NumPy arrays and lists"
        )
    for name, tensor in (("images", images), ("labels", labels)):
        require_dense(tensor, name)
    if labels.dim() != 1 or images.shape[:1] != labels.shape:
        raise InputError(
            f"images of shape {list(images.shape)} and labels of shape {list(labels.shape)}: expected [N, C, H, W] "
            "and [N], one label for each image"
        )
    return images, labels


def _behind(loader: DataLoader) -> Any:
    """The Dataset of a loader that does nothing to it but to shuffle and make batches.

    Raises:
        InputError: one that chooses samples or changes them, which would be lost.
    """
    if not map_style(loader.dataset):
        return loader.dataset  # which is refused as what it is
    if loader.collate_fn not in (default_collate, default_convert):
        raise InputError(
            "a DataLoader with a collate_fn, which fit does not call: expected none; change samples in the Dataset"
        )
    if type(loader).__iter__ is not DataLoader.__iter__:
        raise InputError(
            f"a {type(loader).__name__} with an __iter__ of its own, which fit does not call: expected a DataLoader; "
            "change samples in the Dataset"
        )
    sampler: Any = loader.sampler
    if loader.batch_sampler is not None:  # beside one of its own, a loader's sampler chooses nothing
        sampler = loader.batch_sampler.sampler if type(loader.batch_sampler) is BatchSampler else loader.batch_sampler
    whole = type(sampler) in (RandomSampler, SequentialSampler) and len(sampler) == len(loader.dataset)  # type: ignore[arg-type]
    if not whole or getattr(sampler, "replacement", False):
        raise InputError(
            f"a DataLoader with a {type(sampler).__name__}, which fit does not ask: expected each sample once; choose "
            "samples by torch.utils.data.Subset"
        )
    return loader.dataset
