"""Accuracy of networks and SNNs: each by its own function, whatever memory order the network can read."""

from __future__ import annotations

import csqcfs
import pytest
import torch
from csqcfs.conversion import family
from csqcfs.engine.errors import InputError
from torch import nn

IMAGES = csqcfs.ImageSet(
    torch.randint(256, (10, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)),
    torch.arange(10),
    tuple("0123456789"),
    (0.5,) * 3,
    (0.2,) * 3,
)
X = IMAGES.normalise(IMAGES.images[:4]).contiguous()


class Flat(nn.Module):
    """Maps laid out in a row, by a view, which channels_last maps do not have."""

    def __init__(self, flatten=lambda h: h.view(h.size(0), -1)):
        super().__init__()
        self.conv, self.fc, self.flatten = nn.Conv2d(3, 4, 3), nn.Linear(144, 10), flatten

    def forward(self, x):
        return self.fc(self.flatten(torch.relu(self.conv(x))))


def flat(**given) -> Flat:
    torch.manual_seed(1)
    return Flat(**given)


def thresholds(model) -> list[float]:
    return [float(site.threshold.detach()) for site in family.sites(model).values()]


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("method", [lambda h: h.view(h.size(0), -1), lambda h: h.view_as(h.flatten(1))])
def test_a_network_that_views_its_maps_is_used_as_one_that_flattens_them(method, quantized, capfd):
    pair = flat(flatten=method), flat(flatten=lambda h: h.flatten(1))
    if quantized:
        pair = [csqcfs.quantize_activations(model, 4, 1.0, X) for model in pair]
    told = []
    for model in pair:
        before = csqcfs.evaluate(model, IMAGES)
        history = csqcfs.fit(model, IMAGES, val_set=IMAGES, epochs=2, batch_size=4, augment=None, progress=False)
        found = [before, *(one["loss"] for one in history), *(one["val_accuracy"] for one in history)]
        if quantized:
            calibrated = csqcfs.calibrate(model, IMAGES)
            found += [*thresholds(calibrated), *csqcfs.evaluate_snn(csqcfs.convert(calibrated), IMAGES, 4)]
        told.append(found)
    assert told[0] == pytest.approx(told[1], rel=1e-4)
    assert "Call using an FX-traced Module" not in capfd.readouterr().err


def test_another_error_of_a_network_is_not_tried_again():
    calls = []

    class Odd(Flat):
        def forward(self, x):
            calls.append(x.shape)
            raise RuntimeError("shape mismatch")

    with pytest.raises(InputError, match=r"^Odd does not run on images of shape \[3, 8, 8\] .shape mismatch.; build"):
        csqcfs.evaluate(Odd(), IMAGES)
    assert len(calls) == 1


def both(network: nn.Module, images: csqcfs.ImageSet, **settings) -> list[str]:
    """What `evaluate` says of a network, and `evaluate_snn` of its SNN."""
    said = []
    ann = csqcfs.quantize_activations(network, 4, 1.0, X)
    for call, model in ((csqcfs.evaluate, ann), (csqcfs.evaluate_snn, csqcfs.convert(ann))):
        with pytest.raises(InputError) as caught:
            call(model, images, **settings)
        said.append(str(caught.value))
        assert "\n" not in said[-1] and len(said[-1]) < 400
    return said


def other_images(*shape: int) -> csqcfs.ImageSet:
    constants = (0.5,) * shape[0], (0.2,) * shape[0]
    return csqcfs.ImageSet(torch.zeros(10, *shape, dtype=torch.uint8), IMAGES.labels, IMAGES.classes, *constants)


class Few(Flat):
    """Two outputs where there are ten classes."""

    def forward(self, x):
        return super().forward(x)[:, :2]


class Pair(Flat):
    def forward(self, x):
        return (super().forward(x),) * 2


def test_labels_without_an_output_of_the_network_are_refused():
    """An accuracy would come out, of the labels that it has."""
    for said in both(Few(), IMAGES):
        assert "gives an output of shape [10, 2] and labels go up to 9: expected [N, 10] or wider" in said
    csqcfs.evaluate(Few(), IMAGES.subset([0, 1]))  # of a set with more classes


def test_images_that_the_network_cannot_take_are_refused():
    for images in (other_images(1, 8, 8), other_images(3, 8, 4)):
        ann, snn = both(flat(), images)
        assert "does not run on images of shape" in ann and "Flat" in snn


def test_a_network_of_several_results_is_refused():
    assert all("gives a tuple: expected one tensor" in said for said in both(Pair(), IMAGES))


@pytest.mark.parametrize("batch_size", ["4", 2.5, None, 0, -3, X])
def test_batch_sizes_that_are_none_are_refused(batch_size):
    for said in both(flat(), IMAGES, batch_size=batch_size):
        assert said.startswith("batch size ") and said.endswith(": expected a whole number of images, 1 or more")


def test_a_batch_may_be_larger_than_any_memory():
    assert csqcfs.evaluate(flat(), IMAGES, batch_size=10**30) == csqcfs.evaluate(flat(), IMAGES)


def test_a_lack_of_memory_is_not_the_images_fault():
    class Large(Flat):
        def forward(self, x):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes")

    with pytest.raises(RuntimeError, match="^DefaultCPUAllocator"):
        csqcfs.evaluate(Large(), IMAGES)


@pytest.mark.parametrize("number", [7, 10])
def test_a_network_and_its_snn_are_not_mistaken_for_each_other(number):
    ann = csqcfs.quantize_activations(flat(), 4, 1.0, X)
    some = IMAGES.subset(range(number))
    with pytest.raises(InputError, match=r"^SNN gives scores of shape \[8, \d+, 10\].*evaluate_snn$"):
        csqcfs.evaluate(csqcfs.convert(ann), some)
    for network in (ann, flat()):
        with pytest.raises(InputError, match="^Flat does not take images and T: expected an SNN"):
            csqcfs.evaluate_snn(network, some)
    with pytest.raises(InputError, match="^network of type function"):
        csqcfs.evaluate_snn(lambda x, T: x, some)
