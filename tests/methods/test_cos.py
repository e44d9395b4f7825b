"""COS against loops over steps and neurons, written from its description and not from the code."""

from __future__ import annotations

import pytest
import torch
from csqcfs import convert
from csqcfs.activations import qcfs
from csqcfs.engine import kernels
from csqcfs.methods import cos
from csqcfs.neurons import integrate_and_fire
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn


def shifted_start(inputs: list[float], theta: float) -> float:
    """COS for one neuron in units of theta, in plain Python: v(0) after rho = len(inputs) steps."""
    v, fired, silent = 0.5, [], []
    for x in inputs:
        before = v + x / theta
        if before >= 1:
            fired.append(before)
            v = before - 1
        else:
            silent.append(before)
            v = before
    if v < 0 and fired:
        return 0.5 - max(1.0, min(fired) - 0.999)
    if v >= 1:
        return 0.5 + max(1.0, 1.001 - (max(silent) if silent else -1000.0))
    return 0.5


@given(st.lists(st.integers(-96, 160), min_size=1, max_size=6), st.sampled_from([0.25, 0.5, 1.0, 2.0]))
@settings(max_examples=300, deadline=None)
def test_offset_of_one_neuron(sixtyfourths, theta):
    inputs = [value / 64 for value in sixtyfourths]
    x = torch.tensor(inputs, dtype=torch.float64).view(-1, 1, 1)
    found = cos.offset_start(x, torch.tensor(theta, dtype=torch.float64), len(inputs))
    assert float(found) / theta == pytest.approx(shifted_start(inputs, theta), abs=1e-9)


def test_the_three_cases_by_hand():
    x = torch.tensor([[1.0, 1.9, 2.6, 0.1], [-1.9, 0.2, 2.6, 0.1]]).view(2, 1, 4)  # steps x neurons, theta = 1
    found = cos.offset_start(x, torch.tensor(1.0), 2).flatten().tolist()
    # fires at 1.5 and ends at -1.4; fires twice and keeps 0.6; fires twice and keeps 3.7; never fires, keeps 0.7
    assert found == pytest.approx([0.5 - 1, 0.5, 0.5 + 1001.001, 0.5], rel=1e-6)


def test_a_saturated_neuron_fires_for_ever_and_stays_finite():
    x = torch.full((64, 1, 1), 3.0)
    start = cos.offset_start(x, torch.tensor(1.0), 4)
    out, v = integrate_and_fire(x, torch.tensor(1.0), start)
    assert bool((out == 1).all()) and bool(v.isfinite().all())


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 4, 4)])
def test_further_steps_and_an_added_input(shape):
    generator = torch.Generator().manual_seed(0)
    x, plus = (torch.randn(6, *shape, generator=generator) for _ in range(2))
    theta = torch.rand(5, generator=generator) + 0.3
    whole = cos.offset_start(x + plus, theta, 4)
    assert torch.equal(cos.offset_start(x, theta, 4, plus), whole)
    assert torch.equal(cos.offset_start((x + plus)[:4], theta, 4), whole)
    constant = x[:1].expand(x.shape)
    assert torch.equal(cos.offset_start(constant, theta, 4, plus), cos.offset_start(constant + plus, theta, 4))


@pytest.mark.large
def test_compiled_offset_equals_eager(monkeypatch):
    if not kernels.compiler_available():
        pytest.skip("no C++ compiler")
    x, theta = 2 * torch.randn(4, 3, 5, 4, 4, generator=torch.Generator().manual_seed(0)), torch.tensor(0.7)
    eager = cos.offset_start(x, theta, 4)
    monkeypatch.setattr(kernels, "COMPILE_FROM", 1)
    monkeypatch.setattr(kernels, "COMPILE_AFTER", 0)
    torch.testing.assert_close(cos.offset_start(x, theta, 4), eager)


def test_offset_raises_the_share_of_exact_spike_counts():
    """Uneven inputs with the mean of a constant one: the count should be the QCFS target of the mean."""
    generator, T, theta = torch.Generator().manual_seed(0), 4, torch.tensor(1.0)
    mean = torch.rand(20000, generator=generator) * 1.6 - 0.3
    x = mean + 0.6 * (noise := torch.randn(T, 20000, generator=generator)) - 0.6 * noise.mean(0)
    x = x.unsqueeze(1)
    target = qcfs(mean[None], theta, T) * T

    def share(v: Tensor | None) -> float:
        return float(((integrate_and_fire(x, theta, v)[0].sum(0) - target).abs() < 0.5).float().mean())

    plain, offset = share(None), share(cos.offset_start(x, theta, T))
    assert offset > plain + 0.02 and offset > 0.95


@pytest.mark.parametrize(
    ("name", "per_channel", "T"), [("resnet8", False, 6), ("resnet20", True, 2), ("vgg16", True, 6)]
)
@torch.no_grad()
def test_cos_is_layer_by_layer(network, stateful, name, per_channel, T):
    """Layer after layer: each is recorded over rho steps, restarted, and run; its output feeds the next one.

    A layer's input over time is found by running the network step by step with all earlier layers shifted.
    """
    rho = 3
    model, x = network(name, per_channel)
    snn = convert(model, "cos", rho=rho).double()
    graph, neurons = stateful(snn)
    starts: list[Tensor | None] = [None] * len(neurons)

    def run(steps: int, watched: nn.Module | None = None) -> tuple[Tensor, list[Tensor]]:
        for layer, begin in zip(neurons, starts):
            layer.v = None if begin is None else begin.clone()
        seen: list[Tensor] = []
        hook = watched.register_forward_pre_hook(lambda _, given: seen.append(given[0])) if watched else None
        outputs = torch.stack([graph(x) for _ in range(steps)])
        if hook is not None:
            hook.remove()
        return outputs, seen

    shifts = 0
    for index, layer in enumerate(neurons):  # in the order in which they run
        inputs = torch.stack(run(rho, layer)[1])
        theta = layer.level(inputs[0]).expand_as(inputs[0]).flatten()
        columns = inputs.flatten(1).T.tolist()
        begin = torch.tensor(
            [shifted_start([v / t for v in column], 1.0) * t for column, t in zip(columns, theta.tolist())],
            dtype=torch.float64,
        )
        starts[index] = begin.view_as(inputs[0])
        shifts += int((begin != theta / 2).sum())
    outputs = run(T)[0]
    expected = outputs.cumsum(0) / torch.arange(1, T + 1).view(-1, 1, 1)
    torch.testing.assert_close(snn(x, T), expected, rtol=1e-6, atol=1e-6)
    assert shifts > 100 and snn.presteps == rho
