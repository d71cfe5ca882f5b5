"""
The wheel alone, with an empty plugins folder, on each version of Airflow: `make test-wheel VERSION=…`.

The tests are in order: each goes on from where the one before has left Airflow. The last ones take the package out.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow_dag import DAG_ID
from conftest import running_airflow_on
from psycopg.types.json import Json
from versions.operating import metadata, pause, run_states, trigger
from versions.rows import DAYS, SLUGS, expected, insert, source_rows, stored

from communication_trends import __version__
from communication_trends.compat import HAS_EXTERNAL_VIEWS
from communication_trends.core.period import KINDS
from local import ROOT
from local.airflow import run_airflow

try:
    importlib.metadata.distribution("communication-trends")
except importlib.metadata.PackageNotFoundError:
    pytest.skip("the wheel is not installed: make test-wheel", allow_module_level=True)

DAG_IDS = sorted(kind.dag_id for kind in KINDS.values())
OTHER_DAG = (
    "from airflow.providers.common.compat.sdk import DAG, task\n"
    "with DAG(dag_id='other', schedule=None):\n"
    "    task(task_id='only')(lambda: None)()\n"
)


def documented(page: str, beginning: str) -> str:
    """Return the indented block of a page that begins with these words."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.search(rf"^( {{4,}}){re.escape(beginning)}.*\n(?:(?:\1.*)?\n)*", text, re.MULTILINE)
    assert found, f"docs/{page} has no block that begins with {beginning!r}"
    return textwrap.dedent(found[0])


@pytest.fixture(scope="module")
def installed(server, tmp_path_factory):
    """An Airflow with the wheel, an empty plugins folder and the DAG file of docs/installing.md; not yet started."""
    home = tmp_path_factory.mktemp("wheel")
    for folder in ("dags", "plugins"):
        (home / folder).mkdir()
    (home / "dags" / "communication_trends_dags.py").write_text(documented("installing.md", "# a DAG file for Airflow"))
    (home / "dags" / "other.py").write_text(OTHER_DAG)
    with running_airflow_on(
        server,
        home,
        AIRFLOW__CORE__DAGS_FOLDER=str(home / "dags"),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(home / "plugins"),
        AIRFLOW__COMMUNICATION_TRENDS__RETRIES="0",
        AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL="2",
        AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL="3",
        AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL="3",
    ) as (airflow, database):
        insert(database, *source_rows())
        yield airflow, database


def python(airflow, code):
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **airflow.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.splitlines()[-1]


def listed(airflow):
    # Airflow 3.0 logs to the same stream, before it
    run = run_airflow(airflow.environment, "plugins", "-o", "json")
    return [plugin for plugin in json.loads(run.stdout.splitlines()[-1]) if plugin["name"] == "communication_trends"]


def test_airflow_lists_the_plugin_the_provider_and_the_settings(installed):
    airflow, _ = installed
    (plugin,) = listed(airflow)
    assert f"communication-trends=={__version__}" in plugin["source"]
    assert "UtcDayTimetable" in json.dumps(plugin)
    providers = json.loads(run_airflow(airflow.environment, "providers", "list", "-o", "json").stdout.splitlines()[-1])
    (ours,) = (provider for provider in providers if provider["package_name"] == "communication-trends")
    assert ours["version"] == __version__
    section = ["--section", "communication_trends", "--include-descriptions"]
    options = run_airflow(airflow.environment, "config", "list", *section).stdout
    assert re.search(r"^(# )?hotspot_min_messages = ", options, re.MULTILINE)
    assert "# Minimum messages for a channel to be a hotspot. Default: 10." in options
    assert "AIRFLOW_CONN_COMMUNICATION_TRENDS_DB" in options
    paths = python(
        airflow,
        "import json, communication_trends as c, communication_trends.settings as s;"
        "print(json.dumps([c.__file__, str(s.sql_path()), s.notifier('digest_notifier')]))",
    )
    package, sql, notifier = json.loads(paths)
    assert package.startswith(sys.prefix)
    assert sql == package.replace("__init__.py", "sql")
    assert notifier is None


