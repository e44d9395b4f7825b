"""The five-minute page: the peer gets the same function, and its pieces work on a few images."""

from __future__ import annotations

import csqcfs
import pytest
import torch
from csqcfs import data
from csqcfs.paper.pages import your_network


@pytest.fixture(scope="module")
def splits():
    pytest.importorskip("sklearn")
    return data.load("digits")


def stirred() -> your_network.Own:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        own = your_network.Own().eval()
        for norm in (own.norm1, own.norm2):
            norm.running_mean.normal_(0, 0.1)
            torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
    return own


def test_the_peer_has_the_same_function():
    own = stirred()
    x = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(your_network.OfModules(own).eval()(x), own(x))


def test_accuracies_stand_for_the_network_and_each_T(splits):
    own, few = stirred(), splits.test.subset(range(20))
    example = few.normalise(few.images)
    ann = csqcfs.calibrate(csqcfs.quantize_activations(own, 4, 1.0, example), few)
    row = your_network.accuracies(ann, few)
    with torch.no_grad():
        scores = csqcfs.convert(ann)(example, 32)
    wanted = [100 * float((scores[t - 1].argmax(1) == few.labels).double().mean()) for t in (1, 2, 4, 8, 16, 32)]
    assert row == pytest.approx([csqcfs.evaluate(ann, few), *wanted])
    frame = your_network.table({"one": row, "absent": None})
    assert list(frame.index) == ["one"] and list(frame.columns[:2]) == ["ANN", "T = 1"]
    assert len(your_network.figure({"one": row, "absent": None}, 360).axes[0].lines) == 1


def test_the_peer_is_measured_on_the_same_images(splits):
    pytest.importorskip("spikingjelly.activation_based.ann2snn")
    own, few = stirred(), splits.test.subset(range(20))
    before = {name: value.clone() for name, value in own.state_dict().items()}
    row = your_network.spikingjelly(own, splits.train, few)
    assert len(row) == 7 and row[0] == csqcfs.evaluate(own, few) and all(0 <= value <= 100 for value in row)
    assert all(torch.equal(value, before[name]) for name, value in own.state_dict().items())


def test_the_class_is_shown_as_it_is():
    text = your_network.source().data
    assert "class Own" in text and "F.pad" in text and "F.relu" in text and "::2" in text


def test_without_spikingjelly_its_line_is_missing(splits, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "spikingjelly.activation_based.ann2snn", None)
    assert your_network.spikingjelly(stirred(), splits.train, splits.test) is None


def test_what_came_out_is_told_with_its_interval():
    text = your_network.found({"one": [90.0, 82.5, *5 * [95.0]], "absent": None}, 360).data
    assert text == "**Found** (360 test images, 95 % intervals). One time-step reaches: one 82.5 % (78 to 86)."
    assert your_network.interval(100.0, 10) == pytest.approx((72.2467, 100.0), abs=1e-3)  # Wilson: n / (n + z²)
