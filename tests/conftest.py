"""Real images are for the tests that ask for them: elsewhere a folder of them would only be read for its digest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def folder_of_images():
    """The folder of CIFAR that CSQCFS_DATA named when the tests began, or None; the variable is gone meanwhile."""
    named = os.environ.pop("CSQCFS_DATA", None)
    yield None if named is None else Path(named).expanduser().absolute()
    if named is not None:
        os.environ["CSQCFS_DATA"] = named
