"""
Whether a run can read the source and store trends, before it writes anything. No Airflow in here.

The run's own statements are tried, in transactions that are always rolled back: PostgreSQL decides what works, its
error says what does not. What it would accept silently is looked up before, by sql/check_tables.sql.

Usage::

    problems = Preflight(database, sides=["source", "target"], period=period).problems()
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from communication_trends.core.database import Database, Transaction
from communication_trends.core.database_errors import DATABASE_ERRORS, explain, is_lost, named, sqlstate
from communication_trends.core.errors import TrendMismatchError
from communication_trends.core.evidence import NUMBERS
from communication_trends.core.period import Period
from communication_trends.core.refusals import (
    Problem,
    is_of_the_table,
    is_temporary,
    may_be_of_the_table,
    refusal,
)
from communication_trends.core.statements import json_parts
from communication_trends.core.verification import difference
from communication_trends.core.wording import list_text
from communication_trends.core.work import HotspotRule

log = logging.getLogger(__name__)

STORING_ERRORS: tuple[type[Exception], ...] = (*DATABASE_ERRORS, TrendMismatchError)

LOCK_TIMEOUT = 0.5
"""Seconds that a trial waits for a lock that another session holds."""

TRIED_ORGANIZATIONS = 20
"""Organizations to try until one can be stored: what the application refuses of one of them is not the table's."""

LISTED_ORGANIZATIONS = 5
"""Organizations that a problem names."""

NO_ORGANIZATION = "00000000-0000-0000-0000-000000000000"
"""Tried where the target has no organization: no row is written, but PostgreSQL plans it and checks the privileges."""

BUSY = {
    "topic_distribution": '{"general": 10}',
    "sentiment_distribution": '{"neutral": 10}',
    "escalation_counts": '{"high": 1}',
    "channel_hotspots": '[{"channelId": "trial", "riskScore": 100, "messageCount": 10}]',
    "total_classifications": 10,
    "avg_confidence": 80,
    "messages_with_tone": 10,
    "messages_with_confidence": 10,
    "alerts": 1,
}
BUSIER = {
    **BUSY,
    "topic_distribution": '{"general": 11}',
    "sentiment_distribution": '{"neutral": 11}',
    "total_classifications": 11,
    "messages_with_tone": 11,
}
IDLE = {
    "topic_distribution": "{}",
    "sentiment_distribution": "{}",
    "escalation_counts": "{}",
    "channel_hotspots": "[]",
    "total_classifications": 0,
    "avg_confidence": None,
    "messages_with_tone": 0,
    "messages_with_confidence": 0,
    "alerts": 0,
}


