"""Stored rows that are no trend: shown as unreadable, and nothing else is lost; asked over HTTP."""

from __future__ import annotations

import csv
import io
import json
import math
import sys

import pytest
from conftest import insert_trend
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored import COLUMNS, is_count, is_readable

from web import rows
from web.conftest import API

# the widest number of PostgreSQL's JSON has more digits than Python writes by default
sys.set_int_max_str_digits(10_000)

DAY = "2026-10-20"
RANGE = {"from": "2026-10-19", "to": "2026-10-21"}
PATHS = [
    *("organizations", "organizations/victim/trends", "trends", "overview"),
    *("hotspots", "comparison", "attention", "freshness"),
]
SMALL = {"topic_distribution": {"complaint": 3}, "total_classifications": 3}

counts = st.integers(0, 2_147_483_647)
broken_values = st.one_of(
    st.just(1e300),
    st.integers(max_value=-1),
    st.integers(min_value=2_147_483_648),
    st.sampled_from(["7", "NaN", "Infinity", "", None, True, [], [3], {}, {"a": 1}]),
)
names = st.sampled_from(["complaint", "escalation", "critical", "", "'", "a.b", "Grüße"])
distributions = st.one_of(
    st.dictionaries(names, counts, max_size=4),
    st.dictionaries(names, st.one_of(counts, broken_values), max_size=4),
    st.sampled_from([[], [1], "text", 5, None, True]),
)
channels = st.fixed_dictionaries(
    {
        "channelId": st.one_of(st.sampled_from(["C1", "", "x;=1+1;"]), broken_values),
        "riskScore": st.one_of(st.integers(0, 100), broken_values),
        "messageCount": st.one_of(counts, broken_values),
    }
)
hotspots: st.SearchStrategy = st.one_of(
    st.lists(channels, max_size=2),
    st.sampled_from([{}, None, [None], [1], [[]], [{}], [{"channelId": "C1"}], "text"]),
)


@pytest.fixture(scope="module")
def victim(api):
    """An organization with a good trend on the day before, and columns that hold anything."""
    api.connection.execute(
        "insert into organizations (name, slug, created_at) values ('Victim', 'victim', '2026-10-19')"
    )
    for column in COLUMNS[:4]:
        api.connection.execute(f"alter table communication_trends alter {column} drop not null")
    insert_trend(api.connection, "victim", "2026-10-19", SMALL)
    yield
    api.connection.execute("delete from organizations where slug = 'victim'")


def store(api, row: dict) -> None:
    api.connection.execute(
        "delete from communication_trends using organizations where slug = 'victim'"
        " and organization_id = organizations.id and trend_date = %s",
        (DAY,),
    )
    api.connection.execute(
        f"insert into communication_trends (organization_id, trend_date, trend_period, {', '.join(COLUMNS)})"
        " select id, %s, 'daily', %s, %s, %s, %s, %s, %s from organizations where slug = 'victim'",
        (DAY, *(None if row[name] is None else json.dumps(row[name]) for name in COLUMNS)),
    )  # fmt: skip


def store_in(api, column: str, value: str) -> None:
    """Store a good row of which a column has something else."""
    store(api, GOOD)
    api.connection.execute(
        f"update communication_trends set {column} = %s from organizations where slug = 'victim'"
        " and organization_id = organizations.id and trend_date = %s",
        [value, DAY],
    )


def check_that_all_is_answered(api, **of_the_csv) -> dict:
    """Ask for everything, as JSON and as CSV, and return the row's day."""
    for path in PATHS:
        for parameters in (RANGE, {**RANGE, "format": "csv", **of_the_csv}):
            answer = api.get(f"{API}/{path}", params=parameters)
            assert answer.status_code == 200, (path, answer.text)
    return api.get(f"{API}/organizations/victim/trends", params=RANGE).json()["days"][1]


