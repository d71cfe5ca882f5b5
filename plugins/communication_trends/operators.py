"""The DAG's three steps: list the organizations, aggregate each, sum up."""

from __future__ import annotations

import datetime
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, Asset, BaseOperator

from communication_trends import settings
from communication_trends.compat import (
    name_task_instance,
    prepare_expansion,
    run_after,
    task_instance_states,
)
from communication_trends.connections import connected, errors_explained
from communication_trends.database import (
    DATABASE_ERRORS,
    OF_ONE_ORGANIZATION,
    REMEDIES,
    SERIALIZATION_FAILURE,
    explain,
    is_lost,
    sqlstate,
)
from communication_trends.errors import InvalidInputError, TrendMismatchError
from communication_trends.period import DAILY, Period, trend_period, utc_date

TRENDS = Asset("communication_trends")
"""The table, for Airflow: updated once by each run that succeeds, with its summary as the event's extra."""

OUTCOME_KEY = "outcome"
"""XCom key under which a task instance tells of kept and failed organizations; pushed only if there are any."""

AUTOMATIC_BATCH = 2500
"""Organizations in a batch that grows by itself: where a larger one brings nothing more (docs/performance.md)."""

AUTOMATIC_BATCHES = 4
"""Batches to make at least, so that they run side by side."""

LOGGED_AT_ONCE = 50
"""Organizations in a line of a batch's log."""

SNAPSHOT_TRIES = 5


def triggered_by(dag_run: Any) -> str:
    """
    Return ``schedule``, ``backfill`` or ``manual``; any other type of run counts as manual.

    :param dag_run: the run, as in Airflow's context.
    """
    run_type = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    return {"scheduled": "schedule", "backfill": "backfill"}.get(run_type, "manual")


def run_day(context: Any) -> Period:
    """
    Return the UTC day that the present run is for.

    :param context: Airflow's context.
    :raises AirflowFailException: when the run's conf or data interval names none; Airflow does not retry it.
    """
    dag_run = context["dag_run"]
    try:
        return trend_period(
            DAILY,
            triggered_by=triggered_by(dag_run),
            run_after=run_after(dag_run),
            data_interval_start=dag_run.data_interval_start,
            data_interval_end=dag_run.data_interval_end,
            date=context["params"].get("date"),
            now=datetime.datetime.now(datetime.timezone.utc),
        )
    except InvalidInputError as error:
        raise AirflowFailException(str(error)) from None


def day_bounds(day: Period) -> dict[str, datetime.datetime]:
    """Return the day as the parameters ``day_start`` and ``day_end`` of the SQL, both UTC."""
    return {"day_start": day.start, "day_end": day.end}


def requested_organizations(value: object) -> list[str] | None:
    """
    Read ``organizations`` of a run's conf: ids or slugs, or None for all.

    :param value: what was given; blank entries, which the trigger form makes of empty lines, are left out.
    :raises InvalidInputError: for anything but a list of strings with at least one entry.
    """
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        raise InvalidInputError(
            f"organizations: {value!r} is not a list of ids or slugs. Give such a list, or null for all."
        )
    entries = [entry.strip() for entry in value if entry.strip()]
    if not entries:
        raise InvalidInputError(f"organizations: {value!r} names no organization. Give ids or slugs, or null for all.")
    return list(dict.fromkeys(entries))


def batch_size(requested: object, organizations: int, max_map_length: int) -> int:
    """
    Return how many organizations each task instance takes.

    :param requested: ``organizations_per_task`` of the run's conf.
    :param organizations: how many there are.
    :param max_map_length: Airflow's limit on mapped task instances; beyond it batches grow by themselves.
    :raises InvalidInputError: when what was requested is not a whole number of 1 or more.
    """
    if not isinstance(requested, int) or isinstance(requested, bool) or requested < 1:
        raise InvalidInputError(
            f"organizations_per_task: {requested!r} is not a whole number of 1 or more. The default is 1."
        )
    if organizations <= requested * max_map_length:
        return requested
    by_itself = min(AUTOMATIC_BATCH, math.ceil(organizations / AUTOMATIC_BATCHES))
    return max(by_itself, math.ceil(organizations / max_map_length))


