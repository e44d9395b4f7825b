"""Surgery: every call site gets its own activation, pooling keeps its geometry, switches keep the function."""

from __future__ import annotations

import copy
import math
import pickle
import types

import pytest
import torch
from csqcfs import QCFS
from csqcfs.conversion.family import sites, to_channelwise
from csqcfs.conversion.quantize import Replacement, quantize_activations, report
from csqcfs.conversion.snn import convert
from csqcfs.engine.errors import InputError
from csqcfs.models import build
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn
from torch.nn import functional as F
from torch.nn.modules.utils import _triple

pytestmark = pytest.mark.usefixtures("resnet8")


class Wired(nn.Module):
    """A few layers joined by the function ``wiring``."""

    def __init__(self, wiring):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.relu, self.leaky, self.gate = nn.ReLU(), nn.LeakyReLU(0.0), Gate()
        self.wiring = wiring

    def forward(self, x):
        return self.wiring(self, self.norm(self.conv(x)))


class Gate(nn.Module):
    """What torch.fx cannot follow, one level down."""

    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        yield


def wired(wiring) -> nn.Module:
    return Wired(wiring).eval()


def images(count: int = 2, size: int = 8) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def snapshot(model: nn.Module) -> tuple:
    return (
        [(name, type(m), m.training) for name, m in model.named_modules()],
        {name: value.clone() for name, value in model.state_dict().items()},
    )


def assert_unchanged(model: nn.Module, before: tuple) -> None:
    modules, state = snapshot(model)
    assert modules == before[0] and list(state) == list(before[1])
    assert all(torch.equal(value, before[1][name]) for name, value in state.items())


# every call site


@pytest.mark.parametrize(
    ("call", "was"),
    [
        (lambda m, x: m.relu(x), "ReLU"),
        (lambda m, x: nn.ReLU(inplace=True)(x), "relu()"),
        (lambda m, x: F.relu(x), "relu()"),
        (lambda m, x: F.relu(x, inplace=True), "relu()"),
        (lambda m, x: F.relu_(x), "relu_()"),
        (lambda m, x: torch.relu(x), "relu()"),
        (lambda m, x: torch.relu_(x), "relu_()"),
        (lambda m, x: x.relu(), "relu()"),
        (lambda m, x: x.relu_(), "relu_()"),
        (lambda m, x: F.relu(input=x), "relu()"),
        (lambda m, x: m.relu(input=x), "ReLU"),
        (lambda m, x: m.leaky(x), "LeakyReLU"),
    ],
)
def test_every_way_to_write_a_relu(call, was):
    model = wired(call)
    quantized = quantize_activations(model, L=8, threshold=1.5)
    (site,) = sites(quantized).values()
    assert type(site) is QCFS and site.L == 8 and site.threshold.item() == 1.5
    x = images()
    assert torch.equal(quantized(x), QCFS(8, 1.5)(model.norm(model.conv(x))))
    (line,) = report(quantized)
    assert (line.was, line.now) == (was, "QCFS") and line.site in sites(quantized)


@given(st.lists(st.sampled_from(["module", "function", "method"]), min_size=1, max_size=6))
@settings(max_examples=12, deadline=None)
def test_each_call_site_has_a_threshold_of_its_own(calls):
    ways = {"module": lambda m, x: m.relu(x), "function": lambda m, x: F.relu(x), "method": lambda m, x: x.relu()}

    def chain(m, x):
        for call in calls:
            x = ways[call](m, x) - 0.1
        return x

    model = wired(chain)
    quantized = quantize_activations(model, L=4, example=images())
    found, thetas = sites(quantized), torch.linspace(0.3, 2.0, len(calls))
    with torch.no_grad():
        for module, theta in zip(found.values(), thetas, strict=True):
            module.raw.copy_(theta)
    assert len(found) == len(calls) == len({id(module.raw) for module in found.values()}) == len(report(quantized))
    assert [line.site for line in report(quantized)] == list(found)
    assert sum(isinstance(m, nn.ReLU) for m in quantized.modules()) == 0
    x = images()
    expected = model.norm(model.conv(x))
    for theta in thetas:
        expected = QCFS(4, float(theta))(expected) - 0.1
    assert torch.equal(quantized(x), expected)


