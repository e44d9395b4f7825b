"""Networks that users bring: right, which is what a plain loop over time in double precision gives, or refused.

The loop calls the quantized network once for each step, with membrane potentials kept for each call of an
activation; it knows nothing of graphs, of time along the batch, or of folding.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass

import csqcfs
import pytest
import torch
from csqcfs import InputError, convert, quantize_activations, to_channelwise
from csqcfs.activations import CSQCFS, ThresholdActivation
from csqcfs.conversion.family import sites
from csqcfs.conversion.quantize import report
from csqcfs.conversion.spiking import unfolded
from csqcfs.engine.copies import sharing
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils import _pytree as pytree
from torchvision import transforms
from torchvision.transforms import v2

STEPS = 3


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        yield


def inputs_of(x) -> tuple[Tensor, ...]:
    return x if isinstance(x, tuple) else (x,)


@torch.no_grad()
def over_time(model: nn.Module, x, steps: int, end=None):
    """Scores of ``steps`` calls of ``model`` with IF neurons at every call of an activation, in float64."""
    model = copy.deepcopy(model).eval().double()
    potentials: dict[int, Tensor] = {}
    calls = 0

    def neuron(site):
        def forward(z: Tensor) -> Tensor:
            nonlocal calls
            calls += 1
            theta = site.threshold.view(-1, *[1] * (z.dim() - 2)) if site.threshold.dim() else site.threshold
            h = potentials.get(calls, theta / 2) + z
            spikes = (h >= theta).to(z) * theta
            potentials[calls] = h - spikes
            return spikes

        return forward

    for module in model.modules():
        if isinstance(module, ThresholdActivation):
            module.forward = neuron(module)
    outputs = []
    for _ in range(steps):
        calls = 0
        outputs.append(model(*inputs_of(x)))
    means = pytree.tree_map(lambda *t: torch.stack(t).cumsum(0), *outputs)
    count = torch.arange(1, steps + 1, dtype=torch.float64)
    means = pytree.tree_map(lambda t: t / count.view(-1, *[1] * (t.dim() - 1)), means)
    return means if end is None else end(means)


def assert_right(net: nn.Module, x, end=None, channelwise: bool = True, threshold: float = 0.3) -> nn.Module:
    """Convert ``net`` and compare it with the loop, for a batch and for each image alone; return what was quantized."""
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    ann = quantize_activations(net, L=4, threshold=threshold, example=x)
    fine = to_channelwise(ann) if channelwise else ann
    fine = copy.deepcopy(fine).double()
    x = tuple(one.double() if one.is_floating_point() else one for one in inputs_of(x))
    snn, looped = convert(fine), fine
    if end is not None:  # the loop's scores are means of what goes into the end
        looped = copy.deepcopy(fine)
        output = looped.graph.output_node()
        output.args = (output.args[0].all_input_nodes[0],)
        looped.recompile()
    for part in (slice(0, None), slice(0, 1), slice(1, 2)):
        some = tuple(one[part] for one in x)
        found, expected = snn(some if len(some) > 1 else some[0], STEPS), over_time(looped, some, STEPS, end)
        assert pytree.tree_structure(found) == pytree.tree_structure(expected)
        for one, two in zip(pytree.tree_leaves(found), pytree.tree_leaves(expected), strict=True):
            assert one.shape == two.shape
            assert float((one - two).abs().max()) <= 1e-9 * float(two.abs().max())
            assert float(two.abs().max()) > 0
    return ann


def assert_refused(call, named: str) -> None:
    with pytest.raises(InputError, match=named) as caught:
        call()
    assert "\n" not in str(caught.value)


class Net(nn.Module):
    """A few layers joined by the function ``wiring``."""

    def __init__(self, wiring):
        super().__init__()
        self.a, self.b, self.o = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 4, 1)
        self.norm, self.stateless = nn.BatchNorm2d(8), nn.BatchNorm2d(8, track_running_stats=False)
        self.head, self.inner = nn.Linear(8, 5), nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, padding=1))
        self.p, self.q = nn.Parameter(torch.rand(8, 1, 1) + 0.5), nn.Parameter(torch.rand(8, 1, 1) + 0.5)
        self.w, self.matrix = nn.Parameter(torch.rand(8)), nn.Parameter(torch.rand(5, 3))
        self.recurrent = nn.LSTM(64, 64, batch_first=True)
        self.wiring = wiring

    def forward(self, x):
        return self.wiring(self, x)

    def end(self, h):
        return self.head(torch.relu(self.b(h)).mean((2, 3)))


def images(number: int = 3, size: int = 8) -> Tensor:
    return torch.randn(number, 3, size, size, generator=torch.Generator().manual_seed(1))


def first(m, x):
    return torch.relu(m.a(x))


@torch.compile(backend="eager")
def doubled(x):
    return 2 * x


@dataclass
class Both:
    score: Tensor
    map: Tensor


def under_autocast(m, x):
    with torch.autocast("cpu", torch.bfloat16):
        h = first(m, x)
    return m.o(h.float())


RIGHT = {
    "dense output": lambda m, x: m.o(first(m, x)),
    "dense output of one channel": lambda m, x: m.o(first(m, x))[:, :1],
    "dense output of as many channels as steps": lambda m, x: m.o(first(m, x))[:, :STEPS],
    "one number for each image": lambda m, x: m.head(first(m, x).mean((2, 3)))[:, 0],
    "inplace module, input read again": lambda m, x: (lambda h: m.o(m.inner(h) + h))(m.a(x)),
    "relu_ as a statement": lambda m, x: (lambda h: (F.relu_(h), m.o(h))[1])(m.a(x)),
    "inplace on an alias": lambda m, x: (lambda h: (h.contiguous().add_(1), m.o(torch.relu(h)))[1])(m.a(x)),
    "an entry assigned": lambda m, x: (lambda h: (h.__setitem__((slice(None), 0), 0.0), m.end(h))[1])(first(m, x)),
    "functional norm": lambda m, x: m.end(
        torch.relu(
            F.batch_norm(m.a(x), m.norm.running_mean, m.norm.running_var, m.norm.weight, m.norm.bias, m.training, 0.1)
        )
    ),
    "split": lambda m, x: m.end(torch.cat(torch.split(first(m, x), 4, 1)[::-1], 1)),
    "stack": lambda m, x: m.end(torch.stack([first(m, x), first(m, 2 * x)], 1).sum(1)),
    "dtype of the input": lambda m, x: m.end(first(m, x).to(x.dtype)),
    "reflection": lambda m, x: m.end(nn.ReflectionPad2d(1)(first(m, x))),
    "matrix": lambda m, x: m.head(first(m, x).mean((2, 3))) @ m.matrix,
    "product of parameters": lambda m, x: m.end(first(m, x) * (m.p * m.q)),
    "parameter in another shape": lambda m, x: m.end(first(m, x) * m.w.view(1, -1, 1, 1)),
    "asserts and branches on sizes": lambda m, x: m.end(first(m, x if x.shape[1] == 3 and x.dim() == 4 else -x)),
    "len": lambda m, x: m.head(first(m, x).view(len(x) * 2, 4, -1).reshape(shape=(len(x), 8, -1)).mean(2)),
    "sizes unpacked": lambda m, x: (lambda n, c, h, w: m.head(first(m, x).view(n, 8, h * w).mean(2)))(*x.shape),
    "zeros of the batch": lambda m, x: m.end(first(m, x) + x.new_zeros(x.shape[0], 8, 1, 1)),
    "a size divided": lambda m, x: m.end(F.pad(first(m, x), (1, 0, int(x.shape[2] / 2) - 3, 0))),
    "clipped at 6": lambda m, x: m.end(F.relu6(m.a(x))),
    "clamped": lambda m, x: m.end(m.a(x).clamp(0, 1)),
    "hardtanh": lambda m, x: m.end(F.hardtanh(m.a(x), 0, 1)),
    "a threshold at 0": lambda m, x: m.end(F.threshold(m.a(x), 0, 0)),
    "free in front": lambda m, x: m.end(torch.relu(m.b(F.gelu(m.a(x / x.std((1, 2, 3), keepdim=True)))))),
    "two views of each image": lambda m, x: (
        m.end(first(m, torch.stack([x, x.flip(3)], 1).flatten(0, 1))).view(-1, 2, 5).mean(1)
    ),
    "Fourier": lambda m, x: m.end(torch.fft.irfft(torch.fft.rfft(first(m, x)))),
    "tuples, lists and dicts": lambda m, x: {"a": m.end(first(m, x)), "b": [m.o(first(m, x)), (m.a(x),)]},
    "state that does not matter": lambda m, x: (setattr(m, "kept", m.a(x)), m.end(torch.relu(m.kept)))[1],
    "a constant as large as the batch": lambda m, x: m.end(
        first(m, x) + torch.arange(8.0).view(1, -1, 1, 1).expand(len(x), -1, *x.shape[2:])
    ),
    "a grid of the batch": lambda m, x: m.end(
        F.grid_sample(
            first(m, x),
            F.affine_grid(torch.eye(2, 3)[None].repeat(len(x), 1, 1).to(x.dtype), x.shape[:2] + (6, 6), False),
            align_corners=False,
        )
    ),
    "a compiled function": lambda m, x: m.end(doubled(first(m, x))),
    "dropout that follows the mode": lambda m, x: m.end(F.dropout(first(m, x), 0.5, m.training)),
}
REFUSED = {
    r"^sub\(\) at forward of Net .*other images.*\(test_networks.py:\d+\)$": [
        lambda m, x: (lambda h: m.end(h - h.mean()))(first(m, x)),
        lambda m, x: (lambda h: m.end(h - h.mean(0)))(first(m, x)),
        lambda m, x: (lambda h: m.end(h - h[:1]))(first(m, x)),
        lambda m, x: m.end(torch.relu(m.a(x) - m.a(x).mean(0))),
    ],
    r"^add\(\) at forward of Net .*other images": [lambda m, x: (lambda h: m.end(h + h.sum()))(first(m, x))],
    r"^roll\(\) at .*other images": [lambda m, x: m.end(first(m, x).roll(1, 0))],
    r"^flip\(\) at .*other images": [lambda m, x: m.end(first(m, x).flip(0))],
    r"other images": [lambda m, x: m.end(F.pad(first(m, x), (0, 0, 0, 0, 0, 0, 1, 0))[:-1])],
    r"^BatchNorm2d at stateless of Net .*other images": [
        lambda m, x: m.end(m.stateless(first(m, x))),
        lambda m, x: m.end(torch.relu(m.stateless(m.a(x)))),
    ],
    r"^the output of Net is not one for each image": [
        lambda m, x: m.end(first(m, x)).mean(0),
        lambda m, x: m.end(first(m, x)).sum(),
        lambda m, x: (m.end(first(m, x)), m.w),
        lambda m, x: (m.end(first(m, x)), len(x)),
    ],
    r"^LSTM at recurrent of Net .*before the first ReLU$": [
        lambda m, x: m.end(m.recurrent(first(m, x).flatten(2))[0].unflatten(2, (8, 8)))
    ],
    r"^max_pool2d\w*\(\) at forward of Net": [
        lambda m, x: m.end(F.max_unpool2d(*F.max_pool2d(first(m, x), 2, return_indices=True), 2))
    ],
    r"^the network gives a Both: expected tensors": [lambda m, x: Both(m.end(first(m, x)), m.a(x))],
    r"decides by the number of images.*\(test_networks.py:\d+\)": [
        lambda m, x: torch.cat([m.end(first(m, x[i : i + 1])) for i in range(len(x))]),
        lambda m, x: torch.stack([m.end(h[None])[0] for h in first(m, x)]),
    ],
    r"a context such as torch.autocast": [under_autocast],
    r"^mul\(\) at forward of Net .*gate": [
        lambda m, x: (lambda h: m.end(h * h))(first(m, x)),
        lambda m, x: (lambda h: m.end(h * h.mean((2, 3), keepdim=True)))(first(m, x)),
    ],
    r"has no counterpart": [
        lambda m, x: m.end(F.gelu(first(m, x))),
        lambda m, x: m.end((first(m, x) - 0.3).abs()),
        lambda m, x: m.end((first(m, x) - 0.3).clamp(-1, 1)),
        lambda m, x: m.end(first(m, x).round()),
        lambda m, x: m.end(first(m, x).sort(1)[0]),
        lambda m, x: m.end(first(m, x) / first(m, x).norm(dim=1, keepdim=True).clamp(1e-3)),
        lambda m, x: m.head(first(m, x).amax((2, 3))),
        lambda m, x: m.end(first(m, x)).argmax(1),
        lambda m, x: m.end(first(m, x)[:, :, :, :8] * torch.sigmoid(m.p * first(m, x))),
    ],
    r"expected only operations between ReLUs that are linear": [  # spikes are exactly 0 most of the time
        lambda m, x: (lambda h: m.head(h.sum((2, 3)) / (h != 0).sum((2, 3)).clamp(min=1)))(first(m, x)),
        lambda m, x: (lambda h: m.end(h.masked_fill(h == 0, 0.5)))(first(m, x)),
        lambda m, x: (lambda h: m.end(torch.where(h == 0, m.p, h)))(first(m, x)),
        lambda m, x: m.head(torch.count_nonzero(first(m, x), (2, 3)).to(x.dtype)),
        lambda m, x: m.end(first(m, x).sign() ** 2),
    ],
    # which have no value for a negative number, so that neither has anything behind them
    r"^sqrt\(\) at forward of Net has no counterpart": [
        lambda m, x: m.head(first(m, x).mean((2, 3)).sqrt()),
        lambda m, x: m.head(F.gelu(first(m, x).mean((2, 3)).sqrt() - 1)),
    ],
    r"^pow\(\) at forward of Net has no counterpart": [lambda m, x: m.head(first(m, x).pow(3).mean((2, 3)) ** (1 / 3))],
    r"^lp_pool2d\(\) at forward of Net has no counterpart": [
        lambda m, x: m.head(F.lp_pool2d(first(m, x), 3, 8)[:, :, 0, 0])
    ],
    r"^log\(\) at forward of Net has no counterpart": [
        lambda m, x: m.head((first(m, x) + 1e-3).log().mean((2, 3)).exp())
    ],
    r"^mean\(\) at forward of Net .*other images": [
        lambda m, x: (lambda g: m.head(g - g.mean(0)))(first(m, x).mean((2, 3)).sqrt())
    ],
    r"^sqrt\(\) at forward of Net gives no finite value.*\(test_networks.py:\d+\)$": [
        lambda m, x: m.end(m.b((-1 - first(m, x).abs()).sqrt())),
        lambda m, x: m.head((-1 - first(m, x).square().mean((2, 3))).sqrt()),
    ],
    r"looks at other images of the batch": [lambda m, x: m.end(first(m, x)).softmax(0)],
    r"the batch is not in dimension 0": [
        lambda m, x: m.head(torch.relu(m.a(x).transpose(0, 1)).transpose(0, 1).mean((2, 3)))
    ],
    r"call .eval\(\) first": [lambda m, x: m.end(first(m, x) * 0.5 if m.training else first(m, x))],
    r"changes values that others share": [
        lambda m, x: (lambda h: (h[:, :2].relu_(), m.end(torch.relu(h) + h))[1])(m.a(x))
    ],
    r"second time.*randomness": [
        lambda m, x: m.end(first(m, x + torch.rand_like(x))),
        lambda m, x: m.end(F.dropout(first(m, x), 0.5)),
    ],
    r"control flow": [lambda m, x: m.end(first(m, x)) if x.sum() > 0 else m.end(first(m, -x))],
    r"takes the value of a tensor": [lambda m, x: m.end(first(m, x) * x.mean().item())],
}


@pytest.mark.parametrize("name", RIGHT)
def test_right(name):
    assert_right(Net(RIGHT[name]), images(), channelwise="number" not in name)


@pytest.mark.parametrize(("named", "wiring"), [(named, w) for named, ws in REFUSED.items() for w in ws])
def test_refused(named, wiring):
    assert_refused(lambda: quantize_activations(Net(wiring), example=images()), named)


BEHIND_THE_LOGARITHM = {
    r"^gelu\(\) at forward of Net has no counterpart": lambda m, x, y: m.head(
        F.gelu(m.b(first(m, x))).mean((2, 3)) + y
    ),
    r"changes values that others share": lambda m, x, y: m.head(scaled_in_place(m.b(first(m, x)).mean((2, 3)) + y)),
}


@pytest.mark.parametrize("named", BEHIND_THE_LOGARITHM)
def test_images_that_are_positive_are_measured_as_such(named):
    def network(written):
        return Net(lambda m, x: written(m, x, m.w * x.log().mean((1, 2, 3))[:, None]))

    x = torch.rand(3, 3, 8, 8) + 1e-3
    assert_refused(lambda: quantize_activations(network(BEHIND_THE_LOGARITHM[named]), example=x), named)
    assert_right(network(lambda m, x, y: m.head(m.b(first(m, x)).mean((2, 3)) + y)), x)


def test_weights_that_are_not_finite_are_named_as_such():
    net = Net(lambda m, x: m.end(first(m, x)))
    net.a.weight.data[0] = torch.nan
    assert_refused(lambda: convert(quantize_activations(net, example=images())), "^a.weight of Net is not finite")


class Starting(Net):
    """Weights that are 0 or 1 until training moves them."""

    def __init__(self, wiring):
        super().__init__(wiring)
        self.prelu, self.gamma = nn.PReLU(init=1.0), nn.Parameter(torch.zeros(1))
        self.mask = nn.Parameter(torch.tensor([1.0, 0.0]).repeat(4))
        nn.init.zeros_(self.norm.weight)
        nn.init.dirac_(self.b.weight)
        nn.init.zeros_(self.b.bias)


HIDDEN_AT_FIRST = {
    "PReLU at prelu of Starting has no": lambda m, h: m.o(m.prelu(h - 1)),
    r"gelu\(\) at forward of Starting has no": lambda m, h: m.o(h + m.norm(F.gelu(h))),
    r"tanh\(\) at forward of Starting has no": lambda m, h: m.o(h + torch.tanh(m.b(h) - h)),
    r"clamp\(\) at forward of Starting has no": lambda m, h: m.o(h + m.gamma * (h - 1).clamp(-50, 50)),
    r"mul\(\) at forward of Starting .*gate": lambda m, h: m.o(h * (1 + h * m.gamma.clamp(0, 1))),
    r"add\(\) at forward of Starting .*other images": lambda m, h: m.o(h + m.gamma * h.mean(0)),
}


@pytest.mark.parametrize("named", HIDDEN_AT_FIRST)
def test_what_training_will_show_is_refused_before(named):
    net = Starting(lambda m, x: HIDDEN_AT_FIRST[named](m, first(m, x)))
    before = copy.deepcopy(net.state_dict())
    assert_refused(lambda: quantize_activations(net, example=images()), f"^{named}")
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    for weight in net.parameters():
        weight.requires_grad_(False)
    assert_right(net, images(), channelwise=False)  # frozen, it stays what it is


AT_REST = {
    "a block whose last norm starts at 0": lambda m, h: m.o(h + m.norm(m.b(h))),
    "a mask": lambda m, h: m.o(h * m.mask[:, None, None]),
    "a mask that selects": lambda m, h: m.o(h[:, m.mask.bool()].repeat(1, 2, 1, 1)),
    "a scale in its logarithm": lambda m, h: m.o(h * m.gamma.exp() + (m.mask + 1).log().sum()),
}


@pytest.mark.parametrize("wiring", AT_REST)
def test_what_starts_at_0_or_1_is_right(wiring):
    assert_right(Starting(lambda m, x: AT_REST[wiring](m, first(m, x))), images())


def masked(scores: Tensor, fill: float) -> Tensor:
    return scores.masked_fill(torch.arange(scores.shape[1]) == 1, fill)


def scaled_in_place(h: Tensor) -> Tensor:
    h[:, :2].mul_(5.0)
    return h


FILLS = [0.0, -1e4, -1e9, torch.finfo(torch.float32).min, -torch.inf]
BLINDED = {
    r"^LayerNorm at o\.1 of Written has no counterpart": lambda m, x: m.o[1](m.o[0](torch.relu(m.a(x)))),
    r"changes values that others share": lambda m, x: scaled_in_place(m.o[0](torch.relu(m.a(x)))),
    r"second time.*randomness": lambda m, x: F.dropout(m.o[0](torch.relu(m.a(x))), 0.5, training=True),
}


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("named", BLINDED)
def test_a_mask_of_large_numbers_hides_nothing(named, fill):
    def network(written):
        return Written(lambda m, x: masked(written(m, x), fill), nn.Sequential(nn.Linear(8, 4), nn.LayerNorm(4)))

    x = torch.randn(3, 6)
    assert_refused(lambda: quantize_activations(network(BLINDED[named]), example=x), named)
    ann = quantize_activations(network(lambda m, x: m.o[0](torch.relu(m.a(x)))), threshold=0.5, example=x)
    legal = [0, 2, 3]
    found, expected = convert(ann)(x, STEPS)[..., legal], over_time(ann, x.double(), STEPS)[..., legal]
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "function",
    [
        torch.softmax,
        F.log_softmax,
        F.softmin,
        torch.special.softmax,
        torch.special.log_softmax,
        lambda x, d: torch.special.expit(x),
        lambda x, d: F.logsigmoid(x),
        lambda x, d: nn.Softmin(d)(x),
    ],
)
def test_a_final_softmax_is_applied_to_the_score(function):
    net = Net(lambda m, x: function(m.end(first(m, x)), 1))
    assert_right(net, images(), end=lambda means: function(means, -1))


class Segment(nn.Module):
    """A score for each place, and ``end``, a module or a function, behind it."""

    def __init__(self, end):
        super().__init__()
        self.a, self.o, self.end = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 3, 1), end

    def forward(self, x):
        return self.end(self.o(torch.relu(self.a(x))))


SCORES = {
    "Softmax2d": nn.Softmax2d(),
    "Softmin": nn.Softmin(1),
    "LogSigmoid": nn.LogSigmoid(),
    "view": lambda o: torch.sigmoid(o).view(o.size(0), -1),
    "reshape": lambda o: torch.softmax(o, 1).reshape((o.shape[0], 3, -1)),
    "view of itself": lambda o: (lambda s: s.view(s.shape[0], -1))(torch.sigmoid(o)),
    "view by length": lambda o: torch.sigmoid(o).view(len(o), -1),
    "unpacked": lambda o: (lambda n, c, h, w: torch.sigmoid(o).view(n, -1))(*o.shape),
}


@pytest.mark.parametrize("name", SCORES)
def test_an_end_is_applied_to_the_score(name):
    x, end = images().double(), SCORES[name]
    ann = quantize_activations(Segment(end).double(), threshold=0.3, example=x)
    bare = quantize_activations(Segment(nn.Identity()).double(), threshold=0.3, example=x)
    bare.load_state_dict(ann.state_dict())
    for some in (x, x[:1], torch.cat([x, x])):
        means = over_time(bare, some, STEPS)
        torch.testing.assert_close(convert(ann)(some, STEPS), torch.stack([end(mean) for mean in means]))


@pytest.mark.parametrize(
    "end",
    [
        torch.tanh,
        lambda o: torch.cat([torch.sigmoid(o[:, :1]), o[:, 1:]], 1),
        lambda o: (torch.softmax(o, 1) + torch.softmax(2 * o, 1)) / 2,
        lambda o: o[:, :1] * o[:, 1:],
        lambda o: o.argmax(1),
        nn.Hardsigmoid(),
    ],
)
def test_what_no_mean_belongs_into_is_left_to_the_user(end):
    assert_refused(lambda: quantize_activations(Segment(end), example=images()), "apply it to the SNN's scores")


TRANSFORMS = {
    "Normalize": transforms.Normalize((0.5, 0.4, 0.3), (0.2, 0.2, 0.3)),
    "Normalize in place": transforms.Normalize((0.5, 0.4, 0.3), (0.2, 0.2, 0.3), inplace=True),
    "Resize": transforms.Resize(6),
    "several": nn.Sequential(transforms.Resize((9, 8)), transforms.CenterCrop(6), transforms.Normalize((0.5,), (0.2,))),
    "v2": v2.Compose([v2.Resize(6), v2.Normalize((0.5,), (0.2,))]),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_of_torchvision_in_front(name):
    def net():
        return nn.Sequential(copy.deepcopy(TRANSFORMS[name]), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))

    assert_right(net(), images())
    assert list(sites(quantize_activations(net()))) == ["2"]


@pytest.mark.parametrize("transform", [transforms.RandomHorizontalFlip(), transforms.GaussianBlur(3)])
def test_a_transform_that_draws_is_refused(transform):
    net = nn.Sequential(transform, nn.Conv2d(3, 4, 3), nn.ReLU())
    assert_refused(lambda: quantize_activations(net, example=images(8)), "gives something else for the same input")


def test_a_clipped_relu_starts_at_its_bound():
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU6(), nn.Linear(4, 4), nn.Hardtanh(0, 2.5), nn.Linear(4, 2), nn.ReLU())
    ann = quantize_activations(net, threshold=0.7, example=torch.randn(3, 6))
    torch.testing.assert_close([s.threshold.item() for s in sites(ann).values()], [6.0, 2.5, 0.7])
    assert [line.was for line in report(ann)] == ["ReLU6", "Hardtanh", "ReLU"]


def test_inplace_relu_computes_what_pytorch_computes():
    """Without the rule that every later reader sees it, this was another function."""
    net = Net(lambda m, x: (lambda h: m.o(m.inner(h) + h))(m.a(x))).eval()
    ann, x = quantize_activations(net, L=1 << 16, threshold=8.0, example=images()), images()
    torch.testing.assert_close(ann(x), net(x), rtol=1e-3, atol=1e-3)


ALIASES = {  # and whether each is the whole, in its own shape, which a trace with values follows
    "Identity": (nn.Identity(), True),
    "Dropout": (nn.Dropout(0.1), True),
    "detach": (lambda h: h.detach(), True),
    "contiguous": (lambda h: h.contiguous(), True),
    "to": (lambda h: h.to(torch.float32), True),
    "[:]": (lambda h: h[:], True),
    "view_as": (lambda h: h.view_as(h), True),
    "chunk": (lambda h: h.chunk(2, 1)[0], False),
    "a channel": (lambda h: h[:, 0], False),
    "flatten": (nn.Flatten(), False),
    "view": (lambda h: h.view(h.shape[0], -1), False),
    "transpose": (lambda h: h.transpose(2, 3), False),
    "permute": (lambda h: h.permute(0, 2, 3, 1), False),
}
CHANGES = {
    "relu": lambda h: F.relu(h, inplace=True),
    "ReLU": nn.ReLU(inplace=True),
    "clamp_": lambda h: h.clamp_(0),
    "out": lambda h: torch.clamp(h, min=0, out=h),
}


@pytest.mark.parametrize("with_example", [True, False])
@pytest.mark.parametrize(
    ("alias", "change"), [*((alias, "relu") for alias in ALIASES), *(("chunk", change) for change in list(CHANGES)[1:])]
)
def test_an_inplace_relu_of_rectified_values_is_seen_by_all_or_refused(alias, change, with_example):
    """Twice a ReLU is once, so that nothing differs before the activations stand there, of which two are not one."""
    (view, whole), x = ALIASES[alias], images()

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.o, self.pool = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 1), nn.AvgPool2d(2)
            self.view = view if isinstance(view, nn.Module) else None

        def forward(self, x):
            h = self.pool(torch.relu(self.a(x)))
            CHANGES[change](self.view(h) if self.view is not None else view(h))
            return self.o(h)

    net = Twice().eval()
    if not (whole and with_example):
        ann = None if with_example else quantize_activations(net)
        call = (lambda: quantize_activations(net, example=x)) if ann is None else (lambda: convert(ann)(x, 1))
        assert_refused(call, "changes values that others share")
        return
    ann = quantize_activations(net, L=4, threshold=0.3, example=x)
    one, two = (lambda z, site=site: site(z) for site in sites(ann).values())
    torch.testing.assert_close(ann(x), net.o(two(net.pool(one(net.a(x))))))


def test_a_relu_into_its_own_input_is_seen_by_later_readers():
    net = Net(lambda m, x: (lambda h: (torch.clamp(h, min=0, out=h), m.o(h))[1])(m.b(first(m, x)))).eval()
    assert len(sites(assert_right(net, images()))) == 2


class Rank3(nn.Module):
    """A recurrence over the second dimension."""

    def __init__(self):
        super().__init__()
        self.a, self.h, self.c = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        h = x.new_zeros(x.size(0), 6)
        for t in range(x.shape[1]):
            h = F.relu(self.a(x[:, t]) + self.h(h))
        return self.c(h)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(6, 8), nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x, y, mask=None, features=False):
        h = F.relu(self.a(x)) + F.relu(self.b(y))
        if mask is not None:
            h = h * mask
        return h if features else self.c(h)


class Video(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.c = nn.Conv2d(3, 8, 3), nn.Linear(8, 5)

    def forward(self, x):
        b, t, c, h, w = x.shape
        return self.c(F.relu(self.a(x.view(b * t, c, h, w))).mean((2, 3))).view(b, t, -1).mean(1)


class Locked(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.c, self.lock, self.kept = nn.Linear(6, 8), nn.Linear(8, 3), threading.Lock(), []

    def forward(self, x):
        with self.lock:
            self.kept.append(self.a(x))
            return self.c(F.relu(self.kept[-1]))


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.c = nn.Linear(6, 8), nn.Linear(8, 3)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.count += 1
        return self.c(F.relu(self.a(x)))


class Compiled(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.c = nn.Linear(6, 8), nn.Linear(8, 3)

    @torch.compile(backend="eager")
    def forward(self, x):
        return self.c(F.relu(self.a(x)))


class Bytes(nn.Module):
    """Takes images as bytes, or what is true or not, and makes floats of PyTorch's default type itself."""

    def __init__(self):
        super().__init__()
        self.a, self.c = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.c(F.relu(self.a(x / 255)) + torch.zeros(8))


