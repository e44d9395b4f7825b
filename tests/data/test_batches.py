"""Batches: every image once, any epoch on its own."""

from __future__ import annotations

import importlib

import pytest
import torch
from csqcfs import data
from csqcfs.data.augment import Augment
from csqcfs.data.images import ImageSet
from csqcfs.engine.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st


def numbered(count: int, classes: int = 4, size: int = 4) -> ImageSet:
    """Every pixel of image k is k, so that batches show which images they hold."""
    images = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, size, size).contiguous()
    labels = torch.arange(count) % classes
    return ImageSet(images, labels, tuple("abcd"[:classes]), (0.0,) * 3, (1 / 255,) * 3)


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 5), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_batches_hold_each_image_once(count, size, seed, epoch):
    images = numbered(count)
    ordered = list(data.batches(images, size))
    assert torch.cat([x for x, _ in ordered])[:, 0, 0, 0].round().tolist() == list(range(count))
    assert torch.equal(torch.cat([y for _, y in ordered]), images.labels)

    shuffled = list(data.train_batches(images, size, None, seed, epoch))
    assert len(shuffled) == data.steps_per_epoch(count, size)
    assert {len(x) for x, _ in shuffled} == {min(size, count)}
    seen = torch.cat([x for x, _ in shuffled])[:, 0, 0, 0].round().long()
    assert len(seen.unique()) == len(seen)
    assert torch.equal(torch.cat([y for _, y in shuffled]), images.labels[seen])


def test_any_epoch_can_be_made_again_on_its_own():
    images = ImageSet(
        torch.randint(0, 256, (24, 3, 8, 8), dtype=torch.uint8),
        torch.arange(24) % 3,
        ("a", "b", "c"),
        (0.5,) * 3,
        (0.2,) * 3,
    )

    def run(seed: int, epoch: int) -> list[torch.Tensor]:
        return [x for x, _ in data.train_batches(images, 8, Augment(crop=1, cutout=3), seed, epoch)]

    first = run(0, 4)
    torch.rand(7)  # the global generator has no part in it
    assert all(torch.equal(a, b) for a, b in zip(first, run(0, 4), strict=True))
    for other in (run(0, 5), run(4, 0)):
        assert not torch.equal(first[0], other[0])
    assert first[0].dtype == torch.float32 and first[0].is_contiguous(memory_format=torch.channels_last)


def test_which_images_an_epoch_leaves_out_changes():
    images, seen = numbered(10), []
    for epoch in range(20):
        shown = torch.cat([x for x, _ in data.train_batches(images, 4, None, 0, epoch)])
        seen.append(set(shown[:, 0, 0, 0].round().int().tolist()))
    assert all(len(one) == 8 for one in seen) and set.union(*seen) == set(range(10))


def test_holes_are_filled_with_the_mean_colour():
    white, mean = torch.full((8, 3, 8, 8), 200, dtype=torch.uint8), (0.5, 0.25, 0.75)
    images = ImageSet(white, torch.zeros(8, dtype=torch.int64), ("a",), mean, (1.0,) * 3)
    hole = Augment(crop=0, flip=False, autoaugment=False, cutout=4)
    ((x, _),) = data.train_batches(images, 8, hole, 0, 0)
    pixels = (255 * (x + torch.tensor(mean).view(3, 1, 1))).round().int().permute(0, 2, 3, 1).reshape(-1, 3)
    assert set(map(tuple, pixels.tolist())) == {(200, 200, 200), (128, 64, 191)}


def test_chunks_end_with_a_batch(monkeypatch):
    monkeypatch.setattr(importlib.import_module("csqcfs.data.batches"), "CHUNK", 10)  # two batches of 4 at once
    sizes = []

    def spy(images, generator, fill):
        sizes.append(len(images))
        return images

    assert [len(x) for x, _ in data.train_batches(numbered(30), 4, spy, 0, 0)] == [4] * 7
    assert sizes == [8, 8, 8, 4]


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: data.steps_per_epoch(10, 0), "batch size 0"),
        (lambda: list(data.batches(numbered(3), 0)), "batch size 0"),
        (lambda: next(data.train_batches(numbered(3).subset([]), 2, None, 0, 0)), "without images"),
        (lambda: next(data.train_batches(numbered(3), 2, None, -1, 0)), "seed = -1"),
    ],
)
def test_bad_batches(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_an_empty_set_has_no_batches():
    assert list(data.batches(numbered(3).subset([]), 2)) == []