def check(api, row: dict) -> None:
    store(api, row)
    readable = is_readable(row)
    check_that_all_is_answered(api)
    one = api.get(f"{API}/organizations/victim/trends", params=RANGE).json()
    assert [day["state"] for day in one["days"]] == ["stored", "stored" if readable else "unreadable", "missing"]
    assert one["days"][1]["unreadable"] is not readable
    overview = api.get(f"{API}/overview", params={**RANGE, "limit": 200}).json()
    assert overview["totalEntries"] == len(overview["organizations"]) == 11
    shown = next(entry for entry in overview["organizations"] if entry["organization"]["slug"] == "victim")
    assert (shown["unreadable"], shown["unreadableDays"]) == (not readable, int(not readable))
    assert shown["missingDays"] == 1
    assert (shown["daysStored"], shown["expectedDays"]) == (1 + readable, 3)
    # what cannot be read ranks nobody: the sums are those of the other day
    assert shown["criticalEscalations"] == (row["escalation_counts"].get("critical", 0) // 1 if readable else 0)
    fresh = api.get(f"{API}/freshness", params={**RANGE, "organization": "victim"}).json()
    [behind] = fresh["behind"]
    assert behind["missingDays"] == ["2026-10-21"]
    assert behind["unreadableDays"] == ([] if readable else [DAY])
    assert fresh["completeThrough"] == (DAY if readable else "2026-10-19")
    assert shown["totalClassifications"] == 3 + (row["total_classifications"] if readable else 0)
    every = api.get(f"{API}/trends", params=RANGE).json()["days"][1]
    others = sum(
        rows.trend(slug, rows.INCIDENT.replace(day=20))["total_classifications"] for slug in rows.ORGANIZATIONS
    )
    assert every["organizationsStored"] == 10 + readable
    assert every["organizationsUnreadable"] == int(not readable)
    assert every["organizationsMissing"] == 0
    assert every["totalClassifications"] == others + (row["total_classifications"] if readable else 0)


GOOD = {
    "topic_distribution": {"complaint": 2, "general": 5},
    "sentiment_distribution": {"angry": 1},
    "escalation_counts": {"critical": 4},
    "channel_hotspots": [{"channelId": "C1", "riskScore": 40, "messageCount": 10}],
    "total_classifications": 7,
    "avg_confidence": 81,
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"channel_hotspots": {}},
        {"channel_hotspots": None},
        {"channel_hotspots": [{"channelId": "C1", "riskScore": "high", "messageCount": 10}]},
        {"escalation_counts": [1, 2]},
        {"escalation_counts": {"critical": 1e300}},
        {"topic_distribution": {"complaint": 10**5000}},
        {"topic_distribution": {"complaint": -1}},
        {"topic_distribution": {"complaint": "NaN"}},
        {"sentiment_distribution": {"angry": None}},
        {"total_classifications": None},
        {"total_classifications": -5},
        {"avg_confidence": 900},
    ],
    ids=str,
)
def test_one_row_that_is_no_trend(api, victim, change):
    row = {**GOOD, **change}
    assert is_readable(row) is not bool(change)
    check(api, row)


@pytest.mark.parametrize("more", ["1e20000", "[" * 3000 + "]" * 3000], ids=["wide", "deep"])
def test_what_a_hotspot_has_in_addition_to_its_columns_is_not_read(api, victim, more):
    """PostgreSQL takes more digits, and JSON that is nested deeper, than Python reads."""
    hotspots = f'[{{"channelId": "C1", "riskScore": 40, "messageCount": 10, "more": {more}}}]'
    store_in(api, "channel_hotspots", hotspots)
    day = check_that_all_is_answered(api)
    assert (day["state"], day["hotspots"]) == ("stored", GOOD["channel_hotspots"])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    row=st.fixed_dictionaries(
        {
            **dict.fromkeys(COLUMNS[:3], distributions),
            "channel_hotspots": hotspots,
            "total_classifications": st.one_of(st.none(), st.integers(-5, 2_147_483_647)),
            "avg_confidence": st.one_of(st.none(), st.integers(-5, 105)),
        }
    )
)
def test_any_row(api, victim, row):
    check(api, row)


