"""The claims ledger: what the paper says in abstract, text and tables, and whether it held on our records.

Where other images stand in for CIFAR, as in the demo, the checks run and are shown, but nothing is judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pandas as pd

from ..names import count
from .claim import Verdict
from .evidence import Recorded
from .listed import PARTS

SHOWN = "shown, not judged"
VERDICTS = {
    Verdict.HOLDS: "held",
    Verdict.FAILS: "did not hold",
    Verdict.HOLDS_ONCE: "held on one seed",
    Verdict.FAILS_ONCE: "did not hold on one seed",
    Verdict.UNDECIDED: "undecided",
    Verdict.NOT_TESTED: "not tested",
    Verdict.REMARK: "remark",
    SHOWN: SHOWN,
}
AGAINST = (VERDICTS[Verdict.FAILS], VERDICTS[Verdict.FAILS_ONCE])
DECIDED = (*AGAINST, VERDICTS[Verdict.HOLDS], VERDICTS[Verdict.HOLDS_ONCE])


def judge(page, wanted: Callable[[str], bool] = lambda place: True) -> pd.DataFrame:
    """Every claim that records can decide, on those of the page "claims": place, claim, verdict and finding.

    Args:
        wanted: whether claims of a place, such as "Section 5.2, Fig. 4", are judged; all are by default.
    """
    ours, lines = Recorded(page), []
    for claim in (c for claims in PARTS.values() for c in claims if c.records and wanted(c.place)):
        verdict, found = claim.records(ours)
        if ours.stand_in and verdict is not Verdict.NOT_TESTED:
            verdict = SHOWN
        lines.append((claim.place, claim.text, VERDICTS[verdict], found))
    index = pd.RangeIndex(1, len(lines) + 1, name="#")
    return pd.DataFrame(lines, index, ["Place", "Claim", "Verdict", "Found"])


def by_section(frame: pd.DataFrame) -> pd.DataFrame:
    """Number of claims by verdict, a row for each part of the paper and one for all; verdicts that occur."""
    parts = pd.Series([part for part, claims in PARTS.items() for claim in claims if claim.records], frame.index)
    lines = [(part, *tally(frame[parts == part]).values()) for part in PARTS]
    lines.append(("all", *tally(frame).values()))
    counted = pd.DataFrame(lines, columns=["Part", *VERDICTS.values()]).set_index("Part")
    return counted.loc[:, counted.loc["all"] > 0]


def tally(frame: pd.DataFrame) -> dict[str, int]:
    """Number of claims by verdict, in the order of `VERDICTS`."""
    found = Counter(frame["Verdict"])
    return {verdict: found[verdict] for verdict in VERDICTS.values()}


def numbered(verdict: str, many: int) -> str:
    """ "2 held", "1 remark", "2 remarks": of the verdicts this one alone is a noun."""
    return count(many, verdict) if verdict == VERDICTS[Verdict.REMARK] else f"{many} {verdict}"
