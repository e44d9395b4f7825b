"""Gradients of CS-QCFS: three independent ways to the same numbers, and the printed ones that differ."""

from __future__ import annotations

import math

import numpy as np
import pytest
from csqcfs.engine import kernels
from csqcfs.paper.claims import corrections
from csqcfs.paper.claims import gradient_check as check
from hypothesis import given
from hypothesis import strategies as st


@given(st.floats(-4, 6))
def test_autograd_finite_differences_and_the_corrected_formula_agree(raw):
    z = check.inputs(raw, 101)
    exact = check.finite_differences(z, raw)
    for other in (check.autograd(z, raw), corrections.gradients(z, raw)):
        assert other.by_input == pytest.approx(exact.by_input, abs=1e-7)
        assert other.by_raw == pytest.approx(exact.by_raw, abs=1e-7)


def test_printed_equations_at_points_by_hand():
    """lambda = 4, L = 4: theta = 4.01815; z = 2 has level 2, z = 5 lies above."""
    theta, slope = math.log(math.exp(4) + 1), 1 / (1 + math.exp(-4))
    printed = corrections.gradients_printed(np.array([-1.0, 2.0, 5.0]), 4.0)
    assert printed.by_input.tolist() == [0, 1, 0]
    assert printed.by_raw == pytest.approx([0, (slope * theta / 2 - 2 * math.exp(4)) / theta, 1])
    assert corrections.gradients(np.array([5.0]), 4.0).by_raw == pytest.approx([slope])


def test_for_a_negative_lambda_the_printed_range_is_empty():
    z = check.inputs(-1.0)
    assert not corrections.gradients_printed(z, -1.0).by_input.any() and corrections.gradients(z, -1.0).by_input.any()


def test_windows_pass_what_their_bounds_say():
    z = np.array([-0.2, -0.1, 0.05, 0.9, 1.05, 1.2])
    found = check.window_gradients(z, 1.0)
    assert list(found) == list(kernels.WINDOWS)
    assert found["paper"].by_input.tolist() == [0, 1, 1, 0, 0, 0]
    assert found["floor_clamp"].by_input.tolist() == [0, 1, 1, 1, 1, 0]
    assert found["floor_clamp_2.14"].by_input.tolist() == [0, 0, 0, 0, 0, 0]
    assert check.window_gradients(np.array([0.1, 0.2, 0.8, 0.9]), 1.0)["floor_clamp_2.14"].by_input.tolist() == [
        0,
        1,
        1,
        0,
    ]
    assert found["clamp_floor"].by_input.tolist() == [0, 0, 1, 1, 0, 0]
    assert found["floor_clamp"].by_raw[4] == pytest.approx(-0.05) and found["paper"].by_raw[4] == 1


def test_tables_have_a_line_for_each_lambda_and_window():
    frame = check.deviations((0.5, 4.0))
    assert list(frame.index) == [("∂f/∂z", "0.5"), ("∂f/∂z", "4"), ("∂f/∂λ", "0.5"), ("∂f/∂λ", "4")]
    assert set(frame["autograd of csqcfs"]) == {"< 0.00000001"} == set(frame["Eqs. 19-20, corrected"])
    gap, share = frame["Eqs. 19-20, printed"][("∂f/∂λ", "4")].split(" ", 1)
    assert 40 < float(gap) < 60 and share == "(at 81 %)"  # all but z < -theta/2L
    assert list(check.window_table().index.get_level_values("passes z in")) == [
        "(-0.125, 0.875)",
        "(-0.125, 1.125)",
        "(0.125, 0.875)",
        "(0, 1)",
    ]
