"""The history DAG, on an Airflow whose API it asks: what it keeps of the three DAGs, what it cannot remove."""

from __future__ import annotations

import datetime
import json
from typing import Any

import httpx
import psycopg
import pytest
from airflow.sdk import Connection
from communication_trends.sdk import AirflowFailException
from conftest import running_airflow_on
from receivers import webhook_server

from communication_trends.core.period import KINDS
from communication_trends.rest_api import address
from communication_trends.run_retention import RemoveOldRunsOperator
from local.airflow import run_airflow

DAILY, WEEKLY, MONTHLY = (f"communication_trends_{period}" for period in ("daily", "weekly", "monthly"))


@pytest.fixture(scope="module")
def airflow(server, tmp_path_factory):
    home = tmp_path_factory.mktemp("airflow")
    # as in a metadata database that is older than the rules for names
    anything = {"AIRFLOW__SCHEDULER__ALLOWED_RUN_ID_PATTERN": "^.+$", "AIRFLOW__CORE__ALLOW_DOUBLE_DOT_IN_IDS": "True"}
    with running_airflow_on(server, home, **anything) as (airflow, _):
        run_airflow(airflow.environment, "dags", "reserialize")
        airflow.start("api-server")
        yield airflow


@pytest.fixture
def history(airflow, run_dag, monkeypatch):
    """Run the history DAG, with settings."""
    user, password = airflow.login
    login = {"conn_type": "http", "host": "127.0.0.1", "port": airflow.port, "login": user, "password": password}
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_API", json.dumps(login))

    def run(**settings):
        for name, value in settings.items():
            monkeypatch.setenv(f"AIRFLOW__COMMUNICATION_TRENDS__{name}", str(value))
        return run_dag(dag_id="communication_trends_history")

    yield run
    with metadata(airflow) as connection:
        connection.execute("delete from dag_run")


def metadata(airflow) -> psycopg.Connection[Any]:
    uri = airflow.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    return psycopg.connect(uri, autocommit=True)


