"""What the routes answer: rows of the SQL in, models out. No HTTP in here but for what is not there."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import HTTPException

from communication_trends import settings
from communication_trends.core import totals as figures
from communication_trends.core.database_errors import DATABASE_ERRORS, sqlstate
from communication_trends.core.period import ONE_DAY
from communication_trends.stored import READABLE, Range, Reading, unusual
from communication_trends.web import models
from communication_trends.web.reading import reading

CHUNK = 500
"""Organizations whose figures are read at once for a download."""


def organizations(database: Reading, search: str, limit: int | None, offset: int) -> models.Organizations:
    """Return a page of organizations, or all of them without a limit."""
    rows = database.rows("organizations", search=search, limit=limit, offset=offset)
    return models.Organizations(
        # the first row is there even where the page is empty, for the number of entries
        organizations=[_organization(row) for row in rows if row["organization_id"]],
        total_entries=rows[0]["total_entries"],
    )


def trends_of_one(
    database: Reading, organization: str, asked: Range, changed_since: datetime.datetime | None = None
) -> models.OrganizationTrends:
    """Return one organization's trends."""
    rows = database.rows("trends", organization=organization, **asked.parameters, **READABLE)
    if not rows:
        raise _no_organization(organization)
    found = _organization(rows[0])
    rules = _hotspot_rules(database, asked, found.id)
    # where the rules cannot be read, neither can this
    origins = [] if rules is None else database.rows("origins", organization_id=found.id, **asked.parameters)
    by_date = {row["date"]: {name: row[name] for name in ("is_final", "computed_at")} for row in origins}
    days = [
        models.OrganizationTrendDay(
            **_day(row), **_hotspots_of(row), **(by_date.get(row["date"], {}) if row["state"] == "stored" else {})
        )
        for row in rows
    ]
    return models.OrganizationTrends(
        **_ranged(asked),
        **_changes(database, asked, changed_since, found.id),
        organization=found,
        totals=_totals(days),
        days=days,
        hotspot_rules=rules,
    )


def trends_of_all(database: Reading, asked: Range, changed_since: datetime.datetime | None = None) -> models.AllTrends:
    """Return the trends of all organizations together."""
    rows = database.rows("trends_of_all", **asked.parameters, **READABLE)
    counts = ("organizations_stored", "organizations_missing", "organizations_unreadable")
    days = [
        models.AllTrendDay(
            **_day(row),
            hotspot_count=row["hotspot_count"] if row["state"] == "stored" else None,
            **{name: row[name] for name in counts},
        )
        for row in rows
    ]
    return models.AllTrends(
        **_ranged(asked),
        **_changes(database, asked, changed_since, None),
        organizations_total=rows[0]["organizations_total"],
        totals=_totals(days),
        days=days,
    )


def overview(
    asked: Range, *, search: str, sort: str, ascending: bool, limit: int | None, offset: int
) -> models.Overview:
    """Return a page of the organizations in the order asked for, or all of them without a limit."""
    ordering = {
        "search": search,
        "sort": sort,
        "ascending": ascending,
        "by_change": sort.endswith("Change"),
        "limit": limit,
        "offset": offset,
        "hotspot_topics": settings.hotspot_topics(),
        "hotspot_min_messages": settings.hotspot_min_messages(),
        **asked.parameters,
        **asked.parameters_before,
    }
    try:
        return _overview(asked, ordering, trusting=True)
    except DATABASE_ERRORS as error:
        # class 22: some row has what is no count
        if (sqlstate(error) or "")[:2] != "22":
            raise
    return _overview(asked, ordering, trusting=False)


def _overview(asked: Range, ordering: Mapping[str, Any], *, trusting: bool) -> models.Overview:
    with reading() as database:
        rows = database.rows("overview", **ordering, trusting=trusting)
        page = [row for row in rows if row["organization_id"]]
        ranked: list[models.RankedOrganization] = []
        for start in range(0, len(page), CHUNK):
            found = database.rows(
                "overview_figures",
                organization_ids=[row["organization_id"] for row in page[start : start + CHUNK]],
                hotspot_topics=settings.hotspot_topics(),
                **asked.parameters,
                **asked.parameters_before,
                **READABLE,
            )
            ranked += [_ranked(row, rank=page[start + index]["rank"]) for index, row in enumerate(found)]
    return models.Overview(**_ranged(asked), organizations=ranked, total_entries=rows[0]["total_entries"])


