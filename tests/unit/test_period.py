"""Which UTC day, week or month a run is for."""

from __future__ import annotations

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import DAILY, KINDS, MONTHLY, WEEKLY, parse_date, resolve_period

NOW = "2026-11-24T10:00:00+00:00"


def day_of(
    triggered_by="manual", *, kind="daily", logical=None, run_after=NOW, start=None, end=None, date=None, now=NOW
):
    moments: dict[str, Any] = {
        name: datetime.datetime.fromisoformat(value) if value else None
        for name, value in {
            "logical_date": logical,
            "run_after": run_after,
            "data_interval_start": start,
            "data_interval_end": end,
            "now": now,
        }.items()
    }
    return str(resolve_period(KINDS[kind], triggered_by=triggered_by, date=date, **moments))


@pytest.mark.parametrize(
    ("run_after", "expected"),
    [
        ("2026-11-24T03:00:00+00:00", "2026-11-23"),
        ("2026-11-24T00:00:00+00:00", "2026-11-23"),
        ("2026-11-23T23:59:59+00:00", "2026-11-22"),
        ("2026-11-01T12:00:00+00:00", "2026-10-31"),  # the first of a month
        ("2026-01-01T12:00:00+00:00", "2025-12-31"),  # the first of a year
        ("2024-03-01T12:00:00+00:00", "2024-02-29"),  # after a leap day
        ("2025-03-01T12:00:00+00:00", "2025-02-28"),
        ("2026-11-24T00:30:00+02:00", "2026-11-22"),  # 22:30 UTC the day before
        ("2026-11-23T20:00:00-08:00", "2026-11-23"),  # 04:00 UTC the day after
    ],
)
def test_a_manual_run_without_a_date_is_for_the_day_before_its_run_after(run_after, expected):
    assert day_of(run_after=run_after) == expected


def test_a_retry_after_midnight_means_the_same_day():
    due = "2026-11-23T23:50:00+00:00"
    assert day_of(run_after=due, now="2026-11-23T23:51:00+00:00") == "2026-11-22"
    assert day_of(run_after=due, now="2026-11-24T00:10:00+00:00") == "2026-11-22"
    assert day_of(run_after=due, now="2027-05-01T00:00:00+00:00") == "2026-11-22"


def test_a_manual_run_with_a_date_is_for_that_date():
    assert day_of(date="2024-02-29") == "2024-02-29"


@pytest.mark.parametrize("triggered_by", ["schedule", "backfill"])
@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-11-01T00:00:00+00:00", "2026-11-02T00:00:00+00:00", "2026-11-01"),
        ("2025-12-31T00:00:00+00:00", "2026-01-01T00:00:00+00:00", "2025-12-31"),
        ("2024-02-29T00:00:00+00:00", "2024-03-01T00:00:00+00:00", "2024-02-29"),
        # the days on which clocks change in Berlin and in New York: 24 hours in UTC all the same
        ("2026-03-29T01:00:00+01:00", "2026-03-30T02:00:00+02:00", "2026-03-29"),
        ("2026-10-31T20:00:00-04:00", "2026-11-01T19:00:00-05:00", "2026-11-01"),
    ],
)
def test_a_scheduled_or_backfilled_run_is_for_its_data_interval(triggered_by, start, end, expected):
    assert day_of(triggered_by, start=start, end=end) == expected


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-01T03:00:00+00:00", "2026-11-02T03:00:00+00:00"),
        ("2026-11-01T00:00:00+00:00", "2026-11-01T01:00:00+00:00"),
        ("2026-11-01T00:00:00+01:00", "2026-11-02T00:00:00+01:00"),
        ("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"),
        (None, None),
    ],
)
def test_a_data_interval_that_is_no_utc_day_is_refused(start, end):
    with pytest.raises(InvalidInputError, match=r"data interval: .* is not one UTC day.*trigger a manual run"):
        day_of("schedule", start=start, end=end)


