"""The folder in which torch.compile keeps what it compiled, without which PyTorch's optimizers do not start either.

What lies there is executed. PyTorch's default is /tmp/torchinductor_<user>, a name that anyone can guess and take: it
is used where it is the user's alone. A folder that TORCHINDUCTOR_CACHE_DIR names is the user's choice.
"""

from __future__ import annotations

import atexit
import getpass
import os
import tempfile
import warnings

NAME = "TORCHINDUCTOR_CACHE_DIR"


def prepare() -> str:
    """Make the folder, or let a temporary one take its place; why it cannot be made, else "".

    Where others can write into the default one, a warning says so.
    """
    default = f"{tempfile.gettempdir()}/torchinductor_{getpass.getuser()}"
    folder, reason = os.environ.get(NAME) or default, ""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if folder != default or _is_private(folder):  # PyTorch itself may have set the variable to its default
            return ""
        warnings.warn(
            f"others can write into {folder}: torch.compile starts in an empty folder instead; remove that one, or set "
            f"{NAME}",
            stacklevel=3,
        )
    except OSError as error:
        reason = f"torch.compile has no cache folder ({error})"
    instead = tempfile.TemporaryDirectory(prefix="csqcfs-", ignore_cleanup_errors=True)
    atexit.register(instead.cleanup)
    os.environ[NAME] = instead.name
    return reason


def _is_private(folder: str) -> bool:
    """Whether a folder, and a link to it, is the user's, and nobody else can write into it."""
    if not hasattr(os, "geteuid"):  # Windows, where the folder for temporary files is the user's own
        return True
    found = os.stat(folder)
    own = {found.st_uid, os.lstat(folder).st_uid} == {os.geteuid()}
    return own and not open_to_others(found.st_mode, found.st_uid, found.st_gid)


def open_to_others(mode: int, uid: int, gid: int) -> bool:
    """Whether others than the owner can write; a group of the owner's number is the owner's, as where umask is 002."""
    return bool(mode & (0o002 if gid == uid else 0o022))
