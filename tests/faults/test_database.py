"""Faults of the database: locks, timeouts, lost sessions, full disks, privileges, policies, replicas."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from conftest import NOV_1, Database, grant_all, made_database
from waiting import in_background, wait_until

from local import ROOT
from local.servers import apply_schema

AGGREGATION_WAITS = (
    "datname = current_database() and wait_event_type = 'Lock' and now() - query_start > interval '1 second'"
)
"""Of ``pg_stat_activity``: an aggregation waits for a lock; the check before it gives up after half a second."""


def sessions(database) -> list[dict[str, object]]:
    """Return the sessions on the database but for the test's own."""
    return database.connection.execute(
        "select pid, state, wait_event_type from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    ).fetchall()


# Least privilege


def test_the_role_of_grants_sql_can_run_everything(database, run_dag, role):
    grant_all(database, role)
    database.classify("acme", topic="complaint", count=12)
    database.escalate("acme", "high")
    for conf in (NOV_1, {**NOV_1, "force": True}, {**NOV_1, "organizations_per_task": 5}):
        run = run_dag(conf)
        assert run.state == "success"
    assert database.trend("acme")["channel_hotspots"] == [{"channelId": "C1", "riskScore": 100, "messageCount": 12}]


def test_the_role_of_grants_sql_can_do_nothing_else(server, database, role):
    grant_all(database, role)
    database.classify("acme")
    with psycopg.connect(server.dsn(database.name), user=role, password="a-password", autocommit=True) as session:
        for statement in [
            "insert into organizations (name, slug) values ('x', 'x')",
            "update topic_classifications set topic = 'x'",
            "delete from escalation_alerts",
            "delete from communication_trends",
            "truncate communication_trends",
            "drop table communication_trends",
            "create table other (id integer)",
        ]:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement)


# Row-level security


@pytest.mark.parametrize("table", ["organizations", "topic_classifications", "escalation_alerts"])
def test_a_policy_that_hides_rows_is_an_error_and_no_zeros(database, run_dag, role, table):
    grant_all(database, role)
    database.classify("acme")
    database.connection.execute(f"alter table {table} enable row level security")
    database.connection.execute(f"create policy hidden on {table} for select using (false)")
    run = run_dag(NOV_1, retries=3)
    assert run.tasks["list_organizations", -1] == "failed"
    assert f"{table}: row-level security hides rows from {role}" in run.log
    assert database.trends() == {}

    # a role that policies do not apply to sees everything
    database.connection.execute(f"alter role {role} bypassrls")
    assert run_dag(NOV_1).state == "success"
    assert database.trend("acme")["total_classifications"] == 1


def test_a_policy_that_appears_during_the_run_is_an_error_too(database, run_dag, role):
    grant_all(database, role)
    database.classify("acme")
    database.classify("beta")
    database.connection.execute("create policy hidden on topic_classifications for select using (false)")
    # after the first trend is written, the table has its policy
    database.connection.execute(
        "create function hide() returns trigger language plpgsql security definer as $$ begin"
        " alter table topic_classifications enable row level security; return null; end $$"
    )
    database.connection.execute(
        "create constraint trigger hide after insert on communication_trends deferrable initially deferred"
        " for each row execute function hide()"
    )
    run = run_dag(NOV_1, retries=3)
    assert run.state == "failed"
    assert "row-level security" in run.log
    assert len(database.trends()) == 1
    assert {run.tasks["aggregate_organization", index] for index in range(2)} == {"success", "failed"}


# Locks, timeouts and other runs


def test_a_held_lock_ends_with_a_clear_error_and_the_next_attempt_succeeds(server, database, run_dag, monkeypatch):
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__LOCK_TIMEOUT", "0.3")
    database.classify("acme")
    with server.connect(database.name) as other, other.transaction():
        other.execute("lock table communication_trends in share mode")
        run = run_dag(NOV_1)
        assert run.state == "failed"
        assert "canceling statement due to lock timeout [SQLSTATE 55P03] (setting lock_timeout)" in run.log
        wait_until(lambda: len(sessions(database)) == 1)
    assert run_dag(NOV_1).state == "success"


