"""What activation and neuron make of a constant input: ReLU, QCFS and IF, and the errors between them.

Numbers for Figs. 1 and 2 and the playground, in float64 and from the package's own activation and neuron. An
input z is held for T steps; the neuron's output is its mean, phi(T) of Eq. 8.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from ... import activations, neurons
from . import corrections
from .reference import GRID


def relu(z: np.ndarray) -> np.ndarray:
    """Eq. 7."""
    return np.maximum(z, 0)


def qcfs(z: np.ndarray, theta: float, L: int) -> np.ndarray:
    """Eq. 11 with phi = 1/2, for a threshold of either sign."""
    return activations.qcfs(torch.as_tensor(z), torch.tensor(theta, dtype=torch.float64), L).numpy()


def trace(z: np.ndarray, theta: float, T: int, start: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Spikes (0 or 1) and membrane potentials after the reset of IF neurons (Eqs. 1-3), both [T, len(z)].

    Args:
        theta: threshold; a negative one as the equations say.
        start: membrane potential v(0); theta / 2 by default.
    """
    x = torch.as_tensor(np.atleast_1d(z), dtype=torch.float64)
    v = torch.full_like(x, theta / 2 if start is None else start)
    out, potential = neurons.trace(x.expand(T, -1), torch.tensor(theta, dtype=torch.float64), v)
    return (out != 0).to(torch.float64).numpy(), potential.numpy()


def neuron(z: np.ndarray, theta: float, T: int, start: float | None = None) -> np.ndarray:
    """Mean output phi(T) of IF neurons."""
    return theta * trace(z, theta, T, start)[0].mean(0)


def normalised_neuron(z: np.ndarray, theta: float, T: int) -> np.ndarray:
    """phi(T) of neurons that divide their input by theta and fire at 1, as in older public code."""
    return theta * neuron(np.asarray(z) / theta, 1.0, T)


def conversion_error(z: np.ndarray, theta: float, T: int, start: float | None = None) -> dict[str, np.ndarray]:
    """Eq. 10, phi(T) - ReLU(z), as the sum of its two parts.

    "flooring" is phi(T) - clip(z, 0, theta), steps instead of a line; "clipping" is clip(z, 0, theta) - ReLU(z).
    """
    clipped = np.clip(z, 0, theta)
    return {"flooring": neuron(z, theta, T, start) - clipped, "clipping": clipped - relu(z)}


def error_table(timesteps: Sequence[int], starts: Sequence[float] = (0.0, 0.5)) -> pd.DataFrame:
    """Flooring error over inputs in [0, theta] and clipping error at z = 2 theta, in thresholds."""
    inside = (np.arange(4096) + 0.5) / 4096
    lines = {}
    for start in starts:
        for T in timesteps:
            flooring = conversion_error(inside, 1.0, T, start)["flooring"]
            twice = conversion_error(np.array([2.0]), 1.0, T, start)["clipping"][0]
            bound = max(start, 1 - start) / T
            lines[f"{start:g}", str(T)] = [flooring.mean(), np.abs(flooring).max(), bound, twice]
    columns = ["Mean flooring error", "Largest", "Bound", "Clipping error at z = 2θ"]
    index = pd.MultiIndex.from_tuples(lines, names=["v(0) / θ", "T"])
    return pd.DataFrame(lines.values(), index=index, columns=columns)


def negative_error(z: np.ndarray, theta: float, L: int) -> dict[str, np.ndarray]:
    """Eq. 12, QCFS(z) - phi(T) at T = L, for theta < 0: simulated, derived, and as Eq. 14 prints it.

    The neuron of Eqs. 1-3 then fires at every step for z >= theta / 2 and never below, whereas QCFS is theta for
    z < theta and 0 for z >= 0.
    """
    return {
        "simulated": qcfs(z, theta, L) - neuron(z, theta, L),
        "derived": corrections.eq14(z, theta, L),
        "printed": corrections.eq14_printed(z, theta, L),
    }


def negative_table(theta: float = -1.0, L: int = 4) -> pd.DataFrame:
    """Eq. 14 by cases over `GRID`: the error as simulated, and at how many inputs each formula gives it."""
    error = negative_error(GRID, theta, L)
    normalised = qcfs(GRID, theta, L) - normalised_neuron(GRID, theta, L)
    cases = {"z < θ": GRID < theta, "θ ≤ z < 0": (GRID >= theta) & (GRID < 0), "z ≥ 0": GRID >= 0}
    lines = {}
    for name, case in cases.items():
        shown = error["simulated"][case]
        agree = {form: f"{100 * np.mean(error[form][case] == shown):.0f} %" for form in ("derived", "printed")}
        span = f"{shown.min():g}" if shown.min() == shown.max() else f"{shown.min():g} to {shown.max():g}"
        lines[name] = [span, agree["derived"], agree["printed"], f"{np.abs(normalised[case]).max():g}"]
    columns = ["QCFS − φ(T), Eqs. 1-3", "Derived form agrees", "Printed form agrees", "Error of the normalised neuron"]
    return pd.DataFrame(lines.values(), index=pd.Index(lines, name="Case"), columns=columns)
