"""Networks and SNNs as files: the same outputs, and nothing in a file is believed that could be wrong."""

from __future__ import annotations

import copy
import functools
import os
import pickle
import threading
from pathlib import Path

import csqcfs
import pytest
import torch
from csqcfs import data, models
from csqcfs.conversion import family, quantize
from csqcfs.engine.checkpoint import load_state, save_state
from csqcfs.engine.errors import InputError
from csqcfs.models import zoo
from csqcfs.paper import publish
from csqcfs.paper.experiments import profiles, registry
from csqcfs.paper.experiments.configs import Run
from csqcfs.paper.measures.right import ANN, right
from csqcfs.paper.measures.trained import sample
from csqcfs.paper.runs import records
from csqcfs.training import evaluation
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune
from torchvision import transforms

ENDS = ("relu", "qcfs", "sqcfs", "cqcfs", "csqcfs")
X = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(5))


class Own(nn.Module):
    """A network of nobody's but the user."""

    def __init__(self, width: int = 6, classes: int = 4):
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = F.relu(self.norm(self.first(F.pad(x, (1, 1, 1, 1)))))
        x = F.relu(self.second(x)) + x[:, :, 1:-1, 1:-1]
        return self.head(F.relu(x).mean((2, 3)))


def stirred(model: nn.Module) -> nn.Module:
    """Weights, statistics and thresholds that no fresh network has."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point() and tensor.numel():
                tensor.add_(torch.rand(tensor.shape, generator=generator) * (0.5 if name.endswith("raw") else 0.05))
    return model


def quantized(net: nn.Module, end: str, L: int = 4, window: str = "paper") -> nn.Module:
    if end == "relu":
        return stirred(net)
    model = quantize.quantize_activations(net, L, 1.0, X, window=window)
    return stirred(model if end == "qcfs" else family.switch(model, end))


def outputs(model: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(X, 3) if isinstance(model, csqcfs.SNN) else model.eval()(X)


pytestmark = pytest.mark.usefixtures("resnet8")


@pytest.fixture(scope="module")
def images():
    pixels = torch.zeros(0, 3, 32, 32, dtype=torch.uint8)  # none is needed
    known = data.CIFAR["cifar10"]
    return csqcfs.ImageSet(pixels, torch.zeros(0, dtype=torch.int64), tuple("abcdefghij"), known.mean, known.std)


@pytest.fixture(scope="module")
def saved(resnet8, tmp_path_factory):
    """A small network as a file; tests that change it make a copy."""
    model = quantized(models.build("resnet8", width=0.25), "csqcfs")
    return zoo.save(model, tmp_path_factory.mktemp("saved") / "net.safetensors", info={"seed": 3})


@pytest.fixture(scope="module")
def told(saved, images, tmp_path_factory):
    """`saved` with what is known of its images."""
    return csqcfs.save(csqcfs.load(saved), tmp_path_factory.mktemp("told") / "net.safetensors", images=images)


# round trips


@pytest.mark.parametrize("end", ENDS)
def test_a_loaded_network_gives_the_same_outputs(end, images, tmp_path):
    model = quantized(models.build("resnet8", width=0.25), end, L=8, window="floor_clamp" if end == "qcfs" else "paper")
    state = torch.random.get_rng_state()
    path = csqcfs.save(model, tmp_path / "net.safetensors", images=images)
    loaded = csqcfs.load(path)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(m.training for m in loaded.modules()) and torch.equal(outputs(loaded), outputs(model))
    assert (loaded.mean, loaded.std) == (images.mean, images.std)
    assert loaded.meta["zoo"]["classes"] == list("abcdefghij") and loaded.meta["zoo"]["built"]["width"] == 0.25
    for one, two in zip(family.sites(loaded).values(), family.sites(model).values(), strict=True):
        assert (type(one), one.L, one.window, one.channels) == (type(two), two.L, two.window, two.channels)
    if end == "relu":
        assert type(loaded) is type(model)
    else:
        assert torch.equal(outputs(csqcfs.convert(loaded)), outputs(csqcfs.convert(model)))


@pytest.mark.parametrize(
    ("method", "end", "built"),
    [
        *((method, end, False) for method in ("plain", "srp", "cos") for end in ("qcfs", "csqcfs")),
        ("cos", "csqcfs", True),
    ],
)
def test_an_snn_gives_the_same_scores(method, end, built, tmp_path):
    net, fresh = (models.build("resnet8", width=0.25), None) if built else (Own(), Own())
    snn = csqcfs.convert(quantized(net, end), method, tau=3, rho=5)
    loaded = csqcfs.load(csqcfs.save(snn, tmp_path / "snn.safetensors"), network=fresh, example=X)
    assert isinstance(loaded, csqcfs.SNN) and (loaded.method, loaded.presteps) == (snn.method, snn.presteps)
    assert torch.equal(outputs(loaded), outputs(snn)) and loaded.mean is None


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_network_of_ones_own_comes_from_a_fresh_instance(end, dtype, tmp_path):
    model, fresh = quantized(Own(), end).to(dtype), Own().to(dtype)
    path, before = csqcfs.save(model, tmp_path / "net.safetensors", info={"note": "mine"}), copy.deepcopy(fresh)
    with pytest.raises(InputError, match="class of its own: pass a fresh instance of it, as in csqcfs.load.path, net"):
        csqcfs.load(path)
    loaded = csqcfs.load(path, network=fresh, example=X.to(dtype))
    with torch.no_grad():
        assert torch.equal(loaded(X.to(dtype)), model.eval()(X.to(dtype)))
    assert loaded.meta["zoo"]["info"] == {"note": "mine"}
    assert all(map(torch.equal, fresh.state_dict().values(), before.state_dict().values()))  # it is copied
    if end != "relu":  # an instance that was quantized already, with other settings, serves as well
        again = csqcfs.load(path, network=quantize.quantize_activations(Own().to(dtype), 2, example=X.to(dtype)))
        with torch.no_grad():
            assert torch.equal(again(X.to(dtype)), loaded(X.to(dtype)))


NORMS = {
    "old weight norm": nn.utils.weight_norm,
    "old spectral norm": nn.utils.spectral_norm,
    "weight norm": nn.utils.parametrizations.weight_norm,
    "spectral norm": nn.utils.parametrizations.spectral_norm,
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
@pytest.mark.parametrize("kind", ["relu", "quantized", "snn"])
@pytest.mark.parametrize("norm", NORMS)
def test_a_fresh_instance_whose_weights_are_computed(norm, kind, tmp_path):
    def fresh(seed):
        torch.manual_seed(seed)
        net = Own()
        NORMS[norm](net.second)
        net(X)
        return net.eval()

    with torch.random.fork_rng([]):
        net = fresh(0)
        if kind != "relu":
            net = quantized(net, "csqcfs")
        if kind == "snn":
            net = csqcfs.convert(net)
        other = fresh(1)
        loaded = csqcfs.load(csqcfs.save(net, tmp_path / "net"), network=other, example=X)
    torch.testing.assert_close(outputs(loaded), outputs(net), rtol=0, atol=0)


def test_a_network_with_activations_put_in_by_hand(tmp_path):
    net = stirred(nn.Sequential(nn.Conv2d(3, 5, 3), csqcfs.CSQCFS(5, 8, 2.0), nn.Flatten(), nn.Linear(5 * 900, 2)))
    fresh = nn.Sequential(nn.Conv2d(3, 5, 3), csqcfs.CSQCFS(5, 8, 2.0), nn.Flatten(), nn.Linear(5 * 900, 2))
    loaded = csqcfs.load(csqcfs.save(net, tmp_path / "net.safetensors"), network=fresh)
    assert torch.equal(outputs(loaded), outputs(net))


def test_a_built_network_that_was_changed_is_ones_own(tmp_path):
    """Its tensors may still fit, and another network would come back in silence."""
    for change in (
        lambda net: setattr(net, "pool", nn.AdaptiveAvgPool2d((1, 1))) or setattr(net, "act", nn.LeakyReLU()),
        lambda net: setattr(net, "linear", nn.Linear(16, 3)),
    ):
        net = models.build("resnet8", width=0.25)
        change(net)
        path = csqcfs.save(net, tmp_path / "net.safetensors")
        assert load_state(path)[1]["built"] is None
        fresh = models.build("resnet8", width=0.25)
        change(fresh)
        assert torch.equal(outputs(csqcfs.load(path, network=fresh)), outputs(net))


def test_a_threshold_below_zero_survives(tmp_path):
    model = quantized(Own(), "cqcfs")
    site = next(iter(family.sites(model)))
    with torch.no_grad():
        family.sites(model)[site].raw[0] = -0.5
    loaded = csqcfs.load(csqcfs.save(model, tmp_path / "ann"), network=Own(), example=X)
    assert family.sites(loaded)[site].threshold[0] == -0.5
    snn = csqcfs.convert(model, allow_nonpositive=True)
    loaded = csqcfs.load(csqcfs.save(snn, tmp_path / "snn"), network=Own(), example=X)
    assert torch.equal(outputs(loaded), outputs(snn))
    snn.allow_nonpositive = False
    with pytest.raises(InputError, match="expected positive ones"):
        csqcfs.save(snn, tmp_path / "refused")
    assert not (tmp_path / "refused").exists()


def test_names_of_the_package(saved, monkeypatch, tmp_path):
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "weights")
    with pytest.raises(InputError, match=r"^'resnet20-cifar10-x' is neither .* expected .* one of \(none yet\)"):
        csqcfs.load("resnet20-cifar10-x")
    for name in ("resnet20-cifar10-qcfs", "resnet20-cifar10-csqcfs"):
        (tmp_path / "weights").mkdir(exist_ok=True)
        (tmp_path / "weights" / f"{name}.safetensors").write_bytes(saved.read_bytes())
    assert csqcfs.load("resnet20-cifar10-csqcfs").meta["zoo"]["info"] == {"seed": 3}
    with pytest.raises(InputError, match="one of resnet20-cifar10-csqcfs, resnet20-cifar10-qcfs$"):
        csqcfs.load("resnet20-cifar10-cs")


# bad files


@pytest.mark.parametrize("name", ["~nosuchuser/x", "x" * 5000, "zero\0byte", "", "loop", None, 3])
def test_paths_that_lead_nowhere_are_one_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="is neither a file nor a network of the package") as caught:
        csqcfs.load(name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 800


@pytest.mark.parametrize("path", [None, 3])
def test_a_path_that_is_none_is_one_line(path):
    with pytest.raises(InputError, match="^path of type .*: expected text or a Path"):
        csqcfs.save(torch.nn.Linear(2, 2), path)


def rewritten(source, target, change) -> object:
    tensors, header = load_state(source)
    change(tensors, header)
    return save_state(target, tensors, header)


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


HEADERS = {
    "classes": (10, [1, 2], {"a": 1}),
    "mean": (None, 3, ["a"], [float("nan")], [True, 1, 1]),
    "std": (0.2, [0.0, 1.0, 1.0], [1.0], [-1.0] * 3),
    "built": ({}, 5, "resnet20", {"name": "resnet20"}),
    "sites": (None, [], {}, {"act": {}}, {"act": None}),
    "kind": (None, "other", "snn", ["relu"], {}),
    "info": (None, [], 3),
    "operations": (3, [], "0" * 12),
    "numbers": (3, [], "0" * 12),
    "sizes": (3, []),
    "buffers": (3, [], {"a": 1}, None),
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in HEADERS.items() for value in values], ids=str
)
def test_well_formed_but_wrong_headers(told, tmp_path, key, value):
    path = rewritten(told, tmp_path / "net.safetensors", lambda tensors, header: header.update({key: value}))
    with pytest.raises(InputError) as caught:
        csqcfs.load(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize("bound", [0, -1.0, float("nan"), "six", None])
def test_a_bound_that_no_clipped_relu_has_is_refused(tmp_path, bound):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU6(), nn.Conv2d(4, 2, 3))
    path = csqcfs.save(quantize.quantize_activations(net, 4, 1.0, X), tmp_path / "net.safetensors")
    rewritten(path, path, lambda tensors, header: header["sites"]["1"].update(bound=bound))
    with pytest.raises(InputError, match="has sites = .* in its header: expected a file of csqcfs.save"):
        csqcfs.load(path, network=net, example=X)


@pytest.mark.parametrize("key", ["kind", "built", "sites", "classes", "mean", "std", "info"])
def test_a_header_with_a_gap(saved, tmp_path, key):
    path = rewritten(saved, tmp_path / "net.safetensors", lambda tensors, header: header.pop(key))
    with pytest.raises(InputError, match=f"has no {key} in its header"):
        csqcfs.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 1e6},
        {"width": 1e300},
        {"width": -1},
        {"width": "wide"},
        {"num_classes": 10**9},
        {"num_classes": 10**30},
        {"num_classes": [10]},
        {"in_channels": 10**9},
        {"name": "resnet101", "width": 50.0},
        {"name": "resnet34"},
        {"name": ["resnet20"]},
    ],
    ids=str,
)
def test_a_size_is_checked_before_memory_is_taken(saved, tmp_path, change):
    path = rewritten(saved, tmp_path / "net.safetensors", lambda tensors, header: header["built"].update(change))
    with pytest.raises(InputError, match="net.safetensors ") as caught:
        csqcfs.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, h: t.pop("linear.bias"), "lacks linear.bias: expected the tensors of the same network"),
        (lambda t, h: t.pop("linear.weight"), "lacks linear.weight"),
        (lambda t, h: t.pop("act.raw"), "differ at the activation act:"),
        (lambda t, h: t.update(x=torch.ones(1)), "has, unlike the network, x:"),
        (
            lambda t, h: t.update({"norm.bias": t["norm.bias"].double()}),
            r"norm.bias of shape \[4\] of float64: expected",
        ),
        (lambda t, h: t.update({"act.raw": torch.ones(3)}), r"has act.raw of shape \[3\] of float32|differ at"),
        (lambda t, h: t["linear.weight"][0].fill_(torch.nan), "has values in linear.weight that are not finite"),
        (lambda t, h: t["norm.running_var"].fill_(torch.inf), "has values in norm.running_var that are not finite"),
        (lambda t, h: h["sites"].pop("act"), "differ at the activation act:"),
        (lambda t, h: h["sites"]["act"].update(L=0), "has sites = "),
        (lambda t, h: h["sites"]["act"].update(activation="qcfs"), "has act.raw of shape"),
        (lambda t, h: h["sites"]["act"].update(window="wide"), "has sites = "),
        (lambda t, h: h.update(kind="relu"), "unlike the network"),
        (lambda t, h: h.update(info=nested(500)) or h.update(classes=nested(500)), "has classes = "),
        (lambda t, h: (h.clear(), h.update(identity={}, history=[])), "is the checkpoint of a training"),
    ],
)
def test_a_file_that_disagrees_with_itself(saved, tmp_path, change, message):
    path = rewritten(saved, tmp_path / "net.safetensors", change)
    with pytest.raises(InputError, match=message) as caught:
        csqcfs.load(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "other"}, "has method = 'other' in its header"),
        ({"method": 3}, "has method = '3' in its header"),
        ({"presteps": -1}, "has presteps = '-1' in its header"),
        ({"presteps": 10**12}, "has presteps = '1000000000000' in its header"),
    ],
    ids=str,
)
def test_an_snn_with_a_wrong_header(tmp_path, change, message):
    path = csqcfs.save(csqcfs.convert(quantized(Own(), "qcfs"), "srp"), tmp_path / "snn.safetensors")
    rewritten(path, path, lambda tensors, header: header.update(change))
    with pytest.raises(InputError, match=message):
        csqcfs.load(path, network=Own())


def test_another_network_of_ones_own_is_refused(tmp_path):
    paths = [csqcfs.save(quantized(Own(), "csqcfs"), tmp_path / "ann")]
    paths.append(csqcfs.save(csqcfs.convert(quantized(Own(), "csqcfs")), tmp_path / "snn"))
    for path in paths:
        for other in (Own(width=7), Own(classes=5), models.build("resnet8", width=0.25)):
            with pytest.raises(InputError, match="another network|same network"):
                csqcfs.load(path, network=other, example=X)


class Locking(Own):
    """Keeps what Python does not copy."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


