"""In which precision a machine trains fastest, and whether compiling the whole network repays it there."""

from __future__ import annotations

import torch

from ..engine.kernels import compiler_available

# Steps of a training that repay compiling its network as a whole. Measured on ResNet-20, batch 128: in bfloat16 on a
# processor with AMX about 30 s of preparation, then a step takes two thirds of its time (0.1 s less); in float32 on
# one without AVX-512 60 s, then 5 % less, which takes longer than a training of 55 epochs to repay.
REPAID = 2000


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


def worth_compiling(precision: str, device: torch.device, steps: int) -> bool:
    """Whether a training of so many steps repays compiling its network as a whole; measured on CPUs only.

    It follows from settings and machine alone, not from a stop-watch, so that the same call gives the same weights.
    """
    return device.type == "cpu" and precision == "bfloat16" and steps >= REPAID and compiler_available(device)
