"""Stores trends within open transactions, and verifies them. No Airflow in here."""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from communication_trends.core.database import TARGET_TABLES, Transaction
from communication_trends.core.database_errors import (
    ROW_DEPENDENT_ERRORS,
    TIMEOUTS,
    affects_all,
    explain,
    remedy,
    sqlstate,
)
from communication_trends.core.errors import OutdatedSnapshotError, UnusableRowsError
from communication_trends.core.evidence import NUMBERS, Key, first_seen, gather_evidence, trend_key
from communication_trends.core.period import DAILY, Period, utc_date
from communication_trends.core.report import WRITTEN, AggregationReport, TrendResult, TrendStatus
from communication_trends.core.statements import json_parts
from communication_trends.core.verification import verify_against_source, verify_stored
from communication_trends.core.work import Fill, Work, chunks, split

log = logging.getLogger(__name__)

Trend = dict[str, Any]
"""A row of sql/aggregate_trends.sql, with the evidence that has been gathered of it."""

MAX_STORED_TOGETHER = 1_000
"""Trends that one statement stores, and that are split where one of them is broken."""

MAX_SPLITTING = 10.0
"""Seconds after which a transaction splits no further: what is stored is committed, and the rest is left to another."""


class TrendWriter:
    """
    Stores the trends of some organizations and periods, in a transaction that the caller commits.

    :param work: what they are a part of.
    :param report: is told which of them are incomplete or doubtful.
    :param reading: where the source is read, on the snapshot that the trends are from.
    :param writing: where they are stored; may be the same.
    :param periods: the periods that they are of.
    :param upsert_sql: statement that stores.
    :param newest_known: snapshot of a stored trend, as text, that is later than this one because a clock was wrong;
        None where no such trend is known.
    """

    def __init__(
        self,
        work: Work,
        report: AggregationReport,
        *,
        reading: Transaction,
        writing: Transaction,
        periods: Sequence[Period],
        upsert_sql: str,
        newest_known: str | None,
    ) -> None:
        self._work = work
        self._report = report
        self._reading = reading
        self._writing = writing
        self._periods = {period.start: period for period in periods}
        self._is_own = list(periods) == [work.period]
        self._upsert_sql = upsert_sql
        self.left: list[Sequence[Trend]] = []
        """What is left to another transaction, in parts, since splitting has taken long enough."""
        self._incomplete: dict[Key, str] = {}
        self._has_written = False
        self._parameters = {
            "trend_period": work.period.kind.name,
            "force": work.force and self._is_own,
            # for a week or month, check whether its days' rows still exist
            "final_before": _today(reading) if work.period.kind is DAILY else None,
            "may_be_filled": True if self._is_own and work.fill is Fill.ALWAYS else None,
            "computed_at": reading.began_at,
            "newest_known": newest_known,
            "hotspot_rule": work.hotspots.as_json(),
            "numbers": NUMBERS,
            **vars(work.origin),
        }

    def store(self, trends: Sequence[Trend]) -> list[TrendResult]:
        """
        Store what differs, with its provenance, and verify it against the source and against what was computed.

        Where that fails, the trends are split, and split again, until only what is broken has failed. They are not
        aggregated again for that, and what has been stored of the others stays. After `MAX_SPLITTING` the rest is
        `left` to another transaction.

        :param trends: rows of sql/aggregate_trends.sql.
        :returns: what became of each, the latest period first.
        :raises OutdatedSnapshotError: when another run has stored from a later snapshot.
        :raises Exception: when it would hit every organization, when there is nothing to split, or after a timeout.
        """
        trends = self._existing_only(trends)
        if self._is_own:
            self._look_up_unstored(trends)
        results = self._store_splitting(trends) if len(trends) > 1 else self._store_part(trends)
        if self._has_written:
            self._writing.require_unchanged(TARGET_TABLES)
        for result in results:
            key = result.organization, result.period.start
            if key in self._incomplete and result.status in (*WRITTEN, TrendStatus.UNCHANGED):
                self._report.incomplete[result.organization, result.period] = self._incomplete[key]
        return sorted(results, key=lambda result: result.period.first_date, reverse=True)

    def _store_splitting(self, trends: Sequence[Trend]) -> list[TrendResult]:
        results = []
        if len(trends) > MAX_STORED_TOGETHER:
            # in the order in which each part is written: two runs at once wait, they do not deadlock
            trends = sorted(trends, key=trend_key)
        pending = chunks(trends, MAX_STORED_TOGETHER)[::-1]
        failing_since = None
        while pending:
            # so that what can be stored is stored, however long what cannot takes to fail
            if failing_since and len(pending) > 1 and time.monotonic() - failing_since > MAX_SPLITTING:
                self.left = pending
                break
            part = pending.pop()
            began = time.monotonic()
            try:
                with self._savepoint():
                    results += self._store_part(part)
            # any error: one organization's bad data must not block the others
            except Exception as error:
                # stop after a timeout: each further statement could take as long
                if isinstance(error, OutdatedSnapshotError) or affects_all(error) or sqlstate(error) in TIMEOUTS:
                    raise
                failing_since = failing_since or began
                if len(part) > 1:
                    log.warning("A batch of %d trends failed: %s. Splitting it.", len(part), explain(error))
                    pending += reversed(split(part))
                else:
                    (trend,) = part
                    results.append(failed_result(error, trend["organization_id"], self._periods[trend["period_start"]]))
        return results

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        """Roll back the block in both databases if it fails, so that both transactions can continue."""
        with ExitStack() as savepoints:
            for transaction in dict.fromkeys((self._reading, self._writing)):
                savepoints.enter_context(transaction.savepoint())
            yield

    def _store_part(self, trends: Sequence[Trend]) -> list[TrendResult]:
        by_key = {trend_key(trend): trend for trend in trends}
        judged = self._upsert(trends)
        if later := [row["details"]["computed_at"] for row in judged if row["status"] == "outdated"]:
            raise OutdatedSnapshotError(
                f"Another run has stored trends of {len(later)} organizations and periods from a later snapshot",
                # just as new again: no other run wrote it, the clock was wrong
                newest=max([*later, self._parameters["newest_known"] or ""]),
            )
        if unsure := {
            trend_key(row): list(row["details"]["suspects"] or ()) for row in judged if row["status"] == "unsure"
        }:
            wanted = [by_key[key] for key in unsure]
            self._gather_evidence(wanted, unsure)
            self._keep_partial(judged, by_key)
            judged = [row for row in judged if trend_key(row) not in unsure]
            judged += self._upsert(wanted)
        traced = [row for row in judged if row["is_traced"]]
        for row in traced:
            # of one with details, one half stays, and what of it says why
            if not (row["becomes_final"] or row["details"]) and self._has_ended(row):
                self._incomplete.setdefault(trend_key(row), "it had been made from more than the source had left")
        # what an earlier attempt of the run has stored has its doubts as well
        if checked := [by_key[trend_key(row)] for row in judged if row["is_traced"] or row["is_stored_before"]]:
            kind, name = self._work.period.kind, self._report.name
            self._report.doubtful |= verify_against_source(self._reading, checked, kind, name)
        if traced:
            computed = [_stored_form(by_key[trend_key(row)], row) for row in traced]
            # run deferred triggers first, so that their changes are verified too
            self._writing.run_deferred()
            verify_stored(self._writing, self._parameters, computed, name)
        self._has_written |= any(row["status"] != TrendStatus.UNCHANGED or row["is_traced"] for row in judged)
        rows = {trend_key(row): row for row in judged}
        return [
            _result(rows.get(key), trend, self._periods[trend["period_start"]], self._incomplete.get(key, ""))
            for key, trend in by_key.items()
        ]

    def _upsert(self, trends: Sequence[Trend]) -> list[dict[str, Any]]:
        return [
            row
            for part in json_parts(trends)
            for row in self._writing.rows(self._upsert_sql, {**self._parameters, **part})
        ]

    def _look_up_unstored(self, trends: Sequence[Trend]) -> None:
        """
        Gather the evidence of trends of the run's own period that are not stored, before they are.

        Otherwise the upsert asks for all of it. A day that has just ended needs none.
        """
        if (self._work.fill is Fill.ALWAYS and self._work.period.kind is DAILY) or not trends:
            return
        bounds = {
            "trend_period": self._work.period.kind.name,
            "period_start": self._work.period.start,
            "organization_ids": [trend["organization_id"] for trend in trends],
        }
        unstored = {row["id"] for row in self._writing.run("unstored_organizations.sql", bounds)}
        if wanted := [trend for trend in trends if trend["organization_id"] in unstored]:
            self._gather_evidence(wanted, {})

    def _gather_evidence(self, trends: Sequence[Trend], channels: Mapping[Key, Collection[str]]) -> None:
        """Gather evidence of trends; a period that was asked for explicitly is stored in any case."""
        self._incomplete |= gather_evidence(
            self._reading, self._writing, trends, channels=channels, periods=self._periods
        )
        if self._work.fill is not Fill.IF_IN_SOURCE:
            for trend in trends:
                trend["may_be_filled"] = trend["may_be_filled"] or trend["period_start"] == self._work.period.start

    def _has_ended(self, row: Mapping[str, Any]) -> bool:
        return self._periods[row["period_start"]].has_ended(self._reading.began_at)

    def _keep_partial(self, judged: Sequence[Mapping[str, Any]], trends: Mapping[Key, Trend]) -> None:
        """Leave a trend not final if it was stored so after its period had ended and is unchanged."""
        for row in judged:
            key, since = trend_key(row), row["details"] and row["details"].get("partial_since")
            if since and self._periods[row["period_start"]].has_ended(datetime.datetime.fromisoformat(since)):
                trends[key]["is_final"] = False
                self._incomplete.setdefault(key, "it was incomplete when it was stored, and no rows have come since")

    def _existing_only(self, trends: Sequence[Trend]) -> list[Trend]:
        """
        Leave out empty trends of earlier periods that had ended before the organization existed.

        It exists from its ``created_at`` on, in either database, or from its first source row or stored trend,
        whichever is the earliest: an application may reset ``created_at``.
        """
        own_start = self._work.period.start
        early = [
            trend
            for trend in trends
            if not trend.pop("existed")
            and trend["period_start"] != own_start
            and not trend["total_classifications"]
            and not trend["alerts"]
        ]
        if not early:
            return list(trends)
        beginnings = first_seen(self._reading, self._writing, early, self._periods)
        left_out = {
            trend_key(trend)
            for trend in early
            if not (
                (first := beginnings[trend["organization_id"]]) and first < self._periods[trend["period_start"]].end
            )
        }
        return [trend for trend in trends if trend_key(trend) not in left_out]


