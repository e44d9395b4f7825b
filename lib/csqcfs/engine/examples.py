"""Inputs of a network: what an example may be, and more inputs of its kind."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .errors import InputError


def checked_example(example: Any) -> tuple[Tensor, ...] | None:
    """The inputs of ``example``, a tensor or a tuple of them.

    Raises:
        InputError: something else, or no image.
    """
    if example is None:
        return None
    inputs = example if isinstance(example, tuple) else (example,)
    wrong = next((type(x).__name__ for x in (inputs or (None,)) if not isinstance(x, Tensor)), None)
    if wrong is not None:
        raise InputError(f"example of type {wrong}: expected a batch of inputs as one tensor, or a tuple of tensors")
    if any(not x.dim() or not len(x) for x in inputs) or len({len(x) for x in inputs}) > 1:
        raise InputError(
            f"example of shapes {[list(x.shape) for x in inputs]}: expected batches of one size, 1 or more"
        )
    return tuple(x.detach().as_subclass(Tensor) for x in inputs)  # a subclass may not know how to be copied


def images_like(example: tuple[Tensor, ...], number: int, seed: int = 0) -> tuple[Tensor, ...]:
    """``number`` inputs of the kind of ``example``, all different: its own with noise, or drawn from its range."""
    generator = torch.Generator().manual_seed(seed)
    inputs = []
    for x in example:
        x = x.cpu()
        batch = x[torch.arange(number) % len(x)]
        if x.is_floating_point():
            noise = torch.randn(batch.shape, generator=generator) * max(float(x.float().std(correction=0)), 0.1)
            batch = batch + noise.to(x.dtype)
        elif not x.is_complex() and x.numel():
            low, high = int(x.min()), int(x.max())
            batch = torch.randint(low, high + 1, batch.shape, generator=generator).to(x.dtype)
        inputs.append(batch)
    return tuple(x.to(e.device) for x, e in zip(inputs, example))


def like(model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """``inputs`` on the device and of the type of the network's weights."""
    weight = next((p for p in model.parameters() if p.is_floating_point()), None)
    if weight is None:
        return inputs
    return tuple(x.to(weight.device, weight.dtype if x.is_floating_point() else x.dtype) for x in inputs)
