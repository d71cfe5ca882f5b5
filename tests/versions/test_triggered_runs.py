"""
Every way to trigger a run, and the period that it is for, on each version of Airflow.

All runs are triggered by what users have: REST, the command line, ``airflow dags test``, a TriggerDagRunOperator. They
are triggered while the DAGs are paused, so that manual runs take logical dates before the scheduler would.
"""

from __future__ import annotations

import datetime
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow_dag import DAG_ID
from conftest import MIDNIGHT, let_pass, running_airflow_on, today

from communication_trends.compat import HAS_EXTERNAL_VIEWS
from communication_trends.core.period import DAILY, MONTHLY, WEEKLY
from local import ROOT
from local.airflow import run_airflow
from versions.operating import as_dict, metadata, run_states, start_webserver

TRIGGERS = """
from airflow.providers.common.compat.sdk import DAG
try:
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
except ImportError:
    from airflow.operators.trigger_dagrun import TriggerDagRunOperator

for dag_id, given in {
    "triggers": {},
    "triggers_dated": {"logical_date": "{{ dag_run.conf['logical_date'] }}"},
    "triggers_for_a_date": {"conf": {"date": "{{ dag_run.conf['date'] }}"}},
}.items():
    with DAG(dag_id=dag_id, schedule=None, max_active_runs=1):
        TriggerDagRunOperator(
            task_id="trigger",
            trigger_dag_id="communication_trends_daily",
            trigger_run_id="{{ dag_run.run_id }}",
            **given,
        )
"""

YESTERDAY = "the day before the run's logical date or run_after"
NOT_ENDED = "It has not ended"
CONTRADICTION = "contradicts the run's data interval"


def day_due() -> datetime.date:
    """Return the day that the scheduler makes a run for, as soon as the DAG is unpaused."""
    return DAILY.last_due(datetime.datetime.now(datetime.timezone.utc)).first_date


def at(day, time="00:00:00+00:00"):
    return f"{day}T{time}"


def between(first, end):
    return {"data_interval_start": at(first), "data_interval_end": at(end)}


def rest(dag_id=DAG_ID, **body):
    return "rest", dag_id, body


def command(*options, dag_id=DAG_ID):
    return "command", dag_id, options


def dag_test(*options):
    return "dags test", DAG_ID, options


def operator(dag_id, **conf):
    return "operator", dag_id, conf


LOGICAL_DATE = "--logical-date" if AIRFLOW_V_3_0_PLUS else "-e"


