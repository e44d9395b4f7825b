"""Runs of what goes beyond the paper: what Softplus costs, the honest first step, and the methods since.

All on a data set but "paper" start from one network with layer-wise QCFS, see `profile.Profile.tuning`: the second
stages are equally long and see the same images in the same order, so that they differ in nothing but what their row
says. SNNs run
to T = 8 on all test images, second stages of one seed also to T = 32. The demo has none of these runs, since digits
would say nothing about them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from .configs import RELU, Run, Stage, Training
from .profile import CIFAR, Profile
from .rows import Rows, accuracy

T = 8
SHOWN = (1, 2, 4, 8)  # time-steps of the tables
LONG = 32
TO_THE_END = (*SHOWN, 16, LONG)
CALIBRATED = {T: f"biases for {T}" for T in (1, 2, 4)}  # time-steps that biases are calibrated for, and their method
OF_LONG = "long"  # instead of the method, in a row's key: plain neurons with `LONG` time-steps
PAPERS = {"cifar10": "resnet20-cifar10-csqcfs-paper"}  # networks of the package with the paper's own schedule
LEVELS = {"cifar10": (1, 2, 3, 4), "cifar100": (1, 2, 4, 8)}  # quantization steps, the paper's last
TURNS = (1, 2, 4)  # quantization steps of the one network that is trained at several
MIXTURES = {4: (4, 4, 4, 2), 8: (8, 8, 4, 2)}  # quantization steps that take turns in `mixed`, by the network's own
LONGER = 30  # epochs of the one network at L = 1 that is trained as long as the ReLU network of `quick`
SEEDS = (0, 1, 2)  # of the trainings at L = 1, in turns and mixed, and of `SEEDED`, whatever others have
# second stages with several seeds, which differ more than images do
SEEDED = ("csqcfs", "ctqcfs", "ceqcfs", "cqcfs")
PRINTED, NEWER = "paper", "clamp_floor"  # where the gradient passes: Eq. 19, and that of the newer public code
WINDOWS = (PRINTED, NEWER, "floor_clamp")  # with that of the first public code, see `engine.kernels.WINDOWS`
SCRATCH = Stage("qcfs", 12, 0.1)  # from random weights and the paper's initial threshold, at the paper's rate
SHORTER_IMAGES = 5000  # of the shorter schedule that was tried
HELD_OUT = {"shorter": "shorter, held out", "schedule": "held out"}  # the training of each kind of run, see `windows`
RULES = ("least squares", "99.9%", "balance")  # of `calibrate`, thresholds for each channel
LAYER_MEAN = "layer mean"  # instead of a rule: each channel has the mean threshold of its layer
# Second stages: (activation, weight decay of the thresholds or None for that of the weights)
STAGES = {
    "csqcfs": ("csqcfs", None),
    "cqcfs": ("cqcfs", None),
    "csqcfs, no decay": ("csqcfs", 0.0),
    "ctqcfs": ("ctqcfs", None),
    "ceqcfs": ("ceqcfs", None),
    "cqcfs, no decay": ("cqcfs", 0.0),
    "qcfs-2": ("qcfs", None),
}


def _snn(profile: Profile, seeds: Sequence[int], end: str, method: str, steps: int = T, **changes) -> list[Run]:
    return [
        Run.of("accuracy", profile.tuning(end, seed=seed, **changes), method=method, T=steps)
        for seed in (seeds[:1] if changes.get("epochs") == 0 else seeds)  # the start is one network
    ]


def turns(profile: Profile, dataset: str = "cifar10", seed: int = 0) -> Training:
    """CS-QCFS trained at several L in turns, from the start with thresholds calibrated for L = 1."""
    return profile.tuning("csqcfs", dataset=dataset, seed=seed, L=1, thresholds="calibrated", levels=TURNS)


def mixed(profile: Profile, dataset: str = "cifar10", seed: int = 0) -> Training:
    """CS-QCFS that keeps its own L and thresholds, with some batches at a smaller L."""
    *_, full = LEVELS[dataset]
    return profile.tuning("csqcfs", dataset=dataset, seed=seed, levels=MIXTURES[full])


def _of_each(profile: Profile, rows: Callable[[str], Rows]) -> Rows:
    """``rows`` of each data set that has a start, keys (data set, *key)."""
    return {(dataset, *key): runs for dataset in profile.starts for key, runs in rows(dataset).items()}


def softplus(profile: Profile, seeds: Sequence[int]) -> Rows:
    """Keys (data set, second stage, method); "start" is the network that all go on from.

    The method "layer mean" is that of plain neurons once the thresholds of a layer are made equal; "long" that of
    plain neurons with `LONG` time-steps, of one seed.
    """
    few = seeds[: profile.tuning_seeds]
    return _of_each(profile, lambda dataset: _second_stages(profile, few, dataset))


def _second_stages(profile: Profile, seeds: Sequence[int], dataset: str) -> Rows:
    rows, every, start = {}, sorted({*seeds, *SEEDS}), {"dataset": dataset, "epochs": 0}
    for name, (end, decay) in STAGES.items():
        of, same = every if name in SEEDED else seeds, {"dataset": dataset, "threshold_decay": decay}
        rows[name, "plain"] = _snn(profile, of, end, "plain", **same)
        rows[name, "cos"] = _snn(profile, seeds, end, "cos", **same)
        rows[name, OF_LONG] = _snn(profile, seeds[:1], end, "plain", LONG, **same)
        if end != "qcfs":
            tuned = [profile.tuning(end, seed=seed, **same) for seed in of]
            rows[name, LAYER_MEAN] = [Run.of("accuracy", one, method="plain", T=T, rule=LAYER_MEAN) for one in tuned]
    rows |= {("start", method): _snn(profile, seeds, "qcfs", method, **start) for method in ("plain", "cos")}
    return rows | {("start", OF_LONG): _snn(profile, seeds, "qcfs", "plain", LONG, **start)}


def honest_first_step(profile: Profile, seeds: Sequence[int]) -> Rows:
    """Keys (data set, network, L, method): CS-QCFS trained at each L, CE-QCFS, and the start with its own thresholds,
    untrained.

    "turns" is that of `turns`, whose ANN is that of L = 1; "mixed" that of `mixed`, whose ANN is that of its own L;
    "longer" is CS-QCFS at L = 1 over `LONGER` epochs; "paper" is no fine-tuning but one of `PAPERS` as it is.

    At L = 1 training starts from thresholds calibrated anew: "other" is what comes of the start's own, which end far
    behind on the validation images. At other L it starts from its own, where the start is close to what it was.

    The method "sure" is that of plain neurons which stop for an image once its answer is certain; those of `CALIBRATED`
    are plain neurons with biases calibrated for T, in a run of as many steps; "long" is as in `softplus`.
    """
    few = seeds[: profile.tuning_seeds]
    return _of_each(profile, lambda dataset: _few_steps(profile, few, dataset))


def _few_steps(profile: Profile, seeds: Sequence[int], dataset: str) -> Rows:
    rows, every, on = {}, sorted({*seeds, *SEEDS}), {"dataset": dataset}
    *_, full = LEVELS[dataset]
    for L in LEVELS[dataset]:
        rows["csqcfs", L, "plain"] = _snn(profile, every if L == full else seeds, "csqcfs", "plain", L=L, **on)
        rows["start", L, "plain"] = _snn(profile, seeds, "qcfs", "plain", L=L, epochs=0, **on)
    rows["csqcfs", full, OF_LONG] = _snn(profile, seeds[:1], "csqcfs", "plain", LONG, **on)
    rows["other", 1, "plain"] = rows["csqcfs", 1, "plain"]
    rows["ceqcfs", full, "plain"] = _snn(profile, every, "ceqcfs", "plain", **on)
    one = {"L": 1, "thresholds": "calibrated", **on}
    rows["csqcfs", 1, "plain"] = _snn(profile, every, "csqcfs", "plain", **one)
    rows["longer", 1, "plain"] = _snn(profile, seeds, "csqcfs", "plain", epochs=LONGER, **one)
    rows["turns", 1, "plain"] = [Run.of("accuracy", turns(profile, dataset, s), method="plain", T=T) for s in every]
    rows["mixed", full, "plain"] = [Run.of("accuracy", mixed(profile, dataset, s), method="plain", T=T) for s in every]
    calibrated = {
        "start": [profile.tuning("qcfs", epochs=0, seed=seed, **on) for seed in seeds[:1]],
        "csqcfs": [profile.tuning("csqcfs", seed=seed, **on) for seed in every],
        "mixed": [mixed(profile, dataset, seed) for seed in every],
    }
    if dataset in PAPERS:
        papers = [dataclasses.replace(profile.tuning("csqcfs", epochs=0, **on), start=PAPERS[dataset])]
        rows["paper", full, "plain"] = [Run.of("accuracy", one, method="plain", T=T) for one in papers]
        calibrated["paper"] = papers
    for name, trained in calibrated.items():
        for steps, key in CALIBRATED.items():
            rows[name, full, key] = [Run.of("accuracy", one, method="plain", T=steps, bias=steps) for one in trained]
    for key, end, changes in (
        (("start", full), "qcfs", {"epochs": 0}),
        (("csqcfs", full), "csqcfs", {}),
        (("ceqcfs", full), "ceqcfs", {}),
        (("csqcfs", 2), "csqcfs", {"L": 2}),
    ):
        trained = [profile.tuning(end, seed=seed, **changes, **on) for seed in seeds[:1]]
        rows[*key, "sure"] = [Run.of("certainty", one, method="plain", T=T) for one in trained]
    counted = {("csqcfs", full, "cos"): ("csqcfs", {}), ("start", full, "srp"): ("qcfs", {"epochs": 0})}
    counted["start", full, "cos"] = ("qcfs", {"epochs": 0})
    counted["ceqcfs", full, "cos"] = ("ceqcfs", {})
    return rows | {key: _snn(profile, seeds, end, key[2], **changes, **on) for key, (end, changes) in counted.items()}


def windows(profile: Profile, seeds: Sequence[int]) -> Rows:
    """Keys (activation, gradient window, kind of run): QCFS trained from random weights, `SCRATCH`, and CS-QCFS after
    it as long as the other second stages; ReLU as long as QCFS, whose window is None.

    The kind "schedule" is plain neurons after the profile's own schedule and with its window, or where it has none
    with the paper's and with that of the newer public code; "shorter" is one seed after half as many epochs of QCFS
    with both, on `SHORTER_IMAGES`. "held out" and "shorter, held out" are the trainings of these. "low" is QCFS of
    Fig. 6a, whose thresholds start low.
    """
    if profile.datasets.get("cifar10", "cifar10") not in CIFAR:
        return {}
    rows, every = {}, sorted({*seeds, *SEEDS})
    initial = profile.networks["resnet20"].settings["cifar10"].initial_threshold
    fine = Stage("csqcfs", profile.tuning_epochs, profile.tuning_lr)

    def trained(window: str | None, *stages: Stage) -> list[Training]:
        whole = [profile.training("cifar10", "resnet20", "qcfs", seed=seed) for seed in every]
        return [dataclasses.replace(one, stages=stages, threshold=initial, window=window) for one in whole]

    for window in WINDOWS if profile.starts else ():
        scratch, second = trained(window, SCRATCH), trained(window, SCRATCH, fine)
        rows["qcfs", window, "training"] = [Run.of("training", one) for one in scratch]
        rows["qcfs", window, "plain"] = [Run.of("accuracy", one, method="plain", T=T) for one in scratch]
        rows["csqcfs", window, "plain"] = [Run.of("accuracy", one, method="plain", T=T) for one in second]
    if profile.starts:
        relu = trained(None, dataclasses.replace(SCRATCH, activation=RELU))
        rows["relu", None, "training"] = [Run.of("training", one) for one in relu]
        low = profile.training("cifar10", "resnet20", "qcfs", L=8, threshold=min(profile.low_thresholds))
        for window in WINDOWS:
            rows["qcfs", window, "low"] = [Run.of("training", dataclasses.replace(low, window=window))]
    for end in ("qcfs", "csqcfs"):
        own = accuracy(profile, seeds, "cifar10", "resnet20", end)
        for window in (PRINTED, NEWER):
            if profile.window in (None, window):
                rows[end, window, "schedule"] = [_passing(run, window) for run in own]
            if profile.starts:
                rows[end, window, "shorter"] = [_shorter(_passing(run, window)) for run in own[:1]]
    if profile.starts:
        for (end, window, kind), runs in list(rows.items()):
            if end == "qcfs" and kind in HELD_OUT:
                rows[end, window, HELD_OUT[kind]] = [Run.of("training", run.training) for run in runs]
    return rows


def _passing(run: Run, window: str) -> Run:
    """``run`` of a training whose gradient passes in ``window``."""
    return dataclasses.replace(run, training=dataclasses.replace(run.training, window=window))


def _shorter(run: Run) -> Run:
    """``run`` of a training with half as many epochs of QCFS, on fewer images."""
    stages = tuple(
        dataclasses.replace(stage, epochs=stage.epochs // 2) if stage.activation == "qcfs" else stage
        for stage in run.training.stages
    )
    training = dataclasses.replace(run.training, stages=stages)
    return Run.of(run.kind, training, **{**dict(run.options), "images": SHORTER_IMAGES})


def since_the_paper(profile: Profile, seeds: Sequence[int]) -> Rows:
    """Keys (network, method or rule of calibration, "snn" or "operations"); all methods on the network of CIFAR-10
    that stage 2 starts from, and the rules that place thresholds without training.
    """
    from ...methods import METHODS  # late, since listing artefacts must not import torch

    if "cifar10" not in profile.starts:
        return {}
    start = profile.tuning("qcfs", epochs=0)
    rows = {}
    for method in METHODS:
        rows["start", method, "snn"] = [Run.of("accuracy", start, method=method, T=T)]
        rows["start", method, "operations"] = [Run.of("operations", start, method=method, T=T)]
    for rule in RULES:
        rows["start", rule, "snn"] = [Run.of("accuracy", start, method="plain", T=T, rule=rule)]
    for end in ("csqcfs", "cqcfs"):
        rows[end, "plain", "snn"] = _snn(profile, seeds[: profile.tuning_seeds], end, "plain")
    return rows
