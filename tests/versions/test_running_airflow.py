"""
One running Airflow of each version, which others use as well: their DAGs, their plugins, one scheduler.

Every kind of run is made in it for real. Their DAG is scheduled on the trends, their mail server hears of a failed run
and of what is unusual, their chat gets the digest. The tests are in order: each goes on from where the one before has
left Airflow.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys

import httpx
import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow_dag import DAG_ID

from communication_trends.compat import HAS_EXTERNAL_VIEWS
from local.airflow import run_airflow
from versions.operating import as_dict, metadata, pause, run_states, trigger
from versions.rows import DAYS, SLUGS, expected, insert, source_rows, stored

WEEKLY = "communication_trends_weekly"
MONTHLY = "communication_trends_monthly"
CHECK = "check_communication_trends"


def extra(event):
    return as_dict(event["extra"])


def scheduled(event):
    return extra(event)["triggeredBy"] == "schedule"


def runs(airflow, run_type, dag_id=DAG_ID):
    """Return the runs of one type, by the first day that each is for, once all have ended; None: by its conf."""

    def ended():
        found = metadata(
            airflow,
            "select (data_interval_start at time zone 'UTC')::date as day, state,"
            " data_interval_end - data_interval_start as length from dag_run where dag_id = %s and run_type = %s",
            dag_id,
            run_type,
        )
        return found if found and all(run["state"] in ("success", "failed") for run in found) else None

    found = airflow.wait_until(ended, what=f"{run_type} runs have ended")
    assert len({run["day"] for run in found}) == len(found)
    return {run["day"]: run for run in found}


def test_both_are_listed(foreign):
    airflow, _ = foreign
    if not AIRFLOW_V_3_0_PLUS:
        run_airflow(airflow.environment, "dags", "reserialize")
    ours = {DAG_ID, WEEKLY, MONTHLY, "theirs_operators_settings", "trends_consumer", CHECK}

    def listed():
        return {row["dag_id"] for row in metadata(airflow, "select dag_id from dag")} >= ours

    airflow.wait_until(listed, what="all DAGs are parsed")
    assert not metadata(airflow, "select * from import_error")
    assert {row["dag_id"] for row in metadata(airflow, "select dag_id from dag")} == ours
    if AIRFLOW_V_3_0_PLUS:
        plugins = airflow.request("GET", "/api/v2/plugins").raise_for_status().json()["plugins"]
    else:
        plugins = json.loads(run_airflow(airflow.environment, "plugins", "-o", "json").stdout)
    assert {"communication_trends", "theirs_operators_settings"} <= {plugin["name"] for plugin in plugins}


def test_the_scheduler_runs_the_day_that_is_due(foreign):
    airflow, database = foreign
    yesterday = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=27)).date()
    insert(database, *source_rows())
    database.classify("acme", topic="complaint", at=f"{yesterday} 23:59:59.999999", count=3)
    last_week = yesterday - datetime.timedelta(days=yesterday.weekday() + 7)
    database.classify("acme", at=f"{last_week} 12:00", count=3)
    airflow.start("scheduler")
    # what a user types who has just installed it
    run_airflow(airflow.environment, "dags", "unpause", DAG_ID)
    pause(airflow, "trends_consumer", False)
    ((day, run),) = runs(airflow, "scheduled").items()
    assert (run["state"], run["length"]) == ("success", datetime.timedelta(days=1))
    # a later day where 03:00 UTC has passed since the test began
    assert day in (yesterday, yesterday + datetime.timedelta(days=1))
    assert {slug for slug, stored_day in stored(database) if stored_day == str(day)} == set(SLUGS)
    assert database.trend("acme", day)["topic_distribution"] == ({"complaint": 3} if day == yesterday else {})
    names = metadata(
        airflow,
        "select rendered_map_index as name from task_instance where dag_id = %s and task_id = 'aggregate_organization'",
        DAG_ID,
    )
    assert {row["name"] for row in names} == set(SLUGS)


def test_the_example_checks_the_installation_on_a_worker(foreign):
    airflow, _ = foreign
    pause(airflow, CHECK, False)
    trigger(airflow, "checked", {}, CHECK)
    airflow.wait_until(lambda: run_states(airflow, CHECK)["checked"] in ("success", "failed"), what="it has ended")
    (log,) = airflow.logs.glob(f"dag_id={CHECK}/run_id=checked/task_id=check/*.log")
    said = log.read_text()
    assert run_states(airflow, CHECK) == {"checked": "success"}, said
    for part in ("ok plugin: registered", "ok settings:", "ok SQL:", f"communication_trends_periods.py: {DAG_ID}"):
        assert part in said
    assert "ok database: communication_trends_db: the source can be read and trends can be stored" in said


def test_the_scheduler_runs_the_week_and_the_month_that_are_due_and_the_week_has_a_digest(foreign, webhook):
    airflow, database = foreign
    for dag_id, lengths in {WEEKLY: [7], MONTHLY: [28, 29, 30, 31]}.items():
        pause(airflow, dag_id, False)
        ((first, run),) = runs(airflow, "scheduled", dag_id).items()
        pause(airflow, dag_id, True)
        assert run["state"] == "success"
        assert run["length"].days in lengths
        rows = database.connection.execute(
            "select count(*) from communication_trends where trend_period = %s and trend_date = %s",
            (dag_id.removeprefix("communication_trends_"), first),
        ).fetchone()
        assert rows["count"] == len(SLUGS)
    # the daily run of a Sunday has sent it as well: the weekly DAG was off
    sundays = [day for day in runs(airflow, "scheduled") if day.isoweekday() == 7]
    (week,) = runs(airflow, "scheduled", WEEKLY)
    texts = [posted["text"] for posted in webhook.posted]
    # from 03:00 to 03:30 UTC on a Monday the last Sunday's run is due, and that of its week is not
    weeks = [week, *(day - datetime.timedelta(days=6) for day in sundays)]
    titles = [f"Communication trends, {one.day} {one:%b}" for one in weeks]
    assert len(texts) == len(titles)
    for title in titles:
        assert sum(text.startswith(title) for text in texts) == titles.count(title)
    for text in texts:
        assert re.search(r"\n- Acme: \d+ messages", text)
        assert (f"\n\n{airflow.url}/plugin/communication-trends?period=" in text) == HAS_EXTERNAL_VIEWS


def test_a_manual_run_is_for_the_date_of_its_conf_or_for_its_data_interval(foreign):
    airflow, database = foreign
    run_airflow(airflow.environment, "dags", "trigger", DAG_ID, "-c", json.dumps({"date": str(DAYS[0])}))
    # Airflow asks the timetable for the interval: the last completed day at that moment
    moment = f"{DAYS[5] + datetime.timedelta(days=1)}T12:00:00+00:00"
    expected_days = [DAYS[0], DAYS[5]]
    if AIRFLOW_V_3_0_PLUS:
        # over REST: the command line of Airflow 3 asks it for the current time, whatever the logical date
        given = {"data_interval_start": f"{DAYS[4]}T00:00:00Z", "data_interval_end": f"{DAYS[5]}T00:00:00Z"}
        for body in ({"logical_date": moment}, {"logical_date": f"{DAYS[5]}T12:00:00Z", **given}):
            airflow.request("POST", f"/api/v2/dags/{DAG_ID}/dagRuns", json=body).raise_for_status()
        expected_days.append(DAYS[4])
    else:
        run_airflow(airflow.environment, "dags", "trigger", DAG_ID, "--exec-date", moment)
    found = airflow.wait_until(
        lambda: len(made := runs(airflow, "manual")) == len(expected_days) and made,
        what="the runs are there",
    )
    assert {run["state"] for run in found.values()} == {"success"}
    messages, alerts = source_rows()
    for day in expected_days:
        of_day = {key: row for key, row in stored(database).items() if key[1] == str(day)}
        assert of_day == {(slug, str(day)): expected(slug, day, messages, alerts) for slug in SLUGS}


def test_airflow_dags_test_is_for_the_day_that_it_names(foreign):
    airflow, database = foreign
    # the scheduler would run the same task instances at the same time, and looks even at the runs of paused DAGs
    unfinished = "select 1 from dag_run join dag using (dag_id) where state in ('queued', 'running') and not is_paused"
    airflow.wait_until(lambda: not metadata(airflow, unfinished), what="nothing runs")
    airflow.stop("scheduler")
    run_airflow(airflow.environment, "dags", "test", DAG_ID, "2026-10-30")
    airflow.start("scheduler")
    assert {slug for slug, day in stored(database) if day == "2026-10-30"} == set(SLUGS)


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="test_airflow2.py makes backfills by the command of Airflow 2")
def test_a_backfill_of_four_days_makes_exactly_those(foreign):
    airflow, database = foreign
    days = DAYS[1:5]
    # the tests before have stored some of them
    database.connection.execute("delete from communication_trends where trend_date = any(%s)", [days])
    before = set(stored(database))
    dates = ["--from-date", str(days[0]), "--to-date", str(days[-1])]
    run_airflow(airflow.environment, "backfill", "create", "--dag-id", DAG_ID, *dates)
    airflow.wait_until(
        lambda: metadata(airflow, "select id from backfill where completed_at is not null"),
        what="the backfill is closed",
    )
    made = runs(airflow, "backfill")
    assert {day: run["state"] for day, run in made.items()} == dict.fromkeys(days, "success")
    messages, alerts = source_rows()
    rows = {key: row for key, row in stored(database).items() if key not in before}
    assert rows == {(slug, str(day)): expected(slug, day, messages, alerts) for day in days for slug in SLUGS}


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="test_airflow2.py makes backfills by the command of Airflow 2")
@pytest.mark.parametrize(
    ("dag_id", "first", "last", "made"),
    [
        # weeks whose Monday is in the range, months whose 1st is
        (WEEKLY, "2026-10-26", "2026-11-08", {"2026-10-26": 7, "2026-11-02": 7}),
        (MONTHLY, "2026-09-02", "2026-10-31", {"2026-10-01": 31}),
    ],
)
def test_a_backfill_of_weeks_or_months_makes_those_that_begin_in_the_range(foreign, dag_id, first, last, made):
    airflow, database = foreign
    database.connection.execute("delete from communication_trends where trend_period <> 'daily'")
    pause(airflow, dag_id, False)
    airflow.backfill(dag_id, first, last, reprocess_behavior="completed").raise_for_status()
    found = airflow.wait_until(
        lambda: len(found := runs(airflow, "backfill", dag_id)) == len(made) and found,
        what="the runs are there",
    )
    pause(airflow, dag_id, True)
    assert {str(day): (run["state"], run["length"].days) for day, run in found.items()} == {
        day: ("success", length) for day, length in made.items()
    }
    messages, alerts = source_rows()
    assert stored(database, dag_id.removeprefix("communication_trends_")) == {
        (slug, day): expected(slug, datetime.date.fromisoformat(day), messages, alerts, days=length)
        for day, length in made.items()
        for slug in SLUGS
    }


@pytest.mark.skipif(not HAS_EXTERNAL_VIEWS, reason="the page needs Airflow 3.1.2")
def test_the_page_answers_a_range_to_a_user_who_is_logged_in_and_to_no_other(foreign):
    airflow, _ = foreign
    api = f"{airflow.url}/communication-trends/api/v1"
    answers = {}
    # a page brings Airflow's session cookie, a script a token
    for name, headers in {
        "page": {"Cookie": f"_token={airflow.token}"},
        "script": {"Authorization": f"Bearer {airflow.token}"},
        "nobody": {},
    }.items():
        answers[name] = [
            httpx.get(url, params=params, headers=headers, timeout=60)
            for url, params in [
                (f"{api}/organizations/acme/trends", {"from": str(DAYS[1]), "to": str(DAYS[3])}),
                (f"{api}/trends", {"from": "garbage"}),
                (f"{api}/openapi.json", {}),
                (f"{airflow.url}/communication-trends/", {}),
            ]
        ]
    assert {name: [answer.status_code for answer in given] for name, given in answers.items()} == {
        "page": [200, 422, 200, 200],
        "script": [200, 422, 200, 200],
        "nobody": [401, 401, 401, 401],
    }
    trends, refused, described, _ = answers["page"]
    messages, alerts = source_rows()
    computed = [expected("acme", day, messages, alerts) for day in DAYS[1:4]]
    assert [(day["date"], day["topics"], day["avgConfidence"]) for day in trends.json()["days"]] == [
        (str(day), trend["topic_distribution"], trend["avg_confidence"])
        for day, trend in zip(DAYS[1:4], computed, strict=True)
    ]
    assert "garbage" in refused.text
    assert "/api/v1/trends" in described.json()["paths"]


def test_a_run_starts_the_dags_that_are_scheduled_on_the_trends_and_a_failed_one_sends_a_mail(foreign, mailbox):
    airflow, database = foreign
    # eight Thursdays before
    for week, count in enumerate([4, 5, 6, 5, 4, 5, 6, 5], start=1):
        database.connection.execute(
            "insert into communication_trends (organization_id, trend_date, trend_period, total_classifications)"
            " values (%s, %s, 'daily', %s)",
            (database.organization("acme"), datetime.date(2026, 11, 5) - datetime.timedelta(7 * week), count),
        )
    trigger(airflow, "good", {"date": "2026-11-05"})

    def ended(dag_id, run_id=None):
        states = run_states(airflow, dag_id)
        found = [state for id_, state in states.items() if run_id in (None, id_)]
        return found if found and set(found) <= {"success", "failed"} else None

    assert airflow.wait_until(lambda: ended(DAG_ID, "good"), what="the run has ended") == ["success"]
    messages = expected("acme", DAYS[5], *source_rows())["total_classifications"]
    said = f"{messages} messages; on Thursdays usually 4 to 6"
    ((recipients, mail),) = [one for one in mailbox.mails if one[0] == ["lead@example.com"]]
    assert mail["subject"].startswith("Communication trends, Thu, 5 Nov 2026: ")
    # a link where Airflow knows its address
    assert f"<b>Acme</b>{'</a>' if AIRFLOW_V_3_0_PLUS else ''}: {said}</li>" in mail.get_body(("html",)).get_content()
    consumed = airflow.wait_until(lambda: ended("trends_consumer"), what="the consumer has run")
    assert set(consumed) == {"success"}
    rows = metadata(airflow, "select value from xcom where dag_id = 'trends_consumer' and key = 'return_value'")
    read = [as_dict(row["value"]) for row in rows]
    assert "2026-11-05" in {day for one in read for day in one["days"]}
    assert [one["failed"] for one in read] == [{}] * len(read)

    database.connection.execute("alter table communication_trends add constraint broken check (false) not valid")
    trigger(airflow, "bad", {"date": "2026-11-06"})
    assert airflow.wait_until(lambda: ended(DAG_ID, "bad"), what="the run has ended") == ["failed"]

    def about_bad():
        # the scheduled run may have met the constraint as well: it has a mail of its own
        return [(to, mail) for to, mail in mailbox.mails if mail["subject"] == "bad failed"]

    airflow.wait_until(about_bad, what="the mail is there")
    airflow.stop("scheduler")
    ((recipients, mail),) = about_bad()
    assert recipients == ["oncall@example.com"]
    assert mail["from"] == "airflow@example.com"

    # three organizations, one update; the failed run made none
    table = "asset_event" if AIRFLOW_V_3_0_PLUS else "dataset_event"
    # of this DAG: the run of a week has the same id as that of its first day
    events = metadata(airflow, f"select source_run_id, extra from {table} where source_dag_id = %s", DAG_ID)
    extras = {event["source_run_id"]: event["extra"] for event in events}
    assert len(events) == len(extras)
    assert "bad" not in extras
    good = extra({"extra": extras["good"]})
    assert {key: good[key] for key in ("trendDate", "organizationsProcessed", "trendsCreated", "errors")} == {
        "trendDate": "2026-11-05",
        "organizationsProcessed": 3,
        "trendsCreated": 3,
        "errors": 0,
    }
    assert said in [one["sentence"] for one in good["attention"]["findings"]]

    # weeks and months have assets of their own, which wake nobody who waits for the days
    kinds = "asset" if AIRFLOW_V_3_0_PLUS else "dataset"
    updates = metadata(
        airflow,
        f"select source_dag_id, uri, {table}.extra from {table} join {kinds} on {kinds}.id = {table}.{kinds}_id",
    )
    uris = {DAG_ID: "communication_trends", **{dag_id: dag_id for dag_id in (WEEKLY, MONTHLY)}}
    assert {(update["source_dag_id"], update["uri"]) for update in updates} == set(uris.items())
    heard = metadata(
        airflow, f"select distinct source_dag_id from dagrun_{kinds}_event join {table} on {table}.id = event_id"
    )
    assert [row["source_dag_id"] for row in heard] == [DAG_ID]
    # a scheduled run looks back over one of its periods
    looked_back = {(row["source_dag_id"], extra(row)["lookback"]["periods"]) for row in updates if scheduled(row)}
    assert looked_back == {(DAG_ID, 7), (WEEKLY, 1), (MONTHLY, 1)}


OF_WHICH_THE_CALLBACK_GETS_ONE = f"""
from airflow.models import DagBag, DagRun
from airflow.utils.session import create_session

dag = DagBag().dags["{DAG_ID}"]
with create_session() as session:
    (run,) = DagRun.find(dag_id=dag.dag_id, run_id="bad", session=session)
    for instance in run.get_task_instances(session=session):
        instance.task = dag.get_task(instance.task_id)
        context = instance.get_template_context(session=session)
        print("context:", context["run_id"], instance.task_id, instance.map_index, instance.state)
"""


@pytest.mark.skipif(AIRFLOW_V_3_0_PLUS, reason="its callbacks get no context of a task instance")
def test_each_task_instance_of_a_run_whose_list_failed_has_a_context(foreign):
    airflow, _ = foreign
    command = [sys.executable, "-c", OF_WHICH_THE_CALLBACK_GETS_ONE]
    run = subprocess.run(
        command, env={**os.environ, **airflow.environment}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert sorted(line for line in run.stdout.splitlines() if line.startswith("context:")) == [
        "context: bad aggregate_organization -1 upstream_failed",
        "context: bad list_organizations -1 failed",
        "context: bad summarize -1 failed",
    ]
