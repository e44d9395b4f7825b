"""Processes: records are those of one process, a killed one is replaced, and none outlives the command."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import popen_fork

import pytest
import torch
from csqcfs.data.augment import Augment
from csqcfs.engine import paths
from csqcfs.paper.experiments.configs import Run, Stage, Training
from csqcfs.paper.runs import processes, records
from csqcfs.paper.runs.execution import explained
from csqcfs.paper.runs.runner import execute_all

BASE = Training(
    "digits",
    "resnet20",
    0.1,
    4,
    4.0,
    (Stage("qcfs", 1, 0.05),),
    batch_size=64,
    schedule="onecycle",
    augment=Augment(crop=1, flip=False, autoaugment=False, cutout=0),
)
OTHER = dataclasses.replace(BASE, seed=1)


def accuracy(training: Training) -> Run:
    return Run.of("accuracy", training, method="plain", images=20)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))


def metrics(*runs: Run) -> list[dict]:
    return [records.here(run).metrics for run in runs]


@pytest.mark.large
def test_processes_agree_with_one_process(monkeypatch, tmp_path):
    monkeypatch.undo()  # workers see all digits, so this process must too
    runs = [accuracy(BASE), Run.of("nonsense", BASE), accuracy(OTHER), Run.of("accuracy", BASE, method="x")]
    before, found = torch.get_num_threads(), []
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))  # as the workers: it decides the order of sums
    for home, engine in (("here", None), ("there", processes.processes(2))):
        monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / home))
        outcome = execute_all(runs, engine=engine)
        assert set(outcome.failed) == {runs[1], runs[3]} and "expected one of" in outcome.failed[runs[1]]
        found.append(metrics(runs[0], runs[2]))
    torch.set_num_threads(before)
    assert found[0] == found[1] and found[0][0]["images"] == 20


@pytest.mark.large
def test_time_is_up_in_processes_too():
    runs = [accuracy(BASE), accuracy(OTHER)]
    outcome = execute_all(runs, until=time.time() - 1, engine=processes.processes(1))
    assert set(outcome.left) == set(runs) and not outcome.failed


@pytest.fixture
def light(monkeypatch):
    """Workers that import nothing; a group is then a piece of Python, and ``until`` its variables."""
    monkeypatch.setattr(processes.worker, "start", int)
    monkeypatch.setattr(processes.worker, "compute", exec)


DIE = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


def test_a_killed_process_is_replaced_and_goes_on(light, tmp_path, capsys):
    once = f"import pathlib; p = pathlib.Path({str(tmp_path / 'tried')!r}); first = not p.exists(); p.touch()\n"
    once += f"if first: {DIE}"
    with processes.processes(1) as submit:
        assert submit(once, None).result(60) is None and (tmp_path / "tried").exists()
        assert submit("", None).result(60) is None
    assert "a worker process was killed; another one goes on from the last finished epoch" in capsys.readouterr().err


def test_the_second_death_is_told_and_nobody_elses(light):
    with processes.processes(2) as submit:
        dying, others = submit(DIE, None), [submit("import time; time.sleep(0.2)", None) for _ in range(3)]
        with pytest.raises(BrokenProcessPool) as caught:
            dying.result(60)
        assert "killed, probably for lack of memory: run again with fewer --workers" in explained(caught.value)
        assert [other.result(60) for other in others] == [None] * 3
        assert submit("", None).result(60) is None


@pytest.mark.large
def test_a_worker_that_is_told_to_end_in_a_callback_does_so_quietly(monkeypatch, capfd):
    """Where Python loses exceptions, as its own import does at times for a weak reference."""
    monkeypatch.setattr(processes.worker, "compute", exec)
    told = "import signal, weakref; it = set()\n"
    told += "watch = weakref.ref(it, lambda _, send=signal.raise_signal: send(15)); del it"
    with processes.processes(1) as submit, pytest.raises(BrokenProcessPool):
        submit(told, None).result(120)
    assert "Traceback" not in capfd.readouterr().err


def test_an_interrupted_command_leaves_no_process_and_no_thread(light):
    """A thread of an executor that ends while Python does would make it write to a closed pipe, and say so."""
    before, threads = set(multiprocessing.active_children()), set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        with processes.processes(3) as submit:
            assert submit("", None).result(60) is None  # whose process waits for more
            long = [submit("import time; time.sleep(600)", None) for _ in range(2)]
            raise KeyboardInterrupt
    assert set(multiprocessing.active_children()) <= before
    assert set(threading.enumerate()) <= threads
    begun = [future for future in long if not future.cancelled()]
    done, waiting = wait(begun, 60)
    assert not waiting and all(future.exception() for future in done)


def test_a_process_that_another_thread_saw_end_is_gone_too(light, monkeypatch):
    """The system tells a process's end once, and the executor's own thread may be the one that hears it."""

    def poll(self, flag=os.WNOHANG):
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, flag)
            except ChildProcessError:
                return None
            if pid:
                time.sleep(0.3)  # as on a machine that is busy just then
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    monkeypatch.setattr(popen_fork.Popen, "poll", poll)
    before = set(multiprocessing.active_children())
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt), processes.processes(2) as submit:
            submit("import time; time.sleep(600)", None), submit("import time; time.sleep(600)", None)
            raise KeyboardInterrupt
        assert set(multiprocessing.active_children()) <= before


def test_workers_end_with_a_command_that_was_killed(tmp_path):
    """Both the one at work and those that wait for some."""
    code = (
        "if __name__ == '__main__':\n"  # what stands above it every worker does first
        "    import multiprocessing, time\n"
        "    from csqcfs.paper.runs import processes\n"
        "    with processes.processes(2) as submit:\n"
        "        [submit([], None) for _ in range(2)]\n"
        "        while len(multiprocessing.active_children()) < 2: time.sleep(0.05)\n"
        "        print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "        time.sleep(600)\n"
    )
    (tmp_path / "command.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(paths.REPOSITORY / "lib")}
    command = subprocess.Popen(
        [sys.executable, str(tmp_path / "command.py")], stdout=subprocess.PIPE, text=True, env=environment
    )
    with command:
        children = [int(word) for word in command.stdout.readline().split()]
        command.kill()
    assert len(children) == 2
    limit = time.monotonic() + 60
    while any(_runs(child) for child in children) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not [child for child in children if _runs(child)]


def _runs(pid: int) -> bool:
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
