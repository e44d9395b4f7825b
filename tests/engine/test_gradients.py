"""A graph that would learn something else than its network is not trained, and every other one is."""

from __future__ import annotations

import csqcfs
import pytest
import torch
from csqcfs import InputError, convert, quantize_activations, to_channelwise
from csqcfs.engine.gradients import refuse_other_training
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        yield


class Function(torch.autograd.Function):
    """What ``forward`` computes, with another backward."""

    @staticmethod
    def forward(ctx, x):
        return x.sign()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Reversal(Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


class Rectified(torch.autograd.Function):
    """With the backward that its operations have, too."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * (ctx.saved_tensors[0] > 0)


class Net(nn.Module):
    """Wired by ``wiring`` on a stem's features."""

    def __init__(self, wiring, **parts):
        super().__init__()
        self.stem, self.b, self.o, self.wiring = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8, 4), wiring
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        return self.wiring(self, x)

    def head(self, h):
        return self.o(F.relu(self.b(h)).mean((2, 3)))


def under_no_grad(m, x):
    with torch.no_grad():
        h = F.relu(m.stem(x))
    return m.head(h)


def enabled_within(m, x):
    """Gradients where a caller has none is what a graph has anyway."""
    with torch.enable_grad():
        return m.head(F.relu(m.stem(x)))


def hook_on_a_value(m, x):
    h = F.relu(m.stem(x))
    if m.training and h.requires_grad:
        h.register_hook(lambda g: g * 0.1)
    return m.head(h)


def half_detached_by_no_grad(m, x):
    h = F.relu(m.stem(x))
    with torch.no_grad():
        scale = torch.sigmoid(m.b.weight.mean())
    return m.head(h * scale)


def backward_hook():
    part = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU())
    part.register_full_backward_hook(lambda m, into, out: (into[0] * 0,))
    return part


def masked():
    net = Net(plain)
    net.b.weight.register_hook(lambda g: g * 0)
    return net


def counted():
    net = Net(plain)
    net.b.weight.register_post_accumulate_grad_hook(lambda p: setattr(p, "grad", p.grad * 0))
    return net


def plain(m, x):
    return m.head(F.relu(m.stem(x)))


OTHER = {
    "no_grad": (lambda: Net(under_no_grad), "stem.weight of Net"),
    "no_grad on weights": (lambda: Net(half_detached_by_no_grad), "b.weight of Net"),
    "sign of weights": (
        lambda: Net(lambda m, x: m.head(F.conv2d(F.relu(m.stem(x)), Function.apply(m.b.weight)))),
        "b.weight of Net",
    ),
    "reversal": (lambda: Net(lambda m, x: m.head(Reversal.apply(F.relu(m.stem(x))))), "stem.weight of Net"),
    "hook on a value": (lambda: Net(hook_on_a_value), "stem.weight of Net"),
    "hook on a container": (
        lambda: Net(lambda m, x: m.head(m.part(F.relu(m.stem(x)))), part=backward_hook()),
        "stem.weight of Net",
    ),
    "hook on a parameter": (masked, "b.weight of Net has a hook"),
    "hook after a parameter": (counted, "b.weight of Net has a hook"),
    "old spectral norm": (
        lambda: Net(lambda m, x: m.head(m.part(F.relu(m.stem(x)))), part=nn.utils.spectral_norm(nn.Conv2d(8, 8, 3))),
        "part has the old torch.nn.utils.spectral_norm",
    ),
    "old weight norm": (
        lambda: Net(lambda m, x: m.head(m.part(F.relu(m.stem(x)))), part=nn.utils.weight_norm(nn.Conv2d(8, 8, 3))),
        "part has the old torch.nn.utils.weight_norm",
    ),
}
SET = (torch.randint(0, 256, (32, 3, 8, 8), dtype=torch.uint8), torch.arange(32) % 4)
SETTINGS = {"epochs": 1, "batch_size": 16, "progress": False}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("with_example", [True, False])
@pytest.mark.parametrize("name", OTHER)
def test_what_would_learn_something_else_is_converted_and_not_trained(name, with_example, training):
    make, named = OTHER[name]
    net, x = make().train(training), torch.randn(4, 3, 8, 8)
    ann = quantize_activations(net, threshold=0.5, example=x if with_example else None)
    assert convert(ann)(x, 2).shape == (2, 4, 4)
    for model in (ann, to_channelwise(ann)) if with_example else (ann,):
        before = [p.clone() for p in model.parameters()]
        with pytest.raises(InputError, match=named) as caught:
            csqcfs.fit(model, SET, **SETTINGS)
        assert "\n" not in str(caught.value)
        assert all(map(torch.equal, before, model.parameters()))
    csqcfs.fit(net, SET, **SETTINGS)


