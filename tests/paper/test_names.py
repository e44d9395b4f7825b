"""Names and numbers of things, as tables, figures and findings say them."""

from __future__ import annotations

import pytest
from csqcfs.paper.names import count, number


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
