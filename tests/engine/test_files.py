"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from csqcfs.engine import files, paths
from csqcfs.engine.errors import InputError, Unwritable
from csqcfs.engine.files import atomic_write, write_text
from hypothesis import given
from hypothesis import strategies as st


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=200))
def test_text_round_trip(tmp_path_factory, text):
    path = write_text(tmp_path_factory.mktemp("t") / "a" / "b.txt", text)
    assert path.read_text(encoding="utf-8") == text
    assert [p.name for p in path.parent.iterdir()] == ["b.txt"]


def test_the_writer_gets_an_empty_file_beside_the_target_with_its_suffix(tmp_path):
    seen = []

    def write(file):
        seen.append((file.parent, file.suffix, file.read_bytes(), file.name.startswith(".")))
        file.write_text("new")

    target = write_text(tmp_path / "table.csv", "old")
    assert atomic_write(str(target), write) == target and target.read_text() == "new"
    assert seen == [(tmp_path, ".csv", b"", True)]
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = write_text(tmp_path / "r.json", "old")

    def write(file):
        file.write_text("ha")
        raise error

    with pytest.raises(error):
        atomic_write(target, write)
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]
    with pytest.raises(error):
        atomic_write(tmp_path / "fresh.json", write)
    assert list(tmp_path.iterdir()) == [target]


def test_readers_never_see_a_part(tmp_path):
    target = write_text(tmp_path / "r.json", "old")

    def write(file):
        file.write_text("n")
        assert target.read_text() == "old"
        file.write_text("new")
        assert target.read_text() == "old"

    atomic_write(target, write)
    assert target.read_text() == "new"


def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path):
    target = write_text(tmp_path / "r.json", "old")
    code = (
        "import os, signal, sys; from csqcfs.engine.files import atomic_write\n"
        "def write(f): f.write_text('ha'); os.kill(os.getpid(), signal.SIGKILL)\n"
        "atomic_write(sys.argv[1], write)"
    )
    done = subprocess.run([sys.executable, "-c", code, target], env=_environment(), capture_output=True, timeout=120)
    assert done.returncode < 0 and target.read_text() == "old"
    assert files.remove_leftovers([tmp_path]) == []  # it may be somebody's who has just begun
    (left,) = (p for p in tmp_path.iterdir() if p != target)
    os.utime(left, (1, 1))
    others = [tmp_path / name for name in (".r-x.json", ".DS_Store", "r.csqcfs-x.json")]
    for other in others:
        other.write_text("")
        os.utime(other, (1, 1))
    assert left.name.startswith(".r.csqcfs-")
    assert files.remove_leftovers([tmp_path, tmp_path / "none"]) == [left]
    assert sorted(tmp_path.iterdir()) == sorted([target, *others])


