"""Compute the runs that have no record yet, in order or in several processes."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch
from tqdm import tqdm

from . import records
from .configs import Run
from .measures import measure


def missing(runs: Iterable[Run]) -> list[Run]:
    """The runs without a record on this machine, each once."""
    return [run for run in dict.fromkeys(runs) if not records.is_done(run)]


def execute(run: Run, root: str | None = None, deadline: float | None = None, progress: bool = True) -> str:
    """Compute one run and write its record, unless it is there; the name of the run. Safe to repeat.

    Raises:
        InputError: settings or data that do not fit.
        OutOfTime: ``deadline``; the epochs done are in the checkpoint.
    """
    if not records.is_done(run):
        begin = time.monotonic()
        metrics = measure(run, root, deadline=deadline, progress=progress)
        records.write(run, metrics, time.monotonic() - begin)
    return run.name


def execute_all(runs: Sequence[Run], root: str | None = None, workers: int = 1, deadline: float | None = None) -> None:
    """Compute the missing ones of ``runs``; with several workers, each is a process with its share of the cores.

    Runs that need one training are kept in one process, in order, so that nothing is trained twice.

    Raises:
        InputError: of the first run that fails; the others' records stay.
    """
    todo = missing(runs)
    if workers == 1:
        for run in tqdm(todo, desc="runs", unit="run", disable=len(todo) < 2):
            execute(run, root, deadline)
        return
    groups = _by_first_stage(todo)
    threads = max(1, (os.cpu_count() or 1) // workers)
    with (
        ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker, (threads,)) as pool,
        tqdm(total=len(todo), desc="runs", unit="run") as bar,
    ):
        futures = {pool.submit(_execute_group, group, root, deadline): group for group in groups}
        try:
            for future in as_completed(futures):
                future.result()
                bar.update(len(futures[future]))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _by_first_stage(runs: Iterable[Run]) -> list[list[Run]]:
    """Groups of runs that share the first stage of their training, longest first."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        first = run.training
        while first is not None and first.parent is not None:
            first = first.parent
        groups.setdefault(run.name if first is None else first.digest, []).append(run)
    return sorted(groups.values(), key=len, reverse=True)


def _start_worker(threads: int) -> None:
    torch.set_num_threads(threads)


def _execute_group(group: list[Run], root: str | None, deadline: float | None) -> None:
    for run in group:
        execute(run, root, deadline, progress=False)
