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
