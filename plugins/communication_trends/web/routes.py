"""The routes of the API: read-only, bounded, in typed JSON, and each as CSV too."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from fastapi import APIRouter, Depends, Query, Response
from fastapi import Path as PathParameter
from pydantic import Field

from communication_trends.web import csv_export
from communication_trends.web.access import requires_dag
from communication_trends.web.answers.attention import attention
from communication_trends.web.answers.comparison import comparison
from communication_trends.web.answers.freshness import freshness
from communication_trends.web.answers.hotspots import hotspots
from communication_trends.web.answers.organizations import organizations
from communication_trends.web.answers.overview import overview
from communication_trends.web.answers.run import run_period
from communication_trends.web.answers.topic_changes import topic_changes
from communication_trends.web.answers.trends import trends_of_all, trends_of_one
from communication_trends.web.models.attention import Attention, Finding
from communication_trends.web.models.base import Ranged
from communication_trends.web.models.comparison import Comparison
from communication_trends.web.models.freshness import Behind, Freshness
from communication_trends.web.models.hotspots import Hotspots, RankedHotspot
from communication_trends.web.models.organizations import Organization, Organizations
from communication_trends.web.models.overview import Overview, RankedOrganization
from communication_trends.web.models.run import RunPeriod
from communication_trends.web.models.topic_changes import TopicChanges
from communication_trends.web.models.trends import AllTrends, Changing, OrganizationTrends, TrendDay
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
    refuse_unknown_parameters,
)
from communication_trends.web.reply import FullReply, PagedReply

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
        "escalationsPerThousand",
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

CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}

router = APIRouter(
    dependencies=[Depends(refuse_unknown_parameters)],
    responses={401: {}, 403: {}, 503: {"description": "The database cannot answer; says why."}},
)


@router.get("/organizations", response_model=Organizations, responses=CSV)
async def get_organizations(reply: PagedReply, search: Search = "") -> Response:
    """Organizations whose name or slug contains a text, in pages."""
    return await reply(
        lambda reader: organizations(reader, search, reply.limit, reply.offset),
        lambda found: ("organizations", csv_export.table_of(Organization, found.organizations)),
    )


@router.get("/organizations/{organization}/trends", response_model=OrganizationTrends, responses=CSV)
async def get_trends(
    organization: OneOrganization, asked: RangeOfOne, reply: FullReply, changed_since: ChangedSince
) -> Response:
    """Trends of one organization, one entry per period; those without one say why."""
    return await reply(
        lambda reader: trends_of_one(reader, organization, asked, changed_since),
        lambda found: _trends_or_changes(f"trends-{found.organization.slug}", found, found.days),
        with_changes=changed_since is not None,
    )


@router.get("/trends", response_model=AllTrends, responses=CSV)
async def get_trends_of_all(
    asked: RangeOfAll, reply: FullReply, changed_since: ChangedSince, organization: AnyOrganization = None
) -> Response:
    """Trends of all organizations together, one entry per period; those without any say why."""
    return await reply(
        lambda reader: trends_of_all(reader, asked, changed_since, organization=organization),
        lambda found: _trends_or_changes("trends", found, found.days),
        with_changes=changed_since is not None,
    )


@router.get("/overview", response_model=Overview, responses=CSV)
async def get_overview(
    asked: ComparedRange,
    reply: PagedReply,
    organization: AnyOrganization = None,
    search: Search = "",
    sort: Sort = "rank",
    order: Order = None,
) -> Response:
    """Organizations in the order asked for, in pages, each with its periods and how it changed."""
    ascending = (order or ("asc" if sort in {"rank", "name"} else "desc")) == "asc"
    series = {"daily_classifications", "daily_risky_classifications", "daily_escalations", "not_final_dates"}
    return await reply(
        lambda reader: overview(
            reader,
            asked,
            organization=organization,
            search=search,
            sort=sort,
            ascending=ascending,
            limit=reply.limit,
            offset=reply.offset,
        ),
        lambda found: (
            _name("overview", found),
            csv_export.table_of(RankedOrganization, found.organizations, without=series),
        ),
    )


@router.get("/hotspots", response_model=Hotspots, responses=CSV)
async def get_hotspots(asked: RangeOfAll, reply: PagedReply, organization: AnyOrganization = None) -> Response:
    """Hotspot channels, ranked over the range, in pages."""
    return await reply(
        lambda reader: hotspots(reader, asked, organization=organization, limit=reply.limit, offset=reply.offset),
        lambda found: (_name("hotspots", found), csv_export.table_of(RankedHotspot, found.hotspots)),
    )


@router.get("/comparison", response_model=Comparison, responses=CSV)
async def get_comparison(asked: ComparedRange, reply: FullReply, organization: AnyOrganization = None) -> Response:
    """The range against the one before it, over the organization-days that are stored and final in both."""
    return await reply(
        lambda reader: comparison(reader, asked, organization=organization),
        lambda found: (_name("comparison", found), csv_export.comparison_table(found)),
    )


@router.get("/topic-changes", response_model=TopicChanges, responses=CSV)
async def get_topic_changes(asked: ComparedRange, reply: FullReply, organization: AnyOrganization = None) -> Response:
    """Topics and tones against the range before: what rose, for whom, in which channels."""
    return await reply(
        lambda reader: topic_changes(reader, asked, organization=organization),
        lambda found: (_name("topic-changes", found), csv_export.topic_changes_table(found)),
    )


@router.get("/attention", response_model=Attention, responses=CSV)
async def get_attention(asked: LatestRange, reply: PagedReply, organization: AnyOrganization = None) -> Response:
    """What is unusual for a tenant, in words; by default in the last period whose run is due."""
    if organization is None:
        # each period is read with eight before it
        bounded(asked, MAX_OF_ALL_JUDGED)
    return await reply(
        lambda reader: attention(reader, asked, organization=organization, limit=reply.limit, offset=reply.offset),
        lambda found: (_name("attention", found), csv_export.table_of(Finding, found.findings)),
    )


@router.get("/freshness", response_model=Freshness, responses=CSV)
async def get_freshness(
    asked: DueRange,
    reply: PagedReply,
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
    return await reply(
        lambda reader: freshness(reader, asked, organization=organization, limit=reply.limit, offset=reply.offset),
        lambda found: (_name("freshness", found), csv_export.table_of(Behind, found.behind)),
        lambda found: 503 if fail and not found.fresh else 200,
        for_monitor=fail,
    )


@router.get("/runs/{run_id}", dependencies=[Depends(requires_dag(DagAccessEntity.RUN))])
def get_run_period(run_id: Annotated[Text, PathParameter()], kind: Kind) -> RunPeriod:
    """The period that a run of a DAG is for."""
    return run_period(kind, run_id)


def _trends_or_changes(what: str, found: Changing, days: Sequence[TrendDay]) -> tuple[str, str]:
    """Return the name and the content of a download: what has changed, where that was asked for, or the trends."""
    if found.changed_periods is None:
        return _name(what, found), csv_export.trends_table(days)
    length = "" if found.period == "daily" else f"-{found.period}"
    return f"{what}{length}-changes", csv_export.changes_table(found)


def _name(what: str, found: Ranged) -> str:
    """Return the name of a download: the range, and the length of its periods unless they are days."""
    length = "" if found.period == "daily" else f"{found.period}-"
    return f"{what}-{length}{found.from_}-{found.to}"
