"""
What the application notices of a scheduled run: how long its inserts take, one after the other, each committed.

The application's PostgreSQL and the process that inserts have one core, Airflow and its own PostgreSQL the others, so
that what is measured is the database's share of the run. ``python -m bench.inserts DSN`` is the process that inserts.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from bench.report import Report, say
from bench.runs import DAG_ID, DAY, FLOOR_ID, Runner, grow, runner, slug
from bench.statement import HERE, fill, open_database, read
from local import ROOT
from local.servers import Server, postgres

CORES = sorted(os.sched_getaffinity(0))
"""The first is the application's."""

ROUNDS = 3
EACH = 0.002
"""Seconds between two inserts: some 400 a second, not as many as the core can take."""


def measure(home: Path, report: Report, *, quick: bool) -> None:
    """
    Measure inserts during runs with 16 and with 4 task instances at a time, and with nothing else going on.

    :param home: where Airflow and two PostgreSQL servers write.
    :param report: what takes the results.
    :param quick: fewer organizations.
    """
    # beyond 1,024 the run that is due comes in batches
    few, many = (20, 2_000) if quick else (200, 10_000)
    if len(CORES) < 2:
        say("one core: the database's share cannot be told from Airflow's")
        return
    with contextlib.ExitStack() as stack:
        with on_cores(CORES[:1]):
            application = stack.enter_context(postgres(home / "application"))
        stack.enter_context(on_cores(CORES[1:]))
        server = stack.enter_context(postgres(home / "airflow"))
        with server.connect("postgres") as connection:
            # both have one disk: what Airflow's waits for would be what the application's waits for
            connection.execute("alter system set synchronous_commit = off")
            connection.execute("select pg_reload_conf()")
        connection = stack.enter_context(open_database(application, "application"))
        grow(connection, many)
        # what is measured one to a task instance is as large as most customers
        fill(connection, {slug(index): 700 for index in range(few)}, days=8)
        connection.execute("update organizations set created_at = '2026-01-01'")
        connection.execute("vacuum analyze")
        for bound in (16, 4):
            settings = {
                "AIRFLOW__COMMUNICATION_TRENDS__MAX_PARALLEL_ORGANIZATIONS": str(bound),
                "AIRFLOW_CONN_COMMUNICATION_TRENDS_DB": application.airflow_connection("application"),
            }
            with runner(home / f"inserts-{bound}", server, "application", **settings) as airflow:
                _latencies(airflow, application, connection, report, few, many, f"{bound} task instances at a time")


@contextlib.contextmanager
def on_cores(cores: list[int]) -> Iterator[None]:
    """Keep to some cores, and what is started within the block for good."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _latencies(
    airflow: Runner,
    application: Server,
    connection: psycopg.Connection[Any],
    report: Report,
    few: int,
    many: int,
    bound: str,
) -> None:
    def scheduled_run(**conf: Any) -> None:
        connection.execute("truncate communication_trends")
        airflow.run(DAG_ID, date=DAY, lookback=7, **conf)

    alone = [slug(index) for index in range(few)]
    size = many // 20
    ways: dict[str, Callable[[], object]] = {
        "nothing else": partial(time.sleep, 10),
        f"{few} task instances that do nothing": partial(airflow.run, FLOOR_ID, tasks=few),
        f"a run of {few} organizations of 700 messages, one to a task instance": partial(
            scheduled_run, organizations=alone
        ),
        f"a run of {many:,} organizations of 20 messages, {size} to a task instance": partial(
            scheduled_run, organizations_per_task=size
        ),
    }
    taken: dict[str, list[list[float]]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, during in ways.items():
            taken[way].append(_during(application.dsn("application"), during))
    shares = {way: [statistics.quantiles(one, n=1000) for one in several] for way, several in taken.items()}
    for name, per_mille in {"median": 500, "p99": 990, "p99.9": 999}.items():
        at = {way: [shares_of_one[per_mille - 1] for shares_of_one in several] for way, several in shares.items()}
        idle, *busy = ways
        for way in busy:
            report.add(f"an insert, {name}, {bound}, during {way}, against idle", at[way], at[idle])


def _during(dsn: str, during: Callable[[], object]) -> list[float]:
    """Return the milliseconds of each insert while something goes on."""
    with on_cores(CORES[:1]):
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.inserts", dsn], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    try:
        assert process.stdout
        process.stdout.readline()
        during()
        output, _ = process.communicate(b"\n", timeout=60)
    finally:
        process.kill()
    return [float(line) for line in output.split()]


def _insert(dsn: str) -> None:
    """Insert until a line comes, and print the milliseconds of each insert."""
    statement = read(HERE / "sql" / "insert_one.sql")
    taken = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        print("ready", flush=True)
        for number in itertools.count():
            if select.select([sys.stdin], [], [], EACH)[0]:
                break
            before = time.perf_counter()
            connection.execute(statement, {"slug": slug(number % 1000)})  # type: ignore[call-overload]
            taken.append((time.perf_counter() - before) * 1000)
    print(*taken, sep="\n")


if __name__ == "__main__":
    _insert(sys.argv[1])
