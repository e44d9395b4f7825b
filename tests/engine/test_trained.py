"""Weights that are 0 or 1 by their initialisation are others in a copy; all else is shared."""

from __future__ import annotations

import copy

import pytest
import torch
from csqcfs.engine.trained import MOST, as_trained
from torch import fx, nn


def traced(dtype: torch.dtype = torch.float32) -> fx.GraphModule:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.PReLU(init=1.0), nn.Linear(4, 4)).to(dtype)
        nn.init.eye_(net.get_submodule("0").weight)
        net.get_submodule("3").weight.requires_grad_(False).zero_()
    return fx.symbolic_trace(net)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.complex64])
def test_zeros_and_ones_that_train_lie_between(dtype):
    graph = traced(dtype)
    before, state = copy.deepcopy(graph.state_dict()), torch.get_rng_state()
    one, two = as_trained(graph), as_trained(graph)
    assert torch.equal(torch.get_rng_state(), state)
    for name, weight in graph.named_parameters():
        assert torch.equal(weight, before[name])
        new = one.get_parameter(name)
        assert new.dtype == dtype and torch.equal(new, two.get_parameter(name))
        if weight.requires_grad:
            initial, step = (weight == 0) | (weight == 1), (new - weight).detach().abs()
            assert torch.equal(step > 0, initial) and float(step.max()) <= MOST + 0.01
            assert bool((new[initial].abs() < 1).all())
    assert one.get_parameter("3.weight") is graph.get_parameter("3.weight")
    assert all(one.get_buffer(name) is buffer for name, buffer in graph.named_buffers())


def test_a_network_without_such_weights_has_no_copy():
    graph = traced()
    for weight in graph.parameters():
        weight.requires_grad_(False)
    assert as_trained(graph) is None
    for weight in graph.parameters():
        nn.init.uniform_(weight.requires_grad_(True), 0.1, 0.9)
    assert as_trained(graph) is None
