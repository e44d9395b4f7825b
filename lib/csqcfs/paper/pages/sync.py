"""``csqcfs sync [NAME ...]``: bring each .ipynb in line with its .py and store what it shows on the reference records.

The .py (jupytext, percent format) is the source; the .ipynb beside it holds the outputs of the profile in its
parameters cell, which readers see and the tests compare. It is written as JupyterLab writes it, so that saving it
there unchanged changes no file.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine import paths
from ...engine.errors import InputError, unknown
from ...engine.files import atomic_write
from .warm import KERNEL, QUIET

if TYPE_CHECKING:
    from nbformat import NotebookNode

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


def sources(names: list[str]) -> list[Path]:
    """The .py files of the notebooks named, or of all.

    Raises:
        InputError: no notebook of that name.
    """
    known = {path.stem: path for path in sorted(paths.notebooks().glob("*.py"))}
    for name in names:
        if name not in known:
            raise unknown("notebook", name, known)
    return [known[name] for name in names or known]


def update(path: Path) -> Path:
    """Write path.ipynb from path.py, executed; cell ids are kept.

    Raises:
        InputError: a cell that fails.
    """
    import jupytext
    import nbformat
    from jupyter_client.kernelspec import get_kernel_spec
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    target = path.with_suffix(".ipynb")
    notebook = jupytext.read(path)
    if target.exists():
        notebook = jupytext.combine.combine_inputs_with_outputs(notebook, nbformat.read(target, 4), fmt="py:percent")
    notebook.metadata.get("jupytext", {}).pop("text_representation", None)  # says how the .py was read
    spec = get_kernel_spec(KERNEL)
    notebook.metadata.kernelspec = {"display_name": spec.display_name, "language": spec.language, "name": KERNEL}
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name=KERNEL,
        record_timing=False,
        extra_arguments=QUIET,
        resources={"metadata": {"path": str(paths.notebooks())}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise InputError(f"{path.name}: {error.ename}: {error.evalue}; run it in Jupyter to see where") from error
    return atomic_write(target, lambda file: nbformat.write(numbered(notebook), file))


def numbered(notebook: NotebookNode) -> NotebookNode:
    """Its widgets' ids, which are random, replaced by numbers: what is shown first, each before what it holds."""
    import nbformat

    state = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    ids: dict[str, str] = {}

    def told(id: str) -> str:
        """What a widget is, with the numbers of those that have one."""
        return ID.sub(lambda found: ids.get(found[0], "?"), json.dumps(state[id]))

    def number(id: str) -> None:
        if id in state and id not in ids:
            ids[id] = f"{len(ids):032x}"
            for held in ID.findall(json.dumps(state[id])):
                number(held)

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    for view in (output["data"][VIEW] for output in outputs if VIEW in output.get("data", {})):
        number(view["model_id"])
    while left := state.keys() - ids:  # links between widgets, which none holds
        number(min(left, key=told))
    return nbformat.reads(ID.sub(lambda found: ids.get(found[0], found[0]), nbformat.writes(notebook)), 4)


def main(options: argparse.Namespace) -> int:
    """Update the notebooks that were asked for, where no record of this machine is seen; the exit status.

    Raises:
        InputError: an unknown notebook, or one that fails.
    """
    found = sources(options.notebooks)
    with tempfile.TemporaryDirectory() as home, ThreadPoolExecutor(2) as pool:
        os.environ |= {"CSQCFS_HOME": home, "PYTHONWARNINGS": "ignore"}
        os.environ.pop("CSQCFS_DATA", None)  # with other images there, reference records were of no run
        for path in pool.map(update, found):
            print(path.name)
    return 0
