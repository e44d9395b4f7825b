"""Algorithm 1 beside our calls: every line is there, and the calls run as they are written."""

from __future__ import annotations

import csqcfs
import torch
from csqcfs.conversion import family
from csqcfs.paper.pages import algorithm
from torch import nn


def test_lines_1_to_20_each_once():
    numbers = []
    for step in algorithm.STEPS:
        first, _, last = step.lines.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    assert numbers == list(range(1, 21))


def test_the_calls_run_one_after_the_other_as_written():
    x = torch.rand(4, 3, 32, 32)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3600, 2))
    images = csqcfs.ImageSet((255 * x).byte(), torch.tensor([0, 1, 0, 1]), ("a", "b"), (0.5,) * 3, (0.25,) * 3)
    names = {"csqcfs": csqcfs, "network": network, "x": x, "train_set": images}
    for step in algorithm.STEPS:
        short = step.call.replace("epochs=300", "epochs=1").replace("epochs=100", "epochs=1")
        exec(short.replace("lr=0.1", "lr=0.001"), names)
    assert names["scores"].shape == (8, 4, 2)
    raw = next(iter(family.sites(names["fine"]).values())).raw
    assert torch.equal(names["snn"].thresholds["1"], nn.functional.softplus(raw).detach())  # line 16


def test_the_table_names_both_corrections():
    frame = algorithm.table()
    assert len(frame) == len(algorithm.STEPS)
    assert frame.iloc[2, 1].startswith("line 9") and frame.iloc[5, 1].startswith("line 16")
