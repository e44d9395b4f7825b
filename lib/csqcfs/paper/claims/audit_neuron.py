"""Checks of Eqs. 1-14 and Figs. 2-3: the neuron and its conversion error, by direct simulation.

Everything is float64 and written here from the definitions, not taken from the implementation it audits.
Thresholds and inputs are dyadic where equality is claimed, so that equality means equality.
"""

from __future__ import annotations

import numpy as np

from .checks import Checks, Outcome

CHECKS = Checks()
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


@CHECKS.add("Section 3.1, Eqs. 1 and 3", "one potential V(t) both decides the spike and is reset by it")
def eq1_eq3_one_symbol() -> Outcome:
    v = np.arange(0, 192) / 64  # V(t-1) + z(t), threshold 1
    solutions = sum(((v - spike >= 1) == spike).astype(int) for spike in (0, 1))
    none = v[solutions == 0]
    return Outcome(
        None if none.size else True,
        f"read literally, no S(t) solves both for V(t-1) + z in [{none.min():g}, {none.max() + 1 / 64:g})"
        " thresholds; with the potential before the reset in Eq. 3 they are the soft-reset neuron",
    )


@CHECKS.add("Section 3.2, Eqs. 4-6", "mean output = mean input - (V(T) - V(0)) / T, whatever the input")
def eq6_balance() -> Outcome:
    inputs = np.random.default_rng(1).integers(-64, 128, (8, 1000)) / 64
    v, spikes = np.full(1000, 0.5), np.zeros(1000)
    for x in inputs:
        fired = v + x >= 1
        v, spikes = v + x - fired, spikes + fired
    error = np.abs(spikes / 8 - (inputs.mean(0) - (v - 0.5) / 8)).max()
    return Outcome(bool(error == 0), f"largest difference {error:g} over 1,000 uneven input trains, T = 8")


@CHECKS.add("Section 3.3, Eq. 8", "phi(T) lies in [0, V_th] with a resolution of V_th / T")
def eq8_resolution() -> Outcome:
    inputs = np.random.default_rng(2).integers(-64, 128, (8, 1000)) / 32
    counts = mean_output(inputs, 2.0) * 8 / 2
    holds = bool(np.all(counts == np.floor(counts)) and counts.min() >= 0 and counts.max() <= 8)
    found = f"T phi / V_th takes {np.unique(counts).size} whole values, 0 to {counts.max():g} at T = 8"
    return Outcome(holds, found)


@CHECKS.add("Section 3.3, Eq. 9", "phi(T) = V_th / T floor(T z / V_th), clipped to [0, V_th]")
def eq9_start() -> Outcome:
    printed = np.clip(np.floor(LEVELS * GRID) / LEVELS, 0, 1)
    zero = np.mean(mean_output(constant(GRID, LEVELS), 1.0, start=0.0) != printed)
    half = np.mean(mean_output(constant(GRID, LEVELS), 1.0) != printed)
    return Outcome(
        bool(half == 0),
        f"true for V(0) = 0 (differs at {zero:.0%} of inputs); with V(0) = V_th / 2 of Algorithm 1 line 17"
        f" it differs at {half:.0%} of inputs from -3 to 3 V_th: the term V(0) is dropped",
    )


@CHECKS.add("Section 3.3, Eq. 9", "the form without clip equals the form with clip")
def eq9_clip() -> Outcome:
    unclipped = np.floor(LEVELS * GRID) / LEVELS
    outside = unclipped != np.clip(unclipped, 0, 1)
    return Outcome(
        not outside.any(),
        f"equal only for 0 <= z < V_th (1 + 1/T): different at {outside.mean():.0%} of inputs from -3 to 3 V_th",
    )


@CHECKS.add("Section 3.3, Eq. 10", "against ReLU there is a flooring error and, above V_th, a clipping error")
def eq10_errors() -> Outcome:
    error = mean_output(constant(GRID, LEVELS), 1.0, start=0.0) - np.maximum(GRID, 0)
    inside, above = error[(GRID >= 0) & (GRID <= 1)], error[GRID > 1]
    holds = -1 / LEVELS < inside.min() and inside.max() <= 0 and np.array_equal(above, 1 - GRID[GRID > 1])
    found = f"in range the error is in ({-1 / LEVELS}, 0] thresholds; above it is V_th - z exactly"
    return Outcome(bool(holds), found)


@CHECKS.add("Section 2, Algorithm 1 line 17", "a start at half the threshold makes the expected error zero")
def half_threshold() -> Outcome:
    z = (np.arange(4096) + 0.5) / 4096  # uniform on (0, V_th)
    bias = {
        start: [float(np.mean(mean_output(constant(z, t), 1.0, start) - z)) for t in (1, 2, 4, 8)]
        for start in (0.0, 0.5)
    }
    zero = ", ".join(f"{b:+.3f}" for b in bias[0.0])
    return Outcome(
        max(map(abs, bias[0.5])) < 1e-12,
        f"mean error at T = 1, 2, 4, 8 for inputs uniform on (0, V_th): 0 from V_th / 2, and {zero} from 0",
    )


@CHECKS.add("Section 4.1.1, Eq. 13", "positive threshold: the error is zero (T = L, constant input)")
def eq13_constant_input() -> Outcome:
    error = max(
        np.abs(qcfs(GRID, theta, levels) - mean_output(constant(GRID, levels), theta)).max()
        for theta in (0.5, 1.0, 4.0)
        for levels in (4, 8)
    )
    return Outcome(bool(error == 0), f"largest error {error:g} over 385 inputs with ties, L = T = 4 and 8")


