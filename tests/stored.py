"""What a stored trend consists of, when it can be read, and what PostgreSQL may know of the stored ones."""

from __future__ import annotations

from typing import Any

EMPTY: dict[str, Any] = {
    "topic_distribution": {},
    "sentiment_distribution": {},
    "escalation_counts": {},
    "channel_hotspots": [],
    "total_classifications": 0,
    "avg_confidence": None,
}
"""The trend of a period without messages and alerts."""

COLUMNS = tuple(EMPTY)


def is_count(value: object, most: int = 2_147_483_647) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def is_readable(row: dict) -> bool:
    """Whether a stored row can be read: the rule once more, in plain Python."""
    for column in COLUMNS[:3]:
        if not isinstance(row[column], dict) or not all(map(is_count, row[column].values())):
            return False
    if not isinstance(row["channel_hotspots"], list):
        return False
    for entry in row["channel_hotspots"]:
        if not isinstance(entry, dict) or not isinstance(entry.get("channelId"), str):
            return False
        if not is_count(entry.get("riskScore"), 100) or not is_count(entry.get("messageCount")):
            return False
    return is_count(row["total_classifications"]) and (
        row["avg_confidence"] is None or is_count(row["avg_confidence"], 100)
    )


def _statistics(organizations: int, days: int) -> str:
    return (
        "insert into organizations (name, slug) select 'Other ' || n, 'other-' || n"
        f" from generate_series(1, {organizations}) as n;"
        "insert into communication_trends (organization_id, trend_date, trend_period, topic_distribution,"
        " sentiment_distribution, escalation_counts, channel_hotspots, total_classifications, avg_confidence)"
        " select id, timestamp '2026-11-20' + back * interval '1 day', 'daily', '{\"general\": 9}', '{}', '{}', '[]',"
        f" 9, 80 from organizations cross join generate_series(1, {days}) as backs (back) where name like 'Other %';"
        "insert into communication_trends_provenance (organization_id, trend_date, trend_period, computed_at,"
        " changed_at, is_final, messages, alerts, messages_with_tone, messages_with_confidence, hotspot_rule, run_id)"
        " select organization_id, trend_date, trend_period, now(), now(), true, 9, 0, 0, 9, '{}', 'earlier'"
        " from communication_trends;"
    )


STATISTICS = {
    "of an empty table": "",
    # any day but those has no row, as far as it knows
    "of ten organizations on eight other days": _statistics(10, 8),
}
"""SQL that leaves PostgreSQL with statistics, by what these are of; none of them know the trends that are tested."""

PILOT = {
    # any row is of whichever organization is asked for, as far as it knows
    "of one organization on three hundred other days": _statistics(1, 300)
    + "update organizations set created_at = '2026-10-01';"
}
"""The same; the page's statements do read rows once for each organization until PostgreSQL has new statistics."""