def failed_result(error: Exception, organization: str, period: Period) -> TrendResult:
    """
    Return what became of a trend that failed.

    :param error: why.
    :param organization: its id.
    :param period: which one.
    """
    fixed_by = remedy(error)
    return TrendResult(
        organization,
        period,
        TrendStatus.FAILED,
        reason=f"{explain(error)}: {fixed_by}" if fixed_by else explain(error),
        retryable=not isinstance(error, UnusableRowsError)
        and (not fixed_by or sqlstate(error) in ROW_DEPENDENT_ERRORS),
    )


def _result(row: Mapping[str, Any] | None, trend: Mapping[str, Any], period: Period, incomplete: str) -> TrendResult:
    """Return what became of a trend, from its row of sql/upsert_trends.sql; no row: it was up to date."""
    id_, messages, alerts = trend["organization_id"], trend["total_classifications"], trend["alerts"]
    if row is None:
        return TrendResult(id_, period, TrendStatus.UNCHANGED, messages, alerts, messages, reason=incomplete)
    if row["status"] == "unknown":
        reason = "the organization is missing in the target's organizations table. Add it, or correct source_conn_id"
        return TrendResult(id_, period, TrendStatus.FAILED, messages, alerts, reason=reason)
    details = row["details"] or {}
    guarded = details.get("guards_messages", False) or details.get("guards_alerts", False)
    return TrendResult(
        id_,
        period,
        TrendStatus(row["status"]),
        messages,
        alerts,
        row["stored_classifications"],
        reason=_kept_reason(details, trend) if guarded else incomplete,
        is_guarded=guarded,
        keeps_messages=details.get("guards_messages", False),
    )


