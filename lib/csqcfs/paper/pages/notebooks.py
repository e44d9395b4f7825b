"""Execute the notebook of each artefact with papermill, where something that it shows has changed."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ...engine import paths
from ...engine.errors import InputError
from ...engine.files import atomic_write, lock, write_text
from ..experiments import profiles, registry
from ..experiments.configs import digest_of
from ..experiments.profile import Profile
from ..experiments.registry import Artefact
from ..runs import records
from .warm import KERNEL, START, Kernels

PACKAGE = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<=\]\()(?:[^()\s:]*/)?(\w+\.ipynb)(?=[)#])")  # in Markdown, to a notebook
KINDS = (".png", ".svg", ".md", ".csv", ".tex")


class Executed(NamedTuple):
    """What one notebook made: files, seconds, whether it had to run, and why it failed, if it did."""

    artefact: Artefact
    files: list[Path]
    seconds: float
    fresh: bool
    failed: str = ""


def source(artefact: Artefact) -> Path:
    return paths.notebooks() / f"{artefact.id}.ipynb"


def outputs(artefact: Artefact, profile: Profile) -> list[Path]:
    """Files of an artefact: its figures and tables, named by its id or starting with it."""
    folder = paths.figures(profile.name)
    found = [*folder.glob(f"{artefact.id}.*"), *folder.glob(f"{artefact.id}-*")]
    return sorted(path for path in found if path.suffix in KINDS)


@functools.cache
def _code_digest() -> str:
    """Of the package's source: a change of the code makes every page stale."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _state(artefact: Artefact, profile: Profile, seeds: tuple[int, ...]) -> str:
    """A digest of everything that decides what the notebook shows: its runs, and those that its claims rest on."""
    shown = [(run, profile.name) for run in artefact.runs(profile, seeds)]
    if artefact.place != registry.BEYOND:
        shown += [(run, profile.name) for run in registry.get("claims").runs(profile, seeds)]
    if artefact.beside:
        other = profiles.get(artefact.beside)
        shown += [(run, other.name) for run in artefact.runs(other, other.seeds)]
    found = [(run.digest, records.find(run, name)) for run, name in dict.fromkeys(shown)]
    return digest_of(
        {
            "notebook": hashlib.sha256(source(artefact).read_bytes()).hexdigest(),
            "code": _code_digest(),
            "figures": str(paths.figures(profile.name)),
            "seeds": list(seeds),
            "records": [[digest, r and [r.metrics, r.provenance, r.source]] for digest, r in found],
        }
    )


def _made(stamp: Path, state: str) -> list[Path] | None:
    """The files that the notebook made when things were as they are now; None if one of them is not what it was."""
    try:
        noted = json.loads(stamp.read_text(encoding="utf-8"))
        made = {Path(name): content for name, content in noted["files"].items()} if noted["state"] == state else {}
        return list(made) if made and all(_content(path) == content for path, content in made.items()) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _content(path: Path) -> str:
    """A digest of a file; of a notebook without where its links lead, which `relink` changes."""
    content = path.read_bytes()
    if path.suffix == ".ipynb":
        content = LINK.sub(r"\1", content.decode()).encode()
    return hashlib.sha256(content).hexdigest()


def render(artefact: Artefact, profile: Profile, seeds: tuple[int, ...], kernels: Kernels) -> Executed:
    """Execute the notebook into paper_figures/<profile>/notebooks, unless nothing has changed since.

    Figures and tables that it made before and makes no longer are removed.

    Raises:
        InputError: no such notebook, a parameter that it does not declare, or a cell that fails.
    """
    target = paths.figures(profile.name) / "notebooks" / f"{artefact.id}.ipynb"
    stamp = paths.home() / "stamps" / profile.name / f"{artefact.id}.json"
    begin = time.monotonic()
    if not source(artefact).is_file():
        raise InputError(f"no notebook {source(artefact)}: expected one for {artefact.id}; restore it with git")
    with lock(stamp, wait=True):  # an equal command beside this one makes each page once
        return _render(artefact, profile, seeds, kernels, target, stamp, begin)


def _render(
    artefact: Artefact,
    profile: Profile,
    seeds: tuple[int, ...],
    kernels: Kernels,
    target: Path,
    stamp: Path,
    begin: float,
) -> Executed:
    state = _state(artefact, profile, seeds)
    if (made := _made(stamp, state)) is not None:
        return Executed(artefact, [path for path in made if path != target], time.monotonic() - begin, False)
    before = {path: path.stat().st_mtime_ns for path in outputs(artefact, profile)}
    parameters: dict[str, object] = {"profile": profile.name}
    if seeds != profile.seeds:
        parameters["seeds"] = len(seeds)
    atomic_write(target, lambda file: _papermill(artefact, file, parameters, kernels))
    for path, written in before.items():
        if path.exists() and path.stat().st_mtime_ns == written:
            path.unlink()
    files = outputs(artefact, profile)
    write_text(stamp, json.dumps({"state": state, "files": {str(path): _content(path) for path in [*files, target]}}))
    return Executed(artefact, files, time.monotonic() - begin, True)


def _papermill(artefact: Artefact, target: Path, parameters: dict[str, object], kernels: Kernels) -> None:
    import papermill

    known = papermill.inspect_notebook(str(source(artefact)))
    if unknown := [name for name in parameters if name not in known]:
        raise InputError(f"{source(artefact).name} has no parameter {unknown[0]!r}: expected {', '.join(known)}")
    try:
        with kernels.lend() as kernel:
            papermill.execute_notebook(
                str(source(artefact)),
                str(target),
                parameters,
                kernel_name=KERNEL,
                progress_bar=False,
                start_timeout=START,
                log_output=False,
                km=kernel,
            )
    except papermill.PapermillExecutionError as error:
        line, reason = ((text.strip().splitlines() or [""])[0] for text in (error.source, str(error.evalue)))
        raise InputError(
            f"notebook {artefact.id} failed at {line!r}: {error.ename}: {reason}; open it in Jupyter to see more"
        ) from error


def render_all(artefacts: list[Artefact], profile: Profile, seeds: tuple[int, ...], workers: int) -> Iterator[Executed]:
    """Render several, ``workers`` at a time; one that fails does not stop the others."""

    def rendered(artefact: Artefact) -> Executed:
        begin = time.monotonic()
        try:
            return render(artefact, profile, seeds, kernels)
        except Exception as error:  # of ours, or of a kernel that died
            reason = str(error) if isinstance(error, InputError) else f"notebook {artefact.id}: {_first_line(error)}"
            return Executed(artefact, [], time.monotonic() - begin, True, reason)

    with Kernels() as kernels, ThreadPoolExecutor(workers) as pool:
        yield from pool.map(rendered, artefacts)
    relink(paths.figures(profile.name) / "notebooks")


def relink(folder: Path) -> None:
    """Let links between notebooks in ``folder`` lead to the copies there, and to the originals of those not there."""
    copies = {path.name: path for path in folder.glob("*.ipynb")}
    places = {path.name: os.path.relpath(path, folder) for path in paths.notebooks().glob("*.ipynb")}
    places |= {name: name for name in copies}
    for copy in copies.values():
        text = copy.read_text(encoding="utf-8")
        linked = LINK.sub(lambda found: Path(places[found[1]]).as_posix() if found[1] in places else found[0], text)
        if linked != text:
            write_text(copy, linked)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or ['no reason given'])[0]}"
