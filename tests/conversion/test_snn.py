"""The spiking network against SpikingJelly's nodes, a loop over time, and itself in other pieces."""

from __future__ import annotations

import copy
import functools
import pickle

import csqcfs
import pytest
import torch
from csqcfs import InputError, convert, quantize_activations, to_channelwise
from csqcfs.conversion import family, snn
from csqcfs.engine import kernels
from csqcfs.engine.errors import NonpositiveThreshold
from csqcfs.engine.simulation import IF
from csqcfs.methods import METHODS
from csqcfs.models import build
from csqcfs.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn

pytestmark = pytest.mark.usefixtures("resnet8")


class Views(nn.Module):
    """Sizes read off the input, a concatenation and a sum of a constant and a timed value, a used-twice layer."""

    def __init__(self):
        super().__init__()
        self.stem, self.body = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(16 * 16, 10)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        y = self.relu(stem)
        y = self.relu(self.body(y) + stem)  # a sum of a timed and a constant value, read by neurons only
        y = self.relu(self.body(y))
        y = self.pool(torch.cat([y + 1, stem.mul(0.5)], 1))
        return self.head(y.view(x.size(0), -1))


class Reshapes(nn.Module):
    """The other ways to flatten; and a sum that more than neurons read."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.more = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)
        self.hidden, self.head = nn.Linear(4 * 36, 20), nn.Linear(20, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm(self.conv(x)))
        total = self.more(y) + y
        y = torch.relu(total) + total
        y = torch.reshape(y, (y.shape[0], -1))
        return self.head(torch.relu(self.hidden(y)).reshape(y.shape[0], 20))


def thresholded(network: nn.Module, per_channel: bool, size: int = 8, seed: int = 0) -> nn.Module:
    """``network`` with random norms, weights that fire, and thresholds that differ."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.7, 1.5)
    ann = quantize_activations(network, 4, 1.0, torch.randn(2, 3, size, size))
    model = to_channelwise(ann) if per_channel else ann
    for site in family.sites(model).values():
        with torch.no_grad():
            site.raw += 0.3 * torch.rand_like(site.raw)
    return model.eval()


@functools.cache
def ready(name: str, per_channel: bool) -> nn.Module:
    """One of `NETWORKS`, `thresholded` once for all tests, which leave it as it is."""
    return thresholded(NETWORKS[name](), per_channel, size_of(name))


NETWORKS = {
    "resnet20": lambda: build("resnet20", width=0.5),
    "resnet8": lambda: build("resnet8", width=0.5),
    "vgg16": lambda: build("vgg16", width=0.125),
    "bottlenecks": lambda: ResNet(Bottleneck, (4, 8), (2, 1), 10, 3),  # a block of each kind
    "views": Views,
    "reshapes": Reshapes,
}


def size_of(name: str) -> int:
    return 16 if name == "vgg16" else 8


def images(name: str, number: int = 3) -> Tensor:
    return torch.randn(number, 3, size_of(name), size_of(name), generator=torch.Generator().manual_seed(5))


@torch.no_grad()
def step_by_step(network: csqcfs.SNN, x: Tensor, T: int, node) -> Tensor:
    """The folded network called T times with stateful neurons ``node(threshold, shape)``; scores [T, N, C]."""
    graph = copy.deepcopy(network.graph)
    for name, module in list(graph.named_modules()):
        if isinstance(module, IF):
            graph.set_submodule(name, node(module.threshold))
    graph.to(memory_format=torch.contiguous_format)  # in which a view of Views exists
    outputs = torch.stack([graph(x) for _ in range(T)])
    return outputs.cumsum(0) / torch.arange(1, T + 1).view(-1, 1, 1)


class Stateful(nn.Module):
    def __init__(self, theta: Tensor):
        super().__init__()
        self.theta, self.v = theta, None

    def forward(self, x: Tensor) -> Tensor:
        theta = self.theta.view(-1, *[1] * (x.dim() - 2)) if self.theta.dim() else self.theta
        h = (theta / 2 if self.v is None else self.v) + x
        s = (h >= theta).float()
        self.v = h - s * theta
        return s * theta


