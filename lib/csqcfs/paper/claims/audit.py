"""The audit of the paper: its claims judged on its own equations and printed numbers.

A verdict concerns the text at hand, which was read by a machine from the published page: where a lost sign,
exponent or factor would explain a disagreement, the finding says so.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from .claim import Claim, Verdict
from .evidence import Printed
from .listed import PARTS, select

__all__ = ["PARTS", "VERDICTS", "counts", "select", "shown"]

VERDICTS = (Verdict.HOLDS, Verdict.FAILS, Verdict.UNDEFINED)
PAPER = Printed()


def shown(claims: Iterable[Claim]) -> pd.DataFrame:
    """These claims as a table to read: place, claim and verdict, and what was found; those that the paper decides."""
    outcomes = [(claim, claim.printed(PAPER)) for claim in claims if claim.printed]
    index = pd.MultiIndex.from_tuples(
        [(claim.place, claim.text, str(outcome.verdict)) for claim, outcome in outcomes],
        names=["Place", "Claim", "Verdict"],
    )
    return pd.DataFrame({"Found": [outcome.found for _, outcome in outcomes]}, index=index)


def counts() -> pd.DataFrame:
    """Number of claims by part of the paper and verdict."""
    found = [[claim.printed(PAPER).verdict for claim in part if claim.printed] for part in PARTS.values()]
    lines = [[verdicts.count(name) for name in VERDICTS] for verdicts in (*found, sum(found, []))]
    return pd.DataFrame(lines, pd.Index([*PARTS, "all"], name="Part"), list(map(str, VERDICTS)))
