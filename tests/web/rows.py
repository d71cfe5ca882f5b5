"""Ninety days of trends of ten organizations, the same each time: a week's rhythm, one incident, three gaps."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from typing import Any

import psycopg

FIRST_DAY = datetime.date(2026, 8, 1)
LAST_DAY = datetime.date(2026, 10, 29)
DAYS = [FIRST_DAY + datetime.timedelta(days) for days in range((LAST_DAY - FIRST_DAY).days + 1)]
ORGANIZATIONS = {
    "acme": "Acme Logistics",
    "borealis": "Borealis Energy",
    "cobalt": "Cobalt Health",
    "dune": "Dune Retail",
    "evergreen": "Evergreen Foods",
    "fjord": "Fjord Shipping",
    "granite": "Granite Bank",
    "harbor": "Harbor Hotels",
    "iris": "Iris Media",
    "juniper": "Juniper Labs",
}
GAPS = {datetime.date(2026, 10, 14), datetime.date(2026, 10, 15), datetime.date(2026, 10, 22)}
"""Days of acme without a trend."""
CREATED = datetime.date(2026, 7, 15)
"""When the organizations were created."""
INCIDENT = datetime.date(2026, 10, 19)
"""The worst day of acme."""


def organization_id(slug: str) -> str:
    """Return an organization's id."""
    return f"00000000-0000-4000-8000-{sorted(ORGANIZATIONS).index(slug) + 1:012d}"


def trend(slug: str, day: datetime.date) -> dict[str, Any]:
    """Return the columns of one organization's trend of a day."""
    index = sorted(ORGANIZATIONS).index(slug)
    ordinal = day.toordinal()
    weekend = day.weekday() >= 5
    wave = (ordinal * (7 + index) + index * 13) % 11
    base = (18 if weekend else 46) + 5 * (9 - index) + wave
    distance = abs((day - INCIDENT).days)
    heat = max(0, 5 - distance) * 9 if slug == "acme" else max(0, wave - 8) * (9 - index)
    topics = {
        "complaint": base // (7 + index) + heat,
        "escalation": base // (16 + 3 * index) + heat // 3,
        "general": base // 3,
        "request": base // 4 + wave // 2,
        "scheduling": base // 6,
        "status_update": base // 5,
        "technical": base // 5 + (ordinal + index) % 5,
    }
    total = sum(topics.values())
    risky = topics["complaint"] + topics["escalation"]
    tones = {
        "angry": risky // 4,
        "frustrated": risky // 2,
        "tense": total // 12,
        "positive": total // (4 if weekend else 5),
    }
    tones["neutral"] = total - sum(tones.values()) - total // 20
    escalations = {"medium": risky // 6, "high": risky // 11, "critical": heat // 12}
    hotspots = [
        {"channelId": channel, "riskScore": score, "messageCount": total // part}
        for channel, score, part in [
            (f"C-{slug}-support", min(31 + risky * 60 // total, 96), 3),
            (f"C-{slug}-billing", 31 + heat // 2, 5),
        ]
        if risky * 100 > 24 * total or heat > 20
    ]
    return {
        "topic_distribution": topics,
        "sentiment_distribution": tones,
        "escalation_counts": {name: count for name, count in escalations.items() if count},
        "channel_hotspots": hotspots,
        "total_classifications": total,
        "avg_confidence": 74 + (ordinal * 3 + index * 5) % 17 - (heat // 9),
    }


def insert(
    connection: psycopg.Connection[Any],
    organizations: Iterable[tuple[str, str, str, datetime.date]],
    trends: Iterable[tuple[str, datetime.date, dict[str, Any]]],
) -> None:
    """Insert organizations, with id, name, slug and date of creation, and daily trends by an organization's id."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into organizations (id, name, slug, created_at) values (%s, %s, %s, %s)", list(organizations)
        )
        cursor.executemany(
            "insert into communication_trends (organization_id, trend_date, trend_period, topic_distribution,"
            " sentiment_distribution, escalation_counts, channel_hotspots, total_classifications, avg_confidence)"
            " values (%s, %s, 'daily', %s, %s, %s, %s, %s, %s)",
            [(id_, day, *[_column(value) for value in columns.values()]) for id_, day, columns in trends],
        )


def fill(connection: psycopg.Connection[Any]) -> None:
    """Insert all of it, with the messages behind acme's first gap, so that a run can fill it."""
    days = [(slug, day) for slug in ORGANIZATIONS for day in DAYS if slug != "acme" or day not in GAPS]
    insert(
        connection,
        [(organization_id(slug), name, slug, CREATED) for slug, name in ORGANIZATIONS.items()],
        [(organization_id(slug), day, trend(slug, day)) for slug, day in days],
    )
    with connection.cursor() as cursor:
        for day in sorted(GAPS):
            expected = trend("acme", day)
            cursor.executemany(
                "insert into topic_classifications (organization_id, channel_id, topic, confidence, sentiment,"
                " created_at) values (%s, 'C-acme-support', %s, 80, '{\"tone\": \"tense\"}', %s)",
                [
                    (organization_id("acme"), topic, datetime.datetime.combine(day, datetime.time(12)))
                    for topic, count in expected["topic_distribution"].items()
                    for _ in range(count)
                ],
            )


def _column(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value
