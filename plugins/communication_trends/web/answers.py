"""What the routes answer: rows of the SQL in, models out. No HTTP in here but for what is not there."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException

from communication_trends import settings
from communication_trends.core import totals as figures
from communication_trends.core.marks import marks_between
from communication_trends.core.period import ONE_DAY
from communication_trends.core.period_range import Range
from communication_trends.core.stored_anomalies import find_stored_anomalies
from communication_trends.core.trend_reader import TrendReader
from communication_trends.core.work import read_rule
from communication_trends.web import models
from communication_trends.web.ranges import MAX_OF_ALL, MAX_OF_ONE

CHUNK = 500
"""Organizations whose figures are read at once for a download."""


def organizations(database: TrendReader, search: str, limit: int | None, offset: int) -> models.Organizations:
    """Return a page of organizations, or all of them without a limit."""
    rows = database.rows("organizations", search=search, limit=limit, offset=offset)
    return models.Organizations(
        # the first row is there even where the page is empty, for the number of entries
        organizations=[_organization(row) for row in rows if row["organization_id"]],
        total_entries=rows[0]["total_entries"],
    )


def trends_of_one(
    database: TrendReader, organization: str, asked: Range, changed_since: datetime.datetime | None = None
) -> models.OrganizationTrends:
    """Return one organization's trends."""
    found = _found(database, organization)
    rows = database.rows("trends", organization_id=found.id, **asked.parameters)
    # where it cannot be read by which rules hotspots were computed, neither can this
    origins = database.rows("origins", organization_id=found.id, **asked.parameters) if database.knows_origins else []
    by_date = {row["date"]: row for row in origins}
    entries = [_entry_of_one(row, by_date.get(row["date"], {}), asked) for row in rows]
    return models.OrganizationTrends(
        **ranged(asked),
        **_changes(database, asked, changed_since, found.id),
        organization=found,
        totals=_totals(entries),
        days=[entry.day for entry in entries],
        ignored=_ignored(database, asked, found),
        marks=_marks(asked),
        hotspot_rules=_hotspot_rules(database, asked, found.id),
    )


def trends_of_all(
    database: TrendReader, asked: Range, changed_since: datetime.datetime | None = None
) -> models.AllTrends:
    """Return the trends of all organizations together."""
    rows = database.rows("trends_of_all", **asked.parameters)
    entries = [_entry_of_all(row) for row in rows]
    return models.AllTrends(
        **ranged(asked),
        **_changes(database, asked, changed_since, None),
        organizations_total=rows[0]["organizations_total"],
        totals=_totals(entries),
        days=[entry.day for entry in entries],
        ignored=_ignored(database, asked, None),
        marks=_marks(asked),
    )


def overview(
    database: TrendReader, asked: Range, *, search: str, sort: str, ascending: bool, limit: int | None, offset: int
) -> models.Overview:
    """Return a page of the organizations in the order asked for, or all of them without a limit."""
    compared = asked.compared_parameters
    by_change = sort.endswith("Change")
    rows = database.rows(
        "overview",
        search=search,
        sort=sort,
        ascending=ascending,
        by_change=by_change,
        limit=limit,
        offset=offset,
        hotspot_topics=settings.hotspot_topics(),
        hotspot_min_messages=settings.hotspot_min_messages(),
        risk_prior=figures.RISK_PRIOR,
        # what nothing is ordered by need not be read
        **{**compared, **({} if by_change else asked.parameters)},
    )
    page = [row for row in rows if row["organization_id"]]
    # the first row is there even where the page is empty
    usual = (rows[0]["overall_risky"], rows[0]["overall_messages"])
    ranked: list[models.RankedOrganization] = []
    for start in range(0, len(page), CHUNK):
        found = database.rows(
            "overview_figures",
            organization_ids=[row["organization_id"] for row in page[start : start + CHUNK]],
            hotspot_topics=settings.hotspot_topics(),
            **compared,
        )
        ranked += [_ranked(row, usual, rank=page[start + index]["rank"]) for index, row in enumerate(found)]
    return models.Overview(**ranged(asked), organizations=ranked, total_entries=rows[0]["total_entries"])


def hotspots(
    database: TrendReader, asked: Range, *, organization: str | None, limit: int | None, offset: int
) -> models.Hotspots:
    """Return a page of the hotspot channels, or all of them without a limit."""
    one = find(database, organization)
    rows = database.rows("hotspots", organization_id=one and one.id, limit=limit, offset=offset, **asked.parameters)
    return models.Hotspots(
        **ranged(asked),
        hotspots=[
            models.RankedHotspot(
                organization=_organization(row),
                risk_score=figures.rounded(row["risk"], row["message_count"]),
                **row,
            )
            for row in rows
            if row["organization_id"]
        ],
        total_entries=rows[0]["total_entries"],
        hotspot_rules=_hotspot_rules(database, asked, one.id if one else None),
    )