def test_an_end_in_a_callback_leaves_the_old_file_and_nothing_else(tmp_path):
    """Python loses what is raised there, so that SIGTERM by an exception would be printed and then forgotten."""
    target = write_text(tmp_path / "r.json", "old")
    code = (
        "import os, signal, sys, weakref; from csqcfs.engine import files\n"
        "signal.signal(signal.SIGTERM, lambda *_: files.end(143))\n"
        "def write(file):\n"
        "    file.write_text('ha'); it = set()\n"
        "    watch = weakref.ref(it, lambda _: os.kill(os.getpid(), signal.SIGTERM))\n"
        "    del it\n"
        "with files.lock(sys.argv[1]): files.atomic_write(sys.argv[1], write)"
    )
    done = subprocess.run([sys.executable, "-c", code, target], env=_environment(), capture_output=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (143, b"", b"")
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_the_end_of_a_forked_process_takes_no_lock_of_its_parent(tmp_path):
    code = (
        "import os, sys; from csqcfs.engine import files\n"
        "with files.lock(sys.argv[1]):\n"
        "    if not (child := os.fork()): files.end(3)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), files.is_busy(sys.argv[1]))"
    )
    run = [sys.executable, "-c", code, tmp_path / "net"]
    done = subprocess.run(run, env=_environment(), capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("3 True\n", "") and not list(tmp_path.iterdir())


def test_a_full_disk_is_one_line(tmp_path):
    def write(file):
        file.write_text("ha")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(InputError, match="^cannot write .*r.json: No space left on device; free") as caught:
        atomic_write(tmp_path / "r.json", write)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    for target in (tmp_path / "file" / "r.json", tmp_path / "file" / "deep" / "r.json"):
        with pytest.raises(InputError, match="^cannot write .*r.json: .*; choose a writable folder") as caught:
            write_text(target, "text")
        assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "x"


def test_a_target_that_is_a_folder_is_left_alone(tmp_path):
    (tmp_path / "r.json").mkdir()
    with pytest.raises(InputError, match="^cannot write .*r.json: Is a directory"):
        write_text(tmp_path / "r.json", "text")
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]


def test_a_read_only_file_system_is_one_line(tmp_path, monkeypatch):
    def refuse(**_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(files.tempfile, "mkstemp", refuse)
    with pytest.raises(InputError, match="^cannot write .*: Read-only file system; choose a writable folder$"):
        write_text(tmp_path / "r.json", "text")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind root")
def test_a_read_only_folder_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="^cannot write .*: Permission denied; choose a writable folder$"):
            write_text(tmp_path / "r.json", "text")
    finally:
        tmp_path.chmod(0o700)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_being_written_is_nobodys_leftover(tmp_path):
    def write(file):
        os.utime(file, (1, 1))
        assert files.remove_leftovers([tmp_path]) == []
        file.write_text("new")

    assert atomic_write(tmp_path / "r.json", write).read_text() == "new"


# locks


def test_one_writer_at_a_time(tmp_path):
    path = tmp_path / "deep" / "net.safetensors"
    assert not files.is_busy(path)
    with files.lock(path):
        assert files.is_busy(path) and not files.is_busy(tmp_path / "deep" / "other")
        with pytest.raises(files.Busy, match="net.safetensors is being made by another process: wait for it"):
            with files.lock(path):
                pytest.fail("two writers")
        os.utime(next(path.parent.iterdir()), (1, 1))
        assert files.remove_leftovers([path.parent]) == []
    assert not files.is_busy(path) and not list(path.parent.iterdir())


def test_a_lock_ends_with_its_process(tmp_path):
    path = tmp_path / "net"
    code = (
        "import os, signal, sys; from csqcfs.engine import files\n"
        "with files.lock(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, path], env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n" and files.is_busy(path)
        with pytest.raises(files.Busy):
            with files.lock(path):
                pytest.fail("two writers")
    finally:
        holder.kill()
        holder.communicate(timeout=60)
    assert not files.is_busy(path)
    with files.lock(path):
        assert files.is_busy(path)
    assert not list(tmp_path.iterdir())


def test_many_threads_take_turns(tmp_path):
    """The file of a lock is removed at its end, which must not let two in."""
    path, inside, most, turns = tmp_path / "net", [], [], []

    def work(number: int) -> None:
        done = 0
        while done < 50:
            try:
                with files.lock(path):
                    inside.append(number)
                    most.append(len(inside))
                    inside.remove(number)
                done += 1
            except files.Busy:
                pass
        turns.append(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sorted(turns) == [0, 1, 2, 3] and max(most) == 1 and not list(tmp_path.iterdir())


def test_waiting_for_a_turn(tmp_path):
    begun, order = threading.Event(), []

    def second() -> None:
        begun.set()
        with files.lock(tmp_path / "net", wait=True):
            order.append("second")

    with ThreadPoolExecutor(1) as pool:
        with files.lock(tmp_path / "net"):
            done = pool.submit(second)
            assert begun.wait(60)
            order.append("first")
        done.result(60)
    assert order == ["first", "second"]


def test_without_locks_nobody_is_refused(tmp_path, monkeypatch):
    """Some network file systems have none, and Windows has no fcntl."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with files.lock(tmp_path / "net"), files.lock(tmp_path / "net"):
        assert not files.is_busy(tmp_path / "net")


def test_a_lock_in_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="^cannot write .*net: .*; choose a writable folder"):
        with files.lock(tmp_path / "file" / "net"):
            pytest.fail("no lock was taken")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(paths.REPOSITORY / "lib")}


def test_a_link_stays_and_what_it_names_is_written(tmp_path):
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "target.txt")
    for text in ("one", "two"):  # dangling at first
        assert files.write_text(link, text) == link
        assert link.is_symlink() and (tmp_path / "target.txt").read_text() == text


def test_what_is_no_file_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(Unwritable, match="expected a file, and it is a device or a pipe; name another$"):
        files.write_text(pipe, "text")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", ["n" * 300, "a\0", "\ud800"])
def test_names_that_no_file_has_are_one_line(tmp_path, name):
    with pytest.raises(Unwritable, match="^cannot write .*; choose a writable folder$"):
        files.write_text(tmp_path / name, "text")
    assert not list(tmp_path.iterdir())
