"""The block *Found* of each notebook: a few sentences made from the records and from the claims' checks.

A sentence gives the number and how many seeds and images it rests on, and of a difference its 95 % interval (see
`measures.compare`); one whose interval holds 0 is called undecided (see `said`). Nothing is written by hand that
a record could change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from .. import published
from ..claims import judge
from ..experiments import registry
from ..experiments.rows import COMPARED
from ..measures import compare, energy
from ..names import NAMES, count, shown_as
from ..plots import channels, error, quantization, shared, spread, thresholds
from . import (
    algorithm,
    costs,
    equations,
    first_step,
    formats,
    gains,
    playground,
    said,
    since,
    softplus,
    tables,
    timing,
    verdicts,
    windows,
)

if TYPE_CHECKING:  # a page shows what is found here
    from .page import Page


def show(shown: Page):
    """The block as Markdown, with the profile and its data; every artefact has one."""
    from IPython.display import Markdown

    sentences = [*SENTENCES.get(shown.artefact.id, lambda page: [])(shown), *verdicts.about(shown)]
    if shown.rows and not any(shown.results(key) for key in shown.rows):
        sentences = [f"Nothing yet: the profile has no record of this; `{shown.command}` makes them."]
    elif shown.rows and not sentences and shown.artefact.place == registry.BEYOND:
        sentences = [f"Nothing yet: the runs to be compared are not recorded; `{shown.command}` makes them."]
    told = [formats.minus(sentence[0].upper() + sentence[1:]) for sentence in sentences]
    text = f" {told[0]}" if len(told) == 1 else "\n\n" + "\n".join(f"- {sentence}" for sentence in told)
    return Markdown(f"**Found** ({formats.markdown(shown.source)}).{text}")


def at_first_step(*pairs: tuple) -> Callable[[Page], list[str]]:
    """Sentences about T = 1 for a page with rows (..., method)."""
    return lambda shown: said.by_network(shown, pairs, 1, "at T = 1")


def figure3(shown) -> list[str]:
    frame = channels.spread(shown)
    if frame.empty:
        return []
    first = frame.iloc[0]
    low, high = (first[f"pre-activation, {end}"] for end in ("min", "max"))
    return [
        f"In layer 1 the channels' mean inputs lie between {low:.2f} and {high:.2f} of the layer's largest activation, "
        f"and their mean activations between {first['activation, min']:.2f} and {first['activation, max']:.2f}."
    ]


def figure4(shown) -> list[str]:
    found: dict[str, tuple] = {}
    named = shared.titles(shown, {key[:2]: [one for one in shown.rows if one[:2] == key[:2]] for key in shown.rows})
    for place, name in named.items():
        L = published.PAPER_SETTINGS[place].quantization_step
        if (one := said.compared(shown, (*place, "csqcfs", L), (*place, "qcfs", L), "ann")) is not None:
            found[name.replace("\n", " ")] = (one, shown.results((*place, "csqcfs", L)))
    return [f"The network with CS-QCFS against that with QCFS, at the paper's L: {said.summed_up(found)}."] * bool(
        found
    )


def figure5(shown) -> list[str]:
    sentences, names = [], shown_as(shown.profile)
    for (dataset, network), curves in quantization.spiking(shown).items():
        if len(curves) > 1:
            rows = {f"L = {L}": records for L, records in curves.items()}
            first, last = (said.highest(rows, T) for T in (1, 32))
            place = f"{NAMES[network]} on {names[dataset]}"
            sentences.append(f"{place}: at T = 1 the highest mean is that of {first}; at T = 32 that of {last}.")
    return list(dict.fromkeys(sentences)) or [
        "No network has records of several L, so that nothing is said about the choice of L."
    ]


def table5(shown) -> list[str]:
    here = shown_as(shown.profile)  # where one data set may stand in for two
    cells = [
        f"{NAMES[activation]} on {NAMES[network]}, {here[dataset]}, {tables.cell(row['AvgDiff'], 1)} %"
        for (activation, dataset, network), row in spread.spread(shown).items()
    ]
    text = "; ".join(dict.fromkeys(cells))
    over = f" (± {tables.SPREAD})" if " ± " in text else ""
    return [f"Mean over layers of (largest − smallest) / smallest threshold θ{over}: {text}."] if text else []


def figure6(shown) -> list[str]:
    lines = thresholds.effects(shown)
    plain, soft = ([line for line in lines if line["method"] == method] for method in ("qcfs", "csqcfs"))
    crossed = [
        f"{NAMES[method]} {sum(line['crossing'] is not None for line in found)} of {len(found)}"
        for method, found in (("qcfs", plain), ("csqcfs", soft))
        if found
    ]
    text = [f"Trainings with a threshold that was not positive: {', '.join(crossed)}."] * bool(crossed)
    for line in lines:
        if line["last"] <= 0 and line["upper"] < compare.chance(line["dataset"]):
            text.append(
                f"The SNN of ({line['panel']}) is right on {line['T = 32']:.2f} % of the images at T = 32, by its 95 % "
                f"interval below the {compare.chance(line['dataset']):g} % of guessing: it does not guess, it is "
                "systematically wrong."
            )
    return text[:3]


def table7(shown) -> list[str]:
    sentences = []
    for network in dict.fromkeys(key[0] for key in shown.rows):
        if found := shown.metrics((network, "csqcfs")):
            folded, unfolded = (
                tables.cell(
                    [100 * energy.snn(one, 4, how).millijoules / energy.ann(one).millijoules for one in found], 0
                )
                for how in (energy.DEFAULT, "unfolded")
            )
            sentences.append(
                f"{NAMES[network]} with CS-QCFS at T = 4 takes {folded} % of its ANN's energy with θ folded into "
                f"the weights, and {unfolded} % where every spike costs a multiplication."
            )
    return sentences


def _plain(shown, network: str):
    """Plain CS-QCFS minus plain QCFS after one real step."""
    return said.compared(shown, (network, "csqcfs", "plain", "snn"), (network, "qcfs", "plain", "snn"), 1)


def latency(shown) -> list[str]:
    frame = costs.first_step_frame(shown).reset_index()
    sentences = [
        f"{row['Architecture']}: the T = 1 of CS-QCFS + offset takes "
        f"{count(int(row['steps of each layer']), 'step')} a layer and reaches {row['accuracy at T = 1 (%)']:.2f} %; "
        f"plain CS-QCFS reaches {row['plain CS-QCFS in as many steps (%)']:.2f} % in as many "
        f"({formats.minus(row[costs.FIRST_STEP['gap']]) or 'no difference known'} points)."
        for _, row in frame.iterrows()
        if row["Method"] == NAMES["ours"] and pd.notna(row["plain CS-QCFS in as many steps (%)"])
    ]
    found = {
        NAMES[network]: (one, shown.results((network, "csqcfs", "plain", "snn")))
        for network in dict.fromkeys(key[0] for key in shown.rows)
        if (one := _plain(shown, network)) is not None
    }
    for network in costs.networks(shown):
        candidates = [point for method in COMPARED for point in costs.points(shown, network, method)]
        leading = {point.method for point in costs.front(candidates, costs.COSTS["clock"])}
        if behind := [NAMES[method] for method in COMPARED if method not in leading]:
            sentences.append(
                f"{NAMES[network]}, by steps on one clock: no point of {' and '.join(behind)} is on the front."
            )
    return sentences + [f"Plain CS-QCFS against plain QCFS after one real step: {said.summed_up(found)}."] * bool(found)


def conversion_error(shown) -> list[str]:
    frame = error.table(shown)
    sentences = []
    ends = {end: {network for network, one, _ in frame.index if one == end} for end in ("CS-QCFS", "QCFS")}
    for network in dict.fromkeys(frame.index.get_level_values(0)):
        if not all(network in known for known in ends.values()):
            continue
        first, last = (frame.loc[(network, "CS-QCFS", T)] for T in ("1", "32"))
        parts = ", ".join(f"{part} {first[part]:.0f}" for part in ("flooring", "propagated", "unevenness"))
        sentences.append(
            f"{network} with CS-QCFS: at T = 1 the SNN is {first['SNN − ANN']:.0f} % of θ from its ANN (root mean "
            f"square over layers; {parts}), at T = 32 {last['SNN − ANN']:.1f} %."
        )
    if sentences:
        both = frame["SNN − ANN"].unstack("Activation")
        gaps = both["CS-QCFS"] - both["QCFS"]
        told = f"CS-QCFS minus QCFS in that: {gaps.min():+.1f} to {gaps.max():+.1f} % of θ, over T"
        single = error.widest(shown)
        most = f"; at most {single[0]:+.1f} % in one layer (layer {single[1]} at T = {single[2]})" if single else ""
        sentences.append(f"{told}{most}.")
    return sentences


def claims(shown) -> list[str]:
    frame = judge.judge(shown)
    against = {word: frame["Claim"][frame["Verdict"] == word] for word in judge.AGAINST}
    told = [f"{word}: {'; '.join(f'“{claim}”' for claim in found)}." for word, found in against.items() if len(found)]
    return [
        f"Of {count(len(frame), 'claim')} of the paper that records can decide: {verdicts.tally(frame['Verdict'])}.",
        *(told or ["None is decided against it."]),
        *said.of_each(type(shown)(registry.get("softplus"), shown.profile, shown.seeds), softplus.seed_noise),
    ]


def your_network(shown) -> list[str]:
    return [
        "This page reads no records: it trains a small network of its own on handwritten digits, in seconds.",
        "What came out is said below its figure.",
    ]


SENTENCES: dict[str, Callable[[Page], list[str]]] = {
    "figure1": equations.figure1,
    "figure2": equations.figure2,
    "gradients": equations.gradients,
    "figure3": figure3,
    "algorithm1": algorithm.found,
    "figure4": figure4,
    "table1": at_first_step(("csqcfs", "qcfs"), ("ours", "cos")),
    "table2": at_first_step(("csqcfs", "qcfs"), ("ours", "cos")),
    "table3": at_first_step(("csqcfs", "sqcfs"), ("csqcfs", "cqcfs")),
    "table4": at_first_step(("layer-wise", "origin"), ("channel-wise", "layer-wise")),
    "ablation": gains.ablation,
    "figure5": figure5,
    "table5": table5,
    "figure6": figure6,
    "table6": timing.found,
    "table7": table7,
    "latency": latency,
    "conversion_error": conversion_error,
    "audit": equations.audit_page,
    "claims": claims,
    "playground": playground.found,
    "windows": windows.sentences,
    "softplus": softplus.softplus,
    "honest_first_step": first_step.honest_first_step,
    "since_the_paper": since.since_the_paper,
    "your_network": your_network,
}
