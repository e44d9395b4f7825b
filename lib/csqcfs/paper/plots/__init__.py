"""Figures, one module for each kind. Functions take numbers and axes, return axes, and never save."""
