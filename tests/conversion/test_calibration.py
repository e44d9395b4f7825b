"""Warm start: thresholds near the least-squares optimum, each site after quantized predecessors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from csqcfs import CSQCFS, QCFS, ImageSet, calibrate, convert, load, quantize_activations, save
from csqcfs.conversion import calibration, family, quantize
from csqcfs.conversion import images as some
from csqcfs.conversion.calibration import CANDIDATES, nearest_threshold
from csqcfs.engine.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrize, prune


def error(z: np.ndarray, theta: float, L: int) -> float:
    """Mean square of QCFS(z) - ReLU(z), in NumPy and double precision."""
    return float(np.mean((np.clip(np.floor(z * L / theta + 0.5) / L, 0, 1) * theta - np.maximum(z, 0)) ** 2))


def best(z: np.ndarray, L: int, count: int = 4000) -> tuple[float, float]:
    """Least error over a grid far finer than the library's, and where."""
    grid = z.max() * np.arange(1, count + 1) / count
    return min((error(z, theta, L), theta) for theta in grid)


def samples(kind: str, count: int = 3000, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(count, generator=generator)
    return {
        "normal": z,
        "shifted": z - 1,
        "heavy": z * z.abs() * 3,
        "uniform": torch.erf(z) * 5,
        "small": 1e-3 * z,
        "sparse": torch.where(z > 1.5, z, -z.abs()),
    }[kind]


@pytest.mark.parametrize("kind", ["normal", "shifted", "heavy", "uniform", "small", "sparse"])
@pytest.mark.parametrize("L", [1, 2, 4, 8, 32])
def test_threshold_is_near_the_optimum(kind, L):
    z = samples(kind)
    theta = nearest_threshold(z, L)
    assert theta.shape == () and 0 < theta <= z.max()
    values = z.double().numpy()
    least, where = best(values, L, 1000)
    found = error(values, float(theta), L)
    assert found <= 1.15 * least + 1e-12
    # no neighbour on the library's own grid is better
    step = float(z.max()) / CANDIDATES
    for other in (float(theta) - step, float(theta) + step):
        if 0 < other <= float(z.max()):
            assert found <= error(values, other, L) * (1 + 1e-5)
    assert abs(float(theta) - where) < 4 * step or L > 8  # at a high L the optimum is flat


@given(st.floats(0.01, 100), st.sampled_from([2, 4, 8]))
@settings(max_examples=15, deadline=None)
def test_threshold_scales_with_its_input(scale, L):
    z = samples("normal", 500)
    expected = scale * float(nearest_threshold(z, L))
    assert float(nearest_threshold(z * scale, L)) == pytest.approx(expected, rel=0.05)


def test_more_levels_clip_less():
    thetas = [float(nearest_threshold(samples("normal"), L)) for L in (1, 4, 16)]
    assert thetas[0] < thetas[1] < thetas[2]


def network(width: int = 6) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        return nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * width, 12),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(12, 4),
            nn.ReLU(),
        )


