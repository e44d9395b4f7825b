"""How a spiking network answers: one class for each method, and the table that makes it one of `convert`'s.

A new method is a module with its class, see `base.Method`, and a line of `METHODS`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..engine.errors import InputError
from .base import Method
from .cos import COS
from .plain import Ceil, Floor, Plain
from .srp import SRP

METHODS: dict[str, type[Method]] = {kind.name: kind for kind in (Plain, SRP, COS, Floor, Ceil)}


def build(method: str | Method, settings: Mapping[str, Any]) -> Method:
    """The method of that name with these settings, or ``method`` itself if it is one.

    Raises:
        InputError: an unknown name; a setting that the method does not have, or out of range.
    """
    if isinstance(method, str) and method in METHODS:
        kind = METHODS[method]
    elif isinstance(method, Method) and not settings:
        return method
    else:
        raise InputError(f"method = {method!r}: expected one of {', '.join(METHODS)}, or a Method without settings")
    known = [field.name for field in dataclasses.fields(kind)]
    for name, value in settings.items():
        if name not in known:
            raise InputError(f"{name} = {value!r}: {kind.name} has {', '.join(known) or 'no settings'}; leave it out")
    return kind(**settings)


def of_record(metrics: Mapping[str, Any]) -> Method:
    """The method of a record, which holds its name and its hidden steps."""
    kind = METHODS[metrics["method"]]
    return kind(*[metrics["presteps"]] * len(dataclasses.fields(kind)))
