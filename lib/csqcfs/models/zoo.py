"""Trained networks in files of their own, and those that come with the package.

    ann = csqcfs.load("resnet20-cifar10-csqcfs")      # or a path; in evaluation mode
    scores = ann((images - mean) / std)               # with ann.mean and ann.std, of channels in 0..1

The file is a safetensors file: weights without optimizer state, and in its header everything that rebuilds the
network and says where it comes from. Loading runs no code from the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

from .. import models
from ..conversion import quantize
from ..data.images import ImageSet
from ..engine.checkpoint import load_state, save_state
from ..engine.errors import InputError
from ..paper.experiments.configs import RELU, Training, digest_of

WEIGHTS = Path(__file__).resolve().parent / "weights"  # the networks that come with the package
DESCRIBED = ("network", "width", "L", "activation")  # settings that stand by themselves in the header too


def names() -> list[str]:
    """Networks that come with the package."""
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def save(
    model: nn.Module,
    path: Path | str,
    training: Training,
    images: ImageSet,
    results: Sequence[dict[str, Any]] = (),
    provenance: dict[str, Any] | None = None,
) -> Path:
    """Write a network that `trainings.train` made from ``training``.

    Args:
        images: any part of its data set, for classes, image size and normalisation.
        results: what was measured of it, ready for JSON.
        provenance: see `records.provenance`.

    Raises:
        InputError: a network that the settings do not describe, or a file that cannot be written.
    """
    settings = training.settings()
    metadata = {
        **_described(settings),
        "classes": list(images.classes),
        "image": list(images.images.shape[1:]),
        "mean": list(images.mean),
        "std": list(images.std),
        "training": settings,
        "digest": training.digest,
        "thresholds": {
            name: site.threshold.detach().flatten().tolist() for name, site in quantize.sites(model).items()
        },
        "results": list(results),
        "provenance": provenance or {},
    }
    rebuilt, tensors = _build(metadata), model.state_dict()
    _fill(rebuilt, tensors, metadata["network"], f"the network for {path}")
    for (name, site), wanted in zip(quantize.sites(model).items(), quantize.sites(rebuilt).values()):
        kinds = [f"{type(s).__name__} with L = {s.L} and the {s.window} window" for s in (site, wanted)]
        if kinds[0] != kinds[1]:
            raise InputError(
                f"the network for {path} has {kinds[0]} at {name}: expected {kinds[1]}, as its "
                "settings say; name its own training"
            )
    return save_state(path, tensors, metadata)


def load(path_or_name: Path | str) -> fx.GraphModule:
    """A trained network in evaluation mode, with the normalisation of its inputs as ``mean`` and ``std``.

    ``meta["zoo"]`` holds the rest of the file's header: settings of the training, results, provenance.

    Args:
        path_or_name: a file of `save`, or one of `names`.

    Raises:
        InputError: no such file or name; a file that is damaged, or that holds something else.
    """
    path = Path(path_or_name).expanduser()
    if not path.is_file() and (shipped := WEIGHTS / f"{path_or_name}.safetensors").is_file():
        path = shipped
    if not path.is_file():
        raise InputError(
            f"{str(path_or_name)!r} is neither a file nor a network of the package: expected a path "
            f"or one of {', '.join(names()) or '(none yet)'}"
        )
    tensors, metadata = load_state(path)
    model = _build(_checked(metadata, path))
    _fill(model, tensors, metadata["network"], str(path))
    model.mean, model.std = tuple(metadata["mean"]), tuple(metadata["std"])
    model.meta["zoo"] = metadata
    return model.eval()


def _described(settings: dict[str, Any]) -> dict[str, Any]:
    activation = settings["stages"][-1]["activation"]
    return {
        "network": settings["network"],
        "width": settings["width"],
        "L": settings.get("L"),
        "activation": activation,
    }


def _checked(metadata: dict[str, Any], path: Path) -> dict[str, Any]:
    """The header of a file of `save`, if it agrees with itself.

    Raises:
        InputError: it does not, or it is another kind of file.
    """
    try:
        settings, expected = metadata["training"], {key: metadata[key] for key in DESCRIBED}
        found, digest = _described(settings), digest_of(settings)
        complete = all(key in metadata for key in ("classes", "image", "mean", "std"))
    except (KeyError, TypeError, IndexError):
        complete = False
    if not complete:
        raise InputError(
            f"{path} is not a file of zoo.save: expected one that names its network; a checkpoint of "
            "a training is published by csqcfs publish"
        )
    differing = [
        f"{key} {expected[key]!r}, of a training with {found[key]!r}"
        for key in DESCRIBED
        if expected[key] != found[key]
    ]
    if digest != metadata["digest"] and not differing:
        differing = [f"digest {metadata['digest']}, of a training with {digest}"]
    if differing:
        raise InputError(f"{path} says {differing[0]}: its header was changed by hand; get the file again")
    return metadata


def _build(metadata: dict[str, Any]) -> fx.GraphModule:
    """The untrained network that a header describes."""
    channels = metadata["image"][0]
    with torch.random.fork_rng([]):  # the caller's random numbers stay as they are
        model = models.build(metadata["network"], len(metadata["classes"]), metadata["width"], channels)
    if metadata["activation"] == RELU:
        return quantize.trace(model)
    model = quantize.quantize_activations(model, metadata["L"], 1.0, torch.zeros(2, *metadata["image"]))
    return model if metadata["activation"] == "qcfs" else quantize.switch(model, metadata["activation"])


def _fill(model: nn.Module, tensors: dict[str, torch.Tensor], network: str, what: str) -> None:
    """Set all tensors of ``model``.

    Raises:
        InputError: names or shapes differ.
    """
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).splitlines()[1].split())  # the first line only names the class
        reason = reason if len(reason) < 160 else f"{reason[:150]} ..."
        raise InputError(
            f"{what} does not hold the {network} that its settings describe ({reason}): expected the "
            "tensors of that network; name its own training"
        ) from error