def test_a_long_statement_ends_with_a_clear_error_and_leaves_no_session(database, run_dag, monkeypatch):
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__STATEMENT_TIMEOUT", "0.5")
    database.classify("acme")
    database.on_write("perform pg_sleep(60);")
    run = run_dag(NOV_1)
    assert run.state == "failed"
    assert "canceling statement due to statement timeout [SQLSTATE 57014] (setting statement_timeout)" in run.log
    wait_until(lambda: not sessions(database))
    database.connection.execute("drop trigger interfere on communication_trends")
    assert run_dag(NOV_1).state == "success"


def test_a_terminated_session_fails_the_attempt_and_leaves_the_stored_row(server, database, run_dag):
    database.classify("acme")
    run_dag(NOV_1)
    stored = database.trend("acme")
    database.classify("acme")

    def terminate_what_waits() -> None:
        with server.connect(database.name) as watcher:
            wait_until(
                lambda: watcher.execute(
                    f"select pg_terminate_backend(pid) from pg_stat_activity where {AGGREGATION_WAITS}"
                ).fetchall()
            )

    with server.connect(database.name) as other, other.transaction():
        other.execute("select from communication_trends for update")
        with in_background(terminate_what_waits):
            run = run_dag(NOV_1)
    assert run.state == "failed"
    assert "terminating connection due to administrator command" in run.log
    assert database.trend("acme") == stored
    wait_until(lambda: not sessions(database))
    assert run_dag(NOV_1).state == "success"
    assert database.trend("acme")["total_classifications"] == 2


def test_a_row_that_another_run_updates_at_the_same_time_is_computed_again(server, database, run_dag):
    database.classify("acme")
    run_dag(NOV_1)
    other = server.connect(database.name)
    with other.transaction():
        other.execute("update communication_trends set avg_confidence = 1")

    def commit_when_it_waits() -> None:
        with server.connect(database.name) as watcher:
            waiting = f"select from pg_stat_activity where {AGGREGATION_WAITS}"
            wait_until(lambda: watcher.execute(waiting).fetchall())
        other.execute("commit")

    other.execute("begin")
    other.execute("update communication_trends set avg_confidence = 2")
    with in_background(commit_when_it_waits):
        run = run_dag(NOV_1)
    other.close()
    assert run.state == "success"
    assert "Another run stored the same trends at the same time; trying again." in run.log
    assert database.trend("acme")["avg_confidence"] == 80


def test_two_runs_for_the_same_day_at_once_store_what_one_would(database, run_dag):
    for number in range(8):
        database.classify(f"org-{number}", count=number)
        database.organization(f"org-{number}")
    conf = {**NOV_1, "organizations_per_task": 4}
    other = subprocess.Popen(
        [sys.executable, "-c", f"from airflow_dag import run_once; print(run_once({conf}).state)"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)])},
    )
    runs = []
    while other.poll() is None:
        runs.append(run_dag(conf))
    log = other.communicate()[0]
    assert log.split()[-1] == "success", log
    assert {run.state for run in runs} == {"success"}
    assert not [text for text in (log, *(run.log for run in runs)) if "deadlock" in text]
    once = database.trends()
    assert {slug: row["total_classifications"] for (slug, _), row in once.items()} == {
        f"org-{number}": number for number in range(8)
    }
    run_dag(NOV_1)
    assert database.trends() == once


# Resources


def test_a_server_without_room_for_a_connection_is_tried_again(database, run_dag, role):
    grant_all(database, role)
    database.classify("acme")
    database.connection.execute(f"alter role {role} connection limit 0")
    run = run_dag(NOV_1)
    assert run.state == "failed"
    assert "too many connections for role" in run.log
    assert database.trends() == {}
    # not 1: the server may count a connection that the task instance before has closed a little longer
    database.connection.execute(f"alter role {role} connection limit -1")
    assert run_dag(NOV_1).state == "success"


