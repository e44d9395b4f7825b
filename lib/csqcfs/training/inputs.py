"""What `fit` is given: images in any of the usual forms, and a network that must fit them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import is_lazy
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    default_collate,
    default_convert,
)

from .. import data
from ..data.images import ImageSet, constants
from ..data.reading import map_style
from ..engine.dense import require_dense
from ..engine.errors import InputError, kind, reason, shortage
from ..engine.memory_format import laid_out
from ..engine.modules import as_model, modes_kept


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
    sampler = loader.sampler
    if type(loader.batch_sampler) is BatchSampler and isinstance(sampler, SequentialSampler):
        sampler = loader.batch_sampler.sampler
    whole = isinstance(sampler, (RandomSampler, SequentialSampler)) and len(sampler) == len(loader.dataset)  # type: ignore[arg-type]
    if not whole or getattr(sampler, "replacement", False):
        raise InputError(
            f"a DataLoader with a {type(sampler).__name__}, which fit does not ask: expected each sample once; choose "
            "samples by torch.utils.data.Subset"
        )
    return loader.dataset


def require_gradients(model: nn.Module) -> None:
    """Refuse to train where PyTorch keeps no gradients, or weights that were made there."""
    tensors = [t for t in (*model.parameters(), *model.buffers()) if not is_lazy(t)]  # those are made at the first call
    if torch.is_inference_mode_enabled() or any(t.is_inference() for t in tensors):
        raise InputError(
            f"{type(model).__name__} in torch.inference_mode, or made there: expected gradients, which it never keeps; "
            "make the network and call fit outside of it"
        )


@torch.no_grad()
def check_outputs(model: nn.Module, images: ImageSet) -> None:
    """Refuse images that the network cannot take, and labels for which it has no output."""
    data.steps_per_epoch(len(images), 1)
    with modes_kept(model), taking(model, images):
        x = as_model(model, images.normalise(images.images[:1]))
        check_width(model, one_tensor(model, laid_out(model.eval())(x)), images)


@torch.no_grad()
def check_single(model: nn.Module, images: ImageSet) -> None:
    """Refuse batches of one image for a batch norm in training that gets one value of each channel from it."""
    alone: list[_BatchNorm] = []
    norms = {m: name for name, m in model.named_modules() if isinstance(m, _BatchNorm)}
    handles = [
        norm.register_forward_pre_hook(lambda m, args: alone.extend([m] * _single(*args)))
        for norm in norms
        if norm.training or not model.training
    ]
    try:
        check_outputs(model, images)
    finally:
        for handle in handles:
            handle.remove()
    if alone:
        raise InputError(
            f"{norms[alone[0]]} ({type(alone[0]).__name__}) gets one value of each channel from a batch of one image, "
            "which has no spread: expected batches of 2 images or more; raise batch_size, or give more images"
        )


def _single(x: Tensor | None = None) -> bool:
    return x is not None and x.numel() == x.shape[1]


@contextlib.contextmanager
def taking(model: nn.Module, images: ImageSet) -> Iterator[None]:
    """What ``model`` raises at ``images`` becomes the one line that they do not fit; a lack of memory stays."""
    try:
        yield
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        if isinstance(error, InputError) or shortage(error):
            raise
        raise InputError(
            f"{type(model).__name__} does not run on images of shape {list(images.images.shape[1:])} "
            f"({reason(error)}); build it for these"
        ) from error


def one_tensor(model: nn.Module, out: Any) -> Tensor:
    """``out`` of ``model``, which must be one tensor."""
    if not isinstance(out, Tensor):
        raise InputError(
            f"{type(model).__name__} gives a {type(out).__name__}: expected one tensor of logits [N, classes]; wrap it "
            "in a module that returns that part alone"
        )
    return out


def check_width(model: nn.Module, out: Tensor, images: ImageSet) -> None:
    """Refuse labels for which ``out``, [N, classes] of ``model``, has no place."""
    highest = int(images.labels.max())
    if out.dim() != 2 or highest >= out.shape[1]:
        raise InputError(
            f"{type(model).__name__} gives an output of shape {list(out.shape)} and labels go up to {highest}: "
            f"expected [N, {highest + 1}] or wider; build it with more classes, or count labels from 0"
        )
