"""One artefact in one profile, as its notebook sees it: records in, figures and tables out.

page = csqcfs.page.open("table1", profile)
page.metrics(("resnet20", "qcfs"))      # one dict for each seed that has a record
page.table(frame, "caption")            # writes .md, .csv and .tex and shows the table
page.figure(fig)                        # writes .png and .svg and shows the figure
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ...engine import paths
from ..experiments import profiles, registry
from ..runs import records
from ..runs.records import Record
from . import style, tables


class Page:
    """An artefact, the profile it is shown in, and the records there are of its runs."""

    def __init__(self, artefact: registry.Artefact, profile: profiles.Profile, seeds: Sequence[int]):
        self.artefact, self.profile, self.seeds = artefact, profile, tuple(seeds)
        self.rows = artefact.rows(profile, self.seeds)
        self.records: dict[tuple, list[Record]] = {
            key: [found for run in runs if (found := records.find(run, profile.name)) is not None]
            for key, runs in self.rows.items()
        }

    def results(self, key: tuple) -> list[Record]:
        """Records of one row, one for each seed with a result; empty where the profile has no such row.

        A run that was refused, because training had left a threshold that is not positive, has none.
        """
        return [record for record in self.records.get(key, []) if "refused" not in record.metrics]

    def metrics(self, key: tuple) -> list[dict[str, Any]]:
        """Metrics of the `results` of one row."""
        return [record.metrics for record in self.results(key)]

    def refused(self) -> list[str]:
        """Why runs of this page were refused, each reason once."""
        found = [record.metrics for group in self.records.values() for record in group]
        return list(dict.fromkeys(metrics["refused"] for metrics in found if "refused" in metrics))

    @property
    def folder(self):
        return paths.figures(self.profile.name)

    @property
    def command(self) -> str:
        """The command that makes this artefact."""
        seeds = "" if self.seeds == self.profile.seeds else f" --seeds {len(self.seeds)}"
        return f"./run_all.sh --profile {self.profile.name} --only {self.artefact.id}{seeds}"

    def note(self) -> str:
        """Profile, number of seeds, origin of the records and command, for below a table."""
        lines = [f"profile {self.profile.name}: {self.profile.summary}"]
        if self.rows:
            found = [record for group in self.records.values() for record in group]
            missing = sum(len(runs) for runs in self.rows.values()) - len(found)
            lines.append(records.origin(found) + (f"; {missing} not run" if missing else ""))
        lines += [f"refused: {reason}" for reason in self.refused()]
        return "\n".join([*lines, f"command: {self.command}"])

    def table(self, frame: pd.DataFrame, caption: str, name: str | None = None, digits: int = 2):
        """Write ``frame`` as Markdown, CSV and LaTeX under ``name`` (the artefact's id) and show it."""
        from IPython.display import Markdown

        tables.write(frame, self.folder, name or self.artefact.id, caption, self.note(), digits)
        return Markdown(f"**{caption}**\n\n{tables.to_markdown(frame, digits)}")

    def figure(self, fig: Figure, name: str | None = None):
        """Write ``fig`` as PNG and SVG under ``name`` (the artefact's id) and show it."""
        from IPython.display import Image

        files = style.save(
            fig,
            self.folder,
            name or self.artefact.id,
            {"artefact": self.artefact.id, "profile": self.profile.name, "command": self.command},
        )
        width = int(fig.get_figwidth() * 100)
        plt.close(fig)
        return Image(data=files[0].read_bytes(), format="png", width=width)

    def provenance(self):
        """The note, for the end of a notebook."""
        from IPython.display import Markdown

        return Markdown("  \n".join(self.note().splitlines()))


def open(id: str, profile: str = "demo", seeds: int | None = None) -> Page:
    """The page of artefact ``id``, in the project's style.

    Args:
        seeds: number of seeds, 0..seeds - 1; None for the profile's own.

    Raises:
        InputError: unknown id or profile, or a damaged record.
    """
    style.use()
    chosen = profiles.get(profile)
    return Page(registry.get(id), chosen, chosen.seeds if seeds is None else range(seeds))
