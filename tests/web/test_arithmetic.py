"""Each number of each route, once more in plain Python from the raw stored rows, over generated worlds."""

from __future__ import annotations

import datetime
import os
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from conftest import made_database
from hypothesis import HealthCheck, given, settings
from stored import COLUMNS, EMPTY

from web.oracle import (
    DAYS,
    RISKY,
    Sums,
    World,
    half_up,
    percent,
    points,
    without_zeros,
    worlds,
)


@pytest.fixture(scope="module")
def world(server, api):
    """The application on a database whose columns hold anything, and which no constraint protects."""
    with pytest.MonkeyPatch.context() as patched, made_database(server) as database:
        patched.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", server.airflow_connection(database.name))
        patched.setenv("AIRFLOW__COMMUNICATION_TRENDS__HOTSPOT_TOPICS", ", ".join(RISKY))
        yield World(api, database.connection)


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
        added = sums.added(COLUMNS[column]) if trends else None
        assert (totals[field] and without_zeros(totals[field])) == added
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
        assert day["missing"] is (day["state"] == "missing")
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
