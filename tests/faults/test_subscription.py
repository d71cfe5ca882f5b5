"""Reading rows that come by logical replication from a real publisher: how far the subscription is."""

from __future__ import annotations

import datetime
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from conftest import NOV_1
from conftest import Database as Filled
from psycopg.rows import dict_row
from second_server import later, now, opened, second_server
from waiting import wait_until as wait_for_long

from communication_trends.core.database import SOURCE_TABLES
from communication_trends.core.database_errors import is_lost
from communication_trends.core.errors import DatabaseUnavailableError
from local.servers import SERVER_VARIABLE, Server, apply_schema

pytestmark = pytest.mark.skipif(SERVER_VARIABLE in os.environ, reason="needs the embedded server's own files")


def wait_until(condition) -> None:
    wait_for_long(condition, seconds=60)


@pytest.fixture
def publisher(database) -> Iterator[Server]:
    """A second server, which publishes: the application's."""
    empty = ("initdb", "-U", "postgres", "--auth", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync")
    with second_server(database, *empty, options="-c wal_level=logical") as publisher:
        yield publisher


@pytest.fixture
def application(publisher) -> Iterator[Filled]:
    """The application's database, whose source tables are published."""
    publisher.create_database("application")
    with publisher.connect("application", row_factory=dict_row) as connection:
        apply_schema(connection, "source_tables.sql", "communication_trends.sql")
        connection.execute(f"create publication everything for table {', '.join(SOURCE_TABLES)}")
        yield Filled("application", connection)


@contextmanager
def subscribed(database, publisher, options: str = "", publication: str = "everything") -> Iterator[str]:
    """Have the test's database subscribe, under a name of its own, since a slot has one for the whole server."""
    name = f"sub_{uuid.uuid4().hex[:8]}"
    database.connection.execute(
        f"create subscription {name} connection '{publisher.dsn('application')}' publication {publication} {options}"
    )
    try:
        yield name
    finally:
        database.connection.execute(f"alter subscription {name} disable")
        database.connection.execute(f"alter subscription {name} set (slot_name = none)")
        database.connection.execute(f"drop subscription {name}")


@contextmanager
def locked(server, database, table: str = "topic_classifications") -> Iterator[None]:
    """Keep a subscription from applying anything to a table."""
    with server.connect(database.name) as other, other.transaction():
        other.execute(f"lock table {table} in share mode")
        yield


def count(database) -> int:
    return database.connection.execute("select count(*) as n from topic_classifications").fetchone()["n"]


def waited_for(source, target, until: datetime.datetime | None = None) -> list[str]:
    """Wait for as long as a busy machine takes."""
    wait_until(lambda: not _is_behind(source, target, until or later()))
    return source.replication.wait_for_replica(until or later(), target)


def _is_behind(source, target, until: datetime.datetime) -> bool:
    try:
        source.replication.wait_for_replica(until, target)
    except DatabaseUnavailableError:
        return True
    return False


def is_at_a_lock(database) -> bool:
    return bool(
        database.connection.execute(
            "select from pg_locks where relation = 'topic_classifications'::regclass and not granted"
        ).fetchall()
    )


@pytest.mark.parametrize("where", ["the target is the publisher", "the target is the source"])
def test_a_subscription_that_is_behind_is_waited_for(server, database, publisher, application, where):
    application.classify("acme", count=3)
    with (
        subscribed(database, publisher) as name,
        opened(server, database.name) as source,
        opened(publisher, "application") as published,
    ):
        target = published if where == "the target is the publisher" else source
        assert waited_for(source, target) == []
        assert count(database) == 3
        with locked(server, database):
            application.classify("acme", count=2)
            wait_until(lambda: is_at_a_lock(database))
            with pytest.raises(DatabaseUnavailableError) as raised:
                source.replication.wait_for_replica(later(), target)
        message = str(raised.value)
        assert f"connection 'a': the subscription {name}, which fills the source tables, has applied" in message
        assert "If it does not catch up, look for a lock on the tables or an error in the server's log" in message
        if target is published:
            missing = int(message.split("; ")[1].split(" bytes")[0])
            assert 100 < missing < 100_000
        assert is_lost(raised.value)
        assert waited_for(source, target) == []
        assert count(database) == 5


def test_everything_that_the_publisher_has_is_there_once_the_wait_is_over(server, database, publisher, application):
    with (
        subscribed(database, publisher),
        opened(server, database.name) as source,
        opened(publisher, "application") as target,
    ):
        waited_for(source, target)
        for batch in range(1, 6):
            application.connection.execute(
                "insert into organizations (name, slug) select n, n from (select 'n' || %s || '-' || g as n"
                " from generate_series(1, 5000) as g) as names",
                [batch],
            )
            waited_for(source, target)
            found = database.connection.execute("select count(*) as n from organizations").fetchone()
            assert found == {"n": 5000 * batch}


def test_a_disabled_subscription_is_named_with_its_remedy(server, database, publisher, application):
    application.classify("acme")
    with subscribed(database, publisher) as name, opened(server, database.name) as source:
        waited_for(source, source)
        database.connection.execute(f"alter subscription {name} disable")
        application.classify("acme")
        for until in (now() - datetime.timedelta(days=1), later()):
            with pytest.raises(DatabaseUnavailableError) as raised:
                source.replication.wait_for_replica(until, source)
            assert (
                f"the subscription {name}, which fills the source tables, is disabled, so rows may be missing: "
                f"alter subscription {name} enable, or drop it if nothing comes by it any more" in str(raised.value)
            )
        database.connection.execute(f"alter subscription {name} enable")
        assert waited_for(source, source) == []
        wait_until(lambda: count(database) == 2)


def test_a_first_copy_that_has_not_ended_is_waited_for(server, database, publisher, application):
    application.classify("acme", count=4)
    with (
        subscribed(database, publisher, "with (enabled = false)") as name,
        opened(server, database.name) as source,
    ):
        with locked(server, database):
            database.connection.execute(f"alter subscription {name} enable")
            wait_until(lambda: is_at_a_lock(database))
            with pytest.raises(DatabaseUnavailableError) as raised:
                source.replication.wait_for_replica(later(), source)
        assert "has not copied all rows of topic_classifications yet" in str(raised.value)
        assert waited_for(source, source) == []
        assert count(database) == 4


def test_a_subscription_that_cannot_apply_a_row_is_named(server, database, publisher, application):
    application.organization("acme")
    with subscribed(database, publisher) as name, opened(server, database.name) as source:
        waited_for(source, source)
        worker = f"select pid from pg_stat_subscription where subname = '{name}'"
        # the same slug is there already
        database.connection.execute("insert into organizations (name, slug) values ('beta', 'beta')")
        application.organization("beta")
        wait_until(lambda: database.connection.execute(worker).fetchone()["pid"] is None)
        # its worker is started every few seconds, and gets a sign of life before the row that it fails at
        for _ in range(20):
            with pytest.raises(DatabaseUnavailableError, match=r"has applied|has no worker running"):
                source.replication.wait_for_replica(later(), source)
        database.connection.execute("delete from organizations where slug = 'beta'")
        assert waited_for(source, source) == []


@pytest.mark.parametrize("kind", ["views", "partitions"])
def test_the_tables_under_a_view_and_partitions_count(server, database, publisher, application, kind):
    connection = database.connection
    if kind == "views":
        # what is published is the table, what the package reads is a view of a view of it
        connection.execute("create schema app")
        connection.execute("alter table topic_classifications set schema app")
        connection.execute("create view middle as select * from app.topic_classifications")
        connection.execute("create view topic_classifications as select * from middle")
        connection.execute("set search_path to public, app")
        options = {"options": "-c search_path=public"}
        application.connection.execute("create schema app; alter table topic_classifications set schema app")
    else:
        partitioned = (
            "alter table topic_classifications rename to earlier;"
            "create table topic_classifications (like earlier including defaults) partition by range (created_at);"
            "create table of_2026 partition of topic_classifications for values from ('2026-01-01') to ('2027-01-01');"
            "drop table earlier cascade;"
        )
        connection.execute(partitioned)
        application.connection.execute(partitioned)
        application.connection.execute("create publication leaves for table of_2026")
        options = {}
    publication = "leaves" if kind == "partitions" else "everything"
    with (
        subscribed(database, publisher, publication=publication) as name,
        opened(server, database.name, **options) as source,
    ):
        assert waited_for(source, source) == []
        connection.execute(f"alter subscription {name} disable")
        with pytest.raises(DatabaseUnavailableError, match=f"the subscription {name}, .* is disabled"):
            source.replication.wait_for_replica(later(), source)


def test_a_subscription_of_other_tables_is_not_waited_for(server, database, publisher, application):
    for one in (database, application):
        one.connection.execute("create table settings (id integer primary key)")
    application.connection.execute("create publication other for table settings")
    with subscribed(database, publisher, publication="other") as name, opened(server, database.name) as source:
        database.connection.execute(f"alter subscription {name} disable")
        assert source.replication.wait_for_replica(later(), source) == []
        # nor that of another database of the server
        with opened(server, "postgres") as elsewhere:
            assert elsewhere.replication.wait_for_replica(later(), elsewhere) == []


def test_any_role_may_ask_a_subscription(server, database, publisher, application):
    role = f"asking_{uuid.uuid4().hex[:8]}"
    for one in (database, application):
        one.connection.execute(f"create role {role} login")
    try:
        with (
            subscribed(database, publisher) as name,
            opened(server, database.name, user=role) as source,
            opened(publisher, "application", user=role) as target,
        ):
            assert waited_for(source, source) == []
            assert waited_for(source, target) == []
            database.connection.execute(f"alter subscription {name} disable")
            with pytest.raises(DatabaseUnavailableError, match="is disabled"):
                source.replication.wait_for_replica(later(), target)
    finally:
        database.connection.execute(f"drop role {role}")


def test_a_run_waits_for_a_subscription_and_then_stores_the_right_numbers(
    server, database, publisher, application, run_dag
):
    """Messages arrive in the database of the trends itself, so that there is one connection."""
    application.classify("acme", count=2)
    with subscribed(database, publisher) as name:
        wait_until(lambda: count(database) == 2)
        database.connection.execute(f"alter subscription {name} disable")
        application.classify("acme", topic="complaint", count=3)
        run = run_dag(NOV_1)
        assert run.state == "failed"
        assert f"the subscription {name}, which fills the source tables, is disabled" in run.log
        assert database.trends() == {}
        database.connection.execute(f"alter subscription {name} enable")
        wait_until(lambda: count(database) == 5)
        assert run_dag(NOV_1).state == "success"
        assert database.trend("acme")["topic_distribution"] == {"general": 2, "complaint": 3}


def test_a_run_with_a_subscriber_as_its_source_waits_for_the_publisher(
    server, database, publisher, application, run_dag, monkeypatch
):
    """Trends are stored where the application writes, messages are read from the subscriber."""
    monkeypatch.setenv("AIRFLOW_CONN_SUBSCRIBER", server.airflow_connection(database.name))
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", publisher.airflow_connection("application"))
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__SOURCE_CONN_ID", "subscriber")
    application.classify("acme")
    with subscribed(database, publisher):
        unfinished = "select from pg_subscription_rel where srsubstate <> 'r'"
        wait_until(lambda: count(database) == 1 and not database.connection.execute(unfinished).fetchall())
        with locked(server, database, "escalation_alerts"):
            application.escalate("acme", "high", count=2)
            run = run_dag(NOV_1)
            assert run.state == "failed"
            assert "bytes of its publisher's log are missing" in run.log
            assert application.trends() == {}
        assert run_dag(NOV_1).state == "success"
    assert application.trend("acme")["escalation_counts"] == {"high": 2}


def test_asking_where_there_is_no_subscription_costs_next_to_nothing(server, database):
    with opened(server, database.name) as source, psycopg.connect(server.dsn(database.name)) as plain:
        assert source.replication.wait_for_replica(later(), source) == []
        sql: Any = source.sql("subscription_position.sql")
        asked = {"tables": list(SOURCE_TABLES), "until": later(), "goals": "{}"}
        plan = plain.execute("explain (analyze, format json) " + sql, asked).fetchone()
        assert plan
        assert plan[0][0]["Execution Time"] < 50