def test_a_full_disk_fails_the_attempt_and_leaves_the_stored_row(database, run_dag, role):
    grant_all(database, role)
    database.classify("acme", topic="small")
    assert run_dag(NOV_1).state == "success"
    stored = database.trend("acme")
    database.connection.execute(
        "insert into topic_classifications (organization_id, topic, channel_id, created_at)"
        " select %s, md5(n::text), md5(n::text), '2026-11-01 12:00' from generate_series(1, 20000) as n",
        [database.organization("acme")],
    )
    database.connection.execute(f"alter role {role} set temp_file_limit = '64kB'")
    database.connection.execute(f"alter role {role} set work_mem = '64kB'")
    run = run_dag(NOV_1)
    assert run.state == "failed"
    assert 'temporary file size exceeds "temp_file_limit"' in run.log
    assert database.trend("acme") == stored
    database.connection.execute(f"alter role {role} reset temp_file_limit")
    assert run_dag(NOV_1).state == "success"
    assert database.trend("acme")["total_classifications"] == 20_001


def test_a_database_that_becomes_read_only_during_the_run_stores_nothing(database, run_dag, role):
    grant_all(database, role)
    database.classify("acme")
    refuse = "raise read_only_sql_transaction using message = 'cannot execute INSERT in a read-only transaction';"
    # not what the check before the run tries to store
    database.on_write(f"if new.total_classifications = 1 then {refuse} end if;")
    run = run_dag(NOV_1)
    assert run.state == "failed"
    assert "read-only transaction" in run.log
    assert run.summary["organizationsProcessed"] == 0
    assert database.trends() == {}


# Reading from somewhere else


def test_a_read_only_role_on_the_source_is_enough(server, database, run_dag, role, monkeypatch):
    """Everything that is read there is read in transactions that PostgreSQL itself keeps from writing."""
    connection = database.connection
    connection.execute(f"grant select on organizations, topic_classifications, escalation_alerts to {role}")
    connection.execute(f"alter role {role} set default_transaction_read_only = on")
    monkeypatch.setenv("AIRFLOW_CONN_READER", os.environ["AIRFLOW_CONN_COMMUNICATION_TRENDS_DB"])
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", server.airflow_connection(database.name))
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__SOURCE_CONN_ID", "reader")
    database.classify("acme", count=2)
    assert run_dag(NOV_1).state == "success"
    assert database.trend("acme")["total_classifications"] == 2


@pytest.fixture
def other_source(server, database, monkeypatch) -> Iterator[Database]:
    """A database of its own to read from, which begins with the organizations of the target."""
    with made_database(server) as source:
        monkeypatch.setenv("AIRFLOW_CONN_OTHER_SOURCE", server.airflow_connection(source.name))
        monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__SOURCE_CONN_ID", "other_source")
        source.organizations = database.organizations
        yield source


def add_organizations(database, *slugs: str) -> None:
    for slug in slugs:
        database.connection.execute(
            "insert into organizations (id, name, slug) values (%s, %s, %s)",
            [uuid.uuid5(uuid.NAMESPACE_DNS, slug), slug, slug],
        )
        database.organizations[slug] = str(uuid.uuid5(uuid.NAMESPACE_DNS, slug))


def test_organizations_that_the_source_lacks_since_the_period_before_fail_the_run_by_name(
    database, other_source, run_dag
):
    add_organizations(database, "acme", "beta", "gamma")
    add_organizations(other_source, "acme", "beta", "gamma")
    assert run_dag({**NOV_1, "organizations": ["acme", "beta"]}).state == "success"
    other_source.connection.execute("delete from organizations where slug in ('beta', 'gamma')")
    run = run_dag({"date": "2026-11-02"})
    assert run.state == "failed"
    # gamma had no trend the day before
    assert run.summary["failedOrganizations"] == ["beta"]
    assert "The source does not have these organizations" in run.log
    # the others are stored
    assert ("acme", "2026-11-02") in database.trends()
    # restricted to others, it is not about beta; and one that was deleted on purpose is named once
    assert run_dag({"date": "2026-11-02", "organizations": ["acme"]}).state == "success"
    assert run_dag({"date": "2026-11-03"}).state == "success"
    # nor once more by a later run of the days when it was there
    assert run_dag({"date": "2026-11-04"}).state == "success"
    assert run_dag({"date": "2026-11-02"}).state == "success"
    # an empty source is no run without organizations, whatever its period
    other_source.connection.execute("delete from organizations")
    run = run_dag({"date": "2026-11-05"})
    assert (run.state, run.summary["failedOrganizations"]) == ("failed", ["acme"])
    run = run_dag({"date": "2026-11-02"})
    assert (run.state, run.summary["failedOrganizations"]) == ("failed", ["acme"])


