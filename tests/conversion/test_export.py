"""Other tools get the same network: SpikingJelly's scores bit for bit, NIR's graph there and back."""

from __future__ import annotations

import csqcfs
import pytest
import torch
from csqcfs.conversion import family, quantize
from csqcfs.engine.errors import InputError
from csqcfs.models.resnet import BasicBlock, Bottleneck, ResNet
from csqcfs.models.vgg import VGG
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

T = 5


class Own(nn.Module):
    """Operations that only a traced graph can carry along."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 6, 3, stride=2, bias=False), nn.BatchNorm2d(6)
        self.second, self.head = nn.Conv2d(6, 6, 3), nn.Linear(6, 4)

    def forward(self, x):
        x = F.relu(self.norm(self.first(F.pad(x, (1, 1, 1, 1)))))
        x = F.relu(self.second(x) + x[:, :, 1:-1, 1:-1])
        return self.head(x.mean((2, 3)))


class Shortcuts(nn.Module):
    """Sums of neurons with neurons, with themselves and with layers; groups, a lone norm, a pool before neurons."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, (1, 1), groups=4)
        self.norm, self.pool, self.head = nn.BatchNorm2d(8), nn.AvgPool2d(2), nn.Linear(8 * 4 * 4, 12)
        self.drop, self.last = nn.Dropout(0.3), nn.Linear(12, 3)

    def forward(self, x):
        x = F.relu(self.a(x))
        y = F.relu(self.b(x) + x)
        y = F.relu(self.norm(y + x + x))
        y = F.relu(self.pool(self.b(y)))
        y = y + F.relu(y)
        return self.last(self.drop(F.relu(self.head(torch.flatten(self.pool(y), 1)))))


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(9, 7), nn.ReLU(), nn.Linear(7, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, x):
        return self.net(x)


class Signal(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv1d(2, 4, 3, 2, 1), nn.ReLU(), nn.Conv1d(4, 4, 3, dilation=2, groups=2))
        self.head = nn.Linear(4 * 4, 3)

    def forward(self, x):
        return self.head(F.relu(self.net(x)).view(x.size(0), -1))


NETWORKS = {
    "resnet": (lambda: ResNet(BasicBlock, (4, 8), (2, 1), 10, 3), (3, 16, 16)),
    "bottlenecks": (lambda: ResNet(Bottleneck, (4, 8), (2, 1), 10, 3), (3, 8, 8)),
    "vgg": (lambda: VGG((4, 8), (1, 1), 16, 10, 3), (3, 4, 4)),
    "shortcuts": (Shortcuts, (3, 16, 16)),
    "layers": (Layers, (9,)),
    "signal": (Signal, (2, 16)),
    "own": (Own, (3, 15, 15)),
}


def spiking(name: str, per_channel: bool = True, dyadic: bool = False, dtype=torch.float32) -> tuple:
    """An SNN whose neurons fire, and images for it."""
    make, shape = NETWORKS[name]
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        net = make()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0.2, 0.2)
        x = torch.randn(3, *shape)
        ann = csqcfs.calibrate(quantize.quantize_activations(net, 4, 1.0, x), x, per_channel=per_channel, rule="90%")
        for site in family.sites(ann).values():
            with torch.no_grad():
                site.raw.clamp_(min=0.05).mul_(1 + 0.3 * torch.rand_like(site.raw))
                if dyadic:
                    site.raw.copy_(2.0 ** site.raw.log2().round())
        if dtype != torch.float32:
            ann, x = ann.to(dtype), x.to(dtype)
    return csqcfs.convert(ann), x


def mean_of_steps(outputs: torch.Tensor) -> torch.Tensor:
    return outputs.cumsum(0) / torch.arange(1, len(outputs) + 1).view(-1, 1, 1)


# SpikingJelly


