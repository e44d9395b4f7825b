"""What a refusal says of the operation that it names."""

from __future__ import annotations

import pytest
import torch
from csqcfs.conversion.quantize import quantize_activations
from csqcfs.conversion.snn import convert
from csqcfs.engine.errors import InputError
from torch import nn


class Views(nn.Module):
    """Two views of each image through one network, joined by ``join`` and compared by ``apart``."""

    def __init__(self, join, apart):
        super().__init__()
        self.a, self.b, self.join, self.apart = nn.Linear(4, 6), nn.Linear(6, 2), join, apart

    def forward(self, x):
        one, other = self.apart(torch.relu(self.a(self.join(x, x.flip(1)))))
        return self.b(one - other)


@pytest.mark.parametrize("name", ["cat", "concat", "concatenate"])
def test_views_joined_along_the_batch_are_told_where_to_go(name):
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    along = Views(lambda a, b: getattr(torch, name)([a, b]), lambda h: h.chunk(2))
    with pytest.raises(InputError) as caught:
        quantize_activations(along, 4, 1.0, x)
    remedy = "torch.stack(views, 1).flatten(0, 1)"
    assert remedy in str(caught.value) and "\n" not in str(caught.value)
    beside = Views(lambda a, b: torch.stack([a, b], 1).flatten(0, 1), lambda h: h.unflatten(0, (-1, 2)).unbind(1))
    beside.load_state_dict(along.state_dict())
    torch.testing.assert_close(beside(x), along(x))
    assert convert(quantize_activations(beside, 4, 1.0, x))(x, 2).shape == (2, 3, 2)
