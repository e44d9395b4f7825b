"""A plain SNN as a graph of the Neuromorphic Intermediate Representation (NIR); `nir_read` is the way back.

Spikes are binary and every threshold is 1: a layer with weights W, bias b, behind neurons with threshold theta and
before neurons with threshold theta', becomes

    W theta / theta',   b / theta'

and where no layer stands between two layers of neurons, as in a residual sum, a `nir.Scale` of theta / theta' does.
What NIR's IF does not say stands in the metadata: fire at v >= 1, soft reset, v(0) = 1/2, one step of time 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn.utils.prune import BasePruningMethod

from ..engine.copies import duplicate
from ..engine.errors import InputError, reason
from ..engine.folding import RowsLinear, forward_hooks
from ..engine.modules import does
from ..engine.simulation import IF, SUMS
from ..neurons import along_channels
from .nir_layers import dense, flattens, pooling
from .snn import SNN
from .spiking import note_shapes
from .tools import STATED, require_nir, require_plain

PASSED = (nn.Identity, nn.Dropout, nn.Dropout2d)
WEIGHTS = (nn.Conv1d, nn.Conv2d, nn.Linear, RowsLinear, nn.BatchNorm2d)


@dataclass
class Layer:
    """A convolution or linear layer while scales are still folded into it."""

    kind: str
    weight: Tensor
    bias: Tensor
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass
class Term:
    """One summand of a value: the node that makes it, a factor [] or [C] that is still to be applied, and whether
    nothing else reads the node, so that a layer can take the factor into its weights."""

    source: str
    factor: Tensor
    alone: bool


def to_nir(snn: SNN, shape: Sequence[int]):
    """The SNN as a `nir.NIRGraph` for inputs of ``shape``, [C, H, W] or [features].

    Raises:
        InputError: no SNN, a method other than "plain", thresholds that are not positive, no `nir`; an operation
            that NIR does not have, by name.
    """
    require_plain(snn, "NIR")
    try:
        sizes = torch.Size(shape)
    except TypeError as error:
        raise InputError(f"shape = {shape!r}: expected the sizes of one input, such as (3, 32, 32)") from error
    if any(tensor.dtype == torch.bfloat16 for tensor in snn.state_dict().values()):
        raise InputError("an SNN in bfloat16, which NIR's arrays do not have: expected float32; call .float() first")
    return _Writer(snn.graph, require_nir(), sizes).write()


class _Writer:
    def __init__(self, graph: fx.GraphModule, nir, shape: tuple[int, ...]):
        self.graph, self.nir, self.shape = graph, nir, shape
        self.layers: dict[str, Layer] = {}
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.values: dict[fx.Node, list[Term]] = {}
        self.ran = duplicate(graph)  # by a run, hooks such as those of pruning renew the weights that they make
        self.shapes = self._shapes()

    def _shapes(self) -> dict[fx.Node, tuple[int, ...]]:
        """Of every tensor without its batch dimension."""
        bare = self.ran
        for name, module in self.graph.named_modules():
            if isinstance(module, IF):
                bare.set_submodule(name, nn.Identity())
        like = next(self.graph.parameters(), torch.zeros(1))
        try:
            note_shapes(bare, (torch.zeros(1, *self.shape, dtype=like.dtype, device=like.device),))
        except (InputError, RuntimeError) as error:
            why = reason(error.__cause__ or error)
            raise InputError(f"the network does not take inputs of shape {list(self.shape)} ({why})") from error
        found = {node.name: node.meta.get("shape") for node in bare.graph.nodes}
        return {
            node: tuple(found[node.name][1:]) for node in self.graph.graph.nodes if found.get(node.name) is not None
        }

    def write(self):
        for node in self.graph.graph.nodes:
            if node in self.shapes:
                self.values[node] = self._value(node)
        for name, layer in self.layers.items():
            weight, bias = layer.weight.cpu().numpy(), layer.bias.cpu().numpy()
            self.nodes[name] = getattr(self.nir, layer.kind)(weight=weight, bias=bias, **layer.settings)
        try:
            return self.nir.NIRGraph(self.nodes, self.edges, dict(STATED))
        except ValueError as error:  # of a size that nir infers otherwise, such as behind a kernel that is not square
            raise InputError(
                f"nir refuses the graph ({reason(error)}): expected layers whose sizes it infers"
            ) from error

    def _value(self, node: fx.Node) -> list[Term]:
        alone = len(node.users) == 1
        if node.op == "placeholder":
            self.nodes[node.name] = self.nir.Input(np.array(self.shape))
            return [Term(node.name, torch.ones(()), alone)]
        if node.op == "output":
            source = node.args[0]
            self.nodes[node.name] = self.nir.Output(np.array(self.shapes[source]))
            self._connect(source, node)
            return []
        module = self.graph.get_submodule(node.target) if node.op == "call_module" else None
        if module is not None and any(not isinstance(hook, BasePruningMethod) for hook in forward_hooks(module)):
            raise InputError(
                f"{type(module).__name__} at {node.name} has a hook, which has no counterpart in NIR: expected none; "
                "remove the hook first"
            )
        if node.target in SUMS and not node.kwargs and all(isinstance(arg, fx.Node) for arg in node.args):
            a, b = node.args
            if self.shapes[a] == self.shapes[b]:
                terms = self.values[a] + self.values[b]
                once = Counter(term.source for term in terms)
                return [replace(t, alone=t.alone and alone and once[t.source] == 1) for t in terms]
        elif does(module, *PASSED):
            return [replace(term, alone=term.alone and alone) for term in self.values[node.all_input_nodes[0]]]
        elif isinstance(module, IF):
            one = torch.ones(self.shapes[node], dtype=module.threshold.dtype).numpy()
            self.nodes[node.name] = self.nir.IF(r=one, v_threshold=one, metadata=dict(STATED))
            self._connect(node.all_input_nodes[0], node, 1 / module.threshold)
            return [Term(node.name, module.threshold, alone)]
        elif does(module, *WEIGHTS):
            return self._weights(node)
        elif (kernel := pooling(node, module, self.shapes)) is not None:
            return self._pooled(node, *kernel)
        elif flattens(node, module, self.shapes):
            return self._flattened(node)
        what = type(module).__name__ if module is not None else f"{getattr(node.target, '__name__', node.target)}()"
        raise InputError(
            f"{what} at {node.name} has no counterpart in NIR: expected convolutions, linear layers, "
            "average pooling, flattening and sums"
        )

    def _weights(self, node: fx.Node) -> list[Term]:
        """A layer, with the factor of its input in its weights where that is one term."""
        module = self.ran.get_submodule(node.target)
        if isinstance(module, nn.BatchNorm2d):  # on the image itself or behind a sum
            scale = (module.running_var + module.eps).rsqrt() * (1 if module.weight is None else module.weight)
            bias = (0 if module.bias is None else module.bias) - module.running_mean * scale
            weight, groups = scale.view(-1, 1, 1, 1), len(scale)
            settings = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
        else:
            weight, groups = module.weight, getattr(module, "groups", 1)
            bias = weight.new_zeros(len(weight)) if module.bias is None else module.bias
            settings = {key: getattr(module, key, None) for key in ("stride", "padding", "dilation")}
        weight, bias = dense(weight.detach(), groups), bias.detach().clone()
        terms = self.values[node.all_input_nodes[0]]
        if len(terms) == 1:
            factor = terms[0].factor.to(weight)
            factor = factor.view(1, -1, *[1] * (weight.dim() - 2)) if factor.dim() else factor
            weight = weight * factor
            self.edges.append((terms[0].source, node.name))
        else:
            self._connect(node.all_input_nodes[0], node)
        if isinstance(module, nn.Linear):
            if len(self.shapes[node]) != 1:
                raise InputError(f"Linear at {node.name} on inputs of several dimensions has no counterpart in NIR")
            self.layers[node.name] = Layer("Affine", weight, bias)
        else:
            if getattr(module, "padding_mode", "zeros") != "zeros":
                raise InputError(f"padding_mode {module.padding_mode!r} at {node.name} has no counterpart in NIR")
            kind = "Conv1d" if isinstance(module, nn.Conv1d) else "Conv2d"
            if kind == "Conv1d":
                settings = {key: v[0] if isinstance(v, tuple) else v for key, v in settings.items()}
            self.layers[node.name] = Layer(kind, weight, bias, {"input_shape": None, "groups": 1, **settings})
        self.nodes[node.name] = None  # its place in the order; made when all scales are in
        return [Term(node.name, torch.ones(()), len(node.users) == 1)]

    def _connect(self, source: fx.Node, reader: fx.Node, factor: Tensor | None = None) -> None:
        """Edges from all terms of ``source``, times ``factor`` of the reader's channels."""
        shape = self.shapes[source]
        for term in self.values[source]:
            total = term.factor if factor is None else term.factor * factor.to(term.factor)
            name, layer = term.source, self.layers.get(term.source)
            if layer is not None and term.alone:
                total = total.to(layer.weight)
                layer.weight = layer.weight * along_channels(total, layer.weight.dim() + 1)
                layer.bias = layer.bias * total
            elif bool((total != 1).any()) or (name, reader.name) in self.edges:
                name = f"{term.source}_for_{reader.name}"
                while name in self.nodes:
                    name += "_"
                scale = along_channels(total.detach(), len(shape) + 1).expand(shape)
                self.nodes[name] = self.nir.Scale(scale.contiguous().cpu().numpy())
                self.edges.append((term.source, name))
            self.edges.append((name, reader.name))

    def _pooled(self, node: fx.Node, kernel: tuple, stride: tuple, padding: tuple) -> list[Term]:
        source = node.all_input_nodes[0]
        factor = self._one_factor(source, node)
        self.nodes[node.name] = self.nir.AvgPool2d(*(np.array(v) for v in (kernel, stride, padding)))
        if len(self.shapes[node]) == 1:  # a mean over the map
            flat = f"{node.name}_flat"
            self.nodes[flat] = self.nir.Flatten({"input": None}, 0, -1)
            self.edges.append((node.name, flat))
            return [Term(flat, factor, False)]
        return [Term(node.name, factor, False)]

    def _flattened(self, node: fx.Node) -> list[Term]:
        shape = self.shapes[node.all_input_nodes[0]]
        factor = self._one_factor(node.all_input_nodes[0], node)
        self.nodes[node.name] = self.nir.Flatten({"input": None}, 0, -1)
        each = factor.repeat_interleave(math.prod(shape[1:])) if factor.dim() else factor
        return [Term(node.name, each, False)]

    def _one_factor(self, source: fx.Node, reader: fx.Node) -> Tensor:
        """Connect, and give the factor that may wait until after ``reader``."""
        terms = self.values[source]
        if len(terms) == 1:
            self.edges.append((terms[0].source, reader.name))
            return terms[0].factor
        self._connect(source, reader)
        return torch.ones(())