def lazy() -> nn.Module:
    net = Own()
    net.head = nn.LazyLinear(4)
    return net


UNREADY = {r"head is lazy": lazy, r"first is on the device meta": lambda: Own().to("meta")}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("named", UNREADY)
@pytest.mark.parametrize("kind", ["relu", "quantized", "snn"])
def test_an_instance_without_weights_is_one_line(kind, named, dtype, tmp_path):
    net = quantized(Own(), "relu" if kind == "relu" else "csqcfs").to(dtype)
    net = csqcfs.convert(net) if kind == "snn" else net
    path = csqcfs.save(net, tmp_path / "net")
    with pytest.raises(InputError, match=f"^{named} and has no weights yet: expected some; ") as caught:
        csqcfs.load(path, network=UNREADY[named](), example=X)
    assert "\n" not in str(caught.value)
    assert torch.equal(outputs(csqcfs.load(path, Locking(), X).float()), outputs(net.float()))


@pytest.mark.parametrize(("saved_with", "loaded_with"), [(None, X), (X, None), (None, None)])
def test_an_example_may_come_later_or_never(saved_with, loaded_with, tmp_path):
    """It tells the channels of each activation, which one threshold for the layer does without."""
    ann = stirred(quantize.quantize_activations(Own(), 4, 1.0, saved_with)).eval()
    path = csqcfs.save(ann, tmp_path / "net.safetensors")
    loaded = csqcfs.load(path, network=Own(), example=loaded_with)
    assert torch.equal(loaded(X), ann(X))
    known = [site.channels for site in family.sites(loaded).values()]
    assert known == ([None] * 3 if saved_with is None and loaded_with is None else [6] * 3)


