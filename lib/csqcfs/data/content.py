"""What a data set holds, wherever it lies: one order of the images and one digest, both by content.

The archive, the class folders and arrays of one data set thus give the same images in the same order, hold out
the same ones, and count as the same data; other images under an old name do not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

SPLITS = ("train", "test")


class Content(NamedTuple):
    """Both parts of a data set in canonical order.

    Attributes:
        tensors: {"train_images": uint8 [N, C, H, W], "train_labels": int64 [N], "test_images", "test_labels"}.
        classes: their names; a label is a place among them.
        digest: 16 hexadecimal digits, of all images and labels.
    """

    tensors: dict[str, Tensor]
    classes: tuple[str, ...]
    digest: str


def canonical(tensors: Mapping[str, Tensor], classes: Sequence[str]) -> Content:
    """The same images by label, and within a label by the SHA-256 of their pixels.

    Args:
        tensors: as in `Content`, in any order.
    """
    ordered, whole = {}, hashlib.sha256()
    for split in SPLITS:
        images, labels = tensors[f"{split}_images"].contiguous(), tensors[f"{split}_labels"]
        hashes = b"".join(hashlib.sha256(pixels).digest() for pixels in images.numpy())
        keys = np.frombuffer(hashes, dtype=">u8").reshape(-1, 4)
        order = np.lexsort((*keys.T[::-1], labels.numpy()))  # the last key counts first
        ordered[f"{split}_images"] = images[torch.from_numpy(order)]
        ordered[f"{split}_labels"] = labels = labels[torch.from_numpy(order)]
        whole.update(f"{split} {tuple(images.shape)}\n".encode())
        whole.update(keys[order].tobytes())
        whole.update(labels.numpy().astype("<i8").tobytes())
    return Content(ordered, tuple(classes), whole.hexdigest()[:16])
