"""A network is copied whatever a forward, pruning or a hook has left in it."""

from __future__ import annotations

import csqcfs
import pytest
import torch
from csqcfs import convert, quantize_activations, to_channelwise
from csqcfs.engine.copies import copied, duplicate, sharing
from torch import nn
from torch.nn.utils import prune


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        yield


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


class Keep:
    """A hook that keeps what passes, as tools for features do."""

    def __init__(self):
        self.seen = []

    def __call__(self, module, inputs, out):
        self.seen.append({"out": out})


def pruned(net):
    prune.l1_unstructured(net.get_submodule("0"), "weight", 0.5)


def hooked(net):
    net.get_submodule("0").register_forward_hook(Keep())


def loss_kept(net):
    net.get_submodule("0").last = [net(torch.ones(1, 6)).sum()]


def buffer_computed(net):
    net.get_submodule("0").register_buffer("scale", net.get_submodule("0").weight.sum(), persistent=False)


LEAVE = {f.__name__: f for f in (pruned, hooked, loss_kept, buffer_computed)}


@pytest.mark.parametrize("left", LEAVE)
def test_tensors_with_a_history_are_copied_everywhere(left, tmp_path):
    x = torch.randn(5, 6)
    net = mlp()
    LEAVE[left](net)
    net(x).sum().backward()
    ann = quantize_activations(net, threshold=0.5, example=x)
    ann(x).sum().backward()
    ann.last = ann(x).sum()
    ann(x)
    fine = to_channelwise(ann)
    torch.testing.assert_close(fine(x), ann(x), rtol=1e-5, atol=1e-6)
    csqcfs.calibrate(ann, x)(x).sum().backward()
    snn = convert(fine)
    torch.testing.assert_close(snn(x, 3), convert(csqcfs.calibrate(fine, x) and fine)(x, 3))
    assert csqcfs.export.to_spikingjelly(snn)(x).shape == (5, 3)
    for copy in (copied, duplicate, sharing, lambda model: sharing(model, torch.float64).float()):
        torch.testing.assert_close(copy(ann)(x), ann(x), rtol=1e-4, atol=1e-5)


def test_a_tensor_met_twice_is_one_in_the_copy():
    net = mlp()
    net.one = net.other = net(torch.ones(1, 6))
    new = copied(net)
    assert new.one is new.other and new.one.grad_fn is None and net.one.grad_fn is not None


def test_what_is_empty_is_the_copys_own():
    net = mlp()
    net.one = net.get_submodule("0").other = {}
    for copy in (copied, lambda net: duplicate(quantize_activations(net, example=torch.randn(5, 6)))):
        new = copy(net)
        new.get_submodule("0").register_forward_hook(Keep())
        new.get_submodule("0").register_load_state_dict_post_hook(Keep())
        new.get_submodule("0").other["new"] = 1
        assert not net.get_submodule("0")._forward_hooks and not net.get_submodule("0")._load_state_dict_post_hooks
        assert net.one is net.get_submodule("0").other == {}
    assert (new := copied(net)).one is new.get_submodule("0").other is not net.one
