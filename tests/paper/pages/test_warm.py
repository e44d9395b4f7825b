"""One kernel after another is as good as new: no name is left, numbers begin at 1, and none outlives a failure."""

from __future__ import annotations

import json
import os
import sys

import nbformat
import papermill
import pytest
from csqcfs.paper.pages import warm


def run(kernel, folder, *cells: str) -> list[str]:
    """What the last cell printed, word by word."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells])
    nbformat.write(notebook, folder / "in.ipynb")
    made = papermill.execute_notebook(
        str(folder / "in.ipynb"), None, kernel_name=warm.KERNEL, progress_bar=False, start_timeout=warm.START, km=kernel
    )
    assert [cell.execution_count for cell in made.cells] == list(range(1, len(cells) + 1))
    return made.cells[-1].outputs[0].text.split()


def test_names_go_and_modules_stay(tmp_path):
    ask = "import os, sys; print(os.getpid(), 'seen' in dir(), 'fractions' in sys.modules)"
    with warm.Kernels() as kernels:
        with kernels.lend() as kernel:
            first = run(kernel, tmp_path, "import fractions", "seen = 1", ask)
        with kernels.lend() as kernel:
            second = run(kernel, tmp_path, ask)
    assert first[1:] == ["True", "True"] and second == [first[0], "False", "True"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(first[0]), 0)


def test_a_kernel_that_failed_is_not_lent_again(tmp_path):
    ask = "import os; print(os.getpid())"
    with warm.Kernels() as kernels:
        with pytest.raises(ZeroDivisionError), kernels.lend() as kernel:
            first = run(kernel, tmp_path, ask)
            raise ZeroDivisionError
        with pytest.raises(ProcessLookupError):
            os.kill(int(first[0]), 0)
        with kernels.lend() as kernel:
            assert run(kernel, tmp_path, ask) != first


def test_two_at_once_have_one_each(tmp_path):
    with warm.Kernels() as kernels, kernels.lend() as one, kernels.lend() as other:
        assert one.kernel_id != other.kernel_id


def test_a_kernel_is_of_this_interpreter_whatever_is_called_python3(tmp_path, monkeypatch):
    (tmp_path / "kernels" / "python3").mkdir(parents=True)
    spec = {"argv": ["/nonexistent/python", "{connection_file}"], "display_name": "another", "language": "python"}
    (tmp_path / "kernels" / "python3" / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    with warm.Kernels() as kernels, kernels.lend() as kernel:
        assert run(kernel, tmp_path, "import sys; print(sys.executable)") == [sys.executable]
