"""Training and evaluation: the recipe of the public code, repeatable by seed and resumable after every epoch.

SGD with momentum on the cross-entropy, batches of one in-memory `ImageSet`. Weight decay acts on every
parameter, thresholds included, as in the public code: it pulls theta towards 0, or towards log 2 = 0.693
through Softplus. The last epoch counts; nothing is chosen by its accuracy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset
from tqdm import tqdm

from .. import data
from ..activations import ThresholdActivation
from ..conversion.quantize import sites
from ..data.augment import Augment
from ..data.images import ImageSet
from ..engine.checkpoint import load_metadata, load_state, require_alike, save_state
from ..engine.errors import InputError
from ..engine.files import lock
from ..engine.kernels import compiler_available
from ..engine.memory_format import training_format
from ..engine.modules import device_of, modes_kept
from .evaluation import evaluate, evaluate_snn
from .recipe import Recipe

__all__ = ["OutOfTime", "TrainingDiverged", "evaluate", "evaluate_snn", "fit"]

READ_EVERY = 20  # steps between readings of the loss, each of which waits for an accelerator


class TrainingDiverged(RuntimeError):
    """The loss is no longer a finite number."""


class OutOfTime(RuntimeError):
    """The next epoch would pass the deadline; what is done is in the checkpoint, where one was named."""


def fit(
    model: nn.Module,
    train_set: ImageSet | Dataset,
    *,
    epochs: int = 10,
    lr: float = 0.1,
    batch_size: int = 128,
    momentum: float = 0.9,
    weight_decay: float = 5e-4,
    threshold_decay: float | None = None,
    schedule: str = "cosine",
    label_smoothing: float = 0.0,
    augment: Augment | None = Augment(),
    seed: int = 0,
    precision: str = "float32",
    compiled: bool = False,
    val_set: ImageSet | Dataset | None = None,
    checkpoint: Path | str | None = None,
    deadline: float | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Train ``model`` in place; the same call on the same CPU gives the same weights, bit for bit.

    Args:
        model: gives logits [N, classes] for images [N, C, H, W].
        train_set: images in memory, or a map-style Dataset, which is read into memory once.
        threshold_decay: weight decay of the thresholds' parameters, where it is another.
        schedule: "cosine" (annealed to 0 epoch by epoch, the paper's) or "onecycle" (every step, warm-up).
        augment: None turns augmentation off; AutoAugment, on by default, needs three channels.
        seed: of order, augmentation and dropout, not of the weights; the caller's random state is left alone.
        precision: "bfloat16" runs the forward pass under autocast; weights stay as they are.
        compiled: run the step through torch.compile where a compiler is at hand: about 30 s of preparation, then
            a step of ResNet-20 on a CPU takes two thirds of its time. The weights differ by float rounding.
        val_set: held-out images, evaluated after each epoch.
        checkpoint: file that receives the whole state after each epoch. The same call continues from it, or
            returns at once when it is complete. Starting weights are not compared, since an interrupted call
            changes them. No other call can write it meanwhile.
        deadline: on the clock of ``time.monotonic()``; no epoch starts that would pass it, going by the last.
        device: the model's own by default.

    Returns:
        For each epoch a dict of epoch (from 1), lr (of its last step), loss (mean), accuracy (training, %),
        seconds, thresholds ({site: [min, mean, max]}), and val_accuracy (%) where ``val_set`` is given.

    Raises:
        InputError: a setting, image set or checkpoint that does not fit, by name.
        TrainingDiverged: the loss became infinite or NaN.
        OutOfTime: ``deadline``; the epochs done are in ``checkpoint``.
        Busy: another call, here or in another process, trains with this ``checkpoint``.
    """
    recipe = Recipe(
        epochs,
        lr,
        batch_size,
        momentum,
        weight_decay,
        schedule,
        label_smoothing,
        augment,
        seed,
        precision,
        compiled,
        threshold_decay,
    )
    images = train_set if isinstance(train_set, ImageSet) else ImageSet.from_dataset(train_set)
    if val_set is not None and not isinstance(val_set, ImageSet):
        val_set = dataclasses.replace(ImageSet.from_dataset(val_set), mean=images.mean, std=images.std)
    model.to(device=device or device_of(model))
    for given in (images,) if val_set is None else (images, val_set):
        _check_outputs(model, given)
    trainable = [p for p in model.parameters() if p.requires_grad]
    if not trainable:
        raise InputError(f"{type(model).__name__} has no parameter to train; set requires_grad on some")
    memory_format = training_format(model, images.normalise(images.images[:2].to(device_of(model))))
    # foreach halves the time of a step on a CPU, where it is not the default
    optimizer = torch.optim.SGD(_groups(model, trainable, recipe), lr, momentum, foreach=True)

    history: list[dict[str, Any]] = []
    identity = (
        {}
        if checkpoint is None
        else {
            "network": _network_digest(model),
            "train_set": _images_digest(images),
            "val_set": None if val_set is None else _images_digest(val_set),
            **dataclasses.asdict(recipe),
        }
    )
    steps, here = data.steps_per_epoch(len(images), batch_size), device_of(model)
    # a network compiled as a whole trains in channels_last, whatever it is told
    compiled = compiled and compiler_available() and memory_format == torch.channels_last
    network = torch.compile(model) if compiled else model
    done = checkpoint is None or _epochs_in(checkpoint, identity) >= epochs  # then it is only read
    with (
        contextlib.nullcontext() if done else lock(checkpoint),
        tqdm(total=epochs * steps, unit="step", disable=not progress) as bar,
        modes_kept(model),
        torch.random.fork_rng([here] if here.type == "cuda" else []),
    ):
        if checkpoint is not None and Path(checkpoint).exists():
            history = _resume(checkpoint, identity, model, optimizer)
        bar.n = bar.initial = len(history) * steps
        for epoch in range(len(history), epochs):
            expected = history[-1]["seconds"] if history else 0.0
            if deadline is not None and time.monotonic() + expected > deadline:
                after = "no checkpoint was named" if checkpoint is None else f"run again with {checkpoint}"
                raise OutOfTime(
                    f"{epoch} of {epochs} epochs done, {epochs - epoch} left at about "
                    f"{expected:.3g} s each, which would pass the deadline; {after}"
                )
            start = time.monotonic()
            record = {"epoch": epoch + 1, **_train_epoch(network, images, memory_format, optimizer, recipe, epoch, bar)}
            if val_set is not None:
                record["val_accuracy"] = evaluate(model, val_set)
            record["thresholds"] = {name: _spread(site.threshold) for name, site in sites(model).items()}
            record["seconds"] = time.monotonic() - start
            history.append(record)
            if checkpoint is not None:
                _save(checkpoint, identity, model, optimizer, history)
    return history


