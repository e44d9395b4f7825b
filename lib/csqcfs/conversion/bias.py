"""Bias calibration: what neurons lack on average in T steps is added to their input, without any training.

In few steps, IF neurons of a layer emit on average less or more than its activation says, and every layer behind
sees inputs that are shifted. For T steps, channel by channel and layer by layer,

    b = mean(a) - mean(s),   a = QCFS(z) of the ANN,   s = sum_t s(t) theta / T of the SNN,

over the same images and all places; b is added to the input of each step. A layer is measured behind layers that are
calibrated already. The neurons stay what they are, no step is hidden, and the ANN is left alone.

Source: bias calibration of Li et al., "A Free Lunch From ANN", ICML 2021, arXiv 2106.06984, whose ANN has ReLU.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from ..data.images import ImageSet
from ..engine import layers
from ..engine.copies import deepcopy
from ..engine.errors import InputError
from ..engine.examples import like
from ..engine.folding import RowsLinear, forward_hooks
from ..engine.modules import does
from ..engine.simulation import IF, SUMS
from ..methods import Graded
from ..methods.base import Neurons, check_steps
from ..neurons import along_channels
from .images import few
from .snn import SNN
from .spiking import check_threshold

BEHIND = "_bias"  # ends the name of a `Bias`, after that of its neurons
LINEAR = (nn.Linear, RowsLinear)
WITH_BIAS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *LINEAR)


class Bias(nn.Module):
    """Adds ``b`` [C] to [N, C, ...], where no layer in front of the neurons can take it."""

    def __init__(self, b: Tensor):
        super().__init__()
        self.register_buffer("b", b)

    def forward(self, x: Tensor) -> Tensor:
        return x + along_channels(self.b, x.dim())


def calibrate_bias(snn: SNN, images: Tensor | tuple[Tensor, ...] | ImageSet | Iterable, T: int) -> SNN:
    """A copy of ``snn`` for runs of ``T`` steps, with biases that move each channel's mean output to that of the ANN.

    The biases become those of the convolutions and linear layers before the neurons, or of a `Bias` where there is
    none that can take it (behind a hook it is not the layer's); the scores' own mean is corrected, too, where a layer
    makes them. One pass over the layers: means come near those of the ANN and need not meet them, since what is added
    goes through the neurons. A run of another T is no error, and gains less.

    Args:
        images: as in `calibration.calibrate`, without labels: training images, never those of a test. They are
            simulated all at once, so that memory grows with their number and ``T``.

    Raises:
        InputError: no SNN; a method with steps before it answers; a threshold that is not positive; T below 1; images
            that are not such, or that the network does not take.
    """
    check_steps("T", T)
    if not isinstance(snn, SNN):
        raise InputError(f"snn of type {type(snn).__name__}: expected the SNN that csqcfs.convert makes")
    if snn.method.presteps:
        raise InputError(f'method "{snn.method.name}" has hidden steps: expected one without, such as "plain"')
    for name, theta in snn.thresholds.items():
        check_threshold(name, theta, False)
    inputs = like(snn.graph, few(images, snn.graph))
    x, work = inputs if len(inputs) > 1 else inputs[0], T * sum(x.numel() for x in inputs)
    exact, own = Graded().neurons(work)[1], snn.method.neurons(work)[1]
    wanted: dict[str, Tensor] = {}
    found: dict[str, tuple[Tensor, int]] = {}  # biases, and dimensions of the input

    def activate(site: str, x: Tensor, plus: Tensor | None, layer: Neurons) -> Tensor:
        out = exact(site, x, plus, layer)
        wanted[site] = channel_means(out)
        return out

    def shifted(site: str, x: Tensor, plus: Tensor | None, layer: Neurons) -> Tensor:
        z = x if plus is None else x + plus
        b = (wanted[site] - channel_means(own(site, z, None, layer))).to(z.dtype)
        found[site] = b, z.dim() - 1
        return own(site, z + along_channels(b, z.dim() - 1), None, layer)

    mine, theirs = snn.at_once(x, 1, activate), snn.at_once(x, T, shifted)
    new = deepcopy(snn)
    graph = new.graph
    for node in [node for node in graph.graph.nodes if node.name in found]:
        b, dim = found[node.name]
        if not _added(node.args[0], graph, b, dim):
            _put_before(node, graph, b)
    sources = graph.graph.output_node().all_input_nodes
    if len(sources) == 1:
        score, theirs = _only(mine), _only(theirs)
        b = (channel_means(score) - channel_means(theirs)).to(score.dtype)
        _added(sources[0], graph, b, score.dim() - 1)
    graph.recompile()
    return new


def with_biases(graph: fx.GraphModule, tensors: Mapping[str, Tensor]) -> None:
    """Give the ``graph`` of an SNN zeros for each bias that ``tensors``, of a calibrated one, have and it has not."""
    neurons = {f"{n.target}{BEHIND}.b": n for n in graph.graph.nodes if isinstance(layers.module_at(n, graph), IF)}
    for name, tensor in tensors.items():
        path, _, last = name.rpartition(".")
        layer = graph.get_submodule(path) if layers.has(graph, path) else None
        if layer is None and name in neurons and tensor.dim() == 1:
            _put_before(neurons[name], graph, torch.zeros_like(tensor))
        elif last == "bias" and type(layer) in WITH_BIAS and layer.bias is None:
            layer.bias = nn.Parameter(torch.zeros_like(tensor), requires_grad=layer.weight.requires_grad)
    graph.recompile()


def channel_means(out: Tensor) -> Tensor:
    """[C], the mean of [T, N, C, ...] over time, images and places."""
    return out.mean([d for d in range(out.dim()) if d != 2], dtype=torch.promote_types(out.dtype, torch.float32))


def _put_before(node: fx.Node, graph: fx.GraphModule, b: Tensor) -> None:
    """A `Bias` of ``b`` before the neurons at ``node``."""
    name = f"{node.target}{BEHIND}"
    while layers.has(graph, name):
        name += BEHIND
    graph.add_submodule(name, Bias(b))
    with graph.graph.inserting_before(node):
        node.args = (graph.graph.call_module(name, (node.args[0],)),)


def _only(scores: Any) -> Tensor:
    """The one tensor in what the network gives."""
    return next(leaf for leaf in pytree.tree_leaves(scores) if isinstance(leaf, Tensor))


def _added(node: fx.Node, graph: fx.GraphModule, b: Tensor, dim: int) -> bool:
    """Add ``b`` to the value of ``node``, of ``dim`` dimensions, in the layer that makes it; False where none can.

    Nothing else may read the value, or the layer be called elsewhere. Of a sum, one summand takes it.
    """
    if len(node.users) != 1:
        return False
    if node.op == "call_function" and node.target in SUMS and not node.kwargs and len(node.all_input_nodes) == 2:
        return any(_added(summand, graph, b, dim) for summand in node.all_input_nodes)
    layer = layers.module_at(node, graph)
    if type(layer) not in WITH_BIAS or not does(layer, *WITH_BIAS) or forward_hooks(layer):
        return False  # its output may be something else than weights and bias say
    if len(layer.weight) != len(b):
        return False
    if isinstance(layer, LINEAR) and dim != 2:  # its features are no channels
        return False
    calls = [other for other in graph.graph.nodes if layers.module_at(other, graph) is layer]
    read = any(other.op == "get_attr" and other.target.startswith(f"{node.target}.") for other in graph.graph.nodes)
    if len(calls) != 1 or read:
        return False
    whole = b if layer.bias is None else layer.bias.detach() + b
    layer.bias = nn.Parameter(whole, requires_grad=layer.weight.requires_grad)
    return True
