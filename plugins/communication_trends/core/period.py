"""Which UTC day, week or month a run is for. No Airflow in here: dates in, dates out."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from communication_trends.core.errors import InvalidInputError

ONE_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Granularity:
    """
    A length of time that trends are made for.

    :param name: value of ``trend_period`` in the table.
    :param noun: what one such period is called.
    :param run_delay: how long after a period's end its run starts; late rows have arrived by then.
    :param schedule: when its runs start, in words.
    :param interval: from one such period to the next, as PostgreSQL's interval.
    """

    name: str
    noun: str
    run_delay: datetime.timedelta
    schedule: str
    interval: str

    @property
    def dag_id(self) -> str:
        """Id of the DAG that makes these trends."""
        return f"communication_trends_{self.name}"

    def containing(self, date: datetime.date) -> Period:
        """Return the period that a UTC date is in."""
        first = {
            "daily": date,
            "weekly": date - date.weekday() * ONE_DAY,
            "monthly": date.replace(day=1),
        }
        return Period(self, first[self.name])

    def starting_at(self, moment: datetime.datetime) -> Period | None:
        """
        Return the period that begins at exactly this moment, whose scheduled run has it as its logical date.

        :param moment: aware, in any time zone.
        :returns: None where no period begins then.
        """
        period = self.containing(utc_date(moment))
        return period if _in_utc(moment) == period.start else None

    def last_completed(self, moment: datetime.datetime) -> Period:
        """Return the latest period that has ended at a moment, which is aware."""
        return self.containing(utc_date(moment)).previous()

    def last_due(self, moment: datetime.datetime) -> Period:
        """Return the latest period whose run has been due at a moment, which is aware."""
        return self.last_completed(moment - self.run_delay)


DAILY = Granularity("daily", "day", datetime.timedelta(hours=3), "every day at 03:00 UTC", "1 day")
WEEKLY = Granularity("weekly", "week", datetime.timedelta(hours=3, minutes=30), "on Mondays at 03:30 UTC", "7 days")
MONTHLY = Granularity("monthly", "month", datetime.timedelta(hours=4), "on the 1st at 04:00 UTC", "1 month")

KINDS = {kind.name: kind for kind in (DAILY, WEEKLY, MONTHLY)}
"""Each length of time, by its name."""


@dataclass(frozen=True)
class Period:
    """
    One UTC day, week (Monday to Sunday) or month, from its first midnight to the one that the next begins with.

    :param kind: its length.
    :param first_date: its first calendar date, in UTC.
    """

    kind: Granularity
    first_date: datetime.date

    @cached_property
    def next_date(self) -> datetime.date:
        """The first date after it; an InvalidInputError for the period that the calendar ends in."""
        try:
            if self.kind is MONTHLY:
                return (self.first_date + 31 * ONE_DAY).replace(day=1)
            return self.first_date + (7 if self.kind is WEEKLY else 1) * ONE_DAY
        except OverflowError:
            raise InvalidInputError(
                f"date: the {self.kind.noun} of {self.first_date} ends after {datetime.date.max}, the last date there "
                "is. Give an earlier one."
            ) from None

    @property
    def start(self) -> datetime.datetime:
        """The first moment: midnight, without a time zone, meaning UTC."""
        return datetime.datetime.combine(self.first_date, datetime.time.min)

    @property
    def end(self) -> datetime.datetime:
        """The first moment after it: the next one's midnight, without a time zone, meaning UTC."""
        return datetime.datetime.combine(self.next_date, datetime.time.min)

    def has_ended(self, moment: datetime.datetime) -> bool:
        """Whether it had ended at a moment, which is aware."""
        return self.next_date <= utc_date(moment)

    def previous(self) -> Period:
        """Return the period before it; an InvalidInputError where the calendar begins."""
        if self.first_date == datetime.date.min:
            raise InvalidInputError(
                f"date: there is no {self.kind.noun} before {self.first_date}, the first date there is. "
                "Give a later one."
            )
        return self.kind.containing(self.first_date - ONE_DAY)

    def following(self) -> Period:
        """Return the period after it."""
        return Period(self.kind, self.next_date)

    def earlier(self, count: int) -> list[Period]:
        """
        Return the periods before it, newest first.

        :param count: how many; fewer where the calendar begins.
        """
        periods = [self]
        while len(periods) <= count and periods[-1].first_date > datetime.date.min:
            periods.append(periods[-1].previous())
        return periods[1:]

    def minus(self, count: int) -> Period:
        """Return the period so many before; the first one of the calendar where there are fewer."""
        return self.earlier(count)[-1] if count else self

    @property
    def ordinal(self) -> int:
        """Its number, counted from a common beginning."""
        if self.kind is MONTHLY:
            return 12 * self.first_date.year + self.first_date.month
        return self.first_date.toordinal() // (7 if self.kind is WEEKLY else 1)

    def __str__(self) -> str:
        """Return its first date; of a week and a month the last one too."""
        if self.kind is DAILY:
            return self.first_date.isoformat()
        return f"{self.first_date} to {self.next_date - ONE_DAY}"


