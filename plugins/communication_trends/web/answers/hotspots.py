"""The hotspots of a range, and the rules by which they were computed."""

from __future__ import annotations

from communication_trends import settings
from communication_trends.core import totals
from communication_trends.core.period import ONE_DAY
from communication_trends.core.period_range import Range
from communication_trends.core.trend_reader import TrendReader
from communication_trends.core.work import read_rule
from communication_trends.web.answers.organizations import find, organization_of
from communication_trends.web.answers.ranged import range_fields
from communication_trends.web.models.hotspots import HotspotRule, Hotspots, RankedHotspot


def hotspots(
    reader: TrendReader, asked: Range, *, organization: str | None, limit: int | None, offset: int
) -> Hotspots:
    """Return a page of the hotspot channels, or all of them without a limit."""
    one = find(reader, organization)
    rows = reader.rows("web/hotspots", organization_id=one and one.id, limit=limit, offset=offset, **asked.parameters)
    return Hotspots(
        **range_fields(asked),
        hotspots=[
            RankedHotspot(
                organization=organization_of(row),
                risk_score=totals.rounded(row["risk"], row["message_count"]),
                **row,
            )
            for row in rows
            if row["organization_id"]
        ],
        total_entries=rows[0]["total_entries"],
        hotspot_rules=hotspot_rules(reader, asked, one.id if one else None),
    )


def hotspot_rules(reader: TrendReader, asked: Range, organization_id: str | None) -> list[HotspotRule] | None:
    """Return by which rules the hotspots of a range were computed; None where that cannot be read."""
    if not reader.knows_origins:
        return None
    rows = reader.rows(
        "web/hotspot_rules",
        organization_id=organization_id,
        hotspot_rule=settings.hotspot_rule().as_json(),
        **asked.parameters,
    )
    unknown = {"topics": None, "minMessages": None, "minRatio": None}
    return [
        HotspotRule(
            **(read_rule(row["hotspot_rule"]) or unknown),
            current=row["is_current"],
            trends=row["trends"],
            from_=row["first_date"],
            to=asked.kind.containing(row["last_date"]).next_date - ONE_DAY,
        )
        for row in rows
    ]
