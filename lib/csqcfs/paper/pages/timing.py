"""Table 6 and the table of speed: what a step of training takes, and the project's targets of speed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from .. import published
from ..bench import report
from ..names import NAMES, count
from . import tables

ANSWERS = re.compile(r"simulation: SpikingJelly|simulation: ours / T passes|training step: CS-QCFS / QCFS")
SPEED_COLUMNS = ("what", "size", "measured", "quartiles", "target", "met")


def speed_frame(page) -> pd.DataFrame:
    """The lines of the table of speed; empty where the profile has not measured it."""
    lines = []
    for line in (line for metrics in page.metrics(("bench",)) for line in metrics["lines"]):
        found = line["outcome"]
        lines.append(
            (
                report.name(line, "what"),
                report.name(line, "size"),
                report.value(line) if found else "not measured",
                f"{found['low']:.3g} to {found['high']:.3g}" if found and found["low"] != found["high"] else "",
                _target(line),
                {True: "yes", False: "no", None: ""}[line["met"]],
            )
        )
    return pd.DataFrame(lines, columns=SPEED_COLUMNS)


def _target(line: Mapping[str, Any]) -> str:
    return f"{'≥' if line['above'] else '≤'} {line['target']:g}"


def answers(page) -> list[str]:
    """What matters most in the table of speed: training, a peer, and the price of a step; targets missed."""
    return [
        f"{line['what']} ({report.name(line, 'size')}): {report.value(line)} "
        f"(quartiles {line['outcome']['low']:.3g} to {line['outcome']['high']:.3g}"
        f"{f'; target {_target(line)}, missed' if line['met'] is False else ''})"
        for metrics in page.metrics(("bench",))
        for line in metrics["lines"]
        if line["outcome"] and ANSWERS.match(line["what"]) and "as it is" not in line["size"]
    ]


def found(page) -> list[str]:
    """Sentences on what a step of training takes, of the table of speed and of Table 6."""
    return [f"{line}." for line in answers(page)[:1]] + [
        f"A training step with CS-QCFS takes {100 * ratio['median']:.1f} % of the time of one with QCFS (quartiles "
        f"{100 * ratio['low']:.1f} to {100 * ratio['high']:.1f} %, {count(one['rounds'], 'round')})."
        for one in page.metrics(("step",))
        for ratio in (one["against_qcfs"]["csqcfs"],)
    ]


QUARTILES = ("median", "low", "high")
TIME_COLUMNS = ("epoch (s)", "step (ms)", "more than QCFS (%)", "lower quartile (%)", "upper quartile (%)")


def table6_frame(page) -> pd.DataFrame:
    """The paper's seconds of an epoch, our milliseconds of a step, and both ratios."""
    printed: dict[str, dict[str, float | None]] = {
        name: {"epoch (s)": value} for name, value in published.TABLE6.items()
    }
    printed["csqcfs"]["more than QCFS (%)"] = published.TABLE6_INCREASE
    ours: dict[str, dict[str, list[float]]] = {}
    for metrics in page.metrics(("step",)):
        for name, ratio in metrics["against_qcfs"].items():
            row = ours.setdefault(name, {"step (ms)": [1e3 * metrics["seconds"][name]["median"]]})
            if name != "qcfs":
                row |= dict(zip(TIME_COLUMNS[2:], ([100 * (ratio[key] - 1)] for key in QUARTILES), strict=True))
    columns = TIME_COLUMNS if ours else (TIME_COLUMNS[0], TIME_COLUMNS[2])  # those that the paper has
    return tables.beside(printed, ours, labels=("Activation",), columns=columns, profile=page.profile.name)


def timed(page) -> str:
    """What was timed, in one sentence."""
    return (
        "; ".join(
            f"{NAMES[m['network']]}, width {m['width']:g}, images {'x'.join(map(str, m['image']))}, batch "
            f"{m['batch_size']}, {m['precision']}{', compiled' if m['compiled'] else ''}, on {m['device']}, "
            f"{count(m['rounds'], 'round')} of one step of each network"
            for m in page.metrics(("step",))
        )
        or "not run in this profile"
    )
