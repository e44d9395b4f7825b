"""Tables and findings of biases calibrated for T steps, in *The honest first step*: no training, no hidden step.

Each takes the part of the page for one data set.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..experiments.beyond import CALIBRATED, OF_LONG
from ..measures import compare
from ..measures.right import ANN, right
from ..names import count, span
from ..runs.records import Record
from . import said
from .few import BIASED, named

COLUMNS = [f"T = {T}" for T in CALIBRATED]


def calibrated(page) -> dict[tuple[str, int], dict[int, list[Record]]]:
    """By network and L, the records of runs of T steps with biases calibrated for T; networks without are absent."""
    found: dict[tuple[str, int], dict[int, list[Record]]] = {}
    for network, L, method in page.rows:
        T = next((T for T, name in CALIBRATED.items() if name == method), None)
        if T is not None and (records := page.results((network, L, method))):
            found.setdefault((network, L), {})[T] = records
    return found


def frame(page) -> pd.DataFrame:
    """Accuracy (%) of the ANN, which biases leave alone, and of a run of T steps with biases for T."""
    lines = []
    for key, runs in calibrated(page).items():
        accuracies = [said.cell(runs[T], T) if T in runs else "" for T in CALIBRATED]
        lines.append(
            (
                named(*key) + BIASED,
                span(map(len, runs.values())),
                said.cell(next(iter(runs.values())), "ann"),
                *accuracies,
            )
        )
    return pd.DataFrame(lines, columns=["Network", "n", "ANN", *COLUMNS]).set_index("Network")


def own(page, key: tuple[str, int]) -> list[Record]:
    """Plain runs of the very networks whose biases were calibrated, with their own biases.

    A network of the same settings may be another one: where it was trained once more, a processor that rounds otherwise
    ends elsewhere. It is the same where the ANN is right on the same images; a seed that has none is absent.
    """
    biased = {compare.seed(record): record for record in next(iter(calibrated(page)[key].values()))}
    found: dict[int, Record] = {}
    for record in (*page.results((*key, "plain")), *page.results((*key, OF_LONG))):
        seed, bits = compare.seed(record), right(record.metrics, ANN)
        if seed in biased and bits is not None and np.array_equal(bits, right(biased[seed].metrics, ANN)):
            found.setdefault(seed, record)
    return list(found.values())


def gains(page) -> dict[tuple[str, int], dict[int, compare.Difference]]:
    """What calibrated biases bring each network over `own`, in points, at each T."""
    found: dict[tuple[str, int], dict[int, compare.Difference]] = {}
    for key, runs in calibrated(page).items():
        if plain := own(page, key):
            gaps = {T: compare.difference(records, plain, T) for T, records in runs.items()}
            found[key] = {T: gap for T, gap in gaps.items() if gap is not None}
    return found


def gains_frame(page) -> pd.DataFrame:
    """`gains` as a table, with half of the 95 % interval; n seeds that both have."""
    lines = []
    for key, found in gains(page).items():
        cells = [found[T].short() if T in found else "" for T in CALIBRATED]
        lines.append((named(*key), span(gap.seeds for gap in found.values()), *cells))
    return pd.DataFrame(lines, columns=["Network", "n", *COLUMNS]).set_index("Network")


def sentences(page) -> list[str]:
    """What calibrated biases bring, over all networks that have them."""
    found, told = gains(page), []
    for T in CALIBRATED:
        gaps = {named(*key): gap[T] for key, gap in found.items() if T in gap}
        if gaps:
            points = sorted(gap.points for gap in gaps.values())
            words = said.by_verdict(gaps)
            every = ", ".join(f"{word}: {'; '.join(networks)}" for word, networks in words.items())
            if len(words) == 1:
                every = f"each {next(iter(words))}"
            told.append(f"{points[0]:+.2f} to {points[-1]:+.2f} points at T = {T} ({every})")
    n = span(gap.seeds for every in found.values() for gap in every.values())
    lead = "Biases calibrated for T steps, without training and with the ANN as it is, bring"
    return [f"{lead} {count(len(found), 'network')} {', '.join(told)}; n = {n}."] if told else []