def runs_of(today: datetime.date, due: datetime.date) -> dict[str, tuple[Any, Any]]:
    """Return of each way how a run is triggered, and the first date of what it stores, or why it is refused."""
    monday = today - datetime.timedelta(days=today.weekday())
    first_of_month = today.replace(day=1)
    last_month = (first_of_month - datetime.timedelta(days=1)).replace(day=1)
    month_before = (last_month - datetime.timedelta(days=1)).replace(day=1)

    def ago(days):
        return today - datetime.timedelta(days=days)

    return {
        # REST, which is what the UI's trigger form of Airflow 3 uses
        "rest": (rest(logical_date=None), YESTERDAY),
        "rest, a first moment": (rest(logical_date=at(ago(10))), ago(10)),
        "rest, a first moment in another time zone": (rest(logical_date=at(ago(11), "02:00:00+02:00")), ago(11)),
        "rest, the first moment of the day that is due": (rest(logical_date=at(due)), due),
        "rest, a day's middle": (rest(logical_date=at(ago(12), "12:00:00+00:00")), ago(13)),
        "rest, midnight in another time zone": (rest(logical_date=at(ago(14), "00:00:00+02:00")), ago(16)),
        "rest, the first moment of today": (rest(logical_date=at(today)), NOT_ENDED),
        "rest, an interval that agrees": (
            rest(logical_date=at(ago(17), "12:00:00+00:00"), **between(ago(18), ago(17))),
            ago(18),
        ),
        "rest, an interval of another day": (
            rest(logical_date=at(ago(19), "12:00:00+00:00"), **between(ago(22), ago(21))),
            CONTRADICTION,
        ),
        "rest, an interval of two days": (
            rest(logical_date=at(ago(20), "12:00:00+00:00"), **between(ago(22), ago(20))),
            "is not one UTC day",
        ),
        "rest, date": (rest(logical_date=None, conf={"date": str(ago(40))}), ago(40)),
        "rest, date and another first moment": (
            rest(logical_date=at(ago(23)), conf={"date": str(ago(41))}),
            ago(41),
        ),
        "rest, week": (
            rest(WEEKLY.dag_id, logical_date=at(monday - datetime.timedelta(14))),
            monday - datetime.timedelta(14),
        ),
        "rest, a midnight in a week": (
            rest(WEEKLY.dag_id, logical_date=at(monday - datetime.timedelta(20))),
            monday - datetime.timedelta(28),
        ),
        "rest, this week": (rest(WEEKLY.dag_id, logical_date=at(monday)), NOT_ENDED),
        "rest, month": (rest(MONTHLY.dag_id, logical_date=at(last_month)), last_month),
        "rest, a midnight in a month": (rest(MONTHLY.dag_id, logical_date=at(last_month.replace(day=2))), month_before),
        "rest, this month": (rest(MONTHLY.dag_id, logical_date=at(first_of_month)), NOT_ENDED),
        # the command line: on Airflow 3 the interval is inferred from the current time
        "command": (command(), YESTERDAY),
        "command, a first moment": (command(LOGICAL_DATE, at(ago(24))), ago(24)),
        "command, a day's middle": (
            command(LOGICAL_DATE, at(ago(25), "12:00:00+00:00")),
            CONTRADICTION if AIRFLOW_V_3_0_PLUS else ago(26),
        ),
        "command, date": (command("-c", json.dumps({"date": str(ago(42))})), ago(42)),
        "command, week": (
            command(LOGICAL_DATE, at(monday - datetime.timedelta(21)), dag_id=WEEKLY.dag_id),
            monday - datetime.timedelta(21),
        ),
        # another DAG, backfilled for three days, and otherwise
        "operator, a first moment": (operator("triggers_dated", logical_date=at(ago(5))), ago(5)),
        "operator, the next first moment": (operator("triggers_dated", logical_date=at(ago(4))), ago(4)),
        "operator, the one after": (operator("triggers_dated", logical_date=at(ago(3))), ago(3)),
        "operator, a day's middle": (
            operator("triggers_dated", logical_date=at(ago(7), "12:00:00+00:00")),
            CONTRADICTION if AIRFLOW_V_3_0_PLUS else ago(8),
        ),
        "operator": (operator("triggers"), YESTERDAY),
        "operator, date": (operator("triggers_for_a_date", date=str(ago(43))), ago(43)),
        # airflow dags test
        "dags test": (dag_test(), YESTERDAY),
        "dags test, a date": (dag_test(str(ago(27))), ago(27)),
        "dags test, a day's middle": (dag_test(at(ago(28), "12:00:00+00:00")), ago(29)),
        "dags test, date": (dag_test("-c", json.dumps({"date": str(ago(44))})), ago(44)),
    }


WAYS = list(runs_of(datetime.date(2026, 11, 1), datetime.date(2026, 10, 31)))


def run_id_of(way):
    return way.replace(", ", "__").replace(" ", "_").replace("'", "")


def started(server, home):
    """Return an Airflow whose DAGs are paused, with a server for REST and no scheduler yet."""
    (home / "dags").mkdir()
    (home / "dags" / "communication_trends_periods.py").symlink_to(ROOT / "dags" / "communication_trends_periods.py")
    (home / "dags" / "triggers.py").write_text(TRIGGERS)
    return running_airflow_on(
        server,
        home,
        AIRFLOW__CORE__DAGS_FOLDER=str(home / "dags"),
        AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH=str(ROOT / "sql"),
        AIRFLOW__COMMUNICATION_TRENDS__RETRIES="0",
        AIRFLOW__API__AUTH_BACKENDS="airflow.api.auth.backend.basic_auth",
    )


@pytest.fixture(scope="module")
def airflow(server, tmp_path_factory):
    # all of this module is about the day on which it begins
    let_pass([MIDNIGHT], minutes=20)
    with started(server, tmp_path_factory.mktemp("triggered")) as (airflow, database):
        airflow.database = database
        airflow.today, airflow.due = today(), day_due()
        airflow.runs = runs_of(airflow.today, airflow.due)
        database.classify("acme", at=f"{airflow.due} 12:00", count=3)
        if AIRFLOW_V_3_0_PLUS:
            airflow.start("api-server", "dag-processor")
        else:
            run_airflow(airflow.environment, "dags", "reserialize")
            start_webserver(airflow)
        airflow.wait_until(lambda: api(airflow, "GET", f"dags/{DAG_ID}"), what="the DAGs are parsed")
        airflow.wait_until(lambda: api(airflow, "GET", "dags/triggers_dated"), what="the others are parsed")
        yield airflow


