"""Forward and backward of the quantized activation: both paths agree, and gradients are the derivation's."""

from __future__ import annotations

import warnings

import pytest
import torch
from csqcfs.activations import qcfs
from csqcfs.engine import kernels
from torch import Tensor

FORMATS = {
    "contiguous": ((3, 4, 5, 6), torch.contiguous_format),
    "channels_last": ((3, 4, 5, 6), torch.channels_last),
    "rows": ((6, 4), torch.contiguous_format),
    "sequence": ((3, 4, 7), torch.contiguous_format),
    "volume": ((2, 4, 3, 3, 2), torch.channels_last_3d),
    "one image": ((1, 4, 5, 8), torch.contiguous_format),
    "eight images": ((8, 4, 5, 6), torch.channels_last),
}
# where each window passes the gradient, as bounds on z in units of theta, from the codes that use them
BOUNDS = {
    "paper": lambda L: (-1 / (2 * L), 1 - 1 / (2 * L)),
    "floor_clamp": lambda L: (-1 / (2 * L), 1 + 1 / (2 * L)),
    "clamp_floor": lambda L: (0.0, 1.0),
}


def inputs(layout: str, per_channel: bool, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    shape, memory_format = FORMATS[layout]
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(shape, generator=generator, dtype=torch.float64).mul(1.5).to(dtype)
    theta = torch.tensor([0.5, 1.3, 2.0, 0.9]) if per_channel else torch.tensor(1.3)
    return z.to(memory_format=memory_format), theta.to(torch.float32 if dtype == torch.bfloat16 else dtype)


def gradients(z: Tensor, theta: Tensor, L: int, window: str, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    z, theta = z.detach().requires_grad_(), theta.detach().requires_grad_()
    out = qcfs(z, theta, L, window)
    return out.detach(), *torch.autograd.grad(out, (z, theta), weight)


def weight_like(z: Tensor) -> Tensor:
    return torch.randn(z.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(z.dtype)


@pytest.fixture
def compiled(monkeypatch):
    if not kernels.compiler_available():
        pytest.skip("no C++ compiler")
    monkeypatch.setattr(kernels, "COMPILE_FROM", 1)


@pytest.mark.parametrize("window", kernels.WINDOWS)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("layout", FORMATS)
def test_gradients_are_finite_differences_with_the_floor_frozen(layout, per_channel, window):
    """Straight through: floor(u) = u + r with r held fixed; central differences of that smooth function."""
    L, e = 4, 1e-6
    z, theta = inputs(layout, per_channel, torch.float64)
    column = theta.view(-1, *[1] * (z.dim() - 2)) if per_channel else theta
    low, high = BOUNDS[window](L)
    inside, above = (z > low * column) & (z < high * column), z >= high * column
    residue = (z * L / column + 0.5).floor() - z * L / column

    def smooth(z: Tensor, column: Tensor) -> Tensor:
        # outside the window the value is constant in z: 0 below, theta above
        return torch.where(inside, column / L * (z * L / column + residue), torch.where(above, column, 0))

    weight = weight_like(z)
    out, grad_z, grad_theta = gradients(z, theta, L, window, weight)
    expected_z = weight * (smooth(z + e, column) - smooth(z - e, column)) / (2 * e)
    by_entry = weight * (smooth(z, column + e) - smooth(z, column - e)) / (2 * e)
    expected_theta = by_entry.movedim(1, -1).flatten(0, -2).sum(0) if per_channel else by_entry.sum()
    torch.testing.assert_close(grad_z, expected_z, rtol=0, atol=1e-8)
    torch.testing.assert_close(grad_theta, expected_theta, rtol=0, atol=1e-7)
    assert 0 < int(inside.sum()) < z.numel() and bool(above.any())


@pytest.mark.parametrize(
    ("layout", "per_channel", "dtype", "window"),
    [
        ("contiguous", False, torch.float32, "paper"),
        ("contiguous", True, torch.float32, "paper"),
        ("channels_last", True, torch.float32, "paper"),
        ("channels_last", True, torch.bfloat16, "paper"),
        ("rows", True, torch.float32, "floor_clamp"),
        ("sequence", True, torch.float32, "clamp_floor"),
        ("one image", True, torch.float32, "paper"),
        ("eight images", True, torch.float32, "paper"),
        ("channels_last", False, torch.bfloat16, "clamp_floor"),
    ],
)
def test_compiled_equals_eager(compiled, monkeypatch, layout, per_channel, dtype, window):
    z, theta = inputs(layout, per_channel, dtype)
    weight = weight_like(z)
    fast = gradients(z, theta, 4, window, weight)
    monkeypatch.setattr(kernels, "COMPILE_FROM", 1 << 60)
    plain = gradients(z, theta, 4, window, weight)
    for name, a, b in zip(("f", "df/dz", "df/dtheta"), fast, plain):
        assert a.dtype == b.dtype and a.stride() == b.stride(), name
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("layout", FORMATS)
def test_memory_order_and_type_are_kept(layout):
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        z, theta = inputs(layout, True, dtype)
        out, grad_z, grad_theta = gradients(z, theta, 4, "paper", weight_like(z).contiguous())
        assert out.stride() == grad_z.stride() == z.stride()
        assert out.dtype == grad_z.dtype == dtype and grad_theta.dtype == theta.dtype


@pytest.mark.parametrize("per_channel", [False, True])
def test_bfloat16_gives_the_levels_of_float32(per_channel):
    """Under autocast z is bfloat16 and theta float32: the level is decided in float32 and rounded once."""
    z, theta = inputs("contiguous", per_channel, torch.bfloat16)
    assert torch.equal(qcfs(z, theta, 4), qcfs(z.float(), theta, 4).bfloat16())


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("layout", FORMATS)
def test_backward_keeps_the_input_and_the_threshold_only(layout, per_channel):
    z, theta = (tensor.requires_grad_() for tensor in inputs(layout, per_channel))
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        qcfs(z, theta, 4)
    assert sorted(t.numel() for t in kept) == sorted([z.numel(), theta.numel()])
    assert {t.data_ptr() for t in kept} == {z.data_ptr(), theta.data_ptr()}


def test_a_gradient_in_another_memory_order_or_expanded():
    z, theta = inputs("channels_last", True)
    weight = weight_like(z)
    for given in (weight.contiguous(), weight.contiguous(memory_format=torch.channels_last)):
        assert torch.equal(gradients(z, theta, 4, "paper", given)[1], gradients(z, theta, 4, "paper", weight)[1])
    z, theta = z.detach().requires_grad_(), theta.detach().requires_grad_()
    qcfs(z, theta, 4).sum().backward()  # its gradient is one expanded number
    assert torch.equal(z.grad, gradients(z, theta, 4, "paper", torch.ones_like(z))[1])


def test_a_strided_view_gives_what_its_copy_gives():
    z, theta = inputs("contiguous", True)
    wide = torch.cat([z, z], 3)[..., ::2]
    weight = weight_like(wide)
    views, copies = (gradients(z, theta, 4, "paper", weight) for z in (wide, wide.clone()))
    assert all(torch.equal(a, b) for a, b in zip(views, copies))


def test_small_tensors_never_meet_a_compiler(monkeypatch):
    monkeypatch.setattr(kernels, "_compiled", lambda *_: pytest.fail("compiled"))
    gradients(*inputs("channels_last", True), 4, "paper", weight_like(inputs("channels_last", True)[0]))
    assert kernels.fastest(kernels.quantize, kernels.COMPILE_FROM - 1, torch.device("cpu")) is kernels.quantize


def test_a_missing_compiler_is_said_once(monkeypatch):
    monkeypatch.setattr(kernels.shutil, "which", lambda name: None)
    monkeypatch.delenv("CSQCFS_COMPILE", raising=False)
    kernels.compiler_available.cache_clear()
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            for _ in range(3):
                assert kernels.fastest(kernels.quantize, 1 << 30, torch.device("cpu")) is kernels.quantize
        assert len(said) == 1 and "\n" not in str(said[0].message) and "compiler" in str(said[0].message)
    finally:
        kernels.compiler_available.cache_clear()


def test_compilation_can_be_turned_off(monkeypatch):
    monkeypatch.setenv("CSQCFS_COMPILE", "0")
    kernels.compiler_available.cache_clear()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not kernels.compiler_available()
    finally:
        kernels.compiler_available.cache_clear()