def test_names_follow_the_modules_and_the_order_of_calls():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.relu, self.relu_2 = nn.Conv2d(3, 3, 1), nn.ReLU(), nn.ReLU()

        def forward(self, x):
            return F.relu(self.relu_2(self.relu(self.relu(self.a(x))))) + torch.relu(x)

    quantized = quantize_activations(nn.Sequential(Block(), nn.ReLU()), example=images())
    assert list(sites(quantized)) == ["0.relu", "0.relu_3", "0.relu_2", "0.act", "0.act_2", "1"]


def test_one_relu_under_two_names():
    relu = nn.ReLU()
    quantized = quantize_activations(nn.Sequential(nn.Conv2d(3, 3, 1), relu, nn.Conv2d(3, 3, 1), relu))
    first, second = sites(quantized).values()
    assert first is not second and first.raw is not second.raw


def test_channels_of_convolutions_and_linear_layers():
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 5), nn.ReLU())
    example = images()
    assert [m.channels for m in sites(quantize_activations(model, example=example)).values()] == [6, 5]
    assert [m.channels for m in sites(quantize_activations(model)).values()] == [None, None]
    fine = to_channelwise(quantize_activations(model, example=example))
    assert [list(m.threshold.shape) for m in sites(fine).values()] == [[6], [5]]
    assert fine(example).shape == (2, 5)


# pooling and dropout


MAX = st.fixed_dictionaries(
    {
        "kernel_size": st.sampled_from([2, 3, (2, 3)]),
        "stride": st.sampled_from([None, 1, 2]),
        "padding": st.sampled_from([0, 1]),
        "ceil_mode": st.booleans(),
    }
)


@given(MAX, st.integers(6, 11), st.booleans())
@settings(max_examples=15, deadline=None)
def test_average_pooling_has_the_geometry_of_max_pooling(geometry, size, functional):
    pool = nn.MaxPool2d(**geometry)

    def wiring(m, x):
        x = m.relu(x)
        return F.max_pool2d(x, **geometry) if functional else m.pool(x)

    model = wired(wiring)
    model.pool = pool
    quantized = quantize_activations(model, L=4, threshold=1.0, example=images(2, size))
    x = images(2, size)
    before = QCFS(4, 1.0)(model.norm(model.conv(x)))
    expected = F.avg_pool2d(
        before, geometry["kernel_size"], geometry["stride"], geometry["padding"], geometry["ceil_mode"]
    )
    assert torch.equal(quantized(x), expected)
    assert quantized(x).shape == model(x).shape
    assert report(quantized)[1] == Replacement("pool", "max_pool2d()" if functional else "MaxPool2d", "AvgPool2d")


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda m, x: torch.max_pool2d(x, 2), nn.AvgPool2d),
        (lambda m, x: nn.MaxPool2d(2)(x), nn.AvgPool2d),
        (lambda m, x: F.max_pool2d(x, 2, 2, 0, 1, True), nn.AvgPool2d),
        (lambda m, x: F.max_pool2d(input=x, kernel_size=(3, 2)), nn.AvgPool2d),
        (lambda m, x: F.adaptive_max_pool2d(x, (2, 3)), nn.AdaptiveAvgPool2d),
        (lambda m, x: F.max_pool1d(x.flatten(2), 4), nn.AvgPool1d),
        (lambda m, x: F.max_pool3d(x.unsqueeze(1), 2), nn.AvgPool3d),
    ],
)
def test_functional_max_pooling(call, kind):
    model = wired(lambda m, x: call(m, m.relu(x)))
    quantized = quantize_activations(model)
    assert sum(type(m) is kind for m in quantized.modules()) == 1
    assert quantized(images()).shape == model(images()).shape


