"""Images of more than 8 bits a channel are refused, and sizes are read before pixels."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from csqcfs.data import pixels
from csqcfs.engine.errors import InputError
from PIL import Image


def png(path: Path, width: int, height: int, depth: int, colour: int, data: bytes) -> Path:
    """A PNG file by hand, since Pillow writes no colours of 16 bits."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_png_of_16_bits(tmp_path, colour, channels):
    row = b"\0" + b"\x12\x34" * 2 * channels
    with pytest.raises(InputError, match="a.png has .*16.*: expected 8 bits a channel; convert it$"):
        pixels.read_image(str(png(tmp_path / "a.png", 2, 2, 16, colour, row * 2)))


@pytest.mark.parametrize("header", [b"P5 2 1 65535\n", b"P6 2 1 65535\n", b"P6 2 1 1023\n"])
def test_netpbm_of_16_bits(tmp_path, header):
    file = tmp_path / "a.ppm"
    file.write_bytes(header + b"\x01\x02" * 6)
    with pytest.raises(InputError, match="a.ppm has .*: expected 8 bits a channel"):
        pixels.read_image(str(file))


@pytest.mark.parametrize("mode", ["I", "F", "I;16"])
def test_wide_modes_of_pillow(mode):
    with pytest.raises(InputError, match=f"image 3 has mode {mode}: expected 8 bits a channel"):
        pixels.pixels(Image.new(mode, (2, 2)), "image 3")


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.ppm", "a.tif", "a.webp"])
def test_wide_images_of_8_bits(tmp_path, name):
    """The stride in a file's header is no depth."""
    image = np.random.default_rng(0).integers(0, 256, (3, 400, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / name, lossless=True)
    assert np.array_equal(pixels.read_image(str(tmp_path / name)), image.transpose(2, 0, 1))


def test_a_huge_image_is_refused_before_it_is_decoded(tmp_path):
    file = png(tmp_path / "a.png", 12000, 12000, 8, 2, b"no pixels at all")
    with pytest.raises(InputError, match="a.png has 12000 x 12000 pixels: expected 16,777,216 at most; resize it"):
        pixels.read_image(str(file))


def test_the_shape_is_offered_before_it_is_decoded(tmp_path):
    file, seen = png(tmp_path / "a.png", 1200, 1300, 8, 2, b"no pixels at all"), []

    def accept(shape):
        seen.append(shape)
        raise InputError("no")

    with pytest.raises(InputError, match="^no$"):
        pixels.read_image(str(file), accept)
    assert seen == [(3, 1300, 1200)]
