"""The printed numbers: spot values against literals read again from the paper, shapes, and ranges."""

from __future__ import annotations

import math

import pytest
from csqcfs.paper import printed

TABLES = [printed.TABLE1, printed.TABLE2, printed.TABLE3, printed.TABLE4]

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
        assert len(row.snn) == len(printed.TIMESTEPS) == 6, key
        assert 60 < row.ann < 100, key
        assert all(accuracy is None or 5 < accuracy < 100 for accuracy in row.snn), key


def test_dashes_are_exactly_plain_qcfs_at_one_step():
    dashes = {
        (dataset, *key, timestep)
        for dataset, table in printed.COMPARISONS.items()
        for key, row in table.items()
        for timestep in printed.TIMESTEPS
        if row.at(timestep) is None
    }
    assert dashes == {
        ("cifar10", "resnet18", "qcfs", 1),
        ("cifar10", "vgg16", "qcfs", 1),
        ("cifar10", "resnet20", "qcfs", 1),
        ("cifar100", "vgg16", "qcfs", 1),
    }


def test_plain_qcfs_rises_with_every_doubling_of_the_time_step():
    for table in printed.COMPARISONS.values():
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
    assert printed.TABLE1["resnet101", "srp"] == (96.74, (50.54, 82.14, 91.48, 94.09, 94.89, 95.19))
    assert printed.TABLE1["vgg16", "ours"].at(16) == 95.93
    assert printed.TABLE1["resnet20", "qcfs"].at(2) == 73.20


def test_spot_values_table_2():
    assert printed.TABLE2["resnet101", "srp"].at(1) == 7.14
    assert printed.TABLE2["resnet50", "cos"].at(32) == 81.10
    assert printed.TABLE2["resnet20", "ours"] == (68.54, (62.47, 64.91, 65.35, 66.61, 68.28, 68.94))
    assert len(printed.REPRODUCED_BY_AUTHORS) == 3 and printed.REPRODUCED_BY_AUTHORS <= printed.TABLE2.keys()


def test_spot_values_tables_3_and_4():
    assert printed.TABLE3["vgg16", "cqcfs"].at(8) == 95.45
    assert printed.TABLE3["resnet20", "sqcfs"].ann == 91.48
    assert printed.TABLE4["cifar100", "vgg16", "channel-wise"].at(1) == 75.53
    row = printed.TABLE4["cifar10", "resnet20", "layer-wise"]
    assert row == (91.85, (90.03, 91.31, 91.65, 92.02, 92.36, 92.41))


def test_spot_values_tables_5_to_7():
    assert len(printed.TABLE5) == 8
    assert printed.TABLE5["cqcfs", "cifar100", "vgg16"] == (246.2, 99.5)
    assert printed.TABLE5["csqcfs", "cifar10", "resnet20"] == (38.2, 16.1)
    assert printed.TABLE6 == {"qcfs": 110, "csqcfs": 111.81}
    assert list(printed.TABLE7) == ["ann", "qcfs", "csqcfs"]
    assert printed.TABLE7["csqcfs"] == (52.66, 8.43, 0.0862)


def test_settings_cover_exactly_the_networks_of_tables_1_and_2():
    trained = {(dataset, key[0]) for dataset, table in printed.COMPARISONS.items() for key in table}
    assert printed.PAPER_SETTINGS.keys() == trained
    assert {s[3:] for s in printed.PAPER_SETTINGS.values()} == {(300, 100, 0.1, 0.9, 5e-4)}


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
    assert printed.PAPER_SETTINGS[network][:3] == (rate, steps, threshold)


def test_no_column_for_other_time_steps():
    with pytest.raises(ValueError):
        printed.TABLE1["vgg16", "ours"].at(3)


def test_baselines_own_rows_belong_to_rows_of_the_paper():
    for dataset, *key in printed.BASELINES_OWN:
        assert tuple(key) in printed.COMPARISONS[dataset]
    assert printed.BASELINES_OWN["cifar10", "resnet18", "qcfs"].at(32) == 96.08
