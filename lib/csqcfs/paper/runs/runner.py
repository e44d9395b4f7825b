"""Compute the runs that have no record yet: here, or group by group on an engine of several workers."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from pathlib import Path

from tqdm import tqdm

from ... import data
from ...engine.errors import InputError, Unwritable
from ..experiments import trainings
from ..experiments.configs import Run, Training
from . import estimate, records, results
from .execution import PAUSE, Outcome, Submit, execute_group, explained, missing

POLL = 1.0  # seconds between looks at the records that other processes write


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
            ended |= set(group) - set(again) - set(result.left)
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
