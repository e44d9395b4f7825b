"""Runs that are small, and measurements that cost nothing."""

from __future__ import annotations

import pytest
from csqcfs import data
from csqcfs.paper.runs import execution


@pytest.fixture
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

    monkeypatch.setattr(execution, "measure", measure)
    return noted, failing
