"""The four activations: thresholds, values against an independent implementation, gradients, refusals."""

from __future__ import annotations

import copy
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from csqcfs import CQCFS, CSQCFS, QCFS, SQCFS
from csqcfs.activations import CEQCFS, CTQCFS, inverse_softplus, qcfs
from csqcfs.engine.errors import InputError
from csqcfs.engine.kernels import WINDOWS
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

LAYERWISE, CHANNELWISE = (QCFS, SQCFS), (CQCFS, CSQCFS, CTQCFS, CEQCFS)
FAMILY = LAYERWISE + CHANNELWISE
RAW = st.floats(-1e4, 1e4, width=32)


def make(kind: type[nn.Module], channels: int = 3, **arguments) -> nn.Module:
    return kind(**arguments) if kind in LAYERWISE else kind(channels, **arguments)


def set_raw(module: nn.Module, value: float) -> nn.Module:
    with torch.no_grad():
        module.raw.fill_(value)
    return module


def exact(z: float, theta: float, L: int) -> Fraction:
    """Eq. 11 in rational arithmetic."""
    z, theta = Fraction(z), Fraction(theta)
    level = math.floor(z * L / theta + Fraction(1, 2))
    return theta * min(max(Fraction(level, L), Fraction(0)), Fraction(1))


# thresholds


@pytest.mark.parametrize("kind", FAMILY)
@given(st.floats(1e-6, 1e4), st.integers(1, 64))
@settings(max_examples=40, deadline=None)
def test_threshold_is_the_argument_at_the_start(kind, threshold, L):
    module = make(kind, threshold=threshold, L=L)
    shape = [] if kind in LAYERWISE else [3]
    assert list(module.threshold.shape) == shape and module.L == L
    assert module.per_channel == (shape == [3])
    torch.testing.assert_close(module.threshold, torch.full(shape, threshold), rtol=2e-6, atol=0)
    assert [name for name, _ in module.named_parameters()] == ["raw"] and not list(module.buffers())
    assert list(module.raw.shape) == shape and module.raw.requires_grad


@pytest.mark.parametrize("kind", FAMILY)
def test_paper_defaults(kind):
    module = make(kind)
    assert module.L == 4 and module.window == "paper"
    assert module.threshold.flatten().tolist() == pytest.approx([4.0] * module.raw.numel(), rel=1e-6)


@pytest.mark.parametrize("kind", CHANNELWISE)
def test_a_threshold_for_each_channel(kind):
    theta = torch.tensor([0.01, 1.0, 50.0])
    module = kind(3, threshold=theta)
    torch.testing.assert_close(module.threshold, theta, rtol=2e-6, atol=0)
    theta.zero_()  # the caller's tensor is not the parameter
    assert bool((module.threshold > 0).all())


def test_softplus_starts_from_its_inverse_and_not_from_the_threshold():
    """Algorithm 1, line 9 as printed would turn 0.5 into 0.974 and 4 into 4.018."""
    for theta, printed in ((0.5, 0.974), (4.0, 4.018)):
        module = CSQCFS(1, threshold=theta)
        assert module.raw.item() == pytest.approx(math.log(math.expm1(theta)), rel=1e-6)
        assert set_raw(module, theta).threshold.item() == pytest.approx(printed, abs=5e-4)


@given(st.floats(1e-6, 1e6))
@settings(deadline=None)
def test_inverse_softplus_in_high_precision(theta):
    raw = float(inverse_softplus(torch.tensor(theta, dtype=torch.float64)))
    expected = math.log(math.expm1(theta)) if theta < 30 else theta + math.log1p(-math.exp(-theta))
    assert raw == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("kind", [SQCFS, CSQCFS, CTQCFS, CEQCFS])