@pytest.mark.parametrize("pool", [nn.MaxPool1d(2), nn.MaxPool3d(2), nn.AdaptiveMaxPool1d(3), nn.AdaptiveMaxPool2d(3)])
def test_other_max_pooling_modules(pool):
    sizes = {"1d": (4, 8), "2d": (4, 8, 8), "3d": (4, 8, 8, 8)}
    x = torch.rand(2, *sizes[type(pool).__name__[-2:]])
    model = nn.Sequential(nn.ReLU(), pool)
    quantized = quantize_activations(model)
    assert quantized(x).shape == model(x).shape
    assert report(quantized)[1].now == type(pool).__name__.replace("Max", "Avg")
    torch.testing.assert_close(quantized(torch.ones_like(x) * 4), torch.full_like(model(x), 4.0))


@pytest.mark.parametrize(
    ("frames", "arguments"), [(2, (3, 1, 1)), (1, ((3, 1, 1), 1, (1, 0, 0))), (4, (3, 2, 1)), (5, (2, 2, (1, 0, 1)))]
)
def test_a_pooling_over_few_frames_takes_what_max_pooling_takes(frames, arguments):
    """The average over the padded kernel, where nn.AvgPool3d refuses an input smaller than the kernel (S3D)."""
    model, x = nn.Sequential(nn.ReLU(), nn.MaxPool3d(*arguments)), torch.rand(2, 3, frames, 5, 5)
    quantized = quantize_activations(model, L=4, threshold=1.0, example=x)
    kernel, stride, padding = (_triple(value) for value in arguments)
    weight = torch.full((3, 1, *kernel), 1 / math.prod(kernel))
    want = F.conv3d(QCFS(4, 1.0)(x), weight, None, stride, padding, 1, 3)
    assert want.shape == model(x).shape
    torch.testing.assert_close(quantized(x), want)
    torch.testing.assert_close(convert(quantized)(x, 4)[-1], want)  # in L steps the same levels


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.ReLU(), nn.MaxPool2d(2, dilation=2)),
        nn.Sequential(nn.ReLU(), nn.MaxPool2d(2, return_indices=True)),
        nn.Sequential(nn.ReLU(), nn.AdaptiveMaxPool2d(2, return_indices=True)),
    ],
)
def test_pooling_that_no_average_matches_is_refused(model):
    with pytest.raises(InputError, match="at 1 is dilated or returns indices.*use plain") as caught:
        quantize_activations(model)
    assert "\n" not in str(caught.value)


def test_pooling_over_a_size_that_depends_on_the_input_is_refused():
    with pytest.raises(InputError, match=r"max_pool2d\(\) in forward has a size that depends on the input; give"):
        quantize_activations(wired(lambda m, x: F.max_pool2d(m.relu(x), x.shape[2])))


@pytest.mark.parametrize("p", [0.3, None])
def test_functional_dropout_follows_the_mode(p):
    """Traced as it stands it would be frozen in the mode of the trace."""
    drop = (lambda x, t: F.dropout(x, training=t)) if p is None else (lambda x, t: F.dropout(x, p, t))
    quantized = quantize_activations(wired(lambda m, x: drop(m.relu(x) + 1, m.training)))
    (module,) = (m for m in quantized.modules() if isinstance(m, nn.Dropout))
    assert module.p == (p or 0.5) and report(quantized)[1] == Replacement("dropout", "dropout()", "Dropout")
    x = images()
    assert torch.equal(quantized.eval()(x), quantized(x))
    assert bool((quantized.train()(x) == 0).any()) and not bool((quantized.eval()(x) == 0).any())


