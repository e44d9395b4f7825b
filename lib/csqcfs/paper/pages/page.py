"""One artefact in one profile, as its notebook sees it: records in, figures and tables out.

page = csqcfs.paper.pages.page.open("table1", profile)
page.found()                            # what the records say, in a few sentences
page.metrics(("resnet20", "qcfs"))      # one dict for each seed that has a record
page.table(frame, "caption")            # writes .md, .csv and .tex and shows the table
page.figure(fig, "caption")             # writes .png and .svg and shows the figure
page.provenance()                       # profile, records and command, and where to go next
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ...engine import paths
from ...engine.errors import InputError
from ..experiments import profiles, registry
from ..experiments.configs import Run
from ..experiments.profile import Profile
from ..names import NAMES, images, span
from ..plots import style
from ..runs import records
from ..runs.records import Record
from . import tables, verdicts
from .formats import markdown


class Page:
    """An artefact, the profile it is shown in, and the records there are of its runs."""

    def __init__(self, artefact: registry.Artefact, profile: Profile, seeds: Sequence[int]):
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

    def part(self, first: Hashable) -> Page:
        """This page with those rows alone whose key begins with ``first``, which their keys then lack."""
        found = copy.copy(self)
        found.rows = {key[1:]: runs for key, runs in self.rows.items() if key[0] == first}
        found.records = {key[1:]: group for key, group in self.records.items() if key[0] == first}
        return found

    def ending(self, *last: Hashable) -> Page:
        """This page with those rows alone whose key ends with one of ``last``: what it shows names their records."""
        found = copy.copy(self)
        found.rows = {key: runs for key, runs in self.rows.items() if key[-1] in last}
        found.records = {key: self.records[key] for key in found.rows}
        return found

    def parts(self) -> dict[Hashable, Page]:
        """`part` for each beginning of a row's key."""
        return {first: self.part(first) for first in dict.fromkeys(key[0] for key in self.rows)}

    def metrics(self, key: tuple) -> list[dict[str, Any]]:
        """Metrics of the `results` of one row."""
        return [record.metrics for record in self.results(key)]

    def refused(self) -> list[str]:
        """Why runs of this page were refused, each reason once."""
        found = [record.metrics for group in self.records.values() for record in group]
        return list(dict.fromkeys(metrics["refused"] for metrics in found if "refused" in metrics))

    def seen(self, part: str, keys: Collection[tuple] = ()) -> str:
        """Names of each "network" or "dataset" behind the records of rows, by default all; without any, their runs'."""
        keys = keys or self.rows
        runs = [run for key in [key for key in keys if self.results(key)] or keys for run in self.rows[key]]
        return " and ".join(dict.fromkeys(name for run in runs if (name := _seen(run, part))))

    @property
    def source(self) -> str:
        """What captions name, see `source_of`, or what a page without runs rests on."""
        return self.artefact.basis if not self.rows and self.artefact.basis else self.source_of(self.rows)

    def source_of(self, keys: Collection[tuple]) -> str:
        """Profile, networks, data, and numbers of seeds and of images behind some rows, for what shows them alone."""
        found = [results for key in keys if (results := self.results(key))]
        what = "seed" if any(results[0].settings["training"] for results in found) else "measurement"
        seeds = _range((len(results) for results in found), what)
        images = _range((record.metrics.get("images", 0) for results in found for record in results), "image")
        places = [self.seen("network", keys), self.seen("dataset", keys)]
        if what == "measurement":
            places += sorted({results[0].provenance["hardware"] for results in found})
        counts = f"n = {seeds}" if seeds else "not run"
        return ", ".join(filter(None, (f"profile {self.profile.name}", *places, counts, images)))

    @property
    def folder(self):
        return paths.figures(self.profile.name)

    @property
    def command(self) -> str:
        """The command that makes this artefact."""
        seeds = "" if self.seeds == self.profile.seeds else f" --seeds {len(self.seeds)}"
        return f"./run_all.sh --profile {self.profile.name} --only {self.artefact.id}{seeds}"

    def note(self, source: str = "") -> str:
        """Source, origin of the records and command, for below a table; ``source`` for one that shows no records."""
        lines = [source or self.source]
        if self.rows and not source:
            found = {record.digest: record for group in self.records.values() for record in group}
            missing = len({run for runs in self.rows.values() for run in runs}) - len(found)
            lines.append(records.origin(list(found.values())) + (f"; {missing} not run" if missing else ""))
            lines += [f"refused: {reason}" for reason in self.refused()]
        return "\n".join([*lines, f"command: {self.command}"])

    def found(self):
        """What the records of this page say, made from them and from the checks of the paper's claims."""
        from . import found

        return found.show(self)

    def table(
        self,
        frame: pd.DataFrame,
        caption: str,
        name: str | None = None,
        *,
        digits: int = 2,
        source: str = "",
        of: Page | None = None,
        fold: str = "",
    ):
        """Write ``frame`` as Markdown, CSV and LaTeX under ``name`` (the artefact's id) and show it.

        Its caption says what the table rests on and what ± stands for.

        Args:
            digits: decimals.
            source: what a table rests on that shows no records, on a page that has some.
            of: the same artefact in another profile, where the table shows that one's records.
            fold: what its rows are, such as "claim", to show them in parts that fold, one for each verdict.
        """
        from IPython.display import Markdown

        name, shown = name or self.artefact.id, of or self
        if frame.empty:
            return self._nothing(caption, name, ("md", "csv", "tex"), shown.profile)
        based = source or shown.source
        caption = f"{caption} ({'; '.join(filter(None, (based, tables.plus_minus(frame, based))))})"
        tables.write(frame, self.folder, name, caption, shown.note(source), digits)
        text = verdicts.folding(frame, fold, digits) if fold else verdicts.shown(frame, digits)
        return Markdown(f"**{markdown(caption)}**\n\n{text}")

    def figure(self, fig: Figure | None, caption: str, name: str | None = None, *, source: str = ""):
        """Write ``fig`` as PNG and SVG under ``name`` (the artefact's id) and show it above its caption.

        Args:
            source: what a figure rests on that does not show all records of the page, see `source_of`.
        """
        from IPython.display import Image, Markdown, display

        name = name or self.artefact.id
        if fig is None:
            return self._nothing(caption, name, ("png", "svg"), self.profile)
        caption = f"{caption} ({source or self.source})"
        meta = {"artefact": self.artefact.id, "profile": self.profile.name, "command": self.command}
        files = style.save(fig, self.folder, name, {"caption": caption, **meta})
        width = int(fig.get_figwidth() * 100)
        plt.close(fig)
        display(Image(data=files[0].read_bytes(), format="png", width=width, alt=caption))
        return Markdown(f"*{markdown(caption)}*")

    def _nothing(self, caption: str, name: str, kinds: Sequence[str], profile: Profile):
        """A sentence in place of a figure or table without records, whose files of an earlier run would be wrong."""
        from IPython.display import Markdown

        for kind in kinds:
            (self.folder / f"{name}.{kind}").unlink(missing_ok=True)
        return Markdown(f"*{markdown(caption)}*: the profile {profile.name} has no record of this.")

    def provenance(self):
        """For the end of a notebook: where the numbers come from, those of `Artefact.beside` too, and links to its
        neighbours.
        """
        from IPython.display import Markdown

        shown = [run.training for key, runs in self.rows.items() if self.results(key) for run in runs if run.training]
        summary = self.profile.tuned if shown and all(one.start for one in shown) else self.profile.summary
        lines = [f"profile {self.profile.name}: {summary}"] if any(self.records.values()) else []
        texts = ["\n".join([*lines, self.note()])]
        if self.artefact.beside not in ("", self.profile.name):
            texts.append(open(self.artefact.id, self.artefact.beside).note())
        told = ["  \n".join(map(markdown, text.splitlines())) for text in texts]
        return Markdown("\n\n".join([*told, self.links()]))

    def links(self) -> str:
        """Previous notebook, index and next one, as Markdown."""
        place = registry.IDS.index(self.artefact.id)
        around = {"previous": registry.ARTEFACTS[place - 1 : place], "next": registry.ARTEFACTS[place + 1 : place + 2]}
        before, after = ([f"{word}: [{one.title}]({one.id}.ipynb)" for one in found] for word, found in around.items())
        return " · ".join([*before, "[index](index.ipynb)", *after])


def _seen(run: Run, part: str) -> str:
    """The name of a run's "network" or "dataset"; empty where it has none."""
    if run.training is not None and part == "dataset":
        return images(run.training.dataset, run.training.data)
    name = dict(run.options).get(part, "") if run.training is None else getattr(run.training, part)
    return NAMES.get(name, name)


def _range(numbers: Iterable[int], noun: str) -> str:
    """ "1-3 seeds", "5,000 images"; empty without a number."""
    return span(filter(None, numbers), noun)


def open(id: str, profile: str = "quick", seeds: int | None = None) -> Page:
    """The page of artefact ``id``, in the project's style.

    Args:
        seeds: number of seeds, 0..seeds - 1; None for the profile's own.

    Raises:
        InputError: unknown id or profile, a number of seeds that is none, or a damaged record.
    """
    if seeds is not None and (type(seeds) is not int or seeds < 1):
        raise InputError(f"seeds = {seeds!r}: expected a number from 1 on; None takes the profile's own seeds")
    style.use()
    chosen = profiles.get(profile)
    return Page(registry.get(id), chosen, chosen.seeds if seeds is None else range(seeds))
