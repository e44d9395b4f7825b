"""No network trains in a memory order in which oneDNN writes past its buffers."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import csqcfs
import pytest
import torch
from csqcfs import models
from csqcfs.engine.errors import InputError
from csqcfs.engine.memory_format import training_format
from torch import nn
from torch.nn import functional as F

X = torch.zeros(2, 3, 16, 16)


class Functional(nn.Module):
    """A narrow strided convolution that is no module, after ``before``."""

    def __init__(self, before=lambda x: x):
        super().__init__()
        self.weight, self.before = nn.Parameter(torch.randn(8, 3, 1, 1)), before

    def forward(self, x):
        return F.conv2d(self.before(x), self.weight, stride=2).mean((2, 3))


@pytest.mark.parametrize(
    "network",
    [
        models.build("resnet20", 10, 0.25, 3),
        nn.Conv2d(3, 8, 1, stride=2),
        nn.Conv2d(3, 8, 1, stride=(1, 2)),
        nn.Conv2d(3, 8, 1, stride=3, dilation=2),
        nn.ConvTranspose2d(3, 4, 1, stride=2, output_padding=1),
        Functional(),
        nn.Sequential(nn.Conv2d(3, 64, 3), nn.Conv2d(64, 7, 3), nn.Conv2d(7, 64, 1, stride=2)),
    ],
)
def test_networks_that_are_hit_train_on_contiguous_images(network):
    assert training_format(network, X) == torch.contiguous_format


def test_grey_images_leave_no_order_behind():
    """One channel, and a kernel of one pixel, are contiguous in both senses; oneDNN goes by their strides."""
    network, x = models.build("resnet20", 10, 0.1, 1), torch.zeros(2, 1, 8, 8).to(memory_format=torch.channels_last)
    for start in (torch.channels_last, torch.contiguous_format):
        assert training_format(network.to(memory_format=start), x) == torch.contiguous_format
    weight = next(network.parameters())
    assert weight.shape[1] == 1 and weight.stride() == torch.empty(weight.shape).stride()


@pytest.mark.parametrize(
    "network",
    [
        models.build("resnet20", 10, 0.5, 3),
        nn.Conv2d(3, 8, 1),
        nn.Conv2d(3, 8, 3, stride=2),
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1, stride=2)),
    ],
)
def test_others_train_in_channels_last_and_keep_their_modes(network):
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert training_format(network, X) == torch.channels_last
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_that_makes_channels_last_itself_is_refused():
    network = Functional(lambda x: x.to(memory_format=torch.channels_last))
    with pytest.raises(
        InputError, match=r"^Functional puts.*shape \[8, 3, 1, 1\].*set_flags\(False\) first$"
    ) as caught:
        training_format(network, X)
    assert "\n" not in str(caught.value)
    torch.backends.mkldnn.set_flags(False)
    try:
        assert training_format(network, X) == torch.channels_last
    finally:
        torch.backends.mkldnn.set_flags(True)


class Filter(nn.Module):
    """A global filter, whose complex weights are held as pairs along the last of four dimensions."""

    def __init__(self):
        super().__init__()
        self.conv, self.pairs, self.head = (
            nn.Conv2d(3, 4, 3, padding=1),
            nn.Parameter(torch.rand(4, 8, 5, 2)),
            nn.Linear(4, 3),
        )

    def forward(self, x):
        seen = torch.fft.rfft2(F.relu(self.conv(x))) * torch.view_as_complex(self.pairs)
        return self.head(F.relu(torch.fft.irfft2(seen, s=(8, 8))).mean((2, 3)))


def test_only_weights_of_convolutions_are_laid_out():
    """Another parameter of four dimensions is read by a view that channels_last ones lack."""
    network, x = Filter(), torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    strides = network.pairs.stride()
    assert training_format(network, x) == torch.channels_last and network.pairs.stride() == strides
    assert network.conv.weight.is_contiguous(memory_format=torch.channels_last)
    ann = csqcfs.quantize_activations(network.double(), 4, 1.0, x.double())
    with torch.no_grad():
        scores = csqcfs.convert(ann)(x.double(), 64)[-1]
        assert scores.shape == (3, 3) and network(x.double()).isfinite().all()


@pytest.mark.parametrize("name", ["resnet20", "vgg16"])
def test_all_weights_of_our_networks_are_laid_out(name):
    network = models.build(name, 10, 0.5, 3)
    assert training_format(network, torch.zeros(2, 3, 32, 32)) == torch.channels_last
    maps = [p for p in network.parameters() if p.dim() == 4]
    assert maps and all(p.is_contiguous(memory_format=torch.channels_last) for p in maps)


def test_an_error_leaves_the_weights_as_they_were():
    class Broken(nn.Conv2d):
        def forward(self, x):
            raise RuntimeError("broken")

    network = Broken(3, 8, 3)
    for start in (torch.channels_last, torch.contiguous_format):
        data = network.to(memory_format=start).weight.data_ptr()
        with pytest.raises(RuntimeError, match="broken"):
            training_format(network, X)
        assert network.weight.is_contiguous(memory_format=start) and network.weight.data_ptr() == data


TRAIN = """
import torch
from csqcfs import ImageSet, fit, models, quantize_activations
from csqcfs.data.augment import Augment
from torch import nn
def data(channels):
    images = torch.randint(0, 256, (64, channels, 16, 16), dtype=torch.uint8)
    return ImageSet(images, torch.arange(64) % 4, tuple("abcd"), (0.5,) * channels, (0.25,) * channels)
narrow = nn.Sequential(nn.Conv2d(3, 8, 1, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.ConvTranspose2d(8, 4, 1, 2, 0, 1),
                       nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
for network, c in ((models.build("resnet20", 4, 0.25, 3), 3), (models.build("resnet20", 4, 0.1, 1), 1), (narrow, 3)):
    network = quantize_activations(network, 4, 1.0, torch.zeros(2, c, 16, 16))
    fit(network, data(c), epochs=10, lr=0.01, batch_size=16, augment=None, progress=False)
print("trained")
"""


@pytest.mark.large
def test_narrow_networks_train_without_touching_the_heap():
    """In a process of its own, on one thread; glibc looks at every block that is freed, where it can."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        ctypes.CDLL("libc_malloc_debug.so.0")
        environment |= {"LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_CHECK_": "3"}
    except OSError:
        pass
    done = subprocess.run([sys.executable, "-c", TRAIN], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stdout.strip() == "trained", done.stderr[-2000:]
