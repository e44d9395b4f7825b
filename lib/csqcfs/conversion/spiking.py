"""The graph of a spiking network: neurons at every call of an activation, batch norm folded, the score's end apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from ..activations import ThresholdActivation
from ..engine import layers
from ..engine.copies import sharing
from ..engine.errors import InputError, NonpositiveThreshold, reason
from ..engine.folding import refuse_forward, refuse_hooks
from ..engine.graphs import Traced
from ..engine.simulation import IF, dependence


def with_neurons(model: fx.GraphModule, example: tuple[Tensor, ...] | None) -> fx.GraphModule:
    """A copy of ``model`` with its weights, in evaluation mode, with an `IF` of its own at every call of an activation.

    Raises:
        InputError: a hook on an activation, or a forward of its own; an example on which the network does not run.
    """
    refuse_hooks("the network", model, "simulated operation by operation")
    graph = sharing(model).eval()
    if example is not None:
        note_shapes(graph, example)
    called = {node: layers.module_at(node, graph) for node in graph.graph.nodes}
    calls = {node: site for node, site in called.items() if isinstance(site, ThresholdActivation)}
    for node, name in layers.names_for([*calls], graph, "act").items():
        site = calls[node]
        refuse_hooks(node.target, site, "replaced by neurons")
        refuse_forward(node.target, site, ThresholdActivation, "replaced by neurons")
        was = node.meta.get("was")
        layers.put(node, graph, IF(site.threshold, site.L), name)
        node.meta["was"] = was
    graph.recompile()
    return graph


def split_score(graph: fx.GraphModule) -> fx.GraphModule | None:
    """Take a final softmax, log_softmax or sigmoid off ``graph``, with what follows it; None if there is none.

    A score is the mean over time, and only that mean belongs into such a function. ``graph`` then gives a tuple of
    what the result makes its outputs of.
    """
    constant, timed = dependence(graph)
    neurons = [n for n in graph.graph.nodes if isinstance(layers.module_at(n, graph), IF)]
    driving = _ancestors(neurons)
    ends = {n for n in timed - driving if n.op != "output" and layers.is_score(n, graph)}
    late = layers.behind(graph.graph, lambda n: n in ends) - {graph.graph.output_node()}
    sizes = {n for n in constant | timed if layers.counts_images(n)}
    others = {n: [p for p in n.all_input_nodes if p not in sizes] for n in late}
    alone = all(len(parents) == 1 and (parents[0] in constant or parents[0] in timed) for parents in others.values())
    if not late or not alone or any(n.op == "call_module" and _has_parameters(n, graph) for n in late):
        return None
    output = graph.graph.output_node()
    leaves: list[fx.Node] = []
    score, copies = fx.Graph(), {}

    def placed(leaf: fx.Node) -> fx.Node:
        if leaf in copies:
            return copies[leaf]
        if leaf in late:
            (source,) = map(placed, others[leaf])
            for size in sizes.intersection(leaf.all_input_nodes):
                copies[size] = placed(size) if size in late else score.call_method("size", (source, 0))
            copies[leaf] = score.node_copy(leaf, copies.__getitem__)
        else:
            leaves.append(leaf)
            copies[leaf] = score.placeholder(leaf.name)
        return copies[leaf]

    structure = fx.map_arg(output.args[0], placed)
    placeholders = [node for node in score.nodes if node.op == "placeholder"]
    first = next(iter(score.nodes))
    for node in reversed(placeholders):
        if node is not first:
            first.prepend(node)
            first = node
    score.output(structure)
    end = Traced(graph, score)
    output.args = (tuple(leaves),)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return end


def unfolded(model: fx.GraphModule, example: tuple[Tensor, ...] | None) -> tuple[fx.GraphModule, fx.GraphModule | None]:
    """The spiking network of a quantized one before folding, and what is applied to its score, if anything.

    Raises:
        InputError: a hook on an activation; an example on which the network does not run.
    """
    graph = with_neurons(model, example)
    return graph, split_score(graph)


def _has_parameters(node: fx.Node, graph: fx.GraphModule) -> bool:
    return next(graph.get_submodule(node.target).parameters(), None) is not None


def _ancestors(nodes: list[fx.Node]) -> set[fx.Node]:
    found: set[fx.Node] = set()
    waiting = list(nodes)
    while waiting:
        for parent in waiting.pop().all_input_nodes:
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def note_shapes(graph: fx.GraphModule, example: tuple[Tensor, ...]) -> None:
    """Leave the shape of every value in its node, as tracing with an example does."""

    class Shapes(fx.Interpreter):
        def run_node(self, node: fx.Node) -> Any:
            out = super().run_node(node)
            if isinstance(out, Tensor):
                node.meta["shape"] = out.shape
            return out

    try:
        with torch.no_grad():
            interpreter = Shapes(graph)
            interpreter.extra_traceback = False
            interpreter.run(*example)
    except Exception as error:
        shapes = ", ".join(str(list(x.shape)) for x in example)
        raise InputError(
            f"the network does not run on an example of shape {shapes} ({reason(error)}); pass a batch of its inputs"
        ) from error


def neurons_of(graph: fx.GraphModule) -> dict[str, IF]:
    """Layers of neurons by site, in the order in which they run."""
    called = {node.target: layers.module_at(node, graph) for node in graph.graph.nodes}
    return {name: module for name, module in called.items() if isinstance(module, IF)}


def check_weights(name: str, graph: fx.GraphModule) -> None:
    """Raise InputError for a weight of the network ``name`` that is not there or not finite."""
    for key, weight in graph.state_dict().items():
        if weight.is_meta:
            raise InputError(f"{key} of {name} is on the device meta and has no value yet: expected one; load it first")
        if not bool(weight.isfinite().all()):
            raise InputError(f"{key} of {name} is not finite: expected finite weights; train again at a lower rate")


def check_neurons(graph: fx.GraphModule, allow_nonpositive: bool) -> None:
    """Raise InputError as `check_threshold`, and for a hook on neurons, which are no module that is called."""
    for name, neurons in neurons_of(graph).items():
        refuse_hooks(name, neurons, "run over all steps at once, where observer=... of the call sees it")
        check_threshold(name, neurons.threshold, allow_nonpositive)


def check_threshold(name: str, theta: Tensor, allow_nonpositive: bool) -> None:
    """Raise InputError for thresholds that are not finite or, unless they are allowed, not positive."""
    if theta.is_meta:
        raise InputError(f"threshold of {name} is on the device meta and has no value yet: expected one; load it first")
    if not bool(theta.isfinite().all()):
        raise InputError(f"threshold of {name} is not finite: expected finite values; train again at a lower rate")
    if allow_nonpositive or bool((theta > 0).all()):
        return
    bad = (theta <= 0).nonzero().flatten().tolist()
    where = f", channels {', '.join(map(str, bad[:5]))}{' ...' if len(bad) > 5 else ''}" if theta.dim() else ""
    raise NonpositiveThreshold(
        f"threshold {float(theta.min()):.4g} of {name}{where}: expected positive ones, since an IF neuron with "
        "another does not follow its activation; train with CS-QCFS, or pass allow_nonpositive=True with "
        "method='plain' to see what happens"
    )
