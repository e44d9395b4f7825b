"""The networks: sizes the paper implies, call sites of ReLU, and torchvision's networks as a reference."""

from __future__ import annotations

import pytest
import torch
from csqcfs.conversion import family, quantize
from csqcfs.engine.errors import InputError
from csqcfs.engine.graphs import NOTED
from csqcfs.models import NETWORKS, build
from torch import nn

DEPTHS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
SITES = {"vgg16": 15, "resnet18": 17, "resnet20": 19, "resnet50": 49, "resnet101": 100}


def parameters(name: str, classes: int) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(name, classes).parameters())


def bottleneck_parameters(depths: tuple[int, ...], classes: int) -> int:
    """Parameters of a bottleneck network, by arithmetic: c inputs to a stage of p planes."""
    total, c = 27 * 64 + 2 * 64, 64
    for n, p in zip(depths, (64, 128, 256, 512), strict=True):
        shortcut = c * 4 * p + 2 * 4 * p
        norms = 2 * (p + p + 4 * p)
        total += shortcut + c * p + (n - 1) * 4 * p * p + n * (9 * p * p + 4 * p * p + norms)
        c = 4 * p
    return total + c * classes + classes


def relu_outputs(model: nn.Module, image: torch.Tensor) -> list[tuple[str, torch.Size]]:
    """Name and output shape of every call of a ReLU, in order."""
    calls: list[tuple[str, torch.Size]] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda m, i, out, name=name: calls.append((name, out.shape)))
    with torch.no_grad():
        model.eval()(image)
    return calls


@pytest.mark.parametrize(
    ("name", "classes", "count"),
    [
        ("resnet20", 10, 272_474),
        ("resnet18", 10, 11_173_962),
        ("vgg16", 10, 33_646_666),
        ("resnet20", 100, 278_324),
        ("resnet18", 100, 11_220_132),
        ("vgg16", 100, 34_015_396),
        ("resnet50", 100, 23_705_252),
        ("resnet101", 100, 42_697_380),
    ],
)
def test_parameter_counts(name, classes, count):
    assert parameters(name, classes) == count


@pytest.mark.parametrize("name", DEPTHS)
def test_bottleneck_counts_by_formula(name):
    assert parameters(name, 10) == bottleneck_parameters(DEPTHS[name], 10)
    assert parameters(name, 100) == bottleneck_parameters(DEPTHS[name], 100)


@pytest.mark.parametrize("name", NETWORKS)
def test_each_relu_call_site_has_its_own_module(name):
    calls = [site for site, _ in relu_outputs(build(name, width=0.1), torch.zeros(1, 3, 8, 8))]
    assert len(calls) == len(set(calls)) == SITES[name]
    assert all(site.rpartition(".")[2].startswith("act") for site in calls)


@pytest.mark.parametrize(
    ("name", "conv", "linear"), [("vgg16", 4224, 8192), ("resnet18", 3904, 0), ("resnet20", 688, 0)]
)
def test_threshold_channels(name, conv, linear):
    shapes = [shape for _, shape in relu_outputs(build(name), torch.zeros(1, 3, 8, 8))]
    assert sum(s[1] for s in shapes if len(s) == 4) == conv
    assert sum(s[1] for s in shapes if len(s) == 2) == linear


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [8, 15, 32])
def test_image_sizes_classes_and_channels(name, size):
    model = build(name, num_classes=7, width=0.05, in_channels=1).eval()
    with torch.no_grad():
        out = model(torch.randn(2, 1, size, size))
    assert out.shape == (2, 7) and bool(out.isfinite().all())


LARGE = {name: pytest.param(name, marks=pytest.mark.large) for name in ("resnet18", "resnet50", "resnet101")}