def _kept_reason(details: Mapping[str, Any], trend: Mapping[str, Any]) -> str:
    """Say which half of a trend was not overwritten, and what the source has fewer of."""
    found = {
        "messages": trend["total_classifications"],
        "messages with a tone": trend["messages_with_tone"],
        "messages with a confidence": trend["messages_with_confidence"],
        "alerts": trend["alerts"],
    }
    fewer = [
        f"{name} {int(had)} → {found[name]}"
        for name, had in details["made_from"].items()
        if had is not None and found[name] < had and details["guards_alerts" if name == "alerts" else "guards_messages"]
    ]
    if details["channels"]:
        fewer.append(f"messages of hotspot channels: {', '.join(details['channels'])}")
    kept = [half for half in ("messages", "alerts") if details[f"guards_{half}"]]
    return f"what was made from {' and '.join(kept)} was not overwritten: the source now has fewer ({'; '.join(fewer)})"


def _stored_form(trend: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has to be stored now: as it was computed, but for the half that was not overwritten."""
    expected = {**trend, "becomes_final": row["becomes_final"]}
    if not (details := row["details"]):
        return expected
    stored = {**(details["stored_messages"] or {}), **(details["stored_alerts"] or {})}
    return {**expected, "messages": trend["total_classifications"], "is_partial": True, **stored}


def _today(transaction: Transaction) -> datetime.datetime:
    """Return the first moment of the day that a transaction began in, UTC, without a time zone."""
    return datetime.datetime.combine(utc_date(transaction.began_at), datetime.time.min)
