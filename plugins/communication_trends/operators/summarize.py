"""The DAGs' third step: sum up the run from what is stored, and fail it where trends are missing."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from communication_trends.sdk import AirflowFailException

from communication_trends import __version__, metrics, settings
from communication_trends.asset_events import emit_asset_event, last_event_extra
from communication_trends.compat import clear_number, pull_mapped_xcoms, task_instance_states, triggered_by
from communication_trends.connections import translate_errors
from communication_trends.core.database import TARGET_TABLES, Transaction
from communication_trends.core.evidence import NUMBERS
from communication_trends.core.period import Period
from communication_trends.core.run_summary import (
    Evidence,
    RunSummary,
    StoredOrganization,
    StoredTrend,
    summarize_run,
)
from communication_trends.core.task_report import TaskReport
from communication_trends.core.trend_reader import changes_until
from communication_trends.core.work import read_rule
from communication_trends.notifiers import find_attention, notify_attention, notify_digest
from communication_trends.operators.base import REPORT_KEY, Batch, TrendsOperator

Rows = list[dict[str, Any]]


class SummarizeTrendsOperator(TrendsOperator):
    """
    Sum up the run, and fail it if any organization has no trend, naming those.

    :param list_task_id: task that returned the batches of organizations
    :param aggregate_task_id: mapped task that aggregated them
    :param attention_notifier: called for new anomalies
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
        Return the summary; if the run has failed, it is pushed as XCom as well.

        :param context: Airflow's context.
        :raises AirflowFailException: when a trend failed, or the list of organizations is not there.
        """
        period = self.run_period(context)
        batches = self._listed_batches(context, period)
        with translate_errors():
            run, changes = self._look_up(context, period, batches)
        found = find_attention(period, run.processed, self.sql_path)
        summary = {**run.as_json(), "attention": found and found.as_json()}
        for warning in run.warnings():
            self.log.warning("%s", warning)
        metrics.send(summary, behind=run.behind, started=context["dag_run"].start_date)
        self.log.info("Summary (version %s): %s", __version__, json.dumps(summary, ensure_ascii=False))
        if changes["changedPeriods"]:
            self.log.info("Changed %ss: %s", self.kind.noun, json.dumps(changes["changedPeriods"]))
        has_time = notify_attention(
            self.attention_notifier,
            context,
            period,
            found,
            run.processed,
            triggered_by=summary["triggeredBy"],
            sql_path=self.sql_path,
        )
        problem = run.problem()
        run_ids = {"dagId": context["dag_run"].dag_id, "runId": context["dag_run"].run_id}
        extra = {**summary, **changes, **run_ids, "hasFailed": bool(problem)}
        if problem:
            context["ti"].xcom_push(key="return_value", value=summary)
            if run.processed or changes["changedPeriods"]:
                for asset in self.outlets:
                    emit_asset_event(context, asset, extra)
            which = "the failed task instances" if run.has_failed_tasks else "all task instances"
            raise AirflowFailException(
                f"{problem} Clear {which} of {self.aggregate_task_id}, with Downstream, to try again."
            )
        for asset in self.outlets:
            context["outlet_events"][asset].extra = extra
        if has_time:
            notify_digest(self.digest_notifier, context, period, summary, self.sql_path)
        elif self.digest_notifier:
            self.log.error("digest_notifier was not called: attention_notifier has used up the time of this task.")
        return summary

    def _listed_batches(self, context: Any, period: Period) -> list[Batch]:
        """Return the batches; fail where the list is missing, which is not the same as an empty one."""
        state = task_instance_states(context, self.list_task_id).get(-1)
        if state != "success":
            raise AirflowFailException(
                f"{self.list_task_id} ended {state}: nothing was aggregated for {period}. Its log says why."
            )
        listed = context["ti"].xcom_pull(task_ids=self.list_task_id)
        if not isinstance(listed, list | tuple) or not all(isinstance(text, str) for text in listed):
            raise AirflowFailException(
                f"{self.list_task_id} has left no list of organizations: it was marked as success by hand, or its XCom "
                f"has been deleted. Whether {period} is complete cannot be known. Clear {self.list_task_id}, with "
                "Downstream."
            )
        return [Batch.decode(text) for text in listed]

    def _look_up(self, context: Any, period: Period, batches: Sequence[Batch]) -> tuple[RunSummary, dict[str, Any]]:
        """Return the summary, and what has changed since the last run that succeeded."""
        dag_run = context["dag_run"]
        ids = [id_ for batch in batches for id_ in batch.organizations]
        lookback_periods = self.lookback_periods(context, batches[0] if batches else None)
        rule = settings.hotspot_rule().as_json()
        periods = [period, *lookback_periods]
        previous = last_event_extra(context, self.outlets[0], _has_succeeded) if self.outlets else None
        changed_since = previous["changesUntil"] if previous else None
        with self.connected(settings.conn_id()) as database:
            until = changes_until(database)
            stored, missing, rules, changed = database.read(
                lambda transaction: self._read(transaction, dag_run.run_id, ids, periods, rule, changed_since),
                TARGET_TABLES,
            )
        trends = sum(len(periods) - len(row.missing) for row in stored.values())
        self.rows_read = {settings.conn_id(): {"organizations": len(stored), "communication_trends": trends}}
        reports = {
            index: TaskReport.from_json(value)
            for index, value in pull_mapped_xcoms(context, self.aggregate_task_id, REPORT_KEY, len(batches)).items()
        }
        lost = {id_ for report in reports.values() for id_ in report.deleted if id_ in stored}
        unknown_to_target, unknown_to_source, deleted = self._compare_sides(context, period, ids, stored, lost)
        run = summarize_run(
            Evidence(
                period=period,
                lookback_periods=lookback_periods,
                triggered_by=triggered_by(dag_run),
                batches=[batch.organizations for batch in batches],
                states=task_instance_states(context, self.aggregate_task_id),
                reports=reports,
                clear_number=clear_number(dag_run),
                stored=stored,
                unknown_to_target=unknown_to_target,
                unknown_to_source=unknown_to_source,
                deleted=deleted,
                missing_before=sum(row["missing"] for row in missing),
                missing_since=min((row["first_missing"].date() for row in missing), default=None),
                hotspot_rule=json.loads(rule),
                earlier_rules=[
                    {**earlier, "organizations": row["organizations"]}
                    for row in rules
                    if (earlier := read_rule(row["hotspot_rule"]))
                ],
            )
        )
        changes = {
            str(row["period_start"].date()): {"filled": row["filled"], "corrected": row["corrected"]} for row in changed
        }
        return run, {"changedPeriods": changes, "changesUntil": until.isoformat()}

    def _read(
        self,
        transaction: Transaction,
        run_id: str,
        ids: Sequence[str],
        periods: Sequence[Period],
        rule: str,
        changed_since: str | None,
    ) -> tuple[dict[str, StoredOrganization], Rows, Rows, Rows]:
        """
        Read what is stored.

        :param periods: the run's own period, and those before it that it has recomputed.
        :param rule: the current rule of hotspots, as JSON.
        :param changed_since: the moment from which on changes count, ISO 8601; None for all there are.
        :returns: what is stored by organization; what is missing from before those periods, and by which other rules
            trends from before them were computed; and what has changed since the last run that succeeded.
        """
        own = periods[0]
        shared = {"organization_ids": ids, "trend_period": own.kind.name, "unit": own.kind.noun}
        stored = self._stored(transaction, run_id, periods, shared)
        missing: Rows = []
        rules: Rows = []
        if before := periods[-1].earlier(1):
            last_start = before[0].start
            first_start = own.earlier(settings.MAX_LOOKBACK)[-1].start
            missing = transaction.run(
                "missing_trends.sql",
                {**shared, "period_start": first_start, "last_start": last_start, "numbers": NUMBERS},
            )
            rules = transaction.run("earlier_rules.sql", {**shared, "last_start": last_start, "hotspot_rule": rule})
        changed = transaction.run(
            "changed_periods.sql", {**shared, "organization_id": None, "changed_since": changed_since}
        )
        return stored, missing, rules, changed

    def _stored(
        self, transaction: Transaction, run_id: str, periods: Sequence[Period], shared: dict[str, Any]
    ) -> dict[str, StoredOrganization]:
        """Return what is stored, by organization; of those that the target knows."""
        by_start = {one.start: one for one in periods}
        own, before = periods[0], periods[0].earlier(1)
        rows = transaction.run(
            "stored_trends.sql",
            {
                **shared,
                "run_id": run_id,
                "numbers": NUMBERS,
                "own_start": own.start,
                "start_before": before[0].start if before else None,
                "period_starts": list(by_start),
                "period_ends": [one.end for one in periods],
            },
        )
        return {
            row["id"]: StoredOrganization(
                row["slug"] or row["id"],
                None
                if row["own_classifications"] is None
                else StoredTrend(row["own_classifications"], row["own_is_final"], row["own_change"]),
                row["classifications_before"],
                row["filled"],
                row["corrected"],
                frozenset(by_start[start] for start in row["missing"] or ()),
                frozenset(by_start[start] for start in row["existed"] or ()),
            )
            for row in rows
        }

    def _compare_sides(
        self,
        context: Any,
        period: Period,
        ids: Sequence[str],
        stored: Mapping[str, StoredOrganization],
        lost: Collection[str],
    ) -> tuple[frozenset[str], dict[str, str], frozenset[str]]:
        """
        Return which organizations only one of two databases has.

        :param lost: ids of listed ones that a task instance did not find in the source, and the target has.
        :returns: ids of listed ones that the source has and the target has not, others have been deleted; by id, names
            of those that the target has a trend of in the period before, or one of the run's own period that it cannot
            have computed, and the source has not; and ids of those of ``lost`` that the source still has not.
        """
        if settings.source_conn_id() == settings.conn_id():
            return frozenset(), {}, frozenset()
        missing = [id_ for id_ in ids if id_ not in stored]
        expected = {id_: row.name for id_ in lost if (row := stored[id_]).own and not row.own.change}
        # where the conf names organizations, those are all that the run is about
        if context["params"]["organizations"] is None and (before := period.earlier(1)):
            bounds = {
                "trend_period": period.kind.name,
                "unit": period.kind.noun,
                "own_start": period.start,
                "period_start": before[0].start,
            }
            with self.connected(settings.conn_id()) as database:
                rows = database.read(
                    lambda transaction: transaction.run("organizations_with_trend.sql", bounds), TARGET_TABLES
                )
            listed = set(ids)
            expected |= {row["id"]: row["slug"] or row["id"] for row in rows if row["id"] not in listed}
        wanted = {"organization_ids": [*missing, *expected, *lost]}
        if not wanted["organization_ids"]:
            return frozenset(), {}, frozenset()
        with self.connected(settings.source_conn_id()) as database:
            rows = database.read(
                lambda transaction: transaction.run("known_organizations.sql", wanted), ["organizations"]
            )
        known = {row["id"] for row in rows}
        return (
            frozenset(known.intersection(missing)),
            {id_: name for id_, name in expected.items() if id_ not in known},
            frozenset(lost) - known,
        )


def _has_succeeded(extra: Any) -> bool:
    """Whether an asset event's extra is that of a run of this package that succeeded."""
    return bool(extra.get("changesUntil")) and not extra.get("hasFailed")