class Otherwise(Own):
    """Modules of `Own`, and something else between them."""

    def forward(self, x):
        x = F.relu(self.norm(self.first(F.pad(x, (1, 1, 1, 1)))))
        x = F.relu(self.second(x)) - x[:, :, 1:-1, 1:-1]
        return self.head(F.relu(x).mean((2, 3)))


def test_other_operations_between_the_same_layers_are_refused(tmp_path):
    """Every tensor fits; the outputs would be of another network."""
    ann = quantized(Own(), "csqcfs")
    for number, model in enumerate((ann, csqcfs.convert(ann))):
        path = csqcfs.save(model, tmp_path / str(number))
        with pytest.raises(InputError, match="the same layers with other operations between them"):
            csqcfs.load(path, network=Otherwise(), example=X)
        csqcfs.load(path, network=Own(), example=X)
        rewritten(path, path, lambda tensors, header: header.pop("operations"))  # a file of an earlier version
        csqcfs.load(path, network=Own(), example=X)


class Numbers(nn.Module):
    """Numbers beside the weights, which have the same shapes whatever they are."""

    def __init__(self, gain=2, stride=1, slope=0.1, power=1.0, inplace=False, drop=0.1):
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 4, 3, stride), nn.ReLU(inplace)
        self.leak, self.drop, self.head = nn.LeakyReLU(slope, inplace), nn.Dropout(drop), nn.Linear(4, 2)
        self.gain, self.power = gain, power

    def forward(self, x):
        x = self.leak(self.conv(x)) if self.power == 2 else self.conv(x)
        return torch.softmax(self.head(self.drop(self.act(x) * self.gain).mean((2, 3))), 1) * self.power


