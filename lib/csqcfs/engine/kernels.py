"""Forward and backward of the quantized activation, each one pass over memory when compiled.

With step = theta / L, u = z / step + 1/2 and the straight-through floor (d floor(x)/dx = 1):

    f(z)       = step * clip(floor(u), 0, L)
    df/dz      = 1               for lo < u < hi, else 0
    df/dtheta  = (f - z) / theta for lo < u < hi;  1 for u >= hi;  0 for u <= lo

Softplus is left to autograd, which multiplies df/dtheta by dtheta/dlambda = Sigmoid(lambda). This is the
derivation behind Eqs. 19-20; as printed, Eq. 20 has exp(lambda) where Sigmoid(lambda) belongs, and 1 where
it belongs too (see the notebook on gradients).

Backward keeps z and theta only: u is computed again. The same Python functions run eagerly or, where a
compiler is at hand and the tensor is large enough to repay it, through torch.compile.
"""

from __future__ import annotations

import functools
import inspect
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from . import compile_cache
from .rows import as_rows, channels_lie_last, from_rows, parts_of

# (lo, hi - L) on u. Eq. 19 passes -theta/2L < z < theta - theta/2L, which is 0 < u < L for either sign of theta.
# The others are those of the baselines' public codes, which leave the gradient of a clamp to PyTorch: at its bounds
# that was 1 before PyTorch 2.14 and is 0 since. What is floored first (the first public QCFS code, SRP, COS) lies on
# a bound over a whole step at either end, so that the same code trains in another window since; what is clamped
# first (the newer public QCFS code) meets a bound at single points only.
WINDOWS: dict[str, tuple[float, float]] = {
    "paper": (0.0, 0.0),
    "floor_clamp": (0.0, 1.0),  # before PyTorch 2.14
    "floor_clamp_2.14": (1.0, 0.0),  # since
    "clamp_floor": (0.5, 0.5),  # both
}

# Below this many elements a compiled kernel saves less than its first call costs.
COMPILE_FROM = 1 << 19
# Elements of a recursion over time that a process has run before its kernels, one for each number of steps in one
# (`neurons.BLOCK`), input that is constant, added to or neither, and kind of threshold, are compiled: each takes 5 to
# 10 s of the processor and then saves some 2 ns an element. Both forms give the same bits, since a recursion has no
# sums over elements.
COMPILE_AFTER = 1 << 33
VARIANTS = 256  # of one kernel before it counts as failed
# A recursion unrolled over time must keep each membrane potential, or the compiler writes out the whole past of
# every step: 117 s instead of 4 s for 32 steps. It makes kernels of another kind three times slower.
RECURSION = {"realize_opcount_threshold": 4, "realize_reads_threshold": 1}


def as_vectors() -> dict[str, str | int | bool | Callable]:
    """Options for torch.compile that name how many bits of a vector the processor computes with, which it finds itself.

    PyTorch keeps the C++ that it writes on disk under a name that leaves this out, and compiles it with the flags of
    the process that reads it. Where two kinds of processor share a folder, or one process had ATEN_CPU_CAPABILITY,
    loops of eight numbers ran with vectors of sixteen: NaN and wrong accuracies in silence, or a corrupted heap.
    """
    from torch._inductor.cpu_vec_isa import pick_vec_isa

    return {"cpp.simdlen": pick_vec_isa().bit_width()}


def quantize(z: Tensor, step: Tensor, L: int) -> Tensor:
    """step * clip(floor(z / step + 1/2), 0, L); ``step`` = theta / L broadcasts against ``z``.

    Low-precision ``z`` is promoted by ``step``, so that levels stay exact, and rounded once at the end.
    """
    return torch.div(z, step).add_(0.5).floor_().clamp_(0, L).mul_(step).to(z.dtype)


def slopes(grad: Tensor, z: Tensor, step: Tensor, L: int, window: str) -> tuple[Tensor, Tensor]:
    """Gradient for z, and L times that for theta before its sum, both in the precision of ``step``.

    Inside the window (f - z) / theta = (floor(u) - u + 1/2) / L, so u alone is enough.
    """
    lo, hi = WINDOWS[window][0], L + WINDOWS[window][1]
    u = torch.div(z, step).add_(0.5).clamp_(lo - 1, hi + 1)  # finite, since 0 times infinity is NaN
    grad = grad.to(u.dtype)
    above = torch.where(u >= hi, grad, 0)
    grad_z = torch.where(u > lo, grad - above, 0)
    return grad_z, above.mul_(L).addcmul_(grad_z, u.floor().sub_(u).add_(0.5))


def quantize_backward(grad: Tensor, z: Tensor, step: Tensor, L: int, window: str, dim: int) -> tuple[Tensor, Tensor]:
    """Gradient for z, and for theta summed over dimension ``dim``."""
    grad_z, grad_theta = slopes(grad, z, step, L, window)
    return grad_z.to(z.dtype), grad_theta.sum(dim) / L


def backward_by_parts(grad: Tensor, z: Tensor, step: Tensor, L: int, window: str) -> tuple[Tensor, Tensor]:
    """Gradient for z [parts, ...], and for theta summed over the parts only, [...].

    A compiler makes one pass over memory of this, and two of `quantize_backward` where channels lie last.
    """
    grads, grads_theta = [], []
    for one, at in zip(grad.unbind(), z.unbind()):
        grad_z, grad_theta = slopes(one, at, step, L, window)
        grads.append(grad_z.to(z.dtype))
        grads_theta.append(grad_theta)
    return torch.stack(grads), functools.reduce(torch.add, grads_theta) / L


_failed: list[str] = []  # why compiling failed in this process; it is not tried again


