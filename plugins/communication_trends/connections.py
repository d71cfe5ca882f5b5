"""Airflow's connections: opened, bounded, closed again; and what an error on one means for a task instance."""

from __future__ import annotations

import json
import math
import os
import re
import select
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from airflow.providers.postgres.hooks.postgres import PostgresHook
from communication_trends.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowOptionalProviderFeatureException,
)

from communication_trends import settings
from communication_trends.core.database import Database, Limits
from communication_trends.core.database_errors import DATABASE_ERRORS, REFUSALS, explain, remedy
from communication_trends.core.errors import DatabaseUnavailableError, DatabaseUnusableError, InvalidInputError
from communication_trends.core.trend_reader import TrendReader, open_reader

IGNORED_EXTRA = {"cursor", "autocommit", "row_factory", "cursor_factory", "connection_factory", "async", "async_"}
"""Keys of a connection's extra that are left out: they change how rows are returned, which the package sets itself."""


@contextmanager
def open_database(
    conn_id: str, limits: Limits | None = None, sql_path: Path | None = None, team_name: str | None = None
) -> Iterator[Database]:
    """
    Open a connection and close it again, whatever happens.

    :param conn_id: id of an Airflow connection.
    :param limits: how long the database may take; by default as the settings say.
    :param sql_path: folder of the statements; by default as the settings say.
    :param team_name: whose connection, outside of tasks; a task gets its own team's.
    :raises AirflowFailException: when Airflow knows no such connection.
    :raises DatabaseUnavailableError: when the server cannot be reached now; trying again may help.
    :raises DatabaseUnusableError: when the connection or the server has to be corrected first.
    """
    limits = limits or Limits(settings.statement_timeout(), settings.lock_timeout())
    try:
        hook = PostgresHook(postgres_conn_id=conn_id, **_of_team(conn_id, team_name))
        hook.connection.extra = json.dumps(_extra(hook.connection.extra_dejson, limits))
        connection = hook.get_conn()
    except AirflowNotFoundException as error:
        raise AirflowFailException(
            f"connection {conn_id!r} is not defined. Add it to Airflow, or set "
            f"AIRFLOW_CONN_{conn_id.upper()} in the environment of every worker. If it is there, see whether the "
            "secrets backend or the database that has it can be reached: without an answer, Airflow goes on without it."
        ) from error
    except DATABASE_ERRORS as error:
        if fixed_by := remedy(error) or REFUSALS.get(_refusal(error, limits.network) or ""):
            raise DatabaseUnusableError(f"connection {conn_id!r}: {explain(error)}: {fixed_by}") from error
        raise DatabaseUnavailableError(f"connection {conn_id!r}: {explain(error)}") from error
    except (AirflowOptionalProviderFeatureException, ImportError, AttributeError, TypeError, ValueError) as error:
        raise DatabaseUnusableError(f"connection {conn_id!r} cannot be used: {error}: correct it") from error
    with closing(connection):
        sql_path = sql_path or settings.sql_path()
        yield Database(connection, sql_path=sql_path, limits=limits, name=f"connection {conn_id!r}")


@contextmanager
def open_trends(sql_path: Path | None = None) -> Iterator[TrendReader]:
    """
    Open the connection that trends are stored with, for reading them on one snapshot, and close it.

    :param sql_path: folder of the statements; by default as the settings say.
    """
    with open_database(settings.conn_id(), sql_path=sql_path) as database, open_reader(database) as reader:
        yield reader


def _of_team(conn_id: str, team_name: str | None) -> dict[str, Any]:
    if not team_name:
        return {}
    # not at the top: tasks have no use for it
    from airflow.models.connection import Connection

    return {"connection": Connection.get_connection_from_secrets(conn_id, team_name=team_name)}


def _extra(given: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Return a connection's extra, with defaults by which a server that is gone is noticed within a minute."""
    return {
        "connect_timeout": math.ceil(limits.network),
        "keepalives": 1,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
        **{name: value for name, value in given.items() if name not in IGNORED_EXTRA},
        "client_encoding": "UTF8",
    }


@contextmanager
def translate_errors() -> Iterator[None]:
    """
    Turn the database's errors into what an Airflow task instance raises.

    :raises AirflowFailException: for an error that no retry can fix, a setting that cannot be used among them, with its
        remedy; Airflow does not retry it.
    :raises AirflowException: for any other; Airflow retries it.
    """
    try:
        yield
    except DatabaseUnusableError as error:
        raise AirflowFailException(f"{error}. Retrying will not help.") from error
    except InvalidInputError as error:
        raise AirflowFailException(str(error)) from error
    except DATABASE_ERRORS as error:
        if fixed_by := remedy(error):
            raise AirflowFailException(f"{explain(error)}. Retrying will not help: {fixed_by}.") from error
        raise AirflowException(explain(error)) from error


def _refusal(error: BaseException, seconds: float) -> str | None:
    """
    Return the SQLSTATE with which a server has refused a connection, or None where it cannot be known.

    The drivers give only its message, which is in the server's language. So the connection is tried once more, and
    libpq asked for what it is answered (from its version 17 on). What it notes, the login among it, stays in memory.

    :param error: what the driver raised.
    :param seconds: how long this may take.
    """
    failed = getattr(error, "pgconn", None)
    if failed is None or not hasattr(os, "memfd_create"):
        return None
    # here: not every Airflow has it, only those whose errors have a pgconn
    import psycopg

    given = {option.keyword.decode(): option.val.decode() for option in failed.info if option.val is not None}
    deadline = time.monotonic() + seconds
    with open(os.memfd_create("trace"), "r+b") as trace:
        attempt = psycopg.pq.PGconn.connect_start(psycopg.conninfo.make_conninfo(**given).encode())
        try:
            attempt.trace(trace.fileno())
            while (left := deadline - time.monotonic()) > 0:
                state = attempt.connect_poll()
                if state not in (psycopg.pq.PollingStatus.READING, psycopg.pq.PollingStatus.WRITING):
                    break
                is_reading = state == psycopg.pq.PollingStatus.READING
                sockets = [attempt.socket]
                select.select(sockets if is_reading else [], [] if is_reading else sockets, [], left)
            attempt.untrace()
        except DATABASE_ERRORS:
            return None
        finally:
            attempt.finish()
        trace.seek(0)
        found = re.search(rb'ErrorResponse\t.* C "([0-9A-Z]{5})"', trace.read())
    return found[1].decode() if found else None
