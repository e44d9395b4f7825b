"""Records: round trips, provenance, damage noticed, nothing half-written."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess

import numpy as np
import pytest
import torch
from csqcfs.engine import paths
from csqcfs.engine.errors import InputError
from csqcfs.paper.experiments import profiles
from csqcfs.paper.experiments.configs import Run
from csqcfs.paper.measures.right import kept
from csqcfs.paper.runs import records
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TRAINING = profiles.get("demo").training("cifar10", "resnet20")
RUN = Run.of("accuracy", TRAINING, method="plain")
METRICS = {"ann": 97.5, "snn": [10.0, 50.123456789, 97.5], "thresholds": {"act": [0.25, 4.0]}}


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """A home and a repository of this test's own."""
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(paths, "REPOSITORY", tmp_path / "repository")
    records.commit.cache_clear()
    yield tmp_path
    records.commit.cache_clear()


def as_reference(path, profile: str = "demo"):
    """The record moved to where the repository keeps references."""
    target = paths.reference_records(profile) / path.name
    target.parent.mkdir(parents=True)
    return path.rename(target)


# round trips


def test_write_find_read():
    path = records.write(RUN, METRICS, 12.345)
    assert path == paths.run_records() / f"{RUN.name}.json" and path.name.startswith("accuracy-")
    for record in (records.find(RUN, "demo"), records.read(path), records.read(path, RUN)):
        assert record.metrics == METRICS and record.settings == RUN.settings()
        assert record.digest == RUN.digest and record.source == records.RUN
    assert records.is_done(RUN)


@given(
    metrics=st.dictionaries(
        st.text().filter(lambda name: name not in ("ann", "snn")),  # which are accuracies, and finite
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=6,
        ),
    )
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_metrics_round_trip(metrics):
    records.write(RUN, metrics, 1.0)
    assert records.find(RUN, "demo").metrics == metrics


def test_a_second_write_replaces_the_first():
    records.write(RUN, METRICS, 1.0)
    records.write(RUN, {"ann": 1.0}, 1.0)
    assert records.find(RUN, "demo").metrics == {"ann": 1.0}
    assert len(list(paths.run_records().iterdir())) == 1


def test_no_record_is_none():
    assert records.find(RUN, "demo") is None and not records.is_done(RUN)
    records.write(RUN, METRICS, 1.0)
    for other in (
        Run.of("accuracy", TRAINING, method="cos"),
        Run.of("training", TRAINING),
        Run.of("accuracy", dataclasses.replace(TRAINING, seed=1), method="plain"),
    ):
        assert records.find(other, "demo") is None and not records.is_done(other)


# provenance


def test_provenance_says_when_where_and_with_what():
    record = records.read(records.write(RUN, METRICS, 12.3456))
    origin = record.provenance
    assert set(origin) == {"date", "seconds", "hardware", "instructions", "python", "torch", "threads", "commit"}
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", origin["date"])
    assert origin["seconds"] == 12.35 and origin["torch"] == torch.__version__
    assert origin["instructions"] == torch.backends.cpu.get_cpu_capability()
    assert origin["hardware"] and re.fullmatch(r"[0-9a-f]{12}\+?|unknown", origin["commit"])


def test_what_is_measured_on_the_processor_names_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    for metrics, gpu in (({"device": "cpu"}, False), ({"device": "cuda"}, True), ({}, True)):
        hardware = records.read(records.write(RUN, metrics, 1.0)).provenance["hardware"]
        assert (hardware == "a GPU") is gpu and ("cores" in hardware) is not gpu


def test_commit_of_a_checkout_and_outside_one():
    repository = paths.REPOSITORY
    assert records.commit() == "unknown"
    (repository / "lib").mkdir(parents=True)
    (repository / "lib" / "code.py").write_text("a = 1\n")
    author = ["-c", "user.name=t", "-c", "user.email=t@t"]
    for words in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "t"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True, capture_output=True)
    records.commit.cache_clear()
    clean = records.commit()
    assert re.fullmatch("[0-9a-f]{12}", clean)
    (repository / "lib" / "code.py").write_text("a = 2\n")
    records.commit.cache_clear()
    assert records.commit() == clean + "+"


