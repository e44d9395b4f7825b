"""The table of contents: every artefact with its question, its notebook, and its runs in a profile."""

from __future__ import annotations

import pandas as pd

from ..experiments import registry
from . import page, tables


def table(profile: str, seeds: int | None = None) -> pd.DataFrame:
    """One row for each artefact of the registry; runs that several artefacts share count in each of them."""
    lines = []
    for artefact in registry.ARTEFACTS:
        shown = page.open(artefact.id, profile, seeds)
        runs = sum(map(len, shown.rows.values()))
        found = [record for group in shown.records.values() for record in group]
        seconds = sum(record.provenance["seconds"] for record in found)
        lines.append(
            (
                artefact.place,
                artefact.question,
                f"[{artefact.title}]({artefact.id}.ipynb)",
                f"{len(found)} of {runs}" if runs else "no runs",
                f"{seconds:.0f}" if runs else "",
            )
        )
    columns = ["Place", "Question", "Notebook", "Records", "Compute (s)"]
    return pd.DataFrame(lines, columns=columns).set_index("Place")


def show(profile: str, seeds: int | None = None):
    """The table as Markdown, for the index notebook."""
    from IPython.display import Markdown

    return Markdown(tables.to_markdown(table(profile, seeds)))
