"""Whether results equal the reference: what counts as equal, and how differences are told."""

from __future__ import annotations

import copy
import json

import pytest
from csqcfs.engine import paths
from csqcfs.engine.errors import InputError
from csqcfs.paper.experiments import profiles, registry
from csqcfs.paper.experiments.configs import Run
from csqcfs.paper.runs import records, results
from csqcfs.paper.runs.differences import differences
from hypothesis import given
from hypothesis import strategies as st

PROFILE = profiles.get("demo")
ROWS = registry.get("table1").rows(PROFILE, PROFILE.seeds)
METRICS = {
    "images": 360,
    "ann": 97.5,
    "snn": [10.0, 50.0, 97.5],
    "right": {"columns": ["ann"], "bits": "x"},
    "thresholds": {"act": [0.25, 4.0]},
}


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(paths, "reference_records", lambda profile: tmp_path / "reference" / profile)


def changed(**values) -> dict:
    return copy.deepcopy(METRICS) | values


def write(run: Run, metrics: dict, reference: dict | None = None) -> None:
    """A record of this machine, and a reference beside it, without the bits, which would have to fit."""
    metrics, reference = (
        {k: v for k, v in one.items() if k != "right"} if one else one for one in (metrics, reference)
    )
    if reference is not None:
        path = records.write(run, reference, 1.0)
        target = paths.reference_records("demo") / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    records.write(run, metrics, 2.0)


def digest(kind: str, metrics: dict) -> str:
    return results.digest([records.Record({"kind": kind}, metrics, {}, records.RUN)])


@given(st.floats(-1e-7, 1e-7))
def test_rounding_noise_and_times_are_no_difference(noise):
    other = changed(thresholds={"act": [0.25 * (1 + noise), 4.0]}, seconds=noise)
    assert results.different("accuracy", METRICS, other) == {}
    assert digest("accuracy", METRICS) == digest("accuracy", other)


@pytest.mark.parametrize(
    "other", [changed(ann=97.22), changed(snn=[10.0, 50.28, 97.5]), changed(thresholds={"act": [0.251, 4.0]})]
)
def test_one_image_or_a_threshold_is_a_difference(other):
    assert len(results.different("accuracy", METRICS, other)) == 1
    assert digest("accuracy", METRICS) != digest("accuracy", other)


def test_the_fourth_digit_is_a_difference():
    assert results.different("accuracy", METRICS, changed(ann=97.53)) == {"ann": (97.5, 97.53)}


def test_numbers_are_named_from_one_and_a_refusal_is_a_result():
    assert results.different("accuracy", METRICS, changed(snn=[11.0, 50.0, 97.5])) == {"snn.1": (10.0, 11.0)}
    refused = {"refused": "threshold -2.5 at act: expected a positive one"}
    assert results.different("accuracy", refused, {"refused": "threshold -2.6 at act: expected"}) == {}
    assert results.different("accuracy", refused, METRICS)["refused"] == (True, None)
    assert results.different("epoch_time", {"seconds": 1.0}, {"seconds": 2.0, "rounds": 3}) == {}


def test_the_digest_does_not_follow_the_order_of_records():
    found = [records.Record({"kind": "accuracy", "n": n}, changed(ann=float(n)), {}, records.RUN) for n in range(4)]
    assert results.digest(found) == results.digest(found[::-1]) != results.digest(found[:3])


def test_without_a_reference_there_is_nothing_to_tell():
    records.write(ROWS["resnet20", "qcfs"][0], METRICS, 1.0)
    assert differences("demo") == []


def test_what_differs_most_comes_first():
    runs = [ROWS["resnet20", name][0] for name in ("qcfs", "srp", "cos", "ours")]
    write(runs[0], METRICS, METRICS)
    write(runs[1], changed(ann=97.0), METRICS)
    write(runs[2], changed(ann=90.0, snn=[10.0, 45.0, 97.4]), METRICS)
    write(runs[3], changed(thresholds={"act": [0.26, 4.0]}), METRICS)
    first, *lines, why = differences("demo")
    assert "ATEN_CPU_CAPABILITY=avx2" in why and len(why.splitlines()) == 1
    assert first == "1 of 4 results equal to the repository's reference (demo)"
    assert lines == [
        f"  {runs[2]}: ANN 90 here, 97.5 there, T = 2 45 here, 50 there, T = 3 97.4 here, 97.5 there",
        f"  {runs[1]}: ANN 97 here, 97.5 there",
        f"  {runs[3]}: thresholds.act.1 0.26 here, 0.25 there",
    ]
    assert differences("demo", most=1)[1:] == [lines[0], "  and 2 more that differ less", why]


def test_a_damaged_reference_is_named():
    run = ROWS["resnet20", "qcfs"][0]
    write(run, METRICS, METRICS)
    (paths.reference_records("demo") / f"{run.name}.json").write_text(json.dumps({"settings": {}}))
    with pytest.raises(InputError, match="truncated or damaged"):
        differences("demo")
    with pytest.raises(InputError, match="^profile 'dmeo'"):
        differences("dmeo")
