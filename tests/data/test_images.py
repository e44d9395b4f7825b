"""ImageSet: normalisation, statistics, and the conversion of other people's data sets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from csqcfs.data.images import ImageSet, channel_statistics
from csqcfs.engine.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import ChainDataset, Dataset, IterableDataset, TensorDataset


def make(count: int = 6, channels: int = 3, classes: int = 3) -> ImageSet:
    images = torch.randint(0, 256, (count, channels, 4, 5), dtype=torch.uint8)
    names = tuple("abcdefgh"[:classes])
    return ImageSet(images, torch.arange(count) % classes, names, (0.5,) * channels, (0.25,) * channels)


def test_normalise_is_the_formula_in_channels_last():
    images = torch.randint(0, 256, (5, 3, 4, 6), dtype=torch.uint8)
    mean, std = (0.1, 0.5, 0.7), (0.2, 0.3, 0.4)
    out = ImageSet(images, torch.zeros(5).long(), ("a",), mean, std).normalise(images)
    expected = (images.double() / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    assert out.dtype == torch.float32 and out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(out.double(), expected, atol=1e-5, rtol=1e-5)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_statistics_equal_numpy(count, channels, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, channels, 3, 4), dtype=np.uint8)
    mean, std = channel_statistics(torch.from_numpy(pixels))
    np.testing.assert_allclose(mean, pixels.mean((0, 2, 3)) / 255, atol=1e-12)
    np.testing.assert_allclose(std, pixels.std((0, 2, 3)) / 255, atol=1e-12)


def test_a_constant_channel_can_be_normalised():
    grey = torch.full((2, 1, 3, 3), 51, dtype=torch.uint8)
    assert channel_statistics(grey) == ((pytest.approx(0.2),), (1 / 255,))


def test_subset_keeps_order_and_normalisation():
    full = make()
    part = full.subset([4, 1])
    assert len(part) == 2 and part.labels.tolist() == [1, 1] and part.mean == full.mean
    assert torch.equal(part.images, full.images[[4, 1]])
    assert len(full.subset([])) == 0


def test_mean_colour_vanishes_after_normalisation():
    images = make(50)
    images = ImageSet(images.images, images.labels, images.classes, *channel_statistics(images.images))
    colour = torch.tensor(images.mean_colour, dtype=torch.uint8).view(1, 3, 1, 1)
    assert float(images.normalise(colour).abs().max()) < 0.5 / 255 / min(images.std) + 1e-6


def test_from_tensor_dataset_of_bytes_and_of_floats():
    full = make()
    for images in (full.images, full.images.float() / 255, full.images.double() / 255):
        found = ImageSet.from_dataset(TensorDataset(images, full.labels))
        assert torch.equal(found.images, full.images) and torch.equal(found.labels, full.labels)
        assert found.classes == ("0", "1", "2")
        assert (found.mean, found.std) == channel_statistics(full.images)
    other = ImageSet.from_dataset(TensorDataset(full.images, full.labels), mean=[0.1, 0.2, 0.3], std=(1, 2, 3))
    assert other.mean == (0.1, 0.2, 0.3) and other.std == (1.0, 2.0, 3.0)
    named = ImageSet.from_dataset(TensorDataset(full.images, full.labels), ["x", "y", "z"])
    assert named.classes == ("x", "y", "z")


@pytest.mark.parametrize("mode, channels", [("L", 1), ("RGB", 3), ("P", 3), ("RGBA", 3)])
def test_from_pillow_images(mode, channels):
    class Pictures:
        classes = ["cat", "dog"]

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return Image.new("RGB", (5, 4), (204, 204, 204)).convert(mode), np.int64(index)

    found = ImageSet.from_dataset(Pictures())
    assert found.images.shape == (2, channels, 4, 5) and found.classes == ("cat", "dog")
    assert int(found.images.min()) == int(found.images.max()) == 204


@pytest.mark.parametrize(
    "data, words",
    [
        ([], "without images"),
        ([(torch.zeros(1, 2, 2), 0), (torch.zeros(1, 3, 2), 0)], "image 1 has shape"),
        ([(torch.full((1, 2, 2), 1.5), 0)], r"0, 1\]; remove normalisation"),
        ([(torch.full((1, 2, 2), float("nan")), 0)], "image 0 has values nan"),
        ([(torch.zeros(2, 2), 0)], r"image 0 has shape \[2, 2\]"),
        ([(torch.zeros(1, 2, 2, dtype=torch.int64), 0)], "int64"),
        ([(torch.full((1, 2, 2), 0.3), 0)], "image 0 has the value 0.3, which is none of the 256 levels"),
        ([(torch.full((1, 2, 2), 1e-3, dtype=torch.float64), 0)], "none of the 256 levels"),
        ([(Image.new("I;16", (2, 2), 4000), 0)], "image 0 has mode I;16: expected 8 bits"),
        ([(Image.new("I", (2, 2), 4000), 0)], "image 0 has mode I: expected 8 bits"),
        ([(Image.new("F", (2, 2), 0.5), 0)], "image 0 has mode F: expected 8 bits"),
        ([("file.png", 0)], "is a str"),
        ([(torch.zeros(1, 2, 2), 0.5)], "label 0.5 of image 0"),
        ([(torch.zeros(1, 2, 2), "cat")], "label 'cat' of image 0"),
        ([(torch.zeros(1, 2, 2), -1)], "label -1 of image 0: expected .* from 0 to .*; count the classes from 0"),
        ([(torch.zeros(1, 2, 2), 0), (torch.zeros(1, 2, 2), 2**70)], f"label {2**70} of image 1: expected the number"),
    ],
)
def test_from_dataset_names_what_is_wrong(data, words):
    with pytest.raises(InputError, match=words) as caught:
        ImageSet.from_dataset(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(images=torch.zeros(6, 3, 4, 5)), "float32"),
        (dict(images=torch.zeros(3, 4, 5, dtype=torch.uint8)), r"\[3, 4, 5\]"),
        (dict(labels=torch.zeros(5, dtype=torch.int64)), r"labels of shape \[5\]"),
        (dict(labels=torch.zeros(6)), "float32"),
        (dict(labels=torch.full((6,), 3)), "labels 3..3: expected 0..2 for 3 classes; count labels from 0"),
        (dict(images=np.zeros((6, 3, 4, 5), np.uint8)), "^images of type ndarray: expected a tensor"),
        (dict(labels=[0] * 6), "^labels of type list: expected a tensor"),
        (dict(images=torch.zeros(6, 3, 4, 5, dtype=torch.uint8, device="meta")), "^images on the device meta"),
        (dict(labels=torch.zeros(6, dtype=torch.int64).to_sparse()), "^labels of layout torch.sparse_coo"),
        (dict(classes=3), "^classes = 3: expected a list of their names"),
        (dict(mean=0.5), "^mean = 0.5 and std = .*: expected a number for each channel"),
        (dict(mean=(0.5,)), "expected 3 values each"),
        (dict(std=(0.5, 0.0, 0.5)), "std above 0"),
        (dict(std=(0.5, float("nan"), 0.5)), "std above 0"),
        (dict(mean=(0.5, float("inf"), 0.5)), "means in 0..1"),
        (dict(mean=(125.3, 123.0, 113.9)), "in units of the full range: means in 0..1"),
    ],
)
def test_inconsistent_sets_are_refused(change, words):
    full = make()
    fields = dict(images=full.images, labels=full.labels, classes=full.classes, mean=full.mean, std=full.std)
    with pytest.raises(InputError, match=words):
        ImageSet(**{**fields, **change})


class Listed(TensorDataset):
    """A data set with whatever it calls its classes."""

    def __init__(self, classes):
        super().__init__(make().images, make().labels)
        self.classes = classes


def test_names_of_classes_come_in_any_list():
    named = ["ant", "bee", "cat"]
    for classes in (named, tuple(named), np.array(named), np.array(named, object), (name for name in named)):
        assert ImageSet.from_dataset(Listed(classes)).classes == ("ant", "bee", "cat")
    for classes in ([], None, np.array([]), range(3), torch.arange(3), np.arange(3)):
        assert ImageSet.from_dataset(Listed(classes)).classes == ("0", "1", "2")


@pytest.mark.parametrize(
    "classes", [4, max, "ant", {"ant", "bee"}, {"ant": 0}, np.array(3), torch.tensor(3), "long " * 99, np.float64(3)]
)
def test_classes_that_are_no_list_are_one_line(classes):
    with pytest.raises(InputError, match="^classes = .*: expected a list of their names, in the order") as caught:
        ImageSet.from_dataset(Listed(classes))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


class Broken(Dataset):
    """A map-style Dataset that holds less than it says."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return (torch.zeros(1, 2, 2), [0][index])


