"""The DAGs' first step: check the run's input and the tables, list the organizations."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException

from communication_trends import settings
from communication_trends.connections import errors_explained
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import Period, utc_date
from communication_trends.operators.base import TrendsOperator, as_id, listed, named_organizations
from communication_trends.params import (
    batch_size,
    refuse_unknown_keys,
    requested_organizations,
)


class ListOrganizationsOperator(TrendsOperator):
    """
    Check the run's input and the tables, and list the organizations to aggregate, in batches.

    :param sql: statement that lists organizations by id or slug (templated)
    """

    template_fields: Sequence[str] = ("sql",)
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "postgresql"}
    ui_color = "#e8f0fe"

    def __init__(self, *, sql: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sql = sql

    def execute(self, context: Any) -> list[str]:
        """
        Return the batches: of each a name for the UI and, after a line break, its ids with commas between.

        Text, not lists: each task instance fetches them all, and what that costs Airflow's API server grows with the
        number of values.

        :param context: Airflow's context.
        :raises AirflowFailException: for input or tables that no retry mends, before anything is written.
        """
        period = self.run_period(context)
        params = context["params"]
        try:
            refuse_unknown_keys(context["dag_run"].conf, self.dag.params)
            wanted = requested_organizations(params["organizations"])
            batch_size(params["organizations_per_task"], 0, 1)
        except InvalidInputError as error:
            raise AirflowFailException(str(error)) from None
        earlier = self.earlier_periods(context)
        if period.next_date > utc_date(datetime.datetime.now(datetime.timezone.utc)):
            self.log.warning("%s (UTC) is not over: trends are those of it so far. Run it again later.", period)
        with errors_explained():
            self._check_tables(period)
            organizations = self._organizations(wanted, period)
        self.rows_read = {settings.source_conn_id(): {"organizations": len(organizations)}}
        batches = self._batches(organizations, params["organizations_per_task"])
        self.log.info(
            "%s: %d organizations in %d task instances%s.",
            period,
            len(organizations),
            len(batches),
            f"; then the {len(earlier)} {self.kind.noun}s before, from {earlier[-1].first_date} on" if earlier else "",
        )
        return batches

    def _batches(self, organizations: Sequence[Mapping[str, Any]], requested: int) -> list[str]:
        length = settings.max_map_length()
        size = batch_size(requested, len(organizations), length)
        if size != requested:
            self.log.warning(
                "%d organizations in tasks of %d would be more than [core] max_map_length = %d: taking %d to a task.",
                len(organizations),
                requested,
                length,
                size,
            )
        batches = [organizations[first : first + size] for first in range(0, len(organizations), size)]
        return [
            _batch_name([one["slug"] or one["id"] for one in batch]) + "\n" + ",".join(one["id"] for one in batch)
            for batch in batches
        ]

    def _check_tables(self, period: Period) -> None:
        sides: dict[str, list[str]] = {}
        sides.setdefault(settings.source_conn_id(), []).append("source")
        sides.setdefault(settings.conn_id(), []).append("target")
        problems = []
        for conn_id, checked in sides.items():
            with self.connected(conn_id) as database, database.transaction(read_only=True) as check:
                rows = check.rows(database.sql("check_tables.sql"), {"sides": checked})
                if "target" in checked:
                    run = {"period_starts": [period.start], "trend_period": period.kind.name}
                    rows += check.rows(database.sql("check_storing.sql"), run)
            problems += [f"{row['problem']} (connection {conn_id}): {row['remedy']}." for row in rows]
        if problems:
            raise AirflowFailException("The database is not ready. " + " ".join(problems))

    def _organizations(self, wanted: list[str] | None, period: Period) -> list[dict[str, Any]]:
        with self.connected(settings.source_conn_id()) as source:
            # a replica that lags behind would not know of the latest organizations either
            if settings.source_conn_id() == settings.conn_id():
                unknown = source.wait_for_replica(period.end, source)
            else:
                with self.connected(settings.conn_id()) as target:
                    unknown = source.wait_for_replica(period.end, target) + source.require_fed(period.end, target)
            for note in unknown:
                self.log.warning("%s.", note)
            with source.transaction(read_only=True) as listing:
                found = listing.rows(self.sql, named_organizations(wanted))
        if wanted is not None:
            names = {name for row in found for name in (row["id"], row["slug"])}
            unknown = [entry for entry in wanted if not names & {entry, as_id(entry)}]
            if unknown:
                raise AirflowFailException(
                    f"organizations: unknown {listed([ascii(entry) for entry in unknown])}. "
                    "Give the id or the slug of organizations that exist; nothing was aggregated."
                )
        return found


def _batch_name(names: Sequence[str]) -> str:
    """Name a task instance in the UI, in one line: Airflow keeps 250 characters of it."""
    first = " ".join(names[0].split())[:200] or "''"
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"
