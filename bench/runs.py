"""Whole runs of the DAG, in an Airflow of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from bench.report import Report, say
from bench.statement import FIVE, HERE, HUGE, PARAMETERS, fill, ids, open_database, read
from communication_trends.core.totals import rounded
from local import ROOT
from local.airflow import Airflow, airflow_environment, run_airflow
from local.servers import Server, pgbouncer

DAG_ID = "communication_trends_daily"
FLOOR_ID = "bench_floor"
BARE_FLOOR_ID = "bench_bare_floor"
DAY = "2026-11-01"


@dataclass
class Runner:
    """
    A running Airflow with the package and the benchmark's DAGs.

    :param airflow: its processes.
    :param server: where its databases are.
    :param metadata: name of Airflow's own database.
    """

    airflow: Airflow
    server: Server
    metadata: str

    def run(self, dag_id: str, timeout: float = 1800, ends: str = "success", **conf: Any) -> float:
        """
        Run a DAG once.

        :param dag_id: which one.
        :param timeout: seconds.
        :param ends: the state that it is to end in.
        :param conf: the run's.
        :returns: seconds from the start of the run to its end, as Airflow stores them.
        """
        run_id = f"bench-{uuid.uuid4()}"
        address = f"/api/v2/dags/{dag_id}/dagRuns"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        self.airflow.request("POST", address, json=body).raise_for_status()

        with self.server.connect(self.metadata) as connection:

            def ended() -> Any:
                rows = connection.execute(
                    "select state, extract(epoch from end_date - start_date)::float from dag_run where run_id = %s",
                    [run_id],
                ).fetchone()
                return rows if rows and rows[0] in ("success", "failed") else None

            state, seconds = self.airflow.wait_until(ended, seconds=timeout, what=f"{dag_id} has ended")
        if state != ends:
            raise RuntimeError(f"{dag_id} {conf}: {state}")
        return float(seconds)


@contextlib.contextmanager
def runner(home: Path, server: Server, database: str, **settings: str) -> Iterator[Runner]:
    """
    Start Airflow with LocalExecutor on a metadata database of its own.

    :param home: where it writes.
    :param server: where both databases are.
    :param database: name of the one with messages and trends.
    :param settings: more environment variables.
    """
    metadata = f"airflow_{uuid.uuid4().hex[:8]}"
    server.create_database(metadata)
    dags = home / "dags"
    for folder in (ROOT / "dags", ROOT / "bench" / "dags"):
        shutil.copytree(folder, dags, dirs_exist_ok=True)
    environment = {
        **airflow_environment(home, server, metadata=metadata, database=database),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH": str(ROOT / "sql"),
        # Airflow's default
        "AIRFLOW__CORE__PARALLELISM": "32",
        # a retry would add its delay to what a failed run takes
        "AIRFLOW__COMMUNICATION_TRENDS__RETRIES": "0",
        **settings,
    }
    run_airflow(environment, "db", "migrate")
    airflow = Airflow(environment)
    try:
        airflow.start()
        # the run that is due comes before the measured ones, not during them
        for dag_id in (FLOOR_ID, BARE_FLOOR_ID, DAG_ID):
            airflow.unpause(dag_id)

        def idle() -> bool:
            with server.connect(metadata) as connection:
                rows = connection.execute("select state from dag_run").fetchall()
            return bool(rows) and all(state == "success" for (state,) in rows)

        airflow.wait_until(idle, seconds=1800, what="the run that is due has ended")
        yield Runner(airflow, server, metadata)
    finally:
        airflow.stop()
        server.drop_database(metadata)


def measure(home: Path, server: Server, report: Report, sections: Collection[str], *, quick: bool) -> None:
    """
    Measure whole runs, on 10 organizations of 20 messages at first, on 10,000 or more at last.

    :param home: where Airflow writes.
    :param server: where the databases are.
    :param report: what takes the results.
    :param sections: which of ``runs``, ``range``, ``lookback``, ``batches``, ``broken``, ``many``.
    :param quick: fewer and smaller runs.
    """
    with open_database(server, "application") as connection:
        grow(connection, 10)
        with runner(home / "airflow", server, "application") as airflow:
            say("Airflow runs, LocalExecutor")
            # the smallest number of organizations first
            for section, measured in {
                "runs": one_by_one,
                "range": days,
                "lookback": lookback,
                "batches": batches,
                "broken": broken,
                "many": many,
            }.items():
                if section in sections:
                    report.section = section
                    measured(airflow, connection, report, quick=quick)
            if "runs" in sections and not quick:
                report.section = "runs"
                memory(airflow, connection, report)
    server.drop_database("application")


def slug(index: int) -> str:
    """Return the slug of one of the organizations of 20 messages."""
    return f"small-{index:05}"


def grow(connection: psycopg.Connection[Any], number: int) -> list[str]:
    """
    Make as many organizations of 20 messages as are missing.

    :param connection: to the application's database.
    :param number: how many there are to be.
    :returns: the slugs of all of them.
    """
    slugs = [slug(index) for index in range(number)]
    there = len(ids(connection))
    fill(connection, dict.fromkeys(slugs[there:], 20))
    connection.execute("vacuum analyze")
    if there < number:
        say(f"{number:,} organizations of 20 messages")
    return slugs


def one_by_one(airflow: Runner, connection: psycopg.Connection[Any], report: Report, *, quick: bool) -> None:
    """Measure an organization to a task instance, of 10 to 1,000, and whether the time of each grows."""
    each = _one_by_one(airflow, connection, report, {30: 1} if quick else {10: 3, 100: 3, 200: 4, 1000: 2})
    if quick:
        return
    for number, taken in each.items():
        report.add(f"growth: {number:,} organizations, time of each", taken)
    report.add("time of each organization, 1,000 against 100", each[1000], each[100])


def measure_pooled(home: Path, server: Server, report: Report, *, quick: bool) -> None:
    """
    Measure an organization to a task instance, where PgBouncer has the sessions.

    :param home: where Airflow writes.
    :param server: where the databases are.
    :param report: what takes the results.
    :param quick: fewer organizations.
    """
    with open_database(server, "pooled") as connection, pgbouncer(server) as pooler:
        grow(connection, 10)
        behind = {"AIRFLOW_CONN_COMMUNICATION_TRENDS_DB": pooler.airflow_connection("pooled")}
        with runner(home / "pooled", server, "pooled", **behind) as airflow:
            _one_by_one(airflow, connection, report, {30: 1} if quick else {200: 4})


def _one_by_one(
    airflow: Runner, connection: psycopg.Connection[Any], report: Report, numbers: dict[int, int]
) -> dict[int, list[float]]:
    """Measure with and without lookback, and as many that do nothing; return ms of each organization, by number."""
    each: dict[int, list[float]] = {}
    ours = partial(airflow.run, DAG_ID, date=DAY)
    for number, rounds in numbers.items():
        slugs = grow(connection, number)
        ways = {"one day": partial(all_trends_to_write, connection, ours)}
        if number in (30, 200):
            _add_earlier_days(airflow, connection, slugs)
            ways = {
                "functions that do nothing": partial(airflow.run, FLOOR_ID, tasks=number),
                "bare operators that do nothing": partial(airflow.run, BARE_FLOOR_ID, tasks=number),
                **ways,
                "lookback": partial(all_trends_to_write, connection, partial(ours, lookback=7)),
            }
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, run in ways.items():
                taken[way].append(run())
        for days in ("one day", "lookback"):
            for way in list(ways)[:2] if "lookback" in ways else ():
                what = f"{number} organizations, one to a task instance, {days}, against {way}"
                report.add(what, taken[days], taken[way], "s")
        if "lookback" in ways:
            what = f"{number} organizations, one to a task instance, with a lookback of 7 days against none"
            report.add(what, taken["lookback"], taken["one day"], "s")
        each[number] = [1000 * seconds / number for seconds in taken["one day"]]
    return each


def _add_earlier_days(airflow: Runner, connection: psycopg.Connection[Any], slugs: list[str]) -> None:
    """Add the seven days before the measured one, and their trends: what a scheduled run looks back over, unchanged."""
    connection.execute("update organizations set created_at = '2026-01-01'")
    connection.execute("delete from topic_classifications where created_at < %s", [DAY])
    fill(connection, dict.fromkeys(slugs, 20), days=7, last_day="2026-10-31")
    connection.execute("vacuum analyze")
    airflow.run(DAG_ID, date=DAY, lookback=7)


def batches(airflow: Runner, connection: psycopg.Connection[Any], report: Report, *, quick: bool) -> None:
    """Measure all organizations with the default settings, against a loop in Python and against dbt."""
    number = len(grow(connection, 2_000 if quick else 10_000))
    conf: dict[str, Any] = {"organizations_per_task": 500} if quick else {}
    # all of them write each row: the package's would find it unchanged otherwise
    ours = [
        all_trends_to_write(connection, partial(airflow.run, DAG_ID, date=DAY, **conf))
        for _ in range(1 if quick else 3)
    ]
    loop = [all_trends_to_write(connection, partial(_loop, connection))]
    how = "in batches of 500" if quick else "default settings"
    report.add(f"{number:,} organizations, {how}, against a loop in Python", ours, loop, "s")
    report.add(f"growth: {number:,} organizations, time of each", [1000 * seconds / number for seconds in ours])
    if quick:
        return
    dbt = [all_trends_to_write(connection, partial(_dbt, connection)) for _ in range(4)][1:]
    report.add(f"{number:,} organizations, default settings, against dbt run", ours, dbt, "s")
    for size in (10, 50, 100, 250, 500, 1000, 2500, 5000):
        taken = [
            all_trends_to_write(connection, partial(airflow.run, DAG_ID, date=DAY, organizations_per_task=size))
            for _ in range(1 if size == 10 else 2)
        ]
        report.add(f"growth: {number:,} organizations in batches of {size:,}", taken, unit="s")
    # the rows are the package's again, no longer the loop's
    different = connection.execute(read(HERE / "sql" / "differences.sql")).fetchall()  # type: ignore[call-overload]
    if different:
        raise RuntimeError(f"dbt's rows differ: {different[:3]}")


def all_trends_to_write(connection: psycopg.Connection[Any], run: Callable[[], float]) -> float:
    """Return the seconds of a run that has each trend of the day to write, as a scheduled run has."""
    for table in ("communication_trends", "communication_trends_provenance"):
        connection.execute(f"delete from {table} where trend_date = %s", [DAY])
        connection.execute(f"vacuum {table}")
    return run()


def lookback(airflow: Runner, connection: psycopg.Connection[Any], report: Report, *, quick: bool) -> None:
    """Measure what it costs many organizations to do the seven days before again, when nothing has changed in them."""
    number = 2_000 if quick else 10_000
    _add_earlier_days(airflow, connection, grow(connection, number))
    taken: dict[int, list[float]] = {7: [], 0: []}
    for _ in range(1 if quick else 3):
        for periods, seconds in taken.items():
            seconds.append(all_trends_to_write(connection, partial(airflow.run, DAG_ID, date=DAY, lookback=periods)))
    what = f"{number:,} organizations, default settings, with a lookback of 7 days against none"
    report.add(what, taken[7], taken[0], "s")


def broken(airflow: Runner, connection: psycopg.Connection[Any], report: Report, *, quick: bool) -> None:
    """Measure runs of many organizations of which one, or ten, cannot be stored, against runs that store all."""
    number = len(grow(connection, 2_000 if quick else 10_000))
    connection.execute(read(HERE / "sql" / "broken.sql"))
    taken: dict[int, list[float]] = {0: [], 1: [], 10: []}
    for _ in range(1 if quick else 5):
        for count, seconds in taken.items():
            connection.execute("truncate broken")
            # spread over the batches
            chosen = "insert into broken select id from organizations order by md5(slug) limit %s"
            connection.execute(chosen, [count])
            run = partial(airflow.run, DAG_ID, ends="failed" if count else "success", date=DAY)
            seconds.append(all_trends_to_write(connection, run))
    connection.execute("drop table broken; drop function refuse_broken() cascade")
    for count in (1, 10):
        report.add(
            f"{number:,} organizations, default settings, {count} broken against none", taken[count], taken[0], "s"
        )


def many(airflow: Runner, connection: psycopg.Connection[Any], report: Report, *, quick: bool) -> None:
    """Measure whether the time of each organization stays the same with ten times as many, default settings."""
    few, most = (1_000, 10_000) if quick else (10_000, 100_000)
    each: dict[int, list[float]] = {}
    for number in (few, most):
        grow(connection, number)
        taken = [all_trends_to_write(connection, partial(airflow.run, DAG_ID, date=DAY)) for _ in range(2)]
        each[number] = [1000 * seconds / number for seconds in taken]
        report.add(f"{number:,} organizations, default settings", taken, unit="s")
    report.add(f"time of each organization, {most:,} against {few:,}", each[most], each[few])


def _loop(connection: psycopg.Connection[Any]) -> float:
    """Return the seconds that the five queries and an upsert take for one organization after the other."""
    upsert = read(HERE / "sql" / "upsert_one.sql")
    connection.prepare_threshold = 5
    before = time.perf_counter()
    for organization in ids(connection).values():
        parameters = {**PARAMETERS, "organization_id": organization}
        topics, tones, severities, channels, ((mean, total),) = (
            connection.execute(query, parameters).fetchall()  # type: ignore[call-overload]
            for query in FIVE
        )
        hotspots = [
            {"channelId": channel, "riskScore": rounded(100 * risky, count), "messageCount": count}
            for channel, count, risky in channels
            if 10 * risky > 3 * count
        ]
        values = {
            "topics": json.dumps(dict(topics)),
            "tones": json.dumps({tone: count for tone, count in tones if tone}),
            "severities": json.dumps(dict(severities)),
            "hotspots": json.dumps(sorted(hotspots, key=lambda hotspot: -hotspot["riskScore"])),
            "total": total,
            "mean": None if mean is None else int(Decimal(mean).quantize(Decimal(1), ROUND_HALF_UP)),
        }
        connection.execute(upsert, {**parameters, **values})  # type: ignore[call-overload]
    seconds = time.perf_counter() - before
    connection.prepare_threshold = None
    return seconds


def _dbt(connection: psycopg.Connection[Any]) -> float:
    """Return the seconds of ``dbt run``, the whole process."""
    info = connection.info
    environment = {
        **os.environ,
        "BENCH_HOST": info.host,
        "BENCH_PORT": str(info.port),
        "BENCH_USER": info.user,
        "BENCH_PASSWORD": info.password or "none",
        "BENCH_DATABASE": info.dbname,
    }
    folder = HERE / "dbt"
    written = ROOT / ".venv-bench" / "dbt"
    paths = {"--project-dir": folder, "--profiles-dir": folder, "--target-path": written, "--log-path": written}
    options = [str(word) for pair in paths.items() for word in pair]
    command = [str(ROOT / ".venv-bench" / "bin" / "dbt"), "run", *options, "--vars", json.dumps({"day": DAY})]
    before = time.perf_counter()
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(finished.stdout[-3000:] + finished.stderr[-3000:])
    return time.perf_counter() - before


def days(airflow: Runner, connection: psycopg.Connection[Any], report: Report, *, quick: bool) -> None:
    """Measure a backfill of many days, of 200 organizations that have messages on each of them."""
    number = 7 if quick else 90
    slugs = grow(connection, 200)
    fill(connection, dict.fromkeys(slugs, 20), days=number, last_day="2026-10-31")
    connection.execute("vacuum analyze")
    conf = {"organizations": slugs, "organizations_per_task": len(slugs)}
    last = "2026-10-31"
    first = "2026-10-25" if quick else "2026-08-03"
    arguments = ["--from-date", first, "--to-date", last, "--max-active-runs", "16", "--dag-run-conf", json.dumps(conf)]
    run_airflow(airflow.airflow.environment, "backfill", "create", "--dag-id", DAG_ID, *arguments)
    query = (
        "select extract(epoch from max(end_date) - min(start_date))::float from dag_run where run_type = 'backfill'"
        " having count(*) filter (where state = 'success') = %s"
    )
    with airflow.server.connect(airflow.metadata) as connection:

        def ended() -> Any:
            return connection.execute(query, [number]).fetchone()

        (seconds,) = airflow.airflow.wait_until(ended, seconds=1200, what="the backfill has ended")
    report.add(
        f"backfill of {number} days, {len(slugs)} organizations in one batch, 16 runs at a time", [seconds], unit="s"
    )
    report.add("the same, each organization-day", [1000 * seconds / number / len(slugs)])


def memory(airflow: Runner, connection: psycopg.Connection[Any], report: Report) -> None:
    """Measure the peak memory of a process that runs the DAG, for few rows and for a million."""
    # it would run the task instances of ``airflow dags test`` as well
    airflow.airflow.stop("scheduler")
    fill(connection, {"few": 100, "million": HUGE})
    connection.execute("analyze")
    peaks = {}
    for slug in ("few", "million"):
        conf = json.dumps({"date": DAY, "organizations": [slug]})
        environment = {**os.environ, **airflow.airflow.environment}
        with (airflow.airflow.logs / f"{slug}.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "dags", "test", DAG_ID, "-c", conf],
                env=environment,
                stdout=output,
                stderr=output,
            )
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"airflow dags test: see {output.name}")
        peaks[slug] = used.ru_maxrss / 1000
    report.add(f"peak memory of a process, {HUGE:,} rows against 100", [peaks["million"]], [peaks["few"]], "MB")
