"""The audit: verdicts as an explicit list, and its arithmetic against independent recomputations."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from csqcfs.paper import published
from csqcfs.paper.claims import audit, audit_ablations, audit_costs, audit_neuron, audit_tables, audit_training
from csqcfs.paper.claims.checks import Check, Checks, Outcome

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
    "eq14-normalised-neuron": "does not hold",
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
    "resnet101-cifar100-cos": "does not hold",
    "all-cells": "does not hold",
    "lead-beyond-ann": "does not hold",
    "srp-against-qcfs": "does not hold",
    "baselines-share-ann": "does not hold",
    "ann-comparable": "holds",
    "level-with-relu": "does not hold",
    "table3-full-is-best": "holds",
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
    "table5-softplus-narrows": "holds",
    "table5-undefined": "not defined",
    "table6-increase": "holds",
    "table6-whole-training": "does not hold",
    "table7-ann-energy": "holds",
    "table7-qcfs-energy": "holds",
    "table7-csqcfs-energy": "holds",
    "table7-increase": "does not hold",
    "table7-ann-macs": "holds",
    "table7-snn-macs": "does not hold",
    "table7-timesteps": "not defined",
    "one-timestep": "does not hold",
    "starred-epochs": "not defined",
}


@pytest.mark.parametrize("check", audit.CHECKS, ids=lambda check: check.id)
def test_verdict(check):
    outcome = check.run()
    assert outcome.holds is None or type(outcome.holds) is bool
    assert outcome.verdict == VERDICTS[check.id]
    assert check.place and check.claim and outcome.found and "nan" not in outcome.found


def test_ids_are_unique_and_all_listed():
    ids = [check.id for check in audit.CHECKS]
    assert len(ids) == len(set(ids))
    assert ids == list(VERDICTS)


def test_table_has_one_row_per_check():
    table = audit.table()
    assert list(table.columns) == ["place", "claim", "verdict", "found"]
    assert table["verdict"].to_dict() == VERDICTS
    assert not table.isna().any().any()


def test_counts_and_tables_of_parts_cover_every_check_once():
    counts = audit.counts()
    assert counts.loc["all"].to_dict() == {verdict: list(VERDICTS.values()).count(verdict) for verdict in counts}
    assert (counts.iloc[:-1].sum() == counts.loc["all"]).all()
    shown = audit.shown(audit.select("eq13-uneven-input", "eq6-balance"))
    assert list(shown.index.get_level_values("Verdict")) == ["does not hold", "holds"]
    assert shown["Found"].str.contains("unevenness error").tolist() == [True, False]


def test_added_function_becomes_a_check():
    checks = Checks()

    @checks.add("Eq. 0", "one is one")
    def one_is_one() -> Outcome:
        return Outcome(True, "1")

    assert checks == [Check("one-is-one", "Eq. 0", "one is one", one_is_one)]
    assert replace(one_is_one(), holds=None).verdict == "not defined"


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
    expected = [float(simulate([Fraction(z)] * timesteps, theta)) for z in audit_neuron.GRID]
    found = audit_neuron.mean_output(audit_neuron.constant(audit_neuron.GRID, timesteps), float(theta))
    assert found == pytest.approx(expected, abs=1e-15)


def test_equation_14_derived_cases_in_exact_arithmetic():
    """QCFS - phi(T) for lambda = -1, L = T = 4, from the corrected formula: lambda, middle, -lambda."""
    for z in map(Fraction, audit_neuron.GRID):
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
    z, raw = audit_training.samples()
    levels = np.floor(z * 4 / audit_training.softplus(raw) + 0.5)
    keep = (levels != 0) & (levels != 4)
    inputs, lam = (torch.tensor(a[keep], requires_grad=True) for a in (z, raw))
    theta = torch.nn.functional.softplus(lam, threshold=40)
    u = inputs * 4 / theta + 0.5
    (theta * ((u + (u.floor() - u).detach()) / 4).clamp(0, 1)).sum().backward()
    by_input, by_raw = audit_training.differences(z[keep], raw[keep])
    assert by_input == pytest.approx(inputs.grad.numpy(), abs=1e-8)
    assert by_raw == pytest.approx(lam.grad.numpy(), abs=1e-8)
    assert {0, 1} == set(np.round(by_input).astype(int))


def test_printed_equation_20_at_one_point():
    """lambda = 4, z = 2, L = 4: theta = 4.01815, level 2, by hand."""
    theta, slope = math.log(math.exp(4) + 1), 1 / (1 + math.exp(-4))
    f = theta / 2
    printed = (slope * f - 2 * math.exp(4)) / theta
    corrected = slope * (f - 2) / theta
    _, expected = audit_training.differences(np.array([2.0]), np.array([4.0]))
    assert expected[0] == pytest.approx(corrected, abs=1e-9)
    assert printed == pytest.approx(-26.69, abs=0.01) and corrected == pytest.approx(0.00222, abs=1e-4)


def found(check_id: str) -> str:
    return next(check for check in audit.CHECKS if check.id == check_id).run().found


def test_energies_by_hand():
    assert audit_costs.energy("ann") == pytest.approx(6.026)
    assert audit_costs.energy("qcfs") == pytest.approx(0.038583 + 0.03979)
    assert audit_costs.energy("csqcfs") == pytest.approx(0.047394 + 0.038778)
    assert "+9.95 % from the operation counts, +10.51 % from the rounded" in found("table7-increase")


def test_resnet50_multiply_accumulates_against_an_executed_network():
    torchvision = pytest.importorskip("torchvision")
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
        network.eval()(torch.zeros(1, 3, 32, 32))
    assert audit_costs.resnet50_macs() == macs / 1e6


def test_findings_by_hand():
    assert "ahead at T = 2, 16, 32 and equal at T = 4" in found("resnet101-cifar100-cos")
    assert "mean lead +0.35" in found("lead-beyond-ann") and "mean lead +0.57" in found("lead-beyond-ann")
    assert "ahead in 50 of 54 cells, equal in 1, behind in 3" in found("all-cells")
    assert "up to 0.31" in found("table3-against-table4")
    assert "8.65 and 8.43 M" in found("table7-snn-macs") and "4.89 and 4.76" in found("table7-snn-macs")
    assert "x 7.444" in found("alg1-line9") and "x 1.948" in found("alg1-line9")


def test_leads_on_resnet20_cifar100_by_hand():
    assert audit_tables.leads("cifar100", "resnet20") == [3.04, 1.29, 0.65, 0.44, 0.42, 0.20]
    assert audit_ablations.channelwise_gain(4) == [-0.12, -0.18, 0.03, 0.28]


def test_a_wrong_quotation_is_noticed(monkeypatch):
    wrong = published.QUOTES[0]._replace(value=95.68)
    monkeypatch.setattr(published, "QUOTES", (wrong, *published.QUOTES[1:]))
    outcome = audit_tables.quoted_accuracies()
    assert outcome == Outcome(False, "25 of 26 quoted accuracies are in their cells")


def test_the_increase_from_the_counts_would_hold(monkeypatch):
    monkeypatch.setattr(published, "TABLE7_INCREASE", 9.95)
    assert audit_costs.table7_increase().holds is True
