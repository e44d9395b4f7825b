"""The network or SNN that the header of a file describes: its layers, an activation at each site, and its weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from .. import models
from ..activations import CQCFS, ThresholdActivation
from ..conversion import family, quantize
from ..conversion.bias import with_biases
from ..conversion.snn import SNN, convert
from ..engine.checkpoint import fill, require_alike
from ..engine.copies import opened, with_wrappers
from ..engine.errors import InputError
from ..engine.examples import checked_example, like
from ..engine.notes import notes
from ..methods import of_record


def rebuilds(header: dict[str, Any], tensors: dict[str, Tensor], model: nn.Module) -> bool:
    """Whether a header and tensors are enough to make ``model``: its modules, their settings and the code between."""
    try:
        rebuilt = rebuild(header, tensors, "")
    except InputError:
        return False
    pair = (str(m.graph if isinstance(m, SNN) else m).partition("(")[2] for m in (rebuilt, model))  # but for its name
    return next(pair) == next(pair)


def site_of(site: ThresholdActivation) -> dict[str, Any]:
    """What `_activation` makes a site from."""
    kind = next((name for name, kind in family.ACTIVATIONS.items() if type(site) is kind), None)
    if kind is None:
        raise InputError(f"a {type(site).__name__}: expected one of {', '.join(family.ACTIVATIONS)}; switch to one")
    own = {} if math.isinf(site.bound) else {"bound": site.bound}
    return {"activation": kind, "L": site.L, "window": site.window, "channels": site.channels, **own}


def rebuild(
    header: dict[str, Any],
    tensors: dict[str, Tensor],
    what: str,
    network: nn.Module | None = None,
    example: Tensor | None = None,
) -> nn.Module:
    """The network or SNN that a header describes, with ``tensors``.

    Raises:
        InputError: they do not fit each other.
    """
    if network is None:
        network, example = _built(header["built"], tensors, what)
        if header["kind"] != "relu":
            network = quantize.quantize_known(network, 1, 1.0, example)
    else:
        network, example = _in_type(with_wrappers(opened(network)), example, tensors)
    if header["kind"] == "relu":
        fill(network, tensors, what)
        return network
    try:
        return _with_sites(header, tensors, what, network, example)
    except InputError as error:
        if example is not None or "example" in notes(network):
            raise
        raise InputError(f"{error}; or pass example=x, which it may have been made with") from error


def _with_sites(
    header: dict[str, Any], tensors: dict[str, Tensor], what: str, network: nn.Module, example: Tensor | None
) -> nn.Module:
    """The quantized network or SNN of a header, made from ``network``; errors as above."""
    if not family.sites(network):
        network = quantize.quantize_activations(network, 1, 1.0, example)
    thresholds = {name: tensor for name, tensor in tensors.items() if name.rpartition(".")[2] in ("raw", "threshold")}
    if header["kind"] == "quantized":
        _set_sites(network, header["sites"], thresholds, what)
        fill(network, tensors, what)
        return network
    for name, site in family.sites(network).items():
        found = thresholds.get(f"{name}.threshold")
        if found is None or found.dim() > 1 or (found.dim() and site.channels not in (None, len(found))):
            raise InputError(f"{what} has no thresholds that fit {name}: expected the same network")
        kind, L = "cqcfs" if found.dim() else "qcfs", header["levels"].get(name, 1)
        network.set_submodule(name, _activation(kind, found, L).to(site.raw.device))
    allowed = any(bool((theta <= 0).any()) for theta in thresholds.values())  # as it was, see `zoo.save`
    snn = convert(network, of_record(header), allow_nonpositive=allowed, example=example)
    with_biases(snn.graph, tensors)
    fill(snn.graph, tensors, what)
    return snn


def _in_type(network: nn.Module, example: Any, tensors: dict[str, Tensor]) -> tuple[nn.Module, Any]:
    """``network`` and ``example`` in the one type of the file's weights, where both have one."""
    there, here = ({t.dtype for t in s.values() if t.is_floating_point()} for s in (tensors, network.state_dict()))
    if there != here and len(there) == len(here) == 1:
        network = network.to(there.pop())
        given = checked_example(example)
        example = None if given is None else like(network, given)
    return network, example


def _built(settings: dict[str, Any], tensors: dict[str, Tensor], what: str) -> tuple[nn.Module, Tensor]:
    """A network of `models` and an example of its input, after comparing shapes without memory.

    Raises:
        InputError: no such network, or one of other layers than the tensors.
    """
    dtype = next((tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()), torch.float32)
    try:
        with torch.device("meta"):
            shapes = models.build(**settings).to(dtype).state_dict()
    except InputError as error:
        raise InputError(f"{what} names a network that does not exist ({error}); get the file again") from error
    except (RuntimeError, OverflowError, TypeError) as error:
        raise InputError(f"{what} names a network of impossible size ({settings}); get the file again") from error
    weights = {name: shape for name, shape in shapes.items() if shape.dim() > 1}
    require_alike({name: tensors[name] for name in weights if name in tensors}, weights, what)
    with torch.random.fork_rng([]):  # the caller's random numbers stay as they are
        model = models.build(**settings).to(dtype)
    generator = torch.Generator().manual_seed(0)
    return model, torch.randn(2, settings["in_channels"], 32, 32, generator=generator, dtype=dtype)


def _set_sites(network: nn.Module, wanted: dict[str, dict[str, Any]], thresholds: dict[str, Tensor], what: str) -> None:
    """Give each site of ``network`` its activation; a site that has it stays."""
    found = family.sites(network)
    for name in [*found, *wanted]:
        raw = thresholds.get(f"{name}.raw")
        alike = name in found and name in wanted and raw is not None and raw.dim() < 2
        # None where a network was quantized without an example
        channels = {found[name].channels, wanted[name]["channels"]} - {None} if alike else set()
        if not alike or len(channels) > 1 or len(raw.flatten()) not in (1, *channels):
            raise InputError(f"{what} and the network differ at the activation {name}: expected the same network")
        if site_of(found[name]) != wanted[name]:
            site = wanted[name]
            new = _activation(site["activation"], raw, site["L"], site["window"], next(iter(channels), None))
            new.bound = site.get("bound", found[name].bound)
            network.set_submodule(name, new.to(found[name].raw.device))


def _activation(
    kind: str, raw: Tensor, L: int = 1, window: str = "paper", channels: int | None = None
) -> ThresholdActivation:
    """An activation for thresholds of the shape and type of ``raw``."""
    chosen = family.ACTIVATIONS[kind]
    if issubclass(chosen, CQCFS):
        new = chosen(max(1, raw.numel()), L, 1.0, window=window)
    else:
        new = chosen(L, 1.0, window=window, channels=channels)  # type: ignore[call-arg]
    return new.to(raw.dtype)
