"""Inside a worker process. Light, so that it watches over its parent before the seconds that torch takes to import."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from multiprocessing import connection
from typing import TYPE_CHECKING

from ...engine import files

if TYPE_CHECKING:
    from ..experiments.configs import Run
    from .execution import Outcome


def start(threads: int) -> None:
    """Prepare this process, which ends with its parent, however that ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: files.end(143))

    import torch
    from tqdm import tqdm

    torch.set_num_threads(threads)
    tqdm.set_lock(threading.RLock())  # tqdm's own is a semaphore of the system, which a sudden end would leak


def compute(group: list[Run], until: float | None) -> Outcome:
    """`execution.execute_group`, imported where it is needed."""
    from .execution import execute_group

    return execute_group(group, until, patient=False)


def _end_with_parent() -> None:
    connection.wait([multiprocessing.parent_process().sentinel])
    files.end(1)