class ListOrganizationsOperator(BaseOperator):
    """
    Check the run's input and the tables, and list the organizations to aggregate, in batches of ids.

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
        Return the batches, each the ids of its organizations with commas between.

        Text, not lists: each task instance fetches them all, and what that costs Airflow's API server grows with the
        number of values.

        :param context: Airflow's context.
        :raises AirflowFailException: for input or tables that no retry mends, before anything is written.
        """
        day = run_day(context)
        params = context["params"]
        try:
            self._refuse_unknown_keys(context)
            wanted = requested_organizations(params.get("organizations"))
            batch_size(params.get("organizations_per_task"), 0, 1)
        except InvalidInputError as error:
            raise AirflowFailException(str(error)) from None
        if day.first_date == utc_date(datetime.datetime.now(datetime.timezone.utc)):
            self.log.warning("%s (UTC) is not over: trends are those of the day so far. Run it again later.", day)
        with errors_explained():
            self._check_tables(day)
            organizations = self._organizations(wanted)
        length = settings.max_map_length()
        per_task = batch_size(params["organizations_per_task"], len(organizations), length)
        if per_task != params["organizations_per_task"]:
            self.log.warning(
                "%d organizations in tasks of %d would be more than [core] max_map_length = %d: taking %d to a task.",
                len(organizations),
                params["organizations_per_task"],
                length,
                per_task,
            )
        ids = [organization["id"] for organization in organizations]
        batches = [",".join(ids[first : first + per_task]) for first in range(0, len(ids), per_task)]
        self.log.info("%s: %d organizations in %d task instances.", day, len(ids), len(batches))
        prepare_expansion(context)
        return batches

    def _refuse_unknown_keys(self, context: Any) -> None:
        if unknown := [key for key in context["dag_run"].conf or {} if key not in self.dag.params]:
            raise InvalidInputError(
                f"conf: unknown {', '.join(map(ascii, unknown))}. Known are {', '.join(self.dag.params)}."
            )

    def _check_tables(self, day: Period) -> None:
        sides: dict[str, list[str]] = {}
        sides.setdefault(settings.source_conn_id(), []).append("source")
        sides.setdefault(settings.conn_id(), []).append("target")
        problems = []
        for conn_id, checked in sides.items():
            with connected(conn_id) as database, database.transaction(read_only=True) as check:
                rows = check.rows(database.sql("check_tables.sql"), {"sides": checked})
                if "target" in checked:
                    run = {"period_starts": [day.start], "trend_period": day.kind.name}
                    rows += check.rows(database.sql("check_storing.sql"), run)
            problems += [f"{row['problem']} (connection {conn_id}): {row['remedy']}." for row in rows]
        if problems:
            raise AirflowFailException("The database is not ready. " + " ".join(problems))

    def _organizations(self, wanted: list[str] | None) -> list[dict[str, Any]]:
        parameters: dict[str, Any] = {"ids": None, "slugs": None}
        if wanted is not None:
            storable = [entry for entry in wanted if _is_storable(entry)]
            parameters = {"ids": [id_ for id_ in map(_as_id, storable) if id_], "slugs": storable}
        with connected(settings.source_conn_id()) as database, database.transaction(read_only=True) as listing:
            found = listing.rows(self.sql, parameters)
        if wanted is not None:
            names = {name for row in found for name in (row["id"], row["slug"])}
            unknown = [entry for entry in wanted if not names & {entry, _as_id(entry)}]
            if unknown:
                raise AirflowFailException(
                    f"organizations: unknown {_listed([ascii(entry) for entry in unknown])}. "
                    "Give the id or the slug of organizations that exist; nothing was aggregated."
                )
        return found


