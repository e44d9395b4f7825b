"""The command killed at random moments, 20 times: nothing lost, nothing torn, nothing left running or lying about.

    pytest -m slow -o faulthandler_timeout=0 -s tests/paper/runs/test_killed.py

It prints its figures. CSQCFS_KILLS=20 says how often, CSQCFS_SEED=0 when.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from csqcfs.engine import files, paths
from csqcfs.engine.checkpoint import load_state

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("CSQCFS_KILLS", 20))
SHARES = {"serial": 0.35, "processes": 0.35, "dask": 0.3}
LIMIT = 1800  # seconds after which a command or a start counts as hanging
ORPHANS = 10  # seconds in which everything that a killed command started must have ended
EPOCH = 60  # seconds more for Dask's workers, which are not the command's: they end their epoch or their measurement

# The real command on a profile of its own: two seeds, each one first stage and four second ones.
COMMAND = """
import sys, dataclasses
if __name__ == "__main__":
    from csqcfs.paper import cli
    from csqcfs.paper.experiments import profiles
    from csqcfs.paper.experiments.profile import of_the_paper
    from csqcfs.paper.pages import notebooks
    profiles.PROFILES["tiny"] = dataclasses.replace(
        profiles.get("demo"), name="tiny", epochs=2, finetune_epochs=1, batch_size=128, seeds=(0, 1),
        networks={"resnet20": of_the_paper("resnet20", 0.1, like="cifar10", learning_rate=0.1)},
    )
    notebooks.render_all = lambda *_: []
    sys.exit(cli.main(["run", "--profile", "tiny", "--only", "ablation", *sys.argv[1:]]))
"""


class Place:
    """One home, in which commands are started."""

    def __init__(self, root: Path, arguments: list[str]):
        self.root, self.arguments, self.home = root, arguments, root / "home"
        root.mkdir(parents=True)
        (root / "command.py").write_text(COMMAND)
        self.environment = environment(root)

    def start(self) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, str(self.root / "command.py"), *self.arguments],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=(self.root / "err").open("w"),
            start_new_session=True,
        )

    def finish(self) -> None:
        """One command to its end."""
        with self.start() as command:
            assert command.wait(LIMIT) == 0, (self.root / "err").read_text()[-2000:]

    def results(self) -> dict[str, object]:
        """Records and checkpoints without what time and place put into them."""
        found: dict[str, object] = {}
        for path in sorted((self.home / "records").iterdir()):
            content = json.loads(path.read_text())
            found[path.name] = {key: content[key] for key in ("settings", "metrics")}
        for path in sorted((self.home / "checkpoints").iterdir()):
            tensors, metadata = load_state(path)
            history = [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in metadata["history"]]
            found[path.name] = ({name: t.tolist() for name, t in tensors.items()}, history)
        return found

    def temporary(self) -> list[str]:
        return [path.name for path in self.home.rglob("*") if files.MARK in path.name]

    def at_work(self, session: int) -> list[str]:
        """Processes of a session, and files that somebody is writing or holds."""
        found = [f"process {pid}" for pid in processes_of(session)]
        for folder in ("checkpoints", "records"):
            for lock in (self.home / folder).glob(f".*{files.MARK}lock"):
                if files.is_busy(lock.with_name(lock.name[1:].removesuffix(f"{files.MARK}lock"))):
                    found.append(lock.name)
        return found


def environment(root: Path) -> dict[str, str]:
    own = {"CSQCFS_HOME": root / "home", "CSQCFS_FIGURES": root / "figures", "PYTHONPATH": paths.REPOSITORY / "lib"}
    threads = {"OMP_NUM_THREADS": "1"}  # they decide the order of sums, so that all engines must have as many
    return os.environ | {key: str(value) for key, value in own.items()} | threads


def processes_of(session: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, *ids = stat.read_text().rpartition(")")[2].split()[:4]
            if state != "Z" and int(ids[2]) == session:
                found.append(int(stat.parent.name))
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[dict[str, object], float]:
    """What an undisturbed command leaves, and its seconds."""
    place = Place(tmp_path_factory.mktemp("undisturbed") / "place", ["--workers", "1"])
    begin = time.monotonic()
    place.finish()
    seconds = time.monotonic() - begin
    assert not place.temporary()
    return place.results(), seconds


@contextlib.contextmanager
def cluster(root: Path) -> Iterator[str]:
    """A scheduler and two workers; the address."""
    pytest.importorskip("distributed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    tools = (
        [sys.executable, "-m", "distributed.cli.dask_scheduler"],
        [sys.executable, "-m", "distributed.cli.dask_worker"],
    )
    quiet = {"env": environment(root), "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen([*tools[0], "--port", address.rpartition(":")[2], "--no-dashboard"], **quiet)]
    try:
        started += [
            subprocess.Popen([*tools[1], address, "--nthreads", "1", "--no-dashboard", "--no-nanny"], **quiet)
            for _ in range(2)
        ]
        yield address
    finally:
        for process in started:
            process.kill()
            process.wait(60)


@pytest.mark.parametrize("engine", SHARES)
def test_a_command_killed_at_any_moment(engine, undisturbed, tmp_path):
    expected, seconds = undisturbed
    moments = random.Random(f"{os.environ.get('CSQCFS_SEED', 0)} {engine}")
    wanted, kills, complete, slowest = round(SHARES[engine] * KILLS), 0, 0, 0.0
    limit = ORPHANS + EPOCH * (engine == "dask")
    with contextlib.ExitStack() as stack:
        arguments = {"serial": ["--workers", "1"], "processes": ["--workers", "2"]}.get(engine)
        place = Place(tmp_path / "0", arguments or ["--dask", stack.enter_context(cluster(tmp_path / "dask"))])
        while kills < wanted:
            command = place.start()
            try:
                command.wait(moments.uniform(0.1, 0.9) * seconds)
            except subprocess.TimeoutExpired:
                command.send_signal(signal.SIGKILL)
            if (status := command.wait(60)) == 0:  # it was done before: the next one begins anew
                assert place.results() == expected and not place.temporary()
                complete += 1
                place = Place(tmp_path / str(complete), place.arguments)
                continue
            assert status == -signal.SIGKILL, (place.root / "err").read_text()[-2000:]
            kills += 1
            begin = time.monotonic()
            while (left := place.at_work(command.pid)) and time.monotonic() - begin < limit:
                time.sleep(0.05)
            slowest = max(slowest, time.monotonic() - begin)
            assert not left, f"after kill {kills}: {left}"
            print(f"{engine}, kill {kills}: all had ended after {time.monotonic() - begin:.1f} s", flush=True)
        place.finish()
        assert place.results() == expected
        assert not place.temporary()
    print(
        f"\n{engine}: {kills} kills over {complete + 1} series, each equal to an undisturbed command ({seconds:.0f} s, "
        f"{len(expected)} records and checkpoints); everything had ended within {slowest:.1f} s"
    )
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_two_equal_commands_at_once_share_the_work(undisturbed, tmp_path):
    """What one computes the other waits for or passes over; they end like one."""
    expected, _ = undisturbed
    place = Place(tmp_path / "place", ["--workers", "1"])
    with place.start() as one, place.start() as two:
        assert (one.wait(LIMIT), two.wait(LIMIT)) == (0, 0), (place.root / "err").read_text()[-2000:]
    assert place.results() == expected and not place.temporary()