@pytest.mark.parametrize("per_channel", [False, True], ids=["layer", "channels"])
@pytest.mark.parametrize("name", NETWORKS)
def test_equals_a_loop_over_time(name, per_channel):
    network = convert(ready(name, per_channel))
    x = images(name)
    scores, expected = network(x, 6), step_by_step(network, x, 6, Stateful)
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-5)
    assert bool((scores[0] != scores[-1]).any())


@pytest.mark.parametrize("name", ["resnet8", "vgg16"])
def test_scores_of_spikingjelly_bit_for_bit(name):
    """The same folded network in multi-step mode with ActivationAwareIFNode at every site."""
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")

    class Node(nn.Module):
        def __init__(self, theta: Tensor):
            super().__init__()
            self.theta = theta
            self.node = neuron.ActivationAwareIFNode(
                v_threshold=theta, v_offset=0.0, channel_dim=1, v_reset=None, step_mode="m"
            )

        def forward(self, x: Tensor) -> Tensor:
            x = x.unflatten(0, (T, -1))
            level = self.theta.view(-1, *[1] * (x.dim() - 3))
            self.node.v = (level / 2).expand(x.shape[1:]).clone()
            return (self.node(x) * level).flatten(0, 1)

    T, x = 5, images(name).contiguous(memory_format=torch.channels_last)
    network = convert(ready(name, True))
    graph = copy.deepcopy(network.graph)
    for site, module in list(graph.named_modules()):
        if isinstance(module, IF):
            graph.set_submodule(site, Node(module.threshold))
    with torch.no_grad():
        repeated = x.expand(T, *x.shape).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        outputs = graph(repeated).unflatten(0, (T, -1))
    expected = outputs.cumsum(0) / torch.arange(1, T + 1).view(-1, 1, 1)
    assert torch.equal(network(x, T), expected)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["resnet8", "vgg16", "views"])
def test_one_run_gives_every_shorter_one(name, method):
    network = convert(ready(name, True), method)
    x = images(name)
    longest = network(x, 8)
    for T in (1, 3, 5):
        torch.testing.assert_close(network(x, T), longest[:T], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["resnet8", "views"])
def test_pieces_do_not_matter(monkeypatch, name, method):
    network = convert(ready(name, True), method)
    x = images(name, 5)
    whole = network(x, 4)
    monkeypatch.setattr(snn, "PIECE", 1)
    torch.testing.assert_close(network(x, 4), whole, rtol=1e-4, atol=1e-5)
    alone = torch.cat([network(image[None], 4) for image in x], 1)
    torch.testing.assert_close(alone, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.large
@pytest.mark.parametrize("method", METHODS)
def test_compiled_equals_eager(monkeypatch, method):
    if not kernels.compiler_available():
        pytest.skip("no C++ compiler")
    network = convert(thresholded(ResNet(BasicBlock, (8,), (1,), 10, 3), True), method)
    x = images("resnet8")
    eager = network(x, 4)
    assert bool((eager[0] != eager[-1]).any())
    monkeypatch.setattr(kernels, "COMPILE_FROM", 1)
    monkeypatch.setattr(kernels, "COMPILE_AFTER", 0)
    torch.testing.assert_close(network(x, 4), eager, rtol=1e-4, atol=1e-5)


def test_an_observer_sees_sums_and_changes_nothing():
    network = convert(ready("resnet8", True))
    x, seen = images("resnet8"), {}

    def observe(name, module, given, out, phase):
        if isinstance(module, IF):
            seen[name] = (given.shape, out.shape, phase)
            theta = module.threshold.view(-1, 1, 1)
            assert bool(((out == 0) | (out == theta)).all())

    assert torch.equal(network(x, 4, observe), network(x, 4))
    assert list(seen) == list(network.thresholds)
    assert all(a == b and a[:2] == (4, 3) and phase == "run" for a, b, phase in seen.values())


@pytest.mark.large
@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn"])
def test_torchvision_networks(name):
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    network = getattr(models, name)(num_classes=10)
    if name == "vgg11_bn":
        network.classifier = torch.nn.Linear(512 * 7 * 7, 10)  # theirs has 120 million weights: a gigabyte in float64
    x = torch.randn(2, 3, 32, 32)
    ann = csqcfs.calibrate(quantize_activations(network.eval(), 4, 4.0, x), x, per_channel=True)
    network = convert(ann)
    scores, expected = network(x, 3), step_by_step(network, x, 3, Stateful)
    assert scores.shape == (3, 2, 10) and bool((scores[0] != scores[-1]).any())
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-3 * float(expected.abs().max()))


