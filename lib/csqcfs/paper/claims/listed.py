"""Every claim of the paper that can be checked, once, by the part of the paper that it belongs to."""

from __future__ import annotations

from . import ablation, anns, comparison, costs, neuron, sweep, thresholds, training
from .claim import Claim

PARTS: dict[str, list[Claim]] = {
    "Eqs. 1-14, Figs. 2-3": neuron.CLAIMS,
    "Eqs. 15-20, Algorithm 1": training.CLAIMS,
    "Tables 1-2, Fig. 4": [*comparison.CLAIMS, *anns.CLAIMS],
    "Tables 3-4, Fig. 5": [*ablation.CLAIMS, *sweep.CLAIMS],
    "Table 5, Figs. 3 and 6": thresholds.CLAIMS,
    "Tables 6-7": costs.CLAIMS,
}
CLAIMS: list[Claim] = [claim for part in PARTS.values() for claim in part]


def select(*ids: str) -> list[Claim]:
    """Claims by id, in the order asked for."""
    found = {claim.id: claim for claim in CLAIMS}
    return [found[id] for id in ids]
