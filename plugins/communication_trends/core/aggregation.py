"""
Aggregates the trends of some organizations, stores and verifies them. No Airflow in here.

What to do comes in as plain values (`Work`), with a database to read from and one to write to, which may be the same;
what became of it goes out (`AggregationReport`). All organizations are aggregated together, in one transaction on one
snapshot. Where that fails, the batch is halved, and halved again, until only what is broken has failed.

Usage::

    report = Aggregation(work, source=database).run()
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from communication_trends.core.database import (
    MAX_CONFLICT_RETRIES,
    SOURCE_TABLES,
    TARGET_TABLES,
    Database,
    Transaction,
)
from communication_trends.core.database_errors import (
    CONFLICTS,
    DATABASE_ERRORS,
    REMEDIES,
    ROW_DEPENDENT_ERRORS,
    explain,
    is_lost,
    remedy,
    sqlstate,
)
from communication_trends.core.errors import OutdatedSnapshotError, UnusableRowsError
from communication_trends.core.evidence import NUMBERS, Key, first_seen, gather_evidence, trend_key
from communication_trends.core.period import DAILY, Period, period_bounds, utc_date
from communication_trends.core.report import WRITTEN, AggregationReport, TrendResult, TrendStatus
from communication_trends.core.statements import json_parts
from communication_trends.core.verification import verify_against_source, verify_stored
from communication_trends.core.work import Fill, Work

log = logging.getLogger(__name__)

MAX_TRENDS_PER_TRANSACTION = 20_000
"""Trends of earlier periods that are computed in one transaction, which bounds what it holds in memory."""


class Aggregation:
    """
    Stores the trends of some organizations.

    :param work: what to do.
    :param source: where organizations, messages and alerts are read.
    :param open_target: opens the database that trends are written to, whenever there is something to write; None where
        it is the source.
    :param aggregate_sql: statement that aggregates, by default sql/aggregate_trends.sql.
    :param upsert_sql: statement that stores, by default sql/upsert_trends.sql.
    """

    def __init__(
        self,
        work: Work,
        *,
        source: Database,
        open_target: Callable[[], AbstractContextManager[Database]] | None = None,
        aggregate_sql: str | None = None,
        upsert_sql: str | None = None,
    ) -> None:
        self.work = work
        self.source = source
        self._open_target = open_target
        self._aggregate_sql = aggregate_sql or source.sql("aggregate_trends.sql")
        self._upsert_sql = upsert_sql or source.sql("upsert_trends.sql")
        self._report = AggregationReport()
        self._is_writing = False
        self._newest_known: str | None = None

    def run(self) -> AggregationReport:
        """
        Do the work, and return what became of it.

        A database's errors are not raised: each is the reason of the results that failed, which stay unchanged.
        """
        work, report = self.work, self._report
        if self._open_target:
            try:
                with self._open_target() as target:
                    for unknown in self.source.replication.wait_for_replica(work.period.end, target):
                        log.warning("%s", unknown)
            except DATABASE_ERRORS as error:
                self._fail([work.period, *work.lookback_periods], work.organizations, error)
                return report
        self._process([work.period], work.organizations)
        failed = {result.organization for result in report.of(TrendStatus.FAILED)}
        stored = [id_ for id_ in work.organizations if id_ not in failed and id_ not in report.deleted]
        if report.ended_by:
            self._fail(work.lookback_periods, work.organizations, report.ended_by)
        elif stored:
            for periods in _chunks(work.lookback_periods, max(1, MAX_TRENDS_PER_TRANSACTION // len(stored))):
                self._process(periods, stored)
        return report

    def _process(self, periods: Sequence[Period], ids: Sequence[str]) -> None:
        """Store some periods of some organizations; what fails is halved until only what is broken has failed."""
        pending = [(list(periods), list(ids))]
        while pending:
            periods, ids = pending.pop()
            error = self._report.ended_by or self._attempt(periods, ids)
            if error is None:
                continue
            if self._report.ended_by or len(ids) * len(periods) == 1 or _affects_all(error):
                self._fail(periods, ids, error)
                continue
            if len(ids) > 1:
                self._look_up_names()
                log.warning("A batch of %d organizations failed: %s. Halving it.", len(ids), explain(error))
                middle = (len(ids) + 1) // 2
                pending += [(periods, ids[middle:]), (periods, ids[:middle])]
            else:
                middle = (len(periods) + 1) // 2
                pending += [(periods[middle:], ids), (periods[:middle], ids)]

    def _fail(self, periods: Sequence[Period], ids: Sequence[str], error: Exception) -> None:
        if _affects_all(error):
            self._report.ended_by = error
        else:
            self._look_up_names()
        fixed_by = remedy(error)
        reason = f"{explain(error)}: {fixed_by}" if fixed_by else explain(error)
        retryable = not isinstance(error, UnusableRowsError) and (
            not fixed_by or sqlstate(error) in ROW_DEPENDENT_ERRORS
        )
        self._report.results += [
            TrendResult(id_, period, TrendStatus.FAILED, reason=reason, retryable=retryable)
            for period in periods
            for id_ in ids
        ]

    def _attempt(self, periods: Sequence[Period], ids: Sequence[str]) -> Exception | None:
        """Store in one transaction, and return the error that prevented it."""
        for _ in range(MAX_CONFLICT_RETRIES):
            self._is_writing = False
            try:
                results = self._aggregate_and_store(periods, ids)
            # any error: one organization's odd data must not cost the others theirs
            except Exception as error:
                conflict = error
                if isinstance(error, OutdatedSnapshotError):
                    log.info("%s; trying again.", error)
                elif self._is_writing and sqlstate(error) in CONFLICTS:
                    log.info("Another run stored the same trends at the same time; trying again.")
                else:
                    return error
            else:
                self._report.results += results
                return None
        return conflict

    def _aggregate_and_store(self, periods: Sequence[Period], ids: Sequence[str]) -> list[TrendResult]:
        parameters = {
            **period_bounds(periods),
            "organization_ids": list(ids),
            "hotspot_topics": list(self.work.hotspots.topics),
            "hotspot_min_messages": self.work.hotspots.min_messages,
            "hotspot_min_ratio": str(self.work.hotspots.min_ratio),
        }
        with self.source.transaction(read_only=bool(self._open_target), aggregating=True) as reading:
            if self._open_target:
                self.source.replication.require_replayed(reading, self.work.period.end)
            trends = self._aggregated(reading, parameters, periods, ids)
            if not self._open_target:
                return self._upsert_and_verify(reading, reading, trends, periods)
            # opened only now, so that it is not idle while the source is read
            with self._open_target() as target, target.transaction(read_only=False) as writing:
                return self._upsert_and_verify(reading, writing, trends, periods)

    def _aggregated(
        self, reading: Transaction, parameters: Mapping[str, Any], periods: Sequence[Period], ids: Sequence[str]
    ) -> dict[Key, dict[str, Any]]:
        """Return the trends by organization and period."""
        found = set()
        trends = {}
        for row in reading.rows(self._aggregate_sql, parameters):
            id_ = row["organization_id"]
            found.add(id_)
            self._report.names[id_] = row.pop("slug") or id_
            trends[id_, row["period_start"]] = row
        reading.require_unchanged(SOURCE_TABLES)
        self._report.deleted += [id_ for id_ in ids if id_ not in found and id_ not in self._report.deleted]
        return trends

    def _upsert_and_verify(
        self,
        reading: Transaction,
        writing: Transaction,
        trends: Mapping[Key, dict[str, Any]],
        periods: Sequence[Period],
    ) -> list[TrendResult]:
        """Store what differs, with its provenance, and verify it against the source and against what was computed."""
        by_start = {period.start: period for period in periods}
        trends = self._without_unborn(reading, writing, trends, by_start)
        self._is_writing = True
        is_own = list(periods) == [self.work.period]
        parameters = {
            "trend_period": self.work.period.kind.name,
            "force": self.work.force and is_own,
            # of a week or month, whether its days are still there has to be looked up
            "final_before": _today(reading) if self.work.period.kind is DAILY else None,
            "may_be_filled": True if is_own and self.work.fill is Fill.ALWAYS else None,
            "computed_at": reading.began_at,
            "newest_known": self._newest_known,
            "hotspot_rule": self.work.hotspots.as_json(),
            "numbers": NUMBERS,
            **vars(self.work.origin),
        }
        incomplete = self._look_up_unstored(reading, writing, trends, by_start) if is_own else {}
        judged = self._upsert(writing, parameters, list(trends.values()))
        if later := [row["details"]["computed_at"] for row in judged if row["status"] == "outdated"]:
            # if it is as new again, that is not another run's work but the clock's
            self._newest_known = max([*later, self._newest_known or ""])
            raise OutdatedSnapshotError(
                f"Another run has stored trends of {len(later)} organizations and periods from a later snapshot"
            )
        if unsure := {
            trend_key(row): list(row["details"]["suspects"] or ()) for row in judged if row["status"] == "unsure"
        }:
            wanted = [trends[key] for key in unsure]
            incomplete |= self._gather_evidence(reading, writing, wanted, unsure, by_start)
            incomplete = _still_partial(judged, trends, by_start) | incomplete
            judged = [row for row in judged if trend_key(row) not in unsure]
            judged += self._upsert(writing, parameters, wanted)
        if traced := [row for row in judged if row["is_traced"]]:
            kind, name = self.work.period.kind, self._report.name
            self._report.doubtful |= verify_against_source(
                reading, [trends[trend_key(row)] for row in traced], kind, name
            )
            computed = [_stored_form(trends[trend_key(row)], row["details"]) for row in traced]
            # so that what deferred triggers make of the rows is verified as well
            writing.run_deferred()
            verify_stored(writing, parameters, computed, name)
        if any(row["status"] != TrendStatus.UNCHANGED or row["is_traced"] for row in judged):
            writing.require_unchanged(TARGET_TABLES)
        by_key = {trend_key(row): row for row in judged}
        results = []
        for key, trend in trends.items():
            result = _result(by_key.get(key), trend, by_start[trend["period_start"]], incomplete.get(key, ""))
            results.append(result)
            if key in incomplete and result.status in (*WRITTEN, TrendStatus.UNCHANGED):
                self._report.incomplete[result.organization, result.period] = incomplete[key]
        return sorted(results, key=lambda result: result.period.first_date, reverse=True)

    def _look_up_unstored(
        self,
        reading: Transaction,
        writing: Transaction,
        trends: Mapping[Key, dict[str, Any]],
        periods: Mapping[datetime.datetime, Period],
    ) -> dict[Key, str]:
        """
        Gather the evidence of trends of the run's own period that are not stored, before they are.

        The statement that stores would ask for it, of all of them; of a day that has just ended it needs none.
        """
        if (self.work.fill is Fill.ALWAYS and self.work.period.kind is DAILY) or not trends:
            return {}
        bounds = {
            "trend_period": self.work.period.kind.name,
            "period_start": self.work.period.start,
            "organization_ids": [id_ for id_, _ in trends],
        }
        unstored = {row["id"] for row in writing.run("unstored_organizations.sql", bounds)}
        wanted = [trend for (id_, _), trend in trends.items() if id_ in unstored]
        return self._gather_evidence(reading, writing, wanted, {}, periods) if wanted else {}

    def _gather_evidence(
        self,
        reading: Transaction,
        writing: Transaction,
        trends: Sequence[dict[str, Any]],
        channels: Mapping[Key, Collection[str]],
        periods: Mapping[datetime.datetime, Period],
    ) -> dict[Key, str]:
        """Gather the evidence that `gather_evidence` does; what was asked for is stored whatever it says."""
        incomplete = gather_evidence(reading, writing, trends, channels=channels, periods=periods)
        if self.work.fill is not Fill.IF_IN_SOURCE:
            for trend in trends:
                trend["may_be_filled"] = trend["may_be_filled"] or trend["period_start"] == self.work.period.start
        return incomplete

    def _without_unborn(
        self,
        reading: Transaction,
        writing: Transaction,
        trends: Mapping[Key, dict[str, Any]],
        periods: Mapping[datetime.datetime, Period],
    ) -> dict[Key, dict[str, Any]]:
        """
        Leave out empty trends of earlier periods that had ended before the organization existed.

        It exists from its ``created_at`` on, or from its first source row or stored trend, whichever is the earliest:
        an application may reset ``created_at``.
        """
        own_start = self.work.period.start
        unborn = {
            key: trend
            for key, trend in trends.items()
            if not trend.pop("existed")
            and key[1] != own_start
            and not trend["total_classifications"]
            and not trend["alerts"]
        }
        if not unborn:
            return dict(trends)
        beginnings = first_seen(reading, writing, list(unborn.values()), periods)
        return {
            key: trend
            for key, trend in trends.items()
            if key not in unborn or ((first := beginnings[key[0]]) and first < periods[key[1]].end)
        }

    def _upsert(
        self, writing: Transaction, parameters: Mapping[str, Any], trends: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        return [
            row for part in json_parts(trends) for row in writing.rows(self._upsert_sql, {**parameters, "trends": part})
        ]

    def _look_up_names(self) -> None:
        """Learn the slugs of organizations that have not been aggregated; one that is not found is called by its id."""
        if self._report.names:
            return
        try:
            with self.source.transaction(read_only=True) as lookup:
                rows = lookup.run("organizations.sql", {"ids": list(self.work.organizations)})
        except DATABASE_ERRORS as error:
            log.warning("The organizations cannot be named: %s", explain(error))
        else:
            self._report.names.update({row["id"]: row["slug"] or row["id"] for row in rows})


def _result(row: Mapping[str, Any] | None, trend: Mapping[str, Any], period: Period, incomplete: str) -> TrendResult:
    """Return what became of a trend, from its row of sql/upsert_trends.sql; none where all of it was stored already."""
    id_, messages, alerts = trend["organization_id"], trend["total_classifications"], trend["alerts"]
    if row is None:
        return TrendResult(id_, period, TrendStatus.UNCHANGED, messages, alerts, messages, reason=incomplete)
    if row["status"] == "unknown":
        reason = "the target's organizations do not have it. Add it there, or correct the setting source_conn_id"
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
    )


def _still_partial(
    judged: Sequence[Mapping[str, Any]],
    trends: Mapping[Key, dict[str, Any]],
    periods: Mapping[datetime.datetime, Period],
) -> dict[Key, str]:
    """Keep what was stored as not final after its period had ended, and is the same again, not final; return why."""
    incomplete = {}
    for row in judged:
        partial_since = row["details"] and row["details"].get("partial_since")
        if partial_since and periods[row["period_start"]].has_ended(datetime.datetime.fromisoformat(partial_since)):
            trends[trend_key(row)]["is_final"] = False
            incomplete[trend_key(row)] = "it was incomplete when it was stored, and no rows have come since"
    return incomplete


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


def _stored_form(trend: Mapping[str, Any], details: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what has to be stored now: as it was computed, but for the half that was not overwritten."""
    if not details:
        return dict(trend)
    stored = {**(details["stored_messages"] or {}), **(details["stored_alerts"] or {})}
    return {**trend, "messages": trend["total_classifications"], "is_partial": True, **stored}


def _today(transaction: Transaction) -> datetime.datetime:
    """Return the first moment of the day that a transaction began in, UTC, without a time zone."""
    return datetime.datetime.combine(utc_date(transaction.began_at), datetime.time.min)


def _chunks(periods: Sequence[Period], size: int) -> Iterator[Sequence[Period]]:
    for start in range(0, len(periods), size):
        yield periods[start : start + size]


def _affects_all(error: Exception) -> bool:
    """Whether an error would meet each organization alike, so that trying fewer of them makes no difference."""
    return isinstance(error, DATABASE_ERRORS) and (
        is_lost(error) or sqlstate(error) in (REMEDIES.keys() | CONFLICTS) - ROW_DEPENDENT_ERRORS
    )