@pytest.mark.parametrize("name", [LARGE.get(name, name) for name in NETWORKS])
def test_quantized_sites(name):
    """`quantize_known` leaves out what compares and refuses, and gives the same network."""
    network, x = build(name, width=0.05), torch.randn(3, 3, 8, 8)
    state = torch.random.get_rng_state()
    known = quantize.quantize_known(network, 8, 2.0, x, window="clamp_floor")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert len(family.sites(known)) == SITES[name]
    assert not {type(module) for module in known.modules()} & {nn.ReLU, nn.MaxPool2d}

    measured = quantize.quantize_activations(network, 8, 2.0, x, window="clamp_floor")
    assert known.code == measured.code and str(known) == str(measured)
    for one, other in zip(known.graph.nodes, measured.graph.nodes, strict=True):
        kept = set(NOTED) - ({"line"} if one.op in ("placeholder", "output") else set())  # which is that of the call
        assert {key: one.meta.get(key) for key in kept} == {key: other.meta.get(key) for key in kept}
    for one, other in zip(known.modules(), measured.modules(), strict=True):
        assert type(one).__name__ == type(other).__name__ and one.training == other.training
        assert getattr(one, "channels", None) == getattr(other, "channels", None)
    ours, theirs = known.meta, measured.meta
    assert torch.equal(ours.pop("example")[0], theirs.pop("example")[0]) and ours == theirs
    for (one, mine), (other, tensor) in zip(known.state_dict().items(), measured.state_dict().items(), strict=True):
        assert one == other and torch.equal(mine, tensor)


def copy_in_order(source: nn.Module, target: nn.Module) -> None:
    """Random values in ``source``, then the same in ``target``, whose tensors stand in the same order."""
    generator = torch.Generator().manual_seed(0)
    for module in source.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
    ours, theirs = source.state_dict(), target.state_dict()
    target.load_state_dict(dict(zip(theirs, ours.values(), strict=True)))


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "vgg16"])
def test_same_function_as_torchvision(name):
    reference_name = {"vgg16": "vgg16_bn"}.get(name, name)
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        reference = getattr(models, reference_name)(weights=None, num_classes=10)
        if name == "vgg16":
            reference.avgpool = nn.Identity()
            reference.classifier[0] = nn.Linear(512, 4096)
        else:
            reference.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
            reference.maxpool = nn.Identity()
    reference.to_empty(device="cpu")
    model, size = build(name), 32 if name == "vgg16" else 12
    copy_in_order(model, reference)
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = model.eval()(x), reference.eval()(x)
    assert ours.std() > 1e-3
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


def test_width_scales_every_hidden_layer():
    whole, half = build("resnet20"), build("resnet20", width=0.5)
    for a, b in zip(whole.modules(), half.modules(), strict=True):
        if isinstance(a, nn.Conv2d):
            assert b.out_channels * 2 == a.out_channels
    narrow = build("vgg16", width=0.001)
    widths = {m.out_channels for m in narrow.features if isinstance(m, nn.Conv2d)}
    assert widths == {4}
    assert [m.out_features for m in narrow.classifier if isinstance(m, nn.Linear)] == [4, 4, 10]
    assert build("vgg16", width=0.01).classifier.linear1.out_features == 41


@pytest.mark.parametrize("name", ["vgg16", "resnet18"])
def test_initialisation(name):
    torch.manual_seed(0)
    model = build(name, width=0.5)
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 10_000:
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            assert float(module.weight.detach().std()) == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            assert not module.bias.any()


def test_vgg_dropout_is_in_the_classifier_only():
    drops = {name: m.p for name, m in build("vgg16", width=0.1).named_modules() if isinstance(m, nn.Dropout)}
    assert drops == {"classifier.dropout1": 0.5, "classifier.dropout2": 0.5}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"name": "resnet34"}, "name = 'resnet34'.*vgg16, resnet18, resnet20, resnet50, resnet101"),
        ({"num_classes": 0}, "num_classes = 0"),
        ({"num_classes": 10.0}, "num_classes = 10.0"),
        ({"num_classes": True}, "num_classes = True"),
        ({"in_channels": 0}, "in_channels = 0"),
        ({"width": 0}, "width = 0"),
        ({"width": -1.0}, "width = -1.0"),
        ({"width": float("nan")}, "width = nan"),
        ({"width": float("inf")}, "width = inf"),
        ({"width": "wide"}, "width = 'wide'"),
    ],
)
def test_bad_input_is_one_line(arguments, named):
    with pytest.raises(InputError, match=named) as caught:
        build(**({"name": "resnet20"} | arguments))
    assert "\n" not in str(caught.value)
