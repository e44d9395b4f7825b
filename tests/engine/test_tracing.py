"""What a forward asks Python, numpy and torch about its values while it is traced has the answers of a real run."""

from __future__ import annotations

import types

import numpy as np
import pytest
import torch
from csqcfs import InputError, convert, quantize_activations
from torch import nn


class Net(nn.Module):
    def __init__(self, wiring):
        super().__init__()
        self.a, self.o, self.wiring = nn.Linear(6, 8), nn.Linear(8, 3), wiring

    def forward(self, x):
        return self.o(self.wiring(torch.relu(self.a(x))))


RIGHT = {
    "numpy of a size": lambda h: h / np.sqrt(h.shape[1]),
    "a numpy number first": lambda h: np.sqrt(h.shape[1]) * h - np.float32(0.5) + np.int64(1) / np.float64(3),
    "a numpy size": lambda h: h.view(-1, np.int64(8)),
    "numpy of two sizes": lambda h: h * np.maximum(h.shape[1], 3),
    "numpy of all sizes": lambda h: h.view(len(h), int(np.prod(h.shape[1:]))),
    "numpy to Python": lambda h: h * float(np.ceil(h.shape[1] * 1.5)) / np.sqrt(h.size(1)).item(),
    "tensor of a size": lambda h: h / torch.sqrt(torch.tensor(h.shape[1])),
    "tensor of sizes": lambda h: h / torch.as_tensor([h.shape[1], 2.0], dtype=h.dtype).prod(),
    "tensor of the number": lambda h: h + torch.tensor(h.shape[0]) * 0,
    "type is": lambda h: h * 2 if type(h) is torch.Tensor else h,
    "type in": lambda h: h * 2 if type(h) in (torch.Tensor, nn.Parameter) else h,
    "type of a size": lambda h: h * 2 if type(h.shape[1]) is int and int is int else h,
    "type as a class": lambda h: h * 2 if isinstance(type(h), type) and type("A", (), {})() else h,
    "is_tensor": lambda h: h * 2 if torch.is_tensor(h) and not torch.is_tensor(h.shape) else h,
    "dtype ==": lambda h: h * 2 if h.dtype == torch.float32 or h.dtype in (torch.float64,) else h,
    "a size among sizes": lambda h: h * 2 if 8 in h.shape[1:] else h,
}


@pytest.mark.parametrize("name", RIGHT)
def test_answers_are_those_of_a_run(name):
    torch.manual_seed(0)
    net, x, more = Net(RIGHT[name]), torch.randn(3, 6), torch.randn(5, 6)
    ann = quantize_activations(net, L=1 << 16, threshold=8.0, example=x)
    for some in (x, more):
        torch.testing.assert_close(ann(some), net(some), rtol=1e-3, atol=1e-3)
    assert convert(ann)(more, 2).shape == (2, 5, 3)
    assert type is __builtins__["type"] and "type" not in globals()


ELSEWHERE = """
import torch

def rows(x):
    return [one for one in [x.reshape(len(x), -1)]][0]

def doubled(x):
    return inner(x) if isinstance(x, torch.Tensor) else x

def inner(x):
    return x * 2 if type(x) is torch.Tensor else x

class Template(torch.nn.Module):
    def forward(self, x):
        return self.head(torch.relu(self.a(x)))
"""
helpers = types.ModuleType("helpers")
exec(ELSEWHERE, vars(helpers))


def test_files_that_a_forward_only_calls_have_the_answers_of_a_run():
    """A helper, what it calls, and a base class, each in another file than the network's class."""

    class Below(helpers.Template):
        def __init__(self):
            super().__init__()
            self.a, self.o = nn.Linear(6, 8), nn.Linear(8, 3)

        def head(self, h):
            return self.o(helpers.doubled(helpers.rows(h.view(len(h), 2, 4))))

    net, x, more = Below(), torch.randn(3, 6), torch.randn(5, 6)
    ann = quantize_activations(net, L=1 << 16, threshold=8.0, example=x)
    assert not {"len", "isinstance", "type"} & vars(helpers).keys() | {"len"} & globals().keys()
    torch.testing.assert_close(ann(more), net(more), rtol=1e-3, atol=1e-3)
    assert convert(ann)(more, 2).shape == (2, 5, 3)


WRONG = {
    r"numpy.sqrt.. takes the value of a tensor to Python; use that of torch": lambda h: h * np.sqrt(h.sum()),
    r"perhaps because `is` compares .*\(test_tracing.py:\d+\); compare types and devices with ==": (
        lambda h: h * 2 if h.dtype is torch.float32 else h
    ),
}


@pytest.mark.parametrize("named", WRONG)
def test_what_a_trace_cannot_answer_is_named(named):
    with pytest.raises(InputError, match=named) as caught:
        quantize_activations(Net(WRONG[named]), example=torch.randn(3, 6))
    assert "\n" not in str(caught.value)


