"""Counts of synaptic operations: which weights meet an input that is not zero, step by step, layer by layer.

An input x at one place of a layer meets as many weights as it has outputs, its fan-out; near the border of a
padded or strided convolution that is fewer than elsewhere. With unit weights, the fan-out is the gradient of
the sum of all outputs, which is exact for any linear layer. Thus

    AC(T) = sum over t <= T and places of [x(t) != 0] fan-out

Multiplications of an ANN are counted by shapes as everyone does, zeros of the padding included.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from ...conversion.snn import SNN, convert
from ...engine.errors import InputError
from ...engine.modules import device_of
from ...engine.simulation import IF, dependence
from ...methods import Method
from .trained import T_MAX, Trained, sample

SYNAPSES = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
PASSING = (nn.Identity, nn.Dropout, nn.Dropout2d, nn.Flatten)  # a spike stays a spike
PASSING_CALLS = {torch.flatten, torch.reshape, "flatten", "reshape", "view", "contiguous", F.dropout}
UNCOUNTED = {F.conv1d, F.conv2d, F.conv3d, F.linear, torch.conv1d, torch.conv2d, torch.matmul}


def fan_out(layer: nn.Module, shape: torch.Size) -> Tensor:
    """Weights that each input of ``layer`` meets, for one input of ``shape`` (without batch)."""
    unit = copy.deepcopy(layer).cpu()
    nn.init.ones_(unit.weight)
    with torch.enable_grad():
        x = torch.zeros(1, *shape, requires_grad=True)
        return torch.autograd.grad(unit(x).sum(), x)[0][0].double()


def dense_macs(layer: nn.Module, out: torch.Size) -> int:
    """MACs of ``layer`` for one output of shape ``out`` (without batch): each output meets a whole kernel."""
    return out.numel() * layer.weight[0].numel()


def kinds_of_input(graph: fx.GraphModule) -> dict[str, str]:
    """Layers with synapses, in order: do they see the image ("analog"), "spikes", or sums of them ("averaged")?

    Raises:
        InputError: weights outside of modules, which an observer does not see.
    """
    constant, _ = dependence(graph)
    found: dict[str, str] = {}
    for node in graph.graph.nodes:
        if node.op == "call_function" and node.target in UNCOUNTED:
            raise InputError(
                f"{node.target.__name__} in the forward: expected layers as modules; use nn.Conv2d "
                "or nn.Linear, whose operations can be counted"
            )
        if node.op == "call_module" and isinstance(graph.get_submodule(node.target), SYNAPSES):
            source = "analog" if node.args[0] in constant else _source(node.args[0], graph)
            # a layer called twice counts as the less favourable of both
            found[node.target] = "averaged" if found.get(node.target, source) != source else source
    return found


def _source(node: fx.Node, graph: fx.GraphModule) -> str:
    """Whether ``node`` holds spikes or sums of them."""
    while True:
        module = graph.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(module, IF):
            return "spikes"
        if not isinstance(module, PASSING) and node.target not in PASSING_CALLS:
            return "averaged"
        node = node.all_input_nodes[0]


class Counter:
    """An observer of `SNN` that sums, by layer and phase, the operations at each step over all images."""

    def __init__(self, method: Method):
        self.method = method
        self.sums: dict[tuple[str, str], Tensor] = {}
        self.bits: dict[str, Tensor] = {}  # by phase, of all neurons' spikes
        self._fan_out: dict[tuple[str, torch.Size], Tensor] = {}

    def __call__(self, name: str, module: nn.Module | None, x: Tensor, out: Tensor, phase: str) -> None:
        if isinstance(module, IF):
            spikes = (out != 0).flatten(1).sum(1, dtype=torch.float64)
            self.bits[phase] = self.bits.get(phase, 0) + spikes * self.method.bits(module.L)
        if not isinstance(module, SYNAPSES):
            return
        shape = x.shape[2:]
        if (name, shape) not in self._fan_out:
            self._fan_out[name, shape] = fan_out(module, shape).to(x.device)
        active = (x != 0).sum(1, dtype=torch.float64)  # [T, ...], summed over images
        counted = (active * self._fan_out[name, shape]).flatten(1).sum(1)
        self.sums[name, phase] = self.sums.get((name, phase), 0) + counted


def _counted(snn: SNN, x: Tensor, T: int) -> tuple[dict[tuple[str, str], Tensor], dict[str, Tensor]]:
    """Operations by (layer, phase), and bits by phase, of an image for 1, 2, ... steps, means over ``x``.

    A method that decides for one T alone is run for each.
    """
    found = []
    for t in [T] if snn.method.anytime else range(1, T + 1):
        counter = Counter(snn.method)
        snn.run(x, t, counter)
        found.append([{k: v.cumsum(0) / len(x) for k, v in sums.items()} for sums in (counter.sums, counter.bits)])
    if snn.method.anytime:
        return tuple(found[0])
    return tuple({key: torch.stack([one[part][key][-1] for one in found]) for key in found[0][part]} for part in (0, 1))


@torch.no_grad()
def count(snn: SNN, x: Tensor, T: int) -> dict[str, Any]:
    """Operations of ``snn`` on images ``x``, means of one image.

    ``layers``, in order: "macs" by shape, "kind" of input, and for layers behind neurons "ac", cumulative over
    T = 1, 2, ..., and "pre", those of the steps before T: tau of SRP; in COS the first rho steps of the layer's
    input, which it sees twice unless it stores them. ``neurons`` is their number, each updated at each step.
    ``bits`` are those of all spikes, cumulative over T, and ``bits_pre`` those of SRP's steps before; a spike of
    several levels makes its layers' kind "graded", and costs up to ``additions`` shifted additions in place of one.
    """
    kinds, (sums, bits) = kinds_of_input(snn.graph), _counted(snn, x, T)
    macs, neurons = _shapes(snn, x[:1])
    levels = max((module.L for module in snn.graph.modules() if isinstance(module, IF)), default=1)
    layers = []
    for name, source in kinds.items():
        layer: dict[str, Any] = {"name": name, "kind": source, "macs": macs[name]}
        if source != "analog":
            run = sums[name, "run"]
            before = run[snn.presteps - 1] if snn.presteps else 0.0
            if (name, "pre") in sums:
                before = sums[name, "pre"][-1]
            if not snn.method.binary:
                layer["kind"] = "graded"
            layer |= {"ac": [round(float(n), 1) for n in run[:T]], "pre": round(float(before), 1)}
        layers.append(layer)
    return {
        "method": snn.method.name,
        "presteps": snn.presteps,
        "T": T,
        "images": len(x),
        "layers": layers,
        "bits": [round(float(n), 1) for n in bits["run"][:T]],
        "bits_pre": round(float(bits["pre"][-1]), 1) if "pre" in bits else 0.0,
        "additions": snn.method.additions(levels),
        "sites": len(snn.thresholds),
        "neurons": neurons,
    }


def _shapes(snn: SNN, x: Tensor) -> tuple[dict[str, int], int]:
    """MACs of each layer by shape, for one image at one step, and the number of neurons."""
    macs: dict[str, int] = {}
    neurons = 0

    class Probe(fx.Interpreter):
        def call_module(self, target, args, kwargs):
            nonlocal neurons
            module = self.fetch_attr(target)
            if isinstance(module, IF):
                neurons += args[0].numel()
                return args[0]
            out = super().call_module(target, args, kwargs)
            if isinstance(module, SYNAPSES):
                macs[target] = macs.get(target, 0) + dense_macs(module, out.shape[1:])
            return out

    Probe(snn.graph).run(x)
    return macs, neurons


def operations(trained: Trained, method: str, images: int = 64, T: int = T_MAX) -> dict[str, Any]:
    """Operations of the SNN for 1..``T`` on ``images`` test images, see `count`."""
    test = sample(trained.splits.test, images)
    snn = convert(trained.model, method)
    return count(snn, test.normalise(test.images).to(device_of(trained.model)), T)
