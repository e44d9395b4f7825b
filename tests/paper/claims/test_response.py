"""Responses to constant input: against exact arithmetic, and the errors' bounds."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from csqcfs.paper.claims import response
from hypothesis import given
from hypothesis import strategies as st

dyadic = st.integers(-192, 192).map(lambda i: i / 64)


def exact(z: float, theta: float, T: int, start: float) -> Fraction:
    """Eqs. 1-3 for one neuron in fractions: phi(T)."""
    v, out, level = Fraction(start), Fraction(0), Fraction(theta)
    for _ in range(T):
        v += Fraction(z)
        if v >= level:
            v, out = v - level, out + level
    return out / T


@given(dyadic, st.sampled_from([-1.0, -0.5, 0.5, 1.0, 2.0]), st.integers(1, 9), st.sampled_from([0.0, 0.25, 0.5]))
def test_neuron_in_exact_arithmetic(z, theta, T, start):
    found = response.neuron(np.array([z]), theta, T, start)[0]
    assert found == pytest.approx(float(exact(z, theta, T, start)), abs=1e-15)


@given(dyadic, st.sampled_from([1, 2, 4, 8]), st.sampled_from([0.5, 1.0, 2.0]))
def test_qcfs_is_the_neuron_at_equal_steps(z, L, theta):
    assert response.qcfs(np.array([z]), theta, L)[0] == response.neuron(np.array([z]), theta, L)[0]


@given(dyadic, st.integers(1, 16), st.floats(0, 1))
def test_parts_of_the_error_add_up_and_stay_in_their_bounds(z, T, start):
    at = np.array([z])
    parts = response.conversion_error(at, 1.0, T, start)
    assert sum(parts.values()) == pytest.approx(response.neuron(at, 1.0, T, start) - max(z, 0))
    assert abs(parts["flooring"][0]) <= max(start, 1 - start) / T + 1e-12
    assert parts["clipping"][0] == min(1 - z, 0)


def test_negative_threshold_in_exact_arithmetic():
    """QCFS - phi(T) for theta = -1, L = T = 4, from the definitions."""
    error = response.negative_error(response.GRID, -1.0, 4)
    for z, found, derived in zip(response.GRID, error["simulated"], error["derived"], strict=True):
        level = min(max(math.floor(-4 * Fraction(z) + Fraction(1, 2)), 0), 4)
        assert found == derived == float(-Fraction(level, 4) - exact(z, -1.0, 4, -0.5))


def test_the_normalised_neuron_follows_qcfs_for_either_sign():
    for theta in (-2.0, -1.0, 0.5, 1.0):
        out = response.normalised_neuron(response.GRID, theta, 4)
        assert np.array_equal(out, response.qcfs(response.GRID, theta, 4))


def test_trace_has_spikes_and_potentials_of_every_step():
    spikes, potential = response.trace(np.array([0.375]), 1.0, 4, 0.0)
    assert spikes.T.tolist() == [[0, 0, 1, 0]] and potential.T.tolist() == [[0.375, 0.75, 0.125, 0.5]]


def test_tables():
    errors = response.error_table((1, 4))
    assert list(errors.index) == [("0", "1"), ("0", "4"), ("0.5", "1"), ("0.5", "4")]
    assert errors["Mean flooring error"].tolist() == pytest.approx([-0.5, -0.125, 0, 0])
    assert (errors["Largest"] <= errors["Bound"]).all()
    negative = response.negative_table()
    assert set(negative["Derived form agrees"]) == {"100 %"}
    assert set(negative["Error of the normalised neuron"]) == {"0"}
