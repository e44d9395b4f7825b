"""Checks of Eqs. 15-20 and Algorithm 1: Softplus, the training rule and the two-stage procedure.

The derivatives are compared with central differences of Eq. 18 with the floor frozen, in float64, written
here from the definitions, not taken from the implementation.
"""

from __future__ import annotations

import numpy as np

from .audit_neuron import GRID, LEVELS, constant, mean_output, qcfs
from .checks import Checks, Outcome

CHECKS = Checks()


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


def far(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Where two derivatives differ by more than the error of a central difference."""
    return np.abs(found - expected) > 1e-6


@CHECKS.add("Section 4.1.2, Eq. 15", "Softplus is positive for every real input, its slope between 0 and 1")
def softplus_range() -> Outcome:
    x = np.linspace(-30, 30, 6001)
    holds = softplus(x).min() > 0 and sigmoid(x).min() > 0 and sigmoid(x).max() < 1
    slope = np.abs((softplus(x + 1e-5) - softplus(x - 1e-5)) / 2e-5 - sigmoid(x)).max() < 1e-8
    single = np.logaddexp(np.float32(-110), np.float32(0))
    found = f"true in mathematics; in float32 Softplus(-110) is {single:g}, no longer positive"
    return Outcome(bool(holds and slope), found)


@CHECKS.add("Section 4.1.3", "Softplus is in the same order of magnitude as lambda")
def softplus_scale() -> Outcome:
    ratio = {x: float(softplus(x) / x) for x in (0.01, 0.1, 1.0, 4.0, 8.0)}
    shown = ", ".join(f"{value:.3g} at {x:g}" for x, value in ratio.items())
    return Outcome(
        all(0.1 <= value <= 10 for value in ratio.values()),
        f"Softplus(lambda) / lambda is {shown}; at -4 Softplus is {softplus(-4.0):.3g}: true for large lambda",
    )


@CHECKS.add("Section 4.1.3", "the gradient of Softplus is stable where that of the exponential is not")
def softplus_against_exponential() -> Outcome:
    return Outcome(
        bool(sigmoid(8.0) < 1 < np.exp(8.0)),
        f"slope at lambda = 8: {sigmoid(8.0):.4f} for Softplus, {np.exp(8.0):.0f} for the exponential",
    )


@CHECKS.add("Section 4.3.1, Eq. 19", "df/dz = 1 for -lambda/2L < z < lambda - lambda/2L, else 0")
def eq19_window() -> Outcome:
    z, raw = samples()
    expected, _ = differences(z, raw)
    printed = far(cases(z, raw)[1].astype(float), expected)
    corrected = far(cases(z, softplus(raw))[1].astype(float), expected)
    return Outcome(
        not printed.any(),
        f"differs from the finite difference at {printed.mean():.0%} of 20,000 points, lambda in (-2, 4),"
        f" and with Softplus(lambda) for lambda at {corrected.mean():.0%}; for lambda <= 0 the printed"
        " range is empty",
    )


@CHECKS.add("Section 4.3.1, Eq. 20", "in range df/dlambda = (Sigmoid(lambda) f - z e^lambda) / Softplus(lambda)")
def eq20_middle_case() -> Outcome:
    z, raw = samples()
    _, expected = differences(z, raw)
    f = frozen(z, raw, z, raw)
    inside = cases(z, softplus(raw))[1]
    printed = (sigmoid(raw) * f - z * np.exp(raw)) / softplus(raw)
    corrected = sigmoid(raw) * (f - z) / softplus(raw)
    error, rest = np.abs(printed - expected)[inside], np.abs(corrected - expected)[inside].max()
    return Outcome(
        bool(error.max() < 1e-6),
        f"off by up to {error.max():.0f} (median {np.median(error):.2g}); Sigmoid(lambda) (f - z) /"
        f" Softplus(lambda) agrees to {rest:.0e}; a divisor 1 + e^lambda under e^lambda, lost in print or"
        " reading, would explain it",
    )


@CHECKS.add("Section 4.3.1, Eq. 20", "above the range df/dlambda = 1")
def eq20_upper_case() -> Outcome:
    z, raw = samples()
    _, expected = differences(z, raw)
    above = cases(z, softplus(raw))[2]
    rest = np.abs(sigmoid(raw) - expected)[above].max()
    return Outcome(
        not far(1.0, expected[above]).any(),
        f"it is Sigmoid(lambda) (agrees to {rest:.0e}): {expected[above].min():.2f} to"
        f" {expected[above].max():.2f} for lambda in (-2, 4); 1 is the value without Softplus",
    )


@CHECKS.add("Section 4.3.1, Eq. 20", "below the range df/dlambda = 0")
def eq20_lower_case() -> Outcome:
    z, raw = samples()
    _, expected = differences(z, raw)
    below = cases(z, softplus(raw))[0]
    return Outcome(not far(0.0, expected[below]).any(), f"0 at all {below.sum():,} points below -theta/2L")


@CHECKS.add("Section 4.3.1, Eqs. 19-20", "both equations use one range")
def eq19_eq20_boundary() -> Outcome:
    edge, width = np.array(-0.125), 1.0  # z = -w/2L at L = 4
    open_range = bool(-width / 8 < edge < width - width / 8)
    closed_range = bool(cases(edge, np.array(width))[1])
    return Outcome(
        open_range == closed_range,
        "z = -lambda/2L is outside in Eq. 19 (<), inside in Eq. 20 (<=): one point, possibly a misread sign",
    )


@CHECKS.add("Algorithm 1 line 9, section 4.3.2", "fine-tuning starts from the layer's threshold lambda")
def alg1_line9() -> Outcome:
    layer = np.array([0.1, 0.5, 1.0, 4.0])
    shown = ", ".join(f"{x:g} becomes {softplus(x):.3f} (x {softplus(x) / x:.4g})" for x in layer)
    inverse = layer + np.log(-np.expm1(-layer))
    return Outcome(
        bool(np.allclose(softplus(layer), layer)),
        f"as the raw parameter of CS-QCFS a threshold of {shown}; log(e^lambda - 1) restores it to"
        f" {np.abs(softplus(inverse) - layer).max():.0e}",
    )


@CHECKS.add("Algorithm 1 lines 6-9", "every layer's threshold from plain QCFS can start CS-QCFS unchanged")
def alg1_negative_start() -> Outcome:
    reachable = softplus(np.linspace(-30, 30, 601)).min() > 0
    return Outcome(
        None if reachable else True,
        "the first stage has no Softplus, so its threshold may turn negative (section 5.6.2 reports it);"
        " Softplus reaches no value <= 0, log(e^lambda - 1) is undefined there",
    )


@CHECKS.add("Algorithm 1 line 16", "the SNN's threshold is lambda, and the SNN then matches CS-QCFS")
def alg1_line16() -> Outcome:
    errors = {
        raw: np.abs(qcfs(GRID, float(softplus(raw))) - mean_output(constant(GRID, LEVELS), raw)).max()
        for raw in (-1.0, 0.5, 1.0)
    }
    shown = ", ".join(f"{error:.2f} at lambda = {raw:g}" for raw, error in errors.items())
    return Outcome(
        bool(max(errors.values()) == 0),
        f"largest difference from Eq. 18 at L = T = 4: {shown}; the threshold must be Softplus(lambda),"
        " else it can still be negative",
    )