@pytest.mark.parametrize(
    "flat",
    [
        lambda h: torch.reshape(h, shape=(h.size(0), -1)),
        lambda h: h.reshape(h.shape[:1] + (-1,)),
        lambda h: h.view(size=(h.shape[0], 144)),
    ],
)
def test_spikingjelly_takes_every_way_to_flatten(flat):
    functional = pytest.importorskip("spikingjelly.activation_based.functional")

    class Flattening(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(144, 5)

        def forward(self, x):
            return self.fc(flat(torch.relu(self.conv(x))))

    x = torch.rand(3, 3, 8, 8)
    snn = csqcfs.convert(csqcfs.quantize_activations(Flattening(), 4, 1.0, x))
    net = csqcfs.export.to_spikingjelly(snn)
    functional.set_step_mode(net, "m")
    functional.reset_net(net)
    with torch.no_grad():
        torch.testing.assert_close(mean_of_steps(net(x.expand(T, *x.shape))), snn(x, T))


class Sized(nn.Module):
    """``read`` takes something from the sizes or values of the images, behind neurons."""

    def __init__(self, read):
        super().__init__()
        self.a, self.c, self.pos = (
            nn.Conv1d(3, 8, 3, padding=1),
            nn.Conv1d(8, 4, 1),
            nn.Parameter(torch.randn(1, 8, 64)),
        )
        self.read = read

    def forward(self, x):
        return self.c(self.read(self, x, torch.relu(self.a(x)))).mean(-1)


READS = {
    "positions": lambda m, x, h: h + m.pos[..., : x.shape[-1]],
    "ramp": lambda m, x, h: h * torch.linspace(0, 1, x.shape[-1]),
    "unflatten": lambda m, x, h: h.unflatten(0, (x.shape[0], 1)).squeeze(1),
    "expand": lambda m, x, h: h + m.pos[:, :, : x.shape[-1]].expand(x.shape[0], -1, -1),
    "slice": lambda m, x, h: h[: x.shape[0]],
    "values": lambda m, x, h: h + x.mean(1, keepdim=True),
    "parts": lambda m, x, h: h + torch.split(x, 1, 1)[1],
    "numbers": lambda m, x, h: h + x.new_ones(x.shape[0] * 2, 8, x.shape[-1])[x.shape[0] :],
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("example", ["same sizes", "other sizes", "none"])
def test_spikingjelly_takes_what_depends_on_sizes(read, example):
    functional = pytest.importorskip("spikingjelly.activation_based.functional")
    torch.manual_seed(0)
    x, net = torch.randn(3, 3, 12), Sized(READS[read]).eval()
    given = {"same sizes": x, "other sizes": torch.randn(5, 3, 10), "none": None}[example]
    snn = csqcfs.convert(csqcfs.quantize_activations(net, 4, 0.5, given))
    there = csqcfs.export.to_spikingjelly(snn)
    for steps, many in (("m", x.expand(T, *x.shape)), ("m", x.expand(T, *x.shape).contiguous()), ("s", None)):
        functional.set_step_mode(there, steps)
        functional.reset_net(there)
        with torch.no_grad():
            found = mean_of_steps(torch.stack([there(x) for _ in range(T)]) if many is None else there(many))
        torch.testing.assert_close(found, snn(x, T), rtol=1e-4, atol=1e-5)
        assert torch.equal(found, snn(x, T)) or example != "same sizes" or many is None or many.is_contiguous()


@pytest.mark.parametrize("per_channel", [False, True], ids=["layers", "channels"])
@pytest.mark.parametrize("name", NETWORKS)
def test_spikingjelly_gives_the_same_scores_bit_for_bit(name, per_channel):
    functional = pytest.importorskip("spikingjelly.activation_based.functional")
    snn, x = spiking(name, per_channel)
    net, expected = csqcfs.export.to_spikingjelly(snn), snn(x, T)
    assert bool((expected[0] != expected[-1]).any())
    with torch.no_grad():
        functional.set_step_mode(net, "m")
        for _ in range(2):
            functional.reset_net(net)
            assert torch.equal(mean_of_steps(net(x.expand(T, *x.shape))), expected)
        functional.set_step_mode(net, "s")
        functional.reset_net(net)
        one_by_one = mean_of_steps(torch.stack([net(x) for _ in range(T)]))
        functional.set_step_mode(net, "m")
        functional.reset_net(net)
        repeated = mean_of_steps(net(x.expand(T, *x.shape).contiguous()))
    # another batch size may add up a convolution in another order, which turns few spikes if any
    for other in (one_by_one, repeated):
        torch.testing.assert_close(other, expected, rtol=1e-4, atol=0.02 * float(expected.abs().max()))


class Ending(nn.Module):
    def __init__(self, score):
        super().__init__()
        self.score = score

    def forward(self, x):
        return self.score(x)


def test_what_spikingjelly_cannot_do_is_one_line(monkeypatch):
    pytest.importorskip("spikingjelly")
    make, _ = NETWORKS["layers"]
    ann = quantize.quantize_activations(make(), 4, 1.0, torch.randn(2, 9))
    for method in ("srp", "cos", "floor", "ceil"):
        with pytest.raises(
            InputError, match=f'^method "{method}" has no counterpart in SpikingJelly: expected "plain"'
        ):
            csqcfs.export.to_spikingjelly(csqcfs.convert(ann, method))
    with pytest.raises(InputError, match="^a Layers: expected the SNN that csqcfs.convert makes"):
        csqcfs.export.to_spikingjelly(ann)
    for score, named in ((nn.Softmax(1), "Softmax"), (lambda x: x.sigmoid(), r"sigmoid\(\)")):
        net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3), Ending(score))
        snn = csqcfs.convert(quantize.quantize_activations(net, example=torch.randn(2, 6)))
        for export in (csqcfs.export.to_spikingjelly, lambda snn: csqcfs.export.to_nir(snn, (6,))):
            with pytest.raises(InputError, match=f"^{named} at the end has no counterpart in .*to the scores$"):
                export(snn)
    with torch.no_grad():
        family.sites(ann)["net.1"].raw.fill_(-1)
    with pytest.raises(InputError, match="^threshold -1 of net.1: expected positive ones"):
        csqcfs.export.to_spikingjelly(csqcfs.convert(ann, allow_nonpositive=True))
    monkeypatch.setitem(__import__("sys").modules, "spikingjelly.activation_based", None)
    with pytest.raises(InputError, match="^SpikingJelly is not there .*: install spikingjelly"):
        csqcfs.export.to_spikingjelly(spiking("layers")[0])


