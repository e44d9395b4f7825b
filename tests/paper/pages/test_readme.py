"""The README is the contract: its tables are those of the records, its code runs, its files exist."""

from __future__ import annotations

import operator
import os
import re

import csqcfs
import pytest
import torch
from csqcfs import Augment, ImageSet
from csqcfs.engine import paths
from csqcfs.paper import cli
from csqcfs.paper.pages import readme

TEXT = (paths.REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_generated_sections_are_up_to_date(monkeypatch, tmp_path):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))
    for name in readme.SECTIONS:
        assert f"<!-- {name} -->" in TEXT, name
    assert readme.rendered(TEXT) == TEXT, "run csqcfs readme"


def test_it_does_not_depend_on_the_images_that_lie_here(monkeypatch, tmp_path):
    for name in ("CSQCFS_HOME", "CSQCFS_DATA"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(readme, "write_text", lambda path, text: text)
    monkeypatch.setattr(readme, "rendered", lambda text: seen.append(os.environ.get("CSQCFS_DATA")))
    seen: list[str | None] = []
    assert cli.main(["readme"]) == 0 and seen == [None]


def test_sections_come_in_the_promised_order():
    wanted = [
        "## Three commands",
        "## Results",
        "## From artefact to notebook to command",
        "## Your own model",
        "## Data",
        "## Profiles",
        "## Speed",
        "## Layout",
        "## Deviations from the paper",
        "## Citation",
        "## Licence",
    ]
    places = [TEXT.index(f"\n{heading}") for heading in wanted]
    assert places == sorted(places)


def test_linked_files_exist():
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT) + re.findall(r'src="([^":]+)"', TEXT)
    assert links and [link for link in links if not (paths.REPOSITORY / link).exists()] == []


def test_the_code_of_your_own_model_runs():
    """The ten lines as they stand, on a few random images and two epochs."""
    code = re.search(r"## Your own model.*?```python\n(.*?)```", TEXT, re.DOTALL)[1]
    images = torch.randint(0, 256, (24, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    train_set = ImageSet(images, torch.arange(24) % 10, tuple("0123456789"), (0.5,) * 3, (0.25,) * 3)
    code = re.sub(r"epochs=\d+", "epochs=1, batch_size=12, progress=False", code)
    names: dict = {"train_set": train_set, "x": train_set.normalise(images[:2]), "Augment": Augment}
    torch.manual_seed(0)
    exec(code, names)
    assert names["scores"].shape == (8, 2, 10) and bool(names["scores"].isfinite().all())


@pytest.mark.parametrize("command", ["./run_all.sh ", "./run_all.sh test", "./run_all.sh lab"])
def test_the_three_commands_are_there(command):
    assert command in TEXT


def test_the_first_screen_is_short_and_names_what_a_newcomer_needs():
    first = TEXT[: TEXT.index("The paper is")]
    assert len(first.splitlines()) <= 45 and first.count("<img") == 1
    for word in ("Linux", "Python", "GB", "minutes", "index.ipynb"):
        assert word in first


def test_the_results_fit_a_screen():
    section = TEXT[TEXT.index("## Results") : TEXT.index("## From artefact")]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert all(len(row) <= 120 for row in rows)


def test_variables_and_commands_that_are_named_exist():
    code = "".join(path.read_text(encoding="utf-8") for path in (paths.REPOSITORY / "lib").rglob("*.py"))
    code += (paths.REPOSITORY / "run_all.sh").read_text(encoding="utf-8")
    for name in set(re.findall(r"CSQCFS_[A-Z]+", TEXT)):
        assert name in code, name
    for option in set(re.findall(r"`?(--[a-z]+)", TEXT)):
        assert f'"{option}"' in code, option
    for call in set(re.findall(r"csqcfs\.([a-z_.]+)\(", TEXT)):
        assert callable(operator.attrgetter(call)(csqcfs)), call
    methods = re.search(r"`csqcfs.convert\(fine, method=...\)`:([^;]*)", TEXT)[1]
    assert set(re.findall(r'"(\w+)"', methods)) <= set(csqcfs.methods.METHODS)
