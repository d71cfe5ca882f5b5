"""The work without Airflow: what is stored, repaired, not overwritten and refused; checked against plain Python."""

from __future__ import annotations

import datetime
import decimal
import itertools
import json
import random
import re
import uuid
from contextlib import nullcontext
from typing import Any

import pytest
from computed import trend_in_python
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb
from stored import COLUMNS
from waiting import wait_until
from working import NOV_8, changes, opened, since

from communication_trends.core.aggregation import Aggregation
from communication_trends.core.period import DAILY, MONTHLY, WEEKLY, Granularity, Period
from communication_trends.core.report import AggregationReport, TrendStatus
from communication_trends.core.work import Origin, Work
from local import ROOT


@pytest.fixture
def work_on(server, database):
    """Do some work on the test's database, on a connection of its own."""

    def work(period: Period = NOV_8, **what: Any) -> AggregationReport:
        with server.connect(database.name) as connection:
            target = opened(connection)
            work = Work(list(database.organizations.values()), period, **what)
            return Aggregation(work, source=target).run()

    return work


def totals(database) -> dict[tuple[str, str], int]:
    return {key: row["total_classifications"] for key, row in database.trends().items()}


# What a run does to its own period


def test_a_trend_is_filled_then_unchanged_then_corrected(database, work_on):
    database.classify("acme", at="2026-11-08 10:00", count=3)
    assert changes(work_on()) == {("acme", "2026-11-08"): "filled"}
    assert changes(work_on()) == {("acme", "2026-11-08"): "unchanged"}
    database.classify("acme", at="2026-11-08 11:00")
    outcome = work_on()
    assert changes(outcome) == {("acme", "2026-11-08"): "corrected"}
    assert (outcome.results[0].stored_messages, outcome.results[0].messages) == (3, 4)


MESSAGES = [column for column in COLUMNS if column != "escalation_counts"]
PURGES = {
    "delete from topic_classifications where topic = 'old'": "messages 4 → 3",
    "update topic_classifications set sentiment = null": "messages with a tone 4 → 0",
    "update topic_classifications set sentiment = null where topic = 'old'": "messages with a tone 4 → 3",
    'update topic_classifications set sentiment = \'{"tone": ""}\'': "messages with a tone 4 → 0",
    "update topic_classifications set confidence = null where topic = 'old'": "messages with a confidence 4 → 3",
}


@pytest.mark.parametrize("has_provenance", [True, False])
@pytest.mark.parametrize("purge", PURGES)
def test_what_was_made_from_messages_stays_where_fewer_are_left_and_alerts_are_corrected(
    database, work_on, purge, has_provenance
):
    for topic in ("old", "old", "new", "new"):
        database.classify("acme", topic=topic, at="2026-11-08 10:00", sentiment={"tone": "tense"})
    database.escalate("acme", "high", at="2026-11-08 10:00")
    work_on()
    if not has_provenance:
        database.connection.execute("truncate communication_trends_provenance")
    stored = database.trend("acme", "2026-11-08")
    database.connection.execute(purge)
    database.escalate("acme", "low", at="2026-11-08 11:00", count=5)
    if "delete" in purge or "topic" in purge.partition("where")[2]:
        # one more, so that what is fewer is less than its parts
        database.classify("acme", at="2026-11-08 11:00", sentiment={"tone": "tense"}, topic="new", confidence=20)
    report = work_on()
    if not has_provenance and "confidence = null" in purge:
        # an average does not say how many it is of
        assert report.guarded() == []
        return
    assert changes(report) == {("acme", "2026-11-08"): "corrected"}
    (guarded,) = report.guarded()
    assert guarded.reason.startswith("what was made from messages was not overwritten: the source now has fewer (")
    trend = database.trend("acme", "2026-11-08")
    assert {name: trend[name] for name in MESSAGES} == {name: stored[name] for name in MESSAGES}
    assert trend["escalation_counts"] == {"high": 1, "low": 5}
    # the same again: nothing is left to correct
    assert changes(work_on()) == {("acme", "2026-11-08"): "kept"}
    assert changes(work_on(force=True)) == {("acme", "2026-11-08"): "corrected"}
    assert database.trend("acme", "2026-11-08")["topic_distribution"] != stored["topic_distribution"] or (
        database.trend("acme", "2026-11-08")["sentiment_distribution"] != stored["sentiment_distribution"]
    )


@pytest.mark.parametrize("has_provenance", [True, False])
def test_alerts_stay_where_fewer_are_left_and_late_messages_are_stored(database, work_on, has_provenance):
    """Alerts are purged after some days, messages never: 50 messages that come late are not lost for it."""
    database.classify("acme", at="2026-11-08 10:00", count=10)
    database.escalate("acme", "high", at="2026-11-08 10:00", count=2)
    work_on()
    if not has_provenance:
        database.connection.execute("truncate communication_trends_provenance")
    database.connection.execute("delete from escalation_alerts")
    database.classify("acme", at="2026-11-08 11:00", count=50)
    report = work_on()
    assert changes(report) == {("acme", "2026-11-08"): "corrected"}
    (guarded,) = report.guarded()
    assert guarded.reason == ("what was made from alerts was not overwritten: the source now has fewer (alerts 2 → 0)")
    trend = database.trend("acme", "2026-11-08")
    assert (trend["total_classifications"], trend["topic_distribution"]) == (60, {"general": 60})
    assert trend["escalation_counts"] == {"high": 2}
    assert changes(work_on(force=True)) == {("acme", "2026-11-08"): "corrected"}
    assert database.trend("acme", "2026-11-08")["escalation_counts"] == {}


