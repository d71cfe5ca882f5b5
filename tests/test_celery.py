"""CeleryExecutor with real parts: Redis, the result backend in PostgreSQL, two workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from airflow_dag import DAG_ID
from conftest import running_airflow_on

from local.servers import redis

pytestmark = pytest.mark.slow

DAG_URL = f"/api/v2/dags/{DAG_ID}"
ORGANIZATIONS = 6
WORKERS = ("worker-1", "worker-2")
PROCESSES = 2
"""Task instances that one worker takes at a time."""


@pytest.fixture(scope="module")
def running(server, tmp_path_factory):
    """An Airflow with its two workers ready, and its database."""
    home = tmp_path_factory.mktemp("airflow")
    with (
        redis(home / "redis") as broker,
        running_airflow_on(
            server,
            home,
            AIRFLOW__CORE__EXECUTOR="CeleryExecutor",
            AIRFLOW__CELERY__BROKER_URL=broker,
            AIRFLOW__CORE__LAZY_LOAD_PLUGINS="False",
            # so that a lost task instance is noticed within the minute; Airflow's default is five
            AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT="30",
            AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL="5",
            AIRFLOW__COMMUNICATION_TRENDS__RETRY_DELAY="1",
            # the test holds a lock for as long as it needs
            AIRFLOW__COMMUNICATION_TRENDS__LOCK_TIMEOUT="600",
        ) as (airflow, database),
    ):
        airflow.start()
        for name in WORKERS:
            options = ["--celery-hostname", name, "--concurrency", str(PROCESSES), "--skip-serve-logs"]
            airflow.run(name, "celery", "worker", *options)
        airflow.wait_until(lambda: airflow.request("GET", DAG_URL).is_success, what="the DAG is parsed")
        airflow.wait_until(
            lambda: all(f"{name} ready." in (airflow.logs / f"{name}.log").read_text() for name in WORKERS),
            what="the workers are ready",
        )
        airflow.request("PATCH", DAG_URL, json={"is_paused": False}).raise_for_status()
        # unpaused, the DAG runs for the latest day that is due; there are no organizations yet
        airflow.wait_until(lambda: ended(airflow, f"{DAG_URL}/dagRuns"), what="the first run has ended")
        yield airflow, database


def ended(airflow, url):
    """Return the only run, or the one whose URL it is, once it has ended."""
    found = airflow.request("GET", url).json()
    runs = found.get("dag_runs", [found])
    return runs[0] if runs and runs[0]["state"] in {"success", "failed"} else None


def test_the_modules_are_imported_before_the_worker_forks(running):
    airflow, _ = running
    for name in WORKERS:
        worker = psutil.Process(airflow.processes[name].pid)
        forked = worker.children()
        assert len(forked) >= PROCESSES
        for process in [worker, *forked]:
            # the hook's driver, which nothing but the plugin imports there
            assert "psycopg_binary" in Path(f"/proc/{process.pid}/maps").read_text()


def test_a_run_completes_though_a_worker_is_killed_at_work(running, server):
    airflow, database = running
    for number in range(1, ORGANIZATIONS + 1):
        database.classify(f"org-{number}", topic="complaint", count=number)
    with server.connect(database.name) as connection, connection.transaction():
        connection.execute("lock table communication_trends in share mode")
        conf = {"date": "2026-11-01"}
        triggered = airflow.request("POST", f"{DAG_URL}/dagRuns", json={"logical_date": None, "conf": conf})
        run_url = f"{DAG_URL}/dagRuns/{triggered.raise_for_status().json()['dag_run_id']}"

        def instances():
            found = airflow.request("GET", f"{run_url}/taskInstances").json()["task_instances"]
            return {ti["map_index"]: ti for ti in found if ti["task_id"] == "aggregate_organization"}

        waiting = "select count(*) from pg_locks where not granted and relation = 'communication_trends'::regclass"
        airflow.wait_until(
            lambda: connection.execute(waiting).fetchone() == (PROCESSES * len(WORKERS),),
            what="each process of the workers is about to store a trend",
        )
        victim = airflow.processes.pop(WORKERS[0])
        its_pids = {process.pid for process in psutil.Process(victim.pid).children(recursive=True)}
        lost = [index for index, ti in instances().items() if ti["state"] == "running" and ti["pid"] in its_pids]
        assert len(lost) == PROCESSES
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
    run = airflow.wait_until(lambda: ended(airflow, run_url), what="the run has ended")
    assert run["state"] == "success"
    assert {ti["state"] for ti in instances().values()} == {"success"}
    assert all(instances()[index]["try_number"] > 1 for index in lost)
    stored = {slug: trend["topic_distribution"] for (slug, day), trend in database.trends().items()}
    assert stored == {f"org-{number}": {"complaint": number} for number in range(1, ORGANIZATIONS + 1)}
