"""What each notebook says: the block Found right under the question, made from records; links that lead somewhere."""

from __future__ import annotations

import functools
import re

import jupytext
import pytest
from csqcfs.engine import paths
from csqcfs.paper.experiments import registry
from csqcfs.paper.measures.compare import Difference
from csqcfs.paper.pages import equations, found, index, page, said, verdicts

NOTEBOOKS = {path.stem: path for path in sorted(paths.notebooks().glob("*.py"))}


@pytest.fixture(autouse=True)
def no_records(tmp_path, monkeypatch):
    monkeypatch.setenv("CSQCFS_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "reference_records", lambda profile: tmp_path)


def cells(name: str) -> list:
    return jupytext.read(NOTEBOOKS[name]).cells


@pytest.mark.parametrize("name", registry.IDS)
def test_question_then_parameters_then_found_and_links_at_the_end(name):
    first, parameters, opened, *_, last = cells(name)
    title, question = first.source.split("\n\n")
    assert title.startswith("# ") and question.endswith("?") and "CIFAR" not in title
    assert parameters.source == 'profile = "quick"\nseeds = None'
    assert opened.source.rstrip().endswith(".found()") and last.source.endswith(".provenance()")


@pytest.mark.parametrize("name", sorted(NOTEBOOKS))
def test_notebooks_named_in_text_are_links_and_lead_somewhere(name):
    text = "\n".join(cell.source for cell in cells(name) if cell.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target.startswith("http") or (paths.notebooks() / target).with_suffix(".py").exists(), target
    titles = {artefact.title for artefact in registry.ARTEFACTS}
    emphasised = {re.sub(r"\s+", " ", found) for found in re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)}
    assert not emphasised & titles


@pytest.mark.parametrize("name", registry.IDS)
def test_found_is_a_few_sentences_with_their_profile_and_data(name, made_up, monkeypatch):
    monkeypatch.setattr(verdicts, "about", functools.cache(verdicts.about))  # judges all claims
    shown = page.open(name, "paper")
    text = shown.found().data
    assert re.match(r"[ \n]", text.removeprefix(f"**Found** ({shown.source})."))
    sentences = [*found.SENTENCES.get(name, lambda _: [])(shown), *verdicts.about(shown)]
    assert 1 <= len(sentences) <= 5 and all(sentence.endswith(".") for sentence in sentences)
    assert text.count("\n- ") == (len(sentences) if len(sentences) > 1 else 0)
    assert "nan" not in text and "inf" not in re.sub(r"inference|information", "", text)
    assert not re.search(r"[ (]-\d", text)  # minus signs
    assert not re.search(
        r"(?<![.,\d])1 (?!as\b|has\b|holds\b|is\b)\w+s\b|\b(?:[02-9]|\d\d+) (holds|does|has)\b|\d%", text
    )


@pytest.mark.parametrize("name", registry.IDS)
def test_without_records_nothing_is_said(name):
    shown = page.open(name, "paper")
    if shown.rows:
        text = shown.found().data
        assert "Nothing yet" in text and shown.command in text and not re.search(r"\d+\.\d+ %", text)


def test_one_statement_holds_and_two_hold():
    holding, failing = ["half-threshold", "eq8-resolution"], ["eq9-start", "eq9-clip"]
    assert equations.audited(*holding[:1]) == "Of 1 statement of the paper recomputed here, 1 holds."
    assert equations.audited(*holding, *failing[:1]).endswith("2 hold, 1 does not hold.")
    assert equations.audited(*holding[:1], *failing).endswith("2 do not hold, 1 holds.")


def test_an_interrupted_run_says_what_it_has(made_up):
    """QCFS is measured, CS-QCFS not yet."""
    shown = page.open("conversion_error", "paper")
    for key in shown.records:
        shown.records[key] = [] if "csqcfs" in key else shown.records[key]
    assert found.SENTENCES["conversion_error"](shown) == []


def test_a_place_names_each_of_its_figures_and_tables():
    assert verdicts.places("Section 5.2, Tables 1-2, Fig. 4") == {("Table", 1), ("Table", 2), ("Fig", 4)}
    assert verdicts.places("Section 5.4.1, Tables 1, 2 and 4") == {("Table", n) for n in (1, 2, 4)}
    assert verdicts.places("Sections 5.4.2 and 5.5, Table 4") == {("Table", 4)}
    assert verdicts.places("Section 5.6.2, Fig. 6a") == {("Fig", 6)} and verdicts.places("Eqs. 19-20") == {
        ("Eq", 19),
        ("Eq", 20),
    }
    assert verdicts.places("Table 10") == {("Table", 10)} and not verdicts.places("Conclusion")


def test_a_difference_within_its_interval_is_undecided(made_up):
    records = page.open("table1", "paper").results(("resnet20", "qcfs"))
    assert said.verdict(Difference(0.5, images_error=1.0)) == "undecided"
    text = said.in_full("ResNet-20", Difference(-3.0, images_error=1.0), records)
    assert (
        text == "behind on ResNet-20, -3.00 points (95 % interval over images -4.96 to -1.04; n = 1 seed, 1,000 images)"
    )
    assert "undecided" not in said.in_full("ResNet-20", Difference(1.0, images_error=float("inf")), records)


def test_many_places_are_summed_up_by_verdict(made_up):
    records = page.open("table1", "paper").results(("resnet20", "qcfs"))
    many = {"A": Difference(3.0, 1.0), "B": Difference(2.5, 1.0), "C": Difference(0.1, 1.0)}
    text = said.summed_up({what: (one, records) for what, one in many.items()})
    assert text == (
        "ahead on A, B (+2.50 to +3.00 points); undecided on C (+0.10 to +0.10 points); by 95 % intervals, n = 1"
    )


def test_the_index_links_to_every_notebook_there_is():
    text = index.show("paper").data
    assert re.findall(r"\]\((\w+)\.ipynb\)", text) == list(registry.IDS) and "\\]" not in text
