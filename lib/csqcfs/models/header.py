"""What the header of a network's file may say: nothing in it is believed before it is checked here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ..conversion import family
from ..engine.errors import InputError
from ..engine.kernels import WINDOWS
from ..methods import METHODS

KINDS = ("relu", "quantized", "snn")
COMPUTES = ("operations", "numbers", "sizes")  # digests of `engine.computation`


def check(header: dict[str, Any], path: Path) -> None:
    """Types and ranges of a header; whether they fit the tensors is seen later.

    Raises:
        InputError: another kind of file, or a value that `save` does not write.
    """
    if "identity" in header:
        raise InputError(f"{path} is the checkpoint of a training: expected a file of csqcfs.save; save its network")

    def numbers(value: Any) -> bool:
        return isinstance(value, list) and all(type(v) in (int, float) and math.isfinite(v) for v in value)

    def built(value: Any) -> bool:
        keys = ("name", "num_classes", "width", "in_channels")
        return value is None or (isinstance(value, dict) and sorted(value) == sorted(keys))

    def site(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and sorted({*value} - {"bound"}) == ["L", "activation", "channels", "window"]
            and value["activation"] in family.ACTIVATIONS
            and value["window"] in WINDOWS
            and all(type(n) is int and n > 0 for n in (value["L"], value["channels"] or 1))
            and numbers([value.get("bound", 1.0)])
            and value.get("bound", 1.0) > 0
        )

    def texts(value: Any) -> bool:
        return isinstance(value, list) and all(isinstance(v, str) for v in value)

    checks = {
        "kind": lambda v: v in KINDS,
        "built": built,
        "sites": lambda v: isinstance(v, dict) and all(map(site, v.values())),
        "classes": lambda v: v is None or texts(v),
        "mean": lambda v: v is None or numbers(v),
        "std": lambda v: v is None or (numbers(v) and min(v, default=1) > 0 and len(v) == len(header["mean"] or ())),
        "info": lambda v: isinstance(v, dict),
        "buffers": lambda v: isinstance(v, dict) and texts([*v.values()]),
        **{key: lambda v: v is None or isinstance(v, str) for key in COMPUTES},
    }
    for key in COMPUTES:
        header.setdefault(key, None)  # files that were written before there was one
    header.setdefault("buffers", {})  # as in most networks
    if header.get("kind") == "snn":
        checks |= {
            "method": lambda v: isinstance(v, str) and v in METHODS,
            "presteps": lambda v: type(v) is int and 0 <= v < 1 << 16,
            "levels": lambda v: isinstance(v, dict) and all(type(L) is int and L > 0 for L in v.values()),
        }
    for key, allowed in checks.items():
        if key not in header or not allowed(header[key]):
            said = f"{key} = {str(header[key])[:60]!r}" if key in header else f"no {key}"
            raise InputError(f"{path} has {said} in its header: expected a file of csqcfs.save; get it again")
