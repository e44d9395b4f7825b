"""Networks of torchvision and, where it is installed, timm: a small one of each family, in both modes.

The reference is the family's own forward, unchanged, in double precision: PyTorch hands every ReLU and max pooling to a
function mode, which puts IF neurons (evaluation, step by step) or QCFS (training) and average pooling there. It knows
nothing of this package.
"""

from __future__ import annotations

import contextlib
import copy

import pytest
import torch
from csqcfs import InputError, convert, quantize_activations
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torchvision import models as tv
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.densenet import DenseNet
from torchvision.models.googlenet import BasicConv2d as Stem
from torchvision.models.googlenet import Inception
from torchvision.models.inception import BasicConv2d as Stem3
from torchvision.models.inception import InceptionA, InceptionD
from torchvision.models.regnet import BlockParams, RegNet
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.models.segmentation.deeplabv3 import DeepLabHead, DeepLabV3
from torchvision.models.segmentation.fcn import FCN, FCNHead
from torchvision.models.shufflenetv2 import ShuffleNetV2
from torchvision.models.vgg import VGG, make_layers
from torchvision.models.video.resnet import BasicBlock as BasicBlock3d
from torchvision.models.video.resnet import Conv2Plus1D, R2Plus1dStem, VideoResNet

STEPS, L, THETA = 3, 4, 0.25


class Replaced(TorchFunctionMode):
    """ReLUs as ``activation(call, x, theta)``, max pooling as average pooling."""

    def __init__(self, activation):
        super().__init__()
        self.activation, self.calls = activation, 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if name in ("relu", "relu_", "relu6", "hardtanh", "hardtanh_"):
            given = dict(zip(("input", *(("min_val", "max_val") if "hard" in name else ()), "inplace"), args)) | kwargs
            assert given.get("min_val", 0) == 0
            self.calls += 1
            x = given["input"]
            y = self.activation(self.calls, x, 6.0 if name == "relu6" else float(given.get("max_val", THETA)))
            return x.copy_(y) if given.get("inplace") or name.endswith("_") else y
        if name in ("max_pool2d", "max_pool3d"):
            keys = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")
            given = dict(zip(keys, args)) | kwargs
            pool = F.avg_pool2d if name == "max_pool2d" else F.avg_pool3d
            return pool(*(given.get(key, 0) for key in ("input", "kernel_size", "stride", "padding", "ceil_mode")))
        return function(*args, **kwargs)


def qcfs(call: int, x: Tensor, theta: float) -> Tensor:
    return theta * (torch.floor(x * L / theta + 0.5) / L).clamp(0, 1)


@torch.no_grad()
def over_time(net: nn.Module, x: Tensor) -> list[Tensor]:
    """Means over steps 1..t of what ``net`` gives with IF neurons, for every output."""
    potentials: dict[int, Tensor] = {}

    def neurons(call: int, x: Tensor, theta: float) -> Tensor:
        h = potentials.get(call, theta / 2) + x
        spikes = (h >= theta).to(h) * theta
        potentials[call] = h - spikes
        return spikes

    mode, outputs = Replaced(neurons), []
    with mode:
        for _ in range(STEPS):
            mode.calls = 0
            outputs.append(pytree.tree_leaves(dict(out) if isinstance(out := net(x.clone()), dict) else out))
    return [
        torch.stack(steps).cumsum(0) / torch.arange(1.0, STEPS + 1).view(-1, *[1] * steps[0].dim())
        for steps in zip(*outputs, strict=True)
    ]


def alexnet():
    net = tv.alexnet(num_classes=5)
    net.classifier = nn.Sequential(nn.Dropout(), nn.Linear(9216, 16), nn.ReLU(inplace=True), nn.Linear(16, 5))
    return net


def vgg(norm: bool):
    net = VGG(make_layers([8, "M", 12, "M"], norm), num_classes=5, init_weights=False)
    net.avgpool, net.classifier[0] = nn.AdaptiveAvgPool2d(2), nn.Linear(48, 16)
    net.classifier[3], net.classifier[6] = nn.Linear(16, 16), nn.Linear(16, 5)
    return net


def headed(*blocks: nn.Module, width: int):
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(width, 5))


def backbone():
    net = ResNet(BasicBlock, [1, 1, 1, 1])
    return IntermediateLayerGetter(net, {"layer4": "out", "layer3": "aux"})


