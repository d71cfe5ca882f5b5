"""What holds on each version of Airflow without anything running: make test and make test-airflow both run this."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from airflow_dag import DAG_ID

from communication_trends import __version__
from local import ROOT
from local.airflow import run_airflow


def python(code, **environment):
    """Run Python in a process of its own, and return what it printed last."""
    result = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return result.stdout.splitlines()[-1]


def test_the_dags_load_without_errors_and_warnings(tmp_path):
    # a DAG of the same imports first: what Airflow and its providers warn of themselves is not about ours
    (tmp_path / "other.py").write_text("from airflow.providers.common.compat.sdk import DAG\nDAG('other')\n")
    code = (
        "import json; from airflow_dag import load_bag;"
        f"load_bag({str(tmp_path)!r}); bag = load_bag();"
        "print(json.dumps([bag.import_errors, bag.captured_warnings, bag.dags[%r].task_ids, list(bag.dags)]))"
    )
    errors, warnings, tasks, dags = json.loads(python(code % DAG_ID, PYTHONPATH=str(ROOT / "tests")))
    assert (errors, warnings) == ({}, {})
    assert tasks == ["list_organizations", "aggregate_organization", "summarize"]
    assert set(dags) >= {DAG_ID, "communication_trends_history"}


def test_a_package_that_is_too_old_or_missing_is_named_in_one_sentence():
    cases: dict[tuple[str, str | None], str] = {
        ("apache-airflow-providers-postgres", "5.13.1"): (
            "communication_trends needs apache-airflow-providers-postgres 5.14.0 or newer; 5.13.1 is installed:"
            " pip install --upgrade 'apache-airflow-providers-postgres>=5.14.0'."
        ),
        ("apache-airflow-providers-postgres", None): (
            "communication_trends needs apache-airflow-providers-postgres, which is not installed:"
            " pip install 'apache-airflow-providers-postgres>=5.14.0'."
        ),
        ("httpx", None): "communication_trends needs httpx, which is not installed: pip install 'httpx'.",
        ("airflow", "2.10.5"): (
            "communication_trends needs Airflow 2.11 or newer; 2.10.5 is installed: upgrade Airflow."
        ),
        **{
            ("airflow", version): (
                f"communication_trends does not run on Airflow {version}, which cannot hand over what mapped task"
                " instances have reported, so that the summary of a run would be wrong: upgrade Airflow to 3.0.6 or"
                " newer."
            )
            for version in ("3.0.0", "3.0.1")
        },
    }
    # only pretended: what is installed is not too old; each case in a fork, which has loaded Airflow but no DAG yet
    code = (
        "import importlib.metadata as metadata, json, os, airflow; real = metadata.version\n"
        "from airflow_dag import load_bag; from airflow.providers_manager import ProvidersManager\n"
        # Airflow's providers ask for its version too: they are loaded before it is changed
        "for name in ProvidersManager().providers: __import__(name.replace('apache-', '').replace('-', '.'))\n"
        "def errors(package, pretended):\n"
        "  def version(name):\n"
        "    if name != package: return real(name)\n"
        "    if pretended is None: raise metadata.PackageNotFoundError(name)\n"
        "    return pretended\n"
        "  metadata.version = version\n"
        "  airflow.__version__ = pretended if package == 'airflow' else airflow.__version__\n"
        "  return load_bag().import_errors\n"
        "found = []\n"
        f"for case in {list(cases)}:\n"
        "  read, write = os.pipe()\n"
        "  if not os.fork():\n"
        "    os.write(write, json.dumps(errors(*case)).encode()); os._exit(0)\n"
        "  os.close(write); os.wait(); found.append(os.fdopen(read).read())\n"
        "print(json.dumps(found))"
    )
    # the plugin says the same, in the log
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT / "plugins")])
    found = json.loads(python(code, PYTHONPATH=path, AIRFLOW__CORE__PLUGINS_FOLDER="/nowhere"))
    for said, told in zip(cases.values(), found, strict=True):
        errors = json.loads(told)
        assert len(errors) == len(list((ROOT / "dags").glob("*.py")))
        assert all(said in error for error in errors.values())


def test_the_plugin_is_listed_and_nothing_else_of_the_package():
    listed = json.loads(run_airflow({}, "plugins", "-o", "json").stdout)
    ours = [plugin for plugin in listed if "communication_trends" in json.dumps(plugin)]
    assert [plugin["name"] for plugin in ours] == ["communication_trends"]
    assert f"communication_trends_plugin.py ({__version__})" in ours[0]["source"]


def test_the_command_line_finds_a_connection_that_was_added_in_airflow(database, server, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB")
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__CONN_ID", "only_in_airflow")
    run_airflow({}, "connections", "add", "only_in_airflow", "--conn-json", server.airflow_connection(database.name))
    command = [sys.executable, str(ROOT / "plugins" / "communication_trends"), "freshness"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    # which it has read: nothing is in the tables
    assert (run.returncode, run.stdout) == (1, "FAILED  there is no organization\n")


def test_the_package_is_no_plugin_in_either_ignore_syntax():
    # each in a fork, which has loaded Airflow but no plugin yet
    code = (
        "import os, sys; from airflow.plugins_manager import ensure_plugins_loaded; found = []\n"
        "for syntax in ('glob', 'regexp'):\n"
        "  if not os.fork():\n"
        "    os.environ['AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX'] = syntax; ensure_plugins_loaded()\n"
        "    theirs = set(sys.modules) & {'operators', 'settings', 'compat', 'period', 'timetable'}\n"
        "    os._exit(len(theirs) + 10 * ('communication_trends_plugin' not in str(sys.modules)))\n"
        "  found.append(os.waitstatus_to_exitcode(os.wait()[1]))\n"
        "print(found)"
    )
    assert python(code, PYTHONPATH=str(ROOT)) == "[0, 0]"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Africa/Cairo"])
def test_dates_are_utc_dates_in_every_default_time_zone(zone):
    # 24 April 2026 has no midnight in Cairo
    code = (
        "from airflow.utils import timezone; from airflow.timetables.base import TimeRestriction;"
        "from communication_trends.timetable import PeriodTimetable;"
        "from communication_trends.core.period import DAILY, MONTHLY, WEEKLY\n"
        "for k, f, l in ((DAILY, '2026-11-01', '2026-11-04'), (DAILY, '2026-04-22', '2026-04-24'),\n"
        "    (WEEKLY, '2026-12-28', '2027-01-04'), (MONTHLY, '2024-02-01', '2024-03-01')):\n"
        "  t, r, i = PeriodTimetable(k), TimeRestriction(timezone.parse(f), timezone.parse(l), True), None\n"
        "  while i := t.next_dagrun_info(last_automated_data_interval=i and i.data_interval, restriction=r):\n"
        "    print('day', i.logical_date.isoformat())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "AIRFLOW__CORE__DEFAULT_TIMEZONE": zone, "PYTHONPATH": str(ROOT / "plugins")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line[4:14] for line in result.stdout.splitlines() if line.startswith("day ")] == [
        "2026-11-01",
        "2026-11-02",
        "2026-11-03",
        "2026-11-04",
        "2026-04-22",
        "2026-04-23",
        "2026-04-24",
        "2026-12-28",
        "2027-01-04",
        "2024-02-01",
        "2024-03-01",
    ]
