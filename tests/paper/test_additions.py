"""Each addition is one class or function and one line of a table, as CONTRIBUTING says.

An activation, a method, a data set, a network and a figure that the library has never heard of are put into their
tables, and nothing else; then one run uses all five, from the images to the executed notebook.
"""

from __future__ import annotations

from dataclasses import dataclass

import csqcfs
import nbformat
import pytest
import torch
from csqcfs import data, methods, models
from csqcfs.activations import CQCFS
from csqcfs.conversion import family
from csqcfs.data import sets
from csqcfs.data.augment import Augment
from csqcfs.data.content import Content, canonical
from csqcfs.engine import paths
from csqcfs.methods.plain import Plain
from csqcfs.paper.experiments import profiles, registry
from csqcfs.paper.experiments.configs import Run, Stage, Training
from csqcfs.paper.pages import notebooks, warm
from csqcfs.paper.runs import execution, records
from torch import Tensor, nn

PROFILE = profiles.get("demo")


class Squared(CQCFS):
    """theta = lambda^2."""

    positive = True

    @staticmethod
    def to_raw(theta: Tensor) -> Tensor:
        return theta.sqrt()

    @property
    def threshold(self) -> Tensor:
        return self.raw.square()


@dataclass(frozen=True)
class Early(Plain):
    """IF neurons that start at three quarters of their threshold."""

    name = "early"
    label = "three quarters"
    start = 0.75


def stripes() -> Content:
    """Pictures of horizontal and of vertical stripes."""
    rows = torch.arange(8).remainder(2).mul(200).view(1, 1, 8, 1).expand(1, 1, 8, 8)
    pictures = torch.cat([kind + shade for shade in range(20) for kind in (rows, rows.transpose(2, 3))]).byte()
    labels = torch.arange(40) % 2
    return canonical(
        {"train_images": pictures, "train_labels": labels, "test_images": pictures[:8], "test_labels": labels[:8]},
        ("horizontal", "vertical"),
    )


def small(scaled, num_classes: int, in_channels: int) -> nn.Module:
    """For images of any size, as all networks of the table."""
    features = nn.Conv2d(in_channels, scaled(8), 3, padding=1), nn.ReLU()
    return nn.Sequential(*features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(scaled(8), num_classes))


def rows(profile, seeds):
    return {("early",): [Run.of("accuracy", training(seed), T=2, method="early") for seed in seeds]}


def training(seed: int) -> Training:
    stages = (Stage("qcfs", 1, 0.05), Stage("squared", 1, 0.05))
    plain = Augment(crop=0, flip=False, autoaugment=False, cutout=0)
    return Training("stripes", "small", 1.0, 2, 2.0, stages, seed=seed, batch_size=8, augment=plain)


@pytest.fixture
def added(monkeypatch, tmp_path):
    monkeypatch.setitem(family.ACTIVATIONS, "squared", Squared)
    monkeypatch.setitem(methods.METHODS, "early", Early)
    monkeypatch.setitem(sets.SETS, "stripes", sets.Known(stripes().digest, lambda root: stripes()))
    monkeypatch.setitem(models.NETWORKS, "small", small)
    figure = registry.Artefact("stripes", registry.BEYOND, "Stripes", "Are they seen?", rows)
    monkeypatch.setattr(registry, "ARTEFACTS", (*registry.ARTEFACTS, figure))
    monkeypatch.setattr(registry, "IDS", (*registry.IDS, "stripes"))
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CSQCFS_FIGURES", str(tmp_path / "figures"))
    return figure


def test_an_activation_and_a_method(added, tmp_path):
    x = torch.randn(4, 3, 8, 8)
    ann = family.switch(csqcfs.quantize_activations(models.build("small"), 2, 2.0, x), "squared")
    assert "Squared" in str(csqcfs.report(ann))
    snn = csqcfs.convert(ann, "early")
    assert snn(x, 3).shape == (3, 4, 10) and not torch.equal(snn(x, 3), csqcfs.convert(ann)(x, 3))
    for network in (ann, snn):
        again = csqcfs.load(csqcfs.save(network, tmp_path / "network.safetensors"))
        given = (x, 3) if network is snn else (x,)
        torch.testing.assert_close(again(*given), network.eval()(*given))


def test_a_data_set_and_a_network(added):
    train, val, test = data.load("stripes", val=4)
    assert (len(train), len(val), len(test)) == (36, 4, 8) and data.identity("stripes") == stripes().digest
    with pytest.raises(csqcfs.InputError, match="small"):
        models.build("smal")


def test_a_run_of_all_and_its_figure(added, monkeypatch, tmp_path):
    (run,) = added.runs(PROFILE, (0,))
    execution.execute(run, progress=False)
    assert len(records.find(run, "demo").metrics["snn"]) == 2 and not execution.missing([run])
    cells = [
        nbformat.v4.new_code_cell('profile = "demo"\nseeds = None', metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("print(profile)"),
    ]
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=spec), tmp_path / "stripes.ipynb")
    monkeypatch.setattr(paths, "notebooks", lambda: tmp_path)
    with warm.Kernels() as kernels:
        assert notebooks.render(registry.get("stripes"), PROFILE, (0,), kernels).fresh
    assert not notebooks.render(registry.get("stripes"), PROFILE, (0,), warm.Kernels()).fresh
