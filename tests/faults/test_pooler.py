"""Through a real PgBouncer in transaction mode: a session belongs to no client beyond a transaction."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from conftest import NOV_1
from psycopg.conninfo import conninfo_to_dict
from waiting import wait_until

from communication_trends.connections import open_database, translate_errors
from local.servers import Server, free_port

pytestmark = pytest.mark.skipif(not shutil.which("pgbouncer"), reason="needs PgBouncer (Debian: package pgbouncer)")


@pytest.fixture
def pooler(server, request) -> Iterator[Server]:
    """A pooler with two sessions for all of its clients."""
    pool_mode = getattr(request, "param", "transaction")
    port = free_port()
    given = conninfo_to_dict(server.uri)
    folder = Path(f"/tmp/pooler-{uuid.uuid4().hex[:8]}")
    folder.mkdir()
    (folder / "users.txt").write_text(f'"{given["user"]}" "{given.get("password") or ""}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"""[databases]
* = host={given["host"]} port={given.get("port") or 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = {pool_mode}
default_pool_size = 2
max_client_conn = 100
logfile = {folder}/log
"""
    )
    command = ["pgbouncer", str(folder / "pgbouncer.ini")]
    # it refuses to run as root, and needs to reach the server's socket
    user: dict[str, Any] = {}
    if os.getuid() == 0:
        host = str(given["host"])
        uid = os.stat(host).st_uid if host.startswith("/") else pwd.getpwnam("nobody").pw_uid
        user = {"user": uid, "group": pwd.getpwuid(uid).pw_gid, "extra_groups": []}
        for path in (folder, *folder.iterdir()):
            os.chown(path, user["user"], user["group"])
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user)

    def answers() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    try:
        wait_until(answers)
        yield Server(f"postgresql://{given['user']}@127.0.0.1:{port}/postgres")
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(folder)


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
