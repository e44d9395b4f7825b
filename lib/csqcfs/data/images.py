"""Labelled images as one uint8 tensor in memory, with the constants that normalise them."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..engine.dense import require_dense
from ..engine.errors import InputError, shown
from .reading import collected, names


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over all pixels, in units of the full range 0..1."""
    values = torch.arange(256, dtype=torch.float64) / 255
    mean, std = [], []
    for channel in images.unbind(1):
        share = torch.bincount(channel.flatten(), minlength=256).double() / max(channel.numel(), 1)
        mean.append(float((share * values).sum()))
        std.append(max(float((share * (values - mean[-1]) ** 2).sum().sqrt()), 1 / 255))  # a constant channel
    return tuple(mean), tuple(std)


@functools.cache
def _along_channels(values: tuple[float, ...], device: torch.device) -> Tensor:
    """One number for each channel of images [B, C, H, W]; kept, since a GPU would be waited for with every batch."""
    return torch.tensor(values, dtype=torch.float32, device=device).view(1, -1, 1, 1)


Constants = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation of each channel


def constants(mean: Sequence[float] | None, std: Sequence[float] | None) -> Constants:
    """Mean and standard deviation of a user as an `ImageSet` holds them, which checks them.

    Raises:
        InputError: one of them alone, or no numbers.
    """
    if mean is None or std is None:
        raise InputError("mean and std belong together: expected both or neither; give the other one too")
    try:
        return tuple(map(float, mean)), tuple(map(float, std))
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"mean = {shown(mean)} and std = {shown(std)}: expected a number for each channel") from error


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images with labels, held in memory.

    Attributes:
        images: uint8 [N, C, H, W].
        labels: int64 [N], places in ``classes``.
        classes: names of the classes.
        mean, std: of each channel, in units of the full range 0..1; `normalise` uses them.
        origin: digest of the data set that they are part of, see `data.identity`; empty for images of one's own.

    Raises:
        InputError: tensors of another shape or type, or a label outside 0..len(classes) - 1.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    origin: str = ""

    def __post_init__(self):
        mean, std = constants(self.mean, self.std)
        for name, value in (("classes", names(self.classes)), ("mean", mean), ("std", std)):
            object.__setattr__(self, name, value)  # lists cannot be kept for later batches
        images, labels = self.images, self.labels
        for name, tensor in (("images", images), ("labels", labels)):
            if not isinstance(tensor, Tensor):
                raise InputError(f"{name} of type {type(tensor).__name__}: expected a tensor; use torch.as_tensor")
            require_dense(tensor, name)
        if images.dim() != 4 or images.dtype != torch.uint8:
            raise InputError(
                f"images of shape {list(images.shape)} and type {images.dtype}: expected uint8 "
                "[N, C, H, W]; ImageSet.from_dataset converts other data"
            )
        if labels.shape != images.shape[:1] or labels.dtype != torch.int64:
            raise InputError(
                f"labels of shape {list(labels.shape)} and type {labels.dtype}: expected int64 "
                f"[{len(images)}], one for each image"
            )
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(self.classes):
            raise InputError(
                f"labels {int(labels.min())}..{int(labels.max())}: expected "
                f"0..{len(self.classes) - 1} for {len(self.classes)} classes; count labels from 0, and name every class"
            )
        means, stds = all(0 <= m <= 1 for m in self.mean), all(0 < s < math.inf for s in self.std)
        if not len(self.mean) == len(self.std) == images.shape[1] or not means or not stds:
            raise InputError(
                f"mean {self.mean} and std {self.std}: expected {images.shape[1]} values each, one for each channel, "
                "in units of the full range: means in 0..1 and std above 0"
            )

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, indices: Tensor | Sequence[int]) -> ImageSet:
        """The images at ``indices``, in that order, or those where a mask is true, with the same normalisation.

        Raises:
            InputError: neither whole numbers of images that exist nor a mask of as many places as there are images.
        """
        try:
            indices = torch.as_tensor(indices, device=self.images.device)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"indices = {shown(indices)}: expected places as whole numbers, or a mask of {len(self)}"
            ) from error
        if indices.dtype == torch.bool and indices.shape == self.labels.shape:
            indices = indices.nonzero().flatten()
        if indices.numel() and (indices.dtype == torch.bool or indices.is_floating_point() or indices.dim() != 1):
            raise InputError(
                f"indices of shape {list(indices.shape)} and type {indices.dtype}: expected places as whole numbers, "
                f"or a mask of {len(self)}"
            )
        indices = indices.long()
        if indices.numel() and not -len(self) <= int(indices.min()) <= int(indices.max()) < len(self):
            raise InputError(
                f"indices {int(indices.min())}..{int(indices.max())}: expected 0..{len(self) - 1}, the places of images"
            )
        return replace(self, images=self.images[indices], labels=self.labels[indices])

    def to(self, device: torch.device | str) -> ImageSet:
        """The same images in the memory of ``device``."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def normalise(self, images: Tensor) -> Tensor:
        """(x / 255 - mean) / std of uint8 [B, C, H, W] as float32 in channels_last order."""
        if images.dim() != 4 or images.dtype != torch.uint8 or images.shape[1] != len(self.mean):
            raise InputError(
                f"images of shape {list(images.shape)} and type {images.dtype}: expected uint8 "
                f"[B, {len(self.mean)}, H, W]"
            )
        mean, std = (_along_channels(values, images.device) for values in (self.mean, self.std))
        out = torch.empty(images.shape, dtype=torch.float32, device=images.device, memory_format=torch.channels_last)
        return out.copy_(images).sub_(255 * mean).div_(255 * std)

    @property
    def mean_colour(self) -> tuple[int, ...]:
        """The mean as a colour of 0..255, about 0 after `normalise`."""
        return tuple(round(255 * value) for value in self.mean)

    @classmethod
    def from_dataset(
        cls,
        dataset,
        classes: Sequence[str] | None = None,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> ImageSet:
        """Collect a map-style Dataset of (image, label) pairs, once.

        Args:
            dataset: images are PIL images, or tensors [C, H, W] of uint8 or of floats k / 255, all with 8 bits a
                channel; labels are whole numbers from 0.
            classes: names; by default ``dataset.classes`` where it exists, else the numbers.
            mean, std: of each channel in units of 0..1, by default those of these images. Test images need those
                of the training set, ``mean=train.mean, std=train.std``.

        Raises:
            InputError: no Dataset of pairs, no images, images of several sizes or of more than 8 bits, odd labels or
                classes, or one of ``mean`` and ``std`` alone.
        """
        given = None if mean is None and std is None else constants(mean, std)
        images, labels = collected(dataset)
        if classes is None:
            classes = getattr(dataset, "classes", None)
        known = () if classes is None else names(classes)
        numbers = tuple(str(k) for k in range(int(labels.max()) + 1))
        return cls(images, labels, known or numbers, *(given or channel_statistics(images)))
