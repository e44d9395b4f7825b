"""For whoever edits notebooks: bring each .ipynb in line with its .py and execute it on the reference records.

    python -m csqcfs.paper.pages.sync [ID ...]

The .py (jupytext, percent format) is the source; the .ipynb beside it holds the outputs of the demo profile that
readers see and the tests compare.
"""

from __future__ import annotations

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...engine import paths
from ...engine.errors import InputError
from ...engine.files import atomic_write


def sources(names: list[str]) -> list[Path]:
    """The .py files of the notebooks named, or of all.

    Raises:
        InputError: no notebook of that name.
    """
    found = [paths.notebooks() / f"{name}.py" for name in names] or sorted(paths.notebooks().glob("*.py"))
    for path in found:
        if not path.is_file():
            raise InputError(f"no notebook {path}: expected one of {', '.join(p.stem for p in sources([]))}")
    return found


def update(path: Path) -> Path:
    """Write path.ipynb from path.py, cell ids kept, executed where no record of this machine is seen."""
    import jupytext
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    target = path.with_suffix(".ipynb")
    notebook = jupytext.read(path)
    if target.exists():
        jupytext.combine.combine_inputs_with_outputs(notebook, nbformat.read(target, 4), fmt="py:percent")
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(paths.notebooks())}}
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise InputError(f"{path.name}: {error.ename}: {error.evalue}; run it in Jupyter to see where") from error
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata.pop("language_info", None)
    return atomic_write(target, lambda file: nbformat.write(notebook, file))


def main(names: list[str]) -> int:
    try:
        found = sources(names)
        with tempfile.TemporaryDirectory() as home:
            os.environ |= {"CSQCFS_HOME": home, "PYTHONWARNINGS": "ignore"}
            with ThreadPoolExecutor(2) as pool:
                for path in pool.map(update, found):
                    print(path.name)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
