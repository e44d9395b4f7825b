"""Energy and conventions on counts made up by hand."""

from __future__ import annotations

import pytest
from csqcfs.engine.errors import InputError
from csqcfs.paper import published
from csqcfs.paper.measures import energy
from csqcfs.paper.measures.energy import Operations
from hypothesis import given
from hypothesis import strategies as st


def metrics(method: str = "plain", presteps: int = 0) -> dict:
    """Three layers counted for 6 steps: 100, 20 and 3 operations at each, before T those of ``presteps``."""

    def layer(name, kind, macs, each):
        return {"name": name, "kind": kind, "macs": macs, "ac": [each * t for t in range(1, 7)], "pre": each * presteps}

    return {
        "method": method,
        "presteps": presteps,
        "T": 6,
        "images": 1,
        "sites": 2,
        "neurons": 10,
        "layers": [
            {"name": "stem", "kind": "analog", "macs": 1000},
            layer("a", "spikes", 400, 100),
            layer("b", "averaged", 50, 20),
        ],
    }


def test_energy_of_the_printed_counts():
    for row in published.TABLE7.values():
        assert Operations(row.acs * 1e6, row.macs * 1e6).millijoules == pytest.approx(row.energy, rel=0.01)
    assert Operations(0, 1310e6).millijoules == pytest.approx(6.026)


def test_conventions():
    plain = metrics()
    assert energy.ann(plain) == (0, 1450)
    assert energy.snn(plain, 3) == (360, 1000)
    assert energy.snn(plain, 3, "each step") == (360, 3000)
    assert energy.snn(plain, 3, "averages") == (300, 3060)
    assert energy.snn(plain, 3, "unfolded") == (0, 3360)


def test_steps_before_the_first_one_are_counted_on_request():
    srp, cos = metrics("srp", 4), metrics("cos", 4)
    assert energy.snn(srp, 1) == energy.snn(cos, 1) == (120, 1000)
    assert energy.snn(srp, 1, presteps=True) == (5 * 120, 1000)
    assert energy.snn(srp, 1, "each step", presteps=True) == (5 * 120, 5000)
    # the layer after needs four steps of this one, whatever T is
    assert [energy.snn(cos, T, presteps=True).ac for T in (1, 4, 5)] == [8 * 120, 8 * 120, 9 * 120]
    assert energy.snn(metrics(), 2, presteps=True) == energy.snn(metrics(), 2)


@given(st.floats(0.01, 0.26 * 6))
def test_the_matching_time_has_the_wanted_count(per_synapse):
    assert energy.matching_time(metrics(), per_synapse) == pytest.approx(per_synapse * 450 / 120)


def test_no_matching_time_beyond_the_counted_steps():
    assert energy.matching_time(metrics(), 2.0) is None


def test_unknown_convention_and_uncounted_time():
    with pytest.raises(InputError, match="^convention = 'mine': expected one of folded"):
        energy.snn(metrics(), 1, "mine")
    with pytest.raises(InputError, match="^T = 7: expected 1 to 6"):
        energy.snn(metrics(), 7)
