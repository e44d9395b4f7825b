"""Named tensors and plain JSON data in one file that appears whole or not at all, and never runs code.

The format is safetensors. Its header begins with a SHA-256 of the whole file (with zeros in the digest's own
place) and the JSON data, so that no bit of header or tensors changes unnoticed.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from .errors import InputError
from .files import atomic_write

HEADER = "csqcfs"
BEGIN = b'{"__metadata__":{"csqcfs":"'  # safetensors puts the metadata first, behind 8 bytes of length
DIGITS = hashlib.sha256().digest_size * 2
PLACE = slice(8 + len(BEGIN), 8 + len(BEGIN) + DIGITS)  # of the digest, in bytes


def save_state(path: Path | str, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> Path:
    """Write ``tensors`` and the JSON-ready ``metadata`` atomically; an older file at ``path`` is replaced.

    Raises:
        InputError: a value that is not a tensor, metadata that is not JSON, or a file that cannot be written.
    """
    owned = {}
    for name, value in tensors.items():
        if not isinstance(value, Tensor):
            raise InputError(f"{name} is a {type(value).__name__}: expected a tensor; put it in the metadata")
        # a copy for each name, because safetensors refuses tensors that share memory, as tied weights do
        owned[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
    try:
        text = json.dumps(dict(metadata))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"metadata of {path} is not JSON ({error}): expected text, numbers, lists, dicts") from error
    content = bytearray(save(owned, {HEADER: "0" * DIGITS + text}))
    content[PLACE] = hashlib.sha256(content).hexdigest().encode()
    return atomic_write(path, lambda file: file.write_bytes(content))


def load_state(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors (on the CPU) and the metadata that `save_state` wrote.

    Raises:
        InputError: the file is absent, truncated, damaged, or not of this kind.
    """
    metadata = load_metadata(path)
    with safe_open(Path(path).expanduser(), framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, metadata


def load_metadata(path: Path | str) -> dict[str, Any]:
    """The metadata alone; the tensors are checked, but take no memory.

    Raises:
        InputError: as `load_state`.
    """
    try:
        path = Path(path).expanduser()
        if not path.is_file():
            raise InputError(f"checkpoint {path} does not exist: expected a file of save_state; check the path")
        with safe_open(path, framework="pt") as file:  # sizes in the header must be that of the file
            entry = (file.metadata() or {})[HEADER]
        _verify(path)
        metadata = json.loads(entry[DIGITS:])
        if not isinstance(metadata, dict):
            raise TypeError
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; check path and permissions") from error
    except InputError:
        raise
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is truncated or not a checkpoint of this version: delete it and run again") from error
    except RuntimeError as error:
        raise InputError(f"cannot read {path}: {str(error).rstrip('.')}; name another path") from error
    return metadata


def _verify(path: Path | str) -> None:
    """Compare the digest in the file with that of its content, read in pieces.

    Raises:
        InputError: they differ.
    """
    with open(path, "rb") as file:
        start = bytearray(file.read(PLACE.stop))
        found, start[PLACE] = bytes(start[PLACE]), b"0" * DIGITS
        digest = hashlib.file_digest(file, lambda: hashlib.sha256(start)).hexdigest().encode()
    if found != digest or start[8 : PLACE.start] != BEGIN:
        raise InputError(f"{path} is damaged, its checksum does not match: delete it and get it again")


def fill(model: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Set all tensors of ``model``, of which two that are one become two where ``tensors`` are.

    Raises:
        InputError: see `require_alike`, which leaves ``model`` as it was; two names of one module, or of one memory,
            that have other values.
    """
    require_alike(tensors, model.state_dict(), what)
    _untie(model, tensors)
    model.load_state_dict(tensors)
    for name, tensor in model.state_dict().items():
        if not torch.equal(tensor.cpu(), tensors[name].cpu()):
            raise InputError(
                f"{what} has other values in {name} than in a tensor that is the same one in the network: expected the "
                "same network, with modules of their own"
            )


def _untie(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a name of a parameter or buffer that has another one its own, where ``tensors`` differ."""
    first: dict[Tensor, str] = {}
    named = (*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False))
    for name, tensor in named:
        other = first.setdefault(tensor, name)
        if name in tensors and other in tensors and not torch.equal(tensors[name], tensors[other]):
            path, _, last = name.rpartition(".")
            setattr(model.get_submodule(path), last, copy.deepcopy(tensor))


def require_alike(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], what: str) -> None:
    """Refuse tensors that cannot take the place of ``wanted``, and values that no training should leave.

    Args:
        what: what the tensors are, to begin a message with.

    Raises:
        InputError: a name, shape or type differs, or a value is infinite or NaN.
    """
    for name in [*wanted, *tensors]:
        if name not in tensors or name not in wanted:
            gap = "lacks" if name in wanted else "has, unlike the network,"
            raise InputError(f"{what} {gap} {name}: expected the tensors of the same network")
        new, old = tensors[name], wanted[name]
        if (new.shape, new.dtype) != (old.shape, old.dtype):
            there, here = (f"{list(t.shape)} of {str(t.dtype).removeprefix('torch.')}" for t in (new, old))
            raise InputError(f"{what} has {name} of shape {there}: expected {here}; it is another network")
        if not bool(new.isfinite().all()):
            raise InputError(f"{what} has values in {name} that are not finite: train again at a lower rate")
