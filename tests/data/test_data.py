"""Named data sets, held-out images and batches."""

from __future__ import annotations

import urllib.error
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from csqcfs import data
from csqcfs.data.augment import Augment
from csqcfs.data.images import ImageSet, channel_statistics
from csqcfs.engine.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CSQCFS_DATA", raising=False)
    return tmp_path / "home"


def write_folders(root: Path, classes: int, size: int = 32) -> Path:
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for k in range(classes):
            place = root / split / f"class{k:03d}"
            place.mkdir(parents=True)
            Image.fromarray(random.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(place / "a.png")
    return root


def numbered(count: int, classes: int = 4, size: int = 4) -> ImageSet:
    """Every pixel of image k is k, so that batches show which images they hold."""
    images = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, size, size).contiguous()
    labels = torch.arange(count) % classes
    return ImageSet(images, labels, tuple("abcd"[:classes]), (0.0,) * 3, (1 / 255,) * 3)


def test_digits():
    train, val, test = data.load("digits")
    assert (len(train), len(val), len(test)) == (1437, 0, 360)
    assert train.images.shape[1:] == (1, 8, 8) and train.classes == tuple("0123456789")
    assert int(train.images.max()) == 255 and len(train.images.unique()) == 17
    assert (train.mean, train.std) == channel_statistics(train.images) == (test.mean, test.std)
    shares = train.labels.bincount() / len(train) - test.labels.bincount() / len(test)
    assert float(shares.abs().max()) < 0.003  # stratified
    x = train.normalise(train.images)
    assert float(x.mean()) == pytest.approx(0, abs=1e-4) and float(x.std()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("name, classes", [("cifar10", 10), ("cifar100", 100)])
def test_cifar_from_class_folders(tmp_path, name, classes, inside):
    root = tmp_path / "data"
    write_folders(root / name if inside else root, classes)
    train, _, test = data.load(name, root)
    assert len(train) == len(test) == len(train.classes) == classes
    assert train.mean[0] == pytest.approx({10: 0.4914, 100: 129.3 / 255}[classes])


def test_data_folder_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("CSQCFS_DATA", str(write_folders(tmp_path / "data", 10)))
    assert len(data.load("cifar10").train) == 10


def test_own_folder_has_its_own_statistics(tmp_path):
    train, _, test = data.load(str(write_folders(tmp_path / "mine", 3, size=7)))
    assert train.images.shape == (3, 3, 7, 7)
    assert (test.mean, test.std) == channel_statistics(train.images)


@pytest.mark.parametrize(
    "name, classes, size, words",
    [
        ("cifar10", 9, 32, "9 classes, cifar10 has 10"),
        ("cifar100", 10, 32, "10 classes, cifar100 has 100"),
        ("cifar10", 10, 28, r"\[3, 28, 28\]: expected \[3, 32, 32\]"),
    ],
)
def test_folders_of_another_data_set_are_refused(tmp_path, name, classes, size, words):
    with pytest.raises(InputError, match=words):
        data.load(name, write_folders(tmp_path / "data", classes, size))


@pytest.mark.parametrize("name", ["cifar11", "", "/no/such/folder"])
def test_unknown_name_lists_what_is_known(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="digits, cifar10, cifar100"):
        data.load(name)


def test_own_folder_without_train_and_test(tmp_path):
    with pytest.raises(InputError, match="no folder .*train"):
        data.load(str(tmp_path))


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("name resolution failed\nsecond line"),
        RuntimeError("File not found or corrupted."),
        PermissionError("denied"),
    ],
)
def test_missing_data_says_how_to_get_it(tmp_path, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", fail)
    with pytest.raises(InputError, match="cifar-10-python.tar.gz .*--data or CSQCFS_DATA") as caught:
        data.load("cifar10", tmp_path)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_official_archive(tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)

    def official(root, train, download):
        assert root == tmp_path and download
        part = slice(0, 15) if train else slice(15, 20)
        return SimpleNamespace(data=pixels[part], targets=[3] * len(pixels[part]), classes=list("0123456789"))

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", official)
    train, _, test = data.load("cifar10", tmp_path)
    assert np.array_equal(test.images[2].numpy(), pixels[17].transpose(2, 0, 1))
    assert len(train) == 15 and train.labels.tolist() == [3] * 15 and train.std == (0.2023, 0.1994, 0.2010)


@given(st.integers(0, 100), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_held_out_images_are_stratified_and_apart(val, seed):
    images = numbered(160)
    train, held = data.hold_out(images, val, seed)
    ids = [part.images[:, 0, 0, 0].tolist() for part in (train, held)]
    assert len(held) == val and sorted(ids[0] + ids[1]) == list(range(160))
    counts = held.labels.bincount(minlength=4)
    assert int(counts.max() - counts.min()) <= 1
    again = data.hold_out(images, val, seed)[1]
    assert torch.equal(again.images, held.images)


def test_held_out_images_follow_the_seed():
    first, second = (data.hold_out(numbered(100), 20, seed)[1].images for seed in (0, 1))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("val", [-1, 8, 9, 7])
def test_too_many_held_out_images(val):
    with pytest.raises(InputError, match=f"val = {val}"):
        data.hold_out(numbered(8), val, 0)


def test_load_holds_out():
    train, val, test = data.load("digits", val=100, seed=1)
    assert (len(train), len(val), len(test)) == (1337, 100, 360)


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


def test_chunks_end_with_a_batch(monkeypatch):
    monkeypatch.setattr(data, "CHUNK", 10)  # two batches of 4 at once
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
