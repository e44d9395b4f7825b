"""Class folders, root/{train,test}/<class>/, decoded once into cached uint8 tensors."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..engine import paths
from ..engine.checkpoint import load_metadata, load_state, save_state
from ..engine.errors import InputError
from .content import SPLITS, Content, canonical
from .pixels import read_image

EXACT = 5000  # files: a folder of more is looked at once in each process by `digest`, `load` always looks

Found = dict[str, dict[str, list[os.DirEntry]]]
_known: dict[Path, str] = {}  # digests of large folders


def scan(folder: Path) -> dict[str, list[os.DirEntry]]:
    """Image files of each class, classes and files in alphabetical order; hidden ones do not count.

    Raises:
        InputError: no such folder, no classes, or a class without images.
    """
    from torchvision.datasets.folder import IMG_EXTENSIONS

    if not folder.is_dir():
        raise InputError(f"no folder {folder}: expected images in train/<class>/ and test/<class>/")
    found = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        with os.scandir(place) as entries:
            images = [e for e in entries if e.name.lower().endswith(IMG_EXTENSIONS) and not e.name.startswith(".")]
        found[place.name] = sorted(images, key=lambda entry: entry.name)
        if not images:
            raise InputError(
                f"no images in {place}: expected {', '.join(IMG_EXTENSIONS)}; add some or remove the folder"
            )
    if not found:
        raise InputError(f"no class folders in {folder}: expected images in {folder / '<class>'}")
    return found


def scan_splits(root: Path) -> Found:
    """Both splits of the class folders at ``root``.

    Raises:
        InputError: as `scan`, or classes that differ between train and test.
    """
    try:
        found = {split: scan(root / split) for split in SPLITS}
    except OSError as error:
        raise InputError(f"cannot read {error.filename} ({error.strerror}); check its permissions") from error
    for here, there in (SPLITS, SPLITS[::-1]):
        if missing := [name for name in found[here] if name not in found[there]]:
            raise InputError(
                f"class {missing[0]} of {root / here} is missing in {root / there} "
                f"({len(missing)} such): expected the same classes in both"
            )
    return found


def fingerprint(found: Found) -> str:
    """Changes with any file's name, size or times of change; that of its inode no tool sets back.

    Raises:
        InputError: a file that is not there, such as a link to nowhere.
    """
    digest = hashlib.sha256()
    for split, classes in found.items():
        for name, entries in classes.items():
            for entry in entries:
                try:
                    stat = entry.stat()
                except OSError as error:
                    raise InputError(
                        f"cannot read {entry.path} ({error.strerror}): replace or remove this image"
                    ) from error
                digest.update(os.fsencode(f"{split}/{name}/{entry.name}\0{stat.st_size}\0"))
                digest.update(f"{stat.st_mtime_ns}\0{stat.st_ctime_ns}\n".encode())
    return digest.hexdigest()[:16]


def decode(places: list[str], title: str) -> Tensor:
    """All images as uint8 [N, C, H, W].

    Raises:
        InputError: as `read_image`, or a file of another size than the first, before it is decoded.
    """
    from tqdm import tqdm

    first = read_image(places[0])
    out = np.empty((len(places), *first.shape), np.uint8)

    def fill(index: int) -> None:
        def accept(shape: tuple[int, int, int]) -> None:
            if shape != first.shape:
                raise InputError(
                    f"{places[index]} has shape {list(shape)}, expected {list(first.shape)} "
                    f"as {places[0]} has; resize the images to one size"
                )

        out[index] = read_image(places[index], accept)

    with ThreadPoolExecutor() as pool:
        for _ in tqdm(
            pool.map(fill, range(len(places))), total=len(places), desc=f"decode {title}", unit="image", disable=None
        ):
            pass
    return torch.from_numpy(out)


def load(root: Path, name: str) -> Content:
    """Both splits of the class folders at ``root``, from the cache where their files have not changed.

    Raises:
        InputError: an unreadable or odd-sized image, an empty folder, classes that differ between train and
            test, or a damaged cache file.
    """
    found = scan_splits(root)
    cache = _cache(name, found)
    if cache.exists():
        tensors, about = load_state(cache)
        return Content(tensors, tuple(about["classes"]), about["digest"])
    tensors, classes = {}, tuple(found["train"])
    for split in SPLITS:
        places = [entry.path for entries in found[split].values() for entry in entries]
        sizes = torch.tensor([len(entries) for entries in found[split].values()])
        tensors[f"{split}_images"] = decode(places, f"{name} {split}")
        tensors[f"{split}_labels"] = torch.arange(len(classes)).repeat_interleave(sizes)
    shapes = [list(tensors[f"{split}_images"].shape[1:]) for split in SPLITS]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"images of shape {shapes[0]} in {root / 'train'} and {shapes[1]} in "
            f"{root / 'test'}: expected one size; resize the images"
        )
    content = canonical(tensors, classes)
    save_state(cache, content.tensors, {"classes": classes, "digest": content.digest})
    return content


def digest(root: Path, name: str) -> str:
    """The digest of `load`, without reading images that were read before.

    Raises:
        InputError: as `load`.
    """
    if root not in _known:
        found = scan_splits(root)
        cache = _cache(name, found)
        value = load_metadata(cache)["digest"] if cache.exists() else load(root, name).digest
        if sum(len(entries) for classes in found.values() for entries in classes.values()) <= EXACT:
            return value
        _known[root] = value
    return _known[root]


def _cache(name: str, found: Found) -> Path:
    return paths.image_cache() / f"{name}-{fingerprint(found)}.safetensors"