def comparison(database: TrendReader, asked: Range, *, organization: str | None) -> models.Comparison:
    """Return a range against the one before it, over the organization-days that are stored in both."""
    one = find(database, organization)
    [row] = database.rows(
        "comparison",
        organization_id=one and one.id,
        hotspot_topics=settings.hotspot_topics(),
        **asked.compared_parameters,
    )
    now, before, total = (figures.sums_of(row, prefix) for prefix in ("", "previous_", "total_"))
    matched, stored = row["matched_days"], row["stored_days"]

    def count(name: str) -> models.ChangeInPercent:
        current, previous, every = (getattr(sums, name) for sums in (now, before, total))
        return models.ChangeInPercent(
            current=current if matched else None,
            previous=previous if matched else None,
            change_percent=figures.change_percent(current, previous) if matched else None,
            total=every if stored else None,
            left_out=every - current if stored else None,
        )

    return models.Comparison(
        **compared(asked, one, matched, row["possible_days"]),
        stored_days=stored,
        not_final_days=row["not_final_days"],
        left_out_days=stored - matched,
        ignored=_ignored(database, asked, one),
        total_classifications=count("messages"),
        escalations=count("alerts"),
        risk_score=models.ChangeInPoints(
            current=now.risk_score,
            previous=before.risk_score,
            change_points=figures.risk_change(now, before),
            total=total.risk_score,
        ),
        avg_confidence=models.ChangeInPoints(
            current=now.avg_confidence,
            previous=before.avg_confidence,
            change_points=figures.confidence_change(now, before),
            total=total.avg_confidence,
        ),
    )


def attention(
    database: TrendReader, asked: Range, *, organization: str | None, limit: int | None, offset: int
) -> models.Attention:
    """Return a page of what is unusual in the periods of a range whose run is due, or all of it without a limit."""
    one = find(database, organization)
    periods = [period for period in asked.periods() if period.first_date <= asked.due.first_date]
    answer = find_stored_anomalies(
        database,
        asked.kind,
        periods,
        organizations=[one.id] if one else None,
        risky_topics=settings.hotspot_topics(),
        marks=settings.known_marks(),
    )
    found = answer.findings
    return models.Attention(
        **ranged(asked),
        organizations_compared=answer.organizations,
        organization_days_compared=answer.judged,
        organizations_total=answer.organizations_total,
        organizations_not_compared=answer.organizations_total - answer.organizations,
        together=[models.Together(**vars(entry)) for entry in answer.together],
        findings=[
            models.Finding(
                organization=models.Organization(id=entry.organization_id, name=entry.name, slug=entry.slug),
                date=entry.date,
                together=entry.is_together,
                **vars(entry.finding),
            )
            for entry in (found if limit is None else found[offset : offset + limit])
        ],
        total_entries=len(found),
    )


def freshness(
    database: TrendReader, asked: Range, *, organization: str | None, limit: int | None, offset: int
) -> models.Freshness:
    """
    Return who lacks which of the periods up to the end of a range.

    :param asked: a range whose end should be stored by now.
    """
    one = find(database, organization)
    # complete is said of all that could be asked for up to the last period, not of the range alone
    checked = asked.longest(MAX_OF_ONE if one else MAX_OF_ALL)
    rows = database.rows(
        "freshness",
        organization_id=one and one.id,
        limit=limit,
        offset=offset,
        **{**checked.parameters, "first_day": asked.first.start},
    )
    found = rows[0]
    first, last = found["first_incomplete"], found["last_incomplete"]
    known = bool(found["organizations_total"] and found["anything_stored"])
    complete = None
    if known and first is None:
        complete = asked.to
    elif known and first > found["checked_from"]:
        complete = asked.kind.containing(first).first_date - ONE_DAY
    return models.Freshness(
        **ranged(asked),
        expected_through=asked.to,
        complete_through=complete,
        checked_from=found["checked_from"] if known else None,
        first_incomplete=first,
        last_incomplete=last,
        incomplete_before=found["incomplete_before"],
        incomplete_periods=[models.IncompletePeriod(**entry) for entry in found["incomplete_periods"] or []],
        fresh=known and not found["organizations_behind"],
        organizations_total=found["organizations_total"],
        organizations_behind=found["organizations_behind"],
        behind=[
            models.Behind(
                organization=_organization(row),
                last_stored_day=row["last_stored_day"],
                missing_days=row["missing_days"] or [],
                unreadable_days=row["unreadable_days"] or [],
                not_final_days=row["not_final_days"] or [],
            )
            for row in rows
            if row["organization_id"]
        ],
        total_entries=found["organizations_behind"],
        ignored=_ignored(database, asked, one),
    )


