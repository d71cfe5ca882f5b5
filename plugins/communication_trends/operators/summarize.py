"""The DAGs' third step: sum up the run, and fail it where trends are missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException

from communication_trends import __version__, metrics, settings
from communication_trends.compat import (
    task_instance_states,
    triggered_by,
)
from communication_trends.connections import errors_explained
from communication_trends.core.period import Period
from communication_trends.notifications import attention, tell_attention, tell_digest
from communication_trends.operators.base import OUTCOME_KEY, TrendsOperator, listed


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
                f"{listed(summary['failedOrganizations'])}.{others}"
            )
        if failed_earlier:
            problems.append(
                f"{len(failed_earlier)} trends of earlier {self.kind.noun}s failed and are as they were: "
                f"{listed(failed_earlier)}."
            )
        if problems:
            problems.append(f"Clear the failed task instances of {self.aggregate_task_id} to try again.")
        return " ".join(problems)


def _missing(row: Mapping[str, Any], periods: Sequence[Period]) -> list[Period]:
    """Return the periods that an organization, a row of ``_stored``, has no trend of though it existed."""
    return [one for one in periods if row["messages"][one] is None and row["existed"][one]]


def _name(row: Mapping[str, Any] | None, id_: str) -> str:
    return (row and row["slug"]) or id_
