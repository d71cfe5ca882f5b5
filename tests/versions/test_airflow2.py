"""Airflow 2.11 with its own backfill command and its scheduler."""

from __future__ import annotations

import datetime
import json

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow_dag import DAG_ID
from conftest import running_airflow_on
from test_both_versions import DAYS, SLUGS, expected, insert, source_rows, stored

from demo.stack import run_airflow

if AIRFLOW_V_3_0_PLUS:
    pytest.skip("Airflow 2 only: make test-airflow2", allow_module_level=True)

BACKFILL = ["dags", "backfill", "-s", "2026-11-01", "-e", "2026-11-04"]


@pytest.fixture(scope="module")
def airflow(server, tmp_path_factory):
    with running_airflow_on(server, tmp_path_factory.mktemp("airflow")) as (airflow, database):
        airflow.database = database
        yield airflow


def runs(airflow, *arguments):
    listed = run_airflow(airflow.environment, "dags", "list-runs", "-d", DAG_ID, "-o", "json", *arguments)
    return {run["run_id"]: run for run in json.loads(listed.stdout[listed.stdout.index("[{") :])}


def backfill(airflow, *options):
    result = run_airflow(airflow.environment, *BACKFILL, *options, DAG_ID, check=False, timeout=400)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-3000:]


def test_a_backfill_makes_exactly_its_days_and_can_be_repeated(airflow):
    database = airflow.database
    messages, alerts = source_rows()
    insert(database, messages, alerts)
    days = DAYS[1:5]
    run_airflow(airflow.environment, "dags", "reserialize")
    backfill(airflow)
    trends = {(slug, str(day)): expected(slug, day, messages, alerts) for day in days for slug in SLUGS}
    assert stored(database) == trends
    made = runs(airflow)
    assert sorted(made) == [f"backfill__{day}T00:00:00+00:00" for day in days]
    assert {run["state"] for run in made.values()} == {"success"}

    # a customer more than the reset runs were expanded for, and a day that has grown
    database.classify("newcomer", at="2026-11-04 23:59:59.999999")
    backfill(airflow, "--reset-dagruns", "-y")
    again = runs(airflow)
    assert sorted(again) == sorted(made)
    assert {run["state"] for run in again.values()} == {"success"}
    assert len(stored(database)) == len(days) * 4
    assert {key: row for key, row in stored(database).items() if key[0] != "newcomer"} == trends
    assert database.trend("newcomer", "2026-11-04")["topic_distribution"] == {"general": 1}


def test_the_scheduler_runs_the_day_that_is_due_and_what_is_triggered(airflow):
    database = airflow.database
    airflow.start("scheduler")
    run_airflow(airflow.environment, "dags", "trigger", DAG_ID, "-c", '{"date": "2026-10-31"}', "-r", "by_hand")
    run_airflow(airflow.environment, "dags", "unpause", DAG_ID)

    def ended():
        found = [run for id_, run in runs(airflow).items() if id_ == "by_hand" or id_.startswith("scheduled__")]
        return len(found) == 2 and all(run["state"] in ("success", "failed") for run in found) and found

    found = airflow.wait_until(ended, seconds=240, what="both runs have ended")
    assert [run["state"] for run in found] == ["success", "success"]
    (scheduled,) = [id_ for id_ in runs(airflow) if id_.startswith("scheduled__")]
    day = scheduled.removeprefix("scheduled__")[:10]
    due = datetime.datetime.fromisoformat(f"{day}T03:00:00+00:00") + datetime.timedelta(days=1)
    assert datetime.timedelta(0) < datetime.datetime.now(datetime.timezone.utc) - due < datetime.timedelta(days=1)
    messages, alerts = source_rows()
    assert stored(database)["acme", "2026-10-31"] == expected("acme", DAYS[0], messages, alerts)
    assert database.trend("acme", day)["total_classifications"] == 0
