"""The DAGs `communication_trends_daily`, `_weekly` and `_monthly`: the same three steps, each for its own periods."""

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
from communication_trends.sdk import TriggerRule, get_parsing_context

from communication_trends import settings
from communication_trends.compat import DAG, exponential_backoff
from communication_trends.core.period import DAILY, MONTHLY, WEEKLY
from communication_trends.core.wording import count_text
from communication_trends.operators import (
    ASSETS,
    AggregateTrendsOperator,
    ListOrganizationsOperator,
    SummarizeTrendsOperator,
)
from communication_trends.params import dag_params
from communication_trends.timetable import PeriodTimetable

DOC = """
### Communication trends, {kind.name}

**What it computes.** For each organization and one UTC {kind.noun}{which}: how many messages were classified, on
which topics, in which tone, how often they escalated and how severely, which channels were hotspots, and how
confident the classifier was.

**Source and target.** It reads `organizations`, `topic_classifications` and `escalation_alerts`, and upserts one row
per organization and {kind.noun} into `communication_trends`, with `trend_period` '{kind.name}' (connection
`communication_trends_db`). Dashboards and customer reports read that table.

**Schedule.** Runs {kind.schedule}, for the UTC {kind.noun} before: a few hours later, its last messages have been
classified. Rows that come later are found too: a scheduled run recomputes the {lookback} before its own
(setting `{setting}`), and stores what is missing or out of date.

**What breaks if it fails.** The last {kind.noun} is missing from the dashboards of the organizations named in the
error of `summarize`; all others are stored. Nothing is lost while the source rows are there: the next scheduled run
fills the gap, or a re-run at any time before the retention job purges them. A failed {kind.noun} does not stop the
next one.

**What to do.** Read the log of `summarize`: it names the failed organizations. Read the log of theirs under
`aggregate_organization`. Fix the cause, then:

* the same run again: *Clear* the failed task instances, `summarize` included. The run keeps its {kind.noun}.
* one {kind.noun}: *Trigger* with `{{"date": "2026-11-01"}}`
* some organizations: *Trigger* with `{{"date": "2026-11-01", "organizations": ["acme"]}}`
* what is missing or wrong in the last 30 {kind.noun}s: *Trigger* with `{{"lookback": 30}}`
* a range: `airflow backfill create --dag-id {kind.dag_id} --from-date 2026-11-01 --to-date 2026-11-30`
  (Airflow 2: `airflow dags backfill -s 2026-11-01 -e 2026-11-30 {kind.dag_id}`): the {kind.noun}s that begin from
  the first date to the last, both included. While the DAG is paused they only queue.

Whether it can wait, and what each error means: `docs/troubleshooting.md` of the repository.
Re-running is always safe: rows are updated in place. A trend is never overwritten by one computed from fewer rows
(`keptTrends` in the summary), unless the run is triggered with `{{"force": true}}`.
"""

PERIODS = [
    # length, what it is, tags
    (DAILY, ""),
    (WEEKLY, " (Monday to Sunday)"),
    (MONTHLY, " (a calendar month)"),
]

ONLY_DAG_ID = get_parsing_context().dag_id
"""When a task process parses this file, the only DAG it needs; None while the DAG processor parses it."""

settings.refuse_unknown_settings()

for kind, which in PERIODS:
    if ONLY_DAG_ID not in (None, kind.dag_id):
        continue
    with DAG(
        dag_id=kind.dag_id,
        dag_display_name=f"Communication trends, {kind.name}",
        description=f"One row of communication_trends per organization and UTC {kind.noun}",
        doc_md=DOC.format(
            kind=kind,
            which=which,
            lookback=count_text(settings.lookback(kind), kind.noun),
            setting=f"lookback_{kind.noun}s",
        ),
        schedule=PeriodTimetable(kind),
        start_date=datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
        catchup=False,
        max_active_runs=1,
        max_active_tasks=settings.max_parallel_organizations(),
        template_searchpath=str(settings.sql_path(__file__)),
        # on the DAG, not on its tasks: one message for a run, however many organizations failed
        on_failure_callback=settings.notifier("failure_notifier"),
        tags=["communication-trends", "postgres", kind.name],
        default_args={
            "owner": "communication-trends",
            "retries": settings.retries(),
            "retry_delay": datetime.timedelta(seconds=settings.retry_delay()),
            "retry_exponential_backoff": exponential_backoff,
            "execution_timeout": settings.execution_timeout(),
        },
        params=dag_params(kind),
    ):
        list_organizations = ListOrganizationsOperator(
            task_id="list_organizations", period=kind.name, sql="organizations.sql"
        )
        aggregate_organization = AggregateTrendsOperator.partial(
            task_id="aggregate_organization",
            period=kind.name,
            aggregate_sql="aggregate_trends.sql",
            upsert_sql="upsert_trends.sql",
            map_index_template="{{ task.batch_name }}",
            max_active_tis_per_dag=settings.max_parallel_organizations(),
        ).expand(batch=list_organizations.output)
        summarize = SummarizeTrendsOperator(
            task_id="summarize",
            period=kind.name,
            list_task_id="list_organizations",
            aggregate_task_id="aggregate_organization",
            attention_notifier=settings.notifier("attention_notifier", called_by="summarize"),
            digest_notifier=settings.notifier("digest_notifier", called_by="summarize"),
            # always: a run that cannot be summed up is not a success
            trigger_rule=TriggerRule.ALL_DONE,
            # inlets: the event of the last run says which changes have been announced
            inlets=[ASSETS[kind]],
            outlets=[ASSETS[kind]],
        )
        list_organizations >> aggregate_organization >> summarize
        # directly as well: when both are cleared, summarize waits for the new list
        list_organizations >> summarize