class Without(Dataset):
    def __len__(self):
        return 3


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(torch.zeros(1, 2, 2), 0)])

    def __len__(self):
        return 1


PIXEL = torch.zeros(1, 2, 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Stream(), "^a data set of type Stream: expected"),
        (ChainDataset([Stream()]), "^a data set of type ChainDataset"),
        (Stream, "^a data set of the class Stream itself"),
        ({"images": PIXEL, "labels": 0}, "^a data set of type dict"),
        (PIXEL, "^a data set of type Tensor"),
        ("folder", "^a data set of type str"),
        (3, "^a data set of type int"),
        (Broken(), "^sample 1 of Broken cannot be read .IndexError: list index out of range.: expected 3 .*mend its"),
        (Without(), "^sample 0 of Without cannot be read .NotImplementedError: "),
        ([PIXEL], "^sample 0 has type Tensor: expected a pair"),
        ([(PIXEL, torch.tensor([0, 1]))], r"^label a Tensor of shape \[2\] of image 0"),
        ([(PIXEL, torch.zeros((), dtype=torch.int64, device="meta"))], "^label .* of image 0: expected the number"),
        ([(PIXEL, None)], "^label None of image 0"),
        ([(PIXEL.to_sparse(), 0)], "^image 0 of layout torch.sparse_coo: .*to_dense"),
        ([(PIXEL.to("meta"), 0)], "^image 0 on the device meta: expected a dense tensor with values"),
        ([(PIXEL.to(torch.float8_e4m3fn), 0)], "^image 0 of type torch.float8_e4m3fn: .*use x.float"),
        ([(torch.nested.nested_tensor([PIXEL]), 0)], "^image 0 nested"),
    ],
)
def test_data_sets_of_unusual_kinds_are_one_line(given, words):
    with pytest.raises(InputError, match=words) as caught:
        ImageSet.from_dataset(given)
    assert "\n" not in str(caught.value)


