"""Whole runs through Airflow: what is stored, what the summary says, how the run ends."""

from __future__ import annotations

import datetime
import re
import shutil

import pytest
from conftest import NOV_1, made_database, today
from stored import EMPTY

from communication_trends import __version__
from local import ROOT

NO_LOOKBACK = {"periods": 0, "filled": 0, "corrected": 0, "kept": 0, "failed": 0}
OK = {
    "trendDate": "2026-11-01",
    "period": "daily",
    "triggeredBy": "manual",
    "keptTrends": 0,
    "errors": 0,
    "failedOrganizations": [],
    "lookback": NO_LOOKBACK,
    "notFinal": 0,
    "unknownOrigin": 0,
    "missingTrends": {"total": 0, "from": None, "notInSource": 0},
    "incompleteTrends": {"total": 0, "trends": []},
    "doubtfulTrends": {"total": 0, "trends": []},
    "hotspotRule": {
        "topics": ["complaint", "escalation"],
        "minMessages": 10,
        "minRatio": 0.3,
        "earlierRules": [],
    },
    # with fewer than six weeks stored before it, nothing is said
    "attention": {"organizationsCompared": 0, "totalEntries": 0, "findings": [], "together": []},
}


def test_a_run_stores_one_trend_for_each_organization(database, run_dag):
    database.classify("acme", topic="complaint", channel="C1", confidence=70, sentiment={"tone": "angry"}, count=6)
    database.classify("acme", topic="general", channel="C1", confidence=91, sentiment={"tone": "neutral"}, count=4)
    database.escalate("acme", "high", count=2)
    database.organization("idle")
    run = run_dag(NOV_1)
    assert run.state == "success"
    assert run.summary == {**OK, "organizationsProcessed": 2, "trendsCreated": 2, "totalClassifications": 10}
    assert f"Summary (version {__version__}): " in run.log
    assert run.names == {0: "acme", 1: "idle"}
    acme = database.trend("acme")
    assert (acme["trend_date"], acme["trend_period"]) == (datetime.datetime(2026, 11, 1), "daily")
    assert acme["topic_distribution"] == {"complaint": 6, "general": 4}
    assert acme["sentiment_distribution"] == {"angry": 6, "neutral": 4}
    assert acme["escalation_counts"] == {"high": 2}
    assert acme["channel_hotspots"] == [{"channelId": "C1", "riskScore": 60, "messageCount": 10}]
    assert (acme["total_classifications"], acme["avg_confidence"]) == (10, 78)  # 78.4
    idle = database.trend("idle")
    assert (idle["topic_distribution"], idle["channel_hotspots"], idle["avg_confidence"]) == ({}, [], None)
    assert abs(acme["created_at"] - datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)) < (
        datetime.timedelta(minutes=5)
    )


def test_jinja_in_a_statement_is_rendered(database, run_dag, setting, tmp_path):
    shutil.copytree(ROOT / "sql", tmp_path / "sql")
    aggregate = tmp_path / "sql" / "aggregate_trends.sql"
    sql = aggregate.read_text().replace("messages.topic::text", "'{{ dag.dag_id }}, {{ params.date }}'::text")
    aggregate.write_text(sql)
    setting("sql_path", str(tmp_path / "sql"))
    database.classify("acme", topic="general", count=3)
    assert run_dag(NOV_1).state == "success"
    assert database.trend("acme")["topic_distribution"] == {"communication_trends_daily, 2026-11-01": 3}


def test_a_run_without_a_date_is_for_yesterday(database, run_dag):
    yesterday = today() - datetime.timedelta(days=1)
    database.classify("acme", at=f"{yesterday} 23:59:59")
    run = run_dag()
    assert run.summary == {
        **OK,
        "trendDate": str(yesterday),
        "organizationsProcessed": 1,
        "trendsCreated": 1,
        "totalClassifications": 1,
    }
    assert database.trend("acme", yesterday)["total_classifications"] == 1


