"""Speed of training: the activation against nn.ReLU, the step of a network, the input pipeline."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from ... import data
from ...activations import CSQCFS
from ...data.augment import Augment
from ...data.images import ImageSet
from ...engine import kernels
from .epoch import ACTIVATIONS, ROUNDS, Size, training_step
from .turns import Line, line, once, timed

CPU = torch.device("cpu")
SHAPES = ((128, 16, 32, 32), (128, 64, 16, 16))
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
STEP = Size("cifar10", "resnet20", 1.0, 128)


@contextlib.contextmanager
def compiler(used: bool) -> Iterator[None]:
    """Let the kernels use a compiler from the first element on, or never."""
    before = kernels.COMPILE_FROM, kernels.COMPILE_AFTER
    kernels.COMPILE_FROM, kernels.COMPILE_AFTER = (1, 0) if used else (1 << 62, 1 << 62)
    try:
        yield
    finally:
        kernels.COMPILE_FROM, kernels.COMPILE_AFTER = before


def kinds() -> dict[str, bool]:
    """Names of the two paths, without that of a missing compiler."""
    return {"compiled": True, "no compiler": False} if kernels.compiler_available() else {"no compiler": False}


def both_ways(function: Callable[[Tensor], Tensor], z: Tensor, grad: Tensor) -> Callable[[], None]:
    """One forward and one backward pass of ``function`` at ``z``."""
    z = z.detach().requires_grad_()
    return lambda: torch.autograd.backward(function(z), grad)


def activation(quick: bool) -> list[Line]:
    """CS-QCFS forward and backward against nn.ReLU, on the same tensors in both memory formats."""
    lines = []
    for shape in SHAPES[:1] if quick else SHAPES:
        for layout, memory_format in FORMATS.items():
            z = torch.randn(shape).to(memory_format=memory_format)
            module, grad = CSQCFS(shape[1]), torch.randn_like(z)
            functions = {"relu": both_ways(F.relu, z, grad), "csqcfs": both_ways(module, z, grad)}
            for name, used in kinds().items():
                with compiler(used):
                    seconds = timed(functions, 5 if quick else 41)
                lines.append(
                    line(
                        f"CS-QCFS / nn.ReLU, forward and backward, {name}",
                        f"{list(shape)}, {layout}",
                        seconds,
                        "csqcfs",
                        "relu",
                        1.3 if used else 10,
                    )
                )
    return lines


def kept(quick: bool) -> list[Line]:
    """Memory that backward needs, in tensors of the size of the input; the threshold is not counted."""
    z, module, sizes = torch.randn(SHAPES[0], requires_grad=True), CSQCFS(SHAPES[0][1]), {}

    def keep(tensor: Tensor) -> Tensor:
        sizes[tensor.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        module(z)
    tensors = sum(size for size in sizes.values() if size > module.channels) / z.numel()
    return [Line("memory kept for backward", f"{list(SHAPES[0])}", once(tensors), 1, unit="inputs")]


def step(quick: bool) -> list[Line]:
    """One training step of ResNet-20 with each activation; the network as it is, and compiled as a whole."""
    size = dataclasses.replace(STEP, width=0.5, batch_size=32) if quick else STEP
    lines = []
    for name, used in reversed(kinds().items()):
        chosen = dataclasses.replace(size, compiled=used)
        steps = {name: training_step(chosen, name, CPU) for name in ACTIVATIONS}
        seconds = timed(steps, 4 if quick else ROUNDS)
        where = f"{size.network}, width {size.width:g}, batch {size.batch_size}, " + (
            "compiled network" if used else "network as it is"
        )
        for base, shown, target in (("relu", "nn.ReLU", 1.15), ("qcfs", "QCFS", 1.01)):
            lines.append(line(f"training step: CS-QCFS / {shown}", where, seconds, "csqcfs", base, target))
    return lines


def pipeline(quick: bool) -> list[Line]:
    """Crop, flip, AutoAugment and Cutout of one batch against the step that consumes it."""
    number, batch = (data.CHUNK, STEP.batch_size) if not quick else (256, 32)
    pixels = torch.randint(0, 256, (number, 3, 32, 32), dtype=torch.uint8)
    images = ImageSet(pixels, torch.arange(number) % 10, tuple("0123456789"), (0.5,) * 3, (0.25,) * 3)
    batches = number // batch
    size = dataclasses.replace(
        STEP, width=0.5 if quick else 1.0, batch_size=batch, compiled=not quick and kernels.compiler_available()
    )
    functions = {
        "input": lambda: list(data.train_batches(images, batch, Augment(), 0, 0)),
        "step": training_step(size, "csqcfs", CPU),
    }
    seconds = timed(functions, 3 if quick else 11)
    seconds["input"] = [value / batches for value in seconds["input"]]
    where = f"resnet20, batch {batch}" + (", compiled network" if size.compiled else "")
    return [line("input pipeline / training step", where, seconds, "input", "step", 0.05)]
