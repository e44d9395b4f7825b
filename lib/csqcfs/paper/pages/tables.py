"""Tables that set this project's numbers beside the paper's, and their Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import math
import re
import statistics
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from ...engine.errors import InputError
from ...engine.files import write_text
from .. import published

ACCURACY = ("ANN", *(f"T = {timestep}" for timestep in published.TIMESTEPS))

NAMES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "vgg16": "VGG-16",
    "resnet18": "ResNet-18",
    "resnet20": "ResNet-20",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "qcfs": "QCFS",
    "sqcfs": "S-QCFS",
    "cqcfs": "C-QCFS",
    "csqcfs": "CS-QCFS",
    "qcfs-2": "QCFS, two stages",
    "ann": "ANN",
    "srp": "SRP",
    "cos": "COS",
    "ours": "CS-QCFS + offset",
}


def cell(values: Sequence[float] | None, digits: int = 2) -> str:
    """ "" for no values, "12.34" for one, "12.34 ± 0.56" (mean, sample standard deviation) for several.

    "undefined" where a value is not finite, as (max - min) / min of thresholds is where min is 0.
    """
    if not values:
        return ""
    if not all(map(math.isfinite, values)):
        return "undefined"
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def accuracies(row: published.Row) -> dict[str, float | None]:
    """A printed row of Tables 1-4 by the names of its columns, ACCURACY."""
    return dict(zip(ACCURACY, (row.ann, *row.snn), strict=True))


def beside(
    printed: Mapping[Hashable, Mapping[str, float | None]],
    ours: Mapping[Hashable, Mapping[str, Sequence[float]]],
    *,
    labels: Sequence[str],
    columns: Sequence[str],
    profile: str,
    difference: bool = False,
    names: Mapping[str, str] = NAMES,
    digits: int | Mapping[str, int] = 2,
) -> pd.DataFrame:
    """One line "paper" and one line "ours (profile, n = seeds)" for each row, as strings.

    Rows are keyed by tuples, one part for each of ``labels`` (or by the part itself where there is one),
    shown as ``names`` says: those of ``printed``, then those the paper has not, without a line "paper".
    ``ours`` holds one value for each seed. With ``difference``, for profiles that train as the paper does, a
    third line has our mean minus the paper's number. ``digits`` are decimals, for all columns or for each.
    The labels and the source of each line are the index of the frame.

    Raises:
        InputError: no rows, a key without one part for each label, or a row with a column not in ``columns``.
    """
    decimals = dict.fromkeys(columns, digits) if isinstance(digits, int) else digits
    lines: list[tuple[tuple[str, ...], list[str]]] = []
    for key in dict.fromkeys([*printed, *ours]):
        theirs, mine = printed.get(key, {}), ours.get(key, {})
        parts = key if isinstance(key, tuple) else (key,)
        if len(parts) != len(labels):
            raise InputError(f"row {key!r} does not fit {tuple(labels)}: give one part for each label")
        if unknown := (theirs.keys() | mine.keys()) - set(columns):
            raise InputError(f"row {key!r} has column {min(unknown)!r}: expected only {', '.join(columns)}")
        shown = tuple(names.get(part, part) for part in parts)
        if key in printed:
            values = {column: [value] for column, value in theirs.items() if value is not None}
            lines.append(((*shown, "paper"), [cell(values.get(c), decimals[c]) for c in columns]))
        seeds = sorted({len(values) for values in mine.values() if values})
        count = f"n = {'-'.join(map(str, seeds[:1] + seeds[1:][-1:]))}" if seeds else "not run"
        cells = [cell(mine.get(c), decimals[c]) for c in columns]
        lines.append(((*shown, f"ours ({profile}, {count})"), cells))
        if difference and seeds and key in printed:
            gaps = [_difference(mine.get(c), theirs.get(c), decimals[c]) for c in columns]
            lines.append(((*shown, "difference"), gaps))
    if not lines:
        raise InputError("no rows for a table: expected the paper's numbers or ours; check the experiment")
    index = pd.MultiIndex.from_tuples([place for place, _ in lines], names=[*labels, "Source"])
    return pd.DataFrame([cells for _, cells in lines], index=index, columns=list(columns), dtype=str)


def measured_accuracies(metrics: Sequence[Mapping]) -> dict[str, list[float]]:
    """Metrics of the kind "accuracy", one for each seed, by the names of the columns ACCURACY."""
    if not metrics:
        return {}
    snn = {f"T = {t}": [seed["snn"][t - 1] for seed in metrics] for t in published.TIMESTEPS}
    return {"ANN": [seed["ann"] for seed in metrics], **snn}


def accuracy_beside(page, printed: Mapping[Hashable, published.Row], labels: Sequence[str]) -> pd.DataFrame:
    """`beside` for a page whose rows are accuracies with the keys of ``printed``, such as Tables 1-4."""
    ours = {key: measured_accuracies(page.metrics(key)) for key in page.rows}
    return beside(
        {key: accuracies(row) for key, row in printed.items()},
        ours,
        labels=labels,
        columns=ACCURACY,
        profile=page.profile.name,
        difference=page.profile.name == "paper",
    )


def _difference(mine: Sequence[float] | None, theirs: float | None, digits: int) -> str:
    if not mine or theirs is None or not all(map(math.isfinite, mine)):
        return ""
    return f"{statistics.fmean(mine) - theirs:+.{digits}f}"


def _text(value: object, digits: int) -> str:
    """A value as a cell: numbers with fixed precision, missing ones as nothing."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.{digits}f}"
    return "" if value is None or value is pd.NA else str(value)


