"""What the library notes of a network does not meet what a network of one's own calls the same."""

from __future__ import annotations

import pickle

import csqcfs
import pytest
import torch
from csqcfs import InputError, convert, quantize_activations
from torch import nn


def mlp(meta) -> nn.Module:
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    net.meta = meta
    return net


OWN = ["v1", None, 5, ["a"], {"example": "cat.png", "name": 3, "unseen": 1, "zoo": 0, "built": {"name": "x"}}]


@pytest.mark.parametrize("meta", OWN, ids=str)
@pytest.mark.parametrize("with_example", [True, False])
def test_an_attribute_meta_of_ones_own_means_nothing_and_stays(meta, with_example, tmp_path):
    net, x = mlp(meta), torch.randn(4, 6)
    snn = convert(quantize_activations(net, threshold=0.5, example=x if with_example else None))
    scores = snn(x, 3)
    assert net.meta is meta
    for model in (net, snn):
        csqcfs.save(model, tmp_path / "it.safetensors")
        loaded = csqcfs.load(tmp_path / "it.safetensors", network=mlp(meta), example=x)
    assert torch.equal(loaded(x, 3), scores) and loaded.meta["zoo"]["kind"] == "snn"
    csqcfs.save(net, tmp_path / "it.safetensors")
    assert csqcfs.load(tmp_path / "it.safetensors", network=mlp(meta)).meta == meta


def test_notes_survive_copies_and_pickling():
    ann = quantize_activations(csqcfs.models.build("resnet20", width=0.25), example=torch.randn(2, 3, 8, 8))
    for other in (csqcfs.to_channelwise(ann), pickle.loads(pickle.dumps(ann))):
        assert type(other.meta) is type(ann.meta) and other.meta.keys() == ann.meta.keys() >= {"built", "example"}


class Named(nn.Module):
    def __init__(self, part: str, layer: nn.Module | None):
        super().__init__()
        self.a, self.o, self.part = nn.Linear(6, 8), nn.Linear(8, 3), part
        self.register_module(part, layer) if layer else self.register_buffer(part, torch.rand(8))

    def forward(self, x):
        h, part = torch.relu(self.a(x)), getattr(self, self.part)
        return self.o(part(h) if isinstance(part, nn.Module) else h * part)


@pytest.mark.parametrize("layer", [nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 8), nn.ReLU()), None])
@pytest.mark.parametrize("part", ["graph", "meta", "code", "_graph", "recompile", "self", "lambda"])
def test_a_part_whose_name_its_graph_needs_is_named(part, layer):
    for example in (None, torch.randn(3, 6)):
        with pytest.raises(InputError, match=f"Named has a part called {part}, .*; rename it$") as caught:
            quantize_activations(Named(part, layer), example=example)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["mean", "std", "method", "end", "example", "name", "act", "x", "torch"])
def test_any_other_name_is_free(part):
    net, x = Named(part, nn.Linear(8, 8)), torch.randn(3, 6)
    ann = quantize_activations(net, L=1 << 16, threshold=8.0, example=x)
    torch.testing.assert_close(ann(x), net(x), rtol=1e-3, atol=1e-3)
    assert convert(ann)(x, 2).shape == (2, 3, 3)
