"""What tables, figures and findings call a data set, a network, a method and a number of things, in one place.

Where a profile has another data set in place of CIFAR, everything that is measured there bears that one's name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .. import methods

if TYPE_CHECKING:
    from .experiments.profile import Profile

DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "digits": "handwritten digits"}
NETWORKS = {
    "vgg16": "VGG-16",
    "resnet18": "ResNet-18",
    "resnet20": "ResNet-20",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
}
METHODS = {
    "relu": "ReLU",
    "qcfs": "QCFS",
    "sqcfs": "S-QCFS",
    "cqcfs": "C-QCFS",
    "csqcfs": "CS-QCFS",
    "ctqcfs": "CT-QCFS",
    "ceqcfs": "CE-QCFS",
    "qcfs-2": "QCFS, two stages",
    "ann": "ANN",
    **{kind.name: kind.label for kind in methods.METHODS.values()},
    "ours": "CS-QCFS + offset",
}
NAMES = DATASETS | NETWORKS | METHODS
WINDOWS = {  # of the gradient, see `engine.kernels.WINDOWS`
    "paper": "paper (Eq. 19)",
    "floor_clamp": "floor, then clamp (PyTorch before 2.14)",
    "floor_clamp_2.14": "floor, then clamp (since PyTorch 2.14)",
    "clamp_floor": "clamp, then floor",
}
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float) -> str:
    """Two digits, as a reader would write them: 0.35, −65, −11,000, 1·10⁻³⁰."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) < 1e-3:
        digits, power = f"{value:.0e}".split("e")
        text = f"{digits}·10{str(int(power)).translate(RAISED)}"
    elif abs(value) < 10:
        text = f"{value:.2g}"
    else:
        text = f"{float(f'{value:.2g}'):,.0f}"
    return text.replace("-", "−")


def signed(values: Iterable[float]) -> str:
    """ "+0.56, −1.30"."""
    return ", ".join(f"{value:+.2f}" for value in values).replace("-", "−")


def span(numbers: Iterable[int], noun: str = "") -> str:
    """The least and the largest of some numbers: "3", or "1-3", and "1-3 seeds" of a noun; "" of none."""
    found = sorted(set(numbers))
    if not found:
        return ""
    least = f"{found[0]:,}-" if len(found) > 1 else ""
    return least + (count(found[-1], noun) if noun else f"{found[-1]:,}")


def count(many: int, noun: str) -> str:
    """ "1 run", "2 runs", "1,024 images", "2 processes"."""
    return f"{many:,} {noun}{'' if many == 1 else 'es' if noun.endswith('s') else 's'}"


def are_others(name: str, digest: str | None) -> bool:
    """Whether images are not those that the name of their data set stands for."""
    from .. import data

    return bool(digest) and name in data.SETS and digest != data.SETS[name].digest


def images(name: str, digest: str | None) -> str:
    """A data set, by the digest of its images too: a folder of others may lie where CIFAR is looked for."""
    called = NAMES.get(name, name)
    return f"other images under the name {called} ({digest:.8}…)" if are_others(name, digest) else called


def dataset(key: str, profile: Profile) -> str:
    """The data that a profile's results for ``key``, such as "cifar10", were measured on."""
    from .. import data

    found = profile.datasets.get(key, key)
    return images(found, data.identity(found))


def shown_as(profile: Profile) -> dict[str, str]:
    """`NAMES` for what was measured in a profile: its own data sets in place of the paper's."""
    return NAMES | {key: dataset(key, profile) for key in DATASETS | dict(profile.datasets)}