BY_TYPE = {
    "is_floating_point": lambda x: x if x.is_floating_point() else x.float() / 255,
    "of torch": lambda x: x if torch.is_floating_point(x) else x.float() / 255,
    "dtype ==": lambda x: x.float() / 255 if x.dtype == torch.uint8 else x.float(),
    "dtype in": lambda x: x if x.dtype in (torch.float32, torch.float64) else x.float() / 255,
    "of a dtype": lambda x: x if x.dtype.is_floating_point else x.float() / 255,
    "type": lambda x: x.float() / 255 if x.type() == "torch.ByteTensor" else x,
}


class Images(nn.Module):
    """Takes what ``floats`` makes of images."""

    def __init__(self, floats):
        super().__init__()
        self.a, self.o, self.floats = nn.Linear(6, 8), nn.Linear(8, 3), floats

    def forward(self, x):
        return self.o(torch.relu(self.a(self.floats(self, x))))


@pytest.mark.parametrize("first", [torch.uint8, torch.float32])
@pytest.mark.parametrize("name", BY_TYPE)
def test_a_network_that_decides_by_a_type_is_held_to_it(name, first):
    """Images of bytes are divided by 255, and floats would be divided again by the graph of bytes."""
    net, x = Images(lambda m, x: BY_TYPE[name](x)), torch.randint(0, 256, (3, 6)).to(torch.uint8)
    example, other = (x, x / 255) if first == torch.uint8 else (x / 255, x)
    ann = quantize_activations(net, L=1 << 16, threshold=8.0, example=example)
    torch.testing.assert_close(ann(example), net(example), rtol=1e-3, atol=1e-3)
    snn = convert(ann)
    assert snn(example, 2).shape == (2, 3, 3)
    for call in (ann, lambda x: snn(x, 2)):
        with pytest.raises(InputError, match=r"and was \S+ for the example; quantize it .*test_tracing.py") as caught:
            call(other)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("floats", [lambda m, x: x.float(), lambda m, x: x.to(m.a.weight.dtype)])
def test_a_network_that_asks_for_no_type_of_its_images_takes_any(floats):
    net, x = Images(floats), torch.randint(0, 4, (3, 6))
    for example in (x, x.float()):
        ann = quantize_activations(net, L=1 << 16, threshold=8.0, example=example)
        for some in (x, x.float(), x.to(torch.uint8)):
            torch.testing.assert_close(ann(some), net(some), rtol=1e-3, atol=1e-3)


def test_a_type_is_held_as_far_as_a_network_may_change_its_precision():
    net, x = Images(lambda m, x: BY_TYPE["dtype in"](x)), torch.randn(3, 6)
    ann = quantize_activations(net, example=x).double()
    assert ann(x.double()).dtype == torch.float64 and convert(ann)(x.double(), 2).dtype == torch.float64


def monitor(module, inputs, out):
    print(out.mean().item())


class Monitor:
    def __call__(self, module, inputs):
        self.last = inputs[0].numpy()


@pytest.mark.parametrize(
    "register, named",
    [
        (lambda part: part.register_forward_hook(monitor), "the hook monitor on part"),
        (lambda part: part.register_forward_pre_hook(Monitor()), "the hook Monitor on part"),
        (
            lambda part: part.register_forward_hook(lambda m, i, out: print(float(out.sum()))),
            "the hook <lambda> on part",
        ),
    ],
)
def test_a_hook_that_takes_values_to_python_is_named(register, named):
    net = nn.Sequential(nn.Linear(6, 8))
    net.add_module("part", nn.Sequential(nn.ReLU(), nn.Linear(8, 3)))
    handle = register(net.part)
    with pytest.raises(InputError, match=f"at part .*remove {named} first$") as caught:
        quantize_activations(net, example=torch.randn(3, 6))
    handle.remove()
    assert "\n" not in str(caught.value) and quantize_activations(net, example=torch.randn(3, 6))


class Reweighted(Net):
    def __init__(self, wiring):
        super().__init__(wiring)
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        h = torch.relu(self.a(x))
        return self.o(torch.func.functional_call(self.layer, {"weight": self.layer.weight * self.wiring(h)}, (h,)))


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.parametrize("named", ["a function of torch.jit", "torch.func.functional_call", "torch.vmap", "a lambda"])
def test_what_takes_no_symbolic_values_is_named(named):
    wiring = {
        "a function of torch.jit": lambda: torch.jit.trace(lambda h: h * 2, torch.ones(2, 8)),
        "torch.func.functional_call": lambda: torch.mean,
        "torch.vmap": lambda: torch.vmap(lambda row: row * 2),
        "a lambda": lambda: (lambda outside: lambda h: h @ outside.weight)(nn.Linear(8, 8)),
    }
    kind = Reweighted if "functional" in named else Net
    for example in (torch.randn(3, 6), None):
        with pytest.raises(InputError, match=f"cannot be traced by torch.fx .*; {named} ") as caught:
            quantize_activations(kind(wiring[named]()), example=example)
        assert "\n" not in str(caught.value) and "control flow" not in str(caught.value)