def test_an_organization_that_the_source_has_lost_since_it_was_listed_has_no_trend_of_this_run(
    database, other_source, run_dag
):
    """The target has one of an earlier run."""
    add_organizations(database, "acme", "beta")
    add_organizations(other_source, "acme", "beta")
    assert run_dag(NOV_1).summary["trendsCreated"] == 2
    # who lists beta finds it; who aggregates or looks for it again does not
    other_source.connection.execute(
        "alter table organizations rename to all_organizations;"
        " create view organizations as select * from all_organizations"
        " where slug <> 'beta' or current_query() !~ 'in one pass over|of some ids, that there is'"
    )
    run = run_dag(NOV_1)
    assert run.state == "failed"
    assert (run.summary["failedOrganizations"], run.summary["trendsCreated"]) == (["beta"], 1)
    assert "of which the target has trends of this day or the one before: beta." in run.log
    assert run_dag({**NOV_1, "organizations": ["acme", "beta"]}).state == "failed"


def lose_beta(source, condition: str) -> None:
    """Let the source show beta where organizations are listed; on a condition to other statements as well."""
    source.connection.execute(
        "create function is_shown(slug text) returns boolean language plpgsql as $$ begin"
        " if slug <> 'beta' or current_query() !~ 'in one pass over|of some ids, that there is' then return true;"
        f" end if; {condition} end $$"
    )
    source.connection.execute(
        "alter table organizations rename to all_organizations;"
        " create view organizations as select * from all_organizations where is_shown(slug)"
    )


@pytest.mark.parametrize("is_still_there", [False, True])
def test_an_organization_that_only_the_source_has_deleted_since_it_was_listed_is_nobodys_failure(
    database, other_source, run_dag, is_still_there
):
    """The target has no trend of it; but for one that the source had not shown by mistake."""
    for one in (database, other_source):
        add_organizations(one, "acme", "beta")
        one.connection.execute("update organizations set created_at = '2026-01-01'")
    shown = "return current_query() ~ 'of some ids';" if is_still_there else "return false;"
    lose_beta(other_source, shown)
    run = run_dag({**NOV_1, "lookback": 1})
    assert sorted(database.trends()) == [("acme", "2026-10-31"), ("acme", "2026-11-01")]
    assert (run.state, run.summary["failedOrganizations"]) == (
        ("failed", ["beta"]) if is_still_there else ("success", [])
    )
    assert (run.summary["trendsCreated"], run.summary["lookback"]["failed"]) == (1, 0)


def test_an_organization_that_is_deleted_after_its_own_period_was_stored_has_its_trend_of_this_run(
    database, other_source, run_dag
):
    for one in (database, other_source):
        add_organizations(one, "acme", "beta")
        one.connection.execute("update organizations set created_at = '2026-01-01'")
    # the first of the statements that aggregate on a connection still sees it
    lose_beta(
        other_source,
        "if current_query() ~ 'of some ids' then return false; end if;"
        " if current_setting('own.aggregated', true) = 'yes' then return false; end if;"
        " perform set_config('own.aggregated', 'yes', false); return true;",
    )
    run = run_dag({**NOV_1, "lookback": 1, "organizations_per_task": 2})
    assert sorted(database.trends()) == [("acme", "2026-10-31"), ("acme", "2026-11-01"), ("beta", "2026-11-01")]
    assert run.state == "success"
    assert (run.summary["trendsCreated"], run.summary["lookback"]) == (
        2,
        {"periods": 1, "filled": 1, "corrected": 0, "kept": 0, "failed": 0},
    )


