"""``python -m csqcfs``, the same as run_all.sh in an environment that is already there."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
