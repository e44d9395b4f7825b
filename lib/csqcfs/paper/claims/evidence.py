"""What claims are judged on: the accuracies that the paper prints, or those of a profile's records.

Both answer the same questions, so that one function judges a sentence on either. A row is (artefact, *its key), as
in `registry`; a term of a difference is (weight, row, "ann" or T or several T).
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Any

from .. import names, published
from ..measures import compare
from ..measures.compare import Column, Difference
from ..measures.right import ANN
from ..names import count
from ..runs.records import Record, on_others

Term = tuple[float, tuple, Column]
TABLES = ("table1", "table2")
OTHERS = ("qcfs", "srp", "cos")  # methods of Tables 1-2 beside "Ours"


class Printed:
    """The paper's Tables 1-4: numbers without noise, as nothing about it is said."""

    tables = {
        "table1": published.TABLE1,
        "table2": published.TABLE2,
        "table3": published.TABLE3,
        "table4": published.TABLE4,
    }
    names = names.NAMES
    full = True

    def keys(self, id: str) -> list[tuple]:
        return list(self.tables.get(id, {}))

    def accuracy(self, row: tuple, column: Column) -> float | None:
        """None where the paper prints a dash, or no such row."""
        id, *key = row
        found = self.tables.get(id, {}).get(tuple(key))
        if found is None:
            return None
        if column == ANN:
            return found.ann
        values = [found.at(T) for T in (column if isinstance(column, tuple) else (column,))]
        return None if None in values else statistics.fmean(values)

    def contrast(self, *terms: Term, offset: float = 0.0) -> Difference | None:
        values = [self.accuracy(row, column) for _, row, column in terms]
        if None in values:
            return None
        total = sum(weight * value for (weight, _, _), value in zip(terms, values, strict=True))
        return Difference(round(total + offset, 6), exact=True)  # printed numbers have two decimals

    def identity(self, row: tuple) -> tuple:
        return row

    def known(self, row: tuple) -> bool:
        """True: a row that the paper leaves out is none of its claim."""
        return True

    def refused(self, rows: Sequence[tuple]) -> str:
        return ""

    def once(self, rows: Sequence[tuple]) -> bool:
        return False

    def size(self, rows: Sequence[tuple], seeds: Sequence[int] = ()) -> str:
        return ""


