"""csqcfs: an open, reproducible companion of the paper CS-QCFS (Yang et al., Neural Networks 2025).

ann  = csqcfs.quantize_activations(network, L=4, threshold=4.0, example=x)    # QCFS at every ReLU
csqcfs.fit(ann, train_set, epochs=...)
fine = csqcfs.to_channelwise(ann)                                             # CS-QCFS, the same function
csqcfs.fit(fine, train_set, epochs=..., lr=...)
snn  = csqcfs.convert(fine)                                                   # IF neurons
scores = snn(x, T=8)                                                          # [8, N, classes]
"""

from . import data, models
from .activations import CQCFS, CSQCFS, QCFS, SQCFS
from .conversion.quantize import quantize_activations, report, to_channelwise
from .conversion.snn import SNN, convert
from .data.augment import Augment
from .data.images import ImageSet
from .engine.errors import InputError
from .models.zoo import load
from .training.evaluation import evaluate, evaluate_snn
from .training.train import fit

__version__ = "0.1.0"
__all__ = [
    "CQCFS",
    "CSQCFS",
    "QCFS",
    "SNN",
    "SQCFS",
    "Augment",
    "ImageSet",
    "InputError",
    "convert",
    "data",
    "evaluate",
    "evaluate_snn",
    "fit",
    "load",
    "models",
    "quantize_activations",
    "report",
    "to_channelwise",
]
