"""Digests of what is computed: stable, complete, blind to what does not matter."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys

import pytest
from csqcfs import data
from csqcfs.data.augment import Augment
from csqcfs.engine import paths
from csqcfs.engine.errors import InputError
from csqcfs.paper.experiments.configs import RELU, Run, Stage, Training, digest_of
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

QUANTIZED = Training("digits", "resnet20", 0.5, 4, 4.0, (Stage("qcfs", 16, 0.1), Stage("csqcfs", 6, 0.02)))
PLAIN = dataclasses.replace(QUANTIZED, stages=(Stage(RELU, 15, 0.2),))
OTHER = {
    "dataset": "cifar10",
    "network": "vgg16",
    "width": 1.0,
    "L": 8,
    "threshold": 8.0,
    "seed": 1,
    "val": 100,
    "stages": QUANTIZED.stages[:1],
    "batch_size": 64,
    "momentum": 0.8,
    "weight_decay": 1e-4,
    "schedule": "onecycle",
    "label_smoothing": 0.1,
    "augment": Augment(cutout=0),
    "precision": "bfloat16",
    "threshold_decay": 0.0,
    "levels": (1, 2),
    "start": "resnet20-cifar10-qcfs",
    "start_thresholds": "calibrated",
    "window": "clamp_floor",
}


def test_digest_is_pinned():
    """Committed records and checkpoints are named by it."""
    canonical = r'{"a":[1,0.5,null,true],"\u00fc":"x"}'
    expected = hashlib.sha256(canonical.encode()).hexdigest()[:12]
    assert digest_of({"ü": "x", "a": [1, 0.5, None, True]}) == expected == "cc8c77241dd4"
    assert QUANTIZED.digest == digest_of(QUANTIZED.settings())
    assert len(QUANTIZED.digest) == 12 and set(QUANTIZED.digest) <= set("0123456789abcdef")


def test_digest_is_the_same_in_another_process():
    code = (
        "from csqcfs.paper.experiments import profiles; from csqcfs.paper.experiments.configs import Run; "
        "t = profiles.get('quick').training('cifar10', 'resnet20'); "
        "print(t.digest, Run.of('accuracy', t, method='cos', images=7).digest)"
    )
    from csqcfs.paper.experiments import profiles

    training = profiles.get("quick").training("cifar10", "resnet20")
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": str(paths.REPOSITORY / "lib")}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True, timeout=120
    )
    assert found.stdout.split() == [training.digest, Run.of("accuracy", training, images=7, method="cos").digest]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_digest_does_not_depend_on_order_and_survives_json(content):
    backwards = dict(reversed(content.items()))
    assert digest_of(content) == digest_of(backwards) == digest_of(json.loads(json.dumps(content)))


def test_other_values_of_every_field_are_listed():
    assert set(OTHER) == {field.name for field in dataclasses.fields(Training) if field.init}


@pytest.mark.parametrize("field", OTHER)
def test_every_field_changes_the_digest(field):
    before = QUANTIZED
    if field == "start_thresholds":  # decides where a start has another L
        assert dataclasses.replace(QUANTIZED, start_thresholds="calibrated").digest == QUANTIZED.digest
        before = dataclasses.replace(QUANTIZED, start=OTHER["start"], L=2)
        assert before.start_thresholds == "kept"
    changed = dataclasses.replace(before, **{field: OTHER[field]})
    assert changed.digest != before.digest
    assert Run.of("training", changed).digest != Run.of("training", before).digest


def test_thresholds_of_a_start_are_kept_or_calibrated():
    with pytest.raises(InputError, match="start_thresholds is 'new': expected 'kept' or 'calibrated'"):
        dataclasses.replace(QUANTIZED, start=OTHER["start"], L=2, start_thresholds="new")


@pytest.mark.parametrize("stage", [Stage("cqcfs", 6, 0.02), Stage("csqcfs", 7, 0.02), Stage("csqcfs", 6, 0.01)])
def test_every_field_of_a_stage_changes_the_digest(stage):
    assert dataclasses.replace(QUANTIZED, stages=(QUANTIZED.stages[0], stage)).digest != QUANTIZED.digest


@pytest.mark.parametrize("change", [{"crop": 2}, {"flip": False}, {"autoaugment": False}, {"cutout": 8}])
def test_every_part_of_the_augmentation_changes_the_digest(change):
    assert set(change) < {field.name for field in dataclasses.fields(Augment)}
    assert dataclasses.replace(QUANTIZED, augment=Augment(**change)).digest != QUANTIZED.digest


@pytest.mark.parametrize("change", [{"L": 8}, {"threshold": 1.0}, {"threshold": None}])
def test_relu_alone_knows_no_thresholds(change):
    """So that one ReLU network serves every L."""
    assert dataclasses.replace(PLAIN, **change).digest == PLAIN.digest
    other = dataclasses.replace(PLAIN, **change)
    assert other == PLAIN and hash(other) == hash(PLAIN)  # so that nobody trains it a second time
    assert Run.of("training", other) == Run.of("training", PLAIN) != Run.of("training", QUANTIZED)
    twice = dataclasses.replace(PLAIN, stages=PLAIN.stages * 2)
    assert dataclasses.replace(twice, **change).digest == twice.digest != PLAIN.digest
    warm = dataclasses.replace(PLAIN, stages=(*PLAIN.stages, Stage("qcfs", 12, 0.1)))
    assert dataclasses.replace(warm, **change).digest != warm.digest
    assert dataclasses.replace(warm, **change).parent.digest == PLAIN.digest


def test_the_chain_of_parents():
    long = dataclasses.replace(QUANTIZED, stages=(*PLAIN.stages, *QUANTIZED.stages))
    assert [t.activation for t in (long, long.parent, long.parent.parent)] == ["csqcfs", "qcfs", RELU]
    assert long.parent.parent.parent is None
    assert long.digest and long.parent.digest != long.digest  # which was asked first
    assert long.parent == dataclasses.replace(long, stages=long.stages[:2])
    sibling = dataclasses.replace(long, stages=(*long.stages[:2], Stage("cqcfs", 6, 0.02)))
    assert sibling.parent.digest == long.parent.digest and sibling.digest != long.digest


def test_equal_trainings_have_equal_digests():
    """A threshold of 4 typed by hand is the paper's 4.0."""
    whole = Training("digits", "resnet20", 1, 4, 4, (Stage("qcfs", 16, 1),), momentum=0, weight_decay=0)
    written = Training("digits", "resnet20", 1.0, 4, 4.0, (Stage("qcfs", 16, 1.0),), momentum=0.0, weight_decay=0.0)
    assert whole == written and whole.digest == written.digest and hash(whole) == hash(written)


