"""What a request asks for: the parameters of its query in, a range of periods out."""

import datetime
import difflib
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator

from communication_trends.core.period import KINDS, Granularity, utc_date, utc_now
from communication_trends.core.period_range import FRESHNESS_GRACE, Range

# Dependencies are functions, and their annotations are no strings: FastAPI before 0.123.7, which Airflow 3.1 has,
# takes the query parameters of anything else as unknown, and ignores them.

MAX_OF_ONE = 366
"""Periods of one organization at most."""

MAX_OF_ALL = 92
"""Periods over all organizations at most."""

MAX_OF_ALL_JUDGED = 14
"""Periods over all organizations at most, where each is compared with others before it."""

COMMON = ("period", "from", "to", "organization", "format")
"""Parameters that a route may be given though it makes no use of them."""

DEFAULT_LENGTHS = {"daily": 30, "weekly": 12, "monthly": 12}


def range_of(
    kind: Granularity,
    first: datetime.date | None,
    last: datetime.date | None,
    *,
    now: datetime.datetime,
    default_length: int = 0,
) -> Range:
    """
    Return the range that two dates name; each date means the period that it is in.

    :param kind: the length of its periods.
    :param first: ``from``, a UTC date; by default as many periods as is usual before the last one.
    :param last: ``to``, a UTC date; by default in the last period whose run is due.
    :param now: the present, aware.
    :param default_length: periods without ``from``; 0 for what is usual of the kind.
    :raises RequestValidationError: for the future, years before 2000, or a range that ends before it begins.
    """
    today = utc_date(now)
    due = kind.last_due(now)
    for field, date in (("to", last), ("from", first)):
        # the last date of the current period, which an answer has as its `to`, is in a period that has begun
        if date is not None and kind.containing(date).first_date > today:
            raise invalid(field, date, f"is in the future: today is {today} (UTC)")
        if date is not None and date.year < 2000:
            raise invalid(field, date, "is before the year 2000")
    if last is not None:
        end = kind.containing(last)
    else:
        end = max(due, kind.containing(first or due.first_date), key=lambda period: period.first_date)
    begin = kind.containing(first) if first else end.minus((default_length or DEFAULT_LENGTHS[kind.name]) - 1)
    if begin.first_date > end.first_date:
        raise invalid("from", first, f"is after to, {last}")
    return Range(begin, end, due, kind.last_completed(now))


def bounded(given: Range, limit: int) -> Range:
    """
    Return the range.

    :param limit: periods at most.
    :raises RequestValidationError: when there are more; names ``from``.
    """
    if given.length > limit:
        earliest = given.last.minus(limit - 1).first_date
        problem = f"makes {given.length} {given.kind.noun}s; {limit} at most, so {earliest} or later"
        raise invalid("from", given.from_, problem)
    return given


def invalid(field: str, value: object, problem: str) -> RequestValidationError:
    """Return the error that FastAPI answers with 422, naming a field of the query and its value."""
    entry = {"type": "value_error", "loc": ("query", field), "msg": f"{field}: {value} {problem}", "input": str(value)}
    return RequestValidationError([entry])


# async: the threads that others would run on are Airflow's as well
async def refuse_unknown_parameters(request: Request) -> None:
    """
    Reject a parameter that the route does not have, or that is given twice.

    If it were ignored, the answer would be to another question.

    :param request: the request; each route accepts the common parameters.
    :raises RequestValidationError: naming the parameter, and the nearest one that the route has.
    """
    known = _query_parameters(request.scope["route"].dependant).union(COMMON)
    given = request.query_params.multi_items()
    for name, value in given:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1) or sorted(known)
            raise invalid(name, value, f"was given, but this route has no such parameter; it has {', '.join(nearest)}")
        if len(values := [each for one, each in given if one == name]) > 1:
            raise invalid(name, " and ".join(values), "cannot both be asked for: give it once")


def _query_parameters(dependant: Dependant) -> set[str]:
    return {one.alias for one in dependant.query_params}.union(*map(_query_parameters, dependant.dependencies))


