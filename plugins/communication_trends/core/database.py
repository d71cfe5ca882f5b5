"""
Transactions on PostgreSQL. No Airflow in here.

Nothing relies on the session beyond a transaction, since a pooler may hand it on; every wait has an end, also where the
server does not answer.
"""

from __future__ import annotations

import datetime
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from communication_trends.core import drivers
from communication_trends.core.database_errors import CONFLICTS, DATABASE_ERRORS, explain, sqlstate
from communication_trends.core.deadline import after
from communication_trends.core.errors import DatabaseUnavailableError, DatabaseUnusableError, OutdatedSnapshotError
from communication_trends.core.replication import Replication
from communication_trends.core.statements import bind_ids, compose

Result = TypeVar("Result")

SOURCE_TABLES = ("organizations", "topic_classifications", "escalation_alerts")
"""The application's tables that trends are made from."""

TARGET_TABLES = ("organizations", "communication_trends", "communication_trends_provenance")
"""The tables that storing a trend reads or writes."""

MAX_CONFLICT_RETRIES = 5
"""How often a transaction starts again because of another one at the same time."""


@dataclass(frozen=True)
class Limits:
    """
    How long a database may take.

    :param statement: seconds after which the server ends a statement.
    :param lock: seconds after which it stops waiting for a lock.
    :param network: seconds that connecting may take, and an answer that the server should have sent already.
    """

    statement: float = 300
    lock: float = 60
    network: float = 10

    @property
    def client_timeout(self) -> float:
        """Seconds after which we give up on a statement ourselves: the server has not ended it at its own limit."""
        return self.statement + self.network

    @property
    def idle_timeout(self) -> float:
        """Seconds after which the server ends a transaction that is idle, as it is while the other database works."""
        return max(self.client_timeout, 60)


class _TrialOverError(Exception):
    """Raised at the end of a trial, so that its transaction is rolled back."""


class Transaction:
    """
    One open transaction; rows are dicts.

    :param database: where it is open.
    """

    began_at: datetime.datetime
    """When it began, by the server's clock; aware. Its snapshot is not older."""

    server_started_at: datetime.datetime
    """When the server was started that it is on; aware. Through a pooler, that is not the same one each time."""

    is_on_replica: bool
    """Whether that server is a replica."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cursor = drivers.open_cursor(database.connection)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """
        Run one statement and return its rows.

        :param sql: the statement, with ``%(name)s`` for each value.
        :param parameters: the values, bound by the driver.
        :raises psycopg.Error: as PostgreSQL reports it.
        :raises DatabaseUnavailableError: when there is no answer in time.
        """
        with self._database.deadline("the statement"):
            self._cursor.execute(sql, bind_ids(parameters))
        return self._cursor.fetchall() if self._cursor.description else []

    def run(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """
        Run the statement of a file and return its rows.

        :param name: file name in the folder of the statements.
        :param parameters: as of `rows`.
        """
        return self.rows(self._database.sql(name), parameters)

    def run_deferred(self) -> None:
        """Check constraints and run triggers that were deferred to the commit."""
        self.rows("set constraints all immediate")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Take back what a block has done where it fails, so that the transaction can go on; the error is raised."""
        self.rows("savepoint part")
        try:
            yield
        except BaseException:
            # what comes next says so as well
            with suppress(*DATABASE_ERRORS):
                self.rows("rollback to savepoint part")
                self.rows("release savepoint part")
            raise
        self.rows("release savepoint part")

    def require_unchanged(self, tables: Sequence[str]) -> None:
        """
        Make sure that tables that have been read had not been truncated or rewritten between the snapshot and that.

        Neither is transactional in PostgreSQL: to the older snapshot, such a table looks empty.

        :param tables: their names.
        :raises OutdatedSnapshotError: when one has been.
        """
        rows = self.run("rewritten_tables.sql", {"tables": list(tables)})
        rewritten = [row["table_name"] for row in rows if row["is_rewritten"]]
        if not rewritten and (divided := [row["table_name"] for row in rows if row["has_parts"]]):
            rewritten = [row["table_name"] for row in self.run("rewritten_parts.sql", {"tables": divided})]
        if rewritten:
            raise OutdatedSnapshotError(
                f"{self._database.name}: {', '.join(rewritten)}: truncated, rewritten or exchanged while it was read, "
                "so that its rows could not be seen"
            )


