"""Profiles: how large the experiments are. The paper's settings in full, and two reductions of them.

An experiment asks a profile for a training ("ResNet-20 on CIFAR-10, fine-tuned with CS-QCFS"); the profile
decides data, width, schedule and seeds. `paper` holds the settings of section 5.1 as they are; `quick` and
`demo` are small overrides, and their summaries say what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...engine.errors import InputError, unknown
from .. import published
from .configs import RELU, Stage, Training, augmentation

# What a training ends with: the activation of its last stage. "qcfs" is one-stage training, "qcfs-2" a second,
# layer-wise stage with the fine-tuning rate (Table 4); "csqcfs-1" has CS-QCFS from the start (Fig. 6).
ENDS = (RELU, "qcfs", "csqcfs-1", "qcfs-2", "sqcfs", "cqcfs", "csqcfs")
ONE_STAGE = (RELU, "qcfs", "csqcfs-1")


@dataclass(frozen=True)
class Profile:
    """Settings shared by all trainings of a profile; None leaves the paper's value.

    Attributes:
        summary: what it is and how it differs from the paper, in one sentence.
        datasets: stand-ins for "cifar10" and "cifar100".
        networks: those that are run; rows of others stay empty.
        widths: factor on channel counts by network, 1.0 where absent.
        warm_up: a stage with ReLU before QCFS, from whose activations the thresholds are calibrated.
        epochs, finetune_epochs: of stage 1 and stage 2.
        lr: learning rate of stage 1 by network; that of stage 2 is ``finetune_factor`` of it.
        augment: settings of `Augment` other than the paper's.
        test_images: so many test images, stratified, are simulated; None for all.
        seeds: of every training.
        L_sweep: quantization steps of Figs. 4 and 5; empty for the paper's L of each network alone.
        low_thresholds: initial thresholds of Fig. 6a, which the paper calls "lower" without giving them.
        trace_epochs, trace_lr: of the trainings of Fig. 6, which only trace thresholds; None for those of stage 1.
        traced_L: quantization steps of Fig. 6b, which the paper calls "various".
    """

    name: str
    summary: str
    datasets: Mapping[str, str] = field(default_factory=dict)
    networks: tuple[str, ...] = ("resnet18", "vgg16", "resnet20", "resnet50", "resnet101")
    widths: Mapping[str, float] = field(default_factory=dict)
    warm_up: Stage | None = None
    epochs: int | None = None
    finetune_epochs: int | None = None
    lr: Mapping[str, float] = field(default_factory=dict)
    finetune_factor: float | None = None
    batch_size: int = 300
    schedule: str = "cosine"
    augment: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    compiled: bool = False
    val: int = 0
    test_images: int | None = None
    seeds: tuple[int, ...] = (0,)
    L_sweep: tuple[int, ...] = published.QUANTIZATION_STEPS_TRIED
    low_thresholds: tuple[float, ...] = (0.25, 0.5, 1.0)
    traced_L: tuple[int, ...] = (2, 4, 8)
    trace_epochs: int | None = None
    trace_lr: float | None = None

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
            end: one of `ENDS`.
            L, threshold: instead of the paper's. A given ``threshold`` is that of a trace (Fig. 6): without the
                warm-up stage, which would set another, with ``trace_epochs`` and ``trace_lr``.

        Raises:
            InputError: an end, data set or network that the paper does not have.
        """
        if end not in ENDS:
            raise unknown("end =", end, ENDS)
        settings = published.PAPER_SETTINGS.get((dataset, network))
        if settings is None:
            raise InputError(
                f"{network} on {dataset} is not in the paper: expected one of "
                f"{', '.join(' on '.join(key[::-1]) for key in published.PAPER_SETTINGS)}"
            )
        lr, epochs = self.lr.get(network, settings.learning_rate), self.epochs or settings.epochs
        if threshold is not None:
            lr, epochs = self.trace_lr or lr, self.trace_epochs or epochs
        first = Stage(end.removesuffix("-1") if end in ONE_STAGE else "qcfs", epochs, lr)
        stages = [first]
        if self.warm_up is not None and threshold is None:
            stages = [self.warm_up, first]
        if end not in ONE_STAGE:
            # rounded, for 0.1 * 0.1 to be 0.01
            rate = round(lr * (self.finetune_factor or settings.finetune_rate_factor), 12)
            stages.append(Stage(end.removesuffix("-2"), self.finetune_epochs or settings.finetune_epochs, rate))
        calibrated = len(stages) > 1 and stages[0].activation == RELU and end != RELU
        initial = settings.initial_threshold if threshold is None else threshold
        return Training(
            dataset=self.datasets.get(dataset, dataset),
            network=network,
            width=self.widths.get(network, 1.0),
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
            compiled=self.compiled,
        )


PAPER = Profile(
    "paper",
    "the settings of section 5.1 in full: 300 + 100 epochs, cosine, AutoAugment, Cutout; batch size 300 as in "
    "the public QCFS code, since the paper gives none; three seeds",
    seeds=(0, 1, 2),
)
QUICK = Profile(
    "quick",
    "CIFAR with a schedule for two CPU cores: 30 epochs with ReLU (one-cycle, rate 0.2), thresholds calibrated "
    "on it, 15 epochs of QCFS (rate 0.05) and 10 of fine-tuning (rate 0.04), instead of 300 + 100; batch 128, crop "
    "and flip without AutoAugment and Cutout, bfloat16; 5,000 training images held out for validation; SNNs on "
    "5,000 test images; traces of Fig. 6 over 8 epochs (rate 0.1) from initial threshold 1",
    networks=("resnet20",),
    warm_up=Stage(RELU, 30, 0.2),
    epochs=15,
    finetune_epochs=10,
    lr={"resnet20": 0.05},
    finetune_factor=0.8,
    batch_size=128,
    schedule="onecycle",
    augment={"autoaugment": False, "cutout": 0},
    precision="bfloat16",
    compiled=True,
    val=5000,
    test_images=5000,
    L_sweep=(),
    low_thresholds=(1.0,),
    traced_L=(),
    trace_epochs=8,
    trace_lr=0.1,
)
DEMO = Profile(
    "demo",
    "scikit-learn's 8x8 digits stand in for both CIFAR data sets, networks are narrow, stage 1 has 16 epochs and "
    "stage 2 has 6; it shows the method at work, its numbers are not the paper's",
    datasets={"cifar10": "digits", "cifar100": "digits"},
    networks=("resnet18", "vgg16", "resnet20", "resnet50"),
    widths={"vgg16": 0.25, "resnet18": 0.125, "resnet20": 0.5, "resnet50": 0.125},
    epochs=16,
    finetune_epochs=6,
    lr={"vgg16": 0.03, "resnet18": 0.1, "resnet20": 0.1, "resnet50": 0.01},
    finetune_factor=0.2,
    batch_size=64,
    schedule="onecycle",
    augment={"crop": 1, "flip": False, "autoaugment": False, "cutout": 0},
)
PROFILES = {profile.name: profile for profile in (DEMO, QUICK, PAPER)}


def get(name: str) -> Profile:
    """A profile by name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in PROFILES:
        raise unknown("profile", name, PROFILES)
    return PROFILES[name]
