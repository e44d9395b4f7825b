"""The audit: verdicts as an explicit list, and its arithmetic against independent recomputations."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from csqcfs.paper import published
from csqcfs.paper.claims import audit, comparison, costs, listed, reference
from csqcfs.paper.claims.claim import Claim, Claims, Outcome, Verdict
from csqcfs.paper.claims.evidence import Printed

PAPER = Printed()
VERDICTS = {
    "eq1-eq3-one-symbol": "not defined",
    "eq6-balance": "holds",
    "eq8-resolution": "holds",
    "eq9-start": "does not hold",
    "eq9-clip": "does not hold",
    "eq10-errors": "holds",
    "half-threshold": "holds",
    "eq13-constant-input": "holds",
    "eq13-other-timesteps": "does not hold",
    "eq13-uneven-input": "does not hold",
    "eq14-outer-cases": "does not hold",
    "eq14-middle-case": "does not hold",
    "eq14-normalised-neuron": "holds",
    "negative-threshold-behaviour": "holds",
    "fig3-negative-activation": "does not hold",
    "softplus-range": "holds",
    "softplus-scale": "does not hold",
    "softplus-against-exponential": "holds",
    "eq19-window": "does not hold",
    "eq20-middle-case": "does not hold",
    "eq20-upper-case": "does not hold",
    "eq20-lower-case": "holds",
    "eq19-eq20-boundary": "does not hold",
    "alg1-line9": "does not hold",
    "alg1-negative-start": "not defined",
    "alg1-line16": "does not hold",
    "quoted-accuracies": "holds",
    "abstract-instances": "holds",
    "one-timestep": "does not hold",
    "all-cells": "does not hold",
    "resnet18-one-step": "holds",
    "resnet18-one-step-own-publication": "does not hold",
    "vgg16-cifar10-leads": "holds",
    "vgg16-four-steps": "holds",
    "resnet20-cifar10-ends": "holds",
    "resnet50-cifar10-leads": "holds",
    "resnet101-cifar10-leads": "holds",
    "vgg16-cifar100-leads": "holds",
    "vgg16-cifar100-margin": "holds",
    "resnet20-cifar100-leads": "holds",
    "resnet20-cifar100-own-publications": "does not hold",
    "resnet20-cifar100-against-table4": "does not hold",
    "resnet50-cifar100-one-step": "does not hold",
    "resnet50-cifar100-last": "holds",
    "resnet101-cifar100-first": "holds",
    "resnet101-cifar100-cos": "does not hold",
    "lead-beyond-ann": "does not hold",
    "srp-against-qcfs": "does not hold",
    "baselines-share-ann": "does not hold",
    "gap-to-ann": "does not hold",
    "ann-comparable": "holds",
    "level-with-relu": "does not hold",
    "starred-epochs": "not defined",
    "without-channel": "holds",
    "without-softplus": "holds",
    "table3-standard-qcfs": "does not hold",
    "table3-full-is-ours": "holds",
    "table3-against-table4": "does not hold",
    "softplus-alone": "does not hold",
    "full-against-table4": "does not hold",
    "two-stage-ann-cifar10": "holds",
    "two-stage-snn-cifar10": "does not hold",
    "two-stage-ann-cifar100": "does not hold",
    "channelwise-low-latency": "holds",
    "channelwise-four-steps": "does not hold",
    "channelwise-few-against-many": "holds",
    "table5-quotes": "holds",
    "table5-maximum-and-mean": "holds",
    "thresholds-differ": "holds",
    "table5-softplus-narrows": "holds",
    "table5-undefined": "not defined",
    "table6-increase": "holds",
    "table6-whole-training": "does not hold",
    "table7-ann-energy": "holds",
    "table7-qcfs-energy": "holds",
    "table7-csqcfs-energy": "holds",
    "table7-increase": "does not hold",
    "minor-energy": "holds",
    "table7-ann-macs": "holds",
    "table7-snn-macs": "does not hold",
    "table7-timesteps": "not defined",
}

PRINTED = [claim for claim in listed.CLAIMS if claim.printed]


@pytest.mark.parametrize("claim", PRINTED, ids=lambda claim: claim.id)
def test_verdict(claim):
    outcome = claim.printed(PAPER)
    assert outcome.verdict == VERDICTS[claim.id]
    assert claim.place and claim.text and outcome.found and "nan" not in outcome.found


def test_each_sentence_is_listed_once():
    assert [claim.id for claim in PRINTED] == list(VERDICTS)
    for field in ("id", "text"):
        values = [(getattr(claim, field), claim.place) for claim in listed.CLAIMS]
        assert len(values) == len(set(values))
    assert len({claim.id for claim in listed.CLAIMS}) == len(listed.CLAIMS)
    assert all(claim.printed or claim.records for claim in listed.CLAIMS)


def test_counts_and_tables_of_parts_cover_every_check_once():
    counts = audit.counts()
    assert counts.loc["all"].to_dict() == {verdict: list(VERDICTS.values()).count(verdict) for verdict in counts}
    assert (counts.iloc[:-1].sum() == counts.loc["all"]).all()
    assert sum(len(audit.shown(part)) for part in audit.PARTS.values()) == len(VERDICTS)
    shown = audit.shown(audit.select("eq13-uneven-input", "eq6-balance"))
    assert list(shown.index.get_level_values("Verdict")) == ["does not hold", "holds"]
    assert shown["Found"].str.contains("unevenness error").tolist() == [True, False]
    assert audit.shown(audit.select("larger-L-slower")).empty  # the paper prints no numbers of it


def test_decorated_functions_become_claims():
    claims = Claims()

    @claims.printed("Eq. 0", "one is one")
    def one_is_one(paper) -> Outcome:
        return Outcome.of(True, "1")

    @claims.and_on_records("one-is-one")
    def on_records(ours) -> Outcome:
        return Outcome.of(None, "2")

    both = claims.both("Eq. 00", "as well", "named")(one_is_one)
    assert claims == [
        Claim("one-is-one", "Eq. 0", "one is one", one_is_one, on_records),
        Claim("named", "Eq. 00", "as well", both, both),
    ]
    assert on_records(None).verdict is Verdict.UNDEFINED and one_is_one(None).verdict is Verdict.HOLDS


def simulate(inputs: list[Fraction], theta: Fraction) -> Fraction:
    """Eqs. 1-3 in exact arithmetic, one neuron, from theta / 2."""
    v, output = theta / 2, Fraction(0)
    for x in inputs:
        v += x
        if v >= theta:
            v, output = v - theta, output + theta
    return output / len(inputs)


@pytest.mark.parametrize("theta", [Fraction(-1), Fraction(1, 2), Fraction(1), Fraction(4)])
@pytest.mark.parametrize("timesteps", [1, 4, 5])
def test_mean_output_against_exact_arithmetic(theta, timesteps):
    expected = [float(simulate([Fraction(z)] * timesteps, theta)) for z in reference.GRID]
    found = reference.mean_output(reference.constant(reference.GRID, timesteps), float(theta))
    assert found == pytest.approx(expected, abs=1e-15)


def test_equation_14_derived_cases_in_exact_arithmetic():
    """QCFS - phi(T) for lambda = -1, L = T = 4, from the corrected formula: lambda, middle, -lambda."""
    for z in map(Fraction, reference.GRID):
        level = min(max(math.floor(-4 * z + Fraction(1, 2)), 0), 4)
        error = -Fraction(level, 4) - simulate([z] * 4, Fraction(-1))
        if z < -1:
            assert error == -1
        elif z >= 0:
            assert error == 1
        else:
            assert error == -Fraction(math.floor(-4 * z + Fraction(1, 2)), 4) + (z >= Fraction(-1, 2))


def test_finite_differences_against_automatic_differentiation():
    """Eq. 18 with a straight-through floor in torch; the two end levels are left out, clamp differs there."""
    z, raw = reference.samples()
    levels = np.floor(z * 4 / reference.softplus(raw) + 0.5)
    keep = (levels != 0) & (levels != 4)
    inputs, lam = (torch.tensor(a[keep], requires_grad=True) for a in (z, raw))
    theta = torch.nn.functional.softplus(lam, threshold=40)
    u = inputs * 4 / theta + 0.5
    (theta * ((u + (u.floor() - u).detach()) / 4).clamp(0, 1)).sum().backward()
    by_input, by_raw = reference.differences(z[keep], raw[keep])
    assert by_input == pytest.approx(inputs.grad.numpy(), abs=1e-8)
    assert by_raw == pytest.approx(lam.grad.numpy(), abs=1e-8)
    assert {0, 1} == set(np.round(by_input).astype(int))


def test_printed_equation_20_at_one_point():
    """lambda = 4, z = 2, L = 4: theta = 4.01815, level 2, by hand."""
    theta, slope = math.log(math.exp(4) + 1), 1 / (1 + math.exp(-4))
    f = theta / 2
    printed = (slope * f - 2 * math.exp(4)) / theta
    corrected = slope * (f - 2) / theta
    _, expected = reference.differences(np.array([2.0]), np.array([4.0]))
    assert expected[0] == pytest.approx(corrected, abs=1e-9)
    assert printed == pytest.approx(-26.69, abs=0.01) and corrected == pytest.approx(0.00222, abs=1e-4)


def found(check_id: str) -> str:
    (claim,) = listed.select(check_id)
    return claim.printed(PAPER).found


def test_energies_by_hand():
    assert costs.printed_energy("ann") == pytest.approx(6.026)
    assert costs.printed_energy("qcfs") == pytest.approx(0.038583 + 0.03979)
    assert costs.printed_energy("csqcfs") == pytest.approx(0.047394 + 0.038778)
    assert "+9.95 % from the operation counts, +10.51 % from the rounded" in found("table7-increase")


def test_resnet50_multiply_accumulates_against_an_executed_network():
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):  # shapes alone
        network = torchvision.models.resnet50(num_classes=100)
        network.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False)
    network.maxpool = torch.nn.Identity()
    macs = 0

    def count(layer, _, output):
        nonlocal macs
        macs += layer.weight[0].numel() * output.numel()

    for layer in network.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            layer.register_forward_hook(count)
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, 32, 32, device="meta"))
    assert costs.resnet50_macs() == macs / 1e6


def test_findings_by_hand():
    assert "3 of 6 as claimed; not Ours over COS, T = 16 -0.05, Ours over COS, T = 2 -0.02" in found(
        "resnet101-cifar100-cos"
    )
    assert "Table 1 +0.35, Table 2 +0.57" in found("lead-beyond-ann")
    assert found("all-cells").startswith("50 of 54 as claimed; not ResNet-101 in Table 2, COS (T = 32) -0.14")
    assert "17 of 24" in found("full-against-table4")
    assert "up to 0.31" in found("table3-against-table4")
    assert "8.65 and 8.43 M" in found("table7-snn-macs") and "4.89 and 4.76" in found("table7-snn-macs")
    assert "× 7.444" in found("alg1-line9") and "× 1.948" in found("alg1-line9")


def test_leads_on_resnet20_cifar100_by_hand():
    rows = [("table2", "resnet20", name) for name in comparison.OTHERS]
    leads = comparison.ahead(PAPER, ("table2", "resnet20", "ours"), rows, comparison.SAME)
    assert [one.found.points for one in leads] == [3.04, 1.29, 0.65, 0.44, 0.42, 0.20]


def test_the_cost_of_one_step_is_one_number():
    assert "8 steps in each layer" in found("one-timestep")  # as `COS.steps`, which the costs show


def test_a_wrong_quotation_is_noticed(monkeypatch):
    wrong = published.QUOTES[0]._replace(value=95.68)
    monkeypatch.setattr(published, "QUOTES", (wrong, *published.QUOTES[1:]))
    assert comparison.quoted_accuracies(PAPER) == (Verdict.FAILS, "25 of 26 quoted accuracies are in their cells")


def test_a_changed_cell_changes_the_verdict(monkeypatch):
    row = published.TABLE1["resnet18", "ours"]
    worse = {**published.TABLE1, ("resnet18", "ours"): row._replace(snn=(95.0, *row.snn[1:]))}
    monkeypatch.setitem(Printed.tables, "table1", worse)
    (claim,) = listed.select("resnet18-one-step")
    assert claim.printed(PAPER).verdict is Verdict.FAILS


def test_the_increase_from_the_counts_would_hold(monkeypatch):
    monkeypatch.setattr(published, "TABLE7_INCREASE", 9.95)
    assert costs.table7_increase(PAPER).verdict is Verdict.HOLDS