@pytest.mark.parametrize("other", [{"gain": 3}, {"gain": 2.5}, {"stride": 2}, {"power": 3.0}])
def test_other_numbers_beside_the_same_weights_are_refused(other, tmp_path):
    ann = quantized(Numbers(), "csqcfs")
    for number, model in enumerate((ann, csqcfs.convert(ann))):
        path = csqcfs.save(model, tmp_path / str(number))
        with pytest.raises(InputError, match="other numbers beside its weights, such as a factor"):
            csqcfs.load(path, network=Numbers(**other), example=X)
        rewritten(path, path, lambda tensors, header: header.pop("numbers"))  # a file of an earlier version
        csqcfs.load(path, network=Numbers(**other), example=X)


class Between(nn.Module):
    """A convolution, ``wired`` to a linear layer of 4 inputs."""

    def __init__(self, wired, *parts):
        super().__init__()
        self.conv, self.head, self.wired = nn.Conv2d(3, 8, 3), nn.Linear(4, 2), wired
        self.parts = nn.ModuleList(parts)

    def forward(self, x):
        return self.wired(self, x)

    def end(self, h):
        return self.head(F.relu(h)[:, :4].mean((2, 3)))


def through_first_layer(m, x):
    return m.end(m.parts[0](m.conv(x)))