# NIR


@pytest.fixture
def nir():
    return pytest.importorskip("nir")


def there_and_back(nir, snn, shape, folder):
    graph = csqcfs.export.to_nir(snn, shape)
    nir.write(folder / "snn.nir", graph)
    return graph, csqcfs.export.from_nir(folder / "snn.nir")


@pytest.mark.parametrize("per_channel", [False, True], ids=["layers", "channels"])
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("own", "bottlenecks")])
def test_nir_gives_the_same_scores(nir, name, per_channel, tmp_path):
    """In double precision, where folding rounds too little to turn a spike; and exactly for powers of two."""
    snn, x = spiking(name, per_channel, dtype=torch.float64)
    graph, back = there_and_back(nir, snn, x.shape[1:], tmp_path)
    expected = snn(x, T)
    torch.testing.assert_close(back(x, T), expected, rtol=1e-9, atol=1e-9)
    neurons = [node for node in graph.nodes.values() if isinstance(node, nir.IF)]
    assert len(neurons) == len(snn.thresholds) and all((node.v_threshold == 1).all() for node in neurons)
    assert bool((expected[0] != expected[-1]).any())
    snn, x = spiking(name, per_channel, dyadic=True)
    back = there_and_back(nir, snn, x.shape[1:], tmp_path)[1]
    torch.testing.assert_close(back(x, T), snn(x, T), rtol=1e-5, atol=1e-5)