FAMILIES = {
    "alexnet": (alexnet, 64),
    "vgg": (lambda: vgg(False), 16),
    "vgg with norm": (lambda: vgg(True), 16),
    "resnet": (lambda: ResNet(BasicBlock, [1, 1, 1, 1], num_classes=5), 32),
    "resnext": (lambda: ResNet(Bottleneck, [1, 1, 1, 1], num_classes=5, groups=4, width_per_group=4), 32),
    "densenet": (lambda: DenseNet(8, (2, 2, 2), 16, num_classes=5, drop_rate=0.1), 32),
    "squeezenet": (lambda: tv.squeezenet1_1(num_classes=5), 32),
    "mobilenet_v2": (lambda: tv.mobilenet_v2(width_mult=0.25, num_classes=5), 32),
    "mnasnet": (lambda: tv.MNASNet(0.25, num_classes=5), 32),
    "shufflenet": (lambda: ShuffleNetV2([1, 1, 1], [8, 16, 32, 64, 128], num_classes=5), 32),
    "regnet_x": (lambda: RegNet(BlockParams([1, 1], [16, 32], [8, 8], [1, 1], [2, 2]), num_classes=5), 32),
    "googlenet": (lambda: headed(Stem(3, 16, kernel_size=3), Inception(16, 8, 8, 16, 4, 8, 8), width=40), 12),
    "inception_v3": (lambda: headed(Stem3(3, 16, kernel_size=3), InceptionA(16, 8), InceptionD(232), width=744), 12),
    "quantized": (lambda: tv.quantization.mobilenet_v2(width_mult=0.25, num_classes=5), 32),
    "fcn": (lambda: FCN(backbone(), FCNHead(512, 5), FCNHead(256, 5)), 32),
    "deeplabv3": (lambda: DeepLabV3(backbone(), DeepLabHead(512, 5, (2, 4))), 32),
    "video": (lambda: VideoResNet(BasicBlock3d, [Conv2Plus1D] * 4, [1, 1, 1, 1], R2Plus1dStem, 5), 8),
}
TIMM = ["test_resnet", "regnetx_002", "nf_resnet26", "dla46_c", "densenet121"]
LARGE = pytest.mark.large
QUICK = ("alexnet", "vgg", "vgg with norm", "resnet", "densenet", "squeezenet", "shufflenet")
SMALLER = {"densenet121": {"growth_rate": 8, "block_config": (2, 2, 2)}}


def made(name: str) -> tuple[nn.Module, int]:
    if name in FAMILIES:
        make, size = FAMILIES[name]
        return make(), size
    timm = pytest.importorskip("timm")
    return timm.create_model(name, pretrained=False, num_classes=5, **SMALLER.get(name, {})), 32


def lively(net: nn.Module) -> nn.Module:
    """Weights and statistics with which spikes reach the end in some places and not in others."""
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.weight, 0.8, 1.6)
            nn.init.normal_(module.bias, 0, 0.2)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
        elif isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.uniform_(module.bias, 0, 0.2)
    return net


def assert_equal(found, expected) -> None:
    found = [leaf for leaf in pytree.tree_leaves(found) if isinstance(leaf, Tensor)]
    assert len(found) == len(expected)
    for one, two in zip(found, expected):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-9 * float(two.abs().max()))
        assert float(two[-1].abs().max()) > 0


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=LARGE) for name in (*FAMILIES, *TIMM)]
)
def test_a_family(name):
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        net, size = made(name)
        lively(net)
        x = torch.randn(2, 3, *([4] if name == "video" else []), size, size)
        ann = quantize_activations(net.train(), L, THETA, x).double()
    net, x = net.double(), x.double()

    snn, eager = convert(ann), copy.deepcopy(net).eval()
    for part in (slice(0, 2), slice(1, 2)):
        assert_equal(snn(x[part], STEPS), over_time(eager, x[part]))

    results = []
    for network, mode in ((net, Replaced(qcfs)), (ann, contextlib.nullcontext())):
        assert network.training
        with torch.random.fork_rng([]), torch.no_grad(), mode:
            torch.manual_seed(1)  # for dropout
            out = network(x.clone())
        results.append(pytree.tree_leaves(dict(out) if isinstance(out, dict) else out))
    torch.testing.assert_close(results[1], results[0], rtol=1e-9, atol=1e-9)
    kept = dict(ann.named_buffers())
    for key, buffer in net.named_buffers():
        if key.endswith(("running_mean", "running_var")):
            torch.testing.assert_close(kept[key], buffer, rtol=1e-9, atol=1e-9)


REFUSED = {
    "attention": lambda: tv.VisionTransformer(32, 16, 1, 2, 16, 32, num_classes=5),
    "norm over channels": lambda: tv.ConvNeXt([tv.convnext.CNBlockConfig(8, None, 2)], num_classes=5),
    "gates": lambda: RegNet(BlockParams([1, 1], [16, 32], [8, 8], [1, 1], [2, 2], se_ratio=0.25), num_classes=5),
    "hard swish": lambda: tv.mobilenet_v3_small(num_classes=5, width_mult=0.25),
    "seresnet18": None,  # gates that do not count before training
    "nf_regnet_b0": None,
    "mobilenetv3_small_100": None,
    "tinynet_e": None,
}


@pytest.mark.parametrize("name", [name if REFUSED[name] else pytest.param(name, marks=LARGE) for name in REFUSED])
def test_a_family_that_cannot_be_converted(name):
    net = REFUSED[name]() if REFUSED[name] else made(name)[0]
    with pytest.raises(InputError, match="has no ReLU|has no counterpart") as caught:
        quantize_activations(net.eval(), example=torch.randn(2, 3, 32, 32))
    assert "\n" not in str(caught.value)
