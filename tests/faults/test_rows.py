"""Faults in the data: poisoned organizations, purged rows, numbers that do not add up, hostile content."""

from __future__ import annotations

import itertools
import json
import re

import pytest
from conftest import NOV_1
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("per_task", [1, 3])
def test_an_organization_whose_trigger_finds_no_table_fails_alone(database, run_dag, per_task):
    """As where each tenant has a schema of its own, and one of them was dropped."""
    for slug in ("acme", "beta", "gamma"):
        database.classify(slug)
    database.on_write("insert into beta.log values (1);", slug="beta")
    run = run_dag({**NOV_1, "organizations_per_task": per_task})
    assert run.state == "failed"
    assert sorted(slug for slug, _ in database.trends()) == ["acme", "gamma"]
    assert (run.summary["organizationsProcessed"], run.summary["failedOrganizations"]) == (2, ["beta"])
    assert "[SQLSTATE 42P01]: correct the application's function: PL/pgSQL function interfere() line 1" in run.log


def test_in_a_batch_of_500_exactly_the_poisoned_ones_fail(database, run_dag):
    database.connection.execute(
        "insert into organizations (name, slug) select 'n' || n, 'n' || n from generate_series(1, 500) as n"
    )
    database.connection.execute(
        "insert into topic_classifications (organization_id, topic, confidence, created_at)"
        " select id, 'general', 50, '2026-11-01 12:00' from organizations"
    )
    database.connection.execute("alter table communication_trends alter avg_confidence type smallint")
    database.connection.execute(
        "update topic_classifications set confidence = 40000"
        " where organization_id in (select id from organizations where slug in ('n7', 'n499'))"
    )
    run = run_dag({**NOV_1, "organizations_per_task": 500})
    assert run.state == "failed"
    stored = {slug for slug, _ in database.trends()}
    assert stored == {f"n{n}" for n in range(1, 501)} - {"n7", "n499"}
    assert run.summary["organizationsProcessed"] == run.summary["trendsCreated"] == 498
    assert run.summary["failedOrganizations"] == ["n499", "n7"]


def test_a_batch_is_named_after_itself_where_an_error_ends_its_splitting(database, run_dag):
    for slug in ("acme", "beta"):
        database.classify(slug)
    # a rollback does not set a sequence back: so the batch meets an error, then acme alone the end of its session
    database.connection.execute("create sequence calls")
    end = "perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(10);"
    poison = f"if nextval('calls') > 1 then {end} end if; raise 'poisoned';"
    # not what the check before the run tries to store
    database.on_write(f"if new.total_classifications = 1 then {poison} end if;", slug="acme")
    run = run_dag({**NOV_1, "organizations_per_task": 2})
    assert run.state == "failed"
    assert "Splitting it" in run.log
    assert run.names == {0: "acme and 1 more"}


def test_a_lost_session_is_a_line_in_the_log_for_fifty_organizations_and_floods_none(database, run_dag):
    slugs = [f"org-{number}" for number in range(60)]
    for slug in slugs:
        database.classify(slug)
    database.classify("org-0", at="2026-10-01 12:00:00")
    database.connection.execute("update organizations set created_at = '2026-01-01'")
    # after the run's own period was stored
    action = "perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(10);"
    database.on_write(f"if new.trend_date = '2026-10-31' then {action} end if;", slug="org-7")
    run = run_dag({**NOV_1, "organizations_per_task": 60, "lookback": 1})
    assert (run.summary["trendsCreated"], run.summary["lookback"]["failed"]) == (60, 60)
    lines = [line for line in run.log.splitlines() if " 2026-10-31: terminating connection" in line]
    named = [re.findall(r"org-\d+", line.partition(" 2026-10-31: ")[0]) for line in lines]
    assert sorted(map(len, named)) == [10, 50]
    assert sorted(itertools.chain.from_iterable(named)) == sorted(slugs)


@pytest.mark.parametrize("per_task", [1, 3])
def test_an_organization_deleted_after_it_was_listed_is_nobodys_failure(database, run_dag, per_task):
    for slug in ("acme", "beta", "gamma"):
        database.classify(slug)
    # acme's transaction deletes beta, which was listed, the first time that it is tried
    database.on_write(
        "if not exists (select from organizations where slug = 'done') then"
        " insert into organizations (name, slug) values ('done', 'done');"
        " delete from organizations where slug = 'beta'; end if;",
        slug="acme",
    )
    run = run_dag({**NOV_1, "organizations_per_task": per_task})
    if per_task == 1:
        assert run.state == "success"
        assert run.summary["organizationsProcessed"] == 3
        assert run.summary["trendsCreated"] == 2
    assert sorted(slug for slug, _ in database.trends()) == ["acme", "gamma"]


def test_numbers_that_do_not_add_up_are_not_stored(database, run_dag):
    database.classify("acme", count=2)
    database.classify("beta", count=2)
    run_dag(NOV_1)
    stored = database.trends()
    database.classify("acme")
    database.classify("beta")
    database.on_write("new.topic_distribution := '{}'; new.total_classifications := 0;", slug="acme")
    # forced, since the guard would keep the row of an organization whose numbers shrink
    run = run_dag({**NOV_1, "organizations_per_task": 2, "force": True})
    assert run.state == "failed"
    assert "acme: the trend does not add up and was not stored" in run.log
    assert run.summary["failedOrganizations"] == ["acme"]
    assert database.trend("acme") == stored["acme", "2026-11-01"]
    assert database.trend("beta")["total_classifications"] == 3


