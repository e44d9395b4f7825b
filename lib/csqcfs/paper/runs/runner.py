"""Compute the runs that have no record yet: here in order, or group by group on an engine of several workers."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from ... import data
from ...engine import files
from ...engine.errors import Busy, InputError, NonpositiveThreshold, Unwritable, shortage
from ...training.train import OutOfTime
from ..experiments import trainings
from ..experiments.configs import Run, Training
from ..measures.kinds import measure
from . import estimate, records, results

POLL = 1.0  # seconds between looks at the records that other processes write
PAUSE = 2.0  # seconds before runs that another command computes are tried again

# Starts `execute_group` for a group of runs and a time to stop at, elsewhere.
Submit = Callable[[list[Run], float | None], Future]


@dataclass(frozen=True)
class Outcome:
    """What became of the runs that were to be computed, apart from those that have a record now.

    Attributes:
        failed: for each run that failed the reason, in one line.
        left: runs that there was no time for.
        busy: runs that another command is computing.
    """

    failed: dict[Run, str] = field(default_factory=dict)
    left: list[Run] = field(default_factory=list)
    busy: list[Run] = field(default_factory=list)

    def fail(self, runs: Iterable[Run], reason: str) -> None:
        """Note that ``runs`` failed; a new reason is shown at once."""
        if reason not in self.failed.values():
            tqdm.write(f"failed: {reason}", file=sys.stderr)
        self.failed.update(dict.fromkeys(runs, reason))


def missing(runs: Iterable[Run]) -> list[Run]:
    """The runs without a record on this machine, each once."""
    return [run for run in dict.fromkeys(runs) if not records.is_done(run)]


def execute(
    run: Run, deadline: float | None = None, go_on: Callable[[], bool] = lambda: True, progress: bool = True
) -> str:
    """Compute one run and write its record, unless it is there; the name of the run. Safe to repeat.

    Raises:
        InputError: settings or data that do not fit.
        StageDiverged: as `trainings.train`.
        OutOfTime: ``deadline`` or ``go_on``, see `fit`; the epochs done are in the checkpoint.
        Busy: another process computes it, or trains its network.
    """
    if not records.is_done(run):
        with files.lock(records.path_of(run)):
            begin = time.monotonic()
            try:
                metrics = measure(run, deadline=deadline, go_on=go_on, progress=progress)
            except NonpositiveThreshold as error:
                metrics = {"refused": str(error)}
            if not records.is_done(run):  # it may have been done just before the lock, or where locks do not work
                records.write(run, metrics, time.monotonic() - begin)
    return run.name


def execute_group(
    group: Sequence[Run],
    until: float | None = None,
    *,
    progress: bool = False,
    tick: Callable[[], object] = lambda: None,
    go_on: Callable[[], bool] = lambda: True,
    patient: bool = True,
) -> Outcome:
    """Compute runs in order. One that fails is noted, and so is, untried, every other that needs its training.

    Runs that another process computes at the moment are looked at again after the others.

    Args:
        until: time to stop at, in seconds of ``time.time()``: unlike ``time.monotonic()`` it means the same in
            every process and on every machine.
        tick: called after each run.
        go_on: asked before each run and each epoch.
        patient: wait where only runs are left that others compute; else they are given back.

    Raises:
        Unwritable: no further record or checkpoint can be written.
    """
    deadline = None if until is None else time.monotonic() + until - time.time()
    outcome, diverged, todo, busy = Outcome(), dict[Training, str](), deque(group), 0
    while todo:
        if not go_on() or (deadline is not None and time.monotonic() >= deadline):
            break
        run = todo.popleft()
        try:
            cause = next((diverged[t] for t in trainings.chain(run.training) if t in diverged), None)
            if cause is None:
                execute(run, deadline, go_on, progress)
            else:
                outcome.fail([run], cause)
        except OutOfTime:
            todo.appendleft(run)
            break
        except Busy:
            todo.append(run)
            busy += 1
            if busy == len(todo):
                if not patient:
                    return dataclasses.replace(outcome, busy=list(todo))
                time.sleep(PAUSE)
                busy = 0
            continue
        except Unwritable:
            raise
        except InputError as error:
            outcome.fail([run], str(error))
        except trainings.StageDiverged as error:
            diverged[error.training] = str(error)
            outcome.fail([run], str(error))
        except Exception as error:  # too little memory, or a defect in one kind of run
            outcome.fail([run], explained(error))
            if progress and shortage(error) is None:
                tqdm.write(traceback.format_exc(), file=sys.stderr)
        busy = 0
        tick()
    outcome.left.extend(todo)
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
    unseen = {records.path_of(run): run for group in groups for run in group}
    stages = {
        trainings.checkpoint_path(stage): stage for run in unseen.values() for stage in trainings.chain(run.training)
    }
    ended: set[Run] = set()
    pending: dict[Future, list[Run]] = {}
    waiting = [(0.0, group) for group in groups]  # with the time from which they can be tried
    while waiting or pending:
        now = time.monotonic()
        with _interrupts_held():
            pending |= {submit(group, until): group for due, group in waiting if due <= now}
        waiting = [(due, group) for due, group in waiting if due > now]
        if not pending:
            time.sleep(POLL)
        for future in wait(pending, POLL, FIRST_COMPLETED).done:
            group = pending.pop(future)
            try:
                result = future.result()
            except Unwritable:
                raise
            except Exception as error:  # the engine's, of a lost worker, or a defect in one kind of run
                result = Outcome()
                outcome.fail(missing(group), explained(error))
            for run, reason in result.failed.items():
                outcome.fail([run], reason)
            again = list(result.busy)
            if until is None:  # then a worker stopped because it thought that we were gone
                again += result.left
            else:
                outcome.left.extend(result.left)
            if again:
                waiting.append((time.monotonic() + PAUSE, again))
            ended |= set(group) - set(again)
        over = [path for path, run in unseen.items() if run in ended or path.exists()]
        for path in over:
            del unseen[path]
        bar.set_postfix_str(_under_way(stages), refresh=False)
        bar.update(len(over))


def _under_way(stages: dict[Path, Training]) -> str:
    """The training that last wrote a checkpoint, and its epoch, for beside the bar."""
    written = {path: path.stat().st_mtime for path in stages if path.exists()}
    if not written:
        return ""
    stage = stages[max(written, key=lambda path: written[path])]
    done, epochs = len(trainings.history(stage)), stage.stages[-1].epochs
    return f"{stage.network} {stage.activation}, epoch {min(done + 1, epochs)} of {epochs}"


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits, and never reaches processes started meanwhile: the command ends them itself."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def explained(error: Exception) -> str:
    """Why a run failed that no check had foreseen, in one line."""
    if isinstance(error, BrokenProcessPool):
        return (
            "a worker process was killed, probably for lack of memory: run again with fewer --workers, "
            "it goes on from the last finished epoch"
        )
    if isinstance(error, CancelledError):
        return (
            "the Dask scheduler or its last worker has ended: start it again, then the same command goes on from "
            "what was written"
        )
    if lacking := shortage(error):
        return f"{lacking}: run again with fewer --workers or on a larger machine"
    reason = (str(error).strip().splitlines() or ["no reason given"])[0]
    return f"{type(error).__name__}: {reason}; run again with --workers 1 to see where"
