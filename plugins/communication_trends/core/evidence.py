"""
What the source still knows of a period, before a trend of it is stored. No Airflow in here.

Absent is not empty: where no rows of a period are left, there may have been none, or they have been purged. Which of
the two it is shows by what is stored of other periods and by how far back the source goes.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from communication_trends.core.database import Transaction
from communication_trends.core.period import DAILY, ONE_DAY, Period

NUMBERS = r'(?<=[^\\](?:\\\\)*)":[[:space:]]*"?([0-9]{1,18}(?:[.][0-9]+)?)"?[[:space:]]*[,}]'
"""
Regular expression of PostgreSQL for the numbers of a stored JSON object.

Of its text, since another writer may have stored numbers as text, or all of the object as one. A quote after a
backslash is part of a key.
"""

PURGED = "source rows have been purged: of {} fewer are left than the stored daily trends were made from"
STRIPPED = "messages have lost their tone, confidence or channel: of {} fewer have one than in the stored daily trends"
NOT_FINAL = "the stored daily trends of {} are not final either"

Key = tuple[str, datetime.datetime]
"""Id of an organization, and the first moment of a period."""


def trend_key(row: Mapping[str, Any]) -> Key:
    """
    Return which trend a row of a statement is of.

    :param row: has ``organization_id`` and ``period_start``.
    """
    return row["organization_id"], row["period_start"]


@dataclass(frozen=True)
class Memory:
    """
    How far back one source table goes for an organization, and since when it had rows.

    :param oldest: its oldest row there is; None where there is none or it was not needed.
    :param oldest_of_all: the oldest row of any organization, or None where there is none or it was not needed.
    :param first_stored: first period whose stored trend was made from rows, or None.
    :param last_stored: last such period.
    """

    oldest: datetime.datetime | None = None
    oldest_of_all: datetime.datetime | None = None
    first_stored: Period | None = None
    last_stored: Period | None = None

    def may_have_lost_all(self, period: Period) -> bool:
        """Whether rows of a period, of which there are none, may have been purged."""
        if self.oldest is not None:
            if self.oldest < period.end:
                return False
            # rows from before its oldest one were there once
            return self.first_stored is not None and self.first_stored.end <= self.oldest
        if self.last_stored is None:
            return False
        # it had rows, and has none. That is explained where all rows of that time are gone, and only those
        return (
            self.oldest_of_all is None
            or self.oldest_of_all < self.last_stored.end
            or self.oldest_of_all >= period.start
        )

    def may_have_lost_some(self, period: Period) -> bool:
        """Whether a period, of which there are rows, may have had more: what came before them has been purged."""
        return (
            self.oldest is not None
            and self.oldest >= period.start
            and self.first_stored is not None
            and self.first_stored.first_date < period.first_date
        )


def gather_evidence(
    reading: Transaction,
    writing: Transaction,
    trends: Sequence[MutableMapping[str, Any]],
    *,
    channels: Mapping[Key, Collection[str]],
    periods: Mapping[datetime.datetime, Period],
) -> dict[Key, str]:
    """
    Look up what sql/upsert_trends.sql has to know of some trends, and write it into them.

    Sets ``may_be_filled``, ``is_final`` and ``channel_messages``.

    :param reading: where the source is read, on the snapshot that the trends are from.
    :param writing: where trends are stored.
    :param trends: rows of sql/aggregate_trends.sql, of one granularity.
    :param channels: by trend, the channels whose messages are to be counted.
    :param periods: the periods, by their first moments.
    :returns: by trend, why it is or would be incomplete; for incomplete ones only.
    """
    incomplete: dict[Key, list[str]] = {}
    messages, alerts = _memories(reading, writing, trends, periods)
    lacking = _lacking_days(reading, writing, trends, periods)
    counted = _channel_messages(reading, trends, channels, periods)
    for trend in trends:
        key = trend_key(trend)
        period = periods[trend["period_start"]]
        reasons = incomplete.setdefault(key, [])
        own_messages, own_alerts = messages[trend["organization_id"]], alerts[trend["organization_id"]]
        trend["may_be_filled"] = True
        if not trend["total_classifications"]:
            is_before_all = own_messages.oldest_of_all is not None and period.end <= own_messages.oldest_of_all
            if is_before_all or own_messages.may_have_lost_all(period):
                trend["may_be_filled"] = False
                reasons.append("the source has no messages as old as that any more")
        elif own_messages.may_have_lost_some(period):
            reasons.append("the source has no messages from before it, so some of it may have been purged as well")
        lost = own_alerts.may_have_lost_some if trend["alerts"] else own_alerts.may_have_lost_all
        if lost(period):
            reasons.append("the source has no alerts from before it any more, so some of it may have been purged")
        reasons += [reason.format(", ".join(map(str, dates))) for reason, dates in lacking.get(key, {}).items()]
        trend["is_final"] = period.has_ended(reading.began_at) and not reasons
        trend["channel_messages"] = counted.get(key, {})
    return {key: "; ".join(reasons) for key, reasons in incomplete.items() if reasons}


def first_seen(
    reading: Transaction,
    writing: Transaction,
    trends: Sequence[Mapping[str, Any]],
    periods: Mapping[datetime.datetime, Period],
) -> dict[str, datetime.datetime | None]:
    """
    Return, by organization, since when the target has it, its first source row there is or its first stored trend that
    is not empty, whichever is the earliest; UTC, or None.

    Of trends without messages only: of others, a source row that is there is not looked up.

    :param reading: as of `gather_evidence`.
    :param writing: as of `gather_evidence`.
    :param trends: as of `gather_evidence`.
    :param periods: as of `gather_evidence`.
    """
    messages, alerts = _memories(reading, writing, trends, periods)
    # of one database, the aggregate has said so already
    rows = [] if writing is reading else writing.run("known_organizations.sql", {"organization_ids": list(messages)})
    created = {row["id"]: row["created_at"] for row in rows}
    return {
        id_: min(
            (
                first
                for memory in (messages[id_], alerts[id_])
                for first in (created.get(id_), memory.oldest, memory.first_stored and memory.first_stored.start)
                if first
            ),
            default=None,
        )
        for id_ in messages
    }


def _memories(
    reading: Transaction,
    writing: Transaction,
    trends: Sequence[Mapping[str, Any]],
    periods: Mapping[datetime.datetime, Period],
) -> tuple[dict[str, Memory], dict[str, Memory]]:
    """Return, by organization, how far back the source goes: for messages and for alerts."""
    ids = list({trend["organization_id"]: None for trend in trends})
    wanted = [periods[trend["period_start"]] for trend in trends]
    kind = wanted[0].kind
    first_end = min(period.end for period in wanted)
    stored = {
        row["organization_id"]: row
        for row in writing.run(
            "stored_memory.sql", {"organization_ids": ids, "trend_period": kind.name, "numbers": NUMBERS}
        )
    }
    # where nothing was stored and rows are there, nothing shows that any have been lost
    doubted = {trend["organization_id"] for trend in trends if not trend["total_classifications"]} | stored.keys()
    asked = {"organization_ids": [id_ for id_ in ids if id_ in doubted], "first_end": first_end}
    source = {row["organization_id"]: row for row in reading.run("source_memory.sql", asked)} if doubted else {}

    def memory(id_: str, table: str) -> Memory:
        found, trends = source.get(id_, {}), stored.get(id_, {})
        first, last = trends.get(f"first_with_{table}s"), trends.get(f"last_with_{table}s")
        return Memory(
            found.get(f"oldest_{table}"),
            found.get(f"oldest_{table}_of_all"),
            first and kind.containing(first.date()),
            last and kind.containing(last.date()),
        )

    return {id_: memory(id_, "message") for id_ in ids}, {id_: memory(id_, "alert") for id_ in ids}


def _lacking_days(
    reading: Transaction,
    writing: Transaction,
    trends: Sequence[Mapping[str, Any]],
    periods: Mapping[datetime.datetime, Period],
) -> dict[Key, dict[str, list[datetime.date]]]:
    """
    Return the days of weeks and months that lack source rows, as far as their daily trends show.

    :returns: by trend of a week or month: the days, by what they lack; each once.
    """
    found: dict[Key, dict[str, list[datetime.date]]] = {}
    for start, period in periods.items():
        ids = [trend["organization_id"] for trend in trends if trend["period_start"] == start]
        if period.kind is DAILY or not ids:
            continue
        daily = writing.run(
            "daily_origins.sql",
            {"period_start": start, "period_end": period.end, "organization_ids": ids, "numbers": NUMBERS},
        )
        if not daily:
            continue
        days = sorted({row["period_start"] for row in daily})
        counted = {
            (row["organization_id"], row["period_start"]): row
            for row in reading.run(
                "count_source_rows.sql",
                {
                    "period_starts": days,
                    "period_ends": [day + ONE_DAY for day in days],
                    "organization_ids": list({row["organization_id"]: None for row in daily}),
                },
            )
        }
        hot = {trend_key(row): row["channels"] for row in daily if row["channels"]}
        by_channel = _channel_messages(reading, daily, hot, {day: DAILY.containing(day.date()) for day in days})
        for row in daily:
            key = trend_key(row)
            if lack := _lack(row, counted.get(key), hot.get(key, {}), by_channel.get(key, {})):
                of_trend = found.setdefault((row["organization_id"], start), {})
                of_trend.setdefault(lack, []).append(row["period_start"].date())
    return found


def _lack(
    stored: Mapping[str, Any], left: Mapping[str, Any] | None, hot: Mapping[str, float], channels: Mapping[str, int]
) -> str:
    """Say what the source lacks of a day, or its stored trend, whose hotspots had so many messages; or nothing."""
    if left and any(left[name] < stored[name] for name in ("messages", "alerts")):
        return PURGED
    if left and (
        any(left[name] < stored[name] for name in ("messages_with_tone", "messages_with_confidence"))
        or any(channels.get(channel, 0) < number for channel, number in hot.items())
    ):
        return STRIPPED
    return NOT_FINAL if stored["is_incomplete"] else ""


def _channel_messages(
    reading: Transaction,
    trends: Sequence[Mapping[str, Any]],
    channels: Mapping[Key, Collection[str]],
    periods: Mapping[datetime.datetime, Period],
) -> dict[Key, dict[str, int]]:
    """Return how many messages the channels have that are named for some trends."""
    wanted = [
        {
            "organization_id": trend["organization_id"],
            "period_start": str(trend["period_start"]),
            "period_end": str(periods[trend["period_start"]].end),
            "channels": list(named),
        }
        for trend in trends
        if (named := channels.get((trend["organization_id"], trend["period_start"])))
    ]
    if not wanted:
        return {}
    rows = reading.run("count_channels.sql", {"trends": json.dumps(wanted, ensure_ascii=False)})
    return {(row["organization_id"], row["period_start"]): json.loads(row["channel_messages"]) for row in rows}
