"""Runs that draw the same random numbers, and how it shows that some were drawn."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .modules import GLOBAL, full_float32

TIMES = 3  # another thread draws from the same generators, and not each time


@contextlib.contextmanager
def repeatable(inputs: tuple[Tensor, ...], seed: int = 0) -> Iterator[None]:
    """Within it random numbers are those of ``seed``, and float32 is not rounded; the caller's are left alone.

    One thread at a time, since all draw from one generator.
    """
    devices = [x.device for x in inputs if x.is_cuda]
    with GLOBAL, full_float32(), torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs that are not restored, too
        for device in devices:
            torch.cuda.default_generators[device.index].manual_seed(seed)
        yield


def draw_alike(one: nn.Module, other: nn.Module, inputs: tuple[Tensor, ...]) -> bool:
    """Whether two networks draw as many random numbers, in their modes: what is drawn may change nothing this time."""

    def left(network: nn.Module) -> bytes:
        with torch.no_grad(), repeatable(inputs):
            network(*(x.clone() for x in inputs))
            return _state()

    return any(left(one) == left(other) for _ in range(TIMES))


def draws(call: Callable[[], Any]) -> bool:
    """Whether ``call`` takes random numbers from PyTorch, Python or NumPy, each time that it is made."""

    def state() -> tuple[Any, ...]:
        _, keys, place, *_ = np.random.get_state()
        return _state(), random.getstate(), keys.tobytes(), place

    for _ in range(TIMES):
        before = state()
        call()
        if state() == before:
            return False
    return True


def _state() -> bytes:
    return torch.default_generator.get_state().numpy().tobytes()