def test_nulls_that_another_writer_has_stored_stay_with_the_half_that_is_not_overwritten(database, work_on):
    nullable = ("topic_distribution", "sentiment_distribution", "channel_hotspots")
    changed = ", ".join(f"alter {column} drop not null, alter {column} drop default" for column in nullable)
    database.connection.execute(f"alter table communication_trends {changed}")
    database.insert_trend("acme", "2026-11-08", total_classifications=30)
    database.classify("acme", at="2026-11-08 10:00", count=5)
    database.escalate("acme", "high", at="2026-11-08 10:00")
    assert changes(work_on()) == {("acme", "2026-11-08"): "corrected"}
    trend = database.trend("acme", "2026-11-08")
    assert [trend[column] for column in nullable] == [None, None, None]
    assert (trend["total_classifications"], trend["escalation_counts"]) == (30, {"high": 1})
    assert changes(work_on()) == {("acme", "2026-11-08"): "kept"}


def test_decimals_that_another_writer_has_stored_stay_with_the_half_that_is_not_overwritten(database, work_on):
    """Its columns are numeric, and it has stored its mean as avg() gives it: more digits than a float has."""
    database.connection.execute(
        "alter table communication_trends alter total_classifications type numeric(10, 2),"
        " alter avg_confidence type numeric"
    )
    mean = decimal.Decimal("79.6666666666666667")
    database.insert_trend("acme", "2026-11-08", total_classifications=30, avg_confidence=mean)
    database.classify("acme", at="2026-11-08 10:00", count=5)
    database.escalate("acme", "high", at="2026-11-08 10:00")
    report = work_on()
    assert changes(report) == {("acme", "2026-11-08"): "corrected"}
    assert "(messages 30 → 5)" in report.guarded()[0].reason
    trend = database.trend("acme", "2026-11-08")
    assert (trend["total_classifications"], trend["avg_confidence"], trend["escalation_counts"]) == (
        30,
        mean,
        {"high": 1},
    )
    assert changes(work_on()) == {("acme", "2026-11-08"): "kept"}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e300"])
@pytest.mark.parametrize("has_provenance", [True, False])
def test_a_total_that_is_no_count_guards_nothing(database, work_on, number, has_provenance):
    """Another writer's columns are numeric, which hold such numbers as well."""
    database.connection.execute(
        "alter table communication_trends alter total_classifications type numeric, alter avg_confidence type numeric"
    )
    database.classify("acme", at="2026-11-08 10:00", count=5)
    work_on()
    if not has_provenance:
        database.connection.execute("truncate communication_trends_provenance")
    overwrite = "update communication_trends set total_classifications = %(number)s, avg_confidence = %(number)s"
    database.connection.execute(overwrite, {"number": number})
    # the week asks its days how many messages they were made from
    week = WEEKLY.containing(NOV_8.first_date)
    assert changes(work_on(week)) == {("acme", str(week)): "filled"}
    assert changes(work_on()) == {("acme", "2026-11-08"): "corrected"}
    trend = database.trend("acme", "2026-11-08")
    assert (trend["total_classifications"], trend["avg_confidence"]) == (5, 80)
    assert changes(work_on()) == {("acme", "2026-11-08"): "unchanged"}


HOTSPOT = [{"channelId": "C1", "riskScore": 100, "messageCount": 12}]


@pytest.mark.parametrize(
    "change",
    [
        "update topic_classifications set channel_id = null",
        "update topic_classifications set channel_id = 'C2'",
        "update topic_classifications set channel_id = null where id = (select id from topic_classifications limit 1)",
    ],
)
def test_a_hotspot_stays_whose_messages_have_lost_their_channel(database, work_on, change):
    database.classify("acme", topic="complaint", at="2026-11-08 10:00", count=12)
    work_on()
    assert database.trend("acme", "2026-11-08")["channel_hotspots"] == HOTSPOT
    database.connection.execute(change)
    report = work_on()
    assert changes(report) == {("acme", "2026-11-08"): "kept"}
    assert "messages of hotspot channels: C1" in report.guarded()[0].reason
    assert database.trend("acme", "2026-11-08")["channel_hotspots"] == HOTSPOT
    assert changes(work_on(force=True)) == {("acme", "2026-11-08"): "corrected"}


def test_a_hotspot_goes_whose_messages_were_classified_again(database, work_on):
    database.classify("acme", topic="complaint", at="2026-11-08 10:00", count=12)
    database.classify("acme", topic="complaint", at="2026-11-08 10:00", count=20, channel="C2")
    work_on()
    database.connection.execute("update topic_classifications set topic = 'general' where channel_id = 'C1'")
    report = work_on()
    assert (changes(report), report.guarded()) == ({("acme", "2026-11-08"): "corrected"}, [])
    assert [one["channelId"] for one in database.trend("acme", "2026-11-08")["channel_hotspots"]] == ["C2"]


