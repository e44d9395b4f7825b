"""Sections 5.1 and 5.2: ANNs of Tables 1-2 and Fig. 4 beside those with QCFS and with ReLU."""

from __future__ import annotations

from collections.abc import Sequence

from .. import published
from .claim import Claims, Outcome
from .decide import SIMILAR, Condition, condition, decide, left_out
from .evidence import Printed, Recorded, compared, place, where

CLAIMS = Claims()


PANELS = {(dataset, network) for dataset in ("cifar10", "cifar100") for network in ("vgg16", "resnet20")}


def unseen(conditions: Sequence[Condition], figure: str = "Fig. 4") -> str:
    """The panels of Fig. 4, or of Fig. 5, which has the same, that ``conditions`` leave out, as a number."""
    return left_out(PANELS, (row[1:3] for one in conditions for row in one.rows), f"panels of {figure}")


def relative_to(ours: Recorded, reference: str, ends: tuple[str, ...], above: int) -> list[Condition]:
    """ANNs of Fig. 4 that end with one of ``ends`` beside those with ``reference``, for L above ``above``."""
    conditions = []
    for dataset, network, end, L in ours.keys("figure4"):
        if end in ends and L > above:
            row = ("figure4", dataset, network, end, L)
            base = ("figure4", dataset, network, reference, None if reference == "relu" else L)
            name = where(ours, dataset, network, end, f"L = {L}")
            conditions += condition(ours, name, (1.0, row, "ann"), (-1.0, base, "ann"), low=-SIMILAR, high=SIMILAR)
    return conditions


@CLAIMS.printed(
    "Section 5.2, Tables 1-2, Fig. 4", f"ANNs with CS-QCFS are comparable to QCFS (within {SIMILAR:g} point)"
)
def ann_comparable(paper: Printed) -> Outcome:
    conditions = []
    for id, network in compared(paper, ("qcfs",)):
        mine, base = (id, network, "ours"), (id, network, "qcfs")
        name = place(paper, id, network)
        conditions += condition(paper, name, (1.0, mine, "ann"), (-1.0, base, "ann"), low=-SIMILAR, high=SIMILAR)
    return decide(paper, conditions, "with 100 epochs more in training")


@CLAIMS.and_on_records("ann-comparable")
def ann_like_qcfs(ours: Recorded) -> Outcome:
    found = relative_to(ours, "qcfs", ("csqcfs",), 0)
    return decide(ours, found, lacking=unseen(found))


@CLAIMS.printed(
    "Sections 5.1 and 5.2, Fig. 4", "QCFS and CS-QCFS are on a level with ReLU for L > 4; implied: for the L in use"
)
def level_with_relu(paper: Printed) -> Outcome:
    covered = [s.quantization_step > 4 for s in published.PAPER_SETTINGS.values()]
    found = f"{covered.count(False)} of {len(covered)} networks use L = 4; perhaps L ≥ 4 is meant"
    return Outcome.of(all(covered), found)


@CLAIMS.and_on_records("level-with-relu")
def ann_like_relu(ours: Recorded) -> Outcome:
    found = relative_to(ours, "relu", ("qcfs", "csqcfs"), 4)
    return decide(ours, found, "L > 4", lacking=unseen(found))


@CLAIMS.printed("Section 5.1, Table 2", "baselines marked * have settings identical to the method's")
def starred_epochs(paper: Printed) -> Outcome:
    settings = published.PAPER_SETTINGS["cifar100", "resnet20"]
    return Outcome.of(
        None if settings.finetune_epochs else True,
        f"Ours trains {settings.epochs} + {settings.finetune_epochs} epochs; whether the baselines have"
        " the second stage is not said, and in Table 4 it alone takes ResNet-20's ANN from 68.82 to 69.18",
    )
