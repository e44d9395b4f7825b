"""Named data sets, held-out images and batches."""

from __future__ import annotations

import gzip
import os
import sys
import urllib.error
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from csqcfs import data
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
    assert {image.numpy().tobytes() for image in test.images} == {
        image.transpose(2, 0, 1).tobytes() for image in pixels[15:]
    }
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


def test_held_out_are_the_middle_ones_of_the_shuffled_classes():
    """All records rest on it."""
    held = data.hold_out(numbered(12, classes=3), 3, 0)[1].images[:, 0, 0, 0].tolist()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0)).tolist()
    by_class = [n for label in range(3) for n in order if n % 3 == label]
    assert held == sorted(by_class[place] for place in (2, 6, 10))


@pytest.mark.parametrize("val", [-1, 8, 9, 7])
def test_too_many_held_out_images(val):
    with pytest.raises(InputError, match=f"val = {val}"):
        data.hold_out(numbered(8), val, 0)


def test_load_holds_out():
    whole, _, unchanged = data.load("digits")
    for seed in (1, 2):
        train, val, test = data.load("digits", val=100, seed=seed)
        wanted = data.hold_out(whole, 100, seed)
        assert torch.equal(train.images, wanted[0].images) and torch.equal(val.images, wanted[1].images)
        assert torch.equal(test.images, unchanged.images)
        assert (len(train), len(val), len(test)) == (1337, 100, 360)


# identity


def test_the_archive_and_the_folders_give_the_same_images_in_the_same_order(tmp_path, monkeypatch):
    """So that the same ones are held out, whatever the files are called."""
    random, root = np.random.default_rng(1), tmp_path / "data"
    pixels = {split: random.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8) for split in ("train", "test")}
    labels = {split: random.permutation(np.arange(40) % 10) for split in pixels}
    for split, images in pixels.items():
        for number, image in zip(random.permutation(40), images):
            place = root / "cifar10" / split / f"class{labels[split][(images == image).all((1, 2, 3))][0]}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{number}.png")

    def official(root, train, download):
        split = "train" if train else "test"
        return SimpleNamespace(data=pixels[split], targets=labels[split].tolist(), classes=list("abcdefghij"))

    from_folders = data.load("cifar10", root, val=10, seed=3)
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", official)
    from_archive = data.load("cifar10", tmp_path, val=10, seed=3)
    for one, other in zip(from_folders, from_archive, strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)
        assert one.origin == other.origin == data.identity("cifar10", root)
    assert len(from_archive.val) == 10 and from_archive.val.origin == from_archive.train.origin


def test_a_name_without_images_stands_for_the_official_ones(tmp_path):
    for name, known in data.SETS.items():
        assert data.identity(name, tmp_path / "nothing") == known.digest
    assert len({known.digest for known in data.SETS.values()}) == 3


def test_the_digits_are_those_of_the_table():
    assert data.load("digits").train.origin == data.SETS["digits"].digest


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_is_that_of_the_table(name, monkeypatch):
    root = Path(os.environ.get("CSQCFS_REAL_DATA") or "none")
    if not (root / name).exists():
        pytest.skip("CSQCFS_REAL_DATA names no folder of CIFAR")
    assert data.load(name, root).train.origin == data.SETS[name].digest


def test_other_images_under_a_name_are_told_once(tmp_path, capsys):
    root = tmp_path / "data"
    write_folders(root / "cifar10", 10)
    found = data.identity("cifar10", root)
    assert found not in ("", data.SETS["cifar10"].digest)
    assert data.identity("cifar10", root) == found == data.load("cifar10", root).test.origin
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and f"{root / 'cifar10'} are not those of cifar10" in err and found in err
    Image.new("RGB", (32, 32)).save(root / "cifar10" / "test" / "class003" / "a.png")
    assert data.identity("cifar10", root) not in ("", found, data.SETS["cifar10"].digest)


