"""Training augmentation of the public code: random crop, flip, AutoAugment and Cutout on whole batches.

Works on uint8 images [B, C, H, W] without an image library. AutoAugment (Cubuk et al. 2019) draws a
sub-policy for each image and then applies each operation once to all images that drew it. All random numbers
come from one CPU generator, so that a seed means the same augmentation on every device.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..engine.errors import InputError, integer, shown

# The policy found on CIFAR-10: 25 pairs of operations with (name, probability, magnitude bin).
POLICY: tuple[tuple[tuple[str, float, int | None], tuple[str, float, int | None]], ...] = (
    (("Invert", 0.1, None), ("Contrast", 0.2, 6)),
    (("Rotate", 0.7, 2), ("TranslateX", 0.3, 9)),
    (("Sharpness", 0.8, 1), ("Sharpness", 0.9, 3)),
    (("ShearY", 0.5, 8), ("TranslateY", 0.7, 9)),
    (("AutoContrast", 0.5, None), ("Equalize", 0.9, None)),
    (("ShearY", 0.2, 7), ("Posterize", 0.3, 7)),
    (("Color", 0.4, 3), ("Brightness", 0.6, 7)),
    (("Sharpness", 0.3, 9), ("Brightness", 0.7, 9)),
    (("Equalize", 0.6, None), ("Equalize", 0.5, None)),
    (("Contrast", 0.6, 7), ("Sharpness", 0.6, 5)),
    (("Color", 0.7, 7), ("TranslateX", 0.5, 8)),
    (("Equalize", 0.3, None), ("AutoContrast", 0.4, None)),
    (("TranslateY", 0.4, 3), ("Sharpness", 0.2, 6)),
    (("Brightness", 0.9, 6), ("Color", 0.2, 8)),
    (("Solarize", 0.5, 2), ("Invert", 0.0, None)),
    (("Equalize", 0.2, None), ("AutoContrast", 0.6, None)),
    (("Equalize", 0.2, None), ("Equalize", 0.6, None)),
    (("Color", 0.9, 9), ("Equalize", 0.6, None)),
    (("AutoContrast", 0.8, None), ("Solarize", 0.2, 8)),
    (("Brightness", 0.1, 3), ("Color", 0.7, 0)),
    (("Solarize", 0.4, 5), ("AutoContrast", 0.9, None)),
    (("TranslateY", 0.9, 9), ("TranslateY", 0.7, 9)),
    (("AutoContrast", 0.9, None), ("Solarize", 0.8, 3)),
    (("Equalize", 0.8, None), ("Invert", 0.1, None)),
    (("TranslateY", 0.7, 9), ("AutoContrast", 0.9, None)),
)
BINS = 10
GEOMETRIC = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
SIGNED = (*GEOMETRIC, "Brightness", "Color", "Contrast", "Sharpness")


def magnitude(operation: str, level: int | None, height: int, width: int) -> float:
    """Unsigned strength of an operation in bin ``level`` of 0..9.

    Shears are slopes, translations pixels, rotations degrees; the four enhancements are distances from the
    factor 1, Posterize keeps so many bits, Solarize inverts from this grey value on.
    """
    part = (level or 0) / (BINS - 1)
    if operation.startswith("Shear"):
        return 0.3 * part
    if operation.startswith("Translate"):
        return 150 / 331 * (width if operation == "TranslateX" else height) * part
    if operation == "Rotate":
        return 30 * part
    if operation == "Posterize":
        return 8 - round(4 * part)
    if operation == "Solarize":
        return 255 * (1 - part)
    return 0.9 * part if operation in SIGNED else 0.0


@functools.cache
def pixel_map(operation: str, strength: float, height: int, width: int, device: torch.device) -> Tensor:
    """For each of the H W target pixels, 1 + its source pixel, or 0 where it lies outside the image.

    Nearest-neighbour warps only move pixels, so one warp of an image of pixel numbers serves all images. It is made
    on the CPU, so that it is the same on every device.
    """
    from torchvision.transforms.v2 import functional as TF

    numbers = torch.arange(1.0, height * width + 1).view(1, height, width)
    angle, translate, shear, center = 0.0, [0, 0], [0.0, 0.0], None
    if operation.startswith("Shear"):  # about the corner, as in the published policy
        shear[operation == "ShearY"], center = math.degrees(math.atan(strength)), [0, 0]
    elif operation == "Rotate":
        return TF.rotate(numbers, strength).flatten().long().to(device)
    else:
        translate[operation == "TranslateY"] = int(strength)
    return TF.affine(numbers, angle, translate, 1.0, shear, center=center).flatten().long().to(device)


def warp(images: Tensor, operation: str, strength: float, fill: Tensor) -> Tensor:
    """Move the pixels of all images alike; ``fill`` [C] comes in from outside."""
    source = pixel_map(operation, strength, *images.shape[2:], images.device)
    outside = fill.view(1, -1, 1).expand(len(images), -1, 1)
    return torch.cat([outside, images.flatten(2)], 2).index_select(2, source).view(images.shape)


def apply(operation: str, strength: float, images: Tensor, fill: Tensor) -> Tensor:
    """One AutoAugment operation with one signed strength on all images."""
    from torchvision.transforms.v2 import functional as TF

    if operation in GEOMETRIC:
        return warp(images, operation, strength, fill)
    functions: dict[str, Callable[[], Tensor]] = {
        "Brightness": lambda: TF.adjust_brightness(images, 1 + strength),
        "Color": lambda: TF.adjust_saturation(images, 1 + strength),
        "Contrast": lambda: TF.adjust_contrast(images, 1 + strength),
        "Sharpness": lambda: TF.adjust_sharpness(images, 1 + strength),
        "Posterize": lambda: TF.posterize(images, int(strength)),
        "Solarize": lambda: TF.solarize(images, strength),
        "AutoContrast": lambda: TF.autocontrast(images),
        "Equalize": lambda: TF.equalize(images),
        "Invert": lambda: TF.invert(images),
    }
    return functions[operation]()


def autoaugment(images: Tensor, generator: torch.Generator, fill: Tensor) -> Tensor:
    """A random sub-policy for each image: its first operation, then its second, each with its probability."""
    kinds = sorted({(name, level or 0) for pair in POLICY for name, _, level in pair})
    table = torch.tensor([[kinds.index((name, level or 0)) for name, _, level in pair] for pair in POLICY])
    chances = torch.tensor([[chance for _, chance, _ in pair] for pair in POLICY])
    signed = torch.tensor([name in SIGNED for name, _ in kinds])

    drawn = torch.randint(len(POLICY), (len(images),), generator=generator)
    used = torch.rand(len(images), 2, generator=generator) < chances[drawn]
    negative = torch.randint(2, (len(images), 2), generator=generator).bool()
    for step in (0, 1):
        kind = table[drawn, step]
        group = torch.where(used[:, step], 2 * kind + (negative[:, step] & signed[kind]), -1)
        # all of one group side by side: a GPU is told the order once instead of waiting for each group
        order = group.argsort(stable=True)
        values, sizes = group[order].unique_consecutive(return_counts=True)
        parts = []
        for value, part in zip(values.tolist(), images[order.to(images.device)].split(sizes.tolist())):
            if value >= 0:
                name, level = kinds[value // 2]
                strength = magnitude(name, level, *images.shape[2:]) * (-1 if value % 2 else 1)
                part = apply(name, strength, part, fill)
            parts.append(part)
        images = torch.cat(parts)[order.argsort().to(images.device)]
    return images


def random_crop(images: Tensor, pad: int, generator: torch.Generator) -> Tensor:
    """A window of the image's own size at a random place of the image with ``pad`` black pixels around it."""
    number, _, height, width = images.shape
    top, left = torch.randint(2 * pad + 1, (2, number), generator=generator).to(images.device)
    windows = F.pad(images, (pad,) * 4).unfold(2, height, 1).unfold(3, width, 1)  # [B, C, tops, lefts, H, W]
    return windows[torch.arange(number, device=images.device), :, top, left]


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror left and right with probability 1/2."""
    flipped = (torch.rand(len(images), generator=generator) < 0.5).to(images.device)
    return torch.where(flipped.view(-1, 1, 1, 1), images.flip(3), images)


def cutout(images: Tensor, size: int, generator: torch.Generator, fill: Tensor) -> Tensor:
    """Paint one square of ``size`` pixels with ``fill``, its centre uniform (DeVries & Taylor 2017).

    The square is clipped at the border, so that it may show only a quarter of its area.
    """
    number, _, height, width = images.shape

    def covered(length: int) -> Tensor:
        first = torch.randint(length, (number, 1), generator=generator) - size // 2
        place = torch.arange(length)
        return ((place >= first) & (place < first + size)).to(images.device)

    hole = covered(height)[:, None, :, None] & covered(width)[:, None, None, :]
    return torch.where(hole, fill.view(1, -1, 1, 1), images)


@dataclass(frozen=True)
class Augment:
    """The parts of the augmentation, in the order in which they are applied; 0 or False turns one off.

    Attributes:
        crop: padding in pixels around the image before the random crop.
        flip: mirror half of the images.
        autoaugment: AutoAugment with the CIFAR-10 policy; needs three channels.
        cutout: side of the Cutout hole in pixels.
    """

    crop: int = 4
    flip: bool = True
    autoaugment: bool = True
    cutout: int = 16

    def __post_init__(self):
        for name in ("crop", "cutout"):
            value = getattr(self, name)
            number = 0 if value is False else integer(value)
            if number is None or number < 0:
                raise InputError(f"{name} = {shown(value)}: expected a whole number of pixels; 0 turns it off")
            object.__setattr__(self, name, number)  # it is frozen, and checkpoints hold Python's own numbers
        for name in ("flip", "autoaugment"):
            value = getattr(self, name)
            if not isinstance(value, (bool, np.bool_)) and integer(value) is None:
                raise InputError(f"{name} = {shown(value)}: expected True or False")
            object.__setattr__(self, name, bool(value))

    @classmethod
    def fitting(cls, shape: Sequence[int]) -> Augment:
        """The default for images [..., C, H, W]: AutoAugment on colours alone, a hole of half the side at most."""
        channels, height, width = shape[-3:]
        return cls(autoaugment=channels == 3, cutout=min(cls.cutout, height // 2, width // 2))

    def __call__(self, images: Tensor, generator: torch.Generator, fill: Sequence[int]) -> Tensor:
        """Augmented copies of ``images`` (uint8 [B, C, H, W]), same shape.

        Args:
            generator: on the CPU, wherever the images are.
            fill: colour (C values of 0..255) of Cutout's hole and of what AutoAugment moves in from outside;
                the data set's mean colour is about 0 after normalisation. Crops are padded with black.

        Raises:
            InputError: not uint8 [B, C, H, W], AutoAugment on other than three channels, or a hole of
                Cutout as large as the image.
        """
        if images.dim() != 4 or images.dtype != torch.uint8:
            raise InputError(
                f"images of shape {list(images.shape)} and type {images.dtype}: expected uint8 "
                "[B, C, H, W]; augment before normalising"
            )
        if self.autoaugment and images.shape[1] != 3:
            raise InputError(f"AutoAugment on {images.shape[1]} channel(s): expected 3; use autoaugment=False")
        if len(fill) != images.shape[1]:
            raise InputError(f"fill of {len(fill)} values: expected {images.shape[1]}, one for each channel")
        height, width = images.shape[2:]
        if self.cutout >= min(height, width):
            raise InputError(
                f"cutout = {self.cutout} on {height}x{width} images: expected a hole smaller "
                "than the image; the public code paints half the side"
            )
        colour = torch.tensor(fill, dtype=torch.uint8, device=images.device)
        if self.crop:
            images = random_crop(images, self.crop, generator)
        if self.flip:
            images = random_flip(images, generator)
        if self.autoaugment:
            images = autoaugment(images, generator, colour)
        return cutout(images, self.cutout, generator, colour) if self.cutout else images
