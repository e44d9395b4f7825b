"""What a `Run` measures: one function for each kind, from a trained network to numbers ready for JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...conversion import family
from ...conversion.bias import calibrate_bias
from ...conversion.calibration import calibrate
from ...conversion.snn import convert
from ...engine.errors import InputError
from ...engine.modules import full_float32
from ...training.evaluation import correct, correct_snn
from ..bench.epoch import epoch_time
from ..bench.report import bench
from ..experiments import trainings
from ..experiments.beyond import LAYER_MEAN
from ..experiments.configs import Run
from .certainty import certainty
from .channels import channels
from .conversion_error import conversion_error
from .operations import operations
from .right import kept, percent
from .spikes import spikes
from .thresholds import levelled
from .trained import T_MAX, Trained, sample


def training(trained: Trained) -> dict[str, Any]:
    """Accuracy in % of the network itself on all test images, which were right, and the history of its training."""
    right = correct(trained.model, trained.splits.test).numpy()
    return {"images": len(right), "ann": percent(right), "right": kept(right), "history": trained.history}


def accuracy(
    trained: Trained,
    method: str,
    images: int | None = None,
    allow_nonpositive: bool = False,
    T: int = T_MAX,
    rule: str | None = None,
    bias: int | None = None,
) -> dict[str, Any]:
    """Accuracy in % of the ANN and of its SNN at 1..``T``, on the same test images, and the thresholds.

    ``rule`` first places the thresholds anew: from training images, one for each channel, see `calibration`; or
    "layer mean", see `thresholds.levelled`. ``bias`` is the T that biases are calibrated for, from training images,
    see `conversion.bias`.
    "right" says which images were right, in their order, so that methods can be compared image by image.
    """
    test = sample(trained.splits.test, images)
    if rule == LAYER_MEAN:
        trained = trained._replace(model=levelled(trained.model))
    elif rule is not None:
        trained = trained._replace(model=calibrate(trained.model, trained.splits.train, per_channel=True, rule=rule))
    snn = convert(trained.model, method, allow_nonpositive=allow_nonpositive)
    if bias is not None:
        snn = calibrate_bias(snn, trained.splits.train, bias)
    thresholds = {
        name: site.threshold.detach().flatten().tolist() for name, site in family.sites(trained.model).items()
    }
    ann, over_time = correct(trained.model, test).numpy(), correct_snn(snn, test, T).numpy()
    return {
        "images": len(test),
        "ann": percent(ann),
        "snn": [percent(right) for right in over_time],
        "right": kept(ann, over_time),
        "presteps": snn.presteps,
        "thresholds": thresholds,
    }


# function(trained, **options), or function(**options) for a run without a training
KINDS: dict[str, Callable[..., dict[str, Any]]] = {
    "training": training,
    "accuracy": accuracy,
    "channels": channels,
    "conversion_error": conversion_error,
    "operations": operations,
    "spikes": spikes,
    "epoch_time": epoch_time,
    "bench": bench,
    "certainty": certainty,
}


def measure(run: Run, **training: Any) -> dict[str, Any]:
    """Train what ``run`` needs, unless it is trained, and measure it.

    Args:
        training: keywords of `trainings.train`.

    Raises:
        InputError: an unknown kind or option, or as `trainings.train`.
    """
    if run.kind not in KINDS:
        raise InputError(f"kind {run.kind!r}: expected one of {', '.join(KINDS)}")
    if run.training is None:
        return KINDS[run.kind](**dict(run.options))
    trained = Trained(*trainings.train(run.training, **training))
    with full_float32():
        return KINDS[run.kind](trained, **dict(run.options))