@pytest.mark.parametrize("period", ["daily", "weekly"])
def test_a_run_for_today_or_the_present_week_is_allowed_and_warns(database, run_dag, period):
    day = today()
    first = day if period == "daily" else day - datetime.timedelta(day.weekday())
    database.classify("acme", at=f"{day} 00:00:00")
    run = run_dag({"date": str(day)}, dag_id=f"communication_trends_{period}")
    assert run.state == "success"
    assert re.search(rf"{first}( to [\d-]+)? \(UTC\) has not ended", run.log)
    assert database.trends(period)["acme", str(first)]["total_classifications"] == 1


def test_no_organizations_at_all_is_a_success_with_zeros(database, run_dag):
    run = run_dag(NOV_1)
    assert run.state == "success"
    assert run.tasks == {
        ("list_organizations", -1): "success",
        ("aggregate_organization", -1): "skipped",
        ("summarize", -1): "success",
    }
    assert run.summary == {**OK, "organizationsProcessed": 0, "trendsCreated": 0, "totalClassifications": 0}
    assert "There is no organization, so nothing was aggregated" in run.log


def break_organization(database, slug: str) -> None:
    """Make the database refuse one organization's trend."""
    database.connection.execute(
        "alter table communication_trends add constraint broken check"
        f" (organization_id <> '{database.organization(slug)}')"
    )


def test_one_failing_organization_fails_the_run_after_all_others_were_stored(database, run_dag):
    for slug in ("acme", "beta", "gamma"):
        database.classify(slug)
    break_organization(database, "beta")
    run = run_dag(NOV_1)
    assert run.state == "failed"
    assert run.names == {0: "acme", 1: "beta", 2: "gamma"}
    assert [run.tasks["aggregate_organization", index] for index in range(3)] == ["success", "failed", "success"]
    assert sorted(slug for slug, _ in database.trends()) == ["acme", "gamma"]
    assert run.summary == {
        **OK,
        "organizationsProcessed": 2,
        "trendsCreated": 2,
        "totalClassifications": 2,
        "errors": 1,
        "failedOrganizations": ["beta"],
    }
    assert "1 of 3 organizations have no trend for 2026-11-01 from this run: beta." in run.log


def test_the_first_run_that_succeeds_announces_what_failed_ones_before_it_have_stored(database, run_dag):
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(AssetEvent))
    for slug in ("acme", "beta"):
        database.classify(slug)
    break_organization(database, "beta")
    assert run_dag(NOV_1).state == "failed"
    database.connection.execute("alter table communication_trends drop constraint broken")
    run = run_dag({"date": "2026-11-02"})
    assert run.state == "success"
    changed = '{"2026-11-01": {"filled": 1, "corrected": 0}, "2026-11-02": {"filled": 2, "corrected": 0}}'
    assert f"Changed days: {changed}" in run.log


def test_in_a_batch_only_the_failing_organization_fails(database, run_dag):
    for slug in ("acme", "beta", "gamma", "delta", "epsilon"):
        database.classify(slug)
    break_organization(database, "beta")
    run = run_dag({**NOV_1, "organizations_per_task": 3})
    assert run.state == "failed"
    assert run.names == {0: "acme and 2 more", 1: "epsilon and 1 more"}
    assert [run.tasks["aggregate_organization", index] for index in range(2)] == ["failed", "success"]
    assert sorted(slug for slug, _ in database.trends()) == ["acme", "delta", "epsilon", "gamma"]
    assert (run.summary["organizationsProcessed"], run.summary["failedOrganizations"]) == (4, ["beta"])


