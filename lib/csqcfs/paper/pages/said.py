"""How a difference of accuracies is said: ahead, behind or undecided, with its interval and what it rests on.

The intervals are those of `measures.compare`: 95 %, image by image where the records keep which images were right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from .. import names
from ..measures import compare
from ..names import NAMES, count, span
from ..plots import shared
from ..runs.records import Record, trained

if TYPE_CHECKING:  # a page shows what is said here
    from .page import Page

NOT_HERE = "The profile has no runs of this; `./run_all.sh --profile quick` has."
METHOD = NAMES | {  # with the rows of Table 4
    "origin": "one stage",
    "layer-wise": "two layer-wise stages",
    "channel-wise": "channel-wise fine-tuning",
}


def compared(shown: Page, first: tuple, second: tuple, column: compare.Column) -> compare.Difference | None:
    """One row minus another; None where one has no record."""
    mine, theirs = shown.results(first), shown.results(second)
    return compare.difference(mine, theirs, column) if mine and theirs else None


def cell(records: Sequence[Record], column: compare.Column) -> str:
    """An accuracy, mean over seeds, with half of the 95 % interval; empty where a record lacks it."""
    found = compare.contrast((1.0, records, column))
    return "" if found is None else found.short().lstrip("+")


def verdict(found: compare.Difference) -> str:
    """Undecided where the interval holds 0."""
    return "undecided" if not found.decided else "ahead" if found.points > 0 else "behind"


def rests_on(records: Sequence[Record], seeds: int | None = None) -> str:
    """How many seeds, by default one for each record, and how many test images."""
    images = records[0].metrics.get("images")
    return f"n = {count(seeds or len(records), 'seed')}" + (f", {count(images, 'image')}" if images else "")


def in_full(what: str, found: compare.Difference, records: Sequence[Record]) -> str:
    """A difference with its interval and what it rests on."""
    low, high = found.interval()
    if not math.isfinite(high):
        why = "no interval, the records count no images"
        return f"{what} {found.points:+.2f} points ({rests_on(records, found.seeds)}; {why})"
    about = "" if found.seeds > 1 else " over images"
    return (
        f"{verdict(found)} on {what}, {found.points:+.2f} points (95 % interval{about} {low:+.2f} to {high:+.2f}; "
        f"{rests_on(records, found.seeds)})"
    )


def by_verdict(found: Mapping[str, compare.Difference]) -> dict[str, list[str]]:
    """What is ahead, behind and undecided, in the order of ``found``."""
    groups: dict[str, list[str]] = {}
    for what, one in found.items():
        groups.setdefault(verdict(one), []).append(what)
    return groups


def summed_up(found: Mapping[str, tuple[compare.Difference, Sequence]]) -> str:
    """Differences at one or two places in full; at more, the places of each verdict and the range of points."""
    if len(found) <= 2:
        return "; ".join(in_full(what, *one) for what, one in found.items())
    parts = []
    for word, places in by_verdict({what: one for what, (one, _) in found.items()}).items():
        points = sorted(found[what][0].points for what in places)
        parts.append(f"{word} on {', '.join(places)} ({points[0]:+.2f} to {points[-1]:+.2f} points)")
    seeds = sorted({one.seeds for one, _ in found.values()})
    return f"{'; '.join(parts)}; by 95 % intervals, n = {span(seeds)}"


def highest(rows: Mapping[str, Sequence[Record]], column: compare.Column) -> str:
    """Which of several rows has the highest mean, and whether it is ahead of the next, seed by seed."""
    means = {name: compare.contrast((1.0, records, column)).points for name, records in rows.items()}
    best, second = sorted(means, key=means.get, reverse=True)[:2]
    found = compare.difference(rows[best], rows[second], column)
    beside = "" if found is None else f", {verdict(found)} by {found.short()} points, n = {count(found.seeds, 'seed')}"
    return f"{best} (next: {second}{beside})"


def of_each(shown: Page, sentences: Callable[[Page], list[str]]) -> list[str]:
    """Sentences about each data set of a page whose keys begin with it, named where several have records."""
    parts = {dataset: part for dataset, part in shown.parts().items() if any(map(part.results, part.rows))}
    return [
        (f"{names.dataset(dataset, shown.profile)}: " if len(parts) > 1 else "") + sentence
        for dataset, part in parts.items()
        for sentence in sentences(part)
    ]


def by_network(shown: Page, pairs: Sequence[tuple], column: compare.Column, lead: str) -> list[str]:
    """One sentence for each pair of methods, over all places with records; places that share their runs count once."""
    titles = shared.places(shown)
    named = {place: title if len(place) > 1 else NAMES[place[0]] for place, title in titles.items()}
    sentences = []
    for first, second in pairs:
        found = {
            what.replace("\n", " "): (one, shown.results((*place, first)))
            for place, what in named.items()
            if (one := compared(shown, (*place, first), (*place, second), column)) is not None
        }
        if found:
            sentences.append(f"{METHOD[first]} against {METHOD[second]} {lead}: {summed_up(found)}.")
    return sentences


def seed_noise(found: Mapping[str, Sequence[Record]]) -> list[str]:
    """How far apart plain first steps of trainings are that differ in their seed alone; none with one seed each.

    Trainings in another precision or on another device round otherwise, as two seeds would, and it is said.
    """
    told = [
        f"{min(steps):.1f} to {max(steps):.1f} % ({what}, n = {len(steps)}{_rounded(records)})"
        for what, records in found.items()
        if len(steps := [record.metrics["snn"][0] for record in records]) > 1
    ]
    lead = "Trainings with the same settings but for the seed end at plain T = 1 at"
    return (
        [f"{lead} {'; '.join(told)}: what one of them shows there may be its seed's, or its rounding's."]
        if told
        else []
    )


def _rounded(records: Sequence[Record]) -> str:
    """The ways they were trained in, where there are several."""
    ways = trained(records)
    return f", trained in {' and '.join(ways)}" if len(ways) > 1 else ""
