"""From differences to a verdict: held, did not hold, or undecided.

A claim says that each of some differences lies in a range. It holds where every 95 % interval lies inside; it does
not hold where one interval, widened for the number of places it was looked for, lies outside; otherwise our records
cannot tell. Of one seed the interval knows the test images alone, and the verdict says so. Where a seed was refused,
for a threshold <= 0, those that are left are no fair sample, and nothing is decided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ..measures.compare import Difference
from .claim import NOT_RUN, Outcome, Verdict
from .evidence import Evidence, Term, where

SIMILAR = 1.0  # percentage points of accuracy that we let pass as comparable, similar or marginal, either way
NAMED = 3  # exceptions that a finding names


class Condition(NamedTuple):
    """One difference that a claim is about, and the open range that it claims."""

    name: str
    found: Difference
    low: float
    high: float
    rows: tuple[tuple, ...]
    identity: tuple

    def inside(self) -> bool:
        low, high = self.found.interval()
        return self.low < low and high < self.high

    def outside(self, tests: int) -> bool:
        low, high = self.found.interval(tests)
        return high <= self.low or low >= self.high

    @property
    def once(self) -> bool:
        """Whether it rests on one seed of what chance has a part in."""
        return self.found.seeds == 1 and not self.found.exact

    @property
    def margin(self) -> float:
        """How far inside its range the difference is; negative outside."""
        return min(self.found.points - self.low, self.high - self.found.points)


def condition(
    evidence: Evidence, name: str, *terms: Term, low: float = 0.0, high: float = math.inf, offset: float = 0.0
) -> list[Condition]:
    """One condition; none where a row has no result."""
    found = evidence.contrast(*terms, offset=offset)
    if found is None:
        return []
    identity = tuple((weight, evidence.identity(row), column) for weight, row, column in terms), low, high, offset
    return [Condition(name, found, low, high, tuple(row for _, row, _ in terms), identity)]


def decide(
    evidence: Evidence, conditions: Iterable[Condition], note: str = "", about: Sequence[tuple] = (), lacking: str = ""
) -> Outcome:
    """Whether all conditions are as claimed; conditions about the same runs count once.

    Args:
        about: further rows of the claim, which may have no result.
        lacking: what the claim speaks of and nobody ran; without it the claim may fail, and cannot hold.
    """
    distinct = list({one.identity: one for one in reversed(list(conditions))}.values())[::-1]
    rows = list(dict.fromkeys([*(row for one in distinct for row in one.rows), *about]))
    refused = evidence.refused(rows)
    if not distinct:
        return Outcome(Verdict.NOT_TESTED, refused) if refused else NOT_RUN
    inside = [one for one in distinct if one.inside()]
    outside = [one for one in distinct if one.outside(len(distinct))]
    verdict = Verdict.UNDECIDED
    if refused:
        pass
    elif len(inside) == len(distinct):
        verdict = Verdict.HOLDS_ONCE if any(one.once for one in distinct) else Verdict.HOLDS
    elif outside:
        verdict = Verdict.FAILS_ONCE if all(one.once for one in outside) else Verdict.FAILS
    verdict = unless(lacking, verdict)
    missing = f"without {lacking}" if lacking else ""
    size = evidence.size(rows, [one.found.seeds for one in distinct])
    found = summary(distinct, inside, outside)
    return Outcome(verdict, "; ".join(filter(None, (found, note, missing, refused, size))))


def left_out(whole: Iterable[tuple], seen: Iterable[tuple], what: str) -> str:
    """How much of what a claim speaks of nobody ran, for `decide`; "" where all was."""
    every = set(whole)
    left = every - set(seen)
    return f"{len(left)} of {len(every)} {what}" if left else ""


def unless(lacking: str, verdict: Verdict) -> Verdict:
    """``verdict``, and "not tested" where it holds on what was run and something is ``lacking``."""
    return Verdict.NOT_TESTED if lacking and verdict in (Verdict.HOLDS, Verdict.HOLDS_ONCE) else verdict


def summary(conditions: Sequence[Condition], inside: Sequence[Condition], outside: Sequence[Condition]) -> str:
    """How many are as claimed, the exceptions by name, and the one nearest to the edge of its range."""
    parts = [f"{len(inside)} of {len(conditions)} as claimed"]
    if outside:
        worst = sorted(outside, key=lambda one: one.margin)
        more = f" and {len(worst) - NAMED} more" if len(worst) > NAMED else ""
        parts.append("not " + ", ".join(f"{one.name} {one.found}" for one in worst[:NAMED]) + more)
    unclear = [one for one in conditions if not one.inside() and one not in outside]
    if unclear:
        parts.append(f"{len(unclear)} undecided")
    if not outside:
        least = min(conditions, key=lambda one: one.margin)
        parts.append(f"least: {least.name} {least.found}")
    return "; ".join(parts)


def ahead(
    evidence: Evidence, mine: tuple, others: Sequence[tuple], pairs: Sequence[tuple[int, int]]
) -> list[Condition]:
    """Whether the row ``mine`` at T is ahead of the best of the rows ``others`` at T', for all ``pairs`` (T, T').

    None where one of the rows was not run: ahead of those that were is not ahead of all.
    """
    if not all(evidence.known(row) for row in (mine, *others)):
        return []
    found = []
    for T, later in pairs:
        known = {row: value for row in others if (value := evidence.accuracy(row, later)) is not None}
        if known and evidence.accuracy(mine, T) is not None:
            best = max(known, key=known.get)
            step = f"T = {T}" if T == later else f"T = {T} against {later}"
            found += condition(evidence, f"{where(evidence, best[-1])} ({step})", (1.0, mine, T), (-1.0, best, later))
    return found


def every(
    found: Sequence[tuple[str, float]],
    holds: Callable[[float], bool],
    unit: str,
    note: str = "",
    once: bool = False,
    lacking: str = "",
) -> Outcome:
    """Whether all of some values fulfil a condition; names those that do not, or the extremes.

    No interval is known of them: ``once`` says that they are of one seed; ``lacking`` is as in `decide`.
    """
    if not found:
        return NOT_RUN
    failed = [(name, value) for name, value in found if not holds(value)]
    low, high = min(value for _, value in found), max(value for _, value in found)
    text = f"{len(found) - len(failed)} of {len(found)}; "
    text += f"{low:.2f} {unit}" if low == high else f"{low:.2f} to {high:.2f} {unit}"
    if failed:
        text += "; not " + ", ".join(f"{name} ({value:.2f})" for name, value in failed[:NAMED])
        text += f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
    verdict = (Verdict.FAILS_ONCE if failed else Verdict.HOLDS_ONCE) if once else Outcome.of(not failed, "").verdict
    return Outcome(unless(lacking, verdict), "; ".join(filter(None, (text, note, lacking and f"without {lacking}"))))
