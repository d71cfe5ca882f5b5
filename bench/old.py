"""
A scheduled run of 1,000 organizations on a table of 100,000,000 messages, against the same run on a fresh table.

The old table is one table, or partitioned by month; never analyzed, analyzed a month ago, or vacuumed and analyzed
today. Autovacuum is off, so that each of these is what it says. Without Airflow: the work of each task instance, on a
separate connection, one after the other.
"""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg import sql

from bench.report import Report, say
from bench.statement import (
    HERE,
    OURS,
    PARAMETERS,
    SESSION,
    SESSION_PARAMETERS,
    Connection,
    fill,
    ids,
    make_application_index,
    make_bare,
    open_database,
    read,
)
from bench.task import work
from local import ROOT
from local.servers import Server

MONTHS, DAYS, LAST_DAY = 25, 30, datetime.date(2026, 11, 30)
MONTH = datetime.timedelta(DAYS)
LOOKBACK = 7
ROUNDS = 2
BATCH = 250
COUNTED = [read(ROOT / "sql" / "count_source_rows.sql")]


def measure(server: Server, report: Report, *, quick: bool) -> None:
    """
    Make a fresh table and, one after the other, the old ones; measure runs on both, interleaved.

    :param server: where databases ``fresh`` and ``old`` are made, of 20 GB at most.
    :param report: gets the results.
    :param quick: a hundredth of the rows.
    """
    slugs, per_day = (100, 14) if quick else (1_000, 139)
    sizes = {f"organization-{number:04}": per_day for number in range(slugs)}
    for how in ("one table", "partitioned by month"):
        with _fresh(server, sizes) as fresh, open_database(server, "old") as old:
            _make_month(old, sizes)
            if how != "one table":
                _partition(old)
            # the last month comes later
            _load(old, MONTHS - 1)
            last_day = LAST_DAY - MONTH
            for state in ("never analyzed", "analyzed a month ago", "vacuumed and analyzed"):
                if state == "analyzed a month ago":
                    old.execute("analyze")
                    _add_month(old, 0)
                    last_day = LAST_DAY
                elif state == "vacuumed and analyzed":
                    old.execute("vacuum analyze")
                row = old.execute("select count(*), pg_database_size('old') from topic_classifications").fetchone()
                count, size = row or (0, 0)
                label = f"an old table, {how}, {state}"
                say(f"{label}: {count:,} messages, the database has {size / 1e9:.1f} GB")
                _plans(old, last_day)
                _measure_runs(server, report, {"old": old, "fresh": fresh}, last_day, label)
        for name in ("fresh", "old"):
            server.drop_database(name)


def _fresh(server: Server, sizes: dict[str, int]) -> Connection:
    """Make a database with no more days than the measured runs read."""
    connection = open_database(server, "fresh")
    _make_month(connection, sizes)
    for age in (1, 0):
        first_day = LAST_DAY - datetime.timedelta(LOOKBACK)
        connection.execute(read(HERE / "sql" / "month_again.sql"), {"days": age * DAYS, "day_start": first_day})  # type: ignore[call-overload]
    make_application_index(connection)
    connection.execute("vacuum analyze")
    return connection


def _make_month(connection: Connection, sizes: dict[str, int]) -> None:
    """Make the rows that the others are copied from."""
    make_bare(connection)
    fill(connection, sizes, days=DAYS, last_day=str(LAST_DAY))
    connection.execute("update organizations set created_at = '2020-01-01'")
    connection.execute(read(HERE / "sql" / "month_of_rows.sql"))  # type: ignore[call-overload]
    connection.execute("truncate topic_classifications")


def _partition(connection: Connection) -> None:
    """Make the table one that is partitioned by month, from the first day of the first month to the last day."""
    for statement in read(HERE / "sql" / "by_month.sql").split(";")[:-1]:
        connection.execute(statement)  # type: ignore[call-overload]
    first = (LAST_DAY - MONTHS * MONTH).replace(day=1)
    starts = [datetime.date(first.year + months // 12, months % 12 + 1, 1) for months in range(first.month - 1, 99)]
    for start, end in itertools.pairwise(starts):
        if start <= LAST_DAY:
            connection.execute(
                sql.SQL(
                    "create unlogged table {} partition of topic_classifications for values from ({}) to ({})"
                    " with (autovacuum_enabled = off)"
                ).format(sql.Identifier(f"messages_{start:%Y_%m}"), str(start), str(end))
            )


def _load(connection: Connection, months: int) -> None:
    for age in range(months, 0, -1):
        _add_month(connection, age)
    say(f"{months} months of messages")
    make_application_index(connection)
    say("their index")


def _add_month(connection: Connection, age: int) -> None:
    rows = {"days": age * DAYS, "day_start": LAST_DAY - MONTH}
    connection.execute(read(HERE / "sql" / "month_again.sql"), rows)  # type: ignore[call-overload]


def _measure_runs(
    server: Server, report: Report, tables: dict[str, Connection], last_day: datetime.date, label: str
) -> None:
    """Measure runs on both tables, interleaved: each organization alone, and in batches."""
    for how, size in (("one by one", 1), (f"in batches of {BATCH}", BATCH)):
        taken: dict[str, list[float]] = {name: [] for name in tables}
        for _ in range(ROUNDS):
            for name, connection in tables.items():
                connection.execute("truncate communication_trends")
                taken[name].append(_run_seconds(server.dsn(name), list(ids(connection).values()), last_day, size))

        report.add(f"{label}: a run {how}, against a fresh table", taken["old"], taken["fresh"], "s")


def _run_seconds(dsn: str, organizations: Sequence[str], last_day: datetime.date, size: int) -> float:
    """Return the seconds of a run, each task instance's work on a separate connection."""
    before = time.perf_counter()
    for start in range(0, len(organizations), size):
        with psycopg.connect(dsn) as connection:
            work(connection, organizations[start : start + size], "daily", str(last_day), LOOKBACK)
    return time.perf_counter() - before


def _plans(connection: Connection, last_day: datetime.date) -> None:
    """
    Print how the messages are found.

    :raises RuntimeError: where it is by reading all of them.
    """
    own, earlier = [last_day], [last_day - datetime.timedelta(age) for age in range(1, LOOKBACK + 1)]
    organizations = list(ids(connection).values())
    found = set()
    for statements, few, days in itertools.product((OURS, COUNTED), (1, BATCH), (own, earlier)):
        parameters = {
            **PARAMETERS,
            "organization_ids": organizations[:few],
            "period_starts": days,
            "period_ends": [day + datetime.timedelta(1) for day in days],
        }
        with connection.transaction():
            connection.execute(SESSION, SESSION_PARAMETERS)  # type: ignore[call-overload]
            row = connection.execute(f"explain (format json) {statements[0]}", parameters).fetchone()  # type: ignore[call-overload]
        found |= set(_scans(row[0][0]["Plan"] if row else {}))
    say(f"the messages are found by: {', '.join(sorted(found))}")
    if "Seq Scan" in found:
        raise RuntimeError("a sequential scan")


def _scans(node: dict[str, Any]) -> Iterator[str]:
    """Return the kinds of nodes that read messages."""
    if str(node.get("Relation Name", "")).startswith(("topic_classifications", "messages_")):
        yield node["Node Type"]
    for child in node.get("Plans", []):
        yield from _scans(child)
