"""The paper's equations that need a correction, each proved by numbers: both forms against a reference.

References are direct simulation of Eqs. 1-3 on dyadic numbers, where agreement means 0, and finite differences of
Eq. 18 with the floor frozen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from ...activations import inverse_softplus
from . import gradient_check, response
from .audit_training import softplus

T = L = 4
THETA = 1.0
RAW = np.array(gradient_check.LAMBDAS)
LAYER = np.array([0.1, 0.5, 1.0, 4.0])  # thresholds of layers at the switch to CS-QCFS


class Proof(NamedTuple):
    """Values of one equation: of its reference, its corrected form and its printed form."""

    equation: str
    compared: str
    reference: np.ndarray
    corrected: np.ndarray
    printed: np.ndarray


def equation9() -> Proof:
    """phi(T) = theta/T clip(floor((T z + v(0)) / theta), 0, T): the start v(0) belongs under the floor."""
    z, start = response.GRID, THETA / 2
    corrected, printed = (THETA / T * np.clip(np.floor((T * z + v) / THETA), 0, T) for v in (start, 0.0))
    return Proof(
        "Eq. 9, from v(0) = θ/2", "IF neuron, constant input", response.neuron(z, THETA, T, start), corrected, printed
    )


def equation14() -> Proof:
    error = response.negative_error(response.GRID, -THETA, L)
    return Proof("Eq. 14, λ = -1", "QCFS − φ(T), Eq. 12", error["simulated"], error["derived"], error["printed"])


def _gradient(field: str, equation: str) -> Proof:
    """One of Eqs. 19-20 over all of `gradient_check.LAMBDAS`."""
    found = [
        [getattr(form(gradient_check.inputs(raw), raw), field) for raw in gradient_check.LAMBDAS]
        for form in (gradient_check.finite_differences, gradient_check.corrected, gradient_check.printed)
    ]
    return Proof(equation, "finite difference, floor frozen", *map(np.concatenate, found))


def equation19() -> Proof:
    return _gradient("by_input", "Eq. 19")


def equation20() -> Proof:
    return _gradient("by_raw", "Eq. 20")


def line9() -> Proof:
    """The threshold of the layer before the switch and after it."""
    inverse = inverse_softplus(torch.as_tensor(LAYER)).numpy()
    return Proof("Algorithm 1, line 9", "threshold before the switch", LAYER, softplus(inverse), softplus(LAYER))


def line16() -> Proof:
    """CS-QCFS, and IF neurons whose threshold is Softplus(lambda) or lambda itself."""
    z = response.GRID
    values = [
        (response.qcfs(z, theta, L), response.neuron(z, theta, T), response.neuron(z, raw, T))
        for raw, theta in zip(RAW.tolist(), softplus(RAW).tolist())
    ]
    return Proof("Algorithm 1, line 16", "CS-QCFS at T = L, constant input", *map(np.concatenate, zip(*values)))


PROOFS: tuple[Callable[[], Proof], ...] = (equation9, equation14, equation19, equation20, line9, line16)


def table() -> pd.DataFrame:
    """Largest difference of each form from its reference."""
    proofs, lines = [make() for make in PROOFS], []
    for proof in proofs:
        gaps = [np.abs(form - proof.reference).max() for form in (proof.corrected, proof.printed)]
        shown = ("0" if gap == 0 else "< 1e-08" if gap < 1e-8 else f"{gap:.3g}" for gap in gaps)
        lines.append([f"{proof.reference.size:,}", *shown])
    index = pd.MultiIndex.from_tuples([proof[:2] for proof in proofs], names=["Equation", "Compared with"])
    return pd.DataFrame(lines, index=index, columns=["Points", "Corrected form", "Printed form"])