class Attention(nn.Module):
    """Affine where all of an image is one place, and not where there are more."""

    def __init__(self):
        super().__init__()
        self.a, self.c = nn.Conv2d(3, 8, 3, padding=1, stride=2), nn.Linear(8, 4)

    def forward(self, x):
        h = F.relu(self.a(x)).flatten(2).transpose(1, 2)
        return self.c(F.scaled_dot_product_attention(h, h, h)).mean(1)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


def normed(kind) -> nn.Module:
    net = nn.Sequential(kind(nn.Conv2d(3, 8, 3)), nn.BatchNorm2d(8), nn.ReLU(), kind(nn.Conv2d(8, 3, 1)))
    net(images())
    return net


def used(net: nn.Module, *x: Tensor) -> nn.Module:
    net(*x)
    return net


BROUGHT = {
    "Conv3d": lambda: (
        nn.Sequential(
            nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), nn.ReLU(), nn.MaxPool3d(2), nn.Flatten(), nn.Linear(16, 3)
        ),
        torch.randn(3, 3, 4, 6, 6),
    ),
    "Conv1d": lambda: (
        nn.Sequential(nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(4, 2, 1)),
        torch.randn(3, 3, 12),
    ),
    "norm over another dimension than the linear layer": lambda: (
        nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2)),
        torch.randn(3, 6, 6),
    ),
    "recurrence": lambda: (Rank3(), torch.randn(3, 4, 4)),
    "two inputs": lambda: (Two(), (torch.randn(3, 6), torch.randn(3, 4))),
    "video": lambda: (Video(), torch.randn(3, 4, 3, 8, 8)),
    "a lock and kept tensors": lambda: (used(Locked(), torch.randn(2, 6)), torch.randn(3, 6)),
    "a counter": lambda: (Counting(), torch.randn(3, 6)),
    "DataParallel": lambda: (nn.DataParallel(mlp()), torch.randn(3, 6)),
    "a compiled forward": lambda: (Compiled(), torch.randn(3, 6)),
    "a compiled forward inside": lambda: (nn.Sequential(Compiled(), nn.ReLU()), torch.randn(3, 6)),
    "torch.compile": lambda: (torch.compile(mlp()), torch.randn(3, 6)),
    "DataParallel inside": lambda: (nn.Sequential(nn.DataParallel(mlp()), nn.ReLU()), torch.randn(3, 6)),
    "old weight norm": lambda: (normed(torch.nn.utils.weight_norm), images()),
    "weight norm": lambda: (normed(torch.nn.utils.parametrizations.weight_norm), images()),
    "indices": lambda: (
        nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 8), nn.ReLU(), nn.Flatten(), nn.Linear(24, 2)),
        torch.randint(9, (3, 3)),
    ),
}


