"""Training: the recipe of the public code, repeatable by seed and resumable after every epoch.

SGD with momentum on the cross-entropy, batches of one in-memory `ImageSet`. Weight decay acts on every
parameter, thresholds included, as in the public code: it pulls theta towards 0, or towards log 2 = 0.693
through Softplus. The last epoch counts; nothing is chosen by its accuracy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from .. import data
from ..conversion.family import sites
from ..data.augment import Augment
from ..data.images import ImageSet
from ..engine.errors import InputError, shown, unknown
from ..engine.files import lock
from ..engine.gradients import refuse_other_training
from ..engine.kernels import check_cache
from ..engine.memory_format import training_format, undone
from ..engine.modules import as_model, device_of, modes_kept, require_network, usable
from ..engine.paths import of_user
from . import resume
from .epoch import TrainingDiverged, in_turns, seed_dropout, train_epoch
from .evaluation import evaluate
from .inputs import image_set
from .precision import compiled, in_use, worth_compiling
from .recipe import Recipe
from .trial import check_outputs, check_single, check_training, require_gradients

__all__ = ["OutOfTime", "TrainingDiverged", "fit"]


class OutOfTime(RuntimeError):
    """The next epoch would pass the deadline, or is not wanted any more; what is done is in the checkpoint, if any."""


def fit(
    model: nn.Module,
    train_set: ImageSet | Dataset | DataLoader | tuple[Tensor, Tensor],
    *,
    recipe: Recipe | None = None,
    val_set: ImageSet | Dataset | DataLoader | tuple[Tensor, Tensor] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    checkpoint: Path | str | None = None,
    deadline: float | None = None,
    go_on: Callable[[], bool] | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Train ``model`` in place; the same call on the same CPU with as many threads gives the same weights, bit for bit.

    The caller's random state is left alone.

    Args:
        model: gives logits [N, classes] for images [N, C, H, W]. Given in training mode, parts of it that are in
            evaluation mode stay so, as a frozen batch norm; given in evaluation mode, all of it trains.
        train_set: images in memory; or what `image_set` reads into memory once: a map-style Dataset, the one behind
            a DataLoader, or a pair of images [N, C, H, W] and labels [N].
        recipe: all settings at once, see `Recipe`.
        val_set: held-out images, evaluated after each epoch, normalised as those of ``train_set``.
        mean, std: of each channel in units of 0..1, instead of those of ``train_set``, which a pretrained network
            does not know.
        checkpoint: file that receives the whole state after each epoch. The same call continues from it, in the
            precision and with the number of threads that it began with, or returns at once when it is complete.
            Starting weights are not compared, since an interrupted call changes them. No other
            call can write it meanwhile.
        deadline: on the clock of ``time.monotonic()``; no epoch starts that would pass it, going by the last.
        go_on: asked before each epoch; False ends the training as ``deadline`` does.
        device: the model's own by default.
        settings: single ones, instead of those of ``recipe``: epochs=10, lr=0.1, batch_size=128, momentum=0.9,
            weight_decay=5e-4, threshold_decay=None, levels=None, schedule="cosine", label_smoothing=0.0,
            augment=Augment() as far as it fits the images, seed=0, precision="float32".

    Returns:
        For each epoch a dict of epoch (from 1), lr (of its last step), loss (mean), accuracy (training, %),
        seconds, thresholds ({site: [min, mean, max]}), and val_accuracy (%) where ``val_set`` is given.

    Raises:
        InputError: a setting, image set or checkpoint that does not fit, by name; a quantized network that would learn
            something else than the one it was made from, see `engine.gradients`.
        TrainingDiverged: the loss or a weight became infinite or NaN.
        OutOfTime: ``deadline`` or ``go_on``; the epochs done are in ``checkpoint``.
        Busy: another call, here or in another process, trains with this ``checkpoint``.
    """
    checkpoint = None if checkpoint is None else of_user(checkpoint)
    known = [field.name for field in dataclasses.fields(Recipe)]
    for name in settings.keys() - set(known):
        raise unknown("setting", name, known)
    if not isinstance(recipe, Recipe | None):
        raise InputError(f"recipe = {shown(recipe)}: expected a csqcfs.training.recipe.Recipe; or pass epochs=10, ...")
    if not isinstance(deadline, Real | None):
        raise InputError(f"deadline = {shown(deadline)}: expected a number, such as time.monotonic() + 3600")
    if go_on is not None and not callable(go_on):
        raise InputError(f"go_on = {shown(go_on)}: expected a function that is asked before each epoch")
    require_network(model)
    images = image_set(train_set, mean, std)
    if recipe is None:
        settings = {"augment": Augment.fitting(images.images.shape), **settings}
        if isinstance(train_set, DataLoader) and train_set.batch_size:
            settings.setdefault("batch_size", train_set.batch_size)
    recipe = dataclasses.replace(recipe or Recipe(), **settings)
    if val_set is not None:
        val_set = image_set(val_set, images.mean, images.std)
        if not len(val_set):
            raise InputError("a val_set without images: expected at least one; leave it out to train without")
    require_gradients(model)
    model.to(device=usable(device_of(model) if device is None else device))
    for given in (images,) if val_set is None else (images, val_set):
        check_outputs(model, given)
    if min(recipe.batch_size, len(images)) == 1:
        check_single(model, images)
    trainable = [p for p in model.parameters() if p.requires_grad]
    if not trainable:
        raise InputError(f"{type(model).__name__} has no parameter to train; set requires_grad on some")
    if recipe.levels is not None and not sites(model):
        raise InputError(f"levels = {recipe.levels}: {type(model).__name__} has no L, see quantize_activations")
    check_cache()  # for the optimizer
    like = as_model(model, images.normalise(images.images[:2]))
    refuse_other_training(model, (like,))
    here = device_of(model)
    computed = in_use(recipe.precision, here)
    with undone(model):
        memory_format = training_format(model, like)
        check_training(model, images, recipe.batch_size, computed["precision"], memory_format)
    # foreach halves the time of a step on a CPU, where it is not the default
    optimizer = torch.optim.SGD(_groups(model, trainable, recipe), recipe.lr, recipe.momentum, foreach=True)

    epochs, steps = recipe.epochs, data.steps_per_epoch(len(images), recipe.batch_size)
    history: list[dict[str, Any]] = []
    if here.type == "cuda":
        images = images.to(here)
    identity = {} if checkpoint is None else resume.identity(model, images, val_set, recipe)
    done = checkpoint is None or resume.epochs_in(checkpoint, identity) >= epochs  # then it is only read
    with (
        contextlib.nullcontext() if checkpoint is None or done else lock(checkpoint),
        tqdm(total=epochs * steps, unit="step", disable=not progress) as bar,
        modes_kept(model),
        contextlib.ExitStack() as stack,
        torch.enable_grad(),
        torch.random.fork_rng([here] if here.type == "cuda" else []),
    ):
        if checkpoint is not None and Path(checkpoint).exists():
            history, began = resume.resume(checkpoint, identity, model, optimizer)
            devices = dict.fromkeys([*began.get("devices", []), *computed["devices"]])
            computed = began | {"devices": list(devices)}
        stack.enter_context(_threads(computed["threads"]))
        # a network compiled as a whole trains in channels_last, whatever it is told
        whole = memory_format == torch.channels_last and worth_compiling(computed["precision"], here, epochs * steps)
        network = compiled(model, here) if whole else model
        bar.n = bar.initial = len(history) * steps
        for epoch in range(len(history), epochs):
            expected = history[-1]["seconds"] if history else 0.0
            if deadline is not None and time.monotonic() + expected > deadline:
                after = "no checkpoint was named" if checkpoint is None else f"run again with {checkpoint}"
                raise OutOfTime(
                    f"{epoch} of {epochs} epochs done, {epochs - epoch} left at about "
                    f"{expected:.3g} s each, which would pass the deadline; {after}"
                )
            if go_on is not None and not go_on():
                raise OutOfTime(f"{epoch} of {epochs} epochs done; nobody waits for the others")
            start = time.monotonic()
            batches = data.train_batches(images, recipe.batch_size, recipe.augment, recipe.seed, epoch, here)
            laid = ((x.to(like.dtype).clone(memory_format=memory_format), y) for x, y in batches)
            if not model.training:  # else parts of it may be frozen
                model.train()
            seed_dropout(recipe.seed, epoch, here)
            with contextlib.closing(in_turns(laid, model, recipe.levels)) as turns:
                trained = train_epoch(network, turns, steps, optimizer, recipe, computed["precision"], epoch, bar)
            record: dict[str, Any] = {"epoch": epoch + 1, **trained}
            _check_weights(model, recipe, epoch)
            if val_set is not None:
                record["val_accuracy"] = evaluate(model, val_set)
            record["thresholds"] = {name: _spread(site.threshold) for name, site in sites(model).items()}
            record["seconds"] = time.monotonic() - start
            history.append(record)
            if checkpoint is not None:
                resume.save(checkpoint, identity, computed, model, optimizer, history)
    return history


@contextlib.contextmanager
def _threads(number: int) -> Iterator[None]:
    """So many threads of the processor, which decide the order of sums and thus the weights."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _groups(model: nn.Module, trainable: list[nn.Parameter], recipe: Recipe) -> list[dict[str, Any]]:
    """Parameters by their weight decay."""
    if recipe.threshold_decay is None:
        return [{"params": trainable, "weight_decay": recipe.weight_decay}]
    thresholds = {id(site.raw) for site in sites(model).values()}
    return [
        {"params": [p for p in trainable if (id(p) in thresholds) is chosen], "weight_decay": decay}
        for chosen, decay in ((False, recipe.weight_decay), (True, recipe.threshold_decay))
    ]


def _check_weights(model: nn.Module, recipe: Recipe, epoch: int) -> None:
    """The last step of an epoch shows in no loss of it."""
    for name, value in model.state_dict().items():
        if not bool(value.isfinite().all()):
            raise TrainingDiverged(
                f"{name} has values that are not finite after epoch {epoch + 1}: lower the learning rate "
                f"(lr = {recipe.lr:g})"
            )


def _spread(theta: Tensor) -> list[float]:
    return torch.stack([theta.min(), theta.mean(), theta.max()]).tolist()
