"""Claims about accuracy: abstract, introduction, section 5.3 with Tables 1-2, and the conclusion."""

from __future__ import annotations

from collections.abc import Sequence

from .. import published
from ..measures import energy
from ..pages.tables import NAMES
from .checks import Checks, Outcome
from .ledger import NOT_RUN, TIMES, Cell, Ledger, every, lead, size

CLAIMS = Checks()
OTHERS = ("qcfs", "srp", "cos")
TABLES = (("table1", published.TABLE1), ("table2", published.TABLE2))
SAME = tuple((T, T) for T in TIMES)
TOLERANCE = 0.5  # percentage points by which a printed level may be missed; the paper gives no spread


def others(ledger: Ledger, id: str, network: str, names: tuple[str, ...] = OTHERS) -> dict[str, Cell | None]:
    return {NAMES[name]: ledger.cell(id, network, name) for name in names}


def ours_lead(
    ledger: Ledger, id: str, network: str, pairs: Sequence[tuple[int, int]], names: tuple[str, ...] = OTHERS
) -> Outcome:
    """Whether "Ours" at T is ahead of the methods ``names`` at T', for all ``pairs`` (T, T')."""
    return lead(ledger.cell(id, network, "ours"), others(ledger, id, network, names), pairs)


def level(ledger: Ledger, id: str, network: str, T: int, printed: float) -> Outcome:
    """Whether "Ours" reaches a printed accuracy, in a profile that trains as the paper does."""
    cell = ledger.cell(id, network, "ours")
    if cell is None:
        return NOT_RUN
    if not ledger.full:
        return Outcome(None, f"needs the paper's data and training; here {cell.at(T):.2f} % ({size(cell)})")
    return Outcome(cell.at(T) >= printed - TOLERANCE, f"{cell.at(T):.2f} %; {size(cell)}")


@CLAIMS.add("Abstract, section 5.3", "95.86 % on CIFAR-10 with 1 time-step (ResNet-18)")
def level_cifar10(ledger: Ledger) -> Outcome:
    return level(ledger, "table1", "resnet18", 1, 95.86)


@CLAIMS.add("Abstract", "74.83 % on CIFAR-100 with 1 time-step (VGG-16)")
def level_cifar100(ledger: Ledger) -> Outcome:
    return level(ledger, "table2", "vgg16", 1, 74.83)


@CLAIMS.add("Abstract, introduction", "these accuracies take only 1 time-step")
def one_step(ledger: Ledger) -> Outcome:
    found = [
        record for id, _ in TABLES for key in ledger.keys(id) if key[1] == "ours" for record in ledger.records(id, *key)
    ]
    if not found:
        return NOT_RUN
    steps = {energy.steps("cos", record.metrics["presteps"], 1) for record in found}
    return Outcome(
        steps == {1},
        f"offset spikes: each layer computes {max(steps)} steps before the score at T = 1 "
        f"is known (ρ = {found[0].metrics['presteps']}, {len(found)} records)",
    )


@CLAIMS.add("Introduction", "outperforms the other conversion methods in the same time-steps, on both data sets")
def all_cells(ledger: Ledger) -> Outcome:
    gaps, cells = [], []
    for id, _ in TABLES:
        for network, method in ledger.keys(id):
            mine, theirs = ledger.cell(id, network, method), others(ledger, id, network)
            if method == "ours" and all(theirs.values()):
                cells.append(mine)
                best = {T: max(cell.at(T) for cell in theirs.values()) for T in TIMES}
                gaps += [(f"{NAMES[network]} T = {T} in {id}", mine.at(T) - best[T]) for T in TIMES]
    return every(gaps, lambda gap: gap > 0, "points over the best other", size(*cells))


@CLAIMS.add("Section 5.3, Table 1", "ResNet-18: T = 1 surpasses all other methods even at T = 32")
def resnet18_first_step(ledger: Ledger) -> Outcome:
    return ours_lead(ledger, "table1", "resnet18", [(1, 32)])


@CLAIMS.add("Section 5.3, Table 1", "VGG-16: consistently outperforms the others (every T)")
def vgg16_cifar10(ledger: Ledger) -> Outcome:
    return ours_lead(ledger, "table1", "vgg16", SAME)


@CLAIMS.add("Section 5.3, Table 1", "VGG-16: T = 4 is better than the other methods at T = 32")
def vgg16_fourth_step(ledger: Ledger) -> Outcome:
    return ours_lead(ledger, "table1", "vgg16", [(4, 32)])


@CLAIMS.add("Section 5.3, Table 1", "ResNet-20: ahead of COS and SRP at T = 1")
def resnet20_first_step(ledger: Ledger) -> Outcome:
    return ours_lead(ledger, "table1", "resnet20", [(1, 1)], ("cos", "srp"))