def test_batches_grow_by_themselves_beyond_max_map_length(database, run_dag, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    for slug in ("acme", "beta", "gamma", "delta", "epsilon"):
        database.classify(slug)
    run = run_dag(NOV_1)
    assert run.state == "success"
    assert "5 organizations in tasks of 1 would be more than [core] max_map_length = 2" in run.log
    assert len(run.names) <= 2
    assert run.summary == {**OK, "organizationsProcessed": 5, "trendsCreated": 5, "totalClassifications": 5}
    assert len(database.trends()) == 5


@pytest.mark.parametrize(
    ("requested", "organizations", "size"),
    [
        (1, 1_024, 1),
        (3, 3_000, 3),
        (1, 1_025, 513),  # two batches, to run side by side
        (1, 10_000, 5_000),
        (1, 100_000, 5_000),
        (1, 10_000_000, 9_766),  # 1,024 batches, as many as may be
    ],
)
def test_how_large_a_batch_is(requested, organizations, size):
    from communication_trends.params import batch_size

    assert batch_size(requested, organizations, max_map_length=1_024) == size


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"date": "2999-01-01"}, "date: 2999-01-01 is in the future"),
        ({"organizations": ["acme", "nobody", "'; drop table organizations; --"]}, "organizations: unknown 'nobody'"),
        ({"organizations": ["{{ 7 * 191 }}"]}, "organizations: unknown '{{ 7 * 191 }}'"),
        ({"organizations": []}, "organizations: [] names no organization"),
        ({"datum": "2026-11-01"}, "conf: unknown key 'datum'. Allowed keys: date, organizations, force"),
    ],
)
def test_bad_input_is_rejected_by_an_error_that_names_it_before_anything_is_written(database, run_dag, conf, message):
    database.classify("acme")
    run = run_dag({**NOV_1, **conf})
    assert run.state == "failed"
    assert message in run.log
    assert run.tasks["list_organizations", -1] == "failed"
    assert database.trends() == {}


def test_running_again_updates_the_row_in_place(database, run_dag):
    database.classify("acme", topic="general")
    run_dag(NOV_1)
    before = database.trend("acme")
    database.classify("acme", topic="complaint", confidence=40)
    run = run_dag(NOV_1)
    after = database.trend("acme")
    assert run.summary == {**OK, "organizationsProcessed": 1, "trendsCreated": 1, "totalClassifications": 2}
    assert (after["topic_distribution"], after["avg_confidence"]) == ({"general": 1, "complaint": 1}, 60)
    assert (after["id"], after["created_at"]) == (before["id"], before["created_at"])
    run_dag(NOV_1)
    assert database.trend("acme") == after


def test_a_run_of_a_day_before_an_organization_existed_makes_no_gap_of_those_since(database, run_dag):
    for day in range(1, 29):
        database.classify("acme", at=f"2026-11-{day:02} 12:00")
    database.organization("newbie")
    database.connection.execute(
        "update organizations set created_at = case slug when 'acme' then '2026-11-01'::date else '2026-11-20' end"
    )
    run_dag({"date": "2026-11-05"})
    run = run_dag({"date": "2026-11-28", "lookback": 3})
    # acme's of the 6th to the 24th; newbie has begun on the 20th, and has none yet from before the lookback
    assert run.summary["missingTrends"] == {"total": 19, "from": "2026-11-06", "notInSource": 0}


def test_a_gap_that_began_longer_ago_than_366_days_is_counted_from_there_on(database, run_dag):
    """Trends of 2024 to 12 October 2025 are stored; a run of 1 November 2026 looks back to 31 October 2025."""
    database.classify("acme", at="2023-12-31 12:00")
    database.classify("newbie", at="2026-10-30 12:00")
    database.connection.execute(
        "insert into communication_trends (organization_id, trend_date, trend_period, total_classifications)"
        " select id, days, 'daily', 1 from organizations"
        " cross join generate_series('2024-01-01'::timestamp, '2025-10-12', '1 day') as days where slug = 'acme'"
    )
    database.connection.execute(
        "update organizations set created_at = case slug when 'acme' then '2023-12-01'::date else '2026-10-30' end"
    )
    run = run_dag({**NOV_1, "lookback": 1})
    # 366 days before the run's own, one of which it has filled; newbie has none from before the lookback
    assert run.summary["missingTrends"] == {"total": 365, "from": "2025-10-31", "notInSource": 0}
    assert database.connection.execute("select count(*) as n from communication_trends").fetchone() == {"n": 651 + 4}


@pytest.mark.parametrize("nothing", ['{"high": 0, "critical": 0}', '"{}"'])
def test_an_empty_trend_of_another_writer_is_no_sign_that_the_organization_existed(database, run_dag, nothing):
    database.classify("acme", at="2026-11-27 12:00")
    database.connection.execute("update organizations set created_at = '2026-11-26'")
    database.insert_trend("acme", "2026-11-15", escalation_counts=nothing)
    run = run_dag({"date": "2026-11-27", "lookback": 7})
    assert (run.state, run.summary["lookback"]["failed"]) == ("success", 0)


