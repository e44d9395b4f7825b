"""``csqcfs run``, the command behind run_all.sh: compute what is missing, execute the notebooks, list what was made."""

from __future__ import annotations

import argparse
import os
import sys
import time

from ..engine import files, paths
from ..engine.errors import InputError, Unwritable
from .cli import DONE, FAILED, OUT_OF_TIME
from .experiments import profiles, registry
from .experiments.configs import Run
from .experiments.profile import Profile
from .names import count
from .pages import notebooks
from .runs import differences, estimate, execution, fanout, processes, records, runner


def main(options: argparse.Namespace) -> int:
    """Compute, render and report; the exit status.

    Raises:
        InputError: a damaged record, no run can start and no record can be shown, or results cannot be written.
    """
    begin = time.time()
    profile = profiles.get(options.profile)
    artefacts = [registry.get(id) for id in options.only or registry.IDS]
    for folder in (paths.home(), paths.figures(profile.name)):
        files.require_writable(folder)
    files.remove_leftovers(paths.written(profile.name))
    seeds = profile.seeds if options.seeds is None else tuple(range(options.seeds))
    _check_records(profile, seeds)
    runs = list(dict.fromkeys(run for artefact in artefacts for run in artefact.runs(profile, seeds)))
    todo = execution.missing(runs)
    workers = options.workers or (min(2, os.cpu_count() or 1) if profile.name == "demo" else 1)
    at_once = 1 if options.dask else workers
    where = "on one worker" if options.dask else f"in {count(workers, 'process')}"
    print(
        f"profile {profile.name}: {profile.summary}\n{count(len(runs), 'run')}, {len(todo)} to compute; "
        f"{count(len(artefacts), 'notebook')}",
        flush=True,
    )
    if todo:
        print(f"time to compute {where}: {_remaining(todo, runs, at_once, profile.name)}", flush=True)
    engine = None
    if options.dask:
        engine = fanout.workers(options.dask)
    elif workers > 1:
        engine = processes.processes(workers)
    until = None if options.hours is None else begin + 3600 * options.hours
    try:
        outcome = runner.execute_all(todo, until, engine)
    except Unwritable:
        raise
    except InputError as error:  # no run can start, but records of the repository can be shown
        if not any(records.find(run, profile.name) for run in runs):
            raise
        outcome = execution.Outcome(dict.fromkeys(todo, str(error)))
    computed = time.time() - begin
    unmade = []
    for page in notebooks.render_all(artefacts, profile, seeds, min(2, os.cpu_count() or 1)):
        print(line(page), flush=True)
        unmade += [f"  {page.failed}"] if page.failed else []
    print(
        f"computed in {computed:.0f} s, rendered in {time.time() - begin - computed:.0f} s; "
        f"everything is in {paths.figures(profile.name)}",
        flush=True,
    )
    for difference in differences.differences(profile.name):
        print(difference, flush=True)
    files.remove_leftovers(paths.written(profile.name))  # of those killed too short a time before this one began
    if outcome.left:
        print(
            f"stopped after {options.hours:g} h: {count(len(outcome.left), 'run')} left; time to compute them {where}: "
            f"{_remaining(outcome.left, runs, at_once, profile.name)}; "
            "the same command goes on from the last finished epoch",
            file=sys.stderr,
        )
    if unmade:
        print("\n".join([f"{count(len(unmade), 'notebook')} failed", *unmade]), file=sys.stderr)
    for reason in failures(outcome):
        print(reason, file=sys.stderr)
    return FAILED if outcome.failed or unmade else OUT_OF_TIME if outcome.left else DONE


def _check_records(profile: Profile, seeds: tuple[int, ...]) -> None:
    """Refuse a damaged record, of whichever artefact, before hours of computing: each page's claims rest on all.

    Raises:
        InputError: the first one.
    """
    for run in dict.fromkeys(
        run
        for artefact in registry.ARTEFACTS
        for each in (seeds, profile.seeds)
        for run in artefact.runs(profile, each)
    ):
        records.find(run, profile.name)


def line(page: notebooks.Executed) -> str:
    """What became of one artefact."""
    state = "failed" if page.failed else f"{page.seconds:.1f} s" if page.fresh else "unchanged"
    return f"{page.artefact.id:<18} {state:>10}  {count(len(page.files), 'file')}"


def failures(outcome: execution.Outcome) -> list[str]:
    """One line for each reason, with the runs that failed for it."""
    by_reason: dict[str, list[str]] = {}
    for run, reason in outcome.failed.items():
        by_reason.setdefault(reason, []).append(str(run))
    lines = [f"{count(len(outcome.failed), 'run')} failed; the same command tries them again"] if by_reason else []
    for reason, names in by_reason.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        lines.append(f"  {names[0]}{more}: {reason}")
    return lines


def _remaining(todo: list[Run], runs: list[Run], workers: int, profile: str) -> estimate.Estimate:
    return estimate.remaining(runner.by_first_stage(todo), runs, workers, profile)
