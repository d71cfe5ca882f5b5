"""Airflow 2.11 with its own backfill command and its scheduler."""

from __future__ import annotations

import datetime
import json

import httpx
import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow_dag import DAG_ID
from conftest import running_airflow_on

from local.airflow import run_airflow
from versions.operating import metadata, start_webserver
from versions.rows import DAYS, SLUGS, expected, insert, source_rows, stored

if AIRFLOW_V_3_0_PLUS:
    pytest.skip("Airflow 2 only: make test-airflow VERSION=2.11.2", allow_module_level=True)

WEEKLY, MONTHLY = "communication_trends_weekly", "communication_trends_monthly"
EDGES = [
    *("2025-10-12 23:59:59.999999", "2025-12-29 00:00", "2026-01-04 23:59:59.999999", "2026-01-05 00:00"),
    *("2024-02-01 00:00", "2024-02-29 23:59:59.999999", "2024-03-01 00:00"),
]
"""Moments at which weeks and months begin and end."""
BACKFILL = ["dags", "backfill", "-s", "2026-11-01", "-e", "2026-11-04"]


@pytest.fixture(scope="module")
def airflow(server, tmp_path_factory):
    settings = {
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
        "AIRFLOW__COMMUNICATION_TRENDS__KEEP_COMPLETED_RUNS": "3",
        "AIRFLOW__COMMUNICATION_TRENDS__KEEP_FAILED_RUNS": "0",
    }
    with running_airflow_on(server, tmp_path_factory.mktemp("airflow"), **settings) as (airflow, database):
        airflow.database = database
        user, password = airflow.login
        airflow.environment["AIRFLOW_CONN_COMMUNICATION_TRENDS_API"] = json.dumps(
            {"conn_type": "http", "host": "127.0.0.1", "port": airflow.port, "login": user, "password": password}
        )
        yield airflow


def runs(airflow, dag_id=DAG_ID):
    found = metadata(airflow, "select run_id, state, end_date from dag_run where dag_id = %s", dag_id)
    return {run["run_id"]: run for run in found}


def backfill(airflow, *options):
    run_airflow(airflow.environment, *BACKFILL, *options, DAG_ID, timeout=900)


def test_a_backfill_makes_exactly_its_days_and_can_be_repeated(airflow):
    database = airflow.database
    messages, alerts = source_rows()
    insert(database, messages, alerts)
    for edge in EDGES:
        database.classify("acme", at=edge)
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
    # called so that its URL collapses: the history DAG has to remove it later
    run_airflow(airflow.environment, "dags", "trigger", DAG_ID, "-c", '{"date": "2026-10-31"}', "-r", ".")
    run_airflow(airflow.environment, "dags", "unpause", DAG_ID)

    def ended():
        found = [run for id_, run in runs(airflow).items() if id_ == "." or id_.startswith("scheduled__")]
        return len(found) == 2 and all(run["state"] in ("success", "failed") for run in found) and found

    found = airflow.wait_until(ended, what="both runs have ended")
    assert [run["state"] for run in found] == ["success", "success"]
    (scheduled,) = [id_ for id_ in runs(airflow) if id_.startswith("scheduled__")]
    day = scheduled.removeprefix("scheduled__")[:10]
    due = datetime.datetime.fromisoformat(f"{day}T03:00:00+00:00") + datetime.timedelta(days=1)
    assert datetime.timedelta(0) < datetime.datetime.now(datetime.timezone.utc) - due < datetime.timedelta(days=1)
    messages, alerts = source_rows()
    assert stored(database)["acme", "2026-10-31"] == expected("acme", DAYS[0], messages, alerts)
    assert database.trend("acme", day)["total_classifications"] == 0


