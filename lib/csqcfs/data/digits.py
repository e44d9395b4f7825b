"""The 8x8 digits that scikit-learn ships."""

from __future__ import annotations

import numpy as np
import torch

from ..engine.errors import InputError
from .content import Content, canonical


def read() -> Content:
    """1,797 images; grey values 0..16 spread over 0..255; a fixed fifth, stratified, for testing.

    Raises:
        InputError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ModuleNotFoundError as error:
        raise InputError(
            "data set 'digits' comes with scikit-learn, which is not installed: pip install scikit-learn"
        ) from error
    digits = load_digits()
    images = torch.from_numpy(np.round(digits.images * 255 / 16).astype(np.uint8))[:, None]
    labels = torch.from_numpy(digits.target).long()
    train, test = train_test_split(np.arange(len(labels)), test_size=0.2, random_state=0, stratify=digits.target)
    tensors: dict[str, torch.Tensor] = {}
    for split, part in (("train", train), ("test", test)):
        tensors |= {f"{split}_images": images[part], f"{split}_labels": labels[part]}
    return canonical(tensors, "0123456789")
