"""Forward and backward of the quantized activation: both paths agree, and gradients are the derivation's."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections import Counter

import pytest
import torch
from csqcfs.activations import qcfs
from csqcfs.engine import kernels
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

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
    "floor_clamp_2.14": lambda L: (1 / (2 * L), 1 - 1 / (2 * L)),
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


@pytest.mark.large
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


@pytest.mark.parametrize("window", kernels.WINDOWS)
def test_a_pre_activation_without_bound_gives_the_gradients_beyond_the_window(window):
    """0 for the threshold below, the whole gradient above; 0 times infinity would be NaN."""
    far = [torch.inf, torch.finfo(torch.float32).max, 1e30]
    for sign, expected in ((1.0, 1.0), (-1.0, 0.0)):
        z = torch.tensor([far]).mul(sign).requires_grad_()
        theta = torch.tensor([0.5, 1.0, 2.0], requires_grad=True)
        qcfs(z, theta, 4, window).sum().backward()
        assert z.grad.tolist() == [[0.0] * 3] and theta.grad.tolist() == [expected] * 3


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
    for laid in (weight.contiguous(), weight.contiguous(memory_format=torch.channels_last)):
        assert torch.equal(gradients(z, theta, 4, "paper", laid)[1], gradients(z, theta, 4, "paper", weight)[1])
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


@pytest.fixture
def untried(monkeypatch):
    """A process in which compiling has not failed yet."""
    monkeypatch.setattr(kernels, "_failed", [])
    monkeypatch.delenv("CSQCFS_COMPILE", raising=False)


def test_a_missing_compiler_is_said_once(monkeypatch, untried):
    monkeypatch.setattr(kernels.shutil, "which", lambda name: None)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(3):
            assert kernels.fastest(kernels.quantize, 1 << 30, torch.device("cpu")) is kernels.quantize
    assert len(said) == 1 and "\n" not in str(said[0].message) and "compiler" in str(said[0].message)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_compilation_can_be_turned_off(monkeypatch, untried, device):
    monkeypatch.setenv("CSQCFS_COMPILE", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not kernels.compiler_available(device)
        assert kernels.fastest(kernels.quantize, 1 << 30, torch.device(device)) is kernels.quantize


def test_a_kernel_that_cannot_be_compiled_runs_eagerly_and_says_so_once(untried):
    def broken(*args):
        raise OSError("cache folder\nis full")

    run = kernels.guarded(lambda x: x + 1, lambda: broken)
    with pytest.warns(UserWarning, match=r"failed \(OSError: cache folder\): running .* eagerly") as said:
        assert run(1) == 2 and kernels.guarded(lambda x: x + 2, broken)(1) == 3
    assert len(said) == 1 and "\n" not in str(said[0].message)
    assert not kernels.compiler_available("cpu") and not kernels.compiler_available("cuda")


def test_an_error_of_the_arguments_is_theirs(untried):
    run = kernels.guarded(lambda x: 1 / x, lambda: lambda x: 1 / x)
    with pytest.raises(ZeroDivisionError):
        run(0)
    assert not kernels._failed


def test_a_mode_that_watches_operations_gives_no_compiler_up(untried):
    """PyTorch compiles nothing there, and our own look at a network before its training is such a mode."""
    twice = kernels.guarded(lambda x: x * 2, lambda: torch.compile(lambda x: x * 2, fullgraph=True, backend="eager"))
    x = torch.ones(3)
    with FlopCounterMode(display=False), warnings.catch_warnings(action="error"):
        assert torch.equal(twice(x), x * 2)
    assert not kernels._failed and torch.equal(twice(x), x * 2) and not kernels._failed


def test_a_recursion_is_compiled_once_a_process_has_run_enough_of_it(monkeypatch):
    """Its variants take a minute to compile, which few images do not repay."""
    monkeypatch.setattr(kernels, "compiler_available", lambda device: True)
    monkeypatch.setattr(kernels, "_compiled", lambda function, recursion: ("compiled", recursion))
    monkeypatch.setattr(kernels, "_run", Counter())
    monkeypatch.setattr(kernels, "COMPILE_AFTER", 25)
    monkeypatch.setattr(kernels, "COMPILE_FROM", 10)
    x = torch.zeros(10)
    chosen = [kernels.fastest_over_time(kernels.quantize, x, None) for _ in range(3)]
    assert chosen == [kernels.quantize, kernels.quantize, ("compiled", True)]
    assert kernels.fastest_over_time(kernels.quantize, x[:9], None) is kernels.quantize  # a small call never
    assert kernels.fastest_over_time(kernels.quantize, x[:9], 10) == ("compiled", True)  # one of a large simulation
    assert kernels.fastest_over_time(kernels.slopes, x, None) is kernels.slopes  # each is counted by itself


BROKEN = """
import torch, warnings
from csqcfs import CSQCFS, ImageSet, fit
from csqcfs.engine import kernels
kernels.COMPILE_FROM = 1
z = torch.randn(4, 3, 5, 5, requires_grad=True)
for _ in range(2):
    CSQCFS(3)(z).sum().backward()
