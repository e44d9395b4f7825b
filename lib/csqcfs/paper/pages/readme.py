"""Keep the README's tables true: they are made from the registry, the profiles and the reference records.

``csqcfs readme`` rewrites what stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``; a test fails where that is
out of date.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from ...conversion.images import IMAGES
from ...engine import paths
from ...engine.files import write_text
from .. import names, published
from ..claims import judge
from ..experiments import profiles, registry
from ..experiments.profile import Profile
from ..names import NAMES, count, span
from . import biases, costs, first_step, formats, found, index, page, said, since, tables, timing, windows


def artefact_map() -> str:
    """One row for each artefact: where it stands in the paper, its notebook, which is its command's name, its runs."""
    lines = ["| paper | what it shows | notebook | demo |", "|---|---|---|--:|"]
    for artefact in registry.ARTEFACTS:
        place = artefact.place.removesuffix(" the paper")
        lines.append(
            f"| {place} | {artefact.title} | [{artefact.id}](notebooks/{artefact.id}.ipynb) | "
            f"{index.progress(page.open(artefact.id, 'demo'))} |"
        )
    return "\n".join(lines)


def results() -> str:
    """Tables 1 and 2 of the profile that trains as the paper does, beside the paper's numbers, and what was found."""
    parts = []
    steps = costs.first_step_frame(page.open("latency", "quick"))
    taken = {} if steps.empty else steps[costs.FIRST_STEP["steps"]].to_dict()
    for id, printed in (("table1", published.TABLE1), ("table2", published.TABLE2)):
        shown = page.open(id, "paper")
        frame = tables.accuracy_beside(shown, printed, ("Architecture", "Method"), run=True)
        for network in dict.fromkeys(frame.index.get_level_values(0)):
            rows = [found for key in shown.rows if NAMES[key[0]] == network and (found := shown.results(key))]
            seeds = sorted({len(found) for found in rows})
            table = frame.loc[network, ["ANN", *(f"T = {T}" for T in (1, 2, 4))]]
            table = table.rename(index=lambda name: "ours" if name.startswith("ours") else name, level="Source")
            first = ~table.index.get_level_values("Method").duplicated()
            took = [
                taken.get((network, method), "") if new else ""
                for new, (method, _) in zip(first, table.index, strict=True)
            ]
            table.insert(0, "steps a layer at T = 1", took)
            n = f"n = {span(seeds, 'seed')}"
            images = count(rows[0][0].metrics["images"], "image")
            absent = [NAMES[key[1]] for key in shown.rows if NAMES[key[0]] == network and not shown.results(key)]
            left = f" (not run: {', '.join(absent)})" if absent else ""
            title = f"{network}, {shown.seen('dataset')}, {n}, {images}{left}:"
            parts += [title, formats.to_markdown(table)]
    lead = (
        "Accuracy in %, trained with the paper's own schedule, 300 + 100 epochs ([profile](#profiles) `paper`); "
        f"± of differences is {tables.INTERVAL}{tables.ALONE}."
    )
    if not parts:
        lead = "Nothing is trained with the paper's own schedule yet."
    return "\n\n".join([lead, *parts, _listed([*schedules(), *equally_long(), *window()]), *few_steps(), not_run()])


def _listed(told: Sequence[str]) -> str:
    return "\n".join(f"- {formats.minus(sentence)}" for sentence in told)


def equally_long() -> list[str]:
    """CS-QCFS against QCFS that was trained for as many epochs, in a second stage of its own."""
    told = said.by_network(page.open("ablation", "quick"), [("csqcfs", "qcfs-2")], 1, "at T = 1")
    return [f"[At equal length of training](notebooks/ablation.ipynb): {sentence}" for sentence in told]


def window() -> list[str]:
    """What the window of the newer public code brings over the paper's."""
    told = windows.sentences(page.open("windows", "quick"))[:1]
    return [f"[Gradient windows](notebooks/windows.ipynb): {sentence}" for sentence in told]


def few_steps() -> list[str]:
    """The best networks without hidden steps, and what was found of them."""
    honest = page.open("honest_first_step", "quick")
    lines, told, tried = [], list[str](), 0
    for dataset, part in honest.parts().items():
        tried = max(tried, len(first_step.unhidden(part)))
        for clock, one in first_step.best(part, 1, 2, 4).items():
            reached = said.cell(one.records, one.T), str(len(one.records)), said.cell(one.records, "ann")
            place = names.dataset(dataset, honest.profile)
            lines.append((place, str(clock), *reached, one.name))
            if even := first_step.rivals(part, one, clock):
                told.append(f"{place}, {count(clock, 'step')}: not shown to be ahead of {' and '.join(even)}.")
    if not lines:
        return []
    columns = ["Data set", "steps", "accuracy (%)", "n", "its ANN (%)", "by"]
    told += said.of_each(honest, biases.sentences)
    told += since.since_the_paper(page.open("since_the_paper", "quick"))[:1]
    return [
        "**The best with binary spikes and no hidden step.** ResNet-20, fine-tuned for "
        f"{honest.profile.tuning_epochs} epochs from one network of the package where nothing else is said. Of up to "
        f"{tried} for each data set in [The honest first step](notebooks/honest_first_step.ipynb) these have the "
        "highest mean on the 10,000 test images, a choice that favours them a little. Signed and graded spikes, which "
        "say more than one bit, are in [Since the paper](notebooks/since_the_paper.ipynb). ± is "
        f"{tables.INTERVAL}{tables.ALONE}.",
        formats.to_markdown(pd.DataFrame(lines, columns=columns).set_index(columns[:2])),
        "L is the number of levels above 0 that the activation was trained with; *mixed*: some batches come at a "
        f"smaller L. Biases for T are calibrated on {IMAGES} training images for a run of T steps, without training "
        "(`csqcfs.calibrate_bias`). The network of the paper's schedule was measured once more for this table: its "
        "last digit may differ from the one above.",
        _listed(told),
    ]