@pytest.mark.parametrize("method", METHODS)
def test_a_block_of_torchvision_by_every_method(method):
    """Its one ReLU is used twice."""
    resnet = pytest.importorskip("torchvision.models.resnet")
    network = nn.Sequential(resnet.BasicBlock(3, 3), nn.Flatten(), nn.Linear(192, 10))
    network, x = convert(thresholded(network, True), method), images("resnet8")
    scores = network(x, 4)
    assert len(network.thresholds) == 2 and scores.shape == (4, 3, 10) and bool(scores.isfinite().all())


def test_scores_approach_those_of_the_network():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = thresholded(build("resnet8", width=0.5), True)
    x = images("resnet8")
    with torch.no_grad():
        error = (convert(model)(x, 256) - model(x)).abs().mean(dim=(1, 2))
    assert error[-1] < 0.5 * error[0]


def test_the_original_is_untouched():
    model = thresholded(build("resnet8", width=0.5), True).train()
    before = copy.deepcopy(model.state_dict())
    network = convert(model)
    network(images("resnet8"), 2)
    assert model.training and list(before) == list(model.state_dict())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    theirs = {id(p) for p in network.parameters()} | {t.data_ptr() for t in network.thresholds.values()}
    assert not theirs & ({id(p) for p in model.parameters()} | {p.data_ptr() for p in model.parameters()})
    for name, site in family.sites(model).items():  # line 16 of Algorithm 1 would copy lambda
        assert torch.equal(network.thresholds[name], site.threshold)


# refusals


def test_a_nonpositive_threshold_is_refused_by_channel():
    model = family.to_channelwise(thresholded(build("resnet8", width=0.5), False), softplus=False)
    name = list(family.sites(model))[2]
    with torch.no_grad():
        family.sites(model)[name].raw[torch.tensor([1, 6])] = torch.tensor([-0.25, 0.0])
    with pytest.raises(InputError, match=f"-0.25 of {name}, channels 1, 6: expected positive") as refusal:
        convert(model)
    assert "\n" not in str(refusal.value)
    convert(model, allow_nonpositive=True)


@pytest.mark.parametrize("bad", [-0.25, 0.0])
def test_a_nonpositive_threshold_is_refused_by_layer(bad):
    model = thresholded(build("resnet8", width=0.5), False)
    name = list(family.sites(model))[2]
    with torch.no_grad():
        family.sites(model)[name].raw.fill_(bad)
    with pytest.raises(
        NonpositiveThreshold, match=f"^threshold {bad:.4g} of {name}: expected positive ones"
    ) as refusal:
        convert(model)
    assert "\n" not in str(refusal.value) and "allow_nonpositive" in str(refusal.value)
    assert bool(convert(model, allow_nonpositive=True)(images("resnet8"), 3).isfinite().all())
    for method in ("srp", "cos"):
        with pytest.raises(InputError, match=name):
            convert(model, method, allow_nonpositive=True)


def test_a_threshold_that_is_not_finite_is_refused():
    model = thresholded(build("resnet8", width=0.5), True)
    with torch.no_grad():
        next(iter(family.sites(model).values())).raw[1] = torch.nan
    with pytest.raises(InputError, match="not finite"):
        convert(model, allow_nonpositive=True)


def small(**settings) -> csqcfs.SNN:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    return convert(to_channelwise(quantize_activations(net, 4, 0.5, torch.randn(3, 6))), **settings)


