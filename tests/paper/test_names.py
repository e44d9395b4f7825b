"""Names and numbers of things, as tables, figures and findings say them."""

from __future__ import annotations

import pytest
from csqcfs.paper.names import count


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, "run", "0 runs"),
        (1, "run", "1 run"),
        (2, "process", "2 processes"),
        (1, "process", "1 process"),
        (5000, "image", "5,000 images"),
    ],
)
def test_one_of_a_thing_is_singular(number, noun, said):
    assert count(number, noun) == said
