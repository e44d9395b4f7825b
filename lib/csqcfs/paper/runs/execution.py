"""Compute runs in order, and note what became of those that got no record."""

from __future__ import annotations

import dataclasses
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

from tqdm import tqdm

from ...engine import files
from ...engine.errors import Busy, InputError, NonpositiveThreshold, Unwritable, shortage
from ...training.train import OutOfTime
from ..experiments import trainings
from ..experiments.configs import Run, Training
from ..measures.kinds import measure
from . import records

PAUSE = 2.0  # seconds before runs that another command computes are tried again


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


# Starts `execute_group` for a group of runs and a time to stop at, elsewhere.
Submit = Callable[[list[Run], float | None], Future]


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
