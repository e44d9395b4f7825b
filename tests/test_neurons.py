"""IF neurons: QCFS at T = L exactly, SpikingJelly's spikes bit for bit, and one result for every layout."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from csqcfs.activations import qcfs
from csqcfs.engine import kernels
from csqcfs.neurons import along_channels, integrate_and_fire, trace
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

DYADIC = torch.tensor([1.0, 0.5, 2.0, 4.0, 0.25])
# trailing shape behind [T, N], and the memory order of one step
LAYOUTS = {
    "linear": ((5,), None),
    "convolution": ((5, 4, 3), None),
    "channels_last": ((5, 4, 3), torch.channels_last),
    "sequence": ((5, 6), None),
}


def train_of(layout: str, T: int, N: int = 3, seed: int = 0) -> Tensor:
    shape, memory_format = LAYOUTS[layout]
    x = torch.randn(T * N, *shape, generator=torch.Generator().manual_seed(seed))
    return (x if memory_format is None else x.to(memory_format=memory_format)).unflatten(0, (T, N))


def loop(x: Tensor, theta: Tensor, v: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Eqs. 1-3 as they stand, one step and one tensor after the other."""
    theta = theta.reshape(-1, *[1] * (x.dim() - 3)) if theta.dim() else theta
    v = torch.zeros_like(x[0]) + theta / 2 if v is None else v.clone()
    outputs = []
    for current in x:
        h = v + current
        s = (h >= theta).to(x.dtype)
        v = h - s * theta
        outputs.append(s * theta)
    return torch.stack(outputs), v


@pytest.fixture
def compiled(monkeypatch):
    if not kernels.compiler_available():
        pytest.skip("no C++ compiler")
    monkeypatch.setattr(kernels, "COMPILE_FROM", 1)
    monkeypatch.setattr(kernels, "COMPILE_AFTER", 0)


@pytest.mark.parametrize("theta", [DYADIC, torch.tensor(2.0)], ids=["channels", "layer"])
@pytest.mark.parametrize("L", [1, 2, 4, 8])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_mean_output_is_qcfs_at_T_equal_L(layout, L, theta):
    """Every multiple of theta / 4L between -theta and 2 theta, so that half of them are ties or their like."""
    shape, memory_format = LAYOUTS[layout]
    grid = torch.arange(-4 * L, 8 * L + 1) / (4 * L)
    z = grid.view(-1, *[1] * len(shape)).expand(-1, *shape) * along_channels(theta, len(shape) + 1)
    z = z.contiguous() if memory_format is None else z.contiguous(memory_format=memory_format)
    out, _ = integrate_and_fire(z.expand(L, *z.shape), theta)
    assert torch.equal(out.mean(0), qcfs(z, theta, L))
    ties = (z * L / along_channels(theta, z.dim()) + 0.5).frac() == 0
    assert bool(ties.any())


@given(st.integers(-256, 512), st.sampled_from(DYADIC.tolist()), st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=200, deadline=None)
def test_mean_output_is_eq_11_in_rational_arithmetic(numerator, theta, L):
    z = numerator / 64
    out, _ = integrate_and_fire(torch.full((L, 1, 1), z), torch.tensor(theta))
    level = min(max((Fraction(z) * L / Fraction(theta) + Fraction(1, 2)).__floor__(), 0), L)
    assert Fraction(float(out.sum())) == Fraction(theta) * level


