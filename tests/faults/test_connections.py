"""What a connection says: encodings, what its extra may hold, what retrying does not help."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import psycopg2
import psycopg2.extensions
import pytest
from airflow import settings as airflow_settings
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from conftest import NOV_1
from conftest import Database as Application
from psycopg.rows import dict_row
from silent_proxy import silent_proxy

from communication_trends.connections import open_database, translate_errors
from communication_trends.core.database import Database, Limits
from communication_trends.core.errors import DatabaseUnusableError
from local import ROOT
from local.servers import apply_schema

CONNECTION = "AIRFLOW_CONN_COMMUNICATION_TRENDS_DB"


def ask(sql: str = "select 1 as one") -> list[dict[str, Any]]:
    """Do what a task instance does: connect and run one statement, with its errors explained."""
    with (
        translate_errors(),
        open_database("communication_trends_db") as database,
        database.transaction(read_only=True) as transaction,
    ):
        return transaction.rows(sql)


# Encodings


@pytest.fixture
def encoded(server, monkeypatch) -> Iterator[Any]:
    """Make databases of another encoding, which Airflow's connection points to."""
    names = []

    def make(encoding: str) -> Application | None:
        names.append(f"encoded_{uuid.uuid4().hex[:8]}")
        with server.connect("postgres") as connection:
            connection.execute(f"create database {names[-1]} encoding '{encoding}' locale 'C' template template0")
        monkeypatch.setenv(CONNECTION, server.airflow_connection(names[-1]))
        if encoding == "MULE_INTERNAL":
            return None
        connection = server.connect(names[-1], row_factory=dict_row, client_encoding="UTF8")
        apply_schema(connection, "source_tables.sql", "communication_trends.sql")
        return Application(names[-1], connection)

    yield make
    # what Airflow has opened to its metadata database since has the environment's encoding: not for later tests
    assert airflow_settings.engine
    airflow_settings.engine.dispose()
    for name in names:
        server.drop_database(name)


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252", "EUC_JP"])
@pytest.mark.parametrize("given", [{}, {"client_encoding": "LATIN1"}, {"options": "-c client_encoding=LATIN1"}])
def test_text_is_stored_as_it_is_whatever_the_encoding(server, encoded, run_dag, monkeypatch, encoding, given):
    database = encoded(encoding)
    monkeypatch.setenv(CONNECTION, server.airflow_connection(database.name, extra=given))
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    # bytes that would be another text as UTF-8
    topics = ["大阪"] if encoding == "EUC_JP" else ["Ã¼", "Grüße"]
    for topic in topics:
        database.classify("acme", topic=topic)
    run = run_dag({**NOV_1, "organizations_per_task": 5})
    assert run.state == "success", run.log
    assert database.trend("acme")["topic_distribution"] == dict.fromkeys(topics, 1)


def test_an_encoding_that_says_nothing_is_named_and_not_retried(encoded, run_dag):
    database = encoded("SQL_ASCII")
    database.classify("acme", topic="Grüße")
    run = run_dag(NOV_1, retries=3)
    assert run.state == "failed"
    assert run.tasks["list_organizations", -1] == "failed"
    assert "connection 'communication_trends_db': the database's encoding is SQL_ASCII" in run.log
    assert "encoding UTF8 (pg_dump, createdb -E UTF8 -T template0)" in run.log


def test_an_encoding_that_cannot_be_converted_is_named_and_not_retried(encoded):
    encoded("MULE_INTERNAL")
    with pytest.raises(AirflowFailException, match=r"conversion between .* move the database to the encoding UTF8"):
        ask()


@pytest.mark.parametrize("driver", [psycopg, psycopg2])
def test_either_driver_reads_a_latin1_database_as_it_is(server, encoded, driver):
    database = encoded("LATIN1")
    database.organization("Ã¼")
    with closing(driver.connect(server.dsn(database.name), client_encoding="UTF8")) as connection:
        opened = Database(connection, sql_path=ROOT / "sql", limits=Limits())
        with opened.transaction(read_only=True) as transaction:
            rows = transaction.rows("select slug, to_jsonb(slug) as json from organizations where slug = 'Ã¼'")
    assert rows == [{"slug": "Ã¼", "json": "Ã¼"}]


