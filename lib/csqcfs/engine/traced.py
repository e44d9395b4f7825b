"""A traced copy of a network that computes what the network computes, in both modes: made, compared, or refused."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor, fx, nn

from .comparing import UNSEEN, check_same, copy_modes, running, to_be_compared
from .copies import carry, copied, opened
from .errors import InputError
from .examples import images_like
from .folding import refuse_hooks
from .frozen import Site, never_training, switched
from .gradients import LOST, lost_by_name, lost_in_training
from .graphs import Traced
from .modes import functions_to_modules
from .notes import Notes, notes, require_free_names
from .shadow import Untraceable, held
from .tracing import Tracer
from .untouched import untouched
from .untraceable import untraceable


def trace(model: nn.Module, example: tuple[Tensor, ...] | None = None, whole: tuple[type, ...] = ()) -> fx.GraphModule:
    """A traced copy of ``model`` in its modes; `images_like` inputs give the same through both, if there is an example.

    Raises:
        InputError: Python that torch.fx cannot follow; a network that does not run on the example, keeps state
            between calls, computes something else in training mode than its graph, or rewrites its values in a
            way that the graph does not follow.
    """
    model = opened(model)
    name = type(model).__name__
    if "forward" in vars(model):
        raise InputError(
            f"{name} has a forward of this instance alone: expected that of its class, which torch.fx traces; write it "
            "into a subclass"
        )
    root = copied(model)
    refuse_hooks("the network", model, "replaced by its graph")
    with untouched(model):
        return _traced(model, root.eval(), example, whole, name)


def trace_known(model: nn.Module, example: tuple[Tensor, ...], whole: tuple[type, ...] = ()) -> fx.GraphModule:
    """`trace` of a network of the package, for which tests make the comparisons, once and not at each loading."""
    graph = _graph_of(model, copied(model).eval(), example, Tracer(example, whole), type(model).__name__)
    copy_modes(model, graph)
    graph.meta = Notes(notes(model) | {UNSEEN: None, LOST: ""})
    return graph


def _traced(
    model: nn.Module, root: nn.Module, example: tuple[Tensor, ...] | None, whole: tuple[type, ...], name: str
) -> fx.GraphModule:
    tracer = Tracer(example, whole)
    eager = None if example is None else running(model, example)
    traced = _graph_of(model, root, example, tracer, name)
    if example is not None:
        check_same(model, eager, traced, example, tracer.types_read)
    else:
        _refuse_kept_by_hooks(model, traced)
    to_compare = to_be_compared(copied(model), traced) if example is None else None
    copy_modes(model, traced)
    carry(model, traced)
    traced.meta = Notes(notes(model))  # such as what `models.build` made
    lost = lost_by_name(model)
    if example is not None:
        lost = lost or lost_in_training(model, traced, example)
    traced.meta |= {UNSEEN: to_compare, LOST: lost}
    return traced


def _graph_of(
    model: nn.Module, root: nn.Module, example: tuple[Tensor, ...] | None, tracer: Tracer, name: str
) -> fx.GraphModule:
    """The graph of ``root``, a copy of ``model`` in evaluation mode, compared with nothing."""
    try:
        graph = tracer.trace(root)
        if tracer.rank_read:
            _hold_ranks(graph, example)
        require_free_names(graph, name)
        traced = Traced(root, graph, name)
    except InputError:
        raise
    except Exception as error:  # whatever the model's own forward raises on symbolic values
        inside = [name for name, _ in tracer.module_stack.values()]  # torch.fx leaves it as it was at the error
        by_sizes = example is None and not isinstance(error, Untraceable)
        more = ", or pass example=x, whose sizes decide it" if by_sizes else ""
        raise untraceable(root, error, inside[-1] if inside else "", more) from error
    for module in traced.modules():
        if getattr(module, "inplace", False) is True:
            module.inplace = False
    functions_to_modules(traced, root, _frozen(graph, model, example, tracer.whole))
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _refuse_kept_by_hooks(model: nn.Module, traced: fx.GraphModule) -> None:
    """Refuse tensors in no attribute, where a hook may keep them: a function that closes over self writes them into the
    original alone, and without an example only copies are compared.
    """
    hooks = [h for m in model.modules() for h in (*m._forward_hooks.values(), *m._forward_pre_hooks.values())]
    constant = any(name.startswith("_tensor_constant") for name, _ in traced.named_buffers())
    if constant and any(getattr(hook, "__closure__", None) for hook in hooks):
        raise InputError(
            f"{type(model).__name__} reads tensors that are no attribute of it and has a hook that closes over "
            "something and may keep them: expected an example, with which that is measured; pass example=x"
        )


def _frozen(graph: fx.Graph, model: nn.Module, example: tuple | None, whole: tuple[type, ...]) -> set[Site]:
    """Sites in evaluation whatever the mode, as far as a trace in training mode comes, which may end early."""
    if not switched(graph):
        return set()
    more = None if example is None else images_like(example, max(len(example[0]), 3), 3)
    root, tracer = copied(model), Tracer(more, whole)
    for name, module in root.named_modules():
        module.training = not tracer.is_leaf_module(module, name)
    with torch.random.fork_rng([x.device for x in example or () if x.is_cuda]):
        with contextlib.suppress(Exception):
            tracer.trace(root)
    return never_training(graph, tracer.graph)


def _hold_ranks(graph: fx.Graph, example: tuple) -> None:
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    for node, x in zip(placeholders, example):
        with graph.inserting_after(placeholders[-1]):
            rank = graph.call_method("dim", (node,))
        with graph.inserting_after(rank):
            graph.call_function(held, (rank, x.dim()))