def test_what_was_classified_again_is_stored(database, work_on):
    database.classify(
        "acme", topic="general", at="2026-11-08 10:00", sentiment={"tone": "tense"}, confidence=90, count=2
    )
    work_on()
    database.connection.execute(
        "update topic_classifications set topic = 'complaint', sentiment = '{\"tone\": \"angry\"}', confidence = 10"
    )
    assert changes(work_on()) == {("acme", "2026-11-08"): "corrected"}
    trend = database.trend("acme", "2026-11-08")
    assert (trend["topic_distribution"], trend["sentiment_distribution"]) == ({"complaint": 2}, {"angry": 2})
    assert trend["avg_confidence"] == 10


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ("new.topic_distribution := '{\"general\": 2}';", "topic_distribution is different"),
        ("new.sentiment_distribution := '{}';", "sentiment_distribution is different"),
        ("new.escalation_counts := '{\"high\": 7}';", "escalation_counts is different"),
        ("new.channel_hotspots := '[{}]';", "channel_hotspots is different"),
        ("new.total_classifications := 1;", "total_classifications is different"),
        ("new.avg_confidence := null;", "avg_confidence is different"),
        ("new.trend_date := '2026-11-07';", "no row is there"),
        ("new.trend_period := 'weekly';", "no row is there"),
        ("return null;", "no row is there"),
    ],
)
def test_what_a_trigger_makes_of_a_trend_is_not_stored_as_a_success(database, work_on, action, problem):
    for slug in ("acme", "beta"):
        database.classify(slug, at="2026-11-08 10:00", sentiment={"tone": "tense"}, count=3)
        database.escalate(slug, "high", at="2026-11-08 10:00")
    database.on_write(action, slug="acme")
    outcome = work_on()
    assert changes(outcome) == {("acme", "2026-11-08"): "failed", ("beta", "2026-11-08"): "filled"}
    (failed,) = outcome.of(TrendStatus.FAILED)
    assert failed.reason.startswith("acme: the trend does not add up and was not stored: " + problem)
    assert list(database.trends()) == [("beta", "2026-11-08")]


def test_what_a_trigger_changes_after_the_row_was_written_is_seen_as_well(database, work_on):
    database.classify("acme", at="2026-11-08 10:00")
    change = "update communication_trends set avg_confidence = 1 where id = new.id;"
    database.on_write(change, when="after insert or update of total_classifications")
    assert "avg_confidence is different" in work_on().results[0].reason
    assert database.trends() == {}


def test_any_error_of_one_organization_is_its_own(database, work_on):
    """Also where it is no error of the database's: a text that the encoding of the connection lacks, a null slug."""
    database.connection.execute("alter table organizations alter slug drop not null")
    for slug in ("acme", "beta", "gamma"):
        database.classify(slug, at="2026-11-08 10:00")
    database.on_write("raise 'poisoned';", slug="beta")
    database.connection.execute("update organizations set slug = null where slug = 'gamma'")
    outcome = work_on()
    gamma = database.organization("gamma")
    assert changes(outcome) == {
        ("acme", "2026-11-08"): "filled",
        ("beta", "2026-11-08"): "failed",
        (gamma, "2026-11-08"): "filled",
    }


# Reading from one database, writing to another


def test_the_target_is_not_kept_waiting_in_a_transaction_while_the_source_is_read(server, database, work_on):
    database.classify("acme", at="2026-11-08 10:00", count=3)
    with server.connect(database.name) as reader, server.connect(database.name) as writer:
        writer.execute("set idle_in_transaction_session_timeout = '200ms'")
        work = Work([database.organization("acme")], NOV_8)
        slow = "with slept as materialized (select pg_sleep(1)) " + (
            ROOT / "sql" / "aggregate_trends.sql"
        ).read_text().replace("from organizations\n", "from slept cross join organizations\n", 1)
        target = opened(writer)
        outcome = Aggregation(
            work, source=opened(reader), open_target=lambda: nullcontext(target), aggregate_sql=slow
        ).run()
    assert changes(outcome) == {("acme", "2026-11-08"): "filled"}


# The periods before


def test_earlier_periods_are_filled_and_corrected_after_the_runs_own(database, work_on):
    for day in (6, 7, 8):
        database.classify("acme", at=f"2026-11-0{day} 10:00", count=day)
    since(database, "2026-11-06 09:00")
    work_on(NOV_8.previous())
    database.classify("acme", at="2026-11-07 04:00", count=2)
    outcome = work_on(lookback_periods=NOV_8.earlier(7))
    assert changes(outcome) == {
        ("acme", "2026-11-08"): "filled",
        ("acme", "2026-11-07"): "corrected",
        ("acme", "2026-11-06"): "filled",
    }
    # own first, then newest first; nothing from before the organization was there
    assert [str(one.period) for one in outcome.results] == ["2026-11-08", "2026-11-07", "2026-11-06"]
    assert totals(database) == {("acme", "2026-11-06"): 6, ("acme", "2026-11-07"): 9, ("acme", "2026-11-08"): 8}


def test_an_idle_organization_gets_its_empty_days_since_it_was_there(database, work_on):
    database.organization("idle")
    since(database, "2026-11-07 23:59:59.999999")
    work_on(lookback_periods=NOV_8.earlier(7))
    assert totals(database) == {("idle", "2026-11-07"): 0, ("idle", "2026-11-08"): 0}


def test_an_organization_imported_with_old_rows_exists_since_the_first_of_them(database, work_on):
    database.classify("acme", at="2026-11-03 10:00", count=2)
    database.escalate("acme", "high", at="2026-11-05 10:00")
    since(database, "2026-11-08 12:00")
    work_on(lookback_periods=NOV_8.earlier(7))
    assert totals(database) == {("acme", f"2026-11-0{day}"): 2 if day == 3 else 0 for day in range(3, 9)}


def test_force_is_for_the_runs_own_period_alone(database, work_on):
    for day in (7, 8):
        database.classify("acme", at=f"2026-11-0{day} 10:00", count=2)
    since(database, "2026-11-01")
    work_on(lookback_periods=NOV_8.earlier(1))
    database.connection.execute("truncate topic_classifications")
    outcome = work_on(lookback_periods=NOV_8.earlier(1), force=True)
    assert changes(outcome) == {("acme", "2026-11-08"): "corrected", ("acme", "2026-11-07"): "kept"}


