"""A pickled network is the network, with its graph, what was noted of it and all that it does."""

from __future__ import annotations

import io
import pickle

import csqcfs
import pytest
import torch
from csqcfs import InputError, convert, quantize_activations, to_channelwise
from csqcfs.conversion.family import sites
from csqcfs.conversion.quantize import report
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    """Whatever a trace without an example cannot follow: sizes that Python decides by, in factories, parts written."""

    def __init__(self):
        super().__init__()
        self.a, self.norm, self.o = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Linear(4, 3)
        self.scale = nn.Parameter(torch.rand(4))
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        h = torch.relu(self.norm(self.a(F.pad(x, (0, 1)) if x.shape[3] % 4 == 0 else x)))
        h = F.dropout(self.pool(h), 0.1, self.training) + torch.zeros(len(x), 4, 1, 1)
        h[:, 0] = h[:, 0] * 2
        return torch.softmax(self.o(h.mean((2, 3)) * self.scale), 1)


def through(how, model):
    """Saved whole and loaded by its owner, in memory; the package itself loads no pickle."""
    if how == "pickle":
        return pickle.loads(pickle.dumps(model))
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("how", ["pickle", "torch.save"])
def test_every_network_comes_back(how):
    torch.manual_seed(0)
    x = torch.randn(3, 3, 8, 8)
    net = Net()
    net.norm.running_var.uniform_(0.5, 2)
    ann = quantize_activations(net, threshold=0.5, example=x)
    fine = to_channelwise(ann)
    for model in (ann, fine):
        back = through(how, model)
        assert [m.training for m in back.modules()] == [m.training for m in model.modules()]
        assert report(back) == report(model) and list(sites(back)) == list(sites(model))
        assert back.code == model.code and back.meta.keys() == model.meta.keys()
        torch.testing.assert_close(back.state_dict(), model.state_dict(), rtol=0, atol=0)
        torch.testing.assert_close(back.eval()(x), model.eval()(x), rtol=0, atol=0)
        torch.testing.assert_close(convert(through(how, back))(x, 3), convert(model)(x, 3), rtol=0, atol=0)
    for method in ("plain", "srp", "cos"):
        snn = convert(fine, method)
        back = through(how, snn)
        torch.testing.assert_close(back(x, 3), snn(x, 3), rtol=0, atol=0)
        with pytest.raises(InputError, match="Python decides"):
            back(torch.randn(2, 3, 8, 10), 2)


def test_what_python_cannot_pickle_is_said_when_saving():
    class Local(nn.Linear):
        __module__ = "torch.nn"  # so that it is not looked into

    ann = quantize_activations(nn.Sequential(Local(6, 3), nn.ReLU()), example=torch.randn(2, 6))
    with pytest.raises((AttributeError, pickle.PicklingError), match="Local"):
        through("pickle", ann)


def test_a_network_of_nir_comes_back(tmp_path):
    pytest.importorskip("nir")
    snn = convert(
        quantize_activations(nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)), example=torch.ones(1, 6))
    )
    read = csqcfs.export.from_nir(csqcfs.export.to_nir(snn, (6,)))
    x = torch.randn(2, 6)
    torch.testing.assert_close(through("pickle", read)(x, 3), read(x, 3), rtol=0, atol=0)
