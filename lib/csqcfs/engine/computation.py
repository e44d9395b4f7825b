"""Digests of what a network computes beside its weights: its operations, and the numbers that they are given.

Weights fit into a network of other operations, ``h - x`` for ``h + x``, or of other numbers, ``h * 2`` or the stride of
a layer, which computes something else. What may differ between two instances of one network is left out: modes, what
works in place, dropout, devices and the types of floats.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.loss import _Loss

from .shadow import held

# Of layers of PyTorch, by name: what it prints of them, and what it calls constant, grow from version to version.
SETTINGS = (
    "stride padding dilation groups padding_mode output_padding kernel_size ceil_mode count_include_pad output_size "
    "divisor_override norm_type eps num_groups normalized_shape negative_slope alpha beta k threshold value lambd "
    "min_val max_val approximate size scale_factor mode align_corners upscale_factor downscale_factor dim start_dim "
    "end_dim unflattened_size num_heads batch_first norm_first bidirectional"
).split()
WITHIN = ("inplace", "training")  # arguments by name that may differ
NUMBER = "#"  # in place of one, where operations alone are told


def operations(*networks: nn.Module | None) -> str:
    """Digest of what ``networks`` compute in which order from which results, but for `numbers`; None has none."""
    return _digest([[*_operations(network)] for network in networks if network is not None])


def numbers(*networks: nn.Module | None) -> str:
    """Digest of the literal arguments and the layers' settings of ``networks``, in their order; None has none."""
    return _digest([[*_literals(network), *_settings(network)] for network in networks if network is not None])


def sizes(*networks: nn.Module | None) -> str:
    """Digest of the sizes of its example that a graph is held to (`shadow.held`), from which its `numbers` may come."""
    nodes = [node for network in networks if isinstance(network, fx.GraphModule) for node in network.graph.nodes]
    return _digest([str(node.args[1]) for node in nodes if node.target is held])


def unsaved(*networks: nn.Module | None) -> dict[str, str]:
    """Digests by name of the buffers of ``networks`` that no state_dict holds, and no file therefore."""
    found: dict[str, str] = {}
    for network in [network for network in networks if network is not None]:
        kept = network.state_dict()
        for name, buffer in network.named_buffers(remove_duplicate=False):
            if name not in kept:
                values = buffer.detach().cpu().to(torch.promote_types(buffer.dtype, torch.float64)).contiguous().numpy()
                found[name] = hashlib.sha256(str(values.shape).encode() + values.tobytes()).hexdigest()[:12]
    return found


def _digest(found: list) -> str:
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:12]


def _operations(network: nn.Module) -> Iterator[Any]:
    """Of a traced network its nodes; of another one the kinds of its layers, whose order only its forward knows."""
    layers = dict(network.named_modules())
    if not isinstance(network, fx.GraphModule):
        kept = {n: m for n, m in layers.items() if not any(m.children()) and not isinstance(m, _Loss)}
        yield from (f"{name} {_kind(layer)}" for name, layer in kept.items() if _of_pytorch(layer))
        return
    places = {node: place for place, node in enumerate(network.graph.nodes)}
    for node in places:
        target = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", _kind(node.target))
        kind = _kind(layers[node.target]) if node.op == "call_module" else ""
        kwargs = {name: value for name, value in sorted(node.kwargs.items()) if name not in WITHIN}
        args = node.args[:1] if node.target is held else node.args
        yield [node.op, "" if node.op == "placeholder" else target, kind, _form(args, places), _form(kwargs, places)]


def _kind(layer: Any) -> str:
    """The name of a layer's class, one for those that do the same in evaluation, between which instances change."""
    if isinstance(layer, (_DropoutNd, nn.Identity)):
        return "Identity"
    return "BatchNorm" if isinstance(layer, _BatchNorm) else type(layer).__name__


def _of_pytorch(layer: nn.Module) -> bool:
    return any(kind.__module__.startswith("torch.nn.") for kind in type(layer).__mro__ if kind is not nn.Module)


def _form(value: Any, places: dict[fx.Node, int]) -> Any:
    """An argument with the places of the results it reads and without numbers; those of all axes are as one number."""
    if isinstance(value, fx.Node):
        return places[value]
    if isinstance(value, slice):
        return ["slice", *(_form(part, places) for part in (value.start, value.stop, value.step))]
    if isinstance(value, (tuple, list)):
        parts = [_form(part, places) for part in value]
        return NUMBER if all(part == NUMBER for part in parts) else parts
    if isinstance(value, dict):
        return {str(name): _form(part, places) for name, part in value.items()}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, torch.dtype):
        return "float" if value.is_floating_point or value.is_complex else str(value)
    return NUMBER if isinstance(value, (int, float, complex, str)) else type(value).__name__


def _literals(network: nn.Module) -> Iterator[str]:
    """Numbers and text that the operations of a traced network are given, by their place."""
    nodes = list(network.graph.nodes) if isinstance(network, fx.GraphModule) else []
    for place, node in enumerate(nodes):
        if node.target is not held:
            yield from _within((node.args, dict(sorted(node.kwargs.items()))), str(place))


def _within(value: Any, place: str) -> Iterator[str]:
    if text := _text(value):
        if not isinstance(value, bool) and not _device(value):
            yield f"{place} {text}"
    elif isinstance(value, slice):
        yield from _within((value.start, value.stop, value.step), place)
    elif isinstance(value, (tuple, list, dict)):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            yield from _within(part, f"{place}.{key}")


def _settings(network: nn.Module) -> Iterator[str]:
    """Settings of the layers that a traced network calls; of another network, of those that hold tensors."""
    layers = dict(network.named_modules())
    if isinstance(network, fx.GraphModule):
        called = tuple(f"{node.target}." for node in network.graph.nodes if node.op == "call_module")
        layers = {name: layer for name, layer in layers.items() if f"{name}.".startswith(called)}
    else:
        layers = {name: layer for name, layer in layers.items() if layer._parameters or layer._buffers}
    for name, layer in sorted(layers.items()):
        if _of_pytorch(layer):
            given = {setting: _text(getattr(layer, setting)) for setting in SETTINGS if hasattr(layer, setting)}
            yield f"{name} {given}"
        elif not type(layer).__module__.startswith("csqcfs."):  # whose activations and neurons a file tells by itself
            own = {key: _text(value) for key, value in vars(layer).items() if key[0] != "_" and key != "training"}
            yield f"{name} {[part for part in sorted(own.items()) if part[1] and 'drop' not in part[0]]}"


def _text(value: Any) -> str:
    """A number or text, or several, alike for 3, 3.0 and (3, 3); "" for anything else."""
    if isinstance(value, (tuple, list)):
        parts = [_text(part) for part in value]
        if not all(parts):
            return ""
        return parts[0] if len({*parts}) == 1 else f"({', '.join(parts)})"
    return str(value).removesuffix(".0") if isinstance(value, (bool, int, float, complex, str)) else ""


def _device(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(torch.device(value))
    except RuntimeError:
        return False
