"""Dropout and batch norm that a network never trains: ``training=False`` as it is written, in whatever mode.

A trace in evaluation mode sees the same False where a network writes ``training=self.training``. A second trace, in
training mode, tells the two apart, by the place and line of each call.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from .layers import arguments, place

DROPOUTS = {
    F.dropout: nn.Dropout,
    torch.dropout: nn.Dropout,
    F.dropout1d: nn.Dropout1d,
    F.dropout2d: nn.Dropout2d,
    F.dropout3d: nn.Dropout3d,
}
NORM = ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
Site = tuple[str, str, Any]


class _Frozen(nn.Module):
    """A module that is in evaluation mode, whatever it is told."""

    @property
    def training(self) -> bool:
        return False

    @training.setter
    def training(self, mode: bool) -> None:
        pass


class FrozenBatchNorm1d(_Frozen, nn.BatchNorm1d):
    pass


class FrozenBatchNorm2d(_Frozen, nn.BatchNorm2d):
    pass


class FrozenBatchNorm3d(_Frozen, nn.BatchNorm3d):
    pass


FROZEN: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: FrozenBatchNorm1d,
    nn.BatchNorm2d: FrozenBatchNorm2d,
    nn.BatchNorm3d: FrozenBatchNorm3d,
}


def site(node: fx.Node) -> Site:
    """Where a network calls a function."""
    return place(node), node.meta.get("line", ""), node.target


def never_training(graph: fx.Graph, other: fx.Graph) -> set[Site]:
    """Sites of ``graph``, traced in evaluation mode, that are in evaluation in ``other``, one in training mode, too."""
    constant = {site(node) for node in other.nodes if _trains(node) is False}
    following = {site(node) for node in other.nodes if _trains(node) not in (None, False)}
    return {site(node) for node in graph.nodes if _trains(node) is False} & constant - following


def switched(graph: fx.Graph) -> bool:
    """Whether anything is called that may follow the mode."""
    return any(_trains(node) is False for node in graph.nodes)


def _trains(node: fx.Node) -> Any:
    """The argument that says whether a dropout or batch norm is in training; None for anything else."""
    if node.target is F.batch_norm:
        return arguments(node, NORM[:5], (None, None, None, None, False))[4]
    if node.target is torch.dropout:
        return arguments(node, ("p", "train"), (None, None))[1]
    return arguments(node, ("p", "training"), (None, True))[1] if node.target in DROPOUTS else None
