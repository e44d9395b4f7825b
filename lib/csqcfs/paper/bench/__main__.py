"""python -m csqcfs.paper.bench: measure the table of speed, print it, and write its record."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from ...engine.errors import InputError
from ..experiments.configs import Run
from ..measures.kinds import measure
from ..runs import records
from . import report


def parser() -> argparse.ArgumentParser:
    cli = argparse.ArgumentParser(prog="python -m csqcfs.paper.bench", description=__doc__)
    cli.add_argument(
        "--rows",
        nargs="+",
        metavar="ROW",
        default=list(report.ROWS),
        help=f"which of {', '.join(report.ROWS)} (default: all)",
    )
    cli.add_argument("--quick", action="store_true", help="small sizes that show that it runs; no comparison")
    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    # the whole table is the run without options, which Table 6 declares
    chosen = {} if options.rows == list(report.ROWS) else {"rows": ",".join(options.rows)}
    run, begin = Run.of("bench", **chosen, **({"quick": True} if options.quick else {})), time.monotonic()
    try:
        metrics = measure(run)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    path = records.write(run, metrics, time.monotonic() - begin)
    print(report.table(metrics["lines"]))
    peers = ", ".join(f"{name} {version}" for name, version in metrics["versions"].items())
    print(
        f"\n{records.hardware()}, {metrics['threads']} threads; {peers}; ratios are medians over rounds in "
        f"which the compared functions take turns, with quartiles\n{path}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
