"""Compute the runs that have no record yet: here in order, or group by group on an engine of several workers."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
from tqdm import tqdm

from ... import data
from ...engine import paths
from ...engine.errors import InputError, NonpositiveThreshold, Unwritable
from ...training.train import OutOfTime
from ..experiments import trainings
from ..experiments.configs import Run, Training
from ..measures.kinds import measure
from . import estimate, records, results

POLL = 1.0  # seconds between looks at the records that other processes write

# Starts `execute_group` for a group of runs and a time to stop at, elsewhere.
Submit = Callable[[list[Run], float | None], Future]


@dataclass(frozen=True)
class Outcome:
    """What became of the runs that were to be computed, apart from those that have a record now.

    Attributes:
        failed: for each run that failed the reason, in one line.
        left: runs that there was no time for.
    """

    failed: dict[Run, str] = field(default_factory=dict)
    left: list[Run] = field(default_factory=list)

    def fail(self, runs: Iterable[Run], reason: str) -> None:
        """Note that ``runs`` failed; a new reason is shown at once."""
        if reason not in self.failed.values():
            tqdm.write(f"failed: {reason}", file=sys.stderr)
        self.failed.update(dict.fromkeys(runs, reason))


def missing(runs: Iterable[Run]) -> list[Run]:
    """The runs without a record on this machine, each once."""
    return [run for run in dict.fromkeys(runs) if not records.is_done(run)]


def execute(run: Run, deadline: float | None = None, progress: bool = True) -> str:
    """Compute one run and write its record, unless it is there; the name of the run. Safe to repeat.

    Raises:
        InputError: settings or data that do not fit.
        StageDiverged: as `trainings.train`.
        OutOfTime: ``deadline``; the epochs done are in the checkpoint.
    """
    if not records.is_done(run):
        begin = time.monotonic()
        try:
            metrics = measure(run, deadline=deadline, progress=progress)
        except NonpositiveThreshold as error:
            metrics = {"refused": str(error)}
        if not records.is_done(run):  # another worker may have taken the run up where this one seemed lost
            records.write(run, metrics, time.monotonic() - begin)
    return run.name


def execute_group(
    group: Sequence[Run],
    until: float | None = None,
    *,
    progress: bool = False,
    tick: Callable[[], object] = lambda: None,
    go_on: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Compute runs in order. One that fails is noted, and so is, untried, every other that needs its training.

    Args:
        until: time to stop at, in seconds of ``time.time()``: unlike ``time.monotonic()`` it means the same in
            every process and on every machine.
        tick: called after each run.
        go_on: asked before each run.

    Raises:
        Unwritable: no further record or checkpoint can be written.
    """
    deadline = None if until is None else time.monotonic() + until - time.time()
    outcome, diverged = Outcome(), dict[Training, str]()
    for number, run in enumerate(group):
        if not go_on() or (deadline is not None and time.monotonic() >= deadline):
            outcome.left.extend(group[number:])
            break
        try:
            cause = next((diverged[t] for t in trainings.chain(run.training) if t in diverged), None)
            if cause is None:
                execute(run, deadline, progress)
            else:
                outcome.fail([run], cause)
        except OutOfTime:
            outcome.left.extend(group[number:])
            break
        except Unwritable:
            raise
        except InputError as error:
            outcome.fail([run], str(error))
        except trainings.StageDiverged as error:
            diverged[error.training] = str(error)
            outcome.fail([run], str(error))
        tick()
    return outcome


