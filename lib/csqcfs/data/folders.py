"""Class folders of PNG files, root/{train,test}/<class>/*.png, decoded once into cached uint8 tensors."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..engine import files, paths
from ..engine.errors import InputError

SPLITS = ("train", "test")


def scan(folder: Path) -> dict[str, list[os.DirEntry]]:
    """PNG files of each class, classes and files in alphabetical order.

    Raises:
        InputError: no such folder, no classes, or a class without images.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: expected train/<class>/*.png and test/<class>/*.png")
    found = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        with os.scandir(place) as entries:
            images = [entry for entry in entries if entry.name.lower().endswith(".png")]
        found[place.name] = sorted(images, key=lambda entry: entry.name)
        if not images:
            raise InputError(f"no images in {place}: expected *.png; add some or remove the folder")
    if not found:
        raise InputError(f"no class folders in {folder}: expected {folder / '<class>' / '*.png'}")
    return found


def fingerprint(found: dict[str, dict[str, list[os.DirEntry]]]) -> str:
    """Changes with any file's name, size or time of change."""
    digest = hashlib.sha256()
    for split, classes in found.items():
        for name, entries in classes.items():
            for entry in entries:
                stat = entry.stat()
                digest.update(f"{split}/{name}/{entry.name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def read_image(path: str) -> np.ndarray:
    """Pixels of one file, uint8 [C, H, W] with one channel for grey images and three for all others.

    Raises:
        InputError: not a readable image, or more than 8 bits a channel.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise InputError(f"{path} has mode {image.mode}: expected 8 bits a channel; convert it")
            pixels = np.asarray(image if image.mode == "L" else image.convert("RGB"))
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"cannot read {path} ({reason}): replace or remove this image") from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def decode(places: list[str], title: str) -> Tensor:
    """All images as uint8 [N, C, H, W].

    Raises:
        InputError: as `read_image`, or a file of another size than the first.
    """
    from tqdm import tqdm

    first = read_image(places[0])
    out = np.empty((len(places), *first.shape), np.uint8)

    def fill(index: int) -> None:
        image = read_image(places[index])
        if image.shape != first.shape:
            raise InputError(
                f"{places[index]} has shape {list(image.shape)}, expected {list(first.shape)} "
                f"as {places[0]} has; resize the images to one size"
            )
        out[index] = image

    with ThreadPoolExecutor() as pool:
        for _ in tqdm(
            pool.map(fill, range(len(places))), total=len(places), desc=f"decode {title}", unit="image", disable=None
        ):
            pass
    return torch.from_numpy(out)


def checksum(tensors: dict[str, Tensor], classes: str) -> str:
    """CRC-32 of the class names and of every tensor with its name."""
    value = zlib.crc32(classes.encode())
    for name in sorted(tensors):
        value = zlib.crc32(name.encode(), value)
        value = zlib.crc32(tensors[name].numpy().reshape(-1).view(np.uint8), value)
    return f"{value:08x}"


def read_cache(file: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Tensors and class names as `load` returns them.

    Raises:
        InputError: the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as opened:
            tensors, about = {key: opened.get_tensor(key) for key in opened.keys()}, opened.metadata() or {}
        if about.get("crc32") != checksum(tensors, about["classes"]):
            raise ValueError("its checksum does not match")
        return tensors, tuple(json.loads(about["classes"]))
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or ["unreadable"])[0]
        raise InputError(f"cached images {file} are damaged ({reason}): delete {file} to decode again") from error


def load(root: Path, name: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Both splits of the class folders at ``root``, from the cache where their files have not changed.

    Returns:
        {"train_images": uint8 [N, C, H, W], "train_labels": int64 [N], "test_images", "test_labels"} and the
        class names; a label is a class's place in alphabetical order.

    Raises:
        InputError: an unreadable or odd-sized image, an empty folder, classes that differ between train and
            test, or a damaged cache file.
    """
    from safetensors.torch import save

    found = {split: scan(root / split) for split in SPLITS}
    classes = tuple(found["train"])
    for here, there in (SPLITS, SPLITS[::-1]):
        if missing := [name for name in found[here] if name not in found[there]]:
            raise InputError(
                f"class {missing[0]} of {root / here} is missing in {root / there} "
                f"({len(missing)} such): expected the same classes in both"
            )
    cache = paths.image_cache() / f"{name}-{fingerprint(found)}.safetensors"
    if cache.exists():
        return read_cache(cache)
    tensors = {}
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
    names = json.dumps(classes)
    about = {"classes": names, "crc32": checksum(tensors, names)}
    files.atomic_write(cache, lambda file: file.write_bytes(save(tensors, about)))
    return tensors, classes
