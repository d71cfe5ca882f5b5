"""An example: a DAG that runs whenever communication_trends_daily has stored a day's trends."""

from __future__ import annotations

import datetime

try:
    from airflow.sdk import DAG, Asset, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
    from airflow.decorators import task

TRENDS = Asset("communication_trends")

with DAG(
    dag_id="trends_consumer",
    schedule=[TRENDS],
    # Airflow 2 asks for one
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    catchup=False,
) as dag:

    @task
    def read_days(*, triggering_asset_events=None, triggering_dataset_events=None):
        """
        Return the days to read from the table, and who has failed on which day.

        Of failed runs too: whom they name has failed, all others are stored. One run may be for several updates.
        """
        days, last, failed = set(), {}, {}
        # none where a user has triggered the run
        for updates in (triggering_asset_events or triggering_dataset_events or {}).values():
            # they come in any order
            for update in sorted(updates, key=lambda one: one.timestamp):
                # none in an event that somebody made by hand
                if "changedPeriods" in update.extra:
                    days.update(update.extra["changedPeriods"])
                    # a run that was cleared has another one
                    last[update.extra["runId"]] = update.extra
        # another run of the same day may have been for other organizations
        for extra in last.values():
            failed.setdefault(extra["trendDate"], set()).update(extra["failedOrganizations"])
        return {"days": sorted(days), "failed": {day: sorted(names) for day, names in failed.items() if names}}

    read_days()