def find(database: TrendReader, organization: str | None) -> models.Organization | None:
    """
    Return the organization with an id or slug, or None for None.

    :raises HTTPException: when there is no such organization.
    """
    return None if organization is None else _found(database, organization)


def _found(database: TrendReader, organization: str) -> models.Organization:
    rows = database.rows("organization", organization=organization)
    if not rows:
        raise HTTPException(404, f"There is no organization {organization!r}.")
    return _organization(rows[0])


def _organization(row: Mapping[str, Any]) -> models.Organization:
    return models.Organization(id=row["organization_id"], name=row["name"], slug=row["slug"])


def ranged(asked: Range) -> dict[str, Any]:
    """Return what all answers about a range have in common."""
    return {
        "period": asked.kind.name,
        "from_": asked.from_,
        "to": asked.to,
        "risky_topics": settings.hotspot_topics(),
    }


def compared(asked: Range, one: models.Organization | None, matched: int, possible: int) -> dict[str, Any]:
    """Return what all answers about a range and the one that it is compared with have in common."""
    previous = asked.earlier(asked.shift())
    return {
        **ranged(asked),
        "organization": one,
        "current": models.Dates(from_=asked.from_, to=asked.to),
        "previous": models.Dates(from_=previous.from_, to=previous.to),
        "matched_days": matched,
        "possible_days": possible,
        "comparable": figures.is_comparable(matched, possible),
    }


def _ignored(database: TrendReader, asked: Range, one: models.Organization | None) -> models.Ignored:
    [row] = database.rows("ignored", organization_id=one and one.id, **asked.parameters)
    return models.Ignored(**row)


def _marks(asked: Range) -> list[models.NamedDays]:
    found = marks_between(settings.known_marks(), asked.from_, asked.to)
    return [models.NamedDays(from_=mark.first, to=mark.last, name=mark.name) for mark in found]


def _changes(
    database: TrendReader, asked: Range, since: datetime.datetime | None, organization_id: str | None
) -> dict[str, Any]:
    if since is None:
        return {}
    rows = database.changed_periods(asked.kind, since, organization_id)
    changed = [
        models.ChangedPeriod(date=row["period_start"].date(), filled=row["filled"], corrected=row["corrected"])
        for row in rows
    ]
    return {"changed_periods": changed, "changes_until": database.changes_until}


def _hotspot_rules(database: TrendReader, asked: Range, organization_id: str | None) -> list[models.HotspotRule] | None:
    """Return by which rules the hotspots of a range were computed; None where that cannot be read."""
    if not database.knows_origins:
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
            **(read_rule(row["hotspot_rule"]) or unknown),
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


@dataclass(frozen=True)
class _Entry:
    """
    One period of an answer.

    :param day: as it is answered.
    :param sums: what it adds to the totals; None where no readable trend is stored.
    :param stored: readable trends.
    :param not_final: those of them that are not final.
    :param expected: trends that should be stored by now, or are.
    """

    day: Any
    sums: figures.Sums | None
    stored: int
    not_final: int
    expected: int


def _entry_of_one(row: Mapping[str, Any], origin: Mapping[str, Any], asked: Range) -> _Entry:
    day, sums = _day(row)
    is_due = row["date"] <= asked.due.first_date
    is_expected = row["state"] == "missing" or (row["state"] == "unreadable" and is_due) or sums is not None
    if sums:
        hotspots = [_hotspot(entry) for entry in row["channel_hotspots"]]
        # what is not final by the calendar is not, whatever has been recorded
        is_final = origin.get("is_final") if row["is_final"] else False
        day.update(hotspots=hotspots, is_final=is_final, computed_at=origin.get("computed_at"))
    is_whole = bool(sums and is_due and row["is_final"])
    return _Entry(
        models.OrganizationTrendDay(**day, whole=is_whole),
        sums,
        stored=int(sums is not None),
        not_final=int(sums is not None and not row["is_final"]),
        expected=int(is_expected),
    )


def _entry_of_all(row: Mapping[str, Any]) -> _Entry:
    day, sums = _day(row)
    stored, expected, not_final = (row[f"organizations_{name}"] for name in ("stored", "expected", "not_final"))
    counts = ("stored", "expected", "not_final", "missing", "unreadable")
    return _Entry(
        models.AllTrendDay(
            **day,
            **{f"organizations_{name}": row[f"organizations_{name}"] for name in counts},
            whole=expected > 0 and stored == expected and not not_final,
        ),
        sums,
        stored=stored,
        not_final=not_final,
        # of a period that is not due, what is there
        expected=max(expected, stored),
    )