class Preflight:
    """
    Finds what keeps a run from reading or storing.

    :param database: the connection to check.
    :param sides: what it is used for: ``source``, ``target`` or both.
    :param period: the run's own.
    """

    def __init__(self, database: Database, *, sides: Sequence[str], period: Period) -> None:
        self.database = database
        self.sides = list(sides)
        self.period = period

    def problems(self) -> list[Problem]:
        """
        Return what has to be fixed first; nothing if the run can begin.

        :raises psycopg.Error: when the connection is lost; a retry may help.
        :raises DatabaseUnavailableError: when there is no answer in time.
        """
        with self.database.transaction(read_only=True) as catalog:
            rows = catalog.run("check_tables.sql", {"sides": self.sides})
        if rows:
            return [Problem(row["problem"], row["remedy"]) for row in rows]
        problems: list[Problem] = []
        if "source" in self.sides and (error := self._error_of_reading()):
            problems += self._explained("the source cannot be read", error)
        repeated = [] if problems else self._repeated_organizations()
        problems += repeated
        if "target" in self.sides and not repeated:
            problems += self._problems_of_storing() or self._narrow_indexes()
        return list(dict.fromkeys(problems))

    def _repeated_organizations(self) -> list[Problem]:
        """Each organization is counted as often as it is listed; a table with its primary key lists each once."""
        rows = self._looked_up("repeated_organizations.sql")
        if not rows:
            return []
        found = list_text([f"{row['id'] or 'no id'} ({row['times']} times)" for row in rows], LISTED_ORGANIZATIONS)
        return [
            Problem(
                f"organizations: it lists {found}, instead of each organization once",
                "correct the view, or give the table its primary key on id",
            )
        ]

    def _narrow_indexes(self) -> list[Problem]:
        """A week and its Monday begin on the same date, which the trial of one of them does not show."""
        rows = self._looked_up("narrow_indexes.sql", {"trend_period": self.period.kind.name})
        return [
            Problem(
                f"communication_trends: {row['definition']} allows one trend for each organization and date, but days, "
                "weeks and months begin on the same ones",
                f"alter table communication_trends drop constraint {row['constraint_name']}"
                if row["constraint_name"]
                else f"drop index {row['index_name']}",
            )
            for row in rows
        ]

    def _looked_up(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a statement; none where it fails for what the trial of storing reports."""
        try:
            with self.database.transaction(read_only=True, lock=LOCK_TIMEOUT) as lookup:
                return lookup.run(name, parameters)
        except DATABASE_ERRORS as error:
            self._judged(error)
            return []

    def _error_of_reading(self) -> Exception | None:
        """Run the statements that read, for no organization: nothing is scanned."""
        nothing = {
            "organization_ids": [],
            "period_starts": [self.period.start],
            "period_ends": [self.period.end],
            "hotspot_topics": [],
            "hotspot_min_messages": 0,
            "hotspot_min_ratio": "0",
        }
        try:
            with self.database.transaction(read_only=True, aggregating=True, lock=LOCK_TIMEOUT) as reading:
                reading.run("aggregate_trends.sql", nothing)
                reading.run("count_source_rows.sql", nothing)
        except DATABASE_ERRORS as error:
            return self._judged(error)
        return None

    def _problems_of_storing(self) -> list[Problem]:
        """Try one organization after the other until one can be stored."""
        if (organizations := self._organizations()) is None:
            return []
        first: Exception | None = None
        refused, untried = 0, 0
        for organization in organizations or [NO_ORGANIZATION]:
            error = self._error_of_storing(organization)
            if error is None:
                return []
            if is_of_the_table(error):
                return self._explained("communication_trends", error)
            if is_temporary(error):
                untried += 1
                # a lock on the table or a slow trigger, most likely: the others would wait as long
                if untried == 2 or sqlstate(error) == "57014":
                    break
            else:
                first = first or error
                refused += 1
        if untried or not first:
            return []
        # with one organization it cannot be known whether the others would fare better
        if refused == 1 and not may_be_of_the_table(first):
            log.warning("Storing a trend was tried and refused, perhaps only for the one organization: %s", first)
            return []
        return self._explained("communication_trends", first, tried=refused)

    def _organizations(self) -> list[str] | None:
        """Return the organizations to try; none of them where the target has none, None where they cannot be read."""
        try:
            with self.database.transaction(read_only=True, lock=LOCK_TIMEOUT) as listing:
                rows = listing.run("trial_organizations.sql", {"limit": TRIED_ORGANIZATIONS})
        except DATABASE_ERRORS as error:
            # the statement itself reports what is missing
            return None if is_temporary(self._judged(error)) else []
        return [row["id"] for row in rows]

    def _error_of_storing(self, organization: str) -> Exception | None:
        error = self._error_of_writing(organization, [BUSY, IDLE])
        if error is None or is_of_the_table(error) or may_be_of_the_table(error) or is_temporary(error):
            return error
        if self._error_of_writing(organization, [BUSY, BUSIER]):
            return error
        log.warning("The application refuses trends of organizations without messages: %s", explain(error))
        return None

    def _error_of_writing(self, organization: str, trends: Iterable[dict[str, Any]]) -> Exception | None:
        """Store some trends of one organization and the run's period one after the other, and roll all of it back."""
        try:
            with self.database.trial(lock=LOCK_TIMEOUT) as trial:
                for trend in trends:
                    parameters = self._parameters(trial, organization, trend)
                    trial.run("upsert_trends.sql", parameters)
                    different = trial.run("verify_trends.sql", parameters)
                    if different and organization != NO_ORGANIZATION:
                        raise TrendMismatchError(
                            f"the stored row is not the one that was written: {difference(different[0])}"
                        )
        except STORING_ERRORS as error:
            return self._judged(error)
        return None

    def _parameters(self, trial: Transaction, organization: str, trend: dict[str, Any]) -> dict[str, Any]:
        """Return what the statements that store and verify are given; overwriting whatever is stored."""
        row = {
            "organization_id": organization,
            "period_start": self.period.start,
            **trend,
            "messages": trend["total_classifications"],
            "is_final": True,
            "may_be_filled": True,
        }
        return {
            **next(json_parts([row])),
            "trend_period": self.period.kind.name,
            "force": True,
            "computed_at": trial.began_at,
            # whatever is stored
            "newest_known": "infinity",
            "hotspot_rule": HotspotRule(topics=()).as_json(),
            "final_before": self.period.end,
            "may_be_filled": True,
            "numbers": NUMBERS,
            "dag_id": None,
            "run_id": None,
            "package_version": None,
        }

    def _judged(self, error: Exception) -> Exception:
        """Return an error that says something of the tables; raise one of the connection; log one that may pass."""
        if isinstance(error, DATABASE_ERRORS) and is_lost(error) and sqlstate(error) != "25006":
            raise error
        if is_temporary(error):
            log.warning("Whether the run can work could not be tried now: %s", explain(error))
        return error

    def _explained(self, where: str, error: Exception, tried: int = 1) -> list[Problem]:
        """Word an error: with the names that the catalog gives, or else with PostgreSQL's own message."""
        if is_temporary(error):
            return []
        code = sqlstate(error)
        if code == "25006" and not named(error, "context"):
            return [self._read_only()]
        with self.database.transaction(read_only=True) as catalog:
            rows = catalog.run(
                "explain_refusal.sql",
                {"sqlstate": code, "constraint_name": named(error, "constraint_name"), "sides": self.sides},
            )
        if rows:
            return [Problem(row["problem"], row["remedy"]) for row in rows]
        return [refusal(error, where, tried)]

    def _read_only(self) -> Problem:
        if self.database.is_replica:
            return Problem(
                "communication_trends: the database is a standby, which stores nothing",
                "connect to the primary: its host, or all hosts with target_session_attrs=read-write",
            )
        role, name = self.database.connection.info.user, self.database.connection.info.dbname
        return Problem(
            f"communication_trends: {role} can only open read-only transactions (default_transaction_read_only)",
            f"alter role {role} in database {name} set default_transaction_read_only = off, or find out who set it "
            "and why; to read from another server, use the setting source_conn_id",
        )
