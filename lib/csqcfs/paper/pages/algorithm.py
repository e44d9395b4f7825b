"""Algorithm 1 line by line: what the paper prints, the call that does it here, how they differ; one image in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from ..names import count
from ..plots import spikes
from .formats import Markup


class Step(NamedTuple):
    """Some lines of Algorithm 1."""

    lines: str
    printed: str
    call: str
    correction: str = ""


STEPS = (
    Step(
        "1-5",
        "replace ReLU(x) by QCFS(x; L, λ0) in every layer",
        "ann = csqcfs.quantize_activations(network, L=4, threshold=4.0, example=x)",
        "one threshold for each place where a ReLU is called; max pooling becomes average pooling",
    ),
    Step(
        "6",
        "train the layer-wise λ in QCFS with rate ε",
        "csqcfs.fit(ann, train_set, epochs=300, lr=0.1)",
        "all weights are trained, not the thresholds alone, as section 5.1 has it",
    ),
    Step(
        "7-11",
        "replace QCFS(x; L, λ0) by CS-QCFS(x; L, λ)",
        "fine = csqcfs.to_channelwise(ann)",
        "line 9: the raw parameter starts at log(exp(λ) − 1), the inverse of Softplus, so that the network "
        "computes the same before and after; as printed the threshold would become Softplus(λ)",
    ),
    Step(
        "12",
        "fine-tune the channel-wise λ in CS-QCFS with rate ε_ft",
        "csqcfs.fit(fine, train_set, epochs=100, lr=0.01)",
        "weights too, as the text says",
    ),
    Step("13-14", "copy the weights", "snn = csqcfs.convert(fine)", "batch norm is folded into the layer before it"),
    Step(
        "15-16",
        "V ← λ for every channel",
        "",
        "line 16: the neuron's threshold is Softplus(λ); λ itself is another one, and may be negative",
    ),
    Step("17-19", "v(0) ← V / 2", ""),
    Step(
        "20",
        "return the SNN",
        "scores = snn(x, T=8)",
        "row t is the mean output over steps 1..t, so one run gives every shorter one",
    ),
)


def table() -> pd.DataFrame:
    """`STEPS` as a table."""
    places = [(step.lines, step.printed) for step in STEPS]
    index = pd.MultiIndex.from_tuples(places, names=["Lines", "Algorithm 1"])
    return pd.DataFrame(
        [(Markup(f"`{step.call}`") if step.call else "the same call", step.correction) for step in STEPS],
        index=index,
        columns=["Call", "What differs, and why"],
    )


def found(shown) -> list[str]:
    """When the SNN gives its ANN's answer on the image shown, and how far its rates are from the activations."""
    records = shown.metrics(("csqcfs",))
    if not records:
        return []
    one = records[0]
    same = [t for t, answer in enumerate(one["answers"], 1) if answer == one["ann"]]
    steady = next((t for t in same if set(range(t, one["T"] + 1)) <= set(same)), None)
    rows = one["raster"]["neurons"]
    gap = np.mean([abs(spikes.train(neuron["spikes"]).mean() - neuron["rate"]) for neuron in rows])
    since = f"from T = {steady} on" if steady else "at no T for good"
    says = "as the ANN says" if one["ann"] == one["label"] else f"which the ANN takes for class {one['ann']}"
    return [
        f"On the image shown (class {one['label']}, {says}), the SNN gives the ANN's answer {since}.",
        f"After {count(one['T'], 'step')} the rates of {count(len(rows), 'neuron')} of the middle layer are "
        f"{100 * gap:.0f} % of the threshold from the ANN's activation on average.",
    ]
