"""Warm start: thresholds near the least-squares optimum, each site after quantized predecessors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from csqcfs import quantize_activations
from csqcfs.conversion import quantize
from csqcfs.conversion.calibration import CANDIDATES, calibrate, nearest_threshold
from csqcfs.engine.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn


def error(z: np.ndarray, theta: float, L: int) -> float:
    """Mean square of QCFS(z) - ReLU(z), in NumPy and double precision."""
    return float(np.mean((np.clip(np.floor(z * L / theta + 0.5) / L, 0, 1) * theta - np.maximum(z, 0)) ** 2))


def best(z: np.ndarray, L: int, count: int = 4000) -> tuple[float, float]:
    """Least error over a grid far finer than the library's, and where."""
    grid = z.max() * np.arange(1, count + 1) / count
    return min((error(z, theta, L), theta) for theta in grid)


def samples(kind: str, count: int = 3000, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(count, generator=generator)
    return {
        "normal": z,
        "shifted": z - 1,
        "heavy": z * z.abs() * 3,
        "uniform": torch.erf(z) * 5,
        "small": 1e-3 * z,
        "sparse": torch.where(z > 1.5, z, -z.abs()),
    }[kind]


@pytest.mark.parametrize("kind", ["normal", "shifted", "heavy", "uniform", "small", "sparse"])
@pytest.mark.parametrize("L", [1, 2, 4, 8, 32])
def test_threshold_is_near_the_optimum(kind, L):
    z = samples(kind)
    theta = nearest_threshold(z, L)
    assert theta.shape == () and 0 < theta <= z.max()
    values = z.double().numpy()
    least, where = best(values, L, 1000)
    found = error(values, float(theta), L)
    assert found <= 1.15 * least + 1e-12
    # no neighbour on the library's own grid is better
    step = float(z.max()) / CANDIDATES
    for other in (float(theta) - step, float(theta) + step):
        if 0 < other <= float(z.max()):
            assert found <= error(values, other, L) * (1 + 1e-5)
    assert abs(float(theta) - where) < 4 * step or L > 8  # at a high L the optimum is flat


@given(st.floats(0.01, 100), st.sampled_from([2, 4, 8]))
@settings(max_examples=15, deadline=None)
def test_threshold_scales_with_its_input(scale, L):
    z = samples("normal", 500)
    expected = scale * float(nearest_threshold(z, L))
    assert float(nearest_threshold(z * scale, L)) == pytest.approx(expected, rel=0.05)


def test_more_levels_clip_less():
    thetas = [float(nearest_threshold(samples("normal"), L)) for L in (1, 4, 16)]
    assert thetas[0] < thetas[1] < thetas[2]


def network(width: int = 6) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * width, 12),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(12, 4),
            nn.ReLU(),
        )


def images(count: int = 40) -> torch.Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def inputs_of_sites(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    found = {}
    for name, site in quantize.sites(model).items():
        site.register_forward_pre_hook(lambda module, args, name=name: found.update({name: args[0].clone()}))
    with torch.no_grad():
        model.eval()(x)
    return found


@pytest.mark.parametrize("activation", ["qcfs", "sqcfs", "cqcfs", "csqcfs"])
def test_each_site_is_calibrated_on_quantized_predecessors(activation):
    x = images()
    model = quantize.switch(quantize_activations(network(), 2, 4.0, x), activation)
    assert calibrate(model, x) is model
    after = inputs_of_sites(model, x)  # what each site sees once all are in place
    for name, site in quantize.sites(model).items():
        theta = site.threshold.detach().flatten()
        expected = nearest_threshold(after[name].flatten(), 2)
        torch.testing.assert_close(theta, expected.expand_as(theta), rtol=1e-5, atol=0)
    # and it matters: unquantized predecessors would put the last site elsewhere, far beyond the tolerance
    with torch.no_grad():
        elsewhere = nearest_threshold(network().eval()[:-1](x).flatten(), 2)
    assert abs(elsewhere.item() / theta[0].item() - 1) > 1e-3


def test_calibration_improves_on_the_constant_start():
    x = images()
    plain = network().eval()
    model = quantize_activations(plain, 4, 4.0, x)
    with torch.no_grad():
        before = float((model(x) - plain(x)).square().mean())
        after = float((calibrate(model, x)(x) - plain(x)).square().mean())
    assert after < 0.2 * before


def test_calibration_repeats_and_leaves_modes_hooks_and_weights():
    x = images()
    models = [quantize_activations(network().train(), 4, 4.0, x) for _ in range(2)]
    models[0].get_submodule("1").eval()
    states = [{k: v.clone() for k, v in m.state_dict().items()} for m in models]
    modes = [m.training for m in models[0].modules()]
    randomness = torch.get_rng_state()
    for model in models:
        calibrate(model, x)
    assert torch.equal(torch.get_rng_state(), randomness)
    assert [m.training for m in models[0].modules()] == modes
    assert not any(m._forward_pre_hooks for m in models[0].modules())
    for (name, one), two in zip(models[0].state_dict().items(), models[1].state_dict().values(), strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, states[0][name]) == (not name.endswith("raw")), name
    assert all(site.raw.requires_grad and site.raw.grad is None for site in quantize.sites(models[0]).values())


def test_a_sample_stands_for_the_whole_map():
    """An even stride that divides the width would see the left border of every map and nothing else."""
    x = torch.rand(64, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    x[..., 0] *= 0.1  # the border is ten times darker
    model = quantize_activations(nn.Sequential(nn.ReLU()), 4, 1.0, x)
    whole = calibrate(model, x).get_submodule("0").threshold.item()
    for sample in (x.numel() // 16, x.numel() // 32, 500):
        sampled = calibrate(model, x, sample).get_submodule("0").threshold.item()
        assert sampled == pytest.approx(whole, rel=0.05)


def test_a_site_that_nothing_activates_is_named_and_nothing_changes():
    model = quantize_activations(network(), 4, 2.5, images())
    with torch.no_grad():
        model.get_submodule("5").bias.fill_(-1e6)
    with pytest.raises(InputError, match="^6 has no pre-activation above 0: expected.*train") as caught:
        calibrate(model, images())
    assert "\n" not in str(caught.value)
    assert [site.threshold.item() for site in quantize.sites(model).values()] == [2.5] * 3
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("z", [torch.zeros(5), -torch.ones(5), torch.tensor([1.0, torch.nan])])
def test_no_positive_pre_activation_is_refused(z):
    with pytest.raises(InputError, match="^no pre-activation above 0: expected some.*train the network first$"):
        nearest_threshold(z, 4)


def test_a_network_without_quantized_activations_is_refused():
    with pytest.raises(InputError, match="^Sequential has no quantized activation; call quantize"):
        calibrate(network(), images())
