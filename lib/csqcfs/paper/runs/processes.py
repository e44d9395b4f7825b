"""An engine of processes on this machine: each has its share of the cores, is replaced if it dies, and ends with us."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from tqdm import tqdm

from ..experiments.configs import Run
from . import worker
from .execution import Outcome, Submit

RETRIES = 1  # of a group whose process was killed; a second death is its own doing, such as its need for memory


@contextlib.contextmanager
def processes(workers: int) -> Iterator[Submit]:
    """``workers`` processes, each behind a thread of its own, so that the death of one is nobody else's."""
    others = set(multiprocessing.active_children())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shelf: queue.SimpleQueue[ProcessPoolExecutor | None] = queue.SimpleQueue()  # processes without work
    for _ in range(workers):
        shelf.put(None)  # to be started when it is needed
    ended, guard = threading.Event(), threading.Lock()

    def start() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), worker.start, (max(1, cores // workers),))

    def call(group: list[Run], until: float | None) -> Outcome:
        for retries in reversed(range(1 + RETRIES)):
            process = shelf.get()
            try:
                with guard:  # no process starts after the last look at which there are
                    if ended.is_set():
                        raise CancelledError
                    process = process or start()
                    future = process.submit(worker.compute, group, until)
                return future.result()
            except BrokenProcessPool:
                process, broken = None, process
                broken.shutdown()
                if ended.is_set() or not retries:
                    raise
                tqdm.write(
                    "a worker process was killed; another one goes on from the last finished epoch", file=sys.stderr
                )
            finally:
                shelf.put(process)
        raise AssertionError("the last try returns or raises")

    threads = ThreadPoolExecutor(workers)
    try:
        yield lambda group, until: threads.submit(call, group, until)
        threads.shutdown()
        for _ in range(workers):
            if (process := shelf.get()) is not None:
                process.shutdown()
    except BaseException:
        with guard:
            ended.set()
        threads.shutdown(wait=False, cancel_futures=True)
        started = set(multiprocessing.active_children()) - others
        for process in started:
            process.terminate()
        for process in started:
            process.join(5)
            process.kill()
            process.join(5)  # gone, not only told to go
        # An executor's thread that still ends while Python does has closed the pipe that Python then writes to
        threads.shutdown()
        while not shelf.empty():
            if (process := shelf.get()) is not None:
                process.shutdown()
        raise
