"""A claim of the paper: what it says and where, and how it is judged, on its own numbers and on our records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .evidence import Evidence


class Verdict(StrEnum):
    """What a check may come to."""

    HOLDS = "holds"
    FAILS = "does not hold"
    HOLDS_ONCE = "holds on one seed"  # by an interval over test images alone: another seed may say otherwise
    FAILS_ONCE = "does not hold on one seed"
    UNDEFINED = "not defined"  # a statement that has no meaning to test, such as a ratio that may divide by zero
    UNDECIDED = "undecided"  # our records cannot tell
    NOT_TESTED = "not tested"
    REMARK = "remark"  # what can come out only one way by construction


class Outcome(NamedTuple):
    """What a check gave, and on what it rests."""

    verdict: Verdict
    found: str

    @classmethod
    def of(cls, holds: bool | None, found: str) -> Outcome:
        """``holds`` is None where the claim has no defined meaning."""
        return cls({True: Verdict.HOLDS, False: Verdict.FAILS, None: Verdict.UNDEFINED}[holds], found)


NOT_RUN = Outcome(Verdict.NOT_TESTED, "no records in this profile")
Check = Callable[["Evidence"], Outcome]


@dataclass
class Claim:
    """One sentence or equation of the paper. A text that starts with "implied" is something its argument needs.

    Attributes:
        printed: judges it on the paper's numbers and definitions; None where these do not tell.
        records: judges it on our records.
    """

    id: str
    place: str
    text: str
    printed: Check | None = None
    records: Check | None = None


class Claims(list[Claim]):
    """A list of claims, filled by decorating the functions that judge them.

    A function's name becomes the id, unless one is given.
    """

    def both(self, place: str, text: str, id: str = "") -> Callable[[Check], Check]:
        """The same function judges the paper's numbers and our records."""
        return self._add(place, text, id, "printed", "records")

    def printed(self, place: str, text: str, id: str = "") -> Callable[[Check], Check]:
        return self._add(place, text, id, "printed")

    def records(self, place: str, text: str, id: str = "") -> Callable[[Check], Check]:
        return self._add(place, text, id, "records")

    def and_on_records(self, id: str) -> Callable[[Check], Check]:
        """Another function judges the claim ``id`` on our records."""
        (claim,) = (claim for claim in self if claim.id == id)

        def attach(check: Check) -> Check:
            claim.records = check
            return check

        return attach

    def _add(self, place: str, text: str, id: str, *sources: str) -> Callable[[Check], Check]:
        def append(check: Check) -> Check:
            name = id or check.__name__.replace("_", "-")
            self.append(Claim(name, place, text, **dict.fromkeys(sources, check)))
            return check

        return append