@pytest.mark.parametrize(
    ("bad", "said"), [(torch.nan, "finite"), (torch.inf, "finite"), (0.0, "positive"), (-1.0, "positive")]
)
def test_a_threshold_written_since_is_refused_as_at_first(bad, said):
    x, state = torch.randn(3, 6), small().state_dict()
    state["graph.1.threshold"][2] = bad
    loaded, inplace, replaced = small(), small(), small()
    loaded.load_state_dict(state)
    inplace.thresholds["1"][2] = bad
    replaced.graph.get_submodule("1").threshold = state["graph.1.threshold"]
    for changed in (loaded, inplace, replaced):
        for again in (changed, copy.deepcopy(changed), pickle.loads(pickle.dumps(changed))):
            with pytest.raises(InputError, match=f"^threshold .*of 1.*{said}") as refusal:
                again(x, 2)
            assert "\n" not in str(refusal.value)
    if torch.tensor(bad).isfinite():  # where that was allowed it stays so, in copies too
        allowing = small(allow_nonpositive=True)
        allowing.load_state_dict(state)
        for again in (allowing, copy.deepcopy(allowing), pickle.loads(pickle.dumps(allowing))):
            assert bool(again(x, 2).isfinite().all())


def test_a_network_on_the_device_meta_is_one_line():
    model = quantize_activations(nn.Sequential(nn.Linear(6, 8), nn.ReLU()), 4, 0.5, torch.randn(3, 6))
    assert "meta" in repr(small().to("meta"))
    for part, said in (("0", "0.weight of Sequential"), ("", "threshold of 1")):
        absent = copy.deepcopy(model)
        absent.get_submodule(part).to("meta")
        with pytest.raises(InputError, match=f"^{said} is on the device meta and has no value yet: .*load") as refusal:
            convert(absent)
        assert "\n" not in str(refusal.value)


def test_a_network_without_quantized_activation():
    with pytest.raises(InputError, match="call quantize_activations first"):
        convert(build("resnet8", width=0.5))


@pytest.mark.parametrize(
    ("shape", "T", "said"),
    [
        ((2, 3, 8, 8), 0, "T = 0"),
        ((2, 3, 8, 8), True, "T = True"),
        ((0, 3, 8, 8), 4, "without images"),
        ((2, 1, 8, 8), 4, r"batches of shape \[N, 1, 8, 8\]"),
    ],
)
def test_bad_inputs(shape, T, said):
    with pytest.raises(InputError, match=said) as refusal:
        convert(ready("resnet8", True))(torch.randn(shape), T)
    assert "\n" not in str(refusal.value)


def test_statistics_over_time_are_never_taken():
    """A batch norm that is not folded would take them in training mode, and overwrite its own for good."""
    torch.manual_seed(0)
    x = torch.randn(3, 6)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 3))
    spiking = convert(quantize_activations(net, threshold=0.5, example=x))
    assert not spiking.training
    before = spiking(x, 4)
    assert spiking.train() is spiking and spiking.training
    assert torch.equal(spiking(x, 4), before) and torch.equal(spiking.eval()(x, 4), before)
    for part in (spiking.graph, spiking.graph.get_submodule("2")):
        state = copy.deepcopy(spiking.state_dict())
        part.train()
        assert torch.equal(spiking(x, 4), before)
        assert all(torch.equal(value, state[key]) for key, value in spiking.state_dict().items())


@pytest.mark.parametrize("end", [torch.sigmoid, nn.Sigmoid(), lambda score: score.softmax(-1)])
def test_a_squeezed_end_keeps_the_batch(end):
    class Squeezed(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.o, self.end = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 1, 1), end

        def forward(self, x: Tensor) -> Tensor:
            return self.end(self.o(torch.relu(self.a(x)))).squeeze()

    z = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    spiking = convert(quantize_activations(Squeezed(), example=z))
    both = spiking(z, 3)
    assert both.shape == (3, 2, 4, 4)
    for T in (1, 3):
        assert torch.allclose(spiking(z[:1], T), both[:T, :1], atol=1e-6) and spiking(z[:1], T).shape == (T, 1, 4, 4)


@pytest.mark.parametrize("observer", [True, [], "print"])
def test_an_observer_that_is_no_function_is_one_line(observer):
    snn = convert(quantize_activations(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))))
    with pytest.raises(InputError, match=r"^observer = .*: expected a function observer\(name, module"):
        snn(torch.randn(2, 3), 2, observer)


