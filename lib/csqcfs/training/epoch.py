"""One epoch of training: every batch once, with the loss read seldom, since each reading waits for the device."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from ..conversion.family import sites
from .recipe import Recipe

READ_EVERY = 20  # steps between readings of the loss
READ_SELDOM = 200  # where each reading waits for an accelerator


class TrainingDiverged(RuntimeError):
    """The loss, or a weight, is no longer a finite number."""


def in_turns(
    batches: Iterator[tuple[Tensor, Tensor]], model: nn.Module, levels: tuple[int, ...] | None
) -> Generator[tuple[Tensor, Tensor]]:
    """``batches``, each with the next of ``levels`` as L of all activations; closed, they have their own L again."""
    own = [(site, site.L) for site in sites(model).values()]
    try:
        for step, batch in enumerate(batches):
            for site, L in own:
                site.L = levels[step % len(levels)] if levels else L
            yield batch
    finally:
        for site, L in own:
            site.L = L


def train_epoch(
    network: Callable[[Tensor], Tensor],
    batches: Iterator[tuple[Tensor, Tensor]],
    steps: int,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    precision: str,
    epoch: int,
    bar: tqdm,
) -> dict[str, float]:
    """One pass over the images: lr, loss and accuracy as `fit` returns them."""
    unread: list[Tensor] = []  # [loss, accuracy] of steps still on the device
    read: list[list[float]] = []
    for step, (x, y) in enumerate(batches):
        rate = recipe.rate(epoch, step, steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            logits = network(x)
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        loss = F.cross_entropy(logits, y, label_smoothing=recipe.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        unread.append(torch.stack([loss.detach(), (logits.argmax(1) == y).float().mean()]))
        bar.update()
        if len(unread) == (READ_EVERY if x.device.type == "cpu" else READ_SELDOM) or step == steps - 1:
            read += torch.stack(unread).tolist()
            unread.clear()
            bad = next((i for i, (value, _) in enumerate(read, 1) if not math.isfinite(value)), None)
            if bad is not None:
                raise TrainingDiverged(
                    f"loss is {read[bad - 1][0]} in step {bad} of {steps} of epoch "
                    f"{epoch + 1}: lower the learning rate (lr = {recipe.lr:g})"
                )
            mean, accuracy = np.mean(read, 0).tolist()  # all batches of an epoch have the same size
            bar.set_postfix(
                epoch=epoch + 1, loss=f"{mean:.3f}", acc=f"{100 * accuracy:.1f}%", lr=f"{rate:.2g}", refresh=False
            )
    return {"lr": rate, "loss": mean, "accuracy": 100 * accuracy}


def seed_dropout(seed: int, epoch: int, device: torch.device) -> None:
    """Seed the global generators in use, not those of other devices, apart from `data.epoch_generator`."""
    state = int(np.random.SeedSequence([seed, epoch, 1]).generate_state(1, np.uint64)[0] >> np.uint64(1))
    torch.default_generator.manual_seed(state)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index].manual_seed(state)
