"""One line of the table of speed: a ratio of two functions that took turns, with its spread and its target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .epoch import quartiles, take_turns

WARM_UP = 2  # calls of each function that are not timed


@dataclass(frozen=True)
class Line:
    """What was compared, on which size, and the outcome.

    Attributes:
        outcome: {"median", "low", "high"}, quartiles over the rounds; None where a peer is not installed.
        target: the bound on the median; ``above`` says that it is a lower one.
        note: what else there is to say, such as whether spikes are identical.
        seconds: median of each function, where time was measured.
    """

    what: str
    size: str
    outcome: dict[str, float] | None
    target: float | None = None
    above: bool = False
    unit: str = "x"
    note: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the median keeps to the target; None where there is nothing to compare."""
        if self.outcome is None or self.target is None:
            return None
        median = self.outcome["median"]
        return median >= self.target if self.above else median <= self.target


def once(value: float) -> dict[str, float]:
    """The outcome of something that does not vary, or was measured once."""
    return dict.fromkeys(("median", "low", "high"), round(value, 6))


def timed(functions: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each function in each round, after a warm-up."""
    for function in functions.values():
        for _ in range(WARM_UP):
            function()
    return take_turns(functions, rounds)


def line(
    what: str, size: str, seconds: dict[str, list[float]], of: str, to: str, target: float | None, **details: Any
) -> Line:
    """The ratio of the times of ``of`` and ``to`` in the same round, as a line."""
    ratios = [a / b for a, b in zip(seconds[of], seconds[to])]
    medians = {name: quartiles(seconds[name])["median"] for name in (of, to)}
    return Line(what, size, quartiles(ratios), target, seconds=medians, **details)
