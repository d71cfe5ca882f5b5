"""The package's own exceptions."""

from __future__ import annotations


class InvalidInput(ValueError):
    """Raised when a setting, a run's conf or its day cannot be used; names the field, the value and the remedy."""


class TrendMismatch(RuntimeError):
    """Raised when a stored trend does not add up: its topics, its total and an independent count disagree."""
