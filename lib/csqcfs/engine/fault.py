"""The operation because of which a network cannot be converted, in one line with its place, line and a remedy."""

from __future__ import annotations

from typing import Any

from torch import Tensor, fx
from torch.nn.modules import activation

from . import layers
from .draws import Alone, Draw, Together, same, without_finite
from .shadow import held
from .simulation import IF, dependence, in_order

ATTENTION = "leave attention out, and a softmax only at the very end"
RECURRENCE = "let it depend on the image alone, before the first ReLU"
NORM = "use a batch norm instead"
AT_END = "leave it out of the network and apply it to the SNN's scores"
ACTIVATIONS = {name.lower() for name in activation.__all__}
JOINS = ("cat", "concat", "concatenate", "vstack", "row_stack")
JOINED = "join views of an image beside it, as torch.stack(views, 1).flatten(0, 1)"
REMEDIES = {
    "mul": "a product of two activations is none; leave the gate out, or let it depend on the image alone",
    **dict.fromkeys(("LayerNorm", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "RMSNorm"), NORM),
    **dict.fromkeys(("layer_norm", "group_norm", "instance_norm", "rms_norm"), NORM),
    **dict.fromkeys(("softmax", "Softmax", "MultiheadAttention", "scaled_dot_product_attention"), ATTENTION),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), RECURRENCE),
}


def fault(graph: fx.GraphModule, draw: Draw, given: tuple, carrying: dict, site: str, name: str) -> str:
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
    if node.op == "output":
        return whole(name)
    what = layers.describe(node, graph).rstrip("()")
    if mixes:
        apart = JOINED if what in JOINS else "let it see each image alone, over its own dimensions"
        return (
            f"{named(node, graph, name)} has no counterpart in an SNN of IF neurons: it looks at other images of the "
            f"batch, along which time runs; {apart}{line(node)}"
        )
    remedy = AT_END if _ends(node, graph) and REMEDIES.get(what) not in (NORM, RECURRENCE) else _remedy(what)
    return (
        f"{named(node, graph, name)} has no counterpart in an SNN of IF neurons: expected only operations between "
        f"ReLUs that are linear in them; {remedy}{line(node)}"
    )


def undefined(
    graph: fx.GraphModule, draw: Draw, given: tuple, carrying: dict, sites: set[str], name: str
) -> str | None:
    """One line that names the operation because of which ``sites`` have no finite value, if it is behind neurons."""
    leading: set[fx.Node] = set()
    for node in reversed(graph.graph.nodes):
        if node.name in sites or (node.op == "output" and "output" in sites) or leading.intersection(node.users):
            leading.add(node)
    Together(graph, draw, carrying).run(*in_order(given))  # which draws
    alone = Alone(graph, draw, 0, keep=True)
    alone.run(*(x[:1] for x in given))
    constant, timed = dependence(graph)
    found = (n for n in graph.graph.nodes if n in leading & (constant | timed) and without_finite(alone.all[n]))
    node = next(found, None)
    if node is None or node in constant:
        return None  # the example does not tell of what kind images are
    return (
        f"{named(node, graph, name)} gives no finite value for any that were tried: expected only operations between "
        f"ReLUs that are linear in them; {_remedy(layers.describe(node, graph).rstrip('()'))}{line(node)}"
    )


def _ends(node: fx.Node, graph: fx.GraphModule) -> bool:
    """Whether neither neurons nor a layer with weights stands behind ``node``, so that it can be left to the user."""
    after = layers.behind(graph.graph, lambda n: n is node) - {node}
    modules = [module for n in after if (module := layers.module_at(n, graph)) is not None]
    return not any(isinstance(m, IF) or next(m.parameters(), None) is not None for m in modules)


def _remedy(what: str) -> str:
    if what in REMEDIES:
        return REMEDIES[what]
    known = what.replace("_", "").lower() in ACTIVATIONS
    return "replace it by a ReLU" if known else "leave it out, or put an affine operation in its place"


def _culprit(graph: fx.GraphModule, draw: Draw, given: tuple, carrying: dict) -> fx.Node | None:
    """The first operation whose value is not, in the mean over time, that of each image alone."""
    together = Together(graph, draw, carrying, keep=True)
    together.run(*in_order(given))
    alone = [Alone(graph, draw, i, keep=True) for i in range(draw.images)]
    for i, one in enumerate(alone):
        one.run(*(x[i : i + 1] for x in given))
    constant, timed = dependence(graph)
    for node in graph.graph.nodes:
        if node in timed and (mean := together.means.get(node)) is not None:
            if any(not same(mean[None], one.all[node], draw, i) for i, one in enumerate(alone)):
                source = node.args[0] if node.args else None
                while isinstance(source, fx.Node) and source.target is held:
                    source = source.args[0]
                several = isinstance(source, fx.Node) and isinstance(alone[0].all[source], (tuple, list))
                return source if several else node
        elif node in constant and carrying.get(node.name) == "batched":
            together_value = _first(graph, node, given)
            if together_value is not None and any(
                not same(together_value[None], one.all[node], draw, i) for i, one in enumerate(alone)
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


def whole(name: str) -> str:
    """One line on an output that is not one for each image."""
    return (
        f"the output of {name} is not one for each image: expected tensors [N, ...] that differ from image to image by "
        "nothing else; leave out means over the batch, and what the images do not decide"
    )


def named(node: fx.Node, graph: fx.GraphModule, name: str) -> str:
    return f"{layers.describe(node, graph)} at {layers.place(node) or 'forward'} of {name}"


def line(node: fx.Node) -> str:
    return f" ({node.meta['line']})" if node.meta.get("line") and node.op != "call_module" else ""
