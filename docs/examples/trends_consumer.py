"""An example: a DAG that runs whenever communication_trends_daily has stored a day's trends."""

from __future__ import annotations

import datetime

from airflow.providers.common.compat.sdk import DAG, Asset, task

TRENDS = Asset("communication_trends")

with DAG(
    dag_id="trends_consumer",
    schedule=[TRENDS],
    # Airflow 2 asks for one
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    catchup=False,
) as dag:

    @task(inlets=[TRENDS])
    def read_days(*, inlet_events=None):
        """
        Return the days to read from the table, and the organizations whose trend of the run's own day is missing.

        Of a failed run too: what it names has failed, all else is stored.
        """
        update = inlet_events[TRENDS][-1].extra
        return {
            "days": sorted(update["changedPeriods"]),
            "missing": {update["trendDate"]: update["failedOrganizations"]} if update["hasFailed"] else {},
        }

    read_days()