def frozen(net):
    net.stem.requires_grad_(False)
    return net


def tied(net):
    net.part.weight = net.b.weight
    return net


def aux(m, x):
    h = F.relu(m.stem(x))
    return (m.head(h), h) if m.training else m.head(h)


def raising(m, x):
    if m.training:
        raise RuntimeError("needs targets")
    return plain(m, x)


def cut(m, x):
    return m.head(F.relu(m.stem(x)).detach())


def straight_through(m, x):
    w = m.b.weight
    return m.o(F.relu(F.conv2d(F.relu(m.stem(x)), w + (w.sign() - w).detach())).mean((2, 3)))


def in_place(m, x):
    h = m.stem(x)
    h[:, 2:] = h[:, 2:] * 2
    h += 1
    return m.head(F.relu_(h) + 1)


SAME = {
    "plain": lambda: Net(plain),
    "detach": lambda: Net(cut),
    "frozen under no_grad": lambda: frozen(Net(under_no_grad)),
    "wholly frozen": lambda: Net(under_no_grad).requires_grad_(False),
    "enabled": lambda: Net(enabled_within),
    "straight through by operations": lambda: Net(straight_through),
    "a function with its own gradient": lambda: Net(lambda m, x: m.head(Rectified.apply(m.stem(x)))),
    "checkpoint": lambda: Net(lambda m, x: m.head(checkpoint(lambda h: F.relu(m.stem(h)), x, use_reentrant=False))),
    "in place": lambda: Net(in_place),
    "dropout": lambda: Net(
        lambda m, x: m.head(F.dropout(m.part(F.relu(m.stem(x))), 0.5, m.training)), part=nn.Dropout()
    ),
    "batch norm": lambda: Net(lambda m, x: m.head(F.relu(m.part(m.stem(x)))), part=nn.BatchNorm2d(8)),
    "batch norm of one value": lambda: Net(
        lambda m, x: m.o(F.relu(m.part(m.b(F.relu(m.stem(x))).mean((2, 3))))), part=nn.BatchNorm1d(8)
    ),
    "spectral norm": lambda: Net(
        lambda m, x: m.head(m.part(F.relu(m.stem(x)))), part=parametrizations.spectral_norm(nn.Conv2d(8, 8, 3))
    ),
    "weight norm": lambda: Net(
        lambda m, x: m.head(m.part(F.relu(m.stem(x)))), part=parametrizations.weight_norm(nn.Conv2d(8, 8, 3))
    ),
    "tied": lambda: tied(Net(lambda m, x: m.head(m.part(F.relu(m.stem(x)))), part=nn.Conv2d(8, 8, 3))),
    "unused": lambda: Net(plain, part=nn.Linear(2, 2)),
    "aux outputs in training": lambda: Net(aux).eval(),
    "raises in training": lambda: Net(raising).eval(),
    "a dict": lambda: Net(lambda m, x: {"scores": plain(m, x), "sizes": x.shape[2], "none": None}),
    "a tuple": lambda: Net(lambda m, x: (plain(m, x), F.relu(m.stem(x)))),
    "whole numbers": lambda: Net(lambda m, x: (plain(m, x), (x > 0).flatten(1).sum(1))),
    "complex": lambda: Net(lambda m, x: torch.complex(plain(m, x), plain(m, x) * 2)),
    "no gradient at all": lambda: Net(torch.no_grad()(plain)).requires_grad_(False),
}