def test_dates_are_read_whatever_way_the_database_writes_them(database, run_dag):
    database.classify("acme")
    database.connection.execute(f"alter database {database.name} set datestyle = 'German, DMY'")
    run = run_dag(NOV_1)
    assert (run.state, run.summary["trendsCreated"]) == ("success", 1)


ODD_SETTINGS = (
    "array_nulls = off",
    "client_min_messages = error",
    "default_transaction_deferrable = on",
    "default_transaction_isolation = serializable",
    "enable_hashagg = off",
    "extra_float_digits = -15",
    "intervalstyle = sql_standard",
    "plan_cache_mode = force_generic_plan",
    "quote_all_identifiers = on",
    'search_path = "$user", public, pg_catalog',
    "standard_conforming_strings = off",
    "synchronous_commit = off",
    "timezone = 'America/Los_Angeles'",
    "transform_null_equals = on",
)


def test_whatever_the_database_has_set_the_trends_are_the_same(database, run_dag):
    for setting in ODD_SETTINGS:
        database.connection.execute(f"alter database {database.name} set {setting}")
    tone, channel, severity = "a\\\"b'", "c\\'\"", "hi\\gh"
    database.classify("acme", topic="complaint", at="2026-11-01", count=12, sentiment={"tone": tone}, channel=channel)
    database.classify("acme", at="2026-11-01 23:59:59.999999", confidence=None)
    database.classify("acme", at="2026-11-02", count=7)
    database.escalate("acme", severity, count=2)
    # the second one reads what the first has stored, and finds it the same
    for conf in ({**NOV_1, "organizations": ["acme"]}, {"date": "2026-11-02", "lookback": 1}):
        run = run_dag(conf)
        assert (run.state, run.summary["lookback"]["corrected"]) == ("success", 0)
    trend = database.trend("acme")
    assert {name: trend[name] for name in EMPTY} == {
        "topic_distribution": {"complaint": 12, "general": 1},
        "sentiment_distribution": {tone: 12},
        "escalation_counts": {severity: 2},
        "channel_hotspots": [{"channelId": channel, "riskScore": 100, "messageCount": 12}],
        "total_classifications": 13,
        "avg_confidence": 80,
    }


def test_purged_source_rows_do_not_empty_a_stored_trend_unless_forced(database, run_dag):
    database.classify("acme", count=3)
    database.escalate("alerted", "high")
    database.organization("idle")
    run_dag(NOV_1)
    stored = database.trends()
    database.connection.execute("truncate topic_classifications, escalation_alerts")

    run = run_dag(NOV_1)
    assert run.state == "success"
    assert run.summary == {
        **OK,
        "organizationsProcessed": 3,
        "trendsCreated": 1,
        "keptTrends": 2,
        "totalClassifications": 3,
    }
    assert "acme: of the stored trend of 2026-11-01, what was made from messages was not overwritten" in run.log
    assert database.trends() == stored

    run = run_dag({**NOV_1, "force": True})
    # the source holds nothing that says how far it reaches: what was forced is stored, not known to be final
    assert run.summary == {
        **OK,
        "organizationsProcessed": 3,
        "trendsCreated": 3,
        "totalClassifications": 0,
        "notFinal": 2,
        "incompleteTrends": {
            "total": 2,
            "trends": [
                {
                    "organization": slug,
                    "trendDate": "2026-11-01",
                    "reason": f"the source has no {lost} {ending}",
                }
                for slug, lost, ending in (
                    ("acme", "messages", "as old as that any more"),
                    ("alerted", "alerts", "from before it any more, so some of it may have been purged"),
                )
            ],
        },
    }
    for slug in ("acme", "alerted"):
        trend = database.trend(slug)
        assert (trend["total_classifications"], trend["topic_distribution"], trend["escalation_counts"]) == (0, {}, {})
        assert trend["id"] == stored[slug, "2026-11-01"]["id"]


