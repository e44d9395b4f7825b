"""Whether a spiking network may run over all steps at once, found by measuring.

Between two layers of neurons everything must be affine, so that the mean over time of what enters a layer is what
enters it for the mean of the spikes; and each image must give alone what it gives in a batch, since time is laid out
along the batch. Both are properties of the network and not of its weights' luck, so every activation puts out
random values v that follow no input, once alone and once with disturbances of mean zero over the steps: in the mean
over the steps, what enters each activation and what leaves the network must be what one image gives by itself, step by
step, in the network as it was before folding. In double precision a difference is not rounding.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from . import layers
from .errors import InputError
from .folding import folded
from .simulation import IF, Simulation, dependence, front, in_order, plain
from .traced import images_like, reason

# images, steps, and the size of values and disturbances: a clamp shows at a large one, an offset at a small one
DRAWS = ((3, 2, 1.0), (2, 3, 0.01), (2, 2, 1e4))
RELATIVE = 1e-9  # of the largest number at a site
ABSOLUTE = 1e-11  # of the draw's size
FACTORIES = {torch.zeros, torch.ones, torch.empty, torch.rand, torch.randn}
LOWER = {"float": "double", "half": "double", "bfloat16": "double"}
REMEDIES = {
    "mul": "a product of two activations is none; leave the gate out, or let it depend on the image alone",
    "LayerNorm": "use a batch norm instead",
    "GroupNorm": "use a batch norm instead",
    "InstanceNorm2d": "use a batch norm instead",
    "softmax": "leave attention out, and a softmax only at the very end",
    "Softmax": "leave attention out, and a softmax only at the very end",
}


@dataclass
class Draw:
    """Random outputs of every activation for ``images`` over ``steps``, the same whatever runs them."""

    images: int
    steps: int
    size: float
    disturbed: bool = True
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))
    values: dict[str, Tensor] = field(default_factory=dict)
    noise: dict[str, Tensor] = field(default_factory=dict)

    def spikes(self, name: str, x: Tensor) -> Tensor:
        """Outputs [steps, images ...] for the input ``x`` of a layer: v and a disturbance of mean zero."""
        if name not in self.values:
            shape = (self.steps, *x.shape[1:])
            noise = torch.randn(shape, generator=self.generator, dtype=torch.float64) * self.size
            self.noise[name] = (noise - noise.mean(0)).to(x.device)
            value = torch.randn(shape[1:], generator=self.generator, dtype=torch.float64) * self.size
            self.values[name] = value.to(x.device)
        value = self.values[name].expand(x.shape[0], *self.values[name].shape)
        out = (value + self.noise[name] if self.disturbed else value).flatten(0, 1)
        return in_order((out,))[0].unflatten(0, (self.steps, -1))


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
    unfolded = _double(reference)
    simulated = folded(unfolded)
    inputs = tuple(x.double() if x.is_floating_point() else x for x in example)
    end = None if end is None else _double(end)
    try:
        carrying = front(simulated, images_like(inputs, 3, 10), images_like(inputs, 2, 11))
    except Exception as error:
        raise InputError(f"{name} does not run on 2 or 3 images like the example ({reason(error)})") from error
    for number, draw in enumerate(Draw(*settings) for settings in DRAWS):
        given = images_like(inputs, draw.images, number)
        together = _together(simulated, draw, given, carrying, name)
        for i in range(draw.images):
            alone = _Alone(unfolded, draw, i)
            try:
                alone.out = plain(alone.run(*(x[i : i + 1] for x in given)))
            except InputError:
                raise
            except Exception as error:
                raise InputError(f"{name} does not run on one image alone ({reason(error)})") from error
            site = _differing(together, alone, end, draw, i)
            if site is not None:
                raise InputError(_fault(simulated, draw, given, carrying, site, name))
    return carrying


def _double(graph: fx.GraphModule) -> fx.GraphModule:
    """A copy that computes in float64 whatever the network asks for."""
    graph = copy.deepcopy(graph).double()
    for node in graph.graph.nodes:
        node.args, node.kwargs = fx.node.map_aggregate(
            (node.args, node.kwargs),
            lambda a: torch.float64 if isinstance(a, torch.dtype) and a.is_floating_point else a,
        )
        if node.target in FACTORIES:
            node.kwargs = {"dtype": torch.float64} | node.kwargs
        if node.op == "call_method":
            node.target = LOWER.get(node.target, node.target)
    graph.recompile()
    return graph


class _Together(Simulation):
    """The simulation with the draw's spikes: what enters each layer, and, to find a fault, every value's mean."""

    def __init__(self, graph: fx.GraphModule, draw: Draw, carrying: dict[str, str], keep: bool = False):
        super().__init__(graph, draw.steps, self._fire, None, "probe", carrying)
        self.draw, self.keep = draw, keep
        self.entering: dict[str, Tensor] = {}
        self.means: dict[fx.Node, Any] = {}
        self.node: fx.Node | None = None

    def _fire(self, name: str, x: Tensor, plus: Tensor | None, neurons: IF) -> Tensor:
        self.entering[name] = x if plus is None else x + plus
        return self.draw.spikes(name, x)

    def run_node(self, node: fx.Node) -> Any:
        self.node = node
        out = super().run_node(node)
        if self.keep and isinstance(out, Tensor) and node in self.timed and node.op != "output":
            self.means[node] = self._steps(out).double().mean(0) if self._in_front(out) else None
        return out


class _Alone(fx.Interpreter):
    """Image ``i`` of a draw by itself, once, with the activations' undisturbed values."""

    def __init__(self, graph: fx.GraphModule, draw: Draw, i: int, keep: bool = False):
        super().__init__(graph)
        self.draw, self.i, self.keep, self.extra_traceback = draw, i, keep, False
        self.entering: dict[str, Tensor] = {}
        self.all: dict[fx.Node, Any] = {}
        self.out: Any = None

    def run_node(self, node: fx.Node) -> Any:
        self.site = node.name
        out = super().run_node(node)
        if self.keep:
            self.all[node] = out
        return out

    def call_module(self, target: str, args: tuple, kwargs: dict) -> Any:
        if not isinstance(self.module.get_submodule(target), IF):
            return super().call_module(target, args, kwargs)
        x = self.entering[self.site] = args[0]
        value = _share(self.draw.values[self.site], self.draw.images, self.i)
        if value.numel() != x.numel():
            raise InputError(
                f"the batch is not in dimension 0 at {target}, where one image gives {list(x.shape)}: expected it "
                "there; move it back before the activation"
            )
        return value.reshape(x.shape)


