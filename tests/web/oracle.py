"""Generated stored rows, and in plain Python each number that follows from them."""

from __future__ import annotations

import datetime
import json
import math
from collections import Counter
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from stored import COLUMNS, EMPTY, is_readable

from web.conftest import API, read_csv

DAYS = 9
"""Periods of the range, of which the last is going on."""
STEPS = {"daily": datetime.timedelta(1), "weekly": datetime.timedelta(7)}
DELAYS = {"daily": datetime.timedelta(hours=3), "weekly": datetime.timedelta(hours=3, minutes=30)}
RISKY = ("billing", "outage")
"""The settings name these, and none of the usual ones."""
names = st.sampled_from([*RISKY, "complaint", "general", "", "constructor", "angry", "critical", "high"])
few = st.dictionaries(names, st.integers(0, 40), max_size=3)
hot = st.fixed_dictionaries(
    {
        "channelId": st.sampled_from(["C1", "C2", ""]),
        "riskScore": st.integers(31, 100),
        "messageCount": st.integers(10, 40),
    }
)
readable_rows = st.fixed_dictionaries(
    {
        **dict.fromkeys(COLUMNS[:3], few),
        "channel_hotspots": st.lists(hot, max_size=2, unique_by=lambda one: one["channelId"]),
        "total_classifications": st.integers(0, 2_000),
        "avg_confidence": st.one_of(st.none(), st.integers(0, 100)),
    }
)
idle_rows = st.just(EMPTY)
broken_rows = st.tuples(
    readable_rows,
    st.sampled_from(
        [
            {"channel_hotspots": None},
            {"topic_distribution": {"complaint": 1e300}},
            {"escalation_counts": [1]},
            {"total_classifications": None},
            {"avg_confidence": 900},
            {"sentiment_distribution": {"angry": -1}},
        ]
    ),
).map(lambda both: {**both[0], **both[1]})
stored_rows = st.one_of(readable_rows, readable_rows, readable_rows, idle_rows, broken_rows)
of_a_tenant: dict[str, st.SearchStrategy[Any]] = {
    # which have none, of the range and of the one before
    "trends": st.lists(st.one_of(st.none(), stored_rows, stored_rows, stored_rows), min_size=24, max_size=24),
    "final": st.lists(st.sampled_from([None, True, True, False]), min_size=24, max_size=24),
    # by the provenance, where there is any
    "with_confidence": st.lists(st.one_of(st.none(), st.integers(0, 2_500)), min_size=24, max_size=24),
    # periods before the current one; it may have begun within the range, or after its first trends
    "created": st.one_of(st.none(), st.just(400), st.integers(0, 23)),
    "off_grid": st.lists(st.integers(1, 20), max_size=2, unique=True),
    "name": st.sampled_from(["Acme", "", "=1+1", "Grüße"]),
    "slug": st.sampled_from(["", "..", "a/b", "x" * 300, "plain", "100%", "trends"]),
    # its trends are there, it is not
    "ended": st.sampled_from([False, False, False, True]),
}
worlds = {
    "kind": st.sampled_from(["daily", "daily", "weekly"]),
    "made": st.lists(st.fixed_dictionaries(of_a_tenant), min_size=1, max_size=4),
    # periods: of a table that is new, only the last few
    "stored": st.sampled_from([24, 24, 5]),
}