@pytest.mark.parametrize(
    ("change", "problem", "remedy"),
    [
        (
            "alter table communication_trends drop column channel_hotspots",
            "communication_trends.channel_hotspots: the column does not exist",
            "add it as in sql/schema/communication_trends.sql",
        ),
        (
            "alter table topic_classifications rename column sentiment to mood",
            "topic_classifications.sentiment: the column does not exist",
            "add it as in sql/schema/source_tables.sql",
        ),
    ],
)
def test_a_missing_table_or_column_is_one_clear_error_at_the_start(database, run_dag, change, problem, remedy):
    database.classify("acme")
    database.connection.execute(change)
    run = run_dag(NOV_1, retries=3)
    assert run.state == "failed"
    # it is not retried
    assert run.tasks["list_organizations", -1] == "failed"
    assert run.tasks["aggregate_organization", -1] == "upstream_failed"
    assert problem in run.log
    assert remedy in run.log


def test_an_undefined_connection_is_named_with_its_remedy(database, run_dag, monkeypatch):
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__CONN_ID", "nowhere")
    run = run_dag(NOV_1)
    assert run.state == "failed"
    assert "connection 'nowhere' is not defined" in run.log
    assert "AIRFLOW_CONN_NOWHERE" in run.log


def test_the_schema_files_can_be_applied_again(database):
    from local.servers import apply_schema

    database.classify("acme")
    apply_schema(database.connection, "source_tables.sql", "communication_trends.sql")
    row = database.connection.execute("select count(*) as rows from topic_classifications").fetchone()
    assert row == {"rows": 1}


def test_an_upgrade_from_before_provenance_keeps_the_trends_and_vouches_for_those_it_finds_equal(database, run_dag):
    from local.servers import apply_schema

    for slug, count in (("acme", 3), ("purged", 2), ("late", 1)):
        database.classify(slug, count=count)
        database.classify(slug, at="2026-10-20 12:00", count=count)
    for date in ("2026-10-20", "2026-11-01"):
        run_dag({"date": date})
    stored = database.trends()
    # as the release before left it
    database.connection.execute("drop table communication_trends_provenance")
    database.connection.execute(
        "delete from topic_classifications where organization_id = %s", [database.organization("purged")]
    )
    database.classify("late")

    run = run_dag(NOV_1)
    assert run.tasks["list_organizations", -1] == "failed"
    assert "communication_trends_provenance" in run.log
    assert "apply sql/schema/communication_trends.sql" in run.log
    assert database.trends() == stored

    for _ in range(2):
        apply_schema(database.connection, "communication_trends.sql")
    run = run_dag(NOV_1)
    assert run.state == "success"
    assert (run.summary["keptTrends"], run.summary["unknownOrigin"]) == (1, 1)
    after = database.trends()
    assert after["late", "2026-11-01"]["total_classifications"] == 2
    assert after["late", "2026-11-01"]["id"] == stored["late", "2026-11-01"]["id"]
    unchanged = {key for key in stored if key != ("late", "2026-11-01")}
    assert {key: after[key] for key in unchanged} == {key: stored[key] for key in unchanged}
    known = database.connection.execute(
        "select slug, trend_date::date::text as date, change, is_final from communication_trends_provenance"
        " join organizations on organizations.id = organization_id order by slug"
    ).fetchall()
    assert [tuple(row.values()) for row in known] == [
        ("acme", "2026-11-01", None, True),
        ("late", "2026-11-01", "corrected", True),
    ]


def test_where_organizations_is_a_view_the_schema_can_be_applied_as_well(database, run_dag):
    from local.servers import apply_schema

    connection = database.connection
    connection.execute(
        "drop table communication_trends_provenance; alter table organizations rename to tenants;"
        " create view organizations as select * from tenants"
    )
    for _ in range(2):
        apply_schema(connection, "communication_trends.sql")
    database.classify("acme")
    assert run_dag(NOV_1).state == "success"


def test_the_target_table_is_that_of_the_application(database):
    columns = database.connection.execute(
        "select column_name, data_type from information_schema.columns"
        " where table_name = 'communication_trends' order by ordinal_position"
    ).fetchall()
    assert {row["column_name"]: row["data_type"] for row in columns} == {
        "id": "uuid",
        "organization_id": "uuid",
        "trend_date": "timestamp without time zone",
        "trend_period": "text",
        "topic_distribution": "jsonb",
        "sentiment_distribution": "jsonb",
        "escalation_counts": "jsonb",
        "channel_hotspots": "jsonb",
        "total_classifications": "integer",
        "avg_confidence": "integer",
        "created_at": "timestamp without time zone",
    }


