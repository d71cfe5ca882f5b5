"""Whole runs through Airflow: what is stored, what the summary says, how the run ends."""

from __future__ import annotations

import datetime

import pytest
from airflow.providers.common.compat.sdk import ParamValidationError

NO_LOOKBACK = {"periods": 0, "filled": 0, "corrected": 0, "kept": 0, "failed": 0}
OK = {
    "trendDate": "2026-11-01",
    "period": "daily",
    "triggeredBy": "manual",
    "keptTrends": 0,
    "errors": 0,
    "failedOrganizations": [],
    "lookback": NO_LOOKBACK,
}
NOV_1 = {"date": "2026-11-01"}
YESTERDAY = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)


def test_a_run_stores_one_trend_for_each_organization(database, run_dag):
    database.classify("acme", topic="complaint", channel="C1", confidence=70, sentiment={"tone": "angry"}, count=6)
    database.classify("acme", topic="general", channel="C1", confidence=91, sentiment={"tone": "neutral"}, count=4)
    database.escalate("acme", "high", count=2)
    database.organization("idle")
    run = run_dag(NOV_1)
    assert run.state == "success"
    assert run.summary == {**OK, "organizationsProcessed": 2, "trendsCreated": 2, "totalClassifications": 10}
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


def test_a_run_without_a_date_is_for_yesterday(database, run_dag):
    database.classify("acme", at=f"{YESTERDAY} 23:59:59")
    run = run_dag()
    assert run.summary == {
        **OK,
        "trendDate": str(YESTERDAY),
        "organizationsProcessed": 1,
        "trendsCreated": 1,
        "totalClassifications": 1,
    }
    assert database.trend("acme", YESTERDAY)["total_classifications"] == 1


def test_a_run_for_today_is_allowed_and_warns(database, run_dag):
    today = datetime.datetime.now(datetime.timezone.utc)
    database.classify("acme", at=f"{today.date()} 00:00:00")
    run = run_dag({"date": str(today.date())})
    assert run.state == "success"
    assert f"{today.date()} (UTC) is not over" in run.log
    assert database.trend("acme", today.date())["total_classifications"] == 1


def test_no_organizations_at_all_is_a_success_with_zeros(database, run_dag):
    run = run_dag(NOV_1)
    assert run.state == "success"
    assert run.tasks == {
        ("list_organizations", -1): "success",
        ("aggregate_organization", -1): "skipped",
        ("summarize", -1): "success",
    }
    assert run.summary == {**OK, "organizationsProcessed": 0, "trendsCreated": 0, "totalClassifications": 0}


def test_organizations_restricts_a_run_by_id_or_slug(database, run_dag):
    for slug in ("acme", "beta", "gamma"):
        database.classify(slug)
    run = run_dag({**NOV_1, "organizations": ["acme", database.organization("gamma").upper(), " acme ", ""]})
    assert run.state == "success"
    assert sorted(slug for slug, _ in database.trends()) == ["acme", "gamma"]
    assert run.summary["organizationsProcessed"] == 2


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
        (1, 1_025, 257),  # four batches, to run side by side
        (1, 10_000, 2_500),
        (1, 100_000, 2_500),
        (1, 5_000_000, 4_883),  # 1,024 batches, as many as may be
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
        ({"datum": "2026-11-01"}, "conf: unknown 'datum'. Known are date, organizations, force"),
    ],
)
def test_bad_input_is_refused_by_name_before_anything_is_written(database, run_dag, conf, message):
    database.classify("acme")
    run = run_dag({**NOV_1, **conf})
    assert run.state == "failed"
    assert message in run.log
    assert run.tasks["list_organizations", -1] == "failed"
    assert database.trends() == {}


@pytest.mark.parametrize(
    ("conf", "message"),
    [
        ({"date": "2026-02-30"}, "Invalid input for param date: '2026-02-30' is not a 'date'"),
        ({"date": "yesterday"}, "Invalid input for param date: 'yesterday' is not a 'date'"),
        ({"organizations": "acme"}, "Invalid input for param organizations: 'acme' is not of type"),
        ({"organizations_per_task": 0}, "Invalid input for param organizations_per_task: 0 is less than the minimum"),
        ({"force": "yes"}, "Invalid input for param force: 'yes' is not of type 'boolean'"),
    ],
)
def test_what_is_not_of_the_params_schema_makes_no_run_at_all(database, run_dag, conf, message):
    database.classify("acme")
    with pytest.raises(ParamValidationError, match=message):
        run_dag({**NOV_1, **conf})
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


def test_another_day_is_another_row(database, run_dag):
    database.classify("acme")
    run_dag(NOV_1)
    run_dag({"date": "2026-11-02"})
    assert database.trend("acme")["total_classifications"] == 1
    assert database.trend("acme", "2026-11-02")["total_classifications"] == 0


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
    assert "acme: kept the stored trend of 2026-11-01" in run.log
    assert database.trends() == stored

    run = run_dag({**NOV_1, "force": True})
    assert run.summary == {**OK, "organizationsProcessed": 3, "trendsCreated": 3, "totalClassifications": 0}
    for slug in ("acme", "alerted"):
        trend = database.trend(slug)
        assert (trend["total_classifications"], trend["topic_distribution"], trend["escalation_counts"]) == (0, {}, {})
        assert trend["id"] == stored[slug, "2026-11-01"]["id"]


@pytest.mark.parametrize(
    ("change", "problem", "remedy"),
    [
        (
            "drop table communication_trends",
            "communication_trends: the table does not exist",
            "apply sql/schema/communication_trends.sql",
        ),
        (
            "alter table communication_trends drop column channel_hotspots",
            "communication_trends.channel_hotspots: the column does not exist",
            "add it as in sql/schema/communication_trends.sql",
        ),
        (
            "drop index communication_trends_organization_day_idx",
            "communication_trends: no unique index on (organization_id, trend_date, trend_period)",
            "apply sql/schema/communication_trends.sql",
        ),
        (
            "drop table escalation_alerts",
            "escalation_alerts: the table does not exist",
            "check the database and the search_path",
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
    run = run_dag(NOV_1)
    assert run.state == "failed"
    assert run.tasks["list_organizations", -1] == "failed"
    assert run.tasks["aggregate_organization", -1] == "upstream_failed"
    assert problem in run.log
    assert remedy in run.log


def test_a_missing_table_is_not_retried(database, run_dag):
    database.connection.execute("drop table communication_trends")
    run = run_dag(NOV_1, retries=3)
    assert run.tasks["list_organizations", -1] == "failed"


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
