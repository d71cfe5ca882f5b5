"""One running Airflow of each version, which others use as well: their DAGs, their plugins, one scheduler."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest
from conftest import Database, running_airflow_on
from receivers import mail_server, statsd_server, webhook_server

from local import ROOT
from local.airflow import Airflow

NOTIFIERS = ["smtp.notifications.smtp.SmtpNotifier", "slack.notifications.slack_webhook.SlackWebhookNotifier"]

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


@pytest.fixture(scope="package")
def mailbox():
    with mail_server() as mailbox:
        yield mailbox


@pytest.fixture(scope="package")
def webhook():
    with webhook_server() as webhook:
        yield webhook


@pytest.fixture(scope="package")
def statsd():
    with statsd_server() as server:
        yield server


@pytest.fixture(scope="package")
def foreign(server, tmp_path_factory, mailbox, webhook, statsd) -> Iterator[tuple[Airflow, Database]]:
    """
    An Airflow with others' plugins and DAGs, this package among them, and a database; all but the scheduler runs.

    Shared by several files, the longest of them first: starting one takes longer than what some of them test.
    """
    # not before: pytest loads this file before tests/conftest.py has set Airflow's environment
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    home = tmp_path_factory.mktemp("foreign")
    for name, text in THEIR_FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    # what docs/installing.md says
    shutil.copy(ROOT / "dags" / "communication_trends_periods.py", home / "dags")
    shutil.copy(ROOT / "plugins" / "communication_trends_plugin.py", home / "plugins")
    shutil.copytree(ROOT / "plugins" / "communication_trends", home / "plugins" / "communication_trends")
    with (home / "plugins" / ".airflowignore").open("a") as ignored:
        ignored.write((ROOT / "plugins" / ".airflowignore").read_text())
    shutil.copytree(ROOT / "sql", home / "include" / "communication_trends" / "sql")
    for example in (ROOT / "docs" / "examples").glob("*.py"):
        shutil.copy(example, home / "dags")
    failed = {"to": "oncall@example.com", "subject": "{{ run_id }} failed", "html_content": "{{ run_id }}"}
    # what docs/notifications.md says
    unusual = {"to": "lead@example.com", "subject": "{{ attention.subject }}", "html_content": "{{ attention.html }}"}
    digest = {"text": "{{ digest.text }}"}
    smtp, slack = (f"airflow.providers.{name}" for name in NOTIFIERS)
    with running_airflow_on(
        server,
        home,
        AIRFLOW__CORE__DAGS_FOLDER=str(home / "dags"),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(home / "plugins"),
        AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH=str(home / "include" / "communication_trends" / "sql"),
        AIRFLOW__COMMUNICATION_TRENDS__FAILURE_NOTIFIER=smtp,
        AIRFLOW__COMMUNICATION_TRENDS__FAILURE_NOTIFIER_KWARGS=json.dumps(failed),
        AIRFLOW__COMMUNICATION_TRENDS__ATTENTION_NOTIFIER=smtp,
        AIRFLOW__COMMUNICATION_TRENDS__ATTENTION_NOTIFIER_KWARGS=json.dumps(unusual),
        AIRFLOW__COMMUNICATION_TRENDS__DIGEST_NOTIFIER=slack,
        AIRFLOW__COMMUNICATION_TRENDS__DIGEST_NOTIFIER_KWARGS=json.dumps(digest),
        AIRFLOW__COMMUNICATION_TRENDS__RETRIES="0",
        AIRFLOW__METRICS__STATSD_ON="True",
        AIRFLOW__METRICS__STATSD_HOST="127.0.0.1",
        AIRFLOW__METRICS__STATSD_PORT=str(statsd.port),
        AIRFLOW_CONN_SMTP_DEFAULT=mailbox.connection,
        AIRFLOW_CONN_SLACK_DEFAULT=webhook.slack_connection,
    ) as (airflow, database):
        if AIRFLOW_V_3_0_PLUS:
            airflow.start("api-server", "dag-processor")
        yield airflow, database
