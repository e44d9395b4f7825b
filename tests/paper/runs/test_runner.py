"""Running what is missing: data sets that cannot be read, interruptions lose nothing, engines, the bar."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import os
import threading
from concurrent.futures import Future

import pytest
from csqcfs.data.augment import Augment
from csqcfs.engine import paths
from csqcfs.engine.checkpoint import save_state
from csqcfs.engine.errors import InputError, Unwritable
from csqcfs.paper.experiments import profiles, trainings
from csqcfs.paper.experiments.configs import Run, Stage, Training
from csqcfs.paper.runs import execution, records, runner
from csqcfs.paper.runs.runner import execute_all
from torch.nn import functional as F
from tqdm import tqdm

BASE = Training(
    "digits",
    "resnet20",
    0.1,
    4,
    4.0,
    (Stage("qcfs", 2, 0.05),),
    batch_size=64,
    schedule="onecycle",
    augment=Augment(crop=1, flip=False, autoaugment=False, cutout=0),
)
FINE = dataclasses.replace(BASE, stages=(*BASE.stages, Stage("csqcfs", 1, 0.01)))
OTHER = dataclasses.replace(BASE, seed=1)
pytestmark = pytest.mark.usefixtures("small")


def accuracy(training: Training) -> Run:
    return Run.of("accuracy", training, method="plain", images=20)


def metrics(*runs: Run) -> list[dict]:
    return [records.here(run).metrics for run in runs]


def test_nothing_is_tried_when_nothing_can_be_written(measured):
    noted, failing = measured
    failing["full"] = Unwritable("cannot write x: No space left on device; free some space and run again")
    with pytest.raises(Unwritable, match="No space left"):
        execute_all([Run.of("full"), Run.of("next")])
    assert noted == [Run.of("full")]


def test_groups_by_first_stage():
    runs = [accuracy(BASE), Run.of("alone"), accuracy(OTHER), accuracy(FINE), Run.of("training", FINE)]
    assert runner.by_first_stage(runs) == [[runs[0], runs[3], runs[4]], [runs[1]], [runs[2]]]


# data sets


def test_an_unreadable_data_set_fails_its_own_runs_only(measured):
    noted, _ = measured
    far = [Run.of("x", dataclasses.replace(BASE, dataset="nowhere", seed=s)) for s in (0, 1)]
    outcome = execute_all([*far, Run.of("near", BASE)])
    assert noted == [Run.of("near", BASE)] and set(outcome.failed) == set(far)
    assert all(reason.startswith("data set 'nowhere': expected digits") for reason in outcome.failed.values())
    with pytest.raises(InputError, match="^data set 'nowhere'"):
        execute_all(far)


# interruptions


@pytest.mark.large
def test_ctrl_c_and_resume_equal_one_go(monkeypatch, tmp_path):
    runs = [accuracy(BASE), accuracy(FINE)]
    assert execute_all(runs) == execution.Outcome()
    whole = metrics(*runs)
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "second"))
    step, original = itertools.count(), F.cross_entropy

    def cross_entropy(*args, **kwargs):
        if next(step) in (3, 7):  # in epoch 2 of stage 1, then in epoch 1 of stage 2
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(F, "cross_entropy", cross_entropy)
    for done in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            execute_all(runs)
        assert len(execution.missing(runs)) == 2 - done
        assert not [p for p in paths.home().rglob("*") if p.name.startswith(".")]
    assert execute_all(runs) == execution.Outcome()
    assert metrics(*runs) == whole


# others at work


def test_what_others_compute_is_tried_again_on_an_engine():
    runs, tries = [Run.of("one"), Run.of("two")], []

    def submit(group, until):
        tries.append(group)
        future = execution.Future()
        future.set_result(execution.Outcome(busy=group if len(tries) == 1 else []))
        return future

    with tqdm(disable=True) as bar:
        runner._spread(submit, [runs], 1.0, execution.Outcome(), bar)
    assert tries == [runs, runs]


# what no check foresees


def test_what_measures_time_runs_last_and_alone(measured):
    """Nothing else is under way when the group of timed runs is handed to an engine."""
    runs = [Run.of("bench"), accuracy(BASE), Run.of("epoch_time", width=1.0)]
    under_way: list[Future] = []
    seen: list[tuple[list[str], bool]] = []

    def submit(group, until):
        seen.append(([run.kind for run in group], all(future.done() for future in under_way)))
        future = Future()
        under_way.append(future)
        threading.Timer(0.2, lambda: future.set_result(execution.execute_group(group, until))).start()
        return future

    outcome = runner.execute_all(runs, None, contextlib.nullcontext(submit))
    assert not outcome.failed and not execution.missing(runs)
    assert seen == [(["accuracy"], True), (["bench", "epoch_time"], True)]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ZeroDivisionError("by\nzero"), "ZeroDivisionError: by; run again with --workers 1 to see where"),
        (
            execution.CancelledError(),
            "the Dask scheduler or its last worker has ended: start it again, then the same command goes on from "
            "what was written",
        ),
    ],
)
def test_what_an_engine_reports_is_one_line(error, message):
    def submit(group, until):
        future = execution.Future()
        future.set_exception(error)
        return future

    outcome = execution.Outcome()
    records.write(Run.of("written"), {}, 1.0)
    with tqdm(disable=True) as bar:
        runner._spread(submit, [[Run.of("written"), Run.of("a")], [Run.of("b")]], None, outcome, bar)
    assert outcome.failed == dict.fromkeys([Run.of("a"), Run.of("b")], message)


# the bar


def test_the_bar_ends_at_its_total_but_for_what_is_left_and_shows_the_epoch_under_way(monkeypatch):
    """Also where runs fail, of which no record appears."""
    runs = [Run.of("a"), Run.of("b"), Run.of("c")]
    outcome = execution.Outcome({runs[1]: "no memory"}, [runs[2]])
    monkeypatch.setattr(runner, "_under_way", lambda stages: "resnet20 qcfs, epoch 3 of 12")

    def submit(group, until):
        future = Future()
        future.set_result(outcome)
        return future

    with tqdm(total=3, file=io.StringIO()) as bar:
        runner._spread(submit, [runs], 1.0, execution.Outcome(), bar)
        assert bar.n == 2 and bar.postfix == "resnet20 qcfs, epoch 3 of 12"


def test_the_epoch_under_way_is_that_of_the_latest_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))
    early, late = (profiles.get("demo").training("cifar10", name, "qcfs") for name in ("vgg16", "resnet20"))
    stages = {trainings.checkpoint_path(stage): stage for stage in (early, late)}
    assert runner._under_way(stages) == ""
    for age, (path, done) in enumerate(zip(stages, (5, 2), strict=True)):
        save_state(path, {}, {"history": [{"seconds": 1.0}] * done})
        os.utime(path, (1000 + age, 1000 + age))
    assert runner._under_way(stages) == "resnet20 qcfs, epoch 3 of 12"
