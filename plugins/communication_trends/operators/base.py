"""What the DAGs' three steps have in common."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from communication_trends.sdk import AirflowFailException, Asset, BaseOperator

from communication_trends import settings
from communication_trends.compat import run_after, triggered_by
from communication_trends.connections import open_database
from communication_trends.core.database import Database
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import DAILY, KINDS, Granularity, Period, resolve_period, utc_now
from communication_trends.params import refuse_ignored_conf, requested_lookback

ASSETS = {
    kind: Asset("communication_trends" if kind is DAILY else f"communication_trends_{kind.name}")
    for kind in KINDS.values()
}
"""The table, for Airflow: updated once by each run that succeeds, with its summary as the event's extra."""

REPORT_KEY = "outcome"
"""XCom key of what a task instance reports beyond what the tables show; pushed only if there is something."""


class Batch(NamedTuple):
    """
    The organizations of one task instance.

    :param name: its name in the UI, in one line.
    :param organizations: their ids.
    :param lookback: how many earlier periods the run recomputes; None in the list of an earlier release.
    """

    name: str
    organizations: list[str]
    lookback: int | None = None

    def encode(self) -> str:
        """
        Return it as text, in lines: the name, the ids with commas between, the lookback.

        Not a list: each task instance fetches them all, and what that costs Airflow's API server grows with the number
        of values.
        """
        return f"{self.name}\n{','.join(self.organizations)}\n{self.lookback}"

    @classmethod
    def decode(cls, text: str) -> Batch:
        """Return the batch of a text that `encode` has made."""
        name, ids, *lookback = text.split("\n")
        return cls(name, ids.split(","), *map(int, lookback))


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
        Return the tables that were read and written, for Airflow's OpenLineage provider; nothing else calls this.

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
        Return the period that the current run is for.

        :param context: Airflow's context.
        :raises AirflowFailException: when the run's conf, logical date or data interval cannot be used; Airflow does
            not retry it.
        """
        dag_run = context["dag_run"]
        try:
            # here, since every step asks for the period before it does anything else
            refuse_ignored_conf(dag_run.conf, context["params"])
            return resolve_period(
                self.kind,
                triggered_by=triggered_by(dag_run),
                logical_date=dag_run.logical_date,
                run_after=run_after(dag_run),
                data_interval_start=dag_run.data_interval_start,
                data_interval_end=dag_run.data_interval_end,
                date=context["params"]["date"],
                now=utc_now(),
            )
        except InvalidInputError as error:
            raise AirflowFailException(str(error)) from None

    def lookback_periods(self, context: Any, listed: Batch | None = None) -> list[Period]:
        """
        Return the periods that the current run recomputes, newest first.

        :param context: Airflow's context.
        :param listed: a batch of the run, which has its lookback: the setting may have changed since.
        :raises AirflowFailException: when ``lookback`` cannot be used.
        """
        if listed and listed.lookback is not None:
            return self.run_period(context).earlier(listed.lookback)
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
        return open_database(conn_id, sql_path=self.sql_path)
