"""The table of speed: which rows there are, how they are measured, recorded and printed."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ...engine.errors import InputError
from ..names import NETWORKS
from . import processes, simulation, spikes, training
from .turns import Line

ROWS: dict[str, Callable[[bool], list[Line]]] = {
    "activation": training.activation,
    "kept": training.kept,
    "step": training.step,
    "input": training.pipeline,
    "simulation": simulation.simulation,
    "spikes": spikes.spikes,
    "memory": processes.memory,
    "import": processes.imported,
}


WORDS = NETWORKS | {"rho": "ρ"}


def bench(rows: str = ",".join(ROWS), quick: bool = False) -> dict[str, Any]:
    """Rows of the table of speed; ``rows`` are names of `ROWS` with commas between.

    Returns:
        {"lines": [one dict of the fields of `Line`, with "row" and "met"], "device", "threads", "versions"}; all
        rows are measured on the CPU.

    Raises:
        InputError: a row that does not exist.
    """
    names = rows.split(",")
    if unknown := [name for name in names if name not in ROWS]:
        raise InputError(f"row {unknown[0]!r}: expected one of {', '.join(ROWS)}")
    lines = []
    with torch.random.fork_rng([]):
        for name in names:
            lines += [{"row": name, **dataclasses.asdict(found), "met": found.met} for found in ROWS[name](quick)]
    return {"lines": lines, "device": "cpu", "threads": torch.get_num_threads(), "versions": versions()}


def versions() -> dict[str, str]:
    """Of PyTorch and of SpikingJelly, "not installed" where it is not."""
    try:
        peer = importlib.metadata.version("spikingjelly")
    except importlib.metadata.PackageNotFoundError:
        peer = "not installed"
    return {"torch": torch.__version__, "spikingjelly": peer}


def value(found: dict[str, Any]) -> str:
    """The median of a line that has an outcome, with its unit."""
    unit = {"x": "", "inputs": " × the input"}.get(found["unit"], f" {found['unit']}")
    return f"{found['outcome']['median']:.3g}{unit}"


def name(found: dict[str, Any], part: str) -> str:
    """ "what" or "size" of a line as a reader would write it: networks by their names, ρ in Greek."""
    return re.sub(r"\w+", lambda word: WORDS.get(word[0], word[0]), found[part])


def table(lines: Sequence[dict[str, Any]], notes: bool = True) -> str:
    """The lines as a Markdown table: median (lower to upper quartile), target, and whether it is met."""
    rows = [["what", "size", "measured", "target", "met", "note"], ["---"] * 6]
    for found in lines:
        measured = "-" if found["outcome"] is None else value(found)
        if found["outcome"] and found["outcome"]["low"] != found["outcome"]["high"]:
            measured += " ({low:.3g} to {high:.3g})".format_map(found["outcome"])
        target = f"{'≥' if found['above'] else '≤'} {found['target']:g}"
        met = {True: "yes", False: "no", None: "-"}[found["met"]]
        times = ", ".join(f"{name} {1e3 * seconds:.3g} ms" for name, seconds in found["seconds"].items())
        note = "; ".join(filter(None, (found["note"], times)))
        rows.append([found["what"], found["size"], measured, target, met, note])
    return "\n".join(f"| {' | '.join(row if notes else row[:-1])} |" for row in rows)