@CLAIMS.add("Section 5.3, Table 1", "ResNet-20: ahead of COS and SRP at T = 32")
def resnet20_last_step(ledger: Ledger) -> Outcome:
    return ours_lead(ledger, "table1", "resnet20", [(32, 32)], ("cos", "srp"))


@CLAIMS.add("Section 5.3, Table 1", "ResNet-50: consistently leading (every T)")
def resnet50_cifar10(ledger: Ledger) -> Outcome:
    return ours_lead(ledger, "table1", "resnet50", SAME)


@CLAIMS.add("Section 5.3, Table 1", "ResNet-101: outperforms QCFS, SRP and COS at every time-step")
def resnet101_cifar10(ledger: Ledger) -> Outcome:
    return ours_lead(ledger, "table1", "resnet101", SAME)


@CLAIMS.add("Section 5.3, Table 2", "VGG-16: outperforms the others across all time-steps")
def vgg16_cifar100(ledger: Ledger) -> Outcome:
    return ours_lead(ledger, "table2", "vgg16", SAME)


@CLAIMS.add("Section 5.3, Table 2", "VGG-16: 0.6 points over the nearest competitor at T = 32, which is QCFS")
def vgg16_nearest(ledger: Ledger) -> Outcome:
    mine, theirs = ledger.cell("table2", "vgg16", "ours"), others(ledger, "table2", "vgg16")
    if mine is None or None in theirs.values():
        return NOT_RUN
    nearest = max(theirs, key=lambda name: theirs[name].at(32))
    gap = mine.at(32) - theirs[nearest].at(32)
    return Outcome(
        nearest == NAMES["qcfs"] and round(gap, 1) >= published.VGG16_LEAD_OVER_QCFS,
        f"nearest is {nearest}, {gap:+.2f}; {size(mine)}",
    )


@CLAIMS.add("Section 5.3, Table 2", "ResNet-20: ahead of SRP and COS at T = 1 and at all later time-steps")
def resnet20_cifar100(ledger: Ledger) -> Outcome:
    return ours_lead(ledger, "table2", "resnet20", SAME, ("srp", "cos"))


@CLAIMS.add("Section 5.3, Table 2", "ResNet-50: T = 1 surpasses QCFS and SRP even at higher time-steps")
def resnet50_first_step(ledger: Ledger) -> Outcome:
    return ours_lead(ledger, "table2", "resnet50", [(1, T) for T in TIMES], ("qcfs", "srp"))


@CLAIMS.add("Section 5.3, Table 2", "ResNet-50: the highest of all methods at T = 32")
def resnet50_last_step(ledger: Ledger) -> Outcome:
    return ours_lead(ledger, "table2", "resnet50", [(32, 32)])


@CLAIMS.add("Section 5.3, Table 2", "ResNet-101: ahead of QCFS and SRP at T = 1")
def resnet101_cifar100(ledger: Ledger) -> Outcome:
    return ours_lead(ledger, "table2", "resnet101", [(1, 1)], ("qcfs", "srp"))


@CLAIMS.add("Conclusion", "narrows the gap between SNN and ANN: at T = 1 it is smaller than that of QCFS and COS")
def gap_to_ann(ledger: Ledger) -> Outcome:
    found, cells = [], []
    for id, _ in TABLES:
        for network, method in ledger.keys(id):
            mine, theirs = ledger.cell(id, network, method), others(ledger, id, network, ("qcfs", "cos"))
            if method == "ours" and all(theirs.values()):
                cells.append(mine)
                smallest = min(cell.ann - cell.at(1) for cell in theirs.values())
                found.append((f"{NAMES[network]} in {id}", smallest - (mine.ann - mine.at(1))))
    return every(found, lambda gain: gain > 0, "points smaller than the smaller of both", size(*cells))


@CLAIMS.add("Section 5.3", 'offset spikes only "further reduce" errors: most of the gain at T = 1 is CS-QCFS\'s')
def who_brings_it(ledger: Ledger) -> Outcome:
    shares, cells = [], []
    for id, _ in TABLES:
        for network, method in ledger.keys(id):
            base, plain, mine = (ledger.cell(id, network, name) for name in ("qcfs", "csqcfs", "ours"))
            if method == "ours" and base and plain and mine.at(1) > base.at(1):
                cells.append(mine)
                shares.append(
                    (f"{NAMES[network]} in {id}", 100 * (plain.at(1) - base.at(1)) / (mine.at(1) - base.at(1)))
                )
    return every(
        shares,
        lambda share: share > 50,
        "% of the gain over plain QCFS at T = 1 are there without offset spikes",
        size(*cells),
    )
