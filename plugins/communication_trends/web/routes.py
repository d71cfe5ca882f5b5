"""The routes of the API: read-only, bounded, in typed JSON, and each as CSV too."""

import datetime
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, cast

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel, Field
from sqlalchemy import select

from communication_trends import __version__, settings
from communication_trends.compat import run_after, triggered_by
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import KINDS, ONE_DAY, resolve_period
from communication_trends.core.period_range import FRESHNESS_GRACE
from communication_trends.core.trend_reader import TrendReader, open_reader, stored_version
from communication_trends.web import answers, changes, models, tables
from communication_trends.web.access import requires_dag
from communication_trends.web.ranges import (
    MAX_OF_ALL_JUDGED,
    ChangedSince,
    ComparedRange,
    DueRange,
    Kind,
    LatestRange,
    RangeOfAll,
    RangeOfOne,
    bounded,
    present,
)
from communication_trends.web.reading import Places, connection

# PostgreSQL has no NUL in its texts
Text = Annotated[str, Field(max_length=200, pattern="^[^\x00]*$")]
OneOrganization = Annotated[Text, PathParameter(description="Id or slug.")]
AnyOrganization = Annotated[Text | None, Query(description="Id or slug; default: all organizations.")]
Search = Annotated[Text, Query(description="Part of a name or slug, in any case.")]
Sort = Annotated[
    Literal[
        "rank",
        "name",
        "riskScore",
        "riskScoreChange",
        "adjustedRisk",
        "totalClassifications",
        "totalClassificationsChange",
        "escalations",
        "escalationsChange",
        "criticalEscalations",
        "hotspotCount",
        "avgConfidence",
        "avgConfidenceChange",
        "daysStored",
        "missingDays",
    ],
    Query(description="What to order by; what is null comes last."),
]
Order = Annotated[
    Literal["asc", "desc"] | None, Query(description="Default: asc for rank and name, desc for all others.")
]


Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True)
class Reply:
    """
    How a request wants its answer.

    :param request: the request.
    :param as_csv: whether as a table, to download.
    :param limit: entries of the page; None for all, since a download is complete.
    :param offset: entries before the page.
    """

    request: Request
    as_csv: bool
    limit: int | None
    offset: int

    async def __call__(
        self,
        answer: Callable[[TrendReader], Answer],
        table: Callable[[Answer], tuple[str, str]],
        status: Callable[[Answer], int] = lambda _: 200,
        *,
        with_changes: bool = False,
        for_monitor: bool = False,
    ) -> Response:
        """
        Answer, on a thread of its own; without content where the client has the answer already.

        :param answer: reads the database and returns the answer.
        :param table: returns the name and the content of its CSV.
        :param status: returns its HTTP status.
        :param with_changes: as of `open_reader`. It then says up to when it is complete, and differs each time.
        :param for_monitor: whether it has a place of its own, and errors a status of their own.
        """
        now = present()

        def respond() -> Response:
            with connection() as database:
                version = None if with_changes else stored_version(database)
                headers = {"ETag": self._tag(version, now), "Cache-Control": "private, no-cache"} if version else {}
                if headers and headers["ETag"] in self.request.headers.get("if-none-match", ""):
                    return Response(status_code=304, headers=headers)
                with open_reader(database, with_changes=with_changes) as opened:
                    found = answer(opened)
            if status(found) != 200:
                headers = {}
            if not self.as_csv:
                content = found.model_dump_json(by_alias=True)
                return Response(content, headers=headers, media_type="application/json", status_code=status(found))
            name, content = table(found)
            disposition = f'attachment; filename="{tables.file_name(name)}.csv"'
            return Response(
                content,
                media_type="text/csv",
                headers={**headers, "Content-Disposition": disposition},
                status_code=status(found),
            )

        state = self.request.app.state
        self.request.state.for_monitor = for_monitor
        places: Places = state.monitor_places if for_monitor else state.places
        return await places.run(respond, self.request.receive)

    def _tag(self, version: str, now: datetime.datetime) -> str:
        """Return what names the answer: what is stored, what is asked, what is due, and by which settings."""
        due = [
            period.first_date
            for kind in KINDS.values()
            for period in (kind.last_completed(now), kind.last_due(now), kind.last_due(now - FRESHNESS_GRACE))
        ]
        parts = [
            version,
            str(self.request.url),
            due,
            settings.hotspot_rule().as_json(),
            settings.known_marks(),
            __version__,
        ]
        return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