def api(airflow, method, path, **kwargs):
    """Ask the REST API of either version; None where it does not answer, or not yet."""
    try:
        if AIRFLOW_V_3_0_PLUS:
            answer = airflow.request(method, f"/api/v2/{path}", **kwargs)
        else:
            answer = httpx.request(method, f"{airflow.url}/api/v1/{path}", auth=airflow.login, timeout=60, **kwargs)
    except httpx.TransportError:
        return None
    if method == "GET":
        return answer.json() if answer.is_success else None
    return answer.raise_for_status().json()


def unpause(airflow, *dag_ids):
    for dag_id in dag_ids:
        api(airflow, "PATCH", f"dags/{dag_id}", json={"is_paused": False})


def post_run(airflow, dag_id, body):
    if not AIRFLOW_V_3_0_PLUS:
        body = {key: value for key, value in body.items() if value is not None}
    return api(airflow, "POST", f"dags/{dag_id}/dagRuns", json=body)["dag_run_id"]


def trigger(airflow, way):
    """Trigger a run in one way, and return its id."""
    (kind, dag_id, given), _ = airflow.runs[way]
    run_id = run_id_of(way)
    if kind == "rest":
        # without an id of ours, as the UI and most scripts do
        return post_run(airflow, dag_id, given)
    if kind == "command":
        run_airflow(airflow.environment, "dags", "trigger", dag_id, "-r", run_id, *given)
    elif kind == "operator":
        post_run(airflow, dag_id, {"dag_run_id": run_id, "logical_date": None, "conf": given})
    else:
        before = set(run_states(airflow, dag_id))
        run_airflow(airflow.environment, "dags", "test", dag_id, *given)
        (run_id,) = set(run_states(airflow, dag_id)) - before
    return run_id


@pytest.fixture(scope="module")
def triggered(airflow):
    """The id of each run, by the way that it was triggered; all have ended."""
    # before there is a scheduler, which would run the same task instances
    ways = sorted(airflow.runs, key=lambda way: airflow.runs[way][0][0] != "dags test")
    ids = {way: trigger(airflow, way) for way in ways}
    airflow.start("scheduler")
    unpause(airflow, "triggers", "triggers_dated", "triggers_for_a_date", DAG_ID, WEEKLY.dag_id, MONTHLY.dag_id)

    def ended():
        states = {
            dag_id: run_states(airflow, dag_id)
            for dag_id in (DAG_ID, WEEKLY.dag_id, MONTHLY.dag_id, "triggers", "triggers_dated", "triggers_for_a_date")
        }
        all_states = {state for found in states.values() for state in found.values()}
        known = {run_id for found in states.values() for run_id in found}
        return all_states <= {"success", "failed"} and set(ids.values()) <= known

    airflow.wait_until(ended, what="all runs have ended", seconds=1200)
    return ids


def dag_of(airflow, way):
    kind, dag_id, _ = airflow.runs[way][0]
    return DAG_ID if kind == "operator" else dag_id


def the_run(airflow, dag_id, run_id):
    moment = "coalesce(logical_date, run_after)" if AIRFLOW_V_3_0_PLUS else "execution_date"
    (run,) = metadata(
        airflow,
        f"select state, run_type, ({moment} at time zone 'UTC')::date as day from dag_run"
        " where dag_id = %s and run_id = %s",
        dag_id,
        run_id,
    )
    return run


def stored_by(airflow, dag_id, run_id):
    """Return the first date of what a run has stored, from its summary."""
    (row,) = metadata(
        airflow,
        "select value from xcom where dag_id = %s and run_id = %s and task_id = 'summarize' and key = 'return_value'",
        dag_id,
        run_id,
    )
    return as_dict(row["value"])["trendDate"]


def log_of(airflow, dag_id, run_id):
    files = airflow.logs.glob(f"dag_id={dag_id}/run_id={run_id}/task_id=list_organizations/*.log")
    return "".join(path.read_text(errors="replace") for path in files)


