"""What a spiking method declares: what its neurons do, and what an answer at T really takes.

A method is a frozen dataclass; its fields are its settings, such as rho of COS. Everything that tables, figures
and costs say about it stands in its class: name, colour, marker, hidden steps, clock, bits of a spike.

Steps are counted in two ways. `Method.steps` are those that one layer of neurons works until the score at T is
known. `Method.clock` is when it is known if all layers work at the same time, one step a tick, and a layer hands
on what it emits within the tick: the best case for every method.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

from ..engine.errors import InputError, integer, shown


class Neurons(Protocol):
    """A layer of neurons: ``threshold`` [] or [C], and ``L``, the levels of the activation it stands for."""

    threshold: Tensor
    L: int


LARGEST = 10**9  # time-steps, weeks of computing


def check_steps(name: str, value: int) -> int:
    """``value``, a number of time-steps, as Python's own.

    Raises:
        InputError: it is none, by ``name``.
    """
    steps = integer(value)
    if steps is None or steps < 1:
        raise InputError(f"{name} = {shown(value)}: expected a whole number of time-steps, 1 or more")
    if steps > LARGEST:
        raise InputError(f"{name} = {steps:,}: expected at most {LARGEST:,} time-steps")
    return steps


# (call site, input [T, N, C, ...], what is added to it or None, neurons) -> output [T, N, C, ...]
Fire = Callable[[str, Tensor, Tensor | None, Neurons], Tensor]


@dataclass(frozen=True)
class Method(ABC):
    """How the neurons of a network answer; subclasses are the lines of `methods.METHODS`.

    Attributes:
        name: what `convert` takes and records hold.
        label, colour, marker: how tables and figures show it.
        source: where it was published.
        summary: what it does, in one sentence.
        anytime: whether one run of T steps holds every shorter one.
        any_threshold: whether it is defined for thresholds that are not positive.
        binary: whether a spike is worth theta or nothing, so that it costs a synapse one addition.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    colour: ClassVar[str]
    marker: ClassVar[str]
    source: ClassVar[str]
    summary: ClassVar[str]
    anytime: ClassVar[bool] = True
    any_threshold: ClassVar[bool] = False
    binary: ClassVar[bool] = True

    def __post_init__(self):
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, check_steps(field.name, getattr(self, field.name)))  # it is frozen

    @abstractmethod
    def neurons(self, work: int) -> tuple[Fire | None, Fire]:
        """What a layer does in the ``presteps`` of the whole network before those that count, if there are such
        steps, and in those that count. Both belong to one run and may share what they see.

        Args:
            work: as in `neurons.integrate_and_fire`.
        """

    @property
    def presteps(self) -> int:
        """Steps before the first answer that "T" does not count, of the whole network or in each layer."""
        return 0

    def length(self, T: int) -> int:
        """Steps that a layer has to emit for an answer at T."""
        return T

    def steps(self, T: int, last: bool = False) -> int:
        """Steps that a layer of neurons works until the score at T is known; ``last``: no neurons follow it."""
        return self.presteps + T

    def clock(self, T: int, sites: int) -> int:
        """Ticks until the score at T of a network of ``sites`` layers of neurons, one after the other."""
        return self.presteps + T

    def bits(self, L: int) -> int:
        """Bits that tell one step's output of a neuron: silent or a spike."""
        return 1

    def additions(self, L: int) -> int:
        """Additions, of a weight or of a shifted one, that a spike costs a synapse at most."""
        return 1
