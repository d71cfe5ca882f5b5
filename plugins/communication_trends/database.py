"""
Transactions on PostgreSQL, and what its errors mean. No Airflow in here.

Works with psycopg 3 and with psycopg2, which Airflow 2.11 brings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    import psycopg
    from psycopg.rows import dict_row
except ImportError:  # Airflow 2.11 with SQLAlchemy 1.4
    psycopg = None  # type: ignore[assignment]
try:
    import psycopg2
    import psycopg2.extensions
    import psycopg2.extras
except ImportError:
    psycopg2 = None  # type: ignore[assignment]

DATABASE_ERRORS: tuple[type[Exception], ...] = tuple(driver.Error for driver in (psycopg, psycopg2) if driver)
"""What the drivers raise, for ``except``."""

REMEDIES = {
    "42P01": "apply sql/schema/communication_trends.sql, or check the search_path of the connection",
    "42703": "compare the table with sql/schema/",
    "42501": "see sql/schema/grants.sql; with row-level security, the role needs bypassrls",
    "42P10": "the unique index on communication_trends is missing: apply sql/schema/communication_trends.sql",
    "3F000": "check the search_path of the connection",
    "42804": "compare the types of the columns with sql/schema/",
    "42883": "compare the types of the columns with sql/schema/",
    "42846": "compare the types of the columns with sql/schema/",
    "42809": "communication_trends has to be a table: compare it with sql/schema/communication_trends.sql",
    "428C9": "have a plain column there, as in sql/schema/communication_trends.sql",
    "55000": "bring the table or view that it names into a state in which PostgreSQL takes the statement",
    "0A000": "PostgreSQL cannot do this with that table: compare it with sql/schema/",
    "22P02": "compare the types of the columns, and the labels of an enum, with sql/schema/",
    "22001": "make the column as wide as in sql/schema/communication_trends.sql",
    "23502": "give the column a default, or let it be null",
    "23514": "change the check that it names, or create the missing partition",
}
"""Errors that no retry can mend, by SQLSTATE, with what does (PostgreSQL documentation, appendix A)."""

OF_ONE_ORGANIZATION = {"0A000", "22001", "22P02", "23502", "23514"}
"""Those of them that one organization's rows alone can bring about, so that the others of a batch may fare better."""

SERIALIZATION_FAILURE = "40001"


@dataclass(frozen=True)
class Limits:
    """
    How long the server may take.

    :param statement: seconds after which it ends a statement.
    :param lock: seconds after which it stops waiting for a lock.
    """

    statement: float = 300
    lock: float = 60


class Transaction:
    """
    One open transaction; rows are dicts.

    :param connection: a connection of either driver.
    """

    def __init__(self, connection: Any) -> None:
        if _is_psycopg3(connection):
            self._cursor = connection.cursor(row_factory=dict_row)
        else:
            self._cursor = connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """
        Run one statement and return its rows.

        :param sql: the statement, with ``%(name)s`` for each value.
        :param parameters: the values, bound by the driver.
        :raises psycopg.Error: as PostgreSQL reports it.
        """
        self._cursor.execute(sql, parameters)
        return [dict(row) for row in self._cursor.fetchall()] if self._cursor.description else []


class Database:
    """
    A connection to one database, with what its transactions need.

    :param connection: a connection of either driver, with no transaction open.
    :param sql_path: folder of the statements.
    :param limits: how long the server may take.
    """

    def __init__(self, connection: Any, *, sql_path: Path, limits: Limits) -> None:
        self.connection = connection
        self.limits = limits
        self._sql_path = sql_path

    def sql(self, name: str) -> str:
        """
        Return the text of a statement.

        :param name: file name in the folder of the statements.
        """
        return (self._sql_path / name).read_text(encoding="utf-8")

    @contextmanager
    def transaction(self, *, read_only: bool, aggregating: bool = False) -> Iterator[Transaction]:
        """
        Run a block in one transaction: one snapshot, UTC, with timeouts; committed at its end, rolled back on an error.

        :param read_only: whether PostgreSQL is to refuse any write.
        :param aggregating: whether it is planned as suits the aggregation, see sql/session.sql.
        """
        connection = self.connection
        try:
            # rows that arrive between two statements cannot make the aggregate and the count that verifies it disagree
            connection.isolation_level = (
                psycopg.IsolationLevel.REPEATABLE_READ
                if _is_psycopg3(connection)
                else psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ
            )
            opened = Transaction(connection)
            opened.rows(
                self.sql("session.sql"),
                {
                    "read_only": read_only,
                    "aggregating": aggregating,
                    "statement_timeout": f"{round(self.limits.statement * 1000)}ms",
                    "lock_timeout": f"{round(self.limits.lock * 1000)}ms",
                },
            )
            yield opened
            connection.commit()
        except BaseException:
            # closing would roll back as well; a broken connection can do neither
            if not connection.closed:
                connection.rollback()
            raise


def _is_psycopg3(connection: Any) -> bool:
    return psycopg is not None and isinstance(connection, psycopg.Connection)


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's five-character error code, or None where the server gave none."""
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)


def is_lost(error: BaseException) -> bool:
    """Whether an error is about the connection or the server, so that no organization would fare better alone."""
    code = sqlstate(error)
    return (
        code is None
        or code in {"25006", "53300"}  # read-only server, too many connections
        or (code[:2] in {"08", "57", "58"} and code != "57014")  # 57014: a timeout, which may be one organization's
    )


def explain(error: BaseException) -> str:
    """Return an error's first line, with PostgreSQL's code and, for a timeout, the setting that bounds it."""
    code = sqlstate(error)
    lines = str(error).strip().splitlines() or [type(error).__name__]
    hint = {"57014": " (setting statement_timeout)", "55P03": " (setting lock_timeout)"}.get(code or "", "")
    return f"{lines[0]}{f' [SQLSTATE {code}]' if code else ''}{hint}"
