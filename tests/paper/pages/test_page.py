"""A page: records of its rows, files with their note, and where the numbers come from."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from csqcfs import data
from csqcfs.engine import paths
from csqcfs.engine.errors import InputError, NonpositiveThreshold
from csqcfs.paper.experiments import registry
from csqcfs.paper.pages import page
from csqcfs.paper.runs import execution, records
from matplotlib import pyplot as plt

METRICS = {"ann": 90.0, "snn": [float(t) for t in range(1, 33)], "presteps": 0, "images": 10, "thresholds": {}}


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CSQCFS_FIGURES", str(tmp_path / "figures"))
    monkeypatch.setattr(paths, "reference_records", lambda profile: tmp_path / "reference")
    return tmp_path


def test_rows_without_records_are_empty_and_those_with_records_are_not():
    shown = page.open("table1", "demo", seeds=2)
    assert shown.metrics(("resnet20", "qcfs")) == [] == shown.metrics(("no", "such row"))
    records.write(shown.rows["resnet20", "qcfs"][1], METRICS, 1.5)
    again = page.open("table1", "demo", seeds=2)
    assert again.metrics(("resnet20", "qcfs")) == [METRICS]
    assert records.RUN in again.note() and "not run" in again.note()
    assert again.command == "./run_all.sh --profile demo --only table1 --seeds 2"


def test_reference_records_are_named_as_such(folders):
    shown = page.open("table1", "demo")
    path = records.write(shown.rows["resnet20", "qcfs"][0], METRICS, 1.5)
    (folders / "reference").mkdir()
    path.rename(folders / "reference" / path.name)
    assert records.REFERENCE in page.open("table1", "demo").note()
    assert records.RUN not in page.open("table1", "demo").note()


def test_table_and_figure_write_all_their_formats_with_the_note(folders):
    shown = page.open("table1", "demo")
    display = shown.table(pd.DataFrame({"T": [1.0]}), "A caption")
    fig, _ = plt.subplots()
    below = shown.figure(fig, "Another", "table1-curves")
    files = {path.name for path in (folders / "figures" / "demo").iterdir()}
    assert files == {"table1.md", "table1.csv", "table1.tex", "table1-curves.png", "table1-curves.svg"}
    assert f"A caption ({shown.source})" in display.data
    assert "; ± half of the 95 % interval)" in shown.table(pd.DataFrame({"T": ["1.0 ± 0.5"]}), "A caption").data
    assert below.data == f"*Another ({shown.source})*"
    assert shown.figure(plt.figure(), "A third", source="one seed").data == "*A third (one seed)*"
    assert shown.command in (folders / "figures" / "demo" / "table1.md").read_text()
    assert not plt.fignum_exists(fig.number)


def test_a_table_of_another_profile_names_that_one_and_lies_with_the_page(folders):
    shown, other = page.open("table1", "demo"), page.open("table1", "paper")
    display = shown.table(pd.DataFrame({"T": [1.0]}), "A caption", "table1-own", of=other)
    assert f"A caption ({other.source})" in display.data
    assert "--profile paper" in (folders / "figures" / "demo" / "table1-own.md").read_text()
    nothing = shown.table(pd.DataFrame(), "A caption", "table1-own", of=other)
    assert "the profile paper has no record" in nothing.data and not list((folders / "figures" / "demo").iterdir())


def test_nothing_to_show_is_a_sentence_and_leaves_no_file(folders):
    shown = page.open("table1", "demo")
    fig, _ = plt.subplots()
    shown.figure(fig, "Curves")
    shown.table(pd.DataFrame({"T": [1.0]}), "Numbers")
    assert "has no record of this" in shown.figure(None, "Curves").data
    assert "has no record of this" in shown.table(pd.DataFrame({"T": []}), "Numbers").data
    assert list((folders / "figures" / "demo").iterdir()) == []


def test_the_end_of_a_page_links_to_its_neighbours_and_the_index():
    for before, here, after in zip(registry.IDS, registry.IDS[1:], registry.IDS[2:], strict=False):
        end = page.open(here, "demo").provenance().data.splitlines()[-1]
        assert re.findall(r"\]\((\w+)\.ipynb\)", end) == [before, "index", after]
    assert page.open(registry.IDS[0], "demo").links().startswith("[index]")


def test_a_page_that_shows_another_profile_tells_where_those_numbers_come_from(folders):
    own = page.open("table1", "paper")
    records.write(own.rows["resnet20", "qcfs"][0], METRICS, 1.5)
    for profile, told in (("demo", 2), ("quick", 2), ("paper", 1)):
        text = page.open("table1", profile).provenance().data
        assert text.count("command: ") == told and "--profile paper --only table1" in text
    assert page.open("table2", "demo").provenance().data.count("command: ") == 1


def test_captions_name_profile_networks_data_and_seeds(folders):
    assert page.open("table2", "demo").source.endswith("handwritten digits, not run")
    assert page.open("table2").source == "profile quick, VGG-16 and ResNet-20, CIFAR-100, not run"
    shown = page.open("table1", "quick", seeds=3)
    for key, count in ((("resnet20", "qcfs"), 1), (("resnet20", "cos"), 3)):
        for run in shown.rows[key][:count]:
            records.write(run, METRICS, 1.5)
    shown = page.open("table1", "quick", seeds=3)
    assert shown.source == "profile quick, ResNet-20, CIFAR-10, n = 1-3 seeds, 10 images"
    records.write(shown.rows["resnet20", "ours"][0], METRICS | {"images": 5000}, 1.5)
    shown = page.open("table1", "quick", seeds=3)
    assert shown.source.endswith("n = 1-3 seeds, 10-5,000 images")
    assert shown.source_of([("resnet20", "qcfs")]).endswith("n = 1 seed, 10 images")
    assert page.open("figure1").source == "computed from the equations, no data"
    assert "handwritten digits" in page.open("your_network").source
    assert page.open("softplus", "demo").source == "profile demo, not run"


def test_other_images_under_the_name_of_cifar_are_told_apart(monkeypatch):
    """In captions, Found and provenance."""
    monkeypatch.setattr(data, "identity", lambda name: "3d731c79aaaabbbb")
    shown = page.open("table1", "quick")
    records.write(shown.rows["resnet20", "qcfs"][0], METRICS, 1.5)
    shown = page.open("table1", "quick")
    assert shown.source.startswith("profile quick, ResNet-20, other images under the name CIFAR-10 (3d731c79…), n = 1")
    assert records.on_others(shown.results(("resnet20", "qcfs")))
    for text in (shown.found().data, shown.provenance().data):
        assert "other images under the name CIFAR-10" in text


def test_a_table_that_shows_no_records_says_so(folders):
    shown = page.open("algorithm1", "demo")
    records.write(next(iter(shown.rows.values()))[0], METRICS, 1.5)
    shown = page.open("algorithm1", "demo")
    assert "(from a book)" in shown.table(pd.DataFrame({"T": [1.0]}), "Lines", source="from a book").data
    text = (folders / "figures" / "demo" / "algorithm1.md").read_text()
    assert "digest" not in text and "profile demo" not in text.replace("--profile demo", "") and shown.command in text


def test_bad_input_is_one_line(monkeypatch, folders):
    with pytest.raises(InputError, match="^profile 'dmeo': did you mean demo\\?"):
        page.open("table1", "dmeo")
    with pytest.raises(InputError, match="^artefact 'tabel1': did you mean table1"):
        page.open("tabel1")
    with pytest.raises(InputError, match=r"^profile \['demo'\]: .*expected one of demo, "):
        page.open("table1", ["demo"])
    blocked = folders / "a file"
    blocked.write_text("")
    monkeypatch.setenv("CSQCFS_FIGURES", str(blocked))
    with pytest.raises(InputError, match="^cannot write .*choose a writable folder"):
        page.open("table1", "demo").table(pd.DataFrame({"T": [1.0]}), "caption")


@pytest.mark.parametrize("seeds", [0, -1, [0, 1], "2", 2.0, True])
def test_seeds_that_are_no_number_of_them_are_refused_before_a_file_goes(folders, seeds):
    page.open("table1", "demo").table(pd.DataFrame({"T": [1.0]}), "Numbers")
    with pytest.raises(InputError, match=r"^seeds = .*: expected a number from 1 on; None takes the profile's own"):
        page.open("table1", "demo", seeds)
    assert list((folders / "figures" / "demo").iterdir())


def test_a_refused_run_is_a_result_without_numbers(monkeypatch):
    def refuse(run, **options):
        raise NonpositiveThreshold("threshold -2 at act: expected a positive one")

    monkeypatch.setattr(execution, "measure", refuse)
    run = page.open("table1", "demo").rows["vgg16", "ours"][0]
    execution.execute(run)
    shown = page.open("table1", "demo")
    assert records.is_done(run) and shown.metrics(("vgg16", "ours")) == []
    assert "\nrefused: threshold -2 at act" in shown.note()
