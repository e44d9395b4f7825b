"""Tables: what a cell says, what stands beside what, and that the three formats survive their own syntax."""

from __future__ import annotations

import math
import re
import statistics

import pandas as pd
import pytest
from csqcfs.engine.errors import InputError
from csqcfs.paper import published
from csqcfs.paper.pages import style, tables
from hypothesis import given
from hypothesis import strategies as st

NOTE = 'profile: smoke; n = 2\ncommand: csqcfs run "table 1" --seeds 0,1'
LABELS = ("Architecture", "Method")
texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=12)


def compare(ours, difference=False, printed=published.TABLE1):
    printed = {key: tables.accuracies(row) for key, row in printed.items()}
    return tables.beside(printed, ours, labels=LABELS, columns=tables.ACCURACY, profile="smoke", difference=difference)


def test_cell():
    assert tables.cell(None) == tables.cell([]) == ""
    assert tables.cell([12.344]) == "12.34"
    assert tables.cell([12.0, 13.0]) == "12.50 ± 0.71"
    assert tables.cell([0.0862], digits=4) == "0.0862"
    assert tables.cell([math.inf, 1.0]) == tables.cell([math.nan]) == "undefined"


@given(st.lists(st.floats(0, 100), min_size=2, max_size=6))
def test_cell_is_mean_and_sample_deviation(values):
    mean, deviation = map(float, tables.cell(values, digits=6).split(" ± "))
    assert mean == pytest.approx(sum(values) / len(values), abs=1e-6)
    assert deviation == pytest.approx(pd.Series(values).std(ddof=1), abs=1e-6)


def test_names_agree_with_the_figures():
    shared = tables.NAMES.keys() & style.METHODS.keys()
    assert {"ann", "qcfs", "csqcfs", "ours"} <= shared
    assert all(tables.NAMES[key] == style.METHODS[key].label for key in shared)


def test_every_printed_number_of_table_1_is_shown():
    frame = compare({})
    for (network, method), row in published.TABLE1.items():
        shown = frame.loc[(tables.NAMES[network], tables.NAMES[method], "paper")]
        assert list(shown) == ["" if v is None else f"{v:.2f}" for v in (row.ann, *row.snn)]
    assert set(frame.index.get_level_values("Source")) == {"paper", "ours (smoke, not run)"}


def test_ours_beside_the_paper_with_difference():
    seeds = {"ANN": [95.0, 96.0], "T = 1": [70.0, 71.0], "T = 2": [90.0]}
    frame = compare({("resnet18", "qcfs"): seeds}, difference=True).loc["ResNet-18"].loc["QCFS"]
    assert list(frame.index) == ["paper", "ours (smoke, n = 1-2)", "difference"]
    assert list(frame["ANN"]) == ["95.64", "95.50 ± 0.71", f"{statistics.fmean([95.0, 96.0]) - 95.64:+.2f}"]
    assert list(frame["T = 1"]) == ["", "70.50 ± 0.71", ""]
    assert list(frame["T = 2"]) == ["91.75", "90.00", "-1.75"]
    assert list(frame["T = 32"]) == ["95.67", "", ""]


def test_no_difference_unless_asked_for():
    frame = compare({("resnet18", "qcfs"): {"ANN": [95.0]}})
    assert "difference" not in frame.index.get_level_values("Source")


def test_rows_the_paper_lacks_come_last_and_alone():
    frame = compare({("resnet20", "plain"): {"ANN": [90.0]}}, difference=True)
    assert frame.index[-1] == ("ResNet-20", "plain", "ours (smoke, n = 1)")
    assert len(frame.loc["ResNet-20"].loc["plain"]) == 1


def test_one_label_and_digits_for_each_column():
    printed = {key: row._asdict() for key, row in published.TABLE7.items()}
    frame = tables.beside(
        printed,
        {"qcfs": {"energy": [0.0781]}},
        labels=["Model"],
        profile="smoke",
        columns=published.Energy._fields,
        digits={"acs": 2, "macs": 1, "energy": 4},
    )
    assert list(frame.loc[("CS-QCFS", "paper")]) == ["52.66", "8.4", "0.0862"]
    assert frame.loc[("QCFS", "ours (smoke, n = 1)"), "energy"] == "0.0781"


@pytest.mark.parametrize(
    "ours, message",
    [({("vgg16",): {"ANN": [1.0]}}, "does not fit"), ({("vgg16", "qcfs"): {"T = 3": [1.0]}}, "column 'T = 3'")],
)
def test_bad_rows_are_named(ours, message):
    with pytest.raises(InputError, match=message):
        compare(ours)


def test_no_rows():
    with pytest.raises(InputError, match="no rows"):
        compare({}, printed={})


