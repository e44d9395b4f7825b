"""Means over time, and results of pieces and runs as one; whole networks are compared in `test_snn`."""

from __future__ import annotations

import pytest
import torch
from csqcfs.conversion.scores import joined, last_of, mean_so_far, scores
from torch import fx, nn


def test_means_so_far():
    out = torch.randn(5, 3, 2, dtype=torch.float64)
    expected = torch.stack([out[: t + 1].mean(0) for t in range(5)])
    torch.testing.assert_close(mean_so_far(out), expected)
    counts = torch.tensor([[1], [0], [1]])
    assert mean_so_far(counts).flatten().tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    many = torch.ones(3000, 1, dtype=torch.float16)  # counted in float16 they would end at 2048
    assert mean_so_far(many).unique().tolist() == [1]


def test_the_end_is_applied_to_the_means():
    class End(nn.Module):
        def forward(self, x):
            return {"p": x.softmax(1), "n": 3}

    out = torch.randn(4, 3, 2)
    found = scores((out,), 3, fx.symbolic_trace(End()))
    torch.testing.assert_close(found["p"], mean_so_far(out[:3]).softmax(2))
    assert found["n"] == 3
    assert torch.equal(scores({"a": out}, 3, None)["a"], mean_so_far(out[:3]))


def test_pieces_and_runs_become_one():
    a, b = torch.randn(4, 3, 2), torch.randn(4, 1, 2)
    found = joined([{"a": a, "n": 3}, {"a": b, "n": 3}])
    assert torch.equal(found["a"], torch.cat([a, b], 1)) and found["n"] == 3
    assert torch.equal(last_of([(a,), (a[:2],)])[0], torch.stack([a[3], a[1]]))
