"""The one exception for bad input, so that the command line can show it as a single line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


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


def unknown(what: str, value: object, known: Iterable[str]) -> InputError:
    """The error for a name that does not exist: "artefact 'tabel1': did you mean table1? expected one of ..."."""
    names = list(known)
    near = difflib.get_close_matches(str(value).lower(), names, n=2)
    likeness = [difflib.SequenceMatcher(None, name, str(value).lower()).ratio() for name in near]
    hint = f"did you mean {near[0]}? " if len({*likeness}) == len(near) > 0 else ""  # none where two are as near
    return InputError(f"{what} {value!r}: {hint}expected one of {', '.join(names)}")
