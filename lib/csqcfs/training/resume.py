"""The state of a training on disk: of which training it is, and how it goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

from ..activations import ThresholdActivation
from ..data.images import ImageSet
from ..engine.checkpoint import load_metadata, load_state, require_alike, save_state
from ..engine.computation import numbers, operations
from ..engine.errors import InputError
from .recipe import Recipe


def identity(model: nn.Module, images: ImageSet, val_set: ImageSet | None, recipe: Recipe) -> dict[str, Any]:
    """What a checkpoint must agree in with the call that continues it, ready for JSON."""
    graph = isinstance(model, fx.GraphModule)  # between whose layers the forward of another class may stand
    found = {
        "network": _network_digest(model) + (f"-{operations(model)}-{numbers(model)}" if graph else ""),
        "train_set": _images_digest(images),
        "val_set": None if val_set is None else _images_digest(val_set),
        **dataclasses.asdict(recipe),
    }
    return json.loads(json.dumps(found))


def save(
    path: Path | str,
    identity: dict[str, Any],
    computed: dict[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    history: list[dict[str, Any]],
) -> None:
    """Write weights, momentum and history; ``computed`` says in which precision and with how many threads."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        if (buffer := optimizer.state.get(parameter, {}).get("momentum_buffer")) is not None:
            tensors[f"momentum.{name}"] = buffer
    if epochs_in(path, identity) >= len(history):  # of a process that did not know of us: it never goes back
        return
    metadata = {"identity": identity, "computed": computed, "history": history, "tensors": list(tensors)}
    save_state(path, tensors, metadata)


def epochs_in(path: Path | str, identity: dict[str, Any]) -> int:
    """Epochs in a readable checkpoint of the same training."""
    try:
        metadata = load_metadata(path)
        return len(metadata["history"]) if metadata.get("identity") == identity else 0
    except (InputError, KeyError, TypeError):
        return 0


def resume(
    path: Path | str, identity: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Load the state; return the history, and how it was computed.

    Raises:
        InputError: the checkpoint is damaged, or of another training.
    """
    tensors, metadata = load_state(path)
    saved, history, names = (metadata.get(key) for key in ("identity", "history", "tensors"))
    complete = isinstance(saved, dict) and isinstance(history, list) and isinstance(names, list)
    if not complete or not all(isinstance(e, dict) and type(e.get("seconds")) in (int, float) for e in history):
        raise InputError(f"checkpoint {path} lacks settings or history: expected one of fit; delete it and run again")
    differing = [
        f"{key} {saved.get(key)!r} there, {value!r} here" for key, value in identity.items() if saved.get(key) != value
    ]
    if differing:
        raise InputError(
            f"checkpoint {path} is of another training ({'; '.join(differing[:3])}): "
            "change back, delete it or name another file"
        )
    computed = metadata.get("computed")
    threads, precision = (computed.get("threads"), computed.get("precision")) if isinstance(computed, dict) else (0, "")
    if type(threads) is not int or threads < 1 or precision not in ("float32", "bfloat16"):
        raise InputError(f"checkpoint {path} lacks precision or threads: expected one of fit; delete it and run again")
    wanted = {f"model.{name}": value for name, value in model.state_dict().items()}
    parameters = {f"momentum.{name}": value for name, value in model.named_parameters()}
    require_alike(tensors, wanted | {k: v for k, v in parameters.items() if k in names}, f"checkpoint {path}")
    model.load_state_dict({name.removeprefix("model."): tensors[name] for name in wanted})
    for name, parameter in parameters.items():
        if name in tensors:
            optimizer.state[parameter]["momentum_buffer"] = torch.empty_like(parameter).copy_(tensors[name])
    return history, computed


def _network_digest(model: nn.Module) -> str:
    """Of names, kinds, settings and shapes, not of values."""
    parts = []
    for name, module in model.named_modules():
        # a copy of a traced network forgets the name of the network's class
        kind = "GraphModule" if isinstance(module, fx.GraphModule) else type(module).__name__
        parts.append(f"{name} {kind} {_fixed(module)}")
    parts += [f"{name} {list(t.shape)} {t.dtype}" for name, t in model.state_dict().items()]
    parts += [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _fixed(module: nn.Module) -> str:
    """Settings of one module. What PyTorch's own print of theirs grows from version to version."""
    if isinstance(module, ThresholdActivation):
        return f"{module.L} {module.window}"
    constants = getattr(module, "__constants__", None) if type(module).__module__.startswith("torch.nn.") else None
    if constants is None:
        return module.extra_repr()
    return ", ".join(f"{name}={getattr(module, name, None)!r}" for name in sorted(constants))


def _images_digest(images: ImageSet) -> str:
    digest = hashlib.sha256(repr((tuple(images.images.shape), images.mean, images.std)).encode())
    for tensor in (images.images, images.labels):
        digest.update(tensor.cpu().contiguous().numpy())
    return digest.hexdigest()[:16]
