"""Transactions on the connections of Airflow, and what PostgreSQL's errors mean for a run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowNotFoundException
from airflow.providers.postgres.hooks.postgres import PostgresHook

from communication_trends import settings
from communication_trends.compat import REPEATABLE_READ, DatabaseError, dict_cursor, sqlstate

log = logging.getLogger(__name__)

REMEDIES = {
    "42P01": "apply sql/schema/communication_trends.sql, or check the search_path of the connection",
    "42703": "compare the table with sql/schema/",
    "42501": "see sql/schema/grants.sql; with row-level security, the role needs bypassrls",
    "42P10": "the unique index on communication_trends is missing: apply sql/schema/communication_trends.sql",
    "3F000": "check the search_path of the connection",
}
"""Errors that no retry can mend, by SQLSTATE, with what does (PostgreSQL documentation, appendix A)."""

SERIALIZATION_FAILURE = "40001"


class Transaction:
    """
    One open transaction; rows are dicts.

    :param connection: a connection of the hook's driver.
    """

    def __init__(self, connection: Any) -> None:
        self._cursor = dict_cursor(connection)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """
        Run one statement and return its rows.

        :param sql: the statement, with ``%(name)s`` for each value.
        :param parameters: the values, bound by the driver.
        :raises DatabaseError: as PostgreSQL reports it.
        """
        self._cursor.execute(sql, parameters)
        return [dict(row) for row in self._cursor.fetchall()] if self._cursor.description else []


def read_sql(name: str) -> str:
    """
    Return the text of a statement that is no operator's template.

    :param name: file name in ``sql/``.
    """
    return (settings.sql_path() / name).read_text(encoding="utf-8")


@contextmanager
def connected(conn_id: str) -> Iterator[Any]:
    """
    Open a connection and close it again, whatever happens.

    :param conn_id: id of an Airflow connection.
    :raises AirflowFailException: when Airflow knows no such connection.
    """
    try:
        connection = PostgresHook(postgres_conn_id=conn_id).get_conn()
    except AirflowNotFoundException as error:
        raise AirflowFailException(
            f"connection {conn_id!r} is not defined. Add it to Airflow, or set "
            f"AIRFLOW_CONN_{conn_id.upper()} in the environment of every worker."
        ) from error
    with closing(connection):
        yield connection


@contextmanager
def transaction(
    connection: Any, *, read_only: bool, aggregating: bool = False, statement_timeout: float | None = None
) -> Iterator[Transaction]:
    """
    Run a block in one transaction: one snapshot, UTC, with timeouts; committed at its end, rolled back on an error.

    :param connection: a connection of the hook's driver, with no transaction open.
    :param read_only: whether PostgreSQL is to refuse any write.
    :param aggregating: whether it is planned as suits the aggregation, see sql/session.sql.
    :param statement_timeout: seconds, where the setting's are too many.
    """
    try:
        # rows that arrive between two statements cannot make the aggregate and the count that verifies it disagree
        connection.isolation_level = REPEATABLE_READ
        opened = Transaction(connection)
        opened.rows(
            read_sql("session.sql"),
            {
                "read_only": read_only,
                "aggregating": aggregating,
                "statement_timeout": f"{round((statement_timeout or settings.statement_timeout()) * 1000)}ms",
                "lock_timeout": f"{round(settings.lock_timeout() * 1000)}ms",
            },
        )
        yield opened
        connection.commit()
    except BaseException:
        # closing would roll back as well; a broken connection can do neither
        if not connection.closed:
            connection.rollback()
        raise


def is_lost(error: DatabaseError) -> bool:
    """Whether an error is about the connection or the server, so that no organization would fare better alone."""
    code = sqlstate(error)
    return (
        code is None
        or code in {"25006", "53300"}  # read-only server, too many connections
        or (code[:2] in {"08", "57", "58"} and code != "57014")  # 57014: a timeout, which may be one organization's
    )


@contextmanager
def errors_explained() -> Iterator[None]:
    """
    Turn PostgreSQL's errors into what an Airflow task instance raises.

    :raises AirflowFailException: for an error that no retry can mend, with its remedy; Airflow does not retry it.
    :raises AirflowException: for any other; Airflow retries it.
    """
    try:
        yield
    except DatabaseError as error:
        code = sqlstate(error)
        if remedy := REMEDIES.get(code or ""):
            raise AirflowFailException(f"{explain(error)}. No retry mends this: {remedy}.") from error
        raise AirflowException(explain(error)) from error


def explain(error: BaseException) -> str:
    """Return an error's first line, with PostgreSQL's code and, for a timeout, the setting that bounds it."""
    code = sqlstate(error)
    lines = str(error).strip().splitlines() or [type(error).__name__]
    hint = {"57014": " (setting statement_timeout)", "55P03": " (setting lock_timeout)"}.get(code or "", "")
    return f"{lines[0]}{f' [SQLSTATE {code}]' if code else ''}{hint}"
