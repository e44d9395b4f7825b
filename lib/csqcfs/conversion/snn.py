"""Conversion to a spiking network, and its simulation over all time-steps at once (Algorithm 1, lines 13-20).

Between two layers of IF neurons a network is linear, so time needs no loop there: [T, N, ...] runs through
convolutions as T N images, and only the membrane recursion of `neurons.py` goes step by step. What depends on
the image alone (analog coding: the same image at every step) is computed once. The score at step t is the
mean output over steps 1..t, so one run to T gives every shorter one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..engine import probe
from ..engine.comparing import UNSEEN, check_unseen
from ..engine.copies import carry, opened
from ..engine.errors import InputError, reason, shown
from ..engine.examples import Kind, batches, check_together, checked_example, checked_inputs, kind_of, like
from ..engine.folding import folded
from ..engine.notes import note, notes
from ..engine.simulation import Fire, Observer, Simulation, in_order
from ..methods import Method, Plain, build
from ..methods.base import check_steps
from . import family, quantize
from .scores import joined, last_of, scores
from .spiking import check_neurons, check_threshold, check_weights, neurons_of, unfolded

PIECE = 1 << 22  # activations of the largest layer simulated at once: 16 MiB


def convert(
    model: nn.Module,
    method: str | Method = "plain",
    *,
    allow_nonpositive: bool = False,
    example: Tensor | tuple[Tensor, ...] | None = None,
    **settings: int,
) -> SNN:
    """A new spiking network with the weights and effective thresholds of ``model``, which is left alone.

    Algorithm 1, line 16 sets the SNN's threshold to lambda; with Softplus it must be theta = Softplus(lambda).
    Batch norm is folded into the layers before it, and a softmax or sigmoid at the very end is applied to the score.
    Whether the network may be simulated over all steps at once is measured, see `engine.probe`: here, on inputs of
    the kind of ``example``, and at the SNN's first input of every other kind (sizes and type).

    Args:
        model: a network with QCFS, S-QCFS, C-QCFS or CS-QCFS activations.
        method: "plain" (IF neurons as they are) or another of `methods.METHODS`, whose classes say what they do
            and what that costs; or a method itself, such as ``COS(rho=2)``.
        allow_nonpositive: simulate thresholds <= 0 as Eqs. 1-3 say instead of refusing them.
        example: a batch of inputs, or a tuple of them; by default the one given to `quantize_activations`.
        settings: of the method: ``tau=4`` of SRP, steps that it runs before it answers; ``rho=4`` of COS, steps
            that it looks at in each layer. Those of other methods have no effect.

    Raises:
        InputError: no quantized activation; an unknown method or setting, or one out of range; a threshold that
            is not positive, named by layer and channels, or not finite; an operation that IF neurons cannot express.
    """
    method = build(method, settings)
    inputs = checked_example(example)
    name = notes(model).get("name", type(opened(model)).__name__)
    graph = model if isinstance(model, fx.GraphModule) else quantize.trace(model, inputs)
    found = family.sites(graph)
    if not found:
        raise InputError(f"{name} has no quantized activation; call quantize_activations first")
    allow_nonpositive = allow_nonpositive and method.any_threshold
    for site, module in found.items():
        check_threshold(site, module.threshold.detach(), allow_nonpositive)
    check_weights(name, graph)
    inputs, unseen = inputs or notes(graph).get("example"), notes(graph).get(UNSEEN)
    if inputs is not None:
        inputs = like(graph, inputs)
        check_unseen(unseen, inputs)
    neurons, end = unfolded(graph, inputs)
    fronts = {} if inputs is None else {kind_of(inputs): probe.check(neurons, end, inputs, name)}
    snn = SNN(folded(neurons), method, end, fronts, name, allow_nonpositive)
    note(snn.graph, **{UNSEEN: unseen if inputs is None else None})
    carry(model, snn)
    return snn


class SNN(nn.Module):
    """A network of IF neurons; ``snn(x, T)`` gives the scores at every step.

    To see or count spikes pass an ``observer``: a hook on neurons is refused, and one on another layer also sees the
    inputs with which the network is measured.

    Attributes:
        graph: the traced network, with `IF` at every site and ordinary linear layers between.
        method: what its neurons do, see `methods`.
        end: what is applied to the score: a softmax or sigmoid at the network's end, or None.
        allow_nonpositive: whether thresholds that are not positive are simulated, see `convert`.
    """

    def __init__(
        self,
        graph: fx.GraphModule,
        method: Method,
        end: fx.GraphModule | None = None,
        fronts: dict[Kind, dict[str, str]] | None = None,
        name: str = "the network",
        allow_nonpositive: bool = False,
    ):
        super().__init__()
        self.graph, self.method, self.end, self.allow_nonpositive = graph, method, end, allow_nonpositive
        self._fronts, self._name = fronts or {}, name  # by kind of inputs, as far as measured
        self._largest: dict[Kind, int] = {}
        self.eval()

    def train(self, mode: bool = True) -> SNN:
        """The mode is noted; the network stays in evaluation, since statistics over time are none of its data."""
        super().train(mode)
        for part in self.children():
            part.eval()
        return self

    @property
    def presteps(self) -> int:
        """Steps that the method takes before it answers, which "T = 1" does not count."""
        return self.method.presteps

    @property
    def thresholds(self) -> Mapping[str, Tensor]:
        """Thresholds by site, in the order in which they run; to change one, write into its tensor."""
        return MappingProxyType({name: neurons.threshold for name, neurons in neurons_of(self.graph).items()})

    def __call__(self, *given: Any, **named: Any) -> Any:
        """As `forward`; inputs one by one, as the network itself takes them, would be taken for T."""
        check_together(given)
        return super().__call__(*given, **named)

    def forward(self, x: Tensor | tuple[Tensor, ...], T: int = 8, observer: Observer | None = None) -> Any:
        """Scores [T, N, ...] for images [N, C, H, W]: at t, the mean output of a run of t steps.

        A network of several outputs gives as many, in the same tuple or dict; one of several inputs takes a tuple.
        Memory is bounded by simulating a piece of the batch at a time.

        Args:
            observer: called for every piece as observer(name, module, input, output, phase) with the time axis
                in front, [T, n, ...]: at each layer of neurons (an `IF`) and each other layer after the first
                neurons. ``phase`` is "pre" in the steps that SRP takes before it answers, else "run". A method
                that decides for one T alone makes a run for each.

        Raises:
            InputError: T below 1; an input that the network does not take, or that is not finite; for inputs of
                another kind than the example, an operation that IF neurons cannot express at their sizes; thresholds
                written since that `convert` would refuse; a hook on neurons; an observer that is no function.
        """
        if torch.compiler.is_dynamo_compiling():  # not a decorator, whose import of torch._dynamo takes seconds
            return torch.compiler.disable(SNN.forward)(self, x, T, observer)
        T = check_steps("T", T)
        if not (observer is None or callable(observer)):
            raise InputError(
                f"observer = {shown(observer)}: expected a function observer(name, module, input, output, phase)"
            )
        if self.method.anytime:
            return self.run(x, T, observer)
        runs = [self.run(x, t, observer) for t in range(1, T + 1)]
        return last_of(runs)

    @torch.no_grad()
    def run(self, x: Tensor | tuple[Tensor, ...], T: int, observer: Observer | None = None) -> Any:
        """Mean outputs [T, N, ...] over steps 1..t of one run of T steps, arguments as in `forward`."""
        inputs, kind = self._prepared(x)
        number = len(inputs[0])
        work = T * number * self._largest[kind]
        pieces = zip(*(x.tensor_split(min(number, -(-work // PIECE))) for x in inputs), strict=True)  # of one size
        return joined([self._simulate(piece, T, observer, work) for piece in pieces])

    @torch.no_grad()
    def at_once(self, x: Tensor | tuple[Tensor, ...], T: int, fire: Fire) -> Any:
        """What the network gives at each of T steps, [T, N, ...], where neurons do ``fire`` on all images at once.

        Raises:
            InputError: as in `forward`.
        """
        return self._over(self._prepared(x)[0], T, fire, None, "run")

    def _prepared(self, x: Tensor | tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], Kind]:
        """Inputs in the order in which they are simulated, and their kind, whose simulation is measured by now."""
        inputs = checked_inputs(self.graph, x)
        check_neurons(self.graph, self.allow_nonpositive)
        self.train(self.training)  # evaluation, whatever a part of it was told
        kind = kind_of(inputs)
        if kind not in self._fronts:  # attention over one place is affine, and over two it is not
            few = tuple(x[: quantize.KEPT] for x in inputs)
            check_unseen(notes(self.graph).get(UNSEEN), few)
            note(self.graph, **{UNSEEN: None})
            self._fronts[kind] = probe.check(self.graph, self.end, few, self._name)
        if kind not in self._largest:
            self._largest[kind] = self._largest_activation(inputs)
        return in_order(inputs), kind

    def _simulate(self, inputs: tuple[Tensor, ...], T: int, observer: Observer | None, work: int) -> Any:
        before, fire = self.method.neurons(work)
        if before is not None:
            self._over(inputs, self.presteps, before, observer, "pre")
        return scores(self._over(inputs, self.method.length(T), fire, observer, "run"), T, self.end)

    def _over(self, inputs: tuple[Tensor, ...], T: int, fire: Fire, observer: Observer | None, phase: str) -> Any:
        """What the network gives at each of T steps.

        Raises:
            InputError: an operation that fails for so many images and steps at once; what an observer raises stays.
        """
        observers: list[Exception] = []

        def observe(*seen: Any) -> None:
            try:
                observer(*seen)  # type: ignore[misc]
            except Exception as error:
                observers.append(error)
                raise

        watch = None if observer is None else observe
        simulation = Simulation(self.graph, T, fire, watch, phase, self._fronts[kind_of(inputs)])
        try:
            return simulation.run(*inputs)
        except (ValueError, RuntimeError) as error:
            if observers or isinstance(error, (InputError, torch.OutOfMemoryError)):
                raise
            raise InputError(
                f"{self._name} does not run on {T} steps of {len(inputs[0])} images at once ({reason(error)}); if it "
                "counts images by a number of its own, read the number off the input"
            ) from error

    def _largest_activation(self, inputs: tuple[Tensor, ...]) -> int:
        """Elements of the largest value of one image at one step, found by running one."""
        largest = 1

        def observe(name: str, module: nn.Module | None, x: Tensor, out: Tensor, phase: str) -> None:
            nonlocal largest
            largest = max(largest, x.numel(), out.numel())

        try:
            fire = Plain().neurons(sum(x[:1].numel() for x in inputs))[1]
            self._over(tuple(x[:1] for x in inputs), 1, fire, observe, "run")
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{self._name} does not take one image of {batches(inputs)}: {reason(error)}") from error
        return largest
