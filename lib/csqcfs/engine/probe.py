"""Whether a spiking network may run over all steps at once, found by measuring.

Between two layers of neurons everything must be affine, so that the mean over time of what enters a layer is what
enters it for the mean of the spikes; and each image must give alone what it gives in a batch, since time is laid out
along the batch. Both are properties of the network and not of its weights' luck, so every activation puts out
random values v that follow no input, once alone and once with disturbances of mean zero over the steps: in the mean
over the steps, what enters each activation and what leaves the network must be what one image gives by itself, step by
step, in the network as it was before folding, with its weights and with others than those that it starts from, see
`trained`. In double precision a difference is not rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from .batched import Batched
from .copies import as_precise, sharing
from .counts import largest_count
from .draws import Alone, Draw, Together, precise, same, without_finite
from .errors import InputError, reason
from .examples import batches, images_like, within
from .fault import fault, line, named, undefined, whole
from .folding import folded
from .simulation import IF, front, in_order, plain
from .trained import as_trained

# images, steps, the size of values and disturbances (a clamp shows at a large one, an offset at a small one), and
# whether they are positive: a root of others is NaN, which hides it and all that stands behind it
DRAWS = ((3, 2, 1.0, False), (2, 3, 0.01, False), (2, 2, 1e4, False), (2, 2, 1.0, True))
DEFAULT = (torch.float32, torch.complex64)  # unless a user sets another one
PLAIN = (bool, int, float, torch.Size, torch.dtype, torch.device, type(None))  # answers without a tensor in them
LOWER = {"float": "double", "half": "double", "bfloat16": "double", "cfloat": "cdouble", "chalf": "cdouble"}


@torch.no_grad()
def check(
    reference: fx.GraphModule, end: fx.GraphModule | None, example: tuple[Tensor, ...], name: str
) -> dict[str, str]:
    """`front` of the network as it will be simulated, folded, if it may be.

    Args:
        reference: the network with neurons, before folding or, where nothing else is left of it, after.
        end: what is applied to the score, see `spiking.split_score`.
        example: inputs.
        name: of the network, for messages.

    Raises:
        InputError: an operation that is not affine or looks at other images, named with its place and line.
    """
    with _DefaultDouble():
        return _checked(reference, end, example, name)


def _checked(
    reference: fx.GraphModule, end: fx.GraphModule | None, example: tuple[Tensor, ...], name: str
) -> dict[str, str]:
    inputs = tuple(x.to(as_precise(x.dtype, torch.float64)) for x in example)
    end = None if end is None else _double(end)
    own, trained = _Measured(reference, end, inputs, name), as_trained(reference)
    draws = [*enumerate((*DRAWS, *_more(own.simulated)))]
    if trained is None:
        lost = own.measure(draws)
    else:
        lost = own.measure(draws[:1])
        try:
            lost &= _Measured(trained, end, inputs, name).measure(draws[1:])
        except InputError as error:
            if error.__cause__ is None:
                raise
            lost &= own.measure(draws[1:])  # where a mask that is trainable selects, other weights do not run
    if lost and all(bool(w.isfinite().all()) for w in own.unfolded.state_dict().values()):  # others are not the probe's
        draw = Draw(*DRAWS[-1])
        given = within(images_like(inputs, draw.images), inputs)
        if (message := undefined(own.simulated, draw, given, own.carrying, lost, name)) is not None:
            raise InputError(message)
    return own.carrying


class _Measured:
    """A network with certain weights, before folding and as it will be simulated."""

    def __init__(self, reference: fx.GraphModule, end: fx.GraphModule | None, inputs: tuple[Tensor, ...], name: str):
        self.end, self.inputs, self.name = end, inputs, name
        self.unfolded = _double(reference)
        self.simulated = folded(self.unfolded)
        try:
            self.carrying = front(self.simulated, images_like(inputs, 3, 10), images_like(inputs, 2, 11))
        except Exception as error:
            raise InputError(f"{name} does not take batches of shape {batches(inputs)} ({reason(error)})") from error

    def measure(self, draws: list[tuple[int, tuple[int, int, float, bool]]]) -> set[str]:
        """Sites, or "output", at which nothing could be compared, since no draw gives a finite value.

        Raises:
            InputError: as `check`; with a cause where the network does not run.
        """
        lost: list[set[str]] = []
        for number, draw in ((number, Draw(*settings)) for number, settings in draws):
            given = images_like(self.inputs, draw.images, number)
            given = within(given, self.inputs) if draw.positive else given
            together = _together(self.simulated, draw, given, self.carrying, self.name)
            for i in range(draw.images):
                alone = Alone(self.unfolded, draw, i)
                try:
                    alone.out = plain(alone.run(*(x[i : i + 1] for x in given)))
                except InputError:
                    raise
                except Exception as error:
                    raise InputError(f"{self.name} does not run on one image alone ({reason(error)})") from error
                site = _differing(together, alone, self.end, draw, i)
                if site is not None:
                    raise InputError(fault(self.simulated, draw, given, self.carrying, site, self.name))
                sites = (*alone.entering.items(), ("output", alone.out))
                lost.append({site for site, x in sites if without_finite(x)})
        return set.intersection(*lost)


class _DefaultDouble(TorchFunctionMode):
    """What a network makes without a type of its own, as torch.zeros(8) or uint8 / 255, is in double precision.

    In this thread alone: the default type of PyTorch would be another one for all.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            return _doubled(out)
        return out if isinstance(out, PLAIN) else pytree.tree_map_only(Tensor, _doubled, out)


