"""
Whether a database that rows are read from has all of them: a replica, a subscriber, a copy. No Airflow in here.

What PostgreSQL does not let the role find out is returned as a note, with the remedy.
"""

from __future__ import annotations

import datetime
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from communication_trends.core.database_errors import DATABASE_ERRORS, explain, sqlstate
from communication_trends.core.errors import DatabaseUnavailableError, DatabaseUnusableError, OutdatedSnapshotError

if TYPE_CHECKING:
    from communication_trends.core.database import Database, Transaction

UNKNOWABLE = frozenset({"42501", "42883", "42P01", "0A000"})
"""SQLSTATEs where a server does not report on itself: no privilege, no such function or view, not supported."""


class Replication:
    """
    What is known of where a database's rows come from.

    :param database: which one.
    :param tables: those that have to have all of their rows.
    """

    def __init__(self, database: Database, tables: Sequence[str]) -> None:
        self._database = database
        self._tables = list(tables)
        self._name = database.name
        self._goal: dict[str, Any] | None = {}
        self._servers: set[datetime.datetime] = set()

    def wait_for_replica(self, until: datetime.datetime, target: Database) -> list[str]:
        """
        Make sure that everything is here that was committed before a moment, where rows come from somewhere else.

        That is so on a physical replica, and where a subscription (logical replication) fills the source tables.
        Call this before the transaction that relies on it begins, so that the transaction's snapshot is the later one.

        :param until: the moment, UTC.
        :param target: where trends are stored, which may be this database; if it is the primary or the publisher, it
            is asked how far it has written.
        :return: what could not be checked, each with its remedy; usually nothing.
        :raises DatabaseUnavailableError: when not everything is here yet; says how far it is.
        """
        unknown: list[str] = []
        with self._if_it_can_be_known("whether a subscription that fills the source tables is behind", unknown):
            subscriptions = self._subscriptions(until)
            # no subscription does anything on a replica: that of its primary does
            subscriber = target.replication if self._database.is_replica else self
            if subscriptions and self._database.is_replica and not self._is_replica_of(target, unknown):
                unknown.append(
                    f"{self._name}: its primary receives rows by the subscription {subscriptions[0]['name']}; whether "
                    "that is behind only the primary knows. Set source_conn_id to the primary to have it checked"
                )
            elif subscriptions:
                subscriber._wait_for_subscriptions(until, target, unknown)
        if self._database.is_replica and self._database is not target:
            noted = len(unknown)
            with self._if_it_can_be_known("how far the replica has replayed", unknown):
                self._wait_for_replay(until, target, unknown)
                noted = len(unknown)
            if len(unknown) > noted:
                self._goal = None
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
        if not transaction.is_on_replica or self._goal is None or server in self._servers:
            return
        goal = {"until": until, "target_is_primary": False, "written": None, **self._goal}
        try:
            (replica,) = transaction.run("replica_position.sql", goal)
        except DATABASE_ERRORS as error:
            if sqlstate(error) not in UNKNOWABLE:
                raise
            self._goal = None
        else:
            if not replica["is_caught_up"]:
                raise DatabaseUnavailableError(f"{self._name}: {_replayed(replica, until)}")
            self._servers.add(server)
        raise OutdatedSnapshotError(f"{self._name}: the transaction was on another replica than the one before")

    def _wait_for_replay(self, until: datetime.datetime, target: Database, unknown: list[str]) -> None:
        goal: dict[str, Any] = {"until": until, "target_is_primary": False, "written": None}
        deadline = time.monotonic() + self._database.limits.network
        if target_is_primary := self._is_replica_of(target, unknown):
            written = target.read_row("primary_position.sql")["written"]
            goal.update(target_is_primary=target_is_primary, written=written)
        self._goal = goal
        while not (replica := self._database.read_row("replica_position.sql", goal))["is_caught_up"]:
            if time.monotonic() > deadline:
                raise DatabaseUnavailableError(f"{self._name}: {_replayed(replica, until)}")
            time.sleep(0.2)
        self._servers.add(replica["server_started_at"])

    def _wait_for_subscriptions(self, until: datetime.datetime, target: Database, unknown: list[str]) -> None:
        publisher: dict[str, Any] = {"written": None, "slots": []}
        with target.replication._if_it_can_be_known("how far it has written its log", unknown):
            publisher = target.read_row("primary_position.sql")
        goals: dict[str, dict[str, Any]] = {}
        deadline = time.monotonic() + self._database.limits.network
        while True:
            rows = self._subscriptions(until, goals)
            behind = [row for row in rows if not row["is_caught_up"]]
            if not behind:
                return
            if time.monotonic() > deadline or not all(row["enabled"] for row in behind):
                raise DatabaseUnavailableError(f"{self._name}: {'; '.join(_applied(row, until) for row in behind)}")
            for row in behind:
                # what another worker of it had seen does not count
                if row["has_applied"] and row["pid"] != goals.get(row["name"], {}).get("pid"):
                    # its slot has the same name on the publisher, which the target may be
                    written = publisher["written"] if row["slot"] in publisher["slots"] else None
                    goals[row["name"]] = {name: row[name] for name in ("pid", "sent_at", "seen_at")}
                    goals[row["name"]]["written"] = written
            time.sleep(0.1)

    def _subscriptions(
        self, until: datetime.datetime, goals: Mapping[str, Mapping[str, Any]] | None = None
    ) -> list[dict[str, Any]]:
        parameters = {"tables": self._tables, "until": until, "goals": json.dumps(goals or {})}
        return self._database.read_rows("subscription_position.sql", parameters)

    def require_fed(self, start: datetime.datetime, end: datetime.datetime, target: Database) -> list[str]:
        """
        Make sure that this is no copy of the target's server that nothing reaches any more, a promoted replica for one.

        A copy of the target's server must have later messages than the target, or from after the period. If the target
        has later ones, nothing reaches it; if neither has, only messages of the period speak for it.

        :param start: first moment of the run's period, UTC.
        :param end: first moment after it, UTC.
        :param target: where trends are stored.
        :return: what could not be checked, each with its remedy; usually nothing.
        :raises DatabaseUnusableError: when nothing reaches it, as far as can be seen.
        """
        unknown: list[str] = []
        with self._if_it_can_be_known("whether it is a copy of the target that gets no rows any more", unknown):
            here, there = self._database.read_row("server_identity.sql"), target.read_row("server_identity.sql")
            if here["system"] != there["system"] or here["started_at"] == there["started_at"] or here["in_recovery"]:
                return unknown
            if self._subscriptions(end):
                return unknown
            own = self._database.read_row("latest_message.sql", {"until": end})
            latest = own["created_at"]
            copy = (
                f"{self._name}: it is a copy of the target's server that is no replica, such as one that was promoted"
            )
            remedy = "Make it a replica again, or set source_conn_id to the server that the application writes to"
            there_until = None
            # the target may be another database of its server, without messages
            with self._if_it_can_be_known("which messages the target has", []):
                there_until = target.read_row("latest_message.sql", {"until": end})["created_at"]
            if there_until and (latest is None or latest < there_until):
                raise DatabaseUnusableError(
                    f"{copy}, and gets no rows any more: its latest message before {end:%Y-%m-%d %H:%M} UTC is of "
                    f"{latest or 'no time at all'}, the target's of {there_until}. {remedy}"
                )
            if own["has_later"] or (latest and there_until and latest > there_until):
                return unknown
            said = f"{copy}, and its latest message is of {latest or 'no time at all'}"
            if latest is None or latest < start.replace(tzinfo=None):
                raise DatabaseUnusableError(
                    f"{said}, before the period: nothing shows that it still gets rows. {remedy}"
                )
            unknown.append(f"{said}: whether it still gets rows cannot be known. If it does not: {remedy}")
        return unknown

    def unseen_servers(self) -> list[str]:
        """Return what cannot be known of source tables that are foreign tables, with the remedy; usually nothing."""
        return [
            f"{self._name}: {row['table_name']} is read from the foreign server {row['servers']}: whether that is a "
            "standby that is behind cannot be known; let it be the primary"
            + (
                ""
                if row["shows_hidden_rows"]
                else ". Nor can it be known whether row-level security hides rows there: alter server "
                f"{row['servers']} options (add options '-c row_security=off') makes that an error"
            )
            for row in self._database.read_rows("foreign_tables.sql", {"tables": self._tables})
        ]

    def unseen_refreshes(self) -> list[str]:
        """Return which source tables are as old as the last refresh of a materialized view; usually nothing."""
        return [
            f"{self._name}: {row['table_name']} is read from the materialized view {row['views']}: whether that has "
            "been refreshed since the period ended cannot be known; refresh it before each run"
            for row in self._database.read_rows("materialized_views.sql", {"tables": self._tables})
        ]

    def _is_replica_of(self, target: Database, unknown: list[str]) -> bool:
        """Whether the target is this replica's primary; False where that cannot be known."""
        with self._if_it_can_be_known("whether the target is its primary", unknown):
            return bool(
                self._database.read_row("server_identity.sql")["system"]
                == target.read_row("server_identity.sql")["system"]
                and self._database is not target
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
            remedy = f"; grant {grant[name[1]].format(name[2])} to the role to have it checked" if name else ""
            note = f"{self._name}: {what} cannot be known: {explain(error)}{remedy}"
            if note not in unknown:
                unknown.append(note)


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
