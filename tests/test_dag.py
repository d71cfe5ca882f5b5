"""What the DAG is, as Airflow sees it."""

from __future__ import annotations

import copy
import datetime
import subprocess
import sys

import pendulum
import pytest
from airflow.providers.common.compat.sdk import ParamValidationError
from airflow.timetables.base import TimeRestriction
from airflow_dag import DAG_ID, load_bag, load_dag

from communication_trends.timetable import PeriodTimetable
from local import ROOT


@pytest.fixture(scope="module")
def dag():
    return load_dag()


@pytest.mark.parametrize(
    ("dag_id", "asset", "first_run"),
    [
        # 28 December 2026 is the Monday of a week that ends in 2027
        (DAG_ID, "communication_trends", "2026-12-29T03:00:00+00:00"),
        ("communication_trends_weekly", "communication_trends_weekly", "2027-01-04T03:30:00+00:00"),
        ("communication_trends_monthly", "communication_trends_monthly", "2027-02-01T04:00:00+00:00"),
    ],
)
def test_the_three_dags_are_alike_but_for_their_periods(dag, dag_id, asset, first_run):
    other = load_dag(dag_id)
    for what in (
        lambda one: {task.task_id: task.downstream_task_ids for task in one.tasks},
        lambda one: [(task.retries, task.retry_delay, task.trigger_rule, task.is_mapped) for task in one.tasks],
        lambda one: (one.catchup, one.max_active_runs, one.max_active_tasks, one.is_paused_upon_creation, one.owner),
        lambda one: [(name, one.params.get_param(name).schema["type"]) for name in one.params],
    ):
        assert what(other) == what(dag)
    assert [outlet.name for outlet in other.get_task("summarize").outlets] == [asset]
    december = TimeRestriction(pendulum.datetime(2026, 12, 28), None, catchup=True)
    info = other.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=december)
    assert info.run_after.isoformat() == first_run


def test_the_process_of_a_task_instance_reads_its_own_dag_alone(monkeypatch):
    # what Airflow's task runner sets
    from airflow.sdk.definitions.context import _AIRFLOW_PARSING_CONTEXT_DAG_ID

    monkeypatch.setenv(_AIRFLOW_PARSING_CONTEXT_DAG_ID, "communication_trends_weekly")
    bag = load_bag(str(ROOT / "dags" / "communication_trends_periods.py"))
    assert (list(bag.dags), bag.import_errors) == (["communication_trends_weekly"], {})


def test_its_schedule(dag):
    assert isinstance(dag.timetable, PeriodTimetable)
    assert (dag.catchup, dag.max_active_runs) == (False, 1)


def test_its_tasks_and_their_order(dag):
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == {
        "list_organizations": {"aggregate_organization", "summarize"},
        "aggregate_organization": {"summarize"},
        "summarize": set(),
    }
    assert dag.get_task("aggregate_organization").is_mapped
    assert dag.get_task("summarize").trigger_rule == "all_done"


def test_its_retries(dag):
    for task in dag.tasks:
        assert (task.retries, task.retry_delay) == (3, datetime.timedelta(minutes=1))
        assert task.retry_exponential_backoff == 2


def test_who_owns_it_and_how_it_is_found(dag):
    assert dag.owner == "communication-trends"
    assert {"communication-trends", "postgres"} <= set(dag.tags)


def test_its_doc_tells_the_person_on_call_what_they_need(dag):
    for phrase in [
        "communication_trends_db",
        "03:00 UTC",
        "What breaks if it fails",
        '{"date": "2026-11-01"}',
        '"organizations": ["acme"]',
        "airflow backfill create --dag-id communication_trends_daily",
        "airflow dags backfill -s",
        '{"force": true}',
    ]:
        assert phrase in dag.doc_md


def test_the_manual_of_each_dag_says_how_far_it_looks_back():
    dags = load_bag().dags
    for kind, lookback in {"daily": "7 days", "weekly": "1 week", "monthly": "1 month"}.items():
        assert f"recomputes the {lookback} before its own" in dags[f"communication_trends_{kind}"].doc_md


def test_each_param_has_a_title_a_description_and_a_type(dag):
    params = {name: dag.params.get_param(name) for name in dag.params}
    assert list(params) == ["date", "organizations", "force", "organizations_per_task", "lookback"]
    for param in params.values():
        assert param.schema["title"]
        assert param.description
        assert param.schema["type"]
    assert params["date"].schema["format"] == "date"
    assert dict(dag.params) == {
        "date": None,
        "organizations": None,
        "force": False,
        "organizations_per_task": 1,
        "lookback": None,
    }


@pytest.mark.parametrize(
    "conf",
    [
        {"date": "2026-02-30"},
        {"date": "01.11.2026"},
        {"date": 20261101},
        {"organizations": "acme"},
        {"organizations": [1]},
        {"force": "yes"},
        {"organizations_per_task": 0},
        {"organizations_per_task": 1.5},
        {"organizations_per_task": 10**30},
        {"lookback": -1},
        {"lookback": 10**30},
        {"lookback": "7"},
    ],
)
def test_airflow_refuses_a_conf_that_is_not_of_the_schema_and_names_the_param(dag, conf):
    params = copy.deepcopy(dag.params)
    with pytest.raises(ParamValidationError, match=f"(?s)Invalid input for param {next(iter(conf))}: "):
        params.update(conf)


def test_organizations_per_task_of_scheduled_runs_is_the_setting(monkeypatch, database, run_dag):
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__ORGANIZATIONS_PER_TASK", "2")
    for slug in ("acme", "beta", "gamma"):
        database.organization(slug)
    assert load_dag().params["organizations_per_task"] == 2
    run = run_dag()
    assert (run.state, run.names) == ("success", {0: "acme and 1 more", 1: "gamma"})
    # the conf comes first
    assert run_dag({"organizations_per_task": 1}).names == {0: "acme", 1: "beta", 2: "gamma"}


def test_sql_is_named_in_the_ui_and_not_copied_to_each_task_instance(dag):
    aggregate = dag.get_task("aggregate_organization")
    assert set(aggregate.template_fields) == {"aggregate_sql", "upsert_sql"}
    # no extension: otherwise Airflow would put the text in place of the name, and keep it for each task instance
    assert aggregate.partial_kwargs["aggregate_sql"] == "aggregate_trends.sql"
    assert not aggregate.template_ext
    assert set(dag.get_task("list_organizations").template_fields) == {"sql"}
    assert list(dag.template_searchpath) == [str(ROOT / "sql")]


def test_importing_the_dag_file_connects_to_nothing():
    """No socket is opened and no driver asked to connect, as Python's own audit events tell."""
    script = (
        "import sys\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: event == 'socket.connect' and opened.append(args))\n"
        "import psycopg\n"
        "psycopg.Connection.connect = lambda *args, **kwargs: opened.append(args)\n"
        f"sys.path.insert(0, {str(ROOT / 'plugins')!r})\n"
        "import runpy\n"
        f"runpy.run_path({str(ROOT / 'dags' / 'communication_trends_periods.py')!r})\n"
        "print('opened', opened)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "opened []" in run.stdout


def test_the_plugin_registers_the_timetable_and_keeps_its_modules_to_itself():
    from airflow.plugins_manager import get_timetables_plugins  # Airflow 3.2 and newer

    assert get_timetables_plugins()["communication_trends.timetable.PeriodTimetable"] is PeriodTimetable
    for stem in ("operators", "settings", "period", "database", "aggregation", "params"):
        assert stem not in sys.modules
