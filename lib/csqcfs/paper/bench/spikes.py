"""Convolutions of spikes: float32 against the exact sum of three in bfloat16 arithmetic, shape by shape.

Spikes are 0 or 1, exact in bfloat16, and a float32 weight is the exact sum of three bfloat16 parts:

    hi = bf16(w),  mid = bf16(w - hi),  lo = bf16(w - hi - mid),  w = hi + mid + lo

so that three convolutions with bfloat16 products and float32 sums give what one in float32 gives, up to the order
of summation. It pays where the processor multiplies bfloat16 at more than three times the speed of float32 (AMX);
the simulation computes in float32 until this row says otherwise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from .turns import Line, line, timed

T = 32
# (network, images, channels in, channels out, size) of a 3x3 convolution behind neurons
SHAPES = (
    ("resnet20", 50, 16, 16, 32),
    ("resnet20", 50, 32, 32, 16),
    ("resnet20", 50, 64, 64, 8),
    ("vgg16", 16, 64, 64, 32),
    ("vgg16", 16, 128, 128, 16),
    ("vgg16", 16, 256, 256, 8),
    ("vgg16", 16, 512, 512, 4),
)
RATE = 0.15  # of a neuron that fires at one step


def split(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The three bfloat16 parts of a float32 weight, as float32; their sum is the weight, bit for bit."""
    high = weight.bfloat16().float()
    middle = (weight - high).bfloat16().float()
    return high, middle, (weight - high - middle).bfloat16().float()


@contextlib.contextmanager
def bfloat16_products() -> Iterator[None]:
    """Let convolutions of float32 tensors on the CPU multiply in bfloat16 and sum in float32, for a while."""
    before = torch.backends.mkldnn.conv.fp32_precision
    torch.backends.mkldnn.conv.fp32_precision = "bf16"
    try:
        yield
    finally:
        torch.backends.mkldnn.conv.fp32_precision = before


@torch.no_grad()
def spikes(quick: bool) -> list[Line]:
    """A line for each shape, with the largest distance of either result from float64 in the note."""
    lines = []
    for network, number, inputs, outputs, size in SHAPES[:1] if quick else SHAPES:
        images = 4 if quick else T * number
        x = (torch.rand(images, inputs, size, size) < RATE).float().contiguous(memory_format=torch.channels_last)
        weight = torch.randn(outputs, inputs, 3, 3) / (9 * inputs) ** 0.5
        parts = split(weight)

        def whole(x=x, weight=weight) -> Tensor:
            return F.conv2d(x, weight, padding=1)

        def summed(x=x, parts=parts) -> Tensor:
            with bfloat16_products():
                high, middle, low = (F.conv2d(x, part, padding=1) for part in parts)
            return high.add_(middle).add_(low)

        seconds = timed({"float32": whole, "split": summed}, 3 if quick else 7)
        exact = F.conv2d(x[:4].double(), weight.double(), padding=1)
        off = [float((one()[:4] - exact).abs().max()) for one in (whole, summed)]
        lines.append(
            line(
                "convolution of spikes: float32 / three in bfloat16",
                f"{network}, {inputs} to {outputs} channels, {size}x{size}, {images} images",
                seconds,
                "float32",
                "split",
                1.5,
                above=True,
                note=f"off float64 by {off[0]:.1e} and {off[1]:.1e}",
            )
        )
    return lines
