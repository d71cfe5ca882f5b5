"""One organization of 1,000,000 and one of 10,000,000 messages a day: time, memory, and files written on the way."""

from __future__ import annotations

import json
import time
from typing import Any

import psycopg

from bench.report import Report, say
from bench.runs import DAY
from bench.statement import (
    COUNT,
    FIVE,
    HERE,
    OURS,
    PARAMETERS,
    fill,
    ids,
    make_application_index,
    make_bare,
    make_optional_indexes,
    open_database,
    read,
)
from bench.statement import measure as measure_ways
from bench.task import in_a_process
from local.servers import Server

TRIES = 5
WAYS = {"ours": OURS, "five": FIVE, "count": COUNT, "two levels": [read(HERE / "sql" / "two_levels.sql")]}


def measure(server: Server, report: Report, *, quick: bool) -> None:
    """
    Measure the statement, another way to count, and the whole work of a task instance.

    :param server: where a database ``large`` is made, of 7 GB.
    :param report: gets the results.
    :param quick: a hundredth of the rows.
    """
    sizes = {"a": 10_000, "b": 100_000} if quick else {"a": 1_000_000, "b": 10_000_000}
    with open_database(server, "large") as connection:
        make_bare(connection)
        for slug, size in sizes.items():
            fill(connection, {slug: size})
            say(f"{size:,} messages in a day")
        make_application_index(connection)
        connection.execute("update organizations set created_at = '2026-01-01'")
        connection.execute("vacuum analyze")
        for indexes in ("without", "with"):
            if indexes == "with":
                make_optional_indexes(connection)
            for slug, size in sizes.items():
                label = f"{size:,} messages of a day, {indexes} the optional indexes"
                organization = ids(connection)[slug]
                _statement(connection, report, organization, label)
                _task(server, connection, report, organization, label)
    server.drop_database("large")


def _statement(connection: psycopg.Connection[Any], report: Report, organization: str, label: str) -> None:
    """Measure the ways interleaved."""
    parameters = {**PARAMETERS, "organization_id": organization, "organization_ids": [organization]}
    answers = [connection.execute(WAYS[way][0], parameters).fetchone() for way in ("ours", "two levels")]  # type: ignore[call-overload]
    # the other way has no organization, no period and no alerts
    ours, other = (tuple(_value(column) for column in answer or ()) for answer in answers)
    if (*ours[4:6], *ours[7:]) != other:
        raise RuntimeError(f"two levels count otherwise: {ours}, {other}")
    taken = measure_ways(connection, [organization], TRIES, ways=WAYS)
    report.add(f"{label}, against the five queries", taken["ours"], taken["five"])
    report.add(f"{label}, against count(*)", taken["ours"], taken["count"])
    report.add(f"{label}, counted in two levels in parallel, against count(*)", taken["two levels"], taken["count"])


def _value(column: Any) -> Any:
    """Return JSON as what it says, since its keys may come in any order."""
    return json.loads(column) if isinstance(column, str) and column[:1] in "{[" else column


def _task(server: Server, connection: psycopg.Connection[Any], report: Report, organization: str, label: str) -> None:
    """Measure what a task instance of the day does, with nothing stored before."""
    connection.execute("truncate communication_trends")
    before = _temporary(connection)
    measured = in_a_process(server.dsn("large"), organization, "daily", DAY, 0)
    # a backend tells what it has written when it ends
    time.sleep(2)
    written = _temporary(connection) - before
    report.add(f"{label}, aggregated, stored and verified", [measured["seconds"]], unit="s")
    say(
        f"the task's process has {measured['processMegabytes']} MiB at most, "
        f"its backend {measured['backendMegabytes']};"
        f" temporary files {written / 1e6:.0f} MB"
    )


def _temporary(connection: psycopg.Connection[Any]) -> int:
    """Return how many bytes of temporary files the database has written so far."""
    row = connection.execute("select temp_bytes from pg_stat_database where datname = current_database()").fetchone()
    return int(row[0]) if row else 0
