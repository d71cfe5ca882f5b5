"""The trends of a range, one entry per period."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from communication_trends import settings
from communication_trends.core import totals
from communication_trends.core.marks import marks_between
from communication_trends.core.period_range import Range
from communication_trends.core.trend_reader import TrendReader
from communication_trends.web.answers.hotspots import hotspot_rules
from communication_trends.web.answers.organizations import find, find_one
from communication_trends.web.answers.ranged import range_fields
from communication_trends.web.models.base import Ignored
from communication_trends.web.models.hotspots import Hotspot
from communication_trends.web.models.trends import (
    AllTrendDay,
    AllTrends,
    ChangedPeriod,
    NamedDays,
    OrganizationTrendDay,
    OrganizationTrends,
    Totals,
    TrendDay,
)


def trends_of_one(
    reader: TrendReader, organization: str, asked: Range, changed_since: datetime.datetime | None = None
) -> OrganizationTrends:
    """Return one organization's trends."""
    found = find_one(reader, organization)
    rows = reader.rows("web/trends_of_all", organization_id=found.id, **asked.parameters)
    singles = reader.rows("web/trends", organization_id=found.id, **asked.parameters)
    # provenance can be read for both, hotspot rules and origins, or for neither
    origins = reader.rows("web/origins", organization_id=found.id, **asked.parameters) if reader.knows_origins else []
    by_date, origin_of = ({row["date"]: row for row in some} for some in (singles, origins))
    entries = [_entry_of_one(row, by_date.get(row["date"]), origin_of.get(row["date"], {})) for row in rows]
    return OrganizationTrends(
        **range_fields(asked),
        **_changes(reader, asked, changed_since, found.id),
        organization=found,
        totals=_totals(entries),
        days=[entry.day for entry in entries],
        ignored=Ignored(**rows[0]),
        marks=_marks(asked),
        hotspot_rules=hotspot_rules(reader, asked, found.id),
    )


def trends_of_all(
    reader: TrendReader,
    asked: Range,
    changed_since: datetime.datetime | None = None,
    *,
    organization: str | None = None,
) -> AllTrends:
    """Return the trends of all organizations together, or of one as if there were no other."""
    one = find(reader, organization)
    rows = reader.rows("web/trends_of_all", organization_id=one and one.id, **asked.parameters)
    entries = [_entry(AllTrendDay, row) for row in rows]
    return AllTrends(
        **range_fields(asked),
        **_changes(reader, asked, changed_since, one.id if one else None),
        organizations_total=rows[0]["organizations_total"],
        totals=_totals(entries),
        days=[entry.day for entry in entries],
        ignored=Ignored(**rows[0]),
        marks=_marks(asked),
    )


def _marks(asked: Range) -> list[NamedDays]:
    found = marks_between(settings.known_marks(), asked.from_, asked.to)
    return [NamedDays(from_=mark.first, to=mark.last, name=mark.name) for mark in found]


def _changes(
    reader: TrendReader, asked: Range, since: datetime.datetime | None, organization_id: str | None
) -> dict[str, Any]:
    if since is None:
        return {}
    rows = reader.changed_periods(asked.kind, since, organization_id)
    changed = [
        ChangedPeriod(date=row["period_start"].date(), filled=row["filled"], corrected=row["corrected"]) for row in rows
    ]
    return {"changed_periods": changed, "changes_until": reader.changes_until}


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
    sums: totals.Sums | None
    stored: int
    not_final: int
    expected: int


def _entry_of_one(row: Mapping[str, Any], single: Mapping[str, Any] | None, origin: Mapping[str, Any]) -> _Entry:
    """Return a period of one organization, whose trend keeps its own average, even without messages to weight it."""
    if single is None:
        return _entry(OrganizationTrendDay, row)
    return _entry(
        OrganizationTrendDay,
        row,
        avg_confidence=single["avg_confidence"],
        hotspots=[_hotspot(entry) for entry in single["channel_hotspots"]],
        # a period that has not ended is never final, whatever is recorded
        is_final=False if row["organizations_not_final"] else origin.get("is_final"),
        computed_at=origin.get("computed_at"),
    )


def _entry(model: type[TrendDay], row: Mapping[str, Any], **more: Any) -> _Entry:
    """Return a period, with what its model has besides."""
    day, sums = _day(row)
    stored, expected, not_final = (row[f"organizations_{name}"] for name in ("stored", "expected", "not_final"))
    numbers = {name: value for name, value in row.items() if name.startswith("organizations_")}
    is_whole = expected > 0 and stored == expected and not not_final
    return _Entry(
        model(**{**numbers, **day, **more}, whole=is_whole),
        sums,
        stored=stored,
        not_final=not_final,
        # before it is due, expect only what is stored
        expected=max(expected, stored),
    )


def _day(row: Mapping[str, Any]) -> tuple[dict[str, Any], totals.Sums | None]:
    """Return what all answers say of a period, and its sums; None where no readable trend is stored."""
    state = row["state"]
    day = {"date": row["date"], "state": state, "missing": state == "missing", "unreadable": state == "unreadable"}
    if state != "stored":
        return day, None
    topics, tones, escalations = (
        totals.counts(row[name]) for name in ("topic_distribution", "sentiment_distribution", "escalation_counts")
    )
    sums = totals.sums_of_distributions(
        row["total_classifications"],
        topics,
        tones,
        escalations,
        confidence=row["confidence"],
        confident=row["confident"],
        risky_topics=settings.hotspot_topics(),
    )
    return {
        **day,
        "topics": topics,
        "tones": tones,
        "escalations": escalations,
        "total_classifications": sums.messages,
        "avg_confidence": sums.avg_confidence,
        "hotspot_count": row["hotspot_count"],
        "risk_score": sums.risk_score,
        **_named_sums(sums),
    }, sums


def _hotspot(entry: Mapping[str, Any]) -> Hotspot:
    return Hotspot(
        channel_id=entry["channelId"], risk_score=int(entry["riskScore"]), message_count=int(entry["messageCount"])
    )


def _named_sums(sums: totals.Sums) -> dict[str, int]:
    return {
        "risky_classifications": sums.risky,
        "escalations_total": sums.alerts,
        "messages_with_tone": sums.with_tone,
        "confidence_sum": sums.confidence,
        "classifications_with_confidence": sums.confident,
    }


def _totals(entries: Sequence[_Entry]) -> Totals:
    sums, stored = totals.Sums(), [entry for entry in entries if entry.sums]
    for entry in entries:
        sums.add(entry.sums or totals.Sums())
    named = {
        "total_classifications": sums.messages,
        **_named_sums(sums),
        **{
            name: totals.added(getattr(entry.day, name) for entry in stored)
            for name in ("topics", "tones", "escalations")
        },
    }
    return Totals(
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
        risk_score=sums.risk_score,
        avg_confidence=sums.avg_confidence,
        # nothing stored is nothing known, which is not zero
        **(named if stored else dict.fromkeys(named)),
    )
