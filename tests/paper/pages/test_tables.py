"""Tables: what a cell says, and what stands beside what."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from csqcfs import data
from csqcfs.engine.errors import InputError
from csqcfs.paper import published
from csqcfs.paper.experiments import profiles
from csqcfs.paper.measures.right import kept
from csqcfs.paper.pages import tables
from csqcfs.paper.plots import style
from csqcfs.paper.runs.records import RUN, Record
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

LABELS = ("Architecture", "Method")


def compare(ours, difference=False, printed=published.TABLE1):
    printed = {key: tables.accuracies(row) for key, row in printed.items()}
    return tables.beside(printed, ours, labels=LABELS, columns=tables.ACCURACY, profile="smoke", difference=difference)


def test_cell():
    assert tables.cell(None) == tables.cell([]) == ""
    assert tables.cell([12.344]) == "12.34"
    assert tables.cell([12.0, 13.0]) == "12.50 ± 0.71"
    assert tables.cell([0.0862], digits=4) == "0.0862"
    assert tables.cell([math.inf, math.inf]) == tables.cell([math.nan]) == "undefined"
    assert tables.cell([math.inf, 1.0, -math.inf]) == "undefined for 2 of 3"


@given(st.lists(st.floats(0, 100), min_size=2, max_size=6))
def test_cell_is_mean_and_sample_deviation(values):
    mean, deviation = map(float, tables.cell(values, digits=6).split(" ± "))
    assert mean == pytest.approx(sum(values) / len(values), abs=1e-6)
    assert deviation == pytest.approx(pd.Series(values).std(ddof=1), abs=1e-6)


def test_what_plus_minus_stands_for_is_said_where_it_stands():
    assert tables.plus_minus(pd.DataFrame({"a": ["1.00", "", None], "b": [2.0, 3.0, 4.0]})) == ""
    assert tables.plus_minus(pd.DataFrame({"a": ["1.00 ± 0.10"]})) == f"± {tables.INTERVAL}"
    assert tables.plus_minus(tables.spread(pd.DataFrame({"a": ["1.00 ± 0.10"]})), "n = 1-3") == f"± {tables.SPREAD}"
    frame = pd.DataFrame({"a": ["1.00 ± 0.10"]})
    assert tables.plus_minus(frame, "n = 3 seeds, 10,000 images") == f"± {tables.INTERVAL}"
    for source in ("n = 1 seed, 10,000 images", "n = 1-3 seeds"):
        assert tables.plus_minus(frame, source) == f"± {tables.INTERVAL}, over images alone where n = 1"
    one, several = ({("resnet18", "qcfs"): {"ANN": values}} for values in ([95.0], [95.0, 96.0]))
    assert tables.plus_minus(compare(one)) == ""
    assert tables.plus_minus(compare(several)) == f"± {tables.SPREAD}"
    both = f"± {tables.SPREAD}, of differences {tables.INTERVAL}"
    assert tables.plus_minus(compare(several, difference=True)) == both


def test_names_agree_with_the_figures():
    shared = tables.NAMES.keys() & style.METHODS.keys()
    assert {"ann", "qcfs", "csqcfs", "ours"} <= shared
    assert all(tables.NAMES[key] == style.METHODS[key].label for key in shared)


def test_every_printed_number_of_table_1_is_shown():
    frame = compare({})
    for (network, method), row in published.TABLE1.items():
        shown = frame.loc[(tables.NAMES[network], tables.NAMES[method], "paper")]
        assert list(shown) == ["" if v is None else f"{v:.2f}" for v in (row.ann, *row.snn)]
    assert set(frame.index.get_level_values("Source")) == {"paper"}


def test_ours_beside_the_paper_with_difference():
    seeds = {"ANN": [95.0, 96.0], "T = 1": [70.0, 71.0], "T = 2": [90.0]}
    frame = compare({("resnet18", "qcfs"): seeds}, difference=True).loc["ResNet-18"].loc["QCFS"]
    assert list(frame.index) == ["paper", "ours (smoke, n = 1-2)", "difference"]
    assert list(frame["ANN"])[:2] == ["95.64", "95.50 ± 0.71"] and frame["ANN"].iloc[2].startswith("-0.14 ± 6.35")
    assert list(frame["T = 1"]) == ["", "70.50 ± 0.71", ""]
    assert list(frame["T = 2"]) == ["91.75", "90.00", "-1.75"]
    assert list(frame["T = 32"]) == ["95.67", "", ""]


def test_no_difference_unless_asked_for():
    frame = compare({("resnet18", "qcfs"): {"ANN": [95.0]}})
    assert "difference" not in frame.index.get_level_values("Source")


def test_rows_the_paper_lacks_come_last_in_their_network_and_alone():
    frame = compare({("resnet20", "plain"): {"ANN": [90.0]}, ("mine", "plain"): {"ANN": [1.0]}}, difference=True)
    assert frame.loc["ResNet-20"].index[-1] == ("plain", "ours (smoke, n = 1)") and frame.index[-1][0] == "mine"
    assert len(frame.loc["ResNet-20"].loc["plain"]) == 1
    names = [key[0] for key in frame.index]
    assert names == sorted(names, key=names.index)  # each network stands once


def test_one_label_and_digits_for_each_column():
    printed = {key: row._asdict() for key, row in published.TABLE7.items()}
    frame = tables.beside(
        printed,
        {"qcfs": {"energy": [0.0781]}},
        labels=["Model"],
        profile="smoke",
        columns=published.Energy._fields,
        digits={"acs": 2, "macs": 1, "energy": 4},
    )
    assert list(frame.loc[("CS-QCFS", "paper")]) == ["52.66", "8.4", "0.0862"]
    assert frame.loc[("QCFS", "ours (smoke, n = 1)"), "energy"] == "0.0781"


@pytest.mark.parametrize(
    "ours, message",
    [({("vgg16",): {"ANN": [1.0]}}, "does not fit"), ({("vgg16", "qcfs"): {"T = 3": [1.0]}}, "column 'T = 3'")],
)
def test_bad_rows_are_named(ours, message):
    with pytest.raises(InputError, match=message):
        compare(ours)


def test_no_rows():
    with pytest.raises(InputError, match="no rows"):
        compare({}, printed={})


def test_ours_bears_the_name_of_the_data_it_was_measured_on():
    printed = {("cifar10", "vgg16"): {"ANN": 95.0}}
    frame = tables.beside(
        printed, {("cifar10", "vgg16"): {"ANN": [90.0]}}, labels=("Dataset", "Net"), columns=["ANN"], profile="demo"
    )
    assert frame.index.tolist() == [
        ("CIFAR-10", "VGG-16", "paper"),
        ("handwritten digits", "VGG-16", "ours (demo, n = 1)"),
    ]


def test_a_difference_from_the_paper_has_its_interval():
    seeds = {"ANN": [95.0, 96.0, 97.0]}
    frame = compare({("resnet18", "qcfs"): seeds}, difference=True)
    low, high = stats.t.interval(0.95, 2, 96.0 - 95.64, stats.sem(seeds["ANN"]))
    assert frame.loc[("ResNet-18", "QCFS", "difference"), "ANN"] == f"+0.36 ± {(high - low) / 2:.2f}"


def test_accuracies_beside_the_papers_in_a_profile_like_the_papers():
    right = np.arange(1000) < 950
    metrics = {"images": 1000, "ann": 95.0, "snn": [95.0] * 32, "right": kept(right, np.stack([right] * 32))}
    record = Record({"options": {}, "training": {"dataset": "cifar10", "seed": 0}}, metrics, {}, RUN)
    rows = {("resnet18", "qcfs"): [record]}
    page = SimpleNamespace(
        rows=rows,
        results=lambda key: rows.get(key, []),
        metrics=lambda key: [one.metrics for one in rows.get(key, [])],
        profile=profiles.get("paper"),
    )
    run = tables.accuracy_beside(page, published.TABLE1, LABELS, run=True)
    assert list(run.index.get_level_values("Source")) == ["paper", "ours (paper, n = 1)", "difference"]
    frame = tables.accuracy_beside(page, published.TABLE1, LABELS).loc["ResNet-18"].loc["QCFS"]
    assert frame.loc["difference", "T = 2"].startswith("+3.25 ± 1.40")  # 1.96 sqrt(0.95 0.05 / 1000), a little more
    assert frame.loc["difference", "T = 1"] == ""  # a dash in the paper
    record.settings["training"]["data"] = "3d731c79aaaabbbb"  # of other images
    run = tables.accuracy_beside(page, published.TABLE1, LABELS, run=True)
    assert list(run.index.get_level_values("Source")) == ["paper", "ours (paper, n = 1)"]
    rows.clear()
    assert tables.accuracy_beside(page, published.TABLE1, LABELS, run=True).empty


def test_no_difference_from_the_paper_on_other_images(monkeypatch):
    monkeypatch.setattr(data, "identity", lambda name: "3d731c79aaaabbbb")
    printed = {("cifar10", "vgg16"): {"ANN": 95.0}}
    ours = {("cifar10", "vgg16"): {"ANN": [90.0]}}
    frame = tables.beside(
        printed, ours, labels=("Data", "Architecture"), columns=["ANN"], profile="paper", difference=True
    )
    told = ["CIFAR-10", "other images under the name CIFAR-10 (3d731c79…)"]
    assert list(frame.index.get_level_values("Data")) == told
