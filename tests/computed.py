"""The package's statement as it runs it, and a trend computed without it, in plain Python."""

from __future__ import annotations

import datetime
import decimal
import fractions
import json
from collections import Counter, defaultdict
from typing import Any

from stored import EMPTY

from local import ROOT

DAY_START = datetime.datetime(2026, 11, 1)
DAY_END = datetime.datetime(2026, 11, 2)


def aggregate(database, *slugs: str, **changes: Any) -> dict[str, dict[str, Any]]:
    """Run the package's statement as it runs it, and return each organization's trend without its id."""
    names = {database.organization(slug): slug for slug in slugs}
    parameters = {
        "organization_ids": list(names),
        "period_starts": [DAY_START],
        "period_ends": [DAY_END],
        "hotspot_topics": ["complaint", "escalation"],
        "hotspot_min_messages": 10,
        "hotspot_min_ratio": decimal.Decimal("0.3"),
        **changes,
    }
    sql = (ROOT / "sql" / "aggregate_trends.sql").read_text()
    with database.connection.transaction():
        database.connection.execute(
            (ROOT / "sql" / "transaction_settings.sql").read_text(),
            {
                "read_only": True,
                "aggregating": True,
                "statement_timeout": "60s",
                "lock_timeout": "10s",
                "idle_timeout": "60s",
            },
        )
        rows = database.connection.execute(sql, parameters).fetchall()
    assert {row["organization_id"]: row.pop("slug") for row in rows} == names
    # the organizations were made just now, long after the day
    assert all((row.pop("period_start"), row.pop("existed")) == (DAY_START, False) for row in rows)
    # through JSON, as the package hands them on: numbers must survive it
    trends = json.loads(json.dumps(rows))
    for trend in trends:
        trend.update({name: json.loads(trend[name]) for name, value in EMPTY.items() if isinstance(value, dict | list)})
        assert trend.pop("messages_with_tone") == sum(trend["sentiment_distribution"].values())
        assert trend.pop("alerts") == sum(trend["escalation_counts"].values())
        assert (trend.pop("messages_with_confidence") > 0) == (trend["avg_confidence"] is not None)
    return {names[trend.pop("organization_id")]: trend for trend in trends}


def rounded_half_up(value: fractions.Fraction) -> int:
    return (value + fractions.Fraction(1, 2)).__floor__()


def tone_of(sentiment: Any) -> str | None:
    if not isinstance(sentiment, dict) or sentiment.get("tone") in (None, ""):
        return None
    tone = sentiment["tone"]
    return tone if isinstance(tone, str) else json.dumps(tone)


def trend_in_python(
    messages: list[dict[str, Any]],
    alerts: list[dict[str, Any]],
    start: datetime.datetime = DAY_START,
    end: datetime.datetime = DAY_END,
) -> dict[str, Any]:
    """The definition of a trend, read aloud in Python: lists and fractions, no SQL."""
    rows = [row for row in messages for _ in range(row["count"]) if start <= row["at"] < end]
    by_channel = defaultdict(list)
    for row in rows:
        if row["channel"] is not None:
            by_channel[row["channel"]].append(row["topic"] in ("complaint", "escalation"))
    hotspots = []
    for channel, risky in by_channel.items():
        ratio = fractions.Fraction(sum(risky), len(risky))
        if len(risky) >= 10 and ratio > fractions.Fraction(3, 10):
            score = rounded_half_up(ratio * 100)
            hotspots.append({"channelId": channel, "riskScore": score, "messageCount": len(risky)})
    hotspots.sort(key=lambda hotspot: (-hotspot["riskScore"], -hotspot["messageCount"], hotspot["channelId"]))
    confidences = [row["confidence"] for row in rows if row["confidence"] is not None]
    return {
        "topic_distribution": dict(Counter(row["topic"] for row in rows)),
        "sentiment_distribution": dict(Counter(tone for row in rows if (tone := tone_of(row["sentiment"])))),
        "escalation_counts": dict(
            Counter(alert["severity"] for alert in alerts if alert["at"] and start <= alert["at"] < end)
        ),
        "channel_hotspots": hotspots,
        "total_classifications": len(rows),
        "avg_confidence": rounded_half_up(fractions.Fraction(sum(confidences), len(confidences)))
        if confidences
        else None,
    }
