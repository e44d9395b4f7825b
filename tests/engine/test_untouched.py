"""The user's network and all that it shares are after a trace what they were before."""

from __future__ import annotations

import collections
import copy
import functools

import pytest
import torch
from csqcfs import InputError, convert, quantize_activations
from csqcfs.engine.untouched import untouched
from torch import fx, nn

CACHE: dict = {}
LAST = None


class Net(nn.Module):
    kept: list = []
    table = None

    def __init__(self, offset=lambda m, h: 0):
        super().__init__()
        self.a, self.o, self.offset = nn.Linear(6, 8), nn.Linear(8, 3), offset

    def forward(self, x):
        h = torch.relu(self.a(x))
        return self.o(h + self.offset(self, h))


def in_a_global_dict(m, h):
    if "grid" not in CACHE:
        CACHE["grid"] = torch.linspace(0, 1, h.shape[1])
    return CACHE["grid"]


def in_a_global(m, h):
    global LAST
    LAST = torch.linspace(0, 1, h.shape[1])
    return LAST


def in_a_class(m, h):
    if Net.table is None:
        Net.table, Net.count = torch.linspace(0, 1, h.shape[1]), 1
    return Net.table


def in_a_default(m, h, cache={}):  # noqa: B006
    if "grid" not in cache:
        cache["grid"] = torch.linspace(0, 1, h.shape[1])
    return cache["grid"]


def in_an_attribute_of_a_function(m, h):
    in_an_attribute_of_a_function.last = torch.linspace(0, 1, h.shape[1])
    return in_an_attribute_of_a_function.last


def in_a_list_of_a_class(m, h):
    Net.kept.append(h)
    return 0


def closing_over():
    seen, deep, last = collections.deque(), {"of": [set()]}, None

    def in_a_closure(m, h):
        nonlocal last
        last = h * 0
        seen.append(last)
        deep["of"][0].add(last)
        deep["of"].append(last)
        return last

    return in_a_closure


KEEPERS = [
    in_a_global_dict, in_a_global, in_a_class, in_a_default, in_an_attribute_of_a_function, in_a_list_of_a_class,
    closing_over(), functools.partial(lambda of, m, h: of.append(h) or 0, []), functools.partial(closing_over()),
]  # fmt: skip


def reached(value, seen=None):
    """Everything in nested containers and functions."""
    seen = {} if seen is None else seen
    if id(value) not in seen:
        seen[id(value)] = value
        inner = [*value.values()] if isinstance(value, dict) else []
        inner += value if isinstance(value, (list, set, tuple, collections.deque)) else []
        inner += [value.func, value.args] if isinstance(value, functools.partial) else []
        if hasattr(value, "__closure__"):
            inner += [vars(value), value.__defaults__, *(c.cell_contents for c in value.__closure__ or ())]
        for one in inner:
            reached(one, seen)
    return list(seen.values())


@pytest.fixture
def emptied():
    yield
    global LAST
    LAST, Net.table = None, None
    if hasattr(Net, "count"):
        del Net.count
    CACHE.clear()
    Net.kept.clear()


@pytest.mark.usefixtures("emptied")
@pytest.mark.parametrize("keep", KEEPERS, ids=lambda keep: getattr(keep, "__name__", type(keep).__name__))
@pytest.mark.parametrize("with_example", [True, False])
def test_what_a_forward_keeps_elsewhere_is_as_before(keep, with_example):
    net, x = Net(keep), torch.randn(4, 6)
    places = [CACHE, Net.kept, keep]
    before = [type(v) for v in reached(places)]
    ann = quantize_activations(net, L=1 << 16, threshold=8.0, example=x if with_example else None)
    assert [type(v) for v in reached(places)] == before and not any(isinstance(v, fx.Proxy) for v in reached(places))
    assert (LAST, Net.table, hasattr(Net, "count"), CACHE) == (None, None, False, {})
    torch.testing.assert_close(ann(x), net(x), rtol=1e-3, atol=1e-3)  # both fill it
    assert convert(quantize_activations(net, example=x))(x, 2).shape == (2, 4, 3)


