"""The numbers printed in the paper, as data: nothing here is computed or measured by this project.

Yang, H., Yang, S., Zhang, L., Dou, H., Shen, F., & Zhao, J. (2025). CS-QCFS: Bridging the performance gap in
ultra-low latency spiking neural networks. Neural Networks. https://doi.org/10.1016/j.neunet.2024.107076

Accuracies are top-1 in %, None where the paper prints a dash. Data sets: "cifar10", "cifar100"; networks:
"resnet18", "resnet20", "resnet50", "resnet101", "vgg16"; methods of Tables 1-2: "qcfs", "srp", "cos", "ours".
"""

from __future__ import annotations

from typing import NamedTuple

TIMESTEPS = (1, 2, 4, 8, 16, 32)


class Row(NamedTuple):
    """One row of Tables 1-4: accuracy of the ANN and of the SNN at each of TIMESTEPS, in %."""

    ann: float | None
    snn: tuple[float | None, ...]

    def at(self, timestep: int) -> float | None:
        """Accuracy of the SNN after ``timestep`` steps; ValueError where the tables have no such column."""
        return self.snn[TIMESTEPS.index(timestep)]


class Spread(NamedTuple):
    """One row of Table 5: maximum and mean over layers of Diff = (MaxThre - MinThre) / MinThre, in %."""

    max_diff: float
    avg_diff: float


class Energy(NamedTuple):
    """One row of Table 7: operations for one image in millions, energy in mJ."""

    acs: float
    macs: float
    energy: float


class Settings(NamedTuple):
    """Section 5.1 for one data set and network. Batch size and seeds are not stated there."""

    learning_rate: float
    quantization_step: int
    initial_threshold: float
    epochs: int = 300
    finetune_epochs: int = 100
    finetune_rate_factor: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4


class Quote(NamedTuple):
    """An accuracy repeated in running text, with the cell it should come from."""

    section: str
    table: str
    key: tuple[str, ...]
    timestep: int
    value: float


# Table 1, CIFAR-10. Keys (architecture, method). The "ANN" is the network with QCFS or CS-QCFS for ReLU.
TABLE1 = {
    ("resnet18", "qcfs"): Row(95.64, (None, 91.75, 93.83, 95.04, 95.56, 95.67)),
    ("resnet18", "srp"): Row(95.67, (94.59, 95.06, 95.25, 95.60, 95.55, 95.55)),
    ("resnet18", "cos"): Row(95.64, (95.25, 95.45, 95.46, 95.66, 95.68, 95.68)),
    ("resnet18", "ours"): Row(96.48, (95.86, 96.24, 96.34, 96.41, 96.47, 96.51)),
    ("vgg16", "qcfs"): Row(95.52, (None, 91.18, 93.96, 94.95, 95.40, 95.54)),
    ("vgg16", "srp"): Row(95.52, (93.80, 94.47, 95.32, 95.52, 95.44, 95.42)),
    ("vgg16", "cos"): Row(95.51, (94.90, 95.36, 95.46, 95.51, 95.57, 95.61)),
    ("vgg16", "ours"): Row(95.67, (94.93, 95.47, 95.70, 95.78, 95.93, 95.88)),
    ("resnet20", "qcfs"): Row(91.77, (None, 73.20, 83.75, 89.55, 91.62, 92.24)),
    ("resnet20", "srp"): Row(91.77, (86.37, 88.73, 90.51, 91.37, 91.64, 91.72)),
    ("resnet20", "cos"): Row(91.77, (89.88, 91.26, 91.68, 91.86, 92.20, 92.16)),
    ("resnet20", "ours"): Row(91.80, (91.24, 91.66, 91.74, 92.00, 92.29, 92.41)),
    ("resnet50", "qcfs"): Row(96.81, (69.07, 84.29, 91.20, 94.30, 95.99, 96.58)),
    ("resnet50", "srp"): Row(96.81, (81.01, 92.24, 95.34, 95.91, 96.13, 96.22)),
    ("resnet50", "cos"): Row(96.81, (95.99, 96.55, 96.58, 96.58, 96.65, 96.70)),
    ("resnet50", "ours"): Row(96.86, (96.72, 96.62, 96.70, 96.76, 96.82, 96.90)),
    ("resnet101", "qcfs"): Row(96.74, (32.17, 59.32, 84.02, 91.75, 94.33, 95.80)),
    ("resnet101", "srp"): Row(96.74, (50.54, 82.14, 91.48, 94.09, 94.89, 95.19)),
    ("resnet101", "cos"): Row(96.74, (96.58, 96.59, 96.61, 96.55, 96.55, 96.60)),
    ("resnet101", "ours"): Row(96.92, (96.66, 96.81, 96.83, 96.77, 96.67, 96.66)),
}

