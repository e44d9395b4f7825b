"""ReLUs in other words: found where they are ReLUs at every number and in training, left as they are elsewhere."""

from __future__ import annotations

from collections import OrderedDict

import csqcfs
import pytest
import torch
from csqcfs.conversion import export
from csqcfs.conversion.family import sites, to_channelwise
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
        self.leaky, self.relu, self.drop = nn.LeakyReLU(0.0), nn.ReLU(), nn.Dropout()
        self.embed = nn.Embedding(1, 1)
        nn.init.zeros_(self.embed.weight)
        self.register_buffer("zero", torch.zeros(()))
        self.register_buffer("ones", torch.ones(1, 4, 1, 1), persistent=False)
        self.register_buffer("first", torch.tensor(0), persistent=False)
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
    "of as many zeros": lambda net, h: torch.maximum(h, torch.zeros(h.shape[0], 4, *h.shape[2:], dtype=h.dtype)),
    "max": lambda net, h: torch.max(h, h.new_zeros(())),
    "method": lambda net, h: h.max(torch.zeros(h.shape, dtype=h.dtype)),
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
    "mask of its type": lambda net, h: h * (h > 0).type(h.dtype),
    "operator": lambda net, h: torch.ops.aten.relu(h),
}
CLIPPED = {
    "clamp": lambda net, h: F.relu(h).clamp(max=0.5),
    "in another type": lambda net, h: F.relu(h.double()).clamp(max=0.5).to(h.dtype),
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
    "bound of a file": lambda net, h: torch.maximum(h, net.zero),
    "bound of the size": lambda net, h: F.relu(h).clamp(max=h.size(-1) / 4),
    "bound of the batch": lambda net, h: torch.minimum(F.relu(h), h.new_full((), h.size(0) / 3)),
    "factor of the size": lambda net, h: h * ((h > 0) * (h.shape[2] / 6)),
    "above the largest": lambda net, h: torch.maximum(h, h.max().clamp(max=0)),
    "trained inside": lambda net, h: torch.maximum(h, net.embed(net.first)),
    "dropped": lambda net, h: (h > 0) * net.drop(net.ones) * h,
    "dropped by name": lambda net, h: torch.where(h > 0, h * F.dropout(net.ones, 0.5, net.training), 0.0),
    "hard swish": lambda net, h: h * F.relu6(h + 3) / 6,
}


def images(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=dtype)


def relu(net, h):
    return h.relu()


def clipped(net, h):
    return h.clamp(0, 0.5)


@pytest.mark.parametrize(
    ("act", "meant", "dtype"),
    [
        *(pytest.param(act, relu, torch.float32, id=name) for name, act in RELUS.items()),
        *(pytest.param(act, clipped, torch.float32, id=f"clipped {name}") for name, act in CLIPPED.items()),
        *(pytest.param(RELUS["max"], relu, dtype, id=f"max {dtype}") for dtype in (torch.float64, torch.bfloat16)),
    ],
)
def test_a_relu_in_other_words_is_one(act, meant, dtype):
    x = images(dtype)
    found, wanted = (quantize_activations(Net(a).to(dtype).eval(), 4, 1.0, x) for a in (act, meant))
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


def test_without_an_example_sizes_and_whole_numbers_are_left_alone():
    """Nothing tells them from values; with one, its types do."""

    class Sized(Net):
        def forward(self, x):
            more = 10 - x.size(3)
            return super().forward(F.pad(x, (0, more * (more > 0))))

    class Tokens(nn.Sequential):
        def forward(self, tokens):
            return super().forward(tokens * (tokens > 0))

    for example in (images(), None):
        assert len(report(quantize_activations(Sized(relu).eval(), 4, 1.0, example))) == 2
    tokens = torch.randint(0, 9, (3, 5))
    for example in (tokens, None):
        net = Tokens(nn.Embedding(9, 4), nn.ReLU(), nn.Flatten(), nn.Linear(20, 2))
        assert convert(quantize_activations(net, 4, 1.0, example))(tokens, 2).shape == (2, 3, 2)


