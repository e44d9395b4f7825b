"""Neuron, activation and their derivatives as the paper defines them, to check equations against.

Everything is float64 and written from the definitions, not taken from the package, whose tests compare the two.
Thresholds and inputs are dyadic where equality is claimed, so that equality means equality.
"""

from __future__ import annotations

import numpy as np

LEVELS = 4
GRID = np.arange(-192, 193) / 64  # constant inputs from -3 to 3


def qcfs(z: np.ndarray, theta: float, levels: int = LEVELS) -> np.ndarray:
    """Eq. 11 with phi = 1/2."""
    return theta * np.clip(np.floor(z * levels / theta + 0.5) / levels, 0, 1)


def mean_output(inputs: np.ndarray, theta: float, start: float | None = None) -> np.ndarray:
    """phi(T) of Eq. 8 by stepping the neuron of Eqs. 1-3; ``inputs`` is [T, ...], the start is theta / 2."""
    v = np.full(inputs.shape[1:], theta / 2 if start is None else start)
    spikes = np.zeros_like(v)
    for x in inputs:
        fired = v + x >= theta
        v = v + x - theta * fired
        spikes += fired
    return theta * spikes / len(inputs)


def constant(z: np.ndarray, timesteps: int) -> np.ndarray:
    """The same input at every step, [T, ...]."""
    return np.broadcast_to(z, (timesteps, *z.shape))


def softplus(x: np.ndarray | float) -> np.ndarray:
    """Eq. 15, stable at both ends."""
    return np.logaddexp(x, 0.0)


def sigmoid(x: np.ndarray | float) -> np.ndarray:
    """The derivative of Softplus."""
    return 1 / (1 + np.exp(-np.asarray(x, dtype=float)))


def frozen(z: np.ndarray, raw: np.ndarray, z0: np.ndarray, raw0: np.ndarray) -> np.ndarray:
    """CS-QCFS (Eq. 18) with d floor(x)/dx = 1: floor(u) is u + (floor(u0) - u0), and the clip keeps its case.

    Its ordinary derivatives at (z0, raw0) are what the straight-through rule of section 4.3.1 asks for.
    """
    theta, u0 = softplus(raw), z0 * LEVELS / softplus(raw0) + 0.5
    inside = theta * (z * LEVELS / theta + 0.5 + np.floor(u0) - u0) / LEVELS
    return np.where(np.floor(u0) < 0, 0.0, np.where(np.floor(u0) >= LEVELS, theta, inside))


def differences(z: np.ndarray, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Central differences of ``frozen`` with respect to z and to the raw parameter lambda."""
    h = 1e-5
    by_input = (frozen(z + h, raw, z, raw) - frozen(z - h, raw, z, raw)) / (2 * h)
    by_raw = (frozen(z, raw + h, z, raw) - frozen(z, raw - h, z, raw)) / (2 * h)
    return by_input, by_raw


def samples() -> tuple[np.ndarray, np.ndarray]:
    """Inputs over and beyond the range of each threshold, and raw parameters from -2 to 4."""
    rng = np.random.default_rng(0)
    raw = rng.uniform(-2, 4, 20_000)
    return softplus(raw) * rng.uniform(-0.5, 1.5, raw.size), raw


def cases(z: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which z lie below, in and above the range [-w/2L, w - w/2L) of Eqs. 19-20, at L = LEVELS."""
    below, above = z < -width / (2 * LEVELS), z >= width - width / (2 * LEVELS)
    return below, ~below & ~above, above
