"""Numbers, dates and periods as text. No Airflow in here."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from communication_trends.core.period import DAILY, MONTHLY, Period

MAX_NAMED = 50
"""Names in one line of the log, or in one message."""


def list_text(names: Sequence[str], limit: int = MAX_NAMED) -> str:
    """Return names in one line, the first of them where there are many."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def moved_text(change: float | None, unit: str) -> str:
    """Return a change, with its direction; None where there was nothing before."""
    if change is None:
        return "none before"
    space = "" if unit == "%" else " "
    return f"{'▲' if change > 0 else '▼'} {abs(change):,}{space}{unit}" if change else "unchanged"


def count_text(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def date_text(date: datetime.date) -> str:
    """Return a date without its year."""
    return f"{date.day} {date:%b}"


def day_text(date: datetime.date) -> str:
    """Return a day with its weekday."""
    return f"{date:%a}, {date_text(date)}"


def span_text(first: datetime.date, last: datetime.date) -> str:
    """Return the days from one to another."""
    year = "" if first.year == last.year else f" {first.year}"
    return f"{date_text(first)}{year} – {date_text(last)} {last.year}"


def period_text(period: Period) -> str:
    """Return a period with its year."""
    if period.kind is DAILY:
        return f"{day_text(period.first_date)} {period.first_date.year}"
    if period.kind is MONTHLY:
        return f"{period.first_date:%b %Y}"
    return span_text(period.first_date, period.next_date - datetime.timedelta(days=1))
