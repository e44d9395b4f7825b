"""The networks of *The honest first step*, and how its tables, figures and sentences call them."""

from __future__ import annotations

from collections.abc import Sequence

from ..experiments import beyond
from ..runs.records import Record
from . import said

NETWORKS = {
    "csqcfs": "CS-QCFS",
    "longer": f"CS-QCFS, {beyond.LONGER} epochs",
    "mixed": "CS-QCFS, mixed",
    "turns": "CS-QCFS, in turns",
    "other": "CS-QCFS, other start",
    "ceqcfs": "CE-QCFS",
    "start": "QCFS, the start",
    "paper": "CS-QCFS, the paper's schedule",
}
BIASED = ", biases for T"  # behind the name of a network whose biases are calibrated
SEVERAL = ("turns", "mixed")  # networks that were trained at several L
OTHERWISE = ("longer", "paper")  # and those with another schedule than the rest
ACCURACIES = ("ANN", *(f"T = {T}" for T in beyond.SHOWN))  # columns of `accuracies`


def levels(page) -> list[int]:
    """Quantization steps that networks were trained at; the paper's comes last."""
    return sorted({L for _, L, _ in page.rows})


def trained_at(network: str, L: int) -> str:
    """Quantization steps of the training."""
    of = {"turns": beyond.TURNS, "mixed": beyond.MIXTURES.get(L)}.get(network) or (L,)
    return ", ".join(map(str, of))


def named(network: str, L: int) -> str:
    """A network in a sentence or a legend."""
    name, _, how = NETWORKS[network].partition(", ")
    return f"{name}, L = {trained_at(network, L)}" + (f", {how}" if network in (*SEVERAL, *OTHERWISE) else "")


def accuracies(records: Sequence[Record]) -> list[str]:
    """Of the network itself and of its SNN at the steps that tables show, in %."""
    return [said.cell(records, column) for column in ("ann", *beyond.SHOWN)]
