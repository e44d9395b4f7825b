"""Measurements of time, each in one process so that what is compared runs under the same conditions."""
