"""The one declaration of every artefact: each figure and table of the paper, and what the paper does not show.

The runner, the notebooks, the index, the README's map and the tests all derive from `ARTEFACTS`. An artefact's
rows say which runs it shows: {row key: one `Run` for each seed}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...engine.errors import unknown
from .. import published
from .configs import Run
from .profiles import Profile

Rows = Mapping[tuple, Sequence[Run]]
SWEPT = ("vgg16", "resnet20")  # networks of Figs. 4-6 and Tables 3-5
DATASETS = ("cifar10", "cifar100")


@dataclass(frozen=True)
class Artefact:
    """One figure, table or further notebook.

    Attributes:
        id: what ``run_all.sh --only`` takes; also the stem of the notebook and of all files it writes.
        place: where it stands in the paper, or "beyond the paper".
        question: what it answers, in one sentence.
        rows: the runs it shows, by row key.
        printed: names of the paper's numbers in `published`; empty where the paper prints none.
    """

    id: str
    place: str
    title: str
    question: str
    rows: Callable[[Profile, Sequence[int]], Rows] = lambda profile, seeds: {}
    printed: tuple[str, ...] = ()

    def runs(self, profile: Profile, seeds: Sequence[int]) -> list[Run]:
        """Every run the artefact needs, each once."""
        return list(dict.fromkeys(run for runs in self.rows(profile, seeds).values() for run in runs))


def accuracy(
    profile: Profile,
    seeds: Sequence[int],
    dataset: str,
    network: str,
    end: str,
    method: str = "plain",
    *,
    L: int | None = None,
    threshold: float | None = None,
    allow_nonpositive: bool = False,
) -> list[Run]:
    """Accuracy of one trained network as an SNN, for each seed."""
    options = {"allow_nonpositive": True} if allow_nonpositive else {}
    if profile.test_images is not None:
        options["images"] = profile.test_images
    return [
        Run.of(
            "accuracy",
            profile.training(dataset, network, end, seed=seed, L=L, threshold=threshold),
            method=method,
            **options,
        )
        for seed in seeds
    ]


def measured(
    kind: str,
    profile: Profile,
    seeds: Sequence[int],
    dataset: str,
    network: str,
    end: str,
    L: int | None = None,
    **options,
) -> list[Run]:
    """Another measurement of one trained network, for each seed; ``L`` instead of the paper's."""
    return [Run.of(kind, profile.training(dataset, network, end, seed=seed, L=L), **options) for seed in seeds]


def swept(profile: Profile) -> list[str]:
    return [network for network in SWEPT if network in profile.networks]


# The methods of Tables 1-2 as the paper runs them: baselines on layer-wise QCFS, ours with offset spikes.
COMPARED = {"qcfs": ("qcfs", "plain"), "srp": ("qcfs", "srp"), "cos": ("qcfs", "cos"), "ours": ("csqcfs", "cos")}
STRATEGIES = {"origin": "qcfs", "layer-wise": "qcfs-2", "channel-wise": "cqcfs"}  # Table 4
SECOND_STAGES = ("qcfs-2", "sqcfs", "cqcfs", "csqcfs")  # all that go on from "qcfs", equally long


def _comparison(dataset: str) -> Callable[[Profile, Sequence[int]], Rows]:
    """Table 1 or 2, and plain CS-QCFS, which the paper does not show."""
    methods = COMPARED | {"csqcfs": ("csqcfs", "plain")}

    def rows(profile: Profile, seeds: Sequence[int]) -> Rows:
        networks = dict.fromkeys(network for network, _ in published.COMPARISONS[dataset])
        return {
            (network, name): accuracy(profile, seeds, dataset, network, end, method)
            for network in networks
            if network in profile.networks
            for name, (end, method) in methods.items()
        }

    return rows


def _table3(profile: Profile, seeds: Sequence[int]) -> Rows:
    return {
        (network, end): accuracy(profile, seeds, "cifar10", network, end, "cos")
        for network in swept(profile)
        for end in ("sqcfs", "cqcfs", "csqcfs")
    }


def _table4(profile: Profile, seeds: Sequence[int]) -> Rows:
    return {
        (dataset, network, name): accuracy(profile, seeds, dataset, network, end, "cos")
        for dataset in DATASETS
        for network in swept(profile)
        for name, end in STRATEGIES.items()
    }