def test_nir_says_what_its_neurons_do(nir, tmp_path):
    snn, x = spiking("resnet")
    graph, _ = there_and_back(nir, snn, x.shape[1:], tmp_path)
    read = nir.read(tmp_path / "snn.nir")
    stated = {key: str(value) for key, value in read.metadata.items()}
    assert stated["v0"] == "0.5" and ">=" in stated["comparison"] and "soft reset" in stated["neuron"]
    neuron = next(node for node in read.nodes.values() if isinstance(node, nir.IF))
    assert "soft reset" in str(neuron.metadata["neuron"])
    # only shortcuts need a scale: one for each block whose shortcut has no convolution
    scales = [name for name, node in read.nodes.items() if isinstance(node, nir.Scale)]
    assert len(scales) == 2
    folded = sum(isinstance(node, nir.Conv2d) for node in read.nodes.values())
    assert folded == sum(isinstance(module, nn.Conv2d) for module in snn.graph.modules())


def test_spikes_are_binary_after_the_way_back(nir, tmp_path):
    snn, x = spiking("shortcuts")
    _, back = there_and_back(nir, snn, x.shape[1:], tmp_path)
    seen = set()

    def look(name, module, x, out, phase):
        if name in back.thresholds:
            seen.update(out.unique().tolist())

    back(x, T, look)
    assert seen == {0.0, 1.0}


def test_nir_takes_a_norm_without_weights_and_inputs_by_name(nir, tmp_path):
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.conv, self.fc = nn.BatchNorm2d(3, affine=False), nn.Conv2d(3, 4, 3), nn.Linear(144, 5)

        def forward(self, x):
            return self.fc(torch.relu(self.conv(input=self.norm(x))).flatten(1))

    x = torch.rand(4, 3, 8, 8)
    net = Named().train()
    net(x)
    snn = csqcfs.convert(csqcfs.quantize_activations(net.eval(), 4, 1.0, x))
    _, back = there_and_back(nir, snn, x.shape[1:], tmp_path)
    assert torch.allclose(back(x, 4), snn(x, 4), atol=1e-5)


class Around(nn.Module):
    """``middle`` between two convolutions with neurons."""

    def __init__(self, middle: nn.Module, size: int = 8):
        super().__init__()
        self.a, self.middle, self.b, self.head = nn.Conv2d(3, 4, 3, padding=1), middle, nn.Conv2d(4, 4, 1), None
        with torch.no_grad():
            self.head = nn.Linear(self.front(torch.zeros(1, 3, size, size)).size(1), 3)

    def front(self, x):
        return F.relu(self.b(self.middle(F.relu(self.a(x))))).flatten(1)

    def forward(self, x):
        return self.head(self.front(x))


def spiking_around(middle: nn.Module, size: int = 8) -> tuple:
    torch.manual_seed(0)
    x = torch.randn(4, 3, size, size)
    return csqcfs.convert(csqcfs.quantize_activations(Around(middle, size).eval(), 4, 0.5, x).double()), x.double()


