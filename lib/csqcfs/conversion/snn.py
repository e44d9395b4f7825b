"""Conversion to a spiking network, and its simulation over all time-steps at once (Algorithm 1, lines 13-20).

Between two layers of IF neurons a network is linear, so time needs no loop there: [T, N, ...] runs through
convolutions as T N images, and only the membrane recursion of `neurons.py` goes step by step. What depends on
the image alone (analog coding: the same image at every step) is computed once. The score at step t is the
mean output over steps 1..t, so one run to T gives every shorter one.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, fx, nn

from ..engine.errors import InputError, NonpositiveThreshold
from ..engine.folding import fold_batchnorm
from ..engine.simulation import IF, Observer, Simulation
from ..methods import Method, Plain, build
from ..methods.base import check_steps
from . import quantize

PIECE = 1 << 22  # activations of the largest layer simulated at once: 16 MiB


def convert(
    model: nn.Module, method: str | Method = "plain", *, allow_nonpositive: bool = False, **settings: int
) -> SNN:
    """A new spiking network with the weights and effective thresholds of ``model``, which is left alone.

    Algorithm 1, line 16 sets the SNN's threshold to lambda; with Softplus it must be theta = Softplus(lambda).
    Batch norm is folded into the layers before it.

    Args:
        model: a network with QCFS, S-QCFS, C-QCFS or CS-QCFS activations.
        method: "plain" (IF neurons as they are) or another of `methods.METHODS`, whose classes say what they do
            and what that costs; or a method itself, such as ``COS(rho=2)``.
        allow_nonpositive: simulate thresholds <= 0 as Eqs. 1-3 say instead of refusing them.
        settings: of the method: ``tau=4`` of SRP, steps that it runs before it answers; ``rho=4`` of COS, steps
            that it looks at in each layer. Those of other methods have no effect.

    Raises:
        InputError: no quantized activation; an unknown method or setting, or one out of range; a threshold that
            is not positive, named by layer and channels, or not finite.
    """
    method = build(method, settings)
    graph = copy.deepcopy(model) if isinstance(model, fx.GraphModule) else quantize.trace(model)
    found = quantize.sites(graph.eval())
    if not found:
        raise InputError(f"{type(model).__name__} has no quantized activation; call quantize_activations first")
    for name, site in found.items():
        _check_threshold(name, site.threshold.detach(), allow_nonpositive and method.any_threshold)
        graph.set_submodule(name, IF(site.threshold, site.L))
    return SNN(fold_batchnorm(graph).to(memory_format=torch.channels_last), method)


class SNN(nn.Module):
    """A network of IF neurons; ``snn(x, T)`` gives the scores at every step.

    Attributes:
        graph: the traced network, with `IF` at every site and ordinary linear layers between.
        method: what its neurons do, see `methods`.
    """

    def __init__(self, graph: fx.GraphModule, method: Method):
        super().__init__()
        self.graph, self.method = graph, method
        self._largest: dict[torch.Size, int] = {}

    @property
    def presteps(self) -> int:
        """Steps that the method takes before it answers, which "T = 1" does not count."""
        return self.method.presteps

    @property
    def thresholds(self) -> dict[str, Tensor]:
        """Thresholds by site, in the order in which they run."""
        return {name: module.threshold for name, module in self.graph.named_modules() if isinstance(module, IF)}

    def forward(self, x: Tensor, T: int = 8, observer: Observer | None = None) -> Tensor:
        """Scores [T, N, classes] for images [N, C, H, W]: at t, the mean output of a run of t steps.

        Memory is bounded by simulating a piece of the batch at a time.

        Args:
            observer: called for every piece as observer(name, module, input, output, phase) with the time axis
                in front, [T, n, ...]: at each layer of neurons (an `IF`) and each other layer after the first
                neurons. ``phase`` is "pre" in the steps that SRP takes before it answers, else "run". A method
                that decides for one T alone makes a run for each.

        Raises:
            InputError: T below 1; an input that the network does not take.
        """
        check_steps("T", T)
        if self.method.anytime:
            return self.run(x, T, observer)
        return torch.stack([self.run(x, t, observer)[-1] for t in range(1, T + 1)])

    @torch.no_grad()
    def run(self, x: Tensor, T: int, observer: Observer | None = None) -> Tensor:
        """Mean outputs [T, N, classes] over steps 1..t of one run of T steps, arguments as in `forward`."""
        if not len(x):
            raise InputError("a batch without images: expected at least one")
        if x.shape[1:] not in self._largest:
            self._largest[x.shape[1:]] = _largest_activation(self.graph, x[:1])
        if x.dim() == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        work = T * len(x) * self._largest[x.shape[1:]]
        pieces = x.tensor_split(min(len(x), -(-work // PIECE)))  # of nearly one size
        return torch.cat([self._simulate(piece, T, observer, work) for piece in pieces], dim=1)

    def _simulate(self, x: Tensor, T: int, observer: Observer | None, work: int) -> Tensor:
        before, fire = self.method.neurons(work)
        if before is not None:
            Simulation(self.graph, self.presteps, before, observer, "pre").run(x)
        out = Simulation(self.graph, self.method.length(T), fire, observer, "run").run(x)[:T]
        return out.cumsum(0) / torch.arange(1, T + 1, device=out.device).view(-1, 1, 1)


def _largest_activation(graph: fx.GraphModule, x: Tensor) -> int:
    """Elements of the largest value of one image at one step, found by running one."""
    largest = 1

    def observe(name: str, module: nn.Module | None, x: Tensor, out: Tensor, phase: str) -> None:
        nonlocal largest
        largest = max(largest, x.numel(), out.numel())

    try:
        Simulation(graph, 1, Plain().neurons(x.numel())[1], observe, "run").run(x)
    except RuntimeError as error:
        reason = (str(error).splitlines() or ["it does not run"])[0]
        raise InputError(f"the network does not take images of shape {list(x.shape[1:])}: {reason}") from error
    return largest


def _check_threshold(name: str, theta: Tensor, allow_nonpositive: bool) -> None:
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
