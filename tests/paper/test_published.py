"""The printed numbers: spot values against literals read again from the paper, shapes, and ranges."""

from __future__ import annotations

import math

import pytest
from csqcfs.paper import published

TABLES = [published.TABLE1, published.TABLE2, published.TABLE3, published.TABLE4]

# Added up column by column (ANN, T = 1..32) from the text of the paper, dashes left out.
SUMS = [
    (1907.19, 1455.56, 1804.39, 1867.76, 1891.96, 1901.38, 1905.04),
    (1224.93, 837.71, 1022.18, 1083.72, 1147.35, 1188.35, 1205.82),
    (561.03, 556.49, 559.6, 560.62, 561.82, 563.03, 563.44),
    (997.34, 962.15, 981.01, 986.48, 992.25, 999.98, 1002.73),
]


@pytest.mark.parametrize(("table", "rows"), list(zip(TABLES, [20, 16, 6, 12])), ids=["1", "2", "3", "4"])
def test_number_of_rows(table, rows):
    assert len(table) == rows


@pytest.mark.parametrize("table", TABLES, ids=["1", "2", "3", "4"])
def test_every_row_has_an_ann_and_six_timesteps_in_percent(table):
    for key, row in table.items():
        assert len(row.snn) == len(published.TIMESTEPS) == 6, key
        assert 60 < row.ann < 100, key
        assert all(accuracy is None or 5 < accuracy < 100 for accuracy in row.snn), key


def test_dashes_are_exactly_plain_qcfs_at_one_step():
    dashes = {
        (dataset, *key, timestep)
        for dataset, table in published.COMPARISONS.items()
        for key, row in table.items()
        for timestep in published.TIMESTEPS
        if row.at(timestep) is None
    }
    assert dashes == {
        ("cifar10", "resnet18", "qcfs", 1),
        ("cifar10", "vgg16", "qcfs", 1),
        ("cifar10", "resnet20", "qcfs", 1),
        ("cifar100", "vgg16", "qcfs", 1),
    }


def test_plain_qcfs_rises_with_every_doubling_of_the_time_step():
    for table in published.COMPARISONS.values():
        for (_, method), row in table.items():
            if method == "qcfs":
                known = [accuracy for accuracy in row.snn if accuracy is not None]
                assert known == sorted(known) and len(set(known)) == len(known)


@pytest.mark.parametrize(("table", "expected"), list(zip(TABLES, SUMS)), ids=["1", "2", "3", "4"])
def test_column_sums_notice_one_wrong_digit(table, expected):
    columns = zip(*((row.ann, *row.snn) for row in table.values()))
    sums = [math.fsum(a for a in column if a is not None) for column in columns]
    assert sums == pytest.approx(expected)


def test_spot_values_table_1():
    assert published.TABLE1["resnet101", "srp"] == (96.74, (50.54, 82.14, 91.48, 94.09, 94.89, 95.19))
    assert published.TABLE1["vgg16", "ours"].at(16) == 95.93
    assert published.TABLE1["resnet20", "qcfs"].at(2) == 73.20


def test_spot_values_table_2():
    assert published.TABLE2["resnet101", "srp"].at(1) == 7.14
    assert published.TABLE2["resnet50", "cos"].at(32) == 81.10
    assert published.TABLE2["resnet20", "ours"] == (68.54, (62.47, 64.91, 65.35, 66.61, 68.28, 68.94))
    assert len(published.REPRODUCED_BY_AUTHORS) == 3 and published.REPRODUCED_BY_AUTHORS <= published.TABLE2.keys()


def test_spot_values_tables_3_and_4():
    assert published.TABLE3["vgg16", "cqcfs"].at(8) == 95.45
    assert published.TABLE3["resnet20", "sqcfs"].ann == 91.48
    assert published.TABLE4["cifar100", "vgg16", "channel-wise"].at(1) == 75.53
    row = published.TABLE4["cifar10", "resnet20", "layer-wise"]
    assert row == (91.85, (90.03, 91.31, 91.65, 92.02, 92.36, 92.41))


def test_spot_values_tables_5_to_7():
    assert len(published.TABLE5) == 8
    assert published.TABLE5["cqcfs", "cifar100", "vgg16"] == (246.2, 99.5)
    assert published.TABLE5["csqcfs", "cifar10", "resnet20"] == (38.2, 16.1)
    assert published.TABLE6 == {"qcfs": 110, "csqcfs": 111.81}
    assert list(published.TABLE7) == ["ann", "qcfs", "csqcfs"]
    assert published.TABLE7["csqcfs"] == (52.66, 8.43, 0.0862)


def test_settings_cover_exactly_the_networks_of_tables_1_and_2():
    trained = {(dataset, key[0]) for dataset, table in published.COMPARISONS.items() for key in table}
    assert published.PAPER_SETTINGS.keys() == trained
    assert {s[3:] for s in published.PAPER_SETTINGS.values()} == {(300, 100, 0.1, 0.9, 5e-4)}


@pytest.mark.parametrize(
    ("network", "rate", "steps", "threshold"),
    [
        (("cifar10", "vgg16"), 0.1, 4, 4),
        (("cifar100", "vgg16"), 0.05, 4, 4),
        (("cifar100", "resnet20"), 0.05, 8, 8),
        (("cifar10", "resnet50"), 0.01, 4, 4),
        (("cifar100", "resnet101"), 0.01, 4, 4),
    ],
)
def test_settings_of_section_5_1(network, rate, steps, threshold):
    assert published.PAPER_SETTINGS[network][:3] == (rate, steps, threshold)


def test_no_column_for_other_time_steps():
    with pytest.raises(ValueError, match="x not in tuple"):
        published.TABLE1["vgg16", "ours"].at(3)


def test_baselines_own_rows_belong_to_rows_of_the_paper():
    for dataset, *key in published.BASELINES_OWN:
        assert tuple(key) in published.COMPARISONS[dataset]
    assert published.BASELINES_OWN["cifar10", "resnet18", "qcfs"].at(32) == 96.08
