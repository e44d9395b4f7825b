"""Weights of the public codes: their network classes, written again from their description, give the same outputs."""

from __future__ import annotations

import os

import csqcfs
import pytest
import torch
from csqcfs.conversion import family
from csqcfs.engine.errors import InputError
from torch import nn

X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


class Theirs(nn.Module):
    """Their activation: `up` with floor then clamp, or `thresh` with clamp then floor."""

    def __init__(self, key: str, L: int):
        super().__init__()
        self.register_parameter(key, nn.Parameter(torch.tensor([4.0])))
        self.key, self.L = key, L

    def forward(self, x):
        theta = getattr(self, self.key)
        x = x / theta
        if self.key == "up":
            return torch.clamp(torch.floor(x * self.L + 0.5) / self.L, 0, 1) * theta
        return torch.floor(torch.clamp(x, 0, 1) * self.L + 0.5) / self.L * theta


class Block(nn.Module):
    def __init__(self, inputs, channels, stride, act, expansion, last):
        super().__init__()
        outputs = channels * expansion
        convs = [(inputs, channels, 3, stride), (channels, channels, 3, 1)]
        if expansion == 4:
            convs = [(inputs, channels, 1, 1), (channels, channels, 3, stride), (channels, outputs, 1, 1)]
        layers = []
        for a, b, size, step in convs:
            layers += [nn.Conv2d(a, b, size, step, size // 2, bias=False), nn.BatchNorm2d(b), act()]
        self.residual_function = nn.Sequential(*layers[:-1])
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.last = last
        setattr(self, last, act())

    def forward(self, x):
        return getattr(self, self.last)(self.residual_function(x) + self.shortcut(x))


class PublicResNet(nn.Module):
    def __init__(self, act, last, channels, depths, expansion=1, classes=10):
        super().__init__()
        stem = channels[0]
        self.conv1 = nn.Sequential(nn.Conv2d(3, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem), act())
        inputs = stem
        for k, (width, depth) in enumerate(zip(channels, depths, strict=True), start=2):
            blocks = []
            for b in range(depth):
                blocks.append(Block(inputs, width, 2 if b == 0 and k > 2 else 1, act, expansion, last))
                inputs = width * expansion
            setattr(self, f"conv{k}_x", nn.Sequential(*blocks))
        self.stages = len(depths)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = self.conv1(x)
        for k in range(2, self.stages + 2):
            x = getattr(self, f"conv{k}_x")(x)
        return self.fc(x.mean((2, 3)))


class PublicVGG(nn.Module):
    def __init__(self, act, last, classes=10):
        super().__init__()
        inputs = 3
        for g, (width, depth) in enumerate(zip((64, 128, 256, 512, 512), (2, 2, 3, 3, 3), strict=True), start=1):
            layers = []
            for _ in range(depth):
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.BatchNorm2d(width), act(), nn.Dropout(0)]
                inputs = width
            setattr(self, f"layer{g}", nn.Sequential(*layers, nn.AvgPool2d(2, 2)))
        hidden = [nn.Flatten(), nn.Linear(512, 4096), act(), nn.Dropout(0), nn.Linear(4096, 4096), act(), nn.Dropout(0)]
        self.classifier = nn.Sequential(*hidden, nn.Linear(4096, classes))

    def forward(self, x):
        for g in range(1, 6):
            x = getattr(self, f"layer{g}")(x)
        return self.classifier(x)


BUILDERS = {
    "resnet20": lambda act, last: PublicResNet(act, last, (16, 32, 64), (3, 3, 3), classes=100),
    "resnet18": lambda act, last: PublicResNet(act, last, (64, 128, 256, 512), (2, 2, 2, 2)),
    "resnet50": lambda act, last: PublicResNet(act, last, (64, 128, 256, 512), (3, 4, 6, 3), 4),
    "vgg16": PublicVGG,
}


def theirs(name: str, key: str, L: int = 4) -> nn.Module:
    """One of their networks with values that no fresh network has, and thresholds that are powers of two."""
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        model = BUILDERS[name](lambda: Theirs(key, L), {"up": "relu", "thresh": "act"}[key]).eval()
        for number, module in enumerate(model.modules()):
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.3)
            elif isinstance(module, Theirs):
                nn.init.constant_(getattr(module, key), 2.0 ** (number % 4 - 1))
    return model


