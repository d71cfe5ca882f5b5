"""The optional index for the page: with it, PostgreSQL need not judge each row."""

from __future__ import annotations

import datetime

import pytest
from stored import EMPTY

from communication_trends.core.period import DAILY
from communication_trends.core.statements import compose
from communication_trends.core.trend_reader import READING_PARAMETERS
from communication_trends.web.ranges import range_of
from local import ROOT
from local.servers import apply_schema

D = datetime.date.fromisoformat


@pytest.mark.parametrize(
    "statement",
    ["reading/comparison", "reading/freshness", "reading/overview", "web/trends_of_all", "web/hotspots"],
)
def test_what_the_index_has_is_not_judged_again(database, statement):
    """Its condition is that of the statements: were it another, PostgreSQL would not use it."""
    database.connection.execute(
        "insert into organizations (name, slug, created_at)"
        " select 'Organization ' || n, 'organization-' || n, '2026-01-01' from generate_series(1, 1000) as ns (n)"
    )
    database.connection.execute(
        "insert into communication_trends (organization_id, trend_date, trend_period, total_classifications)"
        " select id, timestamp '2026-10-29' - n * interval '1 day', 'daily', 9"
        " from organizations cross join generate_series(0, 1) as ns (n)"
    )
    database.insert_trend("acme", "2026-10-28", **{**EMPTY, "escalation_counts": {"high": -1}})
    database.connection.execute("analyze")
    asked = range_of(DAILY, D("2026-10-28"), D("2026-10-29"), now=datetime.datetime.now(datetime.timezone.utc))
    parameters = {
        **READING_PARAMETERS,
        **asked.compared_parameters,
        **(asked.parameters if statement in ("reading/freshness", "web/trends_of_all", "web/hotspots") else {}),
        "hotspot_topics": ["complaint", "escalation"],
        "hotspot_min_messages": 10,
        "limit": 50,
        "offset": 0,
        "search": "",
        "sort": "rank",
        "by_change": False,
        "ascending": True,
    }
    sql = compose(ROOT / "sql" / f"{statement}.sql")

    def asked_once() -> tuple[str, list]:
        with database.connection.transaction():
            database.connection.execute("set local enable_seqscan = off; set local enable_bitmapscan = off")
            database.connection.execute("drop index if exists communication_trends_trend_date_idx")
            plan = "\n".join(row["QUERY PLAN"] for row in database.connection.execute(f"explain {sql}", parameters))
            return plan, database.connection.execute(sql, parameters).fetchall()

    plan, answer = asked_once()
    assert "@@" in plan
    apply_schema(database.connection, "page_index.sql")
    plan, answer_by_index = asked_once()
    assert "communication_trends_readable_idx" in plan
    assert "@@" not in plan
    assert answer_by_index == answer
