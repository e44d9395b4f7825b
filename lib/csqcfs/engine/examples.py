"""Inputs of a network: what an example and the images may be, and more inputs of an example's kind."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from .errors import InputError

Kind = tuple[tuple[torch.Size, torch.dtype], ...]  # sizes of one image and type of each input


def checked_example(example: Any) -> tuple[Tensor, ...] | None:
    """The inputs of ``example``, a tensor or a tuple of them.

    Raises:
        InputError: something else, no image, or values that are not finite, at which nothing can be compared.
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
    if not all(x.is_meta or bool(x.isfinite().all()) for x in inputs):
        raise InputError(
            "example with values that are not finite: expected none; torch.empty makes such, torch.rand none"
        )
    return tuple(x.detach().as_subclass(Tensor) for x in inputs)  # a subclass may not know how to be copied


def check_together(given: tuple[Any, ...]) -> None:
    """Refuse several inputs among the arguments of an SNN, which takes them as one."""
    if (number := sum(isinstance(one, Tensor) and one.dim() > 0 for one in given)) > 1:
        raise InputError(f"{number} inputs one by one: expected x and T; pass the inputs as one tuple, snn((x, y), T)")


def checked_inputs(graph: fx.GraphModule, x: Any) -> tuple[Tensor, ...]:
    """The inputs ``x`` of a traced network, one tensor or a tuple of them, as a tuple.

    Raises:
        InputError: not tensors, none, not finite, or of another type or device than the network's weights.
    """
    inputs = x if isinstance(x, tuple) else (x,)
    expected = sum(node.op == "placeholder" for node in graph.graph.nodes)
    for one in inputs:
        if not isinstance(one, Tensor):
            raise InputError(f"input of type {type(one).__name__}: expected a tensor; use torch.as_tensor")
        if one.layout != torch.strided:
            raise InputError(f"input of layout {one.layout}: expected a dense tensor; use x.to_dense()")
    if len(inputs) != expected:
        raise InputError(f"{len(inputs)} inputs: expected {expected}, several as a tuple of tensors")
    if any(not one.dim() or not len(one) for one in inputs):
        raise InputError("a batch without images: expected at least one")
    if len({len(one) for one in inputs}) > 1:
        raise InputError(f"inputs of {[len(one) for one in inputs]} images: expected one number for all")
    weight = next((t for t in (*graph.parameters(), *graph.buffers()) if t.is_floating_point()), None)
    for one in inputs:
        if weight is not None and one.device != weight.device:
            raise InputError(f"images on {one.device}: expected them on {weight.device}, where the network is")
        if not one.is_floating_point():
            continue
        if weight is not None and one.dtype != weight.dtype:
            raise InputError(
                f"images of {one.dtype}: expected {weight.dtype} as the network's weights; use images.to(...)"
            )
        if not bool(one.isfinite().all()):
            bad = (
                (~one.isfinite()).flatten(1).any(1).nonzero().flatten()
                if one.dim() > 1
                else (~one.isfinite()).nonzero()
            )
            raise InputError(
                f"image {int(bad.flatten()[0])} of the batch has values that are not finite: expected none"
            )
    return inputs


def images_like(example: tuple[Tensor, ...], number: int, seed: int = 0) -> tuple[Tensor, ...]:
    """``number`` inputs of the kind of ``example``, all different: its own with noise, or drawn from its range."""
    generator = torch.Generator().manual_seed(seed)
    inputs = []
    for x in example:
        x = x.cpu()
        batch = x[torch.arange(number, device="cpu") % len(x)]
        if x.is_floating_point():
            noise = torch.randn(batch.shape, generator=generator, device="cpu")
            batch = batch + (noise * max(float(x.float().std(correction=0)), 0.1)).to(x.dtype)
        elif not x.is_complex() and x.numel():
            low, high = int(x.min()), int(x.max())
            batch = torch.randint(low, high + 1, batch.shape, generator=generator, device="cpu").to(x.dtype)
        inputs.append(batch)
    return tuple(x.to(e.device) for x, e in zip(inputs, example))


def within(inputs: tuple[Tensor, ...], example: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Floats of ``inputs`` no further than those of ``example`` reach, where a logarithm or a root of them is defined.

    As far as they reach, all images may have one maximum: what looks at it wants others, too.
    """
    ranges = [torch.aminmax(e) if e.is_floating_point() and e.numel() else None for e in example]
    return tuple(x if r is None or r.min == r.max else x.clamp(r.min, r.max) for x, r in zip(inputs, ranges))


def like(model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """``inputs`` on the device and of the type of the network's weights."""
    weight = next((p for p in model.parameters() if p.is_floating_point()), None)
    if weight is None:
        return inputs
    return tuple(x.to(weight.device, weight.dtype if x.is_floating_point() else x.dtype) for x in inputs)


def batches(inputs: tuple[Tensor, ...]) -> str:
    """The shapes of ``inputs`` as a message names them, [N, 3, 32, 32]: what stands first was taken for the batch."""
    return ", ".join("[" + ", ".join(["N", *map(str, x.shape[1:])]) + "]" for x in inputs)


def kind_of(inputs: tuple[Tensor, ...]) -> Kind:
    """What decides how values of a network carry the batch, see `probe`."""
    return tuple((x.shape[1:], x.dtype) for x in inputs)
