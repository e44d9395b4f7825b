"""csqcfs: an open, reproducible companion of the paper CS-QCFS (Yang et al., Neural Networks 2025).

ann  = csqcfs.quantize_activations(network, L=4, threshold=4.0, example=x)    # QCFS at every ReLU
csqcfs.fit(ann, train_set, epochs=...)
fine = csqcfs.to_channelwise(ann)                                             # CS-QCFS, the same function
csqcfs.fit(fine, train_set, epochs=..., lr=...)
snn  = csqcfs.convert(fine)                                                   # IF neurons
scores = snn(x, T=8)                                                          # [8, N, classes]

Names are imported at their first use: torch takes seconds, which a command line that is only read need not wait for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what editors and type checkers see; `_HOMES` says the same at run time
    from . import data as data
    from . import models as models
    from .activations import CQCFS as CQCFS
    from .activations import CSQCFS as CSQCFS
    from .activations import QCFS as QCFS
    from .activations import SQCFS as SQCFS
    from .conversion import export as export
    from .conversion.bias import calibrate_bias as calibrate_bias
    from .conversion.calibration import calibrate as calibrate
    from .conversion.family import to_channelwise as to_channelwise
    from .conversion.quantize import quantize_activations as quantize_activations
    from .conversion.quantize import report as report
    from .conversion.snn import SNN as SNN
    from .conversion.snn import convert as convert
    from .data.augment import Augment as Augment
    from .data.images import ImageSet as ImageSet
    from .engine.errors import InputError as InputError
    from .models.public import load_public as load_public
    from .models.zoo import load as load
    from .models.zoo import save as save
    from .training.evaluation import evaluate as evaluate
    from .training.evaluation import evaluate_snn as evaluate_snn
    from .training.train import fit as fit

__version__ = "0.2.0"

# module: the public names that it defines; the module itself is public without any, or under its own
_HOMES = {
    "activations": ("CQCFS", "CSQCFS", "QCFS", "SQCFS"),
    "conversion.export": ("export",),
    "conversion.bias": ("calibrate_bias",),
    "conversion.calibration": ("calibrate",),
    "conversion.family": ("to_channelwise",),
    "conversion.quantize": ("quantize_activations", "report"),
    "conversion.snn": ("SNN", "convert"),
    "data": (),
    "data.augment": ("Augment",),
    "data.images": ("ImageSet",),
    "engine.errors": ("InputError",),
    "models": (),
    "models.public": ("load_public",),
    "models.zoo": ("load", "save"),
    "training.evaluation": ("evaluate", "evaluate_snn"),
    "training.train": ("fit",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names or (home,)}
_ROOMS = ("activations", "conversion", "engine", "methods", "neurons", "paper", "training")  # found without an import
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF and name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f".{_HOME_OF.get(name, name)}", __name__)
    found = home if home.__name__.endswith(f".{name}") else getattr(home, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
