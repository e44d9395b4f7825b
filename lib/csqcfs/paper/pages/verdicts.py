"""Tables with a column "Verdict", as notebooks show them: coloured, and on demand a part that folds for each verdict.

A colour is text on its own ground, so that it reads on light and dark pages alike. Parts are <details> with a count,
which JupyterLab and GitHub fold without a kernel; files keep the plain table. And in a sentence: how the claims about a
figure or table fare.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ..claims import judge
from ..experiments import registry
from ..names import count
from .formats import Markup, markdown, to_markdown

if TYPE_CHECKING:  # a page shows what is said here
    from .page import Page

COLUMN = "Verdict"
GREEN, TEAL, RED, PINK, AMBER, VIOLET, GREY = (
    "#1a7f37",
    "#1f6f78",
    "#b42318",
    "#a8456b",
    "#8a5a00",
    "#7c3aed",
    "#57606a",
)  # white on each: 4.5 to 1 or more
GROUNDS = {
    "did not hold": RED,
    "did not hold on one seed": PINK,
    "does not hold": RED,
    "undecided": AMBER,
    "held": GREEN,
    "held on one seed": TEAL,
    "holds": GREEN,
    "not defined": VIOLET,
    "remark": GREY,
    "shown, not judged": GREY,
    "not tested": GREY,
}
FOLDED = {"not tested"}  # nothing to read in it but which claims these are


def coloured(verdict: str) -> Markup:
    """A verdict as white letters on its colour."""
    return Markup(
        f'<span style="color: #ffffff; background-color: {GROUNDS[verdict]}; padding: 1px 6px">{verdict}</span>'
    )


def shown(frame: pd.DataFrame, digits: int = 2) -> str:
    """`to_markdown` with coloured verdicts; a frame without a column "Verdict" stays as it is."""
    if COLUMN in frame.columns:
        frame = frame.assign(**{COLUMN: frame[COLUMN].map(coloured)})
    elif COLUMN in frame.index.names:
        frame = frame.rename(index=lambda cell: coloured(cell) if cell in GROUNDS else cell, level=COLUMN)
    return to_markdown(frame, digits)


def folding(frame: pd.DataFrame, noun: str, digits: int = 2) -> str:
    """A part for each verdict, in the order of `GROUNDS`, headed by it and how many have it: "1 claim"."""
    parts = []
    for verdict in GROUNDS:
        if len(part := frame[frame[COLUMN] == verdict]):
            opened = "" if verdict in FOLDED else " open"
            head = f"{coloured(verdict)} {markdown(count(len(part), noun))}"
            table = to_markdown(part.drop(columns=COLUMN), digits)
            parts.append(f"<details{opened}><summary>{head}</summary>\n\n{table}\n</details>")
    return "\n\n".join(parts)


def about(shown: Page) -> list[str]:
    """How the paper's claims about this figure or table fare on the profile's records."""
    if shown.artefact.id == "claims" or shown.artefact.place == registry.BEYOND:
        return []
    here = places(shown.artefact.place)
    ledger = type(shown)(registry.get("claims"), shown.profile, shown.seeds)
    concerned = judge.judge(ledger, lambda place: bool(here & places(place)))
    if concerned.empty:
        return []
    return [f"The paper's claims about it: {tally(concerned['Verdict'])} ([ledger](claims.ipynb))."]


def places(text: str) -> set[tuple[str, int]]:
    """The figures, tables and equations that a place names, one by one: "Tables 1-2, Fig. 4" has three."""
    found = set()
    for kind, numbers in re.findall(r"(Table|Fig|Eq|Algorithm)s?\.? (\d+(?:(?:-|, | and )\d+)*)", text):
        for part in re.split(", | and ", numbers):
            first, _, last = part.partition("-")
            found |= {(kind, number) for number in range(int(first), int(last or first) + 1)}
    return found


def tally(found: Sequence[str]) -> str:
    """ "3 held, 1 did not hold", the most frequent first."""
    return ", ".join(judge.numbered(verdict, many) for verdict, many in Counter(found).most_common())
