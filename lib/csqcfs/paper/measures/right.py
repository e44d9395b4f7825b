"""Which test images a network had right, packed for a record: one bit for the ANN and for each T of the tables.

The bits of an image share a byte, and most images are right everywhere or nowhere, so that zlib leaves 3 kB of
10,000 images. Two networks are compared image by image where both have seen the same images in the same order.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...engine.errors import InputError
from ..published import TIMESTEPS

ANN = "ann"


def percent(right: np.ndarray) -> float:
    """Share in % of the images that are right."""
    return float(100 * np.count_nonzero(right) / len(right))


def kept(ann: np.ndarray, snn: np.ndarray | None = None) -> dict[str, Any]:
    """What a record keeps: {"columns": ["ann", "1", "2", ...], "bits": base64 of zlib of a byte for each image}.

    Args:
        ann: bool [N].
        snn: bool [T, N], for T = 1, 2, ...; the columns are those of the tables.
    """
    times = [] if snn is None else [T for T in TIMESTEPS if T <= len(snn)]
    columns = np.stack([ann, *(snn[T - 1] for T in times)], axis=1)
    packed = zlib.compress(np.packbits(columns, axis=1).tobytes(), 9)
    return {"columns": [ANN, *map(str, times)], "bits": base64.b64encode(packed).decode()}


def right(metrics: Mapping[str, Any], column: str | int = ANN) -> np.ndarray | None:
    """Which images of a record were right, bool [N]; None where the record does not say.

    Args:
        metrics: of a run of the kind "accuracy" or "training".
        column: "ann", or a T of the tables.

    Raises:
        InputError: bits that cannot be unpacked, or that disagree with the accuracy beside them.
    """
    found = metrics.get("right")
    if found is None or str(column) not in found["columns"]:
        return None
    chosen = _bits(metrics)[:, found["columns"].index(str(column))]
    _compare(metrics, str(column), chosen)
    return chosen


def check(metrics: Mapping[str, Any]) -> None:
    """Refuse a record as `right` would, whichever column it is asked for.

    Raises:
        InputError: as `right`.
    """
    if metrics.get("right") is not None:
        for column, chosen in zip(metrics["right"]["columns"], _bits(metrics).T, strict=True):
            _compare(metrics, column, chosen)


def _bits(metrics: Mapping[str, Any]) -> np.ndarray:
    """All columns, bool [N, columns]."""
    found, images = metrics["right"], metrics["images"]
    try:
        packed = np.frombuffer(zlib.decompress(base64.b64decode(found["bits"], validate=True)), np.uint8)
        return np.unpackbits(packed.reshape(images, -1), axis=1, count=len(found["columns"])).astype(bool)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise InputError(
            f"a record whose bits of {images} images are damaged ({error}): delete it and run again"
        ) from error


def _compare(metrics: Mapping[str, Any], column: str, chosen: np.ndarray) -> None:
    """Refuse bits of another accuracy than that beside them."""
    snn = metrics.get("snn", ())
    if column != ANN and len(snn) < int(column):
        raise InputError(f"a record with bits for T = {column} and {len(snn)} accuracies: delete it and run again")
    stated = metrics["ann"] if column == ANN else snn[int(column) - 1]
    if not abs(percent(chosen) - stated) <= 1e-6:  # nor NaN
        raise InputError(
            f"a record with {percent(chosen):.2f} % of its images right and an accuracy of {stated:.2f} % ({column}): "
            "it was changed by hand; delete it and run again"
        )
