"""ReLUs in other words: found where they are ReLUs at every number and in training, left as they are elsewhere."""

from __future__ import annotations

import pytest
import torch
from csqcfs.conversion.quantize import quantize_activations, report, trace
from csqcfs.conversion.snn import convert
from csqcfs.engine.errors import InputError
from csqcfs.engine.spellings import respell
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    """The activation ``act`` twice, the second time behind neurons and where its input is read again."""

    def __init__(self, act):
        super().__init__()
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            self.a, self.b, self.c = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 2, 1)
        self.act = act
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("zero", torch.zeros(()))
        self.register_buffer("limits", torch.linspace(0.5, 1, 4)[:, None, None])

    def forward(self, x):
        h = self.act(self, self.a(x))
        h = self.b(h) + h
        return self.c(self.act(self, h) - h).mean((2, 3))


def assigned(net, h):
    h = h.clone()
    h[h < 0] = 0
    return h


RELUS = {
    "maximum": lambda net, h: torch.maximum(h, torch.zeros_like(h)),
    "maximum of a constant": lambda net, h: torch.maximum(torch.tensor(0.0), h),
    "maximum of a buffer": lambda net, h: torch.maximum(h, net.zero),
    "max": lambda net, h: torch.max(h, h.new_zeros(())),
    "method": lambda net, h: h.max(torch.zeros(h.shape)),
    "fmax": lambda net, h: torch.fmax(h, 0 * h),
    "minimum": lambda net, h: -torch.minimum(-h, torch.zeros_like(h)),
    "mask": lambda net, h: h * (h > 0),
    "mask of floats": lambda net, h: (h > 0).float() * h,
    "detached mask": lambda net, h: h * (h.detach() > 0).to(h.dtype),
    "where": lambda net, h: torch.where(h > 0, h, 0.0),
    "where not": lambda net, h: torch.where(h <= 0, torch.zeros_like(h), h),
    "masked_fill": lambda net, h: h.masked_fill(h < 0, 0),
    "assigned": assigned,
    "absolute": lambda net, h: (h + h.abs()) / 2,
    "sign": lambda net, h: h * (h.sign() + 1) / 2,
    "leaky": lambda net, h: F.leaky_relu(h, 0.0),
    "clamp of a buffer": lambda net, h: h.clamp(min=net.zero),
    "operator": lambda net, h: torch.ops.aten.relu(h),
}
CLIPPED = {
    "clamp": lambda net, h: F.relu(h).clamp(max=0.5),
    "clamp_max": lambda net, h: torch.clamp_max(F.relu(h), 0.5),
    "minimum": lambda net, h: torch.minimum(F.relu(h), torch.full_like(h, 0.5)),
    "swapped": lambda net, h: F.relu(h.clamp(max=0.5)),
    "where": lambda net, h: torch.where(h > 0.5, 0.5, h * (h > 0)),
}
OTHERS = {
    "straight through": lambda net, h: h + (F.relu(h) - h).detach(),
    "leaky": lambda net, h: F.leaky_relu(h, 0.01),
    "trained slope": lambda net, h: torch.where(h > 0, h, net.weight * h),
    "trained bound": lambda net, h: torch.maximum(h, net.weight),
    "bound of each channel": lambda net, h: torch.minimum(F.relu(h), net.limits),
    "above the mean": lambda net, h: h * (h > h.mean()),
    "of the neighbour": lambda net, h: torch.where(h.roll(1, 3) > 0, h, 0.0),
    "far bend": lambda net, h: torch.maximum(h, torch.full_like(h, -1e-3)),
    "hard swish": lambda net, h: h * F.relu6(h + 3) / 6,
}


def images(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=dtype)


def relu(net, h):
    return h.relu()


def clipped(net, h):
    return h.clamp(0, 0.5)


@pytest.mark.parametrize(
    ("act", "meant", "example", "dtype"),
    [
        *(pytest.param(act, relu, True, torch.float32, id=name) for name, act in RELUS.items()),
        *(pytest.param(act, clipped, True, torch.float32, id=f"clipped {name}") for name, act in CLIPPED.items()),
        *(pytest.param(RELUS[name], relu, False, torch.float64, id=f"{name} untried") for name in ("max", "mask")),
        *(pytest.param(RELUS[name], relu, True, torch.bfloat16, id=f"{name} in bfloat16") for name in ("max", "mask")),
    ],
)
def test_a_relu_in_other_words_is_one(act, meant, example, dtype):
    x = images(dtype)
    found, wanted = (
        quantize_activations(Net(a).to(dtype).eval(), 4, 1.0, x if example else None) for a in (act, meant)
    )
    assert [(line.site, line.now) for line in report(found)] == [("act", "QCFS"), ("act_2", "QCFS")]
    assert torch.equal(convert(found)(x, 3), convert(wanted)(x, 3))
    for ann in (found, wanted):
        ann.train()(x).square().mean().backward()
    for (name, one), two in zip(found.named_parameters(), wanted.parameters(), strict=True):
        assert name == "weight" or torch.equal(one.grad, two.grad), name


@pytest.mark.parametrize("act", OTHERS.values(), ids=OTHERS)
def test_what_is_no_relu_stays(act):
    net, x = Net(act).eval(), images()
    graph = trace(net, (x,))
    before = [(node.op, node.target) for node in graph.graph.nodes if "relu" not in str(node.target)]
    respell(graph)
    assert [(node.op, node.target) for node in graph.graph.nodes if "relu" not in str(node.target)] == before
    torch.testing.assert_close(graph(x), net(x), rtol=0, atol=0)
    if act is not OTHERS["straight through"]:  # which the probe takes, around the F.relu in it
        with pytest.raises(InputError) as caught:
            quantize_activations(net, 4, 1.0, x)
        assert "\n" not in str(caught.value)


def test_what_only_hands_a_relu_on_stays():
    """Dropout too: in evaluation its value is the ReLU's."""
    net = Net(lambda net, h: F.dropout(F.relu(h), 0.5, net.training).clone() * 1).eval()
    ann = quantize_activations(net, 4, 1.0, images())
    assert [line.was for line in report(ann) if line.now == "QCFS"] == ["relu()", "relu()"]
    assert sum(isinstance(module, nn.Dropout) for module in ann.modules()) == 2


def test_the_report_has_the_users_word():
    ann = quantize_activations(Net(RELUS["mask"]).eval(), 4, 1.0, images())
    assert [line.was for line in report(ann)] == ["mul()", "mul()"]
