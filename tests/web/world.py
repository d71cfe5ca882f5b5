"""Sixty tenants over 120 days, the same each time: growth, a holiday, a promotion, an incident, special tenants."""

from __future__ import annotations

import datetime
import random
from typing import Any

import psycopg

from web import rows

FIRST_DAY = datetime.date(2026, 7, 2)
LAST_DAY = datetime.date(2026, 10, 29)
DAYS = [FIRST_DAY + datetime.timedelta(days) for days in range(120)]
CREATED = datetime.date(2026, 6, 1)
NAMES = [
    f"{first} {second}"
    for second in ("Bank", "Bridge", "Foods", "Health", "Retail")
    for first in (
        *("Amber", "Birch", "Coral", "Delta", "Ember", "Falcon"),
        *("Grove", "Haven", "Iron", "Jasper", "Kestrel", "Lumen"),
    )
]

HOLIDAY = datetime.date(2026, 8, 17)
"""A third of the messages, of everybody."""
OUTAGE = datetime.date(2026, 9, 14)
"""A day of which no tenant has a trend."""
INCIDENT = datetime.date(2026, 9, 22)
"""Of the platform: six times the alerts and twice the complaints, of everybody."""
PROMOTION = LAST_DAY
"""Two and a half times the messages of the tenants in retail and foods."""

CRISIS = "Ember Health"
"""On the last day: risk, tones and alerts up, and messages hardly."""
WORSE = "Delta Bank"
"""From 8% risk to 30% within the last 40 days."""
TROUBLED = ["Coral Foods", "Haven Bridge", "Lumen Health"]
"""A risk of 20%, always."""
SILENT = "Jasper Bank"
SILENT_SINCE = datetime.date(2026, 10, 20)
NEW = "Kestrel Bridge"
NEW_SINCE = datetime.date(2026, 10, 12)
LATE = "Iron Bridge"
"""Without a trend of one day."""
LATE_DAY = datetime.date(2026, 10, 27)
SMALL = [name for index, name in enumerate(NAMES) if index % 6 == 1 and name not in (*TROUBLED, CRISIS, WORSE, LATE)]
"""About three messages a day: a complaint or two are chance."""


def organization_id(name: str) -> str:
    """Return an organization's id."""
    return f"00000000-0000-4000-8000-{NAMES.index(name) + 1:012d}"


def trends() -> dict[tuple[str, datetime.date], dict[str, Any]]:
    """Return the columns of each tenant's and day's trend; none where nothing is stored."""
    chance = random.Random(27)
    found = {}
    for index, name in enumerate(NAMES):
        size = 3 if name in SMALL else 40 + 37 * (index % 9)
        for day in DAYS:
            # drawn of each, so that one tenant's history changes no other's
            draws = [chance.gauss(0, 1) for _ in range(4)]
            if day != OUTAGE and not (name == NEW and day < NEW_SINCE) and not (name == LATE and day == LATE_DAY):
                found[name, day] = _trend(name, day, size, draws)
    return found


def _trend(name: str, day: datetime.date, size: int, draws: list[float]) -> dict[str, Any]:
    age = (day - FIRST_DAY).days
    mean = size * (1 + 0.003 * age) * (0.4 if day.weekday() >= 5 else 1)
    risk, alerts = 0.08, 0.012
    if day == HOLIDAY:
        mean /= 3
    if day == PROMOTION and name.split()[1] in ("Retail", "Foods"):
        mean *= 2.5
    if day == INCIDENT:
        risk, alerts = 2 * risk, 6 * alerts
    if name in TROUBLED:
        risk = 0.2
    if name == WORSE:
        risk += 0.22 * max(0, age - 80) / 40
    is_crisis = name == CRISIS and day == LAST_DAY
    if is_crisis:
        risk, alerts = 0.4, 0.15
    if name == SILENT and day >= SILENT_SINCE:
        mean = 0
    messages = _count(mean, draws[0])
    risky = min(messages, _count(messages * risk, draws[1]))
    raised = _count(messages * alerts, draws[2])
    negative = min(messages, _count(messages * (0.3 if is_crisis else 0.06 + (risk - 0.08) / 2), draws[3]))
    rest = messages - risky
    topics = {"complaint": risky - risky // 4, "escalation": risky // 4, "request": rest // 3, "technical": rest // 5}
    topics["general"] = messages - sum(topics.values())
    hot = risky > 0.15 * messages and messages > 60
    return {
        "topic_distribution": topics,
        "sentiment_distribution": {"angry": negative // 3, "frustrated": negative - negative // 3}
        | {"neutral": messages - negative},
        "escalation_counts": {"high": raised - raised // 5, "critical": raised // 5} if raised else {},
        "channel_hotspots": [
            {"channelId": f"C-{name.split()[0].lower()}-support", "riskScore": 45, "messageCount": messages // 3}
        ]
        if hot
        else [],
        "total_classifications": messages,
        "avg_confidence": 82 if messages else None,
    }


def _count(mean: float, draw: float) -> int:
    """Return a count of a mean, with a little more variance than chance gives it."""
    return max(0, round(mean + draw * (1.2 * mean) ** 0.5))


def fill(connection: psycopg.Connection[Any]) -> None:
    """Insert all of it."""
    made = {name: NEW_SINCE if name == NEW else CREATED for name in NAMES}
    rows.insert(
        connection,
        [(organization_id(name), name, name.lower().replace(" ", "-"), since) for name, since in made.items()],
        [(organization_id(name), day, row) for (name, day), row in trends().items()],
    )
