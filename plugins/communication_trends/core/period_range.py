"""Ranges of periods, as the page, the freshness command and the digest ask for them. No Airflow in here."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from typing import Any

from communication_trends.core.period import ONE_DAY, Granularity, Period

FRESHNESS_GRACE = datetime.timedelta(hours=1)
"""How long after its run is due a period should be stored."""

SHIFTS = {
    "daily": {"previous": 7, "quarter": 91, "year": 364},
    "weekly": {"previous": 1, "quarter": 13, "year": 52},
    "monthly": {"previous": 1, "quarter": 3, "year": 12},
}
"""
Periods by which the range that another one is compared with is earlier, at least.

Days are compared with the same weekdays: these are whole weeks.
"""


@dataclass(frozen=True)
class Range:
    """
    Periods without a gap between them.

    :param first: the first one.
    :param last: the last one, included.
    :param due: the last one whose run is due; after it, nothing is missing.
    :param ended: the last one that has ended; by default the one that is due.
    :param compare: what it is compared with: the range ``previous``, or that a ``quarter`` or a ``year`` before.
    """

    first: Period
    last: Period
    due: Period
    ended: Period | None = None
    compare: str = "previous"

    @property
    def kind(self) -> Granularity:
        """The length of each period."""
        return self.first.kind

    @property
    def from_(self) -> datetime.date:
        """The first date."""
        return self.first.first_date

    @property
    def to(self) -> datetime.date:
        """The last date."""
        return self.last.next_date - ONE_DAY

    @property
    def length(self) -> int:
        """How many periods."""
        return self.last.ordinal - self.first.ordinal + 1

    def longest(self, length: int) -> Range:
        """Return the range that ends with it and has so many periods, if that is more."""
        return self if length <= self.length else replace(self, first=self.last.minus(length - 1))

    def periods(self) -> list[Period]:
        """Return each period, newest first."""
        return [self.last, *self.last.earlier(self.length - 1)]

    @property
    def parameters(self) -> dict[str, Any]:
        """The range as parameters of the SQL: first moments, UTC, without a time zone."""
        return {
            **ended_parameters(self.kind, self.ended or self.due),
            "first_day": self.first.start,
            "last_day": self.last.start,
            "last_due": self.due.start,
            "read_from": self.first.start,
            "read_to": self.last.start,
            "read_days": [period.start for period in self.periods()],
        }

    def shift(self) -> int:
        """
        Return by how many periods the range that it is compared with is earlier, so that they do not overlap.

        A quarter has 90 to 92 days: as many weeks more as it needs. Years stay whole.
        """
        shifts = SHIFTS[self.kind.name]
        unit = shifts[self.compare]
        step = unit if self.compare == "year" else shifts["previous"]
        return max(unit, -(-self.length // step) * step)

    def earlier(self, count: int) -> Range:
        """Return the range that begins and ends so many periods before."""
        return replace(self, first=self.first.minus(count), last=self.last.minus(count))

    @property
    def compared_parameters(self) -> dict[str, Any]:
        """The range and the one that it is compared with, as parameters of the SQL."""
        previous = self.earlier(self.shift())
        count, unit = self.kind.interval.split()
        return {
            **self.parameters,
            "previous_first_day": previous.first.start,
            "previous_last_day": previous.last.start,
            "read_from": previous.first.start,
            "read_days": [period.start for one in (self, previous) for period in one.periods()],
            "shift": f"{int(count) * self.shift()} {unit}",
        }


def ended_parameters(kind: Granularity, ended: Period) -> dict[str, Any]:
    """
    Return what the statements of ``sql/reading/`` bind of any period.

    :param kind: the length of the periods.
    :param ended: the last one that has ended.
    """
    return {"trend_period": kind.name, "unit": kind.noun, "step": kind.interval, "last_ended": ended.start}