@pytest.mark.parametrize("way", WAYS)
def test_a_run_is_for_what_it_says_or_is_refused(airflow, triggered, way):
    expected = airflow.runs[way][1]
    dag_id, run_id = dag_of(airflow, way), triggered[way]
    run = the_run(airflow, dag_id, run_id)
    if expected in (NOT_ENDED, CONTRADICTION) or "is not one" in str(expected):
        assert run["state"] == "failed"
        assert expected in log_of(airflow, dag_id, run_id)
        return
    assert run["state"] == "success"
    day = run["day"] - datetime.timedelta(days=1) if expected == YESTERDAY else expected
    assert stored_by(airflow, dag_id, run_id) == str(day)
    stored = airflow.database.trends(dag_id.removeprefix("communication_trends_"))
    assert ("acme", str(day)) in stored


@pytest.mark.skipif(not HAS_EXTERNAL_VIEWS, reason="the page needs Airflow 3.1.2")
def test_the_page_says_the_same_of_each_run(airflow, triggered):
    said, expected = {}, {}
    for way, run_id in triggered.items():
        dag_id = dag_of(airflow, way)
        state = the_run(airflow, dag_id, run_id)["state"]
        expected[way] = stored_by(airflow, dag_id, run_id) if state == "success" else 404
        period = {"period": dag_id.removeprefix("communication_trends_")}
        answer = airflow.request("GET", f"/communication-trends/api/v1/runs/{quote(run_id)}", params=period)
        said[way] = answer.json()["date"] if answer.is_success else answer.status_code
    assert said == expected


def test_the_day_whose_logical_date_a_manual_run_took_is_stored_and_not_run_again(airflow, triggered):
    column = "logical_date" if AIRFLOW_V_3_0_PLUS else "execution_date"
    found = metadata(
        airflow,
        "select run_id, run_type, state from dag_run where dag_id = %s"
        f" and {column} = %s::timestamp at time zone 'UTC'",
        DAG_ID,
        str(airflow.due),
    )
    run_id = triggered["rest, the first moment of the day that is due"]
    assert found == [{"run_id": run_id, "run_type": "manual", "state": "success"}]
    assert airflow.database.trend("acme", airflow.due)["total_classifications"] == 3
    # where the manual run is for another day, its log says that the scheduler makes none
    log = log_of(airflow, DAG_ID, triggered["rest, date and another first moment"])
    assert f"has the logical date of the scheduled run for {airflow.today - datetime.timedelta(days=23)}" in log


LONG_AGO = "2026-09-30"
CONFS: list[dict[str, Any]] = [
    {"date": LONG_AGO},
    {"organizations": ["acme"]},
    {"force": True},
    {"lookback": 1},
    {"organizations_per_task": 2},
]


def test_a_conf_that_airflow_does_not_pass_on_is_refused(airflow, triggered):
    airflow.stop("scheduler")
    before = {key: row["created_at"] for key, row in airflow.database.trends().items()}
    airflow.environment["AIRFLOW__CORE__DAG_RUN_CONF_OVERRIDES_PARAMS"] = "False"
    try:
        airflow.start("scheduler")
        ids: list[str] = []
        for conf in CONFS:
            (key,) = conf
            run_id = f"ignored_{key}"
            # a moment for each: Airflow 2 makes no two runs with the same logical date
            moment = None if AIRFLOW_V_3_0_PLUS else at("2026-09-20", f"12:00:0{len(ids)}+00:00")
            ids.append(post_run(airflow, DAG_ID, {"dag_run_id": run_id, "logical_date": moment, "conf": conf}))
        harmless = post_run(airflow, DAG_ID, {"dag_run_id": "harmless", "logical_date": None, "conf": {"force": False}})

        def ended():
            states = run_states(airflow, DAG_ID)
            found = [states.get(run_id) for run_id in (*ids, harmless)]
            return set(found) <= {"success", "failed"} and found

        states = airflow.wait_until(ended, what="the runs have ended")
    finally:
        del airflow.environment["AIRFLOW__CORE__DAG_RUN_CONF_OVERRIDES_PARAMS"]
    assert states == [*["failed"] * len(ids), "success"]
    for conf, run_id in zip(CONFS, ids, strict=True):
        (key,) = conf
        said = f"Airflow ignores {key}, since [core] dag_run_conf_overrides_params is False"
        assert said in log_of(airflow, DAG_ID, run_id)
    assert ("acme", LONG_AGO) not in airflow.database.trends()
    assert before.keys() <= airflow.database.trends().keys()
