"""Rows of two organizations, the same each time, and the trends that follow from them."""

from __future__ import annotations

import collections
import datetime
import decimal
import random

from psycopg.types.json import Jsonb
from stored import COLUMNS

DAYS = [datetime.date(2026, 10, 31) + datetime.timedelta(days=days) for days in range(6)]
SLUGS = ["acme", "bolt", "idle"]


def source_rows():
    """Return messages and alerts as (slug, moment, …), the same each time."""
    pick = random.Random(20261101)
    messages, alerts = [], []
    for day in DAYS:
        for slug in SLUGS[:2]:
            for _ in range(pick.randint(30, 60)):
                messages.append(
                    (
                        slug,
                        datetime.datetime.combine(day, datetime.time.min)
                        + datetime.timedelta(
                            microseconds=pick.choice([0, 86_399_999_999, pick.randrange(86_400_000_000)])
                        ),
                        pick.choice(["complaint", "escalation", "general", ""]),
                        pick.choice(["C1", "C2", None]),
                        pick.choice([None, 0, 33, 80, 81, 100]),
                        pick.choice([None, {"tone": "angry"}, {"tone": ""}, {"tone": "positive"}, [1]]),
                    )
                )
            alerts += [
                (slug, datetime.datetime.combine(day, datetime.time(23, 59, 59)), pick.choice(["high", "critical"]))
                for _ in range(pick.randint(0, 3))
            ]
    return messages, alerts


def insert(database, messages, alerts):
    for slug in SLUGS:
        database.organization(slug)
    with database.connection.cursor() as cursor:
        cursor.executemany(
            "insert into topic_classifications (organization_id, created_at, topic, channel_id, confidence, sentiment)"
            " values (%s, %s, %s, %s, %s, %s)",
            [
                (database.organization(slug), *values, None if sentiment is None else Jsonb(sentiment))
                for slug, *values, sentiment in messages
            ],
        )
        cursor.executemany(
            "insert into escalation_alerts (organization_id, created_at, severity) values (%s, %s, %s)",
            [(database.organization(slug), *values) for slug, *values in alerts],
        )


def half_up(value):
    return int(decimal.Decimal(value).quantize(decimal.Decimal(1), decimal.ROUND_HALF_UP))


def expected(slug, day, messages, alerts, days=1):
    """Return the trend of a day, or of so many from it on, as Python computes it, without SQL."""
    dates = [day + datetime.timedelta(days=age) for age in range(days)]
    mine = [row for row in messages if row[0] == slug and row[1].date() in dates]
    tones = [row[5]["tone"] for row in mine if isinstance(row[5], dict) and row[5]["tone"]]
    confidences = [row[4] for row in mine if row[4] is not None]
    hotspots = []
    for channel, count in collections.Counter(row[3] for row in mine if row[3] is not None).items():
        risky = sum(row[3] == channel and row[2] in ("complaint", "escalation") for row in mine)
        if count >= 10 and 10 * risky > 3 * count:
            score = half_up(decimal.Decimal(100 * risky) / count)
            hotspots.append({"channelId": channel, "riskScore": score, "messageCount": count})
    return {
        "topic_distribution": dict(collections.Counter(row[2] for row in mine)),
        "sentiment_distribution": dict(collections.Counter(tones)),
        "escalation_counts": dict(
            collections.Counter(row[2] for row in alerts if row[:1] == (slug,) and row[1].date() in dates)
        ),
        "channel_hotspots": sorted(hotspots, key=lambda h: (-h["riskScore"], -h["messageCount"], h["channelId"])),
        "total_classifications": len(mine),
        "avg_confidence": half_up(decimal.Decimal(sum(confidences)) / len(confidences)) if confidences else None,
    }


def stored(database, period="daily"):
    return {key: {name: row[name] for name in COLUMNS} for key, row in database.trends(period).items()}
