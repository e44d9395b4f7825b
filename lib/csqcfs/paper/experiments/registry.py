"""The one declaration of every artefact: each figure and table of the paper, and what the paper does not show.

The runner, the notebooks, the index, the README's map and the tests all derive from `ARTEFACTS`. An artefact's
rows say which runs it shows: {row key: one `Run` for each seed}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...engine.errors import unknown
from . import beyond, rows
from .configs import Run
from .profile import Profile
from .rows import Rows


@dataclass(frozen=True)
class Artefact:
    """One figure, table or further notebook.

    Attributes:
        id: what ``run_all.sh --only`` takes; also the stem of the notebook and of all files it writes.
        place: where it stands in the paper, or "beyond the paper".
        question: what it answers, in one sentence.
        rows: the runs it shows, by row key.
        printed: names of the paper's numbers in `published`; empty where the paper prints none.
        basis: what a page that has no runs in any profile rests on.
        beside: a profile whose records the page shows beside those of its own.
    """

    id: str
    place: str
    title: str
    question: str
    rows: Callable[[Profile, Sequence[int]], Rows] = lambda profile, seeds: {}
    printed: tuple[str, ...] = ()
    basis: str = ""
    beside: str = ""

    def runs(self, profile: Profile, seeds: Sequence[int]) -> list[Run]:
        """Every run the artefact needs, each once."""
        return list(dict.fromkeys(run for runs in self.rows(profile, seeds).values() for run in runs))


def _everything(profile: Profile, seeds: Sequence[int]) -> Rows:
    """What the ledger judges: the runs of all the paper's artefacts and of `JUDGED`, keys (id, *row key)."""
    return {
        (artefact.id, *key): runs
        for artefact in ARTEFACTS
        if artefact.place != BEYOND or artefact.id in JUDGED
        for key, runs in artefact.rows(profile, seeds).items()
    }


BEYOND = "beyond the paper"
JUDGED = ("softplus",)  # beyond the paper, and the only runs that one of its sentences can be judged on
EQUATIONS = "computed from the equations, no data"
ARTEFACTS = (
    Artefact(
        "figure1",
        "Fig. 1",
        "Flooring and clipping error",
        "Where does the output of IF neurons differ from ReLU?",
        basis=EQUATIONS,
    ),
    Artefact(
        "figure2",
        "Fig. 2",
        "QCFS, ReLU and IF under positive and negative thresholds",
        "What do activation and neuron do when the threshold is negative (Eqs. 12-14)?",
        basis=EQUATIONS,
    ),
    Artefact(
        "figure3",
        "Fig. 3",
        "Activations of each channel",
        "Do the channels of one layer need different thresholds?",
        rows.figure3,
    ),
    Artefact(
        "gradients",
        "Eqs. 19-20",
        "Gradients of CS-QCFS",
        "Do the printed derivatives agree with finite differences?",
        basis=EQUATIONS,
    ),
    Artefact(
        "algorithm1",
        "Algorithm 1",
        "The whole method on one page",
        "How does a ReLU network become a spiking one?",
        rows.algorithm1,
    ),
    Artefact(
        "figure4",
        "Fig. 4",
        "Accuracy of ReLU, QCFS and CS-QCFS networks over L",
        "What does quantization cost the network itself?",
        rows.figure4,
    ),
    Artefact(
        "table1",
        "Table 1",
        "Methods compared",
        "How accurate are the SNNs of each method at T = 1..32?",
        rows.comparison("cifar10"),
        ("TABLE1",),
        beside="paper",
    ),
    Artefact(
        "table2",
        "Table 2",
        "Methods compared on harder data",
        "How accurate are they where there are 100 classes?",
        rows.comparison("cifar100"),
        ("TABLE2",),
    ),
    Artefact(
        "table3",
        "Table 3",
        "Channel-wise thresholds and Softplus, one at a time",
        "What does each part of CS-QCFS bring?",
        rows.table3,
        ("TABLE3",),
    ),
    Artefact(
        "table4",
        "Table 4",
        "One stage, two layer-wise stages, channel-wise fine-tuning",
        "Is it the second stage or the channels?",
        rows.table4,
        ("TABLE4",),
    ),
    Artefact(
        "figure5", "Fig. 5", "Accuracy over T for each L", "Which quantization step suits which latency?", rows.figure5
    ),
    Artefact(
        "table5",
        "Table 5",
        "Spread of the channel thresholds",
        "How different are the thresholds of one layer's channels?",
        rows.table5,
        ("TABLE5",),
    ),
    Artefact(
        "figure6",
        "Fig. 6",
        "Thresholds over training",
        "Do plain thresholds cross zero, and what does that do to the SNN?",
        rows.figure6,
    ),
    Artefact(
        "table6",
        "Table 6",
        "Training time",
        "What does CS-QCFS cost per epoch?",
        rows.table6,
        ("TABLE6",),
        beside="quick",
    ),
    Artefact(
        "table7",
        "Table 7",
        "Operations and energy",
        "How much energy does an inference take, by which counting?",
        rows.table7,
        ("TABLE7",),
    ),
    Artefact(
        "latency",
        BEYOND,
        "What T = 1 costs",
        "What do accuracies cost in real steps, operations and energy?",
        rows.latency,
    ),
    Artefact(
        "ablation",
        BEYOND,
        "Tables 3 and 4 without pre-simulation",
        "What do a second stage, channels and Softplus bring where no offset spikes help?",
        rows.ablation,
    ),
    Artefact(
        "conversion_error",
        BEYOND,
        "Where conversion error lives",
        "Which layers lose what to flooring, clipping and unevenness?",
        rows.conversion_error,
    ),
    Artefact(
        "windows",
        BEYOND,
        "What the gradient's window changes",
        "What changes where the gradient passes as the paper says instead of as public code has it?",
        beyond.windows,
    ),
    Artefact(
        "softplus",
        BEYOND,
        "What Softplus costs",
        "Does Softplus cost CS-QCFS its first steps: by decay, a damped step, level or spread of its thresholds?",
        beyond.softplus,
    ),
    Artefact(
        "honest_first_step",
        BEYOND,
        "The honest first step",
        "How accurate is a network that takes one time-step, trained for it?",
        beyond.honest_first_step,
    ),
    Artefact(
        "since_the_paper",
        BEYOND,
        "Since the paper",
        "Where do newer methods stand on the same network, by the same clock?",
        beyond.since_the_paper,
    ),
    Artefact(
        "audit",
        BEYOND,
        "Audit of the paper",
        "Do the paper's own numbers and equations agree with each other?",
        basis="computed from the paper's equations and printed numbers, no data",
    ),
    Artefact(
        "playground",
        BEYOND,
        "Playground",
        "How do threshold, L, T, input and initial membrane potential play together?",
        basis=EQUATIONS,
    ),
    Artefact(
        "your_network",
        BEYOND,
        "Your own network in five minutes",
        "How does a trained ReLU network of your own become a spiking one, and what is each step worth?",
        basis="trained on this page, handwritten digits, n = 1 seed, 360 test images",
    ),
    Artefact("claims", BEYOND, "Claims ledger", "Which claims of the paper hold on our records?", _everything),
)
IDS = tuple(artefact.id for artefact in ARTEFACTS)


def get(id: str) -> Artefact:
    """An artefact by id.

    Raises:
        InputError: there is none.
    """
    if id not in IDS:
        raise unknown("artefact", id, IDS)
    return ARTEFACTS[IDS.index(id)]
