"""A home without any record, not even those of the repository."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest
from csqcfs.engine import paths


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Records and figures go to a folder of the test's own; figures are closed after it."""
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CSQCFS_FIGURES", str(tmp_path / "figures"))
    monkeypatch.setattr(paths, "reference_records", lambda profile: tmp_path / "none")  # those of the repository
    yield
    plt.close("all")