@given(RAW)
@settings(max_examples=60, deadline=None)
def test_a_threshold_is_positive_for_every_raw_value(kind, raw):
    theta = set_raw(make(kind), raw).threshold
    assert bool((theta > 0).all()) and bool(theta.isfinite().all())
    assert bool((theta >= min(raw, 1e30)).all())  # Softplus and Exp lie above the identity
    out = make(kind).requires_grad_(False)
    assert bool(set_raw(out, raw)(torch.tensor([[-1.0, 0.0, 2.0]])).isfinite().all())


@pytest.mark.parametrize("raw", [-1e4, -200.0, -103.98, -104.1, -88.0, -3.4e38])
def test_a_threshold_is_positive_where_float32_underflows(raw):
    assert float(torch.tensor(-1e4).exp()) == 0.0  # what Softplus would return
    for kind in (SQCFS, CSQCFS, CTQCFS, CEQCFS):
        theta = set_raw(make(kind), raw).threshold
        assert bool((theta > 0).all())
        assert bool((1 / theta).isfinite().all())


@pytest.mark.parametrize("kind", FAMILY)
def test_sgd_turns_only_a_plain_threshold_negative(kind):
    module = make(kind, threshold=0.5)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    lowest = math.inf
    for _ in range(30):
        optimizer.zero_grad()
        module(torch.ones(4, 3)).sum().backward()  # above the threshold, the loss falls with theta
        optimizer.step()
        lowest = min(lowest, module.threshold.min().item())
    if kind.positive:
        assert 0 < lowest < 0.3
    else:
        assert lowest < 0


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_a_threshold_keeps_its_type_and_positive_ones_stay_positive_in_it(kind, dtype):
    theta = torch.tensor(0.5, dtype=dtype)
    module = make(kind, threshold=theta)
    assert module.raw.dtype == module.threshold.dtype == dtype
    torch.testing.assert_close(module.threshold, theta.expand(module.raw.shape), rtol=1e-2, atol=0)
    module = make(kind, threshold=0.5).to(dtype)
    z = torch.tensor([[-1.0, 0.3, 9.0]], dtype=dtype, requires_grad=True)
    module(z).sum().backward()
    assert z.grad.dtype == module.raw.grad.dtype == dtype and bool(module.raw.grad.isfinite().all())
    if module.positive:
        for raw in (-60000.0, -100.0, -12.0, 60000.0):
            used = set_raw(module, raw)
            assert bool((used.threshold > 0).all()) and bool(used(z).isfinite().all()), raw


# values


@pytest.mark.parametrize("kind", FAMILY)
@given(st.integers(-40, 80), st.integers(1, 12), st.sampled_from([0.25, 0.5, 2.0, 4.0]))
@settings(max_examples=60, deadline=None)
def test_values_equal_rational_arithmetic(kind, numerator, L, theta):
    module = make(kind, L=L, threshold=theta)
    actual = module.threshold.detach().flatten()[0].item()
    z = numerator * actual / 16
    out = module(torch.full((1, 3), z))
    if L in (1, 2, 4, 8) and actual == theta:  # dyadic: every operation is exact, ties included
        assert out.flatten().tolist() == [float(exact(z, theta, L))] * 3
    else:
        position = abs(Fraction(z) * L / Fraction(actual) - Fraction(1, 2)) % 1
        tie = min(position, 1 - position) < Fraction(1, 10**4)
        allowed = {round(float(exact(z + d, actual, L)), 4) for d in ((-1e-3, 0.0, 1e-3) if tie else (0.0,))}
        assert all(any(abs(value - a) <= 2e-4 for a in allowed) for value in out.flatten().tolist())


@pytest.mark.parametrize("kind", LAYERWISE)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (2, 3, 4, 5), (2, 3, 4, 5, 6), (0, 3)])
def test_a_layer_threshold_takes_any_shape(kind, shape):
    z = torch.linspace(-1, 3, math.prod(shape)).reshape(shape)
    out = make(kind, threshold=2.0)(z)
    assert out.shape == z.shape
    torch.testing.assert_close(out, torch.clamp(torch.floor(z * 2 + 0.5) / 4, 0, 1) * 2)


