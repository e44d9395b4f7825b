"""Kernels that run one notebook after another: PyTorch and matplotlib are imported once, not again for each page.

Importing them takes longer than most pages do. Between two notebooks every name of the last one is forgotten; modules
stay. A kernel in which a notebook failed is not used again.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...engine import paths

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

KERNEL = "python3"
QUIET = ["--log-level=ERROR"]  # a kernel's warnings are not about our notebooks
START = 900  # seconds in which a kernel must answer: beside other work 60 were too few; a dead one is noticed at once
FORGET = "import matplotlib.pyplot; matplotlib.pyplot.close('all'); get_ipython().reset(new_session=True)"


class Kernels:
    """As many kernels as notebooks run at once; they end with the ``with`` block."""

    def __init__(self) -> None:
        self._idle: queue.SimpleQueue[AsyncKernelManager] = queue.SimpleQueue()

    def __enter__(self) -> Kernels:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                _end(self._idle.get_nowait())

    @contextlib.contextmanager
    def lend(self) -> Iterator[AsyncKernelManager]:
        """A kernel without names, to be used by this thread alone."""
        from jupyter_core.utils import run_sync

        try:
            kernel = self._idle.get_nowait()
        except queue.Empty:
            kernel = _start()
        try:
            yield kernel
            run_sync(_forget)(kernel)
        except BaseException:
            _end(kernel)
            raise
        self._idle.put(kernel)


def _start() -> AsyncKernelManager:
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import run_sync

    # no folder of specifications: one of that name there may start another interpreter than this
    kernel = AsyncKernelManager(kernel_name=KERNEL, kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    run_sync(kernel.start_kernel)(extra_arguments=QUIET, cwd=str(paths.notebooks()))
    return kernel


def _end(kernel: AsyncKernelManager) -> None:
    from jupyter_core.utils import run_sync

    run_sync(kernel.shutdown_kernel)(now=True)


async def _forget(kernel: AsyncKernelManager) -> None:
    client = kernel.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=START)
        await client.execute_interactive(FORGET, store_history=False, timeout=START, output_hook=lambda _: None)
    finally:
        client.stop_channels()