def test_what_is_stored_in_parts_is_written_in_one_order(database, work_on, monkeypatch):
    """Whatever order the organizations are read in: so another run with other parts waits, it does not deadlock."""
    monkeypatch.setattr("communication_trends.core.trend_writer.MAX_STORED_TOGETHER", 1)
    for number in (3, 1, 2):
        id_ = f"00000000-0000-0000-0000-00000000000{number}"
        database.connection.execute(
            "insert into organizations (id, name, slug) values (%s, %s, %s)", [id_, f"o{number}", f"o{number}"]
        )
        database.organizations[f"o{number}"] = id_
    database.connection.execute("create table written (number serial, slug text)")
    database.on_write("insert into written (slug) select slug from organizations where id = new.organization_id;")
    work_on()
    rows = database.connection.execute("select slug from written order by number").fetchall()
    assert [row["slug"] for row in rows] == ["o1", "o2", "o3"]


def test_a_lost_session_in_an_earlier_period_leaves_the_own_one_stored_and_names_the_rest(database, work_on):
    for day in (6, 7, 8):
        database.classify("acme", at=f"2026-11-0{day} 10:00")
    since(database, "2026-11-06")
    end = "perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(10);"
    database.on_write(f"if new.trend_date = '2026-11-07' then {end} end if;")
    outcome = work_on(lookback_periods=NOV_8.earlier(2))
    assert outcome.ended_by is not None
    assert totals(database) == {("acme", "2026-11-08"): 1}
    assert sorted(str(one.period) for one in outcome.of(TrendStatus.FAILED)) == ["2026-11-06", "2026-11-07"]


def test_a_run_that_finds_all_as_it_was_writes_nothing(database, work_on):
    """PostgreSQL's own counters: no row inserted, updated or dead, for 1,000 organizations and 8 days."""
    connection = database.connection
    connection.execute("alter table communication_trends set (autovacuum_enabled = off)")
    connection.execute(
        "insert into organizations (name, slug, created_at) select n, n, '2026-01-01' from generate_series(1, 1000) n"
    )
    connection.execute(
        "insert into topic_classifications (organization_id, topic, channel_id, confidence, sentiment, created_at)"
        " select id, (array['general', 'complaint'])[n %% 2 + 1], 'C' || n %% 3, n, '{\"tone\": \"tense\"}',"
        " '2026-11-01'::timestamp + n * interval '9 hours' from organizations, generate_series(0, 20) as n",
        [],
    )
    for row in connection.execute("select id::text, slug from organizations").fetchall():
        database.organizations[row["slug"]] = row["id"]

    others = (
        "select count(*) as number from pg_stat_activity"
        " where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()"
    )

    def counters() -> dict[str, Any]:
        # a session's last counts are there once it has ended
        wait_until(lambda: connection.execute(others).fetchone() == {"number": 0})
        connection.execute("select pg_stat_clear_snapshot()")
        row = connection.execute(
            "select n_tup_ins, n_tup_upd, n_tup_hot_upd, n_tup_del, n_dead_tup from pg_stat_user_tables"
            " where relname = 'communication_trends'"
        ).fetchone()
        assert row
        return row

    work_on(lookback_periods=NOV_8.earlier(7))
    first = counters()
    assert (first["n_tup_ins"], first["n_dead_tup"]) == (8000, 0)
    outcome = work_on(lookback_periods=NOV_8.earlier(7))
    assert {one.status for one in outcome.results} == {"unchanged"}
    assert len(outcome.results) == 8000
    assert counters() == first


# Whole histories

DAYS = [datetime.date(2026, 11, 1) + datetime.timedelta(days=days) for days in range(12)]
SLUGS = ["acme", "beta", "newcomer"]
events = st.lists(
    st.one_of(
        st.tuples(st.just("rows"), st.sampled_from(SLUGS), st.integers(0, 11), st.integers(1, 13)),
        st.tuples(st.just("alerts"), st.sampled_from(SLUGS), st.integers(0, 11), st.integers(1, 2)),
        st.tuples(st.just("classify again"), st.sampled_from(SLUGS), st.integers(0, 11), st.integers(0, 3)),
        st.tuples(st.just("delete one"), st.sampled_from(SLUGS), st.integers(0, 11), st.integers(0, 3)),
        st.tuples(st.just("purge"), st.sampled_from(SLUGS), st.integers(0, 11), st.just(0)),
        st.tuples(st.just("forget tones"), st.sampled_from(SLUGS), st.integers(0, 11), st.just(0)),
        st.tuples(st.just("run"), st.sampled_from(["", *SLUGS]), st.integers(0, 11), st.just(0)),
    ),
    min_size=5,
    max_size=40,
)


