"""augment.py against torchvision, image by image, and against plain slicing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from csqcfs.data import augment as A
from csqcfs.data.augment import Augment
from csqcfs.engine.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import autoaugment as reference
from torchvision.transforms import functional as PF
from torchvision.transforms import v2
from torchvision.transforms.functional import InterpolationMode

FILL = (125, 123, 114)
COLOUR = torch.tensor(FILL, dtype=torch.uint8)
OPERATIONS = sorted({(name, level) for pair in A.POLICY for name, _, level in pair}, key=str)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> torch.Tensor:
    """Noise, noise of low contrast, a gradient, one grey, and one with a single odd pixel."""
    x = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8, generator=seeded())
    x[1] = x[1] // 4 + 60
    x[2] = torch.arange(0, 256, 8, dtype=torch.uint8).expand(3, 32, 32)
    x[3] = 77
    x[4] = 10
    x[4, 0, 3, 4] = 200
    return x


def apply_reference(image: torch.Tensor, name: str, strength: float) -> torch.Tensor:
    theirs = v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)
    strength = strength / 255 if name == "Solarize" else strength  # the range of v2 is 0..1 here
    return theirs._apply_image_or_video_transform(
        image, name, strength, interpolation=InterpolationMode.NEAREST, fill={torch.Tensor: list(FILL)}
    )


def test_policy_and_magnitudes_are_torchvisions():
    theirs = reference.AutoAugment(reference.AutoAugmentPolicy.CIFAR10)
    assert list(A.POLICY) == theirs.policies
    for height, width in ((32, 32), (20, 48)):
        space = theirs._augmentation_space(A.BINS, (height, width))
        for name, (values, signed) in space.items():
            assert (name in A.SIGNED) == signed
            for level in range(A.BINS):
                expected = float(values[level]) if values.dim() else 0.0
                assert A.magnitude(name, level, height, width) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name, level", OPERATIONS)
def test_operation_on_a_group_equals_torchvision_on_each_image(images, name, level, sign):
    strength = A.magnitude(name, level, 32, 32) * (sign if name in A.SIGNED else 1)
    expected = torch.stack([apply_reference(image, name, strength) for image in images])
    assert torch.equal(A.apply(name, strength, images, COLOUR), expected)


@pytest.mark.parametrize(
    "name, function, tolerance",
    [
        ("Invert", PF.invert, 0),
        ("Equalize", PF.equalize, 0),
        ("AutoContrast", PF.autocontrast, 1),
        ("Posterize", lambda image: PF.posterize(image, 5), 0),
        ("Solarize", lambda image: PF.solarize(image, 198), 0),
        ("Brightness", lambda image: PF.adjust_brightness(image, 1.7), 1),
        ("Color", lambda image: PF.adjust_saturation(image, 1.7), 2),
        ("Contrast", lambda image: PF.adjust_contrast(image, 1.7), 2),
        ("Sharpness", lambda image: PF.adjust_sharpness(image, 1.7), 1),
    ],
)
def test_operation_equals_pillow_up_to_rounding(images, name, function, tolerance):
    strength = {"Posterize": 5, "Solarize": 198}.get(name, 0.7)
    ours = A.apply(name, strength, images, COLOUR)
    for image, result in zip(images, ours):
        pillow = np.asarray(function(Image.fromarray(image.permute(1, 2, 0).numpy()))).transpose(2, 0, 1)
        assert np.abs(pillow.astype(int) - result.numpy().astype(int)).max() <= tolerance


def test_warp_fills_from_outside_and_serves_other_sizes():
    x = torch.randint(0, 256, (2, 3, 10, 24), dtype=torch.uint8, generator=seeded(1))
    moved = A.warp(x, "TranslateX", 5.9, COLOUR)
    assert torch.equal(moved[..., 5:], x[..., :-5])
    assert torch.equal(moved[..., :5], COLOUR.view(1, 3, 1, 1).expand(2, 3, 10, 5))
    assert torch.equal(A.warp(x, "Rotate", -20.0, COLOUR)[1], apply_reference(x[1], "Rotate", -20.0))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (8, 32)])
def test_autoaugment_equals_a_loop_over_images(height, width):
    x = torch.randint(0, 256, (150, 3, height, width), dtype=torch.uint8, generator=seeded(1))
    before = x.clone()
    ours = A.autoaugment(x, seeded(5), COLOUR)
    generator = seeded(5)
    drawn = torch.randint(25, (150,), generator=generator).tolist()
    chance = torch.rand(150, 2, generator=generator).tolist()
    negative = torch.randint(2, (150, 2), generator=generator).tolist()
    assert torch.equal(x, before)
    for index, image in enumerate(x):
        for step, (name, probability, level) in enumerate(A.POLICY[drawn[index]]):
            if chance[index][step] < probability:
                strength = A.magnitude(name, level, height, width)
                if name in A.SIGNED and negative[index][step]:
                    strength = -strength
                image = apply_reference(image, name, strength)
        assert torch.equal(ours[index], image), (index, A.POLICY[drawn[index]])


@given(st.integers(1, 6), st.integers(4, 9), st.integers(4, 9), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_crop_is_a_window_of_the_padded_image(pad, height, width, seed):
    x = torch.randint(1, 256, (6, 2, height, width), dtype=torch.uint8, generator=seeded(seed))
    out = A.random_crop(x, pad, seeded(seed))
    top, left = torch.randint(2 * pad + 1, (2, 6), generator=seeded(seed)).tolist()
    for image, result, row, column in zip(x, out, top, left):
        padded = np.pad(image.numpy(), ((0, 0), (pad, pad), (pad, pad)))
        assert np.array_equal(result.numpy(), padded[:, row : row + height, column : column + width])


def test_crop_reaches_every_place_alike():
    x = torch.arange(1, 65, dtype=torch.uint8).view(1, 1, 8, 8).expand(20000, -1, -1, -1)
    corner = A.random_crop(x, 2, seeded())[:, 0, 2, 2].long().bincount(minlength=65)
    seen = corner.nonzero().flatten()
    assert len(seen) == 25  # five tops by five lefts
    assert 700 < int(corner[seen].min()) and int(corner[seen].max()) < 900


def test_flip_mirrors_half_of_the_images():
    x = torch.randint(0, 256, (2000, 1, 4, 5), dtype=torch.uint8, generator=seeded())
    out = A.random_flip(x, seeded())
    same, mirrored = ((out == y).flatten(1).all(1) for y in (x, x.flip(3)))
    assert bool((same | mirrored).all())
    assert 900 < int(mirrored.sum()) < 1100
    assert torch.equal(A.random_flip(out, seeded()), x)  # the same draws undo it


@given(st.integers(1, 20), st.integers(3, 12), st.integers(3, 12), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_cutout_is_one_clipped_square_around_a_pixel_of_the_image(size, height, width, seed):
    x = torch.full((8, 3, height, width), 250, dtype=torch.uint8)
    hole = A.cutout(x, size, seeded(seed), COLOUR)
    generator = seeded(seed)
    ys, xs = (torch.randint(n, (8, 1), generator=generator).flatten().tolist() for n in (height, width))
    for image, y, column in zip(hole, ys, xs):
        expected = np.full((height, width, 3), 250, np.uint8)
        top, left = y - size // 2, column - size // 2
        expected[max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = FILL
        assert np.array_equal(image.permute(1, 2, 0).numpy(), expected)


def test_cutout_area_on_cifar_sized_images():
    x = torch.zeros(4000, 3, 32, 32, dtype=torch.uint8)
    area = (A.cutout(x, 16, seeded(), COLOUR)[:, 0] > 0).flatten(1).sum(1)
    assert int(area.max()) == 256 and int(area.min()) == 64
    # each side covers sum over 32 centres / 32 = 14 of its 16 pixels on average
    assert float(area.float().mean()) == pytest.approx(14 * 14, rel=0.02)


def test_seed_decides_everything(images):
    before = images.clone()
    first, again, other = (Augment()(images, seeded(seed), FILL) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.dtype == torch.uint8 and first.shape == images.shape
    assert torch.equal(images, before)


def test_every_part_can_be_turned_off(images):
    off = dict(crop=0, flip=False, autoaugment=False, cutout=0)
    assert torch.equal(Augment(**off)(images, seeded(), FILL), images)
    for part, value in dict(crop=4, flip=True, autoaugment=True, cutout=16).items():
        assert not torch.equal(Augment(**{**off, part: value})(images, seeded(1), FILL), images), part


def test_parts_come_in_the_order_of_crop_flip_autoaugment_cutout():
    x = torch.randint(0, 256, (40, 3, 16, 16), dtype=torch.uint8, generator=seeded())
    found = Augment(crop=2, flip=True, autoaugment=True, cutout=6)(x, seeded(1), FILL)
    generator = seeded(1)
    wanted = A.random_flip(A.random_crop(x, 2, generator), generator)
    wanted = A.cutout(A.autoaugment(wanted, generator, COLOUR), 6, generator, COLOUR)
    assert torch.equal(found, wanted)


def test_grey_images_without_autoaugment():
    x = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)
    assert Augment(crop=1, autoaugment=False, cutout=2)(x, seeded(), (80,)).shape == x.shape


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: Augment(crop=-1), "crop = -1"),
        (lambda: Augment(cutout=2.0), "cutout = 2.0"),
        (lambda: Augment(flip="no"), "flip = 'no': expected True or False"),
        (lambda: Augment(cutout=2.5), "cutout = 2.5"),
        (lambda: Augment()(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), seeded(), (0,)), "1 channel"),
        (lambda: Augment()(torch.zeros(2, 3, 8, 8), seeded(), FILL), "float32"),
        (lambda: Augment()(torch.zeros(3, 8, 8, dtype=torch.uint8), seeded(), FILL), r"\[3, 8, 8\]"),
        (lambda: Augment()(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), seeded(), (1, 2)), "fill of 2"),
        (lambda: Augment()(torch.zeros(2, 3, 32, 16, dtype=torch.uint8), seeded(), FILL), "cutout = 16 .*32x16"),
    ],
)
def test_bad_input_is_one_line(call, words):
    with pytest.raises(InputError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 3, 32, 32), A.Augment()),
        ((5, 1, 32, 32), A.Augment(autoaugment=False)),
        ((5, 1, 8, 8), A.Augment(autoaugment=False, cutout=4)),
        ((3, 224, 224), A.Augment()),
    ],
)
def test_the_default_fits_the_images(shape, expected):
    assert A.Augment.fitting(shape) == expected
    images = torch.zeros(shape[-3:], dtype=torch.uint8).expand(4, *shape[-3:]).clone()
    if shape[-1] < 100:
        assert expected(images, torch.Generator(), [0] * shape[-3]).shape == images.shape
