"""What two records of one run must agree in to be equal: their numbers to four digits, without times.

The digest in a record's name is that of its configuration, the same on every machine. That of its results tells a
reader whether his numbers are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..experiments.configs import digest_of

DIGITS = 4  # significant ones; sums in another order change the seventh
TIMED = ("epoch_time", "bench")  # kinds that measure nothing but time
LEFT_OUT = ("seconds", "images", "right")  # the accuracies say how many images were right


def numbers(kind: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``metrics`` is compared, flat: {"snn.1": 88.3, "thresholds.act.1": 1.353, ...}; lists count from 1."""
    if kind in TIMED:
        return {}
    if "refused" in metrics:  # the message names a threshold to its last digit
        return {"refused": True}
    return dict(_leaves("", metrics))


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        parts = [(key, part) for key, part in value.items() if key not in LEFT_OUT]
    elif isinstance(value, Sequence) and not isinstance(value, str):
        parts = list(enumerate(value, 1))
    else:
        yield name, float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
        return
    for key, part in parts:
        yield from _leaves(f"{name}.{key}" if name else str(key), part)


def digest(records: Sequence) -> str:
    """Of the results of records, in any order; records that hold times alone count by their configuration."""
    found = [[record.digest, numbers(record.settings["kind"], record.metrics)] for record in records]
    return digest_of({"results": sorted(found, key=lambda pair: pair[0])})


def different(kind: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """{name: (mine, theirs)} of the numbers that differ; None where one of both has none."""
    one, other = numbers(kind, mine), numbers(kind, theirs)
    return {name: (one.get(name), other.get(name)) for name in one | other if one.get(name) != other.get(name)}