def normed(mode):
    """A network with a batch norm and a dropout as functions, in training where ``mode`` says so."""

    class Norm(nn.Module):
        def __init__(self):
            super().__init__()
            for name in ("weight", "running_var"):
                self.register_buffer(name, torch.rand(4) + 0.5)
            for name in ("bias", "running_mean"):
                self.register_buffer(name, torch.randn(4))

        def forward(self, h):
            h = F.batch_norm(h, self.running_mean, self.running_var, self.weight, self.bias, mode(self), 0.1)
            return F.dropout(h, 0.5, training=mode(self))

    return nn.Sequential(nn.Conv2d(3, 4, 3), Norm(), nn.ReLU(), nn.Conv2d(4, 2, 1))


@pytest.mark.parametrize("example", [images(), None])
@pytest.mark.parametrize("mode", [lambda m: False, lambda m: m.training and hasattr(m, "thawed")])
@pytest.mark.parametrize("start", [False, True])
def test_what_never_trains_is_in_evaluation_in_every_mode(start, mode, example):
    """Traced in evaluation it looks as what follows the mode, which would overwrite its statistics in training."""
    net, x = normed(mode).train(start), images()
    ann = quantize_activations(net, L=1 << 16, threshold=8.0, example=example)
    for again in (ann, copy.deepcopy(ann), ann if example is None else pickle.loads(pickle.dumps(ann))):
        before = copy.deepcopy(again.state_dict())
        for training in (True, False):
            torch.testing.assert_close(again.train(training)(x), net.train(training)(x), rtol=1e-3, atol=1e-3)
        assert all(torch.equal(before[name], value) for name, value in again.state_dict().items())
    snn = convert(ann, example=x)
    assert example is None or not any("Norm" in type(m).__name__ for m in snn.modules())  # folded as any other


@pytest.mark.parametrize("example", [images(), None])
@pytest.mark.parametrize("mode", [lambda m: m.training, lambda m: bool(m.training), lambda m: not (not m.training)])
def test_what_follows_the_mode_goes_on_to(mode, example):
    ann = quantize_activations(normed(mode).eval(), example=example)
    before = copy.deepcopy(ann.state_dict())
    assert torch.equal(ann(images()), ann(images()))
    assert not torch.equal(ann.train()(images()), ann(images()))
    name = next(name for name in before if name.endswith("running_mean"))
    assert example is None or not torch.equal(before[name], ann.state_dict()[name])


# whole networks