class Database:
    """
    A connection to one database, with what its transactions need.

    :param connection: a connection of either driver, with no transaction open.
    :param sql_path: folder of the statements.
    :param limits: how long it may take.
    :param name: what errors call it.
    """

    def __init__(self, connection: Any, *, sql_path: Path, limits: Limits, name: str = "the database") -> None:
        self.connection = connection
        self.limits = limits
        self.name = name
        self._sql_path = sql_path
        self.is_replica = False
        self.replication = Replication(self, SOURCE_TABLES)
        self._notices = drivers.set_up(connection)

    def sql(self, name: str, instead: Mapping[str, str] | None = None) -> str:
        """
        Return the text of a statement, with the views that it reads.

        :param name: file name in the folder of the statements.
        :param instead: as of `compose`.
        """
        return compose(self._sql_path / name, instead)

    @contextmanager
    def transaction(
        self, *, read_only: bool, aggregating: bool = False, lock: float | None = None
    ) -> Iterator[Transaction]:
        """
        Run a block in one transaction: one snapshot, UTC, with timeouts; committed at its end, rolled back on an error.

        :param read_only: whether PostgreSQL is to refuse any write.
        :param aggregating: whether it is planned as suits the aggregation, see sql/transaction_settings.sql.
        :param lock: seconds that it waits for a lock, where that is less than the limit.
        :raises DatabaseUnavailableError: when there is no answer in time, or a replica ended the transaction to go on.
        :raises DatabaseUnusableError: when the encoding is SQL_ASCII, so that it is unknown what its text means.
        """
        try:
            opened = Transaction(self)
            (session,) = opened.rows(
                self.sql("transaction_settings.sql"),
                {
                    "read_only": read_only,
                    "aggregating": aggregating,
                    "statement_timeout": f"{round(self.limits.statement * 1000)}ms",
                    "lock_timeout": f"{round(min(self.limits.lock, lock or self.limits.lock) * 1000)}ms",
                    "idle_timeout": f"{round(self.limits.idle_timeout * 1000)}ms",
                },
            )
            opened.began_at = session["began_at"]
            opened.server_started_at = session["server_started_at"]
            opened.is_on_replica = self.is_replica = session["in_recovery"]
            if session["server_encoding"] == "SQL_ASCII":
                raise DatabaseUnusableError(
                    f"{self.name}: the database's encoding is SQL_ASCII, so it is unknown which characters its bytes "
                    "mean. Move it to a database with the encoding UTF8 (pg_dump, createdb -E UTF8 -T template0)"
                )
            yield opened
            self._commit()
        except BaseException:
            # a broken connection cannot roll back; closing it does the same
            with suppress(*DATABASE_ERRORS), self.deadline("the rollback"):
                self.connection.rollback()
            raise

    def read(
        self, reads: Callable[[Transaction], Result], tables: Sequence[str], until: datetime.datetime | None = None
    ) -> Result:
        """
        Read in one transaction, which starts again where what it has read cannot be relied on.

        :param reads: what to do in it.
        :param tables: the tables that it reads.
        :param until: the moment up to which a replica has to have replayed, see `Replication.require_replayed`; None
            where that does not matter.
        :return: what ``reads`` returned.
        :raises OutdatedSnapshotError: when a table is rewritten again and again.
        """
        for attempt in range(1, MAX_CONFLICT_RETRIES + 1):
            try:
                with self.transaction(read_only=True) as transaction:
                    if until:
                        self.replication.require_replayed(transaction, until)
                    try:
                        result = reads(transaction)
                    except DATABASE_ERRORS:
                        raise
                    except Exception:
                        # it may come of rows that could not be seen
                        transaction.require_unchanged(tables)
                        raise
                    transaction.require_unchanged(tables)
                    return result
            except OutdatedSnapshotError:
                if attempt == MAX_CONFLICT_RETRIES:
                    raise
        raise AssertionError

    def read_row(self, name: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Return the only row of a statement, run in a separate transaction.

        :param name: as of `Transaction.run`.
        :param parameters: as of `Transaction.rows`.
        """
        (row,) = self.read_rows(name, parameters)
        return row

    def read_rows(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """
        Return the rows of a statement, run in a separate transaction.

        :param name: as of `Transaction.run`.
        :param parameters: as of `Transaction.rows`.
        """
        with self.transaction(read_only=True) as transaction:
            return transaction.rows(self.sql(name), parameters)

    def _commit(self) -> None:
        self._notices.clear()
        # PostgreSQL stops counting statement_timeout before it commits, so the commit is canceled from here
        with (
            after(self.limits.statement, self.cancel),
            self.deadline("the commit; the next attempt shows whether it is stored"),
        ):
            self.connection.commit()
        # where the wait for a standby was canceled, PostgreSQL reports success, with a warning
        if any(re.search("synchronous replication|SyncRepWait", notice) for notice in self._notices):
            raise DatabaseUnavailableError(
                f"{self.name}: committed on the primary, but no synchronous standby confirmed it within "
                f"{self.limits.statement:g} s (setting statement_timeout): see synchronous_standby_names there"
            )

    def cancel(self) -> None:
        """Cancel the statement that runs, from another thread; nothing where the driver cannot without blocking all."""
        with suppress(*DATABASE_ERRORS):
            drivers.cancel(self.connection, self.limits.network)

    @contextmanager
    def trial(self, *, lock: float) -> Iterator[Transaction]:
        """
        Run a block in a transaction that may write and is always rolled back.

        :param lock: as of `transaction`.
        """
        with suppress(_TrialOverError), self.transaction(read_only=False, lock=lock) as opened:
            yield opened
            # now, since there is no commit
            opened.run_deferred()
            raise _TrialOverError

    @contextmanager
    def deadline(self, waiting_for: str) -> Iterator[None]:
        """
        Give up where the server should have ended the wait: it is stopped, or the network or a pooler is stuck.

        The socket is shut down from another thread, which wakes either driver wherever it waits.

        :param waiting_for: what the block waits for.
        :raises DatabaseUnavailableError: when it took too long, or a replica ended it to go on.
        """
        given_up = threading.Event()
        own = self._own_descriptor()

        def give_up() -> None:
            given_up.set()
            with suppress(OSError):
                own.shutdown(socket.SHUT_RDWR)

        try:
            # left in reverse: the descriptor is closed when nothing can use it any more
            with own, after(self.limits.client_timeout, give_up):
                yield
        except DATABASE_ERRORS as error:
            if given_up.is_set():
                raise DatabaseUnavailableError(
                    f"{self.name}: no answer within {self.limits.client_timeout:g} s (setting statement_timeout and "
                    f"{self.limits.network:g} s for the network), waiting for {waiting_for}. The server is stopped, "
                    "the network silent, or a pooler has no session to spare"
                ) from error
            if self.is_replica and sqlstate(error) in CONFLICTS:
                raise DatabaseUnavailableError(
                    f"{self.name}: {explain(error)}. The replica had to remove rows that were still being read. If "
                    "trying again does not help, set hot_standby_feedback = on there, or a longer "
                    "max_standby_streaming_delay"
                ) from error
            raise

    def _own_descriptor(self) -> socket.socket:
        """
        Return the connection's socket under a second descriptor.

        The driver closes the connection's own when it finds the connection lost, and whatever another thread opens next
        gets its number.
        """
        with suppress(OSError, *DATABASE_ERRORS):
            return socket.fromfd(self.connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        # closed already, as what is waited for will say: a socket that is connected to nothing takes its place
        return socket.socket()
