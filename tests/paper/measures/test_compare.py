"""Differences with intervals: against scipy and independent formulas, their coverage, and pairing by seed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from csqcfs.paper.measures import compare
from csqcfs.paper.measures.compare import Difference, contrast, difference
from csqcfs.paper.measures.right import kept, percent
from csqcfs.paper.published import TIMESTEPS
from csqcfs.paper.runs.records import RUN, Record
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

N = 2000


def record(ann: np.ndarray, snn: np.ndarray | None = None, seed: int = 0, bits: bool = True, **options) -> Record:
    """Made of which images are right, bool [N] and [T, N]."""
    metrics = {"images": len(ann), "ann": percent(ann)}
    if snn is not None:
        metrics["snn"] = [percent(at) for at in snn]
    if bits:
        metrics["right"] = kept(ann, snn)
    settings = {"kind": "accuracy", "options": options, "training": {"dataset": "cifar10", "seed": seed}}
    return Record(settings, metrics, {}, RUN)


def draws(share: float, seed: int, count: int = N) -> np.ndarray:
    return np.random.default_rng(seed).random(count) < share


def pair(gain: float, loss: float, seed: int = 0, count: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Two networks: a share ``gain`` of the images has only the first right, ``loss`` only the second."""
    u = np.random.default_rng(seed).random(count)
    return (u < gain) | (u > 0.5), ((u >= gain) & (u < gain + loss)) | (u > 0.5)


def error_of_mean(x: np.ndarray) -> float:
    """Of a gain per image, in points, with one more image won and one more lost."""
    n = len(x) + 2
    return 100 * math.sqrt(((x @ x + 2) / n - (x.sum() / n) ** 2) / n)


def error_of_shares(*weighted: tuple[float, float]) -> float:
    """Of shares in % on images of their own, each with its weight, in points."""
    shares = [(weight, (percent / 100 * N + 1) / (N + 2)) for weight, percent in weighted]
    return 100 * math.sqrt(sum(weight**2 * p * (1 - p) / (N + 2) for weight, p in shares))


def test_one_seed_is_bonett_and_price():
    first, second = pair(0.06, 0.03)
    found = difference([record(first)], [record(second)], "ann")
    b, c, n = np.sum(first & ~second) + 1, np.sum(second & ~first) + 1, N + 2
    error = math.sqrt((b + c - (b - c) ** 2 / n) / n**2)
    low, high = found.interval()
    assert found.points == pytest.approx(100 * np.mean(first.astype(int) - second))
    assert (high - low) / 2 == pytest.approx(100 * 1.959964 * error, rel=1e-6)
    assert found.paired and found.decided


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_decided_difference_is_one_for_mcnemars_test_too(b, c):
    """Up to the borderline, where an exact test is the stricter one."""
    first, second = np.zeros(N, bool), np.zeros(N, bool)
    first[:b] = True
    second[b : b + c] = True
    decided = difference([record(first)], [record(second)], "ann").decided
    p = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert decided or p > 0.02
    assert not decided or p < 0.12


def test_networks_that_agree_everywhere_are_still_not_known_to_be_equal():
    same = draws(0.8, 0)
    low, high = difference([record(same)], [record(same)], "ann").interval()
    assert low == -high and 100 * 2 / N < high < 100 * 4 / N


def test_pairing_narrows_and_bits_missing_are_said():
    first, second = pair(0.02, 0.02)
    paired = difference([record(first)], [record(second)], "ann")
    unpaired = difference([record(first, bits=False)], [record(second)], "ann")
    assert unpaired.points == paired.points and not unpaired.paired
    assert unpaired.images_error > 2 * paired.images_error
    assert unpaired.images_error == pytest.approx(error_of_shares(*((1, percent(x)) for x in (first, second))))
    assert "unpaired" in str(unpaired) and "unpaired" not in str(paired)


def test_unpaired_weights_count_in_squares():
    first, second = draws(0.9, 1), draws(0.6, 2)
    found = contrast((1.0, [record(first, bits=False)], "ann"), (-0.5, [record(second)], "ann"))
    assert found.images_error == pytest.approx(error_of_shares((1, percent(first)), (0.5, percent(second))))


def test_an_unpaired_share_is_the_mean_over_the_seeds():
    networks = [record(draws(share, s), seed=s, bits=False) for s, share in enumerate((0.95, 0.6))]
    mean = np.mean([one.metrics["ann"] for one in networks])
    assert contrast((1.0, networks, "ann")).images_error == pytest.approx(error_of_shares((1, mean)))


def test_other_images_are_not_paired():
    first, second = pair(0.02, 0.02)
    assert not difference([record(first, images=N)], [record(second, images=500)], "ann").paired
    assert difference([record(first, images=N)], [record(second)], "ann").paired  # all images, asked for or not
    other = record(second)
    other.settings["training"]["dataset"] = "cifar100"
    assert not difference([record(first)], [other], "ann").paired


