"""The audit of the paper: every check of its equations and printed numbers, and their table.

A verdict concerns the text at hand, which was read by a machine from the published page: where a lost sign,
exponent or factor would explain a disagreement, the finding says so. The checks are in audit_neuron
(Eqs. 1-14), audit_training (Eqs. 15-20, Algorithm 1), audit_tables (Tables 1-2), audit_ablations (Tables 3-4)
and audit_costs (Tables 5-7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from csqcfs import audit_ablations, audit_costs, audit_neuron, audit_tables, audit_training
from csqcfs.checks import Check

if TYPE_CHECKING:
    import pandas

CHECKS: list[Check] = [
    check
    for part in (audit_neuron, audit_training, audit_tables, audit_ablations, audit_costs)
    for check in part.CHECKS
]


def table() -> pandas.DataFrame:
    """Run every check: one row each, indexed by id, with columns place, claim, verdict, found."""
    import pandas

    outcomes = [check.run() for check in CHECKS]
    return pandas.DataFrame(
        {
            "place": [check.place for check in CHECKS],
            "claim": [check.claim for check in CHECKS],
            "verdict": [outcome.verdict for outcome in outcomes],
            "found": [outcome.found for outcome in outcomes],
        },
        index=pandas.Index([check.id for check in CHECKS], name="id"),
    )


def counts() -> pandas.DataFrame:
    """Number of checks by part of the paper and verdict."""
    import pandas

    parts = {"Eqs. 1-14, Figs. 2-3": audit_neuron, "Eqs. 15-20, Algorithm 1": audit_training,
             "Tables 1-2": audit_tables, "Tables 3-4": audit_ablations, "Tables 5-7": audit_costs}
    verdicts = ("holds", "does not hold", "not defined")
    lines = [[sum(check.run().verdict == verdict for check in part.CHECKS) for verdict in verdicts]
             for part in parts.values()]
    index = pandas.Index([*parts, "all"], name="Part")
    return pandas.DataFrame([*lines, [sum(column) for column in zip(*lines)]], index, list(verdicts))
