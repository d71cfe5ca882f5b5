"""The stored trends as they are read: for the page, the summary and the notifications alike."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from communication_trends import settings
from communication_trends.connections import connected
from communication_trends.core import anomalies
from communication_trends.core.database import Database, Limits, Transaction
from communication_trends.core.marks import names_in
from communication_trends.core.period import ONE_DAY, Granularity, Period

MAX_COUNT = 2_147_483_647
"""The largest number that is taken for a count."""

# strict: otherwise jsonpath would look into arrays. What cannot be compared, and what has no sign (+), as null has
# none, gives null, not false: unreadable as well
READABLE = {
    "broken_counts": f"strict $.* < 0 || +$.* > {MAX_COUNT}",
    "broken_hotspots": "strict "
    + " || ".join(
        f"$[*].{field} < 0 || +$[*].{field} > {largest}"
        for field, largest in (("riskScore", 100), ("messageCount", MAX_COUNT))
    )
    + ' || $[*].channelId.type() != "string"',
}
"""jsonpath that is false for what can be read, bound for each statement."""

GRACE = datetime.timedelta(hours=1)
"""How long after its run is due a period should be stored."""

SHIFTS = {
    "daily": {"previous": 7, "quarter": 91, "year": 364},
    "weekly": {"previous": 1, "quarter": 13, "year": 52},
    "monthly": {"previous": 1, "quarter": 3, "year": 12},
}
"""
Periods by a multiple of which the range that another one is compared with is earlier.

Days are compared with the same weekdays: these are whole weeks.
"""

STEPS = {"daily": "1 day", "weekly": "7 days", "monthly": "1 month"}
"""From one period to the next, as PostgreSQL's intervals."""


