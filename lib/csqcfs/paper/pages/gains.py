"""Differences between the rows of an accuracy table, the paper's and ours: what one method brings over another."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from .. import published
from . import tables


def gains(
    page,
    printed: Mapping[tuple, published.Row],
    pairs: Sequence[tuple[Hashable, Hashable]],
    names: Mapping[Hashable, str] = tables.NAMES,
    labels: Sequence[str] = ("Architecture",),
) -> pd.DataFrame:
    """For each place of the table and each pair of methods: first minus second in percentage points.

    Keys of ``page.rows`` and ``printed`` are (*place, method), with one part of the place for each of
    ``labels``. Ours is the mean of differences over seeds that both have, ± their standard deviation where there
    are several; a place without records is left out, and so is the paper where it printed nothing.
    """
    lines, places = [], dict.fromkeys(key[:-1] for key in [*printed, *page.rows])
    for place in places:
        for first, second in pairs:
            what = (
                *(tables.NAMES.get(part, part) for part in place),
                f"{names.get(first, first)} − {names.get(second, second)}",
            )
            if {(*place, first), (*place, second)} <= printed.keys():
                one, other = (tables.accuracies(printed[*place, method]) for method in (first, second))
                lines.append(
                    (
                        *what,
                        "paper",
                        *(_signed([] if None in (one[c], other[c]) else [one[c] - other[c]]) for c in tables.ACCURACY),
                    )
                )
            mine, theirs = (tables.measured_accuracies(page.metrics((*place, m))) for m in (first, second))
            if mine and theirs:
                lines.append(
                    (
                        *what,
                        f"ours ({page.profile.name})",
                        *(_signed([a - b for a, b in zip(mine[c], theirs[c])]) for c in tables.ACCURACY),
                    )
                )
    index = [*labels, "Difference", "Source"]
    return pd.DataFrame(lines, columns=[*index, *tables.ACCURACY], dtype=str).set_index(index)


def _signed(differences: Sequence[float]) -> str:
    """The mean with its sign, ± standard deviation for several; nothing for none."""
    if not differences:
        return ""
    spread = f" ± {np.std(differences, ddof=1):.2f}" if len(differences) > 1 else ""
    return f"{np.mean(differences):+.2f}{spread}"
