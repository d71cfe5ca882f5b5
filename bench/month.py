"""
A day, with and without lookback, and a month of one large organization, without the optional indexes: how long they
take, and how much memory.
"""

from __future__ import annotations

import json
from typing import Any

import psycopg

from bench.report import Report, say
from bench.statement import HERE, fill, ids, make_application_index, make_bare, open_database, read
from bench.task import in_a_process
from local.servers import Server

DAYS, LAST_DAY = 30, "2026-11-30"
LARGE = "large"


def measure(server: Server, report: Report, *, quick: bool) -> None:
    """
    Make the rows, and measure a first run of the month and one that finds its trend stored.

    :param server: where a database ``month`` is made, of 9 GB.
    :param report: gets the results.
    :param quick: a hundredth of the rows.
    """
    per_day = 10_000 if quick else 1_000_000
    connection = open_database(server, "month")
    _make_rows(connection, per_day)
    row = connection.execute("select count(*), pg_table_size('topic_classifications') from topic_classifications")
    count, size = row.fetchone() or (0, 0)
    say(f"{count:,} rows, {size / 1e9:.1f} GB")
    day(server, report, ids(connection)[LARGE], connection)
    for run in ("the first run", "a run that finds it stored"):
        measured = in_a_process(server.dsn("month"), ids(connection)[LARGE], "monthly", LAST_DAY, 0)
        say(f"{run}: {json.dumps(measured)}")
        report.add(f"a month of {count:,} messages, {run}", [measured["seconds"]], unit="s")
        report.add(
            f"a month of {count:,} messages, {run}: the task's process", [measured["processMegabytes"]], unit="MB"
        )
        report.add(f"a month of {count:,} messages, {run}: its backend", [measured["backendMegabytes"]], unit="MB")
    connection.close()
    server.drop_database("month")


def day(server: Server, report: Report, organization: str, connection: psycopg.Connection[Any]) -> None:
    """Measure the last day with the seven before it, in which nothing has changed, and without."""
    in_a_process(server.dsn("month"), organization, "daily", LAST_DAY, 7)
    taken: dict[int, list[float]] = {7: [], 0: []}
    for _ in range(3):
        for lookback, seconds in taken.items():
            connection.execute("delete from communication_trends where trend_date = %s", [LAST_DAY])
            measured = in_a_process(server.dsn("month"), organization, "daily", LAST_DAY, lookback)
            say(f"a day with a lookback of {lookback}: {json.dumps(measured)}")
            seconds.append(measured["seconds"])
    report.add("a day of one large organization, with a lookback of 7 days against none", taken[7], taken[0], "s")


def _make_rows(connection: psycopg.Connection[Any], per_day: int) -> None:
    """Make the last day, and the others from it."""
    make_bare(connection)
    fill(connection, {LARGE: per_day}, last_day=LAST_DAY)
    for age in range(1, DAYS):
        connection.execute(read(HERE / "sql" / "day_again.sql"), {"days": age, "day_start": LAST_DAY})  # type: ignore[call-overload]
        say(f"{age + 1} of {DAYS} days")
    make_application_index(connection)
    connection.execute("update organizations set created_at = '2026-01-01'")
    connection.execute("analyze")