def test_a_character_that_the_target_cannot_hold_fails_its_organization_alone(server, encoded, run_dag, monkeypatch):
    database = encoded("LATIN1")
    database.organization("acme")
    database.organization("beta")
    source = encoded("UTF8")
    for slug, topic in (("acme", "technical"), ("beta", "€")):
        source.connection.execute(
            "insert into organizations (id, name, slug) values (%s, %s, %s)",
            [database.organizations[slug], slug, slug],
        )
        source.organizations[slug] = database.organizations[slug]
        source.classify(slug, topic=topic)
    monkeypatch.setenv("AIRFLOW_CONN_SOURCE", server.airflow_connection(source.name))
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__SOURCE_CONN_ID", "source")
    monkeypatch.setenv(CONNECTION, server.airflow_connection(database.name))
    run = run_dag({**NOV_1, "organizations_per_task": 5})
    assert run.state == "failed"
    assert list(database.trends()) == [("acme", "2026-11-01")]
    assert "[SQLSTATE 22P05]" in run.log


# The extra of a connection


@pytest.mark.parametrize(
    "extra",
    [
        {"cursor": "dictcursor"},
        {"cursor": "realdictcursor"},
        {"cursor": "namedtuplecursor"},
        {"cursor": "no such cursor"},
        {"autocommit": True},
        {"row_factory": "dict_row"},
        {"cursor_factory": "x"},
        {"prepare_threshold": 1},
        {"sslmode": "prefer"},
        {"target_session_attrs": "any"},
        {"connect_timeout": "3"},
        {"keepalives": 0, "tcp_user_timeout": "1000"},
        {"application_name": "trends"},
        {"sqlalchemy_query": {"a": "b"}},
        {"client_encoding": "SQL_ASCII"},
    ],
    ids=str,
)
def test_an_extra_that_works(server, database, run_dag, monkeypatch, extra):
    monkeypatch.setenv(CONNECTION, server.airflow_connection(database.name, extra=extra))
    database.classify("acme")
    database.connection.execute("create table other (id integer)")
    assert ask("select id::text, slug from organizations where slug = 'acme'") == [
        {"id": database.organizations["acme"], "slug": "acme"}
    ]
    # one transaction with its limits, whatever the extra says
    shown = ask("select current_setting('lock_timeout') as lock, current_setting('transaction_isolation') as isolation")
    assert shown == [{"lock": "1min", "isolation": "repeatable read"}]
    assert ask("select count(*) as prepared from pg_prepared_statements") == [{"prepared": 0}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra": {"no_such_option": "1"}}, r'invalid connection option "no_such_option".*extra'),
        ({"extra": {"sslmode": "sometimes"}}, r'invalid sslmode value: "sometimes".*extra'),
        ({"extra": {"target_session_attrs": "mine"}}, r'invalid target_session_attrs value: "mine".*extra'),
        ({"extra": {"keepalives": "often"}}, r'invalid integer value "often".*extra'),
        ({"extra": {"keepalives": [1]}}, r"invalid integer value.*extra"),
        ({"extra": {"connect_timeout": "soon"}}, r"soon.*extra"),
        ({"extra": {"tcp_user_timeout": {}}}, r"invalid integer value.*extra"),
        (
            {"extra": {"options": "-c no_such_setting=1"}},
            r'unrecognized configuration parameter "no_such_setting".*extra',
        ),
        ({"extra": {"options": "-c work_mem=lots"}}, r'invalid value for parameter "work_mem".*extra'),
        ({"extra": {"sslmode": "require"}}, r"server does not support SSL.*sslmode"),
        ({"extra": {"iam": True}}, r"apache-airflow-providers-amazon"),
        ({"extra": {"iam": True, "redshift": True}}, r"apache-airflow-providers-amazon"),
        ({"schema": "no_such_database"}, r'database "no_such_database" does not exist'),
        ({"login": "no_such_role"}, r'role "no_such_role" does not exist'),
    ],
    ids=str,
)
def test_a_connection_that_retrying_does_not_help(server, database, monkeypatch, changes, message):
    # by TCP, since some options mean nothing to a Unix socket
    with silent_proxy(server) as proxy:
        changes = {"host": "127.0.0.1", "port": proxy.port, **changes}
        monkeypatch.setenv(CONNECTION, server.airflow_connection(database.name, **changes))
        with pytest.raises(AirflowFailException, match=r"connection 'communication_trends_db'.*" + message):
            ask()