@pytest.mark.parametrize("kind", CHANNELWISE)
@pytest.mark.parametrize("rank", [2, 3, 4, 5])
@pytest.mark.parametrize("memory_format", ["default", "channels_last"])
def test_channels_lie_in_dimension_one(kind, rank, memory_format):
    """Each channel alone equals a layer-wise QCFS with its threshold, for convolution and linear outputs."""
    theta = torch.tensor([0.5, 1.0, 4.0])
    z = 2 * torch.randn(3, 3, *[3] * (rank - 2), generator=torch.Generator().manual_seed(0))  # N = C on purpose
    if memory_format == "channels_last":
        z = z.movedim(1, -1).contiguous().movedim(-1, 1)
    module = kind(3, threshold=theta)
    out, used = module(z), module.threshold.detach()
    assert out.stride() == z.stride()
    for c in range(3):
        assert torch.equal(out[:, c], qcfs(z[:, c], used[c], 4))
    assert len({tuple(out[:, c].unique().tolist()) for c in range(3)}) == 3


# gradients


def threshold_of(kind: type[nn.Module], raw: torch.Tensor) -> torch.Tensor:
    """theta, written again."""
    if kind in (SQCFS, CSQCFS, CTQCFS):
        return torch.log1p(raw.exp())
    return raw.exp() if kind is CEQCFS else raw


def surrogate(z: torch.Tensor, raw: torch.Tensor, module: nn.Module, at: torch.Tensor) -> torch.Tensor:
    """The activation as a chain of operations whose floor is shifted by a constant frozen at ``at``: its ordinary
    derivative is the straight-through one."""
    theta, frozen = threshold_of(type(module), raw), threshold_of(type(module), at)
    if theta.dim():
        theta, frozen = (t.reshape(-1, *[1] * (z.dim() - 2)) for t in (theta, frozen))
    u = z * module.L / theta + 0.5
    u0 = (z * module.L / frozen + 0.5).detach()
    level = (u + (u0.floor() - u0)) / module.L
    return theta * torch.where(u0 <= 0, 0.0, torch.where(u0 >= module.L, 1.0, level))


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 2, 2)])
def test_gradients_equal_finite_differences_with_the_floor_frozen(kind, shape):
    generator = torch.Generator().manual_seed(1)
    theta = 1.0 if kind in LAYERWISE else torch.tensor([0.7, 1.0, 1.6])
    module = make(kind, threshold=theta).double()
    z = (2 * torch.randn(shape, generator=generator, dtype=torch.float64)).requires_grad_()
    weight = torch.randn(shape, generator=generator, dtype=torch.float64)
    (module(z) * weight).sum().backward()
    raw, eps = module.raw.detach(), 1e-6

    def loss(z, raw):
        return float((surrogate(z, raw, module, module.raw.detach()) * weight).sum())

    for i in range(raw.numel()):
        step = torch.zeros_like(raw)
        step.view(-1)[i] = eps
        slope = (loss(z.detach(), raw + step) - loss(z.detach(), raw - step)) / (2 * eps)
        if kind is CTQCFS:  # not the derivative: divided by that of theta, twice
            slope /= float(torch.sigmoid(raw.view(-1)[i])) ** 2
        assert module.raw.grad.view(-1)[i].item() == pytest.approx(slope, rel=1e-6, abs=1e-8)
    # in z the floor is straight-through: slope 1 inside the window, 0 outside
    wide = module.threshold.detach().expand(3).reshape(-1, *[1] * (len(shape) - 2))
    inside = (z > -wide / 8) & (z < wide - wide / 8)
    assert torch.equal(z.grad, torch.where(inside, weight, 0.0))
    assert 0 < int(inside.sum()) < inside.numel()


