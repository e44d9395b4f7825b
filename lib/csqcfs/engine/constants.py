"""A digest of the numbers that a network computes with beside its weights: ``h * 2`` and the stride of a layer.

Weights fit into a network of other such numbers, which computes something else. What may differ between two instances
of one network is left out: modes, what works in place, dropout, devices and types; and the numbers of a graph that is
held to sizes of its example (`shadow.held`), which may come from these.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx, nn

from .shadow import held, leaves

# Of layers of PyTorch, by name: what it prints of them, and what it calls constant, grow from version to version.
SETTINGS = (
    "stride padding dilation groups padding_mode output_padding kernel_size ceil_mode count_include_pad output_size "
    "divisor_override norm_type eps num_groups normalized_shape negative_slope alpha beta k threshold value lambd "
    "min_val max_val approximate size scale_factor mode align_corners upscale_factor downscale_factor dim start_dim "
    "end_dim unflattened_size num_heads batch_first norm_first bidirectional"
).split()


def constants(*networks: nn.Module | None) -> str:
    """Digest of the literal arguments and the layers' settings of ``networks``, in their order; None has none."""
    found = [[*_literals(network), *_settings(network)] for network in networks if network is not None]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:12]


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


def _literals(network: nn.Module) -> Iterator[str]:
    """Numbers and text that the operations of a traced network are given, by the place of the operation."""
    nodes = list(network.graph.nodes) if isinstance(network, fx.GraphModule) else []
    if any(node.target is held for node in nodes):
        return
    for place, node in enumerate(nodes):
        for leaf in leaves((node.args, node.kwargs)):
            if type(leaf) is not bool and isinstance(leaf, (int, float, complex, str)) and not _device(leaf):
                yield f"{place} {_text(leaf)}"


def _settings(network: nn.Module) -> Iterator[str]:
    """`SETTINGS` of the layers that a traced network calls; of another network, of those that hold tensors."""
    layers = dict(network.named_modules())
    if isinstance(network, fx.GraphModule):
        called = tuple(f"{node.target}." for node in network.graph.nodes if node.op == "call_module")
        layers = {name: layer for name, layer in layers.items() if f"{name}.".startswith(called)}
    else:
        layers = {name: layer for name, layer in layers.items() if layer._parameters or layer._buffers}
    for name, layer in sorted(layers.items()):
        kinds = [kind for kind in type(layer).__mro__ if kind not in (nn.Module, object)]
        if any(kind.__module__.startswith("torch.nn.") for kind in kinds):
            given = {setting: _text(getattr(layer, setting)) for setting in SETTINGS if hasattr(layer, setting)}
            yield f"{name} {given}"


def _text(value: Any) -> str:
    """``value`` alike for 3, 3.0 and (3, 3)."""
    if isinstance(value, (tuple, list)):
        parts = [_text(part) for part in value]
        return parts[0] if len({*parts}) == 1 else f"({', '.join(parts)})"
    return str(value).removesuffix(".0") if isinstance(value, (bool, int, float, complex, str)) else ""


def _device(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(torch.device(value))
    except RuntimeError:
        return False
