"""A plain SNN for other tools: as modules of SpikingJelly, and as a NIR graph (see `nir_write`).

net = csqcfs.export.to_spikingjelly(snn)             # spikingjelly 2
nir.write("snn.nir", csqcfs.export.to_nir(snn, (3, 32, 32)))
snn = csqcfs.export.from_nir("snn.nir")
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree

from ..engine.copies import duplicate
from ..engine.errors import InputError
from ..engine.examples import kind_of
from ..engine.simulation import IF, dependence
from ..neurons import along_channels
from .nir_read import from_nir
from .nir_write import to_nir
from .snn import SNN
from .tools import require_plain

__all__ = ["from_nir", "to_nir", "to_spikingjelly"]


def to_spikingjelly(snn: SNN) -> nn.Module:
    """The same network with SpikingJelly's neurons: `ActivationAwareIFNode`, soft reset, v(0) = theta / 2.

    In step mode "s" (the default) ``net(x)`` is one step [N, ...]; in step mode "m" ``net(x)`` takes [T, N, ...].
    The output is the classifier's of each step, whose mean over steps 1..t is the score at t. Call SpikingJelly's
    ``functional.reset_net(net)`` before every run and ``functional.set_step_mode(net, "m")`` for many steps at once.
    Many steps of one image as a view, ``x.expand(T, *x.shape)``, give the scores of ``snn(x, T)`` bit for bit where
    ``snn`` was made with an example of such sizes and type, or has run on some: what depends on the image alone is
    then computed once, as there. Other ways add up in another order, to rounding.

    Raises:
        InputError: no SNN, a method other than "plain", thresholds that are not positive, no SpikingJelly.
    """
    require_plain(snn, "SpikingJelly")
    try:
        from spikingjelly.activation_based import base, neuron
    except ImportError as error:
        raise InputError(f"SpikingJelly is not there ({error}): install spikingjelly>=2") from error

    class Neurons(neuron.ActivationAwareIFNode):
        """IF neurons whose spike is worth theta, in a network that has time in its batch dimension."""

        def __init__(self, theta: Tensor):
            super().__init__(v_threshold=theta, v_offset=0.0, channel_dim=1, v_reset=None)
            self.steps = 1

        def forward(self, x: Tensor) -> Tensor:
            many = self.step_mode == "m"
            x = x.unflatten(0, (self.steps, -1)) if many else x
            now = x[0] if many else x
            theta = along_channels(self.v_threshold, now.dim())
            if not isinstance(self.v, Tensor):  # after a reset
                self.v = (theta / 2).expand(now.shape).clone()
            out = super().forward(x) * theta
            return _ordered(out.flatten(0, 1)) if many else out

    class Network(nn.Module, base.StepModule):
        def __init__(self, graph: nn.Module):
            super().__init__()
            self.graph = graph
            self.step_mode = "s"

        def forward(self, x: Tensor) -> Tensor:
            many = self.step_mode == "m"
            once = many and x.stride(0) == 0 and kind_of((x[0],)) in measured
            for module in self.modules():
                if isinstance(module, (Neurons, Repeat)):
                    module.steps = len(x) if once or (many and isinstance(module, Neurons)) else 1
            if not many:
                return self.graph(_ordered(x))
            return self.graph(_ordered(x[0] if once else x.flatten(0, 1))).unflatten(0, (len(x), -1))

    graph, front = duplicate(snn.graph), next(iter(snn._fronts.values()), {})
    measured = {kind for kind, other in snn._fronts.items() if other == front}
    _repeat_constants(graph, front)
    for name, module in list(graph.named_modules()):
        if isinstance(module, IF):
            graph.set_submodule(name, Neurons(module.threshold))
    return Network(graph)


class Repeat(nn.Module):
    """What depends on the image alone, [N, ...], at every step, [T N, ...]."""

    def __init__(self):
        super().__init__()
        self.steps = 1

    def forward(self, x: Any) -> Any:
        if self.steps == 1:
            return x
        return pytree.tree_map_only(Tensor, lambda leaf: leaf.expand(self.steps, *leaf.shape).flatten(0, 1), x)


def _repeat_constants(graph: fx.GraphModule, front: dict[str, str]) -> None:
    """Let what has time read values without time over all steps, each as `simulation.front` found it to be."""
    constant, timed = dependence(graph)
    made: dict[fx.Node, fx.Node] = {}

    def over_time(node: fx.Node) -> fx.Node:
        carrying = front.get(node.name, "batched")
        if node not in constant or carrying == "fixed":
            return node
        if node not in made:
            with graph.graph.inserting_after(node):
                if carrying == "again":
                    made[node] = graph.graph.node_copy(node, over_time)
                else:
                    graph.add_submodule(f"repeat_{node.name}", Repeat())
                    made[node] = graph.graph.call_module(f"repeat_{node.name}", (node,))
        return made[node]

    for reader in [node for node in graph.graph.nodes if node in timed]:
        for node in [node for node in reader.all_input_nodes if node in constant]:
            reader.replace_input_with(node, over_time(node))
    graph.graph.lint()
    graph.recompile()


def _ordered(x: Tensor) -> Tensor:
    """Images in channels_last order, as `SNN` has them: the order decides how a convolution adds up."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