@pytest.mark.parametrize(
    ("window", "low", "high"), [("paper", -0.125, 0.875), ("floor_clamp", -0.125, 1.125), ("clamp_floor", 0.0, 1.0)]
)
def test_windows_pass_the_gradient_between_their_edges(window, low, high):
    """At theta = 1, L = 4, as listed in methods.md; the values forward are the same."""
    z = torch.tensor([low - 0.01, low + 0.01, high - 0.01, high + 0.01], requires_grad=True)
    module = QCFS(4, 1.0, window=window)
    out = module(z)
    out.sum().backward()
    assert z.grad.tolist() == [0.0, 1.0, 1.0, 0.0]
    assert torch.equal(out, QCFS(4, 1.0)(z))


def test_threshold_gradients_of_the_windows_differ_as_the_baselines_do():
    found = {}
    for window in WINDOWS:
        module = QCFS(4, 1.0, window=window)
        module(torch.tensor([1.05])).sum().backward()
        found[window] = module.raw.grad.item()
    assert found["paper"] == found["clamp_floor"] == 1.0  # beyond the window f = theta
    assert found["floor_clamp"] == pytest.approx(1.0 - 1.05, abs=1e-6)


def test_softplus_multiplies_by_a_sigmoid():
    """Where Eq. 20 as printed has 1, and exp(lambda)."""
    z = torch.tensor([[9.0, 0.3]])
    for theta in (0.5, 1.0, 4.0):
        plain, soft = (kind(2, threshold=theta) for kind in (CQCFS, CSQCFS))
        plain(z).sum().backward()
        soft(z).sum().backward()
        torch.testing.assert_close(soft.raw.grad, plain.raw.grad * torch.sigmoid(soft.raw.detach()))
        assert bool((plain.raw.grad != 0).all())


def test_the_step_of_ctqcfs_is_one_of_theta():
    """A small step of SGD moves theta of C-QCFS, CT-QCFS and CS-QCFS by 1, 1 and Sigmoid(lambda)^2 of the rate."""
    z, moved = torch.tensor([[9.0, 0.3, 0.7]], dtype=torch.float64), {}
    for kind in (CQCFS, CTQCFS, CSQCFS):
        module = kind(3, threshold=torch.tensor([0.2, 0.5, 2.0])).double()
        before = module.threshold.detach().clone()
        module(z).sum().backward()
        torch.optim.SGD(module.parameters(), 1e-7).step()
        moved[kind] = (module.threshold.detach() - before) / 1e-7
    torch.testing.assert_close(moved[CTQCFS], moved[CQCFS], rtol=1e-4, atol=1e-6)
    theta = torch.tensor([0.2, 0.5, 2.0], dtype=torch.float64)
    torch.testing.assert_close(moved[CSQCFS], (1 - torch.exp(-theta)) ** 2 * moved[CQCFS], rtol=1e-4, atol=1e-6)
    assert bool((moved[CQCFS] != 0).all())


def test_ctqcfs_is_damped_where_theta_is_almost_zero():
    for theta, factor in ((0.2, 1 / (1 - math.exp(-0.2))), (0.01, (1 - math.exp(-0.01)) / 0.1**2)):
        module = CTQCFS(1, threshold=theta).double()
        module(torch.tensor([[9.0]], dtype=torch.float64)).sum().backward()
        assert module.raw.grad.item() == pytest.approx(factor, rel=1e-4)


# copies, states, printing


@pytest.mark.parametrize("kind", FAMILY)
def test_state_round_trip(kind):
    module, other = make(kind, threshold=0.3), make(kind, threshold=7.0)
    other.load_state_dict(module.state_dict())
    assert torch.equal(other.threshold, module.threshold)
    copied = set_raw(copy.deepcopy(module), 1.0)
    assert not torch.equal(copied.threshold, module.threshold)


@pytest.mark.parametrize("kind", FAMILY)
def test_repr_says_kind_steps_and_threshold(kind):
    text = repr(make(kind, L=8, threshold=2.5))
    assert text.startswith(kind.__name__) and "L=8" in text and "2.5" in text