class AggregateTrendsOperator(BaseOperator):
    """
    Aggregate one UTC day of a batch of organizations, mostly of one, and upsert their trends, in one transaction.

    If a batch fails, its organizations are taken one by one, so that only the broken ones fail.

    :param organization_ids: ids of the organizations, with commas between
    :param aggregate_sql: statement that aggregates the day, one row per organization (templated)
    :param upsert_sql: statement that stores those rows (templated)
    """

    template_fields: Sequence[str] = ("aggregate_sql", "upsert_sql")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"aggregate_sql": "postgresql", "upsert_sql": "postgresql"}
    ui_color = "#e6f4ea"

    def __init__(self, *, organization_ids: str, aggregate_sql: str, upsert_sql: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.organization_ids = organization_ids
        self.aggregate_sql = aggregate_sql
        self.upsert_sql = upsert_sql

    def execute(self, context: Any) -> None:
        """
        Store the trends.

        :param context: Airflow's context.
        :raises AirflowException: when an organization failed, after all others were stored.
        """
        day = run_day(context)
        ids = self.organization_ids.split(",")
        name_task_instance(context, _label(ids))
        with ExitStack() as stack, errors_explained():
            target = stack.enter_context(connected(settings.conn_id()))
            source = target
            if settings.source_conn_id() != settings.conn_id():
                source = stack.enter_context(connected(settings.source_conn_id()))
            self._aggregate_all(context, day, source, target, ids)

    def _aggregate_all(self, context: Any, day: Period, source: Any, target: Any, ids: list[str]) -> None:
        """Aggregate the batch as a whole, or, if that fails, one by one; tell ``summarize`` of anything but success."""
        kept: list[str] = []
        failed: dict[str, str] = {}
        slugs: dict[str, str] = {}
        try:
            kept = self._aggregate(context, day, source, target, ids)
        except (*DATABASE_ERRORS, TrendMismatchError) as error:
            # what failed has named none; here no failure to name them may hide the first one
            with suppress(*DATABASE_ERRORS):
                slugs = self._slugs(source, ids)
                name_task_instance(context, _label(list(slugs.values()) or ids))
            if len(ids) == 1 or _is_hopeless(error):
                raise
            self.log.warning("The batch of %d failed: %s. Taking them one by one.", len(ids), explain(error))
            try:
                for id_ in ids:
                    name = slugs.get(id_, id_)
                    try:
                        kept += self._aggregate(context, day, source, target, [id_])
                    except (*DATABASE_ERRORS, TrendMismatchError) as alone:
                        if _is_hopeless(alone):
                            raise
                        self.log.error("%s: %s", name, explain(alone))
                        failed[id_] = f"{name}: {explain(alone)}"
            finally:
                # each of them has named the task instance after itself
                name_task_instance(context, _label(list(slugs.values()) or ids))
        if kept or failed:
            context["ti"].xcom_push(key=OUTCOME_KEY, value={"kept": kept, "failed": list(failed)})
        if failed:
            raise AirflowException(
                f"{len(failed)} of {len(ids)} organizations failed. {_listed(list(failed.values()))}"
            )

    def _slugs(self, source: Any, ids: list[str]) -> dict[str, str]:
        with source.transaction(read_only=True) as lookup:
            found = lookup.rows(source.sql("organizations.sql"), {"ids": ids, "slugs": []})
        return {row["id"]: row["slug"] for row in found}

    def _aggregate(self, context: Any, day: Period, source: Any, target: Any, ids: list[str]) -> list[str]:
        """Aggregate and store in one transaction; return the ids of the organizations whose stored row was kept."""
        for attempt in range(1, SNAPSHOT_TRIES + 1):
            try:
                return self._aggregate_once(context, day, source, target, ids)
            except DATABASE_ERRORS as error:
                # another run stored the same day meanwhile: what it read is as good, but look again
                if sqlstate(error) != SERIALIZATION_FAILURE or attempt == SNAPSHOT_TRIES:
                    raise
                self.log.info("Another run stored the same trends at the same time; trying again.")
        raise AssertionError("unreachable")

    def _aggregate_once(self, context: Any, day: Period, source: Any, target: Any, ids: list[str]) -> list[str]:
        parameters = {
            **day_bounds(day),
            "organization_ids": ids,
            "hotspot_topics": settings.hotspot_topics(),
            "hotspot_min_messages": settings.hotspot_min_messages(),
            "hotspot_min_ratio": str(settings.hotspot_min_ratio()),
        }
        with ExitStack() as stack:
            writing = stack.enter_context(target.transaction(read_only=False, aggregating=source is target))
            reading = writing
            if source is not target:
                reading = stack.enter_context(source.transaction(read_only=True, aggregating=True))
            trends = reading.rows(self.aggregate_sql, parameters)
            slugs = {row["organization_id"]: row["slug"] for row in trends}
            name_task_instance(context, _label(sorted(slugs.values()) or ids))
            counted = {
                row["organization_id"]: row["total_classifications"]
                for row in reading.rows(source.sql("count_classifications.sql"), parameters)
            }
            stored = writing.rows(
                self.upsert_sql,
                {**day_bounds(day), "trends": json.dumps(trends), "force": bool(context["params"]["force"])},
            )
            _verify(stored, counted, slugs)
        for gone in (id_ for id_ in ids if id_ not in slugs):
            self.log.warning("%s: the organization has been deleted since it was listed; nothing to store.", gone)
        kept = [row for row in stored if row["kept"]]
        for row in kept:
            self.log.warning(
                "%s: kept the stored trend of %s. It was made from more messages or alerts than are found now (%d "
                "messages): they have been purged since. force overwrites it.",
                slugs[row["organization_id"]],
                day,
                row["found_classifications"],
            )
        written = [
            f"{slugs[row['organization_id']]} ({row['stored_classifications']})" for row in stored if not row["kept"]
        ]
        # a line for each would take longer than its aggregation
        for start in range(0, len(written), LOGGED_AT_ONCE):
            names = ", ".join(written[start : start + LOGGED_AT_ONCE])
            self.log.info("Stored %s, with so many classifications: %s.", day, names)
        return [row["organization_id"] for row in kept]


class SummarizeTrendsOperator(BaseOperator):
    """
    Sum up the run, and fail it if any organization has no trend, naming those.

    :param list_task_id: task that returned the batches of organization ids
    :param aggregate_task_id: mapped task that aggregated them
    """

    ui_color = "#fef7e0"

    def __init__(self, *, list_task_id: str, aggregate_task_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.list_task_id = list_task_id
        self.aggregate_task_id = aggregate_task_id

    def execute(self, context: Any) -> dict[str, Any]:
        """
        Return the summary; when the run has failed it is pushed all the same.

        :param context: Airflow's context.
        :raises AirflowFailException: when an organization failed, or none could be listed.
        """
        ti = context["ti"]
        day = run_day(context)
        listed = task_instance_states(context, self.list_task_id)
        if listed.get(-1) != "success":
            raise AirflowFailException(
                f"{self.list_task_id} ended {listed.get(-1)}: nothing was aggregated for {day}. Its log says why."
            )
        batches = [batch.split(",") for batch in ti.xcom_pull(task_ids=self.list_task_id) or []]
        states = task_instance_states(context, self.aggregate_task_id)
        # asked for as a list, so that one outcome comes as a list as well
        outcomes = list(ti.xcom_pull(task_ids=[self.aggregate_task_id], key=OUTCOME_KEY) or [])
        summary = self._summary(day, triggered_by(context["dag_run"]), batches, states, [o for o in outcomes if o])
        self.log.info("Summary: %s", json.dumps(summary, ensure_ascii=False))
        if summary["errors"]:
            ti.xcom_push(key="return_value", value=summary)
            names = _listed(summary["failedOrganizations"])
            raise AirflowFailException(
                f"{summary['errors']} of {summary['errors'] + summary['organizationsProcessed']} organizations have no "
                f"trend for {day} from this run: {names}. The others are stored. Clear the failed task instances of "
                f"{self.aggregate_task_id} to try again."
            )
        if TRENDS in self.outlets:
            context["outlet_events"][TRENDS].extra = summary
        return summary

    def _summary(
        self,
        day: Period,
        trigger: str,
        batches: list[list[str]],
        states: Mapping[int, str | None],
        outcomes: list[Mapping[str, list[str]]],
    ) -> dict[str, Any]:
        told = {id_ for outcome in outcomes for id_ in outcome["failed"]}
        kept = {id_ for outcome in outcomes for id_ in outcome["kept"]}
        failed = set()
        for index, batch in enumerate(batches):
            if states.get(index) != "success":
                # an instance that was killed told nothing: then all of its organizations count as failed
                failed |= told.intersection(batch) or set(batch)
        ids = [id_ for batch in batches for id_ in batch]
        with errors_explained():
            rows = self._stored(day, ids) if ids else []
        # what counts is what is in the table, not what an instance says of itself
        failed |= {row["id"] for row in rows if not row["stored"]}
        slugs = {row["id"]: row["slug"] for row in rows}
        processed = [id_ for id_ in ids if id_ not in failed]
        return {
            "trendDate": str(day),
            "triggeredBy": trigger,
            "organizationsProcessed": len(processed),
            "trendsCreated": len([id_ for id_ in processed if id_ in slugs and id_ not in kept]),
            "keptTrends": len(kept - failed),
            "errors": len(failed),
            "failedOrganizations": sorted(slugs.get(id_, id_) for id_ in failed),
        }

    def _stored(self, day: Period, ids: list[str]) -> list[dict[str, Any]]:
        with connected(settings.conn_id()) as database, database.transaction(read_only=True) as check:
            return check.rows(database.sql("stored_trends.sql"), {**day_bounds(day), "organization_ids": ids})


def _verify(stored: list[dict[str, Any]], counted: dict[str, int], slugs: dict[str, str]) -> None:
    """Hold each row just written against the count made apart from it, before it is committed."""
    for row in stored:
        if row["kept"]:
            continue
        expected = counted.get(row["organization_id"], 0)
        if not expected == row["stored_classifications"] == row["topics_total"]:
            raise TrendMismatchError(
                f"{slugs[row['organization_id']]}: the trend does not add up and was not stored: "
                f"{row['stored_classifications']} classifications in total, {row['topics_total']} over all topics, "
                f"{expected} counted"
            )


def _is_hopeless(error: BaseException) -> bool:
    """Whether taking the organizations of a batch one by one would fail each of them for the same reason."""
    return isinstance(error, DATABASE_ERRORS) and (
        is_lost(error) or sqlstate(error) in REMEDIES.keys() - OF_ONE_ORGANIZATION
    )


def _is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold the text at all: no NUL, no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _as_id(text: str) -> str | None:
    """Return the text as PostgreSQL writes a uuid, or None where it is none."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


def _label(names: Sequence[str]) -> str:
    """Name a task instance in the UI: Airflow keeps 250 characters of it."""
    first = names[0][:200]
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"


def _listed(names: Sequence[str], limit: int = 50) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
