"""One declaration: every artefact has its notebook, its row in the README, its paper values and its runs."""

from __future__ import annotations

import re

import jupytext
import nbformat
import pytest
from csqcfs.engine import paths
from csqcfs.engine.errors import InputError
from csqcfs.paper import published
from csqcfs.paper.experiments import profiles, registry
from csqcfs.paper.measures import kinds

PROFILES = list(profiles.PROFILES.values())


def readme_map() -> dict[str, str]:
    """Rows of the README's map by artefact id, which names the notebook."""
    text = (paths.REPOSITORY / "README.md").read_text(encoding="utf-8")
    rows = (line for line in text.splitlines() if line.startswith("|"))
    return {found[1]: line for line in rows if (found := re.search(r"\[(\w+)\]\(notebooks/\1\.ipynb\)", line))}


@pytest.mark.parametrize("artefact", registry.ARTEFACTS, ids=registry.IDS)
def test_every_artefact_has_its_notebook_and_readme_row(artefact):
    row = readme_map()[artefact.id]
    assert artefact.place in row or artefact.place == registry.BEYOND
    assert f"notebooks/{artefact.id}.ipynb" in row
    notebook = nbformat.read(paths.notebooks() / f"{artefact.id}.ipynb", 4)
    source = "".join(cell.source for cell in notebook.cells)
    assert f'page.open("{artefact.id}"' in source
    parameters = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert [line.split(" = ")[0] for line in parameters[0].source.splitlines()] == ["profile", "seeds"]


def test_no_notebook_and_no_readme_row_without_an_artefact():
    stems = {path.stem for path in paths.notebooks().glob("*.ipynb")}
    assert stems - {"index"} == set(registry.IDS) == set(readme_map())


@pytest.mark.parametrize("artefact", registry.ARTEFACTS, ids=registry.IDS)
def test_paper_values_exist_where_the_paper_prints_them(artefact):
    assert all(getattr(published, name) for name in artefact.printed)
    if artefact.place.startswith("Table"):
        assert artefact.printed == (artefact.place.upper().replace(" ", ""),)


def test_every_figure_and_table_of_the_paper_is_declared():
    places = {artefact.place for artefact in registry.ARTEFACTS}
    wanted = {f"Fig. {n}" for n in range(1, 7)} | {f"Table {n}" for n in range(1, 8)} | {"Algorithm 1", "Eqs. 19-20"}
    assert wanted <= places


@pytest.mark.parametrize("path", sorted(paths.notebooks().glob("*.ipynb")), ids=lambda path: path.stem)
def test_pairs_have_the_same_cells_and_define_nothing(path):
    """Cells are compared, not time stamps; functions and classes belong in the library."""
    notebook, text = nbformat.read(path, 4), jupytext.read(path.with_suffix(".py"))
    assert [(c.cell_type, c.source) for c in notebook.cells] == [(c.cell_type, c.source) for c in text.cells]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(re.search(r"^\s*(def|class) ", cell.source, re.MULTILINE) for cell in code)
    assert any(cell.outputs for cell in code), "committed without outputs"
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_rows_lead_to_known_kinds_and_grow_with_the_seeds(profile):
    for artefact in registry.ARTEFACTS:
        runs = artefact.runs(profile, (0,))
        assert {run.kind for run in runs} <= set(kinds.KINDS)
        assert len(runs) == len(set(runs))
        assert set(runs) <= set(artefact.runs(profile, (0, 1)))


def test_comparison_tables_have_every_row_of_the_paper_in_the_paper_profile():
    full = profiles.get("paper")
    for id, printed in (
        ("table1", published.TABLE1),
        ("table2", published.TABLE2),
        ("table3", published.TABLE3),
        ("table4", published.TABLE4),
        ("table5", published.TABLE5),
    ):
        assert set(printed) <= set(registry.get(id).rows(full, (0,)))


def test_baselines_share_the_layer_wise_network():
    rows = registry.get("table1").rows(profiles.get("demo"), (0,))
    digests = {rows["resnet20", method][0].training.digest for method in ("qcfs", "srp", "cos")}
    assert len(digests) == 1
    assert rows["resnet20", "ours"][0].training.parent == rows["resnet20", "qcfs"][0].training


def test_unknown_artefact():
    with pytest.raises(InputError, match="^artefact 'table9': expected one of figure1, "):
        registry.get("table9")
