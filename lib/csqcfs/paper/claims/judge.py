"""The claims ledger: what the paper says in abstract, text and tables, and whether it held on our records.

Each claim has its place in the paper and a check as code, a function of the `Ledger` in one of the modules
claims_accuracy, claims_thresholds, claims_networks and claims_costs. Words as "comparable" and "marginal" are
given numbers there. A verdict is about the means of our records; where a difference is smaller than the test
images can tell, the finding says so.
"""

from __future__ import annotations

from collections import Counter

import pandas as pd

from ..pages import page
from . import claims_accuracy, claims_costs, claims_networks, claims_thresholds
from .checks import Check
from .ledger import Ledger

CLAIMS: list[Check] = [
    claim for part in (claims_accuracy, claims_thresholds, claims_networks, claims_costs) for claim in part.CLAIMS
]
PARTS = {  # the first mark that occurs in a claim's place decides
    "Abstract": "Abstract and introduction",
    "ntroduction": "Abstract and introduction",
    "Conclusion": "Conclusion",
    "5.3": "Comparison (5.3, Tables 1-2)",
    "5.2": "Networks (5.2, Fig. 4)",
    "5.4": "Ablation (5.4, Tables 3-4)",
    "5.5": "Quantization step (5.5, Fig. 5)",
    "5.6": "Necessity (5.6, Table 5, Fig. 6)",
    "5.7": "Cost (5.7, Tables 6-7)",
}
VERDICTS = {True: "held", False: "did not hold", None: "not tested in this profile"}


def judge(shown) -> pd.DataFrame:
    """Every claim on the records of the page "claims": a row each, with place, claim, verdict and finding."""
    ledger = Ledger(shown)
    outcomes = [(claim, claim.run(ledger)) for claim in CLAIMS]
    lines = [
        (number, claim.place, claim.claim, VERDICTS[outcome.holds], outcome.found)
        for number, (claim, outcome) in enumerate(outcomes, 1)
    ]
    return pd.DataFrame(lines, columns=["#", "Place", "Claim", "Verdict", "Found"]).set_index("#")


def by_section(frame: pd.DataFrame) -> pd.DataFrame:
    """Number of claims by verdict, a row for each part of the paper and one for all."""
    parts = frame["Place"].map(
        lambda place: next((part for mark, part in PARTS.items() if mark in place), "Method (1-4)")
    )
    lines = [
        (part, *tally(frame[parts == part]).values())
        for part in dict.fromkeys([*PARTS.values(), *parts])
        if (parts == part).any()
    ]
    lines.append(("all", *tally(frame).values()))
    return pd.DataFrame(lines, columns=["Part", *VERDICTS.values()]).set_index("Part")


def tally(frame: pd.DataFrame) -> dict[str, int]:
    """Number of claims by verdict, in the order of `VERDICTS`."""
    found = Counter(frame["Verdict"])
    return {verdict: found[verdict] for verdict in VERDICTS.values()}


def count(profile: str) -> dict[str, int]:
    """Number of claims by verdict in a profile."""
    return tally(judge(page.open("claims", profile)))