FEATURES_LAST = ("norm over another dimension than the linear layer", "indices")


@pytest.mark.parametrize("name", BROUGHT)
def test_brought(name):
    net, x = BROUGHT[name]()
    assert_right(net, x, channelwise=name not in FEATURES_LAST)


def test_squeeze_keeps_a_batch_of_one():
    net = Net(lambda m, x: m.head(F.adaptive_avg_pool2d(first(m, x), 1).squeeze()))
    snn = convert(quantize_activations(net, threshold=0.3, example=images()))
    whole = snn(images(), 4)
    assert whole.shape == (4, 3, 5)
    for steps in (1, 4):
        alone = torch.cat([snn(image[None], steps) for image in images()], 1)
        torch.testing.assert_close(alone, whole[:steps], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_a_network_of_another_type(dtype):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).to(dtype)
    ann = to_channelwise(quantize_activations(net, example=images().to(dtype)))
    assert {p.dtype for p in ann.parameters()} == {dtype}
    scores = convert(ann)(images().to(dtype), 3)
    assert scores.dtype == dtype and scores.shape == (3, 3, 3) and bool(scores.isfinite().all())


def test_bad_inputs_of_an_snn_are_one_line():
    x = torch.randn(3, 6)
    lost = x.clone()
    lost[1, 2] = torch.nan
    snn = convert(quantize_activations(mlp(), example=x))
    snn(x, 2)
    for bad, named in (
        (x.numpy(), "^input of type ndarray"),
        (x.tolist(), "^input of type list"),
        (x.double(), "^images of torch.float64: expected torch.float32"),
        (lost, "^image 1 of the batch"),
        ((x, x), "^2 inputs: expected 1"),
        (x.to_sparse(), "^input of layout torch.sparse_coo"),
        (torch.zeros(3, 6, dtype=torch.uint8), "does not take"),
    ):
        assert_refused(lambda bad=bad: snn(bad, 2), named)