def test_three_dags_have_a_next_run_and_a_whole_run_succeeds(installed):
    airflow, database = installed
    if AIRFLOW_V_3_0_PLUS:
        airflow.start("api-server", "dag-processor", "scheduler")
    else:
        airflow.start("scheduler")
    ready = "select dag_id from dag where dag_id = any(%s) and next_dagrun_create_after is not null"
    airflow.wait_until(lambda: len(metadata(airflow, ready, DAG_IDS)) == 3, what="three DAGs have a next run")
    assert not metadata(airflow, "select * from import_error")
    trigger(airflow, "first", {"date": str(DAYS[0])})
    # the scheduled run as well
    pause(airflow, DAG_ID, False)
    finished(airflow, 2)
    assert set(run_states(airflow, DAG_ID).values()) == {"success"}
    messages, alerts = source_rows()
    rows = {key: row for key, row in stored(database).items() if key[1] == str(DAYS[0])}
    assert rows == {(slug, str(DAYS[0])): expected(slug, DAYS[0], messages, alerts) for slug in SLUGS}
    # also after the file has been parsed again
    parsed = "select max(last_parsed_time) as at from dag where dag_id = any(%s)"
    before = metadata(airflow, parsed, DAG_IDS)[0]["at"]
    airflow.wait_until(lambda: metadata(airflow, parsed, DAG_IDS)[0]["at"] > before, what="it is parsed again")
    assert len(metadata(airflow, ready, DAG_IDS)) == 3
    pause(airflow, DAG_ID, True)


def finished(airflow, count):
    def ended():
        states = list(run_states(airflow, DAG_ID).values())
        return len(states) == count and set(states) <= {"success", "failed"}

    airflow.wait_until(ended, what=f"{count} runs have ended")


def test_the_check_and_the_monitor_of_the_command_line(installed):
    airflow, database = installed

    def command(*arguments, **changes):
        return subprocess.run(
            [sys.executable, "-m", "communication_trends", *arguments],
            env={**os.environ, **airflow.environment, **changes},
            capture_output=True,
            text=True,
            check=False,
        )

    check = command("check")
    assert check.returncode == 0, check.stdout + check.stderr
    assert "ok      plugin: registered with Airflow\n" in check.stdout
    # of a setting that may be a secret
    from_command = {"AIRFLOW__COMMUNICATION_TRENDS__DIGEST_NOTIFIER_KWARGS_CMD": "echo {}"}
    assert command("check", "--no-database", **from_command).returncode == 0
    fresh = command("freshness", "--count", "1")
    assert fresh.returncode == 0
    assert fresh.stdout.startswith("ok      each of 3 organizations has its daily trends up to ")
    idle = database.organization("idle")
    database.connection.execute("update organizations set created_at = '2024-01-01'")
    database.connection.execute("delete from communication_trends where organization_id = %s", [idle])
    behind = command("freshness", "--count", "1")
    assert behind.returncode == 1, behind.stdout
    said = "FAILED  1 of 3 organizations have daily trends missing, unreadable or not final, from "
    assert behind.stdout.startswith(said)


@pytest.mark.skipif(not HAS_EXTERNAL_VIEWS, reason="the page needs Airflow 3.1.2")
def test_the_page_and_its_api_answer(installed):
    airflow, _ = installed
    page = airflow.request("GET", "/communication-trends/").raise_for_status()
    assert "<title>Communication trends</title>" in page.text
    assert airflow.request("GET", "/communication-trends/static/plotly.min.js").is_success
    path = f"/communication-trends/api/v1/organizations/acme/trends?from={DAYS[0]}&to={DAYS[0]}"
    assert airflow.request("GET", path).raise_for_status().json()["totals"]


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="Airflow 2 keeps no versions of DAGs")
def test_a_run_of_the_first_versions_timetable_is_shown_and_cleared(installed):
    airflow, _ = installed
    airflow.stop("dag-processor")
    # what the first version has stored
    rows = metadata(airflow, "select id, data from serialized_dag where dag_id = %s", DAG_ID)
    assert rows
    for row in rows:
        assert row["data"]["dag"]["timetable"]["__type"] == "communication_trends.timetable.PeriodTimetable"
        row["data"]["dag"]["timetable"] = {"__type": "communication_trends.timetable.UtcDayTimetable", "__var": {}}
        metadata(airflow, "update serialized_dag set data = %s where id = %s returning 1", Json(row["data"]), row["id"])
    airflow.request("GET", f"/api/v2/dags/{DAG_ID}/dagRuns/first").raise_for_status()
    airflow.request("GET", f"/api/v2/dags/{DAG_ID}/details").raise_for_status()
    pause(airflow, DAG_ID, False)
    body = {"dry_run": False}
    airflow.request("POST", f"/api/v2/dags/{DAG_ID}/dagRuns/first/clear", json=body).raise_for_status()
    airflow.wait_until(lambda: run_states(airflow, DAG_ID)["first"] != "success", what="it has begun again")
    finished(airflow, 2)
    assert run_states(airflow, DAG_ID)["first"] == "success"
    pause(airflow, DAG_ID, True)
    airflow.start("dag-processor")