# Table 2, CIFAR-100. Keys (architecture, method).
TABLE2 = {
    ("vgg16", "qcfs"): Row(76.28, (None, 63.79, 69.62, 73.96, 76.24, 77.01)),
    ("vgg16", "srp"): Row(76.28, (71.52, 74.31, 75.42, 76.25, 76.42, 76.45)),
    ("vgg16", "cos"): Row(76.28, (74.24, 76.03, 76.26, 76.52, 76.77, 76.96)),
    ("vgg16", "ours"): Row(76.84, (74.83, 76.56, 76.87, 77.26, 77.66, 77.64)),
    ("resnet20", "qcfs"): Row(68.30, (14.37, 20.91, 35.21, 55.47, 66.18, 68.52)),
    ("resnet20", "srp"): Row(68.30, (48.33, 55.48, 60.28, 63.20, 64.81, 65.26)),
    ("resnet20", "cos"): Row(68.30, (59.43, 63.62, 64.70, 66.17, 67.86, 68.74)),
    ("resnet20", "ours"): Row(68.54, (62.47, 64.91, 65.35, 66.61, 68.28, 68.94)),
    ("resnet50", "qcfs"): Row(80.82, (38.55, 48.47, 58.75, 69.48, 76.57, 79.88)),
    ("resnet50", "srp"): Row(80.82, (55.98, 71.21, 73.81, 75.35, 76.25, 76.65)),
    ("resnet50", "cos"): Row(80.82, (77.02, 80.27, 80.53, 80.71, 80.94, 81.10)),
    ("resnet50", "ours"): Row(81.10, (78.25, 80.78, 80.80, 81.07, 81.38, 81.60)),
    ("resnet101", "qcfs"): Row(80.53, (19.41, 32.06, 44.43, 58.72, 70.11, 76.81)),
    ("resnet101", "srp"): Row(80.53, (7.14, 53.54, 61.23, 65.80, 68.49, 69.82)),
    ("resnet101", "cos"): Row(80.53, (77.89, 80.13, 80.23, 80.34, 80.22, 80.29)),
    ("resnet101", "ours"): Row(80.66, (78.28, 80.11, 80.23, 80.44, 80.17, 80.15)),
}

COMPARISONS = {"cifar10": TABLE1, "cifar100": TABLE2}

# Rows of Table 2 marked *: "those we reproduce based on the code provided by the authors".
REPRODUCED_BY_AUTHORS = {("resnet20", "qcfs"), ("resnet20", "srp"), ("resnet20", "cos")}

# Table 3, CIFAR-10. Keys (architecture, activation): "w/o channel" is sqcfs, "w/o Softplus" is cqcfs,
# "Full" is csqcfs.
TABLE3 = {
    ("vgg16", "sqcfs"): Row(95.37, (94.68, 95.20, 95.33, 95.42, 95.50, 95.57)),
    ("vgg16", "cqcfs"): Row(95.36, (94.91, 95.16, 95.31, 95.45, 95.41, 95.44)),
    ("vgg16", "csqcfs"): Row(95.67, (94.93, 95.47, 95.70, 95.78, 95.93, 95.88)),
    ("resnet20", "sqcfs"): Row(91.48, (90.04, 91.06, 91.29, 91.68, 92.10, 92.13)),
    ("resnet20", "cqcfs"): Row(91.35, (90.69, 91.05, 91.25, 91.49, 91.80, 92.01)),
    ("resnet20", "csqcfs"): Row(91.80, (91.24, 91.66, 91.74, 92.00, 92.29, 92.41)),
}

