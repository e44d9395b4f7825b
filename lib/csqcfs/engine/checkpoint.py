"""Named tensors and plain JSON data in one file that appears whole or not at all, and never runs code.

The format is safetensors, with the JSON data and a checksum of the tensors in its header.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .errors import InputError
from .files import atomic_write

HEADER = "csqcfs"


def checksum(tensors: Mapping[str, Tensor]) -> int:
    """CRC-32 of all values in order of their names; safetensors itself notices only a wrong file size."""
    crc = 0
    for name in sorted(tensors):
        crc = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy(), crc)
    return crc


def save_state(path: Path | str, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> Path:
    """Write ``tensors`` and the JSON-ready ``metadata`` atomically; an older file at ``path`` is replaced.

    Raises:
        InputError: a value that is not a tensor, or a file that cannot be written.
    """
    owned = {}
    for name, value in tensors.items():
        if not isinstance(value, Tensor):
            raise InputError(f"{name} is a {type(value).__name__}: expected a tensor; put it in the metadata")
        # a copy for each name, because safetensors refuses tensors that share memory, as tied weights do
        owned[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
    header = {HEADER: json.dumps({"checksum": checksum(owned), "metadata": dict(metadata)})}

    def write(file: Path) -> None:
        try:
            save_file(owned, file, header)
        except SafetensorError as error:  # it wraps the operating system's reason, such as a full disk
            raise OSError(str(error)) from error

    return atomic_write(path, write)


def load_state(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors (on the CPU) and the metadata that `save_state` wrote.

    Raises:
        InputError: the file is absent, truncated, damaged, or not of this kind.
    """
    with _opened(path) as file:
        header = json.loads((file.metadata() or {})[HEADER])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        intact, metadata = header["checksum"] == checksum(tensors), header["metadata"]
    if not intact:
        raise InputError(f"{path} is damaged, its checksum does not match: delete it and run again")
    return tensors, metadata


def load_metadata(path: Path | str) -> dict[str, Any]:
    """The metadata alone; tensors are neither read nor checked.

    Raises:
        InputError: as `load_state`.
    """
    with _opened(path) as file:
        return json.loads((file.metadata() or {})[HEADER])["metadata"]


@contextlib.contextmanager
def _opened(path: Path | str) -> Iterator[safe_open]:
    """The file, with whatever is wrong with it as one `InputError`."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"checkpoint {path} does not exist: expected a file of save_state; check the path")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; check its permissions") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is truncated or not a checkpoint: delete it and run again") from error
