"""A frame as Markdown, CSV and LaTeX. A cell is text: what looks like markup in it appears as it was written.

`Markup` is the exception, for cells that the project itself writes as Markdown, such as links to notebooks.
"""

from __future__ import annotations

import csv
import io
import math
import re
from pathlib import Path

import pandas as pd

from ...engine.files import write_text

PROSE = 40  # characters from which a cell makes its column one of prose: wrapped, never padded
WIDTH = 100  # characters that fit a line of LaTeX in \footnotesize
LONG = 20  # lines from which a table with prose may break over pages

NUMBER = re.compile(
    r"[<>≤≥≈]?\s*[+−-]?\d[\d,]*(\.\d+)?(e[+-]?\d+)?"  # 12, −0.50, ≤ 1.2, 1,024
    r"(\s*±\s*[\d.,]+)?\s*(%|x|s|ms|h|µJ|mJ|MiB|GiB)?(\s*\([^)]*\))?"
)
NEUTRAL = re.compile(r"(undefined( for \d+ of \d+)?|not measured|not run|never)?")  # stand for a number


class Markup(str):
    """Markdown that a cell may hold as such."""


def markdown(text: str) -> str:
    """``text`` for Markdown, so that it appears as written, line breaks as well: no HTML, links, math or styles."""
    if isinstance(text, Markup):
        return re.sub(r"(?<!\\)\|", r"\|", text)
    text = re.sub(r"([\\|`*$])", r"\\\1", text)
    text = re.sub(r"&(?=#?\w+;)", "&amp;", text)
    text = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
    text = re.sub(r"\](?=[(\[:])", r"\\]", text)
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    text = text.replace("~~", r"\~\~").replace("://", r":\//")
    text = re.sub(r"\b(www|WWW)\.", r"\1\\.", text)
    return re.sub(r"\s*(?:\r\n?|\n|\x0b|\x0c|\u0085|\u2028|\u2029)\s*", "<br>", minus(text))


def minus(text: str) -> str:
    """A hyphen before a number that is a sign becomes a minus."""
    return re.sub(r"(?<![\w.)\]}\-−/:`])-(?=\.?\d)", "−", text)


_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "%": r"\%",
        "&": r"\&",
        "_": r"\_",
        "#": r"\#",
        "$": r"\$",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "`": r"\textasciigrave{}",
        "±": r"$\pm$",
        "−": "$-$",
        "×": r"$\times$",
        "·": r"$\cdot$",
        "←": r"$\leftarrow$",
        "≤": r"$\le$",
        "≥": r"$\ge$",
        "≈": r"$\approx$",
        "∂": r"$\partial$",
        "ε": r"$\varepsilon$",
        "θ": r"$\theta$",
        "λ": r"$\lambda$",
        "µ": r"$\mu$",
        "ρ": r"$\rho$",
        "τ": r"$\tau$",
        "φ": r"$\phi$",
        "²": r"$^2$",
        "[": "{[}",
        "*": "{*}",  # either would be an argument of a line break just before it
    }
)


def latex(text: str) -> str:
    """``text`` for LaTeX; line breaks become spaces, and two hyphens stay two."""
    plain = re.sub(r"[*`]|\[([^\]]*)\]\([^)]*\)", r"\1", text) if isinstance(text, Markup) else text
    plain = " ".join(minus(plain).split())
    return plain.translate(_LATEX).replace("--", "-{}-")


