"""Corrected equations: they agree with their references, the printed ones do not."""

from __future__ import annotations

import numpy as np
import pytest
from csqcfs.paper.claims import corrections, reference, response


@pytest.mark.parametrize("make", corrections.PROOFS, ids=lambda make: make.__name__)
def test_the_corrected_form_agrees_and_the_printed_one_does_not(make):
    proof = make()
    assert proof.reference.shape == proof.corrected.shape == proof.printed.shape
    assert proof.corrected == pytest.approx(proof.reference, abs=1e-8)
    assert proof.off("printed").max() > 0.1


def test_references_against_the_packages_own_neuron():
    z = reference.GRID
    assert np.array_equal(corrections.equation9().reference, response.neuron(z, 1.0, 4))
    assert np.array_equal(corrections.equation14().reference, response.negative_error(z, -1.0, 4)["simulated"])
    expected = [response.qcfs(z, float(reference.softplus(raw)), 4) for raw in corrections.LAMBDAS]
    assert corrections.line16().reference == pytest.approx(np.concatenate(expected))


def test_line_9_by_hand():
    assert corrections.line9().printed == pytest.approx([0.7444, 0.9741, 1.3133, 4.0181], abs=1e-4)


def test_table_has_a_line_for_each_correction():
    frame = corrections.table()
    assert list(frame.index.get_level_values("Equation"))[-2:] == ["Algorithm 1, line 9", "Algorithm 1, line 16"]
    assert set(frame["Corrected form"]) <= {"0", "< 0.00000001"}
