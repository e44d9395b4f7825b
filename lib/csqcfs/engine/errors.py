"""The one exception for bad input, so that the command line can show it as a single line."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from numbers import Integral, Real

SHOWN = 60  # characters of a value in a message


class InputError(ValueError):
    """A value from outside is wrong. The message is one line: the value, what was expected, the remedy."""


class Unwritable(InputError):
    """Results cannot be written, so that no further run can succeed either."""


class Busy(InputError):
    """Another process is making the same thing right now."""


class NonpositiveThreshold(InputError):
    """A trained threshold is zero or negative, so that neither Softplus nor an IF neuron can take it over.

    For a run this is a result, which its record keeps: plain QCFS may end there (section 5.6.2 of the paper).
    """


def shortage(error: BaseException) -> str | None:
    """What the machine has too little of, where that is what ``error`` says."""
    text = f"{type(error).__name__} {error}".lower()
    number = getattr(error, "errno", None)
    if number in (errno.EMFILE, errno.ENFILE) or "too many open files" in text:
        return "too few file descriptors (see ulimit -n)"
    if "outofmemoryerror" in text or ("cuda" in text and "out of memory" in text):
        return "not enough memory on the GPU"
    signs = ("allocate memory", "not enough memory", "out of memory", "bad_alloc", "start new thread", "map segment")
    if isinstance(error, MemoryError) or number == errno.ENOMEM or any(sign in text for sign in signs):
        return "not enough memory"
    return None


def unknown(what: str, value: object, known: Iterable[str]) -> InputError:
    """The error for a name that does not exist: "artefact 'tabel1': did you mean table1? expected one of ..."."""
    names = list(known)
    near = difflib.get_close_matches(str(value).lower(), names, n=2)
    likeness = [difflib.SequenceMatcher(None, name, str(value).lower()).ratio() for name in near]
    hint = f"did you mean {near[0]}? " if len({*likeness}) == len(near) > 0 else ""  # none where two are as near
    return InputError(f"{what} {value!r}: {hint}expected one of {', '.join(names)}")


def reason(error: Exception) -> str:
    """The first line of what an error says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def integer(value: object) -> int | None:
    """A whole number, also one of NumPy's, as Python's own; None for anything else, bool included."""
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None


def real(value: object) -> float | None:
    """A real number, also one of NumPy's, as a float; None for anything else, bool and what no float holds included."""
    try:
        return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None
    except OverflowError:
        return None


def kind(value: object) -> str:
    """What ``value`` is; a class where one of its objects belongs is told from these."""
    return f"the class {value.__name__} itself" if isinstance(value, type) else f"type {type(value).__name__}"


def shown(value: object) -> str:
    """``value`` within a line: of a tensor or an array the shape, of all else its beginning."""
    if shape := getattr(value, "shape", ()):
        return f"a {type(value).__name__} of shape {list(shape)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."
