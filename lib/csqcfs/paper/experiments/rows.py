"""Which runs each artefact shows: {row key: one `Run` for each seed}, from a profile and the seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .configs import Run
from .profile import Profile

Rows = Mapping[tuple, Sequence[Run]]
SWEPT = ("vgg16", "resnet20")  # networks of Figs. 4-6 and Tables 3-5


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
    if threshold is not None and profile.trace_images is not None:
        options["images"] = profile.trace_images
    return [
        Run.of(
            "accuracy",
            profile.training(dataset, network, end, seed=seed, L=L, threshold=threshold),
            method=method,
            **options,
        )
        for seed in profile.seeds_for(dataset, network, seeds, L)
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
    return [
        Run.of(kind, profile.training(dataset, network, end, seed=seed, L=L), **options)
        for seed in profile.seeds_for(dataset, network, seeds, L)
    ]


def swept(profile: Profile) -> list[str]:
    return [network for network in SWEPT if network in profile.networks]


# The methods of Tables 1-2 as the paper runs them: baselines on layer-wise QCFS, ours with offset spikes; and plain
# CS-QCFS, which the paper does not show.
COMPARED = {
    "qcfs": ("qcfs", "plain"),
    "srp": ("qcfs", "srp"),
    "cos": ("qcfs", "cos"),
    "ours": ("csqcfs", "cos"),
    "csqcfs": ("csqcfs", "plain"),
}
TIMED = ("dataset", "network", "width", "batch_size", "precision")  # what Table 6 times a step of
STRATEGIES = {"origin": "qcfs", "layer-wise": "qcfs-2", "channel-wise": "cqcfs"}  # Table 4
ENDS = ("qcfs", "qcfs-2", "sqcfs", "cqcfs", "csqcfs")  # one stage, and all second ones, equally long


def comparison(dataset: str) -> Callable[[Profile, Sequence[int]], Rows]:
    """Table 1 or 2, with plain CS-QCFS."""

    def rows(profile: Profile, seeds: Sequence[int]) -> Rows:
        networks = [name for name, network in profile.networks.items() if dataset in network.settings]
        return {
            (network, name): accuracy(profile, seeds, dataset, network, end, method)
            for network in networks
            for name, (end, method) in COMPARED.items()
        }

    return rows


def table3(profile: Profile, seeds: Sequence[int]) -> Rows:
    return {
        (network, end): accuracy(profile, seeds, "cifar10", network, end, "cos")
        for network in swept(profile)
        for end in ("sqcfs", "cqcfs", "csqcfs")
    }


def table4(profile: Profile, seeds: Sequence[int]) -> Rows:
    return {
        (dataset, network, name): accuracy(profile, seeds, dataset, network, end, "cos")
        for dataset in profile.panels
        for network in swept(profile)
        for name, end in STRATEGIES.items()
    }


def ablation(profile: Profile, seeds: Sequence[int]) -> Rows:
    """Keys (data set, network, end); what one data set shows that stands in for both is there once."""
    rows: dict[tuple, Sequence[Run]] = {}
    for dataset in profile.panels:
        for network in swept(profile):
            found = {(dataset, network, end): accuracy(profile, seeds, dataset, network, end) for end in ENDS}
            rows |= {key: runs for key, runs in found.items() if runs not in rows.values()}
    return rows


def table5(profile: Profile, seeds: Sequence[int]) -> Rows:
    return {
        (end, dataset, network): accuracy(profile, seeds, dataset, network, end)
        for end in ("cqcfs", "csqcfs")
        for dataset in profile.panels
        for network in swept(profile)
    }


def figure4(profile: Profile, seeds: Sequence[int]) -> Rows:
    rows: dict[tuple, Sequence[Run]] = {}
    for dataset in profile.panels:
        for network in swept(profile):
            rows[dataset, network, "relu", None] = measured("training", profile, seeds, dataset, network, "relu")
            for end in ("qcfs", "csqcfs"):
                for L in profile.sweep(dataset, network):
                    rows[dataset, network, end, L] = measured("training", profile, seeds, dataset, network, end, L=L)
    return rows


def figure5(profile: Profile, seeds: Sequence[int]) -> Rows:
    return {
        (dataset, network, L): accuracy(profile, seeds, dataset, network, "csqcfs", "cos", L=L)
        for dataset in profile.panels
        for network in swept(profile)
        for L in profile.sweep(dataset, network)
    }


def figure6(profile: Profile, seeds: Sequence[int]) -> Rows:
    """Keys (panel, data set, network, end, L, initial threshold, "trace" or "snn").

    One seed, since a trace is one training; SNNs are simulated with whatever thresholds there are.
    """
    panels = [
        ("a", dataset, "resnet20", 8, threshold)
        for dataset in profile.panels
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


def table6(profile: Profile, seeds: Sequence[int]) -> Rows:
    """Keys ("step",), a step of the profile's own training of the paper's network, or of ResNet-20 where that is not
    run; and ("bench",).

    The table of speed beside it is no part of the demo, which it would slow down several times.
    """
    training = profile.training("cifar100", "resnet50" if "resnet50" in profile.networks else "resnet20")
    size = {name: getattr(training, name) for name in TIMED}
    rows: dict[tuple, Sequence[Run]] = {("step",): [Run.of("epoch_time", **size)]}
    return rows if profile.name == "demo" else rows | {("bench",): [Run.of("bench")]}


def table7(profile: Profile, seeds: Sequence[int]) -> Rows:
    """ResNet-50 as in the paper, and ResNet-20; "ann" is counted on the network with QCFS."""
    return {
        (network, end): measured("operations", profile, seeds, "cifar100", network, end, method="plain")
        for network in ("resnet50", "resnet20")
        if network in profile.networks
        for end in ("qcfs", "csqcfs")
    }


def latency(profile: Profile, seeds: Sequence[int]) -> Rows:
    """Keys (network, end, method, "snn" or "operations")."""
    rows: dict[tuple, Sequence[Run]] = {}
    for network in swept(profile):
        for end, method in COMPARED.values():
            rows[network, end, method, "snn"] = accuracy(profile, seeds, "cifar10", network, end, method)
            rows[network, end, method, "operations"] = measured(
                "operations", profile, seeds, "cifar10", network, end, method=method
            )
    return rows


def figure3(profile: Profile, seeds: Sequence[int]) -> Rows:
    """Keys (network, end), the paper's network first; the figure shows the first that has records."""
    return {
        (network, end): measured("channels", profile, seeds[:1], "cifar10", network, end)
        for network in swept(profile)
        for end in ("qcfs", "csqcfs")
    }


def conversion_error(profile: Profile, seeds: Sequence[int]) -> Rows:
    """Keys (network, end, L)."""
    return {
        (network, end, L): measured("conversion_error", profile, seeds[:1], "cifar10", network, end, L=L)
        for network in swept(profile)
        for end in ("qcfs", "csqcfs")
        for L in profile.sweep("cifar10", network)
    }


def algorithm1(profile: Profile, seeds: Sequence[int]) -> Rows:
    return {(end,): measured("spikes", profile, seeds[:1], "cifar10", "resnet20", end) for end in ("csqcfs",)}
