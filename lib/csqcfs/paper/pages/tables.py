"""Tables that set this project's numbers beside the paper's; `formats` writes them."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Hashable, Mapping, Sequence

import pandas as pd

from ...engine.errors import InputError
from .. import names as called
from .. import published
from ..experiments import profiles
from ..measures import compare
from ..measures.compare import Difference
from ..measures.right import ANN
from ..names import NAMES, span
from ..runs.records import on_others
from .formats import write

__all__ = ["ACCURACY", "NAMES", "accuracies", "accuracy_beside", "beside", "cell", "measured_accuracies", "write"]

COLUMNS = {"ANN": ANN, **{f"T = {timestep}": timestep for timestep in published.TIMESTEPS}}
ACCURACY = tuple(COLUMNS)
INTERVAL = "half of the 95 % interval"
ALONE = ", over images alone where n = 1"
SPREAD = "the standard deviation over seeds"
# (row key, column, printed value) -> ours minus the printed value
Minus = Callable[[Hashable, str, float], Difference | None]


def cell(values: Sequence[float] | None, digits: int = 2) -> str:
    """ "" for no values, "12.34" for one, "12.34 ± 0.56" (mean, sample standard deviation) for several.

    "undefined" where a value is not finite, as (max - min) / min of thresholds is where min is 0; for how many of
    several where some are finite.
    """
    if not values:
        return ""
    if missing := len(values) - sum(map(math.isfinite, values)):
        return "undefined" if missing == len(values) else f"undefined for {missing} of {len(values)}"
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def plus_minus(frame: pd.DataFrame, source: str = "") -> str:
    """What ± stands for in a table, for its caption: half of an interval unless `spread` or `beside` says otherwise.

    Where ``source``, what the table rests on, has rows of one seed, their intervals say nothing of other seeds.
    """
    if not any(" ± " in text for column in frame for text in frame[column] if isinstance(text, str)):
        return ""
    meant = frame.attrs.get("±", INTERVAL)
    alone = INTERVAL in meant and re.search(r"\bn = 1\b", source)
    return f"± {meant}{ALONE if alone else ''}"


def spread(frame: pd.DataFrame) -> pd.DataFrame:
    """``frame``, whose ± are those of `cell`."""
    frame.attrs["±"] = SPREAD
    return frame


def accuracies(row: published.Row) -> dict[str, float | None]:
    """A printed row of Tables 1-4 by the names of its columns, ACCURACY."""
    return dict(zip(ACCURACY, (row.ann, *row.snn), strict=True))


def beside(
    printed: Mapping[Hashable, Mapping[str, float | None]],
    ours: Mapping[Hashable, Mapping[str, Sequence[float]]],
    *,
    labels: Sequence[str],
    columns: Sequence[str],
    profile: str,
    difference: bool = False,
    minus: Minus | None = None,
    names: Mapping[str, str] = NAMES,
    digits: int | Mapping[str, int] = 2,
) -> pd.DataFrame:
    """One line "paper" and, where it was run, one line "ours (profile, n = seeds)" for each row, as strings.

    Rows are keyed by tuples, one part for each of ``labels`` (or by the part itself where there is one),
    shown as ``names`` says, ours with the data of the profile. Rows that differ in the last part alone stand
    together: those of ``printed``, then those the paper has not, without a line "paper". ``ours`` holds one value
    for each seed. With ``difference``, for profiles that train as the paper does, a third line has our mean minus
    the paper's number, ± half of its 95 % interval, which ``minus`` gives (by default that of the seeds).
    ``digits`` are decimals, for all columns or for each. The labels and the source of each line are the index.

    Raises:
        InputError: no rows, a key without one part for each label, or a row with a column not in ``columns``.
    """
    decimals = dict.fromkeys(columns, digits) if isinstance(digits, int) else digits
    known = profiles.PROFILES.get(profile)
    seen_as = {key: called.dataset(key, known) for key in called.DATASETS} if known else {}
    measured = names | {key: name for key, name in seen_as.items() if name != called.DATASETS[key]}
    lines: list[tuple[tuple[str, ...], list[str]]] = []
    keys = [*printed, *(key for key in ours if key not in printed)]
    groups = list(dict.fromkeys(key[:-1] if isinstance(key, tuple) else () for key in keys))
    for key in sorted(keys, key=lambda key: groups.index(key[:-1] if isinstance(key, tuple) else ())):
        theirs, mine = printed.get(key, {}), ours.get(key, {})
        parts = key if isinstance(key, tuple) else (key,)
        if len(parts) != len(labels):
            raise InputError(f"row {key!r} does not fit {tuple(labels)}: give one part for each label")
        if unknown := (theirs.keys() | mine.keys()) - set(columns):
            raise InputError(f"row {key!r} has column {min(unknown)!r}: expected only {', '.join(columns)}")
        shown, seen = (tuple(words.get(part, part) for part in parts) for words in (names, measured))
        if key in printed:
            values = {column: [value] for column, value in theirs.items() if value is not None}
            lines.append(((*shown, "paper"), [cell(values.get(c), decimals[c]) for c in columns]))
        seeds = sorted({len(values) for values in mine.values() if values})
        if not seeds:
            continue  # not run
        count = f"n = {span(seeds)}"
        cells = [cell(mine.get(c), decimals[c]) for c in columns]
        lines.append(((*seen, f"ours ({profile}, {count})"), cells))
        if difference and key in printed and seen == shown:  # no difference between two data sets
            gaps = []
            for c in columns:
                both = mine.get(c) and theirs.get(c) is not None
                gap = (minus(key, c, theirs[c]) if minus else _over_seeds(mine[c], theirs[c])) if both else None
                gaps.append(gap.short(decimals[c]) if gap else "")
            lines.append(((*seen, "difference"), gaps))
    if not lines:
        raise InputError("no rows for a table: expected the paper's numbers or ours; check the experiment")
    index = pd.MultiIndex.from_tuples([place for place, _ in lines], names=[*labels, "Source"])
    frame = pd.DataFrame([cells for _, cells in lines], index=index, columns=list(columns), dtype=str)
    spreads = [SPREAD] if any(len(values) > 1 for row in ours.values() for values in row.values() if values) else []
    differences = [f"of differences {INTERVAL}"] if any(place[-1] == "difference" for place, _ in lines) else []
    frame.attrs["±"] = ", ".join([*spreads, *differences])
    return frame


def measured_accuracies(metrics: Sequence[Mapping]) -> dict[str, list[float]]:
    """Metrics of the kind "accuracy", one for each seed, by the names of the columns ACCURACY."""
    if not metrics:
        return {}
    snn = {f"T = {t}": [seed["snn"][t - 1] for seed in metrics] for t in published.TIMESTEPS}
    return {"ANN": [seed["ann"] for seed in metrics], **snn}


def accuracy_beside(
    page, printed: Mapping[Hashable, published.Row], labels: Sequence[str], run: bool = False
) -> pd.DataFrame:
    """`beside` for a page whose rows are accuracies with the keys of ``printed``, such as Tables 1-4.

    With ``run``, only the rows that have records; empty where none has.
    """
    shown = {key for key in page.rows if page.metrics(key)} | (set() if run else {*printed})
    if not shown:
        return pd.DataFrame()

    def minus(key: Hashable, column: str, value: float) -> Difference | None:
        return compare.contrast((1.0, page.results(key), COLUMNS[column]), offset=-value)

    return beside(
        {key: accuracies(row) for key, row in printed.items() if key in shown},
        {key: measured_accuracies(page.metrics(key)) for key in page.rows if key in shown},
        labels=labels,
        columns=ACCURACY,
        profile=page.profile.name,
        difference=page.profile.name == "paper" and not on_others(r for key in page.rows for r in page.results(key)),
        minus=minus,
    )


def _over_seeds(mine: Sequence[float], theirs: float) -> Difference | None:
    return compare.over_seeds([value - theirs for value in mine]) if all(map(math.isfinite, mine)) else None