def test_with_a_folder_of_another_release_as_well_the_wheel_is_used_and_that_is_said(installed, tmp_path):
    airflow, _ = installed
    shutil.copytree(ROOT / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    package = tmp_path / "plugins" / "communication_trends"
    (package / "__init__.py").write_text('__version__ = "0.1.0"\n')
    empty = airflow.environment["AIRFLOW__CORE__PLUGINS_FOLDER"]
    airflow.environment["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(tmp_path / "plugins")
    try:
        (plugin,) = listed(airflow)
        # what each component does when it starts
        code = "from airflow.plugins_manager import ensure_plugins_loaded; ensure_plugins_loaded()"
        environment = {**os.environ, **airflow.environment}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    finally:
        airflow.environment["AIRFLOW__CORE__PLUGINS_FOLDER"] = empty
    assert f"communication-trends=={__version__}" in plugin["source"]
    used = f"{sysconfig.get_path('purelib')}/communication_trends ({__version__})"
    said = f"communication_trends is installed twice: {used} is used, {package} is not. Remove the copy in the plugins"
    assert said in " ".join((run.stdout + run.stderr).split())
    assert "Plugin 'communication_trends' already registered" not in run.stdout + run.stderr


def uv(*arguments):
    subprocess.run([os.environ["UV"], "pip", *arguments, "--quiet", "--python", sys.executable], check=True)


def start_scheduler_that_ends(airflow):
    """Return what a scheduler says that ends by itself."""
    process = airflow.run("ending", "scheduler")
    process.wait(timeout=300)
    del airflow.processes["ending"]
    return (airflow.logs / "ending.log").read_text()


def test_a_scheduler_without_the_package_ends_and_the_package_put_back_lets_it_go_on(installed):
    airflow, _ = installed
    airflow.stop("scheduler", "dag-processor")
    pause(airflow, DAG_ID, False)
    trigger(airflow, "queued", {"date": str(DAYS[0])})
    count = len(run_states(airflow, DAG_ID))
    uv("uninstall", "communication-trends")
    if AIRFLOW_V_3_0_PLUS:
        # the words that docs/troubleshooting.md has
        assert "TimetableNotRegistered" in start_scheduler_that_ends(airflow)
    uv("install", "--no-deps", os.environ["WHEEL"])
    airflow.start("scheduler", *(["dag-processor"] if AIRFLOW_V_3_0_PLUS else []))
    finished(airflow, count)
    assert set(run_states(airflow, DAG_ID).values()) == {"success"}


def test_taken_out_in_the_order_of_the_docs_no_scheduler_ends(installed):
    airflow, database = installed
    before = stored(database)
    commands = documented("upgrading.md", "for dag in communication_trends_daily")
    script = commands.replace("rm dags/", f"rm {airflow.environment['AIRFLOW_HOME']}/dags/")
    (bin_ := airflow.logs / "bin").mkdir()
    (bin_ / "airflow").write_text(f'#!/bin/sh\nexec {sys.executable} -m airflow "$@"\n')
    (bin_ / "airflow").chmod(0o755)
    environment = {**os.environ, **airflow.environment}
    environment["PATH"] = f"{bin_}:{environment['PATH']}"
    subprocess.run(["bash", "-euc", script], env=environment, check=True, capture_output=True, text=True)
    assert not metadata(airflow, "select dag_id from dag where dag_id = any(%s)", DAG_IDS)
    # those that run already go on
    assert all(process.poll() is None for process in airflow.processes.values())
    airflow.stop("scheduler", "dag-processor", "api-server")
    uv("uninstall", "communication-trends")
    airflow.start(*(["api-server", "dag-processor"] if AIRFLOW_V_3_0_PLUS else []), "scheduler")
    run_airflow(airflow.environment, "dags", "unpause", "other")
    run_airflow(airflow.environment, "dags", "trigger", "other")
    airflow.wait_until(lambda: set(run_states(airflow, "other").values()) == {"success"}, what="the other DAG has run")
    assert not metadata(airflow, "select dag_id from dag where dag_id = any(%s)", DAG_IDS)
    assert stored(database) == before
