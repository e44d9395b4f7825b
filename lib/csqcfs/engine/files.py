"""Files appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from .errors import Unwritable


def atomic_write(path: Path | str, write: Callable[[Path], None]) -> Path:
    """Let ``write`` fill a temporary file beside ``path``, then rename it over ``path``.

    The temporary name keeps the suffix, since many writers choose their format by it. When ``write``
    fails or is interrupted (a full disk, Ctrl-C), the temporary file goes and ``path`` stays as it was.

    Raises:
        Unwritable: the folder cannot be made or written to, or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise Unwritable(f"cannot write {path}: {error.strerror}; choose a writable folder") from error
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)  # mkstemp gives 0600, which would hide results from other users
        os.replace(temporary, path)
    except OSError as error:
        raise Unwritable(f"cannot write {path}: {error.strerror or error}; free some space and run again") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_text(path: Path | str, text: str) -> Path:
    """``atomic_write`` of one UTF-8 string."""
    return atomic_write(path, lambda file: file.write_text(text, encoding="utf-8"))


def require_writable(folder: Path) -> None:
    """Refuse a folder in which no file can be made, before hours of computing for it.

    Raises:
        Unwritable: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise Unwritable(f"cannot write into {folder}: {error.strerror}; choose a writable folder") from error
