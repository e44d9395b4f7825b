"""Gradients of CS-QCFS in three ways: autograd of the package, finite differences, and Eqs. 19-20 as printed.

The finite differences are those of Eq. 18 with the floor frozen, which is what d floor(x)/dx = 1 asks for (see
`reference.frozen`). All in float64, at L = 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from ...activations import CSQCFS
from ...engine import kernels
from .corrections import Gradients, gradients, gradients_printed
from .reference import LEVELS, differences, softplus

LAMBDAS = (-1.0, 0.5, 1.0, 4.0)


def inputs(raw: float, count: int = 601) -> np.ndarray:
    """Inputs from -0.5 to 1.5 thresholds, none of them at a jump of the activation."""
    return softplus(raw) * (np.linspace(-0.5, 1.5, count) + 1e-4)


def autograd(z: np.ndarray, raw: float, window: str = "paper") -> Gradients:
    """Of `csqcfs.CSQCFS`; every input has a channel of its own, so that no gradient is summed."""
    layer = CSQCFS(len(z), LEVELS, window=window).double()
    with torch.no_grad():
        layer.raw.fill_(raw)
    x = torch.as_tensor(z)[None].requires_grad_()
    layer(x).sum().backward()
    return Gradients(x.grad[0].numpy(), layer.raw.grad.numpy())


def finite_differences(z: np.ndarray, raw: float) -> Gradients:
    return Gradients(*differences(z, np.full_like(z, raw)))


def deviations(lambdas: Sequence[float] = LAMBDAS) -> pd.DataFrame:
    """Largest absolute deviation from the finite difference for each lambda, and the share of inputs with one."""
    lines = {}
    for raw in lambdas:
        z = inputs(raw)
        exact = finite_differences(z, raw)
        forms = {"csqcfs": autograd(z, raw), "corrected": gradients(z, raw), "printed": gradients_printed(z, raw)}
        for name, field in (("∂f/∂z", "by_input"), ("∂f/∂λ", "by_raw")):
            gaps = [np.abs(getattr(g, field) - getattr(exact, field)) for g in forms.values()]
            lines[name, f"{raw:g}".replace("-", "−")] = [f"{softplus(raw):.3f}", *map(_summary, gaps)]
    index = pd.MultiIndex.from_tuples(sorted(lines, key=lambda key: key[0] != "∂f/∂z"), names=["Derivative", "λ"])
    columns = ["θ = Softplus(λ)", "autograd of csqcfs", "Eqs. 19-20, corrected", "Eqs. 19-20, printed"]
    return pd.DataFrame([lines[key] for key in index], index=index, columns=columns)


def _summary(gaps: np.ndarray, tolerance: float = 1e-8) -> str:
    share = 100 * np.mean(gaps > tolerance)
    if share == 0:
        return f"< {tolerance:.8f}"
    return f"{gaps.max():.3g} (at {'< 1' if share < 1 else f'{share:.0f}'} %)"


def window_gradients(z: np.ndarray, theta: float) -> dict[str, Gradients]:
    """df/dz and df/dtheta (no Softplus) under each of `kernels.WINDOWS`."""
    found = {}
    for name in kernels.WINDOWS:
        x = torch.as_tensor(z)[None].requires_grad_()
        level = torch.full_like(x[0].detach(), theta).requires_grad_()
        kernels.QuantizedClip.apply(x, level, LEVELS, name).sum().backward()
        found[name] = Gradients(x.grad[0].numpy(), level.grad.numpy())
    return found


def window_table(at: Sequence[float] = (0.0, 0.95, 1.05, 1.2), theta: float = 1.0) -> pd.DataFrame:
    """df/dz and df/dtheta at a few inputs where the windows differ, theta = 1, L = 4."""
    gradients = window_gradients(np.array(at), theta)
    lines = [
        [
            f"{value:g}"
            for pair in zip(np.round(g.by_input, 4) + 0.0, np.round(g.by_raw, 4) + 0.0, strict=True)
            for value in pair
        ]
        for g in gradients.values()
    ]
    columns = [f"∂f/∂{name}, z = {z:g}" for z in at for name in ("z", "θ")]
    step = theta / LEVELS
    spans = [f"({(lo - 0.5) * step:g}, {(LEVELS + hi - 0.5) * step:g})" for lo, hi in kernels.WINDOWS.values()]
    index = pd.MultiIndex.from_arrays([list(gradients), spans], names=["Window", "passes z in"])
    return pd.DataFrame(lines, index=index, columns=columns)