def _text(value: object, digits: int) -> str:
    """A value as a cell: numbers with fixed precision, missing ones as nothing."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.{digits}f}"
    return "" if value is None or value is pd.NA else value if isinstance(value, str) else str(value)


def _parts(frame: pd.DataFrame, digits: int) -> tuple[list[str], list[list[str]], int]:
    """Names of the columns, the lines, and how many cells of each line are labels.

    A named index is labels; the default index of a frame is not shown.
    """
    labelled = any(name is not None for name in frame.index.names)
    labels = [str(name or "") for name in frame.index.names] if labelled else []
    indices = frame.index.tolist() if isinstance(frame.index, pd.MultiIndex) else [(label,) for label in frame.index]
    lines = [
        [_text(value, digits) for value in (*(index if labelled else ()), *row)]
        for index, row in zip(indices, frame.itertuples(index=False, name=None), strict=True)
    ]
    return [*labels, *map(str, frame.columns)], lines, len(labels)


def _without_repeats(lines: list[list[str]], labels: int) -> list[list[str]]:
    """The lines with a label left empty where it and those before it repeat the line above."""
    previous, shown = [], []
    for line in lines:
        same = 0
        while same < labels - 1 and line[: same + 1] == previous[: same + 1]:
            same += 1
        shown.append([""] * same + line[same:])
        previous = line
    return shown


def _columns(lines: list[list[str]], count: int) -> tuple[list[bool], list[bool]]:
    """For each column, whether it holds numbers and so stands to the right, and whether it holds prose."""
    columns = list(zip(*lines, strict=True)) or [()] * count
    values = [[cell for cell in column if not NEUTRAL.fullmatch(cell)] for column in columns]
    numbers = [bool(found) and all(NUMBER.fullmatch(cell) for cell in found) for found in values]
    return numbers, [any(len(cell) > PROSE for cell in column) for column in columns]


def to_markdown(frame: pd.DataFrame, digits: int = 2) -> str:
    """A pipe table; numbers to the right, all else to the left, repeated labels shown once."""
    names, lines, labels = _parts(frame, digits)
    numbers, prose = _columns(lines, len(names))
    rows = [[markdown(text) for text in row] for row in [names, *_without_repeats(lines, labels)]]
    widths = [3 if prose[i] else max(3, *(len(row[i]) for row in rows)) for i in range(len(names))]
    rule = ["-" * (width - 1) + ":" if right else "-" * width for width, right in zip(widths, numbers, strict=True)]

    def line(cells: list[str]) -> str:
        padded = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(cells, widths, numbers, strict=True)
        ]
        return "| " + " | ".join(padded) + " |"

    return "\n".join(line(row) for row in [rows[0], rule, *rows[1:]]) + "\n"


def to_csv(frame: pd.DataFrame, note: str = "", digits: int = 2) -> str:
    """The note as lines that start with #, then the table; pandas.read_csv(file, comment="#") reads it."""
    names, lines, _ = _parts(frame, digits)
    text = io.StringIO()
    text.writelines(f"# {line}\n" for line in note.splitlines())
    # quoted throughout, since readers would take a bare # in a cell for a comment
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([names, *lines])
    return text.getvalue()


def to_latex(frame: pd.DataFrame, label: str, caption: str, note: str = "", digits: int = 2) -> str:
    """A table environment, or a longtable of many lines of prose; needs booktabs, graphicx, longtable and textcomp.

    Columns of prose share the width that the others leave; a table that is still too wide is shrunk.
    """
    names, lines, labels = _parts(frame, digits)
    numbers, prose = _columns(lines, len(names))
    shown = [list(map(latex, line)) for line in _without_repeats(lines, labels)]
    for i in range(1, len(lines)):
        if labels > 1 and lines[i][0] != lines[i - 1][0]:
            shown[i][0] = rf"\addlinespace {shown[i][0]}"
    kinds = ["r" if right else "l" for right in numbers]
    widths = [max([len(names[i]), *(len(line[i]) for line in lines)]) for i in range(len(names))]
    left = WIDTH - 2 * len(names) - sum(width for width, long in zip(widths, prose, strict=True) if not long)
    for i in (i for i, long in enumerate(prose) if long):
        share = max(left, WIDTH / 3) / WIDTH * math.sqrt(widths[i]) / sum(math.sqrt(widths[j]) for j in _true(prose))
        kinds[i] = rf"p{{{share:.2f}\linewidth}}"
    text = pd.DataFrame(shown, columns=list(map(latex, names)), dtype=str).style.hide(axis="index")
    long = any(prose) and len(lines) > LONG
    titled = {"caption": latex(unnumbered(caption)), "label": f"tab:{label}"}
    table = text.to_latex(
        hrules=True, column_format="".join(kinds), **({"environment": "longtable"} | titled if long else {})
    )
    small = r"\newline ".join(map(latex, note.splitlines()))
    below = rf"\noindent\parbox{{\linewidth}}{{\footnotesize\raggedright {small}}}" if note else ""
    if long:
        return "\n".join([r"{\footnotesize", table.strip(), "}", *filter(None, [below]), ""])
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            *([r"\footnotesize"] if any(prose) else []),
            rf"\caption{{{titled['caption']}}}",
            rf"\label{{{titled['label']}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            table.strip() + "}",
            *([r"\par\smallskip", below] if note else []),
            r"\end{table}",
            "",
        ]
    )


def _true(flags: list[bool]) -> list[int]:
    return [i for i, flag in enumerate(flags) if flag]


def unnumbered(caption: str) -> str:
    """A caption that LaTeX may number: "Table 1. Accuracy" becomes "Accuracy (Table 1 of the paper)"."""
    return re.sub(r"^((?:Table|Fig\.) \d+)\. (.*)$", r"\2 (\1 of the paper)", caption)


def write(frame: pd.DataFrame, folder: Path | str, name: str, caption: str, note: str, digits: int = 2) -> list[Path]:
    """Write ``name``.md, .csv and .tex, each with the note: profile, seeds, hardware, command, records.

    Raises:
        InputError: the folder cannot be written to.
    """
    lines = "  \n".join(map(markdown, note.splitlines()))
    texts = {
        "md": f"**{markdown(caption)}**\n\n{to_markdown(frame, digits)}\n{lines}\n",
        "csv": to_csv(frame, note, digits),
        "tex": to_latex(frame, name, caption, note, digits),
    }
    return [write_text(Path(folder) / f"{name}.{suffix}", text) for suffix, text in texts.items()]
