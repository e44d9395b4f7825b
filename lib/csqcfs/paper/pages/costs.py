"""What accuracy costs: points of accuracy, latency, operations and energy, their Pareto front, and Table 7."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd

from ... import methods
from .. import published
from ..bench import report
from ..claims.costs import STEM_MACS, additions_per_synapse
from ..experiments import rows
from ..measures import energy
from . import tables

METHODS = rows.COMPARED | {"csqcfs": ("csqcfs", "plain")}  # names of `style.METHODS`: (network's end, method)


class Point(NamedTuple):
    """One method after ``T`` steps, means over seeds; costs include the steps before the first one counts."""

    method: str
    T: int
    accuracy: float
    latency: int  # steps of each layer
    clock: int  # steps until the answer where all layers work at once
    ac: float
    millijoules: float


COSTS: dict[str, Callable[[Point], float]] = {
    "latency": lambda point: point.latency,
    "operations": lambda point: point.ac,
    "energy": lambda point: point.millijoules,
}


def points(page, network: str, method: str, times: Sequence[int] = published.TIMESTEPS) -> list[Point]:
    """The points of one method on the page "latency"; none where it has no records."""
    key = (network, *METHODS[method])
    snn, counts = page.metrics((*key, "snn")), page.metrics((*key, "operations"))
    if not snn or not counts:
        return []
    kind, sites = methods.of_record(counts[0]), counts[0]["sites"]
    found = []
    for T in times:
        spent = [energy.snn(seed, T, presteps=True) for seed in counts]
        found.append(
            Point(
                method,
                T,
                statistics.fmean(seed["snn"][T - 1] for seed in snn),
                kind.steps(T),
                kind.clock(T, sites),
                statistics.fmean(one.ac for one in spent),
                statistics.fmean(one.millijoules for one in spent),
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
    return [name for name in names if any(points(page, name, method) for method in METHODS)]


def front_frame(page) -> pd.DataFrame:
    """Every point on a front, with its costs and the fronts that it is on."""
    lines = []
    for network in networks(page):
        candidates = [point for method in METHODS for point in points(page, network, method)]
        on = {name: front(candidates, cost) for name, cost in COSTS.items()}
        chosen = [point for point in candidates if any(point in members for members in on.values())]
        for point in sorted(chosen, key=lambda point: (point.latency, point.ac)):
            lines.append(
                (
                    tables.NAMES[network],
                    tables.NAMES[point.method],
                    str(point.T),
                    point.accuracy,
                    str(point.latency),
                    str(point.clock),
                    f"{point.ac / 1e6:.3f}",
                    f"{1e3 * point.millijoules:.3f}",
                    ", ".join(name for name, members in on.items() if point in members),
                )
            )
    return pd.DataFrame(
        lines,
        columns=[
            "Architecture",
            "Method",
            "T",
            "accuracy (%)",
            "steps of each layer",
            "steps on one clock",
            "additions (M)",
            "energy (µJ)",
            "on the front of",
        ],
    ).set_index(["Architecture", "Method"])


def first_step_frame(page) -> pd.DataFrame:
    """What the column T = 1 really takes, and what plain CS-QCFS reaches in as many steps."""
    lines = []
    for network in networks(page):
        plain = {point.T: point for point in points(page, network, "csqcfs", range(1, 33))}
        base = points(page, network, "qcfs", [1])
        for method in METHODS:
            for point in points(page, network, method, [1]):
                same = plain.get(point.latency)
                lines.append(
                    (
                        tables.NAMES[network],
                        tables.NAMES[method],
                        point.accuracy,
                        str(point.latency),
                        str(point.clock),
                        point.ac / base[0].ac if base else None,
                        same.accuracy if same else None,
                    )
                )
    return pd.DataFrame(
        lines,
        columns=[
            "Architecture",
            "Method",
            "accuracy at T = 1 (%)",
            "steps of each layer",
            "steps on one clock",
            "additions (QCFS = 1)",
            "plain CS-QCFS in as many steps (%)",
        ],
    ).set_index(["Architecture", "Method"])


# Table 6

SPEED_COLUMNS = ("what", "size", "measured", "quartiles", "target", "met")


def speed_frame(page) -> pd.DataFrame:
    """The lines of the table of speed; empty where the profile has not measured it."""
    lines = []
    for line in (line for metrics in page.metrics(("bench",)) for line in metrics["lines"]):
        found = line["outcome"]
        lines.append(
            (
                line["what"],
                line["size"],
                report.value(line) if found else "not measured",
                f"{found['low']:.3g} to {found['high']:.3g}" if found and found["low"] != found["high"] else "",
                f"{'≥' if line['above'] else '≤'} {line['target']:g}",
                {True: "yes", False: "no", None: ""}[line["met"]],
            )
        )
    return pd.DataFrame(lines, columns=SPEED_COLUMNS)


TIME_COLUMNS = ("epoch (s)", "step (ms)", "more than QCFS (%)", "lower quartile (%)", "upper quartile (%)")


def table6_frame(page) -> pd.DataFrame:
    """The paper's seconds of an epoch, our milliseconds of a step, and both ratios."""
    printed: dict[str, dict[str, float | None]] = {
        name: {"epoch (s)": value} for name, value in published.TABLE6.items()
    }
    printed["csqcfs"]["more than QCFS (%)"] = published.TABLE6_INCREASE
    ours: dict[str, dict[str, list[float]]] = {}
    for metrics in page.metrics(()):
        for name, ratio in metrics["against_qcfs"].items():
            row = ours.setdefault(name, {"step (ms)": [1e3 * metrics["seconds"][name]["median"]]})
            if name != "qcfs":
                row |= dict(zip(TIME_COLUMNS[2:], ([100 * (ratio[key] - 1)] for key in ("median", "low", "high"))))
    return tables.beside(
        printed,
        ours,
        labels=("Activation",),
        columns=TIME_COLUMNS,
        profile=page.profile.name,
        names=tables.NAMES | {"relu": "ReLU"},
    )