@pytest.mark.parametrize("triggered_by", ["schedule", "backfill"])
def test_a_date_in_a_scheduled_or_backfilled_run_is_refused(triggered_by):
    with pytest.raises(InvalidInputError, match=r"date: '2026-11-05' is given in the conf of a .* run"):
        day_of(
            triggered_by,
            start="2026-11-01T00:00:00+00:00",
            end="2026-11-02T00:00:00+00:00",
            date="2026-11-05",
        )


def test_today_is_allowed_and_tomorrow_refused():
    assert day_of(date="2026-11-24") == "2026-11-24"
    with pytest.raises(InvalidInputError, match=r"date: 2026-11-25 is in the future \(today is 2026-11-24, UTC\)"):
        day_of(date="2026-11-25")


def test_today_is_todays_date_in_utc():
    now = datetime.datetime(2026, 11, 24, 23, 30, tzinfo=ZoneInfo("America/New_York")).isoformat()
    assert day_of(date="2026-11-25", now=now) == "2026-11-25"


@pytest.mark.parametrize("value", ["2026-11-01", "2024-02-29", "2000-02-29", "0001-01-01"])
def test_a_date_is_read_as_it_is_written(value):
    assert parse_date(value).isoformat() == value


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-29", "2026-13-01", "2026-00-10", "1900-02-29", "20261101", "2026-W44-7", "2026-11-1", "01.11.2026",
        "2026-11-01T00:00:00", " 2026-11-01", "2026-11-01\n", "", "yesterday", "２０２６-11-01",
        20261101, 1.5, True, [], {},
    ],
)  # fmt: skip
def test_anything_else_is_no_date(value):
    with pytest.raises(InvalidInputError, match=r"^date: .* is not a date\. Give a day that exists as YYYY-MM-DD"):
        parse_date(value)


def test_a_day_ends_where_the_next_begins():
    day = DAILY.containing(datetime.date(2024, 2, 29))
    assert (day.start, day.end) == (datetime.datetime(2024, 2, 29), datetime.datetime(2024, 3, 1))
    assert day.start.tzinfo is None


@pytest.mark.parametrize(
    ("kind", "date", "first", "following"),
    [
        # ISO weeks run over the turn of the year
        (WEEKLY, "2026-12-28", "2026-12-28", "2027-01-04"),
        (WEEKLY, "2027-01-03", "2026-12-28", "2027-01-04"),
        (WEEKLY, "2026-11-01", "2026-10-26", "2026-11-02"),
        (WEEKLY, "0001-01-08", "0001-01-08", "0001-01-15"),
        (WEEKLY, "9999-12-26", "9999-12-20", "9999-12-27"),
        (DAILY, "9999-12-30", "9999-12-30", "9999-12-31"),
        (MONTHLY, "9999-11-30", "9999-11-01", "9999-12-01"),
        (MONTHLY, "2024-02-29", "2024-02-01", "2024-03-01"),
        (MONTHLY, "2025-02-01", "2025-02-01", "2025-03-01"),
        (MONTHLY, "2026-12-31", "2026-12-01", "2027-01-01"),
        (MONTHLY, "2026-11-30", "2026-11-01", "2026-12-01"),
    ],
)
def test_a_date_is_in_one_week_and_in_one_month(kind, date, first, following):
    period = kind.containing(datetime.date.fromisoformat(date))
    assert (str(period.start.date()), str(period.end.date())) == (first, following)
    assert period.following().previous() == period


def test_a_week_and_a_month_are_named_by_both_of_their_ends():
    assert day_of(kind="weekly", date="2027-01-01", now="2027-01-04T00:00:00+00:00") == "2026-12-28 to 2027-01-03"
    assert day_of(kind="monthly", date="2024-02-11") == "2024-02-01 to 2024-02-29"


@pytest.mark.parametrize(
    ("kind", "run_after", "expected"),
    [
        ("weekly", "2026-11-24T10:00:00+00:00", "2026-11-16 to 2026-11-22"),
        ("weekly", "2026-11-23T00:00:00+00:00", "2026-11-16 to 2026-11-22"),
        ("weekly", "2026-11-22T23:59:59+00:00", "2026-11-09 to 2026-11-15"),
        ("monthly", "2026-11-24T10:00:00+00:00", "2026-10-01 to 2026-10-31"),
        ("monthly", "2026-11-01T00:30:00+02:00", "2026-09-01 to 2026-09-30"),
        ("monthly", "2024-03-01T00:00:00+00:00", "2024-02-01 to 2024-02-29"),
    ],
)
def test_a_manual_run_without_a_date_is_for_the_last_completed_period(kind, run_after, expected):
    assert day_of(kind=kind, run_after=run_after) == expected


