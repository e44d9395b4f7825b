"""Differences between rows: paired by seed and by image, with half of their interval."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from csqcfs.paper import published
from csqcfs.paper.experiments import profiles
from csqcfs.paper.measures import compare
from csqcfs.paper.measures.right import kept, percent
from csqcfs.paper.pages.gains import ablation, gains
from csqcfs.paper.runs.records import RUN, Record

PRINTED = {
    ("vgg16", "a"): published.Row(95.0, (None, 91.0, 92.0, 93.0, 94.0, 95.0)),
    ("vgg16", "b"): published.Row(94.0, (80.0, 90.0, 91.5, 93.0, 94.5, 95.0)),
}


def record(share: float, seed: int = 0, bits: bool = True) -> Record:
    right = np.arange(1000) < 10 * share
    metrics = {"images": 1000, "ann": percent(right), "snn": [percent(right)] * 32}
    if bits:
        metrics["right"] = kept(right, np.stack([right] * 32))
    return Record({"options": {}, "training": {"dataset": "digits", "seed": seed}}, metrics, {}, RUN)


def page_of(rows: dict, profile: str = "demo"):
    runs = {key: [str(key)] for key in rows}
    return SimpleNamespace(rows=runs, results=lambda key: rows.get(key, []), profile=profiles.get(profile))


def test_the_papers_differences_and_ours_stand_below_each_other():
    page = page_of({("vgg16", "a"): [record(92.0)], ("vgg16", "b"): [record(90.0)]})
    frame = gains(page, PRINTED, [("a", "b")])
    printed = ["+1.00", "", "+1.00", "+0.50", "+0.00", "-0.50", "+0.00"]
    assert frame.loc[("VGG-16", "a − b", "paper")].tolist() == printed
    wanted = compare.difference(page.results(("vgg16", "a")), page.results(("vgg16", "b")), 1)
    assert frame.loc[("VGG-16", "a − b", "ours (demo, n = 1)"), "T = 1"] == wanted.short() == "+2.00 ± 0.91"
    assert len(gains(page_of({}), PRINTED, [("a", "b")])) == 1
    assert gains(page, {}, [("a", "b")]).index.tolist() == [("VGG-16", "a − b", "ours (demo, n = 1)")]


def test_two_ways_to_simulate_one_network_have_no_difference_as_anns():
    one, other = record(92.0), record(90.0)
    page = page_of({("vgg16", "a"): [one], ("vgg16", "b"): [other]})
    frame = gains(page, {}, [("a", "b")])
    assert frame.iloc[0][["ANN", "T = 1"]].tolist() == ["one network", "+2.00 ± 0.91"]
    other.settings["training"]["network"] = "another"
    assert gains(page, {}, [("a", "b")]).iloc[0]["ANN"] == "+2.00 ± 0.91"


def test_seeds_are_paired_and_a_row_without_bits_is_said_to_be_unpaired():
    mine = [record(92.0, 2, bits=False), record(80.0, 1, bits=False)]
    page = page_of({("vgg16", "a"): mine, ("vgg16", "b"): [record(50.0, 0), record(79.0, 1), record(91.0, 2)]})
    frame = gains(page, {}, [("a", "b")])
    assert frame.index.tolist() == [("VGG-16", "a − b", "ours (demo, n = 2, unpaired)")]
    assert frame["T = 8"].iloc[0].startswith("+1.00 ± ")


def test_ours_bears_the_name_of_its_data():
    place = ("cifar10", "vgg16")
    page = page_of({(*place, "a"): [record(92.0)], (*place, "b"): [record(90.0)]})
    frame = gains(page, {(*place, m): PRINTED["vgg16", m] for m in "ab"}, [("a", "b")], labels=("Dataset", "Net"))
    assert frame.index.get_level_values("Dataset").tolist() == ["CIFAR-10", "handwritten digits"]


@pytest.mark.parametrize("profile", ["quick", "paper"])
def test_and_keeps_it_where_nothing_stands_in(profile):
    place = ("cifar10", "vgg16")
    page = page_of({(*place, "a"): [record(92.0)], (*place, "b"): [record(90.0)]}, profile)
    assert gains(page, {}, [("a", "b")], labels=("Dataset", "Net")).index[0][0] == "CIFAR-10"


def test_the_ablation_says_how_far_seeds_alone_lie_apart():
    """Of trainings with several seeds only."""
    rows = {
        ("cifar10", "resnet20", "qcfs"): [record(50.0, seed) for seed in (0, 1)] + [record(58.5, 2)],
        ("cifar100", "resnet20", "csqcfs"): [record(60.0), record(52.0, 1)],
        ("cifar10", "vgg16", "qcfs"): [record(70.0)],
    }
    *_, noise = told = ablation(page_of(rows, "quick"))
    assert noise.startswith("Trainings with the same settings but for the seed end at plain T = 1 at ")
    assert "50.0 to 58.5 % (ResNet-20, CIFAR-10, QCFS, n = 3)" in noise
    assert "52.0 to 60.0 % (ResNet-20, CIFAR-100, CS-QCFS, n = 2)" in noise
    assert len(told) == 1  # no pair of its differences has records
    rows["cifar100", "resnet20", "csqcfs"][1].provenance["precision"] = "bfloat16"
    rows["cifar100", "resnet20", "csqcfs"][0].provenance["precision"] = "float32"
    assert "CS-QCFS, n = 2, trained in bfloat16 and float32)" in ablation(page_of(rows, "quick"))[-1]
    assert ablation(page_of({key: records[:1] for key, records in rows.items()}, "quick")) == []


def test_the_ablation_counts_what_is_decided_beside_what_chance_decides():
    """Of several seeds: one seed's intervals are over images alone, which seeds would leave far more often."""
    place = ("cifar10", "resnet20")
    spread = [record(50.0 + shift, seed) for seed, shift in enumerate((0, 5, 9))]
    apart = [record(90.0, seed) for seed in range(3)]
    rows = {(*place, "qcfs-2"): spread, (*place, "csqcfs"): [record(51.0, 0), *spread[1:]], (*place, "sqcfs"): apart}
    *_, last = ablation(page_of(rows, "quick"))
    assert last.startswith("7 of the 14 differences over several seeds")  # the ANN's and six T: S-QCFS's, not CS-QCFS's
    assert "without 0; by chance about 0.7 would where nothing differs. Trainings with" in last
    assert not any("chance" in told for told in ablation(page_of({k: r[:1] for k, r in rows.items()}, "quick")))
