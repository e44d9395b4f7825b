"""CIFAR-10 and CIFAR-100, from class folders or from the official archive."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import NamedTuple

import torch

from ..engine.errors import InputError
from . import folders
from .content import SPLITS, Content, canonical


class Cifar(NamedTuple):
    """What one of the two must look like, and the constants of the public code to normalise it."""

    classes: int
    official: str
    archive: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


CIFAR = {
    "cifar10": Cifar(10, "CIFAR10", "cifar-10-python.tar.gz", (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar100": Cifar(
        100,
        "CIFAR100",
        "cifar-100-python.tar.gz",
        (129.3 / 255, 124.1 / 255, 112.4 / 255),
        (68.2 / 255, 65.4 / 255, 70.4 / 255),
    ),
}


def place(name: str, root: Path) -> Path | None:
    """The class folders, root/<name> or ``root`` itself; None where only the archive can give the images.

    Raises:
        InputError: a folder that must not be looked into.
    """
    try:
        return next((folder for folder in (root / name, root) if (folder / "train").is_dir()), None)
    except PermissionError as error:
        raise InputError(f"cannot read {error.filename} ({error.strerror}); check its permissions") from error


def read(name: str, root: Path) -> Content:
    """From class folders, else from the official archive in ``root``.

    Raises:
        InputError: neither can be read, or the folders hold another data set.
    """
    known, folder = CIFAR[name], place(name, root)
    if folder is None:
        return _official(name, root)
    expected = f"{name} has {known.classes}; name another folder by --data or CSQCFS_DATA"
    if (found := len(folders.scan_splits(folder)["train"])) != known.classes:
        raise InputError(f"{folder / 'train'} has {found} classes, {expected}")
    content = folders.load(folder, name)
    if (shape := list(content.tensors["train_images"].shape[1:])) != [3, 32, 32]:
        raise InputError(f"{folder} has images of shape {shape}: expected [3, 32, 32] for {name}")
    return content


def _official(name: str, root: Path) -> Content:
    """The official archive, downloaded where it is missing; torchvision checks its md5 before unpickling."""
    from torchvision import datasets

    known = CIFAR[name]
    try:
        official = getattr(datasets, known.official)
        parts = [official(root, train=train, download=True) for train in (True, False)]
    except (OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        fault = _fault(root / known.archive)
        raise InputError(
            f"{name} is not in {root} and cannot be downloaded ({reason}): put "
            f"{{train,test}}/<class>/*.png into {root / name} or {known.archive} into {root}, or "
            "name another folder by --data or CSQCFS_DATA"
            if fault is None
            else f"{root / known.archive} is {fault}, and cannot be downloaded again ({reason}): copy it anew"
        ) from error
    tensors = {}
    for split, part in zip(SPLITS, parts):
        tensors[f"{split}_images"] = torch.from_numpy(part.data).permute(0, 3, 1, 2)
        tensors[f"{split}_labels"] = torch.tensor(part.targets)
    return canonical(tensors, parts[0].classes)


def _fault(archive: Path) -> str | None:
    """What is wrong with an archive that torchvision refused; None where there is none."""
    try:
        if not archive.is_file():
            return None
        with gzip.open(archive) as unpacked:
            while unpacked.read(1 << 24):
                pass
    except EOFError:
        return f"truncated ({archive.stat().st_size:,} bytes are there)"
    except PermissionError:
        return "not to be read (check its permissions)"
    except (OSError, ValueError, zlib.error):
        return "damaged"
    return "another archive than the official one"
