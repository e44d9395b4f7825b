"""Whether a graph computes what its network computes, found by running both: at once, or at the first input."""

from __future__ import annotations

import contextlib
import copy
import inspect
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from .copies import copied
from .errors import InputError, reason
from .examples import images_like, like, within
from .halving import as_written, halving
from .modules import modes_kept
from .repeatable import draw_alike, repeatable
from .simulation import plain
from .untouched import untouched

UNSEEN = "unseen"  # in a graph's meta: what is to be compared, see `check_unseen`
# of the largest value that differs, see `_unlike`; 0.05 for smaller types
TOLERANCE = {torch.float64: 1e-9, torch.complex128: 1e-9, torch.float32: 1e-4, torch.complex64: 1e-4}


def running(model: nn.Module, example: tuple[Tensor, ...]) -> nn.Module:
    """A copy in evaluation mode, if it runs on ``example``, on more images, and twice with one result."""
    eager, name = copied(model).eval(), type(model).__name__
    if any(x.is_meta for x in example):
        raise InputError("example on the device meta: expected values; pass a batch of inputs on the network's device")
    shapes = ", ".join(str(list(x.shape)) for x in example)
    try:
        _output(eager, example)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"the network does not run on an example of shape {shapes} ({reason(error)}); {_remedy(eager)}"
        ) from error
    more = images_like(example, len(example[0]) + 1)
    try:
        first, second = (_output(eager, more, seed) for seed in range(2))
    except Exception as error:
        raise InputError(
            f"{name} runs on an example of shape {shapes} and not on one image more ({reason(error)}): expected a "
            "batch [N, ...] and a network that takes any N; give one image a batch dimension, or read N off the input"
        ) from error
    if differing(first, second):
        raise InputError(
            f"{name} gives something else for the same input the second time: expected a network without state "
            "between calls or randomness in evaluation mode; take it out of its forward, and pass "
            "training=self.training to dropout"
        )
    if differing(first, _own(model, more)):
        raise InputError(
            f"{name} computes something else than a deep copy of it, as where a hook or a lambda closes over self and "
            "reads or writes the original: expected no such functions; let forward itself keep the values that it "
            "needs, and make a lambda a method"
        )
    return eager


