"""``python -m csqcfs``, the same as run_all.sh in an environment that is already there."""

import signal
import sys

from .paper.cli import main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system ends a job as Ctrl-C does
    sys.exit(main())