def test_the_commit_is_never_that_of_another_project(tmp_path):
    """Installed into an environment that lies in somebody's repository."""
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    (tmp_path / "file").write_text("")
    author = ["-c", "user.name=t", "-c", "user.email=t@t"]
    for words in (["add", "file"], [*author, "commit", "-qm", "t"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)
    paths.REPOSITORY.mkdir()
    records.commit.cache_clear()
    assert records.commit() == "unknown"


def test_references_are_found_but_do_not_count_as_done():
    path = as_reference(records.write(RUN, METRICS, 1.0))
    record = records.find(RUN, "demo")
    assert record.source == records.REFERENCE == records.read(path).source and record.metrics == METRICS
    assert not records.is_done(RUN)
    assert records.find(RUN, "paper") is None  # of another profile


def test_a_run_of_this_machine_comes_before_the_reference():
    as_reference(records.write(RUN, {"ann": 1.0}, 1.0))
    records.write(RUN, {"ann": 2.0}, 1.0)
    record = records.find(RUN, "demo")
    assert record.metrics == {"ann": 2.0} and record.source == records.RUN


def test_a_relative_path_has_the_same_source(folders, monkeypatch):
    path = records.write(RUN, METRICS, 1.0)
    monkeypatch.chdir(folders)
    assert records.read(path.relative_to(folders)).source == records.RUN


def test_origin_is_one_line_with_every_source():
    assert records.origin([]) == "records: none"
    reference = records.read(as_reference(records.write(RUN, METRICS, 1.0)))
    own = records.read(records.write(RUN, METRICS, 1.0))
    other = records.read(records.write(Run.of("training", TRAINING), METRICS, 1.0))
    line = records.origin([own, other])
    assert "\n" not in line and records.RUN in line and records.REFERENCE not in line and "2 records" in line
    mixed = records.origin([own, reference])
    assert records.RUN in mixed and records.REFERENCE in mixed
    assert line == records.origin([other, own]) != records.origin([own])


def test_origin_has_a_digest_of_the_configuration_and_one_of_the_results():
    one = records.read(records.write(RUN, METRICS, 1.0))
    other = dataclasses.replace(one, metrics={**METRICS, "ann": 97.4})
    found = [re.search(r"configuration (\w{12}), of the results (\w{12})$", records.origin([r])) for r in (one, other)]
    assert found[0][1] == found[1][1] and found[0][2] != found[1][2]


def test_origin_names_the_precision_of_the_trainings():
    record = records.read(records.write(RUN, METRICS, 1.0))

    def trained(*precisions: str | None) -> str:
        told = [{**record.provenance, "precision": precision} for precision in precisions]
        return records.origin([dataclasses.replace(record, provenance=each) for each in told])

    assert "; trained in bfloat16; " in trained("bfloat16", None)
    assert "; trained in bfloat16, float32; " in trained("float32", "bfloat16")
    assert "trained in" not in trained(None)


def test_origin_names_the_devices_that_trained_where_one_is_a_gpu():
    record = records.read(records.write(RUN, METRICS, 1.0))

    def trained(**told) -> str:
        return records.origin([dataclasses.replace(record, provenance=record.provenance | told)])

    gpu = {"precision": "float32", "tf32": True, "devices": ["NVIDIA H200"]}
    assert "; trained in float32 with products in TF32 on NVIDIA H200; " in trained(**gpu)
    assert " on NVIDIA H200 and CPU; " in trained(**gpu | {"devices": ["NVIDIA H200", "cpu"]})
    assert "; trained in float32; " in trained(precision="float32", devices=["cpu"])


def test_origin_shortens_many_kinds_of_hardware():
    record = records.read(records.write(RUN, METRICS, 1.0))
    many = [dataclasses.replace(record, provenance={**record.provenance, "hardware": f"machine {i}"}) for i in range(5)]
    line = records.origin(many)
    assert "machine 0, machine 1, machine 2 and 2 more" in line and "machine 3" not in line


# damage


def test_every_truncation_is_refused():
    path = records.write(RUN, METRICS, 1.0)
    whole = path.read_bytes()
    for keep in range(0, len(whole) - 2, 37):
        path.write_bytes(whole[:keep])
        for call in (lambda: records.read(path), lambda: records.find(RUN, "demo"), lambda: records.is_done(RUN)):
            with pytest.raises(InputError, match=f"^record {path} is truncated or damaged: delete it") as caught:
                call()
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"3", b'"text"', b"{}", b'{"settings": {}, "metrics": {}}', b"\xff\xfe\x00", b"\x00" * 100],
)
def test_other_content_is_refused(content):
    path = records.write(RUN, METRICS, 1.0)
    path.write_bytes(content)
    with pytest.raises(InputError, match="is truncated or damaged: delete it and run again$"):
        records.find(RUN, "demo")


@pytest.mark.parametrize(
    "edit",
    [
        lambda c: c.update(metrics=None),
        lambda c: c.update(provenance={}),
        lambda c: c.update(provenance=None),
        lambda c: c["metrics"].update(ann=None),
        lambda c: c["metrics"].update(ann="93"),
        lambda c: c["metrics"].update(ann={}),
        lambda c: c["metrics"].update(ann=float("nan")),
        lambda c: c["metrics"].update(snn=None),
        lambda c: c["metrics"].update(snn=[10.0, float("nan"), 97.5]),
    ],
)
def test_contents_that_no_page_could_show_are_refused(edit):
    path = records.write(RUN, METRICS, 1.0)
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"^record {path} is truncated or damaged: delete it and run again$"):
        records.find(RUN, "demo")


