"""Data sets by name, images of one's own, and batches of both."""

from .batches import CHUNK, batches, epoch_generator, steps_per_epoch, train_batches
from .cifar import CIFAR
from .sets import SETS, Splits, hold_out, identity, load

__all__ = [
    "CHUNK",
    "CIFAR",
    "SETS",
    "Splits",
    "batches",
    "epoch_generator",
    "hold_out",
    "identity",
    "load",
    "steps_per_epoch",
    "train_batches",
]