@pytest.mark.parametrize(
    ("kind", "start", "end", "expected"),
    [
        ("daily", "2026-11-15T00:00:00+00:00", "2026-11-16T00:00:00+00:00", "2026-11-15"),
        ("daily", "2026-11-17T01:00:00+01:00", "2026-11-18T01:00:00+01:00", "2026-11-17"),
        ("weekly", "2026-11-16T00:00:00+00:00", "2026-11-23T00:00:00+00:00", "2026-11-16 to 2026-11-22"),
        ("monthly", "2026-10-01T00:00:00+00:00", "2026-11-01T00:00:00+00:00", "2026-10-01 to 2026-10-31"),
    ],
)
def test_a_manual_run_with_a_data_interval_is_for_that(kind, start, end, expected):
    assert day_of(kind=kind, start=start, end=end) == expected
    assert day_of(kind=kind, start=start, end=end, date="2026-09-09") != expected


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [
        ("daily", "2026-11-15T00:00:00+00:00", "2026-11-17T00:00:00+00:00"),
        ("daily", "2026-11-15T06:00:00+00:00", "2026-11-16T06:00:00+00:00"),
        ("daily", "2026-11-15T00:00:00+00:00", None),
        ("weekly", "2026-11-17T00:00:00+00:00", "2026-11-24T00:00:00+00:00"),
        ("monthly", "2026-10-01T00:00:00+00:00", "2026-10-31T00:00:00+00:00"),
    ],
)
def test_a_manual_run_with_another_data_interval_is_refused(kind, start, end):
    with pytest.raises(InvalidInputError, match=r"data interval: .* is not one UTC (day|week|month)"):
        day_of(kind=kind, start=start, end=end)


def test_the_present_week_and_month_are_allowed_and_the_next_ones_refused():
    assert day_of(kind="weekly", date="2026-11-29") == "2026-11-23 to 2026-11-29"
    assert day_of(kind="monthly", date="2026-11-30") == "2026-11-01 to 2026-11-30"
    for kind, date in (("weekly", "2026-11-30"), ("monthly", "2026-12-01")):
        with pytest.raises(InvalidInputError, match="is in the future"):
            day_of(kind=kind, date=date)


def test_earlier_periods_come_newest_first_and_end_where_the_calendar_begins():
    week = WEEKLY.containing(datetime.date(2027, 1, 6))
    assert [str(earlier.first_date) for earlier in week.earlier(2)] == ["2026-12-28", "2026-12-21"]
    assert DAILY.containing(datetime.date(2026, 11, 1)).earlier(0) == []
    assert len(DAILY.containing(datetime.date(1, 1, 3)).earlier(7)) == 2
    assert MONTHLY.containing(datetime.date(1, 1, 3)).earlier(7) == []


@pytest.mark.parametrize(
    ("kind", "now", "expected"),
    [
        (DAILY, "2026-11-24T02:59:59+00:00", "2026-11-22"),
        (DAILY, "2026-11-24T03:00:00+00:00", "2026-11-23"),
        (WEEKLY, "2026-11-23T03:29:59+00:00", "2026-11-09"),
        (WEEKLY, "2026-11-23T03:30:00+00:00", "2026-11-16"),
        (MONTHLY, "2026-11-01T03:59:59+00:00", "2026-09-01"),
        (MONTHLY, "2026-11-01T04:00:00+00:00", "2026-10-01"),
    ],
)
def test_the_latest_period_whose_run_has_been_due(kind, now, expected):
    assert str(kind.last_due(datetime.datetime.fromisoformat(now)).first_date) == expected


