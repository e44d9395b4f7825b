"""Claims about networks: accuracy of the ANNs, ablation and quantization step (sections 5.2, 5.4 and 5.5)."""

from __future__ import annotations

import numpy as np

from .. import published
from ..pages.tables import NAMES
from .checks import Checks, Outcome
from .ledger import SIMILAR, TIMES, Cell, Ledger, every, lead, noise, size, together, where

CLAIMS = Checks()
SAME = tuple((T, T) for T in TIMES)
LOW = (1, 2, 4)  # "ultra-low latency, specifically within 4 time-steps"


def low_mean(cell: Cell) -> float:
    return float(np.mean([cell.at(T) for T in LOW]))


# Section 5.2, Fig. 4


def ann_gaps(ledger: Ledger, reference: str, ends: tuple[str, ...], above: int) -> Outcome:
    gaps = []
    for dataset, network, end, L in ledger.keys("figure4"):
        base = ledger.cell("figure4", dataset, network, reference, None if reference == "relu" else L)
        if end in ends and base and L > above:
            gaps.append(
                (
                    where(dataset, network, NAMES[end], f"L = {L}"),
                    ledger.cell("figure4", dataset, network, end, L).ann - base.ann,
                )
            )
    return every(gaps, lambda gap: gap >= -SIMILAR, "points", f"comparable: at most {SIMILAR:g} point below")


@CLAIMS.add("Section 5.2, Fig. 4", "ANNs with CS-QCFS are comparable to those with QCFS")
def ann_like_qcfs(ledger: Ledger) -> Outcome:
    return ann_gaps(ledger, "qcfs", ("csqcfs",), 0)


@CLAIMS.add("Section 5.2, Fig. 4", "for L > 4 QCFS and CS-QCFS are similar to ReLU")
def ann_like_relu(ledger: Ledger) -> Outcome:
    return ann_gaps(ledger, "relu", ("qcfs", "csqcfs"), 4)


# Section 5.4, Tables 3 and 4


def full_against(ledger: Ledger, other: str) -> Outcome:
    networks = list(dict.fromkeys(network for network, _ in ledger.keys("table3")))
    return together(
        [
            lead(ledger.cell("table3", network, "csqcfs"), {NAMES[other]: ledger.cell("table3", network, other)}, SAME)
            for network in networks
        ],
        [NAMES[network] for network in networks],
    )


@CLAIMS.add("Section 5.4.1, Table 3", "without channel-wise thresholds accuracy is lower at every T")
def without_channel(ledger: Ledger) -> Outcome:
    return full_against(ledger, "sqcfs")


@CLAIMS.add("Section 5.4.1, Table 3", "without Softplus accuracy is lower at every T")
def without_softplus(ledger: Ledger) -> Outcome:
    return full_against(ledger, "cqcfs")


def strategies(
    ledger: Ledger,
    better: str,
    worse: str,
    times: tuple[int, ...] = (),
    datasets: tuple[str, ...] = ("cifar10", "cifar100"),
) -> tuple[list[tuple[str, float]], str]:
    """Differences of two strategies of Table 4: of the ANNs, or at ``times``, with what they rest on."""
    gaps, cells = [], []
    for dataset, network in dict.fromkeys(key[:2] for key in ledger.keys("table4")):
        one, other = (ledger.cell("table4", dataset, network, name) for name in (better, worse))
        if one and other and dataset in datasets:
            cells += [one, other]
            if times:
                gaps += [(where(dataset, network, f"T = {T}"), one.at(T) - other.at(T)) for T in times]
            else:
                gaps.append((where(dataset, network), one.ann - other.ann))
    if not cells:
        return [], ""
    first = cells[0].at(1), cells[1].at(1)
    return gaps, f"noise of one difference about {noise(*first, cells[:2]):.1f}; {size(*cells)}"