# Table 4. Keys (data set, architecture, training strategy).
TABLE4 = {
    ("cifar10", "vgg16", "origin"): Row(95.30, (94.49, 95.01, 95.26, 95.33, 95.47, 95.48)),
    ("cifar10", "vgg16", "layer-wise"): Row(95.50, (94.67, 95.24, 95.47, 95.52, 95.62, 95.63)),
    ("cifar10", "vgg16", "channel-wise"): Row(95.43, (95.01, 95.30, 95.35, 95.47, 95.51, 95.48)),
    ("cifar10", "resnet20", "origin"): Row(91.41, (89.82, 90.95, 91.27, 91.58, 92.00, 92.17)),
    ("cifar10", "resnet20", "layer-wise"): Row(91.85, (90.03, 91.31, 91.65, 92.02, 92.36, 92.41)),
    ("cifar10", "resnet20", "channel-wise"): Row(91.53, (90.87, 91.36, 91.47, 91.65, 92.02, 92.21)),
    ("cifar100", "vgg16", "origin"): Row(76.57, (74.67, 76.16, 76.52, 76.90, 77.11, 77.17)),
    ("cifar100", "vgg16", "layer-wise"): Row(76.46, (74.83, 76.04, 76.43, 76.68, 77.01, 77.12)),
    ("cifar100", "vgg16", "channel-wise"): Row(76.52, (75.53, 76.24, 76.46, 76.70, 77.02, 77.07)),
    ("cifar100", "resnet20", "origin"): Row(68.82, (59.88, 64.15, 65.38, 66.60, 68.56, 69.19)),
    ("cifar100", "resnet20", "layer-wise"): Row(69.18, (59.89, 64.12, 65.47, 66.94, 68.86, 69.60)),
    ("cifar100", "resnet20", "channel-wise"): Row(68.77, (62.46, 65.13, 65.75, 66.86, 68.44, 69.20)),
}

# Table 5. Keys (activation, data set, architecture). The 99.5 is printed without its % sign.
TABLE5 = {
    ("cqcfs", "cifar10", "vgg16"): Spread(339.7, 153.4),
    ("cqcfs", "cifar10", "resnet20"): Spread(155.3, 68.2),
    ("cqcfs", "cifar100", "vgg16"): Spread(246.2, 99.5),
    ("cqcfs", "cifar100", "resnet20"): Spread(98.4, 45.5),
    ("csqcfs", "cifar10", "vgg16"): Spread(55.3, 10.5),
    ("csqcfs", "cifar10", "resnet20"): Spread(38.2, 16.1),
    ("csqcfs", "cifar100", "vgg16"): Spread(65.8, 14.0),
    ("csqcfs", "cifar100", "resnet20"): Spread(44.4, 16.9),
}

# Table 6: mean training time of one epoch in seconds, ResNet-50 on CIFAR-100, and the printed increase in %.
TABLE6 = {"qcfs": 110.0, "csqcfs": 111.81}
TABLE6_INCREASE = 1.65

# Table 7: one image of CIFAR-100 through ResNet-50, and the printed increase of CS-QCFS over QCFS in %.
TABLE7 = {"ann": Energy(0.0, 1310.0, 6.026), "qcfs": Energy(42.87, 8.65, 0.078), "csqcfs": Energy(52.66, 8.43, 0.0862)}
TABLE7_INCREASE = 10.51

# Section 5.7: energy of one 32-bit operation in 45 nm technology (Horowitz, 2014), in pJ.
PICOJOULE_PER_AC = 0.9
PICOJOULE_PER_MAC = 4.6

