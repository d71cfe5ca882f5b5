"""
What a task learns and does through Airflow besides its own work, in a scheduler's run, on each version.

A DAG of the test's own has the three steps of ours. It says what it has found, is cleared, fails, and another DAG waits
for its asset. The tests are in order.
"""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from conftest import running_airflow_on

from local import ROOT
from local.airflow import run_airflow
from versions.operating import metadata

DAGS = """
import datetime, json, pathlib
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, Asset, TriggerRule, task
from communication_trends import asset_events, compat

HERE = pathlib.Path(__file__).parent
ASSET = Asset("reported")
ALWAYS = {"start_date": datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), "catchup": False}

def asked():
    return json.loads((HERE / "asked.json").read_text())

def say(name, value):
    with (HERE / name).open("a") as file:
        file.write(json.dumps(value) + "\\n")

with DAG(dag_id="reporting", schedule=None, **ALWAYS):

    @task
    def numbers():
        return [0, 1, 2, 3]

    @task(retries=1, retry_delay=datetime.timedelta(seconds=1))
    def mapped(number, **context):
        compat.discard_mapped_xcom(context, "outcome")
        ti = context["ti"]
        if number in asked()["reporting"]:
            ti.xcom_push(key="outcome", value={"mapIndex": ti.map_index, "try": ti.try_number})
        if number in asked()["failing"]:
            raise RuntimeError("as asked")

    # inlet and outlet: a task can read the events that it made before
    @task(trigger_rule=TriggerRule.ALL_DONE, inlets=[ASSET], outlets=[ASSET])
    def summed_up(**context):
        found = {
            "outcomes": compat.pull_mapped_xcoms(context, "mapped", "outcome", 4),
            "of the first two": compat.pull_mapped_xcoms(context, "mapped", "outcome", 2),
            "of another key": compat.pull_mapped_xcoms(context, "mapped", "another", 4),
            "states": compat.task_instance_states(context, "mapped"),
            "last of a success": asset_events.last_event_extra(context, ASSET, lambda extra: extra["succeeded"]),
            "last of none": asset_events.last_event_extra(context, ASSET, lambda extra: False),
        }
        name = asked()["name"]
        if asked().get("summed up fails"):
            extra = {"name": name, "succeeded": False}
            found["emitted"] = asset_events.emit_asset_event(context, ASSET, extra)
            found["emitted of nothing"] = asset_events.emit_asset_event(context, Asset("reporte"), extra)
            say("found.jsonl", found)
            raise AirflowFailException("as asked")
        context["outlet_events"][ASSET].extra = {"name": name, "succeeded": True}
        say("found.jsonl", found)

    mapped.expand(number=numbers()) >> summed_up()

with DAG(dag_id="hearing", schedule=[ASSET], **ALWAYS):

    @task
    def hear(*, triggering_asset_events=None, triggering_dataset_events=None):
        events = triggering_asset_events if triggering_asset_events is not None else triggering_dataset_events
        for of_one in events.values():
            for event in of_one:
                say("heard.jsonl", event.extra["name"])

    hear()
"""


class Reporting:
    """The test's DAG on a running Airflow."""

    def __init__(self, airflow, home):
        self.airflow = airflow
        self.home = home

    def said(self, name):
        path = self.home / "dags" / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def once(self, start, **asked):
        """Start a run, or clear something of it, and return what the last task has found."""
        (self.home / "dags" / "asked.json").write_text(json.dumps({"reporting": [], "failing": [], **asked}))
        before = len(self.said("found.jsonl"))
        start()

        def ended():
            (run,) = metadata(self.airflow, "select state from dag_run where dag_id = 'reporting'")
            found = self.said("found.jsonl")
            return found[-1] if len(found) > before and run["state"] in ("success", "failed") else None

        return self.airflow.wait_until(ended, what="the run has ended", seconds=120)

    def run(self, **asked):
        return self.once(lambda: run_airflow(self.airflow.environment, "dags", "trigger", "reporting"), **asked)

    def clear(self, task_id, **asked):
        """Clear a task with what follows it: over REST where there is a server, as a person does in the UI."""

        def start():
            if AIRFLOW_V_3_0_PLUS:
                (run,) = metadata(self.airflow, "select run_id from dag_run where dag_id = 'reporting'")
                what = {"task_ids": [task_id], "include_downstream": True, "only_failed": False, "dry_run": False}
                body = {"dag_run_id": run["run_id"], "reset_dag_runs": True, **what}
                path = "/api/v2/dags/reporting/clearTaskInstances"
                self.airflow.request("POST", path, json=body).raise_for_status()
            else:
                which = ["--yes", "--downstream", "--task-regex", f"^{task_id}$"]
                run_airflow(self.airflow.environment, "tasks", "clear", "reporting", *which)

        return self.once(start, **asked)

    def heard(self, name):
        return self.airflow.wait_until(lambda: name in self.said("heard.jsonl"), what=f"the event of {name} is heard")