@CLAIMS.add("Section 5.4.2, Table 4", "on CIFAR-10, a second layer-wise stage improves the ANN")
def second_stage(ledger: Ledger) -> Outcome:
    gaps, note = strategies(ledger, "layer-wise", "origin", datasets=("cifar10",))
    return every(gaps, lambda gap: gap > 0, "points", note)


@CLAIMS.add("Section 5.4.2, Table 4", f"but the SNN improves only marginally (at most {SIMILAR:g} point at any T)")
def second_stage_snn(ledger: Ledger) -> Outcome:
    gaps, note = strategies(ledger, "layer-wise", "origin", TIMES, ("cifar10",))
    return every(gaps, lambda gap: gap <= SIMILAR, "points", note)


@CLAIMS.add("Section 5.4.2, Table 4", "at T = 1 channel-wise fine-tuning brings more than layer-wise")
def channels_at_low_latency(ledger: Ledger) -> Outcome:
    gaps, note = strategies(ledger, "channel-wise", "layer-wise", (1,))
    return every(gaps, lambda gap: gap > 0, "points", note)


# Section 5.5, Fig. 5


def sweeps(ledger: Ledger) -> dict[str, tuple[dict[int, Cell], Cell | None]]:
    """SNNs by L, where there are three or more, and the network with ReLU."""
    found: dict[tuple[str, str], dict[int, Cell]] = {}
    for dataset, network, L in ledger.keys("figure5"):
        found.setdefault((dataset, network), {})[L] = ledger.cell("figure5", dataset, network, L)
    return {
        where(*key): (dict(sorted(cells.items())), ledger.cell("figure4", *key, "relu", None))
        for key, cells in found.items()
        if len(cells) > 2
    }


FEW = Outcome(None, "fewer than three L in this profile")


@CLAIMS.add("Section 5.5, Fig. 5", "accuracy at ultra-low latency (T <= 4) decreases as L increases")
def larger_L_slower(ledger: Ledger) -> Outcome:
    found = []
    for name, (cells, _) in sweeps(ledger).items():
        values = [low_mean(cell) for cell in cells.values()]
        found.append((name, float(np.corrcoef(np.log2(list(cells)), values)[0, 1])))
    return every(found, lambda r: r < 0, "correlation of accuracy at T = 1, 2, 4 with log L") if found else FEW


@CLAIMS.add("Section 5.5, Fig. 5", "the best SNN of L = 2 stays further below the original ANN than with larger L")
def smallest_L(ledger: Ledger) -> Outcome:
    found = []
    for name, (cells, relu) in sweeps(ledger).items():
        if relu and 2 in cells:
            below = {L: relu.ann - max(cell.snn) for L, cell in cells.items()}
            found.append((name, below.pop(2) - max(below.values())))
    return every(found, lambda gap: gap > 0, "points further below ReLU than with any larger L") if found else FEW


@CLAIMS.add("Section 5.5, Fig. 5", f"for L > 4 the best SNN aligns with the source ANN (within {SIMILAR:g} point)")
def larger_L_aligned(ledger: Ledger) -> Outcome:
    found = [
        (f"{name}, L = {L}", max(cell.snn) - cell.ann)
        for name, (cells, _) in sweeps(ledger).items()
        for L, cell in cells.items()
        if L > 4
    ]
    return every(found, lambda gap: gap >= -SIMILAR, "points") if found else FEW


@CLAIMS.add("Section 5.5", "L = 4 or 8 is the best compromise of low latency and best accuracy (mean of both)")
def recommended_L(ledger: Ledger) -> Outcome:
    best = {
        name: max(cells, key=lambda L: low_mean(cells[L]) + max(cells[L].snn))
        for name, (cells, _) in sweeps(ledger).items()
    }
    if not best:
        return FEW
    return Outcome(
        all(L in published.QUANTIZATION_STEPS_RECOMMENDED for L in best.values()),
        ", ".join(f"{name}: L = {L}" for name, L in best.items()),
    )
