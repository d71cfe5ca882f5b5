"""The digest of a week: what a lead should know of it. No Airflow in here."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from communication_trends.core import totals
from communication_trends.core.marks import Mark
from communication_trends.core.messages import Line, Message
from communication_trends.core.organization_findings import OrganizationFinding
from communication_trends.core.period import DAILY
from communication_trends.core.period_range import FRESHNESS_GRACE, Range
from communication_trends.core.stored_anomalies import (
    MAX_FINDINGS,
    StoredAnomalies,
    find_stored_anomalies,
)
from communication_trends.core.trend_reader import TrendReader
from communication_trends.core.wording import count_text, date_text, day_text, moved_text, span_text
from communication_trends.core.work import HotspotRule

log = logging.getLogger(__name__)

DIGEST_ORGANIZATIONS = 5
"""Organizations that a digest names."""


@dataclass(frozen=True)
class Digest:
    """
    What a lead should know of a week.

    :param week: the week's trends: its weekly ones, or seven daily ones.
    :param now: the current time, aware.
    :param rule: when a channel is a hotspot.
    :param link: returns the address of the page for a query; None where there is none.
    :param marks: named days.
    """

    week: Range
    now: datetime.datetime
    rule: HotspotRule
    link: Callable[..., str | None]
    marks: Sequence[Mark] = ()

    def message(self, reader: TrendReader) -> Message:
        """
        Return it.

        :param reader: reads the trends.
        """
        week = self.week
        found: StoredAnomalies | None = None
        try:
            with reader.savepoint():
                found = find_stored_anomalies(
                    reader,
                    week.kind,
                    week.periods(),
                    organizations=None,
                    risky_topics=self.rule.topics,
                    marks=self.marks,
                )
        except Exception:
            log.warning("The anomalies of that week are not known; the digest is sent without them.", exc_info=True)
        findings = _once_each(found.findings) if found else []
        # what goes on for days is said of the first of them
        by_date = sorted(found.together, key=lambda one: one.date, reverse=True) if found else []
        first = {(one.figure, one.direction, one.since): one for one in by_date}
        together = sorted(first.values(), key=lambda one: (one.date, -one.organizations, one.figure))
        before = week.earlier(week.shift())
        return Message(
            subject=f"Communication trends, {span_text(week.from_, week.to)}: {_anomalies_text(week, found, findings)}",
            sections=[
                (f"All organizations, against {span_text(before.from_, before.to)}", self._changes(reader)),
                *(
                    [("Many organizations", [Line(self._dated(one.date, one.sentence)) for one in together])]
                    if together
                    else []
                ),
                ("Organizations to look at", self._organizations_to_look_at(reader, findings)),
                ("Gaps", self._gaps(reader)),
            ],
            url=self.link(**{"period": week.kind.name, "from": str(before.from_), "to": str(week.to)}),
            findings=[one.as_json() for one in findings[:MAX_FINDINGS]],
        )

    def _changes(self, reader: TrendReader) -> list[Line]:
        """Say what has changed over all organizations, over the organization-days stored and final in both weeks."""
        [row] = reader.rows("reading/comparison", **self._compared())
        matched, possible = row["matched_days"], row["possible_days"]
        noun = f"organization-{self.week.kind.noun}"
        if not matched:
            return [Line(f"Nothing to compare: no {noun} is stored and final in both weeks.")]
        if not totals.is_comparable(matched, possible):
            stored = f"{matched:,} of {count_text(possible, noun)}"
            return [Line(f"Too few to say what has changed: {stored} are stored and final in both weeks.")]
        lines = _changed(totals.sums_of(row, ""), totals.sums_of(row, "previous_"))
        if matched < possible:
            lines.append(f"Counted: {matched:,} of {count_text(possible, noun)}, those stored and final in both weeks")
        return [Line(line) for line in lines]

    def _organizations_to_look_at(self, reader: TrendReader, found: Sequence[OrganizationFinding]) -> list[Line]:
        """Return the organizations with something unusual, in the page's order, then those with the highest risk."""
        reasons: dict[str, list[str]] = {}
        for one in found:
            if one.organization_id in reasons or len(reasons) < DIGEST_ORGANIZATIONS:
                reasons.setdefault(one.organization_id, []).append(self._dated(one.date, one.finding.sentence))
        ranked = reader.rows(
            "reading/overview",
            search="",
            sort="adjustedRisk",
            ascending=False,
            by_change=False,
            limit=2 * DIGEST_ORGANIZATIONS,
            offset=0,
            hotspot_min_messages=self.rule.min_messages,
            **self._compared(),
        )
        for row in ranked:
            if row["organization_id"] and len(reasons) < DIGEST_ORGANIZATIONS:
                reasons.setdefault(row["organization_id"], [])
        rows = reader.rows("reading/overview_totals", organization_ids=list(reasons), **self._compared())
        lines = []
        for row in rows:
            said = reasons[row["organization_id"]][:3]
            if not said and not row["messages"] and not row["alerts"]:
                continue
            now, before = (totals.sums_of(row, prefix) for prefix in ("matched_", "previous_"))
            if totals.is_comparable(row["matched_days"], row["expected_days"]):
                over = (
                    ""
                    if row["matched_days"] == self.week.length
                    else f" (over {row['matched_days']} of {self.week.length} days)"
                )
                said.append(", ".join(_changed(now, before)) + over)
            else:
                why = "too few days" if row["matched_days"] else "nothing"
                alerts = f", {count_text(row['alerts'], 'alert')}" if row["alerts"] else ""
                said.append(f"{count_text(row['messages'] or 0, 'message')}{alerts}; {why} to compare with")
            url = self.link(
                organization=row["organization_id"],
                period=self.week.kind.name,
                **{"from": str(self.week.from_), "to": str(self.week.to)},
            )
            lines.append(Line(". ".join(said), row["name"], url))
        return lines or [Line("None has any message or alert in what is stored.")]

    def _gaps(self, reader: TrendReader) -> list[Line]:
        """Say who lacks which day of the week, as far as its days should be stored by now."""
        due = DAILY.last_due(self.now - FRESHNESS_GRACE)
        first, last = (
            DAILY.containing(self.week.from_),
            min(DAILY.containing(self.week.to), due, key=lambda one: one.first_date),
        )
        if last.first_date < first.first_date:
            return [Line("No day of the week should be stored yet.")]
        days = Range(first, last, due)
        [known] = reader.rows("reading/any_stored", trend_period=DAILY.name, days=[day.start for day in days.periods()])
        if not known["any_stored"]:
            return [Line("No day of the week is stored, of any organization.")]
        rows = reader.rows("reading/freshness", limit=DIGEST_ORGANIZATIONS, offset=0, **days.parameters)
        behind = rows[0]["organizations_behind"]
        since = rows[0]["checked_from"]
        before = (
            [Line(f"Before {day_text(since)} nothing is stored, of any organization.")]
            if since > first.first_date
            else []
        )
        if not behind:
            since_when = f"from {day_text(since)} " if before else ""
            return [
                Line(f"None: all organizations have each day {since_when}up to {day_text(last.first_date)}."),
                *before,
            ]
        lacking = (
            ("missing_days", "no data for"),
            ("unreadable_days", "not readable"),
            ("not_final_days", "not final"),
        )
        lines = [
            Line("; ".join(f"{what} {_days(row[name])}" for name, what in lacking if row[name]), row["name"])
            for row in rows
        ]
        if behind > len(rows):
            lines.append(Line(f"and {count_text(behind - len(rows), 'organization')} more"))
        return [*lines, *before]

    def _compared(self) -> dict[str, Any]:
        """Return the week, and the one before, as the parameters of the statements that compare."""
        return {"hotspot_topics": self.rule.topics, **self.week.compared_parameters}

    def _dated(self, date: datetime.date, text: str) -> str:
        return f"{day_text(date)}: {text}" if self.week.kind is DAILY else text


