"""Bias calibration against a slow loop in NumPy; where the biases go; what is refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from csqcfs import ImageSet, calibrate_bias, convert, export, load, quantize_activations, save
from csqcfs.conversion.bias import Bias
from csqcfs.engine.errors import InputError
from torch import nn
from torch.nn import functional as F


def images(count: int = 40, seed: int = 0, size: int = 6) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def seeded(build) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(4)
        return build().double()


class Residual(nn.Module):
    """A sum before the second neurons, whose left summand is the output of the first."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm, self.relu1, self.relu2, self.head = nn.BatchNorm2d(4), nn.ReLU(), nn.ReLU(), nn.Linear(4, 5)

    def forward(self, x):
        h = self.relu1(self.a(x))
        return self.head(self.relu2(h + self.norm(self.b(h))).mean((2, 3)))


class Pooled(nn.Module):
    """Neurons behind a pooling, and a layer that is called twice: no layer before them can take a bias of theirs."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.pool = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1), nn.AvgPool2d(2)
        self.relu1, self.relu2, self.relu3, self.head = nn.ReLU(), nn.ReLU(), nn.ReLU(), nn.Linear(3, 5, bias=False)

    def forward(self, x):
        h = self.relu1(self.pool(self.a(x)))
        h = self.relu3(self.b(self.relu2(self.b(h))))
        return self.head(h.mean((2, 3)))


def spikes(z: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """IF neurons for [T, N, C, H, W], step by step."""
    theta = theta.reshape(-1, 1, 1)
    v, out = theta / 2, []
    for step in z:
        v = v + step
        fired = v >= theta
        out.append(fired * theta)
        v = v - fired * theta
    return np.stack(out)


def qcfs(z: np.ndarray, theta: np.ndarray, L: int) -> np.ndarray:
    theta = theta.reshape(-1, 1, 1)
    return np.clip(np.floor(z * L / theta + 0.5), 0, L) * theta / L


def conv(x: np.ndarray, layer: nn.Conv2d) -> np.ndarray:
    """Over time, without torch's simulation: [T, N, C, H, W]."""
    flat = torch.from_numpy(x.reshape(-1, *x.shape[2:]))
    return (
        F.conv2d(flat, layer.weight, layer.bias, padding=layer.padding)
        .detach()
        .numpy()
        .reshape(*x.shape[:2], -1, *x.shape[3:])
    )


