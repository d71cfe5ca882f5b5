"""
Runs that Airflow's scheduler makes: scheduled, triggered over REST, backfilled, run again.

Other tests stand between those of backfills: Airflow closes a backfill up to half a minute after its runs have ended,
and makes no other one of the same DAG before.
"""

from __future__ import annotations

import datetime
import json
import shutil
import time
from pathlib import Path

import psycopg
import pytest
from airflow_dag import DAG_ID
from conftest import running_airflow_on

from local import ROOT
from local.airflow import run_airflow

DAG_URL = f"/api/v2/dags/{DAG_ID}"
DONE = {"success", "failed"}


@pytest.fixture(scope="module")
def running(server, tmp_path_factory):
    home = tmp_path_factory.mktemp("airflow")
    changes = {
        "RETRY_DELAY": "1",
        "KEEP_COMPLETED_RUNS": "3",
        "KEEP_FAILED_RUNS": "2",
        "MAX_PARALLEL_ORGANIZATIONS": "2",
    }
    environment = {f"AIRFLOW__COMMUNICATION_TRENDS__{name}": value for name, value in changes.items()}
    environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(home / "dags")
    # a task process that cannot read the DAG file would be restarted three times, a minute after each
    environment["AIRFLOW__WORKERS__MISSING_DAG_RETRIES"] = "0"
    _copy_dags(home)
    with running_airflow_on(server, home, **environment) as (airflow, database):
        user, password = airflow.login
        airflow.environment["AIRFLOW_CONN_COMMUNICATION_TRENDS_API"] = json.dumps(
            {"conn_type": "http", "host": "127.0.0.1", "port": airflow.port, "login": user, "password": password}
        )
        for day in range(1, 24):
            database.classify("acme", topic=f"day {day}", at=f"2026-11-{day:02} 23:59:59", count=day)
        airflow.start()
        airflow.wait_until(lambda: airflow.request("GET", DAG_URL).is_success, what="the DAG is parsed")
        yield airflow, database


def _copy_dags(home):
    """Copy the DAG files, of which a task process of the mapped task can read none while there is a file ``broken``."""
    shutil.copytree(ROOT / "dags", home / "dags")
    file = home / "dags" / "communication_trends_periods.py"
    file.write_text(
        f"{file.read_text()}\n"
        "from pathlib import Path\n"
        f"if Path({str(home / 'broken')!r}).exists() and get_parsing_context().task_id == 'aggregate_organization':\n"
        "    raise RuntimeError('this worker cannot read the file')\n"
    )


def events(airflow):
    """Return the events of the daily trends' asset, oldest first."""
    (asset,) = [
        one
        for one in airflow.request("GET", "/api/v2/assets", params={"limit": 100}).json()["assets"]
        if one["name"] == "communication_trends"
    ]
    query = {"asset_id": asset["id"], "order_by": "timestamp", "limit": 100}
    return airflow.request("GET", "/api/v2/assets/events", params=query).json()["asset_events"]


def runs(airflow, **query):
    response = airflow.request("GET", f"{DAG_URL}/dagRuns", params={"limit": 100, "order_by": "run_after", **query})
    response.raise_for_status()
    return response.json()["dag_runs"]


def finished(airflow, **query):
    """Wait until there are runs that match and all have ended, and return them."""

    def ended():
        found = runs(airflow, **query)
        return found if found and all(run["state"] in DONE for run in found) else None

    return airflow.wait_until(ended, what=f"runs {query} have ended")


def trigger(airflow, **conf):
    # also where a test runs alone
    airflow.unpause(DAG_ID)
    body = {"logical_date": None, "conf": conf}
    response = airflow.request("POST", f"{DAG_URL}/dagRuns", json=body)
    assert response.is_success, response.text
    return response.json()["dag_run_id"]


def summary(airflow, run_id):
    return airflow.returned(DAG_ID, run_id, "summarize")


