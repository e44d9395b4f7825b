"""Running what is missing: failures stay with their run, time and interruptions lose nothing, engines agree."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import os
import threading
import time
from concurrent.futures import Future

import pytest
import torch
from csqcfs import data
from csqcfs.data.augment import Augment
from csqcfs.engine import files, paths
from csqcfs.engine.checkpoint import save_state
from csqcfs.engine.errors import InputError, Unwritable
from csqcfs.paper.experiments import profiles, trainings
from csqcfs.paper.experiments.configs import Run, Stage, Training
from csqcfs.paper.runs import records, runner
from csqcfs.paper.runs.runner import execute_all, execute_group
from csqcfs.training.train import OutOfTime, TrainingDiverged
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


def accuracy(training: Training) -> Run:
    return Run.of("accuracy", training, method="plain", images=20)


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    """A home of this test's own and 128 of the digits, in this process."""
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    whole = data.load

    def load(name, root=None, val=0, seed=0):
        splits = whole(name, root, 0)
        return data.Splits(*data.hold_out(data.hold_out(splits.train, 128, 5)[1], val, seed), splits.test)

    monkeypatch.setattr(data, "load", load)


@pytest.fixture
def measured(monkeypatch):
    """`measure` replaced: raises what ``failing`` says for a kind, else notes the run and gives no number."""
    noted, failing = [], {}

    def measure(run, **_):
        noted.append(run)
        if run.kind in failing:
            raise failing[run.kind]
        return {"kind": run.kind}

    monkeypatch.setattr(runner, "measure", measure)
    return noted, failing


def metrics(*runs: Run) -> list[dict]:
    return [records.here(run).metrics for run in runs]


# one run


def test_a_run_is_computed_once_and_never_over_a_record(measured):
    noted, _ = measured
    for _ in range(2):
        assert runner.execute(Run.of("one")) == Run.of("one").name
    assert noted == [Run.of("one")]
    assert runner.missing([Run.of("one"), Run.of("two"), Run.of("two")]) == [Run.of("two")]


def test_the_record_of_a_faster_worker_stays(monkeypatch):
    run = Run.of("one")

    def measure(run, **_):
        records.write(run, {"by": "the other"}, 1.0)
        return {"by": "this one"}

    monkeypatch.setattr(runner, "measure", measure)
    runner.execute(run)
    assert metrics(run) == [{"by": "the other"}]


# groups


def test_an_input_error_stays_with_its_run(measured, capsys):
    noted, failing = measured
    failing["bad"] = InputError("method = 'x': expected another")
    runs = [Run.of("first"), Run.of("bad"), Run.of("bad", again=1), Run.of("last")]
    ticks = []
    outcome = execute_group(runs, tick=lambda: ticks.append(1))
    assert noted == runs and len(ticks) == 4 and not outcome.left
    assert outcome.failed == {run: "method = 'x': expected another" for run in runs[1:3]}
    assert capsys.readouterr().err.count("failed: method = 'x'") == 1  # the same reason is shown once
    assert runner.missing(runs) == runs[1:3]


def test_a_diverged_stage_is_tried_once(monkeypatch):
    tried = []

    def fit(model, images, *, recipe, **_):
        tried.append((recipe.seed, recipe.epochs))
        if recipe.seed == 0:
            raise TrainingDiverged("loss is nan in step 3 of 4 of epoch 2: lower the learning rate (lr = 0.05)")
        return []

    monkeypatch.setattr(trainings, "fit", fit)
    runs = [Run.of("training", t) for t in (FINE, BASE, OTHER)] + [accuracy(FINE)]
    outcome = execute_group(runs)
    assert tried == [(0, 2), (1, 2)]
    assert set(outcome.failed) == {runs[0], runs[1], runs[3]} and records.is_done(runs[2])
    (reason,) = set(outcome.failed.values())
    assert reason.startswith("stage 1 of resnet20 on digits, L = 4, qcfs 2 epochs, seed 0 diverged: loss is nan")
    assert "\n" not in reason


def test_out_of_time_leaves_the_rest(measured):
    noted, failing = measured
    failing["long"] = OutOfTime("an epoch more would pass the deadline")
    runs = [Run.of("short"), Run.of("long"), Run.of("later")]
    assert execute_group(runs).left == runs[1:]
    assert noted == runs[:2]


def test_the_time_is_asked_before_each_run(measured, monkeypatch):
    noted, _ = measured
    runs = [Run.of("one"), Run.of("two")]
    assert execute_group(runs, until=time.time() - 1).left == runs and not noted
    assert execute_group(runs, go_on=lambda: not noted).left == runs[1:]
    assert not execute_group(runs, until=time.time() + 60).left


def test_the_deadline_reaches_the_training(monkeypatch):
    """``until`` is wall-clock time, `fit` counts on another clock."""
    seen = []
    monkeypatch.setattr(trainings, "fit", lambda model, images, *, deadline, **_: seen.append(deadline) or [])
    begin = time.monotonic()
    execute_group([Run.of("training", BASE)], until=time.time() + 100)
    assert begin + 99 < seen[0] < time.monotonic() + 101


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


def test_ctrl_c_and_resume_equal_one_go(monkeypatch, tmp_path):
    runs = [accuracy(BASE), accuracy(FINE)]
    assert execute_all(runs) == runner.Outcome()
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
        assert len(runner.missing(runs)) == 2 - done
        assert not [p for p in paths.home().rglob("*") if p.name.startswith(".")]
    assert execute_all(runs) == runner.Outcome()
    assert metrics(*runs) == whole


# others at work


