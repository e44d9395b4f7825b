"""Which test images were right: what a record keeps of it, and that damage is noticed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from csqcfs.engine.errors import InputError
from csqcfs.paper.measures.right import check, kept, percent, right
from csqcfs.paper.published import TIMESTEPS
from hypothesis import given
from hypothesis import strategies as st


def record(ann: np.ndarray, snn: np.ndarray | None = None) -> dict:
    """Metrics as a record holds them, through JSON."""
    over_time = {} if snn is None else {"snn": [percent(at) for at in snn]}
    return json.loads(json.dumps({"images": len(ann), "ann": percent(ann), **over_time, "right": kept(ann, snn)}))


@given(st.integers(1, 300), st.integers(1, 32), st.integers(0, 2**32 - 1))
def test_what_is_kept_comes_back(images, steps, seed):
    draws = np.random.default_rng(seed).random((steps + 1, images)) < 0.7
    metrics = record(draws[0], draws[1:])
    assert np.array_equal(right(metrics), draws[0])
    for T in TIMESTEPS:
        found = right(metrics, T)
        assert found is None if T > steps else np.array_equal(found, draws[T])


def test_a_network_alone_keeps_one_column():
    ann = np.arange(11) % 3 > 0
    assert np.array_equal(right(record(ann)), ann) and right(record(ann), 1) is None


def test_ten_thousand_images_take_few_bytes():
    """A network of 88 % whose SNN is a little worse at few steps, as records show it."""
    draws = np.random.default_rng(0)
    ann = draws.random(10_000) < 0.88
    snn = np.stack([ann ^ (draws.random(10_000) < 0.3 / T) for T in range(1, 33)])
    assert len(json.dumps(kept(ann, snn))) < 8000


def test_an_old_record_does_not_say():
    assert right({"images": 3, "ann": 100.0, "snn": [100.0]}, 1) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": "%"}, "damaged"),
        ({"bits": "AAAA"}, "damaged"),
        ({"bits": kept(np.ones(7, bool))["bits"]}, "damaged"),
        ({"bits": kept(np.zeros(8, bool))["bits"]}, "accuracy of 100.00 %"),
    ],
)
def test_damage_is_noticed(change, message):
    metrics = record(np.ones(8, bool))
    metrics["right"] |= change
    with pytest.raises(InputError, match=message):
        right(metrics)


@pytest.mark.parametrize("change", [{"ann": float("nan")}, {"snn": [100.0] * 3}, {"snn": [100.0] * 3 + [99.0]}, {}])
def test_every_column_can_be_checked_at_once(change):
    metrics = record(np.ones(8, bool), np.ones((4, 8), bool)) | change
    if not change:
        return check(metrics)
    with pytest.raises(InputError, match="delete it and run again$"):
        check(metrics)