@CHECKS.add("Section 4.1.1, Eq. 13", "positive threshold: the error is zero (T other than L)")
def eq13_other_timesteps() -> Outcome:
    errors = {t: np.abs(qcfs(GRID, 1.0) - mean_output(constant(GRID, t), 1.0)).max() for t in (1, 2, 8, 32)}
    shown = ", ".join(f"{error:g} at T = {t}" for t, error in errors.items())
    found = f"largest error in thresholds with L = 4 and constant input: {shown}"
    return Outcome(bool(max(errors.values()) == 0), found)


@CHECKS.add("Section 4.1.1, Eq. 13", "positive threshold: the error is zero (T = L, uneven input)")
def eq13_uneven_input() -> Outcome:
    early, late = np.array([[2.0, 0, 0, 0], [0, 0, 0, 2.0]])
    target = qcfs(np.array(0.5), 1.0)
    outputs = [float(mean_output(x, 1.0)) for x in (early, late)]
    return Outcome(
        all(output == target for output in outputs),
        f"V_th = 1, L = T = 4, mean input 0.5, QCFS {target:g}: input 2 in the first step gives"
        f" {outputs[0]:g}, in the last step {outputs[1]:g} (unevenness error)",
    )


def negative_threshold_error() -> np.ndarray:
    """Eq. 12 at lambda = -1, L = T = 4, over GRID."""
    return qcfs(GRID, -1.0) - mean_output(constant(GRID, LEVELS), -1.0)


@CHECKS.add("Section 4.1.1, Eq. 14", "negative lambda: error -lambda for z < lambda and lambda for z >= 0")
def eq14_outer_cases() -> Outcome:
    error = negative_threshold_error()
    low, high = error[GRID < -1], error[GRID >= 0]
    printed = np.all(low == 1) and np.all(high == -1)
    opposite = np.all(low == -1) and np.all(high == 1)
    return Outcome(
        bool(printed),
        "QCFS - phi(T), as Eq. 12 defines it, is lambda and -lambda: both printed signs are opposite;"
        " they agree with phi(T) - QCFS, the order of Eq. 10"
        if opposite
        else f"errors {low.min():g} to {low.max():g} and {high.min():g} to {high.max():g}",
    )


@CHECKS.add("Section 4.1.1, Eq. 14", "negative lambda: error lambda/L floor((z - L)/lambda) in between")
def eq14_middle_case() -> Outcome:
    inside = (GRID >= -1) & (GRID < 0)
    z, error = GRID[inside], negative_threshold_error()[inside]
    readings = {
        "as printed": np.floor((z - LEVELS) / -1) / -LEVELS,
        "read as z L / lambda": np.floor(z * LEVELS / -1) / -LEVELS,
        "read as z L / lambda + 1/2": np.floor(z * LEVELS / -1 + 0.5) / -LEVELS,
    }
    agree = {name: max(np.mean(value == error), np.mean(value == -error)) for name, value in readings.items()}
    derived = np.array_equal(error, np.floor(z * LEVELS / -1 + 0.5) / -LEVELS + (z >= -0.5))
    return Outcome(
        bool(agree["as printed"] == 1),
        "share of inputs where it gives the error, in the better sign: "
        + ", ".join(f"{share:.0%} {name}" for name, share in agree.items())
        + ("; the term -lambda [z >= lambda/2] is missing" if derived else ""),
    )


@CHECKS.add("Section 4.1.1, Eq. 14", "negative thresholds make SNN and ANN disagree")
def eq14_normalised_neuron() -> Outcome:
    raw = np.mean(negative_threshold_error() != 0)
    normalised = -1.0 * mean_output(constant(GRID / -1.0, LEVELS), 1.0)
    errors = np.mean(normalised != qcfs(GRID, -1.0))
    return Outcome(
        bool(errors > 0),
        f"the neuron of Eqs. 1-3 differs from QCFS at {raw:.0%} of inputs; one that divides by the"
        f" threshold and fires at 1, as older public code does, differs at {errors:.0%} (lambda = -1, L ="
        " T = 4)",
    )


@CHECKS.add(
    "Section 4.1.1, Fig. 2",
    "lambda < 0: QCFS may be negative for z < 0 and is zero for z > 0; the neuron may fire for z < 0 and"
    " always does for z > 0",
)
def negative_threshold_behaviour() -> Outcome:
    activation, output = qcfs(GRID, -1.0), mean_output(constant(GRID, LEVELS), -1.0)
    holds = (
        activation[GRID < 0].min() < 0
        and np.all(activation[GRID > 0] == 0)
        and np.any(output[GRID < 0] != 0)
        and np.all(output[GRID > 0] == -1)
    )
    found = f"the neuron fires at every step from z = {GRID[output != 0].min():g} on (lambda = -1)"
    return Outcome(bool(holds), found)


@CHECKS.add("Section 4.2.1, Fig. 3", "channels of VGG-16 with QCFS have average activations near -0.5")
def fig3_negative_activation() -> Outcome:
    lowest = qcfs(GRID, 1.0).min()
    return Outcome(
        bool(lowest <= -0.5),
        f"the smallest output of QCFS is {lowest:g} for a positive threshold; the values may be taken"
        " before the activation, or the sign be a misread tilde",
    )
