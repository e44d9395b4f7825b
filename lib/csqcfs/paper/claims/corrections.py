"""The paper's equations that need a correction, each once: as printed, as corrected, and a reference for both.

References are direct simulation of Eqs. 1-3 on dyadic numbers, where agreement means 0, and finite differences of
Eq. 18 with the floor frozen (`reference`). The claims about these equations are judged by the same proofs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from .reference import GRID, LEVELS, cases, constant, differences, frozen, mean_output, qcfs, samples, sigmoid, softplus

L = LEVELS
TOLERANCE = 1e-6  # of a central difference
LAMBDAS = np.array([-1.0, 0.5, 1.0, 4.0])
LAYER = np.array([0.1, 0.5, 1.0, 4.0])  # thresholds of layers at the switch to CS-QCFS


class Proof(NamedTuple):
    """Values of one equation: of its reference, its corrected form and its printed form."""

    equation: str
    compared: str
    reference: np.ndarray
    corrected: np.ndarray
    printed: np.ndarray

    def off(self, form: str, where: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Distance of "printed" or "corrected" from the reference, at some of the points."""
        return np.abs(getattr(self, form) - self.reference)[where]


class Gradients(NamedTuple):
    """df/dz and df/dlambda at each input."""

    by_input: np.ndarray
    by_raw: np.ndarray


def eq9(z: np.ndarray, theta: float, T: int, start: float) -> np.ndarray:
    """phi(T) = theta/T clip(floor((T z + v(0)) / theta), 0, T); the paper drops v(0)."""
    return theta / T * np.clip(np.floor((T * z + start) / theta), 0, T)


def eq14(z: np.ndarray, theta: float, levels: int) -> np.ndarray:
    """Eq. 12, QCFS(z) - phi(T) at T = L, for theta < 0."""
    middle = theta / levels * np.floor(z * levels / theta + 0.5) - theta * (z >= theta / 2)
    return np.select([z < theta, z >= 0], [theta, -theta], middle)


def eq14_printed(z: np.ndarray, theta: float, levels: int) -> np.ndarray:
    return np.select([z < theta, z >= 0], [-theta, theta], theta / levels * np.floor((z - levels) / theta))


def gradients(z: np.ndarray, raw: np.ndarray | float) -> Gradients:
    """Eqs. 19-20 with theta = Softplus(lambda) and dtheta/dlambda = Sigmoid(lambda)."""
    raw = np.broadcast_to(raw, z.shape)
    theta = softplus(raw)
    _, inside, above = cases(z, theta)
    middle = sigmoid(raw) * (frozen(z, raw, z, raw) - z) / theta
    return Gradients(inside.astype(float), np.select([above, inside], [sigmoid(raw), middle], 0.0))


def gradients_printed(z: np.ndarray, raw: np.ndarray | float) -> Gradients:
    """Eqs. 19-20 as the paper prints them, with f of Eq. 18.

    For lambda <= 0 the printed range is empty and the cases around it overlap; the upper one is taken there.
    """
    raw = np.broadcast_to(raw, z.shape)
    _, inside, above = cases(z, raw)
    return Gradients(inside.astype(float), np.select([above, inside], [1.0, eq20_middle_printed(z, raw)], 0.0))


def eq20_middle_printed(z: np.ndarray, raw: np.ndarray) -> np.ndarray:
    return (sigmoid(raw) * frozen(z, raw, z, raw) - z * np.exp(raw)) / softplus(raw)


def equation9() -> Proof:
    z, T = GRID, L
    return Proof(
        "Eq. 9, from v(0) = θ/2",
        "IF neuron, constant input",
        mean_output(constant(z, T), 1.0),
        eq9(z, 1.0, T, 0.5),
        eq9(z, 1.0, T, 0.0),
    )


def equation14() -> Proof:
    error = qcfs(GRID, -1.0) - mean_output(constant(GRID, L), -1.0)
    return Proof("Eq. 14, λ = −1", "QCFS − φ(T), Eq. 12", error, eq14(GRID, -1.0, L), eq14_printed(GRID, -1.0, L))


def equation19() -> Proof:
    z, raw = samples()
    forms = differences(z, raw)[0], gradients(z, raw).by_input, gradients_printed(z, raw).by_input
    return Proof("Eq. 19", "finite difference, floor frozen", *forms)


def equation20() -> Proof:
    z, raw = samples()
    forms = differences(z, raw)[1], gradients(z, raw).by_raw, gradients_printed(z, raw).by_raw
    return Proof("Eq. 20", "finite difference, floor frozen", *forms)


def line9() -> Proof:
    """The threshold of the layer before the switch and after it."""
    inverse = LAYER + np.log(-np.expm1(-LAYER))  # log(exp(theta) - 1)
    return Proof("Algorithm 1, line 9", "threshold before the switch", LAYER, softplus(inverse), softplus(LAYER))


def line16() -> Proof:
    """CS-QCFS, and IF neurons whose threshold is Softplus(lambda) or lambda itself."""
    inputs = constant(GRID, L)
    values = [
        (qcfs(GRID, theta), mean_output(inputs, theta), mean_output(inputs, raw))
        for raw, theta in zip(LAMBDAS.tolist(), softplus(LAMBDAS).tolist(), strict=True)
    ]
    return Proof(
        "Algorithm 1, line 16", "CS-QCFS at T = L, constant input", *map(np.concatenate, zip(*values, strict=True))
    )


PROOFS: tuple[Callable[[], Proof], ...] = (equation9, equation14, equation19, equation20, line9, line16)


def table() -> pd.DataFrame:
    """Largest difference of each form from its reference."""
    proofs = [make() for make in PROOFS]
    lines = []
    for proof in proofs:
        gaps = [proof.off(form).max() for form in ("corrected", "printed")]
        shown = ("0" if gap == 0 else "< 0.00000001" if gap < 1e-8 else f"{gap:.3g}" for gap in gaps)
        lines.append([f"{proof.reference.size:,}", *shown])
    index = pd.MultiIndex.from_tuples([proof[:2] for proof in proofs], names=["Equation", "Compared with"])
    return pd.DataFrame(lines, index=index, columns=["Points", "Corrected form", "Printed form"])
