"""What is sent to people without being asked for: anomalies, after each run; a digest, once a week."""

from __future__ import annotations

import copy
import datetime
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median_low
from typing import Any
from urllib.parse import urlencode

from communication_trends.sdk import AirflowTaskTimeout

from communication_trends import settings
from communication_trends.compat import HAS_EXTERNAL_VIEWS
from communication_trends.connections import open_trends
from communication_trends.core.anomalies import Together
from communication_trends.core.baseline import baseline_periods
from communication_trends.core.digest import Digest
from communication_trends.core.messages import Line, Message, printable
from communication_trends.core.organization_findings import OrganizationFinding
from communication_trends.core.period import DAILY, KINDS, ONE_DAY, WEEKLY, Period, utc_now
from communication_trends.core.period_range import Range
from communication_trends.core.stored_anomalies import (
    MAX_FINDINGS,
    StoredAnomalies,
    ended_states,
    find_stored_anomalies,
)
from communication_trends.core.trend_reader import TrendReader
from communication_trends.core.wording import count_text, period_text
from communication_trends.params import requested_organizations

log = logging.getLogger(__name__)

_LOOKED_BACK = 7
"""Periods in which a lasting state must have been found for it to have been sent: of days, each weekday once."""


def find_attention(
    period: Period, organizations: Sequence[str], sql_path: Path | None = None
) -> StoredAnomalies | None:
    """
    Return what is unusual in a run's period; None, with a warning in the log, where that is not known.

    :param period: the run's.
    :param organizations: ids of those whose trends it has stored.
    :param sql_path: folder of the statements; by default as the settings say.
    """
    if period.next_date > utc_now().date():
        log.info("%s (UTC) has not ended: what is unusual in it is not known yet.", period)
        return None
    try:
        with open_trends(sql_path) as reader:
            return _anomalies(reader, [period], organizations)
    except Exception:
        # no reason to fail the run: all trends are stored by now
        log.warning("The anomalies of %s are not known; the run continues without them.", period, exc_info=True)
        return None


def notify_attention(
    notifier: Any,
    context: Any,
    period: Period,
    found: StoredAnomalies | None,
    organizations: Sequence[str],
    *,
    triggered_by: str,
    sql_path: Path | None = None,
) -> bool:
    """
    Call the notifier of ``attention_notifier`` with what begins in a run's period, and what is over.

    A lasting state is not sent again by each run; it is over after two periods that do not continue it. Nothing is sent
    for a backfill, which is the past.

    :param notifier: the setting's; None for none.
    :param context: Airflow's.
    :param period: the run's.
    :param found: what is unusual in it; None where that is not known.
    :param organizations: ids of those whose trends the run has stored.
    :param triggered_by: what has triggered the run, as in its summary.
    :param sql_path: folder of the statements; by default as the settings say.
    :returns: whether the task has time left: nothing would end what it waits for after its time limit.
    """
    if notifier and found and triggered_by != "backfill":
        return _notify(
            "attention",
            notifier,
            context,
            lambda: _attention_message(period, found, organizations, sql_path, context["dag_run"].run_id),
        )
    return True