def _parts(frame: pd.DataFrame, digits: int) -> tuple[list[str], list[str], list[list[str]], int]:
    """Names of the labels and of the columns, the lines, and how many cells of each line are labels.

    A named index is labels; the default index of a frame is not shown.
    """
    labelled = any(name is not None for name in frame.index.names)
    labels = [str(name or "") for name in frame.index.names] if labelled else []
    table = frame.reset_index() if labelled else frame
    lines = [[_text(value, digits) for value in line] for line in table.itertuples(index=False, name=None)]
    return labels, [str(column) for column in frame.columns], lines, len(labels)


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


PARAGRAPH = "7cm"  # width of a column of prose in LaTeX
PROSE = 40  # characters from which a cell makes its column one of prose: to the left, wrapped, never padded


def _prose(lines: list[list[str]]) -> list[bool]:
    """Which columns hold prose."""
    return [any(len(cell) > PROSE for cell in column) for column in zip(*lines)]


def to_markdown(frame: pd.DataFrame, digits: int = 2) -> str:
    """A pipe table; labels and prose to the left, values to the right, repeated labels shown once."""
    names, columns, lines, labels = _parts(frame, digits)

    def escape(text: str) -> str:
        return re.sub(r"\s*\n\s*", "<br>", re.sub(r"([\\|])", r"\\\1", text))

    rows = [[escape(text) for text in row] for row in [names + columns, *_without_repeats(lines, labels)]]
    prose = _prose(lines) or [False] * len(rows[0])
    widths = [3 if prose[i] else max(3, *(len(row[i]) for row in rows)) for i in range(len(rows[0]))]
    left = [i < labels or prose[i] for i in range(len(rows[0]))]
    rule = ["-" * width if is_left else "-" * (width - 1) + ":" for width, is_left in zip(widths, left)]

    def line(cells: list[str]) -> str:
        padded = [
            text.ljust(width) if is_left else text.rjust(width)
            for text, width, is_left in zip(cells, widths, left, strict=True)
        ]
        return "| " + " | ".join(padded) + " |"

    return "\n".join(line(row) for row in [rows[0], rule, *rows[1:]]) + "\n"


def to_csv(frame: pd.DataFrame, note: str = "", digits: int = 2) -> str:
    """The note as lines that start with #, then the table; pandas.read_csv(file, comment="#") reads it."""
    names, columns, lines, _ = _parts(frame, digits)
    text = io.StringIO()
    text.writelines(f"# {line}\n" for line in note.splitlines())
    # quoted throughout, since readers would take a bare # in a cell for a comment
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([names + columns, *lines])
    return text.getvalue()


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
        "`": "",
        "\n": " ",
        "±": r"$\pm$",
        "−": "$-$",
        "×": r"$\times$",
        "←": r"$\leftarrow$",
        "≤": r"$\le$",
        "≥": r"$\ge$",
        "∂": r"$\partial$",
        "ε": r"$\varepsilon$",
        "θ": r"$\theta$",
        "λ": r"$\lambda$",
        "ρ": r"$\rho$",
        "τ": r"$\tau$",
        "φ": r"$\phi$",
        "[": "{[}",
        "*": "{*}",  # either would be an argument of a line break just before it
    }
)


def escape_latex(text: str) -> str:
    """Plain text for LaTeX; a sign before a digit becomes a minus, not a hyphen."""
    return re.sub(r"^-(?=\d)", "$-$", text.translate(_LATEX))


def to_latex(frame: pd.DataFrame, label: str, caption: str, note: str = "", digits: int = 2) -> str:
    """A table environment; it needs booktabs, and graphicx to shrink a table wider than the text."""
    names, columns, lines, labels = _parts(frame, digits)
    head, *body = [
        " & ".join(map(escape_latex, line)) + r" \\" for line in [names + columns, *_without_repeats(lines, labels)]
    ]
    for i in range(len(body) - 1, 0, -1):
        if labels > 1 and lines[i][:1] != lines[i - 1][:1]:
            body.insert(i, r"\addlinespace")
    prose = _prose(lines) or [False] * len(names + columns)
    kinds = [f"p{{{PARAGRAPH}}}" if is_prose else "l" if i < labels else "r" for i, is_prose in enumerate(prose)]
    small = r"\newline ".join(map(escape_latex, note.splitlines()))
    notes = [r"\par\smallskip", rf"\parbox{{\linewidth}}{{\footnotesize\raggedright {small}}}"]
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            rf"\caption{{{escape_latex(caption)}}}",
            rf"\label{{tab:{label}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{''.join(kinds)}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            *(notes if note else []),
            r"\end{table}",
            "",
        ]
    )


def write(frame: pd.DataFrame, folder: Path | str, name: str, caption: str, note: str, digits: int = 2) -> list[Path]:
    """Write ``name``.md, .csv and .tex, each with the note: profile, seeds, hardware, command, records.

    Raises:
        InputError: the folder cannot be written to.
    """
    lines = "  \n".join(note.splitlines())
    texts = {
        "md": f"**{caption}**\n\n{to_markdown(frame, digits)}\n{lines}\n",
        "csv": to_csv(frame, note, digits),
        "tex": to_latex(frame, name, caption, note, digits),
    }
    return [write_text(Path(folder) / f"{name}.{suffix}", text) for suffix, text in texts.items()]
