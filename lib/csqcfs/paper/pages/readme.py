"""Keep the README's tables true: they are made from the registry, the profiles and the reference records.

``csqcfs readme`` rewrites what stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``; a test fails where that is
out of date.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from ...engine import paths
from ...engine.files import write_text
from .. import published
from ..bench import report
from ..claims import judge
from ..experiments import profiles, registry
from ..runs import records
from . import index, page, tables

RESULTS = (("table1", published.TABLE1, "CIFAR-10"), ("table2", published.TABLE2, "CIFAR-100"))


def artefact_map() -> str:
    """One row for each artefact: where it stands in the paper, its notebook, its command, its time in the demo."""
    lines = ["| paper | what it shows | notebook | command | demo |", "|---|---|---|---|--:|"]
    for artefact in registry.ARTEFACTS:
        lines.append(
            f"| {artefact.place} | {artefact.title} | [{artefact.id}](notebooks/{artefact.id}.ipynb) | "
            f"`./run_all.sh --only {artefact.id}` | {index.progress(page.open(artefact.id, 'demo'))} |"
        )
    return "\n".join(lines)


def results() -> str:
    """The networks of the quick profile that have records, beside the paper's."""
    parts = []
    for id, printed, name in RESULTS:
        shown = page.open(id, "quick")
        networks = list(dict.fromkeys(key[0] for key in shown.rows if shown.metrics(key)))
        rows = {key: row for key, row in printed.items() if key[0] in networks}
        if not networks:
            continue
        frame = tables.accuracy_beside(shown, rows, ("Architecture", "Method"))
        note = records.origin([record for group in shown.records.values() for record in group])
        parts.append(f"**{name}**, accuracy in %\n\n{tables.to_markdown(frame)}\n{note}; command `{shown.command}`")
    return "\n\n".join(parts)


def profile_list() -> str:
    return "\n".join(f"- `{profile.name}`: {profile.summary}." for profile in profiles.PROFILES.values())


def claim_count() -> str:
    """Verdicts of the claims ledger, by profile."""

    def line(profile: str) -> str:
        counts = ", ".join(
            f"{count} {verdict}"
            for verdict, count in judge.tally(judge.judge(page.open("claims", profile))).items()
            if count
        )
        return f"- `{profile}`: {counts} ([ledger](paper_figures/{profile}/claims.md))"

    return "\n".join(line(profile) for profile in ("demo", "quick"))


def speed() -> str:
    """The table of speed, from the record that Table 6 of the profile "quick" has."""
    (record,) = page.open("table6", "quick").records[("bench",)]
    versions = ", ".join(f"{name} {version}" for name, version in record.metrics["versions"].items())
    return (
        f"{report.table(record.metrics['lines'], notes=False)}\n\nMeasured on {record.provenance['date']} on "
        f"{record.provenance['hardware']} with {record.metrics['threads']} threads; {versions}; "
        "medians (quartiles) over rounds in which the compared functions take turns."
    )


SECTIONS: dict[str, Callable[[], str]] = {
    "results": results,
    "map": artefact_map,
    "profiles": profile_list,
    "claims": claim_count,
    "speed": speed,
}


def rendered(text: str) -> str:
    """``text`` with every marked section made anew."""
    for name, section in SECTIONS.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = marked.sub(lambda found, section=section: f"{found[1]}\n{section()}\n\n{found[2]}", text)
    return text


def main(options: argparse.Namespace) -> int:
    """Renew the README; the exit status."""
    path = paths.REPOSITORY / "README.md"
    with tempfile.TemporaryDirectory() as home:
        os.environ["CSQCFS_HOME"] = str(Path(home))  # reference records only
        write_text(path, rendered(path.read_text(encoding="utf-8")))
    return 0
