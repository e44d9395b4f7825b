"""Folded networks compute the same function; what cannot be folded exactly is left alone."""

from __future__ import annotations

import copy

import pytest
import torch
from csqcfs import convert
from csqcfs.conversion import family, quantize
from csqcfs.engine.errors import InputError
from csqcfs.engine.folding import fold_batchnorm
from csqcfs.models import build
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrizations, prune


def trained(model: nn.Module, example: torch.Tensor | None = None) -> fx.GraphModule:
    """``model`` in float64 with random norms, traced, in evaluation mode."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, _BatchNorm) and module.running_mean is not None:
            module.running_mean.normal_()
            module.running_var.uniform_(0.2, 3)
        if isinstance(module, _BatchNorm) and module.affine:
            nn.init.uniform_(module.weight, -1.5, 1.5)
            nn.init.normal_(module.bias)
    model = model.double().eval()
    return fx.symbolic_trace(model) if example is None else quantize.trace(model, example)


def count(model: nn.Module, kind: type[nn.Module] | tuple[type[nn.Module], ...]) -> int:
    return sum(isinstance(module, kind) for module in model.modules())


def check(model: fx.GraphModule, x: torch.Tensor, left: int) -> fx.GraphModule:
    """Fold; compare the outputs, the norms left, and the original before and after."""
    before, code = copy.deepcopy(model.state_dict()), model.code
    folded = fold_batchnorm(model)
    with torch.no_grad():
        expected, found = model(x), folded(x)
    assert float((expected - found).abs().max()) <= 1e-10 * max(1.0, float(expected.abs().max()))
    assert float(expected.std()) > 1e-6
    assert count(folded, _BatchNorm) == left
    assert model.code == code and list(model.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not {id(p) for p in folded.parameters()} & {id(p) for p in model.parameters()}
    return folded


def images(size: int) -> torch.Tensor:
    return torch.randn(3, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("place", [0, 1])
def test_a_forward_written_over_by_hand_is_not_folded(place):
    model = trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), images(6))
    module = model.get_submodule(str(place))
    module.forward = lambda x: 2 * type(module).forward(module, x)
    check(model, images(6), left=1)


@pytest.mark.parametrize(("name", "width"), [("resnet20", 0.5), ("vgg16", 0.1), ("resnet50", 0.1)])
def test_our_networks(name, width):
    folded = check(trained(build(name, width=width)), images(16), left=0)
    assert count(folded, nn.Dropout) == 0
    assert not folded.training


def test_torchvision_resnet18():
    resnet18 = pytest.importorskip("torchvision.models").resnet18
    check(trained(resnet18(weights=None, num_classes=10)), images(32), left=0)


def test_quantized_network():
    model = quantize.quantize_activations(trained(build("resnet20", width=0.5)), L=4, threshold=2.0)
    folded = check(model.double().eval(), images(8), left=0)
    assert list(family.sites(folded)) == list(family.sites(model))
    assert quantize.report(folded) == quantize.report(model)


@pytest.mark.parametrize(
    "layers",
    [
        (nn.Linear(3, 5, bias=False), nn.BatchNorm1d(5)),
        (nn.Linear(3, 5), nn.Dropout(0.3), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.3), nn.Linear(5, 2)),
    ],
    ids=["without bias", "with dropout between"],
)
def test_linear_layer(layers):
    x = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert count(check(trained(nn.Sequential(*layers), x), x, left=0), nn.Dropout) == 0


@pytest.mark.parametrize(
    "layers",
    [
        (nn.Conv1d(3, 6, 3, groups=3), nn.BatchNorm1d(6, affine=False)),
        (nn.Conv1d(3, 6, 3, padding=1, padding_mode="reflect"), nn.BatchNorm1d(6)),
    ],
    ids=["groups", "reflect"],
)
def test_one_dimensional_convolution(layers):
    check(trained(nn.Sequential(*layers)), images(7)[..., 0], left=0)


def test_three_dimensional_convolution():
    x = images(5)[..., None].repeat(1, 1, 1, 1, 4)
    check(trained(nn.Sequential(nn.Conv3d(3, 4, 2), nn.BatchNorm3d(4))), x, left=0)


class Wired(nn.Module):
    """A convolution, a second one, and a norm or two, joined by the function ``wiring``."""

    def __init__(self, wiring) -> None:
        super().__init__()
        self.conv, self.other, self.norm, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), *norms(2)
        self.drop = nn.Dropout()
        self.wiring = wiring

    def forward(self, x):
        return self.wiring(self, x)


def norms(number: int) -> list[nn.BatchNorm2d]:
    return [nn.BatchNorm2d(3) for _ in range(number)]


@pytest.mark.parametrize(
    ("wiring", "left"),
    [
        (lambda m, x: m.norm(m.conv(x)) + m.second(m.conv(x)), 2),
        (lambda m, x: m.norm(m.conv(x)) + m.conv(x), 1),
        (lambda m, x: m.norm(m.conv(x)) + m.norm(m.other(x)), 1),
        (lambda m, x: (lambda y: m.norm(y) + y)(m.conv(x)), 1),
        (lambda m, x: m.norm(m.conv(x)) * m.conv.bias.sum(), 1),
        (lambda m, x: m.norm(torch.relu(m.conv(x))), 1),
        (lambda m, x: m.norm(x), 1),
        (lambda m, x: m.second(m.norm(m.conv(x))), 1),
        (lambda m, x: m.norm(m.drop(m.conv(m.drop(x)))) + m.second(m.other(m.drop(x))), 0),
    ],
    ids=[
        "conv twice",
        "conv twice, one norm",
        "norm twice",
        "output read twice",
        "bias read elsewhere",
        "not after a layer",
        "after the input",
        "norm after norm",
        "one dropout thrice",
    ],
)
def test_sharing_is_left_alone(wiring, left):
    assert count(check(trained(Wired(wiring)), images(4), left), nn.Dropout) == 0


@pytest.mark.parametrize(
    "layers",
    [
        (nn.ConvTranspose2d(3, 3, 2), nn.BatchNorm2d(3)),
        (parametrizations.weight_norm(nn.Conv2d(3, 3, 1)), nn.BatchNorm2d(3)),
        (nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False)),
        (nn.Linear(4, 4), nn.BatchNorm2d(3)),
    ],
    ids=["transposed", "parametrized", "batch statistics", "norm of another dimension"],
)
def test_what_cannot_be_folded_stays(layers):
    check(trained(nn.Sequential(*layers)), images(4), left=1)


def test_linear_layer_before_a_norm_without_scale_stays():
    x = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    check(trained(nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5, affine=False))), x, left=1)


@pytest.mark.parametrize("features", [4, 3])
def test_norm_along_another_dimension_than_the_features_stays(features):
    """With as many features as channels only the shape tells: the weights fit along either dimension."""
    x = torch.randn(6, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    layers = nn.Linear(5, features), nn.BatchNorm1d(3)
    check(trained(nn.Sequential(*layers), x), x, left=1)
    check(trained(nn.Sequential(*layers)), x, left=1)


@pytest.mark.parametrize("name", ["0", "1", "2"])
def test_a_hook_that_would_be_lost_is_named(name):
    model = trained(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Dropout()))
    model.get_submodule(name).register_forward_hook(lambda *_: None)
    with pytest.raises(InputError, match=f"^{name} .*has a hook and is .*remove the hook"):
        fold_batchnorm(model)


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 3, 1), nn.Linear(5, 3)])
def test_a_norm_after_a_pruned_layer_stays(layer):
    x = images(4) if isinstance(layer, nn.Conv2d) else torch.randn(4, 5, dtype=torch.float64)
    norm = nn.BatchNorm2d(3) if isinstance(layer, nn.Conv2d) else nn.BatchNorm1d(3)
    prune.l1_unstructured(layer, "weight", 0.5)
    check(trained(nn.Sequential(layer, norm), x), x, left=1)


class Position(nn.Module):
    """A learned map that takes no input."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Conv2d(3, 3, 1)

    def forward(self):
        return self.map.weight


