"""Data sets by name or folder, their identity, and the images held out of them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from ..engine import paths
from ..engine.errors import InputError
from . import cifar, digits, folders
from .content import SPLITS, Content
from .images import ImageSet, channel_statistics


class Splits(NamedTuple):
    """``val`` is empty unless images were held out."""

    train: ImageSet
    val: ImageSet
    test: ImageSet


class Known(NamedTuple):
    """A data set with a name.

    Attributes:
        digest: of the images that the name stands for.
        read: reads it, given the folder of the data sets.
        classes: how many.
        place: where class folders would hold it there; None where they cannot, or where there are none.
        mean, std: to normalise it; None for those of its training images.
    """

    digest: str
    read: Callable[[Path], Content]
    classes: int = 10
    place: Callable[[Path], Path | None] = lambda root: None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def _cifar(name: str, digest: str) -> Known:
    known = cifar.CIFAR[name]
    read, place = functools.partial(cifar.read, name), functools.partial(cifar.place, name)
    return Known(digest, read, known.classes, place, known.mean, known.std)


# A further data set is a module that reads it, and one line here.
SETS = {
    "digits": Known("6794934b9bd319c9", lambda root: digits.read()),
    "cifar10": _cifar("cifar10", "c4e64f78060cd3bc"),
    "cifar100": _cifar("cifar100", "6d465348a1723b0b"),
}


def load(name: str, root: Path | str | None = None, val: int = 0, seed: int = 0) -> Splits:
    """A data set by name, in three parts, each in the order of `content.canonical`.

    Args:
        name: one of `SETS`, or the path of a folder with images in train/<class>/ and test/<class>/.
        root: where CIFAR lies, see `paths.data_root`.
        val: training images to hold out for validation, stratified by class.
        seed: chooses them.

    Raises:
        InputError: unknown name, data that cannot be found or read, or ``val`` too large.
    """
    mean = std = None
    if name in SETS:
        known = SETS[name]
        content, mean, std = known.read(paths.data_root(root)), known.mean, known.std
    elif (folder := _own(name)) is not None:
        content = folders.load(folder, folder.name)
    else:
        raise InputError(
            f"data set {name!r}: expected {', '.join(SETS)} or a folder with train/<class>/*.png and test/<class>/*.png"
        )
    tensors, classes, digest = content
    if mean is None or std is None:
        mean, std = channel_statistics(tensors["train_images"])
    train, test = (
        ImageSet(tensors[f"{split}_images"], tensors[f"{split}_labels"], classes, mean, std, digest) for split in SPLITS
    )
    return Splits(*hold_out(train, val, seed), test)


def identity(name: str, root: Path | str | None = None) -> str:
    """Digest of the images that ``name`` stands for here; of the official ones where none lie here.

    It needs no images, so that results of named data sets can be looked up without them; an unknown name and
    a folder that cannot be read have none, "", and `load` says why.
    """
    known = SETS.get(name)
    official = "" if known is None else known.digest
    try:
        folder = _own(name) if known is None else known.place(paths.data_root(root))
        digest = official if folder is None else folders.digest(folder, name if known else folder.name)
    except InputError:
        return official
    if known is not None and digest != official:
        _warn(f"the images in {folder} are not those of {name}: results on them count as others ({digest})")
    return digest


@functools.cache
def _warn(message: str) -> None:
    """Once in each process."""
    print(f"note: {message}", file=sys.stderr)


def _own(name: str) -> Path | None:
    """A folder of the user's."""
    folder = paths.of_user(name) if name else None
    return folder.resolve() if folder is not None and folder.is_dir() else None


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
