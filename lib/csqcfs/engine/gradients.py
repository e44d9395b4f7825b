"""Whether a graph learns what its network learns, found from the gradients of both on the same images.

A trace keeps operations with their derivatives. What a network does to gradients otherwise is lost, and no value that
it computes tells: `torch.no_grad` around a part, the backward of a torch.autograd.Function, a hook on gradients.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from .comparing import TOLERANCE, UNSEEN, check_unseen, copy_modes, differing
from .copies import REMOVED, copied
from .errors import InputError, reason
from .examples import images_like, like
from .halving import as_written
from .modules import GLOBAL
from .notes import notes
from .repeatable import draw_alike, repeatable
from .simulation import plain
from .untouched import untouched

LOST = "lost"  # in a graph's notes: see `lost_in_training`
IMAGES = 3  # a batch norm of two images can give 1 and -1 whatever it gets
OUTCOME = "so that training the quantized network is not training it: train it first, or"
Gradients = dict[str, Tensor | None]


def refuse_other_training(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Refuse to train a graph that learns something else than the network that it was made from.

    Raises:
        InputError: what is lost; or as `check_unseen` on ``inputs``, where the graph was made without an example.
    """
    known = notes(model)
    lost, unseen = known.get(LOST, ""), known.get(UNSEEN)
    if not lost and unseen is not None:
        check_unseen(unseen, inputs)
        with untouched(unseen[0]):
            lost = lost_in_training(unseen[0], unseen[1], like(unseen[0], inputs))
    if lost:
        raise InputError(lost)


def lost_by_name(model: nn.Module) -> str:
    """One line on what ``model`` does in training and no copy of it, as far as that shows; "" if nothing."""
    name = type(model).__name__
    for path, module in model.named_modules():
        for hook in module._forward_pre_hooks.values():
            if type(hook) in REMOVED:
                norm = REMOVED[type(hook)].__name__.removeprefix("remove_")
                return (
                    f"{path or name} has the old torch.nn.utils.{norm}, which its graph has not, {OUTCOME} use "
                    f"torch.nn.utils.parametrizations.{norm}"
                )
    for path, parameter in model.named_parameters():
        if parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None):
            return (
                f"{path} of {name} has a hook on its gradient, which its graph has not, {OUTCOME} remove the hook and "
                "register it on the parameter of the quantized network"
            )
    return ""


def lost_in_training(model: nn.Module, graph: fx.GraphModule, example: tuple[Tensor, ...]) -> str:
    """One line on the first parameter whose gradient in ``graph`` is not that in ``model``; "" if there is none.

    Compared in the modes of ``model``, or in training where no part of it is, where outputs must be those of the graph,
    too; in evaluation, where it fails in training or has other outputs there, as for a loss of its own.
    """
    inputs = images_like(example, IMAGES, 4)
    for training in (True, False):
        own = copied(model)
        if not training or not any(module.training for module in own.modules()):
            own.train(training)
        other = copied(graph)
        copy_modes(own, other)
        try:
            out, expected = _gradients(own, inputs)
        except Exception:
            continue
        try:
            same, found = _gradients(other, inputs)
        except Exception as error:
            return f"the graph of {type(model).__name__} gives no gradients ({reason(error)}), {OUTCOME} change that"
        if training and _alike(out, same) and (differing(out, same) or not draw_alike(own, other, inputs)):
            return (
                f"{type(model).__name__} computes something else in training mode than its graph, {OUTCOME} make what "
                "changes with the mode a module, as nn.Dropout"
            )
        if not differing(out, same):
            return _line(type(model).__name__, _first_other(expected, found))
    return ""


def _line(name: str, parameter: str) -> str:
    return parameter and (
        f"{parameter} of {name} has another gradient than its operations give, as with torch.no_grad around a part, a "
        f"torch.autograd.Function or a hook on gradients, {OUTCOME} use x.detach() instead of no_grad, and "
        "x + (f(x) - x).detach() instead of a backward of your own"
    )


def _alike(one: Any, two: Any) -> bool:
    """Whether outputs are as many tensors of the same shapes."""
    (a, first), (b, second) = (pytree.tree_flatten(out) for out in (one, two))
    return first == second and [getattr(x, "shape", None) for x in a] == [getattr(x, "shape", None) for x in b]


def _gradients(model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Any, Gradients]:
    """Outputs, and by parameter the gradient of a sum of them with random factors; None where there is none."""
    generator = torch.Generator().manual_seed(0)
    with repeatable(inputs), torch.enable_grad(), as_written(), _without_onednn():
        out = plain(model(*(x.clone() for x in inputs)))
        parts = []
        for x in pytree.tree_leaves(out):
            if isinstance(x, Tensor) and x.requires_grad:
                x = torch.view_as_real(x) if x.is_complex() else x
                factors = torch.randn(x.shape, generator=generator, device="cpu")
                parts.append((x * factors.to(x)).sum())
        if parts:
            torch.autograd.backward(parts)
    named = model.named_parameters(remove_duplicate=False)
    return out, {name: p.grad for name, p in named if p.requires_grad}


@contextlib.contextmanager
def _without_onednn() -> Iterator[None]:
    """oneDNN writes past its buffers in some weight gradients of a network that was trained in channels_last, see
    `memory_format`. Its switch is one for all threads: the next that comes here waits."""
    with GLOBAL:
        before, *_ = torch.backends.mkldnn.set_flags(False, _fp32_precision=None)
        try:
            yield
        finally:
            torch.backends.mkldnn.set_flags(before, _fp32_precision=None)


def _first_other(expected: Gradients, found: Gradients) -> str:
    """The first parameter whose gradients differ beyond rounding, of those in both."""
    largest = max((_size(g) for g in expected.values() if g is not None), default=0.0)
    return next((n for n, g in expected.items() if n in found and _other(g, found[n], largest)), "")


def _other(one: Tensor | None, two: Tensor | None, largest: float) -> bool:
    """Whether gradients differ, those of a network whose largest is ``largest``; none is not zero, which decays."""
    if one is None or two is None:
        return one is not two
    within = TOLERANCE.get(one.dtype, 0.05)
    # behind a batch norm the gradient of a bias is nothing but rounding
    atol = max(within * _size(one), 0.01 * within * largest)
    return not torch.allclose(one.to_dense(), two.to_dense(), rtol=within, atol=atol, equal_nan=True)


def _size(gradient: Tensor) -> float:
    return float(gradient.to_dense().abs().nan_to_num(0, 0, 0).max()) if gradient.numel() else 0.0
