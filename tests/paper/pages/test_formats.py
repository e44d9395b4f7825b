"""Markdown, CSV and LaTeX of tables: whatever a cell holds appears as it was written."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from csqcfs.engine.errors import InputError
from csqcfs.paper.pages import formats
from csqcfs.paper.pages.formats import Markup, latex, markdown, minus, to_latex, to_markdown
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

NOTE = 'profile: smoke; n = 2\ncommand: csqcfs run "table 1" --seeds 0,1'
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](http://a.b/c.png)",
    "http://a.b and www.a.b",
    "<http://a.b>",
    "a | b \\| c",
    "`code` *bold* __init__ _x_ ~~gone~~ $x_1$ $$y$$",
    "&lt;b&gt; &amp; &#60;",
    "[a]: http://b.c",
    "# no heading",
    "1. no list",
    "--profile \\--profile a-b",
    "C:\\new\\table",
)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "), min_size=1, max_size=20)
markup = st.text(st.sampled_from(list("<>[]()!*_`~$&;#\\|:/.wab-1 ")), min_size=1, max_size=25)
RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def rendered(text: str) -> list[list[str]]:
    """Texts of the cells of a Markdown table, row by row; markup in them is an error."""
    rows: list[list[str]] = []
    for token in RENDERER.parse(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            parts = []
            for child in token.children:
                kind = "break" if child.type == "html_inline" and child.content == "<br>" else child.type
                assert kind in ("text", "text_special", "break"), f"{kind} in {token.content!r}"
                parts.append("\n" if kind == "break" else child.content)
            rows[-1].append("".join(parts))
    return rows


def frame_of(*cells: str) -> pd.DataFrame:
    return pd.DataFrame({"a|b": list(cells), "c\\": ["x"] * len(cells)})


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_in_a_cell_appears_as_written(text):
    assert rendered(to_markdown(frame_of(text, "other")))[1] == [text, "x"]
    assert rendered("| h |\n|---|\n| " + markdown(text) + " |\n")[1] == [text]


@given(st.lists(texts | markup, min_size=1, max_size=4))
def test_any_text_comes_back_from_a_markdown_renderer(cells):
    found = rendered(to_markdown(frame_of(*cells)))
    assert found[0] == ["a|b", "c\\"]
    assert [row[0] for row in found[1:]] == [minus(cell.strip()) for cell in cells]


def test_nothing_becomes_a_link_by_itself():
    for text in ("see http://a.b", "WWW.a.b", "ftp://x"):
        assert not re.search(r"://|\bwww\.", markdown(text), re.IGNORECASE)


def test_line_breaks_stay_line_breaks_and_open_no_row():
    for newline in ("\n", "\r\n", "\u2028", "\x0b"):
        assert rendered(to_markdown(frame_of(f"one{newline}# two")))[1] == ["one\n# two", "x"]
    assert latex("one\ntwo") == "one two"
    assert "**a<br># b**" in markdown("a\n# b").join(["**", "**"])


def test_markup_of_our_own_is_kept():
    link = Markup("[Table 1](table1.ipynb)")
    assert "| [Table 1](table1.ipynb) |" in to_markdown(pd.DataFrame({"Notebook": [link]}))
    assert latex(link) == "Table 1" and latex(Markup("`fit(x)`")) == "fit(x)"


def test_signs_are_alike():
    assert markdown("-0.50 ± 0.10 (-1 to -.5)") == "−0.50 ± 0.10 (−1 to −.5)"
    kept = ("Eqs. 1-14", "2026-01-05", "layer-wise", "--seeds", "1e-05", "a-1", "n = 1-3", "v1.0-2")
    assert [minus(text) for text in kept] == list(kept)
    assert latex("-0.50") == "$-$0.50" and latex("−0.5") == "$-$0.5" and latex("T = -1") == "T = $-$1"


def test_numbers_stand_right_and_all_else_left():
    frame = pd.DataFrame(
        {
            "n": ["12", "-0.50", ""],
            "spread": ["1.00 ± 0.10", "undefined for 1 of 3", "≤ 3 %"],
            "word": ["yes", "no", "yes"],
            "mixed": ["12", "more than 32", "3"],
        },
        index=pd.Index(["one", "two", "three"], name="Check"),
    )
    rule = to_markdown(frame).splitlines()[1]
    assert [cell.strip().endswith(":") for cell in rule.strip("|").split("|")] == [False, True, True, False, False]
    assert r"\begin{tabular}{lrrll}" in to_latex(frame, "x", "caption")


def test_repeated_labels_are_shown_once_but_restart_with_the_one_before():
    index = pd.MultiIndex.from_tuples([("a", "x", "s"), ("a", "x", "s"), ("b", "x", "s")], names=list("klm"))
    frame = pd.DataFrame({"v": [1.0, None, 3.456]}, index=index)
    assert rendered(to_markdown(frame))[1:] == [["a", "x", "s", "1.00"], ["", "", "s", ""], ["b", "x", "s", "3.46"]]
    assert to_latex(frame, "x", "c").count(r"\addlinespace") == 1


def read(path):
    return pd.read_csv(path, comment="#", dtype=str, keep_default_na=False)


def test_csv_cells_may_hold_its_syntax(tmp_path):
    frame = pd.DataFrame({"a #1": ["x, y", 'q"', "# z"], "b": ["", "two\nlines", "±"]})
    _, path, _ = formats.write(frame, tmp_path, "t", "c", NOTE)
    pd.testing.assert_frame_equal(read(path), frame, check_dtype=False)
    assert path.read_text(encoding="utf-8").startswith("# profile: smoke; n = 2\n# command: csqcfs run")


def test_latex_escapes():
    assert latex("50% & a_b #1 $") == r"50\% \& a\_b \#1 \$"
    assert latex("1.00 ± 0.10") == r"1.00 $\pm$ 0.10"
    assert latex("layer-wise") == "layer-wise"
    assert latex("./run_all.sh --profile quick") == "./run\\_all.sh -{}-profile quick"
    assert latex("a\\{b") == r"a\textbackslash{}\{b"


@given(texts | markup)
def test_latex_leaves_no_bare_special(text):
    commands = r"\\text\w+\{\}|\$\^2\$|\$\\?[a-z-]+\$|\{[\[*]\}|\\[%&_#${}]|-\{\}-"
    bare = re.sub(commands, "x", latex(text))
    assert not set(bare) & set("%&_#${}~^\\") and "--" not in bare


def balanced(text: str) -> bool:
    plain = re.sub(r"\\[{}]", "", text)
    ends = re.findall(r"\\(begin|end)\{(\w+)\}", text)
    opened: list[str] = []
    for what, name in ends:
        if what == "begin":
            opened.append(name)
        elif not opened or opened.pop() != name:
            return False
    return plain.count("{") == plain.count("}") and not opened


def test_latex_table_has_one_number_and_a_line_for_each_row():
    frame = pd.DataFrame({"ANN": ["95.00", "96.00"], "T = 1": ["", "1.0"]}, index=pd.Index(["a", "b"], name="Net"))
    text = to_latex(frame, "table1", "Table 1. Accuracy in %", NOTE)
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    assert [line.count("&") for line in body.strip().splitlines()] == [2, 2]
    assert r"\caption{Accuracy in \% (Table 1 of the paper)}" in text and r"\label{tab:table1}" in text
    assert r"\footnotesize\raggedright profile: smoke; n = 2\newline command" in text
    assert "-{}-seeds" in text and balanced(text)
    assert formats.unnumbered("Fig. 4. Accuracy") == "Accuracy (Fig. 4 of the paper)"
    assert formats.unnumbered("Differences of Table 3") == "Differences of Table 3"


def test_many_lines_of_prose_break_over_pages_and_fit_their_width():
    found = "a finding of many words, " * 8
    frame = pd.DataFrame(
        {"Place": ["Section 5.3, Table 1"] * 40, "Claim": ["it is better " * 5] * 40, "Found": [found] * 40},
        index=pd.RangeIndex(1, 41, name="#"),
    )
    text = to_latex(frame, "claims", "The claims", NOTE)
    assert text.count(r"\begin{longtable}") == 1 and "resizebox" not in text and balanced(text)
    widths = [float(width) for width in re.findall(r"p\{([\d.]+)\\linewidth\}", text)]
    narrow = (2 + 2 + 20 + 2) / formats.WIDTH  # characters of # and Place, and their gaps
    assert len(widths) == 2 and 0.9 < sum(widths) + narrow <= 1.01
    short = to_latex(frame.head(5), "claims", "The claims", NOTE)
    assert "longtable" not in short and balanced(short)


def test_write_is_repeatable_and_complete(tmp_path):
    frame = pd.DataFrame({"value": [1 / 3, float("nan")]})
    once, twice = (
        {path.name: path.read_bytes() for path in formats.write(frame, tmp_path, "t", "Caption", NOTE, 3)}
        for _ in range(2)
    )
    assert once == twice and set(once) == {"t.md", "t.csv", "t.tex"}
    assert all(b"0.333" in data and b"0.3333" not in data and b"nan" not in data for data in once.values())
    assert all(b"command: csqcfs run" in data for data in once.values())
    assert all(b"Caption" in once[name] for name in ("t.md", "t.tex"))


def test_a_note_from_a_file_appears_as_written(tmp_path):
    note = "hardware <script>x</script> [a](b:c)"
    path, *_ = formats.write(pd.DataFrame({"a": [1]}), tmp_path, "t", "<b>c</b>", note)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("**&lt;b>c&lt;/b>**\n") and "&lt;script>x&lt;/script> [a\\](b:c)" in text


def test_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        formats.write(pd.DataFrame({"a": [1]}), tmp_path / "file", "t", "c", NOTE)
