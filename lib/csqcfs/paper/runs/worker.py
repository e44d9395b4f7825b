"""Inside a worker process. Light, so that it watches over its parent before the seconds that torch takes to import."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..experiments.configs import Run
    from .execution import Outcome


def start(threads: int) -> None:
    """Prepare this process, which ends with its parent, however that ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    import torch
    from tqdm import tqdm

    torch.set_num_threads(threads)
    tqdm.set_lock(threading.RLock())  # tqdm's own is a semaphore of the system, which a sudden end would leak


def compute(group: list[Run], until: float | None) -> Outcome:
    """`execution.execute_group`; SIGTERM ends it once temporary files are gone, without torch's slow exit."""
    from .execution import execute_group

    try:
        return execute_group(group, until, patient=False)
    except SystemExit as ended:
        os._exit(ended.code)


def _end_with_parent() -> None:
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