def clear(airflow, run_id, *task_ids):
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": task_ids, "only_failed": False}
    airflow.request("POST", f"{DAG_URL}/clearTaskInstances", json=body).raise_for_status()
    return airflow.finished(DAG_ID, run_id)


def states(airflow, run_id):
    found = airflow.request("GET", f"{DAG_URL}/dagRuns/{run_id}/taskInstances").json()["task_instances"]
    return {(one["task_id"], one["map_index"]): one["state"] for one in found}


def test_the_first_scheduled_run_is_for_the_latest_day_that_is_due(running):
    airflow, database = running
    airflow.request("PATCH", DAG_URL, json={"is_paused": False}).raise_for_status()
    (run,) = finished(airflow, run_type="scheduled")
    due = datetime.datetime.fromisoformat(run["run_after"])
    day = (due - datetime.timedelta(days=1)).date()
    assert run["state"] == "success"
    assert (due.time(), due.utcoffset()) == (datetime.time(3), datetime.timedelta(0))
    assert run["logical_date"] == run["data_interval_start"] == f"{day}T00:00:00Z"
    assert datetime.datetime.now(datetime.timezone.utc) - due < datetime.timedelta(days=1)
    # the organization was created now, and exists since its first row: the last seven days have trends as well
    earlier = [day - datetime.timedelta(days=days) for days in range(1, 8)]
    told = summary(airflow, run["dag_run_id"])
    assert told["triggeredBy"] == "schedule"
    first = datetime.date(2026, 11, 1)
    expected = {
        ("acme", str(one)): one.day if (one.year, one.month) == (2026, 11) and one.day < 24 else 0
        for one in (day, *earlier)
        if one >= first
    }
    assert told["lookback"] == {"periods": 7, "filled": len(expected) - 1, "corrected": 0, "kept": 0, "failed": 0}
    assert {key: row["total_classifications"] for key, row in database.trends().items()} == expected


def test_a_run_looks_back_as_far_as_when_it_listed_its_organizations(running):
    """What was not tried has not failed: in a cleared task the setting is another one."""
    airflow, database = running
    (run,) = runs(airflow, run_type="scheduled")
    told = summary(airflow, run["dag_run_id"])
    # acme exists since November 1
    assert told["trendDate"] > "2026-11-08"
    setting = "AIRFLOW__COMMUNICATION_TRENDS__LOOKBACK_DAYS"
    for days, cleared, periods in (
        ("8", ["summarize"], 7),
        ("8", ["aggregate_organization", "summarize"], 7),
        ("0", ["list_organizations", "aggregate_organization", "summarize"], 0),
        ("7", ["list_organizations", "aggregate_organization", "summarize"], 7),
    ):
        airflow.stop("scheduler")
        airflow.environment[setting] = days
        airflow.start("scheduler")
        assert clear(airflow, run["dag_run_id"], *cleared)["state"] == "success"
        expected = {"periods": periods, "filled": told["lookback"]["filled"] if periods else 0}
        assert summary(airflow, run["dag_run_id"])["lookback"] == {**told["lookback"], **expected}
    assert len(database.trends()) == 1 + told["lookback"]["filled"]


def test_a_run_triggered_over_rest_is_for_its_date(running):
    airflow, database = running
    run = airflow.finished(DAG_ID, trigger(airflow, date="2026-11-05"))
    assert run["state"] == "success"
    assert database.trend("acme", "2026-11-05")["topic_distribution"] == {"day 5": 5}