def timed(page) -> str:
    """What was timed, in one sentence."""
    return (
        "; ".join(
            f"{tables.NAMES[m['network']]}, width {m['width']:g}, images {'x'.join(map(str, m['image']))}, batch "
            f"{m['batch_size']}, {m['precision']}{', compiled' if m['compiled'] else ''}, on {m['device']}, "
            f"{m['rounds']} rounds of one step of each network"
            for m in page.metrics(())
        )
        or "not run in this profile"
    )


# Table 7

MODELS = {"ann": "ANN", "qcfs": "SNN, QCFS", "csqcfs": "SNN, CS-QCFS"}
COLUMNS = ("additions (M)", "MACs (M)", "energy (µJ)", "more than QCFS (%)")


def counted(page, network: str, model: str, T: int, convention: str = energy.DEFAULT) -> list[energy.Operations]:
    """Operations of one line of Table 7 for each seed; the ANN's are those of the network with QCFS."""
    if model == "ann":
        return [energy.ann(seed) for seed in page.metrics((network, "qcfs"))]
    return [energy.snn(seed, T, convention) for seed in page.metrics((network, model))]


def _row(found: Sequence[energy.Operations], base: Sequence[energy.Operations] = ()) -> dict[str, list[float]]:
    row = {
        "additions (M)": [one.ac / 1e6 for one in found],
        "MACs (M)": [one.mac / 1e6 for one in found],
        "energy (µJ)": [1e3 * one.millijoules for one in found],
    }
    if base:
        row["more than QCFS (%)"] = [100 * (one.millijoules / other.millijoules - 1) for one, other in zip(found, base)]
    return row


def table7_frame(page, T: int) -> pd.DataFrame:
    """The paper's table, whose T is not stated, and ours at ``T``, theta folded and the first layer once."""
    printed: dict[tuple, dict[str, float | None]] = {
        ("resnet50", model): dict(zip(COLUMNS, (row.acs, row.macs, 1e3 * row.energy)))
        for model, row in published.TABLE7.items()
    }
    printed["resnet50", "csqcfs"]["more than QCFS (%)"] = published.TABLE7_INCREASE
    ours = {}
    for network in dict.fromkeys(network for network, _ in page.rows):
        for model in MODELS:
            base = counted(page, network, "qcfs", T) if model == "csqcfs" else ()
            ours[network, model] = _row(counted(page, network, model, T), base)
    return tables.beside(
        printed,
        {key: row for key, row in ours.items() if row[COLUMNS[0]]},
        labels=("Architecture", "Model"),
        columns=COLUMNS,
        profile=page.profile.name,
        names=tables.NAMES | MODELS,
        digits=3,
    )


def conventions_frame(page, times: Sequence[int] = published.TIMESTEPS) -> pd.DataFrame:
    """Energy in % of the ANN's, by convention and T; below 100 the SNN saves energy."""
    lines = []
    for network in dict.fromkeys(network for network, _ in page.rows):
        for model in ("qcfs", "csqcfs"):
            whole = [one.millijoules for one in counted(page, network, "ann", 1)]
            for name, convention in energy.CONVENTIONS.items():
                found = [counted(page, network, model, T, name) for T in times]
                shares = [[100 * one.millijoules / ann for one, ann in zip(seeds, whole)] for seeds in found]
                if whole and shares[0]:
                    lines.append(
                        (
                            tables.NAMES[network],
                            MODELS[model],
                            convention.label,
                            *(tables.cell(share, 1) for share in shares),
                        )
                    )
    names = ["Architecture", "Model", "Convention"]
    return pd.DataFrame(lines, columns=[*names, *(f"T = {T}" for T in times)]).set_index(names)


def matching_frame(page) -> pd.DataFrame:
    """At which T our networks have the paper's additions per synapse, and the paper's MACs per step."""
    wanted, lines = additions_per_synapse(), []
    for (network, model), printed in ((key, published.TABLE7[key[1]]) for key in page.rows):
        found = page.metrics((network, model))
        if not found:
            continue
        times = [energy.matching_time(seed, wanted[model]) for seed in found]
        own = [energy.additions_per_synapse(seed, 1) for seed in found]
        lines.append(
            (
                tables.NAMES[network],
                MODELS[model],
                f"{wanted[model]:.4f}",
                tables.cell(own, 4),
                tables.cell(times) if None not in times else "more than 32",
                f"{printed.macs / STEM_MACS:.2f}",
            )
        )
    return pd.DataFrame(
        lines,
        columns=[
            "Architecture",
            "Model",
            "additions per synapse, paper",
            "ours at T = 1",
            "T at which ours reach the paper's",
            "T that the paper's MACs imply",
        ],
    ).set_index(["Architecture", "Model"])
