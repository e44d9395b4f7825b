"""The names that users and the README rely on, and the main road from a network to a spiking one."""

from __future__ import annotations

import inspect
import subprocess
import sys

import csqcfs
import pytest
import torch
from csqcfs.engine import paths
from torch import nn

PROMISED = {"QCFS", "SQCFS", "CQCFS", "CSQCFS", "quantize_activations", "to_channelwise", "fit", "convert", "models"}


def test_promised_names_are_public_and_documented():
    assert PROMISED <= set(csqcfs.__all__)
    for name in csqcfs.__all__:
        thing = getattr(csqcfs, name)
        assert (inspect.getdoc(thing) or "").strip(), name
    assert f'version = "{csqcfs.__version__}"' in (paths.REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (csqcfs.QCFS, {"L": 4, "threshold": 4.0}),
        (csqcfs.SQCFS, {"L": 4, "threshold": 4.0}),
        (csqcfs.CQCFS, {"channels": ..., "L": 4, "threshold": 4.0}),
        (csqcfs.CSQCFS, {"channels": ..., "L": 4, "threshold": 4.0}),
        (csqcfs.quantize_activations, {"model": ..., "L": 4, "threshold": 4.0, "example": None}),
        (csqcfs.to_channelwise, {"model": ..., "softplus": True}),
        (csqcfs.SNN.forward, {"self": ..., "x": ..., "T": 8}),
        (csqcfs.models.build, {"name": ..., "num_classes": 10, "width": 1.0}),
    ],
)
def test_signatures(function, parameters):
    """In this order, by place or by keyword, with the paper's defaults."""
    found = list(inspect.signature(function).parameters.values())[: len(parameters)]
    assert [p.name for p in found] == list(parameters)
    assert all(p.kind is p.POSITIONAL_OR_KEYWORD for p in found)
    assert [p.default for p in found] == [inspect.Parameter.empty if d is ... else d for d in parameters.values()]


def test_import_is_light():
    """No plotting, notebook or data frame library for someone who converts a network."""
    code = (
        "import sys, csqcfs; heavy = {'matplotlib', 'pandas', 'seaborn', 'papermill', 'jupytext', 'nbformat', "
        "'spikingjelly'}; print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={"PYTHONPATH": str(paths.REPOSITORY / "lib"), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.strip() == "[]"


def dataset(count: int = 256, classes: int = 10) -> list[tuple[torch.Tensor, int]]:
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randint(0, 256, (classes, 3, 8, 8), generator=generator)
    noisy = [
        (patterns[i % classes] + torch.randint(-30, 31, (3, 8, 8), generator=generator)).clamp(0, 255)
        for i in range(count)
    ]
    return [(image.to(torch.uint8), i % classes) for i, image in enumerate(noisy)]


def check_main_road(network: nn.Module, epochs: int) -> None:
    """The ten lines of the README."""
    train_set = csqcfs.ImageSet.from_dataset(dataset())
    x = train_set.normalise(train_set.images[:8])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    recipe = {"epochs": epochs, "batch_size": 32, "augment": None, "progress": False}
    ann = csqcfs.quantize_activations(network, L=4, threshold=4.0, example=x)
    csqcfs.fit(ann, train_set, lr=0.05, **recipe)
    fine = csqcfs.to_channelwise(ann)
    csqcfs.fit(fine, train_set, lr=0.01, **recipe)
    state = {name: value.clone() for name, value in fine.state_dict().items()}
    snn = csqcfs.convert(fine)
    scores = snn(x, T=8)
    assert scores.shape == (8, 8, 10) and bool(scores.isfinite().all())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(torch.equal(value, state[name]) for name, value in fine.state_dict().items())
    accuracy = csqcfs.evaluate(fine, train_set)
    curve = csqcfs.evaluate_snn(snn, train_set, T=32, batch_size=8)  # too small to be worth compiling
    assert accuracy > 50 and len(curve) == 32 and curve[-1] > accuracy - 10
    assert csqcfs.report(ann)[0].now == "QCFS"


def test_the_main_road_with_an_own_model():
    torch.manual_seed(0)
    check_main_road(
        nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(64, 10),
        ),
        epochs=6,
    )


@pytest.mark.large
def test_the_main_road_with_resnet20():
    torch.manual_seed(0)
    check_main_road(csqcfs.models.build("resnet20", width=0.5), epochs=4)


@pytest.mark.slow
def test_the_main_road_with_torchvision():
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    check_main_road(torchvision.models.resnet18(num_classes=10), epochs=6)


def test_input_errors_are_value_errors():
    """So that callers need no import from this package to catch them."""
    assert issubclass(csqcfs.InputError, ValueError)
    with pytest.raises(ValueError, match="has no ReLU"):
        csqcfs.quantize_activations(nn.Linear(2, 2))