@dataclass(frozen=True)
class Range:
    """
    Periods without a gap between them.

    :param first: the first one.
    :param last: the last one, included.
    :param due: the last one whose run is due; after it, nothing is missing.
    :param ended: the last one that has ended; by default the one that is due.
    :param compare: what it is compared with: the range ``previous``, or that a ``quarter`` or a ``year`` before.
    """

    first: Period
    last: Period
    due: Period
    ended: Period | None = None
    compare: str = "previous"

    @property
    def kind(self) -> Granularity:
        """The length of each period."""
        return self.first.kind

    @property
    def from_(self) -> datetime.date:
        """The first date."""
        return self.first.first_date

    @property
    def to(self) -> datetime.date:
        """The last date."""
        return self.last.next_date - ONE_DAY

    @property
    def length(self) -> int:
        """How many periods."""
        return _number(self.last) - _number(self.first) + 1

    def longest(self, length: int) -> Range:
        """Return the range that ends with it and has so many periods, if that is more."""
        return self if length <= self.length else replace(self, first=back(self.last, length - 1))

    def periods(self) -> list[Period]:
        """Return each period, newest first."""
        return [self.last, *self.last.earlier(self.length - 1)]

    @property
    def parameters(self) -> dict[str, Any]:
        """The range as parameters of the SQL: first moments, UTC, without a time zone."""
        return {
            **_period_parameters(self.kind, self.ended or self.due),
            "first_day": self.first.start,
            "last_day": self.last.start,
            "last_due": self.due.start,
            "read_from": self.first.start,
            "read_to": self.last.start,
            "read_days": [period.start for period in self.periods()],
        }

    def shift(self) -> int:
        """Return by how many periods the range that it is compared with is earlier: the fewest that do not overlap."""
        unit = SHIFTS[self.kind.name][self.compare]
        return -(-self.length // unit) * unit

    def earlier(self, count: int) -> Range:
        """Return the range that begins and ends so many periods before."""
        return replace(self, first=back(self.first, count), last=back(self.last, count))

    @property
    def compared_parameters(self) -> dict[str, Any]:
        """The range and the one that it is compared with, as parameters of the SQL."""
        previous = self.earlier(self.shift())
        count, unit = STEPS[self.kind.name].split()
        return {
            **self.parameters,
            "previous_first_day": previous.first.start,
            "previous_last_day": previous.last.start,
            "read_from": previous.first.start,
            "read_days": [period.start for one in (self, previous) for period in one.periods()],
            "shift": f"{int(count) * self.shift()} {unit}",
        }


def _period_parameters(kind: Granularity, ended: Period) -> dict[str, Any]:
    return {"period": kind.name, "unit": kind.noun, "step": STEPS[kind.name], "last_ended": ended.start}


class Reading:
    """
    One open read-only transaction, with the statements of ``sql/web/``.

    :param database: where it is open.
    :param transaction: the transaction.
    :param changes_until: up to when its snapshot has every change; None where nobody has looked that up.
    """

    def __init__(
        self, database: Database, transaction: Transaction, changes_until: datetime.datetime | None = None
    ) -> None:
        self._database = database
        self._transaction = transaction
        self.changes_until = changes_until

    def rows(self, name: str, **parameters: object) -> list[dict]:
        """
        Run one statement and return its rows.

        :param name: its file in ``sql/web/``, without the ending.
        :param parameters: the values it binds.
        """
        # if it cannot be read, nothing is known not to be final
        instead = {} if self.knows_origins else {"provenance": "no_provenance"}
        return self._transaction.rows(self._database.sql(f"web/{name}.sql", instead), {**READABLE, **parameters})

    @cached_property
    def knows_origins(self) -> bool:
        """Whether the provenance of trends can be read."""
        [row] = self._transaction.run("web/knows_origins.sql")
        return row["knows_origins"]

    def changed_periods(
        self, kind: Granularity, since: datetime.datetime, organization_id: str | None
    ) -> list[dict[str, Any]]:
        """
        Return the periods whose trends have changed since a moment, as a run's asset event has them.

        :param kind: the length of the periods.
        :param since: the moment, aware.
        :param organization_id: whose trends; None for all organizations'.
        """
        return self._transaction.run(
            "changed_periods.sql",
            {
                "trend_period": kind.name,
                "changed_since": since,
                "organization_id": organization_id,
                "dag_id": None,
                "run_id": None,
            },
        )


@contextmanager
def reading(
    limits: Limits | None = None, sql_path: Path | None = None, *, with_changes: bool = False
) -> Iterator[Reading]:
    """
    Open a connection and one read-only transaction on one snapshot, and close both.

    :param limits: how long the database may take; by default as the settings say.
    :param sql_path: folder of the statements; by default as the settings say.
    :param with_changes: whether to look up beforehand up to when the snapshot has every change.
    """
    with (
        connected(settings.conn_id(), limits, sql_path) as database,
        reading_from(database, with_changes=with_changes) as opened,
    ):
        yield opened


@contextmanager
def reading_from(database: Database, *, with_changes: bool = False) -> Iterator[Reading]:
    """
    Open one read-only transaction on one snapshot.

    :param database: where the trends are, with no transaction open.
    :param with_changes: as of `reading`.
    """
    until = changes_until(database) if with_changes else None
    with database.transaction(read_only=True) as transaction:
        opened = Reading(database, transaction, until)
        opened.rows("session")
        yield opened


def stored_version(database: Database) -> str | None:
    """
    Return what differs as soon as an answer could; None where that cannot be known.

    It is read before the transaction of the answer begins: of an older version than the answer, never of a newer one.

    :param database: where the trends are, with no transaction open.
    """
    with database.transaction(read_only=True) as transaction:
        opened = Reading(database, transaction)
        [row] = opened.rows("version")
        latest = opened.rows("latest_change") if opened.knows_origins else []
    return None if row["written"] is None else f"{row} {latest}"


def changes_until(database: Database) -> datetime.datetime:
    """
    Return the moment up to which a transaction that begins after this call sees every change of the trends.

    In the same transaction it could be too late: what commits between its snapshot and this look-up shows in neither.

    :param database: where the trends are, with no transaction open.
    """
    with database.transaction(read_only=True) as transaction:
        (row,) = transaction.run("changes_until.sql")
    return row["changes_until"]


@dataclass(frozen=True)
class Unusual:
    """
    One metric of one organization and period that is anomalous.

    :param organization_id: the organization's id.
    :param name: its name.
    :param slug: its slug.
    :param date: the period's first date.
    :param finding: what is anomalous.
    :param is_together: whether many organizations have moved alike.
    """

    organization_id: str
    name: str
    slug: str
    date: datetime.date
    finding: anomalies.Finding
    is_together: bool = False


@dataclass(frozen=True)
class Attention:
    """
    What is anomalous in some periods.

    :param findings: organization by organization. First those with alerts, risk or tones of their own, then those with
        messages of their own, then those that only moved with many others.
    :param together: what many organizations have in common.
    :param organizations: how many have enough earlier periods to be judged.
    :param organizations_total: how many were to be judged.
    """

    findings: list[Unusual]
    together: list[anomalies.Together]
    organizations: int
    organizations_total: int


def unusual(
    database: Reading, kind: Granularity, periods: Sequence[Period], *, organizations: Sequence[str] | None
) -> Attention:
    """
    Return what is anomalous in some periods.

    :param database: where the trends are.
    :param kind: the length of the periods.
    :param periods: which ones; each should be over, since little of a period looks like few messages.
    :param organizations: ids of those that are looked at; None for all.
    """
    by_date = {period.first_date: period for period in periods}
    # each period is read for itself and for those whose baseline it belongs to
    pairs = [(read.start, period.start) for period in periods for read in (period, *anomalies.baseline_periods(period))]
    shared = {
        **_period_parameters(kind, kind.last_completed(datetime.datetime.now(datetime.timezone.utc))),
        "hotspot_topics": settings.hotspot_topics(),
    }
    rows = database.rows(
        "attention",
        organization_ids=None if organizations is None else list(organizations),
        read_from=min((read for read, _ in pairs), default=None),
        read_to=max((read for read, _ in pairs), default=None),
        read_days=[read for read, _ in pairs],
        compared_days=[day for _, day in pairs],
        **shared,
        **anomalies.SCREEN,
    )
    # the first row is there even where nothing is suspect, for the number of organizations
    suspects = [row for row in rows if row["organization_id"]]
    needed = {date: [period, *anomalies.history_periods(period)] for date, period in by_date.items()}
    counts = _counts(database, suspects, needed, shared)
    marks = settings.known_marks()
    names = {date: names_in(marks, period) for date, period in by_date.items()}
    found = [
        Unusual(row["organization_id"], row["name"], row["slug"], row["date"], _named(finding, names[row["date"]]))
        for row in suspects
        for finding in _findings(counts[row["organization_id"]], needed[row["date"]])
    ]
    together: list[anomalies.Together] = []
    if organizations is None or len(organizations) > 1:
        for date, compared in rows[0]["compared_by_date"].items():
            of_date = [one.finding for one in found if str(one.date) == date]
            period = by_date[datetime.date.fromisoformat(date)]
            together += anomalies.find_together(of_date, compared, period, names[period.first_date])
    return Attention(
        _in_order(found, together),
        sorted(together, key=lambda one: (-one.organizations, one.date, one.figure)),
        rows[0]["organizations_compared"],
        rows[0]["organizations_total"],
    )


def _counts(
    database: Reading,
    suspects: Sequence[Mapping[str, Any]],
    needed: Mapping[datetime.date, Sequence[Period]],
    shared: Mapping[str, Any],
) -> dict[str, dict[str, anomalies.Counts]]:
    """Return by organization and date the counts of all that is needed to judge the suspects, as far as stored."""
    if not suspects:
        return {}
    days = sorted({one.start for date in {row["date"] for row in suspects} for one in needed[date]})
    rows = database.rows(
        "attention_history",
        organization_ids=list({row["organization_id"] for row in suspects}),
        read_from=days[0],
        read_to=days[-1],
        read_days=days,
        **shared,
    )
    return {
        row["organization_id"]: {date: anomalies.Counts(*numbers) for date, *numbers in row["counts"]} for row in rows
    }


def _findings(counts: Mapping[str, anomalies.Counts], needed: Sequence[Period]) -> list[anomalies.Finding]:
    """Return what is anomalous about the first of some periods, of which the others are those before it."""
    current, *history = [counts.get(str(one.first_date)) for one in needed]
    return anomalies.find_anomalies(current, history, needed[0], settings.hotspot_topics()) if current else []


def _named(finding: anomalies.Finding, name: str) -> anomalies.Finding:
    """Return a finding whose sentence says what its day is called."""
    return replace(finding, sentence=f"{finding.sentence} ({name})") if name else finding


def _in_order(found: Sequence[Unusual], together: Sequence[anomalies.Together]) -> list[Unusual]:
    """Return what was found as people should read it."""
    alike = {(one.date, one.figure, one.direction) for one in together}
    marked = [replace(one, is_together=(one.date, one.finding.figure, one.finding.direction) in alike) for one in found]
    names = [metric.name for metric in anomalies.METRICS]
    is_volume = {metric.name: metric.sinks for metric in anomalies.METRICS}
    weights: dict[str, list[float]] = {}
    for one in marked:
        weight = weights.setdefault(one.organization_id, [0.0, 0.0, 0.0])
        weight[2 if one.is_together else is_volume[one.finding.figure]] -= one.finding.score
    return sorted(
        marked,
        key=lambda one: (
            weights[one.organization_id],
            one.slug,
            one.is_together,
            names.index(one.finding.figure),
            -one.finding.score,
            one.date,
        ),
    )


def back(period: Period, count: int) -> Period:
    """Return the period so many before another."""
    return period.earlier(count)[-1] if count else period


def _number(period: Period) -> int:
    """Count periods from a common beginning."""
    date = period.first_date
    return {
        "daily": date.toordinal(),
        "weekly": date.toordinal() // 7,
        "monthly": 12 * date.year + date.month,
    }[period.kind.name]
