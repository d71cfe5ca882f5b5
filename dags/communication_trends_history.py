"""
### Communication trends, run history

**What it does.** Keeps the latest runs of `communication_trends_daily`, `_weekly` and `_monthly`, of each 50 that
succeeded and 100 that failed (settings `keep_completed_runs` and `keep_failed_runs`; 0 keeps all), and removes older
ones with their task instances, which are what fills Airflow's metadata database. The trends themselves are not touched.

**How.** Over Airflow's public REST API, with the login of the connection `communication_trends_api` (setting
`api_conn_id`): host, port, login and password of a user who may delete runs, schema `https` where it is. The DAG starts
paused: add the connection, then unpause it.

**What breaks if it fails.** Nothing: the next run removes what this one left.
"""

from __future__ import annotations

import datetime

from communication_trends import __version__

RELEASE = "0.2.0.dev0"
"""The release that this file belongs to."""

if __version__ != RELEASE:
    raise ImportError(
        f"{__file__} is of release {RELEASE}, the package communication_trends of release {__version__}: take DAGs, "
        "plugins and SQL from the same release, and restart all components."
    )

# Must stay first: names the package that is missing or too old, before the imports of Airflow fail obscurely.
from communication_trends import requirements  # noqa: F401  # isort: skip
from communication_trends.sdk import DAG

from communication_trends import settings
from communication_trends.core.period import KINDS
from communication_trends.run_retention import RemoveOldRunsOperator

with DAG(
    dag_id="communication_trends_history",
    dag_display_name="Communication trends, run history",
    description="Removes old runs of communication_trends_daily, _weekly and _monthly",
    doc_md=__doc__,
    schedule="0 6 * * *",
    start_date=datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["communication-trends", "maintenance"],
    default_args={
        "owner": "communication-trends",
        "retries": settings.retries(),
        "retry_delay": datetime.timedelta(seconds=settings.retry_delay()),
    },
) as dag:
    # separately, so that a failure with one DAG does not affect the others
    for period in KINDS:
        RemoveOldRunsOperator(task_id=f"remove_old_{period}_runs", period=period)