@pytest.mark.parametrize(
    ("in_target", "in_source"),
    [("2026-10-31 12:00", "2026-11-20"), ("2026-11-20", "2026-10-31 12:00"), ("infinity", "2026-10-31 12:00")],
)
def test_an_organization_exists_since_the_first_of_two_databases_has_it(
    database, other_source, run_dag, in_target, in_source
):
    for one, at in ((database, in_target), (other_source, in_source)):
        add_organizations(one, "idle", "acme")
        one.connection.execute("update organizations set created_at = '2026-01-01'")
        one.connection.execute("update organizations set created_at = %s where slug = 'idle'", [at])
    run = run_dag({"date": "2026-11-02", "lookback": 3})
    assert sorted(date for slug, date in database.trends() if slug == "idle") == [
        "2026-10-31",
        "2026-11-01",
        "2026-11-02",
    ]
    assert (run.state, run.summary["lookback"]["failed"], run.summary["missingTrends"]["total"]) == ("success", 0, 0)


def test_an_idle_session_timeout_of_the_target_ends_no_run_with_a_slow_source(
    database, other_source, run_dag, monkeypatch
):
    add_organizations(database, "acme")
    add_organizations(other_source, "acme")
    other_source.classify("acme", count=2)
    other_source.connection.execute("alter table topic_classifications rename to classifications")
    other_source.connection.execute(
        "create view topic_classifications as select c.* from classifications as c"
        " cross join (select pg_sleep(3) offset 0) as dozing"
    )
    database.connection.execute(f"alter database {database.name} set idle_session_timeout = '1s'")
    run = run_dag(NOV_1)
    assert run.state == "success"
    assert database.trend("acme")["total_classifications"] == 2


def test_the_schema_of_the_demo_is_no_precondition(server, run_dag, monkeypatch, database):
    """Tables in another schema, found by the connection's search_path."""
    connection = database.connection
    connection.execute("create schema app; drop table communication_trends_provenance, communication_trends")
    connection.execute("drop table topic_classifications, escalation_alerts")
    connection.execute("drop table organizations; set search_path to app")
    apply_schema(connection, "source_tables.sql", "communication_trends.sql")
    extra = {"options": "-c search_path=app"}
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", server.airflow_connection(database.name, extra=extra))
    database.classify("acme")
    assert run_dag(NOV_1).state == "success"
    assert database.trend("acme")["total_classifications"] == 1


# What a role or database has set


def test_a_deferred_trigger_that_changes_the_row_is_noticed(database, run_dag):
    database.classify("acme", count=12)
    database.classify("beta", count=12)
    change = "update communication_trends set total_classifications = 11 where id = new.id"
    database.on_write(f"{change} and total_classifications = 12;", slug="acme", when="after insert", is_deferred=True)
    run = run_dag(NOV_1)
    assert run.state == "failed"
    assert "acme: the trend does not add up and was not stored: total_classifications is different" in run.log
    assert {slug for slug, _ in database.trends()} == {"beta"}


def test_a_transaction_timeout_of_the_role_ends_no_batch(database, run_dag, role):
    if database.connection.info.server_version < 170000:
        pytest.skip("PostgreSQL 17 has it first")
    grant_all(database, role)
    database.classify("acme")
    database.classify("beta")
    database.on_write("perform pg_sleep(1);")
    database.connection.execute(f"alter role {role} set transaction_timeout = '500ms'")
    run = run_dag({**NOV_1, "organizations_per_task": 2})
    assert run.state == "success"
    assert len(database.trends()) == 2


def test_backslashes_mean_themselves_whatever_the_role_has(database, run_dag, role):
    connection = database.connection
    connection.execute(
        "drop table communication_trends;"
        "create table communication_trends (id uuid not null default gen_random_uuid(), organization_id uuid not null,"
        " trend_date timestamp not null, trend_period text not null, topic_distribution jsonb,"
        " sentiment_distribution jsonb, escalation_counts jsonb, channel_hotspots jsonb, total_classifications integer,"
        " avg_confidence integer, created_at timestamp default now()) partition by range (trend_date);"
        "create table november partition of communication_trends for values from ('2026-11-01') to ('2026-12-01');"
        "create unique index i on communication_trends (organization_id, trend_date, trend_period)"
    )
    grant_all(database, role)
    database.classify("acme", topic='a\\"b', sentiment={"tone": "tense"})
    connection.execute(f"alter role {role} set standard_conforming_strings = off")
    run = run_dag(NOV_1)
    assert run.state == "success", run.log
    assert database.trend("acme")["topic_distribution"] == {'a\\"b': 1}