def test_module_without_input_passes():
    class Leaves(fx.Tracer):
        def is_leaf_module(self, module: nn.Module, name: str) -> bool:
            return isinstance(module, Position) or super().is_leaf_module(module, name)

    root = Wired(lambda m, x: m.norm(m.conv(x)) + m.other().sum()).double().eval()
    root.other = Position().double()
    check(fx.GraphModule(root, Leaves().trace(root)), images(4), left=0)


def test_training_mode_is_refused_by_name():
    model = fx.symbolic_trace(build("vgg16", width=0.05).eval())
    model.features.norm2_1.train()
    with pytest.raises(InputError, match="^features.norm2_1 is in training mode.*eval"):
        fold_batchnorm(model)


def test_untraced_model_is_refused():
    with pytest.raises(InputError, match="^model of type ResNet: expected a GraphModule"):
        fold_batchnorm(build("resnet20", width=0.2))


def test_a_norm_folded_for_rows_is_not_used_for_anything_else():
    """On [N, C, L] the norm acts on C and the layer on L: the example decides, and another rank is refused."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2)).eval()
    net[1].running_mean.normal_()
    net[1].running_var.uniform_(0.2, 3)
    rows, images = torch.randn(3, 6), torch.randn(3, 6, 6)
    snn = convert(quantize.quantize_activations(net, example=rows))
    assert snn(rows, 2).shape == (2, 3, 2)
    with pytest.raises(InputError, match=r"got \[3, 6, 6\]: expected \[N, features\] as in the example; convert the"):
        snn(images, 2)
    whole = convert(quantize.quantize_activations(net, example=images))
    assert torch.allclose(whole(images, 2)[:, 0], whole(images[:1], 2)[:, 0], atol=1e-5)
    with pytest.raises(InputError, match=r"^Sequential does not take batches of shape \[N, 5\]"):  # not folded
        whole(torch.randn(3, 5), 2)
