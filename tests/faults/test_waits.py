"""Every wait has an end: a silent network, a stopped server, a commit that no standby confirms. With either driver."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import psycopg2
import pytest
from conftest import NOV_1
from psycopg.conninfo import conninfo_to_dict
from silent_proxy import silent_proxy

from communication_trends.core.database import Database, Limits
from communication_trends.core.database_errors import DATABASE_ERRORS, explain, is_lost
from communication_trends.core.deadline import ACTING
from communication_trends.core.errors import DatabaseUnavailableError
from local import ROOT
from local.servers import SERVER_VARIABLE

QUICK = Limits(statement=0.5, lock=0.5, network=0.5)
embedded_only = pytest.mark.skipif(SERVER_VARIABLE in os.environ, reason="changes the server itself")


@pytest.fixture(params=[psycopg, psycopg2], ids=["psycopg", "psycopg2"])
def opened(server, database, request) -> Any:
    """Open the test's database with one of the drivers; options of libpq can be given."""

    @contextmanager
    def opened(limits: Limits = QUICK, **options: Any) -> Iterator[Database]:
        options = {**conninfo_to_dict(server.dsn(database.name)), **options}
        with closing(request.param.connect(**options)) as connection:
            yield Database(connection, sql_path=ROOT / "sql", limits=limits, name="connection 'a'")

    return opened


