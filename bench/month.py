"""
A day, with and without lookback, and a month of one large organization, without the optional indexes: how long they
take, and how much memory.

The work is done in a process of its own, as a task's is: ``python -m bench.month DSN ORGANIZATION PERIOD LOOKBACK`` is
that process.
"""

from __future__ import annotations

import datetime
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from bench.report import Report, say
from bench.statement import fill, ids, open_database
from local import ROOT
from local.servers import Server

DAYS, LAST_DAY = 30, "2026-11-30"
LARGE = "large"


def measure(server: Server, report: Report, *, quick: bool) -> None:
    """
    Make the rows, and measure a first run of the month and one that finds its trend stored.

    :param server: where a database ``month`` is made, of 9 GB.
    :param report: gets the figures.
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
        told = _task_process(server.dsn("month"), ids(connection)[LARGE], "monthly", 0)
        say(f"{run}: {json.dumps(told)}")
        report.add(f"a month of {count:,} messages, {run}", [told["seconds"]], unit="s")
        report.add(f"a month of {count:,} messages, {run}: the task's process", [told["processMegabytes"]], unit="MB")
        report.add(f"a month of {count:,} messages, {run}: its backend", [told["backendMegabytes"]], unit="MB")


def day(server: Server, report: Report, organization: str, connection: psycopg.Connection[Any]) -> None:
    """Measure the last day with the seven before it, in which nothing has changed, and without."""
    _task_process(server.dsn("month"), organization, "daily", 7)
    taken: dict[int, list[float]] = {7: [], 0: []}
    for _ in range(3):
        for lookback, seconds in taken.items():
            connection.execute("delete from communication_trends where trend_date = %s", [LAST_DAY])
            told = _task_process(server.dsn("month"), organization, "daily", lookback)
            say(f"a day with a lookback of {lookback}: {json.dumps(told)}")
            seconds.append(told["seconds"])
    report.add("a day of one large organization, with a lookback of 7 days against none", taken[7], taken[0], "s")


def _make_rows(connection: psycopg.Connection[Any], per_day: int) -> None:
    """Make the last day, and the others from it; unlogged and without what only costs the writer."""
    constraints = "select conname from pg_constraint where conrelid = 'topic_classifications'::regclass"
    for (name,) in connection.execute(f"{constraints} and contype in ('p', 'u', 'f')").fetchall():
        connection.execute(f'alter table topic_classifications drop constraint "{name}"')  # type: ignore[call-overload]
    indexes = "select indexname from pg_indexes where tablename = 'topic_classifications'"
    for (name,) in connection.execute(indexes).fetchall():
        connection.execute(f'drop index "{name}"')  # type: ignore[call-overload]
    connection.execute("alter table topic_classifications set unlogged")
    connection.execute("alter table topic_classifications set (autovacuum_enabled = off)")
    fill(connection, {LARGE: per_day}, last_day=LAST_DAY)
    columns = (
        "organization_id, workspace_id, user_id, channel_id, suggestion_id, topic, confidence, reasoning, sentiment"
    )
    for age in range(1, DAYS):
        connection.execute(
            f"insert into topic_classifications ({columns}, created_at)"  # type: ignore[call-overload]
            f" select {columns}, created_at - %(age)s * interval '1 day' from topic_classifications"
            " where created_at >= %(last_day)s::timestamp",
            {"age": age, "last_day": LAST_DAY},
        )
        say(f"{age + 1} of {DAYS} days")
    # the application's own index, which the statement finds an organization's rows with
    connection.execute(
        "create index topic_classifications_organization_created_idx"
        " on topic_classifications (organization_id, created_at)"
    )
    connection.execute("update organizations set created_at = '2026-01-01'")
    connection.execute("analyze")


def _task_process(dsn: str, organization: str, period: str, lookback: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.month", dsn, organization, period, str(lookback)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if told["failed"]:
        raise RuntimeError(told["failed"])
    return told


def _work(dsn: str, organization: str, period: str, lookback: str) -> dict[str, Any]:
    """Aggregate and store the last period with the default limits, as a task instance does."""
    from communication_trends.aggregation import Aggregation, Work
    from communication_trends.database import Database, Limits
    from communication_trends.period import KINDS

    with psycopg.connect(dsn) as connection:
        database = Database(connection, sql_path=ROOT / "sql", limits=Limits())
        own = KINDS[period].containing(datetime.date.fromisoformat(LAST_DAY))
        started = time.monotonic()
        work = Work([organization], own, earlier=own.earlier(int(lookback)))
        outcome = Aggregation(work, source=database, target=database).run()
        seconds = time.monotonic() - started
        status = Path(f"/proc/{connection.info.backend_pid}/status").read_text()
    sizes = dict(line.split(":", 1) for line in status.splitlines())
    return {
        "seconds": round(seconds, 1),
        "outcome": [(result.outcome, result.messages) for result in outcome.results],
        "failed": [result.reason for result in outcome.of("failed")],
        "processMegabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        # the most it ever had, its shared buffers included
        "backendMegabytes": round(int(sizes["VmHWM"].split()[0]) / 1024),
    }


if __name__ == "__main__":
    print(json.dumps(_work(*sys.argv[1:])))