@pytest.fixture(scope="module")
def reporting(server, tmp_path_factory):
    home = tmp_path_factory.mktemp("reporting")
    (home / "dags").mkdir()
    (home / "dags" / "reporting.py").write_text(DAGS)
    with running_airflow_on(
        server, home, AIRFLOW__CORE__DAGS_FOLDER=str(home / "dags"), PYTHONPATH=str(ROOT / "plugins")
    ) as (airflow, _):
        if AIRFLOW_V_3_0_PLUS:
            airflow.start("api-server")
        run_airflow(airflow.environment, "dags", "reserialize")
        for dag_id in ("reporting", "hearing"):
            run_airflow(airflow.environment, "dags", "unpause", dag_id)
        airflow.start(*(["dag-processor"] if AIRFLOW_V_3_0_PLUS else []), "scheduler")
        yield Reporting(airflow, home)


def test_what_each_instance_has_reported_is_pulled_by_its_map_index(reporting):
    found = reporting.run(name="first", reporting=[0, 2, 3], failing=[2])
    # the second failed, and was tried again
    outcomes = {str(index): {"mapIndex": index, "try": 2 if index == 2 else 1} for index in (0, 2, 3)}
    assert found["outcomes"] == outcomes
    assert found["of the first two"] == {"0": outcomes["0"]}
    assert found["of another key"] == {}
    assert found["states"] == {"0": "success", "1": "success", "2": "failed", "3": "success"}
    assert (found["last of a success"], found["last of none"]) == (None, None)
    reporting.heard("first")


def test_what_was_reported_before_a_clear_is_not_pulled(reporting):
    found = reporting.clear("mapped", name="second", reporting=[1], failing=[0])
    assert found["outcomes"] == {"1": {"mapIndex": 1, "try": 2}}
    assert found["states"] == {"0": "failed", "1": "success", "2": "success", "3": "success"}
    assert found["last of a success"] == {"name": "first", "succeeded": True}
    reporting.heard("second")


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="a task of Airflow 2 needs no connection for it")
def test_a_task_that_fails_says_how_its_event_can_be_made(reporting):
    found = reporting.clear("summed_up", name="third", **{"summed up fails": True})
    assert (found["emitted"], found["emitted of nothing"]) == (False, False)
    logged = "".join(path.read_text() for path in reporting.home.rglob("*.log"))
    assert "Add the connection 'communication_trends_api' (setting api_conn_id)" in logged


def test_a_task_that_fails_makes_an_event_which_starts_who_waits_for_it(reporting):
    airflow = reporting.airflow
    user, password = airflow.login
    login = {"conn_type": "http", "host": "127.0.0.1", "port": airflow.port, "login": user, "password": password}
    connection = ["communication_trends_api", "--conn-json", json.dumps(login)]
    run_airflow(airflow.environment, "connections", "add", *connection)
    found = reporting.clear("summed_up", name="fourth", **{"summed up fails": True})
    assert (found["emitted"], found["emitted of nothing"]) == (True, False)
    assert found["last of a success"] == {"name": "second", "succeeded": True}
    reporting.heard("fourth")
    assert "third" not in reporting.said("heard.jsonl")
    # the asset that a task both reads and makes starts no run of its own DAG
    runs = metadata(airflow, "select state from dag_run where dag_id = 'reporting'")
    assert runs == [{"state": "failed"}]


def test_the_last_event_of_a_success_is_found_behind_one_of_a_failure(reporting):
    found = reporting.clear("summed_up", name="fifth")
    assert found["last of a success"] == {"name": "second", "succeeded": True}
    assert found["last of none"] is None
