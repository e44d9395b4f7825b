"""Differences between accuracies that were measured on the same test images, with their intervals.

Chance enters twice: which images the test set holds, and what a seed makes of a training. The first is estimated
image by image from the records' bits (`right`): with x the mean over seeds of +1 where only the first network is
right, -1 where only the second is, and 0 elsewhere, of n images and one made-up image of each sign,

    error = sqrt((mean x^2 - (mean x)^2) / (n + 2))

which for one seed is McNemar's comparison as Bonett and Price (2012) adjust it. The second is the standard error of
the differences of the seeds, each paired with itself. The interval adds both in squares, by normal and t quantiles.
One seed says nothing about others, so that its interval is about the images alone. A record without bits gets the
binomial error of two independent samples (Agresti and Caffo, 2000), which is larger for networks that agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special  # not stats, which takes each page two seconds to import

from ...data.sets import SETS
from . import right

if TYPE_CHECKING:
    from ..runs.records import Record

CONFIDENCE = 0.95
Column = str | int | tuple[int, ...]  # "ann", a T, or several T whose mean is meant
Term = tuple[float, "Sequence[Record]", Column]  # weight, the records of a row, and which accuracy of them


class Difference(NamedTuple):
    """A difference in percentage points, mean over the seeds that all its rows have.

    Attributes:
        images_error, seeds_error: standard errors; 0 for numbers that are what they are, such as printed ones.
        seeds: how many; a single one has no ``seeds_error``.
        paired: compared image by image.
        exact: a printed number, in which chance has no part.
    """

    points: float
    images_error: float = 0.0
    seeds_error: float = 0.0
    seeds: int = 1
    paired: bool = True
    exact: bool = False

    def interval(self, tests: int = 1) -> tuple[float, float]:
        """The 95 % interval, wider where ``tests`` differences are looked at for a single exception (Bonferroni)."""
        level = 1 - (1 - CONFIDENCE) / (2 * tests)
        reach = special.ndtri(level) * self.images_error
        if self.seeds > 1:
            reach = math.hypot(reach, special.stdtrit(self.seeds - 1, level) * self.seeds_error)
        return self.points - reach, self.points + reach

    @property
    def decided(self) -> bool:
        """Whether the interval leaves out 0."""
        low, high = self.interval()
        return low > 0 or high < 0

    def short(self, digits: int = 2) -> str:
        """With half of the interval: "+0.56 ± 0.77"; "+0.56" where that is 0 or unknown."""
        reach = self.interval()[1] - self.points
        return f"{self.points:+.{digits}f}" + (f" ± {reach:.{digits}f}" if 0 < reach < math.inf else "")

    def __str__(self) -> str:
        low, high = self.interval()
        if low == high:
            return f"{self.points:+.2f}"
        if math.isinf(low):
            return f"{self.points:+.2f} (on an unknown number of images)"
        return f"{self.points:+.2f} ({low:+.2f} to {high:+.2f}{'' if self.paired else ', unpaired'})"


def accuracy(record: Record, column: Column) -> float | None:
    """One accuracy of a record in %; None where it has none, such as an SNN of the kind "training"."""
    if column == right.ANN:
        return record.metrics["ann"]
    times, snn = _times(column), record.metrics.get("snn", ())
    return float(np.mean([snn[T - 1] for T in times])) if max(times) <= len(snn) else None


def contrast(*terms: Term, offset: float = 0.0) -> Difference | None:
    """The weighted sum of accuracies over the seeds that all ``terms`` have, plus ``offset``.

    difference(a, b, 1) is contrast((1, a, 1), (-1, b, 1)). None without a seed that all have.

    Raises:
        InputError: a record whose bits are damaged.
    """
    by_seed = [{seed(record): record for record in records} for _, records, _ in terms]
    shared = sorted(set.intersection(*map(set, by_seed)))
    weights = np.array([weight for weight, _, _ in terms])
    columns = [column for _, _, column in terms]
    found = [[accuracy(group[s], column) for group, column in zip(by_seed, columns, strict=True)] for s in shared]
    if not shared or any(value is None for row in found for value in row):
        return None
    values = np.array(found)
    sums = values @ weights + offset
    by_image = [_by_image([group[s] for group in by_seed], columns, weights) for s in shared]
    paired = all(x is not None for x in by_image)
    if paired:
        x = np.mean(by_image, axis=0)
        n = len(x) + 2
        error = math.sqrt(((x @ x + 2) / n - (x.sum() / n) ** 2) / n)
    else:
        images = np.array([by_seed[i][shared[0]].metrics.get("images", 0) for i in range(len(terms))])
        share = (values.mean(0) / 100 * images + 1) / (images + 2)
        error = math.sqrt(float(np.sum(weights**2 * share * (1 - share) / (images + 2)))) if images.all() else math.inf
    spread = float(np.std(sums, ddof=1)) / math.sqrt(len(shared)) if len(shared) > 1 else 0.0
    return Difference(float(sums.mean()), 100 * error, spread, len(shared), paired)


def difference(
    first: Sequence[Record], second: Sequence[Record], column: Column, other: Column | None = None
) -> Difference | None:
    """Accuracy of ``first`` at ``column`` minus that of ``second`` there or at ``other``; None as `contrast`."""
    return contrast((1.0, first, column), (-1.0, second, column if other is None else other))


def over_seeds(values: Sequence[float]) -> Difference:
    """A mean with the error that seeds give it, for what has no test images."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return Difference(float(np.mean(values)), 0.0, error, len(values))


def chance(dataset: str) -> float:
    """Accuracy in % of guessing."""
    return 100 / SETS[dataset].classes


def seed(record: Record) -> int:
    return record.settings["training"]["seed"]


def same_images(records: Sequence[Record]) -> bool:
    """Whether the networks have seen the same test images in the same order."""

    def seen(record: Record) -> tuple:
        training = record.settings["training"]
        wanted = record.settings.get("options", {}).get("images")
        count = record.metrics.get("images")
        return training["dataset"], training.get("data"), None if wanted == count else wanted, count

    return len({seen(record) for record in records}) == 1


def _by_image(records: Sequence[Record], columns: Sequence[Column], weights: np.ndarray) -> np.ndarray | None:
    """The weighted sum of right answers for each image; None where bits lack or the images are others."""
    if not same_images(records):
        return None
    total: np.ndarray | float = 0.0
    for record, column, weight in zip(records, columns, weights, strict=True):
        bits = [right.right(record.metrics, one) for one in _times(column)]
        if any(one is None for one in bits):
            return None
        total = total + weight * np.mean(bits, axis=0)
    return total


def _times(column: Column) -> tuple:
    return column if isinstance(column, tuple) else (column,)
