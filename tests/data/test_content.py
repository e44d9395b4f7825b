"""One order and one digest, both by content."""

from __future__ import annotations

import torch
from csqcfs.data.content import canonical
from hypothesis import given, settings
from hypothesis import strategies as st


def noise(seed: int, count: int = 12) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for split, number in (("train", count), ("test", count // 2)):
        tensors[f"{split}_images"] = torch.randint(0, 256, (number, 3, 2, 4), generator=generator, dtype=torch.uint8)
        tensors[f"{split}_labels"] = torch.randint(0, 3, (number,), generator=generator)
    return tensors


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_any_order_ends_the_same_and_pairs_stay_together(seed, other):
    tensors, generator = noise(seed), torch.Generator().manual_seed(other)
    shuffled = {}
    for split in ("train", "test"):
        order = torch.randperm(len(tensors[f"{split}_labels"]), generator=generator)
        for what in ("images", "labels"):
            shuffled[f"{split}_{what}"] = tensors[f"{split}_{what}"][order]
    one, two = canonical(tensors, "abc"), canonical(shuffled, "abc")
    assert one.digest == two.digest and one.classes == ("a", "b", "c")
    for key in tensors:
        assert torch.equal(one.tensors[key], two.tensors[key])
    pairs = [
        (image.numpy().tobytes(), int(label)) for image, label in zip(tensors["train_images"], tensors["train_labels"])
    ]
    found = [
        (image.numpy().tobytes(), int(label))
        for image, label in zip(one.tensors["train_images"], one.tensors["train_labels"])
    ]
    assert sorted(pairs) == sorted(found) and bool((one.tensors["train_labels"].diff() >= 0).all())
    assert canonical(one.tensors, "abc").digest == one.digest


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["train", "test"]), st.integers(0, 5), st.booleans())
def test_every_pixel_and_label_counts(split, index, pixel):
    tensors = noise(0)
    before = canonical(tensors, "abc").digest
    if pixel:
        tensors[f"{split}_images"][index, 1, 0, 3] ^= 1
    else:
        tensors[f"{split}_labels"][index] = (tensors[f"{split}_labels"][index] + 1) % 3
    assert canonical(tensors, "abc").digest != before


def test_the_parts_and_the_shape_count():
    tensors = noise(0, 4)
    swapped = {key.replace("train", "x").replace("test", "train").replace("x", "test"): t for key, t in tensors.items()}
    flat = {k: t.reshape(len(t), 3, 4, 2) if k.endswith("images") else t for k, t in tensors.items()}
    memory = {k: t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t for k, t in tensors.items()}
    one = canonical(tensors, "abc").digest
    assert canonical(memory, "abc").digest == one
    assert len({one, canonical(swapped, "abc").digest, canonical(flat, "abc").digest}) == 3