@pytest.mark.parametrize("column", ["total_classifications", "avg_confidence"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e300"])
def test_a_number_that_is_none_in_a_numeric_column_is_unreadable(api, victim, column, number):
    api.connection.execute(f"alter table communication_trends alter {column} type numeric")
    try:
        store_in(api, column, number)
        day = check_that_all_is_answered(api, organization="victim")
        assert (day["state"], day["totalClassifications"]) == ("unreadable", None)
    finally:
        store(api, GOOD)
        api.connection.execute(f"alter table communication_trends alter {column} type integer")


def test_decimals_in_numeric_columns_are_rounded_half_up(api, victim):
    numeric = "alter column total_classifications type {0}, alter column avg_confidence type {0}"
    api.connection.execute(f"alter table communication_trends {numeric.format('numeric')}")
    try:
        store(api, {**GOOD, "total_classifications": 7.5, "avg_confidence": 81.5})
        day = check_that_all_is_answered(api, organization="victim")
        assert (day["state"], day["totalClassifications"], day["avgConfidence"]) == ("stored", 8, 82)
        assert day["confidenceSum"] == 652  # 8 × 81.5
    finally:
        store(api, GOOD)
        api.connection.execute(f"alter table communication_trends {numeric.format('integer')}")


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        ([{"complaint": 1.5, "general": 2}, {"complaint": 1.5, "general": 3}], {"complaint": 2, "general": 5}),
        (
            [{"complaint": 1.5, "billing": 2.5, "general": 2.0}, {"billing": 4.5, "general": 3}],
            {"complaint": 1, "billing": 6, "general": 5},
        ),
        ([{"general": 2, "billing": 2}, {"general": 3, "": 0.5}], {"general": 5, "billing": 2, "": 0}),
    ],
)
def test_decimals_of_counts_are_cut_off_trend_by_trend(api, topics, expected):
    day = "2026-07-20"
    try:
        for slug, distribution in zip(("acme", "borealis"), topics, strict=True):
            columns = {"topic_distribution": distribution, "escalation_counts": {"high": 1}, "total_classifications": 9}
            insert_trend(api.connection, slug, day, columns)
        [answer] = api.get(f"{API}/trends", params={"from": day, "to": day}).json()["days"]
        assert (answer["organizationsStored"], answer["topics"], answer["escalations"]) == (2, expected, {"high": 2})
    finally:
        api.connection.execute("delete from communication_trends where trend_date = %s", [day])


@pytest.mark.parametrize("date", ["infinity", "-infinity", "20000-01-01", "4000-01-01 BC"])
def test_a_trend_of_no_date_that_python_has_changes_no_answer(api, victim, date):
    asked = {"from": "2026-10-12", "to": "2026-10-21"}

    def answers():
        found = {path: api.get(f"{API}/{path}", params=asked) for path in PATHS}
        assert {path: answer.status_code for path, answer in found.items()} == dict.fromkeys(PATHS, 200)
        return {path: {**answer.json(), "asOf": None} for path, answer in found.items()}

    store(api, GOOD)
    before = answers()
    insert_trend(api.connection, "victim", date, SMALL)
    try:
        assert answers() == before
    finally:
        api.connection.execute("delete from communication_trends where trend_date = %s", [date])


@pytest.mark.parametrize("lacking", [("name",), ("slug",), ("name", "slug")])
def test_an_organization_without_a_name_or_slug(api, lacking):
    for column in ("name", "slug"):
        api.connection.execute(f"alter table organizations alter {column} drop not null")
    [row] = api.connection.execute(
        "insert into organizations (name, slug, created_at) values (%s, %s, '2026-10-19') returning id::text",
        tuple(None if column in lacking else "lost" for column in ("name", "slug")),
    ).fetchall()
    api.connection.execute(
        "insert into communication_trends (organization_id, trend_date, trend_period, channel_hotspots)"
        " values (%s, %s, 'daily', %s)",
        (row["id"], DAY, json.dumps(GOOD["channel_hotspots"])),
    )
    try:
        expected = {
            "id": row["id"],
            "name": row["id"] if len(lacking) == 2 else "lost",
            "slug": row["id"] if "slug" in lacking else "lost",
        }
        for path in ("overview", "organizations", "hotspots", "freshness"):
            answer = api.get(f"{API}/{path}", params={**RANGE, "limit": 200})
            assert expected in [entry.get("organization", entry) for entry in listed(answer.json())], path
            table = api.get(f"{API}/{path}", params={**RANGE, "format": "csv"})
            assert row["id"] in table.text
            assert len(list(csv.reader(io.StringIO(table.text)))) > 1
        overview = api.get(f"{API}/overview", params={**RANGE, "limit": 200}).json()["organizations"]
        assert [entry["unreadable"] for entry in overview if entry["organization"]["id"] == row["id"]] == [True]
        trends = api.get(f"{API}/organizations/{expected['slug']}/trends", params=RANGE).json()
        assert trends["organization"] == expected
    finally:
        api.connection.execute("delete from organizations where id = %s", (row["id"],))


def listed(answer: dict) -> list[dict]:
    return next(answer[name] for name in ("organizations", "hotspots", "behind") if name in answer)


def test_numbers_that_are_none_are_not_in_the_oracle():
    assert not is_count(math.nan)
    assert not is_count(math.inf)
