"""Weights of the public QCFS, SRP and COS codes in the same networks here.

Their classes have other names for the same layers in the same places:

| theirs                                     | here                                                                  |
|--------------------------------------------|-----------------------------------------------------------------------|
| conv1.0, .1, .2                            | conv, norm, act                                                       |
| conv{k}_x.{b}.residual_function.0, .1, ... | stages.{k-2}.{b}.conv1, norm1, act1, conv2, norm2 (act2, conv3, norm3) |
| conv{k}_x.{b}.relu or act                  | the last activation of the block                                      |
| fc                                         | linear                                                                |
| layer{g}.{4p}, {4p+1}, {4p+2}              | features.conv{g}_{p+1}, norm{g}_{p+1}, act{g}_{p+1}                   |
| classifier.1, .2, .4, .5, .7               | classifier.linear1, act1, linear2, act2, linear3                      |

A threshold is `up` (first QCFS code, SRP, COS) or `thresh` (newer QCFS code), of shape [1]. The two differ in the
gradient window alone: floor then clamp, and clamp then floor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, fx

from .. import models
from ..conversion.quantize import quantize_known
from ..engine.checkpoint import fill
from ..engine.errors import InputError

BLOCK = ("conv1", "norm1", "act1", "conv2", "norm2", "act2", "conv3", "norm3")
UNIT = ("conv", "norm", "act")  # of the stem and of VGG's groups, there with a dropout behind
CLASSIFIER = {1: "linear1", 2: "act1", 4: "linear2", 5: "act2", 7: "linear3"}
WINDOW = {"up": "floor_clamp", "thresh": "clamp_floor"}


def load_public(weights: Path | str | Mapping[str, Tensor], L: int) -> fx.GraphModule:
    """A network with QCFS from a state_dict of the public codes, in evaluation mode.

    Args:
        weights: the state_dict, or a .pth file of it, which is read without running code from it.
        L: quantization step of its training, which the file does not say.

    Raises:
        InputError: no such file; another network, or one with another width, depth or activation; values that are
            not finite.
    """
    what = "the public state_dict" if isinstance(weights, Mapping) else str(weights)
    state = dict(weights) if isinstance(weights, Mapping) else _read(weights)
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()):
        raise InputError(f"{what} holds more than tensors by name: expected a state_dict; pass that part of it")
    bottleneck = any("residual_function.7." in name for name in state)
    tensors, kinds = {}, set()
    for name, value in state.items():
        place, _, last = name.removeprefix("module.").rpartition(".")
        new = _renamed(place, bottleneck)
        if new is None:
            raise InputError(f"{what} has {name}: expected names of the public QCFS, SRP or COS networks")
        if last in WINDOW and value.numel() == 1:
            kinds.add(last)
            last, value = "raw", value.reshape(())
        tensors[f"{new}.{last}"] = value
    if len(kinds) != 1:
        raise InputError(f"{what} has no thresholds up or thresh of one value: expected a network trained with QCFS")
    name, classes = _network(tensors, what)
    with torch.random.fork_rng([]):  # the caller's random numbers stay as they are
        model = models.build(name, classes)
    example = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ann = quantize_known(model, L, 1.0, example, window=WINDOW[kinds.pop()])
    fill(ann, tensors, what)
    return ann.eval()


def _read(path: Path | str) -> dict[str, Tensor]:
    try:
        found = torch.load(Path(path).expanduser(), map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; check the path") from error
    except TypeError as error:
        kind = type(path).__name__
        raise InputError(
            f"weights of type {kind}: expected a state_dict or the path of one; use .state_dict()"
        ) from error
    except Exception as error:  # the unpickler raises whatever the bytes lead it to
        raise InputError(f"{path} is no file of torch.save that holds tensors alone: pass its state_dict") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} holds a {type(found).__name__}: expected a state_dict")
    return found


def _renamed(place: str, bottleneck: bool) -> str | None:
    """The name here of a layer there; None for none."""
    if place == "fc":
        return "linear"
    if found := re.fullmatch(r"conv1\.([012])", place):
        return UNIT[int(found[1])]
    if found := re.fullmatch(r"conv([2-5])_x\.(\d+)\.(.+)", place):
        block = f"stages.{int(found[1]) - 2}.{found[2]}"
        if found[3] in ("relu", "act"):
            return f"{block}.act{3 if bottleneck else 2}"
        if inner := re.fullmatch(r"residual_function\.([0-7])", found[3]):
            return f"{block}.{BLOCK[int(inner[1])]}"
        return f"{block}.{found[3]}" if found[3] in ("shortcut.0", "shortcut.1") else None
    if found := re.fullmatch(r"layer([1-5])\.(\d+)", place):
        position, part = divmod(int(found[2]), 4)
        return f"features.{UNIT[part]}{found[1]}_{position + 1}" if part < len(UNIT) else None
    if (found := re.fullmatch(r"classifier\.(\d)", place)) and int(found[1]) in CLASSIFIER:
        return f"classifier.{CLASSIFIER[int(found[1])]}"
    return None


def _network(tensors: Mapping[str, Tensor], what: str) -> tuple[str, int]:
    """Which of `models` has these layers, and its number of classes."""
    last = next((n for n in ("linear.weight", "classifier.linear3.weight") if n in tensors), None)
    classes = len(tensors[last]) if last and tensors[last].dim() else 0
    own = {name for name in tensors if not name.endswith(".raw")}
    for name in models.NETWORKS if classes else ():
        with torch.device("meta"):
            wanted = models.build(name, classes).state_dict()
        if own == set(wanted) and all(tensors[key].shape == wanted[key].shape for key in own):
            return name, classes
    raise InputError(f"{what} is none of {', '.join(models.NETWORKS)} at full width: expected one of them")