def test_torchvision_resnet18_uses_each_relu_object_twice():
    models = pytest.importorskip("torchvision.models")
    model = models.resnet18(weights=None, num_classes=10)
    before = snapshot(model)
    quantized = quantize_activations(model, L=4, threshold=4.0, example=torch.zeros(2, 3, 32, 32))
    assert len(sites(quantized)) == 17 and sum(isinstance(m, nn.ReLU) for m in model.modules()) == 9
    assert "layer1.0.relu" in sites(quantized) and "layer1.0.relu_2" in sites(quantized)
    assert [m.channels for m in sites(quantized).values()] == [64] * 5 + [128] * 4 + [256] * 4 + [512] * 4
    lines = report(quantized)
    assert Replacement("maxpool", "MaxPool2d", "AvgPool2d") in lines and len(lines) == 18
    pool = quantized.get_submodule("maxpool")
    assert (pool.kernel_size, pool.stride, pool.padding) == (3, 2, 1)
    assert quantized.training and isinstance(quantized, fx.GraphModule)
    assert_unchanged(model, before)
    assert not {id(p) for p in quantized.parameters()} & {id(p) for p in model.parameters()}
    extra = sum(p.numel() for p in quantized.parameters()) - sum(p.numel() for p in model.parameters())
    assert extra == 17
    quantized(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(m.raw.grad is not None for m in sites(quantized).values())


@pytest.mark.large
def test_torchvision_vgg16_bn():
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        model = models.vgg16_bn(weights=None, num_classes=10)
    model.classifier = nn.Sequential(nn.Linear(512 * 49, 8), *list(model.classifier)[1:3], nn.Linear(8, 10))
    model = model.to_empty(device="cpu").eval()
    for p in model.parameters():
        nn.init.uniform_(p, -0.1, 0.1)
    quantized = quantize_activations(model, example=images(2, 32))
    assert len(sites(quantized)) == 14 and sites(quantized)["classifier.1"].channels == 8
    assert [m.channels for m in sites(quantized).values()][:4] == [64, 64, 128, 128]
    assert [line.now for line in report(quantized)].count("AvgPool2d") == 5
    assert not any(isinstance(m, (nn.ReLU, nn.MaxPool2d)) for m in quantized.modules())
    assert any(isinstance(m, nn.MaxPool2d) for m in model.modules())
    assert quantized(images(2, 32)).shape == (2, 10)


def test_a_high_L_approaches_the_relu_network():
    """Without max pooling the quantized network tends to the network itself."""
    model, x, errors = build("resnet8", width=0.5).train().requires_grad_(False), images(4), []
    model(x)  # running statistics other than 0 and 1
    model.eval()
    for L in (256, 4096, 65536):
        errors.append((quantize_activations(model, L, 40.0)(x) - model(x)).abs().mean().item())
    assert errors[0] > 4 * errors[1] > 16 * errors[2] and errors[2] < 0.05 * float(model(x).abs().mean())


def test_modes_survive_module_by_module():
    """Frozen norms stay frozen, with an example and without."""
    model = build("resnet8", width=0.25).train()
    frozen = [name for name, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    for name in frozen:
        model.get_submodule(name).eval()
    before = snapshot(model)
    for example in (None, images()):
        quantized = quantize_activations(model, example=example)
        modes = {name: m.training for name, m in quantized.named_modules()}
        assert not any(modes[name] for name in frozen) and modes[""]
        assert all(modes[name] for name in sites(quantized))
        resting = quantize_activations(copy.deepcopy(model).eval(), example=example)
        assert not any(m.training for m in resting.modules())
    assert_unchanged(model, before)


def test_the_example_does_not_touch_running_statistics():
    model = build("resnet8", width=0.25).train()
    quantized = quantize_activations(model, example=100 * images())
    for (name, one), two in zip(model.named_buffers(), quantized.buffers(), strict=True):
        assert torch.equal(one, two), name


# refusals


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda m, x: x, r"^Wired has no ReLU: expected at least one"),
        (lambda m, x: m.conv(F.gelu(m.relu(x))[:, :3]), r"^gelu\(\) at forward of Wired has no .*replace it by a ReLU"),
        (lambda m, x: F.gelu(m.relu(x)), r"^gelu\(\) at forward of Wired has no .*apply it to the SNN's scores"),
        (lambda m, x: m.conv(m.relu(x)[:, :3].softmax(1)), r"^softmax\(\) at forward of Wired"),
        (lambda m, x: m.relu(x) * m.relu(-x), r"^mul\(\) at forward of Wired"),
        (lambda m, x: (lambda y: y * y)(m.relu(x)), r"^mul\(\) at forward of Wired"),
        (lambda m, x: 1 / (1 + m.relu(x)), r"^truediv\(\) at forward of Wired"),
        (lambda m, x: m.gate(m.relu(x)), r"^Wired cannot be traced by torch.fx at gate \(.*control flow.*; take"),
        (lambda m, x: m.relu(x) if x.max() > 0 else x, r"^Wired cannot be traced by torch.fx \(.*control flow"),
    ],
)
def test_what_cannot_be_converted_is_one_line(call, named):
    model = wired(call)
    before = snapshot(model)
    with pytest.raises(InputError, match=named) as caught:
        quantize_activations(model, example=images())
    assert "\n" not in str(caught.value)
    assert_unchanged(model, before)


