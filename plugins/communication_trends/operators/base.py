"""What the DAGs' three steps have in common."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, Asset, BaseOperator

from communication_trends import settings
from communication_trends.compat import (
    run_after,
    triggered_by,
)
from communication_trends.connections import connected
from communication_trends.core.database import Database
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import DAILY, KINDS, Granularity, Period, resolve_period
from communication_trends.params import (
    requested_lookback,
)

ASSETS = {
    kind: Asset("communication_trends" if kind is DAILY else f"communication_trends_{kind.name}")
    for kind in KINDS.values()
}
"""The table, for Airflow: updated once by each run that succeeds, with its summary as the event's extra."""

OUTCOME_KEY = "outcome"
"""XCom key of what a task instance tells summarize beyond what the table shows; pushed only if there is something."""

LOGGED_AT_ONCE = 50
"""Organizations in a line of the log."""


class TrendsOperator(BaseOperator):
    """
    What the three steps have in common.

    :param period: name of the length of the DAG's periods: ``daily``, ``weekly`` or ``monthly``
    """

    def __init__(self, *, period: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.period = period
        # rows by connection and table, once the task instance has run
        self.rows_read: dict[str, dict[str, int]] = {}
        self.rows_written: dict[str, dict[str, int]] = {}

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """
        Return the tables that were read and written, for Airflow's OpenLineage provider; nobody else calls this.

        :param task_instance: not needed.
        """
        # here: neither the provider nor anything of it is needed otherwise
        from communication_trends.lineage import operator_lineage

        return operator_lineage(self.rows_read, self.rows_written, self.sql_path)

    @property
    def kind(self) -> Granularity:
        """The length of the DAG's periods."""
        return KINDS[self.period]

    def run_period(self, context: Any) -> Period:
        """
        Return the period that the present run is for.

        :param context: Airflow's context.
        :raises AirflowFailException: when the run's conf or data interval names none; Airflow does not retry it.
        """
        dag_run = context["dag_run"]
        try:
            return resolve_period(
                self.kind,
                triggered_by=triggered_by(dag_run),
                run_after=run_after(dag_run),
                data_interval_start=dag_run.data_interval_start,
                data_interval_end=dag_run.data_interval_end,
                date=context["params"]["date"],
                now=datetime.datetime.now(datetime.timezone.utc),
            )
        except InvalidInputError as error:
            raise AirflowFailException(str(error)) from None

    def earlier_periods(self, context: Any) -> list[Period]:
        """
        Return the periods that the present run does again, newest first.

        :param context: Airflow's context.
        :raises AirflowFailException: when ``lookback`` cannot be used.
        """
        try:
            lookback = requested_lookback(context["params"]["lookback"], self.kind, triggered_by(context["dag_run"]))
        except InvalidInputError as error:
            raise AirflowFailException(str(error)) from None
        return self.run_period(context).earlier(lookback)

    @property
    def sql_path(self) -> Path:
        """Folder of the statements that belong to the DAG file, those of its bundle for example."""
        return settings.sql_path(self.dag.fileloc)

    def connected(self, conn_id: str) -> AbstractContextManager[Database]:
        """
        Open a connection, with the statements that belong to the DAG file.

        :param conn_id: id of an Airflow connection.
        """
        return connected(conn_id, sql_path=self.sql_path)

    def organizations_missing_in_source(self, period: Period, wanted: Sequence[str] | None) -> list[tuple[str, str]]:
        """
        Return the target's organizations, as (id, slug), that the source lacks though a run stored them just before.

        They have a trend of the period before. With one connection there are none: a database agrees with itself.

        :param period: the run's own.
        :param wanted: ids or slugs that the run is for; None for all.
        """
        if settings.source_conn_id() == settings.conn_id():
            return []
        (before,) = period.earlier(1)
        parameters = {"period_start": before.start, "trend_period": period.kind.name, **named_organizations(wanted)}
        with self.connected(settings.conn_id()) as target, target.transaction(read_only=True) as check:
            expected = check.rows(target.sql("organizations_with_trend.sql"), parameters)
        if not expected:
            return []
        ids = [row["id"] for row in expected]
        with self.connected(settings.source_conn_id()) as source, source.transaction(read_only=True) as check:
            rows = check.rows(source.sql("organizations.sql"), {"ids": ids, "slugs": []})
        found = {row["id"] for row in rows}
        return [(row["id"], row["slug"] or row["id"]) for row in expected if row["id"] not in found]


def named_organizations(wanted: Sequence[str] | None) -> dict[str, list[str] | None]:
    """Return the ids and the slugs, as parameters of a statement, that organizations may be named by; None for all."""
    if wanted is None:
        return {"ids": None, "slugs": None}
    storable = [entry for entry in wanted if _is_storable(entry)]
    return {"ids": [id_ for id_ in map(as_id, storable) if id_], "slugs": storable}


def _is_storable(text: str) -> bool:
    """Whether a PostgreSQL text can hold this: no NUL, no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def as_id(text: str) -> str | None:
    """Return the text as PostgreSQL writes a uuid, or None where it is none."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def listed(names: Sequence[str], limit: int = LOGGED_AT_ONCE) -> str:
    """Return names in one line, the first of them where there are many."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