DAY_15 = ("2026-11-15T00:00:00+00:00", "2026-11-16T00:00:00+00:00")
DAY_19 = ("2026-11-19T00:00:00+00:00", "2026-11-20T00:00:00+00:00")
DAY_23 = ("2026-11-23T00:00:00+00:00", "2026-11-24T00:00:00+00:00")
"""Intervals; the last is what Airflow infers from NOW."""
WEEK_16 = ("2026-11-16T00:00:00+00:00", "2026-11-23T00:00:00+00:00")
OCTOBER = ("2026-10-01T00:00:00+00:00", "2026-11-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("kind", "logical", "interval", "expected"),
    [
        # exactly a first moment: that period, whatever the interval was inferred from
        ("daily", "2026-11-20T00:00:00+00:00", DAY_19, "2026-11-20"),
        ("daily", "2026-11-20T00:00:00+00:00", DAY_23, "2026-11-20"),
        ("daily", "2026-11-20T00:00:00+00:00", (None, None), "2026-11-20"),
        ("daily", "2026-11-23T00:00:00+00:00", DAY_23, "2026-11-23"),
        ("daily", "2026-11-20T01:00:00+01:00", DAY_19, "2026-11-20"),
        ("daily", "2026-11-19T19:00:00-05:00", DAY_19, "2026-11-20"),
        ("daily", "0001-01-01T00:00:00+00:00", DAY_23, "0001-01-01"),
        ("weekly", "2026-11-16T00:00:00+00:00", WEEK_16, "2026-11-16 to 2026-11-22"),
        ("weekly", "2026-11-09T00:00:00+00:00", WEEK_16, "2026-11-09 to 2026-11-15"),
        ("monthly", "2026-10-01T00:00:00+00:00", OCTOBER, "2026-10-01 to 2026-10-31"),
        ("monthly", "2026-09-01T02:00:00+02:00", OCTOBER, "2026-09-01 to 2026-09-30"),
        # any other moment: the interval, which is the last completed period at that moment
        ("daily", "2026-11-24T10:00:00+00:00", DAY_23, "2026-11-23"),
        ("daily", "2026-11-24T00:00:00.000001+00:00", DAY_23, "2026-11-23"),
        ("daily", "2026-11-24T23:59:59.999999+00:00", DAY_23, "2026-11-23"),
        ("daily", "2026-11-24T00:00:00-02:00", DAY_23, "2026-11-23"),
        ("daily", "2026-11-20T12:00:00+00:00", DAY_19, "2026-11-19"),
        ("daily", "2026-11-24T10:00:00+00:00", (None, None), "2026-11-23"),
        # a midnight that begins no week or no month
        ("weekly", "2026-11-24T00:00:00+00:00", WEEK_16, "2026-11-16 to 2026-11-22"),
        ("monthly", "2026-11-02T00:00:00+00:00", OCTOBER, "2026-10-01 to 2026-10-31"),
    ],
)
def test_a_manual_run_with_a_logical_date_is_for_what_that_means(kind, logical, interval, expected):
    assert day_of(kind=kind, logical=logical, start=interval[0], end=interval[1]) == expected


@pytest.mark.parametrize(
    ("kind", "logical", "interval"),
    [
        # an interval inferred from now, with a logical date of some days ago
        ("daily", "2026-11-20T12:00:00+00:00", DAY_23),
        ("daily", "2026-11-23T12:00:00+00:00", DAY_23),
        ("daily", "2026-11-20T12:00:00+00:00", (None, None)),
        # an interval given by hand, with a logical date in it
        ("daily", "2026-11-15T12:00:00+00:00", DAY_15),
        ("weekly", "2026-11-17T00:00:00+00:00", WEEK_16),
        ("weekly", "2026-11-16T00:00:00.000001+00:00", WEEK_16),
        ("monthly", "2026-10-31T23:59:59+00:00", OCTOBER),
    ],
)
def test_a_data_interval_that_contradicts_the_logical_date_is_refused(kind, logical, interval):
    with pytest.raises(InvalidInputError, match=r"^logical date: .* contradicts the run's (data interval|run_after)"):
        day_of(kind=kind, logical=logical, start=interval[0], end=interval[1])


