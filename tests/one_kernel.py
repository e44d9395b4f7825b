"""For `pytest -p`: nbval runs the notebooks of a process one after another in one kernel, as the runner does.

Each would import PyTorch and matplotlib anew, which takes longer than most of them do; see `pages.warm`.
"""

from __future__ import annotations

import queue

from csqcfs.paper.pages.warm import FORGET
from nbval import plugin
from nbval.kernel import RunningKernel

FORGETS = 60  # seconds in which a kernel that works forgets what it was told
_kept: list[OneKernel] = []


class OneKernel(RunningKernel):
    """One that, told to stop, waits for the next notebook, if it still answers."""

    def stop(self) -> None:
        try:
            asked = self.execute_cell_input(FORGET, allow_stdin=False)
            self.await_reply(asked, FORGETS)
            self.await_idle(asked, FORGETS)
        except (queue.Empty, RuntimeError):
            super().stop()
        else:
            _kept.append(self)


def lent(kernel_name: str, cwd: str | None = None, startup_timeout: int = 60) -> OneKernel:
    while _kept:
        if (kernel := _kept.pop()).is_alive():
            return kernel
    return OneKernel(kernel_name, cwd, startup_timeout)


def pytest_configure() -> None:
    plugin.RunningKernel = lent


def pytest_unconfigure() -> None:
    for kernel in _kept:
        RunningKernel.stop(kernel)