def _ablation(profile: Profile, seeds: Sequence[int]) -> Rows:
    return {
        (network, end): accuracy(profile, seeds, "cifar10", network, end)
        for network in swept(profile)
        for end in ("qcfs", *SECOND_STAGES)
    }


def _table5(profile: Profile, seeds: Sequence[int]) -> Rows:
    return {
        (end, dataset, network): accuracy(profile, seeds, dataset, network, end)
        for end in ("cqcfs", "csqcfs")
        for dataset in DATASETS
        for network in swept(profile)
    }


def _sweep(profile: Profile, dataset: str, network: str) -> Sequence[int]:
    """The L of Figs. 4 and 5; a profile without a sweep has the paper's L of that network alone."""
    return profile.L_sweep or (published.PAPER_SETTINGS[dataset, network].quantization_step,)


def _figure4(profile: Profile, seeds: Sequence[int]) -> Rows:
    rows: dict[tuple, Sequence[Run]] = {}
    for dataset in DATASETS:
        for network in swept(profile):
            rows[dataset, network, "relu", None] = measured("training", profile, seeds, dataset, network, "relu")
            for end in ("qcfs", "csqcfs"):
                for L in _sweep(profile, dataset, network):
                    rows[dataset, network, end, L] = measured("training", profile, seeds, dataset, network, end, L=L)
    return rows


def _figure5(profile: Profile, seeds: Sequence[int]) -> Rows:
    return {
        (dataset, network, L): accuracy(profile, seeds, dataset, network, "csqcfs", "cos", L=L)
        for dataset in DATASETS
        for network in swept(profile)
        for L in _sweep(profile, dataset, network)
    }


def _figure6(profile: Profile, seeds: Sequence[int]) -> Rows:
    """Keys (panel, data set, network, end, L, initial threshold, "trace" or "snn").

    One seed, since a trace is one training; SNNs are simulated with whatever thresholds there are.
    """
    panels = [
        ("a", dataset, "resnet20", 8, threshold)
        for dataset in DATASETS
        for threshold in profile.low_thresholds
        if "resnet20" in profile.networks
    ]
    panels += [("b", "cifar10", "vgg16", L, 4.0) for L in profile.traced_L if "vgg16" in profile.networks]
    rows: dict[tuple, Sequence[Run]] = {}
    for panel, dataset, network, L, threshold in panels:
        for end in ("qcfs", "csqcfs-1"):
            snn = accuracy(profile, seeds[:1], dataset, network, end, L=L, threshold=threshold, allow_nonpositive=True)
            key = (panel, dataset, network, end, L, threshold)
            rows[*key, "trace"] = [Run.of("training", run.training) for run in snn]
            rows[*key, "snn"] = snn
    return rows


def _table6(profile: Profile, seeds: Sequence[int]) -> Rows:
    """The table of speed beside it is no part of the demo, which it would slow down several times."""
    rows: dict[tuple, Sequence[Run]] = {(): [Run.of("epoch_time", profile=profile.name)]}
    return rows if profile.name == "demo" else rows | {("bench",): [Run.of("bench")]}


def _table7(profile: Profile, seeds: Sequence[int]) -> Rows:
    """ResNet-50 as in the paper, and ResNet-20; "ann" is counted on the network with QCFS."""
    return {
        (network, end): measured("operations", profile, seeds, "cifar100", network, end, method="plain")
        for network in ("resnet50", "resnet20")
        if network in profile.networks
        for end in ("qcfs", "csqcfs")
    }


def _latency(profile: Profile, seeds: Sequence[int]) -> Rows:
    """Keys (network, end, method, "snn" or "operations")."""
    rows: dict[tuple, Sequence[Run]] = {}
    for network in swept(profile):
        for end, method in dict.fromkeys([*COMPARED.values(), ("csqcfs", "plain")]):
            rows[network, end, method, "snn"] = accuracy(profile, seeds, "cifar10", network, end, method)
            rows[network, end, method, "operations"] = measured(
                "operations", profile, seeds, "cifar10", network, end, method=method
            )
    return rows


def _figure3(profile: Profile, seeds: Sequence[int]) -> Rows:
    networks = [name for name in ("vgg16", "resnet20") if name in profile.networks][:1]
    return {
        (network, end): measured("channels", profile, seeds[:1], "cifar10", network, end)
        for network in networks
        for end in ("qcfs", "csqcfs")
    }