@pytest.mark.parametrize(
    "layer", [nn.GELU(), nn.SiLU(), nn.LeakyReLU(), nn.Tanh(), nn.LayerNorm(8), nn.GroupNorm(2, 4), nn.Hardtanh()]
)
def test_an_unsupported_module_is_named_with_its_place(layer):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Sequential(nn.Identity(), layer))
    with pytest.raises(InputError, match=rf"^{type(layer).__name__} at 2\.1 of Sequential has no counterpart"):
        quantize_activations(model, example=images())


class Silent(nn.Module):
    """An error without a message, in the trace or in the run."""

    def __init__(self, always: bool):
        super().__init__()
        self.always, self.relu = always, nn.ReLU()
        self.inner = nn.Linear(5, 5)

    def forward(self, x):
        if self.always:
            raise AssertionError
        return self.relu(self.inner(x))


def test_errors_without_a_message_still_give_one_line():
    with pytest.raises(InputError, match=r"^Silent cannot be traced by torch.fx \(AssertionError\); take"):
        quantize_activations(Silent(True))


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.sub_(0.5),
        lambda x: F.relu(x, inplace=True),
        lambda x: x.__setitem__((slice(None), 0), 0.0) or x,
        nn.Hardtanh(0, 1, inplace=True),
        lambda x: x.__imul__(2),
    ],
)
def test_the_example_stays_as_it_is(change):
    class Changing(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.change = nn.Linear(6, 4), change

        def forward(self, x):
            return F.relu(self.a(self.change(x)))

    x, before = images(2, 6)[:, 0, 0], images(2, 6)[:, 0, 0]
    convert(quantize_activations(Changing(), example=x), example=x)
    assert torch.equal(x, before)


class Marked(torch.Tensor):
    """What libraries of images make of tensors; PyTorch refuses to copy it."""


@pytest.mark.parametrize("kind", [Marked, nn.Parameter])
def test_an_example_of_a_subclass_is_taken_as_a_tensor(kind):
    net, x = wired(lambda m, x: m.relu(x)), images()
    example = x.as_subclass(kind) if kind is Marked else kind(x)
    ann = quantize_activations(net, example=example)
    assert type(example) is kind and {type(e) for e in ann.meta["example"]} == {torch.Tensor}
    convert(copy.deepcopy(ann), example=example)
    convert(quantize_activations(net), example=example)


INTEGERS = {
    "clamp": lambda t: t.clamp(min=0),
    "clamp to a bound": lambda t: torch.clamp(t, 0, 8),
    "relu": F.relu,
    "relu method": lambda t: t.relu(),
    "relu module": nn.ReLU(),
    "relu6 of a size": lambda t: t + torch.zeros(t.shape[0], 1, dtype=t.dtype).relu(),
    "max pooling": lambda t: F.max_pool2d(t.long()[:, None], (1, 1))[:, 0],
}


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize("kind", INTEGERS)
def test_whole_numbers_are_no_activations(kind, dtype):
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.a, self.o = nn.Embedding(9, 6), nn.Linear(6, 8), nn.Linear(8, 3)
            self.before = INTEGERS[kind]

        def forward(self, t):
            return self.o(F.relu(self.a(self.words(self.before(t)))).mean(1))

    net, t = Words(), torch.randint(9, (3, 5)).to(dtype)
    ann = quantize_activations(net, L=1 << 16, threshold=8.0, example=t)
    assert list(sites(ann)) == ["act"]
    torch.testing.assert_close(ann(t), net(t), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(convert(ann)(t, 2)[-1], net(t), rtol=5, atol=5)


def test_bad_examples_are_one_line():
    model = Silent(False)
    for example, named in (
        (torch.zeros(2, 4), r"^the network does not run on an example of shape \[2, 4\] \(.*; pass"),
        ([torch.zeros(2, 5)], "^example of type list: expected a batch"),
        (3, "^example of type int"),
    ):
        with pytest.raises(InputError, match=named) as caught:
            quantize_activations(model, example=example)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"L": 0}, "^L = 0"),
        ({"threshold": 0.0}, "^threshold = 0"),
        ({"threshold": math.nan}, "^threshold = nan"),
        ({"threshold": -1.0}, "^threshold = -1"),
        ({"window": "none"}, "^window = 'none'"),
    ],
)
def test_bad_settings_reach_the_caller(arguments, named):
    with pytest.raises(InputError, match=named):
        quantize_activations(nn.Sequential(nn.ReLU()), **arguments)


