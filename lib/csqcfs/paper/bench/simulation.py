"""Speed of simulation: against SpikingJelly, against as many passes of the ANN, COS and layer-wise against plain."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ... import models
from ...conversion import family, quantize
from ...conversion.snn import SNN, convert
from ...engine.folding import fold_batchnorm
from ...engine.simulation import IF
from .training import compiler
from .turns import Line, line, timed

T = 32
BATCHES = {"resnet20": 50, "vgg16": 16}
QUICK = {"resnet20": 2}


class Node(nn.Module):
    """SpikingJelly's neurons in multi-step mode, from theta / 2, with a spike worth theta."""

    def __init__(self, theta: Tensor, steps: int):
        super().__init__()
        from spikingjelly.activation_based.neuron import ActivationAwareIFNode

        self.theta, self.steps = theta, steps
        self.node = ActivationAwareIFNode(v_threshold=theta, v_offset=0.0, channel_dim=1, v_reset=None, step_mode="m")

    def forward(self, x: Tensor) -> Tensor:
        x = x.unflatten(0, (self.steps, -1))
        level = self.theta.view(-1, *[1] * (x.dim() - 3))
        self.node.v = (level / 2).expand(x.shape[1:]).clone()
        return (self.node(x) * level).flatten(0, 1)


def with_spikingjelly(snn: SNN, steps: int) -> Callable[[Tensor], Tensor] | None:
    """The same folded network with SpikingJelly's neurons, or None where that is not installed."""
    graph = copy.deepcopy(snn.graph)
    try:
        for name, module in list(graph.named_modules()):
            if isinstance(module, IF):
                graph.set_submodule(name, Node(module.threshold, steps))
    except ImportError:
        return None

    @torch.no_grad()
    def run(x: Tensor) -> Tensor:
        repeated = x.expand(steps, *x.shape).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        out = graph(repeated).unflatten(0, (steps, -1))
        return out.cumsum(0) / torch.arange(1, steps + 1).view(-1, 1, 1)

    return run


def networks(name: str) -> tuple[nn.Module, SNN, SNN, SNN]:
    """The ANN with ReLU and batch norm folded, and the plain and COS networks of the same weights; last the plain one
    with a threshold for each layer."""
    torch.manual_seed(0)
    network = models.build(name).eval()
    ann = quantize.quantize_known(network, 4, 1.0, torch.randn(2, 3, 32, 32))
    fine = family.to_channelwise(ann).eval()
    relu = fold_batchnorm(quantize.trace(network)).to(memory_format=torch.channels_last)
    return relu, convert(fine), convert(fine, "cos", rho=4), convert(ann.eval())


def simulation(quick: bool) -> list[Line]:
    """One run to T = 32, which has the scores of every smaller T, in turns with what it is compared with."""
    lines = []
    for name, number in (QUICK if quick else BATCHES).items():
        relu, plain, cos, layered = networks(name)
        steps = 4 if quick else T
        x = torch.randn(number, 3, 32, 32).contiguous(memory_format=torch.channels_last)

        @torch.no_grad()
        def passes(relu=relu, x=x, steps=steps) -> None:
            for _ in range(steps):
                relu(x)

        functions = {
            "ann": passes,
            "plain": functools.partial(plain, x, steps),
            "cos": functools.partial(cos, x, steps),
            "layered": functools.partial(layered, x, steps),
        }
        peer = with_spikingjelly(plain, steps)
        if peer is not None:
            functions["spikingjelly"] = functools.partial(peer, x)
        with compiler(True):  # as a long evaluation has it
            seconds = timed(functions, 3 if quick else 7)
        where = f"{name}, T = {steps}, {number} images"
        what = "simulation: SpikingJelly 2.0.0 / ours"
        if peer is None:
            lines.append(Line(what, where, None, 3, above=True, note="SpikingJelly is not installed"))
        else:
            same = torch.equal(plain(x[:2], steps), peer(x[:2]))
            note = f"scores of 2 images at every t {'identical' if same else 'NOT identical'}"
            lines.append(line(what, where, seconds, "spikingjelly", "plain", 3, above=True, note=note))
        lines.append(line("simulation: ours / T passes of the folded ANN", where, seconds, "plain", "ann", 1.2))
        lines.append(line("simulation: COS, rho = 4 / plain", where, seconds, "cos", "plain", 1.25))
        lines.append(line("simulation: a threshold for each layer / channel", where, seconds, "layered", "plain", 1.1))
    return lines
