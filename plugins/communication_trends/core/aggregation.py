"""
Aggregates the trends of some organizations, and has them stored. No Airflow in here.

What to do comes in as plain values (`Work`), with a database to read from and one to write to, which may be the same;
what became of it goes out (`AggregationReport`). All organizations are aggregated together, in one transaction on one
snapshot. Where aggregating or the commit fails, the batch is split, and split again, until only what is broken has
failed; where storing fails, `TrendWriter` does so within the transaction, for some seconds.

Usage::

    report = Aggregation(work, source=database).run()
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from communication_trends.core.database import MAX_CONFLICT_RETRIES, SOURCE_TABLES, Database, Transaction
from communication_trends.core.database_errors import CONFLICTS, DATABASE_ERRORS, affects_all, explain, sqlstate
from communication_trends.core.errors import OutdatedSnapshotError
from communication_trends.core.period import Period, period_bounds
from communication_trends.core.report import AggregationReport, TrendResult, TrendStatus
from communication_trends.core.trend_writer import TrendWriter, failed_result
from communication_trends.core.work import Work, chunks, split

log = logging.getLogger(__name__)

Batch = tuple[Sequence[Period], Sequence[str]]
"""Periods, and ids of organizations, whose trends are stored in one transaction."""

MAX_TRENDS_PER_TRANSACTION = 5_000
"""
Trends of earlier periods that are computed in one transaction, which bounds what it holds in memory.

In large batches that is one period at a time: the rows of one period lie next to each other on disk, so that its pages
are read once for all organizations (bench/README.md).
"""


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
            for periods in chunks(work.lookback_periods, max(1, MAX_TRENDS_PER_TRANSACTION // len(stored))):
                self._process(periods, stored)
        return report

    def _process(self, periods: Sequence[Period], ids: Sequence[str]) -> None:
        """Store some periods of some organizations; what fails is split until only what is broken has failed."""
        pending: list[Batch] = [(periods, ids)]
        while pending:
            periods, ids = pending.pop()
            outcome = self._report.ended_by or self._attempt(periods, ids)
            if isinstance(outcome, list):
                pending += outcome
                continue
            error = outcome
            if self._report.ended_by or len(ids) * len(periods) == 1 or affects_all(error):
                self._fail(periods, ids, error)
                continue
            if len(ids) > 1:
                self._look_up_names()
                log.warning("A batch of %d organizations failed: %s. Splitting it.", len(ids), explain(error))
                pending += [(periods, part) for part in reversed(split(ids))]
            else:
                pending += [(part, ids) for part in reversed(split(periods))]

    def _fail(self, periods: Sequence[Period], ids: Sequence[str], error: Exception) -> None:
        if affects_all(error):
            self._report.ended_by = error
        else:
            self._look_up_names()
        self._report.results += [failed_result(error, id_, period) for period in periods for id_ in ids]

    def _attempt(self, periods: Sequence[Period], ids: Sequence[str]) -> list[Batch] | Exception:
        """Store in one transaction, and return what is left to others, or the error that prevented it."""
        for _ in range(MAX_CONFLICT_RETRIES):
            self._is_writing = False
            try:
                results, left = self._aggregate_and_store(periods, ids)
            # any error: one organization's bad data must not block the others
            except Exception as error:
                conflict = error
                if isinstance(error, OutdatedSnapshotError):
                    self._newest_known = error.newest or self._newest_known
                    log.info("%s; trying again.", error)
                elif self._is_writing and sqlstate(error) in CONFLICTS:
                    log.info("Another run stored the same trends at the same time; trying again.")
                else:
                    return error
            else:
                self._report.results += results
                return left
        return conflict

    def _aggregate_and_store(
        self, periods: Sequence[Period], ids: Sequence[str]
    ) -> tuple[list[TrendResult], list[Batch]]:
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
            trends = self._aggregated(reading, parameters, ids)
            if not self._open_target:
                return self._store(reading, reading, trends, periods)
            # opened only now, so that it is not idle while the source is read
            with self._open_target() as target, target.transaction(read_only=False) as writing:
                return self._store(reading, writing, trends, periods)

    def _aggregated(
        self, reading: Transaction, parameters: Mapping[str, Any], ids: Sequence[str]
    ) -> list[dict[str, Any]]:
        trends = reading.rows(self._aggregate_sql, parameters)
        found = {trend["organization_id"] for trend in trends}
        self._report.names |= {
            trend["organization_id"]: trend.pop("slug") or trend["organization_id"] for trend in trends
        }
        reading.require_unchanged(SOURCE_TABLES)
        self._report.deleted += [id_ for id_ in ids if id_ not in found and id_ not in self._report.deleted]
        return trends

    def _store(
        self, reading: Transaction, writing: Transaction, trends: Sequence[dict[str, Any]], periods: Sequence[Period]
    ) -> tuple[list[TrendResult], list[Batch]]:
        self._is_writing = True
        writer = TrendWriter(
            self.work,
            self._report,
            reading=reading,
            writing=writing,
            periods=periods,
            upsert_sql=self._upsert_sql,
            newest_known=self._newest_known,
        )
        results = writer.store(trends)
        left: list[Batch] = []
        for part in writer.left:
            # periods of the same organizations together
            by_ids: dict[tuple[str, ...], list[Period]] = {}
            for period in periods:
                ids = tuple(trend["organization_id"] for trend in part if trend["period_start"] == period.start)
                by_ids.setdefault(ids, []).append(period)
            # the last one is taken first: the newest
            left += [(those, ids) for ids, those in reversed(by_ids.items()) if ids]
        return results, left

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