def test_the_sql_is_named_in_the_rendered_templates_and_the_slug_names_the_task_instance(running):
    airflow, _ = running
    run_id = trigger(airflow, date="2026-11-05")
    airflow.finished(DAG_ID, run_id)
    (instance,) = airflow.request(
        "GET", f"{DAG_URL}/dagRuns/{run_id}/taskInstances/aggregate_organization/listMapped"
    ).json()["task_instances"]
    assert instance["rendered_map_index"] == "acme"
    # by name: the text is the same for each of them, and Airflow's database would keep thousands of copies
    assert instance["rendered_fields"]["aggregate_sql"] == "aggregate_trends.sql"
    listing = f"{DAG_URL}/dagRuns/{run_id}/taskInstances/list_organizations"
    assert "from organizations" in airflow.request("GET", listing).json()["rendered_fields"]["sql"]
    assert instance["rendered_fields"]["upsert_sql"] == "upsert_trends.sql"


def test_a_conf_that_is_not_of_the_schema_is_refused_over_rest(running):
    airflow, _ = running
    response = airflow.request("POST", f"{DAG_URL}/dagRuns", json={"logical_date": None, "conf": {"date": "1.11.2026"}})
    assert response.status_code == 400
    assert "Invalid input for param date" in response.text


def wait_for_earlier_backfills(airflow):
    """Wait until Airflow has closed them: it allows one at a time for a DAG."""

    def closed():
        found = airflow.request("GET", "/api/v2/backfills", params={"dag_id": DAG_ID}).json()["backfills"]
        return all(backfill["completed_at"] for backfill in found)

    airflow.wait_until(closed, what="earlier backfills are closed")


def backfill(airflow, first, last, **options):
    wait_for_earlier_backfills(airflow)
    airflow.backfill(DAG_ID, first, last, **options).raise_for_status()


def backfill_by_command(airflow, *arguments):
    wait_for_earlier_backfills(airflow)
    create = ["backfill", "create", "--dag-id", DAG_ID, *arguments]
    created = run_airflow(airflow.environment, *create, check=False)
    assert created.returncode == 0, created.stderr


def test_a_backfill_makes_one_run_for_each_day_both_ends_included(running):
    airflow, database = running
    backfill_by_command(airflow, "--from-date", "2026-11-08", "--to-date", "2026-11-11")
    found = finished(airflow, run_type="backfill")
    assert [run["logical_date"][:10] for run in found] == ["2026-11-08", "2026-11-09", "2026-11-10", "2026-11-11"]
    assert {run["state"] for run in found} == {"success"}
    assert {summary(airflow, run["dag_run_id"])["triggeredBy"] for run in found} == {"backfill"}
    for day in (8, 9, 10, 11):
        assert database.trend("acme", f"2026-11-{day:02}")["topic_distribution"] == {f"day {day}": day}
    assert ("acme", "2026-11-07") not in database.trends()
    assert ("acme", "2026-11-12") not in database.trends()


def test_a_list_of_organizations_that_is_gone_is_no_empty_list(running):
    airflow, database = running
    run_id = trigger(airflow, date="2026-11-03")
    assert airflow.finished(DAG_ID, run_id)["state"] == "success"
    uri = airflow.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    with psycopg.connect(uri, autocommit=True) as metadata:
        metadata.execute("delete from xcom where run_id = %s", [run_id])
    database.connection.execute("delete from communication_trends where trend_date = '2026-11-03'")
    assert clear(airflow, run_id, "summarize")["state"] == "failed"
    log = airflow.request("GET", f"{DAG_URL}/dagRuns/{run_id}/taskInstances/summarize/logs/2?full_content=true").text
    assert "list_organizations has left no list of organizations" in log
    assert "Clear list_organizations, with Downstream" in log

    # done as the log says; then without the middle task, where summarize has to wait for the list itself
    assert clear(airflow, run_id, "list_organizations", "aggregate_organization", "summarize")["state"] == "success"
    assert database.trend("acme", "2026-11-03")["total_classifications"] == 3
    assert clear(airflow, run_id, "list_organizations", "summarize")["state"] == "success"


