"""What accuracy costs: points of accuracy, steps, operations and energy, their Pareto front, and Table 7."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ... import methods
from .. import published
from ..claims.costs import STEM_MACS, additions_per_synapse
from ..experiments import rows
from ..measures import compare, energy
from ..names import NAMES
from ..plots import shared
from . import tables

ENERGY = "energy (mJ)"  # as the paper has it
DIGITS = {ENERGY: 5}  # the demo's networks are small


class Point(NamedTuple):
    """One method after ``T`` steps, means over seeds; costs include the steps before the first one counts."""

    method: str
    T: int
    accuracy: float
    latency: int  # steps of each layer
    clock: int  # steps until the answer where all layers work at once
    ac: float
    millijoules: float
    interval: tuple[float, float]  # 95 %, of the accuracy
    seeds: int


KINDS = ("snn", "operations")
COSTS: dict[str, Callable[[Point], float]] = {
    "steps": lambda point: point.latency,
    "clock": lambda point: point.clock,
    "operations": lambda point: point.ac,
    "energy": lambda point: point.millijoules,
}


def points(page, network: str, method: str, times: Sequence[int] = published.TIMESTEPS) -> list[Point]:
    """The points of one method on the page "latency", over seeds with both measurements; none without such."""
    key = (network, *rows.COMPARED[method])
    snn, counts = ({compare.seed(record): record.metrics for record in page.results((*key, kind))} for kind in KINDS)
    seeds = sorted(snn.keys() & counts.keys())
    found = []
    for T in times if seeds else ():
        spent = [energy.snn(counts[seed], T, presteps=True) for seed in seeds]
        kind, sites = methods.of_record(counts[seeds[0]]), counts[seeds[0]]["sites"]
        found.append(
            Point(
                method,
                T,
                statistics.fmean(snn[seed]["snn"][T - 1] for seed in seeds),
                kind.steps(T),
                kind.clock(T, sites),
                statistics.fmean(one.ac for one in spent),
                statistics.fmean(one.millijoules for one in spent),
                shared.interval([one for one in page.results((*key, "snn")) if compare.seed(one) in seeds], T)[1:],
                len(seeds),
            )
        )
    return found


def front(candidates: Sequence[Point], cost: Callable[[Point], float]) -> list[Point]:
    """The points that no other beats: at least as accurate for at most the cost, and better in one of both."""

    def beaten(point: Point) -> bool:
        return any(
            cost(other) <= cost(point)
            and other.accuracy >= point.accuracy
            and (cost(other) < cost(point) or other.accuracy > point.accuracy)
            for other in candidates
        )

    return sorted((point for point in candidates if not beaten(point)), key=cost)


def networks(page) -> list[str]:
    """Networks of the page "latency" that have points."""
    names = dict.fromkeys(key[0] for key in page.rows)
    return [name for name in names if any(points(page, name, method) for method in rows.COMPARED)]


def front_frame(page) -> pd.DataFrame:
    """Every point on a front, with its costs and the fronts that it is on."""
    lines = []
    for network in networks(page):
        candidates = [point for method in rows.COMPARED for point in points(page, network, method)]
        on = {name: front(candidates, cost) for name, cost in COSTS.items()}
        chosen = [point for point in candidates if any(point in members for members in on.values())]
        lines += [
            {
                "Architecture": NAMES[network],
                "Method": NAMES[point.method],
                "T": str(point.T),
                "accuracy (%)": point.accuracy,
                "steps of each layer": str(point.latency),
                "steps on one clock": str(point.clock),
                "additions (M)": f"{point.ac / 1e6:.3f}",
                ENERGY: f"{point.millijoules:.{DIGITS[ENERGY]}f}",
                "on the front of": ", ".join(name for name, members in on.items() if point in members),
            }
            for point in sorted(chosen, key=lambda point: (point.latency, point.ac))
        ]
    return _labelled(lines, "Architecture", "Method")


FIRST_STEP = {  # columns of `first_step_frame`
    "steps": "steps of each layer",
    "plain": "plain CS-QCFS in as many steps (%)",
    "gap": "minus plain CS-QCFS in as many steps",
}


def first_step_frame(page) -> pd.DataFrame:
    """What the column T = 1 really takes, and what plain CS-QCFS reaches in as many steps; ± half of the interval."""
    lines = []
    for network in networks(page):
        plain = {point.T: point for point in points(page, network, "csqcfs", range(1, 33))}
        base = points(page, network, "qcfs", [1])
        records = {name: page.results((network, *key, "snn")) for name, key in rows.COMPARED.items()}
        for method in rows.COMPARED:
            for point in points(page, network, method, [1]):
                same = plain.get(point.latency) if method != "csqcfs" else None
                gap = same and compare.difference(records[method], records["csqcfs"], 1, point.latency)
                lines.append(
                    {
                        "Architecture": NAMES[network],
                        "Method": NAMES[method],
                        "accuracy at T = 1 (%)": point.accuracy,
                        FIRST_STEP["steps"]: str(point.latency),
                        "steps on one clock": str(point.clock),
                        "additions (QCFS = 1)": point.ac / base[0].ac if base else None,
                        FIRST_STEP["plain"]: same.accuracy if same else None,
                        FIRST_STEP["gap"]: gap.short() if gap else "",
                    }
                )
    return _labelled(lines, "Architecture", "Method")


def _labelled(lines: list[dict[str, object]], *labels: str) -> pd.DataFrame:
    """A frame with some of its columns as labels; without lines one that is empty."""
    return pd.DataFrame(lines).set_index(list(labels)) if lines else pd.DataFrame()


# Table 7

MODELS = {"ann": "ANN", "qcfs": "SNN, QCFS", "csqcfs": "SNN, CS-QCFS"}
COLUMNS = ("additions (M)", "MACs (M)", ENERGY, "more than QCFS (%)")


def by_seed(page, network: str, end: str) -> dict[int, dict[str, Any]]:
    """Counts of a row of Table 7."""
    return {compare.seed(record): record.metrics for record in page.results((network, end))}


def ours7(page, network: str, model: str, T: int) -> dict[str, list[float]]:
    """One line of Table 7 for each seed; the ANN's are those of the network with QCFS."""
    found, base = by_seed(page, network, "csqcfs" if model == "csqcfs" else "qcfs"), by_seed(page, network, "qcfs")
    spent = {seed: energy.ann(one) if model == "ann" else energy.snn(one, T) for seed, one in found.items()}
    row = {
        "additions (M)": [one.ac / 1e6 for one in spent.values()],
        "MACs (M)": [one.mac / 1e6 for one in spent.values()],
        ENERGY: [one.millijoules for one in spent.values()],
    }
    if model == "csqcfs" and (both := sorted(spent.keys() & base.keys())):
        row["more than QCFS (%)"] = [
            100 * (spent[seed].millijoules / energy.snn(base[seed], T).millijoules - 1) for seed in both
        ]
    return row


