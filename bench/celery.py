"""
Time per organization: CeleryExecutor with two workers, and LocalExecutor, on the same machine and databases.

Usage: ``python -m bench.celery [ORGANIZATIONS]``; needs redis-server. Each configuration runs the DAG twice and counts
the second run, from the start of the first task instance of ``aggregate_organization`` to the end of the last.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from local.airflow import Airflow, airflow_environment, run_airflow
from local.servers import Server, apply_schema, postgres, redis

DAG_ID = "communication_trends_daily"
DAG_URL = f"/api/v2/dags/{DAG_ID}"
PROCESSES = 16
"""Task instances at the same time, in each configuration."""

PRELOADED = {"AIRFLOW__CORE__LAZY_LOAD_PLUGINS": "False"}
DEFAULT_WAIT, SHORT_WAIT = ({"AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": seconds} for seconds in ("5", "1"))
CONFIGURATIONS: dict[str, tuple[str, dict[str, str]]] = {
    "LocalExecutor": ("LocalExecutor", DEFAULT_WAIT),
    "LocalExecutor, min_heartbeat_interval = 1": ("LocalExecutor", SHORT_WAIT),
    "CeleryExecutor": ("CeleryExecutor", DEFAULT_WAIT),
    "CeleryExecutor, min_heartbeat_interval = 1": ("CeleryExecutor", SHORT_WAIT),
    "CeleryExecutor, min_heartbeat_interval = 1, lazy_load_plugins = False": (
        "CeleryExecutor",
        {**SHORT_WAIT, **PRELOADED},
    ),
}

MEASURED = """
select
    count(*),
    extract(epoch from max(end_date) - min(start_date))::float,
    percentile_cont(0.5) within group (order by duration)
from task_instance
where run_id = %s and task_id = 'aggregate_organization' and state = 'success'
"""


def measure(server: Server, home: Path, broker: str, executor: str, settings: dict[str, str]) -> tuple[float, float]:
    """
    Run the DAG twice in one configuration.

    :param server: with the databases ``empty`` and ``application``.
    :param home: where this Airflow writes.
    :param broker: URL of Redis.
    :param executor: Airflow's name of it.
    :param settings: environment variables of the configuration.
    :returns: seconds per organization, and the median of Airflow's own duration of a task instance, in seconds.
    """
    metadata = home.name
    server.create_database(metadata, template="empty")
    environment = {
        **airflow_environment(home, server, metadata=metadata, database="application"),
        "AIRFLOW__CORE__EXECUTOR": executor,
        "AIRFLOW__CORE__PARALLELISM": str(PROCESSES),
        "AIRFLOW__CELERY__BROKER_URL": broker,
        **settings,
    }
    airflow = Airflow(environment)
    try:
        airflow.start()
        for worker in ("worker-1", "worker-2") if executor == "CeleryExecutor" else ():
            options = ["--celery-hostname", worker, "--concurrency", str(PROCESSES // 2), "--skip-serve-logs"]
            airflow.run(worker, "celery", "worker", *options)
        airflow.unpause(DAG_ID)

        def ended(count: int) -> bool:
            runs = airflow.request("GET", f"{DAG_URL}/dagRuns").json()["dag_runs"]
            return len(runs) == count and all(run["state"] == "success" for run in runs)

        airflow.wait_until(lambda: ended(1), seconds=900, what="the first run has ended")
        triggered = airflow.request("POST", f"{DAG_URL}/dagRuns", json={"logical_date": None}).raise_for_status()
        airflow.wait_until(lambda: ended(2), seconds=900, what="the second run has ended")
        with server.connect(metadata) as connection:
            row = connection.execute(MEASURED, [triggered.json()["dag_run_id"]]).fetchone()
        assert row
        return row[1] / row[0], row[2]
    finally:
        airflow.stop()


def main(organizations: int) -> None:
    """
    Measure each configuration and print a table.

    :param organizations: how many, without any messages.
    """
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="communication-trends-")))
        server = stack.enter_context(postgres(home))
        broker = stack.enter_context(redis(home / "redis"))
        for database in ("empty", "application"):
            server.create_database(database)
        run_airflow(
            airflow_environment(home / "empty", server, metadata="empty", database="application"), "db", "migrate"
        )
        with server.connect("application") as connection:
            apply_schema(connection, "source_tables.sql", "communication_trends.sql")
            rows = (
                "insert into organizations (name, slug) select 'org-' || n, 'org-' || n from generate_series(1, %s) n"
            )
            connection.execute(rows, [organizations])
        print(f"| {organizations} organizations | ms per organization | median duration of a task instance, ms |")
        print("| --- | --- | --- |")
        for number, (name, (executor, settings)) in enumerate(CONFIGURATIONS.items()):
            each, median = measure(server, home / f"airflow_{number}", broker, executor, settings)
            print(f"| {name} | {each * 1000:.0f} | {median * 1000:.0f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
