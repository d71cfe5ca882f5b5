"""Finds the anomalies among the stored trends, of all organizations with a few queries. No Airflow in here."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from communication_trends.core.anomalies import (
    SCREEN,
    Finding,
    Together,
    find_anomalies,
    find_together,
    still_silent,
)
from communication_trends.core.anomaly_states import is_over
from communication_trends.core.anomaly_wording import sentence_of_many
from communication_trends.core.baseline import baseline_periods, cycle_of, history_periods
from communication_trends.core.counts import METRICS, Counts
from communication_trends.core.marks import Mark, names_in
from communication_trends.core.organization_findings import OrganizationFinding, in_order, mark_together
from communication_trends.core.period import DAILY, Granularity, Period, utc_now
from communication_trends.core.period_range import ended_parameters
from communication_trends.core.trend_reader import TrendReader
from communication_trends.core.work import chunks

MAX_FINDINGS = 10
"""Findings that a summary names, the most unusual first: few, so that XComs and asset events stay small."""

MAX_HELD_ORGANIZATIONS = 1_000
"""Suspect organizations whose counts are held in memory at a time."""

FRIDAY = 4


@dataclass(frozen=True)
class StoredAnomalies:
    """
    What is anomalous in some periods.

    :param findings: organization by organization. First those with alerts, risk or tones of their own, then those with
        messages of their own, then those that only moved with many others.
    :param together: what many organizations have in common.
    :param organizations: how many have enough earlier periods to be judged, in one of the periods at least.
    :param organizations_total: how many were to be judged.
    :param judged: organizations that could be judged, each once for each period.
    """

    findings: list[OrganizationFinding]
    together: list[Together]
    organizations: int
    organizations_total: int
    judged: int

    def as_json(self) -> dict[str, Any]:
        """Return it as a run's summary has it, with the first findings."""
        return {
            "organizationsCompared": self.organizations,
            "totalEntries": len(self.findings),
            "findings": [one.as_json() for one in self.findings[:MAX_FINDINGS]],
            "together": [
                {
                    "figure": one.figure,
                    "direction": one.direction,
                    "organizations": one.organizations,
                    "organizationsCompared": one.organizations_compared,
                    "sentence": one.sentence,
                }
                for one in self.together
            ],
        }


def find_stored_anomalies(
    reader: TrendReader,
    kind: Granularity,
    periods: Sequence[Period],
    *,
    organizations: Sequence[str] | None,
    risky_topics: Sequence[str],
    marks: Sequence[Mark] = (),
) -> StoredAnomalies:
    """
    Return what is anomalous in some periods.

    :param reader: reads the trends.
    :param kind: the length of the periods.
    :param periods: which ones; each should have ended, since little of a period looks like few messages.
    :param organizations: ids of those that are looked at; None for all.
    :param risky_topics: those of the settings.
    :param marks: named days, for the sentences.
    """
    by_date = {period.first_date: period for period in periods}
    # each period is read for itself and for those whose baseline it belongs to
    pairs = [(read.start, period.start) for period in periods for read in (period, *baseline_periods(period))]
    shared = {
        **ended_parameters(kind, kind.last_completed(utc_now())),
        "hotspot_topics": risky_topics,
    }
    rows = reader.rows(
        "reading/attention",
        organization_ids=None if organizations is None else list(organizations),
        read_from=min((read for read, _ in pairs), default=None),
        read_to=max((read for read, _ in pairs), default=None),
        read_days=[read for read, _ in pairs],
        compared_days=[day for _, day in pairs],
        **shared,
        **SCREEN,
    )
    # the first row is there even where nothing is suspect, for the number of organizations
    suspects = [row for row in rows if row["organization_id"]]
    needed = {date: [period, *history_periods(period)] for date, period in by_date.items()}
    names = {date: names_in(marks, period) for date, period in by_date.items()}
    judged = {(row["organization_id"], row["date"]) for row in suspects if row["is_judged"]}
    found = _found(reader, suspects, needed, names, shared)
    is_of_one = organizations is not None and len(organizations) <= 1
    of_judged = [one for one in found if (one.organization_id, one.date) in judged]
    together = [] if is_of_one else _together(of_judged, rows[0]["compared_by_date"], by_date, names)
    found = mark_together(found, together)
    weekend = [period for period in periods if kind is DAILY and period.first_date.weekday() > FRIDAY]
    # most weekends nobody is silent: nothing to look up
    if weekend and rows[0]["any_silent"]:
        before, alike = found, together
        fridays = sorted({_friday_before(day) for day in weekend} - set(periods), key=lambda one: one.first_date)
        if fridays:
            earlier = find_stored_anomalies(
                reader, kind, fridays, organizations=organizations, risky_topics=risky_topics, marks=marks
            )
            before, alike = [*found, *earlier.findings], [*together, *earlier.together]
        silent = _still_silent(reader, before, found, weekend, shared)
        found = found + silent
        together = together + _still_together(alike, silent, marks)
    return StoredAnomalies(
        in_order(found),
        sorted(together, key=lambda one: (-one.organizations, one.date, one.figure)),
        rows[0]["organizations_compared"],
        rows[0]["organizations_total"],
        sum(rows[0]["compared_by_date"].values()),
    )


def _found(
    reader: TrendReader,
    suspects: Sequence[Mapping[str, Any]],
    needed: Mapping[datetime.date, Sequence[Period]],
    names: Mapping[datetime.date, str],
    shared: Mapping[str, Any],
) -> list[OrganizationFinding]:
    """Return what is anomalous of the suspects, for as many organizations at a time as are held in memory."""
    found: list[OrganizationFinding] = []
    ids = list(dict.fromkeys(row["organization_id"] for row in suspects))
    for part in map(set, chunks(ids, MAX_HELD_ORGANIZATIONS)):
        of_part = [row for row in suspects if row["organization_id"] in part]
        counts = _counts(reader, of_part, needed, shared)
        found += [
            OrganizationFinding(
                row["organization_id"], row["name"], row["slug"], row["date"], _named(finding, names[row["date"]])
            )
            for row in of_part
            for finding in _findings(counts[row["organization_id"]], needed[row["date"]], shared["hotspot_topics"])
        ]
    return found


