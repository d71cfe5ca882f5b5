"""
### Communication trends, daily

**What it computes.** For each organization and one UTC day: how many messages were classified, on which topics, in
which tone, how often they escalated and how severely, which channels ran hot, and how confident the classifier was.

**From where to where.** It reads `organizations`, `topic_classifications` and `escalation_alerts`, and upserts one row
per organization and day into `communication_trends` (connection `communication_trends_db`). Dashboards and the weekly
customer reports read that table.

**When, and why then.** At 03:00 UTC for the UTC day before: three hours are enough for the last messages of the day to
be classified.

**What breaks if it fails.** Yesterday is missing from the dashboards of the organizations named in the error of
`summarize`; all others are stored. Nothing is lost while the source rows are there: a re-run fills the gap at any time
before the retention job purges them. A failed day does not stop the next one.

**What to do.** Read the log of `summarize`: it names the failed organizations. Read the log of theirs under
`aggregate_organization`. Mend the cause, then:

* the same run again: *Clear* the failed task instances, `summarize` included. The run keeps its day.
* one day: *Trigger* with `{"date": "2026-11-01"}`
* some organizations: *Trigger* with `{"date": "2026-11-01", "organizations": ["acme"]}`
* a range: `airflow backfill create --dag-id communication_trends_daily --from-date 2026-11-01 --to-date 2026-11-04`
  (Airflow 2: `airflow dags backfill -s 2026-11-01 -e 2026-11-04 communication_trends_daily`), both days included

Re-running is always safe: rows are updated in place. A row is never replaced by one made from fewer source rows
(`keptTrends` in the summary), unless the run is triggered with `{"force": true}`.
"""

from __future__ import annotations

import datetime

# before Airflow's own: where a package is too old or missing, this names it, and they would not
from communication_trends import installation  # noqa: F401  # isort: skip
from airflow.providers.common.compat.sdk import DAG, Param, TriggerRule

from communication_trends import settings
from communication_trends.compat import exponential_backoff
from communication_trends.operators import (
    TRENDS,
    AggregateTrendsOperator,
    ListOrganizationsOperator,
    SummarizeTrendsOperator,
)
from communication_trends.timetable import PeriodTimetable

with DAG(
    dag_id="communication_trends_daily",
    dag_display_name="Communication trends, daily",
    description="One row of communication_trends per organization and UTC day",
    doc_md=__doc__,
    schedule=PeriodTimetable(),
    start_date=datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=settings.max_parallel_organizations(),
    template_searchpath=str(settings.sql_path()),
    # of the run, not of each task instance: one message for a night, however many organizations failed
    on_failure_callback=settings.failure_callback(),
    tags=["communication-trends", "postgres", "daily"],
    default_args={
        "owner": "communication-trends",
        "retries": settings.retries(),
        "retry_delay": datetime.timedelta(seconds=settings.retry_delay()),
        "retry_exponential_backoff": exponential_backoff,
    },
    params={
        "date": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Date",
            description="UTC day to aggregate, YYYY-MM-DD. Empty: yesterday. Not for backfills: their runs have a day.",
        ),
        "organizations": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Organizations",
            description="Ids or slugs, one a line. Empty: all organizations.",
        ),
        "force": Param(
            False,
            type="boolean",
            title="Force",
            description="Overwrite a stored trend even where fewer source rows are left than it was made from.",
        ),
        "organizations_per_task": Param(
            1,
            type="integer",
            minimum=1,
            title="Organizations per task",
            description="1: each organization is a task instance of its own. More: faster for thousands of them.",
        ),
    },
) as dag:
    list_organizations = ListOrganizationsOperator(task_id="list_organizations", sql="organizations.sql")
    aggregate_organization = AggregateTrendsOperator.partial(
        task_id="aggregate_organization",
        aggregate_sql="aggregate_trends.sql",
        upsert_sql="upsert_trends.sql",
        # known when it is done; without a default, Airflow's first rendering of it, before, is an error of Jinja's
        map_index_template="{{ organization | default('') }}",
        max_active_tis_per_dag=settings.max_parallel_organizations(),
    ).expand(organization_ids=list_organizations.output)
    summarize = SummarizeTrendsOperator(
        task_id="summarize",
        list_task_id="list_organizations",
        aggregate_task_id="aggregate_organization",
        # always: a run that cannot be summed up is not a success
        trigger_rule=TriggerRule.ALL_DONE,
        outlets=[TRENDS],
    )
    list_organizations >> aggregate_organization >> summarize