@pytest.mark.parametrize("change", [{"ann": 50.0}, {"snn": [100.0]}, {"snn": [100.0, 99.0]}])
def test_accuracies_that_disagree_with_the_images_are_noticed_with_the_file(change):
    metrics = {"images": 8, "ann": 100.0, "snn": [100.0] * 2, "right": kept(np.ones(8, bool), np.ones((2, 8), bool))}
    assert records.read(records.write(RUN, metrics, 1.0)).metrics == metrics
    path = records.write(RUN, metrics | change, 1.0)
    with pytest.raises(InputError, match=f"^{path}: a record with .*delete it and run again$"):
        records.read(path)


@pytest.mark.parametrize(
    "edit",
    [
        lambda s: s["training"].update(L=8),
        lambda s: s["training"]["stages"][0].update(epochs=300),
        lambda s: s["options"].update(method="cos"),
        lambda s: s["training"].update(seed=1),
        lambda s: s.update(kind="x"),
        lambda s: s.update(extra=1),
        lambda s: s["training"].pop("val"),
    ],
)
def test_a_configuration_edited_by_hand_is_noticed(edit):
    path = records.write(RUN, METRICS, 1.0)
    content = json.loads(path.read_text())
    edit(content["settings"])
    path.write_text(json.dumps(content))
    for call in (lambda: records.read(path), lambda: records.find(RUN, "demo"), lambda: records.is_done(RUN)):
        with pytest.raises(InputError, match=f"has digest .*, expected {RUN.digest}: .*by hand; delete") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_a_record_under_another_name_is_noticed():
    path = records.write(RUN, METRICS, 1.0)
    other = Run.of("accuracy", TRAINING, method="cos")
    moved = path.rename(path.with_name(f"{other.name}.json"))
    with pytest.raises(InputError, match=f"has digest {RUN.digest}, expected {other.digest}"):
        records.read(moved)
    with pytest.raises(InputError, match=f"has digest {RUN.digest}, expected {other.digest}"):
        records.find(other, "demo")
    with pytest.raises(InputError, match=f"expected {other.digest}"):
        records.read(records.write(RUN, METRICS, 1.0), other)


def test_indentation_and_order_do_not_matter():
    """A record reformatted by a tool is still the same record."""
    path = records.write(RUN, METRICS, 1.0)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(content.items()))))
    assert records.find(RUN, "demo").metrics == METRICS


# writing


def test_metrics_that_are_no_json_leave_nothing(folders):
    with pytest.raises(TypeError, match="^Object of type object is not JSON serializable"):
        records.write(RUN, {"ann": object()}, 1.0)
    assert not (folders / "home").exists()


def test_an_interrupted_write_leaves_the_old_record(monkeypatch):
    path = records.write(RUN, METRICS, 1.0)
    before = path.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            records.write(RUN, {"ann": 0.0}, 1.0)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_a_home_that_cannot_be_written_is_one_line(folders, monkeypatch):
    (folders / "occupied").write_text("")
    monkeypatch.setenv("CSQCFS_HOME", str(folders / "occupied"))
    with pytest.raises(InputError, match="^cannot write .*occupied/records.*; choose a writable") as caught:
        records.write(RUN, METRICS, 1.0)
    assert "\n" not in str(caught.value)
    assert not records.is_done(RUN)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind root")
def test_a_read_only_folder_and_an_unreadable_record_are_one_line():
    path = records.write(RUN, METRICS, 1.0)
    path.chmod(0)
    with pytest.raises(InputError, match="^cannot read .*: Permission denied; check its permissions$"):
        records.read(path)
    path.unlink()
    path.parent.chmod(0o500)
    try:
        with pytest.raises(InputError, match="^cannot write .*: Permission denied; choose a writable folder$"):
            records.write(RUN, METRICS, 1.0)
        assert not list(path.parent.iterdir())
    finally:
        path.parent.chmod(0o700)


def test_a_folder_without_permission_is_one_line(forbidden, monkeypatch):
    path = records.write(RUN, METRICS, 1.0)
    calls = (lambda: records.find(RUN, "demo"), lambda: records.is_done(RUN), lambda: records.reference(RUN, "demo"))
    monkeypatch.setattr(paths, "reference_records", lambda profile: path.parent)
    with forbidden(path.parent):
        for call in calls:
            with pytest.raises(InputError, match=f"^cannot read {path}: Permission denied; check its permissions$"):
                call()


def test_a_missing_record_is_one_line(tmp_path):
    with pytest.raises(InputError, match="^cannot read .*nothing-0.json: No such file or directory"):
        records.read(tmp_path / "nothing-0.json")


def test_the_committed_references_are_intact(monkeypatch):
    """Every record of the repository reads, and its name fits its configuration."""
    monkeypatch.undo()
    found = sorted(paths.REPOSITORY.glob("paper_figures/*/records/*.json"))
    if not found:
        pytest.skip("no reference records in this checkout")
    for path in found:
        record = records.read(path)
        assert path.stem == f"{record.settings['kind']}-{record.digest}" and record.metrics
        assert record.source == records.REFERENCE and set(record.provenance) >= {"date", "hardware", "commit"}
