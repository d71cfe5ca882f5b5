"""The anomalies in the periods of a range."""

from __future__ import annotations

from communication_trends import settings
from communication_trends.core.period_range import Range
from communication_trends.core.stored_anomalies import find_stored_anomalies
from communication_trends.core.trend_reader import TrendReader
from communication_trends.web.answers.organizations import find
from communication_trends.web.answers.ranged import range_fields
from communication_trends.web.models.attention import Attention, Finding, Together
from communication_trends.web.models.organizations import Organization


def attention(
    reader: TrendReader, asked: Range, *, organization: str | None, limit: int | None, offset: int
) -> Attention:
    """Return a page of the anomalies in the periods of a range whose run is due, or all of it without a limit."""
    one = find(reader, organization)
    periods = [period for period in asked.periods() if period.first_date <= asked.due.first_date]
    answer = find_stored_anomalies(
        reader,
        asked.kind,
        periods,
        organizations=[one.id] if one else None,
        risky_topics=settings.hotspot_topics(),
        marks=settings.known_marks(),
    )
    found = answer.findings
    return Attention(
        **range_fields(asked),
        organizations_compared=answer.organizations,
        organization_days_compared=answer.judged,
        organizations_total=answer.organizations_total,
        organizations_not_compared=answer.organizations_total - answer.organizations,
        together=[Together(**vars(entry)) for entry in answer.together],
        findings=[
            Finding(
                organization=Organization(id=entry.organization_id, name=entry.name, slug=entry.slug),
                date=entry.date,
                together=entry.is_together,
                **vars(entry.finding),
            )
            for entry in (found if limit is None else found[offset : offset + limit])
        ],
        total_entries=len(found),
    )