@pytest.fixture(scope="module")
def small():
    return theirs("resnet20", "up")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("resnet20", "up"),
        ("resnet20", "thresh"),
        ("resnet18", "thresh"),
        pytest.param("resnet50", "up", marks=pytest.mark.large),
        ("vgg16", "thresh"),
    ],
)
def test_outputs_and_thresholds_are_theirs(name, key):
    reference = theirs(name, key)
    before = torch.get_rng_state()
    ann = csqcfs.load_public(reference.state_dict(), L=4)
    assert torch.equal(before, torch.get_rng_state()) and not any(module.training for module in ann.modules())
    wanted, found = [], []
    for module in reference.modules():
        if isinstance(module, Theirs):
            module.register_forward_hook(lambda module, x, out: wanted.append((getattr(module, key).item(), out)))
    for site in family.sites(ann).values():
        site.register_forward_hook(lambda site, x, out: found.append((site.threshold.item(), out)))
    with torch.no_grad():
        ours, scores = ann(X), reference(X)
    assert [theta for theta, _ in found] == [theta for theta, _ in wanted]  # in the order in which they run
    same = [(one == two).float().mean().item() for (_, one), (_, two) in zip(found, wanted, strict=True)]
    assert min(same) > 0.999  # equal but for a tie that another order of additions may turn
    assert float((ours - scores).abs().max()) < 0.02 * float(scores.abs().max())
    assert {site.window for site in family.sites(ann).values()} == {"floor_clamp" if key == "up" else "clamp_floor"}
    assert ann.meta["built"]["name"] == name


def test_a_file_in_any_order_and_of_data_parallel(small, tmp_path):
    state = small.state_dict()
    wanted = csqcfs.load_public(state, L=8).state_dict()
    shuffled = {f"module.{name}": state[name] for name in sorted(state, reverse=True)}
    torch.save(shuffled, tmp_path / "net.pth")
    found = csqcfs.load_public(tmp_path / "net.pth", L=8)
    assert all(torch.equal(value, wanted[name]) for name, value in found.state_dict().items())
    assert {site.L for site in family.sites(found).values()} == {8}
    assert csqcfs.convert(found)(X, 2).shape == (2, 2, 100)
    csqcfs.save(found, tmp_path / "ours.safetensors")
    assert torch.equal(csqcfs.load(tmp_path / "ours.safetensors")(X), found(X))


class Trap:
    def __reduce__(self):
        return os.system, ("touch trapped",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("fc.bias"), "none of vgg16, resnet18, .* at full width"),
        (lambda s: s.pop("conv1.2.up"), "lacks act.raw"),
        (lambda s: s.update({"layer9.0.weight": torch.ones(1)}), "has layer9.0.weight: expected names of the public"),
        (lambda s: s.update({"conv1.2.up": torch.ones(16)}), "is none of vgg16"),
        (lambda s: s["conv1.0.weight"].fill_(torch.nan), "has values in conv.weight that are not finite"),
        (lambda s: [s.pop(k) for k in list(s) if k.endswith("up")], "no thresholds up or thresh"),
        (lambda s: s.update({"conv1.2.thresh": s.pop("conv1.2.up")}), "no thresholds up or thresh of one value"),
        (lambda s: s.update(epoch=3), "holds more than tensors by name"),
        (lambda s: s.clear(), "no thresholds"),
    ],
)
def test_another_state_is_refused(small, change, message):
    state = {name: value.clone() for name, value in small.state_dict().items()}
    change(state)
    with pytest.raises(InputError, match=message) as caught:
        csqcfs.load_public(state, L=4)
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(Trap(), "trap.pth")
    torch.save([1, 2], "list.pth")
    (tmp_path / "short.pth").write_bytes(b"PK")
    (tmp_path / "text.pth").write_text('exec(open("x").read())\n')
    for number, start in enumerate((b"\x80\x02", b"(l.", b"0.", b"a", b"\x80\x04\x95")):
        (tmp_path / f"bytes{number}.pth").write_bytes(start + bytes(range(256)))
    others = [f"bytes{number}.pth" for number in range(5)]
    for name in ("trap.pth", "list.pth", "short.pth", "text.pth", "absent.pth", ".", *others):
        with pytest.raises(InputError) as caught:
            csqcfs.load_public(name, L=4)
        assert "\n" not in str(caught.value) and name in str(caught.value)
    assert not (tmp_path / "trapped").exists()
    for what in (None, 3, torch.nn.Linear(2, 2)):
        with pytest.raises(InputError, match="^weights of type .*: expected a state_dict or the path of one"):
            csqcfs.load_public(what, L=4)
