"""Named days, from a file's text."""

from __future__ import annotations

import datetime

import pytest

from communication_trends.core.errors import InvalidInputError
from communication_trends.core.marks import Mark, marks_between, names_in, parse_marks
from communication_trends.core.period import DAILY, MONTHLY, WEEKLY

D = datetime.date.fromisoformat
FRIDAY = Mark(D("2026-11-27"), D("2026-11-27"), "Black Friday")
CHRISTMAS = Mark(D("2026-12-24"), D("2026-12-26"), "Christmas, everywhere")
TEXT = """
# holidays
2026-12-24..2026-12-26   Christmas, everywhere

2026-11-27 Black Friday
"""


def test_named_days_are_read_in_their_order():
    assert parse_marks(TEXT) == [FRIDAY, CHRISTMAS]
    assert parse_marks("") == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("Black Friday", "line 2 is 'Black Friday': give a date and a name"),
        ("2026-11-27", "line 2 is '2026-11-27': give"),
        ("2026-02-30 Never", "line 2 is '2026-02-30 Never': give"),
        ("2026-12-26..2026-12-24 Backwards", "line 2 ends before it begins"),
        (f"2026-12-26 {'n' * 81}", "line 2 has a name of more than 80 characters"),
    ],
)
def test_a_line_that_is_none_is_named(line, problem):
    with pytest.raises(InvalidInputError) as error:
        parse_marks(f"2026-11-27 Black Friday\n{line}")
    assert str(error.value).startswith(problem)


def test_a_name_is_one_line_without_what_turns_other_text():
    assert [mark.name for mark in parse_marks("2026-11-27 Black\t\u202eFriday \u200b")] == ["Black Friday"]


def test_a_month_with_many_names_says_three():
    marks = parse_marks("\n".join(f"2026-12-{day:02} Sale {day}" for day in (1, 3, 5, 7, 7, 9)))
    assert names_in(marks, MONTHLY.containing(D("2026-12-01"))) == "Sale 1, Sale 3, Sale 5 and 2 more"
    assert names_in(marks, DAILY.containing(D("2026-12-07"))) == "Sale 7"


def test_which_days_of_a_period_have_a_name():
    marks = parse_marks(TEXT)
    assert marks_between(marks, D("2026-12-26"), D("2026-12-31")) == [CHRISTMAS]
    assert marks_between(marks, D("2026-12-27"), D("2026-12-31")) == []
    assert names_in(marks, DAILY.containing(D("2026-11-27"))) == "Black Friday"
    assert names_in(marks, DAILY.containing(D("2026-11-28"))) == ""
    assert names_in(marks, WEEKLY.containing(D("2026-12-21"))) == "Christmas, everywhere"
