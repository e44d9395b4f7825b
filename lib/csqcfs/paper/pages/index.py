"""The table of contents: every artefact with its question, its notebook, and its runs in a profile."""

from __future__ import annotations

import pandas as pd

from ..experiments import registry
from ..names import count
from . import page
from .formats import Markup, to_markdown


def progress(shown: page.Page) -> str:
    """How many of a page's runs have a record, and their seconds; a run that stands in several rows counts once."""
    runs = {run.digest for group in shown.rows.values() for run in group}
    seconds = {r.digest: r.provenance["seconds"] for group in shown.records.values() for r in group}
    took = f", {sum(seconds.values()):,.0f} s" if seconds else ""
    return f"{len(seconds)} of {count(len(runs), 'run')}{took}" if runs else "no runs"


def table(profile: str, seeds: int | None = None) -> pd.DataFrame:
    """One row for each artefact of the registry; runs that several artefacts share count in each of them."""
    lines = [
        (a.place, a.question, Markup(f"[{a.title}]({a.id}.ipynb)"), progress(page.open(a.id, profile, seeds)))
        for a in registry.ARTEFACTS
    ]
    return pd.DataFrame(lines, columns=["Place", "Question", "Notebook", "Records"]).set_index("Place")


def show(profile: str, seeds: int | None = None):
    """The table as Markdown, for the index notebook."""
    from IPython.display import Markdown

    return Markdown(
        f"**Notebooks, and their records in the profile {profile}**\n\n{to_markdown(table(profile, seeds))}"
    )