@given(st.integers(1, 9), st.integers(0, 10**6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_charge_is_conserved_and_outputs_are_binary(T, seed, per_channel):
    """What came in went out or is left: v(T) = v(0) + sum of inputs - sum of outputs."""
    theta = DYADIC if per_channel else torch.tensor(0.5)
    x = torch.randint(-64, 128, (T, 2, 5), generator=torch.Generator().manual_seed(seed)) / 64
    out, v = integrate_and_fire(x, theta)
    assert torch.equal(v, theta / 2 + x.sum(0) - out.sum(0))
    assert bool(((out == 0) | (out == theta)).all())


@given(st.integers(2, 8), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_a_run_continues_from_its_membrane(T, seed):
    x = torch.randn(T, 2, 5, generator=torch.Generator().manual_seed(seed))
    whole, v = integrate_and_fire(x, DYADIC)
    first, between = integrate_and_fire(x[: T // 2], DYADIC)
    second, end = integrate_and_fire(x[T // 2 :], DYADIC, between)
    assert torch.equal(torch.cat([first, second]), whole) and torch.equal(end, v)


@pytest.mark.parametrize(
    "theta",
    [DYADIC, DYADIC / 3, torch.tensor(0.7), torch.tensor(-0.5)],
    ids=["dyadic", "channels", "layer", "negative"],
)
@pytest.mark.parametrize("T", [1, 7, 33])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_equals_the_equations_step_by_step(layout, T, theta):
    x = train_of(layout, T)
    expected, potential = loop(x, theta)
    out, v = integrate_and_fire(x, theta)
    assert torch.equal(out, expected) and torch.equal(v, potential)
    assert v.stride() == x[0].stride() and out.stride() == x.stride()
    outputs, potentials = trace(x, theta)
    assert torch.equal(outputs, expected) and torch.equal(potentials[-1], potential)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_constant_input_is_not_written_out(layout):
    x = train_of(layout, 1)
    constant = x.expand(6, *x.shape[1:])
    expected, potential = loop(constant.contiguous(), DYADIC)
    out, v = integrate_and_fire(constant, DYADIC)
    assert torch.equal(out, expected) and torch.equal(v, potential)


@pytest.mark.parametrize("T", [5, 70])  # within one block and beyond
@pytest.mark.parametrize("layout", LAYOUTS)
def test_start_and_added_input(layout, T):
    x, more, v = train_of(layout, T), train_of(layout, T, seed=1), train_of(layout, 1, seed=2)[0]
    expected, potential = loop(x + more, DYADIC, v)
    out, end = integrate_and_fire(x, DYADIC, v.contiguous(), more)
    assert torch.equal(out, expected) and torch.equal(end, potential)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_constant_input_and_an_added_one(layout):
    x, more = train_of(layout, 1), train_of(layout, 5, seed=1)
    constant = x.expand(5, *x.shape[1:])
    for one, two in ((constant, more), (more, constant)):
        assert torch.equal(integrate_and_fire(one, DYADIC, plus=two)[0], loop(x + more, DYADIC)[0])


def test_a_strided_input():
    x = train_of("convolution", 8)[..., ::2]
    assert torch.equal(integrate_and_fire(x, DYADIC)[0], loop(x, DYADIC)[0])


@pytest.mark.large
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("theta", [DYADIC / 3, torch.tensor(0.7)], ids=["channels", "layer"])
def test_compiled_equals_eager_bit_for_bit(compiled, layout, theta):
    x, more, v = train_of(layout, 3), train_of(layout, 3, seed=1), train_of(layout, 1, seed=2)[0]
    for given_x, plus, start in ((x, None, None), (x, more, v), (x[:1].expand_as(x), None, None)):
        expected, potential = loop(given_x if plus is None else given_x + plus, theta, start)
        out, end = integrate_and_fire(given_x, theta, start, plus)
        assert torch.equal(out, expected) and torch.equal(end, potential)


@pytest.mark.parametrize("layer", ["convolution", "linear"])
@pytest.mark.parametrize("theta", [DYADIC / 3, torch.tensor(0.7)], ids=["channels", "layer"])
def test_spikes_and_membranes_of_spikingjelly(layer, theta):
    """ActivationAwareIFNode behind a layer of weights; theta[C] on dimension 1, v(0) = theta / 2."""
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    torch.manual_seed(0)
    T, N = 9, 4
    weights = nn.Conv2d(3, 5, 3, padding=1) if layer == "convolution" else nn.Linear(6, 5)
    images = torch.randn(T * N, 3, 8, 8) if layer == "convolution" else torch.randn(T * N, 6)
    with torch.no_grad():
        x = 2 * weights(images).unflatten(0, (T, N))
        node = neuron.ActivationAwareIFNode(
            v_threshold=theta, v_offset=0.0, channel_dim=1, v_reset=None, step_mode="m", store_v_seq=True
        )
        level = along_channels(theta, x.dim() - 1)
        node.v = (level / 2).expand(x.shape[1:]).clone()
        spikes = node(x)
    out, v = integrate_and_fire(x, theta)
    assert torch.equal(spikes * level, out) and torch.equal(node.v, v)
    assert torch.equal(node.v_seq, trace(x, theta)[1])
    assert 0.05 < float(spikes.mean()) < 0.95
