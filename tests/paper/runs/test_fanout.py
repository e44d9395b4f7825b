"""Dask: a killed worker loses nothing, records are those of a run here, and what is wrong is said at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import uuid
from types import SimpleNamespace

import pytest
import torch
from csqcfs.data.augment import Augment
from csqcfs.engine import files, paths
from csqcfs.engine.errors import InputError
from csqcfs.paper.experiments import trainings
from csqcfs.paper.experiments.configs import Run, Stage, Training
from csqcfs.paper.runs import execution, fanout, records, runner
from tqdm import tqdm

FIRST = [
    Training(
        "digits",
        "resnet20",
        0.1,
        4,
        4.0,
        (Stage("qcfs", 3, 0.05),),
        seed=seed,
        batch_size=256,
        schedule="onecycle",
        augment=Augment(crop=1, flip=False, autoaugment=False, cutout=0),
    )
    for seed in (0, 1)
]
RUNS = [Run.of("accuracy", training, method="plain", images=20) for training in FIRST]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster


def seconds(training: Training) -> list[float]:
    return [epoch["seconds"] for epoch in trainings.history(training)]


@pytest.mark.large
def test_a_killed_worker_goes_on_from_its_checkpoint(cluster, home, tmp_path, monkeypatch):
    before: list[list[float]] = []
    ended = threading.Event()

    def kill():
        while not all(seconds(training) for training in FIRST):  # both workers have begun
            if ended.wait(0.2):
                return
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
        before.extend(seconds(training) for training in FIRST)

    watched = threading.Thread(target=kill, daemon=True)
    watched.start()
    bad = Run.of("accuracy", FIRST[0], method="nonsense")
    try:
        outcome = runner.execute_all([*RUNS, bad], engine=fanout.workers(cluster.scheduler_address))
    finally:
        ended.set()
        watched.join(60)
    assert list(outcome.failed) == [bad] and not outcome.left
    for training, done in zip(FIRST, before, strict=True):  # no epoch that was finished was computed again
        assert len(seconds(training)) == 3 and seconds(training)[: len(done)] == done
    assert sorted(p.name for p in paths.run_records().iterdir()) == sorted(f"{run.name}.json" for run in RUNS)
    assert not list((home / "fanout").iterdir())
    there = records.here(RUNS[0]).metrics

    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "serial"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as Dask's workers
    serial = runner.execute_all(RUNS[:1])
    torch.set_num_threads(threads)
    assert serial == execution.Outcome() and records.here(RUNS[0]).metrics == there


@pytest.mark.large
def test_time_is_up_on_workers_too(cluster):
    outcome = runner.execute_all(RUNS, time.time() - 1, fanout.workers(cluster.scheduler_address))
    assert set(outcome.left) == set(RUNS) and not outcome.failed and not paths.run_records().exists()


def test_finished_runs_are_not_sent(monkeypatch):
    for run in RUNS:
        records.write(run, {}, 1.0)
    assert runner.execute_all(RUNS, engine=fanout.workers("tcp://nowhere:1")) == execution.Outcome()


# the command that waits


def test_a_command_lives_as_long_as_its_lease_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(fanout, "BEAT", 0.02)
    monkeypatch.setattr(fanout, "PATIENCE", 0.5)
    gone = threading.Event()
    with fanout.leased(tmp_path) as lease:
        first = lease.read_text()
        with fanout.watched(lease) as go_on:
            assert go_on()
            while lease.read_text() in ("", first):  # it beats, for as long as this loop turns
                assert go_on()
    assert not lease.exists()
    lease.write_text("written by a process that was killed\n")
    for left in (True, False):
        with fanout.watched(lease) as go_on:
            if not left:
                lease.unlink()
            limit = time.monotonic() + 60
            while go_on() and time.monotonic() < limit:
                gone.wait(0.01)
            assert not go_on()


def test_a_lease_left_behind_is_removed_when_it_is_old(tmp_path):
    with fanout.leased(tmp_path) as lease:
        assert files.remove_leftovers([lease.parent]) == []
    lease.write_text("1\n")
    os.utime(lease, (1, 1))
    assert files.remove_leftovers([lease.parent]) == [lease]


@pytest.mark.large
def test_a_worker_stops_after_an_epoch_when_the_command_is_gone(monkeypatch):
    """It gives back what is left; a command that is there after all sends it again."""
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    outcome = execution.execute_group(RUNS[:1], go_on=lambda: asked.append(1) or len(asked) < 3)
    assert outcome.left == RUNS[:1] and len(trainings.history(FIRST[0])) == 1
    sent = []

    def submit(group, until):
        sent.append(group)
        future = execution.Future()
        future.set_result(execution.Outcome(left=group if len(sent) == 1 else []))
        return future

    total = execution.Outcome()
    with tqdm(disable=True) as bar:
        runner._spread(submit, [RUNS], None, total, bar)
    assert sent == [RUNS, RUNS] and total == execution.Outcome()


def test_a_cluster_without_workers_is_given_up(monkeypatch):
    monkeypatch.setattr(fanout, "BEAT", 0.02)
    monkeypatch.setattr(fanout, "ALONE", 0.1)
    pending = execution.Future()
    with fanout._given_up(SimpleNamespace(nthreads=dict), [pending]):
        with pytest.raises(execution.CancelledError) as caught:
            pending.result(60)
    assert execution.explained(caught.value).startswith("the Dask scheduler or its last worker has ended")


# workers that do not fit


def test_a_worker_must_see_the_folder_and_run_one_task_at_a_time(tmp_path, monkeypatch):
    def worker(threads: int):
        return SimpleNamespace(address="tcp://w:1", state=SimpleNamespace(nthreads=threads))

    monkeypatch.setenv("CSQCFS_HOME", "elsewhere")
    lease = tmp_path / "home" / "fanout" / uuid.uuid4().hex
    assert fanout.prepare(tmp_path / "home", lease, worker(1)) == (
        f"Dask worker tcp://w:1 does not see {tmp_path / 'home'}: expected a folder that all machines share; set "
        "CSQCFS_HOME to one"
    )
    files.write_text(lease, "")
    assert "has 8 threads: expected 1; start it with --nthreads 1" in fanout.prepare(
        tmp_path / "home", lease, worker(8)
    )
    assert fanout.prepare(tmp_path / "home", lease, worker(1)) is None
    assert paths.home() == tmp_path / "home"


def test_workers_with_threads_are_refused_before_anything_starts():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=":0", processes=False, protocol="tcp"
    ) as threaded:
        with pytest.raises(InputError, match="^Dask worker tcp://.* has 2 threads: expected 1; start it with"):
            runner.execute_all(RUNS, engine=fanout.workers(threaded.scheduler_address))


def test_a_worker_that_joined_late_and_does_not_fit_fails_its_group(monkeypatch, tmp_path):
    pytest.importorskip("distributed")
    monkeypatch.setattr("distributed.get_worker", lambda: SimpleNamespace(address="tcp://late:1"))
    outcome = fanout.execute_group(RUNS, None, tmp_path, tmp_path, tmp_path / "fanout" / "none")
    assert list(outcome.failed) == RUNS and "tcp://late:1 does not see" in outcome.failed[RUNS[0]]


# nobody there


def test_dask_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match="^--dask needs Dask distributed, .*: pip install 'dask"):
        runner.execute_all(RUNS, engine=fanout.workers("tcp://localhost:8786"))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "tcp://", "nope://x:1"])
def test_no_scheduler(monkeypatch, address):
    pytest.importorskip("distributed")
    monkeypatch.setattr(fanout, "ANSWER", 1)
    with pytest.raises(InputError, match="^no Dask scheduler answers at .*; start one with: dask sch") as caught:
        runner.execute_all(RUNS, engine=fanout.workers(address))
    assert "\n" not in str(caught.value)


@pytest.mark.large
def test_no_workers(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(fanout, "JOIN", 1)
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0", processes=False, protocol="tcp") as empty:
        with pytest.raises(InputError, match="has no workers: start some with: dask worker tcp://.* --nthreads 1"):
            runner.execute_all(RUNS, engine=fanout.workers(empty.scheduler_address))
