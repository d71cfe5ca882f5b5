"""What a trend is: each line of the definition, and generated rows against plain Python."""

from __future__ import annotations

import datetime
import decimal
from collections import Counter
from typing import Any

import psycopg
import pytest
from computed import DAY_END, DAY_START, aggregate, trend_in_python
from conftest import rows_handled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from stored import EMPTY

from communication_trends.core.evidence import NUMBERS
from communication_trends.core.statements import compose
from local import ROOT


def test_an_idle_organization_has_a_trend_of_nothing(database):
    assert aggregate(database, "idle") == {"idle": EMPTY}


def test_topics_are_counted_under_their_own_name_the_empty_one_included(database):
    for topic, count in {"scheduling": 3, "complaint": 1, "": 2, "something else": 1, 'quo"te': 1}.items():
        database.classify("acme", topic=topic, count=count)
    trend = aggregate(database, "acme")["acme"]
    assert trend["topic_distribution"] == {"scheduling": 3, "complaint": 1, "": 2, "something else": 1, 'quo"te': 1}
    assert trend["total_classifications"] == 8


def test_tones_that_are_missing_null_empty_or_no_object_are_left_out(database):
    for sentiment in [
        {"tone": "angry"}, {"tone": "angry", "score": 1}, {"tone": "calm as a lake"}, {"tone": 5},
        {"tone": ""}, {"tone": None}, {}, {"Tone": "tense"}, None, [], ["tone"], [{"tone": "tense"}], "tone", 3, True,
    ]:  # fmt: skip
        database.classify("acme", sentiment=sentiment)
    database.connection.execute("update topic_classifications set sentiment = 'null' where sentiment = '3'")
    trend = aggregate(database, "acme")["acme"]
    assert trend["sentiment_distribution"] == {"angry": 2, "calm as a lake": 1, "5": 1}
    assert trend["total_classifications"] == 15


def test_escalations_are_counted_by_severity_without_those_that_have_no_time(database):
    database.escalate("acme", "medium", count=2)
    database.escalate("acme", "high")
    database.escalate("acme", "apocalyptic")
    database.escalate("acme", "critical", at=None)
    database.escalate("acme", "critical", at="2026-10-31 23:59:59.999999")
    database.escalate("acme", "critical", at="2026-11-02 00:00:00")
    trend = aggregate(database, "acme")["acme"]
    assert trend == {**EMPTY, "escalation_counts": {"medium": 2, "high": 1, "apocalyptic": 1}}


