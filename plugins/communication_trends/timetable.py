"""The schedule: one data interval per UTC day, week or month, run some hours after it has ended."""

from __future__ import annotations

import datetime
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from pendulum import UTC, DateTime

from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import DAILY, KINDS, ONE_DAY, Granularity, Period, utc_date


class PeriodTimetable(Timetable):
    """
    Run once for each UTC day, week or month, some hours after it has ended, whatever Airflow's default time zone is.

    With cron timetables a backfill given as dates is off by one at one of its ends, since they compare 03:00 with
    midnight. Here a run's logical date is the midnight that its period starts with.

    Usage: ``DAG(..., schedule=PeriodTimetable(WEEKLY))``.

    :param kind: the length of its periods.
    """

    def __init__(self, kind: Granularity = DAILY) -> None:
        self.kind = kind
        self.description = f"For each UTC {kind.noun}, {kind.schedule}"

    @property
    def summary(self) -> str:
        """What the DAG list shows as the schedule."""
        return self.kind.schedule

    def serialize(self) -> dict[str, Any]:
        """Return what Airflow stores of it."""
        return {"period": self.kind.name}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        """Return the timetable that Airflow has stored."""
        return cls(KINDS[data["period"]])

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """
        Return the last completed period.

        :param run_after: what Airflow infers it from, aware: the logical date or the current time, depending on the
            version and on how the run was triggered.
        """
        return _interval(self.kind.last_completed(run_after))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """
        Return the next period to run for.

        :param last_automated_data_interval: the period of the last scheduled or backfilled run, or None.
        :param restriction: earliest and latest logical date, both included, and whether to catch up. A bound that is
            a midnight in its time zone names a date, as ``--from-date 2026-11-01`` does.
        """
        try:
            period = self._next_period(last_automated_data_interval, restriction)
            interval = period and _interval(period)
        except InvalidInputError:  # the calendar has no later period
            return None
        if not period or not interval:
            return None
        if restriction.latest is not None and period.first_date > _last_date(restriction.latest):
            return None
        # not DagRunInfo(…): 3.2 has more fields, without defaults
        return DagRunInfo.interval(interval.start, interval.end)._replace(run_after=interval.end + self.kind.run_delay)

    def _next_period(self, last: DataInterval | None, restriction: TimeRestriction) -> Period | None:
        periods = []
        if last is not None:
            periods.append(self.kind.containing(utc_date(last.start)).following())
        if restriction.earliest is not None:
            periods.append(self._at_or_after(_first_date(restriction.earliest)))
        if not restriction.catchup:
            periods.append(self.kind.last_due(DateTime.now(UTC)))
        return max(periods, key=lambda candidate: candidate.first_date, default=None)

    def _at_or_after(self, date: datetime.date) -> Period:
        period = self.kind.containing(date)
        return period if period.first_date == date else period.following()


class UtcDayTimetable(PeriodTimetable):
    """
    The daily schedule under its first name, which stored versions of the daily DAG still have.

    Airflow stores the path of a timetable's class with each version of a DAG, and cannot show or clear old runs without
    it: a class of this module is never renamed or removed (tests/unit/test_timetable.py).
    """

    def serialize(self) -> dict[str, Any]:
        """Return what Airflow stores of it: nothing."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:
        """Return the timetable that Airflow has stored."""
        return cls()


TIMETABLES = [PeriodTimetable, UtcDayTimetable]
"""All of them, for the plugin."""


def _interval(period: Period) -> DataInterval:
    return DataInterval(*(DateTime(m.year, m.month, m.day, tzinfo=UTC) for m in (period.start, period.end)))


def _named_date(moment: datetime.datetime) -> datetime.date | None:
    """Return the date whose day begins at this moment in the moment's own time zone; None for any other moment."""
    date = datetime.date(moment.year, moment.month, moment.day)
    if moment.time() == datetime.time.min:
        return date
    # where summer time starts at midnight, as in Cairo, a day begins at 01:00
    before = (moment.astimezone(UTC) - datetime.timedelta.resolution).astimezone(moment.tzinfo)
    return date if before.date() < date else None


def _first_date(earliest: datetime.datetime) -> datetime.date:
    if named := _named_date(earliest):
        return named
    date = utc_date(earliest)
    midnight = earliest.astimezone(UTC).time() == datetime.time.min
    return date if midnight or date == datetime.date.max else date + ONE_DAY


def _last_date(latest: datetime.datetime) -> datetime.date:
    return _named_date(latest) or utc_date(latest)
