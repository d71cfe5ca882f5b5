"""Three days that Airflow was down, in a running Airflow: what the next scheduled run makes of them."""

from __future__ import annotations

import datetime
import json

import psycopg
import pytest
from airflow_dag import DAG_ID
from conftest import running_airflow_on

pytestmark = pytest.mark.slow
DAG_URL = f"/api/v2/dags/{DAG_ID}"
ORGANIZATIONS = {"acme": 10, "beta": 20}
"""Messages of today; one more on each day before it."""

FOUR_DAYS_AGO = [
    # the last run that Airflow made is one of four days ago
    "create temporary table last_run as select * from dag_run order by logical_date desc limit 1",
    "update last_run set run_id = 'scheduled__before_the_outage', logical_date = logical_date - interval '4 days',"
    " run_after = run_after - interval '4 days', data_interval_start = data_interval_start - interval '4 days',"
    " data_interval_end = data_interval_end - interval '4 days'",
    "delete from dag_run",
    "insert into dag_run select * from last_run",
    # and it waits for the one after that
    "update dag set next_dagrun = next_dagrun - interval '4 days',"
    " next_dagrun_create_after = next_dagrun_create_after - interval '4 days',"
    " next_dagrun_data_interval_start = next_dagrun_data_interval_start - interval '4 days',"
    " next_dagrun_data_interval_end = next_dagrun_data_interval_end - interval '4 days'",
]


def days_before(day, *numbers):
    return [day - datetime.timedelta(days=number) for number in numbers]


def scheduled_runs(airflow):
    """Return the scheduled runs, by the day that each is for, once all have ended."""

    def ended():
        response = airflow.request("GET", f"{DAG_URL}/dagRuns", params={"run_type": "scheduled"}).raise_for_status()
        found = response.json()["dag_runs"]
        return found if found and all(run["state"] in {"success", "failed"} for run in found) else None

    found = airflow.wait_until(ended, what="the scheduled runs have ended")
    return {datetime.date.fromisoformat(run["logical_date"][:10]): run for run in found}


def contents(trends):
    return {
        key: {name: value for name, value in row.items() if name not in ("id", "created_at")}
        for key, row in trends.items()
    }


@pytest.fixture(scope="module")
def ordinary_run(server, tmp_path_factory):
    """An Airflow after an ordinary run, the day that it was for, and the trends that it left: of eight days."""
    # only a DAG file that is parsed again moves on to what is due
    often = {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5"}
    with running_airflow_on(server, tmp_path_factory.mktemp("outage"), **often) as (airflow, database):
        today = datetime.datetime.now(datetime.timezone.utc).date()
        for slug, count in ORGANIZATIONS.items():
            for back in range(12):
                database.classify(slug, at=f"{days_before(today, back)[0]} 12:00:00", count=count + back)
        database.connection.execute("update organizations set created_at = %s", days_before(today, 30))
        airflow.start()
        airflow.unpause(DAG_ID)
        ((day, run),) = scheduled_runs(airflow).items()
        assert run["state"] == "success"
        trends = contents(database.trends())
        assert {date for _, date in trends} == set(map(str, days_before(day, *range(8))))
        yield airflow, database, day, trends


def runs_after_three_missed_ones(ordinary_run, *, components):
    """Return the runs, by day, that Airflow makes by itself when the components are back; all trends are there then."""
    airflow, database, day, trends = ordinary_run
    airflow.stop(*components)
    # the ordinary run was four days ago; rows came since then, but no run
    database.connection.execute("delete from communication_trends where trend_date >= %s", days_before(day, 3))
    database.connection.execute("update communication_trends_provenance set run_id = 'scheduled__before_the_outage'")
    uri = airflow.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    with psycopg.connect(uri) as metadata:
        for statement in FOUR_DAYS_AGO:
            metadata.execute(statement)
    if "dag-processor" not in components:
        # it went on during the outage: it knows that the first missed run is not what is due
        def moved_on():
            return (airflow.request("GET", DAG_URL).json()["next_dagrun_logical_date"] or "")[:10] == str(day)

        airflow.wait_until(moved_on, what="the DAG processor has seen which run is due")
    airflow.start(*components)
    airflow.wait_until(lambda: day in scheduled_runs(airflow), what="the run that is due is there")
    runs = scheduled_runs(airflow)
    (before,) = days_before(day, 4)
    assert runs.pop(before)["dag_run_id"] == "scheduled__before_the_outage"
    assert {run["state"] for run in runs.values()} == {"success"}
    stored = contents(database.trends())
    assert {key: stored.get(key) for key in trends} == trends
    return runs


def told(airflow, run):
    """Return the lookback of a run's summary, and the days that its log names as changed since the run before."""
    path = f"{DAG_URL}/dagRuns/{run['dag_run_id']}/taskInstances/summarize"
    summary = airflow.returned(DAG_ID, run["dag_run_id"], "summarize")
    log = airflow.request("GET", f"{path}/logs/1", params={"full_content": "true"}).json()["content"]
    # the file also has what the ordinary run, which has the same name, has logged
    *_, said = [line["event"] for line in log if line["event"].startswith("Changed days: ")]
    return summary["lookback"], json.loads(said.partition(": ")[2])


def test_one_run_fills_three_days_that_the_scheduler_was_down(ordinary_run):
    airflow, _, day, _ = ordinary_run
    runs = runs_after_three_missed_ones(ordinary_run, components=["scheduler"])
    assert list(runs) == [day]
    lookback, changed = told(airflow, runs[day])
    assert lookback == {"periods": 7, "filled": 6, "corrected": 0, "kept": 0, "failed": 0}
    assert changed == {str(missed): {"filled": 2, "corrected": 0} for missed in days_before(day, 3, 2, 1, 0)}


def test_where_all_of_airflow_was_down_it_makes_the_first_missed_run_and_then_the_one_that_is_due(ordinary_run):
    airflow, _, day, _ = ordinary_run
    runs = runs_after_three_missed_ones(ordinary_run, components=["scheduler", "dag-processor", "api-server"])
    first, *others = days_before(day, 3, 2, 1)
    # Airflow makes the run that it was waiting for when it went down, whatever is due by now
    assert sorted(runs) == [first, day]
    lookback, changed = told(airflow, runs[day])
    assert lookback == {"periods": 7, "filled": 4, "corrected": 0, "kept": 0, "failed": 0}
    assert changed == {str(missed): {"filled": 2, "corrected": 0} for missed in (*others, day)}
