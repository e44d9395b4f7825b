"""The one exception for bad input, so that the command line can show it as a single line."""

from __future__ import annotations


class InputError(ValueError):
    """A value from outside is wrong. The message is one line: the value, what was expected, the remedy."""


class Unwritable(InputError):
    """Results cannot be written, so that no further run can succeed either."""


class NonpositiveThreshold(InputError):
    """A trained threshold is zero or negative, so that neither Softplus nor an IF neuron can take it over.

    For a run this is a result, which its record keeps: plain QCFS may end there (section 5.6.2 of the paper).
    """
