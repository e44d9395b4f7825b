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
from csqcfs.paper.runs import fanout, records, runner

FIRST = [
    Training(
        "digits",
        "resnet20",
        0.1,
        4,
        4.0,
        (Stage("qcfs", 8, 0.05),),
        seed=seed,
        batch_size=64,
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


def test_a_killed_worker_goes_on_from_its_checkpoint(cluster, home, tmp_path, monkeypatch):
    before: list[list[float]] = []

    def kill():
        while not all(len(seconds(training)) >= 2 for training in FIRST):  # both workers have begun
            time.sleep(0.02)
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
        before.extend(seconds(training) for training in FIRST)

    watched = threading.Thread(target=kill, daemon=True)
    watched.start()
    bad = Run.of("accuracy", FIRST[0], method="nonsense")
    outcome = runner.execute_all([*RUNS, bad], engine=fanout.workers(cluster.scheduler_address))
    watched.join()
    assert list(outcome.failed) == [bad] and not outcome.left
    assert min(len(done) for done in before) < 8  # at least the slower one was amid its training
    for training, done in zip(FIRST, before):  # no epoch that was finished was computed again
        assert len(seconds(training)) == 8 and seconds(training)[: len(done)] == done
    assert sorted(p.name for p in paths.run_records().iterdir()) == sorted(f"{run.name}.json" for run in RUNS)
    assert not list((home / "fanout").iterdir())
    there = [records.here(run).metrics for run in RUNS]

    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "serial"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as Dask's workers
    serial = runner.execute_all(RUNS)
    torch.set_num_threads(threads)
    assert serial == runner.Outcome() and [records.here(run).metrics for run in RUNS] == there


def test_time_is_up_on_workers_too(cluster):
    outcome = runner.execute_all(RUNS, time.time() - 1, fanout.workers(cluster.scheduler_address))
    assert set(outcome.left) == set(RUNS) and not outcome.failed and not paths.run_records().exists()


def test_finished_runs_are_not_sent(monkeypatch):
    for run in RUNS:
        records.write(run, {}, 1.0)
    assert runner.execute_all(RUNS, engine=fanout.workers("tcp://nowhere:1")) == runner.Outcome()


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


def test_no_workers(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(fanout, "JOIN", 1)
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0", processes=False, protocol="tcp") as empty:
        with pytest.raises(InputError, match="has no workers: start some with: dask worker tcp://.* --nthreads 1"):
            runner.execute_all(RUNS, engine=fanout.workers(empty.scheduler_address))
