"""The DAGs' second step, mapped: aggregate the trends of a batch of organizations, mostly of one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from communication_trends.sdk import AirflowException, AirflowFailException

from communication_trends import __version__, settings
from communication_trends.compat import clear_number, discard_mapped_xcom, name_task_instance, triggered_by
from communication_trends.connections import translate_errors
from communication_trends.core.aggregation import Aggregation
from communication_trends.core.database import Database
from communication_trends.core.period import Period, utc_now
from communication_trends.core.report import AggregationReport, TrendResult, TrendStatus
from communication_trends.core.task_report import TaskReport
from communication_trends.core.wording import MAX_NAMED, list_text
from communication_trends.core.work import Fill, Origin, Work, chunks
from communication_trends.operators.base import REPORT_KEY, Batch, TrendsOperator


class AggregateTrendsOperator(TrendsOperator):
    """
    Aggregate one period of a batch of organizations, mostly of one, and upsert their trends; then earlier periods.

    Only the names of the templates are kept with each task instance, and shown in the UI: their text is the same for
    thousands of them, and the largest table of Airflow's database would be copies of it.

    :param batch: the organizations, as `Batch.encode` writes them
    :param aggregate_sql: template of the statement that aggregates, one row per organization and period
    :param upsert_sql: template of the statement that stores those rows
    """

    template_fields: Sequence[str] = ("aggregate_sql", "upsert_sql")
    ui_color = "#e6f4ea"

    def __init__(self, *, batch: str, aggregate_sql: str, upsert_sql: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch = batch
        self.aggregate_sql = aggregate_sql
        self.upsert_sql = upsert_sql

    @property
    def batch_name(self) -> str:
        """What the task instance is called in the UI; ``map_index_template`` reads it."""
        return Batch.decode(self.batch).name

    def execute(self, context: Any) -> None:
        """
        Store the trends.

        :param context: Airflow's context.
        :raises AirflowException: when a trend failed, after all others were stored.
        """
        name_task_instance(context, self.batch_name)
        discard_mapped_xcom(context, REPORT_KEY)
        dag_run, ti = context["dag_run"], context["ti"]
        work = self._work(context)
        with translate_errors(), self.connected(settings.source_conn_id()) as source:
            report = Aggregation(
                work,
                source=source,
                open_target=None if settings.source_conn_id() == settings.conn_id() else self._open_target,
                aggregate_sql=self._rendered(self.aggregate_sql, context),
                upsert_sql=self._rendered(self.upsert_sql, context),
            ).run()
        self.rows_read = {settings.source_conn_id(): report.rows_read}
        self.rows_written = {settings.conn_id(): report.rows_written}
        self._log_report(work, report)
        failed = report.of(TrendStatus.FAILED) + report.of(TrendStatus.NOT_IN_SOURCE, period=work.period)
        is_retried = not report.ended_by and any(result.retryable for result in report.of(TrendStatus.FAILED))
        reported = TaskReport.of(
            work.period,
            report,
            map_index=ti.map_index,
            clear_number=clear_number(dag_run),
            # of an attempt that another one follows, it is not the last word
            is_last_attempt=ti.try_number > ti.max_tries or not is_retried,
        )
        if reported:
            ti.xcom_push(key=REPORT_KEY, value=reported.as_json())
        if report.ended_by:
            with translate_errors():
                raise report.ended_by
        if failed:
            organizations = {result.organization for result in failed}
            raise (AirflowException if is_retried else AirflowFailException)(
                f"{len(organizations)} of {len(work.organizations)} organizations failed. "
                + list_text([_reason(result, work, report.name(result.organization)) for result in failed])
            )

    def _rendered(self, name: str, context: Any) -> str:
        """Return the text of a template; one without any Jinja is not compiled, which takes longer than its SQL."""
        templates: Any = self.get_template_env()
        marks = (
            templates.block_start_string,
            templates.variable_start_string,
            templates.comment_start_string,
            templates.line_statement_prefix,
            templates.line_comment_prefix,
        )
        text, *_ = templates.loader.get_source(templates, name)
        if any(mark in text for mark in marks if mark):
            return templates.get_template(name).render(context)
        return text

    def _work(self, context: Any) -> Work:
        period, dag_run, batch = self.run_period(context), context["dag_run"], Batch.decode(self.batch)
        return Work(
            organizations=batch.organizations,
            period=period,
            lookback_periods=self.lookback_periods(context, batch),
            force=context["params"]["force"],
            fill=_fill(period, triggered_by(dag_run), clear_number(dag_run)),
            hotspots=settings.hotspot_rule(),
            origin=Origin(dag_run.dag_id, dag_run.run_id, __version__),
        )

    def _open_target(self) -> AbstractContextManager[Database]:
        return self.connected(settings.conn_id())

    def _log_report(self, work: Work, report: AggregationReport) -> None:
        """Log what happened: many organizations to a line, those that failed for the same reason among them."""
        own = work.period
        for id_ in report.deleted:
            self.log.warning("%s: the organization has been deleted since it was listed; nothing to store.", id_)
        for statuses, said in (
            ((TrendStatus.FILLED, TrendStatus.CORRECTED), "Stored %s"),
            ((TrendStatus.UNCHANGED,), "%s is already up to date"),
        ):
            names = [
                f"{report.name(one.organization)} ({one.trend_messages})" for one in report.of(*statuses, period=own)
            ]
            # a line for each would take longer than its aggregation
            for part in chunks(names, MAX_NAMED):
                self.log.info(f"{said}, with so many classifications: %s.", own, ", ".join(part))
        for result in report.guarded(period=own):
            self.log.warning(
                "%s: of the stored trend of %s, %s. force overwrites it.",
                report.name(result.organization),
                own,
                result.reason,
            )
        for (id_, period), reason in report.incomplete.items():
            self.log.warning("%s: the trend of %s is not final: %s.", report.name(id_), period, reason)
        for (id_, period), doubts in report.doubtful.items():
            self.log.warning("%s: of the messages of %s, %s.", report.name(id_), period, doubts)
        changes: dict[str, list[str]] = {}
        for result in report.of(TrendStatus.FILLED, TrendStatus.CORRECTED, earlier_than=own):
            changes.setdefault(report.name(result.organization), []).append(_change(result))
        for name, texts in changes.items():
            self.log.info("%s: %s", name, ", ".join(texts))
        for results, said in (
            (
                report.guarded(earlier_than=own),
                "Did not overwrite %d trends of earlier %ss, %s to %s: the source now has fewer rows than they were "
                "made from: %s.",
            ),
            (
                report.of(TrendStatus.NOT_IN_SOURCE, earlier_than=own),
                "Left %d trends of earlier %ss missing, %s to %s: the source has no rows as old as that any more, so "
                "nothing is known of them: %s.",
            ),
        ):
            if results:
                dates = sorted({result.period.first_date for result in results})
                names = sorted({report.name(result.organization) for result in results})
                self.log.warning(said, len(results), self.kind.noun, dates[0], dates[-1], list_text(names))
        self._log_failures(work, report)

    def _log_failures(self, work: Work, report: AggregationReport) -> None:
        """Log what failed; an error that ends the work early is the same for each that is left."""
        failures: dict[tuple[Period, str], list[TrendResult]] = {}
        for result in report.of(TrendStatus.FAILED):
            failures.setdefault((result.period, result.reason), []).append(result)
        for same in (part for results in failures.values() for part in chunks(results, MAX_NAMED)):
            named = list_text([report.name(result.organization) for result in same])
            self.log.error("%s", _reason(same[0], work, named))


def _fill(period: Period, triggered_by: str, clear_number: int) -> Fill:
    """Return whether a run stores its own period where the source may have lost its rows."""
    if triggered_by == "manual" and not clear_number:
        return Fill.NOT_FINAL
    now = utc_now()
    # a scheduled run may have waited for weeks, for its DAG to be unpaused for one
    has_just_ended = period.has_ended(now) and not period.kind.containing(period.next_date).has_ended(now)
    return Fill.ALWAYS if triggered_by == "schedule" and not clear_number and has_just_ended else Fill.IF_IN_SOURCE


def _reason(result: TrendResult, work: Work, name: str) -> str:
    when = "" if result.period == work.period else f" {result.period}"
    reason = result.reason
    if result.status is TrendStatus.NOT_IN_SOURCE:
        reason += ". No trend is stored; a run with its date in the conf stores what is there, as not final"
    return f"{name}{when}: {reason}"


def _change(result: TrendResult) -> str:
    if result.status is TrendStatus.FILLED:
        return f"{result.period} filled ({result.trend_messages} messages)"
    return f"{result.period} corrected ({result.stored_messages} → {result.trend_messages})"
