"""The package in a DAG bundle: the DAG file and sql/ come from it, the plugin from the plugins folder as ever."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from conftest import running_airflow_on

from communication_trends import settings
from local import ROOT
from local.airflow import run_airflow

DAG_ID = "communication_trends_daily"
DAG_FILE = "communication_trends_periods.py"
GIT = "airflow.providers.git.bundles.git.GitDagBundle"
LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"


@pytest.fixture
def airflow_with_bundle(server, tmp_path):
    """Start an Airflow whose plugins folder has another sql/ next to it, one that no database takes."""
    shutil.copytree(ROOT / "plugins", tmp_path / "plugins")
    for name in ("aggregate_trends.sql", "check_tables.sql", "organizations.sql"):
        (tmp_path / "sql").mkdir(exist_ok=True)
        (tmp_path / "sql" / name).write_text("not this one")
    with running_airflow_on(
        server,
        tmp_path,
        AIRFLOW__CORE__DAGS_FOLDER=str(tmp_path / "dags"),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(tmp_path / "plugins"),
        AIRFLOW__COMMUNICATION_TRENDS__RETRIES="0",
        # seconds until a new commit's file is parsed
        AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL="5",
        # by default one folder for all Airflows of a machine
        AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH=str(tmp_path / "bundles"),
    ) as (airflow, database):

        def configure(classpath, **kwargs):
            bundles = [{"name": "trends", "classpath": classpath, "kwargs": kwargs}]
            airflow.environment["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(bundles)
            return airflow, database

        yield configure


def git(folder, *arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_run_takes_the_sql_of_its_own_commit_from_a_git_bundle(airflow_with_bundle, tmp_path):
    work, origin = tmp_path / "work", tmp_path / "origin.git"
    for folder in ("dags", "sql"):
        shutil.copytree(ROOT / folder, work / folder, ignore=shutil.ignore_patterns("__pycache__"))
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch", "main", str(origin))
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", str(work))
    for command in (["add", "."], ["commit", "-m", "one"], ["push", str(origin), "main"]):
        git(work, *command)
    airflow, database = airflow_with_bundle(
        GIT, tracking_ref="main", subdir="dags", repo_url=str(origin), refresh_interval=5
    )
    database.classify("acme", topic="from a bundle", count=3)
    airflow.start()
    dag = f"/api/v2/dags/{DAG_ID}"
    airflow.unpause(DAG_ID)
    found = airflow.request("GET", dag).json()
    assert found["bundle_name"] == "trends"

    body = {"logical_date": None, "dag_run_id": "first", "conf": {"date": "2026-11-01"}}
    airflow.request("POST", f"{dag}/dagRuns", json=body).raise_for_status()
    assert airflow.finished(DAG_ID, "first")["state"] == "success"
    assert database.trend("acme")["topic_distribution"] == {"from a bundle": 3}
    summary = airflow.returned(DAG_ID, "first", "summarize")
    # known, since its statement is in the bundle as well
    assert summary["attention"] == {"organizationsCompared": 0, "totalEntries": 0, "findings": [], "together": []}

    # another commit, with an aggregation of its own
    statement = work / "sql" / "aggregate_trends.sql"
    text = statement.read_text()
    assert text.count("json_object_agg(topic, total)") == 1
    statement.write_text(text.replace("json_object_agg(topic, total)", "json_object_agg(upper(topic), total)"))
    git(work, "commit", "--all", "-m", "two")
    git(work, "push", str(origin), "main")
    version = found["bundle_version"]
    airflow.wait_until(lambda: airflow.request("GET", dag).json()["bundle_version"] != version, what="it is fetched")
    airflow.request("POST", f"{dag}/dagRuns", json={**body, "dag_run_id": "second"}).raise_for_status()
    assert airflow.finished(DAG_ID, "second")["state"] == "success"
    assert database.trend("acme")["topic_distribution"] == {"FROM A BUNDLE": 3}


def test_sql_is_found_next_to_the_dag_file_of_a_local_bundle(airflow_with_bundle, tmp_path):
    """The other place, next to the folder of the DAG file, is where the git bundle above has it."""
    bundle = tmp_path / "bundle"
    shutil.copytree(ROOT / "sql", bundle / "sql")
    shutil.copy(ROOT / "dags" / DAG_FILE, bundle)
    airflow, database = airflow_with_bundle(LOCAL, path=str(bundle))
    database.classify("acme", topic="from a bundle", count=3)
    run = run_airflow(airflow.environment, "dags", "test", DAG_ID, "-c", '{"date": "2026-11-01"}', check=False)
    assert database.trends().keys() == {("acme", "2026-11-01")}, run.stdout[-3000:] + run.stderr[-3000:]
    assert database.trend("acme")["topic_distribution"] == {"from a bundle": 3}
    assert "What is unusual" not in run.stdout + run.stderr


def test_sql_path_moves_the_templates_of_a_bundle_as_well(tmp_path, monkeypatch):
    for folder in ("bundle/sql", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "aggregate_trends.sql").write_text("select 1")
        shutil.copy(ROOT / "sql" / "VERSION", tmp_path / folder)
    dag_file = str(tmp_path / "bundle" / "dags" / DAG_FILE)
    assert settings.sql_path(dag_file) == tmp_path / "bundle" / "sql"
    # for what has no DAG file, such as the page
    assert settings.sql_path() == ROOT / "sql"
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH", str(tmp_path / "elsewhere"))
    assert settings.sql_path(dag_file) == tmp_path / "elsewhere"
