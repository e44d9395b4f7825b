"""A traced copy of a network that computes what the network computes, in both modes: made, compared, or refused."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from . import layers
from .copies import carry, copied, opened
from .errors import InputError
from .folding import refuse_hooks
from .graphs import Traced
from .modules import full_float32
from .shadow import Untraceable, held
from .simulation import plain
from .tracing import Tracer

UNSEEN = "unseen"  # in a graph's meta: what is to be compared, see `check_unseen`
# of the largest value; 0.05 for smaller types
TOLERANCE = {torch.float64: 1e-9, torch.complex128: 1e-9, torch.float32: 1e-4, torch.complex64: 1e-4}


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


def trace(model: nn.Module, example: tuple[Tensor, ...] | None = None, whole: tuple[type, ...] = ()) -> fx.GraphModule:
    """A traced copy of ``model`` in its modes; `images_like` inputs give the same through both, if there is an example.

    Raises:
        InputError: Python that torch.fx cannot follow; a network that does not run on the example, keeps state
            between calls, computes something else in training mode than its graph, or rewrites its values in a
            way that the graph does not follow.
    """
    model = opened(model)
    name = type(model).__name__
    root, tracer = copied(model).eval(), Tracer(example, whole)
    refuse_hooks("the network", model, "replaced by its graph")
    eager = None if example is None else _running(model, example)
    try:
        graph = tracer.trace(root)
        if tracer.rank_read:
            _hold_ranks(graph, example)
        traced = Traced(root, graph, name)
    except InputError:
        raise
    except Exception as error:  # whatever the model's own forward raises on symbolic values
        inside = [name for name, _ in tracer.module_stack.values()]  # torch.fx leaves it as it was at the error
        where = f" at {inside[-1]}" if inside else ""
        remedy = "take data-dependent Python control flow out of its forward"
        if example is None and not isinstance(error, Untraceable):
            remedy += ", or pass example=x, whose sizes decide it"
        raise InputError(f"{name} cannot be traced by torch.fx{where} ({reason(error)}); {remedy}") from error
    for module in traced.modules():
        if getattr(module, "inplace", False) is True:
            module.inplace = False
    layers.functions_to_modules(traced, root)
    traced.delete_all_unused_submodules()
    traced.recompile()
    unseen = None
    if example is not None:
        _check_same(model, eager, traced, example, tracer.types_read)
    else:
        unseen = _unseen(copied(model), traced)
    _copy_modes(model, traced)
    carry(model, traced)
    traced.meta |= getattr(model, "meta", {})  # such as what `models.build` made
    traced.meta[UNSEEN] = unseen
    return traced


def _unseen(model: nn.Module, traced: fx.GraphModule) -> tuple[nn.Module, fx.GraphModule]:
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
        _check_same(model, _running(model, example), graph, example, [])


def like(model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """``inputs`` on the device and of the type of the network's weights."""
    weight = next((p for p in model.parameters() if p.is_floating_point()), None)
    if weight is None:
        return inputs
    return tuple(x.to(weight.device, weight.dtype if x.is_floating_point() else x.dtype) for x in inputs)


def _hold_ranks(graph: fx.Graph, example: tuple) -> None:
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    for node, x in zip(placeholders, example):
        with graph.inserting_after(placeholders[-1]):
            rank = graph.call_method("dim", (node,))
        with graph.inserting_after(rank):
            graph.call_function(held, (rank, x.dim()))


def _running(model: nn.Module, example: tuple[Tensor, ...]) -> nn.Module:
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
            f"the network does not run on an example of shape {shapes} ({reason(error)}); pass a batch of its inputs"
        ) from error
    more = images_like(example, len(example[0]) + 1)
    try:
        first, second = (_output(eager, more, seed) for seed in range(2))
    except Exception as error:
        raise InputError(
            f"{name} runs on an example of shape {shapes} and not on one image more ({reason(error)}): expected a "
            "batch [N, ...] and a network that takes any N; give one image a batch dimension, or read N off the input"
        ) from error
    if _differing(first, second):
        raise InputError(
            f"{name} gives something else for the same input the second time: expected a network without state "
            "between calls or randomness in evaluation mode; take it out of its forward, and pass "
            "training=self.training to dropout"
        )
    return eager


def _check_same(
    model: nn.Module, eager: nn.Module, traced: fx.GraphModule, example: tuple[Tensor, ...], types_read: list[str]
) -> None:
    """Refuse a graph that computes something else than ``model``, in evaluation and, where it is in it, training."""
    name, number = type(model).__name__, max(len(example[0]), 2)
    for inputs in (images_like(example, number, 1), images_like(example, number + 1, 2)):
        if where := _compared(eager, traced.eval(), inputs):
            if types_read:
                raise InputError(
                    f"{name} computes something else than its operations one by one ({where}), perhaps because `is` "
                    f"compares a type of the trace's own ({types_read[0]}); compare types and devices with =="
                )
            raise InputError(
                f"{name} computes something else than its operations one by one ({where}): it changes values that "
                "others share, or works under a context such as torch.autocast; write x = f(x) instead of changing a "
                "part of x in place, and put the context around the whole network"
            )
    if not any(module.training for module in model.modules()):
        return
    student = copied(traced)
    _copy_modes(model, student)
    if where := _compared(copied(model), student, images_like(example, max(number, 3), 3)):
        raise InputError(
            f"{name} computes something else in training mode than its operations in evaluation mode ({where}); call "
            ".eval() first, or make what changes with the mode a module, as nn.Dropout"
        )


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
        if one != two or _differing(x, y):
            return f"at {one}"
    if len(paths[0]) != len(paths[1]) or _differing(*outputs):
        return "in its output"
    mine = dict(traced.named_buffers())
    counts = "num_batches_tracked"  # matters to no norm with a momentum
    return next(
        (
            f"in {n}"
            for n, b in model.named_buffers()
            if n in mine and _differing(b, mine[n]) and not n.endswith(counts)
        ),
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
    devices = [x.device for x in inputs if x.is_cuda]
    with torch.no_grad(), full_float32(), torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        return plain(model(*(x.clone() for x in inputs)))


def _differing(one: Any, two: Any) -> bool:
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
    largest = float(x.detach().abs().nan_to_num(0, 0, 0).max())
    within = TOLERANCE.get(x.dtype, 0.05)
    return not torch.allclose(x, y, rtol=within, atol=within * largest, equal_nan=True)


def _copy_modes(model: nn.Module, traced: fx.GraphModule) -> None:
    """Training or not, module by module, since parts may be frozen; new modules follow the one that calls them."""
    modes = {name: module.training for name, module in model.named_modules(remove_duplicate=False)}
    for name, module in traced.named_modules():
        parent = name
        while parent not in modes:
            parent = parent.rpartition(".")[0]
        module.training = modes[parent]


def reason(error: Exception) -> str:
    """The first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