# Section 5.1. Keys (data set, architecture); ResNet-18 appears on CIFAR-10 only.
PAPER_SETTINGS = {
    ("cifar10", "resnet18"): Settings(0.1, 4, 4.0),
    ("cifar10", "resnet20"): Settings(0.1, 4, 4.0),
    ("cifar10", "vgg16"): Settings(0.1, 4, 4.0),
    ("cifar10", "resnet50"): Settings(0.01, 4, 4.0),
    ("cifar10", "resnet101"): Settings(0.01, 4, 4.0),
    ("cifar100", "resnet20"): Settings(0.05, 8, 8.0),
    ("cifar100", "vgg16"): Settings(0.05, 4, 4.0),
    ("cifar100", "resnet50"): Settings(0.01, 4, 4.0),
    ("cifar100", "resnet101"): Settings(0.01, 4, 4.0),
}

# Section 5.5 and Fig. 5: the quantization steps tried (VGG-16 and ResNet-20), and those recommended.
QUANTIZATION_STEPS_TRIED = (2, 4, 8, 16, 32)
QUANTIZATION_STEPS_RECOMMENDED = (4, 8)

QUOTES = (
    Quote("Abstract", "Table 1", ("resnet18", "ours"), 1, 95.86),
    Quote("Abstract", "Table 2", ("vgg16", "ours"), 1, 74.83),
    Quote("5.3", "Table 1", ("resnet18", "ours"), 1, 95.86),
    Quote("5.3", "Table 1", ("resnet18", "ours"), 32, 96.51),
    Quote("5.3", "Table 1", ("vgg16", "ours"), 4, 95.70),
    Quote("5.3", "Table 1", ("resnet20", "ours"), 1, 91.24),
    Quote("5.3", "Table 1", ("resnet20", "cos"), 1, 89.88),
    Quote("5.3", "Table 1", ("resnet20", "srp"), 1, 86.37),
    Quote("5.3", "Table 1", ("resnet20", "ours"), 32, 92.41),
    Quote("5.3", "Table 1", ("resnet20", "cos"), 32, 92.16),
    Quote("5.3", "Table 1", ("resnet20", "srp"), 32, 91.72),
    Quote("5.3", "Table 1", ("resnet50", "ours"), 1, 96.72),
    Quote("5.3", "Table 1", ("resnet50", "ours"), 32, 96.90),
    Quote("5.3", "Table 1", ("resnet101", "ours"), 1, 96.66),
    Quote("5.3", "Table 1", ("resnet101", "ours"), 32, 96.66),
    Quote("5.3", "Table 2", ("vgg16", "ours"), 4, 76.87),
    Quote("5.3", "Table 2", ("vgg16", "ours"), 32, 77.64),
    Quote("5.3", "Table 2", ("resnet20", "ours"), 1, 62.47),
    Quote("5.3", "Table 2", ("resnet20", "srp"), 1, 48.33),
    Quote("5.3", "Table 2", ("resnet20", "cos"), 1, 59.43),
    Quote("5.3", "Table 2", ("resnet50", "ours"), 1, 78.25),
    Quote("5.3", "Table 2", ("resnet50", "ours"), 32, 81.60),
    Quote("5.3", "Table 2", ("resnet101", "ours"), 1, 78.28),
    Quote("5.4.2", "Table 4", ("cifar10", "resnet20", "origin"), 1, 89.82),
    Quote("5.4.2", "Table 4", ("cifar10", "resnet20", "layer-wise"), 1, 90.03),
    Quote("5.4.2", "Table 4", ("cifar10", "resnet20", "channel-wise"), 1, 90.87),
)

# Section 5.3: the stated lead over QCFS at T = 32 (VGG-16, CIFAR-100), in percentage points.
VGG16_LEAD_OVER_QCFS = 0.6

# What the baselines print about themselves, where the text compares with them: QCFS in Bu et al. (2023),
# arXiv:2303.04347, and COS in Hao, Ding, et al. (2023), arXiv:2302.10685. None where it is not quoted here.
BASELINES_OWN = {
    ("cifar10", "resnet18", "qcfs"): Row(96.04, (None, 75.44, 90.43, 94.82, 95.92, 96.08)),
    ("cifar100", "resnet20", "qcfs"): Row(69.94, (None, None, None, None, None, 69.82)),
    ("cifar100", "resnet20", "cos"): Row(None, (None, None, None, 67.17, None, None)),
}
