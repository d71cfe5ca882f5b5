"""Which periods a request asks for; the expected dates are from a calendar."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from fastapi.exceptions import RequestValidationError

from communication_trends.core.period import DAILY, KINDS, MONTHLY, WEEKLY
from communication_trends.web.ranges import bounded, range_of

D = datetime.date.fromisoformat


def at(moment: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(f"{moment}+00:00")


@pytest.mark.parametrize(
    ("kind", "now", "first", "last"),
    [
        # before 03:00 UTC yesterday is not due
        ("daily", "2026-11-25 02:59", "2026-10-25", "2026-11-23"),
        ("daily", "2026-11-25 03:00", "2026-10-26", "2026-11-24"),
        # the week of Monday 11-16 is due on Monday 11-23 at 03:30
        ("weekly", "2026-11-23 03:29", "2026-08-24", "2026-11-15"),
        ("weekly", "2026-11-23 03:30", "2026-08-31", "2026-11-22"),
        ("monthly", "2026-12-01 03:59", "2025-11-01", "2026-10-31"),
        ("monthly", "2026-12-01 04:00", "2025-12-01", "2026-11-30"),
    ],
)
def test_the_range_by_default_ends_with_the_last_due_period(kind, now, first, last):
    found = range_of(KINDS[kind], None, None, now=at(now))
    assert (found.from_, found.to) == (D(first), D(last))
    assert found.last == found.due


@pytest.mark.parametrize(
    ("kind", "asked", "found", "length"),
    [
        (DAILY, ("2026-10-01", "2026-10-07"), ("2026-10-01", "2026-10-07"), 7),
        (WEEKLY, ("2026-10-07", "2026-10-12"), ("2026-10-05", "2026-10-18"), 2),
        (WEEKLY, ("2025-12-31", "2026-01-01"), ("2025-12-29", "2026-01-04"), 1),
        (MONTHLY, ("2024-02-29", "2024-03-01"), ("2024-02-01", "2024-03-31"), 2),
        (MONTHLY, ("2025-11-30", "2026-02-01"), ("2025-11-01", "2026-02-28"), 4),
    ],
)
def test_a_date_means_the_period_it_is_in(kind, asked, found, length):
    given = range_of(kind, *map(D, asked), now=at("2026-11-25 12:00"))
    assert (given.from_, given.to, given.length) == (D(found[0]), D(found[1]), length)
    assert [period.first_date for period in given.periods()][-1] == D(found[0])
    assert len(given.periods()) == length


@pytest.mark.parametrize(("kind", "last"), [(DAILY, "2026-11-25"), (WEEKLY, "2026-11-29"), (MONTHLY, "2026-11-30")])
def test_the_last_date_of_the_current_period_can_be_asked_for_as_it_was_answered(kind, last):
    """Wednesday: the week ends on Sunday, and the month on Monday."""
    now = at("2026-11-25 12:00")
    given = range_of(kind, None, D("2026-11-25"), now=now)
    assert given.to == D(last)
    assert range_of(kind, given.from_, given.to, now=now) == given
    with pytest.raises(RequestValidationError, match="is in the future"):
        range_of(kind, None, D(last) + datetime.timedelta(1), now=now)


@pytest.mark.parametrize(
    ("kind", "asked", "before"),
    [
        # whole weeks, the fewest that are not shorter
        (DAILY, ("2026-11-20", "2026-11-24"), ("2026-11-13", "2026-11-17")),
        (DAILY, ("2026-11-18", "2026-11-24"), ("2026-11-11", "2026-11-17")),
        (DAILY, ("2026-11-17", "2026-11-24"), ("2026-11-03", "2026-11-10")),
        (DAILY, ("2026-10-26", "2026-11-24"), ("2026-09-21", "2026-10-20")),
        (WEEKLY, ("2026-11-02", "2026-11-22"), ("2026-10-12", "2026-11-01")),
        (MONTHLY, ("2026-02-01", "2026-03-31"), ("2025-12-01", "2026-01-31")),
    ],
)
def test_the_range_before_has_the_same_weekdays(kind, asked, before):
    given = range_of(kind, *map(D, asked), now=at("2026-11-25 12:00"))
    earlier = given.earlier(given.shift())
    assert (earlier.from_, earlier.to) == (D(before[0]), D(before[1]))


@pytest.mark.parametrize(
    ("first", "last", "field"),
    [
        ("2026-12-01", None, "from"),
        (None, "2026-12-01", "to"),
        ("2026-11-02", "2026-11-01", "from"),
        (None, "1999-12-31", "to"),
        ("0001-01-01", None, "from"),
    ],
)
def test_what_cannot_be_asked_for_is_named(first, last, field):
    for kind in KINDS.values():
        if kind is not DAILY and first == "2026-11-02":
            continue
        with pytest.raises(RequestValidationError) as raised:
            range_of(kind, first and D(first), last and D(last), now=at("2026-11-25 12:00"))
        [problem] = raised.value.errors()
        assert problem["loc"] == ("query", field)
        assert (first or last) in problem["msg"]


def test_ranges_are_bounded_by_their_number_of_periods():
    weeks = range_of(WEEKLY, D("2025-01-06"), D("2026-10-11"), now=at("2026-11-25 12:00"))
    assert weeks.length == 92
    assert bounded(weeks, 92) is weeks
    with pytest.raises(RequestValidationError, match="2025-01-13 or later"):
        bounded(weeks, 91)


def test_today_can_be_asked_for_though_it_is_not_due():
    found = range_of(DAILY, D("2026-11-25"), None, now=at("2026-11-25 12:00"))
    assert (found.from_, found.to, found.due.first_date) == (D("2026-11-25"), D("2026-11-25"), D("2026-11-24"))


@pytest.mark.parametrize(
    ("kind", "asked", "compare", "before"),
    [
        # a quarter of 92 days begins 14 weeks after the one before, by the weekday
        (DAILY, ("2026-07-01", "2026-09-30"), "quarter", ("2026-03-25", "2026-06-24")),
        (DAILY, ("2026-10-01", "2026-12-31"), "quarter", ("2026-06-25", "2026-09-24")),
        (DAILY, ("2026-01-01", "2026-03-31"), "quarter", ("2025-10-02", "2025-12-30")),
        (DAILY, ("2026-11-20", "2026-11-24"), "quarter", ("2026-08-21", "2026-08-25")),
        (DAILY, ("2026-07-01", "2026-09-30"), "year", ("2025-07-02", "2025-10-01")),
        (WEEKLY, ("2026-06-29", "2026-10-04"), "quarter", ("2026-03-23", "2026-06-28")),
        (MONTHLY, ("2026-07-01", "2026-09-30"), "quarter", ("2026-04-01", "2026-06-30")),
        (MONTHLY, ("2024-02-01", "2024-02-29"), "year", ("2023-02-01", "2023-02-28")),
    ],
)
def test_the_range_a_quarter_or_a_year_before_does_not_overlap(kind, asked, compare, before):
    given = replace(range_of(kind, *map(D, asked), now=at("2027-01-25 12:00")), compare=compare)
    found = given.earlier(given.shift())
    assert (found.from_, found.to) == tuple(map(D, before))