@pytest.mark.parametrize(
    ("kind", "logical", "over_at"),
    [
        ("daily", "2026-11-24T00:00:00+00:00", "2026-11-25T00:00:00+00:00"),
        ("daily", "2026-11-28T00:00:00+00:00", "2026-11-29T00:00:00+00:00"),
        ("weekly", "2026-11-23T00:00:00+00:00", "2026-11-30T00:00:00+00:00"),
        ("monthly", "2026-11-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00"),
    ],
)
def test_a_logical_date_whose_period_has_not_ended_is_refused_until_it_has(kind, logical, over_at):
    end = datetime.datetime.fromisoformat(over_at)
    just_before = (end - datetime.timedelta.resolution).isoformat()
    for now in (NOW, just_before):
        with pytest.raises(InvalidInputError, match=r"^logical date: .* It has not ended\. .* with date in its conf"):
            day_of(kind=kind, logical=logical, start=DAY_23[0], end=DAY_23[1], now=now)
    assert day_of(kind=kind, logical=logical, start=DAY_23[0], end=DAY_23[1], now=over_at).startswith(logical[:10])


def test_the_date_of_the_conf_wins_over_the_logical_date():
    for logical in ("2026-11-20T00:00:00+00:00", "2026-11-24T00:00:00+00:00", "2026-11-20T12:00:00+00:00"):
        assert day_of(logical=logical, start=DAY_23[0], end=DAY_23[1], date="2026-11-05") == "2026-11-05"


@pytest.mark.parametrize("triggered_by", ["schedule", "backfill"])
def test_a_scheduled_run_is_for_its_data_interval_whatever_its_logical_date(triggered_by):
    for logical in ("2026-11-15T00:00:00+00:00", "2026-11-16T03:00:00+00:00", None):
        assert day_of(triggered_by, logical=logical, start=DAY_15[0], end=DAY_15[1]) == "2026-11-15"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("date", ["9999-12-31", "9999-12-30", "9999-12-27", "9999-12-01", "9999-11-30"])
def test_a_date_at_the_end_of_the_calendar_is_in_the_future(kind, date):
    with pytest.raises(InvalidInputError, match=rf"^date: {date} is in the future"):
        day_of(kind=kind, date=date)


def test_the_period_that_the_calendar_ends_in_has_no_end():
    last = datetime.date(9999, 12, 31)
    for kind in KINDS.values():
        with pytest.raises(InvalidInputError, match="ends after 9999-12-31, the last date there is"):
            _ = kind.containing(last).end


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("daily", "0001-01-01"),
        ("weekly", "0001-01-01 to 0001-01-07"),
        ("monthly", "0001-01-01 to 0001-01-31"),
    ],
)
def test_a_date_at_the_beginning_of_the_calendar_is_one_like_any_other(kind, expected):
    assert day_of(kind=kind, date="0001-01-01") == expected


def test_nothing_is_completed_where_the_calendar_begins():
    for kind in KINDS:
        with pytest.raises(InvalidInputError, match=r"^date: there is no (day|week|month) before 0001-01-01"):
            day_of(kind=kind, run_after="0001-01-01T12:00:00+00:00")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_moment_that_is_in_no_year_of_utc_is_refused(moment):
    for given in ({"run_after": moment}, {"logical": moment}, {"start": moment, "end": moment}):
        with pytest.raises(InvalidInputError, match=r"is in no year of UTC"):
            day_of(**given)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("9999-12-31T00:00:00+00:00", "9999-12-31T23:59:59+00:00"),
        ("9999-12-30T00:00:00+00:00", "9999-12-31T00:00:00+00:00"),
        ("9999-12-27T00:00:00+00:00", "9999-12-31T23:59:59+00:00"),
        ("9999-12-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"),
    ],
)
def test_a_data_interval_at_the_end_of_the_calendar_is_refused(kind, start, end):
    for triggered_by in ("schedule", "manual"):
        with pytest.raises(InvalidInputError, match=r"^(data interval|date): "):
            day_of(triggered_by, kind=kind, start=start, end=end)