def test_normalise_refuses_other_images():
    with pytest.raises(InputError, match=r"expected uint8 \[B, 3, H, W\]"):
        make().normalise(torch.zeros(2, 1, 4, 5, dtype=torch.uint8))


@pytest.mark.parametrize("mean", [0.5, "abc", [None] * 3])
def test_mean_and_std_are_numbers_for_each_channel(mean):
    full = make()
    with pytest.raises(InputError, match="^mean = .* expected a number for each channel"):
        ImageSet.from_dataset(TensorDataset(full.images, full.labels), mean=mean, std=(0.5,) * 3)


@pytest.mark.parametrize("half", [{"mean": (0.5,) * 3}, {"std": (0.5,) * 3}])
def test_mean_and_std_belong_together(half):
    full = make()
    with pytest.raises(InputError, match="mean and std belong together"):
        ImageSet.from_dataset(TensorDataset(full.images, full.labels), **half)


def test_a_subset_by_a_mask_or_by_places():
    images = ImageSet(torch.zeros(5, 1, 2, 2, dtype=torch.uint8), torch.arange(5), tuple("abcde"), [0.5], [0.2])
    assert images.subset(images.labels >= 3).labels.tolist() == [3, 4]
    assert images.subset((images.labels >= 3).numpy()).labels.tolist() == [3, 4]
    assert images.subset([4, 0]).labels.tolist() == [4, 0] and len(images.subset([])) == 0
    for wrong in (torch.tensor([0.5]), torch.ones(3, dtype=torch.bool), torch.zeros(2, 2, dtype=torch.int64)):
        with pytest.raises(InputError, match="^indices of shape .*: expected places as whole numbers, or a mask of 5$"):
            images.subset(wrong)
    for wrong in ("ab", None, [[1], [2, 3]]):
        with pytest.raises(InputError, match="^indices = .*: expected places as whole numbers, or a mask of 5$"):
            images.subset(wrong)
    assert images.subset([-1]).labels.tolist() == [4]
    with pytest.raises(InputError, match=r"^indices -6\.\.5: expected 0\.\.4, the places of images$"):
        images.subset([5, -6])
    assert images.normalise(images.images).shape == (5, 1, 2, 2)  # mean and std given as lists
