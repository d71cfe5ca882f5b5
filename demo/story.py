"""A dozen organizations over ten weeks: rows that tell a story, the same each time for the same dates."""

from __future__ import annotations

import datetime
import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

DAYS = 70
"""How many days of rows there are, up to yesterday: more than the eight weeks that one is compared with."""

TOPICS = ["scheduling", "complaint", "technical", "status_update", "request", "escalation", "general"]
TONES = ["angry", "frustrated", "tense", "neutral", "positive"]
CALM_TOPICS = [18, 6, 14, 22, 20, 2, 18]
CALM_TONES = [1, 4, 6, 60, 29]
HOT_TOPICS = [2, 46, 14, 2, 8, 24, 4]
HOT_TONES = [28, 36, 20, 13, 3]


@dataclass(frozen=True)
class Organization:
    """
    One organization of the story.

    :param slug: its slug; the name is made from it.
    :param messages: classified messages on a working day.
    :param channels: how many channels they are spread over, the first the busiest.
    :param hotspot: a channel in which complaints have been growing for two weeks.
    :param escalating: whether alerts pile up on the last three days.
    """

    slug: str
    messages: int
    channels: int
    hotspot: str | None = None
    escalating: bool = False

    @property
    def id(self) -> str:
        """The same uuid each time."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.slug}.example"))

    @property
    def name(self) -> str:
        """The slug as a name."""
        return self.slug.replace("-", " ").title()


ORGANIZATIONS = [
    Organization("aurora-airlines", 2400, 24),
    Organization("northwind-retail", 900, 12, hotspot="returns-desk"),
    Organization("lumen-health", 420, 9, escalating=True),
    Organization("pelican-logistics", 260, 8),
    Organization("cobalt-bank", 180, 6),
    Organization("fjord-energy", 120, 6),
    Organization("maple-insurance", 90, 5),
    Organization("tandem-bikes", 60, 4),
    Organization("juniper-schools", 35, 3),
    Organization("olive-kitchens", 18, 2),
    Organization("atlas-notaries", 6, 1),
    Organization("quiet-harbor", 0, 0),
]


def is_loaded(connection: Any, until: datetime.date) -> bool:
    """
    Return whether the story's rows are there, up to a day.

    :param connection: a psycopg connection to a database with the source tables.
    :param until: the last day of the story, UTC.
    """
    # they came in one transaction, so that one of the last day's stands for all
    first_of_the_last_day = f"{ORGANIZATIONS[0].slug}/{until}/0"
    statement = "select from topic_classifications where suggestion_id = %s"
    return bool(connection.execute(statement, [first_of_the_last_day]).fetchall())


def load(connection: Any, until: datetime.date) -> int:
    """
    Put the story's rows in place of those of an earlier call, in one transaction.

    :param connection: a psycopg connection to a database with the source tables.
    :param until: the last day of the story, UTC.
    :return: how many messages there are now.
    """
    ids = [organization.id for organization in ORGANIZATIONS]
    created = until - datetime.timedelta(days=DAYS - 1)
    messages = 0
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("delete from topic_classifications where organization_id = any(%s::uuid[])", [ids])
        cursor.execute("delete from escalation_alerts where organization_id = any(%s::uuid[])", [ids])
        cursor.executemany(
            "insert into organizations (id, name, slug, created_at) values (%s, %s, %s, %s)"
            " on conflict (id) do update set created_at = excluded.created_at",
            [(organization.id, organization.name, organization.slug, created) for organization in ORGANIZATIONS],
        )
        with cursor.copy(
            "copy topic_classifications"
            " (organization_id, user_id, channel_id, suggestion_id, topic, confidence, sentiment, created_at)"
            " from stdin"
        ) as copy:
            for organization, date in _organization_days(until):
                for row in _messages(organization, date, until):
                    copy.write_row(row)
                    messages += 1
        with cursor.copy(
            "copy escalation_alerts"
            " (organization_id, channel_id, alert_type, severity, summary, status, created_at) from stdin"
        ) as copy:
            for organization, date in _organization_days(until):
                for row in _alerts(organization, date, until):
                    copy.write_row(row)
    return messages


def _organization_days(until: datetime.date) -> Iterator[tuple[Organization, datetime.date]]:
    for organization in ORGANIZATIONS:
        for age in reversed(range(DAYS)):
            yield organization, until - datetime.timedelta(days=age)


def _volume(organization: Organization, date: datetime.date, chance: random.Random) -> int:
    weekday = 0.3 if date.weekday() >= 5 else 1.0
    return round(organization.messages * weekday * chance.uniform(0.8, 1.2))


def _moment(date: datetime.date, chance: random.Random) -> datetime.datetime:
    """Pick a moment of the day, mostly in office hours."""
    hour = chance.gauss(14, 3.5) % 24
    return datetime.datetime.combine(date, datetime.time()) + datetime.timedelta(hours=hour)


def _messages(organization: Organization, date: datetime.date, until: datetime.date) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(f"{organization.slug} {date}")
    heat = max(0.0, 1 - (until - date).days / 14)
    for number in range(_volume(organization, date, chance)):
        channel = f"support-{min(int(chance.expovariate(0.35)), organization.channels - 1) + 1}"
        hot = False
        if organization.hotspot and chance.random() < 0.12:
            channel, hot = organization.hotspot, chance.random() < heat
        elif organization.escalating and (until - date).days < 3:
            hot = chance.random() < 0.2
        topic = chance.choices(TOPICS, HOT_TOPICS if hot else CALM_TOPICS)[0]
        tone = chance.choices(TONES, HOT_TONES if hot else CALM_TONES)[0]
        yield (
            organization.id,
            f"user-{chance.randrange(40)}",
            None if chance.random() < 0.02 else channel,
            f"{organization.slug}/{date}/{number}",
            topic,
            None if chance.random() < 0.03 else min(100, max(0, round(chance.gauss(82, 9)))),
            None if chance.random() < 0.05 else json.dumps({"tone": tone, "score": round(chance.random(), 2)}),
            _moment(date, chance),
        )


def _alerts(organization: Organization, date: datetime.date, until: datetime.date) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(f"{organization.slug} {date} alerts")
    spike = organization.escalating and (until - date).days < 3
    count = chance.randint(22, 34) if spike else round(chance.uniform(0, organization.messages / 200))
    for _ in range(count):
        severity = chance.choices(["medium", "high", "critical"], [5, 4, 3] if spike else [6, 3, 0.3])[0]
        yield (
            organization.id,
            f"support-{chance.randint(1, max(1, organization.channels))}",
            "negative_sentiment",
            severity,
            "A customer is losing patience",
            "open",
            _moment(date, chance),
        )
