"""A range against the one before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from communication_trends import settings
from communication_trends.core import totals
from communication_trends.core.period_range import Range
from communication_trends.core.trend_reader import TrendReader
from communication_trends.web.answers.organizations import find
from communication_trends.web.answers.ranged import ignored, range_fields
from communication_trends.web.models.base import Dates
from communication_trends.web.models.comparison import ChangeInPercent, ChangeInPoints, Comparison
from communication_trends.web.models.organizations import Organization


def comparison(reader: TrendReader, asked: Range, *, organization: str | None) -> Comparison:
    """Return a range against the one before it, over the organization-days that are stored and final in both."""
    one = find(reader, organization)
    [row] = reader.rows(
        "reading/comparison",
        organization_id=one and one.id,
        hotspot_topics=settings.hotspot_topics(),
        **asked.compared_parameters,
    )
    now, before, total = (totals.sums_of(row, prefix) for prefix in ("", "previous_", "total_"))
    matched, stored = row["matched_days"], row["stored_days"]

    def count(name: str) -> ChangeInPercent:
        current, previous, every = (getattr(sums, name) for sums in (now, before, total))
        return ChangeInPercent(
            current=current if matched else None,
            previous=previous if matched else None,
            change_percent=totals.change_percent(current, previous) if matched else None,
            total=every if stored else None,
            left_out=every - current if stored else None,
        )

    def share(name: str, change: Callable[[totals.Sums, totals.Sums], float | None]) -> ChangeInPoints:
        current, previous, every = (getattr(sums, name) for sums in (now, before, total))
        return ChangeInPoints(current=current, previous=previous, change_points=change(now, before), total=every)

    return Comparison(
        **compared(asked, one, matched, row["possible_days"]),
        stored_days=stored,
        not_final_days=row["not_final_days"],
        left_out_days=stored - matched,
        ignored=ignored(reader, asked, one),
        total_classifications=count("messages"),
        escalations=count("alerts"),
        risk_score=share("risk_score", totals.risk_change),
        avg_confidence=share("avg_confidence", totals.confidence_change),
    )


def compared(asked: Range, one: Organization | None, matched: int, possible: int) -> dict[str, Any]:
    """Return what all answers about a range and the one that it is compared with have in common."""
    previous = asked.earlier(asked.shift())
    return {
        **range_fields(asked),
        "organization": one,
        "current": Dates(from_=asked.from_, to=asked.to),
        "previous": Dates(from_=previous.from_, to=previous.to),
        "matched_days": matched,
        "possible_days": possible,
        "comparable": totals.is_comparable(matched, possible),
    }
