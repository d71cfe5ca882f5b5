"""The package's own exceptions."""

from __future__ import annotations


class InvalidInputError(ValueError):
    """Raised when a setting, a run's conf or its day cannot be used; names the field, the value and the remedy."""


class TrendMismatchError(RuntimeError):
    """Raised when a stored trend does not add up: its topics, its total and an independent count disagree."""


class UnusableRowsError(RuntimeError):
    """Raised when source rows hold what no trend can be made from; says what, and how to fix it."""


class DatabaseUnavailableError(RuntimeError):
    """Raised when a database did not answer in time, or is not ready yet; trying again later may help."""


class DatabaseUnusableError(RuntimeError):
    """Raised when a connection or a database cannot be used, however often it is retried; names the remedy."""


class OutdatedSnapshotError(RuntimeError):
    """
    Raised when what a transaction has read cannot be relied on; a new transaction may succeed.

    :param newest: the latest snapshot that a stored trend is from, as text, where that is why.
    """

    sqlstate = "40001"
    """A conflict with another transaction, as PostgreSQL would have reported it."""

    def __init__(self, message: str, newest: str | None = None) -> None:
        super().__init__(message)
        self.newest = newest
