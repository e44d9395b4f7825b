"""Rendering: only what changed is executed, only declared parameters go in, and failures are one line."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from csqcfs.engine import paths
from csqcfs.engine.errors import InputError
from csqcfs.paper.experiments import profiles, registry
from csqcfs.paper.pages import notebooks, warm
from csqcfs.paper.runs import records

DEMO, ARTEFACT = profiles.get("demo"), registry.get("figure1")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CSQCFS_FIGURES", str(tmp_path / "figures"))
    monkeypatch.setattr(paths, "notebooks", lambda: tmp_path)

    def write(code: str, parameters: str = 'profile = "demo"\nseeds = None') -> None:
        cells = [
            nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(code),
        ]
        spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=spec), tmp_path / "figure1.ipynb")

    return write


@pytest.fixture
def kernels():
    with warm.Kernels() as kernels:
        yield kernels


def test_executes_once_and_again_after_a_change(place, tmp_path, kernels):
    place("print(profile, seeds)")
    first, second = (notebooks.render(ARTEFACT, DEMO, (0,), kernels) for _ in range(2))
    assert first.fresh and not second.fresh
    target = tmp_path / "figures" / "demo" / "notebooks" / "figure1.ipynb"
    assert "demo None" in target.read_text()
    place("print(profile, seeds, 'changed')")
    assert notebooks.render(ARTEFACT, DEMO, (0, 1), kernels).fresh
    assert "demo 2 changed" in target.read_text()


def test_a_parameter_that_the_notebook_does_not_declare_is_refused(place, kernels):
    place("pass", parameters='profil = "demo"')
    with pytest.raises(InputError, match="^figure1.ipynb has no parameter 'profile': expected profil"):
        notebooks.render(ARTEFACT, DEMO, (0,), kernels)


def test_a_failing_cell_is_one_line_and_leaves_nothing(place, tmp_path, kernels):
    place("1 / 0")
    with pytest.raises(InputError, match="^notebook figure1 failed at '1 / 0': ZeroDivisionError: division by zero; "):
        notebooks.render(ARTEFACT, DEMO, (0,), kernels)
    assert not list((tmp_path / "figures").rglob("*.ipynb"))


def test_a_missing_notebook_is_named(place, kernels):
    with pytest.raises(InputError, match="^no notebook .*figure1.ipynb"):
        notebooks.render(ARTEFACT, DEMO, (0,), kernels)


def test_outputs_of_one_artefact_only(place, tmp_path):
    folder = tmp_path / "figures" / "demo"
    folder.mkdir(parents=True)
    for name in ("figure1.png", "figure1-errors.svg", "figure10.png", "figure1.json"):
        (folder / name).write_text("")
    assert [path.name for path in notebooks.outputs(ARTEFACT, DEMO)] == ["figure1-errors.svg", "figure1.png"]


def test_two_equal_commands_make_a_page_once(place, tmp_path, kernels):
    place(f"with open({str(tmp_path / 'made')!r}, 'a') as file: file.write('x')")
    with ThreadPoolExecutor(2) as pool:
        pages = list(pool.map(lambda _: notebooks.render(ARTEFACT, DEMO, (0,), kernels), range(2)))
    assert (tmp_path / "made").read_text() == "x" and sorted(page.fresh for page in pages) == [False, True]


def test_links_of_copies_lead_to_copies_or_else_to_the_originals(place, tmp_path):
    for name in ("index", "figure2"):
        (tmp_path / f"{name}.ipynb").write_text("")
    web = ["https://a.b/index.ipynb", "other.ipynb"]
    links = ["index.ipynb", "figure2.ipynb#found", "figure1.ipynb", *web]
    text = " ".join(f"[{place}]({link})" for place, link in enumerate(links))
    place(f"from IPython.display import Markdown; Markdown({text!r})")
    (executed,) = notebooks.render_all([ARTEFACT], DEMO, (0,), 1)
    assert not next(notebooks.render_all([ARTEFACT], DEMO, (0,), 1)).fresh
    folder = tmp_path / "figures" / "demo" / "notebooks"

    def shown() -> list[str]:
        output = nbformat.read(folder / "figure1.ipynb", 4).cells[-1].outputs[0].data["text/markdown"]
        return re.findall(r"\]\((.*?)\)", output)

    originals = ["../../../index.ipynb", "../../../figure2.ipynb#found"]
    assert not executed.failed and shown() == [*originals, "figure1.ipynb", *web]
    assert all((folder / link.partition("#")[0]).is_file() for link in shown()[:3])
    (folder / "figure2.ipynb").write_text("")
    notebooks.relink(folder)
    assert shown()[1] == "figure2.ipynb#found"


def test_another_folder_gets_pages_of_its_own(place, tmp_path, monkeypatch, kernels):
    place("pass")
    assert notebooks.render(ARTEFACT, DEMO, (0,), kernels).fresh
    monkeypatch.setenv("CSQCFS_FIGURES", str(tmp_path / "elsewhere"))
    assert notebooks.render(ARTEFACT, DEMO, (0,), kernels).fresh
    assert (tmp_path / "elsewhere" / "demo" / "notebooks" / "figure1.ipynb").is_file()


def test_a_record_of_a_profile_shown_beside_makes_the_page_stale(monkeypatch, tmp_path):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "reference_records", lambda profile: tmp_path / "none")
    table1, paper = registry.get("table1"), profiles.get(registry.get("table1").beside)
    before = notebooks._state(table1, DEMO, DEMO.seeds)
    assert notebooks._state(table1, DEMO, DEMO.seeds) == before
    run = table1.runs(paper, paper.seeds)[0]
    records.write(run, {"images": 8, "ann": 50.0, "snn": [12.5] * 32, "presteps": 0, "thresholds": {}}, 1.0)
    assert notebooks._state(table1, DEMO, DEMO.seeds) != before


def test_a_record_that_the_claims_about_a_page_rest_on_makes_it_stale(monkeypatch, tmp_path):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "reference_records", lambda profile: tmp_path / "none")
    figure1, playground, table7 = (registry.get(id) for id in ("figure1", "playground", "table7"))
    before = [notebooks._state(artefact, DEMO, DEMO.seeds) for artefact in (figure1, playground)]
    records.write(table7.runs(DEMO, DEMO.seeds)[0], {"refused": "a threshold"}, 1.0)
    assert notebooks._state(figure1, DEMO, DEMO.seeds) != before[0]
    assert notebooks._state(playground, DEMO, DEMO.seeds) == before[1]  # beyond the paper


def test_the_table_of_speed_that_the_demo_shows_is_that_of_quick():
    assert registry.get("table6").beside == "quick"


@pytest.mark.large
@pytest.mark.parametrize("name", ["figure1.md", "notebooks/figure1.ipynb"])
def test_files_that_are_not_what_was_made_are_made_again(place, tmp_path, kernels, name):
    folder = tmp_path / "figures" / "demo"
    place(f"open({str(folder / 'figure1.md')!r}, 'w').write('made')")
    folder.mkdir(parents=True)
    (first,) = notebooks.render_all([ARTEFACT], DEMO, (0,), 1)
    assert first.fresh and not notebooks.render(ARTEFACT, DEMO, (0,), kernels).fresh
    before = (folder / name).read_bytes()
    (folder / name).write_bytes(before[:-3])
    assert notebooks.render(ARTEFACT, DEMO, (0,), kernels).fresh
    assert (folder / "figure1.md").read_text() == "made" and (folder / name).read_bytes().endswith(before[-3:])