def test_a_partial_purge_shrinks_no_stored_trend(database, run_dag):
    database.classify("acme", topic="old", at="2026-11-01 01:00", count=5)
    database.classify("acme", topic="new", at="2026-11-01 20:00", count=2)
    database.escalate("beta", "high", count=2)
    database.classify("beta", count=1)
    run_dag(NOV_1)
    stored = database.trends()
    database.connection.execute("delete from topic_classifications where created_at < '2026-11-01 02:00'")
    database.connection.execute("delete from escalation_alerts where id in (select id from escalation_alerts limit 1)")
    database.classify("beta", topic="late")

    run = run_dag(NOV_1)
    assert run.state == "success"
    assert (run.summary["keptTrends"], run.summary["trendsCreated"]) == (2, 0)
    assert "acme: of the stored trend of 2026-11-01, what was made from messages was not overwritten" in run.log
    assert "beta: of the stored trend of 2026-11-01, what was made from alerts was not overwritten" in run.log
    assert database.trend("acme") == stored["acme", "2026-11-01"]
    # of beta, what was made from messages is stored
    beta = database.trend("beta")
    assert beta["topic_distribution"] == {"general": 1, "late": 1}
    assert beta["escalation_counts"] == {"high": 2}

    # the correction, when the rows were deleted on purpose
    run = run_dag({**NOV_1, "organizations": ["acme"], "force": True})
    assert (run.summary["keptTrends"], run.summary["trendsCreated"]) == (0, 1)
    assert database.trend("acme")["topic_distribution"] == {"new": 2}
    assert database.trend("beta") == beta


def test_rows_that_cannot_be_meant_are_in_the_summary_as_well(database, run_dag):
    """The application has stored its JSON twice, as text in JSON: there is no tone in it."""
    database.classify("acme", sentiment=json.dumps({"tone": "angry"}), count=4)
    database.classify("beta", sentiment={"tone": "angry"})
    run = run_dag(NOV_1)
    doubtful = run.summary["doubtfulTrends"]
    assert (run.state, doubtful["total"]) == ("success", 1)
    assert (doubtful["trends"][0]["organization"], doubtful["trends"][0]["trendDate"]) == ("acme", "2026-11-01")
    assert doubtful["trends"][0]["reason"].startswith("4 have a sentiment that is a text with JSON in it")
    assert "Trends written from messages with values that cannot be right: 1. Of acme" in run.log


def test_the_log_has_the_messages_of_the_stored_trend_where_they_were_not_overwritten(database, run_dag):
    database.classify("acme", count=10)
    run_dag(NOV_1)
    database.connection.execute(
        "delete from topic_classifications where id in (select id from topic_classifications limit 6)"
    )
    database.escalate("acme", "high")
    assert "Stored 2026-11-01, with so many classifications: acme (10)." in run_dag(NOV_1).log
    database.escalate("acme", "high")
    log = run_dag({"date": "2026-11-02", "lookback": 1}).log
    assert "acme: 2026-11-01 corrected (10 → 10)" in log
    assert "10 → 4" not in log
    trend = database.trend("acme")
    assert (trend["total_classifications"], trend["escalation_counts"]) == (10, {"high": 2})


hostile = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
hostile_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | hostile,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.tuples(hostile, hostile, hostile_json | st.fixed_dictionaries({"tone": hostile_json})),
        min_size=1,
        max_size=30,
    )
)
def test_hostile_content_fails_no_organization(database, run_dag, rows):
    database.connection.execute("truncate topic_classifications, communication_trends")
    for topic, channel, sentiment in rows:
        database.classify("acme", topic=topic, channel=channel, sentiment=sentiment)
    run = run_dag(NOV_1)
    assert run.state == "success"
    topics = database.trend("acme")["topic_distribution"]
    assert sum(topics.values()) == len(rows)
    assert set(topics) == {topic for topic, _, _ in rows}


def test_huge_topics_and_infinite_times_fail_no_organization_and_flood_no_log(database, run_dag):
    database.connection.execute(
        "drop index topic_classifications_topic_created_idx, topic_classifications_channel_created_idx"
    )
    for letter in "abc":
        database.classify("acme", topic=letter * 1_000_000, channel=letter * 100_000)
    for moment in ("infinity", "-infinity"):
        database.classify("acme", at=moment)
        database.escalate("acme", "high", at=moment)
    run = run_dag(NOV_1)
    assert run.state == "success"
    trend = database.trend("acme")
    assert {len(topic) for topic in trend["topic_distribution"]} == {1_000_000}
    assert (trend["total_classifications"], trend["escalation_counts"]) == (3, {})
    assert len(run.log) < 200_000


def test_organization_names_are_never_rendered_as_templates(database, run_dag):
    database.organization("{{ 6 * 7 }}")
    database.organization("<b>bold</b>'; --")
    run = run_dag({**NOV_1, "organizations": ["{{ 6 * 7 }}", "<b>bold</b>'; --"]})
    assert run.state == "success"
    assert set(run.names.values()) == {"{{ 6 * 7 }}", "<b>bold</b>'; --"}


def test_an_organization_marked_as_success_by_hand_is_not_taken_for_one(database, run_dag):
    database.classify("acme")
    run = run_dag(NOV_1, mark_success_pattern="aggregate_organization")
    assert run.tasks["aggregate_organization", 0] == "success"
    assert database.trends() == {}
    assert run.state == "failed"
    assert (run.summary["organizationsProcessed"], run.summary["failedOrganizations"]) == (0, ["acme"])
