"""Eqs. 15-20 and Algorithm 1: Softplus, the training rule and the two-stage procedure.

Derivatives are compared with central differences of Eq. 18 with the floor frozen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...activations import SMALLEST
from .. import published
from ..measures.right import ANN
from ..names import count, number
from ..runs.records import Record
from . import corrections
from .claim import NOT_RUN, Claims, Outcome, Verdict
from .corrections import TOLERANCE
from .decide import condition, decide, left_out, unless
from .evidence import Printed, Recorded, lowest_traced, traced
from .reference import cases, samples, sigmoid, softplus

CLAIMS = Claims()
SOFTPLUS = {"sqcfs", "csqcfs"}  # activations whose thresholds pass through it


@CLAIMS.printed(
    "Sections 4.1.2 and 5.6.2, Eq. 15", "Softplus is positive for every real input, so that thresholds stay positive"
)
def softplus_range(paper: Printed) -> Outcome:
    x = np.linspace(-30, 30, 6001)
    holds = softplus(x).min() > 0 and sigmoid(x).min() > 0 and sigmoid(x).max() < 1
    slope = np.abs((softplus(x + 1e-5) - softplus(x - 1e-5)) / 2e-5 - sigmoid(x)).max() < 1e-8
    single = np.logaddexp(np.float32(-110), np.float32(0))
    found = f"true in mathematics, with a slope between 0 and 1; in float32 Softplus(−110) is {single:g}"
    return Outcome.of(bool(holds and slope), found)


@CLAIMS.and_on_records("softplus-range")
def softplus_positive(ours: Recorded) -> Outcome:
    """Whether thresholds behind Softplus kept away from where it underflows."""
    lows: dict[tuple, tuple[str, float]] = {}
    rows = []
    for id in ("table1", "table2", "table3", "table4", "table5", "figure5"):
        for key in ours.keys(id):
            row = (id, *key)
            ends = {record.settings["training"]["stages"][-1]["activation"] for record in ours.records(*row)}
            if ends <= SOFTPLUS:
                lows.setdefault(ours.identity(row), (f"{id}: {', '.join(map(str, key))}", ours.lowest(*row)))
                rows.append(row)
    for place, low in lowest_traced(ours, "csqcfs-1", ("a", "b")).items():
        lows[place] = traced(ours, *place), low
    if not lows:
        return NOT_RUN
    failed = [name for name, low in lows.values() if low < 2 * SMALLEST]
    text = f"smallest of {count(len(lows), 'row')}: {number(min(low for _, low in lows.values()))}"
    if failed:
        text += (
            f"; in {len(failed)} it fell to {number(SMALLEST)}, where this code stops since Softplus underflows: "
            f"{'; '.join(failed[:3])}"
        )
    return _of_every_network(ours, rows, bool(failed), text)


def _of_every_network(ours: Recorded, rows: Sequence[tuple], failed: bool, text: str) -> Outcome:
    """A claim about all networks of the paper, of which ``rows`` are those that were run; one exception is enough."""
    found = ours.networks(rows)
    lacking = left_out(published.PAPER_SETTINGS, found, "networks of the paper")
    once = any(len(trainings) == 1 for trainings in found.values())
    verdict = Verdict.FAILS if failed else unless(lacking, Verdict.HOLDS_ONCE if once else Verdict.HOLDS)
    return Outcome(verdict, "; ".join(filter(None, (text, lacking and f"without {lacking}"))))


@CLAIMS.printed("Section 4.1.3", "Softplus is in the same order of magnitude as λ")
def softplus_scale(paper: Printed) -> Outcome:
    ratio = {x: float(softplus(x) / x) for x in (0.01, 0.1, 1.0, 4.0, 8.0)}
    shown = ", ".join(f"{value:.3g} at {x:g}" for x, value in ratio.items())
    return Outcome.of(
        all(0.1 <= value <= 10 for value in ratio.values()),
        f"Softplus(λ) / λ is {shown}; at −4 Softplus is {softplus(-4.0):.3g}: true for large λ",
    )


@CLAIMS.printed("Section 4.1.3", "the gradient of Softplus is stable where that of the exponential is not")
def softplus_against_exponential(paper: Printed) -> Outcome:
    return Outcome.of(
        bool(sigmoid(8.0) < 1 < np.exp(8.0)),
        f"slope at λ = 8: {sigmoid(8.0):.4f} for Softplus, {np.exp(8.0):.0f} for the exponential",
    )


@CLAIMS.records("Section 4.1.3", "implied: plain SNNs and their ANN are more accurate with Softplus than with Exp")
def softplus_before_exponential(ours: Recorded) -> Outcome:
    columns, found = {"ANN": ANN, "T = 1": 1, "T = 2": 2, "T = 4": 4, "T = 8": 8}, []
    datasets = list(dict.fromkeys(dataset for dataset, *_ in ours.keys("softplus")))
    for dataset in datasets:
        mine, other = (("softplus", dataset, end, "plain") for end in ("csqcfs", "ceqcfs"))
        for name, column in columns.items():
            where = name if len(datasets) == 1 else f"{name} on {ours.names[dataset]}"
            found += condition(ours, where, (1.0, mine, column), (-1.0, other, column))
    return decide(ours, found)


@CLAIMS.printed("Section 4.3.1, Eq. 19", "df/dz = 1 for −λ/2L < z < λ − λ/2L, else 0")
def eq19_window(paper: Printed) -> Outcome:
    proof = corrections.equation19()
    printed, corrected = (np.mean(proof.off(form) > TOLERANCE) for form in ("printed", "corrected"))
    return Outcome.of(
        bool(printed == 0),
        f"differs from the finite difference at {100 * printed:.0f} % of 20,000 points, λ in (−2, 4),"
        f" and with Softplus(λ) for λ at {100 * corrected:.0f} %; for λ ≤ 0 the printed range is empty",
    )


@CLAIMS.printed("Section 4.3.1, Eq. 20", "in range df/dλ = (Sigmoid(λ) f − z e^λ) / Softplus(λ)")
def eq20_middle_case(paper: Printed) -> Outcome:
    z, raw = samples()
    inside = cases(z, softplus(raw))[1]  # the range that is meant: the printed one is Eq. 19's error
    proof = corrections.equation20()
    error = np.abs(corrections.eq20_middle_printed(z, raw) - proof.reference)[inside]
    agrees = "agrees" if proof.off("corrected", inside).max() < TOLERANCE else "does not agree either"
    return Outcome.of(
        bool(error.max() < TOLERANCE),
        f"off by up to {error.max():.0f} (median {np.median(error):.2g}); Sigmoid(λ) (f − z) / Softplus(λ) {agrees}; "
        "a divisor 1 + e^λ under e^λ, lost in print or reading, would explain it",
    )


@CLAIMS.printed("Section 4.3.1, Eq. 20", "above the range df/dλ = 1")
def eq20_upper_case(paper: Printed) -> Outcome:
    z, raw = samples()
    above = cases(z, softplus(raw))[2]
    proof = corrections.equation20()
    exact = proof.reference[above]
    return Outcome.of(
        bool(np.abs(1.0 - exact).max() < TOLERANCE),
        f"it is Sigmoid(λ): {exact.min():.2f} to {exact.max():.2f} for λ in (−2, 4); 1 is the value without Softplus",
    )


@CLAIMS.printed("Section 4.3.1, Eq. 20", "below the range df/dλ = 0")
def eq20_lower_case(paper: Printed) -> Outcome:
    z, raw = samples()
    below = cases(z, softplus(raw))[0]
    exact = corrections.equation20().reference[below]
    return Outcome.of(bool(np.abs(exact).max() < TOLERANCE), f"0 at all {below.sum():,} points below −θ/2L")


@CLAIMS.printed("Section 4.3.1, Eqs. 19-20", "both equations use one range")
def eq19_eq20_boundary(paper: Printed) -> Outcome:
    edge, width = np.array(-0.125), 1.0  # z = -w/2L at L = 4
    open_range = bool(-width / 8 < edge < width - width / 8)
    closed_range = bool(cases(edge, np.array(width))[1])
    return Outcome.of(
        open_range == closed_range,
        "z = −λ/2L is outside in Eq. 19 (<), inside in Eq. 20 (≤): one point, possibly a misread sign",
    )


@CLAIMS.printed("Algorithm 1 line 9, section 4.3.2", "fine-tuning starts from the layer's threshold λ")
def alg1_line9(paper: Printed) -> Outcome:
    proof = corrections.line9()
    shown = ", ".join(
        f"{x:g} becomes {y:.3f} (× {y / x:.4g})" for x, y in zip(proof.reference, proof.printed, strict=True)
    )
    restores = "restores it" if proof.off("corrected").max() < TOLERANCE else "does not restore it"
    return Outcome.of(
        bool(np.allclose(proof.printed, proof.reference)),
        f"as the raw parameter of CS-QCFS a threshold of {shown}; log(e^λ − 1) {restores}",
    )


@CLAIMS.printed(
    "Abstract, Algorithm 1 lines 6-9",
    "implied: every layer's threshold from plain QCFS can start CS-QCFS, which keeps it positive",
)
def alg1_negative_start(paper: Printed) -> Outcome:
    reachable = softplus(np.linspace(-30, 30, 601)).min() > 0
    return Outcome.of(
        None if reachable else True,
        "the first stage has no Softplus, so its threshold may turn negative (section 5.6.2 reports it);"
        " Softplus reaches no value ≤ 0, log(e^λ − 1) is undefined there",
    )


@CLAIMS.and_on_records("alg1-negative-start")
def second_stage_starts(ours: Recorded) -> Outcome:
    rows = [row for row, found in ours.page.records.items() if found and all(map(_two_stages, found))]
    trained = sum(map(len, ours.networks(rows).values()))
    runs = {record.digest: record for row in rows for record in ours.page.records[row]}
    stopped = [record for record in runs.values() if "refused" in record.metrics]
    refused = [record.metrics["refused"].partition(":")[0] for record in stopped]
    first = [key for key in ours.keys("figure6") if key[3] == "qcfs" and key[-1] == "snn"]
    below = [key for key in first if ours.lowest("figure6", *key) <= 0]
    if not runs and not first:
        return NOT_RUN
    text = [f"{trained - len(refused)} of {count(trained, 'training')} started stage 2"] if runs else []
    if first:
        of = count(len(first), "QCFS network")
        text.append(f"{len(below)} of {of} of Fig. 6 could not, ending with a threshold ≤ 0")
    rows += [("figure6", *key) for key in first]
    return _of_every_network(ours, rows, bool(refused or below), "; ".join([*text, *dict.fromkeys(refused[:3])]))


def _two_stages(record: Record) -> bool:
    """Whether the last of several stages has Softplus."""
    stages = (record.settings.get("training") or {}).get("stages", ())
    return len(stages) > 1 and stages[-1]["activation"] in SOFTPLUS


@CLAIMS.printed("Algorithm 1 line 16", "the SNN's threshold is λ, and the SNN then matches CS-QCFS")
def alg1_line16(paper: Printed) -> Outcome:
    proof = corrections.line16()
    worst = proof.off("printed").reshape(len(corrections.LAMBDAS), -1).max(1)
    shown = ", ".join(f"{error:.2f} at λ = {raw:g}" for raw, error in zip(corrections.LAMBDAS, worst, strict=True))
    return Outcome.of(
        bool(worst.max() == 0),
        f"largest difference from Eq. 18 at L = T = 4: {shown}; the threshold must be Softplus(λ),"
        " else it can still be negative",
    )
