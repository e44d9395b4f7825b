"""The five-minute path: a network of a user's own, its accuracy over T after each step, and a peer beside it."""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

from ... import data
from ...conversion.snn import convert
from ...data.images import ImageSet
from ...training.evaluation import evaluate, evaluate_snn
from ..plots import shared, style
from ..published import TIMESTEPS

FEW = 10  # images of one run: small enough that no kernel is compiled, which would take longer than the page
OTHERS = (("#999999", "s"), ("#444444", "^"), ("#5900B2", "p"))  # colours and markers of what is no method of the paper
CALIBRATION = 256  # images that SpikingJelly looks at


class Own(nn.Module):
    """A residual network for grey images whose shortcut has no weights: every second pixel, and channels of zeros."""

    def __init__(self, width: int = 12, classes: int = 10):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.deep = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(2 * width)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.stem(x)))
        shortcut = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.head.in_features // 2))
        x = F.relu(self.norm2(self.deep(x)) + shortcut)
        return self.head(x.mean((2, 3)))


def source():
    """The class, as a notebook shows it."""
    from IPython.display import Markdown

    return Markdown(f"```python\n{inspect.getsource(Own)}```")


def accuracies(model: nn.Module, test: ImageSet) -> list[float]:
    """Top-1 accuracy in % of a quantized network, and of its SNN at each T of the paper's tables."""
    over_time = evaluate_snn(convert(model), test, max(TIMESTEPS), batch_size=FEW)
    return [evaluate(model, test), *(over_time[t - 1] for t in TIMESTEPS)]


class OfModules(nn.Module):
    """The same function as an `Own` network of the same weights, out of modules alone.

    SpikingJelly's ann2snn looks for ReLU modules and takes neither `F.pad` nor slices.
    """

    def __init__(self, own: Own):
        super().__init__()
        width = own.stem.out_channels
        self.first = nn.Sequential(own.stem, own.norm1, nn.ReLU())
        self.second = nn.Sequential(own.deep, own.norm2)
        self.shortcut = nn.Conv2d(width, 2 * width, 1, stride=2, bias=False)
        self.relu, self.pool, self.flat, self.head = nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), own.head
        nn.init.dirac_(self.shortcut.weight)  # every second pixel, and channels of zeros

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.head(self.flat(self.pool(self.relu(self.second(x) + self.shortcut(x)))))


def spikingjelly(own: Own, train: ImageSet, test: ImageSet) -> list[float] | None:
    """The same of SpikingJelly's ann2snn with its best recipe for a ReLU network; None where it is not installed."""
    try:
        from spikingjelly.activation_based.ann2snn import Converter, RateCodingRecipe
    except ImportError:
        return None
    loader = torch.utils.data.DataLoader(train.normalise(train.images[:CALIBRATION]), batch_size=CALIBRATION)
    recipe = RateCodingRecipe(loader, mode="99.9%", channel_wise=True, half_threshold=True)
    network = OfModules(copy.deepcopy(own)).eval()
    images, labels = next(data.batches(test, len(test), torch.device("cpu")))
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
        peer, total, found = Converter(recipe).convert(network), 0, {}
    with torch.no_grad():
        for t in range(1, max(TIMESTEPS) + 1):
            total = total + peer(images)
            found[t] = 100 * float((total.argmax(1) == labels).double().mean())
    return [evaluate(own, test), *(found[t] for t in TIMESTEPS)]


def table(rows: Mapping[str, list[float] | None]) -> pd.DataFrame:
    """A line for each network."""
    columns = ["ANN", *(f"T = {t}" for t in TIMESTEPS)]
    found = {name: row for name, row in rows.items() if row is not None}
    return pd.DataFrame.from_dict(found, orient="index", columns=columns).rename_axis("Network")


def interval(share: float, images: int) -> tuple[float, float]:
    """Ends of the 95 % interval (Wilson) of an accuracy in % on so many test images."""
    low, high = stats.binomtest(round(images * share / 100), images).proportion_ci(method="wilson")
    return 100 * low, 100 * high


def found(rows: Mapping[str, list[float] | None], images: int):
    """What came out, in a sentence: the first time-step of each network."""
    from IPython.display import Markdown

    first = {name: (row[1], *interval(row[1], images)) for name, row in rows.items() if row is not None}
    told = "; ".join(f"{name} {share:.1f} % ({low:.0f} to {high:.0f})" for name, (share, low, high) in first.items())
    return Markdown(f"**Found** ({images} test images, 95 % intervals). One time-step reaches: {told}.")


def figure(rows: Mapping[str, list[float] | None], images: int) -> Figure:
    """Accuracy over T on so many test images, a line for each network with its 95 % interval."""
    fig, (ax,) = style.panels(1, height=3.0)
    others, named = iter(OTHERS), {look.label: look for look in style.METHODS.values()}
    for name, row in rows.items():
        if row is not None:
            look = named.get(name.rpartition(": ")[2]) or style.Method(name, *next(others))
            ax.plot(TIMESTEPS, row[1:], **look._replace(label=name).kwargs(), **shared.EDGE)
            ends = np.transpose([interval(share, images) for share in row[1:]])
            ax.fill_between(TIMESTEPS, *ends, color=look.colour, alpha=0.12, linewidth=0)
    shared.log2_axis(ax, list(TIMESTEPS), "time-step T")
    shared.error_scale(ax).set_ylabel(shared.ERROR_SCALE)
    style.legend(fig)
    return fig
