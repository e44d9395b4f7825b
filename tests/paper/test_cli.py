"""The command line: bad input is one line, failures and a spent budget have their exit status, Ctrl-C is quiet."""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from csqcfs.engine import paths
from csqcfs.engine.errors import InputError
from csqcfs.paper import cli
from csqcfs.paper.experiments import profiles, registry
from csqcfs.paper.experiments.configs import Run
from csqcfs.paper.pages import notebooks
from csqcfs.paper.runs import differences, estimate, execution, fanout, processes, records, runner

PLACES = ("CSQCFS_HOME", "CSQCFS_FIGURES")
BEFORE = frozenset({"torch", "numpy", "pandas", "matplotlib"})  # what takes seconds to import
RUNS = registry.get("table7").runs(profiles.get("demo"), (0,))


def run(arguments):
    return cli.main(["run", *arguments])


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    for name in PLACES:
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("CSQCFS_DATA", raising=False)
    return tmp_path


@pytest.fixture
def calls(monkeypatch):
    """Computing and rendering replaced: what they were called with, and the outcome to give."""
    noted = {"outcome": execution.Outcome()}

    def execute_all(todo, until, engine):
        noted.update(todo=todo, data=os.environ.get("CSQCFS_DATA"), until=until, engine=engine)
        if isinstance(noted["outcome"], BaseException):
            raise noted["outcome"]
        return noted["outcome"]

    monkeypatch.setattr(runner, "execute_all", execute_all)
    monkeypatch.setattr(notebooks, "render_all", lambda artefacts, *_: noted.update(rendered=artefacts) or [])
    return noted


# bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "fast"], "profile 'fast': expected one of demo, quick, paper"),
        (["--profile", "qiuck"], "profile 'qiuck': did you mean quick? expected one of demo, quick, paper"),
        (["--only", "tabel1"], "artefact 'tabel1': did you mean table1? expected one of figure1, "),
        (["--only", "table1,tabel2"], "artefact 'tabel2': did you mean table2? "),
        (["--only", "nothing-like-it"], "artefact 'nothing-like-it': expected one of figure1, "),
        (["--only", ","], "--only ',': expected an artefact, such as table1"),
        (["--seeds", "0"], "--seeds 0: expected 1 or more"),
        (["--workers", "0"], "--workers 0: expected 1 or more"),
        (["--workers", "-2"], "--workers -2: expected 1 or more"),
        (["--hours", "0"], "--hours 0: expected more than 0"),
        (["--hours", "-1"], "--hours -1: expected more than 0"),
        (["--hours", "nan"], "--hours nan: expected more than 0"),
        (["--data", "/no/such/folder"], "--data /no/such/folder: no such folder; expected the one with cifar10"),
        (["--data", ""], "--data '': no such folder; expected the one with cifar10"),
        (["--dask", "tcp://x:1", "--workers", "2"], "--workers 2 beside --dask: expected one of the two; leave it out"),
    ],
)
def test_bad_values_are_one_line(calls, capsys, arguments, message):
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"error: {message}") and err.count("\n") == 1 and not out and "todo" not in calls


