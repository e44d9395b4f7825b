"""Made-up records of every kind: random but always the same, with the shape that measurements have."""

from __future__ import annotations

import numpy as np
import pytest
from csqcfs.paper.runs.records import Record

SITES = [f"stage.{place}.act" for place in range(19)]
IMAGES = 1000


def accuracy(rng, run) -> dict:
    presteps = {"srp": 4, "cos": 4}.get(dict(run.options)["method"], 0)
    ann = rng.uniform(85, 96)
    first = ann - (rng.uniform(1, 4) if presteps else rng.uniform(20, 45))
    snn = ann + 0.5 - (ann - first) * np.exp(-np.arange(32) / 4)
    thresholds = {site: rng.uniform(0.4, 2, 16).tolist() for site in SITES}
    return {"images": IMAGES, "ann": ann, "snn": snn.tolist(), "presteps": presteps, "thresholds": thresholds}


def training(rng, run) -> dict:
    start = run.training.threshold or 4.0
    walks = start * np.cumprod(1 + 0.5 * rng.normal(size=(12, len(SITES))), axis=0)
    walks[6:, 0] = -(10.0 ** rng.uniform(-1, 4)) if run.training.activation == "qcfs" else 0.02
    sites = [{s: [v, v, v] for s, v in zip(SITES, epoch, strict=True)} for epoch in walks.tolist()]
    history = [{"thresholds": of, "val_accuracy": rng.uniform(60, 90)} for of in sites]
    return {"images": IMAGES, "ann": rng.uniform(85, 96), "history": history}


def operations(rng, run) -> dict:
    method, T = dict(run.options)["method"], dict(run.options).get("T", 32)
    kinds = ["analog", *["spikes"] * 18, "averaged"]
    layers = []
    for place, kind in enumerate(kinds):
        macs, rate = 10.0 ** rng.uniform(5, 7), rng.uniform(0.05, 0.2)
        ac = (macs * rate * np.arange(1, T + 5)).tolist()
        layers.append({"name": f"layer{place}", "kind": kind, "macs": macs, "ac": ac, "pre": 4 * rate * macs})
    return {
        "method": method,
        "presteps": {"srp": 4, "cos": 4}.get(method, 0),
        "T": T,
        "images": 64,
        "layers": layers,
        "bits": (rng.uniform(1e4, 1e5) * np.arange(1, T + 5)).tolist(),
        "bits_pre": 1e4,
        "additions": 1,
        "sites": len(SITES),
        "neurons": 100_000,
    }


def channels(rng, run) -> dict:
    count = 1 if run.training.activation == "qcfs" else 32
    sites = {}
    for site in SITES:
        mean = rng.uniform(0, 0.8, 32)
        sites[site] = {
            "channels": 32,
            "channel": list(range(32)),
            "mean": mean.tolist(),
            "maximum": (mean + 0.2).tolist(),
            "preactivation": (mean - rng.uniform(0, 0.6, 32)).tolist(),
            "thresholds": rng.uniform(0.8, 1.2, count).tolist(),
            "layer_maximum": 1.0,
            "ridges": {str(channel): rng.uniform(0, 1, 48).tolist() for channel in (30, 2, 17, 8, 25)},
        }
    return {"images": 500, "bins": [-2.0, 2.0, 48], "sites": sites}


def conversion_error(rng, run) -> dict:
    def parts() -> dict:
        return {part: rng.uniform(0.01, 0.3, len(SITES)).tolist() for part in ("flooring", "propagated", "total")}

    rms = {}
    for T in (1, 2, 4, 8, 16, 32):
        rms[str(T)] = parts() | {"unevenness": (rng.uniform(0, 0.1, len(SITES)) * (T > 1)).tolist()}
    own = {part: rng.uniform(0.01, 0.3, len(SITES)).tolist() for part in ("clipping", "quantization", "activation")}
    return {"images": 200, "sites": SITES, "rms_own": own, "bias_own": own, "rms": rms, "bias": rms}