def test_other_images_under_the_same_name_are_not_paired():
    one, other = (record(right) for right in pair(0.02, 0.02))
    one.settings["training"]["data"] = other.settings["training"]["data"] = "aaaa"
    assert difference([one], [other], "ann").paired
    other.settings["training"]["data"] = "bbbb"
    assert not difference([one], [other], "ann").paired


def test_a_record_that_does_not_say_how_many_images_decides_nothing():
    old = record(draws(0.9, 0), bits=False)
    del old.metrics["images"]
    found = difference([old], [record(draws(0.1, 1))], "ann")
    assert found.points > 70 and found.interval() == (-math.inf, math.inf)


def test_seeds_are_paired_by_seed_never_by_position():
    """Seeds {1, 2} against {0, 1, 2}: 1 with 1, 2 with 2."""
    networks = {s: draws(0.5 + 0.1 * s, s) for s in range(3)}
    mine = [record(networks[2], seed=2), record(networks[1], seed=1)]
    theirs = [record(networks[s], seed=s) for s in range(3)]
    found = difference(mine, theirs, "ann")
    assert found.points == 0 and found.seeds == 2 and found.seeds_error == 0
    assert difference(mine[:1], theirs[:1], "ann") is None


def test_several_seeds_add_their_own_error():
    gains = [pair(0.10, 0.02, 1), pair(0.06, 0.04, 2), pair(0.09, 0.01, 3)]
    mine, theirs = ([record(g[i], seed=s) for s, g in enumerate(gains)] for i in (0, 1))
    found = difference(mine, theirs, "ann")
    each = [100 * np.mean(a.astype(int) - b) for a, b in gains]
    assert found.points == pytest.approx(np.mean(each))
    assert found.seeds_error == pytest.approx(stats.sem(each))
    images = error_of_mean(np.mean([a.astype(int) - b for a, b in gains], axis=0))
    assert found.images_error == pytest.approx(images)
    low, high = found.interval()
    assert (high - low) / 2 == pytest.approx(math.hypot(1.959964 * images, 4.302653 * stats.sem(each)), rel=1e-6)


def test_coverage_over_test_sets_and_seeds():
    """Of 300 experiments with three seeds, each with its own gain, on images that all share."""
    rng, hits, truth = np.random.default_rng(0), 0, 3.0
    for _ in range(300):
        hard = rng.random(400)
        mine, theirs = [], []
        for s in range(3):
            gain = truth / 100 + rng.normal(0, 0.01)
            noise = rng.random(400)
            mine.append(record((0.7 * hard + 0.3 * noise) < 0.6 + gain * 1.0, seed=s))
            theirs.append(record((0.7 * hard + 0.3 * noise) < 0.6, seed=s))
        found = difference(mine, theirs, "ann")
        expected = 100 * (np.clip((0.63 - 0.15) / 0.7, 0, 1) - np.clip((0.6 - 0.15) / 0.7, 0, 1))
        low, high = found.interval()
        hits += low <= expected <= high
    assert hits >= 0.93 * 300


def test_contrasts_of_time_steps_and_an_offset():
    ann = draws(0.9, 0)
    snn = np.stack([ann & draws(1 - 0.5 / T, T) for T in range(1, 33)])
    one = record(ann, snn)
    assert difference([one], [one], "ann", 1).points == pytest.approx(percent(ann) - percent(snn[0]))
    mean = contrast((1.0, [one], (1, 2, 4)), offset=-50.0)
    assert mean.points == pytest.approx(np.mean([percent(snn[T - 1]) for T in (1, 2, 4)]) - 50)
    assert mean.paired and mean.images_error < 100 * math.sqrt(0.25 / N)
    between = difference([one], [one], 3, 5)  # no bits of these, yet accuracies
    assert between is not None and not between.paired
    assert difference([one], [record(ann)], 1) is None  # the second has no SNN
    assert all(compare.accuracy(one, T) == one.metrics["snn"][T - 1] for T in TIMESTEPS)


def test_the_error_of_a_mean_over_time_is_that_of_each_images_mean():
    snn = np.stack([draws(0.5, T) for T in range(1, 33)])
    found = contrast((1.0, [record(draws(0.9, 0), snn)], (1, 2, 4)))
    assert found.images_error == pytest.approx(error_of_mean(snn[[0, 1, 3]].mean(0)))


def test_numbers_of_several_seeds_have_the_interval_of_student():
    values = [1.0, 2.0, 4.0]
    expected = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert compare.over_seeds(values).interval() == pytest.approx(expected)
    assert compare.over_seeds([1.0]).interval() == (1.0, 1.0)


def test_numbers_without_errors_are_exact_and_looking_often_widens():
    assert Difference(0.5).interval() == (0.5, 0.5) and str(Difference(-0.5)) == "-0.50"
    assert Difference(0.5).decided and not Difference(0.0).decided
    found = Difference(1.0, 0.4)
    assert found.decided and found.interval(20)[0] < 0 < found.interval()[0]