def table7_frame(page, T: int) -> pd.DataFrame:
    """The paper's table, whose T is not stated, and ours at ``T``, theta folded and the first layer once."""
    printed: dict[tuple, dict[str, float | None]] = {
        ("resnet50", model): dict(zip(COLUMNS, (row.acs, row.macs, row.energy), strict=False))
        for model, row in published.TABLE7.items()
    }
    printed["resnet50", "csqcfs"]["more than QCFS (%)"] = published.TABLE7_INCREASE
    networks = dict.fromkeys(network for network, _ in page.rows)
    ours = {(network, model): ours7(page, network, model, T) for network in networks for model in MODELS}
    return tables.beside(
        printed,
        {key: row for key, row in ours.items() if row[COLUMNS[0]]},
        labels=("Architecture", "Model"),
        columns=COLUMNS,
        profile=page.profile.name,
        names=NAMES | MODELS,
        digits=dict.fromkeys(COLUMNS, 3) | DIGITS,
    )


def conventions_frame(page, times: Sequence[int] = published.TIMESTEPS) -> pd.DataFrame:
    """Energy in % of the ANN's, by convention and T; below 100 the SNN saves energy."""
    lines = []
    for network, model in page.rows:
        for name, convention in energy.CONVENTIONS.items() if page.metrics((network, model)) else ():
            line = {"Architecture": NAMES[network], "Model": MODELS[model], "Convention": convention.label}
            for T in times:
                shares = [
                    100 * energy.snn(one, T, name).millijoules / energy.ann(one).millijoules
                    for one in page.metrics((network, model))
                ]
                line[f"T = {T}"] = tables.cell(shares, 1)
            lines.append(line)
    return tables.spread(_labelled(lines, "Architecture", "Model", "Convention"))


def matching_frame(page) -> pd.DataFrame:
    """At which T our networks have the paper's additions per synapse, and the paper's MACs per step."""
    wanted, lines = additions_per_synapse(), []
    for network, model in page.rows:
        if found := page.metrics((network, model)):
            times = [energy.matching_time(seed, wanted[model]) for seed in found]
            own = [energy.additions_per_synapse(seed, 1) for seed in found]
            lines.append(
                {
                    "Architecture": NAMES[network],
                    "Model": MODELS[model],
                    "additions per synapse, paper (ResNet-50)": f"{wanted[model]:.4f}",
                    "ours at T = 1": tables.cell(own, 4),
                    "T at which ours reach the paper's": tables.cell(times) if None not in times else "more than 32",
                    "T that the paper's MACs of ResNet-50 imply": f"{published.TABLE7[model].macs / STEM_MACS:.2f}",
                }
            )
    return tables.spread(_labelled(lines, "Architecture", "Model"))