def hotspots(
    database: Reading, asked: Range, *, organization: str | None, limit: int | None, offset: int
) -> models.Hotspots:
    """Return a page of the channels that ran hot, or all of them without a limit."""
    one = find(database, organization)
    rows = database.rows(
        "hotspots", organization_id=one and one.id, limit=limit, offset=offset, **asked.parameters, **READABLE
    )
    return models.Hotspots(
        **_ranged(asked),
        hotspots=[
            models.RankedHotspot(organization=_organization(row), **row) for row in rows if row["organization_id"]
        ],
        total_entries=rows[0]["total_entries"],
        hotspot_rules=_hotspot_rules(database, asked, one.id if one else None),
    )


def comparison(database: Reading, asked: Range, *, organization: str | None) -> models.Comparison:
    """Return a range against the one before it, over the organization-days that are stored in both."""
    one = find(database, organization)
    [row] = database.rows(
        "comparison",
        organization_id=one and one.id,
        hotspot_topics=settings.hotspot_topics(),
        **asked.parameters,
        **asked.parameters_before,
        **READABLE,
    )
    now, before = (figures.sums_of(row, prefix) for prefix in ("", "previous_"))
    matched = row["matched_days"] > 0

    def count(name: str) -> models.ChangeInPercent:
        current, previous = getattr(now, name), getattr(before, name)
        if not matched:
            return models.ChangeInPercent(current=None, previous=None, change_percent=None)
        return models.ChangeInPercent(
            current=current, previous=previous, change_percent=figures.change_percent(current, previous)
        )

    previous = asked.earlier(asked.shift())
    return models.Comparison(
        **_ranged(asked),
        organization=one,
        current=models.Dates(from_=asked.from_, to=asked.to),
        previous=models.Dates(from_=previous.from_, to=previous.to),
        matched_days=row["matched_days"],
        possible_days=row["possible_days"],
        total_classifications=count("messages"),
        escalations=count("alerts"),
        risk_score=models.ChangeInPoints(
            current=now.risk_score, previous=before.risk_score, change_points=figures.risk_change(now, before)
        ),
        avg_confidence=models.ChangeInPoints(
            current=now.avg_confidence,
            previous=before.avg_confidence,
            change_points=figures.confidence_change(now, before),
        ),
    )


def attention(
    database: Reading, asked: Range, *, organization: str | None, limit: int | None, offset: int
) -> models.Attention:
    """Return a page of what is unusual in the periods of a range whose run is due, or all of it without a limit."""
    one = find(database, organization)
    periods = [period for period in asked.periods() if period.first_date <= asked.due.first_date]
    answer = unusual(database, asked.kind, periods, organizations=[one.id] if one else None)
    found = answer.findings
    return models.Attention(
        **_ranged(asked),
        organizations_compared=answer.organizations,
        findings=[
            models.Finding(
                organization=models.Organization(id=entry.organization_id, name=entry.name, slug=entry.slug),
                date=entry.date,
                **vars(entry.finding),
            )
            for entry in (found if limit is None else found[offset : offset + limit])
        ],
        total_entries=len(found),
    )


def freshness(
    database: Reading, asked: Range, *, organization: str | None, limit: int | None, offset: int
) -> models.Freshness:
    """
    Return who lacks which of the periods up to the end of a range.

    :param asked: a range whose end should be stored by now.
    """
    one = find(database, organization)
    rows = database.rows("freshness", organization_id=one and one.id, limit=limit, offset=offset, **asked.parameters)
    found = rows[0]
    first_missing = found["first_missing_day"]
    complete = None
    if found["organizations_total"] and found["anything_stored"]:
        through = asked.last if first_missing is None else asked.kind.containing(first_missing).previous()
        complete = through.next_date - ONE_DAY
    return models.Freshness(
        **_ranged(asked),
        expected_through=asked.to,
        complete_through=complete,
        fresh=complete is not None and first_missing is None,
        organizations_total=found["organizations_total"],
        organizations_behind=found["organizations_behind"],
        behind=[
            models.Behind(
                organization=_organization(row),
                last_stored_day=row["last_stored_day"],
                missing_days=row["missing_days"],
            )
            for row in rows
            if row["organization_id"]
        ],
        total_entries=found["organizations_behind"],
    )


def find(database: Reading, organization: str | None) -> models.Organization | None:
    """
    Return the organization with an id or slug, or None for None.

    :raises HTTPException: when there is no such organization.
    """
    if organization is None:
        return None
    rows = database.rows("organization", organization=organization)
    if not rows:
        raise _no_organization(organization)
    return _organization(rows[0])


def _no_organization(organization: str) -> HTTPException:
    return HTTPException(404, f"There is no organization {organization!r}.")


def _organization(row: Mapping[str, Any]) -> models.Organization:
    return models.Organization(id=row["organization_id"], name=row["name"], slug=row["slug"])