class Recorded:
    """The records of all the paper's artefacts in one profile.

    Args:
        page: of the artefact "claims", whose rows have keys (artefact, *row of the artefact).
    """

    def __init__(self, page):
        self.page, self.profile = page, page.profile
        self.names = names.shown_as(page.profile)

    @property
    def full(self) -> bool:
        """Whether the profile trains as the paper does, so that levels and not only orders compare."""
        return not self.stand_in and self.profile.epochs is None

    @property
    def stand_in(self) -> bool:
        """Whether other images are in the place of CIFAR: a data set of the profile, or a folder under that name."""
        return bool(self.profile.datasets) or on_others(
            record for group in self.page.records.values() for record in group
        )

    def records(self, id: str, *key: Any) -> list[Record]:
        """Records with a result; a run that a threshold <= 0 stopped has none."""
        return [record for record in self.page.records.get((id, *key), []) if "refused" not in record.metrics]

    def keys(self, id: str) -> list[tuple]:
        """Rows of an artefact that have results; where one data set stands in for two, each run once."""
        found: dict[tuple, tuple] = {}
        for key in (key[1:] for key in self.page.records if key[0] == id and self.records(*key)):
            rest = tuple(part for part in key if part not in self.profile.datasets)
            found.setdefault((rest, self.identity((id, *key))), key)
        return list(found.values())

    def identity(self, row: tuple) -> tuple:
        """Equal for rows that show the same runs."""
        return tuple(sorted(record.digest for record in self.records(*row)))

    def networks(self, rows: Sequence[tuple]) -> dict[tuple[str, str], set[str]]:
        """The trainings of each network, (data set, network), however many measurements of them there are."""
        found: dict[tuple[str, str], set[str]] = {}
        for trained in (record.settings["training"] for row in rows for record in self.page.records.get(row, [])):
            place = trained["dataset"], trained["network"]
            found.setdefault(place, set()).add(json.dumps(trained, sort_keys=True))
        return found

    def accuracy(self, row: tuple, column: Column) -> float | None:
        """Mean over seeds."""
        found = [compare.accuracy(record, column) for record in self.records(*row)]
        return None if not found or None in found else statistics.fmean(found)

    def contrast(self, *terms: Term, offset: float = 0.0) -> Difference | None:
        return compare.contrast(*((w, self.records(*row), column) for w, row, column in terms), offset=offset)

    def thresholds(self, *row: Any) -> list[dict[str, list[float]]]:
        """Of each seed, by site."""
        return [found.metrics["thresholds"] for found in self.records(*row) if "thresholds" in found.metrics]

    def lowest(self, *row: Any) -> float:
        """The smallest threshold."""
        return min(min(values) for network in self.thresholds(*row) for values in network.values())

    def known(self, row: tuple) -> bool:
        """Whether a row has a result."""
        return bool(self.records(*row))

    def refused(self, rows: Sequence[tuple]) -> str:
        """How many runs of the rows a threshold <= 0 stopped, in words; "" where none."""
        runs = {record.digest: record for row in rows for record in self.page.records.get(row, [])}.values()
        stopped = sum("refused" in record.metrics for record in runs)
        return f"{stopped} of {count(len(runs), 'run')} refused for a threshold ≤ 0" if stopped else ""

    def once(self, rows: Sequence[tuple]) -> bool:
        """Whether some row has the result of one seed alone."""
        return any(len(self.records(*row)) == 1 for row in rows)

    def size(self, rows: Sequence[tuple], seeds: Sequence[int] = ()) -> str:
        """On how much a finding rests: networks, data sets, test images, and seeds; ``seeds`` where fewer were compared
        than a row has.
        """
        groups = [found for row in rows if (found := self.records(*row))]
        records = [record for group in groups for record in group]
        if not records:
            return ""
        trained = [record.settings["training"] for record in records]
        networks = (names.NAMES.get(name, name) for name in sorted({one["network"] for one in trained}))
        seen = sorted({(one["dataset"], one.get("data")) for one in trained})
        named = [", ".join(networks), ", ".join(names.images(*one) for one in seen)]
        several = sorted(set(seeds) or {len(group) for group in groups})
        images = sorted({number for record in records if (number := record.metrics.get("images"))})
        parts = [*named, f"n = {names.span(several)}"]
        return ", ".join(parts + [names.span(images, "image")] * bool(images))


Evidence = Printed | Recorded


def compared(evidence: Evidence, others: tuple[str, ...] = OTHERS) -> list[tuple[str, str]]:
    """(table, network) of Tables 1-2 where "Ours" and ``others`` were run."""
    return [
        (id, network)
        for id in TABLES
        for network, method in evidence.keys(id)
        if method == "ours" and all(evidence.accuracy((id, network, name), 32) is not None for name in others)
    ]


def where(evidence: Evidence, *parts: object) -> str:
    """A place of a table or figure in words."""
    return ", ".join(evidence.names.get(part, str(part)) for part in parts)


def place(evidence: Evidence, id: str, network: str) -> str:
    """A network in the table ``id``, in words."""
    return f"{where(evidence, network)} in {id.replace('table', 'Table ')}"


def lowest_traced(ours: Recorded, end: str, panels: tuple[str, ...]) -> dict[tuple, float]:
    """The smallest threshold at any epoch of each training of Fig. 6, by (data set, network, L, initial threshold)."""
    found = {}
    for key in ours.keys("figure6"):
        if key[0] in panels and key[3] == end and key[-1] == "trace":
            low = min(
                site[0]
                for record in ours.records("figure6", *key)
                for epoch in record.metrics["history"]
                for site in epoch["thresholds"].values()
            )
            found[key[1], key[2], key[4], key[5]] = low
    return found


def traced(evidence: Evidence, dataset: str, network: str, L: int, threshold: float) -> str:
    """A training of Fig. 6 in words."""
    return where(evidence, dataset, network, f"L = {L}", f"from {threshold:g}")