@pytest.mark.parametrize("kind", FAMILY)
def test_on_the_device_meta(kind):
    """Built without memory, to be filled by a state; as for any module."""
    with torch.device("meta"):
        built = make(kind)
    assert built.raw.is_meta and "threshold=meta" in repr(built) and "threshold=meta" in repr(make(kind).to("meta"))
    state = make(kind, threshold=1.5).state_dict()
    built.load_state_dict(state, assign=True)
    assert torch.equal(built.raw, state["raw"])


def test_whole_numbers_of_numpy_are_whole_numbers():
    built = CSQCFS(np.int64(3), L=np.int32(4))
    assert type(built.L) is type(built.channels) is int and (built.L, built.channels, built.raw.shape) == (4, 3, (3,))
    for wrong in (np.float64(4), np.bool_(True)):
        with pytest.raises(InputError, match="^L = "):
            QCFS(wrong)


# refusals


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        *[({"L": L}, rf"^L = {L!r}: expected a whole number.*1 or more; try") for L in (0, -1, 4.0, True, None, "4")],
        *[
            ({"threshold": t}, f"^threshold = {t:g}: expected a finite value above 0; ")
            for t in (0.0, -4.0, math.nan, math.inf, -math.inf)
        ],
        ({"threshold": torch.tensor([1.0, math.nan, 2.0])}, "^threshold = nan"),
        ({"threshold": torch.tensor([1.0, -3.0, 2.0])}, "^threshold = -3"),
        ({"threshold": torch.tensor([1.0, math.inf, 2.0])}, "^threshold = inf"),
        ({"threshold": 1e39}, r"^threshold = 1e\+39: expected a finite value above 0 in torch.float32; "),
        ({"threshold": torch.ones(2)}, r"^threshold of shape \[2\]: expected one value"),
        ({"threshold": torch.ones(3, 1)}, r"^threshold of shape \[3, 1\]"),
        ({"threshold": "high"}, "^threshold = 'high': expected"),
        ({"threshold": None}, "^threshold = None: expected"),
        ({"threshold": 10**400}, "^threshold = 10* ...: expected a finite value above 0"),
        ({"window": "wide"}, "^window = 'wide': expected one of paper, floor_clamp, floor_clamp_2.14, clamp_floor"),
    ],
)
def test_bad_arguments_are_one_line(kind, arguments, named):
    with pytest.raises(InputError, match=named) as caught:
        make(kind, **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", CHANNELWISE)
@pytest.mark.parametrize("channels", [0, -2, 3.0, True, None, "3"])
def test_bad_channels_are_one_line(kind, channels):
    with pytest.raises(InputError, match=f"^channels = {channels!r}: expected.*1 or more") as caught:
        kind(channels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", CHANNELWISE)
@pytest.mark.parametrize(
    ("shape", "found"), [((2, 4), "4"), ((2, 1, 3, 3), "1"), ((4, 2, 3), "2"), ((3,), "none"), ((), "none")]
)
def test_channel_count_that_does_not_match_is_refused(kind, shape, found):
    with pytest.raises(InputError, match=f"has {found} channels, expected 3 thresholds.*build") as caught:
        kind(3)(torch.zeros(shape))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(4, 2), (3, 3), (1, 8)])
def test_thresholds_of_several_dimensions_are_refused(shape):
    with pytest.raises(InputError, match=r"^theta of shape \[\d, \d\]: expected \[\] or \[C\]; use") as caught:
        qcfs(torch.zeros(2, 8), torch.ones(shape), 4)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool])
def test_whole_numbers_are_refused(dtype):
    """A level of 2/3 would be rounded to 0 on its way into their type."""
    with pytest.raises(InputError, match=f"^input of {dtype}: expected floats.*z.float") as caught:
        QCFS(3, 2.0)(torch.ones(2, 3, dtype=dtype))
    assert "\n" not in str(caught.value)
