"""
The work itself: aggregate the trends of some organizations, store them, verify them. No Airflow in here.

What to do comes in as plain values (`Work`), with a database to read from and one to write to, which may be the same;
what became of it goes out (`Outcome`). All organizations of the work are taken together, in one transaction on one
snapshot. Where together fails, for whatever reason, they are taken one by one, so that only the broken ones fail.

Usage::

    outcome = Aggregation(work, source=database, target=database).run()
"""

from __future__ import annotations

import datetime
import decimal
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from communication_trends.core.database import Database, Transaction
from communication_trends.core.database_errors import (
    CONFLICTS,
    DATABASE_ERRORS,
    OF_ONE_ORGANIZATION,
    REMEDIES,
    explain,
    is_lost,
    remedy,
    sqlstate,
)
from communication_trends.core.errors import TrendMismatchError
from communication_trends.core.period import DAILY, Period

log = logging.getLogger(__name__)

AT_ONCE = 20_000
"""Trends of earlier periods that are computed in one transaction, which bounds what it holds in memory."""

SNAPSHOT_TRIES = 5
"""How often an aggregation begins anew because another run stored the same trends meanwhile."""

WRITTEN = ("filled", "corrected")
DONE = (*WRITTEN, "unchanged", "kept")


@dataclass(frozen=True)
class HotspotRule:
    """
    When a channel is a hotspot.

    :param topics: the risky ones.
    :param min_messages: messages of the period from which on a channel can be one.
    :param min_ratio: share of risky topics above which it is one, exactly.
    """

    topics: Sequence[str] = ("complaint", "escalation")
    min_messages: int = 10
    min_ratio: decimal.Decimal = decimal.Decimal("0.3")


@dataclass(frozen=True)
class Work:
    """
    What to do.

    :param organizations: ids.
    :param period: the run's own period, stored first, in a transaction of its own.
    :param earlier: periods to do again after it, newest first; of these only what differs is stored.
    :param force: whether a trend of the run's own period is stored even if it is made from less than the stored one.
    :param hotspots: when a channel is a hotspot.
    """

    organizations: Sequence[str]
    period: Period
    earlier: Sequence[Period] = ()
    force: bool = False
    hotspots: HotspotRule = field(default_factory=HotspotRule)


@dataclass(frozen=True)
class Result:
    """
    What became of one organization's trend of one period.

    :param organization: its id.
    :param period: which one.
    :param outcome: ``filled``, ``corrected``, ``unchanged``, ``kept``, ``failed``, as in sql/upsert_trends.sql.
    :param messages: how many the source has.
    :param alerts: how many alerts the source has.
    :param stored_messages: how many the stored trend had before; None where none was stored.
    :param reason: why it failed, and what mends it where no retry does.
    :param may_pass: whether a retry may mend it.
    """

    organization: str
    period: Period
    outcome: str
    messages: int | None = None
    alerts: int | None = None
    stored_messages: int | None = None
    reason: str = ""
    may_pass: bool = True


@dataclass
class Outcome:
    """
    What became of the work.

    :param results: one for each organization and period that was tried.
    :param names: what to call an organization, by id: its slug, or the id where it has none.
    :param deleted: ids of organizations that the source does not have any more.
    :param purged_days: by organization id and week or month: days of which the source has fewer rows than their
        stored daily trends were made from, so that the longer period's trend lacks them.
    :param ended_by: the error that ended the work early, since every organization would have met it; or None.
    """

    results: list[Result] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    purged_days: dict[tuple[str, Period], list[Period]] = field(default_factory=dict)
    ended_by: Exception | None = None

    @property
    def rows_read(self) -> dict[str, int]:
        """Source rows that the trends were made from, by table; not those that the checks count again."""
        done = self.of(*DONE)
        return {
            "organizations": len({result.organization for result in done}),
            "topic_classifications": sum(result.messages or 0 for result in done),
            "escalation_alerts": sum(result.alerts or 0 for result in done),
        }

    @property
    def rows_written(self) -> dict[str, int]:
        """Rows that were inserted or updated, by table."""
        return {"communication_trends": len(self.of(*WRITTEN))}

    def name(self, organization: str) -> str:
        """Return what to call an organization."""
        return self.names.get(organization) or organization

    def of(self, *outcomes: str, period: Period | None = None, earlier_than: Period | None = None) -> list[Result]:
        """
        Return the results that ended in one of some ways.

        :param outcomes: which ways.
        :param period: of this period only.
        :param earlier_than: of any period but this one.
        """
        return [
            result
            for result in self.results
            if result.outcome in outcomes and period in (None, result.period) and result.period != earlier_than
        ]