@pytest.mark.parametrize("middle", [nn.MaxPool2d(2), nn.GELU(), nn.Sigmoid(), nn.ReLU(), nn.LayerNorm(6)])
def test_a_network_built_by_hand_is_measured(middle):
    """Where no example is known, the first input serves."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), CSQCFS(4), middle, nn.Conv2d(4, 4, 1), CSQCFS(4)).eval()
    named = f"^{type(middle).__name__} at 2 of Sequential has no counterpart"
    assert_refused(lambda: convert(net, example=images()), named)
    assert_refused(lambda: convert(net)(images(), 2), named)


def test_one_activation_called_twice_has_neurons_for_each_call():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.act = nn.Linear(6, 8), nn.Linear(8, 8), CSQCFS(8, 4, 0.3)

        def forward(self, x):
            return self.act(self.b(self.act(self.a(x))))

    net, x = Twice().double(), torch.randn(3, 6, dtype=torch.float64)
    snn = convert(net, example=x)
    assert list(snn.thresholds) == ["act", "act_2"]
    torch.testing.assert_close(snn(x, 4), over_time(net, x, 4))
    assert convert(net, "srp", example=x)(x, 4).shape == (4, 3, 8)


@pytest.mark.parametrize("name", ["0", "1", "2", "4"])
def test_a_hook_on_a_module_that_goes_is_named(name):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.MaxPool2d(2))
    net.get_submodule(name).register_forward_hook(lambda *_: None)
    assert_refused(lambda: convert(quantize_activations(net, example=images())), f"^{name} .*has a hook")


def test_a_hook_on_the_whole_is_named():
    x = torch.randn(2, 6)
    for register in (nn.Module.register_forward_hook, nn.Module.register_forward_pre_hook):
        net = mlp()
        register(net, lambda *_: None)
        assert_refused(lambda net=net: quantize_activations(net, example=x), r"^the network \(Sequential\) has a hook")
        ann = quantize_activations(mlp(), example=x)
        register(ann, lambda *_: None)
        assert_refused(lambda ann=ann: convert(ann), r"^the network \(.*\) has a hook and is simulated")


def test_other_sizes_than_those_that_python_decided_by_are_refused():
    free = quantize_activations(Net(lambda m, x: m.o(F.interpolate(first(m, x), x.shape[2:]))), example=images())
    assert convert(free)(images(2, 12), 2).shape == (2, 2, 4, 12, 12)
    held = Net(lambda m, x: m.o(first(m, F.pad(x, (0, 1)) if x.shape[3] % 4 == 0 else x)))
    snn = convert(quantize_activations(held, example=images()))
    assert snn(images(2, 12), 2).shape == (2, 2, 4, 12, 13)
    assert_refused(lambda: snn(images(2, 10), 2), "Python decides")


def test_a_network_is_measured_at_every_size_that_it_meets():
    """Attention over one place is affine: the example must not vouch for larger images."""
    small, large = images(2, 2), images(2, 8)
    snn = convert(quantize_activations(Attention(), example=small))
    assert snn(small, 2).shape == (2, 2, 4)
    assert_refused(lambda: snn(large, 2), "^scaled_dot_product_attention.. at .*leave attention out")
    assert_refused(lambda: snn(large, 2), "attention")
    assert_refused(lambda: quantize_activations(Attention(), example=large), "attention")


class Waves(nn.Module):
    """Weights on frequencies, complex ones of the precision of the others."""

    def __init__(self, mix):
        super().__init__()
        self.a, self.o, self.mix = nn.Linear(6, 8), nn.Linear(8, 3), mix
        self.w = nn.Parameter(torch.randn(5, 5, dtype=torch.complex64))
        self.register_buffer("b", torch.randn(5, dtype=torch.complex64))

    def precise(self):
        self.double()
        self.w.data, self.b = self.w.data.to(torch.complex128), self.b.to(torch.complex128)
        return self

    def forward(self, x):
        out = self.mix(self, torch.fft.rfft(torch.relu(self.a(x))))
        return out if out.is_complex() else self.o(out)


WAVES = {
    "product": lambda m, f: torch.fft.irfft(f @ m.w + m.b),
    "einsum": lambda m, f: torch.fft.irfft(torch.einsum("bi,io->bo", f, m.w)),
    "complex output": lambda m, f: f.conj() @ m.w,
    "type asked for": lambda m, f: torch.fft.irfft(f.to(m.w.dtype) * torch.ones(5, dtype=m.w.dtype)),
    "parts": lambda m, f: torch.complex(f.imag, 2 * f.real) * m.w[0],
}


@pytest.mark.parametrize("mix", WAVES)
def test_complex_weights(mix):
    net, x = Waves(WAVES[mix]), torch.randn(3, 6)
    precise, z = copy.deepcopy(net).precise(), x.double()
    ann = quantize_activations(precise, threshold=0.5, example=z)
    expected = over_time(ann, z, STEPS)
    torch.testing.assert_close(convert(ann)(z, STEPS), expected)
    scores = convert(quantize_activations(net, threshold=0.5, example=x))(x, STEPS)
    torch.testing.assert_close(scores, expected, check_dtype=False, rtol=1e-4, atol=1e-4)


def test_an_imaginary_part_is_measured_too():
    for mix in (lambda m, f: torch.complex(f.real, f.real**2), lambda m, f: f * f):
        assert_refused(lambda mix=mix: quantize_activations(Waves(mix), example=torch.randn(3, 6)), "^(pow|mul)")


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool])
def test_inputs_that_are_no_floats(dtype):
    net, x = Bytes(), torch.randint(2, (3, 6)).to(dtype)
    ann = quantize_activations(net, threshold=0.3, example=x)
    scores = convert(ann)(x, STEPS)
    torch.testing.assert_close(scores, convert(ann, example=x[:1])(x, STEPS))
    assert scores.shape == (STEPS, 3, 3)


NO_NETWORKS = {"dict": mlp().state_dict(), "function": lambda x: x, "class Linear itself": nn.Linear, "NoneType": None}
CALLS = {
    "quantize": lambda net: quantize_activations(net, example=torch.randn(2, 6)),
    "convert": convert,
    "to_channelwise": to_channelwise,
    "calibrate": lambda net: csqcfs.calibrate(net, torch.randn(2, 6)),
    "save": lambda net: csqcfs.save(net, "never-written"),
    "fit": lambda net: csqcfs.fit(net, (torch.zeros(2, 1, 4, 4), torch.zeros(2, dtype=torch.int64)), epochs=1),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("what", NO_NETWORKS)
def test_no_network(what, call):
    kind = "OrderedDict" if what == "dict" else what
    assert_refused(lambda: CALLS[call](NO_NETWORKS[what]), f"^network of (the |type ){kind}: expected an nn.Module")


def test_networks_that_are_not_there_yet_or_no_python():
    x = torch.randn(2, 6)
    lazy = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))
    assert_refused(lambda: quantize_activations(lazy, example=x), "^0 is lazy and has no weights yet")
    lazy(x)
    quantize_activations(lazy, example=x)
    for example in (x, x.to("meta"), None):
        assert_refused(
            lambda example=example: quantize_activations(mlp().to("meta"), example=example),
            "^0 is on the device meta and has no weights yet",
        )
    assert_refused(lambda: quantize_activations(mlp(), example=x.to("meta")), "^example on the device meta: expected")
    script = nn.Sequential(torch.jit.script(nn.Linear(6, 8)), nn.ReLU())
    assert_refused(lambda: quantize_activations(script, example=x), "^0 is TorchScript")


def test_what_is_no_network_of_ones_own_is_named():
    x = torch.randn(2, 6)
    snn = convert(quantize_activations(mlp(), example=x))
    for call in (convert, quantize_activations, lambda net: quantize_activations(net, example=x)):
        assert_refused(lambda call=call: call(snn), "^SNN is an SNN already")
    for strict in (False, True):
        exported = torch.export.export(mlp(), (x,), strict=strict).module()
        assert_refused(lambda net=exported: quantize_activations(net, example=x), "^the network is one of torch.export")
    small = torch.ao.quantization.quantize_dynamic(mlp(), {nn.Linear}, torch.qint8)
    assert_refused(lambda: quantize_activations(small, example=x), "^0 is a quantized Linear: expected")
    one = torch.randn(3, 8, 8)
    assert_refused(lambda: quantize_activations(Segment(nn.Identity()), example=one), "expected a batch")


def test_what_a_network_carries_survives():
    net = mlp()
    net.mean, net.std = (0.1,), (0.2,)
    ann = quantize_activations(net, example=torch.randn(2, 6))
    sites(ann)["1"].raw.requires_grad_(False)
    fine = to_channelwise(ann)
    assert (ann.mean, fine.mean, fine.std) == ((0.1,), (0.1,), (0.2,))
    assert not sites(fine)["1"].raw.requires_grad and report(fine)[0].now == "CSQCFS"


def test_a_norm_written_as_a_function_trains_as_a_module():
    net = Net(RIGHT["functional norm"])
    ann = quantize_activations(net, threshold=1.0, example=images())
    assert isinstance(ann.get_submodule("norm"), nn.BatchNorm2d) and {"norm.weight", "norm.running_var"} <= set(
        ann.state_dict()
    )
    before = ann.get_submodule("norm").running_mean.clone()
    ann.train()(images())
    assert not torch.equal(before, ann.get_submodule("norm").running_mean)


def test_measuring_shares_the_weights_and_an_snn_has_its_own():
    ann = quantize_activations(mlp(), example=torch.randn(2, 6))
    neurons, _ = unfolded(ann, (torch.randn(2, 6),))
    assert neurons.get_submodule("0").weight is ann.get_submodule("0").weight
    double = sharing(ann, torch.float64)
    assert {p.dtype for p in double.parameters()} == {torch.float64}
    assert {p.dtype for p in ann.parameters()} == {torch.float32}
    snn, before = convert(ann), copy.deepcopy(ann.state_dict())
    torch.nn.init.zeros_(snn.graph.get_submodule("0").weight)
    torch.testing.assert_close(ann.state_dict(), before, rtol=0, atol=0)


def in_place_of_a_view(net, x):
    h = torch.relu(net.a(x))
    h[:, 0].mul_(2)
    return net.o(h)


def in_place_flat(net, x):
    h = torch.relu(net.a(x))
    v = h.view(-1)
    v += 1
    return net.o(h)


def out_of_sight(net, x):
    h = torch.relu(net.a(x))
    torch.add(h, 1, out=h.detach())
    return net.o(h)


UNSEEN = {
    "a part of a value in place": in_place_of_a_view,
    "another shape of it in place": in_place_flat,
    "out= an alias": out_of_sight,
    "dropout that never ends": lambda net, x: net.o(F.dropout(torch.relu(net.a(x)), 0.5, True)),
    "a branch that tracing takes otherwise": lambda net, x: net.o(
        torch.relu(net.a(x * 3 if isinstance(x, Tensor) else x))
    ),
    "one draw for ever": lambda net, x: net.o(torch.relu(net.a(x)) + torch.rand(8)),
}


class Written(nn.Module):
    """Two layers and a forward of its own."""

    def __init__(self, written, last=None):
        super().__init__()
        self.a, self.o, self.written = nn.Linear(6, 8), last or nn.Linear(8, 3), written

    def forward(self, x):
        return self.written(self, x)


@pytest.mark.parametrize("name", UNSEEN)
def test_without_an_example_the_graph_is_compared_at_the_first_input(name):
    """It was traced without values, which hide these; a copy in between changes nothing about that."""
    ann, x = quantize_activations(Written(UNSEEN[name])), torch.randn(3, 6)
    with pytest.raises(InputError, match="^Written (computes|gives) something else"):
        convert(copy.deepcopy(ann), example=x)
    spiking = convert(ann)
    for _ in range(2):  # it stays refused
        with pytest.raises(InputError, match="^Written (computes|gives) something else"):
            spiking(x, 2)


def test_without_an_example_an_ordinary_network_is_right():
    net, x = Written(lambda net, x: net.o(torch.relu(net.a(x)).view(x.shape[0], -1))), torch.randn(3, 6)
    ann = quantize_activations(net, threshold=0.5)
    with torch.no_grad():
        ann.a.weight.mul_(1.5)  # what was compared are programs, not weights
    assert torch.allclose(convert(ann)(x, STEPS).double(), over_time(ann, x.double(), STEPS), atol=1e-5)


@pytest.mark.parametrize("end", [nn.Hardsigmoid(), nn.Hardtanh(-5, 5)])
def test_a_bend_behind_one_number_is_seen_with_any_weights(end):
    """Of a single output, few draws lie on both sides of a wide range."""
    x = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for seed in range(30):
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 1), end).eval()
        assert_refused(
            lambda net=net: quantize_activations(net, example=x), f"^{type(end).__name__} at 4 of Sequential has no"
        )