def cells(line: str) -> list[str]:
    """Cells of a pipe table: a backslash takes the next character as it is."""
    found = re.findall(r"((?:\\.|[^\\|])*)\|", line)
    return [re.sub(r"\\(.)", r"\1", text).strip() for text in found[1:]]


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_markdown_keeps_its_columns(rows):
    lines = tables.to_markdown(pd.DataFrame(rows, columns=["a|b", "c\\"])).splitlines()
    assert cells(lines[0]) == ["a|b", "c\\"]
    assert [cells(line) for line in lines[2:]] == [[text.strip() for text in row] for row in rows]


def test_markdown_repeats_no_label_but_restarts_with_the_one_before():
    index = pd.MultiIndex.from_tuples([("a", "x", "s"), ("a", "x", "s"), ("b", "x", "s")], names=list("klm"))
    lines = tables.to_markdown(pd.DataFrame({"v": [1.0, None, 3.456]}, index=index)).splitlines()
    assert lines[1] == "| --- | --- | --- | ---: |"
    expected = [["a", "x", "s", "1.00"], ["", "", "s", ""], ["b", "x", "s", "3.46"]]
    assert [cells(line) for line in lines[2:]] == expected


def read(path):
    return pd.read_csv(path, comment="#", dtype=str, keep_default_na=False)


def test_csv_comes_back(tmp_path):
    frame = compare({("resnet18", "qcfs"): {"ANN": [95.0, 96.0]}})
    _, path, _ = tables.write(frame, tmp_path, "table1", "Accuracy", NOTE)
    pd.testing.assert_frame_equal(read(path), frame.reset_index(), check_dtype=False)
    assert path.read_text(encoding="utf-8").startswith("# profile: smoke; n = 2\n# command: csqcfs run")


def test_csv_cells_may_hold_its_syntax(tmp_path):
    frame = pd.DataFrame({"a #1": ["x, y", 'q"', "# z"], "b": ["", "two\nlines", "±"]})
    _, path, _ = tables.write(frame, tmp_path, "t", "c", NOTE)
    pd.testing.assert_frame_equal(read(path), frame, check_dtype=False)


def test_latex_escapes():
    assert tables.escape_latex("50% & a_b #1 $") == r"50\% \& a\_b \#1 \$"
    assert tables.escape_latex("1.00 ± 0.10") == r"1.00 $\pm$ 0.10"
    assert tables.escape_latex("-0.50") == "$-$0.50"
    assert tables.escape_latex("layer-wise") == "layer-wise"
    assert tables.escape_latex("a\\{b") == r"a\textbackslash{}\{b"


@given(texts)
def test_latex_leaves_no_bare_special(text):
    commands = r"\\text\w+\{\}|\$\\?[a-z-]+\$|\{[\[*]\}|\\[%&_#${}]"
    bare = re.sub(commands, "", tables.escape_latex(text))
    assert not set(bare) & set("%&_#${}~^\\")


def test_latex_table():
    frame = compare({("resnet18", "qcfs"): {"ANN": [95.0, 96.0]}})
    text = tables.to_latex(frame, "table1", "Accuracy in %", NOTE)
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == len(frame) and {line.count("&") for line in rows} == {9}
    assert body.count(r"\addlinespace") == 4  # between five networks
    assert r"\begin{tabular}{lllrrrrrrr}" in text and r"\caption{Accuracy in \%}" in text
    assert r"\footnotesize\raggedright profile: smoke; n = 2\newline command" in text
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    assert re.findall(r"\\begin\{(\w+)\}", text) == re.findall(r"\\end\{(\w+)\}", text)[::-1]


def test_write_is_repeatable_and_complete(tmp_path):
    frame = pd.DataFrame({"value": [1 / 3, float("nan")]})
    once, twice = (
        {path.name: path.read_bytes() for path in tables.write(frame, tmp_path, "t", "Caption", NOTE, 3)}
        for _ in range(2)
    )
    assert once == twice and set(once) == {"t.md", "t.csv", "t.tex"}
    assert all(b"0.333" in data and b"0.3333" not in data and b"nan" not in data for data in once.values())
    assert all(b"command: csqcfs run" in data for data in once.values())
    assert all(b"Caption" in once[name] for name in ("t.md", "t.tex"))


def test_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        tables.write(pd.DataFrame({"a": [1]}), tmp_path / "file", "t", "c", NOTE)


def test_prose_is_to_the_left_and_not_padded():
    long = "a finding of many words, " * 4
    frame = pd.DataFrame(
        {"Found": [long, "short"], "Share": [0.5, 12.25]}, index=pd.Index(["one", "two"], name="Check")
    )
    assert tables.to_markdown(frame).splitlines()[1:] == [
        "| ----- | --- | ----: |",
        f"| one   | {long} |  0.50 |",
        "| two   | short | 12.25 |",
    ]
    assert r"\begin{tabular}{lp{7cm}r}" in tables.to_latex(frame, "x", "caption")
