"""Pixels of one image, 8 bits a channel: what has more is refused, never cut down in silence."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..engine.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = 2**24  # pixels of one image; all images of a set are held in memory and go through the network
WIDE = re.compile(r"^(?!BGR).*;(16|32)")  # raw data of more than 8 bits a channel; BGR;16 has 5, 6 and 5


def read_image(path: str, accept: Callable[[tuple[int, int, int]], object] = lambda shape: None) -> np.ndarray:
    """Pixels of one file, uint8 [C, H, W] with one channel for grey images and three for all others.

    Args:
        accept: called with the shape before anything is decoded; it may raise.

    Raises:
        InputError: not a readable image, more than 8 bits a channel, or too large.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.width * image.height > LARGEST:
                raise InputError(
                    f"{path} has {image.width} x {image.height} pixels: expected {LARGEST:,} at most; resize it"
                )
            accept((1 if image.mode == "L" else 3, image.height, image.width))
            return pixels(image, path)
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"cannot read {path} ({reason}): replace or remove this image") from error


def pixels(image: Image, what: str) -> np.ndarray:
    """uint8 [C, H, W] of a PIL image.

    Raises:
        InputError: more than 8 bits a channel.
    """
    kind = f"mode {image.mode}" if image.mode.startswith(("I", "F")) else _wide(image)
    if kind:
        raise InputError(f"{what} has {kind}: expected 8 bits a channel; convert it")
    array = np.asarray(image if image.mode == "L" else image.convert("RGB"))
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _wide(image: Image) -> str | None:
    """Raw data of an image not decoded yet that Pillow would cut down to its 8-bit mode."""
    for codec, _, _, arguments in getattr(image, "tile", ()):
        first, *_, last = arguments if isinstance(arguments, tuple) and arguments else (arguments, arguments)
        if isinstance(first, str) and WIDE.match(first):
            return f"raw data {first}"
        if codec.startswith("ppm") and isinstance(last, int) and last > 255:
            return f"values up to {last}"
    return None