@pytest.mark.parametrize("act", [lambda net, h: net.relu(h).clamp(max=1), lambda net, h: net.leaky(h.clamp(max=1))])
def test_a_hook_on_a_part_is_not_lost_in_silence(act):
    net = Net(act).eval()
    for module in (net.relu, net.leaky):
        module.register_forward_hook(lambda *_: None)
    with pytest.raises(InputError, match="^(relu|leaky) .* has a hook and is replaced by QCFS"):
        quantize_activations(net, 4, 1.0, images())


@pytest.mark.parametrize(
    "act",
    [
        lambda net, h: (lambda r: r - r.contiguous() / 4)(F.hardtanh(h, 0, 0.1)),
        lambda net, h: (lambda r: r - r / 2)(F.relu6(2 * h)),
        lambda net, h: (lambda r: r - r.clone())(F.relu(h * 1.0)),
    ],
)
def test_a_multiple_of_a_relu_is_no_site_of_its_own(act):
    ann = quantize_activations(Net(act).eval(), 4, 1.0, images())
    assert all(line.was in ("hardtanh()", "relu6()", "relu()") for line in report(ann)) and len(report(ann)) == 2


def test_the_random_state_stays():
    net = Net(lambda net, h: h * (h > 0) + 0 * net.drop(net.ones)).train()
    before = torch.get_rng_state()
    graph = trace(net, (images(),))
    respell(graph)
    assert torch.equal(torch.get_rng_state(), before)


def test_nothing_is_left_of_the_parts():
    nir = pytest.importorskip("nir")
    act = RELUS["maximum of a constant"]

    class Flat(Net):
        def forward(self, x):
            return act(self, self.a(x))

    ann = quantize_activations(Flat(act).eval(), 4, 1.0, images())
    assert [node.op for node in ann.graph.nodes] == ["placeholder", "call_module", "call_module", "output"]
    assert isinstance(export.to_nir(convert(ann), (3, 8, 8)), nir.NIRGraph)


def test_inference_mode_finds_the_same():
    with torch.inference_mode():
        assert len(report(quantize_activations(Net(RELUS["mask"]).eval(), 4, 1.0, images()))) == 2


def test_a_module_with_the_name_of_a_function_is_itself():
    """In features, scores, ReLUs: what a module is called says nothing of what it does."""
    conv, norm, last = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 6)
    net = nn.Sequential(OrderedDict(relu=conv, size=nn.ReLU(), t=norm, sigmoid=last)).eval()
    ann = quantize_activations(net, 4, 1.0, images())
    assert [(line.site, line.was) for line in report(ann)] == [("size", "ReLU")]
    assert convert(to_channelwise(ann))(images(), 2).shape == (2, 3, 2, 1, 1)
    ending = nn.Sequential(OrderedDict(a=conv, b=nn.ReLU(), c=last, sigmoid=nn.Hardsigmoid()))
    with pytest.raises(InputError, match="^Hardsigmoid at sigmoid of Sequential has no counterpart"):
        quantize_activations(ending.eval(), 4, 1.0, images())


@pytest.mark.parametrize("kind", [lambda ann: ann, convert])
def test_a_file_says_that_it_takes_the_example(tmp_path, kind):
    """Without one these ReLUs are not found."""
    for act in (RELUS["mask"], lambda net, h: RELUS["mask"](net, F.relu(h) - 0.1)):
        net = Net(act).eval()
        path = csqcfs.save(kind(quantize_activations(net, 4, 1.0, images())), tmp_path / "net.safetensors")
        with pytest.raises(InputError, match="; or pass example=x, which it may have been made with$"):
            csqcfs.load(path, network=Net(act))
        assert csqcfs.load(path, network=Net(act), example=images()) is not None


def test_a_relu_in_another_precision():
    net = Net(lambda net, h: F.relu(h.float()).to(h.dtype)).bfloat16().eval()
    ann = quantize_activations(net, 4, 1.0, images(torch.bfloat16))
    assert len(report(ann)) == 2 and ann(images(torch.bfloat16)).dtype == torch.bfloat16


def test_a_guard_against_overflow_is_a_bound():
    ann = quantize_activations(Net(lambda net, h: F.relu(h).clamp(max=65504.0)).eval(), 4, 1.0, images())
    assert [site.bound for site in sites(ann).values()] == [65504.0] * 2
