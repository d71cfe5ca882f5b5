"""The DAGs' first step: check the run's input and the tables, list the organizations."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from communication_trends.sdk import AirflowFailException

from communication_trends import settings
from communication_trends.compat import triggered_by
from communication_trends.connections import translate_errors
from communication_trends.core.database import Database, Transaction
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import Period, utc_date, utc_now
from communication_trends.core.preflight import Preflight
from communication_trends.core.wording import list_text
from communication_trends.core.work import chunks
from communication_trends.operators.base import Batch, TrendsOperator
from communication_trends.params import batch_size, refuse_unknown_keys, requested_organizations

UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}")


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
        Return the batches, each as `Batch.encode` writes it.

        :param context: Airflow's context.
        :raises AirflowFailException: for input or tables that retrying does not help, before anything is written.
        """
        period = self.run_period(context)
        params = context["params"]
        try:
            settings.check_run_settings()
            refuse_unknown_keys(context["dag_run"].conf, self.dag.params)
            wanted = requested_organizations(params["organizations"])
            batch_size(params["organizations_per_task"], 0, 1)
        except InvalidInputError as error:
            raise AirflowFailException(str(error)) from None
        earlier = self.lookback_periods(context)
        if period.next_date > utc_date(utc_now()):
            self.log.warning("%s (UTC) has not ended: trends are partial. Re-run it later.", period)
        self._warn_of_a_taken_logical_date(context["dag_run"], period, wanted)
        with translate_errors():
            self._check_tables(period)
            organizations = self._organizations(wanted, period)
        self.rows_read = {settings.source_conn_id(): {"organizations": len(organizations)}}
        batches = self._batches(organizations, params["organizations_per_task"], len(earlier))
        self.log.info(
            "%s: %d organizations in %d task instances%s.",
            period,
            len(organizations),
            len(batches),
            f"; then the {len(earlier)} {self.kind.noun}s before, from {earlier[-1].first_date} on" if earlier else "",
        )
        return batches

    def _warn_of_a_taken_logical_date(self, dag_run: Any, period: Period, wanted: list[str] | None) -> None:
        """Log where a manual run keeps the scheduler from making the run of a period that it does not store."""
        if dag_run.logical_date is None or triggered_by(dag_run) != "manual":
            return
        scheduled = self.kind.starting_at(dag_run.logical_date)
        if scheduled and (scheduled != period or wanted is not None):
            self.log.warning(
                "This run has the logical date of the scheduled run for %s, so the scheduler makes none, but it stores "
                "%s. Trigger another run for %s, or leave it to the lookback of the next scheduled run.",
                scheduled,
                f"{period} only" if scheduled != period else "the organizations of its conf only",
                scheduled,
            )

    def _batches(self, organizations: Sequence[Mapping[str, Any]], requested: int, lookback: int) -> list[str]:
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
        return [
            Batch(
                _batch_name([one["slug"] or one["id"] for one in batch]), [one["id"] for one in batch], lookback
            ).encode()
            for batch in chunks(organizations, size)
        ]

    def _check_tables(self, period: Period) -> None:
        if problems := table_problems(period, self.connected):
            raise AirflowFailException("The database is not ready. " + " ".join(problems))

    def _organizations(self, wanted: list[str] | None, period: Period) -> list[dict[str, Any]]:
        with self.connected(settings.source_conn_id()) as source:
            # a replica that lags behind would not know of the latest organizations either
            if settings.source_conn_id() == settings.conn_id():
                unknown = source.replication.wait_for_replica(period.end, source)
            else:
                with self.connected(settings.conn_id()) as target:
                    unknown = source.replication.wait_for_replica(period.end, target)
                    unknown += source.replication.require_fed(period.start, period.end, target)
            for note in (*unknown, *source.replication.unseen_servers(), *source.replication.unseen_refreshes()):
                self.log.warning("%s.", note)

            def listed_in(listing: Transaction) -> list[dict[str, Any]]:
                ids = None if wanted is None else requested_ids(wanted, source, listing)
                return listing.rows(self.sql, {"ids": ids})

            is_other = settings.source_conn_id() != settings.conn_id()
            return source.read(listed_in, ["organizations"], until=period.end if is_other else None)


def table_problems(period: Period, connect: Callable[[str], AbstractContextManager[Database]]) -> list[str]:
    """
    Return what keeps a run from reading its source and storing trends, each with its remedy.

    :param period: the run's own.
    :param connect: opens an Airflow connection by its id.
    """
    sides: dict[str, list[str]] = {}
    sides.setdefault(settings.source_conn_id(), []).append("source")
    sides.setdefault(settings.conn_id(), []).append("target")
    problems = []
    for conn_id, checked in sides.items():
        with connect(conn_id) as database:
            problems += [
                f"{problem.what} (connection {conn_id}): {problem.remedy}."
                for problem in Preflight(database, sides=checked, period=period).problems()
            ]
    return problems


def requested_ids(wanted: Sequence[str], source: Database, listing: Transaction) -> list[str]:
    """
    Return the ids of the organizations that a run's conf names.

    :param wanted: ids or slugs.
    :param source: where the organizations are.
    :param listing: a transaction there.
    :raises AirflowFailException: when there is no organization for some entry.
    """
    storable = [entry for entry in wanted if _is_storable(entry)]
    entries = {"entries": storable, "entry_ids": [_as_id(entry) for entry in storable]}
    # PostgreSQL finds the organizations, since it compares slugs by the column's collation
    found = listing.rows(source.sql("requested_organizations.sql"), entries)
    known = {row["entry"] for row in found}
    if unknown := [entry for entry in wanted if entry not in known]:
        raise AirflowFailException(
            f"organizations: unknown {list_text([ascii(entry) for entry in unknown])}. "
            "Give the id or the slug, upper and lower case as it is stored, of organizations that exist; "
            "nothing was aggregated."
        )
    return [row["id"] for row in found]


def _is_storable(text: str) -> bool:
    """Whether a PostgreSQL text can hold this: no NUL, no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _as_id(text: str) -> str | None:
    """Return a uuid as PostgreSQL writes it, or None where the text is none: UUID() alone would accept much else."""
    digits = text.lower().removeprefix("urn:uuid:")
    if digits.startswith("{") and digits.endswith("}"):
        digits = digits[1:-1]
    return str(uuid.UUID(digits)) if UUID.fullmatch(digits) else None


def _batch_name(names: Sequence[str]) -> str:
    """Name a task instance in the UI, in one line: Airflow keeps 250 characters of it."""
    first = " ".join(names[0].split())[:200] or "''"
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"