def _share(value: Tensor, images: int, i: int) -> Tensor:
    """What image ``i`` has of a value whose first dimension is that of ``images``."""
    each = len(value) // images
    return value[i * each : (i + 1) * each]


def _together(graph: fx.GraphModule, draw: Draw, given: tuple, carrying: dict[str, str], name: str) -> _Together:
    together = _Together(graph, draw, carrying)
    try:
        together.out = together.run(*in_order(given))
    except Exception as error:
        node = together.node
        raise InputError(
            f"{_named(node, graph, name)} cannot run over all steps at once, with time along the batch "
            f"({reason(error)}): expected the batch in dimension 0; keep it there{_line(node)}"
        ) from error
    return together


def _differing(together: _Together, alone: _Alone, end: Any, draw: Draw, i: int) -> str | None:
    """The first site, or "output", at which the mean over time in a batch is not what the image gives alone."""
    for site, x in together.entering.items():
        if site not in alone.entering or not _same(x, alone.entering[site], draw, i):
            return site
    many, structure = pytree.tree_flatten(together.out)
    one, other = pytree.tree_flatten(alone.out)
    if structure != other or any(not _same(x, y, draw, i) for x, y in zip(many, one)):
        return "output"
    if end is not None:
        scores = pytree.tree_leaves(end(*(x.double().mean(0) for x in many)))
        scores = [x[None] if isinstance(x, Tensor) else x for x in scores]
        if any(not _same(x, y, draw, i) for x, y in zip(scores, pytree.tree_leaves(end(*one)))):
            return "score"
    return None