class Model:
    """The same history in plain Python: source rows in lists, stored trends in a dict."""

    def __init__(self, created: dict[str, datetime.datetime]) -> None:
        self.created = created
        self.messages: list[dict[str, Any]] = []
        self.alerts: list[dict[str, Any]] = []
        self.stored: dict[tuple[str, str], dict[str, Any]] = {}
        self.made: dict[tuple[str, str], dict[str, int]] = {}

    def of(self, slug: str, day: datetime.date) -> list[dict[str, Any]]:
        return [row for row in self.messages if row["organization"] == slug and row["at"].date() == day]

    def computed(self, slug: str, day: datetime.date) -> dict[str, Any]:
        start = datetime.datetime.combine(day, datetime.time.min)
        return trend_in_python(
            [row for row in self.messages if row["organization"] == slug],
            [row for row in self.alerts if row["organization"] == slug],
            start,
            start + datetime.timedelta(days=1),
        )

    def scheduled_run(self, day: datetime.date, failing: str) -> None:
        for slug in SLUGS:
            for back in range(8):
                past = day - datetime.timedelta(days=back)
                trend = self.computed(slug, past)
                is_empty = not trend["total_classifications"] and not trend["escalation_counts"]
                if slug == failing or (back and is_empty and past < self.first_day(slug)):
                    continue
                made = self.made_from(slug, past)
                key = slug, str(past)
                if key not in self.stored:
                    if not back or self.knows(slug, past):
                        self.stored[key], self.made[key] = trend, made
                    continue
                before, had = self.stored[key], self.made[key]
                fewer = any(made[name] < had[name] for name in ("messages", "tones", "confidences")) or any(
                    self.in_channel(slug, past, one["channelId"]) < one["messageCount"]
                    for one in before["channel_hotspots"]
                )
                if not fewer:
                    before.update({name: trend[name] for name in MESSAGES})
                    had.update({name: made[name] for name in ("messages", "tones", "confidences")})
                if made["alerts"] >= had["alerts"]:
                    before["escalation_counts"], had["alerts"] = trend["escalation_counts"], made["alerts"]

    def first_day(self, slug: str) -> datetime.date:
        """Return the day since which an organization exists: created, with a row, or with a trend of one."""
        rows = [row["at"].date() for row in [*self.messages, *self.alerts] if row["organization"] == slug]
        filled = [
            datetime.date.fromisoformat(date)
            for (who, date), trend in self.stored.items()
            if who == slug and (trend["total_classifications"] or trend["escalation_counts"])
        ]
        return min([self.created[slug].date(), *rows, *filled])

    def made_from(self, slug: str, day: datetime.date) -> dict[str, int]:
        rows = self.of(slug, day)
        return {
            "messages": len(rows),
            "tones": sum(bool((row["sentiment"] or {}).get("tone")) for row in rows),
            "confidences": sum(row["confidence"] is not None for row in rows),
            "alerts": sum(row["organization"] == slug and row["at"].date() == day for row in self.alerts),
        }

    def in_channel(self, slug: str, day: datetime.date, channel: str) -> int:
        return sum(row["channel"] == channel for row in self.of(slug, day))

    def knows(self, slug: str, day: datetime.date) -> bool:
        """Whether a day without a trend may be stored: it has messages, or none have been purged as far as is known."""
        if self.of(slug, day):
            return True
        all_rows = [row["at"].date() for row in self.messages]
        if all_rows and day < min(all_rows):
            return False
        own = [row["at"].date() for row in self.messages if row["organization"] == slug]
        had = [
            datetime.date.fromisoformat(date)
            for (who, date), trend in self.stored.items()
            if who == slug and trend["total_classifications"]
        ]
        if own:
            return min(own) <= day or not any(date < min(own) for date in had)
        return not had or bool(all_rows and max(had) < min(all_rows) < day)


def apply_event(database, work_on, model: Model, event: tuple[str, str, int, int], picked: random.Random) -> None:
    """Let one thing happen, in the database and in the model."""
    what, slug, number, amount = event
    day, connection = DAYS[number], database.connection
    moment = datetime.datetime.combine(day, datetime.time(picked.randrange(24), picked.randrange(60)))
    if what == "rows":
        for _ in range(amount):
            row = {
                "id": str(uuid.UUID(int=picked.getrandbits(128))),
                "organization": slug,
                "topic": picked.choice(["complaint", "escalation", "general"]),
                "channel": picked.choice(["C1", "C1", "C2", None]),
                "confidence": picked.choice([None, 10, 55, 90]),
                "sentiment": picked.choice([None, {"tone": "tense"}, {"tone": "angry"}]),
                "at": moment,
                "count": 1,
            }
            model.messages.append(row)
            connection.execute(
                "insert into topic_classifications"
                " (id, organization_id, topic, channel_id, confidence, sentiment, created_at)"
                " values (%s, %s, %s, %s, %s, %s, %s)",
                [
                    row["id"],
                    database.organization(slug),
                    row["topic"],
                    row["channel"],
                    row["confidence"],
                    Jsonb(row["sentiment"]),
                    moment,
                ],
            )
    elif what == "alerts":
        model.alerts += [{"organization": slug, "severity": "high", "at": moment} for _ in range(amount)]
        database.escalate(slug, "high", at=moment, count=amount)
    elif what == "run":
        # trends of an organization that fails tonight cannot be written
        connection.execute("delete from failing")
        if slug:
            connection.execute("insert into failing values (%s)", [database.organization(slug)])
        work_on(DAILY.containing(day), lookback_periods=DAILY.containing(day).earlier(7))
        connection.execute("delete from failing")
        model.scheduled_run(day, slug)
    else:
        chosen = model.of(slug, day)
        if what in ("classify again", "delete one"):
            chosen = chosen[amount : amount + 1]
        for row in chosen:
            if what == "classify again":
                row.update(topic=picked.choice(["complaint", "general"]), confidence=picked.choice([20, 70]))
                connection.execute(
                    "update topic_classifications set topic = %s, confidence = %s where id = %s",
                    [row["topic"], row["confidence"], row["id"]],
                )
            elif what == "forget tones":
                row["sentiment"] = None
                connection.execute("update topic_classifications set sentiment = null where id = %s", [row["id"]])
            else:
                model.messages.remove(row)
                connection.execute("delete from topic_classifications where id = %s", [row["id"]])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=events, seed=st.integers(0, 10**6), first_day=st.integers(0, 11))
