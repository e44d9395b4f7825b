"""The command ``csqcfs``, also as ``python -m csqcfs``."""

from __future__ import annotations

import signal
import sys

from .paper.cli import main as read


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system ends a job as Ctrl-C does
    return read()


if __name__ == "__main__":
    sys.exit(main())
