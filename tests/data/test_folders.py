"""Class folders: what is decoded, what is cached, and how damage is reported."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from csqcfs.data import folders, pixels
from csqcfs.engine import paths
from csqcfs.engine.errors import InputError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image


def write_folders(
    root: Path,
    classes: tuple[str, ...] = ("ant", "bee"),
    size: tuple[int, int] = (6, 5),
    train: int = 3,
    test: int = 2,
    mode: str = "RGB",
) -> dict[str, np.ndarray]:
    """PNG class folders of noise; the pixels by relative file name."""
    random, pixels = np.random.default_rng(0), {}
    for split, count in (("train", train), ("test", test)):
        for name in classes:
            (root / split / name).mkdir(parents=True, exist_ok=True)
            for index in range(count):
                shape = size if mode == "L" else (*size, 3)
                pixels[f"{split}/{name}/{index}.png"] = image = random.integers(0, 256, shape, dtype=np.uint8)
                Image.fromarray(image).save(root / split / name / f"{index}.png")
    return pixels


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    return tmp_path / "set"


def test_pixels_labels_and_classes(root):
    images = write_folders(root, ("bee", "ant"))
    tensors, classes, _ = folders.load(root, "set")
    assert classes == ("ant", "bee")
    assert tensors["train_labels"].tolist() == [0, 0, 0, 1, 1, 1]
    assert tensors["test_labels"].tolist() == [0, 0, 1, 1]
    for split, count in (("train", 3), ("test", 2)):
        for label, name in enumerate(classes):
            found = tensors[f"{split}_images"][tensors[f"{split}_labels"] == label]
            expected = [images[f"{split}/{name}/{k}.png"].transpose(2, 0, 1).tobytes() for k in range(count)]
            assert sorted(image.numpy().tobytes() for image in found) == sorted(expected)


def test_grey_images_keep_one_channel(root):
    images = write_folders(root, mode="L")
    tensors, _, _ = folders.load(root, "set")
    assert any(np.array_equal(image[0].numpy(), images["train/ant/0.png"]) for image in tensors["train_images"][:3])
    assert tensors["train_images"].shape == (6, 1, 6, 5)


def test_second_load_reads_the_cache_and_a_changed_file_does_not(root, monkeypatch):
    write_folders(root)
    first, classes, digest = folders.load(root, "set")
    with monkeypatch.context() as patch:
        patch.setattr(folders, "decode", lambda *_: pytest.fail("decoded again"))
        again, same, like = folders.load(root, "set")
    assert (
        same == classes
        and like == digest == folders.digest(root, "set")
        and all(torch.equal(first[key], again[key]) for key in first)
    )

    Image.new("RGB", (5, 6), "white").save(root / "train" / "ant" / "1.png")
    os.utime(root / "train" / "ant" / "1.png", ns=(1, 1))
    changed, _, other = folders.load(root, "set")
    assert bool((changed["train_images"][:3] == 255).all((1, 2, 3)).any()) and other != digest
    assert len(list(paths.image_cache().iterdir())) == 2


def test_other_pixels_in_files_of_the_same_names_sizes_and_times_are_read(root, tmp_path):
    """Two folders of one name, as an archive unpacked twice has them."""
    other = tmp_path / "elsewhere" / root.name
    for place, colour in ((root, 0), (other, 255)):
        write_folders(place)
        for split, kind, name in (
            (s, c, f"{i}.bmp") for s in ("train", "test") for c in ("ant", "bee") for i in (7, 8)
        ):
            for old in (place / split / kind).glob("*.png"):
                old.unlink()
            Image.new("RGB", (5, 6), (colour,) * 3).save(place / split / kind / name)
            os.utime(place / split / kind / name, ns=(1, 1))
    assert int(folders.load(root, "set")[0]["train_images"].max()) == 0
    assert int(folders.load(other, "set")[0]["train_images"].min()) == 255


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1, exclude_max=True), st.booleans())
def test_damaged_cache_is_named(root, place, cut):
    if not (root / "train").exists():
        write_folders(root)
    folders.load(root, "set")
    (cache,) = paths.image_cache().iterdir()
    whole = cache.read_bytes()
    at = int(place * len(whole))
    cache.write_bytes(whole[:at] if cut else whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    try:
        with pytest.raises(InputError, match="safetensors.*: delete it and") as caught:
            folders.load(root, "set")
        assert "\n" not in str(caught.value) and str(cache) in str(caught.value)
    finally:
        cache.write_bytes(whole)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 0.7))
def test_truncated_image_is_named(root, part):
    root.mkdir(exist_ok=True)
    file = root / "broken.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(InputError, match="cannot read .*broken.png") as caught:
        pixels.read_image(str(file))
    assert "\n" not in str(caught.value)


def test_a_failed_load_leaves_no_cache(root):
    write_folders(root)
    (root / "test" / "bee" / "1.png").write_bytes(b"not an image")
    with pytest.raises(InputError, match="1.png"):
        folders.load(root, "set")
    assert not paths.image_cache().exists()


def spoil_size(root):
    Image.new("RGB", (9, 9)).save(root / "train" / "bee" / "1.png")


def spoil_split(root):
    for file in (root / "test").glob("*/*.png"):
        Image.new("RGB", (9, 9)).save(file)


def spoil_depth(root):
    Image.fromarray(np.zeros((6, 5), np.uint16)).save(root / "train" / "bee" / "1.png")


def spoil_empty(root):
    (root / "train" / "cat").mkdir()


def spoil_missing(root):
    (root / "train" / "cat").mkdir()
    Image.new("RGB", (5, 6)).save(root / "train" / "cat" / "0.png")


def spoil_extra(root):
    (root / "test" / "cat").mkdir()
    Image.new("RGB", (5, 6)).save(root / "test" / "cat" / "0.png")


def spoil_test(root):
    (root / "test").rename(root / "other")


@pytest.mark.parametrize(
    "spoil, words",
    [
        (spoil_size, r"bee/1.png has shape \[3, 9, 9\], expected \[3, 6, 5\]"),
        (spoil_split, r"\[3, 6, 5\] in .*train and \[3, 9, 9\] in .*test"),
        (spoil_depth, "bee/1.png has mode I"),
        (spoil_empty, "no images in .*train/cat"),
        (spoil_missing, "class cat of .*train is missing in .*test"),
        (spoil_extra, "class cat of .*test is missing in .*train"),
        (spoil_test, "no folder .*test"),
    ],
)
def test_odd_folders_are_named(root, spoil, words):
    write_folders(root)
    spoil(root)
    with pytest.raises(InputError, match=words) as caught:
        folders.load(root, "set")
    assert "\n" not in str(caught.value)


def test_a_folder_without_classes(tmp_path):
    with pytest.raises(InputError, match="no class folders"):
        folders.scan(tmp_path)


@pytest.mark.parametrize("name", ["0.jpg", "0.JPEG", "0.bmp", "0.webp", "0.ppm", "0.tif"])
def test_the_formats_of_torchvision(root, name):
    write_folders(root)
    Image.new("RGB", (5, 6), "white").save(root / "train" / "ant" / name)
    tensors, _, _ = folders.load(root, "set")
    assert tensors["train_labels"].tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert bool((tensors["train_images"][:4] == 255).all((1, 2, 3)).any())


def test_hidden_files_and_folders_do_not_count(root):
    write_folders(root)
    (root / "train" / "ant" / "._0.png").write_bytes(b"resource fork")
    (root / "train" / "ant" / ".DS_Store").write_bytes(b"")
    (root / "train" / ".ipynb_checkpoints").mkdir()
    tensors, classes, _ = folders.load(root, "set")
    assert len(tensors["train_labels"]) == 6 and classes == ("ant", "bee")


def test_a_link_to_nowhere_is_named(root):
    write_folders(root)
    (root / "train" / "ant" / "9.png").symlink_to(root / "nowhere.png")
    with pytest.raises(InputError, match="cannot read .*ant/9.png .No such file or directory.: replace or remove"):
        folders.load(root, "set")