@contextmanager
def takes_at_most(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def test_a_network_that_goes_silent_during_a_statement(server, opened):
    with (
        silent_proxy(server) as proxy,
        opened(host="127.0.0.1", port=proxy.port) as database,
        takes_at_most(10),
        pytest.raises(DatabaseUnavailableError) as raised,
        database.transaction(read_only=True) as transaction,
    ):
        proxy.is_silent = True
        transaction.rows("select 1")
    limits = "connection 'a': no answer within 1 s (setting statement_timeout and 0.5 s for the network)"
    assert limits in str(raised.value)
    assert is_lost(raised.value)


def test_a_network_that_goes_silent_at_the_commit(server, opened, database):
    database.classify("acme")
    with (
        silent_proxy(server) as proxy,
        opened(host="127.0.0.1", port=proxy.port) as target,
        takes_at_most(10),
        pytest.raises(DatabaseUnavailableError, match="waiting for the commit"),
        target.transaction(read_only=False) as transaction,
    ):
        transaction.rows("update organizations set name = 'changed'")
        proxy.is_silent = True
    # the server has seen no commit
    assert database.connection.execute("select name from organizations").fetchall() == [{"name": "Acme"}]


def test_a_network_that_goes_silent_at_the_rollback(server, opened):
    with (
        silent_proxy(server) as proxy,
        opened(host="127.0.0.1", port=proxy.port) as database,
        takes_at_most(10),
        pytest.raises(ZeroDivisionError),
        database.transaction(read_only=True),
    ):
        proxy.is_silent = True
        raise ZeroDivisionError


@embedded_only
def test_a_stopped_server(opened):
    with opened() as database:
        with database.transaction(read_only=True) as transaction:
            (row,) = transaction.rows("select pg_backend_pid() as pid")
        os.kill(row["pid"], signal.SIGSTOP)
        try:
            with (
                takes_at_most(10),
                pytest.raises(DatabaseUnavailableError, match="no answer within 1 s"),
                database.transaction(read_only=True),
            ):
                pass
        finally:
            os.kill(row["pid"], signal.SIGCONT)


def test_an_abandoned_transaction_is_ended_by_the_server(opened):
    show = "select current_setting('idle_in_transaction_session_timeout') as timeout"
    with opened() as database:
        with database.transaction(read_only=True) as transaction:
            # no less, however short the other limits are: a busy worker takes its time between two statements
            assert transaction.rows(show) == [{"timeout": "1min"}]
        # outside of a transaction the session has the server's own settings: a pooler may hand it on
        with database.connection.cursor() as cursor:
            cursor.execute(show)
            assert cursor.fetchone() == ("0",)


def test_a_transaction_that_was_idle_for_too_long_is_a_lost_session(opened):
    with (
        opened() as database,
        pytest.raises(DATABASE_ERRORS) as raised,
        database.transaction(read_only=True) as transaction,
    ):
        transaction.rows("select set_config('idle_in_transaction_session_timeout', '100ms', true)")
        time.sleep(1)
        transaction.rows("select 1")
    assert re.search("idle-in-transaction timeout|server closed the connection", explain(raised.value))
    assert is_lost(raised.value)


@contextmanager
def synchronous_standby(server, database, name: str) -> Iterator[None]:
    """Let commits on the test's database alone wait for a standby of a name that none has."""
    with server.connect("postgres") as connection:
        connection.execute("alter system set synchronous_commit = local")
        connection.execute(f"alter system set synchronous_standby_names = '{name}'")
        connection.execute(f"alter database {database.name} set synchronous_commit = on")
        # which would hide the server's warning
        connection.execute(f"alter database {database.name} set client_min_messages = error")
        connection.execute("select pg_reload_conf()")
        time.sleep(1)
        try:
            yield
        finally:
            connection.execute("alter system reset synchronous_standby_names")
            connection.execute("alter system reset synchronous_commit")
            connection.execute("select pg_reload_conf()")


@embedded_only
def test_a_commit_that_no_standby_confirms(server, database, opened, request):
    database.classify("acme")
    # psycopg2 cannot cancel without blocking: the session is left to wait
    is_psycopg2 = request.node.callspec.id == "psycopg2"
    message = "waiting for the commit" if is_psycopg2 else "no synchronous standby confirmed it within 0.5 s"
    with (
        synchronous_standby(server, database, "nobody"),
        opened() as target,
        takes_at_most(10),
        pytest.raises(DatabaseUnavailableError, match=message),
        target.transaction(read_only=False) as transaction,
    ):
        transaction.rows("update organizations set name = 'changed'")
    # the row is stored, and the error has said that no standby has confirmed it
    with opened() as target, target.transaction(read_only=True) as transaction:
        assert transaction.rows("select name from organizations") == [{"name": "changed"}]


def test_a_trigger_that_goes_on_forever_at_the_commit(database, opened):
    database.classify("acme")
    database.on_write("perform pg_sleep(60);", when="after update", table="organizations", is_deferred=True)
    with (
        opened() as target,
        takes_at_most(10),
        pytest.raises(DATABASE_ERRORS, match=r"canceling statement|waiting for the commit"),
        target.transaction(read_only=False) as transaction,
    ):
        transaction.rows("update organizations set name = 'changed'")
    with opened() as target, target.transaction(read_only=True) as transaction:
        assert transaction.rows("select name from organizations") == [{"name": "Acme"}]


def test_giving_up_too_late_leaves_what_has_got_the_descriptor_since_alone(opened, monkeypatch):
    begun, go_on, over = threading.Event(), threading.Event(), threading.Event()

    def wait_in_the_other_thread():
        if threading.current_thread().name == ACTING:
            begun.set()
            assert go_on.wait(60)

    class Held(socket.socket):
        def shutdown(self, how):
            wait_in_the_other_thread()
            super().shutdown(how)

    def fromfd(descriptor, family, kind):
        wait_in_the_other_thread()
        return Held(family, kind, fileno=os.dup(descriptor))

    monkeypatch.setattr(socket, "fromfd", fromfd)
    with opened(Limits(statement=0.1, network=0.1)) as database:
        descriptor = database.connection.fileno()

        def wait_and_close():
            with database.deadline("something"):
                begun.wait(60)
            database.connection.close()
            over.set()

        thread = threading.Thread(target=wait_and_close)
        thread.start()
        assert begun.wait(60)
        # it may not end before the other thread has gone on
        if not over.wait(1):
            go_on.set()
        thread.join()
    one, peer = socket.socketpair()
    others = socket.socket(fileno=os.dup2(one.detach(), descriptor))
    with peer, others:
        go_on.set()
        for other in threading.enumerate():
            if other.name == ACTING:
                other.join(60)
        others.send(b"still open")
        assert peer.recv(100) == b"still open"


def test_a_commit_that_is_canceled_too_late_does_not_cancel_the_next_statement(server, database, monkeypatch):
    database.classify("acme")
    database.on_write("perform pg_sleep(1.5);", when="after update", table="organizations", is_deferred=True)
    going_on = threading.Event()
    with closing(psycopg.connect(server.dsn(database.name))) as connection:
        cancel = connection.cancel_safe

        def cancel_late(**options):
            going_on.wait(3)
            cancel(**options)

        monkeypatch.setattr(connection, "cancel_safe", cancel_late)
        target = Database(connection, sql_path=ROOT / "sql", limits=Limits(statement=1))
        with target.transaction(read_only=False) as transaction:
            transaction.rows("update organizations set name = 'changed'")
        with target.transaction(read_only=True) as transaction:
            threading.Timer(0.2, going_on.set).start()
            assert transaction.rows("select pg_sleep(0.8), 1 as done")[0]["done"] == 1


def test_a_network_that_goes_silent_during_the_aggregate_fails_the_attempt_and_says_why(
    server, database, run_dag, monkeypatch
):
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__STATEMENT_TIMEOUT", "2")
    database.classify("acme")
    database.classify("beta")
    with silent_proxy(server, silent_after=b"complaint") as proxy:
        connection = server.airflow_connection(database.name, host="127.0.0.1", port=proxy.port)
        monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", connection)
        run = run_dag({**NOV_1, "organizations_per_task": 5})
        assert proxy.is_silent
    assert run.state == "failed"
    assert run.tasks["aggregate_organization", 0] == "failed"
    assert "no answer within 12 s (setting statement_timeout and 10 s for the network)" in run.log
    # not split, each part with another wait
    assert "Splitting it" not in run.log
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", server.airflow_connection(database.name))
    assert run_dag(NOV_1).state == "success"
    assert len(database.trends()) == 2