def test_what_an_observer_raises_is_its_own():
    x = torch.rand(2, 3, 8, 8)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    snn = csqcfs.convert(csqcfs.quantize_activations(net, 4, 1.0, x))

    def observe(name, module, x, out, phase):
        raise ValueError("nothing to plot")

    with pytest.raises(ValueError, match="^nothing to plot"):
        snn(x, 2, observe)


def test_thresholds_come_in_the_order_in_which_they_run_and_are_no_dict():
    class Otherwise(nn.Module):
        """Its activations stand in another order than they run."""

        def __init__(self):
            super().__init__()
            self.late, self.early = nn.ReLU(), nn.ReLU()
            self.a, self.b, self.o = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.o(self.late(self.b(self.early(self.a(x)))))

    ann = quantize_activations(Otherwise(), 4, 0.5, torch.randn(3, 6))
    spiking = convert(ann)
    assert list(spiking.thresholds) == list(family.sites(ann)) == ["early", "late"]
    with pytest.raises(TypeError):  # it would change nothing
        spiking.thresholds["early"] = torch.tensor(1.0)


@pytest.mark.parametrize("method", ["plain", "parallel"])
def test_a_compiler_leaves_an_snn_as_it_is(method):
    """Also as a part of what is compiled."""

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.snn = small(method=method)

        def forward(self, x: Tensor) -> Tensor:
            return self.snn(2 * x, 4)[-1].softmax(-1)

    whole, x = Last(), torch.randn(3, 6)
    for network, arguments in ((whole.snn, (x, 4)), (whole, (x,))):
        assert torch.equal(torch.compile(network, backend="eager")(*arguments), network(*arguments))


@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook"])
def test_a_hook_on_neurons_names_the_observer(register):
    spiking, x = small(), torch.randn(3, 6)
    hook = getattr(spiking.graph.get_submodule("1"), register)(lambda *_: pytest.fail("it runs"))
    with pytest.raises(InputError, match=r"^1 \(IF\) has a hook and is .* observer=.*remove the hook") as refusal:
        spiking(x, 2)
    assert "\n" not in str(refusal.value)
    hook.remove()
    spiking(x, 2)


def test_another_default_device_changes_nothing():
    """Meta stands for a GPU: nothing that is made on it could be read."""

    def scores() -> Tensor:
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()).eval()
        net.append(nn.Linear(36, 5))
        net.load_state_dict(state, assign=True)
        ann = quantize_activations(net, 4, 1.0, x)
        placed = csqcfs.calibrate(ann, x, per_channel=True)
        return convert(to_channelwise(placed))(x, 3)

    x = torch.rand(8, 3, 8, 8)
    state = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), *[nn.Identity()] * 3, nn.Linear(36, 5)).state_dict()
    expected = scores()
    with torch.device("meta"):
        found = scores()
    assert torch.equal(found, expected)


class Sum(nn.Module):
    """A network of two inputs."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, x, y):
        return self.b(torch.relu(self.a(x) + self.a(y)))


def test_no_lock_of_a_progress_bar_is_taken(monkeypatch):
    """A Ctrl-C inside would leave it taken, for other threads to wait for."""
    x = torch.rand(2, 3, 8, 8)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    snn = csqcfs.convert(csqcfs.quantize_activations(net, 4, 1.0, x))
    expected = snn(x, 3)
    monkeypatch.setattr(torch.fx.interpreter, "tqdm", lambda *_, **__: pytest.fail("a progress bar"))
    assert torch.equal(snn(x, 3), expected)


def test_inputs_one_by_one_are_one_line():
    x, y = torch.rand(2, 40, 4, generator=torch.Generator().manual_seed(0))
    snn = csqcfs.convert(csqcfs.quantize_activations(Sum(), 4, 1.0, (x, y)))
    for call in (lambda: snn(x, y), lambda: snn(x, y, T=4), lambda: snn(x, y, 4)):
        with pytest.raises(InputError, match="^2 inputs one by one: expected x and T; pass the inputs as one tuple"):
            call()
    with pytest.raises(InputError, match=r"^T = a Tensor of shape \[40, 4\]: expected a whole number") as caught:
        snn(x, T=y)
    assert "\n" not in str(caught.value) and snn((x, y), 4).shape == (4, 40, 2)
