"""The audit of the paper: every check of its equations and printed numbers, and their table.

A verdict concerns the text at hand, which was read by a machine from the published page: where a lost sign,
exponent or factor would explain a disagreement, the finding says so. The checks are in audit_neuron
(Eqs. 1-14), audit_training (Eqs. 15-20, Algorithm 1), audit_tables (Tables 1-2), audit_ablations (Tables 3-4)
and audit_costs (Tables 5-7).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import audit_ablations, audit_costs, audit_neuron, audit_tables, audit_training
from .checks import Check

if TYPE_CHECKING:
    import pandas

PARTS = {
    "Eqs. 1-14, Figs. 2-3": audit_neuron.CHECKS,
    "Eqs. 15-20, Algorithm 1": audit_training.CHECKS,
    "Tables 1-2": audit_tables.CHECKS,
    "Tables 3-4": audit_ablations.CHECKS,
    "Tables 5-7": audit_costs.CHECKS,
}
CHECKS: list[Check] = [check for part in PARTS.values() for check in part]


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


def shown(checks: Iterable[Check]) -> pandas.DataFrame:
    """These checks as a table to read: place, claim and verdict, and what was found."""
    import pandas

    outcomes = [(check, check.run()) for check in checks]
    index = pandas.MultiIndex.from_tuples(
        [(check.place, check.claim, outcome.verdict) for check, outcome in outcomes],
        names=["Place", "Claim", "Verdict"],
    )
    return pandas.DataFrame({"Found": [outcome.found for _, outcome in outcomes]}, index=index)


def select(*ids: str) -> list[Check]:
    """Checks by id, in the order asked for."""
    found = {check.id: check for check in CHECKS}
    return [found[id] for id in ids]


def counts() -> pandas.DataFrame:
    """Number of checks by part of the paper and verdict."""
    import pandas

    verdicts = ("holds", "does not hold", "not defined")
    found = [[check.run().verdict for check in checks] for checks in PARTS.values()]
    lines = [[verdict.count(name) for name in verdicts] for verdict in (*found, sum(found, []))]
    return pandas.DataFrame(lines, pandas.Index([*PARTS, "all"], name="Part"), list(verdicts))