def spikes(rng, run) -> dict:
    def train(rate: float) -> str:
        return "".join(map(str, (rng.uniform(size=16) < rate).astype(int)))

    neurons = [
        {
            "site": site,
            "channel": int(rng.integers(512)),
            "threshold": 1.5,
            "z": 1.2,
            "target": 1.125,
            "input": [1.2] * 16,
            "potential": rng.uniform(-1, 12, 16).tolist(),
            "spikes": train(rate),
        }
        for site in SITES[::9]
        for rate in (0.4, 0.95)
    ]
    rows = [{"rate": rate, "spikes": train(rate)} for rate in np.linspace(0.05, 1, 40).tolist()]
    return {
        "T": 16,
        "L": 4,
        "label": 3,
        "ann": 3,
        "answers": [5, *[3] * 15],
        "depth": 19,
        "sites": {site: place for site, place in zip(SITES[::9], (1, 10, 19), strict=True)},
        "neurons": neurons,
        "raster": {"site": SITES[9], "neurons": rows},
    }


def epoch_time(rng, run) -> dict:
    ratios = {"relu": rng.normal(0.9, 0.05, 40).tolist(), "csqcfs": rng.normal(1.03, 0.03, 40).tolist()}
    quartiles = {
        name: dict(zip(("low", "median", "high"), np.quantile(values, (0.25, 0.5, 0.75)).tolist(), strict=True))
        for name, values in ratios.items()
    }
    return {
        "network": "resnet50",
        "width": 1.0,
        "image": [3, 32, 32],
        "batch_size": 128,
        "rounds": 40,
        "precision": "float32",
        "compiled": False,
        "device": "cpu",
        "seconds": {name: {"median": 0.1} for name in ("relu", "qcfs", "csqcfs")},
        "against_qcfs": quartiles | {"qcfs": {"low": 1.0, "median": 1.0, "high": 1.0}},
        "ratios": ratios | {"qcfs": [1.0] * 40},
    }


def bench(rng, run) -> dict:
    lines = []
    for place in range(12):
        low, median, high = sorted(rng.uniform(0.3, 3, 3))
        what = f"training step number {place} of a network against another one of its kind"
        outcome = {"low": low, "median": median, "high": high}
        line = {"what": what, "size": "[128, 64, 16, 16], channels_last", "outcome": outcome, "target": 1.2}
        lines.append(line | {"above": place % 3 == 0, "unit": "x", "met": place % 2 == 0, "note": ""})
    return {"lines": lines, "threads": 2, "versions": {"torch": "2.14.1"}}


def certainty(rng, run) -> dict:
    T, first = dict(run.options)["T"], rng.uniform(50, 60)
    steps = np.linspace(1, T, 51)
    part = {"images": IMAGES, "steps": steps.tolist(), "accuracy": (first + 12 * np.sqrt(steps)).tolist()}
    margins = [n / 50 for n in range(51)]
    chosen = {"margins": margins, "chosen": int(rng.integers(20, 40)), "taken": [100] * T}
    return {"T": T, "presteps": 0, "val": part, "test": part, **chosen}


KINDS = (accuracy, training, operations, channels, conversion_error, spikes, epoch_time, bench, certainty)
MADE = {made.__name__: made for made in KINDS}


@pytest.fixture
def made_up(monkeypatch):
    """From here on every run of a known kind has a made-up record, whatever its profile."""

    def find(run, profile) -> Record | None:
        if run.kind not in MADE:
            return None
        metrics = MADE[run.kind](np.random.default_rng(int(run.digest, 16)), run)
        provenance = {"seconds": 1.0, "hardware": "made up", "torch": "2.14.1", "date": "2026-01-01 00:00 UTC"}
        return Record(run.settings(), metrics, provenance | {"commit": "none"}, "made up")

    monkeypatch.setattr("csqcfs.paper.runs.records.find", find)