images = ImageSet(torch.zeros(8, 3, 5, 5, dtype=torch.uint8), torch.arange(8) % 2, ("a", "b"), (0.5,) * 3, (1.0,) * 3)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(75, 2))
fit(model, images, epochs=1, augment=None, progress=False)
print("done", len(kernels._failed))
"""


@pytest.mark.large
@pytest.mark.parametrize("broken", ["path", "program", "cache"])
def test_a_broken_compiler_stops_nothing(tmp_path, broken):
    """In a process of its own, with an empty cache."""
    program = tmp_path / "c++"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    (tmp_path / "file").write_text("")
    environment = {
        **os.environ,
        "CXX": {"path": "/nonexistent", "program": str(program)}.get(broken, os.environ.get("CXX", "c++")),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / ("file/below" if broken == "cache" else "cache")),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # without a pool of processes that import PyTorch
    }
    environment.pop("CSQCFS_COMPILE", None)
    done = subprocess.run([sys.executable, "-c", BROKEN], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stdout.split() == ["done", "1"], done.stderr[-2000:]
    assert done.stderr.count("running the same kernels eagerly") == 1


AS_EAGER = """
import torch
from csqcfs import activations
from csqcfs.engine import kernels

z, theta = torch.randn(8, 16, 64, 65, generator=torch.Generator().manual_seed(0)), torch.linspace(0.5, 1.5, 16)
found = activations.qcfs(z, theta, 4)
print(kernels.compiler_available(), torch.equal(found, kernels.quantize(z, theta.view(-1, 1, 1) / 4, 4)))
"""


@pytest.mark.large
@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() != "AVX512", reason="needs vectors of two lengths")
def test_kernels_of_two_processors_share_a_folder(tmp_path):
    """A cluster's nodes may; PyTorch gave the one's loops the other's vectors."""
    for capability in ("avx512", "avx2"):
        environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path), "ATEN_CPU_CAPABILITY": capability}
        environment["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
        environment.pop("CSQCFS_COMPILE", None)
        done = subprocess.run(
            [sys.executable, "-c", AS_EAGER], env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.stdout.split() == ["True", "True"], done.stderr[-2000:]


@pytest.mark.parametrize(("capability", "bits"), [("avx2", 256), ("default", 0)])
def test_a_kernel_is_named_by_the_vectors_it_is_written_for(monkeypatch, capability, bits):
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        pytest.skip("another kind of processor")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", capability)
    assert kernels.as_vectors() == {"cpp.simdlen": bits}


# layouts: any strides of input and gradient, against autograd of the plain formula in double precision


def plain(z: Tensor, theta: Tensor, L: int) -> Tensor:
    """The formula as a chain of operations, straight through its floor; the paper's window."""
    if theta.dim():
        theta = theta.reshape(-1, *[1] * (z.dim() - 2))
    u = z * L / theta + 0.5
    level = u + (u.floor() - u).detach()
    return theta * torch.where(u <= 0, 0.0, torch.where(u >= L, 1.0, level / L))


@st.composite
def strided(draw, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """A tensor of ``shape``: axes in any order in memory, every other element, a part of more, or one value for all."""
    order = draw(st.permutations(range(len(shape))))
    steps = [draw(st.sampled_from((1, 1, 2))) for _ in shape]
    offsets = [draw(st.integers(0, 2)) for _ in shape]
    wide = [draw(st.sampled_from((False, False, False, True))) and size > 1 for size in shape]
    sizes = [
        1 if all_one else offset + step * size
        for size, step, offset, all_one in zip(shape, steps, offsets, wide, strict=True)
    ]
    # places between levels, so that rounding to 8 bits moves none over an edge
    levels = torch.randint(-3, 8, [sizes[axis] for axis in order], generator=generator)
    base = levels + 0.25 + 0.5 * torch.rand(levels.shape, generator=generator, dtype=torch.float64)
    base = base.permute([order.index(axis) for axis in range(len(shape))])
    parts = [
        slice(0, 1) if all_one else slice(offset, offset + step * size, step)
        for size, step, offset, all_one in zip(shape, steps, offsets, wide, strict=True)
    ]
    return base[tuple(parts)].expand(shape)


def close(found: Tensor, expected: Tensor, dtype: torch.dtype, what: str) -> None:
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}[dtype]
    scale = float(expected.abs().max()) if expected.numel() else 1.0
    torch.testing.assert_close(
        found.double(), expected, rtol=0, atol=tolerance * max(scale, 1.0), msg=lambda text: f"{what}: {text}"
    )


def check(z: Tensor, grad: Tensor, theta: Tensor, dtype: torch.dtype, L: int = 4) -> None:
    def rounded(tensor: Tensor) -> Tensor:
        """In ``dtype``, with the same strides."""
        return torch.as_strided(tensor.as_strided((extent(tensor),), (1,)).to(dtype), tensor.shape, tensor.stride())

    def extent(tensor: Tensor) -> int:
        spans = [(size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True)]
        return sum(spans) + 1 if tensor.numel() else 0

    low, grad_low = rounded(z), rounded(grad)
    assert low.stride() == z.stride()
    theta = theta.to(torch.promote_types(dtype, torch.float32))
    found = gradients(low, theta, L, "paper", grad_low)
    exact, level = low.double().requires_grad_(), theta.double().requires_grad_()
    out = plain(exact, level, L)
    expected = (out.detach(), *torch.autograd.grad(out, (exact, level), grad_low.double()))
    for what, one, other in zip(("f", "df/dz", "df/dtheta"), found, expected, strict=True):
        assert one.shape == other.shape, what
        close(one, other, dtype, what)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_gradients_do_not_depend_on_strides(data):
    dtype = data.draw(st.sampled_from((torch.float64, torch.float32, torch.bfloat16, torch.float16)))
    shape = tuple(data.draw(st.lists(st.integers(0, 4), max_size=5)))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    per_channel = len(shape) > 1 and shape[1] > 0 and data.draw(st.booleans())
    theta = torch.rand(shape[1], generator=generator) + 0.5 if per_channel else torch.tensor(1.25)
    step = (theta.double().reshape(-1, *[1] * (len(shape) - 2)) if per_channel else theta.double()) / 4
    z = data.draw(strided(shape, generator))
    scaled = (
        torch.empty_strided(shape, z.stride(), dtype=torch.float64)
        if 0 not in z.stride()
        else torch.empty(shape, dtype=torch.float64)
    )
    z = scaled.copy_((z - 0.5) * step) if z.numel() else scaled
    grad = data.draw(strided(shape, generator))
    check(z, grad, theta, dtype)


CUTS = {
    "channels of channels_last": lambda x: x.to(memory_format=torch.channels_last)[:, :4],
    "crop of channels_last": lambda x: x.to(memory_format=torch.channels_last)[:, :, 1:, :-1],
    "every other image": lambda x: x[::2],
    "transposed": lambda x: x.transpose(2, 3),
    "batch and channels swapped": lambda x: x.transpose(0, 1),
    "one image for all": lambda x: x[:1].expand(5, -1, -1, -1),
    "one channel for all": lambda x: x[:, :1].expand(-1, 6, -1, -1),
    "no image": lambda x: x[:0],
}


@pytest.mark.parametrize(
    ("path", "cut"),
    # each cut takes seconds to compile; how the kernels get at their elements is the same for all
    [
        *(("eager", cut) for cut in CUTS),
        pytest.param("compiled", "crop of channels_last", marks=pytest.mark.large),
        pytest.param("compiled", "one image for all", marks=pytest.mark.large),
    ],
)
def test_cuts_give_what_their_copies_give(request, monkeypatch, path, cut):
    if path == "compiled":
        request.getfixturevalue("compiled")
    generator = torch.Generator().manual_seed(0)
    z = CUTS[cut](2 * torch.randn(8, 8, 4, 4, generator=generator, dtype=torch.float64).float())
    weights = [
        torch.randn(z.shape, generator=generator),
        torch.randn(z.shape[::-1], generator=generator).permute(3, 2, 1, 0),
    ]
    theta = torch.rand(z.shape[1], generator=generator) + 0.5
    for weight in weights:
        expected = gradients(z.clone(memory_format=torch.contiguous_format), theta, 4, "paper", weight.contiguous())
        for one, other in zip(gradients(z, theta, 4, "paper", weight), expected, strict=True):
            torch.testing.assert_close(one, other)


def test_low_precision_thresholds_are_summed_in_float32():
    """A network in bfloat16 as a whole: 4,096 gradients of 1 are not 256."""
    for dtype in (torch.bfloat16, torch.float16):
        z = torch.full((4096, 1), 9.0, dtype=dtype)
        _, _, grad = gradients(z, torch.ones(1, dtype=dtype), 4, "paper", torch.ones_like(z))
        assert grad.dtype == dtype and grad.item() == 4096


@pytest.mark.parametrize("window", ["floor_clamp", "floor_clamp_2.14"])
def test_windows_are_those_of_the_public_code_on_its_pytorch(window):
    """Floor, then clamp, whose gradient at its bounds PyTorch 2.14 changed from 1 to 0."""
    bound = torch.tensor([0.0], requires_grad=True)
    bound.clamp(0, 1).sum().backward()
    assert bound.grad.item() == (0.0 if torch.__version__ >= (2, 14) else 1.0)
    L, theta = 4, torch.tensor(1.3, requires_grad=True)
    z = (torch.linspace(-1, 3, 1001) + 1e-3).requires_grad_()
    u = z / theta * L + 0.5
    level = (u + (u.floor() - u).detach()) / L
    low, high = level.detach() >= 0, level.detach() <= 1
    if window == "floor_clamp_2.14":
        low, high = level.detach() > 0, level.detach() < 1
    out = theta * torch.where(low & high, level, level.detach().clamp(0, 1))
    expected = torch.autograd.grad(out.sum(), (z, theta))
    found = gradients(z[:, None], theta, L, window, torch.ones(1001, 1))
    torch.testing.assert_close(found[1][:, 0], expected[0])
    torch.testing.assert_close(found[2], expected[1])
    torch.testing.assert_close(found[0][:, 0], out.detach())
