"""Statistics of channels against a direct computation over all images at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from csqcfs.conversion import family
from csqcfs.paper.measures import channels, kinds


def test_record_agrees_with_all_images_at_once(trained, monkeypatch):
    monkeypatch.setattr(channels, "BATCH", 7)
    metrics = kinds.KINDS["channels"](trained, images=40)
    assert list(metrics["sites"]) == list(family.sites(trained.model))
    test, seen = kinds.sample(trained.splits.test, 40), {}
    name, site = list(family.sites(trained.model).items())[3]
    handle = site.register_forward_hook(lambda module, args, out: seen.update(z=args[0], out=out))
    with torch.no_grad():
        trained.model(test.normalise(test.images))
    handle.remove()
    found, z, out = metrics["sites"][name], seen["z"].numpy(), seen["out"].numpy()
    assert found["channels"] == z.shape[1] and found["channel"] == list(range(z.shape[1]))
    assert found["preactivation"] == pytest.approx(z.mean((0, 2, 3)).tolist(), abs=2e-4)
    assert found["mean"] == pytest.approx(out.mean((0, 2, 3)).tolist(), abs=2e-4)
    assert found["maximum"] == pytest.approx(out.max((0, 2, 3)).tolist(), abs=2e-4)
    assert found["layer_maximum"] == pytest.approx(float(out.max()), abs=2e-4)
    assert found["thresholds"] == pytest.approx(site.threshold.tolist(), abs=2e-4)

    low, high, bins = metrics["bins"]
    order = z.mean((0, 2, 3)).argsort()
    assert list(found["ridges"])[0] == str(order[0]) and list(found["ridges"])[-1] == str(order[-1])
    scale = float(site.threshold.detach().mean())
    for channel, density in found["ridges"].items():
        values = np.clip(z[:, int(channel)] / scale, low, high)
        wanted = np.histogram(values, bins, (low, high), density=True)[0]
        assert density == pytest.approx(wanted.tolist(), abs=0.02)  # one value at the edge of a bin
        assert sum(density) * (high - low) / bins == pytest.approx(1, abs=1e-2)


def test_every():
    assert channels.every(3, 5) == [0, 1, 2]
    chosen = channels.every(4096, 128)
    assert len(chosen) == 128 and chosen[0] == 0 and chosen[-1] == 4095
