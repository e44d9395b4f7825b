"""The bfloat16 parts of weights, and the setting that convolutions with them need; no time is asserted."""

from __future__ import annotations

import pytest
import torch
from csqcfs.paper.bench import processes, spikes
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
def test_parts_of_a_weight_sum_to_it(seed, scale):
    weight = scale * torch.randn(64, generator=torch.Generator().manual_seed(seed))
    parts = spikes.split(weight)
    assert torch.equal(sum(parts), weight)
    assert all(torch.equal(part, part.bfloat16().float()) for part in parts)


def test_the_setting_of_the_process_is_restored():
    before = torch.backends.mkldnn.conv.fp32_precision
    with pytest.raises(ZeroDivisionError), spikes.bfloat16_products():
        assert torch.backends.mkldnn.conv.fp32_precision == "bf16"
        1 / 0
    assert torch.backends.mkldnn.conv.fp32_precision == before


def test_split_convolutions_are_as_close_to_double_precision():
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(8, 32, 8, 8, generator=generator) < 0.3).float()
    weight = torch.randn(16, 32, 3, 3, generator=generator)
    with spikes.bfloat16_products():
        found = sum(torch.nn.functional.conv2d(x, part, padding=1) for part in spikes.split(weight))
    exact = torch.nn.functional.conv2d(x.double(), weight.double(), padding=1)
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-4)


def test_a_line_says_how_far_both_are_from_double_precision():
    (line,) = spikes.spikes(quick=True)
    assert line.note.startswith("off float64 by") and set(line.seconds) == {"float32", "split"}


@pytest.mark.large
def test_the_process_of_its_own_runs():
    lines = processes.memory(quick=True)
    assert [line.unit for line in lines] == ["GiB", "x"] and lines[0].outcome["median"] > 0