def _same(over_time: Any, alone: Any, draw: Draw, i: int) -> bool:
    """Whether [steps, images ...] is, in the mean over steps, [1 ...] at image ``i``."""
    if not isinstance(over_time, Tensor) or not isinstance(alone, Tensor):
        return type(over_time) is type(alone) and over_time == alone
    if over_time.dim() < 2 or over_time.shape[1] % draw.images:
        return False
    mine = _share(over_time.movedim(0, 1), draw.images, i).movedim(0, 1).double()
    if mine[0].numel() != alone.numel() or mine[0].dim() - alone.dim() not in (0, 1):
        return False
    wanted = alone.double().reshape(mine[0].shape)
    if not wanted.numel():
        return True
    mean, lost = mine.mean(0), ~wanted.isfinite()  # broken weights are not the probe's to find
    largest = max(float(x.nan_to_num(0, 0, 0).abs().max()) for x in (mine, wanted))
    near = (mean - wanted).abs() <= RELATIVE * largest + ABSOLUTE * draw.size
    return bool((near | (lost & ~mean.isfinite())).all())


def _fault(graph: fx.GraphModule, draw: Draw, given: tuple, carrying: dict, site: str, name: str) -> str:
    """One line that names the operation because of which ``site`` differs."""
    if site == "score":
        return f"the function at the end of {name} looks at other images of the batch: expected each image alone"
    reader = next(n for n in graph.graph.nodes if (n.op == "output" if site == "output" else n.name == site))
    culprit, mixes = None, False
    for disturbed in (False, True):  # with equal steps only a look at other images shows
        draw.disturbed = disturbed
        culprit = _culprit(graph, draw, given, carrying)
        if culprit is not None:
            mixes = not disturbed
            break
    node = culprit or reader
    if mixes:
        return (
            f"{_named(node, graph, name)} has no counterpart in an SNN of IF neurons: it looks at other images of the "
            f"batch, along which time runs; let it see each image alone, over its own dimensions{_line(node)}"
        )
    what = layers.describe(node, graph).rstrip("()")
    return (
        f"{_named(node, graph, name)} has no counterpart in an SNN of IF neurons: expected only operations between "
        f"ReLUs that are linear in them; {REMEDIES.get(what, 'replace it by a ReLU')}{_line(node)}"
    )


def _culprit(graph: fx.GraphModule, draw: Draw, given: tuple, carrying: dict) -> fx.Node | None:
    """The first operation whose value is not, in the mean over time, that of each image alone."""
    together = _Together(graph, draw, carrying, keep=True)
    together.run(*in_order(given))
    alone = [_Alone(graph, draw, i, keep=True) for i in range(draw.images)]
    for i, one in enumerate(alone):
        one.run(*(x[i : i + 1] for x in given))
    constant, timed = dependence(graph)
    for node in graph.graph.nodes:
        if node in timed and (mean := together.means.get(node)) is not None:
            if any(not _same(mean[None], one.all[node], draw, i) for i, one in enumerate(alone)):
                return node
        elif node in constant and carrying.get(node.name) == "batched":
            together_value = _first(graph, node, given)
            if together_value is not None and any(
                not _same(together_value[None], one.all[node], draw, i) for i, one in enumerate(alone)
            ):
                return node
    return None


def _first(graph: fx.GraphModule, wanted: fx.Node, given: tuple) -> Tensor | None:
    """The value of a node that depends on the images alone."""
    value = None

    class Until(fx.Interpreter):
        def run_node(self, node: fx.Node) -> Any:
            nonlocal value
            if value is not None:
                return None
            out = super().run_node(node)
            if node is wanted:
                value = out
            return out

    try:
        Until(graph).run(*given)
    except Exception:
        return None
    return value if isinstance(value, Tensor) else None


def _named(node: fx.Node, graph: fx.GraphModule, name: str) -> str:
    return f"{layers.describe(node, graph)} at {layers.place(node) or 'forward'} of {name}"


def _line(node: fx.Node) -> str:
    return f" ({node.meta['line']})" if node.meta.get("line") and node.op != "call_module" else ""
