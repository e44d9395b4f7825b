"""What the claims of the paper are judged on: accuracies of a profile's records, their size, and their noise."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import published
from ..pages.tables import NAMES
from ..runs.records import Record
from .checks import Outcome

TIMES = published.TIMESTEPS
SIMILAR = 1.0  # percentage points of accuracy that we let pass as comparable, similar or marginal
NOT_RUN = Outcome(None, "no records in this profile")


@dataclass(frozen=True)
class Cell:
    """Accuracy in % of one row, means over seeds: the ANN's, and the SNN's at T = 1..32 where it was simulated."""

    ann: float
    snn: Sequence[float]
    seeds: int
    images: int | None
    datasets: frozenset[str]
    thresholds: Sequence[Mapping[str, Sequence[float]]]

    def at(self, T: int) -> float:
        return self.snn[T - 1]

    @property
    def lowest(self) -> float:
        """The smallest threshold."""
        return min(min(values) for network in self.thresholds for values in network.values())


class Ledger:
    """The records of all the paper's artefacts in one profile.

    Args:
        page: of the artefact "claims", whose rows have keys (artefact, *row of the artefact).
    """

    def __init__(self, page):
        self.page, self.profile = page, page.profile

    def records(self, id: str, *key: Any) -> list[Record]:
        """Records with a result; a run that a threshold <= 0 stopped has none."""
        return [record for record in self.page.records.get((id, *key), []) if "refused" not in record.metrics]

    def keys(self, id: str) -> list[tuple]:
        """Rows of an artefact that have results."""
        return [key[1:] for key in self.page.records if key[0] == id and self.records(*key)]

    def cell(self, id: str, *key: Any) -> Cell | None:
        """Accuracies of one row; None where it was not run."""
        found = self.records(id, *key)
        if not found:
            return None
        metrics = [record.metrics for record in found]
        return Cell(
            statistics.fmean(seed["ann"] for seed in metrics),
            [statistics.fmean(values) for values in zip(*(seed.get("snn", []) for seed in metrics))],
            len(found),
            metrics[0].get("images"),
            frozenset(record.settings["training"]["dataset"] for record in found),
            [seed["thresholds"] for seed in metrics if "thresholds" in seed],
        )

    @property
    def full(self) -> bool:
        """Whether the profile trains as the paper does, so that levels and not only orders compare."""
        return not self.profile.datasets and self.profile.epochs is None


def where(dataset: str, network: str, *more: object) -> str:
    """A place of a table or figure in words."""
    return ", ".join([NAMES[network], NAMES[dataset], *(str(part) for part in more)])


def size(*cells: Cell) -> str:
    """On how much a finding rests: data set, seeds, test images."""
    if not cells:
        return ""
    datasets = sorted(set().union(*(cell.datasets for cell in cells)))
    seeds = sorted({cell.seeds for cell in cells})
    images = sorted({cell.images for cell in cells if cell.images})
    parts = [", ".join(NAMES.get(name, name) for name in datasets), f"n = {'-'.join(map(str, seeds))}"]
    return ", ".join(parts + [f"{images[0]} images"] * bool(images))


def noise(first: float, second: float, cells: Sequence[Cell]) -> float:
    """Two standard errors of the difference of two accuracies in %, from the number of test images."""
    images = min((cell.images or math.inf) * cell.seeds for cell in cells)
    return 2 * math.sqrt((first * (100 - first) + second * (100 - second)) / images)


def lead(mine: Cell | None, others: Mapping[str, Cell | None], pairs: Sequence[tuple[int, int]]) -> Outcome:
    """Whether ``mine`` at T is ahead of each of ``others`` at T', for all pairs (T, T')."""
    known = {name: cell for name, cell in others.items() if cell is not None}
    if mine is None or not known:
        return NOT_RUN
    gaps = []
    for T, later in pairs:
        for name, cell in known.items():
            gap = mine.at(T) - cell.at(later)
            where = f"T = {T}" if T == later else f"T = {T} against {later}"
            within = abs(gap) < noise(mine.at(T), cell.at(later), [mine, cell])
            gaps.append((gap, f"{name} {gap:+.2f} ({where})", within))
    worst = min(gaps)
    ahead, unclear = sum(gap > 0 for gap, _, _ in gaps), sum(within for _, _, within in gaps)
    found = f"ahead in {ahead} of {len(gaps)}, least: {worst[1]}"
    found += f"; {unclear} within the noise of the test images" if unclear else ""
    return Outcome(ahead == len(gaps), f"{found}; {size(mine, *known.values())}")


def together(outcomes: Sequence[Outcome], labels: Sequence[str]) -> Outcome:
    """One outcome for several places: it holds where all that were run hold."""
    run = [(label, outcome) for label, outcome in zip(labels, outcomes, strict=True) if outcome.holds is not None]
    if not run:
        return NOT_RUN
    return Outcome(
        all(outcome.holds for _, outcome in run), " | ".join(f"{label}: {outcome.found}" for label, outcome in run)
    )


def every(found: Sequence[tuple[str, float]], holds: Callable[[float], bool], unit: str, note: str = "") -> Outcome:
    """Whether all of some named values fulfil a condition; names those that do not, or the extremes."""
    if not found:
        return NOT_RUN
    failed = [(name, value) for name, value in found if not holds(value)]
    low, high = min(value for _, value in found), max(value for _, value in found)
    text = f"{len(found) - len(failed)} of {len(found)}; {low:.2f} to {high:.2f} {unit}".rstrip()
    if failed:
        text += "; not " + ", ".join(f"{name} ({value:.2f})" for name, value in failed[:3])
        text += f" and {len(failed) - 3} more" if len(failed) > 3 else ""
    return Outcome(not failed, "; ".join(filter(None, (text, note))))
