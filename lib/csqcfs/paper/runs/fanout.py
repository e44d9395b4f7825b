"""The missing runs on the workers of a Dask cluster, with one command here.

Start ``dask scheduler`` on one machine and, for each GPU, ``dask worker ADDRESS --nthreads 1`` in an environment
that has csqcfs, then ``./run_all.sh --profile paper --dask ADDRESS``. All machines share CSQCFS_HOME and the data
folder. A task whose worker is lost goes to another one, which continues from the last checkpoint; where none is
left, the command ends and says so. Workers stop after an epoch when the command is gone, however that went.

Dask runs whatever its scheduler is sent, so tcp:// is for networks where everybody who reaches the scheduler may run
programs; elsewhere, tls:// with certificates (``dask scheduler --tls-ca-file ...``) and their paths in Dask's
configuration, which `Client` reads.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...engine import files, paths
from ...engine.errors import InputError
from ..experiments.configs import Run
from . import execution

if TYPE_CHECKING:  # an optional extra
    from distributed import Client, Worker

SCHEMES = ("tcp", "tls")
ANSWER = 10  # seconds in which a scheduler must answer
JOIN = 30  # seconds in which a first worker must have joined
RETRIES = 2  # of a task that fails for no reason of ours, as on a card without memory
BEAT = 1.0  # seconds between two signs of life of the command
PATIENCE = 5.0  # seconds without one after which a worker takes the command for gone
ALONE = 15.0  # seconds without any worker after which the command gives up


@contextlib.contextmanager
def workers(address: str) -> Iterator[execution.Submit]:
    """An engine of the workers that the scheduler at ``address`` has, now or later.

    Raises:
        InputError: Dask is not installed; no scheduler or worker answers; a worker that does not fit.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(
            "--dask needs Dask distributed, which is not installed: pip install 'dask[distributed]'"
        ) from error
    try:
        _knock(address)
        client = Client(address, timeout=ANSWER)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"no Dask scheduler answers at {address!r}: expected an address like "
            "tcp://scheduler:8786; start one with: dask scheduler"
        ) from error
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # a lost scheduler is told in one line
    home = paths.home().absolute()
    try:
        with leased(home) as lease:
            _prepare_all(client, address, home, lease)
            executor = client.get_executor(retries=RETRIES)
            images = paths.data_root().absolute()
            futures: list[Future] = []

            def submit(group: list[Run], until: float | None) -> Future:
                futures.append(executor.submit(execute_group, group, until, home, images, lease))
                return futures[-1]

            with _given_up(client, futures):
                yield submit
    finally:
        client.close()


@contextlib.contextmanager
def leased(home: Path) -> Iterator[Path]:
    """A file that changes every `BEAT` seconds while this process lives; it goes in the end."""
    lease, ended = home / "fanout" / f".lease{files.MARK}{uuid.uuid4().hex}", threading.Event()
    files.write_text(lease, "")

    def beat() -> None:
        number = 0
        while not ended.wait(BEAT):
            number += 1
            with contextlib.suppress(OSError):
                lease.write_text(f"{number}\n")  # not renamed over: a network folder remembers names for long

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        ended.set()
        thread.join()
        lease.unlink(missing_ok=True)


@contextlib.contextmanager
def watched(lease: Path) -> Iterator[Callable[[], bool]]:
    """Whether the command behind ``lease`` is still there, as a function that may be asked at any time."""
    gone, ended = threading.Event(), threading.Event()

    def look() -> None:
        last, since = "", time.monotonic()
        while not gone.is_set() and not ended.wait(BEAT / 2):
            with contextlib.suppress(OSError):
                if not lease.exists():
                    gone.set()
                elif (now := lease.read_text()) != last:
                    last, since = now, time.monotonic()
            if time.monotonic() - since > PATIENCE:
                gone.set()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield lambda: not gone.is_set()
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def _given_up(client: Client, futures: list[Future]) -> Iterator[None]:
    """Cancel ``futures`` once the cluster has been without workers for `ALONE` seconds."""
    ended = threading.Event()

    def look() -> None:
        since = time.monotonic()
        while not ended.wait(BEAT):
            try:
                if client.nthreads():
                    since = time.monotonic()
            except Exception:  # a scheduler that is gone cancels them itself
                continue
            if time.monotonic() - since > ALONE:
                for future in futures:
                    future.cancel()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(ANSWER)


def _knock(address: str) -> None:
    """Open and close a connection, since a Dask client that finds nobody may wait for ever while it gives up.

    Raises:
        OSError, ValueError: nobody listens there, or it is no address.
    """
    parts = urlsplit(address)
    if parts.scheme not in SCHEMES or not parts.hostname or not parts.port:
        raise ValueError(address)
    socket.create_connection((parts.hostname, parts.port), ANSWER).close()


def execute_group(group: list[Run], until: float | None, home: Path, images: Path, lease: Path) -> execution.Outcome:
    """`execution.execute_group` on a worker, until the command behind ``lease`` is gone."""
    from distributed import get_worker

    if fault := prepare(home, lease, get_worker()):
        return execution.Outcome(dict.fromkeys(group, fault))
    with paths.data_in(images), watched(lease) as go_on:
        return execution.execute_group(group, until, go_on=go_on, patient=False)


def prepare(home: Path, lease: Path, dask_worker: Worker) -> str | None:
    """Let a worker use ``home``; why it cannot, if so. Dask fills ``dask_worker`` by its name."""
    who = f"Dask worker {dask_worker.address}"
    if not lease.exists():
        return f"{who} does not see {home}: expected a folder that all machines share; set CSQCFS_HOME to one"
    if (threads := dask_worker.state.nthreads) != 1:  # random numbers of tasks in one process would mix
        return f"{who} has {threads} threads: expected 1; start it with --nthreads 1"
    os.environ["CSQCFS_HOME"] = str(home)
    return None


def _prepare_all(client: Client, address: str, home: Path, lease: Path) -> None:
    """Refuse workers on which every task would fail.

    Raises:
        InputError: there is none, or the first that does not fit.
    """
    try:
        client.wait_for_workers(1, timeout=JOIN)
    except TimeoutError as error:
        raise InputError(
            f"the Dask scheduler at {address} has no workers: start some with: dask worker {address} --nthreads 1"
        ) from error
    for worker, found in client.run(prepare, home, lease, on_error="return").items():
        if isinstance(found, Exception):
            raise InputError(
                f"Dask worker {worker} cannot run csqcfs ({type(found).__name__}: {found}): install "
                "the same version in its environment"
            )
        if found is not None:
            raise InputError(found)
