"""The UTC-day timetable, stated as dates."""

from __future__ import annotations

import datetime

import pendulum
import pytest
import time_machine
from airflow.timetables.base import DataInterval, TimeRestriction, Timetable

from communication_trends.core.period import KINDS, MONTHLY, WEEKLY, Granularity
from communication_trends.plugin import CommunicationTrendsPlugin
from communication_trends.timetable import PeriodTimetable


def at(text: str, timezone: str = "UTC") -> pendulum.DateTime:
    moment = pendulum.parse(text, tz=timezone)
    assert isinstance(moment, pendulum.DateTime)
    return moment


def interval(date: str) -> DataInterval:
    return DataInterval(at(date), at(date).add(days=1))


def days(first: pendulum.DateTime, last: pendulum.DateTime) -> list[str]:
    """Walk through a range, as a backfill does, and return the days as dates."""
    found: list[str] = []
    last_interval = None
    while True:
        info = PeriodTimetable().next_dagrun_info(
            last_automated_data_interval=last_interval, restriction=TimeRestriction(first, last, catchup=True)
        )
        if info is None:
            return found
        last_interval = info.data_interval
        assert last_interval is not None
        assert last_interval.end - last_interval.start == datetime.timedelta(hours=24)
        assert info.run_after == last_interval.end.add(hours=3)
        assert (last_interval.start.offset, last_interval.start.time()) == (0, datetime.time.min)
        found.append(last_interval.start.to_date_string())


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"])
@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-11-01", "2026-11-04", ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04"]),
        ("2026-11-01", "2026-11-01", ["2026-11-01"]),
        ("2025-12-30", "2026-01-01", ["2025-12-30", "2025-12-31", "2026-01-01"]),
        ("2024-02-28", "2024-03-01", ["2024-02-28", "2024-02-29", "2024-03-01"]),
        # clocks change on 29 March and 25 October in Berlin, on 8 March and 1 November in New York
        ("2026-03-28", "2026-03-30", ["2026-03-28", "2026-03-29", "2026-03-30"]),
        ("2026-10-24", "2026-10-26", ["2026-10-24", "2026-10-25", "2026-10-26"]),
        ("2026-03-07", "2026-03-09", ["2026-03-07", "2026-03-08", "2026-03-09"]),
    ],
)
def test_a_range_given_as_dates_is_those_days_whatever_airflows_default_timezone(timezone, first, last, expected):
    assert days(at(first, timezone), at(last, timezone)) == expected


def test_a_range_given_as_moments_is_the_midnights_between_them():
    assert days(at("2026-11-01T03:00"), at("2026-11-03T02:59")) == ["2026-11-02", "2026-11-03"]
    assert days(at("2026-11-01T00:00:01"), at("2026-11-01T23:59:59")) == []


def next_day(last: str | None, now: str, *, earliest: str | None = "2024-01-01", latest: str | None = None) -> str:
    with time_machine.travel(at(now), tick=False):
        info = PeriodTimetable().next_dagrun_info(
            last_automated_data_interval=interval(last) if last else None,
            restriction=TimeRestriction(
                at(earliest) if earliest else None, at(latest) if latest else None, catchup=False
            ),
        )
    assert info is not None
    assert info.data_interval is not None
    return f"{info.data_interval.start.to_date_string()} at {info.run_after.to_datetime_string()}"


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        # first run: the latest day that is due
        (None, "2026-11-24T10:00", "2026-11-23 at 2026-11-24 03:00:00"),
        (None, "2026-11-24T03:00", "2026-11-23 at 2026-11-24 03:00:00"),
        (None, "2026-11-24T02:59:59", "2026-11-22 at 2026-11-23 03:00:00"),
        # then one day after the other
        ("2026-11-22", "2026-11-24T02:00", "2026-11-23 at 2026-11-24 03:00:00"),
        ("2026-11-23", "2026-11-24T03:05", "2026-11-24 at 2026-11-25 03:00:00"),
        ("2026-12-31", "2027-01-01T03:05", "2027-01-01 at 2027-01-02 03:00:00"),
        # after a pause only the latest
        ("2026-10-01", "2026-11-24T10:00", "2026-11-23 at 2026-11-24 03:00:00"),
    ],
)
def test_the_scheduler_runs_each_day_at_three_and_does_not_catch_up(last, now, expected):
    assert next_day(last, now) == expected


def test_nothing_starts_before_the_start_date_or_after_the_end_date():
    assert next_day(None, "2026-11-24T10:00", earliest="2026-12-01") == "2026-12-01 at 2026-12-02 03:00:00"
    timetable = PeriodTimetable()
    assert (
        timetable.next_dagrun_info(
            last_automated_data_interval=interval("2026-11-30"),
            restriction=TimeRestriction(at("2026-11-01"), at("2026-11-30"), catchup=True),
        )
        is None
    )
    assert (
        timetable.next_dagrun_info(
            last_automated_data_interval=None, restriction=TimeRestriction(None, None, catchup=True)
        )
        is None
    )


@pytest.mark.parametrize(
    ("run_after", "expected"),
    [
        ("2026-11-24T00:00", "2026-11-23"),
        ("2026-11-24T23:59", "2026-11-23"),
        ("2024-03-01T12:00", "2024-02-29"),
        ("2027-01-01T00:00", "2026-12-31"),
    ],
)
def test_a_manual_runs_data_interval_is_the_last_day_that_has_ended(run_after, expected):
    assert PeriodTimetable().infer_manual_data_interval(run_after=at(run_after)) == interval(expected)