def images(count: int = 40) -> torch.Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def inputs_of_sites(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    found = {}
    for name, site in family.sites(model).items():
        site.register_forward_pre_hook(lambda module, args, name=name: found.update({name: args[0].clone()}))
    with torch.no_grad():
        model.eval()(x)
    return found


@pytest.mark.parametrize("activation", ["qcfs", "sqcfs", "cqcfs", "csqcfs"])
def test_each_site_is_calibrated_on_quantized_predecessors(activation):
    x = images()
    model = family.switch(quantize_activations(network(), 2, 4.0, x), activation)
    model = calibrate(model, x)
    after = inputs_of_sites(model, x)  # what each site sees once all are in place
    for name, site in family.sites(model).items():
        theta = site.threshold.detach().flatten()
        expected = nearest_threshold(after[name].flatten(), 2)
        torch.testing.assert_close(theta, expected.expand_as(theta), rtol=1e-5, atol=0)
    # and it matters: unquantized predecessors would put the last site elsewhere, far beyond the tolerance
    with torch.no_grad():
        elsewhere = nearest_threshold(network().eval()[:-1](x).flatten(), 2)
    assert abs(elsewhere.item() / theta[0].item() - 1) > 1e-3


def test_calibration_improves_on_the_constant_start():
    x = images()
    plain = network().eval()
    model = quantize_activations(plain, 4, 4.0, x)
    with torch.no_grad():
        before = float((model(x) - plain(x)).square().mean())
        after = float((calibrate(model, x)(x) - plain(x)).square().mean())
    assert after < 0.2 * before


def test_calibration_repeats_and_leaves_modes_hooks_and_weights():
    x = images()
    models = [quantize_activations(network().train(), 4, 4.0, x) for _ in range(2)]
    models[0].get_submodule("1").eval()
    given = [copy.deepcopy(m) for m in models]
    states = [{k: v.clone() for k, v in m.state_dict().items()} for m in models]
    modes = [m.training for m in models[0].modules()]
    randomness = torch.get_rng_state()
    before, models = models, [calibrate(model, x) for model in models]
    assert torch.equal(torch.get_rng_state(), randomness)
    assert all(map(torch.equal, before[0].state_dict().values(), given[0].state_dict().values()))
    assert [m.training for m in models[0].modules()] == modes
    assert not any(m._forward_pre_hooks for m in models[0].modules())
    for (name, one), two in zip(models[0].state_dict().items(), models[1].state_dict().values(), strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, states[0][name]) == (not name.endswith("raw")), name
    assert all(site.raw.requires_grad and site.raw.grad is None for site in family.sites(models[0]).values())


def test_a_sample_stands_for_the_whole_map(monkeypatch):
    """An even stride that divides the width would see the left border of every map and nothing else."""
    x = torch.rand(64, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    x[..., 0] *= 0.1  # the border is ten times darker
    model = quantize_activations(nn.Sequential(nn.ReLU()), 4, 1.0, x)
    whole = calibrate(model, x).get_submodule("0").threshold.item()
    for sample in (x.numel() // 16, x.numel() // 32, 500):
        monkeypatch.setattr(calibration, "SAMPLE", sample)
        sampled = calibrate(model, x).get_submodule("0").threshold.item()
        assert sampled == pytest.approx(whole, rel=0.05)


def test_a_site_that_nothing_activates_is_named_and_nothing_changes():
    model = quantize_activations(network(), 4, 2.5, images())
    with torch.no_grad():
        model.get_submodule("5").bias.fill_(-1e6)
    with pytest.raises(InputError, match="^6 has no pre-activation above 0: expected.*train") as caught:
        calibrate(model, images())
    assert "\n" not in str(caught.value)
    assert [site.threshold.item() for site in family.sites(model).values()] == [2.5] * 3
    assert not any(module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize("z", [torch.zeros(5), -torch.ones(5), torch.tensor([1.0, torch.nan])])
def test_no_positive_pre_activation_is_refused(z):
    with pytest.raises(InputError, match="^no pre-activation above 0: expected some.*train the network first$"):
        nearest_threshold(z, 4)


def test_a_network_without_quantized_activations_is_refused():
    with pytest.raises(InputError, match="^Sequential has no quantized activation; call quantize"):
        calibrate(network(), images())


# rules, one threshold for each channel, and what images may be


def by_hand(rule: str, z: np.ndarray, L: int) -> float:
    """Threshold of one channel or layer, [N, ...] with the images in front."""
    flat = z.reshape(-1)
    if rule == "max":
        return float(flat.max())
    if rule == "balance":
        theta = 0.0
        for step in range(32):
            part = np.array_split(z, min(32, len(z)))[step % min(32, len(z))]
            theta += 2 * float(np.maximum(part - theta, 0).mean())
        return theta
    if rule == "least squares":
        grid = flat.max() * np.arange(1, CANDIDATES + 1) / CANDIDATES
        return float(min(grid, key=lambda theta: error(flat, theta, L)))
    found = float(np.percentile(np.maximum(flat, 0), float(rule[:-1])))
    return found if found > 0 else float(flat.max())


@pytest.mark.parametrize("rule", ["least squares", "max", "balance", "99.9%", "90%", "10%"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_every_rule_against_numpy(rule, per_channel):
    x = images(64)
    model = calibrate(quantize_activations(network(), 2, 4.0, x), x, per_channel=per_channel, rule=rule)
    for name, z in inputs_of_sites(model, x).items():
        z = z.double().numpy()
        found = family.sites(model)[name].threshold.detach().double().numpy()
        assert found.shape == ((z.shape[1],) if per_channel else ())
        for channel, theta in enumerate(np.atleast_1d(found)):
            own = z[:, channel] if per_channel else z
            if not (own > 0).any():
                assert theta == pytest.approx(by_hand(rule, z, 2), rel=1e-3)  # that of the layer
            elif rule == "least squares":  # neighbours on the grid may be alike to float precision
                assert error(own.reshape(-1), theta, 2) == pytest.approx(
                    error(own.reshape(-1), by_hand(rule, own, 2), 2)
                )
            else:
                assert theta == pytest.approx(by_hand(rule, own, 2), rel=1e-3)


@pytest.mark.parametrize("activation", ["qcfs", "sqcfs", "cqcfs", "csqcfs"])
def test_thresholds_of_channels_need_a_channelwise_network(activation):
    x = images()
    model = family.switch(quantize_activations(network(), 4, 4.0, x), activation)
    kinds = {type(site).__name__ for site in family.sites(calibrate(model, x, per_channel=True)).values()}
    assert kinds == {{"qcfs": "CQCFS", "sqcfs": "CSQCFS"}.get(activation, activation.upper())}
    assert {type(site).__name__ for site in family.sites(calibrate(model, x)).values()} == {activation.upper()}
    with pytest.raises(InputError, match="channels of .* are unknown; pass example=x"):
        calibrate(quantize_activations(network(), 4, 4.0), x, per_channel=True)


def test_channels_are_nearer_to_the_network_than_layers():
    x, plain = images(), network().eval()
    with torch.no_grad():
        for channel in range(6):
            plain[1].weight[channel] *= 4.0**-channel  # channels of very unlike size
        errors = [
            float((calibrate(quantize_activations(plain, 4, 1.0, x), x, per_channel=p)(x) - plain(x)).square().mean())
            for p in (False, True)
        ]
    assert errors[1] < 0.7 * errors[0]


def test_images_of_every_kind():
    pixels = torch.randint(256, (30, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    known = ImageSet(pixels, torch.zeros(30, dtype=torch.int64), ("a",), (0.5,) * 3, (0.25,) * 3)
    x = known.normalise(pixels)
    model = quantize_activations(network(), 4, 4.0, x)
    wanted = [site.threshold.item() for site in family.sites(calibrate(model, x)).values()]
    labelled = torch.utils.data.TensorDataset(x, known.labels)
    for source in (
        known,
        torch.utils.data.DataLoader(labelled, batch_size=7),
        torch.utils.data.DataLoader(x, batch_size=30),
        [x[:11], x[11:]],
        (x, known.labels),
        x.double(),
    ):
        found = [site.threshold.item() for site in family.sites(calibrate(model, source)).values()]
        assert found == pytest.approx(wanted, rel=1e-5)


class Bytes(nn.Module):
    def forward(self, x):
        return x / 255


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_whatever_the_network_takes(dtype):
    first = Bytes() if dtype == torch.uint8 else nn.Embedding(9, 5)
    t = torch.randint(9, (30, 5), generator=torch.Generator().manual_seed(0)).to(dtype)
    model = quantize_activations(nn.Sequential(first, nn.Linear(5, 6), nn.ReLU()), 4, 4.0, t)
    labels = torch.zeros(30, dtype=torch.int64)
    sources = (t, [t[:11], t[11:]], (t, labels), torch.utils.data.DataLoader(list(zip(t, labels)), batch_size=7))
    found = [family.sites(calibrate(model, source))["2"].threshold.item() for source in sources]
    assert found == pytest.approx([found[0]] * 4) and found[0] != 4.0


def test_a_network_of_several_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.c = nn.Linear(6, 8), nn.Linear(8, 3)

        def forward(self, x, y):
            return self.c(torch.relu(self.a(x) * y))

    inputs = torch.randn(40, 6), torch.rand(40, 8)
    model = quantize_activations(Two(), example=inputs)
    theta = family.sites(calibrate(model, inputs, rule="max"))["act"].threshold
    torch.testing.assert_close(theta.detach(), (model.a(inputs[0]) * inputs[1]).max().detach())
    with pytest.raises(InputError, match="^images of type Tensor: expected the 2 inputs as a tuple of tensors"):
        calibrate(model, inputs[0])
    with pytest.raises(InputError, match="^input 1 of layout torch.sparse_coo"):
        calibrate(model, (inputs[0], inputs[1].to_sparse()))


def test_a_threshold_beyond_the_type_of_the_network_is_refused():
    """Which "balance" alone gives: the other rules give none above the largest pre-activation."""
    x = torch.full((1024, 1, 2, 2), 6e4)
    model = quantize_activations(nn.Sequential(nn.Identity(), nn.ReLU(), nn.Flatten()), example=x[:2])
    calibrate(model, x, rule="balance")
    with pytest.raises(InputError, match=r"^1 has a threshold of .*: expected a finite value above 0 in torch.float16"):
        calibrate(model.half(), x, rule="balance")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_images_come_in_the_type_of_the_network(dtype):
    model = quantize_activations(network().to(dtype), example=images().to(dtype))
    found = family.sites(calibrate(model, images()))
    assert {site.raw.dtype for site in found.values()} == {dtype}


def test_a_set_in_the_order_of_its_classes_gives_images_of_all():
    labels = (torch.arange(4 * some.IMAGES) >= 2 * some.IMAGES).long()
    pixels = torch.where(labels == 0, 10, 250).byte().view(-1, 1, 1, 1)
    known = ImageSet(pixels, labels, ("dark", "bright"), (0.0,), (1.0,))
    taken = some._images(known)
    assert len(taken) == some.IMAGES and 0.4 < float((taken > 0.5).float().mean()) < 0.6
    model = calibrate(quantize_activations(nn.Sequential(nn.ReLU()), 4, 1.0, taken), known, rule="max")
    assert family.sites(model)["0"].threshold.item() == pytest.approx(250 / 255)


def test_of_a_loader_the_first_images_are_taken():
    taken = some._images([torch.full((200, 1, 1, 1), float(n)) for n in range(9)])
    assert torch.equal(taken.flatten(), torch.arange(9.0).repeat_interleave(200)[: some.IMAGES])


def test_a_loader_is_read_no_further_than_needed():
    def endless():
        while True:
            yield torch.randn(200, 3, 8, 8), torch.zeros(200)

    calibrate(quantize_activations(network(), 4, 4.0, images()), endless())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "images of type NoneType: expected normalised images as one tensor, an ImageSet or a DataLoader"),
        ([], "images of type list"),
        (["a"], "^a batch of type str in images of type list: expected normalised images"),
        ([{"x": images()}], "^a batch of type dict in images of type list"),
        ([()], "^a batch of type tuple in images of type list"),
        ({"x": images()}, "^images of type dict: expected"),
        ("folder", "^images of type str: expected"),
        (np.array(3.0), "^images of type ndarray: expected"),
        (torch.utils.data.DataLoader, "^images of the class DataLoader itself: expected"),
        (
            [torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 9, 9)],
            "^batches of shape .* and .*: expected images of one size",
        ),
        ([torch.zeros(2, 3, 8, 8), torch.zeros(3, 8, 8)], "^batches of shape .* and .*: expected images of one size"),
        ([torch.tensor(1.0)], "^batches of shape"),
        (
            torch.utils.data.DataLoader([torch.zeros(3, 8, 8), torch.zeros(3, 9, 9)], batch_size=2),
            "^images of type DataLoader give no batch .stack expects each tensor .*: expected tensors of one size",
        ),
        (torch.utils.data.DataLoader([object()]), "^images of type DataLoader give no batch .*: expected tensors"),
        ([images(), images().to("meta")], "^a batch on the device meta: expected a dense tensor with values"),
        (images().to("meta"), "^images on the device meta: expected a dense tensor with values; load"),
        (
            images().to_sparse(),
            "^images of layout torch.sparse_coo: expected a dense tensor with values; use x.to_dense",
        ),
        (images().to(torch.float8_e4m3fn), "^images of type torch.float8_e4m3fn"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "type torch.uint8 .*normalised images as floats"),
        (torch.zeros(0, 3, 8, 8), r"images of shape \[0, 3, 8, 8\]"),
        (torch.zeros(()), r"images of shape \[\]"),
        (torch.zeros(2, 1, 8, 8), r"does not run on images of shape \[2, 1, 8, 8\] .*: expected a batch of its inputs"),
        (torch.zeros(3, 8, 8), r"does not run on images of shape \[3, 8, 8\]"),
        (torch.full((2, 3, 8, 8), torch.nan), "images with values that are not finite"),
    ],
)
def test_images_that_are_none(given, message):
    with pytest.raises(InputError, match=message) as caught:
        calibrate(quantize_activations(network(), 4, 4.0, images()), given)
    assert "\n" not in str(caught.value)


class Twice(nn.Module):
    """One activation at two calls, which "max" would place by the second alone."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.act = nn.Linear(4, 4), nn.Linear(4, 4), QCFS(4, 1.0, channels=4)

    def forward(self, x):
        return self.act(0.01 * self.b(self.act(self.a(x))))


@pytest.mark.parametrize("traced", [False, True])
def test_an_activation_at_two_calls_is_named(traced):
    x = torch.randn(64, 4)
    model = quantize.trace(Twice(), x) if traced else Twice()
    with pytest.raises(InputError, match="^act is called twice: expected one call.*quantize_activations") as caught:
        calibrate(model, x, rule="max")
    assert "\n" not in str(caught.value)


def test_a_run_that_is_repeated_in_another_memory_order_calls_nothing_twice():
    class Viewed(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.act, self.o = nn.Conv2d(3, 4, 1), QCFS(4, 1.0, channels=4), nn.Linear(64, 2)

        def forward(self, x):
            return self.o(self.act(self.a(x)).view(len(x), -1))

    x = torch.randn(8, 3, 4, 4)
    found = [
        calibrate(Viewed(), x.contiguous(memory_format=order)).act.threshold.item()
        for order in (torch.channels_last, torch.contiguous_format)
        if torch.manual_seed(0)
    ]
    assert found[0] == pytest.approx(found[1])


@pytest.mark.parametrize("rule", ["mean", "0%", "101%", "nan%", "%", "99.9", 99.9, None])
def test_an_unknown_rule(rule):
    with pytest.raises(InputError, match="^rule = .*: expected one of least squares, max, balance, or a percentile"):
        calibrate(quantize_activations(network(), 4, 4.0, images()), images(), rule=rule)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("rule", ["least squares", "99.9%"])
def test_half_precision_is_calibrated_as_single(dtype, rule):
    """Squares of activations above 255 are beyond float16, and no quantile takes either type."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    with torch.no_grad():
        net[0].weight.mul_(1000)
    x = torch.randn(64, 8)
    found = []
    for kind in (torch.float32, dtype):
        model = quantize_activations(copy.deepcopy(net).to(kind), 4, 1.0, x.to(kind))
        (site,) = family.sites(calibrate(model, x.to(kind), per_channel=False, rule=rule)).values()
        assert site.raw.dtype == kind
        found.append(float(site.threshold.detach()))
    assert found[1] == pytest.approx(found[0], rel=0.05) and found[0] > 1023


class Shifted(CSQCFS):
    """An activation of one's own: the thresholds of CS-QCFS, and another function."""

    def forward(self, z):
        return super().forward(z) - 0.25


@pytest.mark.parametrize("by", ["class", "hand"])
def test_an_activation_with_another_forward_is_refused(by):
    """It stays whole in the graph, and IF neurons follow that of the library alone."""
    x, act = torch.randn(8, 6), (Shifted if by == "class" else CSQCFS)(8, 4, 1.0)
    if by == "hand":
        act.forward = lambda z: CSQCFS.forward(act, z) - 0.25
    net = nn.Sequential(nn.Linear(6, 8), act, nn.Linear(8, 3)).eval()
    graph = quantize.trace(net, x)
    torch.testing.assert_close(graph(x), net(x))  # it can be trained as it is
    for call, fate in (
        (lambda: convert(net, "graded", example=x), "replaced by neurons"),
        (lambda: family.switch(graph, "cqcfs"), "replaced by CQCFS"),
        (lambda: calibrate(graph, x), "calibrated as a step function"),
    ):
        message = f"^1 .{type(act).__name__}. has a forward of its own and is {fate}: expected that of Threshold"
        with pytest.raises(InputError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


class Doubled(nn.Module):
    def forward(self, raw):
        return 2 * raw


@pytest.mark.parametrize("how", ["parametrized", "pruned"])
def test_a_raw_threshold_that_is_computed_cannot_be_placed(how):
    model = quantize_activations(network(), 4, 2.5, images())
    (name, site), *_ = family.sites(model).items()
    if how == "parametrized":
        parametrize.register_parametrization(site, "raw", Doubled())
    else:
        prune.identity(site, "raw")
    with pytest.raises(InputError, match=f"^raw of {name} is computed from other tensors.*remove the") as caught:
        calibrate(model, images())
    assert "\n" not in str(caught.value)


class Clipped(nn.Module):
    """A clipped ReLU of bound 2, written in one of the ways there are, on pre-activations that go far beyond it."""

    def __init__(self, clip):
        super().__init__()
        self.a, self.clip, self.b = nn.Linear(6, 8), clip, nn.Linear(8, 3)
        with torch.no_grad():
            self.a.weight.mul_(6)

    def forward(self, x):
        return self.b(self.clip(self.a(x)))


def clipped(clip=None, L: int = 16):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        x, net = torch.randn(200, 6), Clipped(nn.Hardtanh(0, 2) if clip is None else clip).eval()
    return quantize_activations(net, L, example=x), net, x


@pytest.mark.parametrize("clip", [None, lambda h: h.clamp(0, 2), lambda h: nn.functional.hardtanh(h, 0.0, 2.0)])
@pytest.mark.parametrize("rule", ["least squares", "max", "balance", "99.9%", "30%"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_a_clipped_relu_stays_clipped(clip, rule, per_channel):
    model, net, x = clipped(clip)
    found = calibrate(model, x, per_channel=per_channel, rule=rule)
    ((_, site),) = family.sites(found).items()
    z = net.a(x).detach().clamp_max(2)
    columns = z.unbind(1) if per_channel else [z]
    wanted = [min(2, by_hand(rule, column.double().numpy(), 16)) for column in columns]
    assert site.threshold.flatten().tolist() == pytest.approx(wanted, rel=1e-4)
    if rule in ("least squares", "max"):
        with torch.no_grad():
            assert float((found(x) - net(x)).square().mean()) < 0.01 * float(net(x).square().mean())


def test_the_bound_of_a_clipped_relu_goes_with_its_site(tmp_path):
    model, net, x = clipped()
    (wanted,) = family.sites(calibrate(model, x)).values()
    for other in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        family.to_channelwise(model),
        family.switch(family.to_channelwise(model, False), "csqcfs"),
        family.switch(model, "sqcfs"),
        load(save(model, tmp_path / "one"), network=net, example=x),
        load(save(family.to_channelwise(model), tmp_path / "many"), network=quantize_activations(net, 2, example=x)),
    ):
        (site,) = family.sites(calibrate(other, x)).values()
        assert site.bound == 2 and "bound=2" in repr(site)
        torch.testing.assert_close(site.threshold, wanted.threshold.expand_as(site.threshold))
