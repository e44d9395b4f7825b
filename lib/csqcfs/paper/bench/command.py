"""``csqcfs bench``: measure the table of speed, print it, and write its record."""

from __future__ import annotations

import argparse
import time

from ...engine import files, paths
from ..experiments.configs import Run
from ..measures.kinds import measure
from ..runs import records
from . import report


def main(options: argparse.Namespace) -> int:
    """Measure the rows that were asked for; the exit status.

    Raises:
        InputError: a row that does not exist, or a folder for its record that cannot be written to.
    """
    files.require_writable(paths.run_records())
    # the whole table is the run without options, which Table 6 declares
    chosen = {} if options.rows is None else {"rows": ",".join(options.rows)}
    run, begin = Run.of("bench", **chosen, **({"quick": True} if options.quick else {})), time.monotonic()
    metrics = measure(run)
    path = records.write(run, metrics, time.monotonic() - begin)
    print(report.table(metrics["lines"]))
    peers = ", ".join(f"{name} {version}" for name, version in metrics["versions"].items())
    print(
        f"\n{records.hardware(metrics['device'])}, {metrics['threads']} threads; {peers}; ratios are medians over "
        f"rounds in which the compared functions take turns, with quartiles\n{path}"
    )
    return 0
