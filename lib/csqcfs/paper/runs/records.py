"""Results as small JSON files: the configuration that made them, the numbers, and where they come from.

A record's name holds the digest of its run's configuration. Records of runs on this machine lie in
`paths.run_records`; those committed with the repository, in `paths.reference_records`, let notebooks render
without a run.
"""

from __future__ import annotations

import datetime
import functools
import json
import math
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...engine import paths
from ...engine.errors import InputError
from ...engine.files import atomic_write, write_text
from ..experiments.configs import Run, Training, digest_of
from ..measures import right
from ..names import are_others, count
from . import results

NEEDED = {"seconds", "hardware", "torch"}  # of the provenance, for what pages say of it
RUN, REFERENCE = "run on this machine", "reference records of the repository"


@dataclass(frozen=True)
class Record:
    """A run's configuration, what it measured, and its provenance."""

    settings: dict[str, Any]
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    source: str

    @property
    def digest(self) -> str:
        return digest_of(self.settings)


def provenance(seconds: float, training: Training | None = None, device: str | None = None) -> dict[str, Any]:
    """Date, duration, versions, hardware, threads and commit of a run that ends now; ``device`` as of `hardware`.

    Of the training that it measures: the precision, and the number of threads, on which its weights depend.
    """
    import torch  # here and below: who reads records, as a notebook of tables does, need not wait for it

    from ..experiments import trainings

    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": round(seconds, 2),
        "hardware": hardware(device),
        "instructions": torch.backends.cpu.get_cpu_capability(),  # by which equal processors round otherwise
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        **({} if training is None else trainings.computed(training)),
        "commit": commit(),
    }


def hardware(device: str | None = None) -> str:
    """The accelerator's name; without one, or for ``device`` "cpu", the usable CPU cores and the processor's name."""
    import torch

    if device != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, {_processor()}"


@functools.cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@functools.cache
def commit() -> str:
    """Commit of the code, with + where files differ from it; "unknown" outside a git checkout of its own."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(paths.REPOSITORY), *words], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != paths.REPOSITORY.resolve():
            return "unknown"  # installed into a folder of somebody else's repository
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "lib")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def path_of(run: Run) -> Path:
    """Where this machine keeps the record of ``run``."""
    return paths.run_records() / f"{run.name}.json"


def write(run: Run, metrics: dict[str, Any], seconds: float) -> Path:
    """Write the record of ``run`` on this machine, whole or not at all."""
    origin = provenance(seconds, run.training, metrics.get("device"))
    content = {"settings": run.settings(), "metrics": metrics, "provenance": origin}
    return write_text(path_of(run), json.dumps(content, indent=1) + "\n")


def read(path: Path, run: Run | None = None) -> Record:
    """The record at ``path``.

    Raises:
        InputError: a truncated or damaged file, or one whose configuration is not that of its name or ``run``.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        settings, metrics, origin = (content[key] for key in ("settings", "metrics", "provenance"))
        if not (_whole(metrics) and origin.keys() >= NEEDED):
            raise ValueError
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"record {path} is truncated or damaged: delete it and run again") from error
    wanted = run.digest if run is not None else path.stem.rpartition("-")[2]
    if digest_of(settings) != wanted:
        raise InputError(
            f"record {path} has digest {digest_of(settings)}, expected {wanted}: its configuration "
            "was changed by hand; delete it and run again"
        )
    try:
        right.check(metrics)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    source = RUN if path.resolve().parent == paths.run_records().resolve() else REFERENCE
    return Record(settings, metrics, origin, source)


def _whole(metrics: dict[str, Any]) -> bool:
    """Whether accuracies, where there are some, are finite; raises what Python does where they are no numbers."""
    return all(map(math.isfinite, [metrics.get("ann", 0), *metrics.get("snn", ())]))


def _exists(path: Path) -> bool:
    """Whether there is such a file.

    Raises:
        InputError: nobody can tell, in a folder that must not be looked into.
    """
    try:
        return path.exists()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check its permissions") from error


def find(run: Run, profile: str) -> Record | None:
    """The record of ``run`` from this machine, else the reference of ``profile``, else None."""
    return here(run) or reference(run, profile)


def here(run: Run) -> Record | None:
    """The record of ``run`` on this machine, if there is one; references do not count.

    Raises:
        InputError: the record is damaged.
    """
    path = path_of(run)
    return read(path, run) if _exists(path) else None


def reference(run: Run, profile: str) -> Record | None:
    """The record of ``run`` that came with the repository for ``profile``, if there is one."""
    path = paths.reference_records(profile) / f"{run.name}.json"
    return read(path, run) if _exists(path) else None


def is_done(run: Run) -> bool:
    """Whether this machine has a readable record of ``run``.

    Raises:
        InputError: the record is damaged.
    """
    return here(run) is not None


def publish(runs: Iterable[Run], profile: str) -> list[Path]:
    """Copy this machine's records of ``runs``, byte for byte, to the references of ``profile``.

    Raises:
        InputError: a damaged record, or a folder that cannot be written to.
    """
    copies = []
    for run in runs:
        if here(run) is not None:
            source = paths.run_records() / f"{run.name}.json"
            target = paths.reference_records(profile) / source.name
            copies.append(atomic_write(target, lambda file, source=source: file.write_bytes(source.read_bytes())))
    return copies


def origin(records: Sequence[Record]) -> str:
    """Where records come from, in one line: source, hardware, precision, digests of what was run and what came out."""
    if not records:
        return "records: none"

    def several(values) -> str:
        distinct = sorted(set(values))
        return ", ".join(distinct[:3]) + (f" and {len(distinct) - 3} more" if len(distinct) > 3 else "")

    combined = digest_of({"records": sorted(record.digest for record in records)})
    ways = trained(records)
    how = f"trained in {several(ways)}; " if ways else ""
    return (
        f"{several(r.source for r in records)}; {several(r.provenance['hardware'] for r in records)}; "
        f"torch {several(r.provenance['torch'] for r in records)}; {how}{count(len(records), 'record')}; "
        f"digest of the configuration {combined}, of the results {results.digest(records)}"
    )


def on_others(records: Iterable[Record]) -> bool:
    """Whether some are of other images than those that the name of their data set stands for."""
    trained = [training for record in records if (training := record.settings["training"])]
    return any(are_others(training["dataset"], training.get("data")) for training in trained)


def trained(records: Iterable[Record]) -> list[str]:
    """In which ways the networks were trained: "float32", or on a GPU "float32 with products in TF32 on NVIDIA H200".

    Records from before devices were kept are of a processor.
    """
    return sorted({_trained(record.provenance) for record in records if record.provenance.get("precision")})


def _trained(provenance: dict[str, Any]) -> str:
    products = " with products in TF32" if provenance.get("tf32") else ""
    names = ["CPU" if name == "cpu" else name for name in provenance.get("devices", ["cpu"])]
    where = f" on {' and '.join(names)}" if set(names) - {"CPU"} else ""
    return f"{provenance['precision']}{products}{where}"
