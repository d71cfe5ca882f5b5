"""
``airflow dags backfill`` of Airflow 2.11, with exactly the command of docs/backfill.md.

Next to a busy machine's other work, and when it fails, is interrupted or is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow_dag import DAG_ID, load_bag
from conftest import made_database
from psycopg.rows import dict_row

from communication_trends.compat import DAG
from communication_trends.core.period import KINDS
from local.airflow import Airflow, airflow_environment, run_airflow

if AIRFLOW_V_3_0_PLUS:
    pytest.skip("Airflow 2 only: make test-backfill", allow_module_level=True)

pytestmark = pytest.mark.slow
COMMAND = ["dags", "backfill", "-s", "2026-11-01", "-e", "2026-11-04", DAG_ID]
DAYS = [f"2026-11-0{day}" for day in range(1, 5)]
SLUGS = ["acme", "bolt", "idle"]
MAPPED = "aggregate_organization"
# None in CI, where other jobs run at the same time; 8, and more than one repeat, where the loop has been changed.
BUSY_LOOPS = int(os.environ.get("BUSY_LOOPS", "1"))
BACKFILLS = int(os.environ.get("BACKFILLS", "1"))
BACKFILLS_WITH_SCHEDULER = int(os.environ.get("BACKFILLS_WITH_SCHEDULER", "1"))
AT_ONCE = int(os.environ.get("BACKFILLS_AT_ONCE", "1"))
"""Backfills at the same time, each with databases of its own."""


@pytest.fixture(scope="module")
def metadata_template(server, tmp_path_factory):
    """A metadata database that knows the DAGs."""
    name = f"airflow_{uuid.uuid4().hex[:12]}"
    server.create_database(name, template=os.environ["EMPTY_METADATA_DATABASE"])
    home = tmp_path_factory.mktemp("template")
    run_airflow(airflow_environment(home, server, metadata=name, database="none"), "dags", "reserialize")
    yield name
    server.drop_database(name)


@contextlib.contextmanager
def running_airflow(server, metadata_template, home):
    metadata = f"airflow_{uuid.uuid4().hex[:12]}"
    server.create_database(metadata, template=metadata_template)
    with made_database(server) as database:
        airflow: Any = Airflow(airflow_environment(home, server, metadata=metadata, database=database.name))
        try:
            with server.connect(metadata, row_factory=dict_row) as airflow.metadata:
                airflow.database = database
                for slug in SLUGS:
                    database.classify(slug)
                yield airflow
        finally:
            airflow.stop()
            server.drop_database(metadata)


@pytest.fixture
def airflow(server, metadata_template, tmp_path):
    with running_airflow(server, metadata_template, tmp_path) as airflow:
        yield airflow


def test_each_dag_has_the_fixed_command():
    dags = load_bag().dags
    assert all(
        isinstance(dag, DAG) for dag_id, dag in dags.items() if dag_id in {kind.dag_id for kind in KINDS.values()}
    )


@contextlib.contextmanager
def busy_loops():
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY_LOOPS)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def backfill(airflow, *options):
    """Run the command of docs/backfill.md; return its exit code and what it printed."""
    began = time.monotonic()
    result = run_airflow(airflow.environment, *COMMAND, *options, check=False, timeout=900)
    print(f"ended with {result.returncode} after {time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.0f}")
    return result.returncode, result.stdout + result.stderr


def run_states(airflow):
    runs = airflow.metadata.execute("select execution_date, state from dag_run where run_type = 'backfill'").fetchall()
    return {str(run["execution_date"])[:10]: run["state"] for run in runs}


def instance_states(airflow):
    rows = airflow.metadata.execute(
        "select execution_date, task_id, map_index, task_instance.state from task_instance"
        " join dag_run using (dag_id, run_id) where run_type = 'backfill'"
    ).fetchall()
    return {(str(row["execution_date"])[:10], row["task_id"], row["map_index"]): row["state"] for row in rows}


def assert_complete(airflow, result):
    code, output = result
    assert code == 0, output[-6000:]
    assert run_states(airflow) == dict.fromkeys(DAYS, "success")
    tasks = [("list_organizations", -1), ("summarize", -1), *((MAPPED, i) for i in range(len(SLUGS)))]
    assert instance_states(airflow) == {(day, *task): "success" for day in DAYS for task in tasks}
    assert {key for key in airflow.database.trends() if key[1] in DAYS} == {(s, day) for s in SLUGS for day in DAYS}
    assert airflow.database.trend("acme")["topic_distribution"] == {"general": 1}


@pytest.mark.parametrize(
    ("count", "scheduler"),
    [
        pytest.param(BACKFILLS, False, id="busy_loops"),
        pytest.param(BACKFILLS_WITH_SCHEDULER, True, id="busy_loops_and_a_scheduler"),
    ],
)
def test_it_succeeds_each_time_on_a_busy_machine(server, metadata_template, tmp_path, count, scheduler):
    def one(number):
        with running_airflow(server, metadata_template, tmp_path / str(number)) as airflow:
            if scheduler:
                run_airflow(airflow.environment, "dags", "unpause", DAG_ID)
                airflow.start("scheduler")
            result = backfill(airflow)
            try:
                assert_complete(airflow, result)
            except AssertionError as error:
                return f"{error}\n{run_states(airflow)}\n{instance_states(airflow)}"

    with busy_loops(), ThreadPoolExecutor(AT_ONCE) as pool:
        failures = list(filter(None, pool.map(one, range(count))))
    assert not failures, f"{len(failures)} of {count} failed, the first: {failures[0]}"


def start_and_wait_for_a_lock(airflow, stack):
    """Start the backfill in a session of its own, as a terminal has one, and return when organizations wait."""
    stack.enter_context(airflow.database.connection.transaction())
    airflow.database.connection.execute("lock communication_trends in share mode")
    process = airflow.run("backfill", *COMMAND)

    def aggregating():
        return {
            day for (day, task, _), state in instance_states(airflow).items() if state == "running" and task == MAPPED
        }

    airflow.wait_until(aggregating, what="an organization is being aggregated")
    return process


def is_in_session(process, session):
    try:
        return os.getsid(process.pid) == session
    except ProcessLookupError:
        return False


def test_interrupted_it_leaves_nothing_unfinished_and_can_be_started_again(airflow):
    # a terminal signals each process of the group: Ctrl-C, and when it is lost; kill signals one
    ways = [(signal.SIGINT, os.killpg), (signal.SIGHUP, os.killpg), (signal.SIGTERM, os.kill)]
    for signum, send in ways:
        with contextlib.ExitStack() as stack:
            process = start_and_wait_for_a_lock(airflow, stack)
            send(process.pid, signum)
            assert process.wait(timeout=600) != 0
            log = (airflow.logs / "backfill.log").read_text(errors="replace")[-6000:]
            assert sorted(set(run_states(airflow).values())) in (["failed"], ["failed", "success"]), (signum, log)
            airflow.processes.clear()
            airflow.wait_until(
                lambda session=process.pid: not any(is_in_session(one, session) for one in psutil.process_iter()),
                what="nothing of the command runs any more",
            )
    assert_complete(airflow, backfill(airflow))


def test_killed_it_blocks_neither_the_same_nor_another_range(airflow):
    with contextlib.ExitStack() as stack:
        process = start_and_wait_for_a_lock(airflow, stack)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=60)
        assert run_states(airflow) == {"2026-11-01": "running"}
    airflow.processes.clear()
    # two minutes later
    airflow.metadata.execute("update job set latest_heartbeat = latest_heartbeat - interval '2 minutes'")
    other = ["dags", "backfill", "-s", "2026-11-09", "-e", "2026-11-09", DAG_ID]
    run_airflow(airflow.environment, *other, timeout=900)
    assert run_states(airflow) == {"2026-11-01": "failed", "2026-11-09": "success"}
    assert backfill(airflow)[0] == 0
    assert run_states(airflow) == dict.fromkeys([*DAYS, "2026-11-09"], "success")


def test_a_day_that_fails_fails_the_command_and_blocks_nothing(airflow):
    airflow.environment["AIRFLOW__COMMUNICATION_TRENDS__RETRIES"] = "0"
    airflow.database.connection.execute(
        "alter table communication_trends add constraint broken check (trend_date <> '2026-11-02')"
    )
    code, output = backfill(airflow, "--continue-on-failures")
    assert code != 0
    assert "No successful run of communication_trends_daily for 2026-11-02." in output
    assert run_states(airflow) == {**dict.fromkeys(DAYS, "success"), "2026-11-02": "failed"}

    # the first day that fails ends it; those that were reset and not reached block nothing either
    code, output = backfill(airflow, "--reset-dagruns", "-y")
    assert code != 0
    assert run_states(airflow)["2026-11-01"] == "success"
    assert set(run_states(airflow).values()) == {"success", "failed"}

    airflow.database.connection.execute("alter table communication_trends drop constraint broken")
    assert_complete(airflow, backfill(airflow, "--rerun-failed-tasks"))
