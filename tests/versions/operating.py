"""What the tests ask of a running Airflow of any version, and of its database."""

from __future__ import annotations

import json

import psycopg
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow_dag import DAG_ID
from psycopg.rows import dict_row

from local.airflow import run_airflow


def start_webserver(airflow):
    """Start the webserver of Airflow 2, with the REST API, for the user of `airflow.login`."""
    user, password = airflow.login
    # = since a random password may begin with -
    account = ["--username", user, f"--password={password}", "--role", "Admin", "--email", "admin@example.com"]
    run_airflow(airflow.environment, "users", "create", *account, "--firstname", "A", "--lastname", "B")
    airflow.run("webserver", "webserver", "--hostname", "127.0.0.1", "--port", str(airflow.port), "--workers", "1")


def metadata(airflow, statement, *values):
    uri = airflow.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    with psycopg.connect(uri, row_factory=dict_row) as connection:
        return connection.execute(statement, values).fetchall()


def pause(airflow, dag_id, is_paused):
    """Pause or unpause a DAG: over REST where there is a server, which takes a tenth of what a command does."""
    if AIRFLOW_V_3_0_PLUS:
        airflow.request("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": is_paused}).raise_for_status()
    else:
        run_airflow(airflow.environment, "dags", "pause" if is_paused else "unpause", dag_id)


def trigger(airflow, run_id, conf, dag_id=DAG_ID):
    """Make a manual run, in the same way."""
    if AIRFLOW_V_3_0_PLUS:
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        airflow.request("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body).raise_for_status()
    else:
        run_airflow(airflow.environment, "dags", "trigger", dag_id, "-r", run_id, "-c", json.dumps(conf))


def as_dict(value):
    """Return a dict that Airflow has stored, as JSON or as JSON in a text."""
    while not isinstance(value, dict):
        value = json.loads(value)
    return value


def run_states(airflow, dag_id):
    rows = metadata(airflow, "select run_id, state from dag_run where dag_id = %s", dag_id)
    return {row["run_id"]: row["state"] for row in rows}
