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
import decimal
import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

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
from communication_trends.core.errors import OutdatedSnapshotError, TrendMismatchError, UnusableRowsError
from communication_trends.core.evidence import NUMBERS, Key, first_seen, gather_evidence
from communication_trends.core.period import DAILY, Period, utc_date

log = logging.getLogger(__name__)

MAX_TRENDS_PER_TRANSACTION = 20_000
"""Trends of earlier periods that are computed in one transaction, which bounds what it holds in memory."""


MAX_JSON_LENGTH = 32_000_000
"""Characters of JSON that one statement carries: PostgreSQL takes no text of 1 GB, and no jsonb string of 256 MB."""


class TrendStatus(StrEnum):
    """What became of one trend, as sql/upsert_trends.sql says it."""

    FILLED = "filled"
    CORRECTED = "corrected"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    NOT_IN_SOURCE = "not in source"
    FAILED = "failed"


WRITTEN = (TrendStatus.FILLED, TrendStatus.CORRECTED)
DONE = (*WRITTEN, TrendStatus.UNCHANGED, TrendStatus.KEPT)


@dataclass(frozen=True)
class HotspotRule:
    """
    When a channel is a hotspot.

    :param topics: the risky ones.
    :param min_messages: minimum messages of the period for a channel to be a hotspot.
    :param min_ratio: risky share above which it is one, exactly.
    """

    topics: Sequence[str] = ("complaint", "escalation")
    min_messages: int = 10
    min_ratio: decimal.Decimal = decimal.Decimal("0.3")

    def as_json(self) -> str:
        """Return it as provenance stores it; two rules that mean the same are the same JSON."""
        # the ratio as it is, not by way of a float
        return (
            f'{{"topics": {json.dumps(sorted(set(self.topics)), ensure_ascii=False)}, '
            f'"minMessages": {self.min_messages}, "minRatio": {self.min_ratio:f}}}'
        )


@dataclass(frozen=True)
class Origin:
    """
    Who computes trends, for their provenance.

    :param dag_id: the DAG's id.
    :param run_id: the run's id.
    :param package_version: the package's version.
    """

    dag_id: str | None = None
    run_id: str | None = None
    package_version: str | None = None


class Fill(StrEnum):
    """Whether the run's own period is stored where no trend is, though the source may have lost its rows."""

    ALWAYS = "always"
    """It has just ended: nothing has been lost yet."""
    NOT_FINAL = "not final"
    """A user asked for it: it is stored, and said to be incomplete."""
    IF_IN_SOURCE = "if in source"
    """It stays missing, as an earlier period does."""


@dataclass(frozen=True)
class Work:
    """
    What to do.

    :param organizations: ids.
    :param period: the run's own period, stored first, in a separate transaction.
    :param lookback_periods: periods to recompute after it, newest first; of these only what differs is stored.
    :param force: whether a trend of the run's own period is stored even if it is made from less than the stored one.
    :param fill: whether the run's own period is stored where the source may have lost its rows.
    :param hotspots: when a channel is a hotspot.
    :param origin: who does it.
    """

    organizations: Sequence[str]
    period: Period
    lookback_periods: Sequence[Period] = ()
    force: bool = False
    fill: Fill = Fill.ALWAYS
    hotspots: HotspotRule = field(default_factory=HotspotRule)
    origin: Origin = field(default_factory=Origin)


# a tuple: there may be 20,000 of them, and a frozen dataclass takes five times as long to make
class TrendResult(NamedTuple):
    """
    What became of one organization's trend of one period.

    :param organization: its id.
    :param period: which one.
    :param status: what became of it.
    :param messages: how many the source has.
    :param alerts: how many alerts the source has.
    :param stored_messages: how many the stored trend had before; None where none was stored.
    :param reason: why it failed and how to fix it; or what was not overwritten, and why.
    :param retryable: whether a retry may succeed.
    :param is_guarded: whether the shrink guard has left all of it or one half as it was.
    """

    organization: str
    period: Period
    status: TrendStatus
    messages: int | None = None
    alerts: int | None = None
    stored_messages: int | None = None
    reason: str = ""
    retryable: bool = True
    is_guarded: bool = False


