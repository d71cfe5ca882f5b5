"""Each number of each route, once more in plain Python from the raw stored rows, over generated worlds."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import os
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from conftest import made_database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored import COLUMNS, EMPTY

from web.conftest import API
from web.test_broken_rows import is_readable

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


@pytest.fixture(scope="module")
def world(server, api):
    """The application on a database whose columns hold anything, and which no constraint protects."""
    with pytest.MonkeyPatch.context() as patched, made_database(server) as database:
        patched.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", server.airflow_connection(database.name))
        patched.setenv("AIRFLOW__COMMUNICATION_TRENDS__HOTSPOT_TOPICS", ", ".join(RISKY))
        yield World(api, database.connection)


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

    def get(self, path, **parameters):
        asked = {"period": self.kind, "from": str(self.first), "to": str(self.last), **parameters}
        answer = self.api.get(f"{API}/{path}", params=asked)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    def table(self, path, **parameters):
        asked = {"period": self.kind, "from": str(self.first), "to": str(self.last), "format": "csv", **parameters}
        answer = self.api.get(f"{API}/{path}", params=asked)
        assert answer.status_code == 200, (path, answer.text)
        return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


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


@settings(max_examples=int(os.environ.get("WORLDS", "20")), deadline=None, suppress_health_check=list(HealthCheck))
@given(**worlds)
def test_each_number_is_that_of_the_rows(world, kind, made, stored):
    world.make(kind, made, stored)
    check_trends_of_all(world)
    for id_ in world.organizations:
        check_trends_of_one(world, id_)
    check_overview(world)
    for id_ in (None, *world.organizations):
        check_comparison(world, id_)
        check_freshness(world, id_)
    check_hotspots(world)


def check_totals(totals, days, trends):
    sums = Sums(trends)
    expected = sums.named if trends else dict.fromkeys(sums.named)
    assert {name: totals[name] for name in expected} == expected
    for field, column in (("topics", 0), ("tones", 1), ("escalations", 2)):
        assert without_zeros(totals[field]) == sums.added(COLUMNS[column])
    assert totals["days"] == DAYS
    states = Counter(day["state"] for day in days)
    assert [totals[f"{name}Days"] for name in ("stored", "missing", "unreadable")] == [
        states[name] for name in ("stored", "missing", "unreadable")
    ]
    assert totals["wholeDays"] == sum(day["whole"] for day in days)


def check_day(day, trends):
    sums = Sums(trends)
    expected = {**sums.named, "hotspotCount": sums.hotspots}
    if len(trends) == 1 and not sums.confident:
        # one trend has its own, also without a message to weigh it by
        del expected["avgConfidence"]
    assert {name: day[name] for name in expected} == (expected if trends else dict.fromkeys(expected))
    if trends:
        assert without_zeros(day["topics"]) == sums.added("topic_distribution")


def check_trends_of_all(world):
    answer, ids = world.get("trends"), list(world.organizations)
    assert answer["organizationsTotal"] == len(ids)
    assert answer["ignored"] == world.ignored(None)
    table = world.table("trends")
    expected_days = 0
    for date, day, line in zip(world.dates(), answer["days"], table, strict=True):
        there = [id_ for id_ in ids if world.trend(id_, date) is not None]
        stored = [id_ for id_ in ids if world.readable(id_, date) is not None]
        existing = [id_ for id_ in ids if world.existed(id_, date)] if date <= world.due else []
        expected_days += max(len(existing), len(stored))
        assert day["date"] == line["date"] == str(date)
        assert day["organizationsStored"] == len(stored)
        assert day["organizationsUnreadable"] == len(there) - len(stored)
        assert day["organizationsExpected"] == len(existing)
        assert day["organizationsMissing"] == len(set(existing) - set(there))
        not_final = [id_ for id_ in stored if not world.is_final(id_, date)]
        assert day["organizationsNotFinal"] == len(not_final)
        assert day["whole"] is world.is_whole(date, ids)
        trends = [world.readable(id_, date) for id_ in stored]
        assert day["state"] == line["state"] == world.state(date, ids)
        if len(trends) == 1 and not Sums(trends).confident:
            assert day["avgConfidence"] is None
        check_day(day, trends)
        sums = Sums(trends)
        assert line["totalClassifications"] == (str(sums.messages) if trends else "")
        assert line["avgConfidence"] == ("" if sums.mean is None else str(half_up(sums.mean)))
        for name in RISKY:
            if f"topic:{name}" in line:
                assert line[f"topic:{name}"] == (str(sums.added("topic_distribution").get(name, 0)) if trends else "")
    stored = [world.readable(id_, date) for date in world.dates() for id_ in ids if world.readable(id_, date)]
    check_totals(answer["totals"], answer["days"], stored)
    assert answer["totals"]["organizationDaysStored"] == len(stored)
    assert answer["totals"]["organizationDaysExpected"] == expected_days


def check_trends_of_one(world, id_):
    path = f"organizations/{id_}/trends"
    answer = world.get(path)
    assert answer["organization"] == {name: world.organizations[id_][name] for name in ("id", "name", "slug")}
    assert answer["ignored"] == world.ignored([id_])
    for date, day, line in zip(world.dates(), answer["days"], world.table(path), strict=True):
        row = world.readable(id_, date)
        assert day["state"] == line["state"] == world.state(date, [id_])
        check_day(day, [] if row is None else [row])
        assert day["avgConfidence"] == (row and row["avg_confidence"])
        assert line["totalClassifications"] == ("" if row is None else str(row["total_classifications"]))
        final = None
        if row is not None:
            final = world.final.get((id_, date)) if world.is_final(id_, date) else False
        assert day["isFinal"] is final
        assert day["whole"] is world.is_whole(date, [id_])
    stored = [row for date in world.dates() if (row := world.readable(id_, date)) is not None]
    check_totals(answer["totals"], answer["days"], stored)


def check_overview(world):
    answer = world.get("overview", limit=200)
    assert answer["totalEntries"] == len(world.organizations)
    table = {line["organizationId"]: line for line in world.table("overview")}
    for entry in answer["organizations"]:
        id_ = entry["organization"]["id"]
        rows = [world.readable(id_, date) for date in world.dates()]
        stored = [row for row in rows if row is not None]
        sums = Sums(stored)
        due = [date for date in world.dates() if date <= world.due and world.existed(id_, date)]
        assert entry["daysStored"] == len(stored)
        assert entry["expectedDays"] == len(due)
        assert entry["missingDays"] == sum(world.trend(id_, date) is None for date in due)
        there = [date for date in world.dates() if world.trend(id_, date) is not None]
        assert entry["unreadableDays"] == len(there) - len(stored)
        not_final = [
            str(date) for date in there if world.readable(id_, date) is not None and not world.is_final(id_, date)
        ]
        assert (entry["notFinalDays"], entry["notFinalDates"]) == (len(not_final), not_final)
        numbers = {
            "totalClassifications": sums.messages,
            "escalations": sums.alerts,
            "criticalEscalations": sums.critical,
            "hotspotCount": sums.hotspots,
            "riskScore": half_up(sums.risk),
            "avgConfidence": half_up(sums.mean),
        }
        numbers = numbers if stored else dict.fromkeys(numbers)
        assert {name: entry[name] for name in numbers} == numbers
        assert {name: table[id_][name] for name in numbers} == {
            name: "" if value is None else str(value) for name, value in numbers.items()
        }
        assert entry["dailyClassifications"] == [row and row["total_classifications"] for row in rows]
        assert entry["dailyEscalations"] == [None if row is None else Sums([row]).alerts for row in rows]
        assert entry["dailyRiskyClassifications"] == [None if row is None else Sums([row]).risky for row in rows]
        now, before, pairs = world.compared([id_], world.dates(), world.shift)
        assert entry["matchedDays"] == pairs
        assert entry["matchedClassifications"] == (now.messages if pairs else None)
        assert entry["previousClassifications"] == (before.messages if pairs else None)
        assert entry["previousEscalations"] == (before.alerts if pairs else None)
        assert entry["totalClassificationsChange"] == percent(now.messages, before.messages)
        assert entry["escalationsChange"] == percent(now.alerts, before.alerts)
        assert entry["riskScoreChange"] == points(now.risk, before.risk)
        assert entry["avgConfidenceChange"] == points(now.mean, before.mean)
    for sort in ("totalClassifications", "riskScore", "riskScoreChange", "missingDays", "hotspotCount"):
        for order in ("asc", "desc"):
            listed = world.get("overview", limit=200, sort=sort, order=order)["organizations"]
            values = [entry[sort] for entry in listed]
            known = [value for value in values if value is not None]
            assert values == sorted(known, reverse=order == "desc") + [None] * (len(values) - len(known)), sort


def check_comparison(world, id_):
    ids = list(world.organizations) if id_ is None else [id_]
    parameters = {} if id_ is None else {"organization": id_}
    answer = world.get("comparison", **parameters)
    now, before, pairs = world.compared(ids, world.dates(), world.shift)
    stored = [(one, date) for one in ids for date in world.dates() if world.readable(one, date) is not None]
    last = world.last + world.step - datetime.timedelta(1)
    assert answer["current"] == {"from": str(world.first), "to": str(last)}
    assert answer["previous"] == {"from": str(world.first - world.shift), "to": str(last - world.shift)}
    assert answer["matchedDays"] == pairs
    assert answer["possibleDays"] == sum(
        world.existed(one, date) for one in ids for date in world.dates() if date <= world.due
    )
    assert (answer["storedDays"], answer["leftOutDays"]) == (len(stored), len(stored) - pairs)
    assert answer["notFinalDays"] == sum(not world.is_final(*one) for one in stored)
    assert answer["ignored"] == world.ignored(None if id_ is None else [id_])
    every = Sums(world.readable(*one) for one in stored)
    for figure, sums in (("totalClassifications", "messages"), ("escalations", "alerts")):
        one, other, total = (getattr(each, sums) for each in (now, before, every))
        assert answer[figure] == {
            "current": one if pairs else None,
            "previous": other if pairs else None,
            "changePercent": percent(one, other) if pairs else None,
            "total": total if stored else None,
            "leftOut": total - one if stored else None,
        }
    for figure, sums in (("riskScore", "risk"), ("avgConfidence", "mean")):
        one, other, total = (getattr(each, sums) for each in (now, before, every))
        assert answer[figure] == {
            "current": half_up(one),
            "previous": half_up(other),
            "changePoints": points(one, other),
            "total": half_up(total),
        }
    lines = {line["figure"]: line for line in world.table("comparison", **parameters)}
    assert [*lines] == ["totalClassifications", "escalations", "riskScore", "avgConfidence"]
    for figure, line in lines.items():
        assert line["matchedDays"] == str(pairs)
        for name in ("current", "previous", "total"):
            assert line[name] == ("" if answer[figure][name] is None else str(answer[figure][name]))


def check_freshness(world, id_):
    ids = list(world.organizations) if id_ is None else [id_]
    answer = world.get("freshness", limit=200, **({} if id_ is None else {"organization": id_}))
    last = min(world.last, world.expected)
    assert answer["expectedThrough"] == str(last + world.step - datetime.timedelta(1))
    begun = world.begun(last)
    assert answer["organizationsTotal"] == len(ids)
    if begun is None or not ids:
        assert (answer["completeThrough"], answer["fresh"], answer["checkedFrom"]) == (None, False, None)
        return
    dates = world.dates(begun, last)
    assert answer["checkedFrom"] == str(dates[0])
    lacking = [(date, one) for date in dates for one in ids if world.lacks(one, date)]
    if not lacking:
        through = last + world.step - datetime.timedelta(1)
    else:
        through = lacking[0][0] - datetime.timedelta(1) if lacking[0][0] > dates[0] else None
    assert answer["completeThrough"] == (through and str(through))
    assert answer["firstIncomplete"] == (str(lacking[0][0]) if lacking else None)
    assert answer["lastIncomplete"] == (str(lacking[-1][0]) if lacking else None)
    assert answer["incompleteBefore"] == sum(date < world.first for date, _ in lacking)
    in_range = [(date, one) for date, one in lacking if date >= world.first]
    assert answer["fresh"] is not bool(in_range)
    assert answer["organizationsBehind"] == len({one for _, one in in_range})
    for entry in answer["behind"]:
        for name in ("missingDays", "unreadableDays", "notFinalDays"):
            expected = [str(date) for date, one in in_range if one == entry["organization"]["id"]]
            expected = [text for text in expected if world.lacks(entry["organization"]["id"], D(text)) == name]
            assert entry[name] == expected[::-1]


D = datetime.date.fromisoformat


def check_hotspots(world):
    answer = world.get("hotspots", limit=200)
    found: dict[tuple[str, str], list[tuple[datetime.date, dict[str, Any]]]] = {}
    for id_ in world.organizations:
        for date in world.dates():
            for entry in (world.readable(id_, date) or EMPTY)["channel_hotspots"]:
                found.setdefault((id_, entry["channelId"]), []).append((date, entry))
    assert answer["totalEntries"] == len(found) == len(answer["hotspots"]) == len(world.table("hotspots"))
    for entry in answer["hotspots"]:
        periods = found[entry["organization"]["id"], entry["channelId"]]
        messages = sum(one["messageCount"] for _, one in periods)
        weighted = sum(one["riskScore"] * one["messageCount"] for _, one in periods)
        assert entry["riskScore"] == half_up(Fraction(weighted, messages))
        assert entry["peakRiskScore"] == max(one["riskScore"] for _, one in periods)
        assert (entry["messageCount"], entry["daysHot"]) == (messages, len(periods))
        assert entry["lastHotDay"] == str(max(date for date, _ in periods))