def _day(row: Mapping[str, Any]) -> tuple[dict[str, Any], figures.Sums | None]:
    """Return what all answers say of a period, and its sums; None where no readable trend is stored."""
    state = row["state"]
    day = {"date": row["date"], "state": state, "missing": state == "missing", "unreadable": state == "unreadable"}
    if state != "stored":
        return day, None
    topics, tones, escalations = (
        figures.counts(row[name]) for name in ("topic_distribution", "sentiment_distribution", "escalation_counts")
    )
    sums = figures.sums_of_distributions(
        row["total_classifications"],
        topics,
        tones,
        escalations,
        confidence=row["confidence"],
        confident=row["confident"],
        hotspots=row["hotspot_count"] if "hotspot_count" in row else len(row["channel_hotspots"]),
        risky_topics=settings.hotspot_topics(),
    )
    return {
        **day,
        "topics": topics,
        "tones": tones,
        "escalations": escalations,
        "total_classifications": sums.messages,
        # of one trend its own, also where it has no message to weigh it by
        "avg_confidence": row.get("avg_confidence", sums.avg_confidence),
        "hotspot_count": sums.hotspots,
        "risk_score": sums.risk_score,
        **_named_sums(sums),
    }, sums


def _named_sums(sums: figures.Sums) -> dict[str, int]:
    return {
        "risky_classifications": sums.risky,
        "escalations_total": sums.alerts,
        "messages_with_tone": sums.with_tone,
        "confidence_sum": sums.confidence,
        "classifications_with_confidence": sums.confident,
    }


def _totals(entries: Sequence[_Entry]) -> models.Totals:
    sums, stored = figures.Sums(), [entry for entry in entries if entry.sums]
    for entry in entries:
        sums.add(entry.sums or figures.Sums())
    named = {"total_classifications": sums.messages, **_named_sums(sums)}
    return models.Totals(
        days=len(entries),
        stored_days=len(stored),
        not_final_days=sum(entry.not_final > 0 for entry in entries),
        whole_days=sum(entry.day.whole for entry in entries),
        expected_days=sum(entry.expected > 0 for entry in entries),
        missing_days=sum(entry.day.missing for entry in entries),
        unreadable_days=sum(entry.day.unreadable for entry in entries),
        organization_days_stored=sum(entry.stored for entry in entries),
        organization_days_not_final=sum(entry.not_final for entry in entries),
        organization_days_expected=sum(entry.expected for entry in entries),
        topics=figures.added(entry.day.topics for entry in stored),
        tones=figures.added(entry.day.tones for entry in stored),
        escalations=figures.added(entry.day.escalations for entry in stored),
        risk_score=sums.risk_score,
        avg_confidence=sums.avg_confidence,
        # nothing stored is nothing known, which is not zero
        **(named if stored else dict.fromkeys(named)),
    )


def _ranked(row: Mapping[str, Any], usual: tuple[int, int], *, rank: int) -> models.RankedOrganization:
    sums, now, before = (figures.sums_of(row, prefix) for prefix in ("", "matched_", "previous_"))
    stored, matched = row["days_stored"] > 0, row["matched_days"] > 0
    return models.RankedOrganization(
        rank=rank,
        organization=_organization(row),
        risk_score=sums.risk_score,
        risk_score_change=figures.risk_change(now, before),
        adjusted_risk=figures.shrunk_percent((sums.risky + sums.alerts, sums.messages + sums.alerts), usual),
        days_stored=row["days_stored"],
        expected_days=row["expected_days"],
        missing_days=row["missing_days"],
        unreadable_days=row["unreadable_days"],
        not_final_days=len(row["not_final_dates"]),
        not_final_dates=row["not_final_dates"],
        unreadable=row["unreadable_days"] > 0 or row["nameless"],
        total_classifications=sums.messages if stored else None,
        total_classifications_change=figures.change_percent(now.messages, before.messages),
        escalations=sums.alerts if stored else None,
        escalations_per_thousand=figures.per_thousand(sums.alerts, sums.messages),
        escalations_change=figures.change_percent(now.alerts, before.alerts),
        critical_escalations=row["critical"],
        hotspot_count=row["hotspots"],
        avg_confidence=sums.avg_confidence,
        avg_confidence_change=figures.confidence_change(now, before),
        matched_days=row["matched_days"],
        comparable=figures.is_comparable(row["matched_days"], row["expected_days"]),
        matched_risk_score=now.risk_score,
        previous_risk_score=before.risk_score,
        matched_classifications=now.messages if matched else None,
        previous_classifications=before.messages if matched else None,
        matched_risky_classifications=now.risky if matched else None,
        previous_risky_classifications=before.risky if matched else None,
        matched_escalations=now.alerts if matched else None,
        previous_escalations=before.alerts if matched else None,
        daily_classifications=row["daily_classifications"],
        daily_risky_classifications=row["daily_risky_classifications"],
        daily_escalations=row["daily_escalations"],
    )
