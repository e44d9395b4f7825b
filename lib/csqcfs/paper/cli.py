"""The command line: ``csqcfs run | bench | publish | sync | readme``, also ``python -m csqcfs`` and run_all.sh.

What does the work is imported after the arguments were read and found good, so that a typing error costs no second.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from ..engine import paths
from ..engine.errors import InputError, shortage
from .experiments import profiles, registry

DONE, FAILED, REFUSED, OUT_OF_TIME, INTERRUPTED = 0, 1, 2, 3, 130
# command: (module with main(options), whether it needs the repository, what it does)
COMMANDS = {
    "run": ("make", True, "regenerate the figures and tables of the paper"),
    "bench": ("bench.command", False, "measure the table of speed"),
    "publish": ("publish", True, "copy records and small networks of a profile into the repository"),
    "sync": ("pages.sync", True, "bring the notebooks in line with their .py and store their outputs"),
    "readme": ("pages.readme", True, "renew the tables of the README from the records"),
}


def parser() -> argparse.ArgumentParser:
    cli = argparse.ArgumentParser(
        prog="csqcfs", description="Companion of the paper CS-QCFS; what each command takes: csqcfs COMMAND --help."
    )
    commands = cli.add_subparsers(dest="command", required=True, metavar="COMMAND")
    adders = {"run": _run, "bench": _bench, "publish": _publish, "sync": _sync}
    for name, (_, _, purpose) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=purpose,
            description=f"{purpose[0].upper()}{purpose[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(refuse=command.error)
        adders.get(name, lambda command: None)(command)
    return cli


def _run(command: argparse.ArgumentParser) -> None:
    command.epilog = "\n\n".join(
        [
            _listed("artefacts", {a.id: f"{a.place}: {a.title}" for a in registry.ARTEFACTS}),
            _listed("profiles", {p.name: p.summary for p in profiles.PROFILES.values()}),
            "exit status:\n  0 all done, 1 some runs failed, 2 refused, 3 stopped by --hours, 130 by Ctrl-C",
        ]
    )
    command.add_argument("--profile", default="demo", help="how large the experiments are (default: demo)")
    command.add_argument(
        "--only", metavar="ID", nargs="+", action="extend", help="these artefacts, with spaces or commas between"
    )
    command.add_argument(
        "--seeds", type=int, metavar="N", help="train N seeds and report mean ± std (default: the profile's)"
    )
    _data(command)
    command.add_argument("--workers", type=int, metavar="N", help="processes (default: 2 for demo, else 1)")
    command.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="spread the runs over the workers of this Dask scheduler, one GPU each; all machines must share "
        "CSQCFS_HOME. Dask runs what it is sent: whoever reaches a tcp:// scheduler can run code on all of them, so "
        "use tls:// where others are in the network",
    )
    command.add_argument(
        "--hours", type=float, metavar="H", help="stop computing at the last checkpoint before H hours have passed"
    )


def _bench(command: argparse.ArgumentParser) -> None:
    command.add_argument("--rows", nargs="+", metavar="ROW", action="extend", help="these rows of the table")
    command.add_argument("--quick", action="store_true", help="small sizes that show that it runs; no comparison")


def _publish(command: argparse.ArgumentParser) -> None:
    command.add_argument("--profile", required=True, help=f"one of {', '.join(profiles.PROFILES)}")
    _data(command)


def _sync(command: argparse.ArgumentParser) -> None:
    command.add_argument("notebooks", nargs="*", metavar="NAME", help="these notebooks (default: all)")


def _data(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", metavar="FOLDER", help="folder of the data sets (default: CSQCFS_DATA)")


def _listed(title: str, lines: dict[str, str]) -> str:
    """Names with what they are, wrapped as argparse wraps the options."""
    width, hang = max(shutil.get_terminal_size().columns - 2, 60), " " * 21
    wrapped = (textwrap.fill(f"  {name:<18} {text}", width, subsequent_indent=hang) for name, text in lines.items())
    return "\n".join([f"{title}:", *wrapped])


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line; the exit status."""
    options, surplus = parser().parse_known_args(arguments)
    if surplus:
        options.refuse(f"unrecognized arguments: {' '.join(surplus)}")
    module, needs_repository, _ = COMMANDS[options.command]
    try:
        if needs_repository and not paths.in_repository():
            raise InputError(
                f"csqcfs {options.command} needs the repository, which is not around {Path(__file__).parents[1]}: "
                "clone it and call ./run_all.sh there"
            )
        check(options)
        paths.anchor()
        with paths.data_in(vars(options).get("data")):
            return importlib.import_module(f".{module}", __package__).main(options)
    except ModuleNotFoundError as error:
        if (error.name or "csqcfs").startswith("csqcfs"):
            raise
        extra = "pip install 'csqcfs[paper]', or ./run_all.sh in a checkout"
        print(f"error: csqcfs {options.command} needs {error.name}, which is not installed: {extra}", file=sys.stderr)
        return REFUSED
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    except (ImportError, MemoryError, OSError, RuntimeError) as error:
        if (lacking := shortage(error)) is None:
            raise
        print(f"error: {lacking}: try again with more of it, or with fewer --workers", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return INTERRUPTED


def check(options: argparse.Namespace) -> None:
    """Refuse values that no command could use; ``options.only`` becomes the ids, each once.

    Raises:
        InputError: the first of them.
    """
    given = vars(options)
    if "profile" in given:
        profiles.get(options.profile)
    if given.get("only") is not None:
        ids = dict.fromkeys(id for word in options.only for id in word.split(",") if id)
        if not ids:
            raise InputError(f"--only {' '.join(options.only)!r}: expected an artefact, such as table1")
        options.only = [registry.get(id).id for id in ids]
    for name in ("seeds", "workers"):
        if (value := given.get(name)) is not None and value < 1:
            raise InputError(f"--{name} {value}: expected 1 or more")
    if (hours := given.get("hours")) is not None and not hours > 0:
        raise InputError(f"--hours {hours:g}: expected more than 0")
    if (data := given.get("data")) is not None and not (data and paths.of_user(data).is_dir()):
        raise InputError(f"--data {data or repr(data)}: no such folder; expected the one with cifar10 and cifar100")
    if given.get("dask") is not None and given.get("workers") is not None:
        raise InputError(f"--workers {options.workers} beside --dask: expected one of the two; leave it out")