def test_a_folder_is_its_content_not_its_name(tmp_path):
    first, second = (write_folders(tmp_path / name, 3) for name in ("first", "second"))
    found = data.identity(str(first))
    assert len(found) == 16 and data.identity(str(second)) == found
    (first / "train" / "class000" / "a.png").rename(first / "train" / "class000" / "z.png")
    assert data.identity(str(first)) == found
    (first / "train" / "class000" / "z.png").rename(first / "train" / "class001" / "z.png")
    Image.new("RGB", (32, 32)).save(first / "train" / "class000" / "b.png")
    assert data.identity(str(first)) != found


def test_images_are_not_read_again_for_their_identity(tmp_path, monkeypatch):
    folder = str(write_folders(tmp_path / "mine", 3))
    found = data.identity(folder)
    monkeypatch.setattr("csqcfs.data.folders.read_image", lambda *_: pytest.fail("read again"))
    assert data.identity(folder) == found
    monkeypatch.setattr("csqcfs.data.folders.EXACT", 5)
    assert data.identity(folder) == found
    monkeypatch.setattr("csqcfs.data.folders.scan_splits", lambda *_: pytest.fail("looked at again"))
    assert data.identity(folder) == found


def test_what_cannot_be_read_has_no_identity_and_load_says_why(tmp_path):
    folder = write_folders(tmp_path / "mine", 3)
    (folder / "test" / "class000" / "a.png").write_bytes(b"no image")
    assert data.identity(str(folder)) == data.identity("no such name") == data.identity("") == ""
    with pytest.raises(InputError, match="cannot read .*a.png"):
        data.load(str(folder))


# paths


def loop(tmp_path: Path) -> str:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    return str(tmp_path / "loop")


def dangling(tmp_path: Path) -> str:
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    return str(tmp_path / "dangling")


@pytest.mark.parametrize("name", [loop, dangling, lambda _: "~nosuchuser/x", lambda _: "x" * 5000, lambda _: "a\0b"])
def test_odd_paths_are_one_line(tmp_path, name):
    assert data.identity(name(tmp_path)) == ""
    (tmp_path / "loop").unlink(missing_ok=True), (tmp_path / "dangling").unlink(missing_ok=True)
    with pytest.raises(InputError) as caught:
        data.load(name(tmp_path))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


# the archive


@pytest.mark.parametrize(
    ("part", "word"), [(0.7, "truncated"), (1.0, "another archive than the official one"), (None, "damaged")]
)
def test_an_archive_that_is_there_is_not_called_missing(tmp_path, monkeypatch, part, word):
    whole = gzip.compress(np.random.default_rng(0).bytes(5000))
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"x" * 500 if part is None else whole[: int(part * len(whole))])

    def fail(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", fail)
    with pytest.raises(InputError, match=f"cifar-10-python.tar.gz is {word}.*: copy it anew") as caught:
        data.load("cifar10", tmp_path)
    assert "\n" not in str(caught.value)


def test_digits_without_scikit_learn_are_refused_in_one_line(monkeypatch):
    """It is no dependency of the method."""
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(InputError, match=r"^data set 'digits' comes with scikit-learn.*pip install scikit-learn$"):
        data.load("digits")


@pytest.mark.parametrize("below", ["", "cifar10", "cifar10/train", "cifar10/train/class003"])
def test_a_folder_without_permission_is_one_line(tmp_path, forbidden, below):
    root = tmp_path / "data"
    write_folders(root / "cifar10", 10)
    with forbidden(root / below):
        with pytest.raises(InputError, match=r"^cannot read .* \(Permission denied\); check its permissions$"):
            data.load("cifar10", root)
        assert data.identity("cifar10", root) == data.SETS["cifar10"].digest


def test_an_archive_without_permission_is_not_called_damaged(tmp_path, forbidden):
    (tmp_path / "cifar-10-python.tar.gz").write_text("")
    with forbidden(tmp_path / "cifar-10-python.tar.gz"):
        with pytest.raises(InputError, match=r"^.*tar.gz is not to be read \(check its permissions\), and cannot be"):
            data.load("cifar10", tmp_path)
