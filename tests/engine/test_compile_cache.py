"""What torch.compile executes comes from a folder of the user's alone."""

from __future__ import annotations

import getpass
import os
import tempfile
import warnings
from pathlib import Path

import pytest
from csqcfs.engine import compile_cache


@pytest.fixture
def default_cache(tmp_path, monkeypatch):
    """PyTorch's default cache folder, here in a folder of this test's own, and a variable that names none."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "before")  # what a test sets is undone
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(getpass, "getuser", lambda: "me")
    return tmp_path / "torchinductor_me"


@pytest.mark.parametrize("fault", ["owner", "others"])
def test_a_cache_folder_that_others_can_write_into_is_not_used(default_cache, monkeypatch, fault):
    """PyTorch executes what lies there, and anyone can make a folder of that name before."""
    default_cache.mkdir()
    default_cache.chmod({"owner": 0o755, "others": 0o757}[fault])
    if fault == "owner":
        monkeypatch.setattr(os, "geteuid", lambda: default_cache.stat().st_uid + 1)
    with pytest.warns(
        UserWarning, match=f"^others can write into {default_cache}: .*; remove that one, or set TORCHIN"
    ):
        assert compile_cache.prepare() == ""
    used = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
    assert used != default_cache and used.stat().st_mode & 0o777 == 0o700 and not list(used.iterdir())


@pytest.mark.parametrize(
    ("mode", "gid", "expected"),
    [(0o700, 100, False), (0o755, 100, False), (0o775, 100, True), (0o775, 1000, False), (0o777, 1000, True)],
)
def test_a_group_of_the_users_own_is_nobody_else(mode, gid, expected):
    assert compile_cache.open_to_others(mode, 1000, gid) is expected


def test_a_cache_folder_of_the_user_is_used_as_it_is(default_cache, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compile_cache.prepare() == ""
        assert default_cache.stat().st_mode & 0o777 == 0o700 and "TORCHINDUCTOR_CACHE_DIR" not in os.environ
        chosen = default_cache.with_name("shared on purpose")
        chosen.mkdir()
        chosen.chmod(0o777)
        monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(chosen))
        assert compile_cache.prepare() == ""
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(chosen)


def test_a_folder_that_cannot_be_made_is_told(default_cache):
    default_cache.write_text("")
    assert compile_cache.prepare().startswith("torch.compile has no cache folder (")
    assert Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]).is_dir()
