"""Runs that draw the same random numbers, PyTorch's, Python's and NumPy's, and how it shows that some were drawn."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from .modules import GLOBAL, full_float32


@contextlib.contextmanager
def repeatable(inputs: tuple[Tensor, ...], seed: int = 0) -> Iterator[None]:
    """Within it random numbers are those of ``seed``, and float32 is not rounded; the caller's are left alone.

    One thread at a time, since all draw from one generator.
    """
    devices = [x.device for x in inputs if x.is_cuda]
    with GLOBAL, full_float32(), torch.random.fork_rng(devices):
        python, numpy = random.getstate(), np.random.get_state()
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs that are not restored, too
        for device in devices:
            torch.cuda.default_generators[device.index].manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def random_numbers() -> int:
    """A digest of the state of the CPU's generators: another one where numbers were drawn."""
    _, keys, place, *_ = np.random.get_state()
    return hash((torch.default_generator.get_state().numpy().tobytes(), random.getstate(), keys.tobytes(), place))
