"""
The package in an Airflow that others use as well: their DAGs, their plugins, one scheduler.

Their DAG is scheduled on the trends, and their mail server hears of a failed run.
"""

from __future__ import annotations

import json
import shutil
import socket
from email import message_from_bytes

import psycopg
import pytest
from aiosmtpd.controller import Controller
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow_dag import DAG_ID
from conftest import running_airflow_on
from psycopg.rows import dict_row

from local import ROOT
from local.airflow import run_airflow

THEIR_FILES = {
    "plugins/operators.py": "THEIRS = 'operators'\n",
    "plugins/settings.py": "THEIRS = 'settings'\n",
    "plugins/their_plugin.py": (
        "from airflow.plugins_manager import AirflowPlugin\n"
        "import operators, settings\n"
        "class TheirPlugin(AirflowPlugin):\n"
        "    name = f'theirs_{operators.THEIRS}_{settings.THEIRS}'\n"
    ),
    "plugins/.airflowignore": "not_for_airflow/\n",
    "dags/theirs.py": (
        "from airflow.providers.common.compat.sdk import DAG, task\n"
        "import operators, settings\n"
        "with DAG(dag_id=f'theirs_{operators.THEIRS}_{settings.THEIRS}', schedule=None):\n"
        "    task(task_id='only')(lambda: None)()\n"
    ),
}


class Mailbox:
    """What an SMTP server got."""

    def __init__(self):
        self.mails = []
        self.port = 0

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 OK"


@pytest.fixture(scope="module")
def mailbox():
    mailbox = Mailbox()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        mailbox.port = listener.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    yield mailbox
    controller.stop()


@pytest.fixture(scope="module")
def foreign(server, tmp_path_factory, mailbox):
    home = tmp_path_factory.mktemp("foreign")
    for name, text in THEIR_FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    # what docs/installing.md says
    shutil.copy(ROOT / "dags" / "communication_trends_daily.py", home / "dags")
    shutil.copy(ROOT / "plugins" / "communication_trends_plugin.py", home / "plugins")
    shutil.copytree(ROOT / "plugins" / "communication_trends", home / "plugins" / "communication_trends")
    with (home / "plugins" / ".airflowignore").open("a") as ignored:
        ignored.write((ROOT / "plugins" / ".airflowignore").read_text())
    shutil.copytree(ROOT / "sql", home / "include" / "communication_trends" / "sql")
    shutil.copy(ROOT / "docs" / "examples" / "trends_consumer.py", home / "dags")
    mail = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": mailbox.port,
        "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.com"},
    }
    message = {"to": "oncall@example.com", "subject": "{{ run_id }} failed", "html_content": "{{ run_id }}"}
    with running_airflow_on(
        server,
        home,
        AIRFLOW__CORE__DAGS_FOLDER=str(home / "dags"),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(home / "plugins"),
        AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH=str(home / "include" / "communication_trends" / "sql"),
        AIRFLOW__COMMUNICATION_TRENDS__FAILURE_NOTIFIER="airflow.providers.smtp.notifications.smtp.SmtpNotifier",
        AIRFLOW__COMMUNICATION_TRENDS__FAILURE_NOTIFIER_KWARGS=json.dumps(message),
        AIRFLOW__COMMUNICATION_TRENDS__RETRIES="0",
        AIRFLOW_CONN_SMTP_DEFAULT=json.dumps(mail),
    ) as (airflow, database):
        yield airflow, database


def metadata(airflow, statement, *values):
    uri = airflow.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    with psycopg.connect(uri, row_factory=dict_row) as connection:
        return connection.execute(statement, values).fetchall()


def run_states(airflow, dag_id):
    rows = metadata(airflow, "select run_id, state from dag_run where dag_id = %s", dag_id)
    return {row["run_id"]: row["state"] for row in rows}


def test_both_are_listed(foreign):
    airflow, _ = foreign
    run_airflow(airflow.environment, "dags", "reserialize")
    assert not metadata(airflow, "select * from import_error")
    names = {row["dag_id"] for row in metadata(airflow, "select dag_id from dag")}
    assert names == {DAG_ID, "theirs_operators_settings", "trends_consumer"}
    listed = json.loads(run_airflow(airflow.environment, "plugins", "-o", "json").stdout)
    assert {"communication_trends", "theirs_operators_settings"} <= {plugin["name"] for plugin in listed}


def test_a_run_starts_the_dags_that_are_scheduled_on_the_trends_and_a_failed_one_sends_a_mail(foreign, mailbox):
    airflow, database = foreign
    database.classify("acme", topic="complaint", count=3)
    database.organization("idle")
    airflow.start(*(["api-server", "dag-processor", "scheduler"] if AIRFLOW_V_3_0_PLUS else ["scheduler"]))
    # the scheduled run of the latest day waits; it is not what this is about
    run_airflow(airflow.environment, "dags", "unpause", "trends_consumer")
    run_airflow(airflow.environment, "dags", "trigger", DAG_ID, "-r", "good", "-c", '{"date": "2026-11-01"}')
    run_airflow(airflow.environment, "dags", "unpause", DAG_ID)

    def ended(dag_id, run_id=None):
        states = run_states(airflow, dag_id)
        found = [state for id_, state in states.items() if run_id in (None, id_)]
        return found if found and set(found) <= {"success", "failed"} else None

    assert airflow.wait_until(lambda: ended(DAG_ID, "good"), seconds=180, what="the run has ended") == ["success"]
    assert database.trend("acme")["topic_distribution"] == {"complaint": 3}
    consumed = airflow.wait_until(lambda: ended("trends_consumer"), seconds=180, what="the consumer has run")
    assert set(consumed) == {"success"}

    database.connection.execute("alter table communication_trends add constraint broken check (false) not valid")
    run_airflow(airflow.environment, "dags", "trigger", DAG_ID, "-r", "bad", "-c", '{"date": "2026-11-02"}')
    assert airflow.wait_until(lambda: ended(DAG_ID, "bad"), seconds=180, what="the run has ended") == ["failed"]

    def about_bad():
        # the scheduled run may have met the constraint as well: it has a mail of its own
        return [(to, mail) for to, mail in mailbox.mails if mail["subject"] == "bad failed"]

    airflow.wait_until(about_bad, seconds=120, what="the mail is there")
    airflow.stop("scheduler")
    ((recipients, mail),) = about_bad()
    assert recipients == ["oncall@example.com"]
    assert mail["from"] == "airflow@example.com"

    # two organizations, one update; the failed run made none
    table = "asset_event" if AIRFLOW_V_3_0_PLUS else "dataset_event"
    events = metadata(airflow, f"select source_run_id, extra from {table}")
    extras = {event["source_run_id"]: event["extra"] for event in events}
    assert len(events) == len(extras)
    assert "bad" not in extras
    extra = extras["good"] if isinstance(extras["good"], dict) else json.loads(extras["good"])
    assert {key: extra[key] for key in ("trendDate", "organizationsProcessed", "trendsCreated", "errors")} == {
        "trendDate": "2026-11-01",
        "organizationsProcessed": 2,
        "trendsCreated": 2,
        "errors": 0,
    }
