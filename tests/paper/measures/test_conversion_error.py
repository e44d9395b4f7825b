"""Conversion error in parts: they add up, vanish where they must, and agree with a direct computation."""

from __future__ import annotations

import pytest
import torch
from csqcfs.activations import qcfs
from csqcfs.conversion import family, snn
from csqcfs.neurons import integrate_and_fire
from csqcfs.paper.measures import conversion_error, kinds
from csqcfs.paper.measures.conversion_error import PARTS, own_error, snn_error
from hypothesis import given, settings
from hypothesis import strategies as st

EIGHTHS = st.integers(-24, 40).map(lambda n: n / 8)


@given(st.lists(EIGHTHS, min_size=8, max_size=8), st.lists(EIGHTHS, min_size=2, max_size=2), st.sampled_from([1, 2, 4]))
@settings(max_examples=50, deadline=None)
def test_parts_add_up_to_the_distance_from_relu(inputs, z, L):
    x, z, theta = torch.tensor(inputs).reshape(4, 1, 2), torch.tensor([z]), torch.tensor([1.0, 2.0])
    out, _ = integrate_and_fire(x, theta)
    own, error = own_error(z, theta, L), snn_error(z, x, out, theta, L)
    assert torch.equal(sum(error[part] for part in PARTS), error["total"])
    assert torch.equal(error["total"], out.mean(0) - qcfs(z, theta, L))
    assert torch.equal(sum(own.values()) + error["total"], out.mean(0) - z.relu())


@given(EIGHTHS, st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=50, deadline=None)
def test_a_constant_input_has_no_unevenness(z, T):
    z, theta = torch.tensor([[z]]), torch.tensor(2.0)
    x = z.expand(T, 1, 1)
    error = snn_error(z, x, integrate_and_fire(x, theta)[0], theta, L=T)
    assert all(not value.any() for value in error.values())


def test_record_of_a_network(trained):
    metrics = kinds.KINDS["conversion_error"](trained, images=40)
    L = next(iter(family.sites(trained.model).values())).L
    assert metrics["images"] == 40 and metrics["sites"] == list(family.sites(trained.model))
    assert set(metrics["rms_own"]) == {"clipping", "quantization", "activation"}
    for T, bias in metrics["bias"].items():
        for *parts, total in zip(*(bias[part] for part in PARTS), bias["total"]):
            assert sum(parts) == pytest.approx(total, abs=2e-6)
        rms = metrics["rms"][T]
        assert rms["propagated"][0] < 1e-3 and rms["unevenness"][0] < 1e-3  # a constant input, but for rounding
        assert rms["propagated"][-1] > 0 or T == str(L)
    assert not any(metrics["rms"]["1"]["unevenness"]) and not any(metrics["rms"][str(L)]["flooring"])


def test_record_agrees_with_one_batch_and_does_not_depend_on_pieces(trained, monkeypatch):
    wanted = kinds.KINDS["conversion_error"](trained, images=30)
    monkeypatch.setattr(snn, "PIECE", 1 << 14)
    monkeypatch.setattr(conversion_error, "BATCH", 11)
    found = kinds.KINDS["conversion_error"](trained, images=30)
    for T in ("1", "4", "32"):
        for part in (*PARTS, "total"):
            assert found["rms"][T][part] == pytest.approx(wanted["rms"][T][part], abs=2e-3)

    test, name = kinds.sample(trained.splits.test, 30), wanted["sites"][-1]
    x, seen = test.normalise(test.images), {}
    site = family.sites(trained.model)[name]
    handle = site.register_forward_hook(lambda module, args, out: seen.update(ann=out))
    with torch.no_grad():
        trained.model(x)
    handle.remove()
    monkeypatch.setattr(snn, "PIECE", 1 << 30)
    snn.convert(trained.model)(x, 4, lambda site, module, x, out, phase: seen.update({site: out}))
    error = (seen[name].mean(0) - seen["ann"]) / site.threshold.detach().reshape(-1, 1, 1)
    assert wanted["rms"]["4"]["total"][-1] == pytest.approx(float(error.square().mean().sqrt()), rel=1e-2)


def test_the_networks_own_error_is_in_units_of_the_threshold(trained):
    metrics = kinds.KINDS["conversion_error"](trained, images=30)
    test, seen = kinds.sample(trained.splits.test, 30), {}
    site = list(family.sites(trained.model).values())[-1]
    handle = site.register_forward_hook(lambda module, args, out: seen.update(z=args[0], out=out))
    with torch.no_grad():
        trained.model(test.normalise(test.images))
    handle.remove()
    z, out = (seen[key] / site.threshold.detach().reshape(-1, 1, 1) for key in ("z", "out"))
    parts = {"clipping": z.clamp(0, 1) - z.relu(), "quantization": out - z.clamp(0, 1), "activation": out}
    for part, value in parts.items():
        rms, bias = metrics["rms_own"][part][-1], metrics["bias_own"][part][-1]
        assert rms == pytest.approx(float(value.square().mean().sqrt()), rel=1e-3, abs=1e-6)
        assert bias == pytest.approx(float(value.mean()), rel=1e-3, abs=1e-5)