def not_run() -> str:
    """Which figures, tables and networks of the paper have no records on its data."""
    networks, empty = set(), []
    for artefact in (one for one in registry.ARTEFACTS if one.place != registry.BEYOND):
        shown = [page.open(artefact.id, profile) for profile in ("quick", "paper")]
        records = [record for one in shown for group in one.records.values() for record in group]
        networks |= {record.settings["training"]["network"] for record in records if record.settings["training"]}
        if not records and shown[-1].rows:
            empty.append(artefact.place)
    others = [NAMES[name] for name in profiles.get("paper").networks if name not in networks]
    missing = [*empty, *others]
    return f"Without any record on CIFAR so far: {', '.join(missing)}." if missing else ""


def schedules() -> list[str]:
    """What was found at T = 1, with both schedules and on both data sets."""
    found_at: dict[str, list[str]] = {}
    for profile, schedule in (
        ("paper", "the paper's own schedule"),
        ("quick", "the shorter one of `quick` and its other gradient window"),
    ):
        for shown in (page.open("table1", profile), page.open("table2", profile)):
            for sentence in found.SENTENCES["table1"](shown):
                pair, _, what = sentence.removesuffix(".").partition(": ")
                found_at.setdefault(pair, []).append(f"on {shown.seen('dataset')} with {schedule} {what}")
    return [f"{pair}: {'; '.join(parts)}." for pair, parts in found_at.items()]


def profile_list() -> str:
    """What each profile is, and what its committed records took to compute."""

    def line(profile: Profile) -> str:
        shown = [page.open(artefact.id, profile.name) for artefact in registry.ARTEFACTS]
        found = {one.digest: one for p in shown for group in p.records.values() for one in group}
        runs = {run for p in shown for group in p.rows.values() for run in group}
        hours = sum(one.provenance["seconds"] for one in found.values()) / 3600
        machines = {one.provenance["hardware"] for one in found.values()}
        machines |= {name for one in found.values() for name in one.provenance.get("devices", []) if name != "cpu"}
        on = "; ".join(sorted(machines))
        took = "none of them recorded"
        if found:
            took = f"{len(found)} of them recorded, on {on}; these took at least {hours:.1f} hours, most beside other "
            took += "work (resumed trainings count from where they went on)"
        return f"- `{profile.name}`: {profile.summary}. {count(len(runs), 'run')}, {took}."

    return "\n".join(map(line, profiles.PROFILES.values()))


def claim_count() -> str:
    """Verdicts of the claims ledger in the profiles that judge and have records, and the claims that are decided."""
    lines, decided = [], {}
    for profile in ("quick", "paper"):
        shown = page.open("claims", profile)
        if any(shown.records.values()):
            frame = judge.judge(shown)
            counted = {str(verdict): many for verdict, many in judge.tally(frame).items() if many}
            lines.append(f"- `{profile}`: {', '.join(judge.numbered(*each) for each in counted.items())}")
            for claim in frame[frame["Verdict"].isin(judge.DECIDED)].itertuples():
                place = f"{claim.Claim} ({claim.Place})"
                decided.setdefault(place, []).append(f"{claim.Verdict} in `{profile}`")
    told = [f"- {place}: {', '.join(verdicts)}" for place, verdicts in decided.items()]
    return "\n".join(
        [*lines, "", "These claims of the paper are decided, with the place where it makes them:", "", *told]
        if told
        else lines
    )


def speed() -> str:
    """The three answers, from the record that Table 6 of the profile "quick" has."""
    shown = page.open("table6", "quick")
    (record,) = shown.records[("bench",)]
    lines = [f"- {line}" for line in timing.answers(shown)]
    return "\n".join(
        ["Times as ratios, each pair measured in turns:", "", *lines, "", f"on {record.provenance['hardware']}."]
    )


SECTIONS: dict[str, Callable[[], str]] = {
    "results": results,
    "map": artefact_map,
    "profiles": profile_list,
    "claims": claim_count,
    "speed": speed,
}


def _on_one_line(section: str) -> str:
    """``section`` with tables whose numbers keep their sign, margin and unit beside them on a narrow screen."""
    together = re.compile(r" (?=[=±+] )|(?<=[=±+]) |(?<=\d) (?=(?:runs?|s)\b)")
    lines = section.split("\n")
    return "\n".join(together.sub("\u00a0", line) if line.startswith("|") else line for line in lines)


def rendered(text: str) -> str:
    """``text`` with every marked section made anew."""
    for name, section in SECTIONS.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = marked.sub(lambda found, section=section: f"{found[1]}\n{_on_one_line(section())}\n\n{found[2]}", text)
    return text


def main(options: argparse.Namespace) -> int:
    """Renew the README; the exit status."""
    path = paths.REPOSITORY / "README.md"
    with tempfile.TemporaryDirectory() as home:
        os.environ["CSQCFS_HOME"] = str(Path(home))  # reference records only
        os.environ.pop("CSQCFS_DATA", None)  # with other images there, these were of no run
        write_text(path, rendered(path.read_text(encoding="utf-8")))
    return 0