def through_last_layer(m, x):
    return m.parts[0](m.end(m.conv(x)))


def by_parity(factor):
    return lambda m, x: m.end(m.conv(x) * factor) if x.shape[2] % 2 == 0 else m.end(m.conv(x) * 7)


def normalized(*mean):
    return Between(lambda m, x: m.end(m.conv(m.parts[0](x))), transforms.Normalize(mean, (0.2, 0.2, 0.2)))


ALIKE = {  # weights and shapes, and not what they compute
    "halves": [
        Between(lambda m, x, s=s: m.head(F.relu(m.conv(x))[:, s].mean((2, 3)))) for s in (slice(4), slice(4, 8))
    ],
    "subtraction": [Between(lambda m, x: m.end(m.conv(x) - 2.0)), Between(lambda m, x: m.end(2.0 - m.conv(x)))],
    "order": [
        Between(lambda m, x, s=s: m.end(torch.cat([m.conv(x)[:, 4 * i : 4 * i + 4] for i in s], 1)))
        for s in ((0, 1), (1, 0))
    ],
    "padding counts": [
        Between(lambda m, x, c=c: m.end(F.avg_pool2d(m.conv(x), 3, 1, 1, False, c))) for c in (True, False)
    ],
    "corners": [
        Between(lambda m, x, c=c: m.end(F.interpolate(m.conv(x), scale_factor=2, mode="bilinear", align_corners=c)))
        for c in (True, False)
    ],
    "whole numbers": [
        Between(lambda m, x, t=t: m.end(m.conv((x * 9).to(t).float()))) for t in (torch.int32, torch.int64)
    ],
    "layer": [Between(through_first_layer, kind(1)) for kind in (nn.ReflectionPad2d, nn.ReplicationPad2d)],
    "end": [Between(through_last_layer, kind) for kind in (nn.Sigmoid(), nn.LogSigmoid())],
    "normalisation": [normalized(0.5, 0.5, 0.5), normalized(0.5, 0.5, 0.1)],
    "held": [Between(by_parity(factor)) for factor in (2.0, 3.0)],
}