def utc_now() -> datetime.datetime:
    """Return the current time, aware."""
    return datetime.datetime.now(datetime.timezone.utc)


def utc_date(moment: datetime.datetime) -> datetime.date:
    """
    Return the UTC calendar date of a moment.

    :param moment: an aware datetime, in any time zone.
    """
    return _in_utc(moment).date()


def _in_utc(moment: datetime.datetime) -> datetime.datetime:
    """Return a moment, which is aware, without a time zone, meaning UTC."""
    try:
        return moment.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    except OverflowError:
        raise InvalidInputError(
            f"date: {moment} is in no year of UTC from {datetime.MINYEAR} to {datetime.MAXYEAR}. Give another."
        ) from None


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
        f"date: {value!r} is not a date. Give a day that exists as YYYY-MM-DD, or null for the last completed period."
    )


def resolve_period(
    kind: Granularity,
    *,
    triggered_by: str,
    logical_date: datetime.datetime | None,
    run_after: datetime.datetime,
    data_interval_start: datetime.datetime | None,
    data_interval_end: datetime.datetime | None,
    date: object,
    now: datetime.datetime,
) -> Period:
    """
    Return the period that a run aggregates (docs/reference.md, "Which period a run is for").

    :param kind: the granularity of the DAG.
    :param triggered_by: ``schedule``, ``backfill`` or ``manual``.
    :param logical_date: the run's logical date, aware; None where it has none.
    :param run_after: when the run was due, aware; a retry or a re-run keeps it, so that both mean the same period.
    :param data_interval_start: start of the run's data interval, aware; None where it has none.
    :param data_interval_end: end of it, aware.
    :param date: ``date`` of the run's conf, or None.
    :param now: the current time, aware.
    :raises InvalidInputError: for a date in a scheduled or backfilled run, a data interval that is not exactly one
        period or contradicts the logical date, an invalid date, a logical date whose period has not ended, or a
        period in the future.
    """
    if date is not None and triggered_by != "manual":
        raise InvalidInputError(
            f"date: {date!r} is given in the conf of a {triggered_by} run, whose {kind.noun} is its data interval: "
            f"every run of it would write the same {kind.noun}. Leave date out, or trigger one manual run with it."
        )
    if date is not None:
        given = parse_date(date)
        return _require_started(kind.containing(given), f"date: {given}", now)
    if triggered_by == "manual" and logical_date is not None and (named := kind.starting_at(logical_date)):
        return _require_ended(named, logical_date, now)
    if triggered_by != "manual" or data_interval_start is not None or data_interval_end is not None:
        source = "data interval"
        period = _period_of_interval(kind, data_interval_start, data_interval_end)
    else:
        source = "run_after"
        period = kind.last_completed(run_after)
    if triggered_by == "manual" and logical_date is not None and period != kind.last_completed(logical_date):
        raise InvalidInputError(
            f"logical date: {logical_date} contradicts the run's {source}, which means {period}: the last completed "
            f"{kind.noun} at that logical date is {kind.last_completed(logical_date)}. Some ways to trigger a run "
            "infer the data interval from the current time, whatever the logical date. Trigger a run with date in "
            f"its conf, or with the first moment of the {kind.noun} (UTC) as its logical date."
        )
    return _require_started(period, f"{source}: {period}", now)


def _require_started(period: Period, said: str, now: datetime.datetime) -> Period:
    """Return the period, unless it is in the future; the current one is allowed."""
    today = utc_date(now)
    if period.first_date > today:
        raise InvalidInputError(
            f"{said} is in the future (today is {today}, UTC): there is nothing to aggregate yet. "
            "Give today or an earlier day."
        )
    return period


def _require_ended(period: Period, logical_date: datetime.datetime, now: datetime.datetime) -> Period:
    """Return the period whose scheduled run has this logical date, unless it has not ended."""
    if utc_date(now) < period.first_date or utc_date(now) < period.next_date:
        raise InvalidInputError(
            f"logical date: {logical_date} means the {period.kind.noun} that begins then, {period.first_date} (UTC), "
            "as for a scheduled run. It has not ended. To store what there is of it so far, or another one, trigger a "
            "run without a logical date and with date in its conf. Delete this run, or clear it once the "
            f"{period.kind.noun} has ended: the scheduler makes no second run with the same logical date."
        )
    return period


def _period_of_interval(kind: Granularity, start: datetime.datetime | None, end: datetime.datetime | None) -> Period:
    if start is not None and end is not None:
        period = kind.starting_at(start)
        if period and _in_utc(end) == period.end:
            return period
    raise InvalidInputError(
        f"data interval: {start} to {end} is not one UTC {kind.noun}. The run was made under another schedule, or with "
        "an interval given by hand: trigger a manual run with a date instead."
    )


def period_bounds(periods: Sequence[Period]) -> dict[str, list[datetime.datetime]]:
    """
    Return periods as parameters of the SQL: their first moments, and the first ones after them, UTC.

    :param periods: which ones.
    """
    return {
        "period_starts": [period.start for period in periods],
        "period_ends": [period.end for period in periods],
    }