def execute_all(
    runs: Sequence[Run], until: float | None = None, engine: AbstractContextManager[Submit] | None = None
) -> Outcome:
    """Compute the missing ones of ``runs``, in this process or on ``engine``.

    An engine gets the runs that share the first stage of their training as one task, so that nothing is trained
    twice; the longest task starts first. What measures time runs last and alone.

    Raises:
        InputError: no run can start, or no result can be written; records that were written stay.
    """
    todo, outcome = _readable(missing(runs))
    if not todo:
        return outcome
    timed = [run for run in todo if run.kind in results.TIMED]
    rest = [run for run in todo if run not in timed]
    with engine or contextlib.nullcontext() as submit, tqdm(total=len(todo), desc="runs", unit="run") as bar:
        if submit is None:
            here = execute_group([*rest, *timed], until, progress=True, tick=bar.update)
            return Outcome(outcome.failed | here.failed, here.left)
        _spread(submit, estimate.longest_first(by_first_stage(rest)), until, outcome, bar)
        _spread(submit, [timed] if timed else [], until, outcome, bar)
    return outcome


def by_first_stage(runs: Iterable[Run]) -> list[list[Run]]:
    """Groups of runs that share the first stage of their training."""
    groups: dict[Training | Run, list[Run]] = {}
    for run in runs:
        groups.setdefault((trainings.chain(run.training) or [run])[0], []).append(run)
    return list(groups.values())


@contextlib.contextmanager
def processes(workers: int) -> Iterator[Submit]:
    """An engine of processes on this machine, each with its share of the cores; they end with it."""
    others = set(multiprocessing.active_children())
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker, (threads,))
    try:
        yield lambda *group: pool.submit(_in_process, *group)
        pool.shutdown()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        started = set(multiprocessing.active_children()) - others
        for process in started:
            process.terminate()
        for process in started:
            process.join(5)
            process.kill()
        raise


def _start_worker(threads: int) -> None:
    torch.set_num_threads(threads)
    tqdm.set_lock(threading.RLock())  # tqdm's own is a semaphore of the system, which a sudden end would leak
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _in_process(*group) -> Outcome:
    """`execute_group` in a worker; SIGTERM ends it once temporary files are gone, without torch's slow exit."""
    try:
        return execute_group(*group)
    except SystemExit as ended:
        os._exit(ended.code)


def _readable(runs: list[Run]) -> tuple[list[Run], Outcome]:
    """The runs whose data set can be read, the others as failed; leaves decoded images for all processes.

    Raises:
        InputError: no run is left.
    """
    outcome = Outcome()
    for name in dict.fromkeys(run.training.dataset for run in runs if run.training is not None):
        needing = [run for run in runs if run.training is not None and run.training.dataset == name]
        try:
            data.load(name)
        except InputError as error:
            if len(needing) == len(runs):
                raise
            outcome.fail(needing, str(error))
    return [run for run in runs if run not in outcome.failed], outcome


def _spread(submit: Submit, groups: list[list[Run]], until: float | None, outcome: Outcome, bar: tqdm) -> None:
    """Run all groups on an engine and add what became of them to ``outcome``.

    Raises:
        Unwritable: as `execute_group`.
    """
    unseen = {paths.run_records() / f"{run.name}.json" for group in groups for run in group}
    with _interrupts_held():
        pending = {submit(group, until): group for group in groups}
    while pending:
        for future in wait(pending, POLL, FIRST_COMPLETED).done:
            group = pending.pop(future)
            try:
                result = future.result()
            except Unwritable:
                raise
            except Exception as error:  # the engine's, of a lost worker, or a defect in one kind of run
                result = Outcome()
                outcome.fail(missing(group), _explained(error))
            for run, reason in result.failed.items():
                outcome.fail([run], reason)
            outcome.left.extend(result.left)
        appeared = {path for path in unseen if path.exists()}
        unseen -= appeared
        bar.update(len(appeared))


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits, and never reaches processes started meanwhile: the command ends them itself."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _explained(error: Exception) -> str:
    if isinstance(error, BrokenProcessPool):
        return (
            "a worker process was killed, probably for lack of memory: run again with fewer --workers, "
            "it goes on from the last finished epoch"
        )
    if isinstance(error, CancelledError):
        return "the Dask scheduler has ended: start it again, then the same command goes on from what was written"
    reason = (str(error).strip().splitlines() or ["no reason given"])[0]
    return f"{type(error).__name__}: {reason}; run again with --workers 1 to see where"