def test_airflow_can_store_it_and_read_it_back():
    timetable = PeriodTimetable()
    again = PeriodTimetable.deserialize(timetable.serialize())
    assert isinstance(again, Timetable)
    assert again.summary == "every day at 03:00 UTC"
    for kind in KINDS.values():
        again = PeriodTimetable.deserialize(PeriodTimetable(kind).serialize())
        assert isinstance(again, PeriodTimetable)
        assert again.kind is kind


def starts(kind: Granularity, first: str, last: str, timezone: str) -> list[str]:
    """Return the first dates of the periods that a backfill of a range makes."""
    found: list[str] = []
    last_interval = None
    restriction = TimeRestriction(at(first, timezone), at(last, timezone), catchup=True)
    while info := PeriodTimetable(kind).next_dagrun_info(
        last_automated_data_interval=last_interval, restriction=restriction
    ):
        last_interval = info.data_interval
        assert last_interval is not None
        found.append(last_interval.start.date().isoformat())
    return found


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"])
@pytest.mark.parametrize(
    ("kind", "first", "last", "expected"),
    [
        # weeks whose Monday is in the range, both ends included
        (WEEKLY, "2026-11-01", "2026-11-30", ["2026-11-02", "2026-11-09", "2026-11-16", "2026-11-23", "2026-11-30"]),
        (WEEKLY, "2026-11-02", "2026-11-02", ["2026-11-02"]),
        (WEEKLY, "2026-11-03", "2026-11-08", []),
        (WEEKLY, "2026-12-28", "2027-01-03", ["2026-12-28"]),
        # months whose 1st is
        (MONTHLY, "2026-11-01", "2026-11-30", ["2026-11-01"]),
        (MONTHLY, "2024-01-31", "2024-03-01", ["2024-02-01", "2024-03-01"]),
        (MONTHLY, "2026-11-02", "2026-11-30", []),
    ],
)
def test_a_backfill_makes_the_periods_that_begin_in_the_range(timezone, kind, first, last, expected):
    assert starts(kind, first, last, timezone) == expected


@pytest.mark.parametrize(
    ("kind", "now", "expected", "run_after"),
    [
        (WEEKLY, "2026-11-24T10:00", "2026-11-16", "2026-11-23 03:30:00"),
        (WEEKLY, "2026-11-23T03:29", "2026-11-09", "2026-11-16 03:30:00"),
        (WEEKLY, "2027-01-04T03:30", "2026-12-28", "2027-01-04 03:30:00"),
        (MONTHLY, "2024-03-01T04:00", "2024-02-01", "2024-03-01 04:00:00"),
        (MONTHLY, "2024-03-01T03:59", "2024-01-01", "2024-02-01 04:00:00"),
    ],
)
def test_the_scheduler_runs_a_week_on_monday_and_a_month_on_the_first(kind, now, expected, run_after):
    with time_machine.travel(at(now), tick=False):
        info = PeriodTimetable(kind).next_dagrun_info(
            last_automated_data_interval=None, restriction=TimeRestriction(at("2024-01-01"), None, catchup=False)
        )
    assert info is not None
    assert info.data_interval is not None
    assert (info.data_interval.start.to_date_string(), info.run_after.to_datetime_string()) == (expected, run_after)
    assert info.logical_date == info.data_interval.start


def test_a_manual_run_of_the_weekly_dag_has_the_last_week_as_its_data_interval():
    interval = PeriodTimetable(WEEKLY).infer_manual_data_interval(run_after=at("2026-11-24T00:00"))
    assert (interval.start, interval.end) == (at("2026-11-16"), at("2026-11-23"))


@pytest.mark.parametrize(
    ("kind", "first", "last", "expected"),
    [
        (KINDS["daily"], "9999-12-29", "9999-12-31", ["9999-12-29", "9999-12-30"]),
        (KINDS["daily"], "9999-12-31T12:00", "9999-12-31T23:00", []),
        (WEEKLY, "9999-12-14", "9999-12-31", ["9999-12-20"]),
        (MONTHLY, "9999-10-15", "9999-12-31", ["9999-11-01"]),
        (KINDS["daily"], "0001-01-01", "0001-01-02", ["0001-01-01", "0001-01-02"]),
        (WEEKLY, "0001-01-01", "0001-01-08", ["0001-01-01", "0001-01-08"]),
        (MONTHLY, "0001-01-01", "0001-02-01", ["0001-01-01", "0001-02-01"]),
    ],
)
def test_a_range_at_an_end_of_the_calendar_has_the_periods_that_are_whole(kind, first, last, expected):
    assert starts(kind, first, last, "UTC") == expected


def test_no_interval_can_be_inferred_where_the_calendar_begins():
    for kind in KINDS.values():
        with pytest.raises(ValueError, match=r"there is no .* before 0001-01-01"):
            PeriodTimetable(kind).infer_manual_data_interval(run_after=at("0001-01-01T12:00"))


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        # what any version has stored with its DAGs: none of it is ever renamed or removed
        ({"__type": "communication_trends.timetable.UtcDayTimetable", "__var": {}}, "daily"),
        ({"__type": "communication_trends.timetable.PeriodTimetable", "__var": {"period": "daily"}}, "daily"),
        ({"__type": "communication_trends.timetable.PeriodTimetable", "__var": {"period": "weekly"}}, "weekly"),
        ({"__type": "communication_trends.timetable.PeriodTimetable", "__var": {"period": "monthly"}}, "monthly"),
    ],
)
def test_a_timetable_that_any_version_has_stored_is_registered_and_read(stored, name):
    registered = {f"{one.__module__}.{one.__qualname__}": one for one in CommunicationTrendsPlugin.timetables}
    timetable = registered[stored["__type"]].deserialize(stored["__var"])
    assert isinstance(timetable, PeriodTimetable)
    assert timetable.kind is KINDS[name]
    assert timetable.serialize() == stored["__var"]
