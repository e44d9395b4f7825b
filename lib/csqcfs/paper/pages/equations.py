"""What the pages say that need no records: what the paper's equations and numbers come to when they are recomputed."""

from __future__ import annotations

from collections import Counter

from ..claims import audit, corrections, gradient_check, response
from ..claims.claim import Verdict
from ..names import count


def audited(*ids: str) -> str:
    """How many of these statements of the paper hold when they are recomputed."""
    words = {
        Verdict.HOLDS: ("holds", "hold"),
        Verdict.FAILS: ("does not hold", "do not hold"),
        Verdict.UNDEFINED: ("has no defined meaning", "have no defined meaning"),
    }
    claims = audit.select(*ids) if ids else [claim for part in audit.PARTS.values() for claim in part if claim.printed]
    found = Counter(claim.printed(audit.PAPER).verdict for claim in claims).most_common()
    told = ", ".join(f"{many} {words[verdict][many != 1]}" for verdict, many in found)
    return f"Of {count(len(claims), 'statement')} of the paper recomputed here, {told}."


def figure1(shown) -> list[str]:
    frame = response.error_table((4,)).reset_index()
    parts = [
        f"{row['Mean flooring error']:.3f} on average and at most {row['Largest']:.3f}" for _, row in frame.iterrows()
    ]
    return [
        f"At T = 4 and in thresholds, flooring is {parts[0]} from v(0) = 0, and {parts[1]} from v(0) = θ/2.",
        audited("eq8-resolution", "eq9-start", "eq9-clip", "eq10-errors", "half-threshold"),
    ]


def figure2(shown) -> list[str]:
    frame = response.negative_table()
    derived, printed = (frame[f"{form} form agrees"] for form in ("Derived", "Printed"))
    return [
        f"For a negative threshold the derived form of Eq. 14 agrees with the simulated neuron at {', '.join(derived)} "
        f"of the inputs of its {count(len(frame), 'case')}, the printed one at {', '.join(printed)}.",
        audited("eq13-constant-input", "eq14-outer-cases", "eq14-middle-case", "negative-threshold-behaviour"),
    ]


def gradients(shown) -> list[str]:
    frame = gradient_check.deviations().reset_index()
    ours, printed = (frame[name].astype(str) for name in ("autograd of csqcfs", "Eqs. 19-20, printed"))
    last = len(frame) - 1
    return [
        f"At λ = {gradient_check.LAMBDAS[-1]:g}, the largest difference from finite differences is {ours[last]} with "
        f"autograd and {printed[last]} with the printed form.",
        audited("eq19-window", "eq20-middle-case", "eq20-upper-case", "eq20-lower-case"),
    ]


def audit_page(shown) -> list[str]:
    proofs = corrections.table()
    return [
        audited(),
        f"{len(proofs)} equations and lines are corrected below, each against a reference that does not use it.",
    ]
