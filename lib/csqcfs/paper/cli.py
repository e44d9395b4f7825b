"""The command line behind run_all.sh: compute what is missing, execute the notebooks, list what was made."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..engine import files, paths
from ..engine.errors import InputError, Unwritable
from .experiments import profiles, registry
from .pages import notebooks
from .runs import estimate, fanout, records, runner

DONE, FAILED, REFUSED, OUT_OF_TIME, INTERRUPTED = 0, 1, 2, 3, 130


def parser() -> argparse.ArgumentParser:
    cli = argparse.ArgumentParser(
        prog="run_all.sh",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Regenerate the figures and tables of the paper.",
        epilog="artefacts:\n"
        + "\n".join(f"  {a.id:<18} {a.place}: {a.title}" for a in registry.ARTEFACTS)
        + "\n\nprofiles:\n"
        + "\n".join(f"  {p.name:<18} {p.summary}" for p in profiles.PROFILES.values())
        + "\n\nexit status:\n  0 all done, 1 some runs failed, 2 refused, 3 stopped by --hours, 130 by Ctrl-C",
    )
    cli.add_argument("--profile", default="demo", help="how large the experiments are (default: demo)")
    cli.add_argument("--only", metavar="ID", action="append", help="one artefact; may be given several times")
    cli.add_argument(
        "--seeds", type=int, metavar="N", help="train N seeds and report mean ± std (default: the profile's)"
    )
    cli.add_argument("--data", metavar="FOLDER", help="folder of the data sets (default: CSQCFS_DATA)")
    cli.add_argument("--workers", type=int, metavar="N", help="processes (default: 2 for demo, else 1)")
    cli.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="spread the runs over the workers of this Dask scheduler, "
        "one GPU each; all machines must share CSQCFS_HOME",
    )
    cli.add_argument(
        "--hours", type=float, metavar="H", help="stop computing at the last checkpoint before H hours have passed"
    )
    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = parser().parse_args(arguments)
    try:
        return run(options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return INTERRUPTED


def check(options: argparse.Namespace) -> None:
    """Refuse values that no run could use.

    Raises:
        InputError: the first of them.
    """
    for name in ("seeds", "workers"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise InputError(f"--{name} {value}: expected 1 or more")
    if options.hours is not None and not options.hours > 0:
        raise InputError(f"--hours {options.hours:g}: expected more than 0")
    if options.data is not None and not Path(options.data).expanduser().is_dir():
        raise InputError(f"--data {options.data}: no such folder; expected the one with cifar10 and cifar100")
    if options.dask is not None and options.workers is not None:
        raise InputError(f"--workers {options.workers} beside --dask: expected one of the two; leave it out")


def run(options: argparse.Namespace) -> int:
    """Compute, render and report; the exit status."""
    begin = time.time()
    profile = profiles.get(options.profile)
    artefacts = [registry.get(id) for id in dict.fromkeys(options.only or registry.IDS)]
    check(options)
    for folder in (paths.home(), paths.figures(profile.name)):
        files.require_writable(folder)
    seeds = profile.seeds if options.seeds is None else tuple(range(options.seeds))
    workers = options.workers or (min(2, os.cpu_count() or 1) if profile.name == "demo" else 1)
    runs = list(dict.fromkeys(run for artefact in artefacts for run in artefact.runs(profile, seeds)))
    todo = runner.missing(runs)
    at_once = 1 if options.dask else workers
    where = "on one worker" if options.dask else f"in {workers} process{'es' * (workers > 1)}"
    print(
        f"profile {profile.name}: {profile.summary}\n{len(runs)} runs, {len(todo)} to compute; "
        f"{len(artefacts)} notebooks",
        flush=True,
    )
    if todo:
        print(f"time to compute {where}: {_remaining(todo, runs, at_once)}", flush=True)
    engine = None
    if options.dask:
        engine = fanout.workers(options.dask)
    elif workers > 1:
        engine = runner.processes(workers)
    until = None if options.hours is None else begin + 3600 * options.hours
    try:
        outcome = runner.execute_all(todo, options.data, until, engine)
    except Unwritable:
        raise
    except InputError as error:  # no run can start, but records of the repository can be shown
        if not any(records.find(run, profile.name) for run in runs):
            raise
        outcome = runner.Outcome(dict.fromkeys(todo, str(error)))
    computed = time.time() - begin
    executed = notebooks.render_all(artefacts, profile, seeds, min(2, os.cpu_count() or 1))
    for page in executed:
        state = f"{page.seconds:5.1f} s" if page.fresh else "unchanged"
        print(f"{page.artefact.id:<18} {state:>10}  {', '.join(path.name for path in page.files)}")
    print(
        f"computed in {computed:.0f} s, rendered in {time.time() - begin - computed:.0f} s; "
        f"everything is in {paths.figures(profile.name)}",
        flush=True,
    )
    if outcome.left:
        print(
            f"stopped after {options.hours:g} h: {len(outcome.left)} runs left; time to compute them {where}: "
            f"{_remaining(outcome.left, runs, at_once)}; the same command goes on from the last finished epoch",
            file=sys.stderr,
        )
    for line in failures(outcome):
        print(line, file=sys.stderr)
    return FAILED if outcome.failed else OUT_OF_TIME if outcome.left else DONE


def failures(outcome: runner.Outcome) -> list[str]:
    """One line for each reason, with the runs that failed for it."""
    by_reason: dict[str, list[str]] = {}
    for run, reason in outcome.failed.items():
        by_reason.setdefault(reason, []).append(str(run))
    lines = [f"{len(outcome.failed)} runs failed; the same command tries them again"] if by_reason else []
    for reason, names in by_reason.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        lines.append(f"  {names[0]}{more}: {reason}")
    return lines


def _remaining(todo: list[runner.Run], runs: list[runner.Run], workers: int) -> estimate.Estimate:
    return estimate.remaining(runner.by_first_stage(todo), runs, workers)
