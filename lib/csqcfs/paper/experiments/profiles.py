"""The profiles there are: the paper's settings in full, and two reductions of them.

`paper` holds the settings of section 5.1 as they are; `quick` and `demo` are small overrides, and their summaries say
what differs.
"""

from __future__ import annotations

import dataclasses

from ...engine.errors import unknown
from .configs import RELU, Stage
from .profile import CIFAR, Profile, of_the_paper

PAPER = Profile(
    "paper",
    "the settings of section 5.1 in full: 300 + 100 epochs, cosine, AutoAugment, Cutout; batch size 300 as in "
    "the public QCFS code, since the paper gives none; three seeds",
    networks={name: of_the_paper(name) for name in ("resnet18", "vgg16", "resnet20", "resnet50", "resnet101")},
    seeds=(0, 1, 2),
)
# Networks of `quick` beside ResNet-20: one seed and a schedule of their own, since an epoch takes 8 to 13 times as long
LARGER = {"warm_up": Stage(RELU, 12, 0.1), "epochs": 8, "finetune_epochs": 5, "L_sweep": (), "seeds": 1}
QUICK = Profile(
    "quick",
    "CIFAR with a short schedule: 30 epochs with ReLU (one-cycle, rate 0.2), thresholds calibrated on it, 30 epochs of "
    "QCFS (rate 0.05) and 10 of fine-tuning (rate 0.04), instead of 300 + 100; for VGG-16 and ResNet-18 12 (rate 0.1), "
    "8 and 5; gradients in the window of the newer public code; batch 128, crop and flip without AutoAugment and "
    "Cutout; bfloat16 where the machine has it at full speed; 5,000 training images held out for validation; traces of "
    "Fig. 6 over 8 epochs (rate 0.1) in the paper's window, those of ResNet-20 from initial threshold 1, their SNNs on "
    "5,000 test images; three seeds of ResNet-20 at the paper's L, else one",
    networks={
        "resnet18": dataclasses.replace(of_the_paper("resnet18", learning_rate=0.05), **LARGER),
        "vgg16": dataclasses.replace(of_the_paper("vgg16", learning_rate=0.05), **LARGER),
        "resnet20": of_the_paper("resnet20", learning_rate=0.05),
    },
    warm_up=Stage(RELU, 30, 0.2),
    epochs=30,
    finetune_epochs=10,
    finetune_factor=0.8,
    batch_size=128,
    schedule="onecycle",
    augment={"autoaugment": False, "cutout": 0},
    precision="fast",
    window="clamp_floor",
    val=5000,
    seeds=(0, 1, 2),
    sweep_seed={"cifar10": 0, "cifar100": 1},  # whose ReLU network is kept, for all L to start from one
    low_thresholds=(1.0,),
    trace_epochs=8,
    trace_lr=0.1,
    trace_images=5000,
    starts={name: f"resnet20-{name}-qcfs" for name in CIFAR},
    tuning_seeds=1,
)
DEMO = Profile(
    "demo",
    "scikit-learn's 8x8 digits stand in for both CIFAR data sets, networks are narrow, stage 1 has 12 epochs and "
    "stage 2 has 5, sweeps are short; it shows the method at work, its numbers are not the paper's",
    datasets={"cifar10": "digits", "cifar100": "digits"},
    # settings of CIFAR-10 for both, so that one training serves both
    networks={
        "resnet18": of_the_paper("resnet18", 0.125, learning_rate=0.1),
        "vgg16": of_the_paper("vgg16", 0.25, like="cifar10", learning_rate=0.03),
        "resnet20": of_the_paper("resnet20", 0.5, like="cifar10", learning_rate=0.1),
        "resnet50": of_the_paper("resnet50", 0.125, like="cifar10", learning_rate=0.01),
    },
    epochs=12,
    finetune_epochs=5,
    finetune_factor=0.2,
    batch_size=64,
    schedule="onecycle",
    augment={"crop": 1, "flip": False, "autoaugment": False, "cutout": 0},
    L_sweep=(2, 4, 8),
    low_thresholds=(0.25, 1.0),
    traced_L=(2, 8),
)
PROFILES = {profile.name: profile for profile in (DEMO, QUICK, PAPER)}


def get(name: str) -> Profile:
    """A profile by name.

    Raises:
        InputError: there is none of that name.
    """
    if not isinstance(name, str) or name not in PROFILES:
        raise unknown("profile", name, PROFILES)
    return PROFILES[name]
