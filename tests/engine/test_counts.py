"""Numbers by which a network counts along the batch: found in the graph, and measured with more images than that."""

from __future__ import annotations

import pytest
import torch
from csqcfs import InputError, convert, quantize_activations
from csqcfs.conversion.spiking import with_neurons
from csqcfs.engine.counts import largest_count
from torch import nn


class Net(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.a, self.o, self.function = nn.Linear(6, 8), nn.Linear(8, 3), function
        self.register_buffer("table", torch.zeros(20, 8))

    def forward(self, x):
        return self.o(self.function(self, torch.relu(self.a(x))))


X = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
CUT = {
    "the first 16": lambda net, h: h[:16],
    "the last 16": lambda net, h: h[-16:, :],
    "all but one": lambda net, h: torch.cat([h[:12], h[13:]]),
    "another factor": lambda net, h: torch.cat([h[:16], 2 * h[16:]]),
    "split": lambda net, h: h.split(16)[0],
    "split by name": lambda net, h: torch.split(h, 16, dim=0)[0],
    "narrow": lambda net, h: torch.cat([h.narrow(0, 0, 1), h[1:] + h.narrow(0, 0, 1) * 0, h[40:]]),
    "a table": lambda net, h: h + net.table[: h.shape[0]],
    "a table, by len": lambda net, h: h + net.table[: len(h)],
}
WHOLE = {
    "channels": lambda net, h: torch.cat([h[:, 4:], h[:, :4]], 1),
    "split of channels": lambda net, h: sum(h.split(4, 1)).repeat(1, 2),
    "chunk of channels": lambda net, h: torch.cat(h.chunk(2, dim=1), 1),
    "a table of channels": lambda net, h: h + net.table[:1, : h.shape[1]],
    "one of several": lambda net, h: (h, 2 * h)[1],
}


@pytest.mark.parametrize("name", CUT)
def test_what_counts_along_the_batch_is_refused(name):
    with pytest.raises(InputError) as caught:
        convert(quantize_activations(Net(CUT[name]), threshold=1.0, example=X))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", WHOLE)
def test_what_leaves_the_batch_whole_is_taken_and_costs_no_further_measurement(name):
    ann = quantize_activations(Net(WHOLE[name]), threshold=1.0, example=X)
    assert largest_count(with_neurons(ann, None)) < 6
    assert convert(ann)(X, 9).shape == (9, 3, 3)


def test_too_many_images_for_a_number_that_only_the_batch_shows():
    """A size that no argument tells is met at the first run, in one line."""

    class Fixed(Net):
        def forward(self, x):
            h = torch.relu(self.a(x))
            return self.o(h + self.table.flatten()[: h.numel()].view(h.shape))

    snn = convert(quantize_activations(Fixed(None), threshold=1.0, example=X))
    assert snn(X, 6).shape == (6, 3, 3)
    with pytest.raises(InputError, match=r"^Fixed does not run on 7 steps of 3 images at once \(.*\); if it counts"):
        snn(X, 7)
