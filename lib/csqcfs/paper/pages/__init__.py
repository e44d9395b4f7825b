"""Notebooks, tables and the README: records in, text and figures out."""