Format = Annotated[
    Literal["json", "csv"],
    Query(alias="format", description="csv: the same as a table, to download; always all of it."),
]


def asked_reply(request: Request, as_format: Format = "json") -> Reply:
    """Return how a request wants its answer, which is not in pages."""
    return Reply(request, as_format == "csv", None, 0)


def asked_page(
    request: Request,
    as_format: Format = "json",
    limit: Annotated[int, Query(ge=1, le=200, description="Entries of the page.")] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000, description="Entries before the page.")] = 0,
) -> Reply:
    """Return how a request wants its answer, which is in pages."""
    as_csv = as_format == "csv"
    return Reply(request, as_csv, None if as_csv else limit, 0 if as_csv else offset)


Whole = Annotated[Reply, Depends(asked_reply)]
Paged = Annotated[Reply, Depends(asked_page)]

CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}

router = APIRouter(responses={401: {}, 403: {}, 503: {"description": "The database cannot answer; says why."}})


@router.get("/organizations", response_model=models.Organizations, responses=CSV)
async def get_organizations(reply: Paged, search: Search = "") -> Response:
    """Organizations whose name or slug contains a text, in pages."""

    def answer(database: TrendReader) -> models.Organizations:
        return answers.organizations(database, search, reply.limit, reply.offset)

    def table(found: models.Organizations) -> tuple[str, str]:
        return "organizations", tables.table_of(models.Organization, found.organizations)

    return await reply(answer, table)


@router.get("/organizations/{organization}/trends", response_model=models.OrganizationTrends, responses=CSV)
async def get_trends(
    organization: OneOrganization, asked: RangeOfOne, reply: Whole, changed_since: ChangedSince
) -> Response:
    """Trends of one organization, one entry per period; those without one say why."""

    def answer(database: TrendReader) -> models.OrganizationTrends:
        return answers.trends_of_one(database, organization, asked, changed_since)

    def table(found: models.OrganizationTrends) -> tuple[str, str]:
        return _trends_or_changes(f"trends-{found.organization.slug}", found, found.days)

    return await reply(answer, table, with_changes=changed_since is not None)


@router.get("/trends", response_model=models.AllTrends, responses=CSV)
async def get_trends_of_all(asked: RangeOfAll, reply: Whole, changed_since: ChangedSince) -> Response:
    """Trends of all organizations together, one entry per period; those without any say why."""

    def answer(database: TrendReader) -> models.AllTrends:
        return answers.trends_of_all(database, asked, changed_since)

    def table(found: models.AllTrends) -> tuple[str, str]:
        return _trends_or_changes("trends", found, found.days)

    return await reply(answer, table, with_changes=changed_since is not None)


@router.get("/overview", response_model=models.Overview, responses=CSV)
async def get_overview(
    asked: ComparedRange, reply: Paged, search: Search = "", sort: Sort = "rank", order: Order = None
) -> Response:
    """Organizations in the order asked for, in pages, each with its periods and how it changed."""
    ascending = (order or ("asc" if sort in {"rank", "name"} else "desc")) == "asc"

    def answer(database: TrendReader) -> models.Overview:
        return answers.overview(
            database, asked, search=search, sort=sort, ascending=ascending, limit=reply.limit, offset=reply.offset
        )

    def table(found: models.Overview) -> tuple[str, str]:
        series = {"daily_classifications", "daily_risky_classifications", "daily_escalations", "not_final_dates"}
        content = tables.table_of(models.RankedOrganization, found.organizations, without=series)
        return _name("overview", found), content

    return await reply(answer, table)


@router.get("/hotspots", response_model=models.Hotspots, responses=CSV)
async def get_hotspots(asked: RangeOfAll, reply: Paged, organization: AnyOrganization = None) -> Response:
    """Hotspot channels, ranked over the range, in pages."""

    def answer(database: TrendReader) -> models.Hotspots:
        return answers.hotspots(database, asked, organization=organization, limit=reply.limit, offset=reply.offset)

    def table(found: models.Hotspots) -> tuple[str, str]:
        return _name("hotspots", found), tables.table_of(models.RankedHotspot, found.hotspots)

    return await reply(answer, table)


