"""Execute the notebook of each artefact with papermill, where something that it shows has changed."""

from __future__ import annotations

import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ...engine import paths
from ...engine.errors import InputError
from ...engine.files import atomic_write, write_text
from ..experiments.configs import digest_of
from ..experiments.profiles import Profile
from ..experiments.registry import Artefact
from ..runs import records


class Executed(NamedTuple):
    """What one notebook made: files, seconds, and whether it had to run."""

    artefact: Artefact
    files: list[Path]
    seconds: float
    fresh: bool


def source(artefact: Artefact) -> Path:
    return paths.notebooks() / f"{artefact.id}.ipynb"


def outputs(artefact: Artefact, profile: Profile) -> list[Path]:
    """Files of an artefact: its figures and tables, named by its id or starting with it."""
    kinds = (".png", ".svg", ".md", ".csv", ".tex")
    folder = paths.figures(profile.name)
    found = [*folder.glob(f"{artefact.id}.*"), *folder.glob(f"{artefact.id}-*")]
    return sorted(path for path in found if path.suffix in kinds)


def _code_digest() -> str:
    """Of the package's source: a change of the code makes every page stale."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _stamp(artefact: Artefact, profile: Profile, seeds: tuple[int, ...]) -> str:
    """Of everything that decides what the notebook shows."""
    found = [records.find(run, profile.name) for run in artefact.runs(profile, seeds)]
    return digest_of(
        {
            "notebook": hashlib.sha256(source(artefact).read_bytes()).hexdigest(),
            "code": _code_digest(),
            "seeds": list(seeds),
            "records": [r and [r.settings, r.metrics, r.source] for r in found],
        }
    )


def render(artefact: Artefact, profile: Profile, seeds: tuple[int, ...]) -> Executed:
    """Execute the notebook into paper_figures/<profile>/notebooks, unless nothing has changed since.

    Raises:
        InputError: no such notebook, a parameter that it does not declare, or a cell that fails.
    """
    target = paths.figures(profile.name) / "notebooks" / f"{artefact.id}.ipynb"
    stamps = paths.home() / "stamps" / profile.name / f"{artefact.id}.json"
    begin = time.monotonic()
    if not source(artefact).is_file():
        raise InputError(f"no notebook {source(artefact)}: expected one for {artefact.id}; restore it with git")
    stamp = _stamp(artefact, profile, seeds)
    current = target.exists() and stamps.exists() and json.loads(stamps.read_text(encoding="utf-8")) == stamp
    if not current:
        parameters = {"profile": profile.name}
        if seeds != profile.seeds:
            parameters["seeds"] = len(seeds)
        atomic_write(target, lambda file: _papermill(artefact, file, parameters))
        write_text(stamps, json.dumps(stamp))
    return Executed(artefact, outputs(artefact, profile), time.monotonic() - begin, not current)


def _papermill(artefact: Artefact, target: Path, parameters: dict[str, object]) -> None:
    import papermill

    known = papermill.inspect_notebook(str(source(artefact)))
    if unknown := [name for name in parameters if name not in known]:
        raise InputError(f"{source(artefact).name} has no parameter {unknown[0]!r}: expected {', '.join(known)}")
    try:
        papermill.execute_notebook(
            str(source(artefact)),
            str(target),
            parameters,
            kernel_name="python3",
            progress_bar=False,
            cwd=str(paths.notebooks()),
            log_output=False,
        )
    except papermill.PapermillExecutionError as error:
        line, reason = ((text.strip().splitlines() or [""])[0] for text in (error.source, str(error.evalue)))
        raise InputError(
            f"notebook {artefact.id} failed at {line!r}: {error.ename}: {reason}; open it in Jupyter to see more"
        ) from error


def render_all(artefacts: list[Artefact], profile: Profile, seeds: tuple[int, ...], workers: int) -> list[Executed]:
    """Render several, ``workers`` at a time; each has a kernel of its own."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda artefact: render(artefact, profile, seeds), artefacts))