def _ranged(asked: Range) -> dict[str, Any]:
    return {"period": asked.kind.name, "from_": asked.from_, "to": asked.to}


def _changes(
    database: Reading, asked: Range, since: datetime.datetime | None, organization_id: str | None
) -> dict[str, Any]:
    if since is None:
        return {}
    rows = database.changed_periods(asked.kind, since, organization_id)
    changed = [
        models.ChangedPeriod(date=row["period_start"].date(), filled=row["filled"], corrected=row["corrected"])
        for row in rows
    ]
    return {"changed_periods": changed, "changes_until": database.changes_until}


def _hotspot_rules(database: Reading, asked: Range, organization_id: str | None) -> list[models.HotspotRule] | None:
    """Return by which rules the hotspots of a range were computed; None where that cannot be read."""
    if not database.rows("knows_origins")[0]["knows_origins"]:
        return None
    rows = database.rows(
        "hotspot_rules",
        organization_id=organization_id,
        hotspot_rule=settings.hotspot_rule().as_json(),
        **asked.parameters,
    )
    unknown = {"topics": None, "minMessages": None, "minRatio": None}
    return [
        models.HotspotRule(
            **(row["hotspot_rule"] or unknown),
            current=row["is_current"],
            trends=row["trends"],
            from_=row["first_date"],
            to=asked.kind.containing(row["last_date"]).next_date - ONE_DAY,
        )
        for row in rows
    ]


def _hotspot(entry: Mapping[str, Any]) -> models.Hotspot:
    return models.Hotspot(
        channel_id=entry["channelId"], risk_score=int(entry["riskScore"]), message_count=int(entry["messageCount"])
    )


def _hotspots_of(row: Mapping[str, Any]) -> dict[str, Any]:
    if row["state"] != "stored":
        return {}
    stored = [_hotspot(entry) for entry in row["channel_hotspots"]]
    return {"hotspots": stored, "hotspot_count": len(stored)}


def _day(row: Mapping[str, Any]) -> dict[str, Any]:
    state = row["state"]
    day = {"date": row["date"], "state": state, "missing": state == "missing", "unreadable": state == "unreadable"}
    if state != "stored":
        return day
    return {
        **day,
        "topics": figures.counts(row["topic_distribution"]),
        "tones": figures.counts(row["sentiment_distribution"]),
        "escalations": figures.counts(row["escalation_counts"]),
        "total_classifications": row["total_classifications"],
        "avg_confidence": row["avg_confidence"],
    }


def _totals(days: Sequence[models.TrendDay]) -> models.Totals:
    stored = [day for day in days if day.state == "stored"]
    topics = figures.added(day.topics or {} for day in stored)
    sums = figures.Sums(risky=sum(topics.get(topic, 0) for topic in settings.hotspot_topics()))
    for day in stored:
        messages = day.total_classifications or 0
        sums.messages += messages
        if day.avg_confidence is not None:
            sums.confidence += day.avg_confidence * messages
            sums.confident += messages
    return models.Totals(
        days=len(days),
        missing_days=sum(day.missing for day in days),
        unreadable_days=sum(day.unreadable for day in days),
        topics=topics,
        tones=figures.added(day.tones or {} for day in stored),
        escalations=figures.added(day.escalations or {} for day in stored),
        total_classifications=sums.messages,
        risk_score=sums.risk_score,
        avg_confidence=sums.avg_confidence,
    )


def _ranked(row: Mapping[str, Any], *, rank: int) -> models.RankedOrganization:
    sums = figures.sums_of(row, "")
    now, before = (figures.sums_of(row, prefix) for prefix in ("matched_", "previous_"))
    return models.RankedOrganization(
        rank=rank,
        organization=_organization(row),
        risk_score=sums.risk_score,
        risk_score_change=figures.risk_change(now, before),
        days_stored=row["days_stored"],
        missing_days=row["missing_days"],
        unreadable_days=row["unreadable_days"],
        unreadable=row["unreadable_days"] > 0 or row["nameless"],
        total_classifications=sums.messages,
        total_classifications_change=figures.change_percent(now.messages, before.messages),
        escalations=sums.alerts,
        escalations_change=figures.change_percent(now.alerts, before.alerts),
        critical_escalations=row["critical"],
        hotspot_count=row["hotspots"],
        avg_confidence=sums.avg_confidence,
        avg_confidence_change=figures.confidence_change(now, before),
        matched_days=row["matched_days"],
        daily_classifications=row["daily_classifications"],
        daily_risky_classifications=row["daily_risky_classifications"],
        daily_escalations=row["daily_escalations"],
    )