@pytest.mark.parametrize(
    ("dag_id", "timezone", "first", "last", "made"),
    [
        # weeks whose Monday is in the range, months whose 1st is, both ends included
        (WEEKLY, "UTC", "2025-10-01", "2025-10-31", ["2025-10-06", "2025-10-13", "2025-10-20", "2025-10-27"]),
        # ISO week 1 of 2026 begins in 2025; ends west and east of UTC
        (WEEKLY, "America/New_York", "2025-12-29", "2026-01-04", ["2025-12-29"]),
        (MONTHLY, "Pacific/Auckland", "2024-02-01", "2024-03-01", ["2024-02-01", "2024-03-01"]),
    ],
)
def test_a_backfill_makes_the_weeks_and_months_that_begin_in_the_range(airflow, dag_id, timezone, first, last, made):
    database = airflow.database
    airflow.stop("scheduler")
    environment = {**airflow.environment, "AIRFLOW__CORE__DEFAULT_TIMEZONE": timezone}
    database.connection.execute("delete from communication_trends where trend_period <> 'daily'")
    run_airflow(environment, "dags", "backfill", "-s", first, "-e", last, dag_id, timeout=900)
    stored = database.trends(dag_id.removeprefix("communication_trends_"))
    assert sorted({date for _, date in stored}) == made
    assert set(runs(airflow, dag_id)) >= {f"backfill__{date}T00:00:00+00:00" for date in made}
    # of each the first and the last moment, not the one after
    expected = {"2025-10-06": 1, "2025-12-29": 2, "2024-02-01": 2, "2024-03-01": 1}
    assert {date: stored["acme", date]["total_classifications"] for date in made} == {
        date: expected.get(date, 0) for date in made
    }


@pytest.mark.parametrize(("timezone", "first", "last"), [("Pacific/Auckland", 5, 6), ("America/New_York", 8, 9)])
def test_a_backfill_makes_utc_days_under_another_default_timezone(airflow, timezone, first, last):
    airflow.stop("scheduler")
    before = set(runs(airflow))
    airflow.environment["AIRFLOW__CORE__DEFAULT_TIMEZONE"] = timezone
    try:
        dates = ["-s", f"2026-11-{first:02}", "-e", f"2026-11-{last:02}"]
        run_airflow(airflow.environment, "dags", "backfill", *dates, DAG_ID, timeout=900)
    finally:
        del airflow.environment["AIRFLOW__CORE__DEFAULT_TIMEZONE"]
    assert sorted(set(runs(airflow)) - before) == [
        f"backfill__2026-11-{day:02}T00:00:00+00:00" for day in (first, last)
    ]
    assert {date for slug, date in stored(airflow.database) if slug == "newcomer"} >= {
        f"2026-11-{first:02}",
        f"2026-11-{last:02}",
    }


def test_over_rest_a_run_is_made_and_the_history_dag_keeps_the_latest(airflow):
    start_webserver(airflow)
    airflow.start("scheduler")
    api = httpx.Client(base_url=f"{airflow.url}/api/v1", auth=airflow.login, timeout=60)

    def answers():
        try:
            return api.get("/health").is_success
        except httpx.HTTPError:
            return False

    airflow.wait_until(answers, what="the webserver answers")
    made = api.post(f"/dags/{DAG_ID}/dagRuns", json={"conf": {"date": "2026-10-30"}}).raise_for_status().json()
    for _ in range(2):
        api.post(f"/dags/{DAG_ID}/dagRuns", json={"conf": {"organizations": ["nobody"]}}).raise_for_status()

    def ended():
        found = runs(airflow).values()
        return all(run["state"] in ("success", "failed") for run in found) and list(found)

    found = airflow.wait_until(ended, what="all runs have ended")
    assert airflow.database.trend("acme", "2026-10-30")["trend_date"].isoformat() == "2026-10-30T00:00:00"
    succeeded = sorted((run["end_date"], run["run_id"]) for run in found if run["state"] == "success")
    failed = {run["run_id"] for run in found if run["state"] == "failed"}
    assert made["dag_run_id"] in {run_id for _, run_id in succeeded}
    assert len(succeeded) > 3
    assert len(failed) == 2

    history = "/dags/communication_trends_history"
    assert api.get(history).json()["is_paused"]
    api.patch(history, json={"is_paused": False}).raise_for_status()

    def cleaned():
        states = [run["state"] for run in api.get(f"{history}/dagRuns").json()["dag_runs"]]
        return states if states and set(states) <= {"success", "failed"} else None

    assert airflow.wait_until(cleaned, what="the history DAG has run") == ["success"]
    # 3 that succeeded, and the latest scheduled one, without which Airflow would make it again; 0 keeps all that failed
    (scheduled,) = [run_id for _, run_id in succeeded if run_id.startswith("scheduled__")]
    left = {run_id for _, run_id in succeeded[-3:]} | failed | {scheduled}
    assert set(runs(airflow)) == left
    instances = api.get(f"/dags/{DAG_ID}/dagRuns/~/taskInstances", params={"limit": 1000}).json()["task_instances"]
    assert {instance["dag_run_id"] for instance in instances} == left