@pytest.mark.parametrize("what", ALIKE)
def test_what_computes_otherwise_is_refused(what, tmp_path):
    own, other = ALIKE[what]
    other.load_state_dict(own.state_dict())
    ann = quantized(own, "csqcfs")
    for number, model in enumerate((ann, csqcfs.convert(ann))):
        path = csqcfs.save(model, tmp_path / str(number))
        assert torch.equal(outputs(csqcfs.load(path, network=own, example=X)), outputs(model))
        with pytest.raises(InputError, match="network of the same layers with other (operations|numbers)"):
            csqcfs.load(path, network=other, example=X)


def test_numbers_that_may_be_sizes_of_another_example_are_not_compared(tmp_path):
    net = Between(lambda m, x: m.end(m.conv(x) * (x.shape[2] if x.shape[2] % 2 else 1.0)))
    ann = quantized(net, "csqcfs")
    with pytest.raises(InputError, match="other (operations|numbers)|decides by"):
        csqcfs.load(csqcfs.save(ann, tmp_path / "net"), network=net, example=X[:, :, :9, :9])(X)
    assert torch.equal(outputs(csqcfs.load(tmp_path / "net", network=net, example=X[:, :, :10, :10])), outputs(ann))


def test_another_kind_of_layer_in_a_network_that_is_not_quantized(tmp_path):
    def net(*kinds):
        return nn.Sequential(nn.Conv2d(3, 4, 3), *(kind() for kind in kinds))

    path = csqcfs.save(net(nn.Tanh, nn.Dropout), tmp_path / "net")
    with pytest.raises(InputError, match="the same layers with other operations between them"):
        csqcfs.load(path, network=net(nn.ReLU, nn.Dropout))
    csqcfs.load(path, network=net(nn.Tanh, nn.Identity))


class Unsaved(nn.Module):
    """A factor in a buffer that the state_dict leaves out, and one that a forward may make."""

    def __init__(self, gain=2.0):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)
        self.register_buffer("gain", torch.tensor([gain, 1, 1, 1]).view(-1, 1, 1), persistent=False)
        self.register_buffer("cache", None, persistent=False)

    def forward(self, x):
        return self.head(F.relu(self.conv(x) * self.gain).mean((2, 3)))


def test_a_buffer_that_is_not_persistent_is_compared(tmp_path):
    ann = quantized(Unsaved(), "csqcfs")
    filled = Unsaved()
    filled.cache = torch.ones(3)
    for number, model in enumerate((filled, ann, csqcfs.convert(ann), copy.deepcopy(ann).double())):
        path = csqcfs.save(model, tmp_path / str(number))
        fresh = {"network": Unsaved(), "example": X}
        if number == 3:
            fresh = {"network": Unsaved().double(), "example": X.double()}
        loaded = csqcfs.load(path, **fresh)
        if number < 3:
            assert torch.equal(outputs(loaded), outputs(model))
        fresh["network"].gain[0] = 3
        with pytest.raises(InputError, match="other numbers beside its weights, in the buffer gain that is") as caught:
            csqcfs.load(path, **fresh)
        assert "\n" not in str(caught.value)
        rewritten(path, path, lambda tensors, header: header.pop("buffers"))  # a file of an earlier version
        csqcfs.load(path, **fresh)


def test_what_two_instances_of_a_network_may_differ_in_is_no_other_network(tmp_path):
    """Its mode, dropout, what works in place, 2 or 2.0, and the size of the example."""
    other = Numbers(2.0, (1, 1), inplace=True, drop=0.5)
    ann = quantized(Numbers().train(), "csqcfs")
    for number, model in enumerate((Numbers().train(), ann, csqcfs.convert(ann))):
        path = csqcfs.save(model, tmp_path / str(number))
        for example in (X, X[:2, :, :9, :11]):
            assert torch.equal(outputs(csqcfs.load(path, network=other, example=example)), outputs(model))


