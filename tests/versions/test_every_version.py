"""What holds on each version of Airflow without anything running: make test and make test-airflow both run this."""

from __future__ import annotations

import collections
import datetime
import decimal
import json
import os
import random
import subprocess
import sys

import pytest
from airflow_dag import DAG_ID
from psycopg.types.json import Jsonb
from stored import COLUMNS

from communication_trends import __version__
from local import ROOT
from local.airflow import run_airflow

DAYS = [datetime.date(2026, 10, 31) + datetime.timedelta(days=days) for days in range(6)]
SLUGS = ["acme", "bolt", "idle"]


def source_rows():
    """Return messages and alerts as (slug, moment, …), the same each time."""
    pick = random.Random(20261101)
    messages, alerts = [], []
    for day in DAYS:
        for slug in SLUGS[:2]:
            for _ in range(pick.randint(30, 60)):
                messages.append(
                    (
                        slug,
                        datetime.datetime.combine(day, datetime.time.min)
                        + datetime.timedelta(
                            microseconds=pick.choice([0, 86_399_999_999, pick.randrange(86_400_000_000)])
                        ),
                        pick.choice(["complaint", "escalation", "general", ""]),
                        pick.choice(["C1", "C2", None]),
                        pick.choice([None, 0, 33, 80, 81, 100]),
                        pick.choice([None, {"tone": "angry"}, {"tone": ""}, {"tone": "positive"}, [1]]),
                    )
                )
            alerts += [
                (slug, datetime.datetime.combine(day, datetime.time(23, 59, 59)), pick.choice(["high", "critical"]))
                for _ in range(pick.randint(0, 3))
            ]
    return messages, alerts


def insert(database, messages, alerts):
    for slug in SLUGS:
        database.organization(slug)
    with database.connection.cursor() as cursor:
        cursor.executemany(
            "insert into topic_classifications (organization_id, created_at, topic, channel_id, confidence, sentiment)"
            " values (%s, %s, %s, %s, %s, %s)",
            [
                (database.organization(slug), *values, None if sentiment is None else Jsonb(sentiment))
                for slug, *values, sentiment in messages
            ],
        )
        cursor.executemany(
            "insert into escalation_alerts (organization_id, created_at, severity) values (%s, %s, %s)",
            [(database.organization(slug), *values) for slug, *values in alerts],
        )


def half_up(value):
    return int(decimal.Decimal(value).quantize(decimal.Decimal(1), decimal.ROUND_HALF_UP))


def expected(slug, day, messages, alerts, days=1):
    """Return the trend of a day, or of so many from it on, as Python computes it, without SQL."""
    dates = [day + datetime.timedelta(days=age) for age in range(days)]
    mine = [row for row in messages if row[0] == slug and row[1].date() in dates]
    tones = [row[5]["tone"] for row in mine if isinstance(row[5], dict) and row[5]["tone"]]
    confidences = [row[4] for row in mine if row[4] is not None]
    hotspots = []
    for channel, count in collections.Counter(row[3] for row in mine if row[3] is not None).items():
        risky = sum(row[3] == channel and row[2] in ("complaint", "escalation") for row in mine)
        if count >= 10 and 10 * risky > 3 * count:
            score = half_up(decimal.Decimal(100 * risky) / count)
            hotspots.append({"channelId": channel, "riskScore": score, "messageCount": count})
    return {
        "topic_distribution": dict(collections.Counter(row[2] for row in mine)),
        "sentiment_distribution": dict(collections.Counter(tones)),
        "escalation_counts": dict(
            collections.Counter(row[2] for row in alerts if row[:1] == (slug,) and row[1].date() in dates)
        ),
        "channel_hotspots": sorted(hotspots, key=lambda h: (-h["riskScore"], -h["messageCount"], h["channelId"])),
        "total_classifications": len(mine),
        "avg_confidence": half_up(decimal.Decimal(sum(confidences)) / len(confidences)) if confidences else None,
    }


def stored(database, period="daily"):
    return {key: {name: row[name] for name in COLUMNS} for key, row in database.trends(period).items()}


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
