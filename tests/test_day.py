"""Which UTC day a run is for."""

from __future__ import annotations

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from communication_trends.day import Day, parse_date, trend_day
from communication_trends.errors import InvalidInputError

NOW = "2026-11-24T10:00:00+00:00"


def day_of(triggered_by="manual", *, run_after=NOW, start=None, end=None, date=None, now=NOW):
    moments: dict[str, Any] = {
        name: datetime.datetime.fromisoformat(value) if value else None
        for name, value in {
            "run_after": run_after,
            "data_interval_start": start,
            "data_interval_end": end,
            "now": now,
        }.items()
    }
    return str(trend_day(triggered_by=triggered_by, date=date, **moments))


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
    day = Day(datetime.date(2024, 2, 29))
    assert (day.start, day.end) == (datetime.datetime(2024, 2, 29), datetime.datetime(2024, 3, 1))
    assert day.start.tzinfo is None
