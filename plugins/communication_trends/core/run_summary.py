"""
Sums up a run from evidence. No Airflow and no PostgreSQL in here: plain values in, the summary out.

What counts is what is stored, and its provenance. A task instance's report counts only if it is from the last attempt
since the run was last cleared: Airflow removes an old report only when a task process starts, so a task instance that
is cleared and dies before that still has its old one.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from communication_trends.core.period import Period
from communication_trends.core.task_report import TaskReport
from communication_trends.core.wording import MAX_NAMED, count_text, list_text


class StoredTrend(NamedTuple):
    """
    A trend that is stored.

    :param messages: how many it has.
    :param is_final: whether its period had ended and its source was complete; None where its origin is unknown.
    :param change: what this run has done to it: ``filled``, ``corrected`` or None.
    """

    messages: int
    is_final: bool | None = None
    change: str | None = None


# a tuple: there may be 10,000 of them, and a frozen dataclass takes five times as long to make
class StoredOrganization(NamedTuple):
    """
    What is stored of an organization.

    :param name: its slug, or its id where it has none.
    :param own: its trend of the run's own period, or None.
    :param messages_before: how many messages its trend of the period before has; 0 where none is stored.
    :param filled: how many trends of the periods looked back to this run has filled.
    :param corrected: how many of them it has corrected.
    :param missing: the periods, of the run's own and those looked back to, of which no trend is stored.
    :param existed: the periods by whose end it existed, of those in ``missing`` at least.
    """

    name: str
    own: StoredTrend | None
    messages_before: int = 0
    filled: int = 0
    corrected: int = 0
    missing: frozenset[Period] = frozenset()
    existed: frozenset[Period] = frozenset()


@dataclass(frozen=True)
class Evidence:
    """
    What a run is summed up from.

    :param period: the run's own period.
    :param lookback_periods: the periods before it that the run has recomputed, newest first.
    :param triggered_by: ``schedule``, ``manual`` or ``backfill``.
    :param batches: ids of the organizations of each task instance.
    :param states: state of each task instance, by map index.
    :param reports: what task instances have reported, by map index.
    :param clear_number: how often the run has been cleared.
    :param stored: what is stored, by id of the organization; of those that the target knows.
    :param unknown_to_target: ids of listed organizations that the source has and the target has not.
    :param unknown_to_source: by id, names of organizations that the target has a trend of and the source has not.
    :param deleted: ids of listed organizations that the source has not any more, and the target has.
    :param missing_before: how many trends are missing from before the lookback, since the first stored one.
    :param missing_since: first of their periods.
    :param hotspot_rule: the rule of hotspots, as JSON.
    :param earlier_rules: other rules of the trends before the lookback, each with its ``organizations``.
    """

    period: Period
    lookback_periods: Sequence[Period]
    triggered_by: str
    batches: Sequence[Sequence[str]]
    states: Mapping[int, str | None]
    reports: Mapping[int, TaskReport]
    clear_number: int
    stored: Mapping[str, StoredOrganization]
    unknown_to_target: frozenset[str] = frozenset()
    unknown_to_source: Mapping[str, str] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()
    missing_before: int = 0
    missing_since: datetime.date | None = None
    hotspot_rule: Mapping[str, Any] = field(default_factory=dict)
    earlier_rules: Sequence[Mapping[str, Any]] = ()

    def valid_reports(self) -> Iterator[TaskReport]:
        """
        Return the reports that are not from an earlier attempt.

        A task instance that succeeded has no other report than that of its last process. One that did not has nothing
        to report, unless it has done so in its last attempt since the run was last cleared.
        """
        for index, report in self.reports.items():
            is_current = report.clear_number == self.clear_number and report.is_last_attempt
            if index < len(self.batches) and (self.states.get(index) == "success" or is_current):
                yield report

    def expected(self) -> dict[str, StoredOrganization]:
        """Return what is stored, of organizations that have not been deleted since they were listed."""
        return {id_: row for id_, row in self.stored.items() if id_ not in self.deleted}


@dataclass(frozen=True)
class RunSummary:
    """
    The summary of a run.

    :param evidence: what it is made from.
    :param processed: ids of organizations whose trend of the run's own period is stored and not failed.
    :param kept: those of them whose stored trend the shrink guard has not overwritten.
    :param failed: ids of organizations that failed.
    :param failed_earlier: earlier periods that failed, with the id of the organization.
    :param lost_earlier: those of them that are missing though no task instance has failed for them.
    :param not_in_source: periods that stay missing, since the source may have lost their rows, with the id.
    :param not_tried: earlier periods that are missing of organizations that failed in the run's own, with the id.
    :param kept_earlier: how many earlier trends the shrink guard has not overwritten.
    :param incomplete: of trends that the source has lost rows of: id, first date, reason.
    :param doubtful: of trends with source rows that cannot be right: id, first date, reason; not of all of them.
    :param doubtful_total: how many of these there are.
    """

    evidence: Evidence
    processed: Sequence[str]
    kept: frozenset[str]
    failed: frozenset[str]
    failed_earlier: Sequence[tuple[Period, str]]
    lost_earlier: Collection[tuple[Period, str]]
    not_in_source: Sequence[tuple[Period, str]]
    not_tried: Collection[tuple[Period, str]]
    kept_earlier: int
    incomplete: Sequence[Sequence[str]]
    doubtful: Sequence[Sequence[str]]
    doubtful_total: int

    def name(self, id_: str) -> str:
        """Return what to call an organization: its slug, or its id."""
        known = self.evidence.stored.get(id_)
        return known.name if known else self.evidence.unknown_to_source.get(id_, id_)

    @property
    def messages(self) -> int:
        """Messages of the run's own period in the stored trends of organizations that were processed."""
        return sum(trend.messages for trend in self._own_trends())

    @property
    def behind(self) -> int:
        """How many organizations lack a trend of the run's own period or of one that it looked back to."""
        evidence = self.evidence
        periods = (evidence.period, *evidence.lookback_periods)
        missing = {
            id_
            for id_, row in evidence.expected().items()
            if row.own is None or (row.missing and not row.missing.isdisjoint(row.existed.intersection(periods)))
        }
        return len(missing | evidence.unknown_to_target | evidence.unknown_to_source.keys())

    def as_json(self) -> dict[str, Any]:
        """Return the summary as it is logged and pushed, without ``attention``."""
        evidence = self.evidence
        own = list(self._own_trends())
        return {
            "trendDate": str(evidence.period.first_date),
            "period": evidence.period.kind.name,
            "triggeredBy": evidence.triggered_by,
            "organizationsProcessed": len(self.processed),
            "trendsCreated": len(list(self._own_trends(without=self.kept))),
            "keptTrends": len(self.kept),
            "totalClassifications": self.messages,
            "errors": len(self.failed),
            "failedOrganizations": sorted(self.name(id_) for id_ in self.failed),
            "lookback": {
                "periods": len(evidence.lookback_periods),
                "filled": sum(row.filled for row in evidence.stored.values()),
                "corrected": sum(row.corrected for row in evidence.stored.values()),
                "kept": self.kept_earlier,
                "failed": len(self.failed_earlier),
            },
            "notFinal": sum(trend.is_final is False for trend in own),
            "unknownOrigin": sum(trend.is_final is None for trend in own),
            "missingTrends": self._missing_trends(),
            "incompleteTrends": self._named_trends(self.incomplete, len(self.incomplete)),
            "doubtfulTrends": self._named_trends(self.doubtful, self.doubtful_total),
            "hotspotRule": {**evidence.hotspot_rule, "earlierRules": list(evidence.earlier_rules)},
        }

    def _named_trends(self, trends: Sequence[Sequence[str]], total: int) -> dict[str, Any]:
        named = [
            {"organization": self.name(id_), "trendDate": date, "reason": reason}
            for id_, date, reason in trends[:MAX_NAMED]
        ]
        return {"total": total, "trends": named}

    def problem(self) -> str:
        """Return why the run has failed; nothing where it has not."""
        evidence, problems = self.evidence, []
        noun = evidence.period.kind.noun
        if self.failed:
            total = len(self.failed) + len(self.processed)
            others = " The others are stored." if self.processed else ""
            problems.append(
                f"{len(self.failed)} of {total} organizations have no trend for {evidence.period.first_date} from this "
                f"run: {list_text(sorted(map(self.name, self.failed)))}.{others}"
            )
        if evidence.unknown_to_source:
            problems.append(
                "The source does not have these organizations, of which the target has trends of this "
                f"{noun} or the one before: {list_text(sorted(evidence.unknown_to_source.values()))}. "
                "Is the source complete, and is source_conn_id the right connection?"
            )
        lost = [pair for pair in self.failed_earlier if pair in self.lost_earlier]
        failures = [pair for pair in self.failed_earlier if pair not in self.lost_earlier]
        for pairs, said in (
            (failures, "failed and are unchanged"),
            (lost, "are missing, though no task instance failed for them; they may have been deleted since"),
        ):
            if pairs:
                named = [f"{self.name(id_)} {period.first_date}" for period, id_ in pairs]
                problems.append(f"{len(pairs)} trends of earlier {noun}s {said}: {list_text(named)}.")
        return " ".join(problems)

    @property
    def has_failed_tasks(self) -> bool:
        """Whether any task instance has not succeeded."""
        return any(self.evidence.states.get(index) != "success" for index in range(len(self.evidence.batches)))

    def warnings(self) -> list[str]:
        """Return what to say of a run though it does not fail for it."""
        evidence, said = self.evidence, []
        noun = evidence.period.kind.noun
        if not evidence.batches:
            said.append(
                "There is no organization, so nothing was aggregated. Does the search_path of the connection find the "
                "right table, and if it is a view, does that show organizations to this role?"
            )
        before = sum(row.messages_before for id_ in self.processed if (row := evidence.stored.get(id_)))
        if self.processed and not self.messages and before:
            said.append(
                f"All {len(self.processed)} organizations are empty in {evidence.period}, with {before} messages in "
                f"the {noun} before. Is the source complete, and does the search_path of the connection find the right "
                "tables?"
            )
        missing = self._missing_trends()
        if missing["total"]:
            not_tried = f", {len(self.not_tried)} of organizations that have failed" if self.not_tried else ""
            said.append(
                f"{missing['total']} trends are missing from {missing['from']} on: {evidence.missing_before} from "
                f"before the lookback, which a backfill stores while their source rows are there{not_tried}, and "
                f"{missing['notInSource']} that the source may have lost the rows of."
            )
        if self.incomplete:
            listed = [f"{self.name(id_)} {date}: {reason}" for id_, date, reason in self.incomplete]
            verb = "is" if len(listed) == 1 else "are"
            said.append(f"{count_text(len(listed), 'trend')} {verb} not final. {list_text(listed, limit=5)}.")
        if self.doubtful:
            id_, date, reason = self.doubtful[0]
            said.append(
                f"Trends written from messages with values that cannot be right: {self.doubtful_total}. "
                f"Of {self.name(id_)} {date}, {reason}."
            )
        for rule in evidence.earlier_rules:
            said.append(
                f"The rule of hotspots has changed: the trends of {rule['organizations']} organizations from before "
                f"these {noun}s have topics {', '.join(rule['topics'])}, at least {rule['minMessages']} messages, a "
                f"risky share above {rule['minRatio']}. A backfill recomputes those by the current rule whose source "
                "rows are still there."
            )
        return said

    def _missing_trends(self) -> dict[str, Any]:
        evidence = self.evidence
        lost = [period.first_date for period, _ in self.not_in_source if period != evidence.period]
        dates = [*lost, *(period.first_date for period, _ in self.not_tried)]
        since = min([*dates, *([evidence.missing_since] if evidence.missing_since else [])], default=None)
        return {
            "total": evidence.missing_before + len(dates),
            "from": str(since) if since else None,
            "notInSource": len(lost),
        }

    def _own_trends(self, without: Collection[str] = ()) -> Iterator[StoredTrend]:
        stored = self.evidence.stored
        for id_ in self.processed:
            if id_ not in without and (row := stored.get(id_)) and row.own:
                yield row.own