def test_after_any_history_one_run_leaves_the_last_days_as_plain_python_has_them(
    database, work_on, history, seed, first_day
):
    connection = database.connection
    connection.execute(
        "truncate topic_classifications, escalation_alerts, communication_trends, communication_trends_provenance"
    )
    connection.execute("create table if not exists failing (organization_id uuid)")
    database.on_write(
        "if exists (select from failing where organization_id = new.organization_id) then raise 'tonight'; end if;"
    )
    created = {
        "acme": datetime.datetime(2026, 1, 1),
        "beta": datetime.datetime(2026, 11, 3, 12),
        "newcomer": datetime.datetime.combine(DAYS[first_day], datetime.time(12)),
    }
    for slug, moment in created.items():
        database.organization(slug)
        connection.execute("update organizations set created_at = %s where slug = %s", [moment, slug])
    model, picked = Model(created), random.Random(seed)
    for event in [*history, ("run", "", 11, 0)]:
        apply_event(database, work_on, model, event, picked)
    stored = {key: {name: row[name] for name in COLUMNS} for key, row in database.trends().items()}
    assert stored == model.stored
    provenance = connection.execute(
        "select slug, trend_date::date::text as date, messages, messages_with_tone as tones, alerts,"
        " messages_with_confidence as confidences from communication_trends_provenance as provenance"
        " join organizations on organizations.id = provenance.organization_id"
    ).fetchall()
    assert {(row.pop("slug"), row.pop("date")): row for row in provenance} == model.made


# Weeks and months


def test_weeks_and_months_are_made_from_the_rows_and_not_from_days(database, work_on):
    """Five messages a day make no hotspot on any day, but one over the week; means of days do not add up either."""
    rows = [
        {
            "topic": "complaint" if hour < 3 else "general",
            "channel": "C1",
            "confidence": 10 * day if hour else None,
            "sentiment": {"tone": "tense"},
            "at": datetime.datetime(2026, 11, day, hour),
            "count": 1 + day % 2,
        }
        for day in range(1, 12)
        for hour in range(5)
    ]
    for row in rows:
        database.classify("acme", **row)
    alerts = [
        {"severity": "high", "at": datetime.datetime(2026, 11, 8, 23, 59, 59, 999999)},
        {"severity": "high", "at": datetime.datetime(2026, 11, 9)},
    ]
    for alert in alerts:
        database.escalate("acme", **alert)
    kinds: list[Granularity] = [DAILY, WEEKLY, MONTHLY]
    for kind in kinds:
        period = kind.containing(datetime.date(2026, 11, 8))
        assert changes(work_on(period)) == {("acme", str(period)): "filled"}
        row = database.connection.execute(
            "select * from communication_trends where trend_period = %s", [kind.name]
        ).fetchone()
        assert row["trend_date"] == period.start
        assert {name: row[name] for name in COLUMNS} == trend_in_python(rows, alerts, period.start, period.end)
    assert database.connection.execute(
        "select trend_period, jsonb_array_length(channel_hotspots) as hot from communication_trends"
    ).fetchall() == [
        {"trend_period": "daily", "hot": 0},
        {"trend_period": "weekly", "hot": 1},
        {"trend_period": "monthly", "hot": 1},
    ]


def test_days_purged_within_a_week_are_named(database, work_on):
    for day in (2, 3, 4):
        database.classify("acme", at=f"2026-11-0{day} 10:00", count=3)
        database.classify("whole", at=f"2026-11-0{day} 10:00", count=3)
    since(database, "2026-11-02")
    wednesday = DAILY.containing(datetime.date(2026, 11, 4))
    work_on(wednesday, lookback_periods=wednesday.earlier(2))
    database.connection.execute(
        "delete from topic_classifications where created_at < '2026-11-03' and organization_id = %s",
        [database.organization("acme")],
    )
    # more than was purged, so that the sum alone shows nothing
    database.classify("acme", at="2026-11-06 10:00", count=5)
    week = WEEKLY.containing(datetime.date(2026, 11, 4))
    outcome = work_on(week)
    assert named(outcome) == {("acme", week): ["2026-11-02"]}
    assert {key[0]: one for key, one in changes(outcome).items()} == {"acme": "filled", "whole": "filled"}
    # the same again: its trend lacks them still
    assert named(work_on(week)) == {("acme", week): ["2026-11-02"]}
    # a week that lookback fills as well, but not a trend that was kept
    database.connection.execute(
        "delete from communication_trends where trend_period = 'weekly' and organization_id = %s",
        [database.organization("acme")],
    )
    database.connection.execute(
        "delete from topic_classifications where created_at < '2026-11-03' and organization_id = %s",
        [database.organization("whole")],
    )
    outcome = work_on(week.following(), lookback_periods=[week])
    assert named(outcome) == {("acme", week): ["2026-11-02"]}
    assert [outcome.name(one.organization) for one in outcome.of(TrendStatus.KEPT)] == ["whole"]
    outcome = work_on(week)
    assert named(outcome) == {("acme", week): ["2026-11-02"]}
    assert [outcome.name(one.organization) for one in outcome.of(TrendStatus.KEPT)] == ["whole"]


def named(outcome):
    """Return, of each trend that is said to be incomplete, the days that are named."""
    return {
        (outcome.name(id_), period): re.findall(r"\d{4}-\d{2}-\d{2}", reason)
        for (id_, period), reason in outcome.incomplete.items()
    }


# What source rows hold that cannot be meant