class Doubled(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        h = self.conv(x)
        return F.relu(h + h)


def test_nir_has_a_layer_that_is_added_to_itself(nir, tmp_path):
    snn, x = spiking_around(Doubled())
    _, back = there_and_back(nir, snn, x.shape[1:], tmp_path)
    torch.testing.assert_close(back(x, T), snn(x, T), rtol=1e-9, atol=1e-9)


def test_nir_has_the_eps_of_a_norm_of_its_own(nir):
    torch.manual_seed(0)
    net = nn.Sequential(nn.BatchNorm2d(3, eps=0.5), nn.Flatten(), nn.Linear(192, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    snn = csqcfs.convert(csqcfs.quantize_activations(net, 4, 0.5, torch.randn(4, 3, 8, 8)))
    nodes = csqcfs.export.to_nir(snn, (3, 8, 8)).nodes.values()
    (norm,) = (node for node in nodes if isinstance(node, nir.Conv2d))
    assert norm.weight.diagonal()[0, 0].tolist() == pytest.approx([1.5**-0.5] * 3)


def test_nir_has_the_weights_that_a_pruned_layer_runs_with(nir, tmp_path):
    def net(seed):
        torch.manual_seed(seed)
        made = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()
        prune.l1_unstructured(made[0], "weight", 0.5)
        return made

    x = torch.randn(4, 2, 8, 8)
    csqcfs.save(csqcfs.convert(csqcfs.quantize_activations(net(0), 4, 1.0, x)), tmp_path / "pruned.safetensors")
    snn = csqcfs.load(tmp_path / "pruned.safetensors", network=net(1), example=x)  # whose hook did not run since
    _, back = there_and_back(nir, snn, (2, 8, 8), tmp_path)
    torch.testing.assert_close(back(x, T), snn(x, T), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda g, ifs: g.nodes["net_0"].weight.fill(float("nan")), "values that are not finite"),
        (lambda g, ifs: ifs.v_reset.fill(-1), "are other neurons"),
        (lambda g, ifs: ifs.metadata.update(v0="0"), "are other neurons"),
        (lambda g, ifs: ifs.v_threshold.fill(2), "has thresholds other than 1"),
        (lambda g, ifs: ifs.r.fill(2), "has thresholds other than 1"),
        (lambda g, ifs: g.edges.append(g.edges[0]), "has edges twice"),
        (lambda g, ifs: g.edges.append(("nowhere", "net_2")), "has an edge of 'nowhere', which is no node"),
        (lambda g, ifs: (g.nodes.clear(), g.edges.clear()), "no one input and output"),
        (lambda g, ifs: g.edges.clear(), "is damaged"),
    ],
)
def test_a_nir_graph_that_contradicts_itself_is_refused(nir, spoil, words):
    graph = csqcfs.export.to_nir(spiking("layers")[0], (9,))
    spoil(graph, next(node for node in graph.nodes.values() if isinstance(node, nir.IF)))
    with pytest.raises(InputError, match=words) as caught:
        csqcfs.export.from_nir(graph)
    assert "\n" not in str(caught.value)


def test_what_nir_cannot_say_is_one_line(nir, tmp_path):
    snn, x = spiking("own")
    for call, message in (
        (lambda: csqcfs.export.to_nir(snn, x.shape[1:]), r"^pad\(\) at pad has no counterpart in NIR"),
        (lambda: csqcfs.export.to_nir(spiking("layers")[0], (8,)), r"^the network does not take inputs of shape \[8\]"),
        (lambda: csqcfs.export.to_nir(spiking("layers")[0], 9), "^shape = 9: expected the sizes of one input"),
        (lambda: csqcfs.export.to_nir(spiking("layers")[0], (10**12, 10**12)), "^the network does not take inputs of"),
        (lambda: csqcfs.export.to_nir(spiking("layers")[0].bfloat16(), (9,)), "^an SNN in bfloat16"),
        (lambda: csqcfs.export.to_nir(nn.Linear(2, 2), (2,)), "^a Linear: expected the SNN"),
        (lambda: csqcfs.export.from_nir(tmp_path / "absent.nir"), "absent.nir is no NIR file"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
    ann = quantize.quantize_activations(Layers(), 4, 1.0, torch.randn(2, 9))
    for method in ("srp", "cos", "floor", "ceil"):
        with pytest.raises(InputError, match=f'^method "{method}" has no counterpart in NIR: expected "plain"'):
            csqcfs.export.to_nir(csqcfs.convert(ann, method), (9,))
    (tmp_path / "other.nir").write_text("no HDF5")
    with pytest.raises(InputError, match="other.nir is no NIR file"):
        csqcfs.export.from_nir(tmp_path / "other.nir")
    foreign = nir.NIRGraph.from_list(nir.Affine(torch.ones(2, 2).numpy(), torch.ones(2).numpy()))
    with pytest.raises(InputError, match="does not state soft reset"):
        csqcfs.export.from_nir(foreign)


@pytest.mark.parametrize(
    ("middle", "size", "words"),
    [
        (nn.AvgPool2d(3, 2, 1, count_include_pad=False), 8, "AvgPool2d"),
        (nn.AvgPool2d(2, ceil_mode=True), 7, "AvgPool2d"),
        (nn.AvgPool2d(2, divisor_override=3), 8, "AvgPool2d"),
        (nn.AdaptiveAvgPool2d(3), 8, "AdaptiveAvgPool2d"),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), 8, "padding_mode 'reflect'"),
    ],
    ids=["padding not counted", "ceil mode", "divisor", "uneven", "reflect"],
)
def test_settings_that_nir_has_no_word_for_are_refused(nir, middle, size, words):
    snn, _ = spiking_around(middle, size)
    with pytest.raises(InputError, match=f"^{words} at middle"):
        csqcfs.export.to_nir(snn, (3, size, size))


@pytest.mark.parametrize("layer", ["a", "middle", "b", "head"])
@pytest.mark.parametrize("hook", ["before", "behind"])
def test_nir_refuses_a_hook(nir, layer, hook):
    """A layer is more than its weights where a hook changes what it takes or gives."""
    torch.manual_seed(0)
    net, x = Around(nn.AvgPool2d(2)).eval(), torch.randn(4, 3, 8, 8)
    if hook == "before":
        getattr(net, layer).register_forward_pre_hook(lambda module, args: (2 * args[0],))
    else:
        getattr(net, layer).register_forward_hook(lambda module, args, out: 2 * out)
    snn = csqcfs.convert(csqcfs.quantize_activations(net, 4, 0.5, x))
    with pytest.raises(InputError, match=f"at {layer} has a hook, which has no counterpart in NIR") as caught:
        csqcfs.export.to_nir(snn, (3, 8, 8))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["neurons", "graph", "snn"])
