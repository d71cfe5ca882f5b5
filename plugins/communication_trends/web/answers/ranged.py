"""What all answers about a range have in common."""

from __future__ import annotations

from typing import Any

from communication_trends import settings
from communication_trends.core.period_range import Range
from communication_trends.core.trend_reader import TrendReader
from communication_trends.web.models.base import Ignored
from communication_trends.web.models.organizations import Organization


def range_fields(asked: Range) -> dict[str, Any]:
    """Return what all answers about a range have in common."""
    return {
        "period": asked.kind.name,
        "from_": asked.from_,
        "to": asked.to,
        "risky_topics": settings.hotspot_topics(),
    }


def ignored(reader: TrendReader, asked: Range, one: Organization | None) -> Ignored:
    """Return how many stored trends of a range are ignored."""
    [row] = reader.rows("web/ignored", organization_id=one and one.id, **asked.parameters)
    return Ignored(**row)