def _friday_before(day: Period) -> Period:
    return day.minus(day.first_date.weekday() - FRIDAY)


def _still_silent(
    reader: TrendReader,
    before: Sequence[OrganizationFinding],
    found: Sequence[OrganizationFinding],
    weekend: Sequence[Period],
    shared: Mapping[str, Any],
) -> list[OrganizationFinding]:
    """
    Return who has been silent since before a weekend on which that is no anomaly.

    :param before: what was found on the Fridays, and maybe on other days.
    :param found: what was found on the days of the weekends.
    :param weekend: these days.
    """
    fridays = {_friday_before(day).first_date for day in weekend}
    silent = [one for one in before if one.finding.state == "silent" and one.date in fridays]
    needed = {day.first_date: [day, *day.earlier(day.first_date.weekday() - FRIDAY)] for day in weekend}
    rows = [{"organization_id": one.organization_id, "date": day} for one in silent for day in needed]
    counts = _counts(reader, rows, needed, shared)
    known = {(one.organization_id, one.movement_key) for one in found}
    more = []
    for day, (*since_friday, friday) in needed.items():
        for one in silent:
            now = replace(one, date=day)
            stored = [counts.get(one.organization_id, {}).get(str(period.first_date)) for period in since_friday]
            is_silent = all(each is not None and not each.messages for each in stored)
            if one.date == friday.first_date and is_silent and (one.organization_id, now.movement_key) not in known:
                more.append(replace(now, finding=still_silent(one.finding, friday, len(stored))))
    return more


def _still_together(
    before: Sequence[Together], silent: Sequence[OrganizationFinding], marks: Sequence[Mark]
) -> list[Together]:
    """
    Return what those have in common who have been silent since before a weekend.

    :param before: what many had in common on the Fridays.
    :param silent: who has been silent since, of the days of the weekends.
    :param marks: named days, for the sentences.
    """
    numbers = Counter(one.movement_key for one in silent if one.is_together)
    still = []
    for (date, figure, direction), number in numbers.items():
        friday = _friday_before(DAILY.containing(date))
        for one in before:
            if (one.date, one.figure, one.direction) == (friday.first_date, figure, direction):
                sentence = sentence_of_many(
                    figure, direction, number, one.organizations_compared, names_in(marks, friday)
                )
                still.append(replace(one, date=date, organizations=number, sentence=sentence))
    return still


def ended_states(
    reader: TrendReader, findings: Sequence[OrganizationFinding], period: Period, risky_topics: Sequence[str]
) -> list[OrganizationFinding]:
    """
    Return those states that end with a period.

    :param reader: reads the trends.
    :param findings: states that were found in periods before it.
    :param period: the period.
    :param risky_topics: those of the settings.
    """
    shared = {**ended_parameters(period.kind, period), "hotspot_topics": risky_topics}
    needed = {period.first_date: [period, *history_periods(period)]}
    rows = [{"organization_id": one.organization_id, "date": period.first_date} for one in findings]
    counts = _counts(reader, rows, needed, shared)
    metrics = {metric.name: metric for metric in METRICS}
    ended = []
    for one in findings:
        stored = counts.get(one.organization_id, {})
        current, *history = [stored.get(str(each.first_date)) for each in needed[period.first_date]]
        metric, is_up = metrics[one.finding.figure], one.finding.direction == "up"
        if current and is_over(metric, current, history, cycle_of(period), is_up=is_up):
            ended.append(one)
    return ended


def _counts(
    reader: TrendReader,
    suspects: Sequence[Mapping[str, Any]],
    needed: Mapping[datetime.date, Sequence[Period]],
    shared: Mapping[str, Any],
) -> dict[str, dict[str, Counts]]:
    """Return by organization and date the counts of all that is needed to judge the suspects, as far as stored."""
    if not suspects:
        return {}
    days = sorted({one.start for date in {row["date"] for row in suspects} for one in needed[date]})
    rows = reader.rows(
        "reading/attention_history",
        organization_ids=list({row["organization_id"] for row in suspects}),
        read_from=days[0],
        read_to=days[-1],
        read_days=days,
        **shared,
    )
    return {row["organization_id"]: {date: Counts(*numbers) for date, *numbers in row["counts"]} for row in rows}


def _named(finding: Finding, name: str) -> Finding:
    """Return a finding whose sentence says what its day is called."""
    return replace(finding, sentence=f"{finding.sentence} ({name})") if name else finding


def _findings(counts: Mapping[str, Counts], needed: Sequence[Period], risky_topics: Sequence[str]) -> list[Finding]:
    """Return what is anomalous about the first of some periods, of which the others are those before it."""
    current, *history = [counts.get(str(one.first_date)) for one in needed]
    return find_anomalies(current, history, needed[0], risky_topics) if current else []


def _together(
    found: Sequence[OrganizationFinding],
    compared_by_date: Mapping[str, int],
    by_date: Mapping[datetime.date, Period],
    names: Mapping[datetime.date, str],
) -> list[Together]:
    """Return what many organizations have in common, of each of some periods."""
    together: list[Together] = []
    for date, compared in compared_by_date.items():
        of_date = [one.finding for one in found if str(one.date) == date]
        period = by_date[datetime.date.fromisoformat(date)]
        together += find_together(of_date, compared, period, names[period.first_date])
    return together