def test_a_plain_network_with_another_stride_is_refused(tmp_path):
    path = csqcfs.save(Numbers(), tmp_path / "net")
    with pytest.raises(InputError, match="other numbers beside its weights"):
        csqcfs.load(path, network=Numbers(stride=2))
    csqcfs.load(path, network=Numbers(slope=0.2))  # of a layer that nothing calls


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel])
@pytest.mark.parametrize("end", ["relu", "csqcfs"])
def test_a_wrapped_network_is_saved_as_what_is_inside(wrap, end, tmp_path):
    model = quantized(Own(), end)
    path = csqcfs.save(wrap(model), tmp_path / "net")
    for fresh in (Own(), wrap(Own())):
        loaded = csqcfs.load(path, network=fresh, example=X)
        assert torch.equal(outputs(loaded), outputs(model))


@pytest.mark.parametrize("end", ["relu", "csqcfs", "snn"])
@pytest.mark.parametrize(("of", "to"), [(torch.float64, torch.float32), (torch.float32, torch.float64)])
def test_an_instance_of_another_type_takes_that_of_the_file(end, of, to, tmp_path):
    model = quantized(Own(), end if end != "snn" else "csqcfs").to(of)
    model = csqcfs.convert(model, example=X.to(of)) if end == "snn" else model.eval()
    fresh = Own().to(to)
    loaded = csqcfs.load(csqcfs.save(model, tmp_path / "net"), network=fresh, example=X.to(to))
    assert {t.dtype for t in loaded.state_dict().values() if t.is_floating_point()} == {of}
    with torch.no_grad():
        assert torch.equal(loaded(X.to(of)), model(X.to(of)))
    assert {p.dtype for p in fresh.parameters()} == {to}


def test_an_snn_that_was_folded_with_an_example_says_so(tmp_path):
    def fresh():
        return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))

    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    snn = csqcfs.convert(quantize.quantize_activations(fresh().eval(), 4, 1.0, x))
    path = csqcfs.save(snn, tmp_path / "snn")
    with pytest.raises(InputError, match=r"lacks 1.weight.*or pass example=x, which it may have been made with$"):
        csqcfs.load(path, network=fresh())
    for network in (fresh(), quantize.quantize_activations(fresh().eval())):
        assert torch.equal(csqcfs.load(path, network=network, example=x)(x, 3), snn(x, 3))


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    net = models.build("resnet8", width=0.25)
    with torch.no_grad():
        net.norm.bias[0] = torch.nan
    with pytest.raises(InputError, match="the ResNet for .* has values in norm.bias that are not finite"):
        csqcfs.save(net, tmp_path / "net.safetensors")
    with pytest.raises(InputError, match="is not JSON"):
        csqcfs.save(models.build("resnet8", width=0.25), tmp_path / "net.safetensors", info={"x": X})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [0, 7, 500, -1])
