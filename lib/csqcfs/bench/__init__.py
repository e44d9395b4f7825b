"""Measurements of time, each in one process so that what is compared runs under the same conditions."""

from .. import measures  # noqa: F401  imports the kinds of this package in the one order that works
