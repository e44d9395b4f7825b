"""How a spiking network answers: one class for each method, and the table that makes it one of `convert`'s.

A new method is a module with its class, see `base.Method`, and a line of `METHODS`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..engine.errors import InputError
from .base import Method, check_steps
from .cos import COS
from .graded import Graded
from .parallel import Parallel
from .plain import Ceil, Floor, Plain
from .signed import Signed
from .srp import SRP

METHODS: dict[str, type[Method]] = {
    kind.name: kind for kind in (Plain, SRP, COS, Graded, Parallel, Signed, Floor, Ceil)
}


def build(method: str | Method, settings: Mapping[str, Any]) -> Method:
    """The method of that name, or ``method`` itself if it is one.

    Args:
        settings: of this or of other methods, so that several can be converted by one call in a loop; those of
            others have no effect.

    Raises:
        InputError: an unknown name; a setting that no method has, or out of range.
    """
    if not (isinstance(method, Method) and not settings or isinstance(method, str) and method in METHODS):
        raise InputError(f"method = {method!r}: expected one of {', '.join(METHODS)}, or a Method without settings")
    known = {field.name for kind in METHODS.values() for field in dataclasses.fields(kind)}
    for name, value in settings.items():
        if name not in known:
            raise InputError(f"{name} = {value!r}: no method has such a setting, expected {' or '.join(sorted(known))}")
        check_steps(name, value)
    if isinstance(method, Method):
        return method
    own = {field.name for field in dataclasses.fields(METHODS[method])}
    return METHODS[method](**{name: value for name, value in settings.items() if name in own})


def of_record(metrics: Mapping[str, Any]) -> Method:
    """The method of a record, which holds its name and its hidden steps."""
    kind = METHODS[metrics["method"]]
    return kind(*[metrics["presteps"]] * len(dataclasses.fields(kind)))