def test_a_run_that_another_process_computes_is_looked_at_after_the_others(measured, monkeypatch):
    noted, _ = measured
    runs, pauses = [Run.of("one"), Run.of("two"), Run.of("three")], []
    with contextlib.ExitStack() as other:
        other.enter_context(files.lock(records.path_of(runs[0])))

        def done_meanwhile(seconds):
            pauses.append(seconds)
            records.write(runs[0], {"by": "the other"}, 1.0)
            other.close()

        monkeypatch.setattr(runner.time, "sleep", done_meanwhile)
        assert execute_group(runs) == runner.Outcome()
    assert noted == runs[1:] and metrics(runs[0]) == [{"by": "the other"}] and len(pauses) == 1


def test_an_impatient_worker_gives_back_what_others_compute(measured):
    noted, _ = measured
    runs = [Run.of("one"), Run.of("two")]
    with files.lock(records.path_of(runs[0])):
        assert execute_group(runs, patient=False) == runner.Outcome(busy=runs[:1])
    assert noted == runs[1:]


def test_a_network_that_another_process_trains_is_not_trained_twice(monkeypatch):
    fitted = []
    monkeypatch.setattr(trainings, "fit", lambda model, images, *, checkpoint, **_: fitted.append(checkpoint) or [])
    runs = [Run.of("training", FINE), Run.of("training", OTHER)]
    with files.lock(trainings.checkpoint_path(BASE)):  # the first stage of the first
        assert execute_group(runs, patient=False).busy == runs[:1]
    assert fitted == [trainings.checkpoint_path(OTHER)]


def test_what_others_compute_is_tried_again_on_an_engine():
    runs, tries = [Run.of("one"), Run.of("two")], []

    def submit(group, until):
        tries.append(group)
        future = runner.Future()
        future.set_result(runner.Outcome(busy=group if len(tries) == 1 else []))
        return future

    with tqdm(disable=True) as bar:
        runner._spread(submit, [runs], 1.0, runner.Outcome(), bar)
    assert tries == [runs, runs]


# what no check foresees


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "not enough memory: run again with fewer --workers or on a larger machine"),
        (
            torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
            "not enough memory on the GPU: run",
        ),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            "not enough memory: run",
        ),
        (OSError(24, "Too many open files"), "too few file descriptors (see ulimit -n): run"),
        (RuntimeError("shape\nmismatch"), "RuntimeError: shape; run again with --workers 1 to see where"),
    ],
)
def test_a_run_that_fails_does_not_stop_the_others(measured, capsys, error, reason):
    noted, failing = measured
    failing["bad"] = error
    runs = [Run.of("first"), Run.of("bad"), Run.of("last")]
    outcome = execute_group(runs, progress=True)
    assert noted == runs and list(outcome.failed) == [runs[1]] and outcome.failed[runs[1]].startswith(reason)
    assert "\n" not in outcome.failed[runs[1]]
    assert ("Traceback" in capsys.readouterr().err) == reason.startswith("RuntimeError")


def test_what_measures_time_runs_last_and_alone(measured):
    """Nothing else is under way when the group of timed runs is handed to an engine."""
    runs = [Run.of("bench"), accuracy(BASE), Run.of("epoch_time", width=1.0)]
    under_way: list[Future] = []
    seen: list[tuple[list[str], bool]] = []

    def submit(group, until):
        seen.append(([run.kind for run in group], all(future.done() for future in under_way)))
        future = Future()
        under_way.append(future)
        threading.Timer(0.2, lambda: future.set_result(runner.execute_group(group, until))).start()
        return future

    outcome = runner.execute_all(runs, None, contextlib.nullcontext(submit))
    assert not outcome.failed and not runner.missing(runs)
    assert seen == [(["accuracy"], True), (["bench", "epoch_time"], True)]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ZeroDivisionError("by\nzero"), "ZeroDivisionError: by; run again with --workers 1 to see where"),
        (
            runner.CancelledError(),
            "the Dask scheduler or its last worker has ended: start it again, then the same command goes on from "
            "what was written",
        ),
    ],
)
def test_what_an_engine_reports_is_one_line(error, message):
    def submit(group, until):
        future = runner.Future()
        future.set_exception(error)
        return future

    outcome = runner.Outcome()
    records.write(Run.of("written"), {}, 1.0)
    with tqdm(disable=True) as bar:
        runner._spread(submit, [[Run.of("written"), Run.of("a")], [Run.of("b")]], None, outcome, bar)
    assert outcome.failed == dict.fromkeys([Run.of("a"), Run.of("b")], message)


# the bar


def test_the_bar_ends_at_its_total_and_shows_the_epoch_under_way(monkeypatch):
    """Also where runs fail or are left, of which no record appears."""
    runs = [Run.of("a"), Run.of("b"), Run.of("c")]
    outcome = runner.Outcome({runs[1]: "no memory"}, [runs[2]])
    monkeypatch.setattr(runner, "_under_way", lambda stages: "resnet20 qcfs, epoch 3 of 12")

    def submit(group, until):
        future = Future()
        future.set_result(outcome)
        return future

    with tqdm(total=3, file=io.StringIO()) as bar:
        runner._spread(submit, [runs], 1.0, runner.Outcome(), bar)
        assert bar.n == 3 and bar.postfix == "resnet20 qcfs, epoch 3 of 12"


def test_the_epoch_under_way_is_that_of_the_latest_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))
    early, late = (profiles.get("demo").training("cifar10", name, "qcfs") for name in ("vgg16", "resnet20"))
    stages = {trainings.checkpoint_path(stage): stage for stage in (early, late)}
    assert runner._under_way(stages) == ""
    for age, (path, done) in enumerate(zip(stages, (5, 2), strict=True)):
        save_state(path, {}, {"history": [{"seconds": 1.0}] * done})
        os.utime(path, (1000 + age, 1000 + age))
    assert runner._under_way(stages) == "resnet20 qcfs, epoch 3 of 12"
