"""Through a real PgBouncer in transaction mode: a session belongs to no client beyond a transaction."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator

import psycopg
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from conftest import NOV_1

from communication_trends.connections import open_database, translate_errors
from local.servers import Server, pgbouncer

pytestmark = pytest.mark.skipif(not shutil.which("pgbouncer"), reason="needs PgBouncer (Debian: package pgbouncer)")


@pytest.fixture
def pooler(server, request) -> Iterator[Server]:
    """A pooler with two sessions for all of its clients."""
    with pgbouncer(server, pool_mode=getattr(request, "param", "transaction"), sessions=2) as behind:
        yield behind


@pytest.fixture
def busy(database, pooler) -> Iterator[None]:
    """Other clients of the pooler, who take its sessions in turn."""
    done = threading.Event()

    def work() -> None:
        with psycopg.connect(pooler.dsn(database.name), prepare_threshold=None) as connection:
            while not done.is_set():
                connection.execute("select pg_sleep(0.002)")
                connection.commit()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    yield
    done.set()
    for thread in threads:
        thread.join()


def test_a_batch_taken_one_by_one_through_a_busy_pooler(database, pooler, busy, run_dag, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", pooler.airflow_connection(database.name))
    for number in range(62):
        database.classify(f"org-{number:02}", count=number % 3 + 1)
    database.on_write("raise 'poisoned';", slug="org-30")
    run = run_dag({**NOV_1, "organizations_per_task": 62})
    assert run.summary["failedOrganizations"] == ["org-30"]
    assert {slug: row["total_classifications"] for (slug, _), row in database.trends().items()} == {
        f"org-{number:02}": number % 3 + 1 for number in range(62) if number != 30
    }
    assert "prepared statement" not in run.log
    database.connection.execute("drop trigger interfere on communication_trends")
    assert run_dag({**NOV_1, "organizations_per_task": 62}).state == "success"


def test_nothing_is_left_on_a_session_that_the_pooler_hands_on(server, database, pooler, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", pooler.airflow_connection(database.name))
    show = (
        "select name, setting from pg_settings where source in ('session', 'client') and name not like 'application%'"
    )
    with psycopg.connect(pooler.dsn(database.name), prepare_threshold=None) as other:
        before = other.execute(show).fetchall()
        other.commit()
        for _ in range(8):
            with open_database("communication_trends_db") as opened, opened.transaction(read_only=True) as transaction:
                assert transaction.rows("show lock_timeout") == [{"lock_timeout": "1min"}]
            assert other.execute(show).fetchall() == before
            assert other.execute("select from pg_prepared_statements").fetchall() == []
            other.commit()


def test_a_startup_option_that_the_pooler_refuses_is_named_and_not_retried(database, pooler, monkeypatch):
    connection = pooler.airflow_connection(database.name, extra={"options": "-c search_path=app"})
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", connection)
    with (
        pytest.raises(AirflowFailException, match=r"unsupported startup parameter.*a pooler refuses it"),
        translate_errors(),
        open_database("communication_trends_db"),
    ):
        pass


@pytest.mark.parametrize("pooler", ["statement"], indirect=True)
def test_a_pooler_in_statement_mode_is_named_and_not_retried(database, pooler, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", pooler.airflow_connection(database.name))
    with (
        pytest.raises(AirflowFailException, match=r"statement pooling mode.*set pool_mode = transaction"),
        translate_errors(),
        open_database("communication_trends_db") as opened,
        opened.transaction(read_only=True),
    ):
        pass
