"""What a profile is: how large the experiments are. Those there are stand in `profiles`.

An experiment asks a profile for a training ("ResNet-20 on CIFAR-10, fine-tuned with CS-QCFS"); the profile
decides data, width, schedule and seeds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...engine.errors import InputError, unknown
from ...training.recipe import augmentation
from .. import published
from .configs import RELU, Stage, Training

BASE = "qcfs"  # the activation of stage 1, which every second stage goes on from
CIFAR = ("cifar10", "cifar100")


def ends() -> tuple[str, ...]:
    """What a training can end with: the activation of its last stage.

    "relu" and "qcfs" are one stage, "qcfs-2" a second, layer-wise stage with the fine-tuning rate (Table 4); every
    other activation has two stages, and one from the start with -1 behind it ("csqcfs-1", Fig. 6).
    """
    from ...conversion.family import ACTIVATIONS

    others = [name for name in ACTIVATIONS if name != BASE]
    return (RELU, BASE, f"{BASE}-2", *others, *(f"{name}-1" for name in others))


@dataclass(frozen=True)
class Network:
    """How a profile trains one network: a factor on its channel counts, and the settings for each data set.

    Attributes:
        warm_up, epochs, finetune_epochs, L_sweep: instead of the profile's.
        seeds: so many of the profile's at most; None for all.
    """

    settings: Mapping[str, published.Settings]
    width: float = 1.0
    warm_up: Stage | None = None
    epochs: int | None = None
    finetune_epochs: int | None = None
    L_sweep: tuple[int, ...] | None = None
    seeds: int | None = None


def of_the_paper(name: str, width: float = 1.0, like: str | None = None, **changes: Any) -> Network:
    """A network with the settings of section 5.1, ``changes`` apart; ``like`` names one data set for all."""
    printed = {dataset: s for (dataset, network), s in published.PAPER_SETTINGS.items() if network == name}
    return Network({dataset: printed[like or dataset]._replace(**changes) for dataset in printed}, width)


@dataclass(frozen=True)
class Profile:
    """Settings shared by all trainings of a profile; None leaves the paper's value.

    Attributes:
        summary: what it is and how it differs from the paper, in one sentence.
        datasets: stand-ins for "cifar10" and "cifar100".
        networks: those that are run, by the names of `models.build`; rows of others stay empty.
        warm_up: a stage with ReLU before QCFS, from whose activations the thresholds are calibrated.
        epochs, finetune_epochs: of stage 1 and stage 2.
        finetune_factor: learning rate of stage 2 as a part of that of stage 1.
        augment: settings of `Augment` other than the paper's.
        seeds: of every training.
        window: where the gradient passes, if not where Eq. 19 has it, see `kernels.WINDOWS`.
        L_sweep: quantization steps of Figs. 4 and 5; empty for the paper's L of each network alone.
        sweep_seed: for each data set the one seed where L is not the network's own; without an entry all seeds.
        low_thresholds: initial thresholds of Fig. 6a, which the paper calls "lower" without giving them.
        starts: for each data set the network of the package that short fine-tunings start from, see `tuning`.
        tuning_epochs, tuning_lr: of such a fine-tuning.
        tuning_seeds: so many of ``seeds`` at most for one, where an artefact asks for no more; None for all.
        trace_epochs, trace_lr: of the trainings of Fig. 6, which only trace thresholds; None for those of stage 1.
        trace_images: so many test images, stratified, their SNNs are simulated on; None for all.
        traced_L: quantization steps of Fig. 6b, which the paper calls "various".
    """

    name: str
    summary: str
    datasets: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, Network] = field(default_factory=dict)
    warm_up: Stage | None = None
    epochs: int | None = None
    finetune_epochs: int | None = None
    finetune_factor: float | None = None
    batch_size: int = 300
    schedule: str = "cosine"
    augment: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    val: int = 0
    seeds: tuple[int, ...] = (0,)
    window: str | None = None
    L_sweep: tuple[int, ...] = published.QUANTIZATION_STEPS_TRIED
    sweep_seed: Mapping[str, int] = field(default_factory=dict)
    low_thresholds: tuple[float, ...] = (0.25, 0.5, 1.0)
    traced_L: tuple[int, ...] = (2, 4, 8)
    trace_epochs: int | None = None
    trace_lr: float | None = None
    trace_images: int | None = None
    starts: Mapping[str, str] = field(default_factory=dict)
    tuning_epochs: int = 4
    tuning_lr: float = 0.04
    tuning_seeds: int | None = None

    def tuning(
        self,
        end: str,
        *,
        dataset: str = "cifar10",
        network: str = "resnet20",
        seed: int = 0,
        L: int | None = None,
        threshold_decay: float | None = None,
        epochs: int | None = None,
        thresholds: str = "kept",
        levels: tuple[int, ...] | None = None,
    ) -> Training:
        """A second stage that ends with ``end``: short and from one of ``starts`` where the profile has one for
        ``dataset``, in float32 on every processor, so that whoever has the package and the images makes the same
        network in minutes, up to what the rounding of another processor does to a training.

        Args:
            L: instead of the paper's.
            thresholds: "kept" or "calibrated" from the start, for another L than its own.
            threshold_decay: weight decay of the thresholds, where it is another.
            levels: quantization steps that take turns.
            epochs: 0 for the start as it is.
        """
        whole = self.training(dataset, network, end, seed=seed, L=L)
        if dataset not in self.starts:
            return dataclasses.replace(whole, threshold_decay=threshold_decay, levels=levels)
        stage = Stage(end, self.tuning_epochs if epochs is None else epochs, self.tuning_lr)
        return dataclasses.replace(
            whole,
            start=self.starts[dataset],
            start_thresholds=thresholds,
            threshold=None,
            stages=(stage,),
            precision="float32",
            threshold_decay=threshold_decay,
            levels=levels,
            window=None,
        )

    @property
    def tuned(self) -> str:
        """What `tuning` does, where the profile has starts, as `summary` says what the others do."""
        return (
            f"second stages of {self.tuning_epochs} epochs ({self.schedule}, rate {self.tuning_lr:g}, batch "
            f"{self.batch_size}, float32) from the package's {' and '.join(self.starts.values())}; crop and flip; "
            f"{self.val:,} training images held out for validation; SNNs on all test images"
        )

    def seeds_for(self, dataset: str, network: str, seeds: Sequence[int], L: int | None = None) -> Sequence[int]:
        """Those of ``seeds`` that ``network`` is trained with; at an L not its own that of `sweep_seed`, if any."""
        known = self.networks[network]
        if L not in (None, known.settings[dataset].quantization_step) and dataset in self.sweep_seed:
            return (self.sweep_seed[dataset],)
        return seeds[: known.seeds]

    def sweep(self, dataset: str, network: str) -> Sequence[int]:
        """Quantization steps of Figs. 4 and 5 for ``network``."""
        known = self.networks[network]
        tried = self.L_sweep if known.L_sweep is None else known.L_sweep
        return tried or (known.settings[dataset].quantization_step,)

    @property
    def panels(self) -> list[str]:
        """The paper's data sets that are not the same images here; a panel of each other one would show them twice."""
        return list({self.datasets.get(name, name): name for name in reversed(CIFAR)}.values())[::-1]

    def training(
        self,
        dataset: str,
        network: str,
        end: str = "csqcfs",
        *,
        seed: int = 0,
        L: int | None = None,
        threshold: float | None = None,
    ) -> Training:
        """The training of ``network`` on ``dataset`` ("cifar10" or "cifar100") that ends with ``end``.

        Args:
            end: one of `ends`.
            L, threshold: instead of the paper's. A given ``threshold`` is that of a trace (Fig. 6): without the
                warm-up stage, which would set another, with ``trace_epochs`` and ``trace_lr``, in the paper's window.

        Raises:
            InputError: an end that does not exist, a network or data set that the profile does not run.
        """
        if end not in ends():
            raise unknown("end =", end, ends())
        if network not in self.networks or dataset not in self.networks[network].settings:
            run = [f"{name} on {place}" for name, known in self.networks.items() for place in known.settings]
            raise InputError(
                f"{network} on {dataset} is not in the profile {self.name}: expected one of {', '.join(run)}"
            )
        known = self.networks[network]
        settings, warm_up = known.settings[dataset], known.warm_up or self.warm_up
        lr, epochs = settings.learning_rate, known.epochs or self.epochs or settings.epochs
        if threshold is not None:
            lr, epochs = self.trace_lr or lr, self.trace_epochs or epochs
        one_stage = end in (RELU, BASE) or end.endswith("-1")
        first = Stage(end.removesuffix("-1") if one_stage else BASE, epochs, lr)
        stages = [first]
        if warm_up is not None and threshold is None:
            stages = [warm_up, first]
        if not one_stage:
            # rounded, for 0.1 * 0.1 to be 0.01
            rate = round(lr * (self.finetune_factor or settings.finetune_rate_factor), 12)
            longer = known.finetune_epochs or self.finetune_epochs or settings.finetune_epochs
            stages.append(Stage(end.removesuffix("-2"), longer, rate))
        calibrated = len(stages) > 1 and stages[0].activation == RELU and end != RELU
        initial = settings.initial_threshold if threshold is None else threshold
        return Training(
            dataset=self.datasets.get(dataset, dataset),
            network=network,
            width=known.width,
            L=settings.quantization_step if L is None else L,
            threshold=None if calibrated else initial,
            stages=tuple(stages),
            seed=seed,
            val=self.val,
            batch_size=self.batch_size,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            schedule=self.schedule,
            augment=augmentation(**self.augment),
            precision=self.precision,
            window=self.window if threshold is None else None,
        )