def hot(database, channel: str | None, risky: int, calm: int) -> None:
    database.classify("acme", channel=channel, topic="complaint", count=risky // 2)
    database.classify("acme", channel=channel, topic="escalation", count=risky - risky // 2)
    database.classify("acme", channel=channel, topic="general", count=calm)


def test_messages_without_a_channel_make_no_hotspot_and_the_empty_channel_does(database):
    hot(database, None, 20, 0)
    hot(database, "", 10, 10)
    assert aggregate(database, "acme")["acme"]["channel_hotspots"] == [
        {"channelId": "", "riskScore": 50, "messageCount": 20}
    ]


def test_hotspots_are_ordered_by_score_then_messages_then_channel(database):
    for channel, risky, calm in [("b", 5, 5), ("a", 5, 5), ("C", 5, 5), ("big", 20, 20), ("worst", 9, 1), ("é", 5, 5)]:
        hot(database, channel, risky, calm)
    found = aggregate(database, "acme")["acme"]["channel_hotspots"]
    assert [hotspot["channelId"] for hotspot in found] == ["worst", "big", "C", "a", "b", "é"]


def test_the_limits_of_a_hotspot_can_be_set(database):
    hot(database, "C1", 2, 2)
    database.classify("acme", channel="C2", topic="request", count=4)
    trend = aggregate(
        database,
        "acme",
        hotspot_topics=["request"],
        hotspot_min_messages=4,
        hotspot_min_ratio=decimal.Decimal("0.999"),
    )
    assert trend["acme"]["channel_hotspots"] == [{"channelId": "C2", "riskScore": 100, "messageCount": 4}]


@pytest.mark.parametrize("column_type", ["timestamp", "timestamptz"])
@pytest.mark.parametrize("timezone", ["UTC", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu"])
def test_the_day_is_the_utc_day_whatever_the_time_zone_of_the_database(database, server, column_type, timezone):
    connection = database.connection
    connection.execute(f"alter database {database.name} set timezone to '{timezone}'")
    for table in ("topic_classifications", "escalation_alerts"):
        connection.execute(
            f"alter table {table} alter created_at type {column_type} using created_at at time zone 'UTC'"
        )
    at = ["2026-10-31 23:59:59.999999", "2026-11-01 00:00:00", "2026-11-01 23:59:59.999999", "2026-11-02 00:00:00"]
    with server.connect(database.name, row_factory=dict_row) as session:
        assert session.execute("show timezone").fetchone() == {"TimeZone": timezone}
        database.connection = session
        for topic, moment in zip(["before", "first", "last", "after"], at, strict=True):
            database.classify("acme", topic=topic, at=f"{moment}+00")
            database.escalate("acme", topic, at=f"{moment}+00")
        trend = aggregate(database, "acme")["acme"]
    assert trend["topic_distribution"] == {"first": 1, "last": 1}
    assert trend["escalation_counts"] == {"first": 1, "last": 1}


def test_organizations_do_not_mix_and_one_not_asked_for_is_not_there(database):
    database.classify("acme", topic="request", confidence=10)
    database.classify("beta", topic="complaint", confidence=90, count=2)
    database.classify("other", topic="general")
    database.escalate("beta", "high")
    trends = aggregate(database, "acme", "beta", "idle")
    assert sorted(trends) == ["acme", "beta", "idle"]
    assert trends["acme"]["topic_distribution"] == {"request": 1}
    assert (trends["acme"]["avg_confidence"], trends["acme"]["escalation_counts"]) == (10, {})
    assert trends["beta"]["topic_distribution"] == {"complaint": 2}
    assert (trends["beta"]["avg_confidence"], trends["beta"]["escalation_counts"]) == (90, {"high": 1})
    assert trends["idle"] == EMPTY


# Generated rows: few distinct values, so that they meet in groups, and the moments around both midnights.

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
topics = st.sampled_from(["complaint", "escalation", "general", "request", ""]) | texts
moments = st.sampled_from(
    [
        DAY_START - datetime.timedelta(microseconds=1),
        DAY_START,
        DAY_START + datetime.timedelta(hours=13),
        DAY_END - datetime.timedelta(microseconds=1),
        DAY_END,
    ]
)
tones = st.sampled_from(["angry", "positive", ""]) | texts | st.none() | st.integers(-3, 3) | st.booleans()
sentiments = (
    st.none() | st.builds(lambda tone: {"tone": tone}, tones) | st.sampled_from([[], "tone", 1, {}, [{"tone": 1}]])
)
messages = st.lists(
    st.fixed_dictionaries(
        {
            "organization": st.sampled_from(["acme", "beta"]),
            "topic": topics,
            "channel": st.sampled_from(["C1", "C2", "", "c1"]) | st.none(),
            "confidence": st.none() | st.integers(0, 100),
            "sentiment": sentiments,
            "at": moments,
            "count": st.sampled_from([1, 1, 2, 7, 13]),
        }
    ),
    max_size=25,
)
alerts = st.lists(
    st.fixed_dictionaries(
        {
            "organization": st.sampled_from(["acme", "beta"]),
            "severity": st.sampled_from(["medium", "high", "critical"]) | texts,
            "at": st.none() | moments,
        }
    ),
    max_size=10,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=messages, alerts=alerts)
def test_generated_rows_give_the_trend_that_plain_python_computes(database, messages, alerts):
    ids = {slug: database.organization(slug) for slug in ("acme", "beta")}
    connection: psycopg.Connection[Any] = database.connection
    connection.execute("truncate topic_classifications, escalation_alerts")
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into topic_classifications (organization_id, topic, channel_id, confidence, sentiment, created_at)"
            " select %s, %s, %s, %s, %s, %s from generate_series(1, %s)",
            [
                (
                    ids[row["organization"]],
                    row["topic"],
                    row["channel"],
                    row["confidence"],
                    None if row["sentiment"] is None else Jsonb(row["sentiment"]),
                    row["at"],
                    row["count"],
                )
                for row in messages
            ],
        )
        cursor.executemany(
            "insert into escalation_alerts (organization_id, severity, created_at) values (%s, %s, %s)",
            [(ids[alert["organization"]], alert["severity"], alert["at"]) for alert in alerts],
        )
    found = aggregate(database, "acme", "beta")
    for slug in ids:
        assert found[slug] == trend_in_python(
            [row for row in messages if row["organization"] == slug],
            [alert for alert in alerts if alert["organization"] == slug],
        )


def test_stored_trends_are_looked_up_without_reading_all_of_them_for_each_organization(database):
    # as after a nightly run: of the new day the planner knows nothing yet
    number = 2000
    connection = database.connection
    connection.execute("alter table communication_trends set (autovacuum_enabled = off)")
    connection.execute(
        "insert into organizations (name, slug, created_at) select n, n, '2026-01-01' from generate_series(1, %s) as n",
        [number],
    )
    store = (
        "insert into communication_trends (organization_id, trend_date, trend_period)"
        " select id, generate_series(%s::timestamp, %s::timestamp, '1 day'), 'daily' from organizations"
    )
    connection.execute(store, [DAY_START - datetime.timedelta(days=9), DAY_START - datetime.timedelta(days=1)])
    connection.execute("analyze")
    connection.execute(store, [DAY_START, DAY_START])
    ids = [row["id"] for row in connection.execute("select id::text from organizations")]
    sql = compose(ROOT / "sql" / "stored_trends.sql")
    starts = [DAY_START - datetime.timedelta(days=days) for days in range(9)]
    parameters = {
        "organization_ids": ids,
        "trend_period": "daily",
        "run_id": "a run",
        "numbers": NUMBERS,
        "own_start": starts[0],
        "start_before": starts[1],
        "period_starts": starts,
        "period_ends": [DAY_END, *starts[:-1]],
    }
    rows = connection.execute(sql, parameters).fetchall()
    columns = ("own_classifications", "own_is_final", "own_change", "filled", "corrected", "missing", "existed")
    assert [[row[name] for name in columns] for row in rows] == [[0, None, None, 0, 0, None, None]] * number
    plan = connection.execute(f"explain (analyze, format json) {sql}", parameters).fetchone()["QUERY PLAN"]

    # each of nine periods is looked up once, in a few steps
    assert number < sum(rows_handled(plan[0]["Plan"])) < 40 * number


@pytest.mark.parametrize("column_type", ["json", "mood"])
def test_json_that_text_cannot_hold_is_a_missing_tone(database, column_type):
    """A column of the type json keeps what PostgreSQL can turn into no text: a NUL, half a surrogate pair."""
    database.connection.execute("create domain mood as json")
    database.connection.execute(f"alter table topic_classifications alter sentiment type {column_type}")
    texts = {
        r'{"tone": "angry"}': "angry",
        r'{"tone": "\u0061ngry"}': "angry",
        r'{"tone": "\ud83d\ude00"}': "😀",
        r'{"tone": "a\\u0000b"}': r"a\u0000b",
        r'{"tone": "a\\\\ud800"}': r"a\\ud800",
        r'{"tone": 5}': "5",
        r'{"tone": "\u0000"}': None,
        r'{"tone": "a\\\u0000"}': None,
        r'{"tone": "angry", "note": "\u0000"}': None,
        r'{"tone": "\ud800"}': None,
        r'{"tone": "\uDC00\uD800"}': None,
        r'{"tone": "\ud800\ud800\udc00"}': None,
        r'{"tone": null}': None,
        r'["\u0000"]': None,
        r'"\ud800"': None,
    }
    for text in texts:
        database.classify("acme")
        database.connection.execute("update topic_classifications set sentiment = %s where sentiment is null", [text])
    trend = aggregate(database, "acme")["acme"]
    expected = Counter(tone for tone in texts.values() if tone is not None)
    assert trend["sentiment_distribution"] == dict(expected)
    assert trend["total_classifications"] == len(texts)


@pytest.mark.parametrize("column_type", ["json", "mood"])
def test_a_run_counts_what_json_cannot_hold_in_the_same_way(database, run_dag, column_type):
    database.connection.execute("create domain mood as json")
    database.connection.execute(f"alter table topic_classifications alter sentiment type {column_type}")
    for text in (r'{"tone": "\u0000"}', r'{"tone": "angry"}'):
        database.classify("acme")
        database.connection.execute("update topic_classifications set sentiment = %s where sentiment is null", [text])
    run = run_dag({"date": "2026-11-01"})
    assert run.state == "success", run.log
    assert database.trend("acme")["sentiment_distribution"] == {"angry": 1}


@pytest.mark.extensions
@pytest.mark.parametrize("column_type", ["text collate caseless", "text"])
def test_topics_channels_and_severities_are_told_apart_by_their_bytes(database, column_type):
    connection = database.connection
    try:
        connection.execute("create collation any_icu (provider = icu, locale = 'und')")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this PostgreSQL is built without ICU")
    connection.execute(
        "create collation caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        f"alter table topic_classifications alter topic type {column_type}, alter channel_id type {column_type};"
        f"alter table escalation_alerts alter severity type {column_type}"
    )
    for topic, channel, count in (("Complaint", "C1", 6), ("complaint", "C1", 6), ("complaint", "c1", 10)):
        database.classify("acme", topic=topic, channel=channel, count=count)
    for severity in ("high", "High", "HIGH"):
        database.escalate("acme", severity)
    trend = aggregate(database, "acme")["acme"]
    assert trend["topic_distribution"] == {"Complaint": 6, "complaint": 16}
    assert trend["escalation_counts"] == {"high": 1, "High": 1, "HIGH": 1}
    # only the topic as it is in the rule is risky: 6 of 12, and 10 of 10
    assert trend["channel_hotspots"] == [
        {"channelId": "c1", "riskScore": 100, "messageCount": 10},
        {"channelId": "C1", "riskScore": 50, "messageCount": 12},
    ]