def test_settings_are_plain_json_and_complete():
    settings = QUANTIZED.settings()
    assert json.loads(json.dumps(settings)) == settings
    absent = {"threshold_decay", "levels", "start", "start_thresholds", "window"}
    everything = set(OTHER) - absent | {"data"}
    assert set(settings) == everything and set(PLAIN.settings()) == everything - {"L", "threshold"}
    assert settings["stages"][1] == {"activation": "csqcfs", "epochs": 6, "lr": 0.02}


def test_the_images_are_part_of_the_digest(tmp_path, monkeypatch):
    """Other ones under the same name or path make another training; none at all stand for the official ones."""
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CSQCFS_DATA", str(tmp_path))
    official, own = (dataclasses.replace(QUANTIZED, dataset=name) for name in ("cifar10", str(tmp_path / "cifar10")))
    assert official.data == data.SETS["cifar10"].digest and own.data == "" and QUANTIZED.settings()["data"]
    for split in ("train", "test"):
        (tmp_path / "cifar10" / split / "a").mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / "cifar10" / split / "a" / "0.png")
    first, own = (dataclasses.replace(t) for t in (official, own))
    Image.new("RGB", (32, 32), "red").save(tmp_path / "cifar10" / "test" / "a" / "0.png")
    second, changed = (dataclasses.replace(t) for t in (official, own))
    assert len({t.digest for t in (official, first, second, own, changed)}) == 5
    assert first.parent.data == first.data == own.data != second.data == changed.data
    assert Run.of("training", first).name != Run.of("training", second).name


def test_runs():
    run = Run.of("accuracy", QUANTIZED, method="cos", images=100)
    assert run == Run.of("accuracy", QUANTIZED, images=100, method="cos") and len({run, run}) == 1
    assert run.name == f"accuracy-{run.digest}"
    others = [
        Run.of("training", QUANTIZED),
        Run.of("accuracy", PLAIN, method="cos", images=100),
        Run.of("accuracy"),
        Run.of("accuracy", QUANTIZED, method="srp", images=100),
        Run.of("accuracy", QUANTIZED, method="cos"),
    ]
    assert len({r.digest for r in (run, *others)}) == 6
    assert run.settings() == {
        "kind": "accuracy",
        "training": QUANTIZED.settings(),
        "options": {"method": "cos", "images": 100},
    }


def test_one_line_names():
    for described in (QUANTIZED, PLAIN, Run.of("accuracy", QUANTIZED, method="cos"), Run.of("neuron")):
        assert str(described) and "\n" not in str(described)
    assert "method cos" in str(Run.of("accuracy", QUANTIZED, method="cos"))
    assert "qcfs 16 + csqcfs 6" in str(QUANTIZED)
