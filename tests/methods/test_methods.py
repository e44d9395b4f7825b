"""The table of methods, and what each says that an answer takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from csqcfs import InputError, convert, quantize_activations
from csqcfs.methods import COS, METHODS, SRP, Plain, of_record
from csqcfs.paper.measures import operations
from torch import nn


def small() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)]
    return quantize_activations(nn.Sequential(*layers).eval(), 4, 0.5, torch.randn(2, 1, 8, 8))


def test_every_declaration_is_whole():
    for name, kind in METHODS.items():
        method = kind()
        assert method.name == name and method.label and method.source and method.summary.isprintable()
        for T in (1, 2, 4, 32):
            assert T <= method.length(T) and T <= method.steps(T, last=True) <= method.steps(T)
            assert method.clock(T, 1) <= method.clock(T, 19)
            assert method.clock(T, 19) >= method.steps(T, last=True)
        assert method.bits(4) >= 1 and method.additions(4) >= 1
        assert method.binary == (method.additions(4) == 1)
    for part in ("label", "colour", "marker"):
        assert len({getattr(kind, part) for kind in METHODS.values()}) == len(METHODS)


def test_steps_and_clock():
    """A plain network of 19 layers answers at T; SRP at tau + T; COS works 8 steps a layer, 5 in the last."""
    plain, srp, cos = Plain(), SRP(4), COS(4)
    assert [plain.steps(T) for T in (1, 8)] == [plain.clock(T, 19) for T in (1, 8)] == [1, 8]
    assert [srp.steps(T) for T in (1, 8)] == [srp.clock(T, 19) for T in (1, 8)] == [5, 12]
    assert [cos.steps(T) for T in (1, 4, 8)] == [8, 8, 12]
    assert [cos.steps(T, last=True) for T in (1, 4, 8)] == [5, 8, 12]
    assert [cos.clock(T, 19) for T in (1, 8)] == [77, 84]


@torch.no_grad()
@pytest.mark.parametrize("method", METHODS)
def test_layers_emit_as_many_steps_as_declared(method):
    """The steps that an observer sees of a layer are those that the declaration counts for it."""
    snn, emitted = convert(small(), method), []
    snn.run(torch.randn(2, 1, 8, 8), 3, lambda name, module, x, out, phase: emitted.append((phase, len(out))))
    assert {steps for phase, steps in emitted if phase == "run"} == {snn.method.length(3)}
    assert {steps for phase, steps in emitted if phase == "pre"} <= {snn.presteps}


def test_settings():
    model = small()
    assert convert(model, "cos", rho=2).method == convert(model, COS(2)).method == COS(rho=2)
    assert convert(model, tau=3, rho=5).presteps == 0 and convert(model, "srp", tau=3).presteps == 3
    for given, said in (
        ({"method": "rate"}, "'rate': expected one of plain, srp, cos"),
        ({"method": COS(2), "rho": 2}, "expected one of plain"),
        ({"method": None}, "None: expected"),
        ({"method": "srp", "tau": 0}, "tau = 0"),
        ({"method": "cos", "rho": True}, "rho = True"),
        ({"method": "cos", "rho": 2.5}, "rho = 2.5"),
        ({"method": "plain", "rho": 0}, "rho = 0"),
        ({"method": "cos", "steps": 4}, "steps = 4: no method has such a setting, expected rho or tau"),
    ):
        with pytest.raises(InputError, match=said) as refusal:
            convert(model, **given)
        assert "\n" not in str(refusal.value)


def test_steps_may_be_numbers_of_numpy():
    x, model = torch.randn(2, 1, 8, 8), small()
    for method in ("cos", "parallel"):
        assert torch.equal(convert(model, method, rho=np.int64(2))(x, np.int64(3)), convert(model, method, rho=2)(x, 3))
    assert type(COS(np.int64(2)).rho) is int


def test_a_record_names_its_method():
    for kind in METHODS.values():
        method = kind()
        assert of_record({"method": method.name, "presteps": method.presteps}) == method


@torch.no_grad()
def test_a_new_method_takes_one_class_and_one_line(monkeypatch):
    @dataclass(frozen=True)
    class Silent(Plain):
        """Neurons that wait a step for nothing."""

        wait: int = 1

        name, label, colour, marker = "silent", "silent", "#010203", "X"
        source, summary = "nowhere", "never fires"

        @property
        def presteps(self) -> int:
            return self.wait

        def neurons(self, work):
            return None, lambda site, x, plus, layer: torch.zeros(x.shape)

    monkeypatch.setitem(METHODS, "silent", Silent)
    x = torch.randn(2, 1, 8, 8)
    snn = convert(small(), "silent", wait=2)
    torch.testing.assert_close(snn(x, 3), snn.graph.get_submodule("5").bias.expand(3, 2, 3))
    found = operations.count(snn, x, 3)
    assert (found["method"], found["presteps"]) == ("silent", 2) and of_record(found).clock(1, 2) == 3
