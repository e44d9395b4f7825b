"""The missing runs on the workers of a Dask cluster, with one command here.

Start ``dask scheduler`` on one machine and, for each GPU, ``dask worker ADDRESS --nthreads 1`` in an environment
that has csqcfs, then ``./run_all.sh --profile paper --dask ADDRESS``. All machines share CSQCFS_HOME and the data
folder. A task whose worker is lost goes to another one, which continues from the last checkpoint.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...engine import files, paths
from ...engine.errors import InputError
from ..experiments.configs import Run
from . import runner

if TYPE_CHECKING:  # an optional extra
    from distributed import Client, Worker

SCHEMES = ("tcp", "tls")
ANSWER = 10  # seconds in which a scheduler must answer
JOIN = 30  # seconds in which a first worker must have joined
RETRIES = 2  # of a task that fails for no reason of ours, as on a card without memory


@contextlib.contextmanager
def workers(address: str) -> Iterator[runner.Submit]:
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
    lease = home / "fanout" / uuid.uuid4().hex
    files.write_text(lease, "Workers go on while this file is here.\n")
    try:
        _prepare_all(client, address, home, lease)
        executor = client.get_executor(retries=RETRIES)
        images = paths.data_root().absolute()
        yield lambda group, until: executor.submit(execute_group, group, until, home, images, lease)
    finally:
        lease.unlink(missing_ok=True)
        client.close()


def _knock(address: str) -> None:
    """Open and close a connection, since a Dask client that finds nobody may wait for ever while it gives up.

    Raises:
        OSError, ValueError: nobody listens there, or it is no address.
    """
    parts = urlsplit(address)
    if parts.scheme not in SCHEMES or not parts.hostname or not parts.port:
        raise ValueError(address)
    socket.create_connection((parts.hostname, parts.port), ANSWER).close()


def execute_group(group: list[Run], until: float | None, home: Path, images: Path, lease: Path) -> runner.Outcome:
    """`runner.execute_group` on a worker, until ``lease`` is gone: then the command that waited has ended."""
    from distributed import get_worker

    if fault := prepare(home, lease, get_worker()):
        return runner.Outcome(dict.fromkeys(group, fault))
    with paths.data_in(images):
        return runner.execute_group(group, until, go_on=lease.exists)


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