def asked_kind(
    period: Annotated[
        Literal["daily", "weekly", "monthly"],
        Query(description="Whose trends: of days, weeks (Monday to Sunday) or months."),
    ] = "daily",
) -> Granularity:
    """Return the length of the periods that a request asks for."""
    return KINDS[period]


async def asked_at() -> datetime.datetime:
    """Return when a request asks; once, since what is due may change before its answer gets its tag."""
    return utc_now()


Kind = Annotated[Granularity, Depends(asked_kind)]
Now = Annotated[datetime.datetime, Depends(asked_at)]


def _written_as_date(value: object) -> object:
    """Refuse what else pydantic takes for a date: of digits alone it makes seconds since 1970."""
    if isinstance(value, str) and value[4:5] != "-":
        raise ValueError("give a date like 2026-11-01")
    return value


Date = Annotated[datetime.date, BeforeValidator(_written_as_date)]
First = Annotated[
    Date | None,
    Query(alias="from", description="A UTC date in the first period; default: 30 days, 12 weeks or 12 months in all."),
]
Last = Annotated[
    Date | None,
    Query(alias="to", description="A UTC date in the last period; default: the last one whose run is due."),
]


def asked_of_all(kind: Kind, now: Now, first: First = None, last: Last = None) -> Range:
    """Return the range that a request asks for, over all organizations."""
    return bounded(range_of(kind, first, last, now=now), MAX_OF_ALL)


def asked_compared(
    kind: Kind,
    now: Now,
    first: First = None,
    last: Last = None,
    compare: Annotated[
        Literal["previous", "quarter", "year"],
        Query(
            description="What to compare with: the range just before (of days, whole weeks before), or the one a "
            "quarter (13 weeks, 3 months) or a year (52 weeks, 12 months) before; of a longer range, so many weeks or "
            "months more (of a year, whole years) that the two do not overlap."
        ),
    ] = "previous",
) -> Range:
    """Return the range that a request asks for, over all organizations, and what it is compared with."""
    return replace(asked_of_all(kind, now, first, last), compare=compare)


def asked_of_one(kind: Kind, now: Now, first: First = None, last: Last = None) -> Range:
    """Return the range that a request asks for, of one organization."""
    return bounded(range_of(kind, first, last, now=now), MAX_OF_ONE)


def due_range(kind: Kind, now: Now, first: First = None, last: Last = None) -> Range:
    """Return the range that a request asks for, up to what should be stored by now: its run is due for an hour."""
    given = range_of(kind, first, last, now=now)
    due = kind.last_due(now - FRESHNESS_GRACE)
    begin, end = (min(period, due, key=lambda one: one.first_date) for period in (given.first, given.last))
    return bounded(Range(begin, end, due, kind.last_completed(now)), MAX_OF_ALL)


def asked_latest(kind: Kind, now: Now, first: First = None, last: Last = None) -> Range:
    """Return the range that a request asks for; by default the last period whose run is due."""
    return bounded(range_of(kind, first, last, now=now, default_length=1), MAX_OF_ALL)


def asked_changes(
    changed_since: Annotated[
        str | None,
        Query(
            alias="changedSince",
            description="A moment, ISO 8601 with a time zone: answer also which periods' trends have changed since "
            "then, of all periods. In CSV, these are the rows.",
            json_schema_extra={"format": "date-time"},
        ),
    ] = None,
) -> datetime.datetime | None:
    """Return the moment since which a request asks for changes."""
    if changed_since is None:
        return None
    remedy = "give one like 2026-11-01T03:00:00Z; in an address, a + is %2B"
    try:
        moment = datetime.datetime.fromisoformat(changed_since)
    except ValueError:
        raise invalid("changedSince", changed_since, f"is not an ISO 8601 moment: {remedy}") from None
    if moment.tzinfo is None:
        raise invalid("changedSince", changed_since, f"has no time zone: {remedy}")
    return moment


RangeOfAll = Annotated[Range, Depends(asked_of_all)]
ComparedRange = Annotated[Range, Depends(asked_compared)]
RangeOfOne = Annotated[Range, Depends(asked_of_one)]
DueRange = Annotated[Range, Depends(due_range)]
LatestRange = Annotated[Range, Depends(asked_latest)]
ChangedSince = Annotated[datetime.datetime | None, Depends(asked_changes)]
