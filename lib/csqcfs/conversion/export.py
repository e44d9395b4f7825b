"""A plain SNN for other tools: as modules of SpikingJelly, and as a NIR graph (see `nir_write`).

net = csqcfs.export.to_spikingjelly(snn)             # spikingjelly 2
nir.write("snn.nir", csqcfs.export.to_nir(snn, (3, 32, 32)))
snn = csqcfs.export.from_nir("snn.nir")
"""

from __future__ import annotations

import torch
from torch import Tensor, fx, nn

from ..engine.copies import duplicate
from ..engine.errors import InputError
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
    Many steps of one image as a view, ``x.expand(T, *x.shape)``, give the scores of ``snn(x, T)`` bit for bit: what
    depends on the image alone is then computed once, as there. Other ways add up in another order, to rounding.

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
            many, constant = self.step_mode == "m", x.stride(0) == 0
            for module in self.modules():
                if isinstance(module, (Neurons, Repeat)):
                    module.steps = len(x) if many and (constant or isinstance(module, Neurons)) else 1
            if not many:
                return self.graph(_ordered(x))
            return self.graph(_ordered(x[0] if constant else x.flatten(0, 1))).unflatten(0, (len(x), -1))

    graph = duplicate(snn.graph)
    _repeat_constants(graph)
    for name, module in list(graph.named_modules()):
        if isinstance(module, IF):
            graph.set_submodule(name, Neurons(module.threshold))
    return Network(graph)


class Repeat(nn.Module):
    """What depends on the image alone, [N, ...], at every step, [T N, ...]; also the number of images where a
    reshape begins with it."""

    def __init__(self, batch: bool):
        super().__init__()
        self.batch, self.steps = batch, 1

    def forward(self, x):
        if isinstance(x, Tensor):
            return x if self.steps == 1 else x.expand(self.steps, *x.shape).flatten(0, 1)
        if self.batch and isinstance(x, tuple):  # sizes that begin with the number of images
            return (x[0] * self.steps, *x[1:]) if x[0] > 0 else x
        return x * self.steps if self.batch else x


def _repeat_constants(graph: fx.GraphModule) -> None:
    """Put a `Repeat` wherever a value without time is read by one with time."""
    constant, timed = dependence(graph)
    for node in [node for node in graph.graph.nodes if node in constant]:
        for number, reader in enumerate([user for user in node.users if user in timed]):
            size = None
            if reader.target in ("view", "reshape", torch.reshape):
                size = reader.args[1] if len(reader.args) > 1 else reader.kwargs.get("shape", reader.kwargs.get("size"))
            batch = node is (size[0] if isinstance(size, (tuple, list)) else size)
            name = f"repeat_{node.name}_{number}"
            graph.add_submodule(name, Repeat(batch))
            with graph.graph.inserting_before(reader):
                reader.replace_input_with(node, graph.graph.call_module(name, (node,)))
    graph.recompile()


def _ordered(x: Tensor) -> Tensor:
    """Images in channels_last order, as `SNN` has them: the order decides how a convolution adds up."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