def _anomalies_text(week: Range, found: StoredAnomalies | None, findings: Sequence[OrganizationFinding]) -> str:
    """Say in how many organizations there is something unusual, as far as that is known."""
    if found is None:
        return "what is unusual is not known"
    if not found.judged and not findings:
        return "too little is stored to say what is unusual"
    number = len({one.organization_id for one in findings})
    said = f"{count_text(number, 'organization')} unusual" if number else "nothing unusual"
    # an organization that could be judged on one day is not known to be as usual on the other six
    possible = found.organizations_total * week.length
    if found.judged < possible:
        total = count_text(possible, f"organization-{week.kind.noun}")
        said += f"; {possible - found.judged:,} of {total} cannot be judged: too little is known"
    return said


def _days(dates: Sequence[datetime.date]) -> str:
    return ", ".join(date_text(date) for date in sorted(dates))


def _changed(now: totals.Sums, before: totals.Sums) -> list[str]:
    """Say each metric with its change."""
    said = []
    for noun, count, earlier in (("message", now.messages, before.messages), ("alert", now.alerts, before.alerts)):
        change = totals.change_percent(count, earlier)
        # none now and none before is no change, though no percentage
        moved = moved_text(0 if count == earlier else change, "%")
        if change == 0 and count != earlier:
            moved = f"{'▲' if count > earlier else '▼'} less than 0.1%"
        said.append(f"{count_text(count, noun)} ({moved})")
    for name, value, change in (
        ("risk", now.risk_score, totals.risk_change(now, before)),
        ("confidence", now.avg_confidence, totals.confidence_change(now, before)),
    ):
        if value is not None:
            said.append(f"{name} {value}% ({moved_text(change, 'points')})")
    return said


def _once_each(found: Sequence[OrganizationFinding]) -> list[OrganizationFinding]:
    """Return the findings of several periods in their order, each state once: as of its last period."""
    last: dict[tuple[str, str, str], list[OrganizationFinding]] = {}
    for one in sorted(found, key=lambda one: one.date, reverse=True):
        states = last.setdefault(one.state_key, [])
        if not any(later.finding.since <= one.date for later in states):
            states.append(one)
    left = {id(one) for states in last.values() for one in states}
    return [one for one in found if id(one) in left]