def notify_digest(
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
    now = utc_now()
    run_by, of_some = summary["triggeredBy"], requested_organizations(context["params"]["organizations"]) is not None
    if not notifier or of_some or run_by == "backfill" or period.next_date > now.date():
        return
    if period.kind is WEEKLY:
        _notify("digest", notifier, context, lambda: digest(Range(period, period, period), now, sql_path))
    elif run_by == "schedule" and period.kind is DAILY and period.first_date.isoweekday() == 7:
        week = Range(period.minus(6), period, period)
        _notify(
            "digest",
            notifier,
            context,
            lambda: None if _weekly_is_on(period, sql_path) else digest(week, now, sql_path),
        )


def digest(week: Range, now: datetime.datetime, sql_path: Path | None = None) -> Message:
    """
    Return what a lead should know of a week.

    :param week: the week's trends: its weekly ones, or seven daily ones.
    :param now: the current time, aware.
    :param sql_path: folder of the statements; by default as the settings say.
    """
    with open_trends(sql_path) as reader:
        return Digest(week, now, settings.hotspot_rule(), _page_url, settings.known_marks()).message(reader)


def _notify(key: str, notifier: Any, context: Any, build: Callable[[], Message | None]) -> bool:
    """
    Build a message and hand it to a notifier; whatever fails is in the log and costs nothing else.

    :returns: whether the task's time limit has not ended it.
    """
    try:
        message = build()
        if message is None:
            return True
        # copies: calling a notifier changes it and the context
        notifier, context = copy.copy(notifier), copy.copy(context)
        context[key] = message
        notifier(context)
    # the last two are BaseExceptions: the task's time limit, and a notifier that calls sys.exit()
    except (Exception, AirflowTaskTimeout, SystemExit) as error:
        log.exception("%s_notifier failed: no message was sent. The run continues; its summary has the findings.", key)
        return not isinstance(error, AirflowTaskTimeout)
    return True


def _attention_message(
    period: Period, found: StoredAnomalies, organizations: Sequence[str], sql_path: Path | None, run_id: str
) -> Message | None:
    """
    Return what begins in a period, and what has been over since the period before; None where neither is.

    :param run_id: the run's: nobody was told of what is in trends of earlier periods that it has filled.
    """
    with open_trends(sql_path) as reader:
        lookback = period.earlier(_LOOKED_BACK)
        earlier = _anomalies(reader, lookback, organizations)
        filled = _filled(reader, lookback, run_id)
        by_date = sorted(earlier.findings, key=lambda one: one.date)
        told_of = [one for one in by_date if (one.organization_id, one.date) not in filled]
        told = {one.state_key: one for one in told_of}
        now = {one.state_key for one in found.findings}
        lasted = [
            one
            for key, one in {one.state_key: one for one in by_date}.items()
            # the end of a holiday is no news of each organization
            if key in told and key not in now and one.finding.days > 1 and not one.is_together
        ]
        over = _over(reader, period, lasted, filled)
    alike = _alike_before(period, found, earlier.together, {one.movement_key for one in told_of})
    together = [one for one in found.together if (one.figure, one.direction) not in alike]
    new = [
        one
        for one in found.findings
        # single days, one after the other, are no state as yet; what the period before had is not sent again
        if (
            one.state_key not in told or told[one.state_key].date < min(one.finding.since, period.previous().first_date)
        )
        # what many have had in common since the period before
        and not (one.is_together and one.state_key[1:] in alike)
    ]
    if not new and not over:
        return None
    lasting = len(found.findings) - len(new)
    lines = [_attention_line(one, period) for one in new[:MAX_FINDINGS]] + _more(len(new))
    if lasting:
        lines.append(Line(f"{count_text(lasting, 'metric')} more, unusual for some {period.kind.noun}s already"))
    sections = [
        ("Many organizations", [Line(one.sentence) for one in together]),
        ("Unusual", lines),
        ("No longer unusual", [_over_line(one, period) for one in over[:MAX_FINDINGS]] + _more(len(over))),
    ]
    subject = count_text(len(new), "unusual metric") if new else f"{len(over):,} no longer unusual"
    return Message(
        subject=f"Communication trends, {period_text(period)}: {subject}",
        sections=[(heading, lines) for heading, lines in sections if lines],
        url=_page_url(**_compared(period)),
        findings=[one.as_json() for one in new[:MAX_FINDINGS]],
    )


def _over(
    reader: TrendReader,
    period: Period,
    lasted: Sequence[OrganizationFinding],
    filled: set[tuple[str, datetime.date]],
) -> list[OrganizationFinding]:
    """Return the states that end with a period, or with an earlier one that its run has filled."""
    topics = settings.hotspot_topics()
    over = ended_states(reader, lasted, period, topics)
    for before in period.earlier(_LOOKED_BACK):
        date = before.first_date
        of_filled = [one for one in lasted if one.date < date and (one.organization_id, date) in filled]
        over += [one for one in ended_states(reader, of_filled, before, topics) if one not in over]
    return over


def _alike_before(
    period: Period,
    found: StoredAnomalies,
    earlier: Sequence[Together],
    told: set[tuple[datetime.date, str, str]],
) -> set[tuple[str, str]]:
    """Return what many have in common in a period, and had before it in one that was told of."""
    before = period.previous().first_date
    since: dict[tuple[str, str], list[datetime.date]] = {}
    for one in found.findings:
        since.setdefault((one.finding.figure, one.finding.direction), []).append(one.finding.since)
    # on a weekend on which nothing comes, many have nothing in common; what they had before it may go on
    begun = {(one.figure, one.direction): min(before, one.since) for one in found.together}
    return {
        key
        for one in earlier
        if one.date >= begun.get(key := (one.figure, one.direction), before)
        and (one.date, *key) in told
        # most of them: where few had it before, what the others have now is news
        and median_low(since.get(key, [before])) < period.first_date
    }


def _filled(reader: TrendReader, periods: Sequence[Period], run_id: str) -> set[tuple[str, datetime.date]]:
    """Return the organization and first date of each trend of some periods that a run has filled."""
    rows = reader.rows(
        "reading/filled_by_run", trend_period=periods[0].kind.name, days=[one.start for one in periods], run_id=run_id
    )
    return {(row["organization_id"], row["date"]) for row in rows}


def _anomalies(reader: TrendReader, periods: Sequence[Period], organizations: Sequence[str]) -> StoredAnomalies:
    return find_stored_anomalies(
        reader,
        periods[0].kind,
        periods,
        organizations=organizations,
        risky_topics=settings.hotspot_topics(),
        marks=settings.known_marks(),
    )


def _attention_line(one: OrganizationFinding, period: Period, before: str = "") -> Line:
    return Line(
        f"{before}{one.finding.sentence}",
        printable(one.name),
        _page_url(organization=one.organization_id, **_compared(period)),
    )


def _over_line(one: OrganizationFinding, period: Period) -> Line:
    return _attention_line(one, period, f"until {period_text(period.kind.containing(one.date))}: ")


def _more(total: int) -> list[Line]:
    """Say how many are not listed."""
    return [Line(f"and {total - MAX_FINDINGS:,} more")] if total > MAX_FINDINGS else []


def _weekly_is_on(sunday: Period, sql_path: Path | None) -> bool:
    """Whether the weekly DAG has stored anything of this week or of the one before."""
    week = WEEKLY.containing(sunday.first_date)
    with open_trends(sql_path) as reader:
        rows = reader.rows("reading/any_stored", trend_period=WEEKLY.name, days=[week.start, week.previous().start])
    return rows[0]["any_stored"]


def _compared(period: Period) -> dict[str, str]:
    """Return a period with those that it is compared with, as a query of the page."""
    first, last = baseline_periods(period)[-1].first_date, period.following().first_date - ONE_DAY
    return {"period": period.kind.name, "from": str(first), "to": str(last)}


def _page_url(**query: str) -> str | None:
    """Return the address of the page; where Airflow has none, of the DAG."""
    address = settings.ui_url()
    if not address:
        return None
    if HAS_EXTERNAL_VIEWS:
        return f"{address}/plugin/communication-trends?{urlencode(query)}"
    return f"{address}/dags/{KINDS[query['period']].dag_id}"
