"""The table of speed: its arithmetic, its record and its peers; no time is asserted."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from csqcfs import InputError
from csqcfs.engine import kernels
from csqcfs.paper import cli
from csqcfs.paper.bench import command, report, simulation, training, turns
from csqcfs.paper.experiments import profiles, registry
from csqcfs.paper.experiments.configs import Run
from csqcfs.paper.measures import kinds
from csqcfs.paper.runs import records


def test_a_line_is_the_median_of_the_ratios_of_each_round():
    seconds = {"a": [2.0, 6.0, 3.0, 8.0, 5.0], "b": [1.0, 2.0, 2.0, 2.0, 1.0]}  # 2, 3, 1.5, 4, 5
    found = turns.line("a / b", "", seconds, "a", "b", 3.0)
    assert found.outcome == {"median": 3.0, "low": 2.0, "high": 4.0} and found.met
    assert found.seconds == {"a": 5.0, "b": 2.0}
    assert not turns.line("a / b", "", seconds, "a", "b", 2.9).met
    assert turns.line("a / b", "", seconds, "a", "b", 2.9, above=True).met
    assert turns.Line("peer", "", None, 3).met is None


def test_functions_take_turns():
    order = []
    seconds = turns.timed({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 4)
    assert order[: 2 * turns.WARM_UP] == ["a"] * turns.WARM_UP + ["b"] * turns.WARM_UP
    assert order[2 * turns.WARM_UP :] == ["a", "b", "b", "a"] * 2
    assert {name: len(values) for name, values in seconds.items()} == {"a": 4, "b": 4}


def test_memory_kept_is_one_input():
    metrics = report.bench("kept", quick=True)
    (line,) = metrics["lines"]
    assert line["row"] == "kept" and line["met"] and line["outcome"]["median"] == 1
    assert metrics["versions"]["torch"] == torch.__version__ and metrics["threads"] == torch.get_num_threads()


def test_the_choice_of_path_is_restored():
    before = kernels.COMPILE_FROM, kernels.COMPILE_AFTER
    with pytest.raises(ZeroDivisionError), training.compiler(False):
        assert kernels.fastest(kernels.quantize, 1 << 40, torch.device("cpu")) is kernels.quantize
        1 / 0
    assert (kernels.COMPILE_FROM, kernels.COMPILE_AFTER) == before


@pytest.mark.parametrize("row", ["activation", "step", "input"])
def test_every_row_of_training_runs(row, monkeypatch):
    """Each function once, not compiled, which takes a minute: what a row measures exists and can be called."""

    def once(functions, rounds):
        for function in functions.values():
            function()
        return {name: [1.0] * rounds for name in functions}

    monkeypatch.setattr(training, "timed", once)
    monkeypatch.setattr(kernels, "compiler_available", lambda: False)
    lines = report.ROWS[row](True)
    assert lines and all(line.outcome["median"] > 0 for line in lines)


@pytest.mark.large
def test_spikingjelly_gives_identical_scores():
    pytest.importorskip("spikingjelly")
    _, plain, cos, _ = simulation.networks("resnet20")
    peer, x = simulation.with_spikingjelly(plain, 3), torch.randn(1, 3, 32, 32)
    assert torch.equal(plain(x, 3), peer(x))
    assert cos.method.name == "cos" and list(cos.thresholds) == list(plain.thresholds)


@pytest.mark.large
def test_without_spikingjelly_its_line_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "spikingjelly.activation_based.neuron", None)
    monkeypatch.setattr(simulation, "timed", lambda functions, rounds: {name: [1.0, 1.0] for name in functions})
    lines = simulation.simulation(quick=True)
    assert [line.met for line in lines] == [None, True, True, True]
    assert "not installed" in report.table([{**vars(line), "met": line.met} for line in lines])


def test_an_unknown_row(capsys):
    with pytest.raises(InputError, match="row 'spike': expected one of activation, kept"):
        report.bench("kept,spike")
    assert cli.main(["bench", "--rows", "spike"]) == 2
    assert capsys.readouterr().err.startswith("error: row 'spike'")


def test_the_command_prints_the_table_and_writes_the_record(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))
    assert cli.main(["bench", "--rows", "kept", "--quick"]) == 0
    out = capsys.readouterr().out
    assert "| memory kept for backward | [128, 16, 32, 32] | 1 × the input | ≤ 1 | yes |" in out
    record = records.find(Run.of("bench", rows="kept", quick=True), "quick")
    assert record.metrics["lines"][0]["what"] == "memory kept for backward"
    assert record.provenance["hardware"] in out
    assert json.loads(json.dumps(record.metrics)) == record.metrics
    assert "bench" in kinds.KINDS and "epoch_time" in kinds.KINDS


def test_the_whole_table_is_the_run_that_table_6_declares(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))
    monkeypatch.setattr(command, "measure", lambda run: {"lines": [], "device": "cpu", "threads": 1, "versions": {}})
    assert cli.main(["bench"]) == 0
    (declared,) = registry.get("table6").rows(profiles.get("quick"), (0,))[("bench",)]
    assert records.here(declared).metrics["threads"] == 1
    assert ("bench",) not in registry.get("table6").rows(profiles.get("demo"), (0,))


def test_a_home_that_cannot_be_written_is_refused_before_anything_is_measured(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(command, "measure", lambda run: pytest.fail("measured for nothing"))
    assert cli.main(["bench", "--rows", "kept"]) == 2
    assert capsys.readouterr().err.startswith(f"error: cannot write into {tmp_path / 'file' / 'records'}: ")
