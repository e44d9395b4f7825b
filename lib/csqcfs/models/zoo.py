"""Networks and SNNs in files of their own, and the trained networks that come with the package.

    csqcfs.save(model, "mine.safetensors")                             # a network before or after quantizing, or an SNN
    model = csqcfs.load("mine.safetensors")                            # one of `models`, by the name in the file
    model = csqcfs.load("mine.safetensors", network=Net(), example=x)  # of a class of your own
    ann = csqcfs.load("resnet20-cifar10-csqcfs-paper")                 # comes with the package
    scores = ann((images - mean) / std)                                # with ann.mean and ann.std, for channels in 0..1

A file holds weights and, in its header, plain data: which network of `models` it is, the activation of each site
or the method of an SNN, and what else the writer tells. It holds no code, so that the architecture of a class of
one's own comes from a fresh instance. Nothing in a file is believed: names, shapes and sizes are compared before
memory is taken.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..conversion import family
from ..conversion.snn import SNN
from ..conversion.spiking import check_neurons
from ..data.images import ImageSet
from ..engine.checkpoint import load_metadata, load_state, require_alike, save_state
from ..engine.computation import numbers, operations, sizes, unsaved
from ..engine.copies import CARRIED, opened
from ..engine.errors import InputError
from ..engine.notes import note, notes
from ..engine.simulation import IF
from ..methods import METHODS
from .header import check
from .rebuild import rebuild, rebuilds, site_of

WEIGHTS = Path(__file__).resolve().parent / "weights"  # the networks that come with the package


def names() -> list[str]:
    """Networks that come with the package."""
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def digest(name: str) -> str:
    """Twelve hexadecimal digits of SHA-256 over the file of a network of the package.

    Raises:
        InputError: there is none of that name.
    """
    return _digest(*_as_it_is(_shipped(name)))


def quantization_step(name: str) -> int | None:
    """Quantization step L of the activations of a network of the package; None where they have none or several.

    Raises:
        InputError: there is none of that name.
    """
    return _quantization_step(*_as_it_is(_shipped(name)))


def _as_it_is(path: Path) -> tuple[Path, int, int]:
    """A file and what changes with it: the experiments ask hundreds of times what is read off it once."""
    state = path.stat()
    return path, state.st_mtime_ns, state.st_size


@functools.cache
def _digest(path: Path, changed: int, size: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


@functools.cache
def _quantization_step(path: Path, changed: int, size: int) -> int | None:
    found = {site["L"] for site in load_metadata(path)["sites"].values()}
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
        images: any part of its data set, for classes and normalisation; by default those that the network came with.
        info: anything else that is JSON, such as settings and results; comes back in ``meta["zoo"]["info"]``.

    Raises:
        InputError: weights that are not finite, thresholds that an SNN would refuse, ``info`` that is not JSON, or a
            file that cannot be written.
    """
    model = opened(model)
    if images is not None and not isinstance(images, ImageSet):
        raise InputError(
            f"images of type {type(images).__name__}: expected an ImageSet, which tells classes and normalisation; "
            "make one with csqcfs.ImageSet.from_dataset"
        )
    if info is not None and not isinstance(info, Mapping):
        raise InputError(f"info = {info!r}: expected a dict of JSON; give what it tells a name")
    graph = model.graph if isinstance(model, SNN) else model
    tensors = graph.state_dict()
    require_alike(tensors, tensors, f"the {type(model).__name__} for {path}")
    came = notes(graph).get("zoo", {})
    header: dict[str, Any] = {
        "kind": "snn" if isinstance(model, SNN) else "quantized" if family.sites(model) else "relu",
        "built": notes(graph).get("built"),
        "sites": {name: site_of(site) for name, site in family.sites(graph).items()},
        "operations": operations(*_graphs(model)),
        "numbers": numbers(*_graphs(model)),
        "sizes": sizes(*_graphs(model)),
        "classes": list(images.classes) if images is not None else came.get("classes"),
        "mean": list(images.mean) if images is not None else came.get("mean"),
        "std": list(images.std) if images is not None else came.get("std"),
        "info": dict(info or {}),
    }
    if buffers := unsaved(*_graphs(model)):
        header["buffers"] = buffers
    if isinstance(model, SNN):
        check_neurons(graph, model.allow_nonpositive)
        if type(model.method) is not METHODS.get(model.method.name):
            raise InputError(f"method {model.method!r}: expected one of {', '.join(METHODS)}; no other can be loaded")
        levels = {name: module.L for name, module in graph.named_modules() if isinstance(module, IF)}
        header |= {"method": model.method.name, "presteps": model.presteps, "levels": levels}
    if header["built"] and not rebuilds(header, tensors, model):
        header["built"] = None  # it was changed after `models.build`
    return save_state(path, tensors, header)


def load(path_or_name: Path | str, network: nn.Module | None = None, example: Tensor | None = None) -> nn.Module:
    """A network or SNN of `save` in evaluation mode, with the normalisation of its inputs as ``mean`` and ``std``,
    unless it has parts of these names.

    ``meta["zoo"]`` holds the file's header, unless your network has a ``meta`` of its own. A `fx.GraphModule` comes
    back for a quantized network, an `SNN` for an SNN, and the network itself for one that was not quantized.

    Args:
        path_or_name: a file of `save`, or one of `names`.
        network: for a class of your own, a fresh instance, which is copied, without wrappers and in the type of the
            file's weights: the file's activations are put into it as by `quantize_activations`, or it has them already.
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
    model = rebuild(header, tensors, str(path), network, example)
    if header["operations"] not in (None, operations(*_graphs(model))):
        raise InputError(
            f"{path} holds a network of the same layers with other operations between them: expected the same network"
        )
    alike = header["sizes"] == sizes(*_graphs(model))
    if alike and header["numbers"] not in (None, numbers(*_graphs(model))):
        raise InputError(
            f"{path} holds a network of the same layers with other numbers beside its weights, such as a factor or a "
            "stride: expected the same network"
        )
    for name, there in unsaved(*_graphs(model)).items():
        if header["buffers"].get(name, there) != there:
            raise InputError(
                f"{path} holds a network of the same layers with other numbers beside its weights, in the buffer "
                f"{name} that is not persistent: expected the same network"
            )
    for key in CARRIED:
        if not hasattr(model, key):  # a network of one's own may have such a part
            setattr(model, key, None if header[key] is None else tuple(header[key]))
    note(model, zoo=header)
    return model.eval()


def _graphs(model: nn.Module) -> tuple[nn.Module | None, ...]:
    """What is computed: of an SNN its graph, and what is applied to the score."""
    return (model.graph, model.end) if isinstance(model, SNN) else (model,)


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