@dataclass
class AggregationReport:
    """
    What became of the work.

    :param results: one for each organization and period that was tried.
    :param names: what to call an organization, by id: its slug, or the id where it has none.
    :param deleted: ids of organizations that the source does not have any more.
    :param incomplete: by organization id and period: why a trend just stored may lack rows that the source has lost.
    :param doubtful: by organization id and period: what of the source rows of a trend just stored cannot be meant.
    :param ended_by: the error that ended the work early, since every organization would have met it; or None.
    """

    results: list[TrendResult] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    incomplete: dict[tuple[str, Period], str] = field(default_factory=dict)
    doubtful: dict[tuple[str, Period], str] = field(default_factory=dict)
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
        """Trends that were inserted or updated."""
        return {"communication_trends": len(self.of(*WRITTEN))}

    def name(self, organization: str) -> str:
        """Return what to call an organization."""
        return self.names.get(organization) or organization

    def of(
        self, *statuses: TrendStatus, period: Period | None = None, earlier_than: Period | None = None
    ) -> list[TrendResult]:
        """
        Return the results with one of some statuses.

        :param statuses: which ones.
        :param period: of this period only.
        :param earlier_than: of any period but this one.
        """
        return [result for result in self._of(period, earlier_than) if result.status in statuses]

    def guarded(self, *, period: Period | None = None, earlier_than: Period | None = None) -> list[TrendResult]:
        """
        Return the results of trends that the shrink guard has left as they were, or one half of them.

        :param period: of this period only.
        :param earlier_than: of any period but this one.
        """
        return [result for result in self._of(period, earlier_than) if result.is_guarded]

    def _of(self, period: Period | None, earlier_than: Period | None) -> Iterator[TrendResult]:
        for result in self.results:
            if period in (None, result.period) and result.period != earlier_than:
                yield result


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
                    for unknown in self.source.wait_for_replica(work.period.end, target):
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
            **_bounds(periods),
            "organization_ids": list(ids),
            "hotspot_topics": list(self.work.hotspots.topics),
            "hotspot_min_messages": self.work.hotspots.min_messages,
            "hotspot_min_ratio": str(self.work.hotspots.min_ratio),
        }
        with self.source.transaction(read_only=bool(self._open_target), aggregating=True) as reading:
            if self._open_target:
                self.source.require_replayed(reading, self.work.period.end)
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
        if unsure := {_key(row): list(row["details"]["suspects"] or ()) for row in judged if row["status"] == "unsure"}:
            wanted = [trends[key] for key in unsure]
            incomplete |= self._gather_evidence(reading, writing, wanted, unsure, by_start)
            judged = [row for row in judged if _key(row) not in unsure]
            judged += self._upsert(writing, parameters, wanted)
        if traced := [row for row in judged if row["is_traced"]]:
            self._verify_against_source(reading, [trends[_key(row)] for row in traced])
            computed = [_stored_form(trends[_key(row)], row["details"]) for row in traced]
            # so that what deferred triggers make of the rows is verified as well
            writing.run_deferred()
            self._verify_stored(writing, parameters, computed)
        if any(row["status"] != TrendStatus.UNCHANGED or row["is_traced"] for row in judged):
            writing.require_unchanged(TARGET_TABLES)
        by_key = {_key(row): row for row in judged}
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
        stored = {row["id"] for row in writing.run("organizations_with_trend.sql", bounds)}
        wanted = [trend for (id_, _), trend in trends.items() if id_ not in stored]
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
        an application may set ``created_at`` anew.
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

    def _verify_against_source(self, reading: Transaction, computed: Sequence[Mapping[str, Any]]) -> None:
        """Verify what was computed against the numbers of source rows, counted separately on the same snapshot."""
        kind = self.work.period.kind
        periods = {kind.containing(trend["period_start"].date()): None for trend in computed}
        counted = {
            _key(row): row
            for row in reading.run(
                "count_source_rows.sql",
                {
                    **_bounds(list(periods)),
                    "organization_ids": list({trend["organization_id"]: None for trend in computed}),
                },
            )
        }
        for trend in computed:
            row = counted[_key(trend)]
            for what, number, found in (
                ("classifications in total", trend["total_classifications"], row["messages"]),
                ("over all topics", _total(trend["topic_distribution"]), row["messages"]),
                ("over all tones", _total(trend["sentiment_distribution"]), row["messages_with_tone"]),
                ("with a tone", trend["messages_with_tone"], row["messages_with_tone"]),
                ("with a confidence", trend["messages_with_confidence"], row["messages_with_confidence"]),
                ("with an average", trend["avg_confidence"] is not None, row["messages_with_confidence"] > 0),
                ("over all severities", _total(trend["escalation_counts"]), row["alerts"]),
                ("alerts", trend["alerts"], row["alerts"]),
            ):
                if number != found:
                    raise TrendMismatchError(
                        f"{self._report.name(trend['organization_id'])}: the trend does not add up and was not "
                        f"stored: {number} {what}, {found} counted"
                    )
            self._require_percentages(trend, row)
            if doubts := _doubts(row):
                period = kind.containing(trend["period_start"].date())
                self._report.doubtful[trend["organization_id"], period] = doubts

    def _require_percentages(self, trend: Mapping[str, Any], counted: Mapping[str, Any]) -> None:
        """Refuse an average confidence that cannot be one of percentages."""
        average = trend["avg_confidence"]
        if average is None or (0 <= average <= 100 and not counted["has_fractions"]):
            return
        name, number = self._report.name(trend["organization_id"]), counted["messages_with_confidence"]
        if counted["has_fractions"]:
            found = f"the confidences of its {number} messages are fractions of 1"
        else:
            found = f"{counted['confidences_out_of_range']} of {number} confidences are outside of 0 to 100"
        raise UnusableRowsError(
            f"{name}: {found}, and topic_classifications.confidence has to be a percentage: no trend was stored. Have "
            "percentages stored, or put a view first into the search_path of the connection that has "
            "round(confidence * 100), or null, in their place"
        )

    def _upsert(
        self, writing: Transaction, parameters: Mapping[str, Any], trends: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        return [
            row for part in _as_json(trends) for row in writing.rows(self._upsert_sql, {**parameters, "trends": part})
        ]

    def _verify_stored(
        self, writing: Transaction, parameters: Mapping[str, Any], computed: Sequence[Mapping[str, Any]]
    ) -> None:
        """Verify what is stored now against what was computed, column by column."""
        for row in (
            row
            for part in _as_json(computed)
            for row in writing.run("verify_trends.sql", {**parameters, "trends": part})
        ):
            problem = "no row is there" if row["is_missing"] else f"{row['different_columns']} came out differently"
            raise TrendMismatchError(
                f"{self._report.name(row['organization_id'])}: the trend does not add up and was not stored: "
                f"{problem} after writing. Look for triggers and rules on communication_trends and "
                "communication_trends_provenance"
            )

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


def _doubts(counted: Mapping[str, Any]) -> str:
    """Say what of some source rows cannot be meant, from a row of sql/count_source_rows.sql."""
    doubts = []
    if number := counted["confidences_out_of_range"]:
        doubts.append(f"{number} have a confidence outside of 0 to 100, which its average counts as it is")
    if number := counted["sentiments_in_text"]:
        doubts.append(
            f"{number} have a sentiment that is a text with JSON in it, instead of JSON, so that their tones are not "
            "counted. Have it stored once, not as text, or put a view first into the search_path of the connection "
            "that has (sentiment #>> '{}')::jsonb in its place"
        )
    return "; ".join(doubts)


def _stored_form(trend: Mapping[str, Any], details: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what has to be stored now: as it was computed, but for the half that was not overwritten."""
    if not details:
        return dict(trend)
    stored = {**(details["stored_messages"] or {}), **(details["stored_alerts"] or {})}
    return {**trend, "messages": trend["total_classifications"], "is_partial": True, **stored}


def _today(transaction: Transaction) -> datetime.datetime:
    """Return the first moment of the day that a transaction began in, UTC, without a time zone."""
    return datetime.datetime.combine(utc_date(transaction.began_at), datetime.time.min)


def _key(row: Mapping[str, Any]) -> Key:
    return row["organization_id"], row["period_start"]


def _bounds(periods: Sequence[Period]) -> dict[str, list[datetime.datetime]]:
    """Return periods as parameters of the SQL: their first moments, and the first ones after them, UTC."""
    return {
        "period_starts": [period.start for period in periods],
        "period_ends": [period.end for period in periods],
    }


def _total(distribution: str) -> int:
    """Return how many are counted in a column of JSON, which the package passes on as text."""
    # fast path: '{}' needs no parsing
    return sum(json.loads(distribution).values()) if distribution != "{}" else 0


def _as_json(trends: Sequence[Any]) -> Iterator[str]:
    """Return trends as JSON, in as many parts as one statement can carry each."""
    # not as \u escapes: so a database in another encoding names the character that it cannot hold
    text = json.dumps(trends, default=str, ensure_ascii=False)
    if len(text) <= MAX_JSON_LENGTH or len(trends) < 2:
        yield text
    else:
        middle = len(trends) // 2
        yield from _as_json(trends[:middle])
        yield from _as_json(trends[middle:])


def _chunks(periods: Sequence[Period], size: int) -> Iterator[Sequence[Period]]:
    for start in range(0, len(periods), size):
        yield periods[start : start + size]


def _affects_all(error: Exception) -> bool:
    """Whether an error would meet each organization alike, so that trying fewer of them makes no difference."""
    return isinstance(error, DATABASE_ERRORS) and (
        is_lost(error) or sqlstate(error) in (REMEDIES.keys() | CONFLICTS) - ROW_DEPENDENT_ERRORS
    )
