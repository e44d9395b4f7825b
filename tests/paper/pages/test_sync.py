"""Notebooks as JupyterLab writes them: an unchanged one can be saved there and no file changes."""

from __future__ import annotations

import itertools
import json
import os
import shutil

import nbformat
import pytest
from csqcfs.engine import paths
from csqcfs.engine.errors import InputError
from csqcfs.paper import cli
from csqcfs.paper.pages import sync

HEADER = (paths.REPOSITORY / "notebooks" / "table1.py").read_text(encoding="utf-8").split("# %%")[0]
CELLS = """# %% [markdown]
# # One

# %% tags=["parameters"]
profile = "quick"
seeds = None

# %%
print(profile)
{"θ": 1.5}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A checkout with one notebook."""
    (tmp_path / "notebooks").mkdir()
    shutil.copy(paths.REPOSITORY / "pyproject.toml", tmp_path)
    (tmp_path / "notebooks" / "one.py").write_text(HEADER + CELLS, encoding="utf-8")
    monkeypatch.setattr(paths, "notebooks", lambda: tmp_path / "notebooks")
    return tmp_path


def test_saving_in_jupyterlab_changes_no_file(folder):
    """Through the contents manager of JupyterLab with jupytext, as the front end sends what it got."""
    from jupyter_server.services.contents.largefilemanager import LargeFileManager
    from jupytext.sync_contentsmanager import build_sync_jupytext_contents_manager_class

    manager = build_sync_jupytext_contents_manager_class(LargeFileManager)
    target = sync.update(folder / "notebooks" / "one.py")
    before = {path.name: path.read_bytes() for path in target.parent.iterdir()}
    contents = manager(root_dir=str(folder))
    model = contents.get("notebooks/one.ipynb", content=True, type="notebook")
    sent = json.loads(json.dumps(model, default=str))["content"]
    contents.save({"type": "notebook", "format": "json", "content": sent}, "notebooks/one.ipynb")
    assert {path.name: path.read_bytes() for path in target.parent.iterdir() if path.is_file()} == before
    notebook = json.loads(target.read_text(encoding="utf-8"))
    assert (
        target.read_text(encoding="utf-8") == json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    )
    assert notebook["metadata"]["kernelspec"]["display_name"] == "Python 3 (ipykernel)"  # JupyterLab would write it
    assert notebook["metadata"]["language_info"]["name"] == "python"
    assert not any("execution" in cell["metadata"] for cell in notebook["cells"])


def test_cell_ids_and_outputs_stay_the_same(folder):
    source = folder / "notebooks" / "one.py"
    first = sync.update(source).read_bytes()
    assert sync.update(source).read_bytes() == first
    source.write_text(source.read_text(encoding="utf-8").replace("# # One", "# # Two"), encoding="utf-8")
    ids = [[cell["id"] for cell in json.loads(text)["cells"]] for text in (first, sync.update(source).read_bytes())]
    assert ids[0][1:] == ids[1][1:]


def test_the_headers_are_those_that_jupytext_writes():
    headers = {
        path.read_text(encoding="utf-8").split("# %%")[0]
        for path in sorted((paths.REPOSITORY / "notebooks").glob("*.py"))
    }
    assert headers == {HEADER} and "display_name: Python 3 (ipykernel)" in HEADER


def test_a_failing_cell_is_one_line_and_changes_nothing(folder):
    source = folder / "notebooks" / "one.py"
    before = sync.update(source).read_bytes()
    source.write_text(source.read_text(encoding="utf-8").replace("print(profile)", "1 / 0"), encoding="utf-8")
    with pytest.raises(InputError, match=r"^one.py: ZeroDivisionError: division by zero; run it in Jupyter"):
        sync.update(source)
    assert source.with_suffix(".ipynb").read_bytes() == before


def test_an_unknown_notebook(folder, capsys):
    assert cli.main(["sync", "onee"]) == 2
    assert capsys.readouterr().err == "error: notebook 'onee': did you mean one? expected one of one\n"


def test_what_is_stored_does_not_depend_on_the_images_that_lie_here(folder, monkeypatch):
    for name in ("CSQCFS_HOME", "CSQCFS_DATA", "PYTHONWARNINGS"):
        monkeypatch.setenv(name, str(folder))
    seen = []
    monkeypatch.setattr(sync, "update", lambda path: seen.append(os.environ.get("CSQCFS_DATA")) or path)
    assert cli.main(["sync", "one"]) == 0 and seen == [None] and os.environ["CSQCFS_DATA"] == str(folder)


def test_the_parameters_are_those_of_the_records_on_cifar():
    """The stored outputs come from the reference records of `quick`; run_all.sh passes another profile explicitly."""
    notebooks = sorted((paths.REPOSITORY / "notebooks").glob("*.py"))
    assert notebooks
    for path in notebooks:
        assert '# %% tags=["parameters"]\nprofile = "quick"\nseeds = None\n' in path.read_text(encoding="utf-8"), (
            path.name
        )


def test_widgets_are_numbered_whatever_ids_they_got():
    def made(box, slider, layout, link):
        """A box that shows a slider, both with one layout, and a link that nothing holds."""
        states = {
            box: {"state": {"children": [f"IPY_MODEL_{slider}"], "layout": f"IPY_MODEL_{layout}"}},
            slider: {"state": {"value": 1.5, "layout": f"IPY_MODEL_{layout}"}},
            layout: {"state": {"width": None}},
            link: {"state": {"source": [f"IPY_MODEL_{slider}", "value"]}},
        }
        cell = nbformat.v4.new_code_cell("box", id="one")
        cell.outputs = [nbformat.v4.new_output("display_data", {sync.VIEW: {"model_id": box}})]
        widgets = {sync.STATE: {"state": dict(sorted(states.items()))}}
        return nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": widgets})

    ids = [digit * 32 for digit in "3f8a"]
    found = {nbformat.writes(sync.numbered(made(*order))) for order in itertools.permutations(ids)}
    (text,) = found
    numbers = [f"{number:032x}" for number in range(4)]
    assert json.loads(text) == json.loads(nbformat.writes(made(*numbers)))