def test_trends_deleted_since_have_not_failed_and_all_of_the_middle_task_is_cleared(running):
    airflow, database = running
    run_id = trigger(airflow, date="2026-11-04", lookback=1)
    assert airflow.finished(DAG_ID, run_id)["state"] == "success"
    database.connection.execute("delete from communication_trends where trend_date in ('2026-11-03', '2026-11-04')")
    assert clear(airflow, run_id, "summarize")["state"] == "failed"
    log = airflow.request("GET", f"{DAG_URL}/dagRuns/{run_id}/taskInstances/summarize/logs/2?full_content=true").text
    assert "1 of 1 organizations have no trend for 2026-11-04 from this run: acme." in log
    assert "Clear all task instances of aggregate_organization, with Downstream" in log
    assert clear(airflow, run_id, "aggregate_organization", "summarize")["state"] == "success"
    assert [database.trend("acme", f"2026-11-0{day}")["total_classifications"] for day in (3, 4)] == [3, 4]


def test_a_backfill_over_rest_makes_its_days(running):
    airflow, database = running
    days = ["2026-11-12", "2026-11-13"]
    backfill(airflow, *days, reprocess_behavior="completed")
    of_days = {"logical_date_gte": f"{days[0]}T00:00:00Z", "logical_date_lte": f"{days[1]}T00:00:00Z"}
    airflow.wait_until(lambda: len(runs(airflow, run_type="backfill", **of_days)) == 2, what="both are made")
    found = finished(airflow, run_type="backfill", **of_days)
    assert [(run["logical_date"][:10], run["state"]) for run in found] == [(day, "success") for day in days]
    assert [database.trend("acme", day)["total_classifications"] for day in days] == [12, 13]


def test_what_a_task_instance_told_that_a_clear_has_removed_does_not_count(running):
    airflow, database = running
    for slug in ("k1", "k2"):
        database.classify(slug, at="2026-11-02 12:00:00", count=2)
    run_id = trigger(airflow, date="2026-11-02")
    assert airflow.finished(DAG_ID, run_id)["state"] == "success"
    ids = [database.organization(slug) for slug in ("k1", "k2")]
    database.connection.execute("delete from topic_classifications where organization_id = any(%s::uuid[])", [ids])
    everything = ("list_organizations", "aggregate_organization", "summarize")
    assert clear(airflow, run_id, *everything)["state"] == "success"
    assert summary(airflow, run_id)["keptTrends"] == 2
    database.connection.execute("delete from organizations where slug = 'k2'")
    assert clear(airflow, run_id, *everything)["state"] == "success"
    assert states(airflow, run_id)["aggregate_organization", 2] == "removed"
    told = summary(airflow, run_id)
    assert (told["organizationsProcessed"], told["trendsCreated"], told["keptTrends"]) == (2, 1, 1)
    database.connection.execute("delete from organizations where slug = 'k1'")


def test_task_instances_that_die_before_they_begin_have_nothing_to_report(running):
    """What is there of a report is from before they were cleared: Airflow removes it when their process begins."""
    airflow, database = running
    database.classify("kept", at="2026-11-06 12:00:00", count=2)
    database.classify("late", at="2026-11-06 12:00:00", count=2)
    run_id = trigger(airflow, date="2026-11-06")
    assert airflow.finished(DAG_ID, run_id)["state"] == "success"
    database.connection.execute(
        "delete from topic_classifications where organization_id = %s", [database.organization("kept")]
    )
    run_id = trigger(airflow, date="2026-11-06", lookback=1)
    assert airflow.finished(DAG_ID, run_id)["state"] == "success"
    first, before = summary(airflow, run_id), events(airflow)
    assert (first["keptTrends"], first["errors"]) == (1, 0)

    broken = Path(airflow.environment["AIRFLOW_HOME"]) / "broken"
    broken.touch()
    try:
        assert clear(airflow, run_id, "aggregate_organization", "summarize")["state"] == "failed"
    finally:
        broken.unlink()
    told = summary(airflow, run_id)
    assert (told["organizationsProcessed"], told["keptTrends"]) == (0, 0)
    assert told["failedOrganizations"] == ["acme", "kept", "late"]
    assert [one["extra"] for one in events(airflow)[len(before) :] if not one["extra"].get("hasFailed")] == []
    # and once the file can be read again, all is as it was
    assert clear(airflow, run_id, "aggregate_organization", "summarize")["state"] == "success"
    assert summary(airflow, run_id)["keptTrends"] == 1
    database.connection.execute("delete from organizations where slug in ('kept', 'late')")