@pytest.mark.parametrize(
    "changes",
    [{"host": "127.0.0.1", "port": 1}, {"host": "/nowhere"}, {"host": "no-such-host.invalid"}],
    ids=str,
)
def test_a_server_that_is_not_there_now_is_tried_again(server, database, monkeypatch, changes):
    monkeypatch.setenv(CONNECTION, server.airflow_connection(database.name, **changes))
    with pytest.raises(AirflowException, match="connection 'communication_trends_db'") as raised:
        ask()
    assert not isinstance(raised.value, AirflowFailException)


def test_a_login_that_is_refused_fails_the_run_at_once(server, database, run_dag, monkeypatch):
    database.connection.execute("create role nologin_role nologin")
    try:
        monkeypatch.setenv(CONNECTION, server.airflow_connection(database.name, login="nologin_role"))
        run = run_dag(NOV_1, retries=3)
    finally:
        database.connection.execute("drop role nologin_role")
    assert run.tasks["list_organizations", -1] == "failed"
    assert 'role "nologin_role" is not permitted to log in' in run.log


def test_limits_of_the_network_unless_the_connection_says_otherwise(server, database, monkeypatch):
    def options() -> dict[str, str]:
        with open_database("communication_trends_db") as opened:
            return opened.connection.info.get_parameters()

    assert (
        options().items()
        >= {
            "connect_timeout": "10",
            "keepalives_idle": "30",
            "tcp_user_timeout": "60000",
            "client_encoding": "UTF8",
        }.items()
    )
    extra = {"keepalives_idle": 5, "connect_timeout": "3"}
    monkeypatch.setenv(CONNECTION, server.airflow_connection(database.name, extra=json.dumps(extra)))
    given = options()
    assert (given["keepalives_idle"], given["connect_timeout"], given["tcp_user_timeout"]) == ("5", "3", "60000")


def test_sql_ascii_is_no_matter_of_the_driver(server, encoded):
    database = encoded("SQL_ASCII")
    with closing(psycopg2.connect(server.dsn(database.name))) as connection:
        opened = Database(connection, sql_path=ROOT / "sql", limits=Limits())
        with pytest.raises(DatabaseUnusableError, match="SQL_ASCII"), opened.transaction(read_only=True):
            pass


# Servers that speak another language


@pytest.fixture
def speechless(monkeypatch) -> None:
    """No message of the server is understood, as where lc_messages is another language than English."""
    monkeypatch.setattr("communication_trends.core.database_errors.CONNECTION_REMEDIES", {})


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"dbname": "nowhere"}, r"correct the connection's schema \(the database\)"),
        ({"login": "nobody_of_this_name"}, "correct the connection's login, or let the server accept it"),
    ],
)
def test_what_a_server_refuses_is_known_by_its_sqlstate(server, database, monkeypatch, speechless, changes, remedy):
    changes = {**changes}
    connection = server.airflow_connection(changes.pop("dbname", database.name), **changes)
    monkeypatch.setenv(CONNECTION, connection)
    with pytest.raises(AirflowFailException, match=remedy):
        ask()


def test_a_refusal_that_passes_is_retried_and_a_server_that_is_not_there_too(server, database, monkeypatch, speechless):
    database.connection.execute(f"alter database {database.name} connection limit 0")
    name = f"role_{uuid.uuid4().hex[:8]}"
    database.connection.execute(f"create role {name} login")
    try:
        monkeypatch.setenv(CONNECTION, server.airflow_connection(database.name, login=name))
        with pytest.raises(AirflowException, match="too many connections") as raised:
            ask()
        assert not isinstance(raised.value, AirflowFailException)
        gone = server.airflow_connection(database.name, host="/tmp/no-server-is-here")
        monkeypatch.setenv(CONNECTION, gone)
        with pytest.raises(AirflowException) as raised:
            ask()
        assert not isinstance(raised.value, AirflowFailException)
    finally:
        database.connection.execute(f"drop role {name}")
