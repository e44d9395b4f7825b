"""Runs in order: each once, failures stay with their run, time and other processes lose nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import time

import pytest
import torch
from csqcfs.engine import files
from csqcfs.engine.errors import InputError
from csqcfs.paper.experiments import profiles, trainings
from csqcfs.paper.experiments.configs import Run
from csqcfs.paper.runs import execution, records
from csqcfs.paper.runs.execution import execute_group
from csqcfs.training.train import OutOfTime, TrainingDiverged

FINE = profiles.get("demo").training("cifar10", "resnet20", "csqcfs")
BASE = dataclasses.replace(FINE, stages=FINE.stages[:1])
OTHER = dataclasses.replace(BASE, seed=1)
pytestmark = pytest.mark.usefixtures("small")


# one run


def test_a_run_is_computed_once_and_never_over_a_record(measured):
    noted, _ = measured
    for _ in range(2):
        assert execution.execute(Run.of("one")) == Run.of("one").name
    assert noted == [Run.of("one")]
    assert execution.missing([Run.of("one"), Run.of("two"), Run.of("two")]) == [Run.of("two")]


def test_the_record_of_a_faster_worker_stays(monkeypatch):
    run = Run.of("one")

    def measure(run, **_):
        records.write(run, {"by": "the other"}, 1.0)
        return {"by": "this one"}

    monkeypatch.setattr(execution, "measure", measure)
    execution.execute(run)
    assert records.here(run).metrics == {"by": "the other"}


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
    assert execution.missing(runs) == runs[1:3]


def test_a_diverged_stage_is_tried_once(monkeypatch):
    tried = []

    def fit(model, images, *, recipe, **_):
        tried.append((recipe.seed, recipe.epochs))
        if recipe.seed == 0:
            raise TrainingDiverged("loss is nan in step 3 of 4 of epoch 2: lower the learning rate (lr = 0.05)")
        return []

    monkeypatch.setattr(trainings, "fit", fit)
    runs = [Run.of("training", t) for t in (FINE, BASE, OTHER)] + [Run.of("accuracy", FINE, method="plain", images=20)]
    outcome = execute_group(runs)
    assert tried == [(0, 12), (1, 12)]
    assert set(outcome.failed) == {runs[0], runs[1], runs[3]} and records.is_done(runs[2])
    (reason,) = set(outcome.failed.values())
    assert reason.startswith("stage 1 of resnet20 on digits, L = 4, qcfs 12 epochs, seed 0 diverged: loss is nan")
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

        monkeypatch.setattr(execution.time, "sleep", done_meanwhile)
        assert execute_group(runs) == execution.Outcome()
    assert noted == runs[1:] and records.here(runs[0]).metrics == {"by": "the other"} and len(pauses) == 1


def test_an_impatient_worker_gives_back_what_others_compute(measured):
    noted, _ = measured
    runs = [Run.of("one"), Run.of("two")]
    with files.lock(records.path_of(runs[0])):
        assert execute_group(runs, patient=False) == execution.Outcome(busy=runs[:1])
    assert noted == runs[1:]


def test_a_network_that_another_process_trains_is_not_trained_twice(monkeypatch):
    fitted = []
    monkeypatch.setattr(trainings, "fit", lambda model, images, *, checkpoint, **_: fitted.append(checkpoint) or [])
    runs = [Run.of("training", FINE), Run.of("training", OTHER)]
    with files.lock(trainings.checkpoint_path(BASE)):  # the first stage of the first
        assert execute_group(runs, patient=False).busy == runs[:1]
    assert fitted == [trainings.checkpoint_path(OTHER)]


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