def _groups(model: nn.Module, trainable: list[nn.Parameter], recipe: Recipe) -> list[dict[str, Any]]:
    """Parameters by their weight decay."""
    if recipe.threshold_decay is None:
        return [{"params": trainable, "weight_decay": recipe.weight_decay}]
    thresholds = {id(site.raw) for site in sites(model).values()}
    return [
        {"params": [p for p in trainable if (id(p) in thresholds) is chosen], "weight_decay": decay}
        for chosen, decay in ((False, recipe.weight_decay), (True, recipe.threshold_decay))
    ]


def _train_epoch(
    model: nn.Module,
    images: ImageSet,
    memory_format: torch.memory_format,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    epoch: int,
    bar: tqdm,
) -> dict[str, float]:
    """One pass over the images: lr, loss and accuracy as `fit` returns them."""
    model.train()
    device, steps = device_of(model), data.steps_per_epoch(len(images), recipe.batch_size)
    _seed_dropout(recipe.seed, epoch, device)
    unread: list[Tensor] = []  # [loss, accuracy] of steps still on the device
    read: list[list[float]] = []
    batches = data.train_batches(images, recipe.batch_size, recipe.augment, recipe.seed, epoch, device)
    for step, (x, y) in enumerate(batches):
        rate = recipe.rate(epoch, step, steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            logits = model(x.clone(memory_format=memory_format)).float()
        loss = F.cross_entropy(logits, y, label_smoothing=recipe.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        unread.append(torch.stack([loss.detach(), (logits.argmax(1) == y).float().mean()]))
        bar.update()
        if len(unread) == READ_EVERY or step == steps - 1:
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


def _seed_dropout(seed: int, epoch: int, device: torch.device) -> None:
    """Seed the global generators in use, not those of other devices, apart from `data.epoch_generator`."""
    state = int(np.random.SeedSequence([seed, epoch, 1]).generate_state(1, np.uint64)[0] >> np.uint64(1))
    torch.default_generator.manual_seed(state)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index].manual_seed(state)


def _spread(theta: Tensor) -> list[float]:
    return torch.stack([theta.min(), theta.mean(), theta.max()]).tolist()


@torch.no_grad()
def _check_outputs(model: nn.Module, images: ImageSet) -> None:
    """Refuse images that the network cannot take, and labels for which it has no output."""
    data.steps_per_epoch(len(images), 1)
    with modes_kept(model):
        try:
            shape = model.eval()(images.normalise(images.images[:1].to(device_of(model)))).shape
        except (RuntimeError, ValueError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"{type(model).__name__} does not run on images of shape "
                f"{list(images.images.shape[1:])} ({reason}); build it for these"
            ) from error
    highest = int(images.labels.max())
    if len(shape) != 2 or highest >= shape[1]:
        raise InputError(
            f"{type(model).__name__} gives an output of shape {list(shape)} and labels go up to "
            f"{highest}: expected [1, {highest + 1}] or wider; build it with more classes"
        )


def _network_digest(model: nn.Module) -> str:
    """Of names, kinds, settings and shapes, not of values."""
    parts = [type(model).__name__]
    for name, module in model.named_modules():
        fixed = (module.L, module.window) if isinstance(module, ThresholdActivation) else module.extra_repr()
        parts.append(f"{name} {type(module).__name__} {fixed}")
    parts += [f"{name} {list(t.shape)} {t.dtype}" for name, t in model.state_dict().items()]
    parts += [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _images_digest(images: ImageSet) -> str:
    digest = hashlib.sha256(repr((tuple(images.images.shape), images.mean, images.std)).encode())
    for tensor in (images.images, images.labels):
        digest.update(tensor.cpu().contiguous().numpy())
    return digest.hexdigest()[:16]


def _save(path: Path | str, identity: dict, model: nn.Module, optimizer: torch.optim.Optimizer, history: list) -> None:
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        if (buffer := optimizer.state.get(parameter, {}).get("momentum_buffer")) is not None:
            tensors[f"momentum.{name}"] = buffer
    if _epochs_in(path, identity) >= len(history):  # of a process that did not know of us: it never goes back
        return
    save_state(path, tensors, {"identity": identity, "history": history, "tensors": list(tensors)})


def _epochs_in(path: Path | str, identity: dict) -> int:
    """Epochs in a readable checkpoint of the same training."""
    try:
        metadata = load_metadata(path)
        same = metadata.get("identity") == json.loads(json.dumps(identity))
        return len(metadata["history"]) if same else 0
    except (InputError, KeyError, TypeError):
        return 0


def _resume(path: Path | str, identity: dict, model: nn.Module, optimizer: torch.optim.Optimizer) -> list:
    """Load the state and return the history.

    Raises:
        InputError: the checkpoint is damaged, or of another training.
    """
    tensors, metadata = load_state(path)
    saved, history, names = (metadata.get(key) for key in ("identity", "history", "tensors"))
    complete = isinstance(saved, dict) and isinstance(history, list) and isinstance(names, list)
    if not complete or not all(isinstance(e, dict) and type(e.get("seconds")) in (int, float) for e in history):
        raise InputError(f"checkpoint {path} lacks settings or history: expected one of fit; delete it and run again")
    now = json.loads(json.dumps(identity))
    differing = [
        f"{key} {saved.get(key)!r} there, {value!r} here" for key, value in now.items() if saved.get(key) != value
    ]
    if differing:
        raise InputError(
            f"checkpoint {path} is of another training ({'; '.join(differing[:3])}): "
            "change back, delete it or name another file"
        )
    wanted = {f"model.{name}": value for name, value in model.state_dict().items()}
    parameters = {f"momentum.{name}": value for name, value in model.named_parameters()}
    require_alike(tensors, wanted | {k: v for k, v in parameters.items() if k in names}, f"checkpoint {path}")
    model.load_state_dict({name.removeprefix("model."): tensors[name] for name in wanted})
    for name, parameter in parameters.items():
        if name in tensors:
            optimizer.state[parameter]["momentum_buffer"] = torch.empty_like(parameter).copy_(tensors[name])
    return history
