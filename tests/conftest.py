"""Real images are for the tests that ask for them: elsewhere a folder of them would only be read for its digest."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from pathlib import Path

import pytest
from csqcfs import models
from csqcfs.models import resnet


@pytest.fixture(scope="session", autouse=True)
def folder_of_images():
    """The folder of CIFAR that CSQCFS_DATA named when the tests began, or None; the variable is gone meanwhile."""
    named = os.environ.pop("CSQCFS_DATA", None)
    yield None if named is None else Path(named).expanduser().absolute()
    if named is not None:
        os.environ["CSQCFS_DATA"] = named


@pytest.fixture(scope="module")
def resnet8():
    """A network of one block in each stage by this name: most tests of a ResNet-20 would spend their time on its 19
    activations, each of which is probed."""
    with pytest.MonkeyPatch.context() as patch:
        one_block = functools.partial(resnet.residual, resnet.BasicBlock, (16, 32, 64), (1, 1, 1))
        patch.setitem(models.NETWORKS, "resnet8", one_block)
        yield


@pytest.fixture
def forbidden():
    """A context in which nobody may look into a folder, not even root."""
    if not hasattr(os, "seteuid") or sys.version_info >= (3, 14):  # from then on Path says that nothing is there
        pytest.skip("Path tells no folder without permission from one that is not there")

    @contextlib.contextmanager
    def within(folder: Path):
        user = os.geteuid()
        closed = [place for place in folder.parents if user == 0 and not place.stat().st_mode & 0o001]  # pytest's own
        modes = {place: place.stat().st_mode for place in [*closed, folder]}
        try:
            for place in closed:
                place.chmod(modes[place] | 0o111)
            folder.chmod(0)
            if user == 0:
                os.seteuid(65534)
            yield
        finally:
            os.seteuid(user)
            for place, mode in modes.items():
                place.chmod(mode)

    return within
