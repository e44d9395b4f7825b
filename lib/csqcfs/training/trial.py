"""A network tried on the images that it is to learn or to be measured on: what fails there is told in one line.

It runs once on one image in evaluation mode, and once on a batch, with its gradient, in training mode, where it may do
something else: give more than its logits, fewer classes, no gradient.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import is_lazy

from .. import data
from ..data.images import ImageSet
from ..engine.copies import opened
from ..engine.dense import require_dense
from ..engine.errors import InputError, reason, shortage
from ..engine.memory_format import laid_out
from ..engine.modules import as_model, device_of, modes_kept, values_kept


def require_gradients(model: nn.Module) -> None:
    """Refuse to train where PyTorch keeps no gradients, or weights that were made there."""
    tensors = [t for t in (*model.parameters(), *model.buffers()) if not is_lazy(t)]  # those are made at the first call
    if torch.is_inference_mode_enabled() or any(t.is_inference() for t in tensors):
        raise InputError(
            f"{type(model).__name__} in torch.inference_mode, or made there: expected gradients, which it never keeps; "
            "make the network and call fit outside of it"
        )


@torch.no_grad()
def check_outputs(model: nn.Module, images: ImageSet) -> None:
    """Refuse images that the network cannot take, and labels for which it has no output."""
    data.steps_per_epoch(len(images), 1)
    name = type(model).__name__
    with modes_kept(model), taking(name, images):
        x = as_model(model, images.normalise(images.images[:1]))
        check_width(name, one_tensor(name, laid_out(model.eval())(x)), images)


def check_training(
    model: nn.Module, images: ImageSet, batch_size: int, precision: str, memory_format: torch.memory_format
) -> None:
    """Refuse a network that cannot learn from what it does in training mode, before anything of it has changed.

    It gets one batch, and has its weights, buffers and gradients back afterwards; a wrapper that compiles or spreads it
    has no part in that.
    """
    name, inner, here = f"{type(model).__name__} in training mode", opened(model), device_of(model)
    x = as_model(model, images.normalise(images.images[: min(batch_size, len(images))]))
    rng = torch.random.fork_rng([here] if here.type == "cuda" else [])
    remedy = "fit calls it with images alone; wrap it in a module that needs no more"
    with modes_kept(model), values_kept(inner), torch.enable_grad(), rng, taking(name, images, remedy):
        if not model.training:  # else parts of it may be frozen
            model.train()
        with torch.autocast(here.type, torch.bfloat16, enabled=precision == "bfloat16"):
            out = one_tensor(name, inner(x.clone(memory_format=memory_format)))
        check_width(name, out, images)
        if len(out) != len(x):
            raise InputError(f"{name} gives {len(out)} rows of logits for {len(x)} images: expected one for each image")
        if not out.requires_grad:
            raise InputError(
                f"{name} gives logits without a gradient: expected one for its weights; take no_grad, detach or argmax "
                "out of its forward"
            )
        if out.shape[1] > 1 and bool((out >= 0).all()) and bool(((out.float().sum(1) - 1).abs() < 1e-3).all()):
            raise InputError(
                f"{name} gives probabilities: expected logits, since the loss of fit has its own softmax; train it "
                "without the one at its end"
            )
        out.sum().backward()


@torch.no_grad()
def check_single(model: nn.Module, images: ImageSet) -> None:
    """Refuse batches of one image for a batch norm in training that gets one value of each channel from it."""
    alone: list[_BatchNorm] = []
    norms = {m: name for name, m in model.named_modules() if isinstance(m, _BatchNorm)}
    handles = [
        norm.register_forward_pre_hook(lambda m, args: alone.extend([m] * _single(*args)))
        for norm in norms
        if norm.training or not model.training
    ]
    try:
        check_outputs(model, images)
    finally:
        for handle in handles:
            handle.remove()
    if alone:
        raise InputError(
            f"{norms[alone[0]]} ({type(alone[0]).__name__}) gets one value of each channel from a batch of one image, "
            "which has no spread: expected batches of 2 images or more; raise batch_size, or give more images"
        )


def _single(x: Tensor | None = None) -> bool:
    return x is not None and x.numel() == x.shape[1]


@contextlib.contextmanager
def taking(name: str, images: ImageSet, remedy: str = "build it for these") -> Iterator[None]:
    """What the network ``name`` raises at ``images`` becomes one line; a lack of memory stays."""
    try:
        yield
    except Exception as error:
        if isinstance(error, InputError) or shortage(error):
            raise
        raise InputError(
            f"{name} does not run on images of shape {list(images.images.shape[1:])} ({reason(error)}); {remedy}"
        ) from error


def one_tensor(name: str, out: Any) -> Tensor:
    """``out`` of the network ``name``, which must be one tensor of real numbers."""
    if not isinstance(out, Tensor):
        raise InputError(
            f"{name} gives a {type(out).__name__}: expected one tensor of logits [N, classes]; wrap it in a module "
            "that returns that part alone"
        )
    require_dense(out, f"the output of {name}")
    if out.is_complex() or out.dtype == torch.bool:
        raise InputError(f"{name} gives an output of {out.dtype}: expected real numbers; return its logits")
    return out


def check_width(name: str, out: Tensor, images: ImageSet) -> None:
    """Refuse labels for which ``out``, [N, classes] of the network ``name``, has no place."""
    highest = int(images.labels.max())
    if out.dim() != 2 or highest >= out.shape[1]:
        raise InputError(
            f"{name} gives an output of shape {list(out.shape)} and labels go up to {highest}: expected "
            f"[N, {highest + 1}] or wider; build it with more classes, or count labels from 0"
        )
