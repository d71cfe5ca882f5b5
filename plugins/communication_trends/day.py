"""Which UTC day a run is for. No Airflow in here: dates in, a date out."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from communication_trends.errors import InvalidInputError

ONE_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Day:
    """
    One UTC day, from its midnight to the next.

    :param date: the calendar date, in UTC.
    """

    date: datetime.date

    @property
    def start(self) -> datetime.datetime:
        """The day's first moment: midnight, without a time zone, meaning UTC."""
        return datetime.datetime.combine(self.date, datetime.time.min)

    @property
    def end(self) -> datetime.datetime:
        """The first moment after the day: the next midnight, without a time zone, meaning UTC."""
        return self.start + ONE_DAY

    def __str__(self) -> str:
        return self.date.isoformat()


def utc_date(moment: datetime.datetime) -> datetime.date:
    """
    Return the UTC calendar date of a moment.

    :param moment: an aware datetime, in any time zone.
    """
    return moment.astimezone(datetime.timezone.utc).date()


def parse_date(value: object) -> datetime.date:
    """
    Read the ``date`` of a run's conf.

    :param value: what was given; only ``YYYY-MM-DD`` is a date.
    :raises InvalidInputError: for anything else, such as ``20261101``, which ISO 8601 would allow.
    """
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError:
            pass
    raise InvalidInputError(
        f"date: {value!r} is not a date. Give a day that exists as YYYY-MM-DD, or null for yesterday."
    )


def trend_day(
    *,
    triggered_by: str,
    run_after: datetime.datetime,
    data_interval_start: datetime.datetime | None,
    data_interval_end: datetime.datetime | None,
    date: object,
    now: datetime.datetime,
) -> Day:
    """
    Return the UTC day that a run aggregates (docs: README, "Which day a run is for").

    :param triggered_by: ``schedule``, ``backfill`` or ``manual``.
    :param run_after: when the run was due, aware; a retry or a re-run keeps it, so that both mean the same day.
    :param data_interval_start: start of the run's data interval, aware; read for scheduled and backfilled runs.
    :param data_interval_end: end of it, aware.
    :param date: ``date`` of the run's conf, or None.
    :param now: the present, aware.
    :raises InvalidInputError: for a date in a scheduled or backfilled run, a data interval that is no UTC day,
        a date that is none, or a day in the future.
    """
    if triggered_by == "manual":
        day = Day(parse_date(date) if date is not None else utc_date(run_after) - ONE_DAY)
    else:
        if date is not None:
            raise InvalidInputError(
                f"date: {date!r} is given in the conf of a {triggered_by} run, whose day is its data interval: every "
                "run of it would write the same day. Leave date out, or trigger one manual run with it."
            )
        day = _day_of_interval(data_interval_start, data_interval_end)
    if day.date > utc_date(now):
        raise InvalidInputError(
            f"date: {day} is in the future (today is {utc_date(now)}, UTC): there is nothing to aggregate yet. "
            "Give today or an earlier day."
        )
    return day


def _day_of_interval(start: datetime.datetime | None, end: datetime.datetime | None) -> Day:
    if start is not None and end is not None:
        day = Day(utc_date(start))
        if [moment.astimezone(datetime.timezone.utc).replace(tzinfo=None) for moment in (start, end)] == [
            day.start,
            day.end,
        ]:
            return day
    raise InvalidInputError(
        f"data interval: {start} to {end} is not one UTC day. The run was made under another schedule: "
        "trigger a manual run with its date instead."
    )
