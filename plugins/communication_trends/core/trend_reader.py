"""Reads the stored trends: for the page, the summary and the notifications alike. No Airflow in here."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Any

from communication_trends.core.database import Database, Transaction
from communication_trends.core.evidence import NUMBERS
from communication_trends.core.period import Granularity
from communication_trends.core.totals import MIN_MATCHED_PERCENT, RISK_PRIOR

MAX_COUNT = 2_147_483_647
"""The largest number that is taken for a count."""

READING_PARAMETERS = {
    # jsonpath that is false for what can be read. strict: otherwise it would look into arrays. What cannot be compared,
    # and what has no sign (+), as null has none, gives null, not false: unreadable as well
    "broken_counts": f"strict $.* < 0 || +$.* > {MAX_COUNT}",
    "broken_hotspots": "strict "
    + " || ".join(
        f"$[*].{field} < 0 || +$[*].{field} > {largest}"
        for field, largest in (("riskScore", 100), ("messageCount", MAX_COUNT))
    )
    + ' || $[*].channelId.type() != "string"',
    "max_count": MAX_COUNT,
    "numbers": NUMBERS,
    "risk_prior": RISK_PRIOR,
    "min_matched_percent": MIN_MATCHED_PERCENT,
    "organization_id": None,
    "found_organization_id": None,
}
"""What is bound for each statement, unless something else is given: without an organization, all of them."""


class TrendReader:
    """
    One open read-only transaction, with the statements of ``sql/reading/`` and, for the page, ``sql/web/``.

    :param database: where it is open.
    :param transaction: the transaction.
    :param changes_until: up to when its snapshot has every change; None where that was not looked up.
    """

    def __init__(
        self, database: Database, transaction: Transaction, changes_until: datetime.datetime | None = None
    ) -> None:
        self._database = database
        self._transaction = transaction
        self.changes_until = changes_until

    def rows(self, name: str, **parameters: object) -> list[dict]:
        """
        Run one statement and return its rows.

        :param name: its file in ``sql/``, with its folder and without the ending.
        :param parameters: the values it binds.
        """
        # if it cannot be read, nothing is known not to be final
        instead = {} if self.knows_origins else {"provenance": "no_provenance"}
        return self._transaction.rows(self._database.sql(f"{name}.sql", instead), {**READING_PARAMETERS, **parameters})

    def savepoint(self) -> AbstractContextManager[None]:
        """Run a block after whose failure the transaction can go on, on the same snapshot; the error is raised."""
        return self._transaction.savepoint()

    @cached_property
    def knows_origins(self) -> bool:
        """Whether the provenance of trends can be read."""
        [row] = self._transaction.run("reading/knows_origins.sql")
        return row["knows_origins"]

    def changed_periods(
        self, kind: Granularity, since: datetime.datetime, organization_id: str | None
    ) -> list[dict[str, Any]]:
        """
        Return the periods whose trends have changed since a moment, as a run's asset event has them.

        :param kind: the length of the periods.
        :param since: the moment, aware.
        :param organization_id: whose trends; None for all organizations'.
        """
        return self._transaction.run(
            "changed_periods.sql",
            {"trend_period": kind.name, "changed_since": since, "organization_id": organization_id},
        )


@contextmanager
def open_reader(database: Database, *, with_changes: bool = False) -> Iterator[TrendReader]:
    """
    Open one read-only transaction on one snapshot.

    :param database: where the trends are, with no transaction open.
    :param with_changes: whether to look up beforehand up to when the snapshot has every change.
    """
    until = changes_until(database) if with_changes else None
    with database.transaction(read_only=True) as transaction:
        reader = TrendReader(database, transaction, until)
        reader.rows("reading/planner_settings")
        yield reader


def changes_until(database: Database) -> datetime.datetime:
    """
    Return the moment up to which a transaction that begins after this call sees every change of the trends.

    In the same transaction it could be too late: what commits between its snapshot and this look-up shows in neither.

    :param database: where the trends are, with no transaction open.
    """
    with database.transaction(read_only=True) as transaction:
        (row,) = transaction.run("changes_until.sql")
    return row["changes_until"]
