"""Differences between the rows of an accuracy table, the paper's and ours: what one method brings over another."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import pandas as pd

from .. import published
from ..measures import compare
from ..names import NAMES, shown_as
from ..plots import shared
from ..runs.records import Record
from . import said, tables

# The parts of CS-QCFS one at a time: more epochs, then against equally many Softplus, channels and both
PARTS = ("qcfs-2", "qcfs"), ("sqcfs", "qcfs-2"), ("cqcfs", "qcfs-2"), ("csqcfs", "qcfs-2"), ("csqcfs", "qcfs")


def gains(
    page,
    printed: Mapping[tuple, published.Row],
    pairs: Sequence[tuple[Hashable, Hashable]],
    names: Mapping[Hashable, str] = NAMES,
    labels: Sequence[str] = ("Architecture",),
) -> pd.DataFrame:
    """For each place of the table and each pair of methods: first minus second in percentage points.

    Keys of ``page.rows`` and ``printed`` are (*place, method), with one part of the place for each of
    ``labels``. Ours is the mean over seeds that both have, ± half of its 95 % interval (`compare`), "unpaired" where
    a record does not keep which images were right. A place without records is left out, and so is the paper where
    it printed nothing.
    """
    lines, here = [], shown_as(page.profile)
    for place in dict.fromkeys(key[:-1] for key in [*printed, *page.rows]):
        for first, second in pairs:
            what = f"{names.get(first, first)} − {names.get(second, second)}"
            if {(*place, first), (*place, second)} <= printed.keys():
                one, other = (tables.accuracies(printed[*place, method]) for method in (first, second))
                gaps = ["" if None in (one[c], other[c]) else f"{one[c] - other[c]:+.2f}" for c in tables.ACCURACY]
                lines.append((*(NAMES.get(part, part) for part in place), what, "paper", *gaps))
            mine, theirs = (page.results((*place, method)) for method in (first, second))
            found = [compare.difference(mine, theirs, column) for column in tables.COLUMNS.values()]
            if known := [gap for gap in found if gap]:
                paired = "" if all(gap.paired for gap in known) else ", unpaired"
                source = f"ours ({page.profile.name}, n = {known[0].seeds}{paired})"
                cells = [gap.short() if gap else "" for gap in found]
                if one_network(mine, theirs):
                    cells[0] = "one network"
                lines.append((*(here.get(part, part) for part in place), what, source, *cells))
    index = [*labels, "Difference", "Source"]
    frame = pd.DataFrame(lines, columns=[*index, *tables.ACCURACY], dtype=str)
    return frame.drop_duplicates().set_index(index)  # one data set may stand in for two


def one_network(mine: Sequence[Record], theirs: Sequence[Record]) -> bool:
    """Whether two rows simulate the same trained networks, seed by seed."""
    trained = ({compare.seed(record): record.settings["training"] for record in row} for row in (mine, theirs))
    one, other = trained
    both = one.keys() & other.keys()
    return bool(both) and all(one[seed] == other[seed] for seed in both)


def ablation(page) -> list[str]:
    """The parts of CS-QCFS at plain T = 1, what another seed does there, and how many of all differences are decided;
    rows (data set, network, method)."""
    pairs = ("csqcfs", "qcfs-2"), ("cqcfs", "csqcfs"), ("sqcfs", "csqcfs"), ("qcfs-2", "qcfs")
    titles = shared.places(page)
    runs = {f"{titles[*place]}, {NAMES[method]}": page.results((*place, method)) for *place, method in page.rows}
    gaps = [
        said.compared(page, (*place, first), (*place, second), column)
        for place in titles
        for first, second in PARTS
        for column in tables.COLUMNS.values()
    ]
    chance = " ".join(decided([gap for gap in gaps if gap and gap.seeds > 1]) + said.seed_noise(runs))
    return said.by_network(page, pairs, 1, "at T = 1") + [chance] * bool(chance)


def decided(gaps: Sequence[compare.Difference]) -> list[str]:
    """How many of many differences leave out 0, beside how many would where nothing differs; nothing of none."""
    if not gaps:
        return []
    chance, without = (1 - compare.CONFIDENCE) * len(gaps), sum(gap.decided for gap in gaps)
    found = (
        f"{without} of the {len(gaps)} differences over several seeds in the table of parts have intervals without 0"
    )
    return [f"{found}; by chance about {chance:.1f} would where nothing differs."]