def test_a_hook_on_what_another_tool_replaces_is_refused(part):
    pytest.importorskip("spikingjelly")
    pytest.importorskip("nir")
    snn, _ = spiking("layers")
    site = next(iter(snn.thresholds))
    module = {"neurons": snn.graph.get_submodule(site), "graph": snn.graph, "snn": snn}[part]
    module.register_forward_hook(lambda module, args, out: 2 * out)
    for export in (csqcfs.export.to_spikingjelly, lambda snn: csqcfs.export.to_nir(snn, (9,))):
        with pytest.raises(InputError, match="has a hook and is written with neurons of (SpikingJelly|NIR), so that"):
            export(snn)


@pytest.mark.parametrize("layer", ["a", "middle", "b", "head"])
def test_nir_refuses_a_layer_with_another_forward(nir, layer):
    """torch.fx leaves it whole where its class says that it is of PyTorch, as those of quantization-aware training."""
    torch.manual_seed(0)
    net, x = Around(nn.AvgPool2d(2)).eval(), torch.randn(4, 3, 8, 8)
    kind = type(getattr(net, layer))
    other = type("Other", (kind,), {"forward": lambda self, x: 2 * kind.forward(self, x), "__module__": "torch.nn.x"})
    getattr(net, layer).__class__ = other
    snn = csqcfs.convert(csqcfs.quantize_activations(net, 4, 0.5, x))
    with pytest.raises(InputError, match=f"^Other at {layer} has no counterpart in NIR"):
        csqcfs.export.to_nir(snn, (3, 8, 8))


def test_without_nir_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nir", None)
    with pytest.raises(InputError, match="^nir is not there .*: pip install nir"):
        csqcfs.export.to_nir(spiking("layers")[0], (9,))
