"""Where things lie. No other module builds these paths.

Environment variables:
    CSQCFS_HOME  records, checkpoints and caches made by runs (default: ``runs/`` in the repository,
                 which git ignores; ``~/.cache/csqcfs`` when the package is installed outside one).
    CSQCFS_DATA  data sets (default: ``data/`` in CSQCFS_HOME).
    CSQCFS_FIGURES  figures, tables and executed notebooks (default: ``paper_figures/`` in the repository).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from .errors import InputError

REPOSITORY = Path(__file__).resolve().parents[3]


def in_repository() -> bool:
    """Whether the package runs from a checkout, with its notebooks beside it."""
    return (REPOSITORY / "notebooks").is_dir() and (REPOSITORY / "pyproject.toml").is_file()


def of_user(path: Path | str) -> Path:
    """A path from outside, with ~ expanded; whether something lies there is another question.

    Raises:
        InputError: no path: an unknown user, links in a circle, a name too long or with odd characters, no text.
    """
    try:
        expanded = Path(path).expanduser()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            expanded.stat()
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        shown = str(path) if len(str(path)) < 160 else f"{str(path)[:150]} ..."
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise InputError(f"path {shown!r}: {reason}; name another") from error
    return expanded


def home() -> Path:
    """Folder of everything that a run makes and that can be made again."""
    if named := os.environ.get("CSQCFS_HOME"):
        return of_user(named)
    return REPOSITORY / "runs" if in_repository() else of_user("~/.cache/csqcfs")


def data_root(root: Path | str | None = None) -> Path:
    """Folder of the data sets: the argument, else CSQCFS_DATA, else ``data/`` in :func:`home`."""
    named = root or os.environ.get("CSQCFS_DATA")
    return of_user(named) if named else home() / "data"


def anchor() -> None:
    """Make the paths of the environment absolute, since kernels of notebooks start in another folder.

    Raises:
        InputError: one of them is no path.
    """
    for name in ("CSQCFS_HOME", "CSQCFS_DATA", "CSQCFS_FIGURES"):
        if named := os.environ.get(name):
            os.environ[name] = str(of_user(named).absolute())


@contextlib.contextmanager
def data_in(folder: Path | str | None) -> Iterator[None]:
    """Let CSQCFS_DATA be ``folder`` within, here and in processes started meanwhile; None changes nothing."""
    before = os.environ.get("CSQCFS_DATA")
    if folder is not None:
        os.environ["CSQCFS_DATA"] = str(of_user(folder).absolute())
    try:
        yield
    finally:
        if before is not None:
            os.environ["CSQCFS_DATA"] = before
        elif folder is not None:
            os.environ.pop("CSQCFS_DATA", None)


def image_cache() -> Path:
    """Decoded images, one file for each data set."""
    return home() / "images"


def checkpoints() -> Path:
    """Trained networks and interrupted trainings, named by the digest of their configuration."""
    return home() / "checkpoints"


def run_records() -> Path:
    """Records that runs on this machine wrote."""
    return home() / "records"


def notebooks() -> Path:
    """The notebooks, one for each artefact."""
    return REPOSITORY / "notebooks"


def figures(profile: str) -> Path:
    """Figures, tables and executed notebooks of one profile."""
    named = os.environ.get("CSQCFS_FIGURES")
    if not named and not in_repository():
        raise InputError("CSQCFS_FIGURES is not set: expected a folder for figures, as there is no repository around")
    return (of_user(named) if named else REPOSITORY / "paper_figures") / profile


def written(profile: str) -> list[Path]:
    """Every folder that a run writes files into."""
    own = [home() / "fanout", home() / "stamps" / profile, image_cache(), checkpoints(), run_records()]
    return [*own, figures(profile), figures(profile) / "notebooks"]


def reference_records(profile: str) -> Path:
    """Records committed with the repository, from which the notebooks render without a run."""
    return REPOSITORY / "paper_figures" / profile / "records"