def _own(model: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    """What the user's own network gives in evaluation, which no copy of it can stand for; within `untouched`."""
    with modes_kept(model), as_written():
        for module in model.modules():
            module.training = False  # not by eval(), which may be the user's and merge weights
        try:
            return _output(model, inputs)
        except Exception as error:
            raise InputError(
                f"{type(model).__name__} does not run on inputs on which a deep copy of it does ({reason(error)}): "
                "expected both to; take out of its forward what only one of them has"
            ) from error


def _remedy(model: nn.Module) -> str:
    parameters = inspect.signature(model.forward).parameters.values()
    named = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    return f"let its forward take {', '.join(named)} without the name too" if named else "pass a batch of its inputs"


def check_same(
    model: nn.Module, eager: nn.Module, traced: fx.GraphModule, example: tuple[Tensor, ...], types_read: list[str]
) -> None:
    """Refuse a graph that computes something else than ``model``, in evaluation and, where it is in it, training."""
    name, number = type(model).__name__, max(len(example[0]), 2)
    for inputs, changed in (
        (images_like(example, number, 1), contextlib.nullcontext()),
        (within(images_like(example, number + 1, 2), example), contextlib.nullcontext()),
        (images_like(example, number, 3), halving()),
    ):
        with changed:
            where = _compared(eager, traced.eval(), inputs)
        if where:
            other = f"{name} computes something else than its operations one by one ({where})"
            if types_read:
                raise InputError(
                    f"{other}, perhaps because `is` compares a type of the trace's own ({types_read[0]}); compare "
                    "types and devices with =="
                )
            if hooked := _hooked(traced):
                raise InputError(
                    f"{other}, perhaps because a hook on {hooked} keeps a tensor that a forward reads: expected none "
                    "that does; let forward itself keep the values that it needs"
                )
            raise InputError(
                f"{other}: it changes values that others share, calls a layer whose result it does not use or by "
                "torch.func.functional_call, or works under a context such as torch.autocast; write x = f(x) instead "
                "of changing a part of x in place, leave out what is not used, and put the context around the whole "
                "network"
            )
    if not any(module.training for module in model.modules()):
        return
    student = copied(traced)
    copy_modes(model, student)
    teacher, inputs = copied(model), images_like(example, max(number, 3), 3)
    where = _compared(teacher, student, inputs)
    if not where and not draw_alike(teacher, student, inputs):
        where = "in the random numbers that it draws"
    if where:
        raise InputError(
            f"{name} computes something else in training mode than its operations in evaluation mode ({where}); call "
            ".eval() first, or make what changes with the mode a module, as nn.Dropout"
        )


def _hooked(traced: fx.GraphModule) -> str | None:
    """The first layer with a hook that may have kept a tensor, where the graph reads one that is no attribute."""
    if not any(name.startswith("_tensor_constant") for name, _ in traced.named_buffers()):
        return None
    return next((name for name, module in traced.named_modules() if module._forward_hooks), None)


def to_be_compared(model: nn.Module, traced: fx.GraphModule) -> tuple[nn.Module, fx.GraphModule]:
    """``model`` and a copy of its graph with the same weights, to be compared once there are inputs."""
    mine = dict([*traced.named_parameters(), *traced.named_buffers()])
    theirs = dict([*model.named_parameters(), *model.named_buffers()])
    memo: dict[int, Any] = {id(tensor): theirs[name] for name, tensor in mine.items() if name in theirs}
    return model, copy.deepcopy(traced, memo)


def check_unseen(unseen: tuple[nn.Module, fx.GraphModule] | None, inputs: tuple[Tensor, ...]) -> None:
    """Compare what `trace` could not without an example, on inputs of any type and device.

    Raises:
        InputError: as `trace`.
    """
    if unseen is not None:
        model, graph = unseen
        example = like(model, inputs)
        with untouched(model):
            check_same(model, running(model, example), graph, example, [])


def _compared(model: nn.Module, traced: nn.Module, inputs: tuple[Tensor, ...]) -> str:
    """Where two networks first differ on ``inputs``: what enters a module, an output or a buffer; "" if nowhere."""
    shared = {n for n, m in traced.named_modules() if n and not any(m.children())}
    seen: list[list[tuple[str, Tensor]]] = [[], []]
    outputs = []
    for network, entering in zip((model, traced), seen):
        handles = [
            module.register_forward_pre_hook(_noting(name, entering))
            for name, module in network.named_modules()
            if name in shared and type(module) is type(traced.get_submodule(name))
        ]
        try:
            outputs.append(_output(network, inputs))
        except InputError as error:  # a size that is held, of inputs that differ from the example in number alone
            raise InputError(
                f"{type(model).__name__} decides by the number of images in Python, as a loop over them does: expected "
                f"a network that takes any number at once; let its operations run over dimension 0 ({reason(error)})"
            ) from error
        except Exception as error:
            return "" if network is model and model.training else reason(error)
        finally:
            for handle in handles:
                handle.remove()
    both = {name for name, _ in seen[0]} & {name for name, _ in seen[1]}
    paths = [[(name, x) for name, x in entering if name in both] for entering in seen]
    for (one, x), (two, y) in zip(*paths):
        if one != two or differing(x, y):
            return f"at {one}"
    if len(paths[0]) != len(paths[1]) or differing(*outputs):
        return "in its output"
    mine = dict(traced.named_buffers())
    counts = "num_batches_tracked"  # matters to no norm with a momentum
    return next(
        (f"in {n}" for n, b in model.named_buffers() if n in mine and differing(b, mine[n]) and not n.endswith(counts)),
        "",
    )


def _noting(name: str, entering: list) -> Any:
    def hook(module: nn.Module, inputs: tuple) -> None:
        if inputs and isinstance(inputs[0], Tensor) and inputs[0].numel():
            x = inputs[0].detach()
            x = torch.view_as_real(x.resolve_conj()).double() if x.is_complex() else x.double()
            entering.append((name, torch.stack([x.sum(), x.abs().sum(), x.square().sum()])))

    return hook


def _output(model: nn.Module, inputs: tuple[Tensor, ...], seed: int = 0) -> Any:
    with torch.no_grad(), repeatable(inputs, seed):
        return plain(model(*(x.clone() for x in inputs)))


def differing(one: Any, two: Any) -> bool:
    """Whether two outputs differ in structure, shape or, beyond rounding, in value."""
    (a, first), (b, second) = (pytree.tree_flatten(out) for out in (one, two))
    if first != second:
        return True
    return any(_unlike(x, y) for x, y in zip(a, b))


def _unlike(x: Any, y: Any) -> bool:
    if not isinstance(x, Tensor) or not isinstance(y, Tensor):
        return type(x) is not type(y) or x != y
    if x.shape != y.shape or x.dtype != y.dtype:
        return True
    if not x.numel() or not (x.is_floating_point() or x.is_complex()):
        return not torch.equal(x, y)
    size = x.detach().abs().nan_to_num(0, 0, 0)
    # a mask's constant -1e9 says nothing of the rounding beside it; up to 1, what is equal says it too
    largest = max(float((size * (x != y)).max()), min(float(size.max()), 1.0))
    within = TOLERANCE.get(x.dtype, 0.05)
    return not torch.allclose(x, y, rtol=within, atol=within * largest, equal_nan=True)


def copy_modes(model: nn.Module, traced: fx.GraphModule) -> None:
    """Training or not, module by module, since parts may be frozen; new modules follow the one that calls them."""
    modes = {name: module.training for name, module in model.named_modules(remove_duplicate=False)}
    for name, module in traced.named_modules():
        parent = name
        while parent not in modes:
            parent = parent.rpartition(".")[0]
        module.training = modes[parent]
