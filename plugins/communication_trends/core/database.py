"""
Transactions on PostgreSQL, and what its errors mean. No Airflow in here.

Works with psycopg 3 and with psycopg2, which Airflow 2.11 brings. Nothing relies on the session beyond a transaction,
since a pooler may hand it on; every wait has an end, also where the server does not answer.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from communication_trends.core.database_errors import CONFLICTS, DATABASE_ERRORS, explain, sqlstate
from communication_trends.core.errors import DatabaseUnavailableError, DatabaseUnusableError, OutdatedSnapshotError

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


Result = TypeVar("Result")

SOURCE_TABLES = ("organizations", "topic_classifications", "escalation_alerts")
"""The application's tables that trends are made from."""

TARGET_TABLES = ("organizations", "communication_trends", "communication_trends_provenance")
"""The tables that storing a trend reads or writes."""

MAX_CONFLICT_RETRIES = 5
"""How often a transaction starts again because of another one at the same time."""

UNKNOWABLE = frozenset({"42501", "42883", "42P01", "0A000"})
"""SQLSTATEs where a server does not tell something of itself: no privilege, no such function or view, not supported."""


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
    def answer(self) -> float:
        """Seconds after which we give up on a statement ourselves: the server has not ended it at its own limit."""
        return self.statement + self.network

    @property
    def idle(self) -> float:
        """Seconds after which the server ends a transaction that is idle, as it is while the other database works."""
        return max(self.answer, 60)


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
        if _is_psycopg3(database.connection):
            self._cursor = database.connection.cursor(row_factory=dict_row)
        else:
            self._cursor = database.connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """
        Run one statement and return its rows.

        :param sql: the statement, with ``%(name)s`` for each value.
        :param parameters: the values, bound by the driver.
        :raises psycopg.Error: as PostgreSQL reports it.
        :raises DatabaseUnavailableError: when there is no answer in time.
        """
        with self._database.bounded("the statement"):
            self._cursor.execute(sql, parameters)
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
        self._replay_goal: dict[str, Any] | None = {}
        self._replayed_servers: set[datetime.datetime] = set()
        connection.autocommit = False
        # One snapshot for all statements of a transaction: rows that arrive between two of them cannot make the
        # aggregate and the count that verifies it disagree.
        if _is_psycopg3(connection):
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            # Prepare nothing on the server: behind a pooler the next transaction may be on another session.
            connection.prepare_threshold = None
            self._notices: list[str] = []
            connection.add_notice_handler(
                lambda notice: self._notices.append(f"{notice.message_primary} {notice.source_function}")
            )
        else:
            connection.isolation_level = psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ
            self._notices = connection.notices

    def sql(self, name: str) -> str:
        """
        Return the text of a statement.

        :param name: file name in the folder of the statements.
        """
        return (self._sql_path / name).read_text(encoding="utf-8")

    @contextmanager
    def transaction(
        self, *, read_only: bool, aggregating: bool = False, lock: float | None = None
    ) -> Iterator[Transaction]:
        """
        Run a block in one transaction: one snapshot, UTC, with timeouts; committed at its end, rolled back on an error.

        :param read_only: whether PostgreSQL is to refuse any write.
        :param aggregating: whether it is planned as suits the aggregation, see sql/session.sql.
        :param lock: seconds that it waits for a lock, where that is less than the limit.
        :raises DatabaseUnavailableError: when there is no answer in time, or a replica ended the transaction to go on.
        :raises DatabaseUnusableError: when the encoding is SQL_ASCII, so that nobody knows what its text means.
        """
        try:
            opened = Transaction(self)
            (session,) = opened.rows(
                self.sql("session.sql"),
                {
                    "read_only": read_only,
                    "aggregating": aggregating,
                    "statement_timeout": f"{round(self.limits.statement * 1000)}ms",
                    "lock_timeout": f"{round(min(self.limits.lock, lock or self.limits.lock) * 1000)}ms",
                    "idle_timeout": f"{round(self.limits.idle * 1000)}ms",
                },
            )
            opened.began_at = session["began_at"]
            opened.server_started_at = session["server_started_at"]
            opened.is_on_replica = self.is_replica = session["in_recovery"]
            if session["server_encoding"] == "SQL_ASCII":
                raise DatabaseUnusableError(
                    f"{self.name}: the database's encoding is SQL_ASCII, so nobody knows which characters its bytes "
                    "mean. Move it to a database with the encoding UTF8 (pg_dump, createdb -E UTF8 -T template0)"
                )
            yield opened
            self._commit()
        except BaseException:
            # a broken connection cannot roll back; closing it does the same
            with suppress(*DATABASE_ERRORS), self.bounded("the rollback"):
                self.connection.rollback()
            raise

    def read(
        self, reads: Callable[[Transaction], Result], tables: Sequence[str], until: datetime.datetime | None = None
    ) -> Result:
        """
        Read in one transaction, which starts again where what it has read cannot be relied on.

        :param reads: what to do in it.
        :param tables: the tables that it reads.
        :param until: the moment up to which a replica has to have replayed, see `require_replayed`; None where that
            does not matter.
        :return: what ``reads`` returned.
        :raises OutdatedSnapshotError: when a table is rewritten again and again.
        """
        for attempt in range(1, MAX_CONFLICT_RETRIES + 1):
            try:
                with self.transaction(read_only=True) as transaction:
                    if until:
                        self.require_replayed(transaction, until)
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

    def wait_for_replica(self, until: datetime.datetime, target: Database) -> list[str]:
        """
        Make sure that everything is here that was committed before a moment, where rows come from somewhere else.

        That is so on a physical replica, and where a subscription (logical replication) fills the source tables.
        Call this before the transaction that relies on it begins, so that the transaction's snapshot is the later one.

        :param until: the moment, UTC.
        :param target: where trends are stored, which may be this database; if it is the primary or the publisher, it
            is asked how far it has written.
        :return: what could not be checked, each with what helps; usually nothing.
        :raises DatabaseUnavailableError: when not everything is here yet; says how far it is.
        """
        unknown: list[str] = []
        with self._if_it_can_be_known("whether a subscription that fills the source tables is behind", unknown):
            subscriptions = self._rows("subscription_position.sql", {"until": until, "goals": "{}"})
            # no subscription does anything on a replica: that of its primary does
            subscriber = target if self.is_replica else self
            if subscriptions and self.is_replica and not self._is_replica_of(target, unknown):
                unknown.append(
                    f"{self.name}: its primary receives rows by the subscription {subscriptions[0]['name']}; whether "
                    "that is behind only the primary knows. Set source_conn_id to the primary to have it checked"
                )
            elif subscriptions:
                subscriber._wait_for_subscriptions(until, target, unknown)
        if self.is_replica and self is not target:
            noted = len(unknown)
            with self._if_it_can_be_known("how far the replica has replayed", unknown):
                self._wait_for_replay(until, target, unknown)
                noted = len(unknown)
            if len(unknown) > noted:
                self._replay_goal = None
        return unknown

    def require_replayed(self, transaction: Transaction, until: datetime.datetime) -> None:
        """
        Make sure that a transaction is on a server that had all rows before its snapshot.

        A pooler over several replicas may give it another one than that which was waited for.

        :param transaction: open here, at its beginning.
        :param until: as of `wait_for_replica`, which has been called.
        :raises OutdatedSnapshotError: when it is another one, which has all rows now.
        :raises DatabaseUnavailableError: when not everything is there yet.
        """
        server = transaction.server_started_at
        if not transaction.is_on_replica or self._replay_goal is None or server in self._replayed_servers:
            return
        goal = {"until": until, "target_is_primary": False, "written": None, **self._replay_goal}
        try:
            (replica,) = transaction.run("replica_position.sql", goal)
        except DATABASE_ERRORS as error:
            if sqlstate(error) not in UNKNOWABLE:
                raise
            self._replay_goal = None
        else:
            if not replica["is_there"]:
                raise DatabaseUnavailableError(f"{self.name}: {_replayed(replica, until)}")
            self._replayed_servers.add(server)
        raise OutdatedSnapshotError(f"{self.name}: the transaction was on another replica than the one before")

    def _wait_for_replay(self, until: datetime.datetime, target: Database, unknown: list[str]) -> None:
        goal: dict[str, Any] = {"until": until, "target_is_primary": False, "written": None}
        deadline = time.monotonic() + self.limits.network
        if target_is_primary := self._is_replica_of(target, unknown):
            written = target._read("primary_position.sql")["written"]
            goal.update(target_is_primary=target_is_primary, written=written)
        self._replay_goal = goal
        while not (replica := self._read("replica_position.sql", goal))["is_there"]:
            if time.monotonic() > deadline:
                raise DatabaseUnavailableError(f"{self.name}: {_replayed(replica, until)}")
            time.sleep(0.2)
        self._replayed_servers.add(replica["server_started_at"])

    def _wait_for_subscriptions(self, until: datetime.datetime, target: Database, unknown: list[str]) -> None:
        publisher: dict[str, Any] = {"written": None, "slots": []}
        with target._if_it_can_be_known("how far it has written its log", unknown):
            publisher = target._read("primary_position.sql")
        goals: dict[str, dict[str, Any]] = {}
        deadline = time.monotonic() + self.limits.network
        while True:
            rows = self._rows("subscription_position.sql", {"until": until, "goals": json.dumps(goals)})
            behind = [row for row in rows if not row["is_there"]]
            if not behind:
                return
            if time.monotonic() > deadline or not all(row["enabled"] for row in behind):
                raise DatabaseUnavailableError(f"{self.name}: {'; '.join(_applied(row, until) for row in behind)}")
            for row in behind:
                # what another worker of it had seen does not count
                if row["has_applied"] and row["pid"] != goals.get(row["name"], {}).get("pid"):
                    # its slot has the same name on the publisher, which the target may be
                    written = publisher["written"] if row["slot"] in publisher["slots"] else None
                    goals[row["name"]] = {name: row[name] for name in ("pid", "sent_at", "seen_at")}
                    goals[row["name"]]["written"] = written
            time.sleep(0.1)

    def require_fed(self, start: datetime.datetime, end: datetime.datetime, target: Database) -> list[str]:
        """
        Make sure that this is no copy of the target's server that nothing reaches any more, a promoted replica for one.

        A copy of the target's server must have later messages than the target, or from after the period. If the target
        has later ones, nothing reaches it; if neither has, only messages of the period speak for it.

        :param start: first moment of the run's period, UTC.
        :param end: first moment after it, UTC.
        :param target: where trends are stored.
        :return: what could not be checked, each with what helps; usually nothing.
        :raises DatabaseUnusableError: when nothing reaches it, as far as can be seen.
        """
        unknown: list[str] = []
        with self._if_it_can_be_known("whether it is a copy of the target that gets no rows any more", unknown):
            here, there = self._read("server_identity.sql"), target._read("server_identity.sql")
            if here["system"] != there["system"] or here["started_at"] == there["started_at"] or here["in_recovery"]:
                return unknown
            if self._rows("subscription_position.sql", {"until": end, "goals": "{}"}):
                return unknown
            own = self._read("latest_message.sql", {"until": end})
            latest = own["created_at"]
            copy = f"{self.name}: it is a copy of the target's server that is no replica, such as one that was promoted"
            helps = "Make it a replica again, or set source_conn_id to the server that the application writes to"
            there_until = None
            # the target may be another database of its server, without messages
            with self._if_it_can_be_known("which messages the target has", []):
                there_until = target._read("latest_message.sql", {"until": end})["created_at"]
            if there_until and (latest is None or latest < there_until):
                raise DatabaseUnusableError(
                    f"{copy}, and gets no rows any more: its latest message before {end:%Y-%m-%d %H:%M} UTC is of "
                    f"{latest or 'no time at all'}, the target's of {there_until}. {helps}"
                )
            if own["has_later"] or (latest and there_until and latest > there_until):
                return unknown
            said = f"{copy}, and its latest message is of {latest or 'no time at all'}"
            if latest is None or latest < start.replace(tzinfo=None):
                raise DatabaseUnusableError(
                    f"{said}, before the period: nothing shows that it still gets rows. {helps}"
                )
            unknown.append(f"{said}: whether it still gets rows cannot be known. If it does not: {helps}")
        return unknown

    def unseen_servers(self) -> list[str]:
        """Return what cannot be known of source tables that are foreign tables, with what helps; usually nothing."""
        return [
            f"{self.name}: {row['table_name']} is read from the foreign server {row['servers']}: whether that is a "
            "standby that is behind cannot be known; let it be the primary"
            + (
                ""
                if row["shows_hidden_rows"]
                else ". Nor can it be known whether row-level security hides rows there: alter server "
                f"{row['servers']} options (add options '-c row_security=off') makes that an error"
            )
            for row in self._rows("foreign_tables.sql")
        ]

    def _is_replica_of(self, target: Database, unknown: list[str]) -> bool:
        """Whether the target is this replica's primary; False where that cannot be known."""
        with self._if_it_can_be_known("whether the target is its primary", unknown):
            return bool(
                self._read("server_identity.sql")["system"] == target._read("server_identity.sql")["system"]
                and self is not target
            )
        return False

    @contextmanager
    def _if_it_can_be_known(self, what: str, unknown: list[str]) -> Iterator[None]:
        """Note where PostgreSQL does not let the role find something out, or does not have the function for it."""
        try:
            yield
        except DATABASE_ERRORS as error:
            if sqlstate(error) not in UNKNOWABLE:
                raise
            name = re.search(r"for (function|view|table) (\S+)", str(error))
            grant = {"function": "execute on function {}()", "view": "select on {}", "table": "select on {}"}
            helps = f"; grant {grant[name[1]].format(name[2])} to the role to have it checked" if name else ""
            note = f"{self.name}: {what} cannot be known: {explain(error)}{helps}"
            if note not in unknown:
                unknown.append(note)

    def _read(self, name: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        (row,) = self._rows(name, parameters)
        return row

    def _rows(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        with self.transaction(read_only=True) as transaction:
            return transaction.rows(self.sql(name), parameters)

    def _commit(self) -> None:
        self._notices.clear()
        # PostgreSQL stops counting statement_timeout before it commits, so the commit is canceled from here
        with (
            _if_longer_than(self.limits.statement, self._cancel),
            self.bounded("the commit; whether it is stored shows at the next try"),
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
        self._cancel()

    def _cancel(self) -> None:
        # Every other way to cancel, psycopg2's included, would block all threads for as long as the network is silent.
        if _is_psycopg3(self.connection) and psycopg.capabilities.has_cancel_safe():
            with suppress(*DATABASE_ERRORS):
                self.connection.cancel_safe(timeout=self.limits.network)

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
    def bounded(self, waiting_for: str) -> Iterator[None]:
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
            with own, _if_longer_than(self.limits.answer, give_up):
                yield
        except DATABASE_ERRORS as error:
            if given_up.is_set():
                raise DatabaseUnavailableError(
                    f"{self.name}: no answer within {self.limits.answer:g} s (setting statement_timeout and "
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
        Return the connection's socket under a descriptor of its own.

        The driver closes the connection's own when it finds the connection lost, and whatever another thread opens next
        gets its number.
        """
        with suppress(OSError, *DATABASE_ERRORS):
            return socket.fromfd(self.connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        # closed already, as what is waited for will say: a socket that is connected to nothing takes its place
        return socket.socket()


def refusal(error: BaseException, seconds: float) -> str | None:
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


@contextmanager
def _if_longer_than(seconds: float, action: Callable[[], None]) -> Iterator[None]:
    """
    Do something from another thread if the block takes longer.

    When the block is left, that is done or never will be: what it is done to can be closed, or used for something else.
    """
    is_over = threading.Event()
    acting = threading.Lock()

    def act() -> None:
        with acting:
            if not is_over.is_set():
                action()

    timer = threading.Timer(seconds, act)
    # so that a process that ends does not wait for it
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        is_over.set()
        with acting:
            pass


def _replayed(replica: Mapping[str, Any], until: datetime.datetime) -> str:
    """Say how far a replica is, from a row of sql/replica_position.sql."""
    if replica["replayed_until"]:
        far = f"up to {replica['replayed_until']} UTC, {replica['seconds_behind']} s behind {until:%Y-%m-%d %H:%M} UTC"
    else:
        far = f"no transaction since it was started, and is needed up to {until:%Y-%m-%d %H:%M} UTC"
    if replica["bytes_behind"] is not None:
        far += f"; {replica['bytes_behind']} bytes of its primary's log are missing"
    if replica["is_paused"]:
        far += ". Its replay is paused: select pg_wal_replay_resume()"
    if replica["receiver_is_hidden"]:
        far += ". Whether that is all there is only pg_read_all_stats may see: grant it to the role"
    return f"the replica has replayed {far}"


def _applied(subscription: Mapping[str, Any], until: datetime.datetime) -> str:
    """Say how far a subscription is, from a row of sql/subscription_position.sql."""
    name = subscription["name"]
    what = f"the subscription {name}, which fills the source tables,"
    if not subscription["enabled"]:
        return (
            f"{what} is disabled, so rows may be missing: alter subscription {name} enable, or drop it if nothing "
            "comes by it any more"
        )
    if subscription["unfinished_tables"]:
        return f"{what} has not copied all rows of {subscription['unfinished_tables']} yet"
    if not subscription["pid"]:
        return f"{what} has no worker running: the server's log says why"
    far = "has applied nothing since it was started"
    if subscription["has_applied"]:
        far = f"has applied what was sent up to {subscription['applied_until']} UTC"
    if subscription["bytes_behind"]:
        far += f"; {subscription['bytes_behind']} bytes of its publisher's log are missing"
    return (
        f"{what} {far}, and is needed up to {until:%Y-%m-%d %H:%M} UTC. If it does not catch up, look for a lock on "
        "the tables or an error in the server's log"
    )


def _is_psycopg3(connection: Any) -> bool:
    return psycopg is not None and isinstance(connection, psycopg.Connection)
