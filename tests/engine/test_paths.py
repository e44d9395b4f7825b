"""Where things lie: paths from outside are good or refused in one line, nothing lies beside an installed package."""

from __future__ import annotations

import os

import pytest
from csqcfs.engine import paths
from csqcfs.engine.errors import InputError


@pytest.mark.parametrize("name", ["CSQCFS_HOME", "CSQCFS_DATA", "CSQCFS_FIGURES"])
@pytest.mark.parametrize("kind", ["user", "loop", "long", "zero"])
def test_odd_paths_are_one_line(tmp_path, monkeypatch, name, kind):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    value = {"user": "~nosuchuser/x", "loop": str(tmp_path / "loop"), "long": "x" * 5000, "zero": "a\0b"}[kind]
    monkeypatch.setattr(os, "environ", {**os.environ, name: value})  # no environment holds a zero byte
    read = {"CSQCFS_HOME": paths.home, "CSQCFS_DATA": paths.data_root, "CSQCFS_FIGURES": lambda: paths.figures("x")}
    with pytest.raises(InputError, match="^path .*; name another$") as caught:
        read[name]()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_path_need_not_exist(tmp_path):
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "none", tmp_path / "dangling", tmp_path / "file" / "below"):
        assert paths.of_user(str(path)) == path


def test_data_of_a_command_are_those_of_its_children(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for before in (None, "before"):
        monkeypatch.setattr(os, "environ", {} if before is None else {"CSQCFS_DATA": before})
        with paths.data_in("images"):
            assert os.environ["CSQCFS_DATA"] == str(tmp_path / "images") == str(paths.data_root())
        assert os.environ.get("CSQCFS_DATA") == before
        with paths.data_in(None):
            assert os.environ.get("CSQCFS_DATA") == before


def test_nothing_is_written_beside_an_installed_package(tmp_path, monkeypatch):
    for name in ("CSQCFS_HOME", "CSQCFS_DATA", "CSQCFS_FIGURES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setattr(paths, "REPOSITORY", tmp_path / "lib" / "python3")
    assert paths.home() == tmp_path / "me" / ".cache" / "csqcfs"
    with pytest.raises(InputError, match="^CSQCFS_FIGURES is not set: expected a folder"):
        paths.figures("demo")
    monkeypatch.setenv("CSQCFS_FIGURES", str(tmp_path / "mine"))
    assert all(tmp_path / "lib" not in path.parents for path in paths.written("demo"))


def test_paths_mean_the_same_in_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CSQCFS_HOME", "mine")
    monkeypatch.setenv("CSQCFS_DATA", "~")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    paths.anchor()
    monkeypatch.chdir("/")
    assert paths.home() == tmp_path / "mine" and paths.data_root() == tmp_path / "me"