@pytest.mark.parametrize("name", SAME)
def test_every_other_network_is_trained(name):
    net, x = SAME[name](), torch.randn(4, 3, 8, 8)
    ann = quantize_activations(net, threshold=0.5, example=x)
    refuse_other_training(ann, (x,))
    if net.training:
        refuse_other_training(quantize_activations(net.eval(), threshold=0.5, example=x), (x,))
    refuse_other_training(quantize_activations(net, threshold=0.5), (x,))
    if isinstance(net(x), torch.Tensor) and not net(x).is_complex() and any(p.requires_grad for p in net.parameters()):
        csqcfs.fit(ann, SET, **SETTINGS)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_types_are_compared_too(dtype):
    x = torch.randn(4, 3, 8, 8).to(dtype)
    for wiring, named in ((plain, None), (under_no_grad, "stem.weight"), (hook_on_a_value, "stem.weight")):
        net = Net(wiring).to(dtype)
        ann = quantize_activations(net, threshold=0.5, example=x)
        if named is None:
            refuse_other_training(ann, (x,))
        else:
            with pytest.raises(InputError, match=named):
                refuse_other_training(ann, (x,))


def test_a_network_of_ones_own_is_left_as_it_is():
    """Gradients, random numbers and statistics among it."""
    net, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout()), torch.randn(4, 3, 8, 8)
    net(x).sum().backward()
    state, gradients = {n: t.clone() for n, t in net.state_dict().items()}, [p.grad.clone() for p in net.parameters()]
    random = torch.get_rng_state()
    ann = quantize_activations(net, threshold=0.5, example=x)
    assert torch.equal(random, torch.get_rng_state()) and all(p.grad is None for p in ann.parameters())
    assert all(torch.equal(t, state[n]) for n, t in net.state_dict().items())
    assert all(torch.equal(p.grad, g) for p, g in zip(net.parameters(), gradients))


def test_gradients_are_compared_wherever_quantizing_is_called():
    net, x = Net(under_no_grad), torch.randn(4, 3, 8, 8)
    with torch.no_grad():
        ann = quantize_activations(net, threshold=0.5, example=x)
    with pytest.raises(InputError, match="stem.weight"):
        csqcfs.fit(ann, SET, **SETTINGS)


def test_gradients_are_computed_without_onednn_which_writes_past_its_buffers(monkeypatch):
    """In the weight gradient of a narrow network with weights in channels_last, as training leaves them."""
    used, backward = [], torch.autograd.backward
    monkeypatch.setattr(
        torch.autograd, "backward", lambda roots: (used.append(torch.backends.mkldnn.enabled), backward(roots))
    )
    before = torch.backends.mkldnn.enabled, torch.backends.mkldnn.fp32_precision
    net = csqcfs.models.build("resnet20", 10, 0.1).to(memory_format=torch.channels_last)
    quantize_activations(net, example=torch.randn(2, 3, 16, 16))
    assert used and not any(used)
    assert (torch.backends.mkldnn.enabled, torch.backends.mkldnn.fp32_precision) == before


def dropping(share):
    def wiring(m, x):
        h = F.relu(m.stem(x))
        return m.head(h if m.training and torch.rand(()) < share else m.part(h))

    return Net(wiring, part=nn.Conv2d(8, 8, 3))


@pytest.mark.parametrize("share", [0.001, 0.5])
def test_what_training_alone_draws_is_no_chance(share):
    """A graph made in evaluation lacks it, as a random depth: it converts and does not train."""
    net, x = dropping(share), torch.randn(4, 3, 8, 8)
    with pytest.raises(InputError, match="computes something else in training mode than its operations in evaluation"):
        quantize_activations(net, threshold=0.5, example=x)
    for example in (x, None):
        ann = quantize_activations(net.eval(), threshold=0.5, example=example)
        with pytest.raises(InputError, match="^Net computes something else in training mode than its graph, so that "):
            csqcfs.fit(ann, SET, **SETTINGS)
        assert csqcfs.convert(ann, example=x)(x, 2).isfinite().all()