@router.get("/comparison", response_model=models.Comparison, responses=CSV)
async def get_comparison(asked: ComparedRange, reply: Whole, organization: AnyOrganization = None) -> Response:
    """The range against the one before it, over the organization-days that are stored in both."""

    def answer(database: TrendReader) -> models.Comparison:
        return answers.comparison(database, asked, organization=organization)

    def table(found: models.Comparison) -> tuple[str, str]:
        return _name("comparison", found), tables.comparison_table(found)

    return await reply(answer, table)


@router.get("/topic-changes", response_model=models.TopicChanges, responses=CSV)
async def get_topic_changes(asked: ComparedRange, reply: Whole, organization: AnyOrganization = None) -> Response:
    """Topics and tones against the range before: what rose, for whom, in which channels."""

    def answer(database: TrendReader) -> models.TopicChanges:
        return changes.topic_changes(database, asked, organization=organization)

    def table(found: models.TopicChanges) -> tuple[str, str]:
        return _name("topic-changes", found), tables.topic_changes_table(found)

    return await reply(answer, table)


@router.get("/attention", response_model=models.Attention, responses=CSV)
async def get_attention(asked: LatestRange, reply: Paged, organization: AnyOrganization = None) -> Response:
    """What is unusual for a tenant, in words; by default in the last period whose run is due."""
    if organization is None:
        # each period is read with eight before it
        bounded(asked, MAX_OF_ALL_JUDGED)

    def answer(database: TrendReader) -> models.Attention:
        return answers.attention(database, asked, organization=organization, limit=reply.limit, offset=reply.offset)

    def table(found: models.Attention) -> tuple[str, str]:
        return _name("attention", found), tables.table_of(models.Finding, found.findings)

    return await reply(answer, table)


@router.get("/freshness", response_model=models.Freshness, responses=CSV)
async def get_freshness(
    asked: DueRange,
    reply: Paged,
    organization: AnyOrganization = None,
    fail: Annotated[
        bool,
        Query(
            description="For a monitor: answer 503 when something is not complete; then 429 says that too many ask, "
            "and 502 that the database cannot answer."
        ),
    ] = False,
) -> Response:
    """How far the trends are complete, and which organizations lack which periods."""

    def answer(database: TrendReader) -> models.Freshness:
        return answers.freshness(database, asked, organization=organization, limit=reply.limit, offset=reply.offset)

    def table(found: models.Freshness) -> tuple[str, str]:
        return _name("freshness", found), tables.table_of(models.Behind, found.behind)

    def status(found: models.Freshness) -> int:
        return 503 if fail and not found.fresh else 200

    return await reply(answer, table, status, for_monitor=fail)


@router.get("/runs/{run_id}", dependencies=[Depends(requires_dag(DagAccessEntity.RUN))])
def get_run_period(run_id: Annotated[Text, PathParameter()], kind: Kind) -> models.RunPeriod:
    """The period that a run of a DAG is for."""
    with create_session() as session:
        run = session.scalar(select(DagRun).where(DagRun.dag_id == kind.dag_id, DagRun.run_id == run_id))
        if run is None:
            raise HTTPException(404, f"There is no run {run_id!r} of {kind.dag_id}.")
        try:
            period = resolve_period(
                kind,
                triggered_by=triggered_by(run),
                logical_date=run.logical_date,
                run_after=run_after(run),
                data_interval_start=run.data_interval_start,
                data_interval_end=run.data_interval_end,
                date=(run.conf or {}).get("date"),
                now=present(),
            )
        except InvalidInputError as error:
            raise HTTPException(404, f"The run {run_id!r} is for no {kind.noun}: {error}") from None
        return models.RunPeriod(
            run_id=run_id,
            period=cast(models.Kind, kind.name),
            date=period.first_date,
            to=period.next_date - ONE_DAY,
            state=str(run.state),
        )


def _trends_or_changes(what: str, found: models.Changing, days: Sequence[models.TrendDay]) -> tuple[str, str]:
    """Return the name and the content of a download: what has changed, where that was asked for, or the trends."""
    if found.changed_periods is None:
        return _name(what, found), tables.trends_table(days)
    length = "" if found.period == "daily" else f"-{found.period}"
    return f"{what}{length}-changes", tables.changes_table(found)


def _name(what: str, found: models.Ranged) -> str:
    """Return the name of a download: the range, and the length of its periods unless they are days."""
    length = "" if found.period == "daily" else f"{found.period}-"
    return f"{what}-{length}{found.from_}-{found.to}"
