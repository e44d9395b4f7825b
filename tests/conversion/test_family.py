"""The family of activations: switches keep the function, settings and weights, or say why they cannot."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from csqcfs import CQCFS, CSQCFS, QCFS
from csqcfs.conversion.calibration import calibrate
from csqcfs.conversion.family import ACTIVATIONS, sites, switch, to_channelwise
from csqcfs.conversion.quantize import quantize_activations, report
from csqcfs.conversion.snn import convert
from csqcfs.engine.errors import InputError
from csqcfs.models import build
from torch import fx, nn

pytestmark = pytest.mark.usefixtures("resnet8")


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        yield


def images(count: int = 2, size: int = 8) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def set_thresholds(model: nn.Module, low: float = 0.3, high: float = 2.0) -> nn.Module:
    """A different threshold at every site, as training leaves them."""
    found = sites(model).values()
    with torch.no_grad():
        for module, theta in zip(found, torch.linspace(low, high, len(found))):
            module.raw.copy_(theta)
    return model


def randomise_norms(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(2)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return model


def assert_same_function(first: nn.Module, second: nn.Module, x: torch.Tensor, exact: bool) -> None:
    """Equal outputs; or equal to float rounding, but for an image in which a tie falls to its other side."""
    with torch.no_grad():
        one, two = first(x), second(x)
    assert float(one.std()) > 0.01
    if exact:
        assert torch.equal(one, two)
    else:
        close = torch.isclose(one, two, rtol=1e-4, atol=1e-4 * float(one.abs().max())).all(1)
        assert int(close.sum()) >= len(x) - 1


@pytest.mark.parametrize("softplus", [True, False])
def test_to_channelwise_keeps_the_function_from_any_thresholds(softplus):
    model = set_thresholds(
        quantize_activations(randomise_norms(build("resnet8", width=0.5)).eval(), 4, example=images())
    )
    fine = to_channelwise(model, softplus=softplus)
    assert all(type(m) is (CSQCFS if softplus else CQCFS) for m in sites(fine).values())
    assert list(sites(fine)) == list(sites(model))
    assert {line.now for line in report(fine)} == {"CSQCFS" if softplus else "CQCFS"}
    assert [line.site for line in report(fine)] == [line.site for line in report(model)]
    for name, module in sites(fine).items():
        old = sites(model)[name]
        torch.testing.assert_close(module.threshold, old.threshold.expand(old.channels), rtol=1e-6, atol=0)
    assert_same_function(model, fine, images(16), exact=not softplus)


def test_handing_over_the_threshold_as_the_raw_parameter_would_not_keep_it():
    """The test above sees the misprint of Algorithm 1, line 9."""
    model = set_thresholds(quantize_activations(build("resnet8", width=0.5).eval(), 4, example=images()))
    fine = to_channelwise(model)
    with torch.no_grad():
        for name, module in sites(fine).items():
            module.raw.copy_(sites(model)[name].raw.expand_as(module.raw))
    with pytest.raises(AssertionError):
        assert_same_function(model, fine, images(16), exact=False)


@pytest.mark.large
@pytest.mark.parametrize("softplus", [True, False])
def test_to_channelwise_of_torchvision_resnet18(softplus):
    models = pytest.importorskip("torchvision.models")
    model = randomise_norms(models.resnet18(weights=None, num_classes=10)).eval()
    model = set_thresholds(quantize_activations(model, 4, example=images(2, 32)))
    fine = to_channelwise(model, softplus=softplus)
    assert_same_function(model, fine, images(6, 32), exact=not softplus)
    assert sum(m.raw.numel() for m in sites(fine).values()) == 64 * 5 + 128 * 4 + 256 * 4 + 512 * 4


def small(L: int = 4, window: str = "floor_clamp") -> fx.GraphModule:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.ReLU())
    return set_thresholds(quantize_activations(model.eval(), L, 1.0, images(), window=window))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("back", ["cqcfs", "csqcfs"])
def test_switch_keeps_function_settings_and_weights(activation, back):
    model = small(L=6)
    before = copy.deepcopy(model)
    one = switch(model, activation)
    two = switch(one, back)
    for switched, kind in ((one, activation), (two, back)):
        assert {type(m) for m in sites(switched).values()} == {ACTIVATIONS[kind]}
        assert {(m.L, m.window) for m in sites(switched).values()} == {(6, "floor_clamp")}
        assert [m.channels for m in sites(switched).values()] == [4, 2]
        assert torch.equal(switched.get_parameter("0.weight"), model.get_parameter("0.weight"))
        torch.testing.assert_close(switched(images()), model(images()))
    for name, module in before.named_modules():
        now = model.get_submodule(name)
        assert now.training == module.training and (name == "" or type(now) is type(module))
    torch.testing.assert_close(model.state_dict(), before.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_frozen_threshold_stays_frozen(activation):
    model = small()
    for site in sites(model).values():
        site.raw.requires_grad_(False)
    assert not any(site.raw.requires_grad for site in sites(switch(model, activation)).values())


@pytest.mark.parametrize("bad", [0.0, -0.25, math.nan])
@pytest.mark.parametrize("softplus", [True, False])
def test_a_threshold_that_is_not_positive_is_named(bad, softplus):
    model = small()
    with torch.no_grad():
        model.get_submodule("3").raw.fill_(bad)
    with pytest.raises(InputError, match=f"^threshold {bad:.4g} at 3: expected a positive one.*train") as caught:
        to_channelwise(model, softplus=softplus)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: switch(small(), "relu"), "^activation = 'relu': expected one of qcfs, sqcfs, cqcfs, csqcfs"),
        (lambda: to_channelwise(nn.Sequential(nn.ReLU())), "^Sequential has no quantized activation; call quantize"),
        (lambda: to_channelwise(quantize_activations(nn.Sequential(nn.ReLU()))), "^channels of 0 are unknown; pass"),
        (lambda: switch(to_channelwise(small()), "sqcfs"), "^1 has 4 thresholds: sqcfs holds one for the whole layer"),
    ],
)
def test_bad_switches_are_one_line(call, named):
    with pytest.raises(InputError, match=named) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("activation", ["csqcfs", "sqcfs", "ceqcfs"])
def test_a_threshold_that_an_activation_does_not_reach_is_refused(activation):
    x = torch.randn(2, 4)
    ann = quantize_activations(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), threshold=2e-5, example=x)
    assert float(sites(switch(ann, activation))["1"].threshold.detach().max()) == pytest.approx(2e-5, rel=1e-3)
    with pytest.raises(InputError, match=f"at 1: expected one that {activation} reaches in torch.float16") as caught:
        switch(ann.half(), activation)
    assert "\n" not in str(caught.value)


def test_an_activation_at_two_places_is_switched_at_both():
    shared = QCFS(4, 1.0, channels=4)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), shared, nn.Conv2d(4, 4, 3, padding=1), shared)
    switched = switch(model, "csqcfs")
    assert type(switched[1]) is CSQCFS and switched[1] is switched[3]
    x = torch.randn(2, 3, 8, 8)
    assert torch.allclose(switched(x), model(x), atol=1e-6)


def test_a_hook_on_an_activation_is_not_lost_in_silence():
    x = torch.randn(2, 3, 8, 8)
    model = quantize_activations(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()), 4, 1.0, x)
    (name, site), *_ = sites(model).items()
    handle = site.register_forward_hook(lambda *_: None)
    with pytest.raises(InputError, match=f"^{name} .QCFS. has a hook and is replaced by CSQCFS"):
        switch(model, "csqcfs")
    handle.remove()
    assert sites(switch(model, "csqcfs"))


@pytest.mark.parametrize(
    "per_channel", [to_channelwise, lambda ann: calibrate(ann, torch.randn(3, 5, 6), per_channel=True)]
)
def test_features_that_lie_last_have_no_threshold_each(per_channel):
    """Dimension 1 is one of tokens there, whose number another text would change."""
    ann = quantize_activations(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)), example=torch.randn(3, 5, 6))
    assert sites(ann)["1"].channels is None
    with pytest.raises(
        InputError, match="^1 has no channels .*not features last.*; keep one threshold for each"
    ) as caught:
        per_channel(ann)
    assert "\n" not in str(caught.value)
    assert convert(ann)(torch.randn(2, 7, 6), 2).shape == (2, 2, 7, 3)
