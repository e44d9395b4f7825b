"""Data sets by name, and batches of them for evaluation and training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..engine import paths
from ..engine.errors import InputError
from . import folders
from .augment import Augment
from .images import ImageSet, channel_statistics

CHUNK = 2048  # images augmented at once: fewer pay for the calls, more leave the processor's cache


class Splits(NamedTuple):
    """``val`` is empty unless images were held out."""

    train: ImageSet
    val: ImageSet
    test: ImageSet


class Known(NamedTuple):
    """What a named data set must look like, and the constants of the public code to normalise it."""

    classes: int
    official: str
    archive: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


CIFAR = {
    "cifar10": Known(10, "CIFAR10", "cifar-10-python.tar.gz", (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar100": Known(
        100,
        "CIFAR100",
        "cifar-100-python.tar.gz",
        (129.3 / 255, 124.1 / 255, 112.4 / 255),
        (68.2 / 255, 65.4 / 255, 70.4 / 255),
    ),
}


def load(name: str, root: Path | str | None = None, val: int = 0, seed: int = 0) -> Splits:
    """A data set by name, in three parts.

    Args:
        name: "digits" (8x8 grey, in scikit-learn), "cifar10", "cifar100", or the path of a folder with
            train/<class>/*.png and test/<class>/*.png.
        root: where CIFAR lies, see `paths.data_root`.
        val: training images to hold out for validation, stratified by class.
        seed: chooses them.

    Raises:
        InputError: unknown name, data that cannot be found or read, or ``val`` too large.
    """
    if name == "digits":
        train, test = _digits()
    elif name in CIFAR:
        train, test = _cifar(name, paths.data_root(root))
    elif name and (folder := Path(name).expanduser()).is_dir():
        tensors, classes = folders.load(folder, folder.resolve().name)
        train, test = _pair(tensors, classes, *channel_statistics(tensors["train_images"]))
    else:
        raise InputError(
            f"data set {name!r}: expected digits, {', '.join(CIFAR)} or a folder with "
            "train/<class>/*.png and test/<class>/*.png"
        )
    return Splits(*hold_out(train, val, seed), test)


def hold_out(images: ImageSet, val: int, seed: int) -> tuple[ImageSet, ImageSet]:
    """The set without ``val`` images, and those; each class gives its share, up to one image.

    Raises:
        InputError: ``val`` would leave a class without training images.
    """
    count = len(images)
    if not 0 <= val < count:
        raise InputError(f"val = {val}: expected 0..{count - 1} of {count} training images; hold out fewer")
    shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    by_class = shuffled[images.labels[shuffled].argsort(stable=True)]
    chosen = torch.zeros(count, dtype=torch.bool)
    evenly = (2 * torch.arange(val) + 1) * count // (2 * max(val, 1))  # middles of ``val`` equal stretches
    chosen[by_class[evenly]] = True
    present, left = images.labels.unique(), images.labels[~chosen].unique()
    if len(left) < len(present):
        raise InputError(f"val = {val} of {count} training images leaves a class without any; hold out fewer")
    return images.subset((~chosen).nonzero().flatten()), images.subset(chosen.nonzero().flatten())


def _pair(
    tensors: dict[str, Tensor], classes: Sequence[str], mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[ImageSet, ImageSet]:
    train, test = (
        ImageSet(tensors[f"{split}_images"], tensors[f"{split}_labels"], tuple(classes), mean, std)
        for split in folders.SPLITS
    )
    return train, test


def _digits() -> tuple[ImageSet, ImageSet]:
    """1,797 images of scikit-learn; grey values 0..16 spread over 0..255; a fixed fifth for testing."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = torch.from_numpy(np.round(digits.images * 255 / 16).astype(np.uint8))[:, None]
    labels = torch.from_numpy(digits.target).long()
    numbers = np.arange(len(labels))
    train, test = train_test_split(numbers, test_size=0.2, random_state=0, stratify=digits.target)
    everything = ImageSet(images, labels, tuple("0123456789"), *channel_statistics(images[train]))
    return everything.subset(train), everything.subset(test)


def _cifar(name: str, root: Path) -> tuple[ImageSet, ImageSet]:
    """From class folders in root/<name> or root, else from the official archive in root."""
    known = CIFAR[name]
    folder = next((place for place in (root / name, root) if (place / "train").is_dir()), None)
    if folder is None:
        return _official(name, root)
    expected = f"{name} has {known.classes}; name another folder by --data or CSQCFS_DATA"
    if (found := len(folders.scan(folder / "train"))) != known.classes:
        raise InputError(f"{folder / 'train'} has {found} classes, {expected}")
    tensors, classes = folders.load(folder, name)
    if (shape := list(tensors["train_images"].shape[1:])) != [3, 32, 32]:
        raise InputError(f"{folder} has images of shape {shape}: expected [3, 32, 32] for {name}")
    return _pair(tensors, classes, known.mean, known.std)


def _official(name: str, root: Path) -> tuple[ImageSet, ImageSet]:
    """The official archive, downloaded where it is missing; torchvision checks its md5 before unpickling."""
    from torchvision import datasets

    known = CIFAR[name]
    try:
        official = getattr(datasets, known.official)
        parts = [official(root, train=train, download=True) for train in (True, False)]
    except (OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{name} is not in {root} and cannot be downloaded ({reason}): put "
            f"{{train,test}}/<class>/*.png into {root / name} or {known.archive} into {root}, or "
            "name another folder by --data or CSQCFS_DATA"
        ) from error
    tensors = {}
    for split, part in zip(folders.SPLITS, parts):
        tensors[f"{split}_images"] = torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous()
        tensors[f"{split}_labels"] = torch.tensor(part.targets)
    return _pair(tensors, parts[0].classes, known.mean, known.std)


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Batches that `train_batches` makes of ``count`` images: all full ones, or the one partial batch.

    Raises:
        InputError: ``batch_size`` below 1, or no images.
    """
    if batch_size < 1:
        raise InputError(f"batch size {batch_size}: expected 1 or more")
    if count < 1:
        raise InputError("a training set without images: expected at least one")
    return max(count // batch_size, 1)


def batches(
    images: ImageSet, batch_size: int, device: torch.device | str | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Normalised images [B, C, H, W] and labels [B] in order, all of them; for evaluation.

    Raises:
        InputError: ``batch_size`` below 1.
    """
    if batch_size < 1:
        raise InputError(f"batch size {batch_size}: expected 1 or more")
    for x, y in zip(images.images.split(batch_size), images.labels.split(batch_size)):
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
    as it would have gone on. The last, incomplete batch is dropped, unless it is the only one.

    Raises:
        InputError: ``batch_size`` below 1, no images, a negative ``seed``, or as `Augment` raises.
    """
    steps = steps_per_epoch(len(images), batch_size)
    generator = epoch_generator(seed, epoch)
    order = torch.randperm(len(images), generator=generator)[: steps * batch_size]
    for chunk in order.split(max(CHUNK // batch_size, 1) * batch_size):
        x, y = images.images[chunk].to(device), images.labels[chunk].to(device)
        if augment is not None:
            x = augment(x, generator, images.mean_colour)
        for part, labels in zip(x.split(batch_size), y.split(batch_size)):
            yield images.normalise(part), labels
