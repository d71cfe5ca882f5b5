"""On any version of Airflow, with whatever it brings: the package is read, runs once, and says what it did."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from airflow_dag import load_bag
from versions.rows import DAYS, SLUGS, expected, insert, source_rows, stored

from communication_trends import __version__
from local import ROOT
from local.airflow import run_airflow

DAG_ID = "communication_trends_daily"

AIRFLOW = importlib.metadata.version("apache-airflow")

# docs/upgrading.md
rejected = pytest.mark.skipif(AIRFLOW not in ("3.0.0", "3.0.1"), reason="runs the package")
accepted = pytest.mark.skipif(AIRFLOW in ("3.0.0", "3.0.1"), reason="rejects this version")


@accepted
def test_one_run_stores_the_trends_and_logs_its_summary(database):
    messages, alerts = source_rows()
    insert(database, messages, alerts)
    day = DAYS[1]
    # before 3.2, a run that the DAG processor has not preceded finds its asset inactive
    run_airflow({}, "dags", "reserialize")
    # both streams: which one has the log depends on the version
    run = run_airflow({}, "dags", "test", DAG_ID, str(day))
    said = run.stdout + run.stderr
    assert stored(database) == {(slug, str(day)): expected(slug, day, messages, alerts) for slug in SLUGS}
    found = re.search(rf"Summary \(version {re.escape(__version__)}\): (\{{.*\}})", said)
    assert found, said[-3000:]
    summary = json.loads(found[1])
    assert (summary["trendDate"], summary["organizationsProcessed"], summary["trendsCreated"]) == (str(day), 3, 3)
    assert summary["errors"] == 0


@accepted
def test_the_examples_of_the_documentation_are_read():
    bag = load_bag(str(ROOT / "docs" / "examples"))
    assert bag.import_errors == {}
    assert set(bag.dags) == {"check_communication_trends", "trends_consumer"}


@accepted
def test_the_example_of_a_consumer_names_who_has_failed_in_the_last_event_of_each_run():
    def event(hour, run, date, *failed, changed):
        extra = {"runId": run, "trendDate": date, "failedOrganizations": list(failed), "changedPeriods": changed}
        return SimpleNamespace(timestamp=datetime.datetime(2026, 11, 3, hour), extra=extra)

    by_hand = SimpleNamespace(timestamp=datetime.datetime(2026, 11, 3, 1), extra={})
    first = {"2026-11-01": {"filled": 1, "corrected": 0}, "2026-11-02": {"filled": 7, "corrected": 0}}
    events = [
        event(9, "cleared", "2026-11-01", changed=first),
        event(5, "for acme", "2026-11-02", changed={}),
        event(3, "scheduled", "2026-11-02", "beta", "gamma", changed=first),
        event(4, "cleared", "2026-11-01", "acme", changed={}),
        by_hand,
    ]
    read_days = load_bag(str(ROOT / "docs" / "examples")).dags["trends_consumer"].get_task("read_days").python_callable
    assert read_days(triggering_asset_events={"communication_trends": events}) == {
        "days": ["2026-11-01", "2026-11-02"],
        "failed": {"2026-11-02": ["beta", "gamma"]},
    }
    assert read_days() == {"days": [], "failed": {}}


@accepted
def test_the_installation_is_whole(database):
    command = [sys.executable, str(ROOT / "plugins" / "communication_trends"), "check"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@rejected
def test_the_package_says_that_it_does_not_run_here():
    command = [sys.executable, str(ROOT / "dags" / "communication_trends_periods.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins")}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert f"ImportError: communication_trends does not run on Airflow {AIRFLOW}" in run.stderr
    assert "upgrade Airflow to 3.0.6 or newer" in run.stderr
