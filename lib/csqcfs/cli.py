"""The command line behind run_all.sh: compute what is missing, execute the notebooks, list what was made."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from . import notebooks, profiles, registry, runner
from .errors import InputError


def parser() -> argparse.ArgumentParser:
    cli = argparse.ArgumentParser(
        prog="run_all.sh", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Regenerate the figures and tables of the paper.",
        epilog="artefacts:\n" + "\n".join(f"  {a.id:<18} {a.place}: {a.title}" for a in registry.ARTEFACTS)
        + "\n\nprofiles:\n" + "\n".join(f"  {p.name:<18} {p.summary}" for p in profiles.PROFILES.values()),
    )
    cli.add_argument("--profile", default="demo", help="how large the experiments are (default: demo)")
    cli.add_argument("--only", metavar="ID", action="append", help="one artefact; may be given several times")
    cli.add_argument("--seeds", type=int, metavar="N", help="train N seeds and report mean ± std (default: the profile's)")
    cli.add_argument("--data", metavar="FOLDER", help="folder of the data sets (default: CSQCFS_DATA)")
    cli.add_argument("--workers", type=int, metavar="N", help="processes (default: 2 for demo, else 1)")
    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = parser().parse_args(arguments)
    try:
        return run(options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130


def run(options: argparse.Namespace) -> int:
    """Compute, render and report."""
    begin = time.monotonic()
    profile = profiles.get(options.profile)
    artefacts = [registry.get(id) for id in dict.fromkeys(options.only or registry.IDS)]
    if options.seeds is not None and options.seeds < 1:
        raise InputError(f"seeds = {options.seeds}: expected 1 or more")
    seeds = profile.seeds if options.seeds is None else tuple(range(options.seeds))
    workers = options.workers or (min(2, os.cpu_count() or 1) if profile.name == "demo" else 1)
    runs = list(dict.fromkeys(run for artefact in artefacts for run in artefact.runs(profile, seeds)))
    todo = runner.missing(runs)
    print(f"profile {profile.name}: {profile.summary}\n{len(runs)} runs, {len(todo)} to compute; "
          f"{len(artefacts)} notebooks", flush=True)
    runner.execute_all(todo, options.data, workers)
    computed = time.monotonic() - begin
    executed = notebooks.render_all(artefacts, profile, seeds, min(2, os.cpu_count() or 1))
    for page in executed:
        state = f"{page.seconds:5.1f} s" if page.fresh else "unchanged"
        print(f"{page.artefact.id:<18} {state:>10}  {', '.join(path.name for path in page.files)}")
    print(f"computed in {computed:.0f} s, rendered in {time.monotonic() - begin - computed:.0f} s; "
          f"everything is in {notebooks.paths.figures(profile.name)}")
    return 0