def _doubled(x: Tensor) -> Tensor:
    with torch._C.DisableTorchFunctionSubclass():
        return x.to(as_precise(x.dtype, torch.float64)) if x.dtype in DEFAULT else x


def _double(graph: fx.GraphModule) -> fx.GraphModule:
    """A copy that computes in float64 whatever the network asks for."""
    graph = sharing(graph, torch.float64)
    for node in graph.graph.nodes:
        node.args, node.kwargs = fx.node.map_aggregate(
            (node.args, node.kwargs), lambda a: as_precise(a, torch.float64) if isinstance(a, torch.dtype) else a
        )
        if node.op == "call_method":
            node.target = LOWER.get(node.target, node.target)
    graph.recompile()
    return graph


def _more(graph: fx.GraphModule) -> list[tuple[int, int, float, bool]]:
    """A further draw, of more images and steps than the network counts by, if it does."""
    count = largest_count(graph)
    return [(2, count // 2 + 1, 1.0, False)] if count > max(draw[0] * draw[1] for draw in DRAWS) else []


def _together(graph: fx.GraphModule, draw: Draw, given: tuple, carrying: dict[str, str], name: str) -> Together:
    together = Together(graph, draw, carrying)
    try:
        together.out = together.run(*in_order(given))
    except InputError:
        raise
    except Exception as error:
        node = together.node
        if node.op == "output":
            raise InputError(whole(name)) from error
        if node.op == "call_module" and isinstance(graph.get_submodule(node.target), IF):
            raise InputError(
                f"the batch is not in dimension 0 at {node.target} of {name} ({reason(error)}): expected it there; "
                "move it back before the activation"
            ) from error
        raise InputError(
            f"{named(node, graph, name)} cannot run over all steps at once, with time along the batch "
            f"({reason(error)}): expected the batch in dimension 0, and inputs of the size that it was built for; keep "
            f"it there, or give it these{line(node)}"
        ) from error
    return together


def _differing(together: Together, alone: Alone, end: Any, draw: Draw, i: int) -> str | None:
    """The first site, or "output", at which the mean over time in a batch is not what the image gives alone."""
    for site, x in together.entering.items():
        if site not in alone.entering or not same(x, alone.entering[site], draw, i):
            return site
    many, structure = pytree.tree_flatten(together.out)
    one, other = pytree.tree_flatten(alone.out)
    if structure != other or any(not same(x, y, draw, i) for x, y in zip(many, one)):
        return "output"
    if end is not None:
        scores = pytree.tree_leaves(Batched(end).run(*(precise(x).mean(0) for x in many)))
        scores = [x[None] if isinstance(x, Tensor) else x for x in scores]
        if any(not same(x, y, draw, i) for x, y in zip(scores, pytree.tree_leaves(Batched(end).run(*one)))):
            return "score"
    return None
