"""One check of the paper: what it says and where, and a pure function that recomputes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What recomputing a claim gave; ``holds`` is None where the claim has no defined meaning to test."""

    holds: bool | None
    found: str

    @property
    def verdict(self) -> str:
        """The outcome in words: "holds", "does not hold", or "not defined"."""
        return {True: "holds", False: "does not hold", None: "not defined"}[self.holds]


@dataclass(frozen=True)
class Check:
    """A claim of the paper: where it stands, what it says, and the function that recomputes it."""

    id: str
    place: str
    claim: str
    run: Callable[..., Outcome]


class Checks(list[Check]):
    """A list of checks, filled by decorating the functions that recompute them."""

    def add(self, place: str, claim: str) -> Callable[[Callable[..., Outcome]], Callable[..., Outcome]]:
        """Decorator: append the function as a check; its name, with hyphens, becomes the id."""

        def append(run: Callable[..., Outcome]) -> Callable[..., Outcome]:
            self.append(Check(run.__name__.replace("_", "-"), place, claim, run))
            return run

        return append