# The periods before


def test_lookback_of_the_conf_repairs_the_days_before(database, run_dag):
    for day, count in (("2026-10-30", 2), ("2026-10-31", 3), ("2026-11-01", 4)):
        database.classify("acme", at=f"{day} 12:00", count=count)
    database.organization("idle")
    database.connection.execute("update organizations set created_at = '2026-10-31 12:00'")
    run_dag({"date": "2026-10-31"})
    database.classify("acme", at="2026-10-31 04:00")
    run = run_dag({**NOV_1, "lookback": 3})
    assert run.state == "success"
    assert run.summary == {
        **OK,
        "organizationsProcessed": 2,
        "trendsCreated": 2,
        "totalClassifications": 4,
        "lookback": {"periods": 3, "filled": 1, "corrected": 1, "kept": 0, "failed": 0},
    }
    assert "acme: 2026-10-31 corrected (3 → 4), 2026-10-30 filled (2 messages)" in run.log
    stored = {key: row["total_classifications"] for key, row in database.trends().items()}
    assert stored == {
        ("acme", "2026-10-30"): 2,
        ("acme", "2026-10-31"): 4,
        ("acme", "2026-11-01"): 4,
        ("idle", "2026-10-31"): 0,
        ("idle", "2026-11-01"): 0,
    }


def test_kept_trends_of_earlier_days_are_one_line(database, run_dag):
    for slug in ("acme", "beta"):
        for day in ("2026-10-30", "2026-10-31", "2026-11-01"):
            database.classify(slug, at=f"{day} 12:00")
    database.connection.execute("update organizations set created_at = '2026-10-30'")
    run_dag({**NOV_1, "lookback": 2, "organizations_per_task": 2})
    database.connection.execute("delete from topic_classifications where created_at < '2026-11-01'")
    run = run_dag({**NOV_1, "lookback": 2, "organizations_per_task": 2})
    assert run.state == "success"
    assert run.summary["lookback"] == {"periods": 2, "filled": 0, "corrected": 0, "kept": 4, "failed": 0}
    assert (
        "Did not overwrite 4 trends of earlier days, 2026-10-30 to 2026-10-31: the source now has fewer rows" in run.log
    )
    assert run.summary["keptTrends"] == 0


def test_a_failure_in_an_earlier_day_fails_the_run_and_is_named_with_its_day(database, run_dag):
    for day in ("2026-10-31", "2026-11-01"):
        database.classify("acme", at=f"{day} 12:00")
    database.connection.execute(
        "alter table communication_trends add constraint broken check (trend_date <> '2026-10-31')"
    )
    run = run_dag({**NOV_1, "lookback": 1})
    assert run.state == "failed"
    assert (run.summary["errors"], run.summary["organizationsProcessed"]) == (0, 1)
    assert run.summary["lookback"] == {"periods": 1, "filled": 0, "corrected": 0, "kept": 0, "failed": 1}
    assert "1 trends of earlier days failed and are unchanged: acme 2026-10-31." in run.log
    assert list(database.trends()) == [("acme", "2026-11-01")]


# Weeks and months


@pytest.mark.parametrize(
    ("dag_id", "first", "count"),
    [("communication_trends_weekly", "2026-10-26", 3), ("communication_trends_monthly", "2026-11-01", 5)],
)
def test_a_date_is_in_the_week_or_month_that_is_stored(database, run_dag, dag_id, first, count):
    database.classify("acme", at="2026-10-26 00:00", count=2)
    database.classify("acme", at="2026-11-01 23:59")
    database.classify("acme", at="2026-11-30 12:00", count=4)
    run = run_dag(NOV_1, dag_id=dag_id)
    assert run.state == "success"
    assert (run.summary["trendDate"], run.summary["period"]) == (first, dag_id.split("_")[-1])
    assert run.summary["totalClassifications"] == count
    assert database.connection.execute(
        "select trend_date::date::text as date, trend_period as period, total_classifications as total"
        " from communication_trends"
    ).fetchall() == [{"date": first, "period": dag_id.split("_")[-1], "total": count}]


