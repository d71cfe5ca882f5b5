"""A run of 100,000 organizations, against one of 10,000: time, memory, what Airflow stores, and its UI during it."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil

from bench.browser import CHROMIUM, contexts
from bench.report import Report, say
from bench.runs import DAG_ID, DAY, Runner, all_trends_to_write, grow, runner
from bench.statement import open_database
from local.servers import Server

MEBIBYTE = 1024 * 1024


def measure(home: Path, server: Server, report: Report, *, quick: bool) -> None:
    """
    Measure whole runs with the default settings, 20 messages an organization.

    :param home: where Airflow writes.
    :param server: where the databases are.
    :param report: what takes the results.
    :param quick: a tenth of the organizations.
    """
    few, many = (1_000, 10_000) if quick else (10_000, 100_000)
    each: dict[int, list[float]] = {}
    with open_database(server, "many") as connection:
        grow(connection, 10)
        with runner(home / "many", server, "many") as airflow:
            for number in (few, many):
                grow(connection, number)
                with watched(airflow) as (memory, opened):
                    taken = [all_trends_to_write(connection, partial(airflow.run, DAG_ID, date=DAY)) for _ in range(2)]
                each[number] = [1000 * seconds / number for seconds in taken]
                report.add(f"{number:,} organizations, default settings", taken, unit="s")
                for kind, most in memory.items():
                    say(f"{number:,} organizations: a process of {kind} has {most / MEBIBYTE:.0f} MiB at most")
                if opened:
                    say(
                        f"{number:,} organizations: the grid is drawn after {statistics.median(opened):.1f} s"
                        f" while the run goes on, at most {max(opened):.1f} s"
                    )
                say(f"{number:,} organizations: {stored(airflow)}")
        report.add(f"time of each organization, {many:,} against {few:,}", each[many], each[few])
    server.drop_database("many")


@contextlib.contextmanager
def watched(airflow: Runner) -> Iterator[tuple[dict[str, int], list[float]]]:
    """
    Watch the memory of each process, and open the DAG's grid in a browser every few seconds.

    :param airflow: the running Airflow.
    :returns: bytes of resident memory at most, by kind of process; and the seconds until the grid is drawn.
    """
    memory: dict[str, int] = {}
    opened: list[float] = []
    over = threading.Event()

    def look_at_memory() -> None:
        pids = {name: process.pid for name, process in airflow.airflow.processes.items()}
        while not over.wait(0.5):
            for name, pid in pids.items():
                with contextlib.suppress(psutil.Error):
                    parent = psutil.Process(pid)
                    memory[name] = max(memory.get(name, 0), parent.memory_info().rss)
                    below = f"tasks, below the {name}"
                    for child in parent.children(recursive=True):
                        with contextlib.suppress(psutil.Error):
                            memory[below] = max(memory.get(below, 0), child.memory_info().rss)
            for process in psutil.process_iter(["name"]):
                if process.info["name"] == "postgres":
                    with contextlib.suppress(psutil.Error):
                        memory["PostgreSQL"] = max(memory.get("PostgreSQL", 0), process.memory_info().rss)

    def open_the_grid() -> None:
        if not CHROMIUM:
            return
        with contexts(airflow.airflow) as context:
            user = context()
            # one that takes long is measured, not given up
            user.set_default_timeout(300_000)
            while not over.wait(2):
                page = user.new_page()
                before = time.perf_counter()
                page.goto(f"{airflow.airflow.url}/dags/{DAG_ID}")
                page.get_by_text("aggregate_organization").first.wait_for()
                opened.append(time.perf_counter() - before)
                page.close()

    watching = [threading.Thread(target=look) for look in (look_at_memory, open_the_grid)]
    for thread in watching:
        thread.start()
    try:
        yield memory, opened
    finally:
        over.set()
        for thread in watching:
            thread.join()


def stored(airflow: Runner) -> str:
    """Return what the last run has left in Airflow's metadata database and in its logs, in words."""
    with airflow.server.connect(airflow.metadata) as connection:
        row = connection.execute(
            "select run_id, (select count(*) from task_instance where task_instance.run_id = dag_run.run_id),"
            " (select sum(octet_length(value::text)) from xcom where xcom.run_id = dag_run.run_id),"
            " (select max(octet_length(value::text)) from xcom where xcom.run_id = dag_run.run_id)"
            " from dag_run where dag_id = %s order by id desc limit 1",
            [DAG_ID],
        ).fetchone()
    assert row
    run_id, instances, xcoms, largest = row
    lines = [
        len(line)
        for path in (airflow.airflow.logs / f"dag_id={DAG_ID}" / f"run_id={run_id}").rglob("*.log")
        for line in path.read_bytes().splitlines()
    ]
    return (
        f"{instances:,} task instances; XComs {xcoms / 1024:,.0f} KiB, the largest {largest / 1024:,.0f} KiB;"
        f" {len(lines):,} lines of log, the longest {max(lines, default=0):,} bytes"
    )
