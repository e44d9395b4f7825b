"""Tables with a column "Verdict", as notebooks show them: coloured, and on demand a part that folds for each verdict.

A colour is text on its own ground, so that it reads on light and dark pages alike. Parts are <details> with a count,
which JupyterLab and GitHub fold without a kernel; files keep the plain table.
"""

from __future__ import annotations

import pandas as pd

from ..names import count
from .formats import Markup, markdown, to_markdown

COLUMN = "Verdict"
GREEN, RED, AMBER, VIOLET, GREY = (
    "#1a7f37",
    "#b42318",
    "#8a5a00",
    "#7c3aed",
    "#57606a",
)  # white on each: 4.5 to 1 or more
GROUNDS = {
    "did not hold": RED,
    "does not hold": RED,
    "undecided": AMBER,
    "held": GREEN,
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
