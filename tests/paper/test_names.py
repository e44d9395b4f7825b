"""Names and numbers of things, as tables, figures and findings say them."""

from __future__ import annotations

import pytest
from csqcfs import data
from csqcfs.paper.experiments import profiles
from csqcfs.paper.names import count, dataset, images, number, shown_as, span


@pytest.mark.parametrize(
    ("many", "noun", "said"),
    [
        (0, "run", "0 runs"),
        (1, "run", "1 run"),
        (2, "process", "2 processes"),
        (1, "process", "1 process"),
        (5000, "image", "5,000 images"),
    ],
)
def test_one_of_a_thing_is_singular(many, noun, said):
    assert count(many, noun) == said


@pytest.mark.parametrize(
    "value, text",
    [
        (0.349, "0.35"),
        (-65.4, "−65"),
        (-11_234, "−11,000"),
        (1.1e-30, "1·10⁻³⁰"),
        (-2.37, "−2.4"),
        (0, "0"),
        (100, "100"),
    ],
)
def test_numbers_are_as_a_reader_writes_them(value, text):
    assert number(value) == text


def test_other_images_are_not_called_by_the_name_of_the_folder_they_lie_in(monkeypatch):
    assert images("cifar10", data.SETS["cifar10"].digest) == images("cifar10", None) == "CIFAR-10"
    assert images("/my/folder", "3d731c79aaaabbbb") == "/my/folder"
    monkeypatch.setattr(data, "identity", lambda name: "3d731c79aaaabbbb" if name == "cifar10" else "")
    quick, told = profiles.get("quick"), "other images under the name CIFAR-10 (3d731c79…)"
    assert dataset("cifar10", quick) == shown_as(quick)["cifar10"] == told and dataset("cifar100", quick) == "CIFAR-100"
    assert dataset("cifar10", profiles.get("demo")) == "handwritten digits"


def test_a_span_has_its_ends_alone():
    assert span([3, 3]) == "3" and span([2, 3, 1]) == "1-3" and span([]) == ""