class Lambda(nn.Module):
    """Its copy's lambda runs the layers of the original."""

    def __init__(self):
        super().__init__()
        self.a, self.bn, self.o = nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)
        self.block = lambda h: torch.relu(self.bn(h))

    def forward(self, x):
        return self.o(self.block(self.a(x)))


@pytest.mark.parametrize("training", [True, False])
def test_a_refused_network_is_as_before_too(training):
    net, x = Lambda().train(training), torch.randn(8, 6)
    net.bn.eval() if training else net.bn.train()
    modes, state = [m.training for m in net.modules()], copy.deepcopy(net.state_dict())
    for example in (x, None):
        with pytest.raises(InputError) as caught:
            quantize_activations(net, example=example)
        assert "\n" not in str(caught.value) and [m.training for m in net.modules()] == modes
        assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())


def test_a_hook_that_monitors_keeps_what_it_kept():
    net, x, seen = nn.Sequential(nn.Sequential(nn.Linear(6, 8), nn.ReLU()), nn.Linear(8, 3)), torch.randn(4, 6), {}
    net[0].register_forward_hook(lambda m, i, out: seen.update(out=out))
    net(x)
    kept = seen["out"]
    quantize_activations(net, example=x)
    assert seen == {"out": kept}


class Tap(nn.Module):
    """Reads what a hook keeps in the original, which in a copy is what was there when it was made."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.o, self.feats = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3), {}
        self.a.register_forward_hook(lambda m, i, out: self.feats.update(a=out))

    def forward(self, x):
        return self.o(torch.relu(self.b(torch.relu(self.a(x)))) + self.feats["a"])


def test_a_network_that_is_not_its_copy_is_refused():
    net, x = Tap().train(), torch.randn(8, 6)
    net(x[:1])
    kept = net.feats["a"]
    for example, named in (
        (x, "something else than a deep copy of it, .* closes over self"),
        (None, "pass example=x$"),
    ):
        with pytest.raises(InputError, match=named) as caught:
            quantize_activations(net, example=example)
    assert "\n" not in str(caught.value) and net.feats["a"] is kept and net.training


class Kept(Tap):
    """Reads what a hook keeps in the copy, too."""

    def __init__(self):
        super().__init__()
        self.a._forward_hooks.clear()
        self.a.register_forward_hook(self.keep)

    def keep(self, module, inputs, out):
        self.feats = {"a": out}


def test_a_hook_that_keeps_what_forward_reads_is_named():
    with pytest.raises(InputError, match="^Kept computes .*because a hook on a keeps a tensor.*needs$") as caught:
        quantize_activations(Kept(), example=torch.randn(8, 6))
    assert "\n" not in str(caught.value)


def test_a_users_eval_is_not_called_on_the_users_network():
    """One that merges weights, as adapters do, would change them."""

    class Merging(Net):
        def train(self, mode=True):
            if not mode and self.training:
                self.a.weight.data.mul_(2)
            return super().train(mode)

        def forward(self, x):
            return self.o(torch.relu(self.a(x) * (1 if not self.training else 2)))

    net, x = Merging(), torch.randn(4, 6)
    before = net.a.weight.clone()
    with pytest.raises(InputError):
        quantize_activations(net, example=x)
    assert net.training and torch.equal(net.a.weight, before)


def test_everything_is_put_back():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    shape, state = repr(net), copy.deepcopy(net.state_dict())
    with untouched(net):
        net.eval()[1](torch.randn(4, 2))
        net.train()(torch.randn(4, 2))
        with torch.no_grad():
            net[0].weight.add_(1)
        net[0].extra, net[0].bias = 3, None
        net.append(nn.ReLU())
        net[1].eval()
    assert repr(net) == shape and net[1].training and not hasattr(net[0], "extra")
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("with_example", [True, False])
def test_a_tap_that_forward_does_not_read_is_no_fault(with_example):
    class Watched(Tap):
        def forward(self, x):
            return self.o(torch.relu(self.b(torch.relu(self.a(x)))) + 1)

    net, x = Watched(), torch.randn(8, 6)
    net(x)
    kept = net.feats["a"]
    ann = quantize_activations(net, L=1 << 16, threshold=8.0, example=x if with_example else None)
    torch.testing.assert_close(ann(x), net(x), rtol=1e-3, atol=1e-3)
    assert kept.shape == net.feats["a"].shape
