"""What may stand between two layers of neurons, which is measured, and what is replaced, which goes by name."""

from __future__ import annotations

import math

import pytest
import torch
from csqcfs import InputError, quantize_activations
from csqcfs.engine import layers
from csqcfs.engine.traced import trace
from torch import fx, nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.7))
        self.layers = nn.ModuleList([nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.AvgPool2d(2)])
        self.written = forward

    def forward(self, x):
        return self.written(self, x)


AFFINE = {
    "convolution, norm, pooling": lambda m, x: m.layers[2](m.layers[1](m.layers[0](x))),
    "sum": lambda m, x: x + m.layers[0](x) - 3,
    "scaled by a number": lambda m, x: 0.5 * x / 3,
    "scaled by a parameter": lambda m, x: x * m.scale / m.scale,
    "method": lambda m, x: x.mul(2).div(3).add(1).neg(),
    "in place": lambda m, x: (x + 0).mul_(2).add_(1),
    "reshaped": lambda m, x: torch.cat([x.flatten(1), x.reshape(len(x), -1)], 1),
    "view by size": lambda m, x: x.view(x.size(0), -1),
    "mean": lambda m, x: x.mean((2, 3)).unsqueeze(1),
    "upsampled": lambda m, x: F.interpolate(F.pad(x, (1, 1)), scale_factor=2, mode="bilinear"),
    "divided by size": lambda m, x: x.sum((2, 3)) / 16,
}
NONLINEAR = {
    "square": lambda m, x: x * x,
    "product": lambda m, x: x * m.layers[0](x),
    "method square": lambda m, x: x.mul(x),
    "reciprocal": lambda m, x: 2 / (x + 9),
    "parameter over x": lambda m, x: m.scale / (x + 9),
    "quotient": lambda m, x: x / (x + 9),
    "floored": lambda m, x: torch.div(x, 2, rounding_mode="floor"),
    "gelu": lambda m, x: F.gelu(x),
    "maximum": lambda m, x: torch.maximum(x, -x),
    "exp": lambda m, x: x.exp(),
    "softmax": lambda m, x: F.softmax(x, 1),
    "clamp": lambda m, x: (x - 0.3).clamp(-1, 1),
    "sigmoid": lambda m, x: torch.sigmoid(x),
}


def images() -> torch.Tensor:
    return torch.randn(4, 2, 4, 4, generator=torch.Generator().manual_seed(0))


def behind_a_relu(forward) -> nn.Module:
    """``forward`` between two activations, where only what is affine may stand."""
    torch.manual_seed(0)
    return Net(lambda m, x: torch.relu(forward(m, torch.relu(x)).flatten(1).cumsum(1))).eval()


@pytest.mark.parametrize("forward", AFFINE.values(), ids=AFFINE)
def test_affine_operations_pass(forward):
    quantize_activations(behind_a_relu(forward), example=images())


@pytest.mark.parametrize("forward", NONLINEAR.values(), ids=NONLINEAR)
def test_other_operations_do_not(forward):
    with pytest.raises(InputError, match="has no counterpart"):
        quantize_activations(behind_a_relu(forward), example=images())


@pytest.mark.parametrize(
    ("forward", "bound"),
    [
        (lambda m, x: torch.relu(x), math.inf),
        (lambda m, x: x.clamp(min=0), math.inf),
        (lambda m, x: x.clip(0, 2), 2.0),
        (lambda m, x: F.hardtanh(x, 0, 3), 3.0),
        (lambda m, x: F.relu6(x), 6.0),
        (lambda m, x: F.threshold(x, 0, 0.0), math.inf),
        (lambda m, x: F.threshold(x, threshold=0.1, value=0), None),
        (lambda m, x: F.threshold(x, 0, -1), None),
        (lambda m, x: x.clamp(0.1), None),
        (lambda m, x: x.clamp(-1, 1), None),
        (lambda m, x: F.hardtanh(x), None),
        (lambda m, x: torch.clamp(x, max=1), None),
    ],
)
def test_bounds_of_clipped_relus(forward, bound):
    model = trace(Net(forward), (images(),))
    (node,) = (n for n in model.graph.nodes if n.op.startswith("call"))
    assert layers.bound(node, model) == bound


@pytest.mark.parametrize(
    ("module", "bound"),
    [
        (nn.ReLU6(), 6.0),
        (nn.Hardtanh(0, 3), 3.0),
        (nn.Threshold(0, 0), math.inf),
        (nn.Threshold(0.1, 0), None),
        (nn.Threshold(0, -1), None),
    ],
)
def test_bounds_of_modules(module, bound):
    model = fx.symbolic_trace(nn.Sequential(module))
    (node,) = (n for n in model.graph.nodes if n.op == "call_module")
    assert layers.bound(node, model) == bound


def test_place_names_the_module_whose_forward_calls():
    class Inner(nn.Module):
        def forward(self, x):
            return torch.relu(x)

    outer = nn.Sequential(nn.Identity(), nn.Sequential(Inner()))
    model = fx.symbolic_trace(outer)
    found = [(layers.describe(n, model), layers.place(n)) for n in model.graph.nodes if n.op.startswith("call")]
    assert found == [("Identity", "0"), ("relu()", "1.0")]


def pooled(m, x):
    h = F.dropout(F.relu(F.batch_norm(m.conv(x), m.mean, m.var)), 0.1, m.training)
    return torch.relu(m.conv2(F.max_pool2d(h, 2)))


class Named(nn.Module):
    """Operations that become modules, beside something else of each name that these would have."""

    def __init__(self, kind):
        super().__init__()
        self.conv, self.conv2 = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)
        self.register_buffer("mean", torch.randn(4))
        self.register_buffer("var", torch.rand(4) + 0.5)
        for name in ("act", "act_2", "pool", "norm", "dropout"):
            if kind == "module":
                setattr(self, name, nn.Conv2d(3, 3, 1))
            elif kind == "buffer":
                self.register_buffer(name, torch.rand(()))
            else:
                setattr(self, name, nn.Parameter(torch.rand(())) if kind == "parameter" else 0.5)
        self.kind = kind

    def forward(self, x):
        for name in ("act", "act_2", "pool", "norm", "dropout"):
            x = self.get_submodule(name)(x) if self.kind == "module" else x * getattr(self, name)
        return pooled(self, x)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("kind", ["parameter", "buffer", "module", "number"])
def test_new_modules_have_names_that_nothing_has(kind, deep):
    net, x = Named(kind).eval(), torch.randn(2, 3, 8, 8)
    net = nn.Sequential(net) if deep else net
    ann = quantize_activations(net, L=1 << 16, threshold=8.0, example=x)
    with torch.no_grad():
        pool = next(name for name, m in ann.named_modules() if isinstance(m, nn.AvgPool2d))
        ann.set_submodule(pool, nn.MaxPool2d(2))
        torch.testing.assert_close(ann(x), net(x), rtol=1e-3, atol=1e-3)


def test_a_module_named_as_a_function_of_another_kind():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.pool = nn.Conv2d(3, 3, 1), nn.ReLU()

        def forward(self, x):
            return F.max_pool2d(self.pool(self.conv(self.pool(self.conv(x)))), 2)

    ann = quantize_activations(Both(), example=torch.randn(2, 3, 8, 8))
    kinds = {name: type(m).__name__ for name, m in ann.named_children()}
    assert kinds == {"conv": "Conv2d", "pool": "QCFS", "pool_2": "QCFS", "pool_3": "AvgPool2d"}
