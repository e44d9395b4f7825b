"""Where features lie: told by the layers, and by what a network does with dimensions, sizes alike or not."""

from __future__ import annotations

import pytest
import torch
from csqcfs.conversion import quantize
from csqcfs.engine import features
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    """A convolution and a linear layer of as many features as the maps have rows and columns."""

    def __init__(self, call):
        super().__init__()
        self.conv, self.fc, self.norm, self.call = nn.Conv2d(3, 6, 1), nn.Linear(6, 6), nn.LayerNorm(6), call

    def forward(self, x):
        return self.call(self, x)


@pytest.mark.parametrize(
    ("call", "axis"),
    [
        (lambda m, x: m.conv(x), 1),
        (lambda m, x: F.conv2d(x, m.conv.weight), 1),
        (lambda m, x: F.avg_pool2d(m.conv(x), 2) * 2 + 1, 1),
        (lambda m, x: m.conv(x).permute(0, 2, 3, 1), 3),
        (lambda m, x: m.fc(m.norm(m.conv(x).permute(0, 2, 3, 1))), 3),
        (lambda m, x: m.fc(m.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2), 1),
        (lambda m, x: torch.movedim(m.conv(x), 1, -1), 3),
        (lambda m, x: m.conv(x).flatten(2), 1),
        (lambda m, x: m.conv(x).flatten(2).transpose(1, 2), 2),
        (lambda m, x: m.fc(m.conv(x).flatten(2).transpose(1, 2))[:, 0], 1),
        (lambda m, x: m.fc(m.conv(x).mean((2, 3))), 1),
        (lambda m, x: m.fc(m.conv(x).mean((2, 3))).unsqueeze(1), 2),
        (lambda m, x: m.fc(m.conv(x).mean((2, 3)))[:, :, None, None], 1),
        (lambda m, x: F.linear(x, m.fc.weight), 3),
        (lambda m, x: x @ m.fc.weight.t(), 3),
        (lambda m, x: m.fc(x.mean((1, 3)))[:, None, None].swapaxes(1, 3) + m.conv(x), 1),
        (lambda m, x: m.fc(x.mean(1)).mT, 1),
        (lambda m, x: m.fc(x).transpose(1, x.shape[2] - 3), None),
        (lambda m, x: m.fc(x).flatten(1), None),
        (lambda m, x: x + 1, None),
    ],
)
def test_where_features_lie(call, axis):
    graph = quantize.trace(Net(call).eval(), torch.randn(2, 3, 6, 6))
    (last,) = graph.graph.output_node().all_input_nodes
    assert features.axes(graph).get(last) == axis


def test_without_an_example_nothing_is_told():
    graph = quantize.trace(Net(lambda m, x: m.fc(x)).eval())
    assert features.axes(graph) == {}
