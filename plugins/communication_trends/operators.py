"""The DAGs' three steps: list the organizations, aggregate each, sum up."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, Asset, BaseOperator

from communication_trends import __version__, metrics, settings
from communication_trends.aggregation import Aggregation, HotspotRule, Outcome, Result, Work
from communication_trends.compat import (
    name_task_instance,
    run_after,
    task_instance_states,
    triggered_by,
)
from communication_trends.connections import connected, errors_explained
from communication_trends.database import Database
from communication_trends.errors import InvalidInputError
from communication_trends.notifications import attention, tell_attention, tell_digest
from communication_trends.params import (
    batch_size,
    refuse_unknown_keys,
    requested_lookback,
    requested_organizations,
)
from communication_trends.period import DAILY, KINDS, Period, PeriodKind, trend_period, utc_date

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
    def kind(self) -> PeriodKind:
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
            return trend_period(
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
        parameters: dict[str, Any] = {"ids": None, "slugs": None}
        if wanted is not None:
            storable = [entry for entry in wanted if _is_storable(entry)]
            parameters = {"ids": [id_ for id_ in map(_as_id, storable) if id_], "slugs": storable}
        with self.connected(settings.source_conn_id()) as source:
            if settings.source_conn_id() != settings.conn_id():
                # a replica that lags behind would not know of the latest organizations either
                with self.connected(settings.conn_id()) as target:
                    source.require_replayed(period.end, target)
            with source.transaction(read_only=True) as listing:
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


class AggregateTrendsOperator(TrendsOperator):
    """
    Aggregate one period of a batch of organizations, mostly of one, and upsert their trends; then earlier periods.

    :param batch: name for the UI and, after a line break, ids of the organizations with commas between
    :param aggregate_sql: statement that aggregates, one row per organization and period (templated)
    :param upsert_sql: statement that stores those rows (templated)
    """

    template_fields: Sequence[str] = ("aggregate_sql", "upsert_sql")
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"aggregate_sql": "postgresql", "upsert_sql": "postgresql"}
    ui_color = "#e6f4ea"

    def __init__(self, *, batch: str, aggregate_sql: str, upsert_sql: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch
        self.aggregate_sql = aggregate_sql
        self.upsert_sql = upsert_sql

    @property
    def batch_name(self) -> str:
        """What the task instance is called in the UI; ``map_index_template`` reads it."""
        return self.batch.partition("\n")[0]

    def execute(self, context: Any) -> None:
        """
        Store the trends.

        :param context: Airflow's context.
        :raises AirflowException: when a trend failed, after all others were stored.
        """
        name_task_instance(context, self.batch_name)
        work = Work(
            organizations=self.batch.partition("\n")[2].split(","),
            period=self.run_period(context),
            earlier=self.earlier_periods(context),
            force=context["params"]["force"],
            hotspots=HotspotRule(
                settings.hotspot_topics(), settings.hotspot_min_messages(), settings.hotspot_min_ratio()
            ),
        )
        with ExitStack() as stack, errors_explained():
            target = stack.enter_context(self.connected(settings.conn_id()))
            source = target
            if settings.source_conn_id() != settings.conn_id():
                source = stack.enter_context(self.connected(settings.source_conn_id()))
            outcome = Aggregation(
                work, source=source, target=target, aggregate_sql=self.aggregate_sql, upsert_sql=self.upsert_sql
            ).run()
        self.rows_read = {settings.source_conn_id(): outcome.rows_read}
        self.rows_written = {settings.conn_id(): outcome.rows_written}
        self._tell(work, outcome)
        if told := _told(context["ti"].map_index, work, outcome):
            context["ti"].xcom_push(key=OUTCOME_KEY, value=told)
        if outcome.ended_by:
            with errors_explained():
                raise outcome.ended_by
        if failed := outcome.of("failed"):
            organizations = {result.organization for result in failed}
            error = AirflowException if any(result.may_pass for result in failed) else AirflowFailException
            raise error(
                f"{len(organizations)} of {len(work.organizations)} organizations failed. "
                + _listed([_reason(result, work, outcome) for result in failed])
            )

    def _tell(self, work: Work, outcome: Outcome) -> None:
        """Log what happened: many organizations to a line, and a line for each that was kept, changed or failed."""
        own = work.period
        for id_ in outcome.deleted:
            self.log.warning("%s: the organization has been deleted since it was listed; nothing to store.", id_)
        for outcomes, said in ((("filled", "corrected"), "Stored %s"), (("unchanged",), "%s is stored already")):
            names = [f"{outcome.name(one.organization)} ({one.messages})" for one in outcome.of(*outcomes, period=own)]
            # fifty to a line: a line for each would take longer than its aggregation
            for start in range(0, len(names), LOGGED_AT_ONCE):
                listed = ", ".join(names[start : start + LOGGED_AT_ONCE])
                self.log.info(f"{said}, with so many classifications: %s.", own, listed)
        for result in outcome.of("kept", period=own):
            self.log.warning(
                "%s: kept the stored trend of %s. It was made from more messages, alerts, tones or confidences than "
                "are found now (%d messages, %s when it was stored): they have been purged since. force overwrites it.",
                outcome.name(result.organization),
                own,
                result.messages,
                result.stored_messages,
            )
        for (id_, lacking), days in outcome.purged_days.items():
            self.log.warning(
                "%s: source rows of %s have been purged: of %s fewer messages are left than the stored daily trends "
                "were made from. The trend lacks them.",
                outcome.name(id_),
                lacking,
                ", ".join(map(str, days)),
            )
        changes: dict[str, list[str]] = {}
        for result in outcome.of("filled", "corrected", earlier_than=own):
            changes.setdefault(outcome.name(result.organization), []).append(_change(result))
        for name, texts in changes.items():
            self.log.info("%s: %s", name, ", ".join(texts))
        if kept := outcome.of("kept", earlier_than=own):
            periods = sorted({result.period.first_date for result in kept})
            self.log.info(
                "Kept %d stored trends of earlier %ss, %s to %s, which were made from more than is found now: %s.",
                len(kept),
                self.kind.noun,
                periods[0],
                periods[-1],
                _listed(sorted({outcome.name(result.organization) for result in kept})),
            )
        for result in outcome.of("failed"):
            self.log.error("%s", _reason(result, work, outcome))


class SummarizeTrendsOperator(TrendsOperator):
    """
    Sum up the run, and fail it if any organization has no trend, naming those.

    :param list_task_id: task that returned the batches of organizations
    :param aggregate_task_id: mapped task that aggregated them
    :param attention_notifier: called where something is unusual
    :param digest_notifier: called once a week
    """

    ui_color = "#fef7e0"

    def __init__(
        self,
        *,
        list_task_id: str,
        aggregate_task_id: str,
        attention_notifier: Any = None,
        digest_notifier: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.attention_notifier = attention_notifier
        self.digest_notifier = digest_notifier
        self.list_task_id = list_task_id
        self.aggregate_task_id = aggregate_task_id

    def execute(self, context: Any) -> dict[str, Any]:
        """
        Return the summary; when the run has failed it is pushed all the same.

        :param context: Airflow's context.
        :raises AirflowFailException: when a trend failed, or the list of organizations is not there.
        """
        period = self.run_period(context)
        batches = self._listed_batches(context, period)
        with errors_explained():
            summary, changed, failed, behind = self._summary(context, period, batches)
        metrics.send(summary, behind=behind, started=context["dag_run"].start_date)
        self.log.info("Summary (version %s): %s", __version__, json.dumps(summary, ensure_ascii=False))
        if changed:
            self.log.info("Earlier %ss that changed: %s", self.kind.noun, json.dumps(changed))
        tell_attention(self.attention_notifier, context, period, summary)
        if problem := self._problem(summary, failed):
            context["ti"].xcom_push(key="return_value", value=summary)
            raise AirflowFailException(problem)
        for asset in self.outlets:
            context["outlet_events"][asset].extra = {**summary, "changedPeriods": changed}
        tell_digest(self.digest_notifier, context, period, summary, self.sql_path)
        return summary

    def _listed_batches(self, context: Any, period: Period) -> list[list[str]]:
        """Return the ids of each batch; fail where the list is missing, which is not the same as an empty one."""
        state = task_instance_states(context, self.list_task_id).get(-1)
        if state != "success":
            raise AirflowFailException(
                f"{self.list_task_id} ended {state}: nothing was aggregated for {period}. Its log says why."
            )
        listed = context["ti"].xcom_pull(task_ids=self.list_task_id)
        if not isinstance(listed, list | tuple) or not all(isinstance(batch, str) for batch in listed):
            raise AirflowFailException(
                f"{self.list_task_id} has left no list of organizations: it was marked as success by hand, or its XCom "
                f"has been deleted. Whether {period} is complete cannot be known. Clear {self.list_task_id}, with what "
                "follows it."
            )
        return [batch.partition("\n")[2].split(",") for batch in listed]

    def _summary(
        self, context: Any, period: Period, batches: list[list[str]]
    ) -> tuple[dict[str, Any], dict[str, dict[str, int]], list[str], int]:
        """
        Return the summary, how many trends of which earlier periods changed, the names of those that failed, and how
        many organizations lack a trend of any of the periods.
        """
        ids = [id_ for batch in batches for id_ in batch]
        earlier = self.earlier_periods(context)
        outcomes = self._outcomes(context, batches)
        failed = self._failed_by_state(context, batches, outcomes)
        stored = self._stored(period, earlier, ids)
        # what counts is what is in the table, not what a task instance says of itself
        missing = {id_ for id_, row in stored.items() if row["messages"][period] is None}
        missing |= self._unknown_to_target([id_ for id_ in ids if id_ not in stored])
        failed |= missing
        kept = {id_ for outcome in outcomes.values() for id_ in outcome["kept"]} - failed
        processed = [id_ for id_ in ids if id_ not in failed]
        total = sum(stored[id_]["messages"][period] for id_ in processed if id_ in stored)
        before = sum(row["messages"].get(one) or 0 for row in stored.values() for one in period.earlier(1))
        if processed and not total and before:
            self.log.warning(
                "All %d organizations are empty in %s, with %d messages in the %s before. Is the source complete, and "
                "does the search_path of the connection find the right tables?",
                len(processed),
                period,
                before,
                period.kind.noun,
            )
        lookback, changed, failed_earlier = self._lookback(earlier, outcomes.values(), stored, failed)
        summary = {
            "trendDate": str(period.first_date),
            "period": period.kind.name,
            "triggeredBy": triggered_by(context["dag_run"]),
            "organizationsProcessed": len(processed),
            "trendsCreated": len([id_ for id_ in processed if id_ in stored and id_ not in kept]),
            "keptTrends": len(kept),
            "totalClassifications": total,
            "errors": len(failed),
            "failedOrganizations": sorted(_name(stored.get(id_), id_) for id_ in failed),
            "lookback": lookback,
            "attention": attention(period, processed, self.sql_path),
        }
        trends = sum(messages is not None for row in stored.values() for messages in row["messages"].values())
        self.rows_read = {settings.conn_id(): {"organizations": len(stored), "communication_trends": trends}}
        behind = missing | {id_ for id_, row in stored.items() if _missing(row, earlier)}
        return summary, changed, failed_earlier, len(behind)

    def _outcomes(self, context: Any, batches: list[list[str]]) -> dict[int, dict[str, Any]]:
        """Return what task instances told, by map index, without leftovers of a longer list from before a clear."""
        # task_ids as a list: otherwise a single outcome would come as it is, not in a list
        told = context["ti"].xcom_pull(task_ids=[self.aggregate_task_id], key=OUTCOME_KEY) or []
        return {outcome["mapIndex"]: outcome for outcome in told if outcome and 0 <= outcome["mapIndex"] < len(batches)}

    def _failed_by_state(
        self, context: Any, batches: list[list[str]], outcomes: Mapping[int, Mapping[str, Any]]
    ) -> set[str]:
        states = task_instance_states(context, self.aggregate_task_id)
        failed: set[str] = set()
        for index, batch in enumerate(batches):
            if states.get(index) != "success":
                # an instance that was killed has told nothing: then all of its organizations count as failed
                failed |= set(outcomes[index]["failed"]) if index in outcomes else set(batch)
        return failed

    def _stored(self, period: Period, earlier: Sequence[Period], ids: list[str]) -> dict[str, dict[str, Any]]:
        """Return what is in the table, by organization: its messages by period, None where no trend is stored."""
        periods = [period, *(earlier or period.earlier(1))]
        with self.connected(settings.conn_id()) as database, database.transaction(read_only=True) as check:
            rows = check.rows(
                database.sql("stored_trends.sql"),
                {
                    "organization_ids": ids,
                    "trend_period": period.kind.name,
                    "period_starts": [one.start for one in periods],
                    "period_ends": [one.end for one in periods],
                },
            )
        return {
            row["id"]: {
                "slug": row["slug"],
                "messages": dict(zip(periods, row["stored_classifications"], strict=True)),
                "existed": dict(zip(periods, row["existed"], strict=True)),
            }
            for row in rows
        }

    def _unknown_to_target(self, ids: list[str]) -> set[str]:
        """Return those that the source has, of organizations that the target lacks; the others have been deleted."""
        if not ids or settings.source_conn_id() == settings.conn_id():
            return set()
        with self.connected(settings.source_conn_id()) as database, database.transaction(read_only=True) as listing:
            return {row["id"] for row in listing.rows(database.sql("organizations.sql"), {"ids": ids, "slugs": []})}

    def _lookback(
        self,
        earlier: Sequence[Period],
        outcomes: Iterable[Mapping[str, Any]],
        stored: Mapping[str, Mapping[str, Any]],
        failed: set[str],
    ) -> tuple[dict[str, int], dict[str, dict[str, int]], list[str]]:
        """Return what became of the earlier periods: in numbers, by period that changed, and which failed."""
        counts = dict.fromkeys(("filled", "corrected", "kept"), 0)
        changed: dict[str, dict[str, int]] = {}
        failures: set[tuple[str, str]] = set()
        for outcome in outcomes:
            for date, numbers in outcome["earlier"].items():
                for name in counts:
                    counts[name] += numbers.get(name, 0)
                if numbers.get("filled") or numbers.get("corrected"):
                    one = changed.setdefault(date, {"filled": 0, "corrected": 0})
                    one["filled"] += numbers.get("filled", 0)
                    one["corrected"] += numbers.get("corrected", 0)
            failures |= {(date, id_) for date, id_ in outcome["failedEarlier"]}
        for id_, row in stored.items():
            if id_ not in failed:
                failures |= {(str(one.first_date), id_) for one in _missing(row, earlier)}
        return (
            {"periods": len(earlier), **counts, "failed": len(failures)},
            dict(sorted(changed.items())),
            [f"{_name(stored.get(id_), id_)} {date}" for date, id_ in sorted(failures)],
        )

    def _problem(self, summary: Mapping[str, Any], failed_earlier: Sequence[str]) -> str:
        """Return why the run has failed; nothing where it has not."""
        problems = []
        if summary["errors"]:
            of = summary["errors"] + summary["organizationsProcessed"]
            others = " The others are stored." if summary["organizationsProcessed"] else ""
            problems.append(
                f"{summary['errors']} of {of} organizations have no trend for {summary['trendDate']} from this run: "
                f"{_listed(summary['failedOrganizations'])}.{others}"
            )
        if failed_earlier:
            problems.append(
                f"{len(failed_earlier)} trends of earlier {self.kind.noun}s failed and are as they were: "
                f"{_listed(failed_earlier)}."
            )
        if problems:
            problems.append(f"Clear the failed task instances of {self.aggregate_task_id} to try again.")
        return " ".join(problems)


def _told(map_index: int, work: Work, outcome: Outcome) -> dict[str, Any] | None:
    """Return what ``summarize`` has to be told of a task instance; None where the table shows it all."""
    earlier: dict[str, dict[str, int]] = {}
    for result in outcome.of("filled", "corrected", "kept", earlier_than=work.period):
        counts = earlier.setdefault(str(result.period.first_date), {})
        counts[result.outcome] = counts.get(result.outcome, 0) + 1
    told = {
        "kept": [result.organization for result in outcome.of("kept", period=work.period)],
        "failed": [result.organization for result in outcome.of("failed", period=work.period)],
        "earlier": earlier,
        "failedEarlier": [
            [str(result.period.first_date), result.organization]
            for result in outcome.of("failed", earlier_than=work.period)
        ],
    }
    return {"mapIndex": map_index, **told} if any(told.values()) else None


def _reason(result: Result, work: Work, outcome: Outcome) -> str:
    when = "" if result.period == work.period else f" {result.period}"
    return f"{outcome.name(result.organization)}{when}: {result.reason}"


def _change(result: Result) -> str:
    if result.outcome == "filled":
        return f"{result.period} filled ({result.messages} messages)"
    return f"{result.period} corrected ({result.stored_messages} → {result.messages})"


def _missing(row: Mapping[str, Any], periods: Sequence[Period]) -> list[Period]:
    """Return the periods that an organization, a row of ``_stored``, has no trend of though it existed."""
    return [one for one in periods if row["messages"][one] is None and row["existed"][one]]


def _name(row: Mapping[str, Any] | None, id_: str) -> str:
    return (row and row["slug"]) or id_


def _is_storable(text: str) -> bool:
    """Whether a PostgreSQL text can hold this: no NUL, no lone surrogate."""
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


def _batch_name(names: Sequence[str]) -> str:
    """Name a task instance in the UI, in one line: Airflow keeps 250 characters of it."""
    first = " ".join(names[0].split())[:200] or "''"
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"


def _listed(names: Sequence[str], limit: int = LOGGED_AT_ONCE) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