@pytest.mark.parametrize(
    ("column_type", "confidences", "found"),
    [
        ("numeric", ["0.87", "0.4"], "the confidences of its 2 messages are fractions of 1"),
        ("numeric", ["1", "0.25", "0"], "the confidences of its 3 messages are fractions of 1"),
        ("numeric", ["NaN", "80"], "1 of 2 confidences are outside of 0 to 100"),
        ("numeric", ["Infinity", "80"], "1 of 2 confidences are outside of 0 to 100"),
        ("numeric", ["-Infinity", "Infinity"], "2 of 2 confidences are outside of 0 to 100"),
        ("integer", ["300", "150", "40"], "2 of 3 confidences are outside of 0 to 100"),
        ("integer", ["-10", "-20"], "2 of 2 confidences are outside of 0 to 100"),
    ],
)
def test_an_average_that_is_no_percentage_is_refused_for_its_organization_alone(
    server, database, work_on, column_type, confidences, found
):
    if "nfinity" in "".join(confidences) and database.connection.info.server_version < 140000:
        pytest.skip("numeric has no infinity")
    database.connection.execute(f"alter table topic_classifications alter confidence type {column_type}")
    database.classify("beta", at="2026-11-08 10:00", confidence=80)
    work_on()
    for confidence in confidences:
        database.classify("acme", at="2026-11-08 10:00", confidence=confidence)
    outcome = work_on()
    assert changes(outcome) == {("acme", "2026-11-08"): "failed", ("beta", "2026-11-08"): "unchanged"}
    (failed,) = outcome.of(TrendStatus.FAILED)
    assert failed.reason.startswith(f"acme: {found}, and topic_classifications.confidence has to be a percentage")
    assert "round(confidence * 100)" in failed.reason
    assert not failed.retryable
    assert totals(database) == {("beta", "2026-11-08"): 1}


@pytest.mark.parametrize(
    ("confidences", "average", "doubted"), [(["87.5", "0.5"], 44, 1), (["0", "1"], 1, 0), (["100"], 100, 0)]
)
def test_percentages_with_decimals_and_small_ones_are_none(database, work_on, confidences, average, doubted):
    database.connection.execute("alter table topic_classifications alter confidence type numeric")
    for confidence in confidences:
        database.classify("acme", at="2026-11-08 10:00", confidence=confidence)
    outcome = work_on()
    assert changes(outcome) == {("acme", "2026-11-08"): "filled"}
    assert database.trend("acme", "2026-11-08")["avg_confidence"] == average
    doubts = "1 have a confidence between 0 and 1, which its average counts as less than one percent"
    assert list(outcome.doubtful.values()) == [doubts] * doubted


def test_rows_that_cannot_be_meant_so_are_counted_in_the_log(database, work_on):
    for sentiment in (' {"tone": "angry"}', '"{\\"tone\\": \\"tense\\"}"', "angry", {"tone": "neutral"}, None):
        database.classify("acme", at="2026-11-08 10:00", sentiment=sentiment)
    database.classify("acme", at="2026-11-08 10:00", confidence=101)
    outcome = work_on()
    (doubts,) = outcome.doubtful.values()
    assert doubts.startswith("1 have a confidence outside of 0 to 100, which its average counts unchanged; 2 have a ")
    assert "a text with JSON in it" in doubts
    trend = database.trend("acme", "2026-11-08")
    # five times 80, once 101: 83.5
    assert (trend["sentiment_distribution"], trend["avg_confidence"]) == ({"neutral": 1}, 84)


def test_what_an_earlier_attempt_of_the_run_has_stored_has_its_doubts_in_the_next_one(database, work_on):
    database.classify("acme", at="2026-11-08 10:00", confidence=101)
    database.classify("acme", at="2026-11-08 10:00", confidence=1)
    doubts = ["1 have a confidence outside of 0 to 100, which its average counts unchanged"]
    origin = Origin("communication_trends_daily", "manual__1")
    assert list(work_on(origin=origin).doubtful.values()) == doubts
    written = database.connection.execute("select xmin from communication_trends_provenance").fetchall()
    outcome = work_on(origin=origin)
    assert (changes(outcome), list(outcome.doubtful.values())) == ({("acme", "2026-11-08"): "unchanged"}, doubts)
    assert database.connection.execute("select xmin from communication_trends_provenance").fetchall() == written
    # of another run, which has written none of it, nothing is said
    assert work_on(origin=Origin("communication_trends_daily", "manual__2")).doubtful == {}
    # nor where what is left was not stored
    database.connection.execute("delete from topic_classifications where confidence = 1")
    outcome = work_on(origin=origin)
    assert (changes(outcome), outcome.doubtful) == ({("acme", "2026-11-08"): "kept"}, {})


# What another writer has stored


def stored_as(database, column: str, value: str) -> None:
    database.connection.execute("truncate communication_trends_provenance")
    database.connection.execute(f"update communication_trends set {column} = %s::jsonb", [value])


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("escalation_counts", '{"high": "3"}', "alerts 3 → 2"),
        ("escalation_counts", '{"high": "2", "low": 1}', "alerts 3 → 2"),
        ("escalation_counts", r'"{\"high\": 3}"', "alerts 3 → 2"),
        ("escalation_counts", r'"{\"high\":\"2\",\n \"low\": 1.0 }"', "alerts 3 → 2"),
        ("sentiment_distribution", '{"tense": "30", "angry": 5}', "messages with a tone 35 → 2"),
        ("sentiment_distribution", r'"{\"tense\": \"30\"}"', "messages with a tone 30 → 2"),
    ],
)
def test_numbers_that_another_writer_has_stored_as_text_count(database, work_on, column, value, said):
    database.classify("acme", at="2026-11-08 10:00", count=2, sentiment={"tone": "tense"})
    database.escalate("acme", "high", at="2026-11-08 10:00", count=2)
    work_on()
    stored_as(database, column, value)
    (result,) = work_on().results
    assert (result.status, said in result.reason) == ("kept", True), result.reason
    assert database.trend("acme", "2026-11-08")[column] == json.loads(value)


