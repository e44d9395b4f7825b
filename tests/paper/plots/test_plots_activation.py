"""Curves of activation and neuron: what is drawn is what was computed, and every panel is there."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from csqcfs.engine import kernels
from csqcfs.paper.claims import corrections, gradient_check, response
from csqcfs.paper.names import WINDOWS
from csqcfs.paper.plots import activation
from matplotlib import pyplot as plt


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def lines(ax) -> dict[str, np.ndarray]:
    """Drawn lines by label, those without one left out."""
    return {line.get_label(): line.get_ydata() for line in ax.get_lines() if not line.get_label().startswith("_")}


def test_errors_of_figure_1_are_those_of_equation_10():
    fig = activation.conversion_errors((1, 4))
    drawn = lines(fig.axes[3])
    z = fig.axes[3].get_lines()[0].get_xdata()
    assert list(drawn) == ["error, T = 1", "error, T = 4"]
    for T, error in zip((1, 4), drawn.values()):
        assert np.allclose(error, response.neuron(z, 1.0, T, 0.5) - response.relu(z))
    texts = {text.get_text() for text in fig.legends[0].get_texts()}
    assert {"flooring error", "clipping error", "ReLU", "error, T = 1", "error, T = 4"} <= texts


def test_figure_2_has_both_forms_of_the_negative_neuron():
    axes = activation.behaviours().axes
    outputs = [ax.get_lines()[0].get_ydata() for ax in axes]
    assert [ax.get_title(loc="left")[:3] for ax in axes] == ["(a)", "(b)", "(c)", "(d)", "(e)", "(f)"]
    assert set(outputs[4]) == {0, -1}  # Eqs. 1-3: silent or always firing
    assert np.mean(np.abs(outputs[3] - outputs[5]) > 1e-9) < 0.01  # (d) and (f) agree but for ties
    drawn = lines(activation.negative_errors().axes[0])
    assert np.mean(drawn["simulated"] != drawn["derived"]) < 0.01
    assert np.mean(drawn["simulated"] != drawn["Eq. 14, printed"]) > 0.5


def test_gradients_have_a_column_for_each_lambda():
    fig = activation.gradients((0.5, 4.0))
    assert len(fig.axes) == 4 and "4" in fig.axes[1].get_title()
    drawn = lines(fig.axes[3])
    assert np.allclose(drawn["csqcfs (autograd)"], drawn["finite differences"], atol=1e-8)
    assert np.array_equal(drawn["as printed"], corrections.gradients_printed(gradient_check.inputs(4.0), 4.0).by_raw)


def test_windows_are_named_and_drawn_where_they_pass():
    left, right = activation.windows().axes
    assert list(lines(right)) == [WINDOWS[name] for name in kernels.WINDOWS]
    spans = [line.get_xdata() for line in left.get_lines() if line.get_linewidth() == 4]
    assert np.allclose(spans, [(-0.125, 0.875), (-0.125, 1.125), (0.125, 0.875), (0, 1)], atol=2e-3)