def test_a_backfill_of_a_paused_dag_waits_until_it_is_unpaused(running):
    airflow, database = running
    airflow.request("PATCH", DAG_URL, json={"is_paused": True}).raise_for_status()
    backfill(airflow, "2026-11-17", "2026-11-17")
    of_day = {"run_type": "backfill", "logical_date_gte": "2026-11-17T00:00:00Z"}
    # the scheduler has had some turns
    time.sleep(5)
    assert [run["state"] for run in runs(airflow, **of_day)] == ["queued"]
    airflow.request("PATCH", DAG_URL, json={"is_paused": False}).raise_for_status()
    assert [run["state"] for run in finished(airflow, **of_day)] == ["success"]
    assert database.trend("acme", "2026-11-17")["total_classifications"] == 17


def test_no_more_connections_are_open_than_organizations_may_be_aggregated_at_once(running):
    airflow, database = running
    slugs = [f"org-{number}" for number in range(8)]
    for slug in slugs:
        database.organization(slug)
    sessions = "select count(*) from pg_stat_activity where datname = %s and pid <> all(%s) and backend_type = %s"

    def connections():
        known = [database.connection.info.backend_pid, holder.info.backend_pid]
        row = database.connection.execute(sessions, (database.name, known, "client backend")).fetchone()
        return row["count"]

    # what stores a trend waits here with its connection open, so that all that may be open at once are seen
    with psycopg.connect(database.connection.info.dsn, dbname=database.name) as holder:
        holder.execute("lock table communication_trends in exclusive mode")
        run_id = trigger(airflow, date="2026-11-15", organizations=slugs)
        airflow.wait_until(lambda: connections() >= 2, what="two connections are open")
        seen = []
        for _ in range(20):
            seen.append(connections())
            time.sleep(0.5)
    assert max(seen) == 2
    assert airflow.finished(DAG_ID, run_id)["state"] == "success"
    assert {("org-0", "2026-11-15"), ("org-7", "2026-11-15")} <= set(database.trends())


def test_a_backfill_with_a_date_in_its_conf_is_refused(running):
    airflow, database = running
    backfill(airflow, "2026-11-16", "2026-11-16", dag_run_conf={"date": "2026-11-15"})
    of_day = {"logical_date_gte": "2026-11-16T00:00:00Z", "logical_date_lte": "2026-11-16T00:00:00Z"}
    (run,) = finished(airflow, run_type="backfill", **of_day)
    assert run["state"] == "failed"
    instance = airflow.request("GET", f"{DAG_URL}/dagRuns/{run['dag_run_id']}/taskInstances/list_organizations").json()
    assert (instance["state"], instance["try_number"]) == ("failed", 1)
    log = airflow.request(
        "GET", f"{DAG_URL}/dagRuns/{run['dag_run_id']}/taskInstances/list_organizations/logs/1?full_content=true"
    ).text
    assert "date: '2026-11-15' is given in the conf of a backfill run" in log
    assert not {("acme", "2026-11-15"), ("acme", "2026-11-16")} & set(database.trends())


def test_a_failed_organization_is_retried_and_stored(running):
    airflow, database = running
    connection = database.connection
    connection.execute("alter table communication_trends add constraint broken check (total_classifications <> 14)")
    run_id = trigger(airflow, date="2026-11-14")
    path = f"{DAG_URL}/dagRuns/{run_id}/taskInstances/aggregate_organization/0"

    def retried():
        instance = airflow.request("GET", path).json()
        return instance.get("state") == "up_for_retry" or instance.get("try_number", 0) > 1

    airflow.wait_until(retried, what="it is retried")
    connection.execute("alter table communication_trends drop constraint broken")
    assert airflow.finished(DAG_ID, run_id)["state"] == "success"
    assert airflow.request("GET", path).json()["try_number"] > 1
    assert database.trend("acme", "2026-11-14")["total_classifications"] == 14