def summarize_run(evidence: Evidence) -> RunSummary:
    """
    Sum up a run.

    :param evidence: what to sum it up from.
    """
    own = evidence.period
    by_date = {str(one.first_date): one for one in (own, *evidence.lookback_periods)}
    reports = list(evidence.valid_reports())
    reported = {report.map_index: report for report in reports}
    not_in_source = {
        (by_date[date], id_)
        for report in reports
        for date, ids in report.not_in_source.items()
        for id_ in ids
        if date in by_date and ((row := evidence.stored.get(id_)) is None or by_date[date] in row.missing)
    }
    failed = set(evidence.unknown_to_target) | evidence.unknown_to_source.keys()
    for index, batch in enumerate(evidence.batches):
        if index in reported:
            failed |= set(reported[index].failed)
        elif evidence.states.get(index) != "success":
            failed |= set(batch)
    ids = [id_ for batch in evidence.batches for id_ in batch]
    expected = evidence.expected()
    failed |= {id_ for id_ in ids if (row := expected.get(id_)) and row.own is None}
    failures = {(by_date[date], id_) for report in reports for date, id_ in report.failed_earlier if date in by_date}
    missing = {
        (one, id_)
        for id_, row in expected.items()
        if row.missing
        for one in row.missing & row.existed & set(evidence.lookback_periods)
    } - not_in_source
    not_tried = {(one, id_) for one, id_ in missing - failures if id_ in failed}
    lost = missing - failures - not_tried
    failures |= lost
    processed = [id_ for id_ in ids if id_ not in failed]
    return RunSummary(
        evidence=evidence,
        processed=processed,
        kept=frozenset(id_ for report in reports for id_ in report.kept) - failed,
        failed=frozenset(failed),
        failed_earlier=sorted(failures - not_in_source, key=lambda pair: (pair[0].first_date, pair[1])),
        lost_earlier=lost,
        not_in_source=sorted(not_in_source, key=lambda pair: (pair[0].first_date, pair[1])),
        not_tried=not_tried,
        kept_earlier=sum(counts.get("kept", 0) for report in reports for counts in report.earlier.values()),
        incomplete=[one for report in reports for one in report.incomplete],
        doubtful=[one for report in reports for one in report.doubtful],
        doubtful_total=sum(report.doubtful_total for report in reports),
    )
