"""In which precision a machine trains fastest, and whether compiling the whole network repays it there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..engine.kernels import as_vectors, compiler_available, guarded

# Steps of a training that repay compiling its network as a whole. Measured on ResNet-20, batch 128: in bfloat16 on a
# processor with AMX about 30 s of preparation, then a step takes two thirds of its time (0.1 s less); in float32 on
# one without AVX-512 60 s, then 5 % less, which takes longer than a training of 55 epochs to repay. On an H200, in
# float32 with batches of 300, 45 s of preparation, then an epoch of CIFAR-10 takes 0.8 s instead of 4.0 s, or of 2.8 s
# compiled without a graph: a step is hundreds of kernels that take less time than their launch.
REPAID = 2000
REPAID_ON_A_GPU = 3000
LONG = max(REPAID, REPAID_ON_A_GPU)  # steps that repay it wherever anything does


def resolve_precision(precision: str, device: torch.device | str) -> str:
    """ "float32" or "bfloat16": ``precision`` itself, and for "fast" what ``device`` computes at full speed.

    A processor does so with instructions for products of bfloat16 (AMX or AVX-512-BF16), a GPU from capability 8.0.
    Others emulate it: a step of ResNet-20 at batch 128 then takes 6.4 s on one thread instead of 0.6 s in float32.
    """
    if precision != "fast":
        return precision
    device = torch.device(device)
    if device.type == "cuda":
        full = torch.cuda.get_device_capability(device) >= (8, 0)
    elif device.type == "cpu" and torch.backends.mkldnn.is_available():
        # the first follows ONEDNN_MAX_CPU_ISA, and is true also where oneDNN emulates
        queries = (torch.cpu._is_amx_tile_supported, torch.cpu._is_avx512_bf16_supported)
        full = torch.ops.mkldnn._is_mkldnn_bf16_supported() and any(query() for query in queries)
    else:
        full = False
    return "bfloat16" if full else "float32"


def in_use(precision: str, device: torch.device) -> dict[str, Any]:
    """How a training with this ``precision`` is computed here, ready for JSON: the precision, the number of threads,
    the devices so far, and whether cuDNN rounds the factors of float32 products to TF32, as PyTorch lets it."""
    resolved, gpu = resolve_precision(precision, device), device.type == "cuda"
    rounded = gpu and resolved == "float32" and torch.backends.cudnn.allow_tf32
    return {
        "precision": resolved,
        "threads": torch.get_num_threads(),
        "devices": [torch.cuda.get_device_name(device) if gpu else device.type],
        **({"tf32": True} if rounded else {}),
    }


def worth_compiling(precision: str, device: torch.device, steps: int) -> bool:
    """Whether a training of so many steps repays compiling its network as a whole.

    It follows from settings and machine alone, not from a stop-watch, so that the same call gives the same weights.
    """
    if device.type == "cuda":
        return steps >= REPAID_ON_A_GPU and compiler_available(device)
    return device.type == "cpu" and precision == "bfloat16" and steps >= REPAID and compiler_available(device)


def compiled(model: nn.Module, device: torch.device) -> Callable:
    """``model`` compiled as a whole, or itself where that fails; a GPU gets the kernels of a pass as one graph."""
    if device.type == "cuda":
        return guarded(model, lambda: torch.compile(model, mode="reduce-overhead"))
    return guarded(model, lambda: torch.compile(model, options=as_vectors()))
