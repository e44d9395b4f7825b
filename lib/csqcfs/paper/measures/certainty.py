"""Answer when sure: an SNN stops for an image once its score leaves no doubt, so that easy images take fewer steps.

Sure is an answer whose softmax probability is ahead of the next by a margin. The margin is chosen on the images held
out for validation: the smallest whose accuracy there lacks at most `LOSS` points of that of all T steps. A method
that looks at the input before it answers, such as SRP and COS, spends these steps on every image alike.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ... import data
from ...conversion.snn import SNN, convert
from ...data.images import ImageSet
from ...engine.errors import InputError
from ...engine.modules import device_of
from .trained import Trained, sample

# 0.02 apart, and ever closer to 1, where probabilities of a trained network are
MARGINS = (*(n / 50 for n in range(50)), *(1 - 0.02 / 2**n for n in range(1, 10)), 1.0)
LOSS = 0.5  # percentage points of validation accuracy
BATCH = 50


def steps_until_sure(scores: Tensor, margin: float) -> Tensor:
    """Steps [N] that each image takes, of scores [T, N, classes] that are means over steps 1..t; T where never sure.

    Raises:
        InputError: a margin outside of 0 and 1.
    """
    if not 0 <= margin <= 1:
        raise InputError(f"margin = {margin!r}: expected a difference of two probabilities, from 0 to 1")
    first, second = scores.softmax(2).topk(2, dim=2).values.unbind(2)
    sure = first - second >= margin
    sure[-1] = True
    return sure.int().argmax(0) + 1


def answered(scores: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """Steps of each image, and whether its answer then is right, both [N]."""
    steps = steps_until_sure(scores, margin)
    return steps, scores.argmax(2).gather(0, steps[None] - 1)[0] == labels


@torch.no_grad()
def all_scores(snn: SNN, images: ImageSet, T: int) -> tuple[Tensor, Tensor]:
    """Scores [T, N, classes] and labels [N], on the CPU."""
    batches = [(snn(x, T).cpu(), y.cpu()) for x, y in data.batches(images, BATCH, device_of(snn))]
    return torch.cat([scores for scores, _ in batches], 1), torch.cat([labels for _, labels in batches])


def certainty(trained: Trained, method: str, T: int, images: int | None = None) -> dict[str, Any]:
    """Accuracy in % and mean steps on validation and test images for each margin, the margin that validation chooses,
    and how many test images then take 1, 2, ..., ``T`` steps.

    Raises:
        InputError: a method that does not answer at every step; a training without validation images.
    """
    snn = convert(trained.model, method)
    if not snn.method.anytime:
        raise InputError(f"method = {method!r}: it decides for one T alone; take one that answers at every step")
    if not len(trained.splits.val):
        raise InputError("no images held out for validation: expected some to choose the margin on")
    found: dict[str, Any] = {"T": T, "presteps": snn.presteps, "margins": list(MARGINS)}
    for name, part in (("val", trained.splits.val), ("test", sample(trained.splits.test, images))):
        scores, labels = all_scores(snn, part, T)
        curve = [answered(scores, labels, margin) for margin in MARGINS]
        found[name] = {
            "images": len(labels),
            "steps": [round(float(steps.double().mean()), 4) for steps, _ in curve],
            "accuracy": [round(100 * float(right.double().mean()), 4) for _, right in curve],
        }
    enough = found["val"]["accuracy"][-1] - LOSS
    chosen = next(place for place, accuracy in enumerate(found["val"]["accuracy"]) if accuracy >= enough)
    return found | {"chosen": chosen, "taken": torch.bincount(curve[chosen][0], minlength=T + 1)[1:].tolist()}