def test_an_old_run_that_is_cleared_means_its_own_day_again(running):
    airflow, database = running
    database.classify("acme", topic="late", at="2026-11-08 12:00:00")
    (run,) = runs(airflow, run_type="backfill", logical_date_lte="2026-11-08T00:00:00Z")
    airflow.request("POST", f"{DAG_URL}/dagRuns/{run['dag_run_id']}/clear", json={"dry_run": False}).raise_for_status()
    assert airflow.finished(DAG_ID, run["dag_run_id"])["state"] == "success"
    assert database.trend("acme", "2026-11-08")["topic_distribution"] == {"day 8": 8, "late": 1}


def test_a_backfill_makes_days_again_backwards_or_leaves_them(running):
    airflow, database = running
    days = ["2026-11-08", "2026-11-09", "2026-11-10", "2026-11-11"]
    ended = {run["logical_date"][:10]: run["end_date"] for run in runs(airflow, run_type="backfill")}
    for day in days:
        database.classify("acme", topic="later still", at=f"{day} 13:00:00")
    # none, the default: days that have a run are left alone
    backfill(airflow, days[0], days[-1], max_active_runs=1)
    found = finished(airflow, run_type="backfill")
    assert {run["logical_date"][:10]: run["end_date"] for run in found} == ended

    given = ["--from-date", days[0], "--to-date", days[-1], "--max-active-runs", "1"]
    backfill_by_command(airflow, *given, "--reprocess-behavior", "completed", "--run-backwards")
    airflow.wait_until(
        lambda: all(database.trend("acme", day)["topic_distribution"].get("later still") for day in days),
        what="every day was made again",
    )
    found = [run for run in finished(airflow, run_type="backfill") if run["logical_date"][:10] in days]
    assert {run["state"] for run in found} == {"success"}
    assert [run["logical_date"][:10] for run in sorted(found, key=lambda run: run["end_date"], reverse=True)] == days


def test_the_history_dag_keeps_the_latest_runs_of_either_state(running):
    airflow, database = running
    stored = database.trends()
    for _ in range(4):
        airflow.finished(DAG_ID, trigger(airflow, organizations=["nobody"]))
    ended = {
        state: [run["dag_run_id"] for run in runs(airflow, state=state, order_by="-end_date")]
        for state in ("success", "failed")
    }
    assert len(ended["success"]) > 3
    assert len(ended["failed"]) > 2

    history = "/api/v2/dags/communication_trends_history"
    assert airflow.request("GET", history).json()["is_paused"]
    airflow.request("PATCH", history, json={"is_paused": False}).raise_for_status()
    found = airflow.wait_until(
        lambda: [
            run for run in airflow.request("GET", f"{history}/dagRuns").json()["dag_runs"] if run["state"] in DONE
        ],
        what="the history DAG's scheduled run has ended",
    )
    assert found[0]["state"] == "success"

    left = {run["dag_run_id"] for run in runs(airflow)}
    # of the scheduled ones the latest stays: without it, Airflow would make that day's run again
    (scheduled,) = [run_id for run_id in ended["success"] if run_id.startswith("scheduled__")]
    assert scheduled not in ended["success"][:3]
    assert left == {*ended["success"][:3], *ended["failed"][:2], scheduled}
    instances = airflow.request("GET", f"{DAG_URL}/dagRuns/~/taskInstances", params={"limit": 1000}).json()
    assert {instance["dag_run_id"] for instance in instances["task_instances"]} == left
    assert database.trends() == stored