def make_runs(airflow, dag_id, run_ids, state="success", **changes):
    """Make runs that have ended, the first one last."""
    now = datetime.datetime.now(datetime.timezone.utc)
    with metadata(airflow) as connection:
        for age, run_id in enumerate(run_ids):
            body = {"logical_date": None, "dag_run_id": run_id}
            airflow.request("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body).raise_for_status()
            ended = {"state": state, "end_date": now - datetime.timedelta(hours=age), **changes}
            columns = ", ".join(f"{name} = %({name})s" for name in ended)
            connection.execute(
                f"update dag_run set {columns} where dag_id = %(dag_id)s and run_id = %(run_id)s",
                {**ended, "dag_id": dag_id, "run_id": run_id},
            )


def left(airflow, dag_id) -> set[str]:
    with metadata(airflow) as connection:
        return {row[0] for row in connection.execute("select run_id from dag_run where dag_id = %s", [dag_id])}


def test_the_latest_runs_of_either_state_stay_of_each_of_the_three_dags(airflow, history):
    for dag_id in (DAILY, WEEKLY, MONTHLY):
        make_runs(airflow, dag_id, [f"good {number}" for number in range(4)])
        make_runs(airflow, dag_id, [f"bad {number}" for number in range(3)], state="failed")
    run = history(KEEP_COMPLETED_RUNS=2, KEEP_FAILED_RUNS=1)
    assert run.state == "success", run.log
    assert len(run.tasks) == 3
    for dag_id in (DAILY, WEEKLY, MONTHLY):
        assert left(airflow, dag_id) == {"good 0", "good 1", "bad 0"}
    assert history(KEEP_COMPLETED_RUNS=1, KEEP_FAILED_RUNS=0).state == "success"
    assert left(airflow, WEEKLY) == {"good 0", "bad 0"}


def test_runs_are_removed_whatever_they_are_called(airflow, history):
    names = [".", "..", "...", "%2E", "a?b#c", "50 %", "ä+ö", "manual__2026-11-01T00:00:00+00:00"]
    for dag_id in (DAILY, WEEKLY):
        make_runs(airflow, dag_id, ["latest", *names])
    run = history(KEEP_COMPLETED_RUNS=1)
    assert run.state == "success", run.log
    assert left(airflow, DAILY) == left(airflow, WEEKLY) == {"latest"}
    # a path that collapses is the DAG's own
    assert airflow.request("GET", f"/api/v2/dags/{WEEKLY}").json()["dag_id"] == WEEKLY


def test_what_has_no_url_is_named_and_what_its_url_means_is_left_alone(airflow, history):
    with_a_slash = ["a/b", "latest/taskInstances/summarize", "/"]
    make_runs(airflow, WEEKLY, ["latest", "old", *with_a_slash, "older"])
    for dag_id in (DAILY, MONTHLY):
        make_runs(airflow, dag_id, ["latest", "old"])
    run = history(KEEP_COMPLETED_RUNS=1)
    assert run.tasks == {
        ("remove_old_daily_runs", -1): "success",
        ("remove_old_weekly_runs", -1): "failed",
        ("remove_old_monthly_runs", -1): "success",
    }
    assert left(airflow, WEEKLY) == {"latest", *with_a_slash}
    assert left(airflow, DAILY) == left(airflow, MONTHLY) == {"latest"}
    assert f"3 runs of {WEEKLY} could not be removed" in run.log
    assert "2 others were" in run.log
    for name in with_a_slash:
        assert f"'{name}' (its id cannot be a part of a URL there)" in run.log
    with metadata(airflow) as connection:
        instances = connection.execute(
            "select count(*) from task_instance where dag_id = %s and run_id = 'latest' and task_id = 'summarize'",
            [WEEKLY],
        ).fetchone()
    assert instances == (1,)


def test_a_run_that_airflow_fails_to_delete_does_not_keep_the_others(airflow, history):
    make_runs(airflow, MONTHLY, ["latest", "old", "stuck", "older"])
    with metadata(airflow) as connection:
        connection.execute(
            "create function refuse() returns trigger language plpgsql as"
            " $$ begin raise 'not this one'; end $$;"
            "create trigger refuse before delete on dag_run for each row when (old.run_id = 'stuck')"
            " execute function refuse()"
        )
        try:
            run = history(KEEP_COMPLETED_RUNS=1)
        finally:
            connection.execute("drop trigger refuse on dag_run; drop function refuse")
    assert run.state == "failed"
    assert left(airflow, MONTHLY) == {"latest", "stuck"}
    assert f"1 run of {MONTHLY} could not be removed: 'stuck' (500" in run.log


@pytest.mark.parametrize("period", KINDS)
@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_the_run_without_which_airflow_would_make_its_period_again_stays(airflow, history, period, run_type):
    kind = KINDS[period]
    now = datetime.datetime.now(datetime.timezone.utc)
    due = kind.last_due(now)
    make_runs(airflow, kind.dag_id, ["by hand"])
    for age, one in enumerate([due, *due.earlier(5)], start=1):
        ended = now - age * datetime.timedelta(days=1)
        logical_date = one.start.replace(tzinfo=datetime.timezone.utc)
        make_runs(airflow, kind.dag_id, [str(one)], run_type=run_type, logical_date=logical_date, end_date=ended)
    run = history(KEEP_COMPLETED_RUNS=1)
    assert run.state == "success", run.log
    assert left(airflow, kind.dag_id) == {"by hand", str(due), str(due.previous())}


def test_a_wrong_password_is_said_and_not_tried_again(airflow, history, monkeypatch):
    connection = {"conn_type": "http", "host": "127.0.0.1", "port": airflow.port, "login": "admin", "password": "no"}
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_API", json.dumps(connection))
    run = history()
    assert run.state == "failed"
    assert "Airflow's API answered 401. Give a user who may delete runs of communication_trends_weekly" in run.log


@pytest.mark.parametrize(
    ("changes", "setting", "said"),
    [
        # a page, not Airflow's API: its own start page under a wrong path, or a proxy's login
        ({}, {}, "connection 'communication_trends_api': Airflow's API is not at its address (JSONDecodeError("),
        (
            {"host": "127.0.0.1:1"},
            {},
            "connection 'communication_trends_api': Airflow's API is not at its address (Inv",
        ),
        (
            {"extra": '{"path": 5}'},
            {},
            "connection 'communication_trends_api': Airflow's API is not at its address (At",
        ),
        (
            None,
            {},
            "connection 'communication_trends_api' is not defined. Add it, with the login of a user who may del",
        ),
        # before anything is asked for, or removed
        ({}, {"KEEP_FAILED_RUNS": "-1"}, "[communication_trends] keep_failed_runs: '-1' is not a whole number from 0 "),
    ],
)
def test_an_address_or_a_setting_that_cannot_be_used_is_named_and_not_tried_again(monkeypatch, changes, setting, said):
    with webhook_server() as server:
        connection = {
            "conn_type": "http",
            "host": "127.0.0.1",
            "port": server.server_port,
            "login": "a",
            "password": "b",
        }
        if changes is not None:
            monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_API", json.dumps(connection | changes))
        for name, value in setting.items():
            monkeypatch.setenv(f"AIRFLOW__COMMUNICATION_TRENDS__{name}", value)
        with pytest.raises(AirflowFailException) as raised:
            RemoveOldRunsOperator(task_id="remove", period="daily").execute({})
        assert str(raised.value).startswith(said)
        assert len(server.posted) == ("JSONDecodeError" in said)


@pytest.mark.parametrize(
    ("base_url", "extra", "path"),
    [
        (None, {}, ""),
        ("http://airflow.example.org:8080", {}, ""),
        ("https://example.org/team/airflow/", {}, "/team/airflow"),
        ("https://example.org/airflow", {"path": "/inside/"}, "/inside"),
        # a proxy takes it away
        ("https://example.org/airflow", {"path": ""}, ""),
    ],
)
def test_the_api_is_asked_under_the_path_of_base_url(monkeypatch, base_url, extra, path):
    if base_url:
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    connection = Connection(
        conn_id="api", conn_type="http", host="api", port=8080, schema="https", extra=json.dumps(extra)
    )
    assert address(connection) == f"https://api:8080{path}"
    with httpx.Client(base_url=address(connection)) as client:
        assert client.build_request("POST", "/auth/token").url == f"https://api:8080{path}/auth/token"