def _conversion_error(profile: Profile, seeds: Sequence[int]) -> Rows:
    """Keys (network, end, L)."""
    return {
        (network, end, L): measured("conversion_error", profile, seeds[:1], "cifar10", network, end, L=L)
        for network in swept(profile)
        for end in ("qcfs", "csqcfs")
        for L in _sweep(profile, "cifar10", network)
    }


def _algorithm1(profile: Profile, seeds: Sequence[int]) -> Rows:
    return {(end,): measured("spikes", profile, seeds[:1], "cifar10", "resnet20", end) for end in ("csqcfs",)}


def _everything(profile: Profile, seeds: Sequence[int]) -> Rows:
    """What the ledger judges: the runs of all the paper's artefacts, keys (id, *row key)."""
    return {
        (artefact.id, *key): runs
        for artefact in ARTEFACTS
        if artefact.place != BEYOND
        for key, runs in artefact.rows(profile, seeds).items()
    }


BEYOND = "beyond the paper"
ARTEFACTS = (
    Artefact(
        "figure1", "Fig. 1", "Flooring and clipping error", "Where does the output of IF neurons differ from ReLU?"
    ),
    Artefact(
        "figure2",
        "Fig. 2",
        "QCFS, ReLU and IF under positive and negative thresholds",
        "What do activation and neuron do when the threshold is negative (Eqs. 12-14)?",
    ),
    Artefact(
        "figure3",
        "Fig. 3",
        "Activations of each channel",
        "Do the channels of one layer need different thresholds?",
        _figure3,
    ),
    Artefact(
        "gradients", "Eqs. 19-20", "Gradients of CS-QCFS", "Do the printed derivatives agree with finite differences?"
    ),
    Artefact(
        "algorithm1",
        "Algorithm 1",
        "The whole method on one page",
        "How does a ReLU network become a spiking one?",
        _algorithm1,
    ),
    Artefact(
        "figure4",
        "Fig. 4",
        "Accuracy of ReLU, QCFS and CS-QCFS networks over L",
        "What does quantization cost the network itself?",
        _figure4,
    ),
    Artefact(
        "table1",
        "Table 1",
        "Methods on CIFAR-10",
        "How accurate are the SNNs of each method at T = 1..32?",
        _comparison("cifar10"),
        ("TABLE1",),
    ),
    Artefact(
        "table2", "Table 2", "Methods on CIFAR-100", "The same on CIFAR-100.", _comparison("cifar100"), ("TABLE2",)
    ),
    Artefact(
        "table3",
        "Table 3",
        "Channel-wise thresholds and Softplus, one at a time",
        "What does each part of CS-QCFS bring?",
        _table3,
        ("TABLE3",),
    ),
    Artefact(
        "table4",
        "Table 4",
        "One stage, two layer-wise stages, channel-wise fine-tuning",
        "Is it the second stage or the channels?",
        _table4,
        ("TABLE4",),
    ),
    Artefact(
        "figure5", "Fig. 5", "Accuracy over T for each L", "Which quantization step suits which latency?", _figure5
    ),
    Artefact(
        "table5",
        "Table 5",
        "Spread of the channel thresholds",
        "How different are the thresholds of one layer's channels?",
        _table5,
        ("TABLE5",),
    ),
    Artefact(
        "figure6",
        "Fig. 6",
        "Thresholds over training",
        "Do plain thresholds cross zero, and what does that do to the SNN?",
        _figure6,
    ),
    Artefact("table6", "Table 6", "Training time", "What does CS-QCFS cost per epoch?", _table6, ("TABLE6",)),
    Artefact(
        "table7",
        "Table 7",
        "Operations and energy",
        "How much energy does an inference take, by which counting?",
        _table7,
        ("TABLE7",),
    ),
    Artefact(
        "latency",
        BEYOND,
        "What T = 1 costs",
        "What do accuracies cost in real latency, operations and energy?",
        _latency,
    ),
    Artefact(
        "ablation",
        BEYOND,
        "Tables 3 and 4 without pre-simulation",
        "What do a second stage, channels and Softplus bring where no offset spikes help?",
        _ablation,
    ),
    Artefact(
        "conversion_error",
        BEYOND,
        "Where conversion error lives",
        "Which layers lose what to flooring, clipping and unevenness?",
        _conversion_error,
    ),
    Artefact("audit", BEYOND, "Audit of the paper", "Do the paper's own numbers and equations agree with each other?"),
    Artefact(
        "playground",
        BEYOND,
        "Playground",
        "How do threshold, L, T, input and initial membrane potential play together?",
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
