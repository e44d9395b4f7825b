"""How long the runs that are missing will take, from the epochs and measurements that were timed so far."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from ..experiments import trainings
from ..experiments.configs import Run, Training
from . import records


class Estimate(NamedTuple):
    """``seconds`` of computing, without the trainings of networks in ``unknown``, which no epoch has timed.

    ``speed`` names the machine whose records some of the times come from, where this one has none yet.
    """

    seconds: float
    unknown: tuple[str, ...]
    speed: str = ""

    def __str__(self) -> str:
        known = f"about {duration(self.seconds)}" + (f" at the speed of {self.speed}" if self.speed else "")
        if not self.unknown:
            return known
        until = f"unknown until one training has run ({', '.join(self.unknown)})"
        return f"{known} and more, {until}" if self.seconds >= 1 else until


def duration(seconds: float) -> str:
    """Two figures that a reader can use: "40 s", "12 min", "3.5 h", "2.1 days"."""
    for limit, unit, size, digits in ((90, "s", 1, 0), (5400, "min", 60, 0), (172800, "h", 3600, 1)):
        if seconds < limit:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds / 86400:.1f} days"


def remaining(
    groups: Sequence[Sequence[Run]], runs: Iterable[Run], workers: int = 1, profile: str | None = None
) -> Estimate:
    """Time until all ``groups`` of missing runs are done by ``workers`` at once, none of which shares a group.

    Args:
        runs: all of the profile, from whose checkpoints and records the times come.
        profile: whose reference records stand in for times that this machine has not measured yet.
    """
    runs = list(runs)
    epochs, measurements, speed = epoch_seconds(runs), _measurement_seconds(runs), ""
    wanted = {_size(stage) for group in groups for stage in _stages(group)}
    if profile is not None and not wanted <= epochs.keys():
        found = [(run, record) for run in runs if (record := records.reference(run, profile)) is not None]
        there = _epochs_there(found)
        if taken := wanted & there.keys() - epochs.keys():
            speed = " and ".join(
                dict.fromkeys(name for run, record in found for name in _trained_on(run, record, taken))
            )
        epochs = there | epochs
        measurements = _least(found) | measurements
    times = [
        sum(left * epochs.get(_size(training), 0.0) for training, left in _epochs_left(group).items())
        + sum(measurements.get(_measurement(run), 0.0) for run in group)
        for group in groups
    ]
    unknown = dict.fromkeys(
        training.network
        for group in groups
        for training, left in _epochs_left(group).items()
        if left and _size(training) not in epochs
    )
    return Estimate(max(sum(times) / workers, max(times, default=0.0)), tuple(unknown), speed)


def longest_first(groups: Iterable[list[Run]]) -> list[list[Run]]:
    """By epochs left, each weighted by the layers of its network, which the name gives; no timing is needed."""

    def cost(group: list[Run]) -> tuple[int, int]:
        layers = (
            left * int(re.sub(r"\D", "", training.network) or 1) for training, left in _epochs_left(group).items()
        )
        return sum(layers), len(group)

    return sorted(groups, key=cost, reverse=True)


def epoch_seconds(runs: Iterable[Run]) -> dict[tuple[str, float], float]:
    """Median seconds of an epoch by network and width, in which the data sets of one profile are alike."""
    timed: dict[tuple[str, float], list[float]] = {}
    for training in _stages(runs):
        seconds = [epoch["seconds"] for epoch in trainings.history(training)]
        timed.setdefault(_size(training), []).extend(seconds)
    return {size: median(seconds) for size, seconds in timed.items() if seconds}


def _measurement_seconds(runs: Iterable[Run]) -> dict[tuple, float]:
    return _least((run, record) for run in runs if (record := records.here(run)) is not None)


def _least(found: Iterable[tuple[Run, records.Record]]) -> dict[tuple, float]:
    """Least seconds of finished runs that measure the same: those that found their network trained."""
    least: dict[tuple, float] = {}
    for run, record in found:
        seconds = record.provenance["seconds"]
        least[_measurement(run)] = min(seconds, least.get(_measurement(run), seconds))
    return least


def _epochs_there(found: Iterable[tuple[Run, records.Record]]) -> dict[tuple[str, float], float]:
    """As `epoch_seconds`, from the histories in records."""
    timed: dict[tuple[str, float], list[float]] = {}
    for run, record in found:
        if run.training is not None:
            seconds = [epoch["seconds"] for epoch in record.metrics.get("history", ())]
            timed.setdefault(_size(run.training), []).extend(seconds)
    return {size: median(seconds) for size, seconds in timed.items() if seconds}


def _trained_on(run: Run, record: records.Record, sizes: set[tuple[str, float]]) -> list[str]:
    """The machines that timed the epochs in a record of a network of ``sizes``; it may have been measured elsewhere."""
    if run.training is None or not record.metrics.get("history") or _size(run.training) not in sizes:
        return []
    named = record.provenance.get("devices", ["cpu"])
    return [record.provenance["hardware"] if name == "cpu" else name for name in named]


def _stages(runs: Iterable[Run]) -> list[Training]:
    return list(dict.fromkeys(stage for run in runs for stage in trainings.chain(run.training)))


def _epochs_left(group: Iterable[Run]) -> dict[Training, int]:
    return {stage: stage.stages[-1].epochs - len(trainings.history(stage)) for stage in _stages(group)}


def _size(training: Training) -> tuple[str, float]:
    return training.network, training.width


def _measurement(run: Run) -> tuple:
    return run.kind, run.options, None if run.training is None else _size(run.training)