@pytest.mark.parametrize(
    ("dtype", "threshold"),
    [
        (torch.float16, 1e5),
        (torch.float16, 1e-8),
        (torch.bfloat16, 1e-41),
        (torch.float32, 1e39),
        (torch.float32, 1e-46),
    ],
)
def test_a_threshold_is_one_of_the_type_of_the_network(dtype, threshold):
    named = rf"^threshold = {threshold:g}: expected a finite value above 0 in {dtype}; ".replace("+", r"\+")
    x = torch.randn(2, 4, dtype=dtype)
    for value in (threshold, torch.tensor(threshold, dtype=torch.float64)):
        net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)).to(dtype)
        with pytest.raises(InputError, match=named) as caught:
            quantize_activations(net, threshold=value, example=x)
        assert "\n" not in str(caught.value)
        ann = quantize_activations(net.double(), threshold=value, example=x.double())  # there it is a threshold
        assert float(sites(ann)["1"].threshold.detach()) == threshold and sites(ann)["1"].raw.dtype == torch.float64
    if threshold < 1:  # PyTorch refuses a larger bound
        net[1] = nn.Hardtanh(0, threshold)
        with pytest.raises(InputError, match=named):
            quantize_activations(net.to(dtype), example=x)


def test_quantizing_twice_says_what_to_call_instead():
    with pytest.raises(InputError, match="^1 of Sequential is quantized already.*use to_channelwise"):
        quantize_activations(quantize_activations(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())))


def test_report_of_other_networks_is_empty():
    assert report(nn.Sequential(nn.ReLU())) == [] and sites(nn.Sequential(nn.ReLU())) == {}
    assert list(sites(nn.Sequential(nn.Linear(2, 2), QCFS()))) == ["1"]  # untraced too
    quantized = quantize_activations(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.ReLU()))
    report(quantized).clear()
    assert len(report(quantized)) == 2


class Squeezed(nn.Module):
    """An activation of one number for each image, given by its name alone."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 1), nn.Linear(1, 2)

    def forward(self, *, x):
        return self.b(torch.relu(self.a(x).squeeze(-1)).unsqueeze(-1))


class ByPosition(Squeezed):
    def forward(self, x):
        return super().forward(x=x)


def test_remedies_that_were_taken_already_are_not_named():
    x = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match="; let its forward take x without the name too$"):
        quantize_activations(Squeezed(), 4, 1.0, x)
    with pytest.raises(InputError, match="^act has no channels in the example: expected .* keep one threshold"):
        to_channelwise(quantize_activations(ByPosition(), 4, 1.0, x))


def test_a_max_pooling_with_another_forward_stays():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 2, 2)).eval()
    net[2].forward = types.MethodType(lambda self, x: 7 * F.avg_pool2d(x, 2), net[2])
    x = torch.randn(2, 3, 8, 8)
    ann = quantize_activations(net, 1 << 14, 8.0, x)
    torch.testing.assert_close(ann(x), net(x), atol=2e-3, rtol=0)


@pytest.mark.parametrize("example", [torch.randn(2, 3, 8, 8), None])
def test_a_forward_of_the_instance_alone_is_named(example):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    net.forward = types.MethodType(lambda self, x: 2 * nn.Sequential.forward(self, x), net)
    with pytest.raises(InputError, match="^Sequential has a forward of this instance alone: .*subclass$"):
        quantize_activations(net, example=example)


def test_the_report_of_a_wrapped_network():
    ann = quantize_activations(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    assert len(report(nn.DataParallel(ann))) == 1 == len(report(ann))
