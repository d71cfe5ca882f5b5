"""What the planner makes of a day just written, of which it has no statistics: no row is read once for each other."""

from __future__ import annotations

import datetime

import pytest
from conftest import rows_handled
from stored import PILOT, STATISTICS

from communication_trends.core.evidence import NUMBERS
from communication_trends.core.statements import compose, json_parts
from communication_trends.core.work import HotspotRule
from local import ROOT

ORGANIZATIONS = 800
DAY, DAY_BEFORE = datetime.datetime(2026, 11, 1), datetime.datetime(2026, 10, 31)
END = DAY + datetime.timedelta(days=1)
TREND = {
    "topic_distribution": '{"general": 9}',
    "sentiment_distribution": "{}",
    "escalation_counts": "{}",
    "channel_hotspots": "[]",
    "total_classifications": 9,
    "avg_confidence": 80,
    "messages_with_tone": 0,
    "messages_with_confidence": 9,
    "alerts": 0,
}


KNOWN = STATISTICS | PILOT
TABLES = ("communication_trends", "communication_trends_provenance")


def write_day(connection, day):
    """Store the trends of all organizations but those of the statistics, and their provenance."""
    connection.execute(
        "insert into communication_trends (organization_id, trend_date, trend_period, topic_distribution,"
        " sentiment_distribution, escalation_counts, channel_hotspots, total_classifications, avg_confidence)"
        " select id, %s, 'daily', '{\"general\": 9}', '{}', '{}', '[]', 9, 80"
        " from organizations where slug like 'organization-%%'",
        [day],
    )
    connection.execute(
        "insert into communication_trends_provenance (organization_id, trend_date, trend_period, computed_at,"
        " changed_at, is_final, messages, alerts, messages_with_tone, messages_with_confidence, hotspot_rule)"
        " select organization_id, trend_date, trend_period, '2026-11-02 03:00+00', '2026-11-02 03:00+00', true,"
        " 9, 0, 0, 9, '{}' from communication_trends where trend_date = %s",
        [day],
    )


@pytest.fixture(params=KNOWN)
def written(request, database):
    """A day of all organizations, written after the planner has learned something else; their ids."""
    connection = database.connection
    connection.execute(
        "insert into organizations (name, slug) select 'Organization ' || n, 'organization-' || n"
        f" from generate_series(1, {ORGANIZATIONS}) as n"
    )
    for table in TABLES:
        connection.execute(f"alter table {table} set (autovacuum_enabled = false)")
    # the indexes by organization are left larger than those by date, which are cheaper to search then
    for days in range(3):
        write_day(connection, DAY - datetime.timedelta(weeks=9, days=days))
    for table in TABLES:
        connection.execute(f"delete from {table}")
        connection.execute(f"vacuum {table}")
        connection.execute(f"reindex index {table}_trend_date_idx")
    connection.execute(KNOWN[request.param])
    connection.execute("analyze")
    rows = connection.execute("select id::text from organizations where slug like 'organization-%%'").fetchall()
    write_day(connection, DAY)
    return [row["id"] for row in rows]


def parameters_of(ids):
    trends = [
        {**TREND, "organization_id": id_, "period_start": str(DAY), "is_final": True, "may_be_filled": True}
        for id_ in ids
    ]
    return {
        "organization_ids": ids,
        "trend_period": "daily",
        "unit": "day",
        "run_id": "this one",
        "numbers": NUMBERS,
        "own_start": DAY,
        "start_before": DAY_BEFORE,
        "period_start": DAY,
        "period_starts": [DAY, DAY_BEFORE],
        "period_ends": [END, DAY],
        "period_end": END,
        "last_start": DAY,
        "hotspot_rule": HotspotRule().as_json(),
        **next(json_parts(trends)),
        "may_be_filled": True,
        "computed_at": "2026-11-02 04:00+00",
        "newest_known": None,
        "final_before": END,
        "force": False,
        "dag_id": "communication_trends_daily",
        "package_version": "0",
    }


@pytest.mark.parametrize(
    "statement",
    [
        "stored_trends",
        "unstored_organizations",
        "missing_trends",
        "earlier_rules",
        "stored_memory",
        "daily_origins",
        "organizations_with_trend",
        "upsert_trends",
        "verify_trends",
    ],
)
def test_no_trend_is_read_once_for_each_organization(database, written, statement):
    sql = compose(ROOT / "sql" / f"{statement}.sql")
    with database.connection.transaction(force_rollback=True):
        row = database.connection.execute(f"explain (analyze, format json) {sql}", parameters_of(written)).fetchone()
    handled = rows_handled(row["QUERY PLAN"][0]["Plan"])
    assert ORGANIZATIONS <= max(handled) <= 4 * ORGANIZATIONS


@pytest.mark.parametrize("statement", ["upsert_trends", "verify_trends"])
def test_one_trend_is_stored_without_reading_all_of_a_small_table(database, written, statement):
    sql = compose(ROOT / "sql" / f"{statement}.sql")
    database.connection.execute("analyze")
    with database.connection.transaction(force_rollback=True):
        row = database.connection.execute(
            f"explain (analyze, format json) {sql}", parameters_of(written[:1])
        ).fetchone()
    assert max(rows_handled(row["QUERY PLAN"][0]["Plan"])) <= 10


def test_a_trend_older_than_those_looked_at_is_looked_up_by_its_organization(database, written):
    """The day before is the first of the periods, of which none is stored; an older one decides."""
    sql = compose(ROOT / "sql" / "missing_trends.sql")
    values = {**parameters_of(written), "period_start": DAY_BEFORE}
    row = database.connection.execute(f"explain (analyze, format json) {sql}", values).fetchone()
    assert ORGANIZATIONS <= max(rows_handled(row["QUERY PLAN"][0]["Plan"])) <= 4 * ORGANIZATIONS
    assert database.connection.execute(sql, values).fetchall() == []
    database.connection.execute(
        "update communication_trends set trend_date = trend_date - interval '9 days' where organization_id = %s",
        [written[0]],
    )
    assert database.connection.execute(sql, values).fetchall() == [
        {"organization_id": written[0], "missing": 2, "first_missing": DAY_BEFORE}
    ]
