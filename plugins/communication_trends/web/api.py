"""The API's routes: read-only, bounded, in typed camelCase JSON, and each as CSV too."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from fastapi import APIRouter, Depends, HTTPException, Query, Response
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy import select

from communication_trends import settings
from communication_trends.compat import run_after, triggered_by
from communication_trends.connections import connected
from communication_trends.database import Limits, Transaction
from communication_trends.errors import InvalidInputError
from communication_trends.period import DAILY, ONE_DAY, trend_period, utc_date

DAG_ID = "communication_trends_daily"

STATEMENT_TIMEOUT = 10
"""Seconds; a person is waiting."""

MAX_DAYS = 366
"""Longest range of one organization."""

MAX_DAYS_OF_ALL = 92
"""Longest range over all organizations."""

DEFAULT_DAYS = 30

COMPARABLE_DAYS = 3
"""Days of a week that must have passed before its comparison counts as complete."""


def requires_dag(access_entity: DagAccessEntity | None = None) -> Callable[[GetUserDep], None]:
    """
    Return a dependency that lets only users in who may read the DAG: 401 for nobody, 403 for others.

    Airflow's own ``requires_access_dag`` takes the id of a DAG only since 3.1.8.

    :param access_entity: what of the DAG must be readable beside it.
    """

    def check(user: GetUserDep) -> None:
        details = DagDetails(id=DAG_ID, team_name=DagModel.get_team_name(DAG_ID))
        if not get_auth_manager().is_authorized_dag(
            method="GET", access_entity=access_entity, details=details, user=user
        ):
            raise HTTPException(403, "Forbidden")

    return check


router = APIRouter(responses={401: {}, 403: {}, 503: {"description": "The database cannot answer; says why."}})


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=lambda name: to_camel(name.rstrip("_")), populate_by_name=True)


class Organization(_Model):
    """An organization."""

    id: str
    name: str
    slug: str


class Organizations(_Model):
    """One page of organizations, by name."""

    organizations: list[Organization]
    total_entries: int


class Hotspot(_Model):
    """A channel that ran hot on a day, as stored."""

    channel_id: str
    risk_score: int
    message_count: int


class TrendDay(_Model):
    """One UTC day. A missing one has null everywhere: nothing is known, which is not zero."""

    date: datetime.date
    missing: bool = Field(description="No trend is stored for this day.")
    topics: dict[str, int] | None
    tones: dict[str, int] | None
    escalations: dict[str, int] | None
    total_classifications: int | None
    avg_confidence: int | None = Field(description="0–100; also null on a day without any confidence.")
    hotspot_count: int | None


class OrganizationTrendDay(TrendDay):
    """One UTC day of one organization."""

    hotspots: list[Hotspot] | None


class AllTrendDay(TrendDay):
    """One UTC day over all organizations."""

    organizations_stored: int = Field(description="Organizations with a trend of this day.")


class Totals(_Model):
    """Sums over the days that are stored."""

    days: int
    missing_days: int
    topics: dict[str, int]
    tones: dict[str, int]
    escalations: dict[str, int]
    total_classifications: int
    risk_score: int | None = Field(description="Share of risky topics in percent, rounded half up.")
    avg_confidence: int | None = Field(description="Mean of the days' averages, weighted by their messages.")


class OrganizationTrends(_Model):
    """The trends of one organization, one entry per day of the range."""

    organization: Organization
    from_: datetime.date
    to: datetime.date
    totals: Totals
    days: list[OrganizationTrendDay]


class AllTrends(_Model):
    """The trends of all organizations together, one entry per day of the range."""

    from_: datetime.date
    to: datetime.date
    organizations_total: int
    totals: Totals
    days: list[AllTrendDay]


class RankedOrganization(_Model):
    """One organization over the range; the lists have one value per day, null where none is stored."""

    rank: int
    organization: Organization
    risk_score: int | None
    days_stored: int
    total_classifications: int
    escalations: int
    critical_escalations: int
    hotspot_count: int
    avg_confidence: int | None
    daily_classifications: list[int | None]
    daily_risky_classifications: list[int | None]
    daily_escalations: list[int | None]


class Overview(_Model):
    """One page of the organizations, the riskiest first."""

    from_: datetime.date
    to: datetime.date
    organizations: list[RankedOrganization]
    total_entries: int


class RankedHotspot(_Model):
    """A channel over the range."""

    organization: Organization
    channel_id: str
    risk_score: int | None = Field(description="Mean over its hot days, weighted by their messages.")
    peak_risk_score: int
    message_count: int
    days_hot: int
    last_hot_day: datetime.date


class Hotspots(_Model):
    """One page of the channels that ran hot, the riskiest first."""

    from_: datetime.date
    to: datetime.date
    hotspots: list[RankedHotspot]
    total_entries: int


class Period(_Model):
    """Some days of a week, Monday based."""

    from_: datetime.date
    to: datetime.date | None = Field(description="Last day counted; null while none has passed.")
    days: int
    missing_days: int


class Change(_Model):
    """One figure in both periods."""

    current: int | None
    previous: int | None
    change_percent: float | None = Field(description="One decimal; null where there is nothing to compare with.")


class Periods(_Model):
    """A week against the same days of the week before."""

    organization: Organization | None
    current: Period
    previous: Period
    incomplete: bool = Field(description="Fewer than three days have passed, or a day of either week is missing.")
    total_classifications: Change
    escalations: Change
    risk_score: Change
    avg_confidence: Change


class RunDay(_Model):
    """The UTC day that a run of the DAG is for."""

    run_id: str
    date: datetime.date
    state: str


class Range:
    """
    The days asked for, both included, in UTC; by default the 30 up to yesterday.

    :param first_day: ``from``.
    :param last_day: ``to``.
    """

    def __init__(
        self,
        first_day: Annotated[
            datetime.date | None, Query(alias="from", description="First UTC day; default: 30 days in all.")
        ] = None,
        last_day: Annotated[
            datetime.date | None, Query(alias="to", description="Last UTC day; default: yesterday.")
        ] = None,
    ) -> None:
        today = _today()
        self.last_day = last_day or max(today - ONE_DAY, first_day or datetime.date.min)
        if self.last_day > today:
            raise _invalid("to", self.last_day, f"is in the future: today is {today} (UTC)")
        if self.last_day.year < 2000:
            raise _invalid("to", self.last_day, "is before the year 2000")
        self.first_day = first_day or self.last_day - (DEFAULT_DAYS - 1) * ONE_DAY
        if self.first_day > self.last_day:
            raise _invalid("from", self.first_day, f"is after to, {self.last_day}")

    @property
    def days(self) -> int:
        """How many days."""
        return (self.last_day - self.first_day).days + 1

    @property
    def parameters(self) -> dict[str, datetime.datetime]:
        """The days as parameters of the SQL: their midnights, UTC."""
        return {"first_day": _midnight(self.first_day), "last_day": _midnight(self.last_day)}

    def bounded(self, limit: int) -> Range:
        """
        Return itself.

        :param limit: days at most.
        :raises RequestValidationError: when there are more; names ``from``.
        """
        if self.days > limit:
            earliest = self.last_day - (limit - 1) * ONE_DAY
            raise _invalid("from", self.first_day, f"makes {self.days} days; {limit} at most, so {earliest} or later")
        return self


def _range_of_all(given: Annotated[Range, Depends()]) -> Range:
    return given.bounded(MAX_DAYS_OF_ALL)


def _range_of_one(given: Annotated[Range, Depends()]) -> Range:
    return given.bounded(MAX_DAYS)


# PostgreSQL has no NUL in its texts
Text = Annotated[str, Field(max_length=200, pattern="^[^\x00]*$")]
RangeOfAll = Annotated[Range, Depends(_range_of_all)]
RangeOfOne = Annotated[Range, Depends(_range_of_one)]
OneOrganization = Annotated[Text, PathParameter(description="Id or slug.")]
AnyOrganization = Annotated[Text | None, Query(description="Id or slug; default: all organizations.")]
Search = Annotated[Text, Query(description="Part of a name or slug, in any case.")]
Limit = Annotated[int, Query(ge=1, le=200, description="Entries of the page.")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="Entries before the page.")]
Format = Annotated[Literal["json", "csv"], Query(description="csv: the same as a table, to download.")]


@router.get("/organizations")
def get_organizations(
    search: Search = "",
    limit: Limit = 50,
    offset: Offset = 0,
    format: Format = "json",  # noqa: A002
) -> Organizations:
    """Organizations whose name or slug contains a text, in pages."""
    with _reading() as database:
        rows = database.rows(_sql("web/organizations.sql"), {"search": search, "limit": limit, "offset": offset})
    # the first row is there even where the page is empty, for the number of entries
    found = [_organization(row, "id") for row in rows if row["id"]]
    if format == "csv":
        return _csv("organizations", [one.model_dump(by_alias=True) for one in found], list(Organization.model_fields))
    return Organizations(organizations=found, total_entries=rows[0]["total_entries"])


@router.get("/organizations/{organization}/trends")
def get_trends(organization: OneOrganization, days: RangeOfOne, format: Format = "json") -> OrganizationTrends:  # noqa: A002
    """Trends of one organization, day by day; days without one are marked as missing."""
    with _reading() as database:
        rows = database.rows(_sql("web/trends.sql"), {"organization": organization, **days.parameters})
    if not rows:
        raise HTTPException(404, f"There is no organization {organization!r}.")
    rows = rows[: days.days]
    trends = [
        OrganizationTrendDay(
            **_trend_day(row),
            hotspot_count=None if row["missing"] else len(row["channel_hotspots"]),
            hotspots=None if row["missing"] else row["channel_hotspots"],
        )
        for row in rows
    ]
    if format == "csv":
        return _trends_csv(f"trends-{rows[0]['slug']}-{days.first_day}-{days.last_day}", trends)
    return OrganizationTrends(
        organization=_organization(rows[0]),
        from_=days.first_day,
        to=days.last_day,
        totals=_totals(trends),
        days=trends,
    )


@router.get("/trends")
def get_trends_of_all(days: RangeOfAll, format: Format = "json") -> AllTrends:  # noqa: A002
    """Trends of all organizations together, day by day; days without any are marked as missing."""
    with _reading() as database:
        rows = database.rows(_sql("web/trends_of_all.sql"), days.parameters)
    trends = [
        AllTrendDay(
            **_trend_day(row),
            hotspot_count=None if row["missing"] else row["hotspot_count"],
            organizations_stored=row["organizations_stored"],
        )
        for row in rows
    ]
    if format == "csv":
        return _trends_csv(f"trends-{days.first_day}-{days.last_day}", trends)
    return AllTrends(
        from_=days.first_day,
        to=days.last_day,
        organizations_total=rows[0]["organizations_total"],
        totals=_totals(trends),
        days=trends,
    )


@router.get("/overview")
def get_overview(
    days: RangeOfAll,
    search: Search = "",
    limit: Limit = 50,
    offset: Offset = 0,
    format: Format = "json",  # noqa: A002
) -> Overview:
    """Organizations ranked by risk, in pages, each with its days."""
    with _reading() as database:
        rows = database.rows(
            _sql("web/overview.sql"),
            {
                "search": search,
                "limit": limit,
                "offset": offset,
                "hotspot_topics": settings.hotspot_topics(),
                "hotspot_min_messages": settings.hotspot_min_messages(),
                **days.parameters,
            },
        )
    ranked = [RankedOrganization(organization=_organization(row), **row) for row in rows]
    if format == "csv":
        series = {"daily_classifications", "daily_risky_classifications", "daily_escalations"}
        return _csv(
            f"overview-{days.first_day}-{days.last_day}",
            [_flat(one.model_dump(by_alias=True, exclude=series)) for one in ranked],
            _columns(RankedOrganization, without=series),
        )
    return Overview(
        from_=days.first_day,
        to=days.last_day,
        organizations=ranked,
        total_entries=rows[0]["total_entries"] if rows else 0,
    )


@router.get("/hotspots")
def get_hotspots(
    days: RangeOfAll,
    organization: AnyOrganization = None,
    limit: Limit = 50,
    offset: Offset = 0,
    format: Format = "json",  # noqa: A002
) -> Hotspots:
    """Channels that ran hot, ranked over the range, in pages."""
    with _reading() as database:
        one = _find(database, organization)
        rows = database.rows(
            _sql("web/hotspots.sql"),
            {"organization_id": one and one.id, "limit": limit, "offset": offset, **days.parameters},
        )
    ranked = [RankedHotspot(organization=_organization(row), **row) for row in rows]
    if format == "csv":
        return _csv(
            f"hotspots-{days.first_day}-{days.last_day}",
            [_flat(one.model_dump(by_alias=True)) for one in ranked],
            _columns(RankedHotspot),
        )
    return Hotspots(
        from_=days.first_day,
        to=days.last_day,
        hotspots=ranked,
        total_entries=rows[0]["total_entries"] if rows else 0,
    )


@router.get("/periods")
def get_periods(
    organization: AnyOrganization = None,
    date: Annotated[datetime.date | None, Query(description="A UTC day of the week; default: today.")] = None,
    format: Format = "json",  # noqa: A002
) -> Periods:
    """
    A week, Monday based, against the same days of the week before.

    Counted are the week's days up to ``date`` that are over, and the same weekdays of the week before.
    """
    today = _today()
    date = date or today
    if date > today:
        raise _invalid("date", date, f"is in the future: today is {today} (UTC)")
    if date.year < 2000:
        raise _invalid("date", date, "is before the year 2000")
    monday = date - date.weekday() * ONE_DAY
    passed = (min(date, today - ONE_DAY) - monday).days + 1
    last = monday + (passed - 1) * ONE_DAY
    week = 7 * ONE_DAY
    with _reading() as database:
        one = _find(database, organization)
        rows = database.rows(
            _sql("web/periods.sql"),
            {
                "organization_id": one and one.id,
                "first_day": _midnight(monday),
                "last_day": _midnight(last),
                "previous_first_day": _midnight(monday - week),
                "previous_last_day": _midnight(last - week),
                "hotspot_topics": settings.hotspot_topics(),
            },
        )
    current = [row for row in rows if row["date"] >= monday]
    previous = [row for row in rows if row["date"] < monday]
    periods = Periods(
        organization=one,
        current=Period(from_=monday, to=last if passed else None, days=passed, missing_days=passed - len(current)),
        previous=Period(
            from_=monday - week,
            to=last - week if passed else None,
            days=passed,
            missing_days=passed - len(previous),
        ),
        incomplete=passed < COMPARABLE_DAYS or len(current) < passed or len(previous) < passed,
        total_classifications=_change(_sum(current, "total_classifications"), _sum(previous, "total_classifications")),
        escalations=_change(_sum(current, "escalations"), _sum(previous, "escalations")),
        risk_score=_change(
            _share(current, "risky_classifications", "total_classifications", 100),
            _share(previous, "risky_classifications", "total_classifications", 100),
        ),
        avg_confidence=_change(
            _share(current, "confidence_sum", "confidence_weight", 1),
            _share(previous, "confidence_sum", "confidence_weight", 1),
        ),
    )
    if format == "csv":
        figures = ["total_classifications", "escalations", "risk_score", "avg_confidence"]
        return _csv(
            f"week-{monday}",
            [{"figure": to_camel(name), **getattr(periods, name).model_dump(by_alias=True)} for name in figures],
            ["figure", *_columns(Change)],
        )
    return periods


@router.get(
    "/runs/{run_id}",
    dependencies=[Depends(requires_dag(DagAccessEntity.RUN))],
)
def get_run_day(run_id: Annotated[Text, PathParameter()]) -> RunDay:
    """The UTC day that a run of the DAG is for."""
    with create_session() as session:
        run = session.scalar(select(DagRun).where(DagRun.dag_id == DAG_ID, DagRun.run_id == run_id))
        if run is None:
            raise HTTPException(404, f"There is no run {run_id!r}.")
        try:
            day = trend_period(
                DAILY,
                triggered_by=triggered_by(run),
                run_after=run_after(run),
                data_interval_start=run.data_interval_start,
                data_interval_end=run.data_interval_end,
                date=(run.conf or {}).get("date"),
                now=datetime.datetime.now(datetime.timezone.utc),
            )
        except InvalidInputError as error:
            raise HTTPException(404, f"The run {run_id!r} is for no day: {error}") from None
        return RunDay(run_id=run_id, date=day.first_date, state=str(run.state))


@contextmanager
def _reading() -> Iterator[Transaction]:
    limits = Limits(statement=STATEMENT_TIMEOUT, lock=STATEMENT_TIMEOUT)
    with connected(settings.conn_id(), limits) as database, database.transaction(read_only=True) as opened:
        yield opened


def _find(database: Transaction, organization: str | None) -> Organization | None:
    if organization is None:
        return None
    rows = database.rows(_sql("web/organization.sql"), {"organization": organization})
    if not rows:
        raise HTTPException(404, f"There is no organization {organization!r}.")
    return _organization(rows[0], "id")


def _sql(name: str) -> str:
    return (settings.sql_path() / name).read_text(encoding="utf-8")


def _today() -> datetime.date:
    return utc_date(datetime.datetime.now(datetime.timezone.utc))


def _midnight(date: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(date, datetime.time.min)


def _invalid(field: str, value: object, problem: str) -> RequestValidationError:
    entry = {"type": "value_error", "loc": ("query", field), "msg": f"{field}: {value} {problem}", "input": str(value)}
    return RequestValidationError([entry])


def _organization(row: Mapping[str, Any], id_column: str = "organization_id") -> Organization:
    return Organization(id=row[id_column], name=row["name"], slug=row["slug"])


def _counts(distribution: object) -> dict[str, int]:
    if not isinstance(distribution, dict):
        return {}
    return {name: int(count) for name, count in distribution.items() if isinstance(count, int | float)}


def _trend_day(row: Mapping[str, Any]) -> dict[str, Any]:
    if row["missing"]:
        names = ["topics", "tones", "escalations", "total_classifications", "avg_confidence"]
        return {"date": row["date"], "missing": True, **dict.fromkeys(names)}
    return {
        "date": row["date"],
        "missing": False,
        "topics": _counts(row["topic_distribution"]),
        "tones": _counts(row["sentiment_distribution"]),
        "escalations": _counts(row["escalation_counts"]),
        "total_classifications": row["total_classifications"],
        "avg_confidence": row["avg_confidence"],
    }


def _totals(days: Iterable[TrendDay]) -> Totals:
    days = list(days)
    stored = [day for day in days if not day.missing]
    sums: dict[str, dict[str, int]] = {"topics": {}, "tones": {}, "escalations": {}}
    for day in stored:
        for field, total in sums.items():
            for name, count in getattr(day, field).items():
                total[name] = total.get(name, 0) + count
    messages = sum(day.total_classifications or 0 for day in stored)
    confident = [day for day in stored if day.avg_confidence is not None]
    return Totals(
        days=len(days),
        missing_days=len(days) - len(stored),
        **sums,
        total_classifications=messages,
        risk_score=_rounded(100 * sum(sums["topics"].get(topic, 0) for topic in settings.hotspot_topics()), messages),
        avg_confidence=_rounded(
            sum((day.avg_confidence or 0) * (day.total_classifications or 0) for day in confident),
            sum(day.total_classifications or 0 for day in confident),
        ),
    )


def _rounded(numerator: int, denominator: int) -> int | None:
    """Return the quotient of two counts, rounded half up in whole numbers, or None without a denominator."""
    return (2 * numerator + denominator) // (2 * denominator) if denominator else None


def _sum(rows: list[dict[str, Any]], column: str) -> int | None:
    return sum(row[column] or 0 for row in rows) if rows else None


def _share(rows: list[dict[str, Any]], part: str, whole: str, factor: int) -> int | None:
    return _rounded(factor * (_sum(rows, part) or 0), _sum(rows, whole) or 0)


def _change(current: int | None, previous: int | None) -> Change:
    change = None
    if current is not None and previous:
        percent = Decimal(100) * (current - previous) / previous
        change = float(percent.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP))
    return Change(current=current, previous=previous, change_percent=change)


def _columns(model: type[BaseModel], without: Iterable[str] = ()) -> list[str]:
    columns = []
    for name in model.model_fields:
        if name == "organization":
            columns += ["organizationId", "organizationName", "organizationSlug"]
        elif name not in without:
            columns.append(to_camel(name))
    return columns


def _flat(entry: dict[str, Any]) -> dict[str, Any]:
    organization = entry.pop("organization")
    return {**{f"organization{name.title()}": value for name, value in organization.items()}, **entry}


def _trends_csv(name: str, days: Iterable[TrendDay]) -> Any:
    """One column per topic, tone and severity; empty on a missing day, 0 where the day had none."""
    days = list(days)
    groups = {"topics": "topic", "tones": "tone", "escalations": "severity"}
    columns = ["date", "missing", "totalClassifications", "avgConfidence", "hotspotCount"]
    for field, prefix in groups.items():
        names = {name for day in days for name in (getattr(day, field) or {})}
        columns += [f"{prefix}:{name}" for name in sorted(names)]
    entries = []
    for day in days:
        entry = day.model_dump(by_alias=True)
        for field, prefix in groups.items():
            entry.update({f"{prefix}:{name}": count for name, count in (getattr(day, field) or {}).items()})
        entries.append({**({} if day.missing else dict.fromkeys(columns, 0)), **entry})
    return _csv(name, entries, columns)


def _csv(name: str, entries: Iterable[Mapping[str, Any]], columns: list[str]) -> Any:
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow([_cell(column) for column in columns])
    writer.writerows([_cell(entry.get(column)) for column in columns] for entry in entries)
    # only what any file system takes
    file_name = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "_" for letter in name)
    return Response(
        # with a byte order mark, or Excel takes UTF-8 for something else
        "\ufeff" + output.getvalue(),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{file_name}.csv"'},
    )


def _cell(value: object) -> object:
    # a text that a spreadsheet would run as a formula is only text
    if isinstance(value, str) and value.lstrip()[:1] in {"=", "+", "-", "@"} | {"\t", "\r"}:
        return f"'{value}"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, dict | list) else value