class World:
    """What is stored, and what follows from it."""

    def __init__(self, api, connection):
        self.api, self.connection = api, connection
        connection.execute(
            "alter table communication_trends drop constraint communication_trends_organization_id_fkey;"
            "alter table communication_trends_provenance"
            " drop constraint communication_trends_provenance_organization_id_fkey;"
            "alter table organizations alter created_at drop not null;"
            + "".join(f"alter table communication_trends alter {column} drop not null;" for column in COLUMNS[:4])
        )

    def make(self, kind, made, stored=24):
        """Store what has been drawn, of so many of the last periods."""
        self.kind, self.step = kind, STEPS[kind]
        now = datetime.datetime.now(datetime.timezone.utc)
        self.today = now.date()
        self.last = self.today - datetime.timedelta(0 if kind == "daily" else self.today.weekday())
        self.first = self.last - (DAYS - 1) * self.step
        # days are compared with the same weekdays
        self.shift = (14 if kind == "daily" else DAYS) * self.step
        # a period is expected an hour after its run is due
        self.due, self.expected = (
            max(one for one in (self.last - n * self.step for n in range(3)) if one + self.step <= moment.date())
            for moment in (now - DELAYS[kind], now - DELAYS[kind] - datetime.timedelta(hours=1))
        )
        self.connection.execute("truncate communication_trends, communication_trends_provenance, organizations cascade")
        self.organizations: dict[str, dict[str, Any]] = {}
        self.raw, self.final, self.with_confidence = [], {}, {}
        for number, tenant in enumerate(made):
            id_ = f"00000000-0000-4000-8000-{number:012d}"
            created = None if tenant["created"] is None else self.last - tenant["created"] * self.step
            if not tenant["ended"]:
                # two may not have the same
                slug = tenant["slug"] if tenant["slug"] not in [o["slug"] for o in self.organizations.values()] else id_
                # an empty name says nothing
                name = tenant["name"] or slug or id_
                self.organizations[id_] = {"id": id_, "name": name, "slug": slug, "created": created}
                self.connection.execute(
                    "insert into organizations (id, name, slug, created_at) values (%s, %s, %s, %s)",
                    [id_, tenant["name"], slug, created],
                )
            of_each = zip(tenant["trends"], tenant["final"], tenant["with_confidence"], strict=True)
            for back, (row, final, with_confidence) in enumerate(of_each):
                date = self.last - back * self.step
                if row is not None and back < stored:
                    self.store(id_, datetime.datetime.combine(date, datetime.time()), row)
                if final is not None:
                    self.final[id_, date] = final
                    self.with_confidence[id_, date] = with_confidence
                    self.connection.execute(
                        "insert into communication_trends_provenance (organization_id, trend_date, trend_period,"
                        " is_final, messages_with_confidence) values (%s, %s, %s, %s, %s)",
                        [id_, date, kind, final, with_confidence],
                    )
            for back in tenant["off_grid"]:
                moment = datetime.datetime.combine(self.last - back * self.step, datetime.time(5))
                self.store(id_, moment, {**EMPTY, "total_classifications": 1_000_000})

    def store(self, id_, moment, row):
        self.raw.append((id_, moment, row))
        self.connection.execute(
            f"insert into communication_trends (organization_id, trend_date, trend_period, {', '.join(COLUMNS)})"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [id_, moment, self.kind, *(None if row[name] is None else json.dumps(row[name]) for name in COLUMNS)],
        )

    # what follows from it

    def exists_from(self, id_):
        """By the rule of the documentation: created, or the first trend with anything in it."""
        created = self.organizations[id_]["created"]
        if created is None:
            return datetime.date.min
        filled = [
            moment.date()
            for one, moment, row in self.raw
            if one == id_ and moment.time() == datetime.time() and has_anything(row)
        ]
        return min([created, *filled])

    def existed(self, id_, date):
        return date + self.step > self.exists_from(id_)

    def trend(self, id_, date):
        """The stored trend that counts, or None."""
        for one, moment, row in self.raw:
            if one == id_ and moment == datetime.datetime.combine(date, datetime.time()):
                return row if id_ in self.organizations and self.existed(id_, date) else None
        return None

    def readable(self, id_, date):
        row = self.trend(id_, date)
        if row is None or not is_readable(row):
            return None
        # as if each message had a confidence where their number is not known
        total = row["total_classifications"]
        return {**row, "with_confidence": min(total, self.with_confidence.get((id_, date)) or total)}

    def is_final(self, id_, date):
        return self.final.get((id_, date)) is not False and date + self.step <= self.today

    def state(self, date, ids):
        """What an answer about these organizations says of a period."""
        if any(self.readable(id_, date) for id_ in ids):
            return "stored"
        if any(self.trend(id_, date) for id_ in ids):
            return "unreadable"
        if date > self.due:
            return "notDue"
        return "missing" if any(self.existed(id_, date) for id_ in ids) else "notCreated"

    def is_expected(self, date, ids):
        """Whether any of these should be stored by now, or is."""
        return self.state(date, ids) == "stored" or (date <= self.due and any(self.existed(id_, date) for id_ in ids))

    def is_whole(self, date, ids):
        existing = [id_ for id_ in ids if self.existed(id_, date)]
        is_complete = all(self.readable(id_, date) and self.is_final(id_, date) for id_ in existing)
        return bool(existing) and date <= self.due and is_complete

    def sums(self, ids, dates):
        return Sums(row for date in dates for id_ in ids if (row := self.readable(id_, date)) is not None)

    def matched(self, ids, dates, shift):
        """The pairs of trends that are compared."""
        for id_ in ids:
            for date in dates:
                before = date - shift
                pair = [self.readable(id_, one) for one in (date, before)]
                if date <= self.due and None not in pair and self.is_final(id_, date) and self.is_final(id_, before):
                    yield pair

    def compared(self, ids, dates, shift):
        """The sums of both sides, and of how many trends each is."""
        pairs = list(self.matched(ids, dates, shift))
        return *(Sums(pair[side] for pair in pairs) for side in (0, 1)), len(pairs)

    def begun(self, last):
        """The first period with any stored row, up to another one, or None."""
        moments = [moment for _, moment, _ in self.raw if moment.time() == datetime.time()]
        return min((moment.date() for moment in moments if moment.date() <= last), default=None)

    def lacks(self, id_, date):
        """Why a period is not complete for an organization, or None."""
        if not self.existed(id_, date):
            return None
        if self.trend(id_, date) is None:
            return "missingDays"
        if self.readable(id_, date) is None:
            return "unreadableDays"
        return None if self.is_final(id_, date) else "notFinalDays"

    def dates(self, first=None, last=None):
        first, last = first or self.first, last or self.last
        return [first + n * self.step for n in range((last - first) // self.step + 1)]

    def ignored(self, ids, last=None):
        found: Counter[str] = Counter()
        end = (last or self.last) + self.step
        for id_, moment, _ in self.raw:
            if (ids is not None and id_ not in ids) or not min(self.first, end - self.step) <= moment.date() < end:
                continue
            if moment.time() != datetime.time():
                found["offGrid"] += 1
            elif id_ not in self.organizations:
                found["ofNoOrganization"] += 1
            elif not self.existed(id_, moment.date()):
                found["beforeExistence"] += 1
        return {name: found[name] for name in ("offGrid", "ofNoOrganization", "beforeExistence")}

    def ask(self, path, **parameters):
        asked = {"period": self.kind, "from": str(self.first), "to": str(self.last), **parameters}
        answer = self.api.get(f"{API}/{path}", params=asked)
        assert answer.status_code == 200, (path, answer.text)
        return answer

    def get(self, path, **parameters):
        return self.ask(path, **parameters).json()

    def table(self, path, **parameters):
        return read_csv(self.ask(path, format="csv", **parameters))


def has_anything(row):
    alerts = row["escalation_counts"]
    return (row["total_classifications"] or 0) > 0 or (isinstance(alerts, dict) and any(n > 0 for n in alerts.values()))


def half_up(value):
    return None if value is None else math.floor(value + Fraction(1, 2))


def one_decimal(value):
    """Halves away from zero."""
    if value is None:
        return None
    tenths = math.floor(abs(value) * 10 + Fraction(1, 2))
    return (tenths if value > 0 else -tenths) / 10 + 0


def quotient(numerator, denominator):
    return Fraction(numerator, denominator) if denominator else None


class Sums:
    def __init__(self, trends):
        self.trends = trends = list(trends)
        self.messages = sum(one["total_classifications"] for one in trends)
        self.risky = sum(one["topic_distribution"].get(topic, 0) for one in trends for topic in RISKY)
        self.alerts = sum(sum(one["escalation_counts"].values()) for one in trends)
        self.critical = sum(one["escalation_counts"].get("critical", 0) for one in trends)
        self.with_tone = sum(sum(one["sentiment_distribution"].values()) for one in trends)
        self.hotspots = sum(len(one["channel_hotspots"]) for one in trends)
        known = [one for one in trends if one["avg_confidence"] is not None]
        self.confidence = sum(one["avg_confidence"] * one["with_confidence"] for one in known)
        self.confident = sum(one["with_confidence"] for one in known)

    def added(self, column):
        return dict(sum((Counter({**one[column]}) for one in self.trends), Counter()))

    @property
    def risk(self):
        return quotient(100 * self.risky, self.messages)

    @property
    def mean(self):
        return quotient(self.confidence, self.confident)

    @property
    def named(self):
        return {
            "totalClassifications": self.messages,
            "riskyClassifications": self.risky,
            "escalationsTotal": self.alerts,
            "messagesWithTone": self.with_tone,
            "confidenceSum": self.confidence,
            "classificationsWithConfidence": self.confident,
            "riskScore": half_up(self.risk),
            "avgConfidence": half_up(self.mean),
        }


def percent(now, before):
    return one_decimal(quotient(100 * (now - before), before))


def points(now, before):
    return None if now is None or before is None else one_decimal(now - before)


def without_zeros(distribution):
    return {name: count for name, count in distribution.items() if count}