class Aggregation:
    """
    Stores the trends of some organizations.

    :param work: what to do.
    :param source: where organizations, messages and alerts are read.
    :param target: where trends are written; the same object where it is one database.
    :param aggregate_sql: statement that aggregates, by default sql/aggregate_trends.sql.
    :param upsert_sql: statement that stores, by default sql/upsert_trends.sql.
    """

    def __init__(
        self,
        work: Work,
        *,
        source: Database,
        target: Database,
        aggregate_sql: str | None = None,
        upsert_sql: str | None = None,
    ) -> None:
        self.work = work
        self.source = source
        self.target = target
        self._aggregate_sql = aggregate_sql or source.sql("aggregate_trends.sql")
        self._upsert_sql = upsert_sql or target.sql("upsert_trends.sql")
        self._outcome = Outcome()

    def run(self) -> Outcome:
        """
        Do the work, and return what became of it.

        A database's errors are not raised: each is the reason of the results that failed. What failed stays as it was.
        """
        work, outcome = self.work, self._outcome
        if self.source is not self.target:
            try:
                self.source.wait_for_replica(work.period.end, self.target)
            except DATABASE_ERRORS as error:
                self._fail([work.period], work.organizations, error)
                return outcome
        self._store_together([work.period], work.organizations)
        failed = {result.organization for result in outcome.of("failed")}
        stored = [id_ for id_ in work.organizations if id_ not in failed and id_ not in outcome.deleted]
        for periods in _chunks(work.earlier, max(1, AT_ONCE // max(1, len(stored)))):
            if stored and not outcome.ended_by:
                self._store_together(periods, stored)
        for period in (work.period, *work.earlier):
            if period.kind is not DAILY and not outcome.ended_by:
                self._look_for_purged_days(period)
        return outcome

    def _store_together(self, periods: Sequence[Period], ids: Sequence[str]) -> None:
        """Store some periods of some organizations; where that fails, one organization after the other."""
        error = self._try(periods, ids)
        if error is None:
            return
        if len(ids) * len(periods) == 1 or _is_hopeless(error):
            self._fail(periods, ids, error)
            return
        if len(ids) > 1:
            self._look_up_names()
            log.warning("The batch of %d failed: %s. Taking them one by one.", len(ids), explain(error))
        pending = list(ids)
        while pending and not self._outcome.ended_by:
            self._store_alone(periods, pending.pop(0))
        if pending and self._outcome.ended_by:
            self._fail(periods, pending, self._outcome.ended_by)

    def _store_alone(self, periods: Sequence[Period], id_: str) -> None:
        """Store some periods of one organization; where that fails, one period after the other."""
        error = self._try(periods, [id_])
        if error is None:
            return
        if len(periods) == 1 or _is_hopeless(error):
            self._fail(periods, [id_], error)
            return
        for period in periods:
            alone = self._outcome.ended_by or self._try([period], [id_])
            if alone:
                self._fail([period], [id_], alone)

    def _fail(self, periods: Sequence[Period], ids: Sequence[str], error: Exception) -> None:
        if _is_hopeless(error):
            self._outcome.ended_by = error
        mended_by = remedy(error)
        reason = f"{explain(error)}: {mended_by}" if mended_by else explain(error)
        may_pass = not mended_by or sqlstate(error) in OF_ONE_ORGANIZATION
        self._outcome.results += [
            Result(id_, period, "failed", reason=reason, may_pass=may_pass) for period in periods for id_ in ids
        ]

    def _try(self, periods: Sequence[Period], ids: Sequence[str]) -> Exception | None:
        """Store in one transaction, and return the error that prevented it."""
        for _ in range(SNAPSHOT_TRIES):
            self._writing = False
            try:
                results = self._store(periods, ids)
            # any error: one organization's odd data must not cost the others theirs
            except Exception as error:
                if not (self._writing and sqlstate(error) in CONFLICTS):
                    return error
                conflict = error
                log.info("Another run stored the same trends at the same time; trying again.")
            else:
                self._outcome.results += results
                return None
        return conflict

    def _store(self, periods: Sequence[Period], ids: Sequence[str]) -> list[Result]:
        parameters = {
            **_bounds(periods),
            "organization_ids": list(ids),
            "hotspot_topics": list(self.work.hotspots.topics),
            "hotspot_min_messages": self.work.hotspots.min_messages,
            "hotspot_min_ratio": str(self.work.hotspots.min_ratio),
        }
        same = self.source is self.target
        with self.source.transaction(read_only=not same, aggregating=True) as reading:
            trends = self._computed(reading.rows(self._aggregate_sql, parameters), periods, ids)
            if same:
                return self._write(reading, reading, trends, periods)
            # opened only now, so that it is not idle while the source is read
            with self.target.transaction(read_only=False) as writing:
                return self._write(reading, writing, trends, periods)

    def _computed(
        self, rows: list[dict[str, Any]], periods: Sequence[Period], ids: Sequence[str]
    ) -> dict[tuple[str, datetime.datetime], dict[str, Any]]:
        """Return the trends by organization and period, without those from before an organization existed."""
        found = set()
        trends = {}
        for row in rows:
            id_ = row["organization_id"]
            found.add(id_)
            self._outcome.names[id_] = row.pop("slug") or id_
            is_earlier = row["period_start"] != self.work.period.start
            is_empty = not row["total_classifications"] and not _total(row["escalation_counts"])
            if row.pop("existed") or not is_earlier or not is_empty:
                trends[id_, row["period_start"]] = row
        self._outcome.deleted += [id_ for id_ in ids if id_ not in found and id_ not in self._outcome.deleted]
        return trends

    def _write(
        self,
        reading: Transaction,
        writing: Transaction,
        trends: Mapping[tuple[str, datetime.datetime], dict[str, Any]],
        periods: Sequence[Period],
    ) -> list[Result]:
        """Store what differs, and hold it against the source and against what was computed."""
        self._writing = True
        own = list(periods) == [self.work.period]
        judged = writing.rows(
            self._upsert_sql,
            {
                "trends": _as_json(trends.values()),
                "trend_period": self.work.period.kind.name,
                "force": own and self.work.force,
            },
        )
        written = [trends[row["organization_id"], row["period_start"]] for row in judged if row["outcome"] in WRITTEN]
        if written:
            self._hold_against_source(reading, written)
            self._hold_against_table(writing, written)
        by_start = {period.start: period for period in periods}
        results = [self._result(row, trends, by_start) for row in judged]
        return sorted(results, key=lambda result: result.period.first_date, reverse=True)

    def _result(
        self,
        row: Mapping[str, Any],
        trends: Mapping[tuple[str, datetime.datetime], dict[str, Any]],
        periods: Mapping[datetime.datetime, Period],
    ) -> Result:
        key = row["organization_id"], row["period_start"]
        period = periods[row["period_start"]]
        messages = trends[key]["total_classifications"]
        alerts = _total(trends[key]["escalation_counts"])
        if row["outcome"] == "unknown":
            reason = "the target's organizations do not have it. Add it there, or correct the setting source_conn_id"
            return Result(key[0], period, "failed", messages, alerts, reason=reason)
        return Result(key[0], period, row["outcome"], messages, alerts, row["stored_classifications"])

    def _hold_against_source(self, reading: Transaction, written: Sequence[Mapping[str, Any]]) -> None:
        """Hold what was computed against the numbers of source rows, counted apart from it on the same snapshot."""
        kind = self.work.period.kind
        periods = {kind.containing(trend["period_start"].date()): None for trend in written}
        counted = {
            (row["organization_id"], row["period_start"]): row
            for row in reading.rows(
                self.source.sql("count_source_rows.sql"),
                {
                    **_bounds(list(periods)),
                    "organization_ids": list({trend["organization_id"]: None for trend in written}),
                },
            )
        }
        for trend in written:
            row = counted[trend["organization_id"], trend["period_start"]]
            for what, computed, found in (
                ("classifications in total", trend["total_classifications"], row["messages"]),
                ("over all topics", _total(trend["topic_distribution"]), row["messages"]),
                ("over all tones", _total(trend["sentiment_distribution"]), row["toned_messages"]),
                ("over all severities", _total(trend["escalation_counts"]), row["alerts"]),
                ("with an average", trend["avg_confidence"] is not None, row["confident_messages"] > 0),
            ):
                if computed != found:
                    raise TrendMismatchError(
                        f"{self._outcome.name(trend['organization_id'])}: the trend does not add up and was not "
                        f"stored: {computed} {what}, {found} counted"
                    )

    def _hold_against_table(self, writing: Transaction, written: Sequence[Mapping[str, Any]]) -> None:
        """Hold what is stored now against what was computed, column by column."""
        different = writing.rows(
            self.target.sql("verify_trends.sql"),
            {"trends": _as_json(written), "trend_period": self.work.period.kind.name},
        )
        for row in different:
            problem = "no row is there" if row["missing"] else f"{row['different_columns']} came out otherwise"
            raise TrendMismatchError(
                f"{self._outcome.name(row['organization_id'])}: the trend does not add up and was not stored: "
                f"{problem} after writing. Look for triggers and rules on communication_trends"
            )

    def _look_up_names(self) -> None:
        """Learn the slugs of organizations that have not been aggregated; one that is not found is called by its id."""
        try:
            with self.source.transaction(read_only=True) as lookup:
                rows = lookup.rows(
                    self.source.sql("organizations.sql"), {"ids": list(self.work.organizations), "slugs": []}
                )
        except DATABASE_ERRORS as error:
            log.warning("The organizations cannot be named: %s", explain(error))
        else:
            self._outcome.names.update({row["id"]: row["slug"] or row["id"] for row in rows})

    def _look_for_purged_days(self, period: Period) -> None:
        """Find days of a week or month whose stored daily trends were made from more rows than the source has."""
        # a trend that was kept has them, and what was there before is not this run's to judge
        outcomes = (*WRITTEN, "unchanged") if period == self.work.period else WRITTEN
        found = {result.organization: result.messages for result in self._outcome.of(*outcomes, period=period)}
        if not found:
            return
        try:
            with self.target.transaction(read_only=True) as stored:
                daily = stored.rows(
                    self.target.sql("daily_trends.sql"),
                    {"period_start": period.start, "period_end": period.end, "organization_ids": list(found)},
                )
            suspects = _with_fewer_rows(daily, found, days=(period.end - period.start).days)
            if not suspects:
                return
            days = {DAILY.containing(row["trend_date"].date()): None for row in daily}
            with self.source.transaction(read_only=True) as reading:
                counted = {
                    (row["organization_id"], row["period_start"]): row["messages"]
                    for row in reading.rows(
                        self.source.sql("count_source_rows.sql"),
                        {**_bounds(list(days)), "organization_ids": suspects},
                    )
                }
        except DATABASE_ERRORS as error:
            log.warning("Whether rows of %s have been purged is not known: %s", period, explain(error))
            return
        for row in daily:
            left = counted.get((row["organization_id"], row["trend_date"]))
            if left is not None and left < row["total_classifications"]:
                day = DAILY.containing(row["trend_date"].date())
                self._outcome.purged_days.setdefault((row["organization_id"], period), []).append(day)


def _with_fewer_rows(daily: Sequence[Mapping[str, Any]], found: Mapping[str, int | None], *, days: int) -> list[str]:
    """Return the organizations whose daily trends may have been made from more rows than the whole period has now."""
    totals: dict[str, list[int]] = {}
    for row in daily:
        totals.setdefault(row["organization_id"], []).append(row["total_classifications"])
    # where a day has no trend, the sum of the others proves nothing
    return [id_ for id_, counts in totals.items() if len(counts) < days or sum(counts) > (found.get(id_) or 0)]


def _bounds(periods: Sequence[Period]) -> dict[str, list[datetime.datetime]]:
    """Return periods as parameters of the SQL: their first moments, and the first ones after them, UTC."""
    return {
        "period_starts": [period.start for period in periods],
        "period_ends": [period.end for period in periods],
    }


def _total(distribution: str) -> int:
    """Return how many are counted in a column of JSON, which the package passes on as text."""
    # most organization-days have no alerts
    return sum(json.loads(distribution).values()) if distribution != "{}" else 0


def _as_json(trends: Any) -> str:
    # not as \u escapes: so a database in another encoding names the character that it cannot hold
    return json.dumps(list(trends), default=str, ensure_ascii=False)


def _chunks(periods: Sequence[Period], size: int) -> Iterator[Sequence[Period]]:
    for start in range(0, len(periods), size):
        yield periods[start : start + size]


def _is_hopeless(error: Exception) -> bool:
    """Whether an error would meet each organization alike, so that trying them one by one brings nothing."""
    return isinstance(error, DATABASE_ERRORS) and (
        is_lost(error) or sqlstate(error) in (REMEDIES.keys() | CONFLICTS) - OF_ONE_ORGANIZATION
    )
