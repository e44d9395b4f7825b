"""Graded, parallel and signed spikes and the three starts against slow loops, one neuron and one step at a time."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from csqcfs import convert
from csqcfs.activations import qcfs
from csqcfs.methods import METHODS, Graded, Parallel, Signed
from csqcfs.neurons import along_channels
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor


class Layer:
    """What a method asks of a layer of neurons."""

    def __init__(self, threshold: Tensor, L: int):
        self.threshold, self.L = threshold, L


def graded(inputs: list[Fraction], theta: Fraction, L: int) -> list[Fraction]:
    v, out = theta / L / 2, []
    for x in inputs:
        v += x
        k = min(max(math.floor(v / (theta / L)), 0), L)
        v -= k * theta / L
        out.append(k * theta / L)
    return out


def parallel(inputs: list[Fraction], theta: Fraction, L: int) -> list[Fraction]:
    T = len(inputs)
    return [theta if sum(inputs) + theta / 2 >= (T - t + 1) * theta else Fraction(0) for t in range(1, T + 1)]


def signed(inputs: list[Fraction], theta: Fraction, L: int) -> list[Fraction]:
    v, out = theta / 2, []
    for x in inputs:
        v += x
        s = 1 if v >= theta else -1 if v < 0 and sum(out) > 0 else 0
        v -= s * theta
        out.append(s * theta)
    return out


def started(share: Fraction):
    def run(inputs: list[Fraction], theta: Fraction, L: int) -> list[Fraction]:
        v, out = share * theta, []
        for x in inputs:
            v += x
            out.append(theta if v >= theta else Fraction(0))
            v -= out[-1]
        return out

    return run


LOOPS = {"graded": graded, "parallel": parallel, "signed": signed}
LOOPS |= {"floor": started(Fraction(0)), "plain": started(Fraction(1, 2)), "ceil": started(Fraction(1))}


@pytest.mark.parametrize("name", LOOPS)
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_spikes_of_one_neuron(name, data):
    """Dyadic inputs, so that every operation is exact and ties are met."""
    T, L = data.draw(st.integers(1, 9)), data.draw(st.sampled_from([1, 2, 4, 8]))
    theta = data.draw(st.sampled_from([Fraction(1, 4), Fraction(1), Fraction(2)]))
    inputs = [Fraction(n, 16) for n in data.draw(st.lists(st.integers(-40, 48), min_size=T, max_size=T))]
    x = torch.tensor([float(value) for value in inputs]).view(T, 1, 1)
    fire = METHODS[name]().neurons(1)[1]
    out = fire("site", x, None, Layer(torch.tensor(float(theta)), L)).flatten().tolist()
    assert out == [float(value) for value in LOOPS[name](inputs, theta, L)]


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 4, 2)])
def test_whole_layers_channels_and_an_added_input(name, shape):
    generator = torch.Generator().manual_seed(1)
    x, plus = (torch.randint(-32, 40, (6, *shape), generator=generator) / 16 for _ in range(2))
    theta = torch.tensor([0.25, 0.5, 1.0, 2.0, 4.0])
    fire, layer = METHODS[name]().neurons(1)[1], Layer(theta, 4)
    found = fire("site", x, plus, layer)
    wide = along_channels(theta, len(shape)).expand(shape).flatten()
    columns = (x + plus).flatten(1).T
    for place in range(0, columns.shape[0], 7):
        inputs = [Fraction(float(value)) for value in columns[place]]
        wanted = LOOPS[name](inputs, Fraction(float(wide[place])), 4)
        assert found.flatten(1)[:, place].tolist() == [float(value) for value in wanted]
    if len(shape) == 4:
        last = [value.movedim(2, -1).contiguous().movedim(-1, 2) for value in (x, plus)]
        assert torch.equal(fire("site", *last, layer), found)
    constant = x[:1].expand(6, *shape)
    assert torch.equal(fire("site", constant, None, layer), fire("site", constant.clone(), None, layer))


@given(st.lists(st.floats(-3, 6), min_size=1, max_size=6), st.sampled_from([1, 3, 4, 8]))
@settings(max_examples=60, deadline=None)
def test_one_graded_step_is_qcfs(values, L):
    z, theta = torch.tensor(values)[:, None], torch.tensor([1.3])
    out = Graded().neurons(1)[1]("site", z[None], None, Layer(theta, L))
    assert torch.equal(out[0], qcfs(z, theta, L))


def test_parallel_neurons_do_not_mind_the_order():
    generator, theta = torch.Generator().manual_seed(2), torch.tensor([0.5, 1.0, 2.0])
    x = torch.randint(-16, 40, (5, 50, 3), generator=generator) / 16
    out = Parallel().neurons(1)[1]("site", x, None, Layer(theta, 4))
    shuffled = Parallel().neurons(1)[1]("site", x[torch.randperm(5, generator=generator)], None, Layer(theta, 4))
    assert torch.equal(out, shuffled)
    torch.testing.assert_close(out.mean(0), qcfs(x.mean(0), theta, 5))


def test_a_signed_neuron_ends_nearer_to_its_target():
    """Large inputs first: a plain neuron cannot take back what it sent."""
    generator, theta = torch.Generator().manual_seed(3), torch.tensor(1.0)
    x = torch.randn(8, 2000, 1, generator=generator).sort(0, descending=True).values
    target = qcfs(x.mean(0), theta, 8)
    errors = {}
    for name in ("plain", "signed"):
        out = METHODS[name]().neurons(1)[1]("site", x, None, Layer(theta, 4))
        assert bool((out.cumsum(0) >= 0).all())  # nothing is taken back that was not sent
        errors[name] = float((out.mean(0) - target).abs().mean())
    assert errors["signed"] < 0.25 * errors["plain"]


def test_starts_round_down_to_the_nearest_and_up():
    z = torch.tensor([0.3, 0.5, 0.9, 1.3])[:, None]
    found = {}
    for name in ("floor", "plain", "ceil"):
        fire = METHODS[name]().neurons(1)[1]
        found[name] = fire("site", z.expand(4, 4, 1), None, Layer(torch.tensor(1.0), 4)).sum(0).flatten().tolist()
    # z T / theta = 1.2, 2, 3.6, 5.2; a start at theta adds one where that is whole
    assert found == {"floor": [1, 2, 3, 4], "plain": [1, 2, 4, 4], "ceil": [2, 3, 4, 4]}


# whole networks


@pytest.mark.parametrize("name", ["resnet8", "vgg16"])
@torch.no_grad()
def test_a_graded_network_is_its_ann_at_the_first_step(network, name):
    model, x = network(name, True)
    torch.testing.assert_close(convert(model.double(), "graded")(x, 1)[0], model(x), rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_a_parallel_network_at_T_is_the_ann_with_L_equal_to_T(network):
    """Between its neurons a network is linear, so that means pass through it as they are."""
    model, x = network("resnet8", True)
    model.double()
    snn = convert(model, "parallel")
    scores = snn(x, 6)
    for T in (1, 3, 6):
        for module in model.modules():
            if hasattr(module, "L"):
                module.L = T
        torch.testing.assert_close(scores[T - 1], model(x), rtol=1e-6, atol=1e-6)
    assert not torch.allclose(snn.run(x, 6)[0], scores[0])  # the beginning of a longer run is no answer


def test_prices():
    plain, g, p, s = METHODS["plain"](), Graded(), Parallel(), Signed()
    assert [g.bits(L) for L in (1, 2, 3, 4, 7, 8)] == [math.ceil(math.log2(L + 1)) for L in (1, 2, 3, 4, 7, 8)]
    assert (plain.bits(4), s.bits(4), g.bits(4), p.bits(4)) == (1, 2, 3, 1)
    assert (s.additions(4), g.additions(4)) == (1, 3)
    assert [g.clock(T, 19) for T in (1, 8)] == [s.clock(T, 19) for T in (1, 8)] == [1, 8]
    assert [p.clock(T, 19) for T in (1, 2, 8)] == [1, 20, 134] and [p.steps(T) for T in (1, 2, 8)] == [1, 3, 15]
