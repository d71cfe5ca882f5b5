"""The DAGs' second step, mapped: aggregate the trends of a batch of organizations, mostly of one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from communication_trends import settings
from communication_trends.compat import (
    name_task_instance,
)
from communication_trends.connections import errors_explained
from communication_trends.core.aggregation import Aggregation, HotspotRule, Outcome, Result, Work
from communication_trends.operators.base import LOGGED_AT_ONCE, OUTCOME_KEY, TrendsOperator, listed


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
                + listed([_reason(result, work, outcome) for result in failed])
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
                line = ", ".join(names[start : start + LOGGED_AT_ONCE])
                self.log.info(f"{said}, with so many classifications: %s.", own, line)
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
                listed(sorted({outcome.name(result.organization) for result in kept})),
            )
        for result in outcome.of("failed"):
            self.log.error("%s", _reason(result, work, outcome))


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
