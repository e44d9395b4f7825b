"""Records of spikes: small, the network's own dynamics, and neurons chosen by a rule."""

from __future__ import annotations

import json

import pytest
import torch
from csqcfs.conversion import family
from csqcfs.conversion.snn import convert
from csqcfs.paper.measures import kinds, spikes


@pytest.fixture(scope="module")
def metrics(trained):
    return kinds.KINDS["spikes"](trained)


def test_the_record_is_small_and_plain(metrics):
    assert len(json.dumps(metrics)) < 20_000
    assert metrics["T"] == 16 and metrics["depth"] == 19 and list(metrics["sites"].values()) == [1, 10, 19]
    assert len(metrics["raster"]["neurons"]) <= spikes.RASTER


def test_spikes_and_potentials_follow_equations_1_to_3(metrics):
    """Each step by hand: v + x >= theta fires, and a spike takes theta from the potential."""
    for neuron in metrics["neurons"]:
        theta = neuron["threshold"]
        v = theta / 2
        for x, fired, after in zip(neuron["input"], neuron["spikes"], neuron["potential"], strict=True):
            assert abs(v + x - theta) < 1e-3 or (v + x >= theta) == (fired == "1")
            assert after == pytest.approx(v + x - theta * (fired == "1"), abs=1e-4)
            v = after


def test_trains_are_those_of_the_simulation_and_targets_those_of_the_network(trained, metrics):
    x = trained.splits.test.normalise(trained.splits.test.images[:1])
    outputs, sites = {}, family.sites(trained.model)
    scores = convert(trained.model)(x, 16, lambda name, module, x, out, phase: outputs.update({name: out}))
    assert metrics["answers"] == scores[:, 0].argmax(1).tolist()
    for neuron in metrics["neurons"]:
        trains = (outputs[neuron["site"]][:, 0, neuron["channel"]] != 0).flatten(1)
        wanted = torch.tensor([fired == "1" for fired in neuron["spikes"]])
        assert (trains == wanted[:, None]).all(0).any()
        theta = sites[neuron["site"]].threshold[neuron["channel"]].item()
        assert neuron["threshold"] == pytest.approx(theta, abs=1e-5)
        level = min(max(int(torch.tensor(neuron["z"] * 4 / theta + 0.5).floor()), 0), 4)
        assert neuron["target"] == pytest.approx(theta * level / 4, abs=1e-4)


def test_answer_and_label_are_those_of_the_first_image(trained, metrics):
    test = trained.splits.test
    with torch.no_grad():
        scores = trained.model(test.normalise(test.images[:1]))
    assert metrics["ann"] == int(scores.argmax()) and metrics["label"] == int(test.labels[0])


def test_the_raster_is_of_the_middle_site_in_the_order_of_the_networks_levels(metrics):
    assert metrics["sites"][metrics["raster"]["site"]] == 10
    rates = [neuron["rate"] for neuron in metrics["raster"]["neurons"]]
    assert rates == sorted(rates) and set(rates) <= {0.25, 0.5, 0.75, 1.0}  # L = 4


def test_neurons_are_chosen_among_the_active_ones():
    rates = torch.tensor([[0.0, 0.5], [0.25, 1.0]])
    assert spikes.active(rates).tolist() == [2, 1, 3]
    assert spikes.active(torch.zeros(3)).tolist() == [0, 1, 2]
    assert spikes.at_quantiles(torch.tensor([7, 8, 9]), (0, 0.5, 0.6, 1)) == [7, 8, 9]
