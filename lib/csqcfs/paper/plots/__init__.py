"""Figures, one module for each kind, and the few tables that only they have. Functions take a page, or numbers and
axes; none saves."""
