"""Counts of operations against loops over every weight, and against the networks' formulas."""

from __future__ import annotations

import itertools

import pytest
import torch
from csqcfs import models
from csqcfs.conversion import quantize
from csqcfs.conversion.snn import convert
from csqcfs.engine.errors import InputError
from csqcfs.engine.simulation import IF
from csqcfs.paper.claims.costs import resnet50_macs
from csqcfs.paper.measures import energy
from csqcfs.paper.measures.operations import count, dense_macs, fan_out, kinds_of_input
from torch import nn


class Tiny(nn.Module):
    """Padding, stride, groups, pooling and two linear layers."""

    def __init__(self):
        super().__init__()
        self.conv1, self.act1 = nn.Conv2d(2, 4, 3, padding=1), nn.ReLU()
        self.conv2, self.act2 = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), nn.ReLU()
        self.pool, self.conv3, self.act3 = nn.AvgPool2d(2), nn.Conv2d(6, 3, 2, padding=1, dilation=2), nn.ReLU()
        self.linear1, self.act4, self.linear2 = nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 3)

    def forward(self, x):
        x = self.act3(self.conv3(self.pool(self.act2(self.conv2(self.act1(self.conv1(x)))))))
        return self.linear2(self.act4(self.linear1(torch.flatten(x, 1))))


def tiny_snn(method: str, seed: int = 0):
    torch.manual_seed(seed)
    return convert(quantize.quantize_activations(Tiny().eval(), 4, 0.3, torch.randn(1, 2, 8, 8)), method)


def loops(layer: nn.Module, x: torch.Tensor) -> int:
    """Weights of ``layer`` that meet an input that is not zero, one by one; ``x`` without batch."""
    if isinstance(layer, nn.Linear):
        return sum(layer.out_features for value in x.flatten().tolist() if value != 0)
    (height, width), out = x.shape[1:], layer(x[None])[0].shape
    inputs, outputs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = layer.kernel_size, layer.stride, layer.padding, layer.dilation
    found = 0
    for o, i, j, c, a, b in itertools.product(*map(range, (out[0], out[1], out[2], inputs, kh, kw))):
        row, column = i * sh - ph + a * dh, j * sw - pw + b * dw
        if 0 <= row < height and 0 <= column < width:
            found += bool(x[o // outputs * inputs + c, row, column] != 0)
    return found


@pytest.mark.parametrize("method", ["plain", "srp", "cos", "signed"])
def test_every_layer_as_in_loops_over_all_weights(method):
    snn, T, x = tiny_snn(method), 5, torch.randn(2, 2, 8, 8)
    wanted: dict[tuple[str, str], torch.Tensor] = {}

    def observe(name, module, x, out, phase):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            steps = torch.tensor([sum(loops(module, image) for image in step) for step in x])
            wanted[name, phase] = wanted.get((name, phase), 0) + steps

    with torch.no_grad():
        snn(x, T, observe)
    found = count(snn, x, T)
    assert [layer["name"] for layer in found["layers"]] == ["conv1", "conv2", "conv3", "linear1", "linear2"]
    assert [layer["kind"] for layer in found["layers"]] == ["analog", "spikes", "averaged", "spikes", "spikes"]
    assert sum(int(steps.sum()) for steps in wanted.values()) > 0
    for layer in found["layers"][1:]:
        cumulative = wanted[layer["name"], "run"].cumsum(0) / 2
        assert layer["ac"] == [round(float(value), 1) for value in cumulative]
        seen = wanted.get((layer["name"], "pre"), torch.zeros(1)).sum() / 2
        assert layer["pre"] == round(float({"plain": 0, "signed": 0, "cos": cumulative[3], "srp": seen}[method]), 1)
    assert found["neurons"] == 4 * 64 + 6 * 16 + 3 * 4 + 5 and found["sites"] == 4


def test_all_inputs_active_give_the_dense_count_without_padding():
    layer = nn.Conv2d(4, 6, 3, padding=1, groups=2)
    assert fan_out(layer, torch.Size([4, 5, 5])).sum() == loops(layer, torch.ones(4, 5, 5))
    assert dense_macs(layer, torch.Size([6, 5, 5])) == 6 * 25 * 2 * 9
    unpadded = nn.Conv2d(3, 8, 3, stride=2)
    assert fan_out(unpadded, torch.Size([3, 7, 7])).sum() == dense_macs(unpadded, torch.Size([8, 3, 3]))


@pytest.mark.parametrize(
    "network, macs",
    [
        pytest.param("resnet50", 1e6 * resnet50_macs(), marks=pytest.mark.large),
        # stem, three stages of three blocks, two 1x1 shortcuts, linear layer
        (
            "resnet20",
            9 * 3 * 16 * 1024
            + 6 * 9 * 16**2 * 1024
            + 9 * 16 * 32 * 256
            + 5 * 9 * 32**2 * 256
            + 16 * 32 * 256
            + 9 * 32 * 64 * 64
            + 5 * 9 * 64**2 * 64
            + 32 * 64 * 64
            + 64 * 100,
        ),
    ],
)
def test_macs_of_the_networks_by_their_formulas(network, macs):
    torch.manual_seed(0)
    x = torch.randn(1, 3, 32, 32)
    ann = quantize.quantize_known(models.build(network, 100, 1.0, 3).eval(), 4, 1.0, x)
    found = count(convert(ann), x, 1)
    assert energy.ann(found) == (0, pytest.approx(macs, rel=1e-12))
    assert [layer["kind"] for layer in found["layers"]].count("analog") == 1
    assert found["layers"][-1]["kind"] == "averaged"  # behind the global average


def test_weights_outside_of_modules_are_refused():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.act = nn.Parameter(torch.randn(3, 4)), nn.ReLU()

        def forward(self, x):
            return nn.functional.linear(self.act(x), self.weight)

    snn = convert(quantize.quantize_activations(Functional().eval(), 4, 1.0))
    with pytest.raises(InputError, match="^linear in the forward: expected layers as modules"):
        kinds_of_input(snn.graph)


@pytest.mark.parametrize("method", ["plain", "srp", "graded", "signed", "parallel"])
@torch.no_grad()
def test_bits_of_all_spikes(method):
    """One bit for a spike, two for a signed one, three for one of four levels."""
    snn, x, T = tiny_snn(method), torch.randn(3, 2, 8, 8), 4
    found, bits = count(snn, x, T), {"signed": 2, "graded": 3}.get(method, 1)
    for t in range(1, T + 1):
        spikes = {"run": 0, "pre": 0}

        def observe(name, module, given, out, phase, spikes=spikes):
            if isinstance(module, IF):
                spikes[phase] += int((out != 0).sum())

        snn.run(x, t, observe)
        assert found["bits"][t - 1] == pytest.approx(bits * spikes["run"] / 3, abs=0.06)
        assert found["bits_pre"] == pytest.approx(bits * spikes["pre"] / 3, abs=0.06)
    kinds = {layer["kind"] for layer in found["layers"]}
    assert kinds == ({"analog", "graded"} if method == "graded" else {"analog", "spikes", "averaged"})
    assert found["additions"] == (3 if method == "graded" else 1)
    spent = energy.snn(found, T)
    assert (spent.ac == 0) == (method == "graded") and spent.mac > 0