@pytest.mark.parametrize("arguments", [["--seeds", "two"], ["--hours", "soon"], ["--speed"], ["table1"], ["--only"]])
def test_what_cannot_be_parsed(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        run(arguments)
    assert caught.value.code == 2 and "csqcfs run: error:" in capsys.readouterr().err


@pytest.mark.parametrize("name", PLACES)
def test_a_folder_that_cannot_be_written_is_refused_first(places, monkeypatch, calls, capsys, name):
    (places / "file").write_text("")
    monkeypatch.setenv(name, str(places / "file" / "below"))
    assert run([]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: cannot write into {places / 'file' / 'below'}") and err.count("\n") == 1
    assert "choose a writable folder" in err and "todo" not in calls


def test_missing_images_name_the_remedy(places, capsys, monkeypatch):
    """Nothing is shown where there is no record either; records of the repository are."""
    (places / "empty").mkdir()
    monkeypatch.setattr(
        "csqcfs.data.cifar._official",
        lambda name, root: (_ for _ in ()).throw(
            InputError(f"{name} is not in {root}: name another folder by --data or CSQCFS_DATA")
        ),
    )
    monkeypatch.setattr(notebooks, "render_all", lambda *_: pytest.fail("there is nothing to show"))
    reason = f"is not in {places / 'empty'}: name another folder by --data or CSQCFS_DATA\n"
    assert run(["--profile", "paper", "--only", "table2", "--data", str(places / "empty")]) == 2
    assert capsys.readouterr().err == f"error: cifar100 {reason}"
    shown = []
    monkeypatch.setattr(notebooks, "render_all", lambda artefacts, *_: shown.extend(artefacts) or [])
    assert run(["--profile", "quick", "--only", "table1", "--data", str(places / "empty")]) == 1
    assert [artefact.id for artefact in shown] == ["table1"] and capsys.readouterr().err.endswith(f"cifar10 {reason}")


def test_a_damaged_record_is_named(calls, capsys):
    path = records.write(RUNS[0], {}, 1.0)
    path.write_text(path.read_text()[:40])
    assert run(["--only", "table7"]) == 2
    assert capsys.readouterr().err == f"error: record {path} is truncated or damaged: delete it and run again\n"


def test_a_damaged_record_of_another_artefact_is_named_before_anything_is_computed(calls, capsys):
    path = records.write(RUNS[0], {}, 1.0)
    path.write_text(path.read_text()[:40])
    assert run(["--only", "table1"]) == 2
    out, err = capsys.readouterr()
    assert err == f"error: record {path} is truncated or damaged: delete it and run again\n"
    assert not out and not calls.keys() & {"todo", "rendered"}


# what is computed where


def test_the_demo_takes_two_processes_and_every_artefact(calls, monkeypatch, capsys):
    monkeypatch.setattr(processes, "processes", lambda workers: ("processes", workers))
    assert run([]) == 0
    assert calls["engine"] == ("processes", min(2, os.cpu_count())) and calls["until"] is None
    assert calls["rendered"] == list(registry.ARTEFACTS) and set(RUNS) <= set(calls["todo"])
    assert run(["--profile", "paper", "--only", "table7", "--only", "table7"]) == 0
    assert calls["engine"] is None and [a.id for a in calls["rendered"]] == ["table7"]
    out = capsys.readouterr().out
    assert f"{len(calls['todo'])} runs, {len(calls['todo'])} to compute; 1 notebook\n" in out
    assert "time to compute in 1 process: unknown until one training has run (resnet50, resnet20)" in out


@pytest.mark.parametrize(
    "words",
    [["table1,table7"], ["table1", "table7"], ["table1,", "table7"], ["table1,table7", "--only", "table1"]],
    ids=" ".join,
)
def test_several_artefacts(calls, words):
    assert run(["--only", *words]) == 0 and [a.id for a in calls["rendered"]] == ["table1", "table7"]


def test_seeds_and_a_cluster(calls, monkeypatch):
    monkeypatch.setattr(fanout, "workers", lambda address: ("dask", address))
    assert run(["--only", "table7", "--seeds", "2", "--dask", "tcp://s:8786"]) == 0
    assert calls["engine"] == ("dask", "tcp://s:8786") and len(calls["todo"]) == 2 * len(RUNS)


def test_finished_runs_are_not_computed(calls, capsys):
    for done in RUNS[1:]:
        records.write(done, {}, 1.0)
    assert run(["--only", "table7"]) == 0 and calls["todo"] == RUNS[:1]
    records.write(RUNS[0], {}, 1.0)
    capsys.readouterr()
    assert run(["--only", "table7"]) == 0 and not calls["todo"]
    assert "time to compute" not in capsys.readouterr().out


# how it ends


def test_a_spent_budget_says_what_is_left(calls, capsys):
    calls["outcome"] = execution.Outcome({}, RUNS[:2])
    assert run(["--only", "table7", "--hours", "1.5"]) == 3
    assert calls["until"] == pytest.approx(time.time() + 5400, abs=10) and calls["rendered"]
    err = capsys.readouterr().err
    assert err.startswith("stopped after 1.5 h: 2 runs left; time to compute them in ") and err.count("\n") == 1
    assert err.endswith("the same command goes on from the last finished epoch\n")


def test_failures_are_listed_by_reason_at_the_end(calls, capsys):
    other = Run.of("epoch_time")
    reasons = {RUNS[0]: "it diverged", other: "no memory", RUNS[1]: "it diverged"}
    calls["outcome"] = execution.Outcome(reasons, RUNS[2:])
    assert run(["--only", "table7", "--hours", "1"]) == 1 and calls["rendered"]
    assert capsys.readouterr().err.splitlines()[1:] == [
        "3 runs failed; the same command tries them again",
        f"  {RUNS[0]} and 1 more: it diverged",
        "  epoch_time: no memory",
    ]


def test_the_last_lines_say_what_differs_from_the_reference(calls, monkeypatch, capsys):
    monkeypatch.setattr(differences, "differences", lambda profile: [f"1 of 2 results equal ({profile})", "  a: b"])
    assert run(["--only", "table7"]) == 0
    assert capsys.readouterr().out.endswith("1 of 2 results equal (demo)\n  a: b\n")


def test_ctrl_c_is_one_line(calls, capsys):
    calls["outcome"] = KeyboardInterrupt()
    assert run(["--only", "table7"]) == 130
    assert capsys.readouterr().err == "\nstopped; the same command goes on from the last finished epoch\n"


def test_one_line_for_each_artefact(monkeypatch, capsys, calls):
    """A count of files, not their names; a notebook that fails is told at the end, and the others stay."""
    first, second, third = (registry.get(id) for id in ("table1", "table2", "table3"))
    pages = [
        notebooks.Executed(first, [paths.home() / f"table1.{kind}" for kind in ("md", "png")], 12.34, True),
        notebooks.Executed(second, [], 0.1, True, "notebook table2 failed at 'x': NameError: x"),
        notebooks.Executed(third, [paths.home() / "table3.md"], 0.0, False),
    ]
    monkeypatch.setattr(notebooks, "render_all", lambda *_: iter(pages))
    assert run(["--only", "table1,table2,table3"]) == 1
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines() if line.startswith("table")] == [
        ["table1", "12.3", "s", "2", "files"],
        ["table2", "failed", "0", "files"],
        ["table3", "unchanged", "1", "file"],
    ]
    assert err == "1 notebook failed\n  notebook table2 failed at 'x': NameError: x\n"


def test_help_lists_everything(capsys):
    with pytest.raises(SystemExit):
        run(["--help"])
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in (*registry.IDS, *profiles.PROFILES))
    assert all(option in text for option in ("--hours", "--dask", "--workers", "--seeds", "exit status"))
    readme = (paths.REPOSITORY / "README.md").read_text(encoding="utf-8")
    for told in (text, readme):  # whoever reaches a plain scheduler can run code there
        assert "tls://" in told and "tcp://" in told and "code" in told.partition("tcp://")[2]
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in cli.COMMANDS)


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["run", "--only", "tabel1"], ["publish", "--profile", "qiuck"], []]
)
def test_what_is_only_read_imports_nothing_large(words):
    code = (
        "import sys\nfrom csqcfs.__main__ import main\nsys.argv = ['csqcfs', *sys.argv[1:]]\n"
        f"try: main()\nexcept SystemExit: pass\nfinally: print(sorted({set(BEFORE)!r} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(paths.REPOSITORY / "lib")}
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_its_module(name):
    module = importlib.import_module(f"csqcfs.paper.{cli.COMMANDS[name][0]}")
    assert list(inspect.signature(module.main).parameters) == ["options"]


@pytest.mark.parametrize("words", [["run"], ["publish", "--profile", "quick"], ["sync"], ["readme"]], ids=" ".join)
def test_what_needs_the_repository_says_so(monkeypatch, capsys, words):
    monkeypatch.setattr(paths, "in_repository", lambda: False)
    assert cli.main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: csqcfs {words[0]} needs the repository") and err.count("\n") == 1


def test_a_missing_extra_is_one_line(monkeypatch, capsys):
    def missing(*_):
        raise ModuleNotFoundError("No module named 'papermill'", name="papermill")

    monkeypatch.setattr(importlib, "import_module", missing)
    assert run([]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: csqcfs run needs papermill") and "csqcfs[paper]" in err and err.count("\n") == 1


# a real one, stopped


@pytest.mark.large
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopping_two_workers_is_quiet(places, stop):
    """As the terminal sends it, to the whole group; as a batch system does, to the command alone."""
    environment = os.environ | {"PYTHONPATH": str(paths.REPOSITORY / "lib"), "OMP_NUM_THREADS": "1"}
    environment["CSQCFS_COMPILE"] = "0"  # minutes of compiling on a busy machine
    command = subprocess.Popen(
        [sys.executable, "-m", "csqcfs", "run", "--only", "table7", "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )
    limit = time.monotonic() + 240
    while not list(paths.checkpoints().glob("resnet*")) and command.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    (os.killpg if stop == signal.SIGINT else os.kill)(command.pid, stop)
    out, err = command.communicate(timeout=240)
    assert command.returncode == 130 and "time to compute in 2 processes" in out
    assert "Traceback" not in err
    assert err.endswith("\nstopped; the same command goes on from the last finished epoch\n")
    left = [p.name for p in paths.home().rglob("*") if p.is_file() and p.name.startswith(".")]
    assert not left and not list(paths.run_records().glob("*"))
    time.sleep(0.5)
    assert not _alive(command.pid)
    assert estimate.epoch_seconds(RUNS)  # the epoch that was done is kept


def _alive(group: int) -> list[int]:
    """Processes of a process group that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it ended meanwhile
            continue
        if int(of_group) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found
