"""How every share and mean of this package is rounded."""

from __future__ import annotations


def rounded(numerator: int, denominator: int) -> int | None:
    """Return the quotient of two counts, rounded half up in whole numbers, or None without a denominator."""
    return (2 * numerator + denominator) // (2 * denominator) if denominator else None
