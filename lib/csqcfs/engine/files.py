"""Files appear whole or not at all, have one writer at a time, and leave nothing behind."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from .errors import Busy, Unwritable

MARK = ".csqcfs-"  # in the names of temporary files and locks, so that only our own are ever removed
OLD = 5  # seconds after which a temporary file without a writer is one left behind
_unfinished: set[Path] = set()  # temporary files and locks of this process, and of none that is forked from it
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unfinished.clear)


def atomic_write(path: Path | str, write: Callable[[Path], None]) -> Path:
    """Let ``write`` fill a temporary file beside ``path``, then rename it over ``path``.

    The temporary name keeps the suffix, since many writers choose their format by it. When ``write``
    fails or is interrupted (a full disk, Ctrl-C), the temporary file goes and ``path`` stays as it was;
    what a killed process leaves is removed by `remove_leftovers`.

    Raises:
        Unwritable: the folder cannot be made or written to, or the disk is full.
    """
    if not isinstance(path, (str, Path)):
        raise Unwritable(f"path of type {type(path).__name__}: expected text or a Path; name a file")
    named = _expanded(path)
    try:
        path = named.resolve() if named.is_symlink() else named  # what a link names is written, and the link stays
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise Unwritable(f"cannot write {path}: expected a file, and it is a device or a pipe; name another")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:80]}{MARK}", suffix=path.suffix, dir=path.parent)
    except Unwritable:
        raise
    except (OSError, ValueError) as error:  # ValueError for a name that no file has
        reason = getattr(error, "strerror", None) or error
        raise Unwritable(f"cannot write {named}: {reason}; choose a writable folder") from error
    temporary = Path(name)
    _unfinished.add(temporary)
    try:
        _flock(handle)  # as long as its writer lives
        write(temporary)
        temporary.chmod(0o644)  # mkstemp gives 0600, which would hide results from other users
        os.replace(temporary, path)
    except OSError as error:
        remedy = "name a file in it" if os.path.isdir(path) else "free some space and run again"
        raise Unwritable(f"cannot write {path}: {error.strerror or error}; {remedy}") from error
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)
        _unfinished.discard(temporary)
    return named


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


@contextlib.contextmanager
def lock(path: Path | str, wait: bool = False) -> Iterator[None]:
    """Be the only writer of ``path`` within: among all processes, and on a shared folder all machines.

    The lock is the operating system's and ends with its process, however that ends.

    Args:
        wait: until another one that holds it is done.

    Raises:
        Busy: another one holds it, without ``wait``.
        Unwritable: the folder cannot be made or written to.
    """
    path = _expanded(path)
    file = _lock_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
            if not _flock(handle):
                os.close(handle)
                if wait:
                    time.sleep(0.2)
                    continue
                raise Busy(f"{path} is being made by another process: wait for it, or name another file")
            if _is(file, handle):
                break
            os.close(handle)  # the one before removed it between our opening and locking it
    except OSError as error:
        raise Unwritable(f"cannot write {path}: {error.strerror}; choose a writable folder") from error
    _unfinished.add(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        _unfinished.discard(file)
        os.close(handle)


def is_busy(path: Path | str) -> bool:
    """Whether another process, or another thread of this one, holds the `lock` of ``path`` now."""
    try:
        handle = os.open(_lock_of(Path(path)), os.O_RDWR)
    except OSError:
        return False
    try:
        return not _flock(handle)
    finally:
        os.close(handle)


def end(code: int) -> NoReturn:
    """End this process at once and leave nothing unfinished behind.

    For handlers of signals: they run wherever the program is, and an exception from there can be lost, since Python
    only prints those of callbacks, as of a weak reference.
    """
    for file in list(_unfinished):
        with contextlib.suppress(OSError):
            file.unlink()
    os._exit(code)


def remove_leftovers(folders: Iterable[Path]) -> list[Path]:
    """Remove temporary files and locks of processes that were killed; those of living ones stay.

    Args:
        folders: looked at without the folders in them.
    """
    removed = []
    for folder in folders:
        for file in folder.glob(f".*{MARK}*"):
            with contextlib.suppress(OSError):
                handle = os.open(file, os.O_RDWR)
                try:
                    if time.time() - file.stat().st_mtime > OLD and _flock(handle) and _is(file, handle):
                        file.unlink()
                        removed.append(file)
                finally:
                    os.close(handle)
    return removed


def _expanded(path: Path | str) -> Path:
    """``path`` with ~ as the user's home.

    Raises:
        Unwritable: nobody of that name.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise Unwritable(f"cannot write {path}: {str(error).rstrip('.')}; name another path") from error


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}{MARK}lock")


def _flock(handle: int) -> bool:
    """Lock an open file, unless another one has; where locks do not exist, nobody has."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows
        return True
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def _is(file: Path, handle: int) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(file.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