def slow(model, x: torch.Tensor, T: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Biases of both neurons of `Residual` and the score's mean after T steps, by the formula of the module."""
    theta1, theta2 = (getattr(model, name).threshold.detach().numpy() for name in ("relu1", "relu2"))
    scale = (model.norm.weight / (model.norm.running_var + model.norm.eps).sqrt()).detach().numpy().reshape(-1, 1, 1)
    shift = model.norm.bias.detach().numpy().reshape(-1, 1, 1) - scale * model.norm.running_mean.numpy().reshape(
        -1, 1, 1
    )
    ann, snn = x.numpy()[None], np.repeat(x.numpy()[None], T, 0)
    a, z = conv(ann, model.a), conv(snn, model.a)
    a = qcfs(a, theta1, 4)
    mean = lambda out: out.mean((0, 1, 3, 4))  # noqa: E731
    b1 = mean(a) - mean(spikes(z, theta1))
    s = spikes(z + b1.reshape(-1, 1, 1), theta1)
    a2 = qcfs(a + scale * conv(a, model.b) + shift, theta2, 4)
    z = s + scale * conv(s, model.b) + shift
    b2 = mean(a2) - mean(spikes(z, theta2))
    pooled = a2.mean((0, 3, 4)).mean(0)
    return [b1, b2], pooled @ model.head.weight.detach().numpy().T + model.head.bias.detach().numpy()


def quantized(build=Residual, theta: float = 0.7):
    model = seeded(build)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(torch.linspace(-0.3, 0.3, 4))
            module.running_var.copy_(torch.linspace(0.5, 2, 4))
            module.weight.data.copy_(torch.linspace(0.5, 1.5, 4))
    return quantize_activations(model, L=4, threshold=theta, example=images(4)).eval()


def added(snn, new) -> list[np.ndarray]:
    """What the input of each layer of neurons gained for zeros as spikes: the biases that were placed there."""
    found = []
    for one in (snn, new):
        seen: dict[str, torch.Tensor] = {}

        def silent(site, x, plus, layer, seen=seen):
            seen[site] = x if plus is None else x + plus
            return torch.zeros_like(x)

        one.at_once(torch.zeros_like(images(2)), 1, silent)
        found.append(seen)
    return [(found[1][site] - found[0][site])[0, 0].mean((1, 2)).numpy() for site in found[0]]


@pytest.mark.parametrize("T", [1, 2, 5])
def test_biases_are_those_of_a_slow_loop(T):
    model = quantized()
    snn, x = convert(model), images()
    new = calibrate_bias(snn, x, T)
    wanted, score = slow(model, x, T)
    assert all(np.abs(b).max() > 1e-4 for b in wanted)
    for b, expected in zip(added(snn, new), wanted, strict=True):
        assert b == pytest.approx(expected, abs=1e-12)
    assert new.run(x, T)[-1].mean(0).numpy() == pytest.approx(score, abs=1e-12)
    assert not any(isinstance(module, Bias) for module in new.modules())  # of the convolutions, residual sum or not


def test_neither_the_snn_nor_its_network_changes():
    model = quantized()
    snn, x = convert(model), images()
    before = copy.deepcopy(snn.state_dict()), snn(x, 3), model(x)
    calibrate_bias(snn, x, 2)
    assert all(torch.equal(old, new) for old, new in zip(before[0].values(), snn.state_dict().values(), strict=True))
    assert torch.equal(before[1], snn(x, 3)) and torch.equal(before[2], model(x))


def test_an_exact_conversion_stays_as_it_is():
    """At L = T = 1 spikes and activations are the same step."""
    snn = convert(quantize_activations(seeded(Residual), L=1, threshold=0.7, example=images(4)).eval())
    new = calibrate_bias(snn, images(), 1)
    assert torch.allclose(new(images(30, 1), 1), snn(images(30, 1), 1), atol=1e-12)


def test_neurons_behind_what_has_no_bias_get_one_of_their_own():
    snn = convert(quantized(Pooled, 0.5))
    new = calibrate_bias(snn, images(), 2)
    assert sum(isinstance(module, Bias) for module in new.modules()) == 3
    score = [one(images(), 2)[-1].mean(0) for one in (snn, new)]
    expected = quantized(Pooled, 0.5)(images()).mean(0)
    assert torch.allclose(score[1], expected, atol=1e-12) and not torch.allclose(score[0], expected, atol=1e-5)
    first = next(module.b for module in new.modules() if isinstance(module, Bias))
    assert first.numpy() == pytest.approx(added(snn, new)[0], abs=1e-12) and first.abs().max() > 1e-4


@pytest.mark.parametrize("change", ["hook", "pre-hook", "forward"])
def test_a_layer_whose_output_is_changed_keeps_its_bias(change):
    """What is added to its bias would come out changed, too."""
    model = quantized()
    layer = model.get_submodule("b")
    if change == "hook":
        layer.register_forward_hook(lambda module, args, out: -3 * out)
    elif change == "pre-hook":
        layer.register_forward_pre_hook(lambda module, args: (-3 * args[0],))
    else:
        layer.forward = lambda x: -3 * nn.Conv2d.forward(layer, x)
    layer.bias = None
    model.set_submodule("norm", nn.Identity())
    snn = convert(model)
    new = calibrate_bias(snn, images(), 2)
    (bias,) = (module.b for module in new.modules() if isinstance(module, Bias))
    assert added(snn, new)[1] == pytest.approx(bias.numpy(), abs=1e-12) and bool(bias.any())
    for key, tensor in snn.graph.state_dict().items():
        assert key in ("a.bias", "head.bias") or torch.equal(tensor, new.graph.state_dict()[key])


def test_a_calibrated_snn_is_an_snn():
    """Copies, other sizes of batch, a softmax at the end, other tools."""
    snn = calibrate_bias(convert(quantized()), images(), 2)
    x = images(7, 2)
    assert torch.equal(copy.deepcopy(snn)(x, 2), snn(x, 2))
    assert torch.allclose(snn(x[:1], 2), snn(x, 2)[:, :1])
    pytest.importorskip("nir")
    there = export.from_nir(export.to_nir(snn, x.shape[1:]))
    assert torch.allclose(there(x, 2), snn(x, 2), atol=1e-5)


def test_sets_loaders_and_softmax():
    class Ended(Residual):
        def forward(self, x):
            return super().forward(x).softmax(-1)

    pixels = torch.randint(0, 256, (60, 3, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    data = ImageSet(pixels, torch.zeros(60, dtype=torch.int64), ["a"], (0.5,) * 3, (0.25,) * 3)
    snn = convert(quantized(Ended))
    new = calibrate_bias(snn, data, 1)
    x = data.normalise(data.images).double()
    assert torch.allclose(new(x, 1).sum(-1), torch.ones(1, 60, dtype=torch.float64))
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(calibrate_bias(snn, [x[order][:30], x[order][30:]], 1)(x, 1), new(x, 1), atol=1e-6)


def test_bad_input_is_refused_in_one_line():
    model = quantized()
    snn = convert(model)
    for bad, of in (
        ((model, images(), 1), "expected the SNN"),
        ((convert(model, "cos"), images(), 1), '"cos" has hidden steps'),
        ((convert(model, "srp"), images(), 1), '"srp" has hidden steps'),
        ((snn, images(), 0), "T = 0"),
        ((snn, images() * torch.nan, 1), "not finite"),
        ((snn, images()[:0], 1), "at least one"),
        ((snn, "images", 1), "images"),
        ((snn, torch.zeros(2, 5, 6, 6), 1), r"batches of shape \[N, 5, 6, 6\]"),
        ((snn, [images(), images()[..., :5]], 1), "expected images of one size"),
        ((snn, images().to_sparse(), 1), "^images of layout torch.sparse_coo"),
        ((snn, images().to("meta"), 1), "^images on the device meta"),
    ):
        with pytest.raises(InputError, match=of) as found:
            calibrate_bias(*bad)
        assert "\n" not in str(found.value)
    lost = convert(quantized(theta=0.7), allow_nonpositive=True)
    next(iter(lost.thresholds.values())).fill_(-1)
    with pytest.raises(InputError, match="expected positive"):
        calibrate_bias(lost, images(), 1)


class Bare(nn.Sequential):
    """Layers without biases."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 4, 3, bias=False),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 2, bias=False),
        )


class Tied(nn.Sequential):
    """Two layers with the same weights and bias, of which calibration makes two biases."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Conv2d(3, 3, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self[2].weight, self[2].bias = self[0].weight, self[0].bias


@pytest.mark.parametrize("build", [Residual, Pooled, Bare, Tied])
def test_a_calibrated_snn_comes_back_from_its_file(build, tmp_path):
    model = quantize_activations(seeded(build), L=4, threshold=0.5, example=images(4)).eval()
    snn = calibrate_bias(convert(model), images(), 2)
    path = save(snn, tmp_path / "calibrated.safetensors")
    again = load(path, network=seeded(build), example=images(4))
    assert torch.equal(again(images(9, 1), 2), snn(images(9, 1), 2))
    tensors = {key: value for key, value in snn.graph.state_dict().items()}
    assert {key: t.shape for key, t in again.graph.state_dict().items()} == {k: t.shape for k, t in tensors.items()}


def test_other_tools_take_a_bias_of_its_own_or_refuse_it():
    snn, x = calibrate_bias(convert(quantized(Pooled, 0.5)), images(), 2), images(5, 3)
    pytest.importorskip("spikingjelly")
    network, total = export.to_spikingjelly(snn), 0
    from spikingjelly.activation_based import functional

    functional.reset_net(network)
    with torch.no_grad():
        for _ in range(3):
            total = total + network(x)
    assert torch.allclose(total / 3, snn(x, 3)[-1])
    pytest.importorskip("nir")
    with pytest.raises(InputError, match="Bias"):
        export.to_nir(snn, x.shape[1:])