def test_a_truncated_file(saved, tmp_path, length):
    path = tmp_path / "net.safetensors"
    path.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(InputError, match="is truncated or not a checkpoint"):
        csqcfs.load(path)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_flipped_bit_is_noticed(saved, tmp_path_factory, data):
    content = bytearray(saved.read_bytes())
    header = int.from_bytes(content[:8], "little") + 8
    place = data.draw(st.integers(0, header - 1) | st.integers(header, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.mktemp("flipped") / "net.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        csqcfs.load(path)
    assert "\n" not in str(caught.value)


class Trap:
    def __reduce__(self):
        return os.system, ("touch trapped",)


def test_pickle_is_never_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.safetensors").write_bytes(pickle.dumps(Trap()))
    torch.save(Trap(), tmp_path / "net.pt")
    for name in ("net.safetensors", "net.pt"):
        with pytest.raises(InputError, match="is truncated or not a checkpoint"):
            csqcfs.load(name)
    assert not (tmp_path / "trapped").exists()


# what a network has beside its weights


class Normalising(Own):
    """Has the constants of its images itself."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.full((3, 1, 1), 0.5))
        self.std = 0.2

    def forward(self, x):
        return super().forward((x - self.mean) / self.std)


@pytest.mark.parametrize("end", ["relu", "qcfs"])
def test_a_part_called_mean_is_not_replaced(end, images, tmp_path):
    model = quantized(Normalising(), end)
    for told in (None, images):
        path = csqcfs.save(model, tmp_path / "net.safetensors", images=told)
        loaded = csqcfs.load(path, network=Normalising(), example=X)
        assert torch.equal(outputs(loaded), outputs(model)) and torch.equal(loaded.mean, model.mean)


def test_the_normalisation_goes_with_copies_and_conversions(images, tmp_path):
    path = csqcfs.save(quantized(Own(), "qcfs"), tmp_path / "net.safetensors", images=images)
    loaded = csqcfs.load(path, network=Own(), example=X)
    snn = csqcfs.convert(loaded)
    again = csqcfs.save(loaded, tmp_path / "again.safetensors")
    spiking = csqcfs.save(snn, tmp_path / "snn.safetensors")
    read = [csqcfs.load(one, network=Own(), example=X) for one in (again, spiking)]
    for one in (loaded, copy.deepcopy(loaded), snn, copy.deepcopy(snn), *read):
        assert (one.mean, one.std) == (images.mean, images.std)
    assert read[0].meta["zoo"]["classes"] == list(images.classes)


def test_a_type_of_weights_survives_whatever_the_default_is(saved, tmp_path):
    double = csqcfs.save(models.build("resnet8", width=0.25).double(), tmp_path / "double.safetensors")
    assert next(csqcfs.load(double).parameters()).dtype == torch.float64
    torch.set_default_dtype(torch.float64)
    try:
        assert next(csqcfs.load(saved).parameters()).dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_tilde_is_the_home_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    written = csqcfs.save(Own(), "~/net.safetensors")
    assert written == tmp_path / "home" / "net.safetensors" and written.exists() and not (tmp_path / "~").exists()
    assert torch.equal(outputs(csqcfs.load("~/net.safetensors", network=Own())), outputs(csqcfs.load(written, Own())))
    with pytest.raises(InputError, match="^cannot write ~nobody-here/net.safetensors: Could not determine home"):
        csqcfs.save(Own(), "~nobody-here/net.safetensors")


def test_an_snn_of_a_method_that_nobody_else_has_is_not_saved(tmp_path):
    class Mine(type(csqcfs.convert(quantized(Own(), "qcfs")).method)):
        pass

    snn = csqcfs.convert(quantized(Own(), "qcfs"), Mine())
    with pytest.raises(InputError, match="^method .*Mine.*: expected one of plain, "):
        csqcfs.save(snn, tmp_path / "snn.safetensors")
    assert not any(tmp_path.iterdir())


# what the repository ships


@functools.cache
def images_of(dataset: str, folder: Path | None) -> csqcfs.ImageSet | str:
    """Test images, or why there are none: thousands of files are read once, not for each network."""
    try:
        return data.load(dataset, folder or "/nowhere").test
    except InputError as error:
        return str(error)


def recorded(name: str) -> dict | None:
    """What a record of the repository says of the plain SNN of a network that is shipped."""
    for profile in profiles.PROFILES.values():
        training = publish.published(profile).get(name)
        for run in (run for artefact in registry.ARTEFACTS for run in artefact.runs(profile, profile.seeds)):
            plain = run.kind == "accuracy" and dict(run.options).keys() <= {"method", "images", "T"}
            if plain and dict(run.options)["method"] == "plain" and (run.training == training or untrained(run, name)):
                if found := records.reference(run, profile.name):
                    return found.metrics
    return None


def untrained(run: Run, name: str) -> bool:
    """Whether ``run`` is of a network that is shipped as it is, where fine-tunings start."""
    start = run.training.start == name and not any(stage.epochs for stage in run.training.stages)
    return start and run.training.L == zoo.quantization_step(name) and run.training.start_thresholds is None


@pytest.mark.large
@pytest.mark.parametrize("name", zoo.names() or [None])
def test_shipped_networks_give_their_recorded_accuracy(name, folder_of_images):
    """ANN and SNN at T = 1, image by image on some of those of the record."""
    if name is None:
        pytest.skip("no network is shipped yet")
    model, metrics = csqcfs.load(name), recorded(name)
    assert metrics is not None
    images = images_of(model.meta["zoo"]["info"]["training"]["dataset"], folder_of_images)
    if isinstance(images, str):
        pytest.skip(f"no images: {images}")
    assert model.mean == tuple(images.mean) and model.std == tuple(images.std)
    test = sample(images, metrics["images"])
    some = torch.arange(0, len(test), len(test) // 200)
    few = test.subset(some)
    found = evaluation.correct(model, few), evaluation.correct_snn(csqcfs.convert(model), few, 1)[0]
    for one, column in zip(found, (ANN, 1), strict=True):  # other rounding turns few answers
        assert (one.numpy() == right(metrics, column)[some]).mean() >= 0.98


@pytest.mark.parametrize("given", [(X, torch.zeros(3)), [1]], ids=["tensors", "list"])
def test_images_and_info_of_another_kind_are_one_line(given, tmp_path):
    with pytest.raises(InputError, match="^images of type (tuple|list): expected an ImageSet"):
        csqcfs.save(Own(), tmp_path / "net", images=given)
    with pytest.raises(InputError, match="^info = .*: expected a dict of JSON"):
        csqcfs.save(Own(), tmp_path / "net", info=[3])
    assert not [*tmp_path.iterdir()]
