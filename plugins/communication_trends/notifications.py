"""What people are told without asking: what is unusual, after each run; a digest, once a week."""

from __future__ import annotations

import copy
import datetime
import html
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from communication_trends.sdk import AirflowTaskTimeout

from communication_trends import settings
from communication_trends.compat import HAS_EXTERNAL_VIEWS
from communication_trends.core import totals as figures
from communication_trends.core.anomalies import Together, baseline_periods
from communication_trends.core.period import DAILY, KINDS, MONTHLY, WEEKLY, Period
from communication_trends.params import requested_organizations
from communication_trends.stored import GRACE, Attention, Range, Reading, Unusual, reading, unusual

log = logging.getLogger(__name__)

FINDINGS = 10
"""Findings that a summary names, the most unusual first: few, so that XComs and asset events stay small."""

ORGANIZATIONS = 5
"""Organizations that a digest names."""

LONGEST = 80
"""Characters of a name at most; longer ones are cut."""

# look-alikes for what chat programs act on: Slack's <!channel>, Discord's @everyone
_HARMLESS = str.maketrans({"<": "‹", ">": "›", "@": "＠"})


@dataclass(frozen=True)
class Line:
    """
    One entry of a message.

    :param text: what it says; ours, without anything that others have named.
    :param name: whom it is about; any text.
    :param url: where to read more.
    """

    text: str
    name: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Message:
    """
    What a notifier's templates see, as ``attention`` or ``digest``.

    :param subject: one line, without names.
    :param sections: headings with their lines.
    :param url: the page; None where nobody has told Airflow its address.
    :param findings: the unusual figures, as in the summary.
    """

    subject: str
    sections: Sequence[tuple[str, Sequence[Line]]]
    url: str | None
    findings: Sequence[Mapping[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As plain text, in which no name is a command to a chat program."""
        parts = [self.subject]
        for heading, lines in self.sections:
            named = [
                f"- {f'{_printable(one.name).translate(_HARMLESS)}: ' if one.name else ''}{one.text}" for one in lines
            ]
            parts.append("\n".join([heading, *named]))
        return "\n\n".join([*parts, self.url] if self.url else parts)

    @property
    def html(self) -> str:
        """As HTML, in which no name is markup."""
        parts = [f"<h2>{html.escape(self.subject)}</h2>"]
        for heading, lines in self.sections:
            parts.append(f"<h3>{html.escape(heading)}</h3>\n<ul>")
            parts += [f"<li>{_html_name(one)}{html.escape(one.text)}</li>" for one in lines]
            parts.append("</ul>")
        if self.url:
            parts.append(f'<p><a href="{html.escape(self.url)}">{html.escape(self.url)}</a></p>')
        return "\n".join(parts)


def attention(period: Period, organizations: Sequence[str], sql_path: Path | None = None) -> dict[str, Any] | None:
    """
    Return what is unusual in a run's period, for its summary; None, with a word in the log, where that is not known.

    :param period: the run's.
    :param organizations: ids of those whose trends it has stored.
    :param sql_path: folder of the statements; by default as the settings say.
    """
    if period.next_date > datetime.datetime.now(datetime.timezone.utc).date():
        log.info("%s (UTC) is not over: what is unusual in it cannot be said yet.", period)
        return None
    try:
        with reading(sql_path=sql_path) as database:
            found = unusual(database, period.kind, [period], organizations=organizations)
    except Exception:
        # no reason to fail the run: all trends are stored by now
        log.warning("What is unusual in %s is not known; the run goes on without it.", period, exc_info=True)
        return None
    return {
        "organizationsCompared": found.organizations,
        "totalEntries": len(found.findings),
        "findings": [_entry(one) for one in found.findings[:FINDINGS]],
        "together": [_together_entry(one) for one in found.together],
    }


def tell_attention(notifier: Any, context: Any, period: Period, summary: Mapping[str, Any]) -> None:
    """
    Call the notifier of ``attention_notifier`` where a run has found something; not for a backfill, which is the past.

    :param notifier: the setting's; None for none.
    :param context: Airflow's.
    :param period: the run's.
    :param summary: the run's.
    """
    found = summary["attention"]
    if notifier and found and found["findings"] and summary["triggeredBy"] != "backfill":
        _tell("attention", notifier, context, lambda: _attention_message(period, found))


def tell_digest(
    notifier: Any, context: Any, period: Period, summary: Mapping[str, Any], sql_path: Path | None = None
) -> None:
    """
    Call the notifier of ``digest_notifier`` with the week that a run has completed.

    That is a weekly run's; the week of the scheduled daily run of a Sunday, where the weekly DAG stores nothing. Not
    for a backfill, nor for a run of some organizations only.

    :param notifier: the setting's; None for none.
    :param context: Airflow's.
    :param period: the run's, which has succeeded.
    :param summary: the run's.
    :param sql_path: folder of the statements; by default as the settings say.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    run_by, of_some = summary["triggeredBy"], requested_organizations(context["params"]["organizations"]) is not None
    if not notifier or of_some or run_by == "backfill" or period.next_date > now.date():
        return
    if period.kind is WEEKLY:
        _tell("digest", notifier, context, lambda: digest(Range(period, period, period), now, sql_path))
    elif run_by == "schedule" and period.kind is DAILY and period.first_date.isoweekday() == 7:
        week = Range(period.earlier(6)[-1], period, period)
        _tell(
            "digest",
            notifier,
            context,
            lambda: None if _weekly_is_on(period, sql_path) else digest(week, now, sql_path),
        )


def digest(week: Range, now: datetime.datetime, sql_path: Path | None = None) -> Message:
    """
    Return what a lead should know of a week.

    :param week: the week's trends: its weekly ones, or seven daily ones.
    :param now: the present, aware.
    :param sql_path: folder of the statements; by default as the settings say.
    """
    found: Attention | None = None
    try:
        with reading(sql_path=sql_path) as database:
            found = unusual(database, week.kind, week.periods(), organizations=None)
    except Exception:
        log.warning("What was unusual in that week is not known; the digest goes on without it.", exc_info=True)
    findings = _once_each(found.findings) if found else []
    together = found.together if found else []
    with reading(sql_path=sql_path) as database:
        changes = _changes(database, week)
        to_look_at = _organizations_to_look_at(database, week, findings)
        gaps = _gaps(database, week, now)
    if found is None:
        unusually = "what is unusual is not known"
    elif not found.judged and not findings:
        unusually = "too little is stored to say what is unusual"
    else:
        number = len({one.organization_id for one in findings})
        unusually = f"{_count(number, 'organization')} unusual" if number else "nothing unusual"
        # an organization that could be judged on one day is not known to be as usual on the other six
        possible = found.organizations_total * week.length
        if found.judged < possible:
            total = _count(possible, f"organization-{week.kind.noun}")
            unusually += f"; {possible - found.judged:,} of {total} cannot be judged: too little is stored"
    before = week.earlier(week.shift())
    return Message(
        subject=f"Communication trends, {_span(week.from_, week.to)}: {unusually}",
        sections=[
            (f"All organizations, against {_span(before.from_, before.to)}", changes),
            *([("Many organizations", [_together_line(week, one) for one in together])] if together else []),
            ("Organizations to look at", to_look_at),
            ("Gaps", gaps),
        ],
        url=_page_url(period=week.kind.name, **{"from": str(before.from_), "to": str(week.to)}),
        findings=[_entry(one) for one in findings[:FINDINGS]],
    )


def _tell(key: str, notifier: Any, context: Any, build: Callable[[], Message | None]) -> None:
    """Build a message and hand it to a notifier; whatever fails is in the log and costs nothing else."""
    try:
        message = build()
        if message is None:
            return
        # copies: calling a notifier changes it and the context
        notifier, context = copy.copy(notifier), copy.copy(context)
        context[key] = message
        notifier(context)
    # AirflowTaskTimeout is a BaseException
    except (Exception, AirflowTaskTimeout):
        log.exception("%s_notifier failed: nobody was told. The run goes on; its summary has the findings.", key)


def _attention_message(period: Period, found: Mapping[str, Any]) -> Message:
    total, listed = found["totalEntries"], found["findings"]
    lines = [
        Line(one["sentence"], one["name"], _page_url(organization=one["organizationId"], **_compared(period)))
        for one in listed
    ]
    if total > len(listed):
        lines.append(Line(f"and {total - len(listed):,} more"))
    together = [("Many organizations", [Line(one["sentence"]) for one in found["together"]])]
    return Message(
        subject=f"Communication trends, {_period(period)}: {_count(total, 'unusual figure')}",
        sections=[*(together if found["together"] else []), ("Unusual", lines)],
        url=_page_url(**_compared(period)),
        findings=listed,
    )


def _weekly_is_on(sunday: Period, sql_path: Path | None) -> bool:
    """Whether the weekly DAG has stored anything of this week or of the one before."""
    week = WEEKLY.containing(sunday.first_date)
    with reading(sql_path=sql_path) as database:
        rows = database.rows("any_stored", period=WEEKLY.name, days=[week.start, week.previous().start])
    return rows[0]["any_stored"]


def _changes(database: Reading, week: Range) -> list[Line]:
    """Say what has changed over all organizations, over the organization-days that are stored in both weeks."""
    [row] = database.rows("comparison", organization_id=None, **_asked(week))
    matched, possible = row["matched_days"], row["possible_days"]
    noun = f"organization-{week.kind.noun}"
    if not matched:
        return [Line(f"Nothing to compare: no {noun} is stored in both weeks.")]
    lines = _changed(figures.sums_of(row, ""), figures.sums_of(row, "previous_"))
    if matched < possible:
        lines.append(f"Counted: {matched:,} of {_count(possible, noun)}, those stored in both weeks")
    return [Line(line) for line in lines]


def _organizations_to_look_at(database: Reading, week: Range, found: Sequence[Unusual]) -> list[Line]:
    """Return the organizations with something unusual, in the page's order, then those with the highest risk."""
    reasons: dict[str, list[str]] = {}
    for one in found:
        if one.organization_id in reasons or len(reasons) < ORGANIZATIONS:
            when = f"{_day(one.date)}: " if week.kind is DAILY else ""
            reasons.setdefault(one.organization_id, []).append(f"{when}{one.finding.sentence}")
    ranked = database.rows(
        "overview",
        search="",
        sort="rank",
        ascending=True,
        by_change=False,
        limit=2 * ORGANIZATIONS,
        offset=0,
        hotspot_min_messages=settings.hotspot_min_messages(),
        **_asked(week),
    )
    for row in ranked:
        if row["organization_id"] and len(reasons) < ORGANIZATIONS:
            reasons.setdefault(row["organization_id"], [])
    rows = database.rows("overview_figures", organization_ids=list(reasons), **_asked(week))
    lines = []
    for row in rows:
        said = reasons[row["organization_id"]][:3]
        if not said and not row["messages"]:
            continue
        now, before = (figures.sums_of(row, prefix) for prefix in ("matched_", "previous_"))
        if row["matched_days"]:
            over = "" if row["matched_days"] == week.length else f" (over {row['matched_days']} of {week.length} days)"
            said.append(", ".join(_changed(now, before)) + over)
        else:
            said.append(f"{_count(row['messages'] or 0, 'message')}; nothing to compare with")
        url = _page_url(
            organization=row["organization_id"], period=week.kind.name, **{"from": str(week.from_), "to": str(week.to)}
        )
        lines.append(Line(". ".join(said), row["name"], url))
    return lines or [Line("None has any message in what is stored.")]


def _gaps(database: Reading, week: Range, now: datetime.datetime) -> list[Line]:
    """Say who lacks which day of the week, as far as its days should be stored by now."""
    due = DAILY.last_due(now - GRACE)
    first, last = DAILY.containing(week.from_), min(DAILY.containing(week.to), due, key=lambda one: one.first_date)
    if last.first_date < first.first_date:
        return [Line("No day of the week should be stored yet.")]
    days = Range(first, last, due)
    [known] = database.rows("any_stored", period=DAILY.name, days=[day.start for day in days.periods()])
    if not known["any_stored"]:
        return [Line("No day of the week is stored, of any organization.")]
    rows = database.rows("freshness", organization_id=None, limit=ORGANIZATIONS, offset=0, **days.parameters)
    behind = rows[0]["organizations_behind"]
    since = rows[0]["checked_from"]
    before = [Line(f"Before {_day(since)} nothing is stored, of any organization.")] if since > first.first_date else []
    if not behind:
        since_when = f"from {_day(since)} " if before else ""
        return [Line(f"None: all organizations have each day {since_when}up to {_day(last.first_date)}."), *before]
    lacking = (("missing_days", "no data for"), ("unreadable_days", "not readable"), ("not_final_days", "not final"))
    lines = [
        Line("; ".join(f"{what} {_days(row[name])}" for name, what in lacking if row[name]), row["name"])
        for row in rows
    ]
    if behind > len(rows):
        lines.append(Line(f"and {_count(behind - len(rows), 'organization')} more"))
    return [*lines, *before]


def _days(dates: Sequence[datetime.date]) -> str:
    return ", ".join(f"{date.day} {date:%b}" for date in sorted(dates))


def _asked(week: Range) -> dict[str, Any]:
    """Return a week, and the one before, as the parameters of the statements that compare."""
    return {
        "hotspot_topics": settings.hotspot_topics(),
        **week.compared_parameters,
    }


def _changed(now: figures.Sums, before: figures.Sums) -> list[str]:
    """Say each figure with its change."""
    said = []
    for noun, count, earlier in (("message", now.messages, before.messages), ("alert", now.alerts, before.alerts)):
        change = figures.change_percent(count, earlier)
        # none now and none before is no change, though no percentage
        said.append(f"{_count(count, noun)} ({_moved(0 if count == earlier else change, '%')})")
    for name, value, change in (
        ("risk", now.risk_score, figures.risk_change(now, before)),
        ("confidence", now.avg_confidence, figures.confidence_change(now, before)),
    ):
        if value is not None:
            said.append(f"{name} {value}% ({_moved(change, 'points')})")
    return said


def _once_each(found: Sequence[Unusual]) -> list[Unusual]:
    """Return the findings of several periods in their order, each state once: as of its last period."""
    last: dict[tuple[str, str, str], list[Unusual]] = {}
    for one in sorted(found, key=lambda one: one.date, reverse=True):
        states = last.setdefault((one.organization_id, one.finding.figure, one.finding.direction), [])
        if not any(later.finding.since <= one.date for later in states):
            states.append(one)
    left = {id(one) for states in last.values() for one in states}
    return [one for one in found if id(one) in left]


def _together_line(week: Range, one: Together) -> Line:
    return Line(f"{_day(one.date)}: {one.sentence}" if week.kind is DAILY else one.sentence)


def _together_entry(one: Together) -> dict[str, Any]:
    """Return what many organizations have in common as JSON."""
    return {
        "figure": one.figure,
        "direction": one.direction,
        "organizations": one.organizations,
        "organizationsCompared": one.organizations_compared,
        "sentence": one.sentence,
    }


def _entry(one: Unusual) -> dict[str, Any]:
    """Return a finding as JSON."""
    return {
        "organization": one.slug,
        "organizationId": one.organization_id,
        "name": _printable(one.name),
        "figure": one.finding.figure,
        "direction": one.finding.direction,
        "value": one.finding.value,
        "usualLow": one.finding.usual_low,
        "usualHigh": one.finding.usual_high,
        "comparedWith": one.finding.compared_with,
        "sentence": one.finding.sentence,
        "state": one.finding.state,
        "since": str(one.finding.since),
        "days": one.finding.days,
        "together": one.is_together,
    }


def _compared(period: Period) -> dict[str, str]:
    """Return a period with those that it is compared with, as a query of the page."""
    first, last = baseline_periods(period)[-1].first_date, period.following().first_date - datetime.timedelta(days=1)
    return {"period": period.kind.name, "from": str(first), "to": str(last)}


def _page_url(**query: str) -> str | None:
    """Return the address of the page; where Airflow has none, of the DAG."""
    address = settings.ui_url()
    if not address:
        return None
    if HAS_EXTERNAL_VIEWS:
        return f"{address}/plugin/communication-trends?{urlencode(query)}"
    return f"{address}/dags/{KINDS[query['period']].dag_id}"


def _html_name(line: Line) -> str:
    if not line.name:
        return ""
    name = f"<b>{html.escape(_printable(line.name))}</b>"
    return f'<a href="{html.escape(line.url)}">{name}</a>: ' if line.url else f"{name}: "


def _printable(name: str) -> str:
    """Return a name in one line, without what turns or hides other text, and not too long."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in name).split()) or "(no name)"
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


def _moved(change: float | None, unit: str) -> str:
    if change is None:
        return "none before"
    space = "" if unit == "%" else " "
    return f"{'▲' if change > 0 else '▼'} {abs(change):,}{space}{unit}" if change else "unchanged"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _day(date: datetime.date) -> str:
    return f"{date:%a}, {date.day} {date:%b}"


def _span(first: datetime.date, last: datetime.date) -> str:
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {first:%b}{year} – {last.day} {last:%b} {last.year}"


def _period(period: Period) -> str:
    if period.kind is DAILY:
        return f"{_day(period.first_date)} {period.first_date.year}"
    if period.kind is MONTHLY:
        return f"{period.first_date:%b %Y}"
    return _span(period.first_date, period.next_date - datetime.timedelta(days=1))
