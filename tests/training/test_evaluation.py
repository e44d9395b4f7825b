"""Accuracy of networks and SNNs: each by its own function, whatever memory order the network can read."""

from __future__ import annotations

import csqcfs
import pytest
import torch
from csqcfs.conversion import quantize
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
    return [float(site.threshold.detach()) for site in quantize.sites(model).values()]


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

    with pytest.raises(RuntimeError, match="shape mismatch"):
        csqcfs.evaluate(Odd(), IMAGES)
    assert len(calls) == 1


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