def compiler_available(device: torch.device | str = "cpu") -> bool:
    """Whether torch.compile is to be tried on ``device``: not with CSQCFS_COMPILE=0, nor after it failed."""
    if os.environ.get("CSQCFS_COMPILE") == "0" or _failed:
        return False
    named = os.environ.get("CXX")
    if torch.device(device).type == "cuda" or any(map(shutil.which, [named] if named else ["c++", "g++", "clang++"])):
        return True
    _give_up("no C++ compiler found")
    return False


def _give_up(reason: str) -> None:
    if not _failed:
        _failed.append(reason)
        warnings.warn(f"{reason}: running the same kernels eagerly, several times slower", stacklevel=3)


@functools.cache
def check_cache() -> None:
    """`compile_cache.prepare`, once; without a folder nothing is compiled."""
    if reason := compile_cache.prepare():
        _give_up(reason)


def guarded(function: Callable, compiled: Callable[[], Callable]) -> Callable:
    """What ``compiled()`` gives, or ``function`` where that fails, which may be at its first call only.

    Within a mode that watches each operation, as PyTorch's FlopCounterMode, nothing compiles: ``function`` runs there.
    """
    built: list[Callable] = []

    def run(*args, **kwargs):
        check_cache()
        if _failed or is_in_torch_dispatch_mode():
            return function(*args, **kwargs)
        try:
            if not built:
                built.append(compiled())
            return built[0](*args, **kwargs)
        except Exception as error:  # of any kind: compiler, cache folder, PyTorch's own
            result = function(*args, **kwargs)  # raises where the arguments are at fault
            reason = (str(error).strip().splitlines() or [""])[0]
            _give_up(f"torch.compile failed ({type(error).__name__}: {reason[:200]})")
            return result

    return run


@functools.cache
def _compiled(function: Callable, recursion: bool) -> Callable:
    def compiled() -> Callable:
        # a kernel has a variant for each number of steps and kind of threshold, more than PyTorch's limit of 8
        limit = {"recompile_limit": VARIANTS}
        if "recompile_limit" not in inspect.signature(torch.compile).parameters:  # PyTorch 2.11: one limit for all
            torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, VARIANTS)
            limit = {}
        options = as_vectors() | (RECURSION if recursion else {})
        return torch.compile(function, dynamic=True, fullgraph=True, options=options, **limit)

    return guarded(function, compiled)


@functools.cache
def keep_freed_memory() -> None:
    """Teach the C library's allocator to keep a freed block for the next of its size.

    glibc gives memory back to the system beyond a limit that follows the largest block freed so far, at most
    32 MiB. Without this a quarter of the time of a simulation went into page faults, and an activation of 8 MiB
    took between one and four times as long, depending on what else was freed.
    """
    torch.empty((1 << 23) - (1 << 12))


def fastest(function: Callable, elements: int, device: torch.device, recursion: bool = False) -> Callable:
    """``function`` itself, or its compiled form for a tensor of so many elements on that device.

    ``recursion`` says that it is a loop over time-steps, see `RECURSION`.
    """
    if torch.compiler.is_compiling():
        return function
    if device.type == "cpu":
        keep_freed_memory()
    if elements < COMPILE_FROM:
        return function
    return _compiled(function, recursion) if compiler_available(device) else function


def fastest_over_time(function: Callable, x: Tensor, work: int | None) -> Callable:
    """`fastest` for a recursion on the input ``x`` of a simulation of ``work`` elements, by default those of ``x``."""
    _run[function] += x.numel()
    pays = _run[function] >= COMPILE_AFTER
    return fastest(function, (work or x.numel()) if pays else 0, x.device, recursion=True)


_run: Counter[Callable] = Counter()  # elements of each recursion in this process


def _step(theta: Tensor, L: int, last: bool) -> Tensor:
    """theta / L, shaped to broadcast along the channels; at least float32, and never 0-d, which would not promote z."""
    step = theta.to(torch.promote_types(theta.dtype, torch.float32)).reshape(-1) / L
    return step if last else step.unsqueeze(1)


class QuantizedClip(torch.autograd.Function):
    """f(z) of the module docstring for theta of shape [] or [C], with C in dimension 1 of z."""

    @staticmethod
    def forward(ctx, z: Tensor, theta: Tensor, L: int, window: str) -> Tensor:
        ctx.save_for_backward(z, theta)
        ctx.L, ctx.window, ctx.last = L, window, channels_lie_last(z)
        out = fastest(quantize, z.numel(), z.device)(as_rows(z, ctx.last), _step(theta, L, ctx.last), L)
        return from_rows(out, z.shape, ctx.last)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        z, theta = ctx.saved_tensors
        # whatever the strides of the gradient, its rows are those of z
        rows, grad_rows, step = as_rows(z, ctx.last), as_rows(grad, ctx.last), _step(theta, ctx.L, ctx.last)
        others = 1 if ctx.last else 2  # than channels, beside the first
        kernel = fastest(backward_by_parts, z.numel(), z.device)
        if kernel is backward_by_parts:  # no compiler, or one that has the whole network at hand
            grad_z, partial = quantize_backward(grad_rows, rows, step, ctx.L, ctx.window, others)
            grad_theta = partial.sum(0)
        else:
            shape = parts_of(rows.shape, ctx.last)
            grad_z, partial = kernel(grad_rows.reshape(shape), rows.reshape(shape), step, ctx.L, ctx.window)
            grad_z, grad_theta = grad_z.reshape(rows.shape), partial.sum((0, others))
        grad_theta = grad_theta if theta.dim() else grad_theta.sum()
        return from_rows(grad_z, z.shape, ctx.last), grad_theta.to(theta.dtype), None, None