def test_days_purged_before_the_week_was_made_are_named_in_a_warning(database, run_dag):
    days = ["2026-10-27", "2026-10-28", "2026-10-29"]
    for slug in ("acme", "whole"):
        for day in days:
            database.classify(slug, at=f"{day} 10:00", count=4)
    for day in days:
        assert run_dag({"date": day}).state == "success"
    # retention ends in the middle of the period; what came late hides it in the sum
    purge = "delete from topic_classifications where organization_id = %s and created_at < '2026-10-28 12:00'"
    database.connection.execute(purge, [database.organization("acme")])
    database.classify("acme", at="2026-10-30 10:00", count=8)
    run = run_dag({"date": "2026-10-30"}, dag_id="communication_trends_weekly")
    assert run.state == "success"
    said = (
        "acme: the trend of 2026-10-26 to 2026-11-01 is not final: source rows have been purged: of 2026-10-27,"
        " 2026-10-28 fewer are left than the stored daily trends were made from"
    )
    assert said in run.log
    assert "whole: the trend of" not in run.log
    assert (run.summary["notFinal"], run.summary["incompleteTrends"]["total"]) == (1, 1)
    (incomplete,) = run.summary["incompleteTrends"]["trends"]
    assert (incomplete["organization"], incomplete["trendDate"]) == ("acme", "2026-10-26")
    assert [row["total_classifications"] for row in database.trends("weekly").values()] == [12, 12]


# Never green where nothing was done


def test_a_list_marked_as_success_by_hand_is_no_empty_list(database, run_dag):
    database.classify("acme")
    run = run_dag({**NOV_1, "organizations": ["nobody"]}, mark_success_pattern="list_organizations")
    assert run.state == "failed"
    assert run.summary is None
    assert "list_organizations has left no list of organizations" in run.log


def test_an_organization_that_the_target_does_not_know_fails_the_run_by_name(server, database, run_dag, monkeypatch):
    with made_database(server) as source:
        source.organization("acme")
        insert = "insert into organizations (id, name, slug) values (%s, 'beta', 'beta')"
        source.connection.execute(insert, [database.organization("beta")])
        monkeypatch.setenv("AIRFLOW_CONN_SOURCE", server.airflow_connection(source.name))
        monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__SOURCE_CONN_ID", "source")
        run = run_dag({**NOV_1, "organizations_per_task": 2})
        assert run.state == "failed"
        assert "acme: the organization is missing in the target's organizations table" in run.log
        assert (run.summary["organizationsProcessed"], run.summary["errors"]) == (1, 1)
        assert list(database.trends()) == [("beta", "2026-11-01")]


def test_a_day_on_which_all_are_empty_but_were_not_the_day_before_is_a_warning(database, run_dag):
    for slug in ("acme", "beta"):
        database.classify(slug, at="2026-10-31 12:00", count=2)
    warning = "All 2 organizations are empty in 2026-11-01, with 4 messages in the day before"
    assert warning not in run_dag(NOV_1).log
    run_dag({"date": "2026-10-31"})
    run = run_dag(NOV_1)
    assert run.state == "success"
    assert warning in run.log
    database.classify("beta")
    assert warning not in run_dag(NOV_1).log


def test_where_every_organization_failed_nobody_is_said_to_be_stored(database, run_dag):
    database.classify("acme")
    break_organization(database, "acme")
    run = run_dag(NOV_1)
    assert "1 of 1 organizations have no trend for 2026-11-01 from this run: acme. Clear the failed task" in run.log
    assert "instances of aggregate_organization, with Downstream, to try again" in run.log


def test_an_organization_without_a_slug_is_called_by_its_id(database, run_dag):
    database.connection.execute("alter table organizations alter slug drop not null")
    for slug in ("acme", "nameless"):
        database.classify(slug)
    database.connection.execute("update organizations set slug = null where slug = 'nameless'")
    run = run_dag({**NOV_1, "organizations_per_task": 2})
    assert (run.state, run.summary["organizationsProcessed"]) == ("success", 2)
    database.connection.execute("truncate communication_trends")
    break_organization(database, "nameless")
    run = run_dag({**NOV_1, "organizations_per_task": 2})
    assert run.summary["failedOrganizations"] == [database.organization("nameless")]
