"""The schedule: one data interval per UTC day, run at 03:00 UTC on the next."""

from __future__ import annotations

import datetime

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from pendulum import UTC, DateTime

RUN_DELAY = datetime.timedelta(hours=3)
"""How long after the day's end its run starts: late rows have arrived by then."""


class UtcDayTimetable(Timetable):
    """
    Run once for each UTC day, three hours after it has ended, whatever Airflow's default time zone is.

    With cron timetables a backfill given as dates is off by one at one of its ends, since they compare 03:00 with
    midnight. Here a run's logical date is the midnight that its day starts with.

    Usage: ``DAG(..., schedule=UtcDayTimetable())``.
    """

    description = "For each UTC day, at 03:00 UTC on the next"

    @property
    def summary(self) -> str:
        """What the DAG list shows as the schedule."""
        return "daily at 03:00 UTC"

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """
        Return the last UTC day that has ended.

        :param run_after: when the run was triggered, aware.
        """
        return _interval(_midnight(run_after).subtract(days=1))

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """
        Return the next day to run for.

        :param last_automated_data_interval: the day of the last scheduled or backfilled run, or None.
        :param restriction: earliest and latest logical date, both included, and whether to catch up. A bound that is
            a midnight of its own time zone names a date, as ``--from-date 2026-11-01`` does.
        """
        starts = []
        if last_automated_data_interval is not None:
            starts.append(_midnight(last_automated_data_interval.start).add(days=1))
        if restriction.earliest is not None:
            starts.append(_first_day(restriction.earliest))
        if not restriction.catchup:
            # the latest day whose run is due
            starts.append(_midnight(DateTime.now(UTC) - RUN_DELAY).subtract(days=1))
        if not starts:
            return None
        start = max(starts)
        if restriction.latest is not None and start > _last_day(restriction.latest):
            return None
        interval = _interval(start)
        return DagRunInfo(run_after=interval.end + RUN_DELAY, data_interval=interval)


def _interval(start: DateTime) -> DataInterval:
    return DataInterval(start=start, end=start.add(days=1))


def _midnight(moment: datetime.datetime) -> DateTime:
    """Return the midnight, UTC, of the moment's UTC day."""
    utc = moment.astimezone(UTC)
    return DateTime(utc.year, utc.month, utc.day, tzinfo=UTC)


def _named_date(moment: datetime.datetime) -> DateTime | None:
    """Return the date, as its UTC midnight, that the first moment of a day in any time zone stands for."""
    before = (moment.astimezone(UTC) - datetime.timedelta.resolution).astimezone(moment.tzinfo)
    # 01:00 is the first where summer time starts at midnight, as in Cairo
    if moment.time() == datetime.time.min or before.date() < moment.date():
        return DateTime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return None


def _first_day(earliest: datetime.datetime) -> DateTime:
    midnight = _midnight(earliest)
    return _named_date(earliest) or (midnight if midnight == earliest else midnight.add(days=1))


def _last_day(latest: datetime.datetime) -> DateTime:
    return _named_date(latest) or _midnight(latest)
