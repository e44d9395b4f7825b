"""Networks and SNNs in files of their own, and the trained networks that come with the package.

    csqcfs.save(model, "mine.safetensors")                             # a network before or after quantizing, or an SNN
    model = csqcfs.load("mine.safetensors")                            # one of `models`, by the name in the file
    model = csqcfs.load("mine.safetensors", network=Net(), example=x)  # of a class of your own
    ann = csqcfs.load("resnet20-cifar10-csqcfs")                       # comes with the package
    scores = ann((images - mean) / std)                                # with ann.mean and ann.std, for channels in 0..1

A file holds weights and, in its header, plain data: which network of `models` it is, the activation of each site
or the method of an SNN, and what else the writer tells. It holds no code, so that the architecture of a class of
one's own comes from a fresh instance. Nothing in a file is believed: names, shapes and sizes are compared before
memory is taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .. import models
from ..activations import CQCFS, ThresholdActivation
from ..conversion import quantize
from ..conversion.snn import SNN, convert
from ..data.images import ImageSet
from ..engine.checkpoint import fill, load_metadata, load_state, require_alike, save_state
from ..engine.copies import deepcopy
from ..engine.errors import InputError
from ..engine.graphs import wiring
from ..engine.modules import require_network
from ..engine.simulation import IF
from ..methods import of_record
from .header import check

WEIGHTS = Path(__file__).resolve().parent / "weights"  # the networks that come with the package


def names() -> list[str]:
    """Networks that come with the package."""
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def digest(name: str) -> str:
    """Twelve hexadecimal digits of SHA-256 over the file of a network of the package.

    Raises:
        InputError: there is none of that name.
    """
    return hashlib.sha256(_shipped(name).read_bytes()).hexdigest()[:12]


def quantization_step(name: str) -> int | None:
    """Quantization step L of the activations of a network of the package; None where they have none or several.

    Raises:
        InputError: there is none of that name.
    """
    found = {site["L"] for site in load_metadata(_shipped(name))["sites"].values()}
    return found.pop() if len(found) == 1 else None


def _shipped(name: str) -> Path:
    if name not in names():
        raise InputError(f"{name!r}: expected a network of the package, one of {', '.join(names()) or '(none yet)'}")
    return WEIGHTS / f"{name}.safetensors"


def save(
    model: nn.Module, path: Path | str, *, images: ImageSet | None = None, info: Mapping[str, Any] | None = None
) -> Path:
    """Write a network or an SNN, with all that `load` needs beside the architecture.

    Args:
        model: a network, quantized or not, or what `convert` made of it.
        images: any part of its data set, for classes and normalisation.
        info: anything else that is JSON, such as settings and results; comes back in ``meta["zoo"]["info"]``.

    Raises:
        InputError: weights that are not finite, ``info`` that is not JSON, or a file that cannot be written.
    """
    require_network(model)
    graph = model.graph if isinstance(model, SNN) else model
    tensors = graph.state_dict()
    require_alike(tensors, tensors, f"the {type(model).__name__} for {path}")
    header: dict[str, Any] = {
        "kind": "snn" if isinstance(model, SNN) else "quantized" if quantize.sites(model) else "relu",
        "built": getattr(graph, "meta", {}).get("built"),
        "sites": {name: _site(site) for name, site in quantize.sites(graph).items()},
        "wiring": wiring(graph),
        "classes": list(images.classes) if images is not None else None,
        "mean": list(images.mean) if images is not None else None,
        "std": list(images.std) if images is not None else None,
        "info": dict(info or {}),
    }
    if isinstance(model, SNN):
        levels = {name: module.L for name, module in graph.named_modules() if isinstance(module, IF)}
        header |= {"method": model.method.name, "presteps": model.presteps, "levels": levels}
    if header["built"] and not _rebuilds(header, tensors, model):
        header["built"] = None  # it was changed after `models.build`
    return save_state(path, tensors, header)


def load(path_or_name: Path | str, network: nn.Module | None = None, example: Tensor | None = None) -> nn.Module:
    """A network or SNN of `save` in evaluation mode, with the normalisation of its inputs as ``mean`` and ``std``.

    ``meta["zoo"]`` holds the file's header. A `fx.GraphModule` comes back for a quantized network, an `SNN` for an
    SNN, and the network itself for one that was not quantized.

    Args:
        path_or_name: a file of `save`, or one of `names`.
        network: for a class of your own, a fresh instance, which is copied: the file's activations are put into
            it as by `quantize_activations`, or it has them already.
        example: a batch of inputs for `quantize_activations`, where your network needs one.

    Raises:
        InputError: no such file or name; a file that is damaged, that holds something else, or whose network is
            another one.
    """
    path = _find(path_or_name)
    tensors, header = load_state(path)
    check(header, path)
    if header["built"] is None and network is None:
        raise InputError(
            f"{path} holds a network of a class of its own: pass a fresh instance of it, as in "
            "csqcfs.load(path, network=Net())"
        )
    model = _rebuild(header, tensors, str(path), network, example)
    if header.get("wiring") not in (None, wiring(model.graph if isinstance(model, SNN) else model)):
        raise InputError(
            f"{path} holds a network of the same layers with other operations between them: expected the same network"
        )
    model.mean, model.std = (None if header[key] is None else tuple(header[key]) for key in ("mean", "std"))
    model.meta = getattr(model, "meta", {}) | {"zoo": header}
    return model.eval()


def _find(path_or_name: Path | str) -> Path:
    try:
        path = Path(path_or_name).expanduser()
        if not path.is_file() and (shipped := WEIGHTS / f"{path_or_name}.safetensors").is_file():
            path = shipped
        if path.is_file():
            return path
    except (OSError, RuntimeError, TypeError, ValueError):  # a name too long, ~nobody, a looping link, a zero byte
        pass
    shown = str(path_or_name)
    raise InputError(
        f"{shown if len(shown) < 200 else shown[:100] + ' ...'!r} is neither a file nor a network of the package: "
        f"expected a path or one of {', '.join(names()) or '(none yet)'}"
    )


def _rebuilds(header: dict[str, Any], tensors: dict[str, Tensor], model: nn.Module) -> bool:
    """Whether a header and tensors are enough to make ``model``: its modules, their settings and the code between."""
    try:
        rebuilt = _rebuild(header, tensors, "")
    except InputError:
        return False
    pair = (str(m.graph if isinstance(m, SNN) else m).partition("(")[2] for m in (rebuilt, model))  # but for its name
    return next(pair) == next(pair)


def _site(site: ThresholdActivation) -> dict[str, Any]:
    """What `_activation` makes a site from."""
    kind = next((name for name, kind in quantize.ACTIVATIONS.items() if type(site) is kind), None)
    if kind is None:
        raise InputError(f"a {type(site).__name__}: expected one of {', '.join(quantize.ACTIVATIONS)}; switch to one")
    return {"activation": kind, "L": site.L, "window": site.window, "channels": site.channels}


def _rebuild(
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
    else:
        network = deepcopy(network)
    if header["kind"] == "relu":
        fill(network, tensors, what)
        return network
    if not quantize.sites(network):
        network = quantize.quantize_activations(network, 1, 1.0, example)
    thresholds = {name: tensor for name, tensor in tensors.items() if name.rpartition(".")[2] in ("raw", "threshold")}
    if header["kind"] == "quantized":
        _set_sites(network, header["sites"], thresholds, what)
        fill(network, tensors, what)
        return network
    for name, site in quantize.sites(network).items():
        found = thresholds.get(f"{name}.threshold")
        if found is None or found.dim() > 1 or (found.dim() and site.channels not in (None, len(found))):
            raise InputError(f"{what} has no thresholds that fit {name}: expected the same network")
        kind, L = "cqcfs" if found.dim() else "qcfs", header["levels"].get(name, 1)
        network.set_submodule(name, _activation(kind, found, L).to(site.raw.device))
    snn = convert(network, of_record(header))
    fill(snn.graph, tensors, what)
    return snn


def _built(settings: dict[str, Any], tensors: dict[str, Tensor], what: str) -> tuple[nn.Module, Tensor]:
    """A network of `models` and an example of its input, after comparing shapes without memory.

    Raises:
        InputError: no such network, or one of other layers than the tensors.
    """
    try:
        with torch.device("meta"):
            shapes = models.build(**settings).state_dict()
    except InputError as error:
        raise InputError(f"{what} names a network that does not exist ({error}); get the file again") from error
    except (RuntimeError, OverflowError, TypeError) as error:
        raise InputError(f"{what} names a network of impossible size ({settings}); get the file again") from error
    weights = {name: shape for name, shape in shapes.items() if shape.dim() > 1}
    require_alike({name: tensors[name] for name in weights if name in tensors}, weights, what)
    with torch.random.fork_rng([]):  # the caller's random numbers stay as they are
        model = models.build(**settings)
    generator = torch.Generator().manual_seed(0)
    return model, torch.randn(2, settings["in_channels"], 32, 32, generator=generator)


def _set_sites(network: nn.Module, wanted: dict[str, dict[str, Any]], thresholds: dict[str, Tensor], what: str) -> None:
    """Give each site of ``network`` its activation; a site that has it stays."""
    found = quantize.sites(network)
    for name in [*found, *wanted]:
        raw = thresholds.get(f"{name}.raw")
        alike = name in found and name in wanted and raw is not None and raw.dim() < 2
        # None where a network was quantized without an example
        channels = {found[name].channels, wanted[name]["channels"]} - {None} if alike else set()
        if not alike or len(channels) > 1 or len(raw.flatten()) not in (1, *channels):
            raise InputError(f"{what} and the network differ at the activation {name}: expected the same network")
        if _site(found[name]) != wanted[name]:
            site = wanted[name]
            new = _activation(site["activation"], raw, site["L"], site["window"], next(iter(channels), None))
            network.set_submodule(name, new.to(found[name].raw.device))


def _activation(
    kind: str, raw: Tensor, L: int = 1, window: str = "paper", channels: int | None = None
) -> ThresholdActivation:
    """An activation for thresholds of the shape and type of ``raw``."""
    chosen = quantize.ACTIVATIONS[kind]
    if issubclass(chosen, CQCFS):
        new = chosen(max(1, raw.numel()), L, 1.0, window=window)
    else:
        new = chosen(L, 1.0, window=window, channels=channels)  # type: ignore[call-arg]
    return new.to(raw.dtype)