@pytest.mark.parametrize("column", COLUMNS[:4])
@pytest.mark.parametrize(
    "value",
    [
        *('"x"', '""', "null", "7", "[7]", "[[]]", "true", '"[{"', r'"{\"a\": \"x\"}"', '{"a": {"b": [1]}}'),
        *(f'[{{"channelId": {rest}}}]' for rest in ("1", '"C1", "messageCount": "many"', '"C1", "messageCount": 1e30')),
    ],
)
def test_odd_json_that_another_writer_has_stored_is_replaced(database, work_on, column, value):
    database.classify("acme", at="2026-11-08 10:00", count=20, topic="complaint", sentiment={"tone": "tense"})
    database.escalate("acme", "high", at="2026-11-08 10:00", count=20)
    work_on()
    right = database.trend("acme", "2026-11-08")
    stored_as(database, column, value)
    assert changes(work_on()) == {("acme", "2026-11-08"): "corrected"}
    assert database.trend("acme", "2026-11-08") == right
    # and as the memory of other days
    stored_as(database, column, value)
    assert work_on(period=DAILY.containing(datetime.date(2026, 11, 10)), lookback_periods=[NOV_8]).ended_by is None


def test_what_is_too_long_for_one_statement_is_stored_in_several(database, work_on, monkeypatch):
    monkeypatch.setattr("communication_trends.core.statements.MAX_JSON_LENGTH", 2_000)
    for number, day in itertools.product(range(9), (7, 8)):
        length = 3_000 if number == 4 else 200
        database.classify(f"org-{number}", at=f"2026-11-0{day} 10:00", topic=str(number) * length)
    since(database, "2026-11-07")
    assert set(changes(work_on(lookback_periods=NOV_8.earlier(1))).values()) == {"filled"}
    assert len(totals(database)) == 18
    assert set(changes(work_on(lookback_periods=NOV_8.earlier(1))).values()) == {"unchanged"}


# Two writers at once, that read the source before they open the target


@pytest.mark.parametrize("is_ahead", [False, True], ids=["another run's", "the clock's"])
def test_an_older_snapshot_overwrites_no_newer_one(server, database, work_on, is_ahead):
    """Between its reading and its writing, another run stores as many messages, of another topic."""
    database.classify("acme", topic="old", at="2026-11-08 10:00")

    def open_target():
        if not is_ahead and not database.trends():
            database.connection.execute("update topic_classifications set topic = 'new'")
            work_on()
        return nullcontext(opened(server.connect(database.name)))

    if is_ahead:
        work_on()
        database.connection.execute("update topic_classifications set topic = 'new'")
        database.connection.execute(
            "update communication_trends_provenance set computed_at = now() + interval '1 hour'"
        )
    with server.connect(database.name) as connection:
        work = Work(list(database.organizations.values()), NOV_8)
        outcome = Aggregation(work, source=opened(connection), open_target=open_target).run()
    assert changes(outcome) == {("acme", "2026-11-08"): "corrected" if is_ahead else "unchanged"}
    assert database.trend("acme", "2026-11-08")["topic_distribution"] == {"new": 1}


# Since when an organization exists


@pytest.fixture
def a_reinstalled_tenant(database, work_on):
    """Three days stored, two missed, then created_at is reset, as by an application that is installed again."""
    for day in range(1, 9):
        database.classify("acme", at=f"2026-11-0{day} 10:00", count=day)
    since(database, "2026-10-01")
    for day in (1, 2, 3):
        work_on(DAILY.containing(datetime.date(2026, 11, day)))
    database.connection.execute("delete from topic_classifications where created_at::date = '2026-11-05'")
    since(database, "2026-11-08 12:00")


def test_a_tenant_whose_created_at_was_reset_has_existed_all_the_while(database, work_on, a_reinstalled_tenant):
    work_on(lookback_periods=NOV_8.earlier(9))
    found = {date: number for (_, date), number in totals(database).items()}
    # the 5th had no messages; before the first of November there is neither a row nor a trend
    assert found == {f"2026-11-0{day}": 0 if day == 5 else day for day in range(1, 9)}


def test_its_purged_days_count_as_kept_and_its_missed_ones_stay_missing(database, work_on, a_reinstalled_tenant):
    database.connection.execute("delete from topic_classifications where created_at < '2026-11-06'")
    outcome = work_on(lookback_periods=NOV_8.earlier(9))
    assert {date: status for (_, date), status in changes(outcome).items()} == {
        "2026-11-08": "filled",
        "2026-11-07": "filled",
        "2026-11-06": "filled",
        "2026-11-05": "not in source",
        "2026-11-04": "not in source",
        "2026-11-03": "kept",
        "2026-11-02": "kept",
        "2026-11-01": "kept",
    }


def test_an_empty_trend_of_before_says_nothing_of_when_a_tenant_began(database, work_on):
    """A user runs a day from before a tenant existed; the days since are no gaps."""
    database.organization("acme")
    since(database, "2026-11-08 12:00")
    work_on(DAILY.containing(datetime.date(2026, 11, 2)))
    assert totals(database) == {("acme", "2026-11-02"): 0}
    outcome = work_on(lookback_periods=NOV_8.earlier(5))
    assert changes(outcome) == {("acme", "2026-11-08"): "filled"}
