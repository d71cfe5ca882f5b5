"""Where a stored trend says it came from, and what follows from that: without Airflow, numbers by hand."""

from __future__ import annotations

import datetime
import decimal
import json
from contextlib import nullcontext
from typing import Any

import pytest
from working import NOV_8, changes, opened, since

from communication_trends.core import trend_writer
from communication_trends.core.aggregation import Aggregation
from communication_trends.core.period import DAILY, MONTHLY, WEEKLY, Period
from communication_trends.core.report import AggregationReport, TrendStatus
from communication_trends.core.work import Fill, HotspotRule, Origin, Work

HAD_MORE = "it had been made from more than the source had left"
RULE = {"topics": ["complaint", "escalation"], "minMessages": 10, "minRatio": 0.3}
FIRST, SECOND = Origin("dag", "first", "1.0"), Origin("dag", "second", "2.0")


@pytest.fixture
def work_on(server, database):
    """Do some work on the test's database, on a separate connection."""

    def work(period: Period = NOV_8, **what: Any) -> AggregationReport:
        with server.connect(database.name) as connection:
            work = Work(list(database.organizations.values()), period, **{"origin": FIRST, **what})
            return Aggregation(work, source=opened(connection)).run()

    return work


def provenance(database, slug: str = "acme", date: str = "2026-11-08", period: str = "daily") -> dict[str, Any]:
    rows = database.connection.execute(
        "select provenance.* from communication_trends_provenance as provenance"
        " join organizations on organizations.id = provenance.organization_id"
        " where slug = %s and trend_date = %s and trend_period = %s",
        [slug, date, period],
    ).fetchall()
    assert len(rows) == 1
    return {
        name: value for name, value in rows[0].items() if name not in ("organization_id", "trend_date", "trend_period")
    }


def moment(database) -> datetime.datetime:
    return database.connection.execute("select clock_timestamp() as now").fetchone()["now"]


def row_versions(database) -> list[dict[str, Any]]:
    """Where each row stands and which transaction has written it: both change whenever it is written."""
    return database.connection.execute(
        "select 'trend' as what, ctid::text, xmin::text from communication_trends"
        " union all select 'provenance', ctid::text, xmin::text from communication_trends_provenance order by 1, 2"
    ).fetchall()


def november(day: int) -> Period:
    return DAILY.containing(datetime.date(2026, 11, day))


def lose_six(database, day: int) -> None:
    """Delete six messages of a day of November."""
    database.connection.execute(
        "delete from topic_classifications where id in"
        " (select id from topic_classifications where created_at::date = %s limit 6)",
        [november(day).first_date],
    )


def two_alerts_and_four_messages(database) -> None:
    """One of the messages has no tone, two have no confidence."""
    for tone, confidence in (("tense", 70), ("tense", None), ("angry", None), (None, 90)):
        database.classify(
            "acme", at="2026-11-08 10:00", sentiment={"tone": tone} if tone else None, confidence=confidence
        )
    database.escalate("acme", "high", at="2026-11-08 10:00", count=2)


def test_it_says_when_from_how_much_by_whom_and_by_which_rule(database, work_on):
    two_alerts_and_four_messages(database)
    before = moment(database)
    work_on()
    after = moment(database)
    found = provenance(database)
    computed_at, changed_at = found.pop("computed_at"), found.pop("changed_at")
    assert before < computed_at < after
    assert before < changed_at < after
    assert found == {
        "change": "filled",
        "is_final": True,
        "messages": 4,
        "messages_with_tone": 3,
        "messages_with_confidence": 2,
        "alerts": 2,
        "hotspot_rule": RULE,
        "dag_id": "dag",
        "run_id": "first",
        "package_version": "1.0",
    }


def test_a_run_that_finds_all_unchanged_writes_nothing_and_one_that_corrects_says_so(database, work_on):
    two_alerts_and_four_messages(database)
    work_on()
    first, written = provenance(database), row_versions(database)
    assert [row["what"] for row in written] == ["provenance", "trend"]
    work_on(origin=SECOND)
    assert provenance(database) == first
    assert row_versions(database) == written
    database.classify("acme", at="2026-11-08 11:00", confidence=None)
    work_on(origin=SECOND)
    second = provenance(database)
    assert second["changed_at"] > first["changed_at"]
    assert second["computed_at"] > first["computed_at"]
    assert (second["change"], second["messages"], second["run_id"]) == ("corrected", 5, "second")


def test_hotspots_in_another_order_are_the_same_and_stay_as_they_were_stored(database, work_on):
    for channel, count in (("C1", 12), ("C2", 11), ("C3", 10)):
        database.classify("acme", topic="complaint", channel=channel, at="2026-11-08 10:00", count=count)
    work_on()
    order = "select channel_hotspots from communication_trends"
    stored = database.connection.execute(order).fetchone()["channel_hotspots"]
    assert [one["channelId"] for one in stored] == ["C1", "C2", "C3"]
    # as a service before this package may have left it
    taken_over = json.dumps(stored[::-1])
    database.connection.execute("update communication_trends set channel_hotspots = %s", [taken_over])
    database.connection.execute("truncate communication_trends_provenance")
    [trend] = row_versions(database)
    assert changes(work_on()) == {("acme", "2026-11-08"): "unchanged"}
    assert database.connection.execute(order).fetchone()["channel_hotspots"] == stored[::-1]
    assert trend in row_versions(database)
    assert provenance(database)["messages"] == 33
    # one that is there twice, and one with another number, are not the same
    for other in ([stored[0], *stored], [stored[0], stored[1], {**stored[2], "messageCount": 9}]):
        database.connection.execute("update communication_trends set channel_hotspots = %s", [json.dumps(other)])
        assert changes(work_on()) == {("acme", "2026-11-08"): "corrected"}
        assert database.connection.execute(order).fetchone()["channel_hotspots"] == stored


def test_what_is_computed_before_the_period_has_ended_is_not_final(database, work_on):
    today = DAILY.containing(datetime.datetime.now(datetime.timezone.utc).date())
    database.classify("acme", at=today.start)
    for kind in (DAILY, WEEKLY, MONTHLY):
        period = kind.containing(today.first_date)
        work_on(period)
        assert provenance(database, "acme", str(period.first_date), kind.name)["is_final"] is False


def test_it_becomes_final_without_a_change_of_values(database, work_on):
    two_alerts_and_four_messages(database)
    work_on()
    first = provenance(database)
    # as if it had been stored on its day
    database.connection.execute(
        "update communication_trends_provenance set is_final = false, computed_at = '2026-11-08 20:00+00'"
    )
    assert changes(work_on(origin=SECOND)) == {("acme", "2026-11-08"): "unchanged"}
    second = provenance(database)
    assert second.pop("computed_at") > first.pop("computed_at")
    # the run that changed the values is still the first one
    assert second == first


def test_what_force_has_stored_with_less_stays_not_final(database, work_on):
    database.classify("acme", at="2026-11-01 10:00")
    database.classify("acme", at="2026-11-08 10:00", count=10)
    since(database, "2026-11-01")
    work_on()
    lose_six(database, 8)
    assert list(work_on(force=True).incomplete.values()) == [HAD_MORE]
    outcome = work_on(NOV_8.following(), lookback_periods=[NOV_8])
    assert changes(outcome)["acme", "2026-11-08"] == "unchanged"
    assert (provenance(database)["messages"], provenance(database)["is_final"]) == (4, False)
    assert list(outcome.incomplete.values()) == ["it was incomplete when it was stored, and no rows have come since"]


@pytest.mark.parametrize("late", [13, 10])
def test_a_final_day_that_has_lost_rows_and_got_others_is_not_final(database, work_on, late):
    ten_messages_a_day(database, work_on, first=1)
    assert provenance(database)["is_final"]
    database.connection.execute("delete from topic_classifications where created_at < '2026-11-08 18:00'")
    database.classify("acme", at="2026-11-08 19:00", topic="late", count=late)
    outcome = work_on(NOV_8.following(), lookback_periods=NOV_8.following().earlier(7))
    assert changes(outcome)["acme", "2026-11-08"] == "corrected"
    assert not provenance(database)["is_final"]


def test_a_hotspot_with_more_messages_than_there_were_guards_nothing(database, work_on):
    database.classify("acme", at="2026-11-08 10:00", count=17)
    work_on()
    database.connection.execute(
        "update communication_trends set avg_confidence = 3, channel_hotspots ="
        """ '[{"channelId": "C1", "riskScore": 1, "messageCount": 500}]'"""
    )
    assert changes(work_on()) == {("acme", "2026-11-08"): "corrected"}
    trend = database.trend("acme", "2026-11-08")
    assert (trend["channel_hotspots"], trend["avg_confidence"]) == ([], 80)


def test_a_name_that_looks_like_a_number_is_none(database, work_on):
    odd = 'x": 99, y'
    for count in (1, 2):
        database.classify("acme", at="2026-11-08 10:00", sentiment={"tone": odd})
        database.escalate("acme", odd, at="2026-11-08 10:00")
        work_on()
        trend = database.trend("acme", "2026-11-08")
        assert (trend["sentiment_distribution"], trend["escalation_counts"]) == ({odd: count}, {odd: count})


def test_a_trend_that_was_there_before_is_vouched_for_once_it_is_found_equal(database, work_on):
    two_alerts_and_four_messages(database)
    work_on()
    database.connection.execute("truncate communication_trends_provenance")
    assert changes(work_on(origin=SECOND)) == {("acme", "2026-11-08"): "unchanged"}
    found = provenance(database)
    assert (found["changed_at"], found["change"]) == (None, None)
    assert (found["is_final"], found["messages"], found["alerts"], found["run_id"]) == (True, 4, 2, "second")


def test_what_is_of_unknown_origin_in_part_says_so_by_nulls(database, work_on):
    two_alerts_and_four_messages(database)
    work_on()
    database.connection.execute(
        "truncate communication_trends_provenance; delete from topic_classifications where confidence = 70"
    )
    database.escalate("acme", "low", at="2026-11-08 12:00")
    assert changes(work_on(origin=SECOND)) == {("acme", "2026-11-08"): "corrected"}
    found = provenance(database)
    assert (found["computed_at"], found["messages"], found["messages_with_tone"], found["hotspot_rule"]) == (None,) * 4
    assert (found["alerts"], found["is_final"], found["change"]) == (3, False, "corrected")


def test_of_a_trend_in_two_parts_the_older_snapshot_counts(database, work_on):
    two_alerts_and_four_messages(database)
    work_on()
    first = provenance(database)
    database.connection.execute("delete from escalation_alerts")
    database.classify("acme", at="2026-11-08 12:00")
    work_on(origin=SECOND)
    second = provenance(database)
    assert second["computed_at"] == first["computed_at"]
    assert second["changed_at"] > first["changed_at"]
    assert (second["messages"], second["alerts"], second["change"]) == (5, 2, "corrected")


def test_another_rule_is_recorded_where_it_is_applied_and_only_there(database, work_on):
    database.classify("acme", topic="technical", at="2026-11-08 10:00", count=5)
    database.classify("beta", at="2026-11-08 10:00", count=2)
    work_on()
    database.connection.execute(
        "delete from topic_classifications where organization_id = %s", [database.organization("beta")]
    )
    rule = HotspotRule(["technical", "technical"], 4, decimal.Decimal("0.60"))
    report = work_on(hotspots=rule, origin=SECOND)
    assert changes(report) == {("acme", "2026-11-08"): "corrected", ("beta", "2026-11-08"): "kept"}
    assert provenance(database)["hotspot_rule"] == {"topics": ["technical"], "minMessages": 4, "minRatio": 0.6}
    assert provenance(database, "beta")["hotspot_rule"] == RULE


def test_a_rule_that_makes_no_difference_is_recorded_without_a_change(database, work_on):
    two_alerts_and_four_messages(database)
    work_on()
    first = provenance(database)
    assert changes(work_on(hotspots=HotspotRule(min_messages=20))) == {("acme", "2026-11-08"): "unchanged"}
    second = provenance(database)
    assert second["hotspot_rule"] == {**RULE, "minMessages": 20}
    assert (second["changed_at"], second["change"]) == (first["changed_at"], "filled")


@pytest.mark.parametrize(
    "tampering",
    [
        "total_classifications = 999",
        "total_classifications = 1",
        "topic_distribution = '{}'",
        "escalation_counts = '{\"high\": 50}'",
        "avg_confidence = null",
        "sentiment_distribution = '{\"tense\": 40}'",
        "total_classifications = null",
        "escalation_counts = null",
    ],
)
def test_who_changes_a_trend_behind_the_packages_back_is_found_out(database, work_on, tampering):
    two_alerts_and_four_messages(database)
    work_on()
    stored = database.trend("acme", "2026-11-08")
    database.connection.execute("alter table communication_trends alter escalation_counts drop not null")
    database.connection.execute(f"update communication_trends set {tampering}")
    report = work_on(NOV_8.following(), lookback_periods=[NOV_8])
    assert changes(report)["acme", "2026-11-08"] == "corrected"
    assert database.trend("acme", "2026-11-08") == stored


def test_what_another_writer_made_from_more_than_is_left_stays(database, work_on):
    """The service before, or an older release after a rollback, has stored late rows that are purged since."""
    two_alerts_and_four_messages(database)
    work_on()
    database.connection.execute(
        "update communication_trends set total_classifications = 30, topic_distribution = '{\"general\": 30}'"
    )
    database.classify("acme", at="2026-11-08 12:00")
    assert changes(work_on()) == {("acme", "2026-11-08"): "kept"}
    assert database.trend("acme", "2026-11-08")["total_classifications"] == 30


def test_a_trend_that_was_deleted_is_filled_though_its_provenance_is_there(database, work_on):
    two_alerts_and_four_messages(database)
    work_on()
    database.connection.execute("delete from communication_trends; delete from escalation_alerts")
    assert changes(work_on(origin=SECOND)) == {("acme", "2026-11-08"): "filled"}
    found = provenance(database)
    assert (found["change"], found["alerts"], found["run_id"]) == ("filled", 0, "second")


def test_it_goes_with_its_organization(database, work_on):
    two_alerts_and_four_messages(database)
    work_on()
    database.connection.execute(
        "delete from escalation_alerts; delete from topic_classifications; delete from organizations"
    )
    assert database.connection.execute("select from communication_trends_provenance").fetchall() == []


@pytest.mark.parametrize(
    "action",
    [
        "return null;",
        "new.messages := 7;",
        "new.alerts := null;",
        "new.is_final := not new.is_final;",
    ],
)
def test_a_trend_whose_provenance_differs_from_what_was_computed_is_not_stored(database, work_on, action):
    for slug in ("acme", "beta"):
        database.classify(slug, at="2026-11-08 10:00")
    database.on_write(action, slug="acme", when="before insert", table="communication_trends_provenance")
    report = work_on()
    assert changes(report) == {("acme", "2026-11-08"): "failed", ("beta", "2026-11-08"): "filled"}
    assert "provenance" in report.of("failed")[0].reason  # type: ignore[arg-type]
    assert list(database.trends()) == [("beta", "2026-11-08")]


# What the source cannot know any more


def days(database) -> dict[str, int]:
    return {date: row["total_classifications"] for (slug, date), row in database.trends().items() if slug == "acme"}


def noon(day: int) -> str:
    return f"2026-11-{day:02} 12:00"


def ten_messages_a_day(database, work_on, first: int) -> None:
    """Store daily trends of acme, of 10 messages each, from one day of November to the 8th."""
    for day in range(first, 9):
        database.classify("acme", at=noon(day), count=10)
    since(database, "2026-11-01")
    work_on(lookback_periods=NOV_8.earlier(8 - first))


@pytest.fixture
def an_outage(database, work_on):
    """
    Twelve messages a day from the 10th to the 20th; the 10th and 11th are stored; then retention leaves the 16th on.

    ``beta`` has messages as well, ``idle`` never had any.
    """
    for slug in ("acme", "beta"):
        for day in range(10, 21):
            database.classify(slug, at=noon(day), count=12)
    database.organization("idle")
    since(database, "2026-11-01")
    for day in (10, 11):
        work_on(november(day))
    return "delete from topic_classifications where created_at < '2026-11-16'"


NOV_20 = november(20)


def test_lookback_does_not_fill_days_that_the_source_has_no_rows_of_any_more(database, work_on, an_outage):
    database.connection.execute(an_outage)
    report = work_on(NOV_20, lookback_periods=NOV_20.earlier(7))
    whole = dict.fromkeys(["2026-11-10", "2026-11-11", *(f"2026-11-{day}" for day in range(16, 21))], 12)
    assert days(database) == whole
    lost = {(report.name(one.organization), one.period.first_date.day) for one in report.of("not in source")}  # type: ignore[arg-type]
    assert lost == {(slug, day) for slug in ("acme", "beta", "idle") for day in (13, 14, 15)}
    # of the 16th, the oldest that is left, nobody can say whether its morning has gone as well
    assert provenance(database, "acme", "2026-11-16")["is_final"] is False
    assert provenance(database, "acme", "2026-11-17")["is_final"] is True
    assert database.trends()["idle", "2026-11-16"]["total_classifications"] == 0


def test_a_stray_row_of_long_ago_does_not_make_the_source_go_back_that_far(database, work_on, an_outage):
    for slug in ("acme", "idle"):
        database.classify(slug, at="1970-01-01 00:00")
        database.escalate(slug, "high", at="2019-01-01 00:00")
    database.connection.execute(an_outage + " and created_at > '2020-01-01'")
    report = work_on(NOV_20, lookback_periods=NOV_20.earlier(7))
    lost = {(report.name(one.organization), one.period.first_date.day) for one in report.of("not in source")}  # type: ignore[arg-type]
    assert lost == {(slug, day) for slug in ("acme", "beta", "idle") for day in (13, 14, 15)}
    assert provenance(database, "acme", "2026-11-16")["is_final"] is False


def test_what_was_not_final_stays_so_when_it_is_found_again(database, work_on, an_outage):
    database.connection.execute(an_outage)
    work_on(NOV_20, lookback_periods=NOV_20.earlier(7))
    work_on(november(13), fill=Fill.NOT_FINAL)
    for _ in range(2):
        report = work_on(NOV_20.following(), lookback_periods=NOV_20.following().earlier(8))
        assert changes(report)["acme", "2026-11-16"] == "unchanged"
        assert provenance(database, "acme", "2026-11-16")["is_final"] is False
        assert provenance(database, "acme", "2026-11-13")["is_final"] is False
        assert provenance(database, "acme", "2026-11-17")["is_final"] is True


def test_a_late_message_does_not_make_what_force_has_reduced_final(database, work_on):
    ten_messages_a_day(database, work_on, first=1)
    lose_six(database, 8)
    work_on(force=True)
    before = provenance(database)
    assert (before["change"], before["is_final"]) == ("reduced", False)
    # so that it was lost, and that only a forced one says it is whole again
    for late, forced, final in ((1, False, False), (2, False, False), (3, True, True)):
        database.classify("acme", at="2026-11-08 19:00")
        report = work_on(force=True) if forced else work_on(NOV_8.following(), lookback_periods=[NOV_8])
        assert changes(report)["acme", "2026-11-08"] == "corrected"
        found = provenance(database)
        assert (found["messages"], found["is_final"]) == (before["messages"] + late, final)
        assert list(report.incomplete.values()) == ([] if final else [HAD_MORE])
    assert found["change"] == "corrected"


def test_what_force_has_overwritten_still_shows_that_the_source_has_lost_rows(database, work_on):
    """All of acme's messages are purged; those of others show that the source goes back further."""
    database.classify("acme", at="2026-11-08 10:00", count=5)
    database.classify("other", at="2026-11-01 10:00")
    since(database, "2026-01-01")
    work_on()
    database.connection.execute(
        "delete from topic_classifications where organization_id = %s", [database.organization("acme")]
    )
    outcome = changes(work_on(force=True, lookback_periods=NOV_8.earlier(2)))
    assert outcome["acme", "2026-11-08"] == "corrected"
    assert (outcome["acme", "2026-11-07"], outcome["acme", "2026-11-06"]) == ("not in source", "not in source")
    assert outcome["other", "2026-11-07"] == "filled"


def test_what_force_has_reduced_and_a_run_has_corrected_since_is_final_once_it_is_forced_again(database, work_on):
    ten_messages_a_day(database, work_on, first=1)
    lose_six(database, 8)
    # what a retry, or a clear, of the same run finds is no second opinion
    by_hand = {"force": True, "origin": Origin("communication_trends_daily", "manual__1")}
    for _ in range(3):
        work_on(**by_hand)
        found = provenance(database)
        assert (found["messages"], found["change"], found["is_final"]) == (4, "reduced", False)
    # the other six come back, and the scheduled run stores them
    database.classify("acme", at="2026-11-08 10:00", count=6)
    work_on(NOV_8.following(), lookback_periods=[NOV_8])
    found = provenance(database)
    assert (found["messages"], found["change"], found["is_final"]) == (10, "reduced", False)
    again = Origin("communication_trends_daily", "manual__2")
    assert changes(work_on(force=True, origin=again)) == {("acme", "2026-11-08"): "unchanged"}
    forced = provenance(database)
    assert (forced["change"], forced["is_final"]) == ("corrected", True)
    assert forced["changed_at"] == found["changed_at"]
    work_on()
    assert provenance(database) == forced


def test_a_trend_deleted_by_hand_is_not_final_where_rows_are_gone_since(database, work_on):
    two_alerts_and_four_messages(database)
    work_on()
    database.connection.execute("delete from communication_trends")
    database.connection.execute("delete from escalation_alerts where id in (select id from escalation_alerts limit 1)")
    report = work_on()
    assert changes(report) == {("acme", "2026-11-08"): "filled"}
    assert list(report.incomplete.values()) == [HAD_MORE]
    found = provenance(database)
    assert (found["alerts"], found["change"], found["is_final"]) == (1, "filled", False)
    # nothing was lost since
    database.connection.execute("delete from communication_trends")
    database.connection.execute("update communication_trends_provenance set is_final = true")
    report = work_on()
    assert (changes(report), report.incomplete) == ({("acme", "2026-11-08"): "filled"}, {})
    assert provenance(database)["is_final"] is True


@pytest.mark.parametrize("lost", ["channel_id = null", "channel_id = 'C2'"])
def test_a_hotspot_overwritten_by_force_without_its_channel_is_not_final(database, work_on, lost):
    database.classify("acme", at="2026-11-01 10:00")
    database.classify("acme", topic="complaint", at="2026-11-08 10:00", count=12)
    since(database, "2026-11-01")
    work_on()
    database.connection.execute(f"update topic_classifications set {lost} where created_at >= '2026-11-08'")
    assert changes(work_on(force=True)) == {("acme", "2026-11-08"): "corrected"}
    assert provenance(database)["is_final"] is False
    work_on(NOV_8.following(), lookback_periods=[NOV_8])
    assert provenance(database)["is_final"] is False


def test_daily_trends_prove_of_weeks_as_well_that_rows_were_there(database, work_on, an_outage):
    database.connection.execute("delete from topic_classifications where created_at < '2026-11-18'")
    week = WEEKLY.containing(datetime.date(2026, 11, 20))
    work_on(week, lookback_periods=week.earlier(1))
    assert provenance(database, "acme", "2026-11-16", "weekly")["is_final"] is False
    assert sorted(database.trends("weekly")) == [(slug, "2026-11-16") for slug in ("acme", "beta", "idle")]


def test_rows_of_one_organization_may_be_gone_while_others_have_theirs(database, work_on, an_outage):
    database.connection.execute(f"{an_outage} and organization_id = %s", [database.organization("acme")])
    work_on(NOV_20, lookback_periods=NOV_20.earlier(7))
    assert sorted(days(database)) == ["2026-11-10", "2026-11-11", *(f"2026-11-{day}" for day in range(16, 21))]
    assert database.trends()["beta", "2026-11-13"]["total_classifications"] == 12
    # who never had a message had none on these days either
    assert database.trends()["idle", "2026-11-13"]["total_classifications"] == 0


def test_an_organization_without_any_rows_left_is_not_filled_with_zeros(database, work_on, an_outage):
    database.connection.execute(
        "delete from topic_classifications where organization_id = %s", [database.organization("acme")]
    )
    report = work_on(NOV_20, lookback_periods=NOV_20.earlier(7))
    assert days(database) == {"2026-11-10": 12, "2026-11-11": 12, "2026-11-20": 0}
    assert len(report.of("not in source")) == 7  # type: ignore[arg-type]


def test_who_has_been_silent_since_before_the_retention_gets_zeros(database, work_on, an_outage):
    """Its last messages went with everybody's of that time, which proves nothing about the days after."""
    acme = database.organization("acme")
    database.connection.execute(
        "delete from topic_classifications where organization_id = %s and created_at > '2026-11-12'", [acme]
    )
    database.connection.execute("delete from topic_classifications where created_at < '2026-11-13 06:00'")
    work_on(NOV_20, lookback_periods=NOV_20.earlier(7))
    assert days(database) == {
        "2026-11-10": 12,
        "2026-11-11": 12,
        # of the 13th some are gone, perhaps its own
        **dict.fromkeys([f"2026-11-{day}" for day in range(14, 21)], 0),
    }


@pytest.mark.parametrize(("fill", "stored"), [(Fill.IF_IN_SOURCE, None), (Fill.NOT_FINAL, False), (Fill.ALWAYS, True)])
def test_the_runs_own_period_is_filled_as_its_kind_of_run_has_it(database, work_on, an_outage, fill, stored):
    database.connection.execute(an_outage)
    report = work_on(november(13), fill=fill)
    if stored is None:
        assert set(changes(report).values()) == {"not in source"}
        assert "2026-11-13" not in days(database)
    else:
        assert set(changes(report).values()) == {"filled"}
        assert provenance(database, "acme", "2026-11-13")["is_final"] is stored


def test_the_first_day_that_an_application_has_rows_of_is_whole(database, work_on):
    database.classify("acme", at=noon(13), count=3)
    since(database, "2026-11-13")
    work_on(november(15), lookback_periods=november(15).earlier(7))
    assert days(database) == {"2026-11-13": 3, "2026-11-14": 0, "2026-11-15": 0}
    assert provenance(database, "acme", "2026-11-13")["is_final"] is True


def test_a_filled_day_whose_alerts_may_have_been_purged_is_not_final(database, work_on, an_outage):
    database.escalate("acme", "high", at=noon(10))
    work_on(november(10))
    for day in (14, 18):
        database.escalate("acme", "high", at=noon(day), count=2)
    database.connection.execute("delete from escalation_alerts where created_at < '2026-11-17'")
    report = work_on(NOV_20, lookback_periods=NOV_20.earlier(7))
    assert days(database)["2026-11-14"] == 12
    assert provenance(database, "acme", "2026-11-14")["is_final"] is False
    assert provenance(database, "acme", "2026-11-19")["is_final"] is True
    assert "alerts" in report.incomplete[database.organization("acme"), november(14)]
    assert provenance(database, "beta", "2026-11-14")["is_final"] is True


@pytest.mark.parametrize("kind", [WEEKLY, MONTHLY])
def test_a_week_or_month_that_lacks_purged_days_is_not_final_though_its_sum_is_larger(database, work_on, kind):
    """Seven daily trends of 10 messages; 20 messages purged, 30 late ones on one day: the sum is 80."""
    ten_messages_a_day(database, work_on, first=2)
    database.connection.execute("delete from topic_classifications where created_at < '2026-11-04'")
    database.classify("acme", at=noon(6), count=30)
    period = kind.containing(datetime.date(2026, 11, 8))
    report = work_on(period)
    assert database.trends(kind.name)["acme", str(period.first_date)]["total_classifications"] == 80
    assert provenance(database, "acme", str(period.first_date), kind.name)["is_final"] is False
    said = report.incomplete[database.organization("acme"), period]
    assert "of 2026-11-02, 2026-11-03 fewer are left than the stored daily trends were made from" in said
    # found again, it is still not final
    assert changes(work_on(period)) == {("acme", str(period)): "unchanged"}
    assert provenance(database, "acme", str(period.first_date), kind.name)["is_final"] is False


@pytest.mark.parametrize("kind", [WEEKLY, MONTHLY])
@pytest.mark.parametrize("lost", ["sentiment", "confidence", "channel_id"])
@pytest.mark.parametrize("has_provenance", [True, False])
def test_a_week_or_month_whose_messages_were_anonymized_is_not_final(database, work_on, kind, lost, has_provenance):
    """Of the 4th and 5th ten complaints each, and a day later no tone, confidence or channel: the message is there."""
    for day in range(4, 9):
        database.classify("acme", topic="complaint", at=noon(day), sentiment={"tone": "angry"}, count=10)
        work_on(november(day))
    if not has_provenance:
        database.connection.execute("truncate communication_trends_provenance")
    database.connection.execute(f"update topic_classifications set {lost} = null where created_at < '2026-11-06'")
    period = kind.containing(NOV_8.first_date)
    report = work_on(period)
    assert database.trends(kind.name)["acme", str(period.first_date)]["total_classifications"] == 50
    assert provenance(database, "acme", str(period.first_date), kind.name)["is_final"] is False
    assert report.incomplete[database.organization("acme"), period] == (
        "messages have lost their tone, confidence or channel: of 2026-11-04, 2026-11-05 fewer have one than in the "
        "stored daily trends"
    )


@pytest.mark.parametrize("kind", [WEEKLY, MONTHLY])
def test_a_week_or_month_with_a_day_that_lacks_rows_is_not_final_either(database, work_on, kind):
    """Six of ten messages of the 5th are deleted, and that day is overwritten by force; the 8th has not ended."""
    ten_messages_a_day(database, work_on, first=1)
    lose_six(database, 5)
    work_on(november(5), force=True)
    # as if it had been stored on its day, of which more is in the source now
    database.connection.execute(
        "update communication_trends_provenance set is_final = false, computed_at = '2026-11-08 20:00+00'"
        " where trend_date = '2026-11-08'"
    )
    period = kind.containing(NOV_8.first_date)
    report = work_on(period)
    assert provenance(database, "acme", str(period.first_date), kind.name)["is_final"] is False
    assert report.incomplete[database.organization("acme"), period] == (
        "the stored daily trends of 2026-11-05 are not final either"
    )


def test_a_week_whose_alerts_have_been_purged_is_not_final(database, work_on):
    database.escalate("acme", "high", at=noon(3))
    ten_messages_a_day(database, work_on, first=2)
    database.connection.execute("delete from escalation_alerts")
    work_on(WEEKLY.containing(NOV_8.first_date))
    assert provenance(database, "acme", "2026-11-02", "weekly")["is_final"] is False


@pytest.mark.parametrize("type_", ["timestamptz", "date"])
@pytest.mark.parametrize("kind", [WEEKLY, MONTHLY])
def test_trend_dates_of_another_type_find_purged_days_as_well(database, work_on, type_, kind):
    database.connection.execute(f"alter table communication_trends alter trend_date type {type_}")
    ten_messages_a_day(database, work_on, first=2)
    database.connection.execute("delete from topic_classifications where created_at < '2026-11-03'")
    period = kind.containing(NOV_8.first_date)
    assert "2026-11-02" in work_on(period).incomplete[database.organization("acme"), period]


# Splitting


@pytest.mark.parametrize(
    ("organizations", "broken", "attempts"),
    # at most 256 are stored together; of one broken organization, each failed part is stored again in four, one of
    # which fails again: of the last 44, the last 11 and the last 2
    [(256, [100], 17), (1, [0], 1), (100, [], 1), (4, [0, 1, 2, 3], 5), (300, [], 2), (300, [100, 299], 17 + 11)],
)
def test_a_failed_batch_is_split_until_only_what_is_broken_has_failed(
    database, work_on, monkeypatch, organizations, broken, attempts
):
    monkeypatch.setattr(trend_writer, "MAX_STORED_TOGETHER", 256)
    connection = database.connection
    for number in range(organizations):
        slug = f"o{number:03}"
        # in the order in which parts are stored
        database.organizations[slug] = f"00000000-0000-0000-0000-000000000{number:03}"
        connection.execute(
            "insert into organizations (id, name, slug) values (%s, %s, %s)", [database.organizations[slug], slug, slug]
        )
    connection.execute("create table broken (organization_id uuid)")
    for number in broken:
        connection.execute("insert into broken values (%s)", [database.organization(f"o{number:03}")])
    connection.execute(
        "create sequence attempts; select nextval('attempts');"
        "create function count_attempts() returns trigger language plpgsql as"
        " $$ begin perform nextval('attempts'); return null; end $$;"
        "create trigger a before insert on communication_trends for each statement execute function count_attempts()"
    )
    database.on_write(
        "if exists (select from broken where organization_id = new.organization_id) then raise 'broken'; end if;",
        when="before insert",
    )
    report = work_on()
    assert [report.name(one.organization) for one in report.of("failed")] == [f"o{number:03}" for number in broken]  # type: ignore[arg-type]
    assert len(database.trends()) == organizations - len(broken)
    assert connection.execute("select last_value - 1 as made from attempts").fetchone() == {"made": attempts}


@pytest.fixture(params=["in one transaction", "in several"])
def splitting(request, monkeypatch):
    """A transaction that splits for as long as it takes, or one that leaves the rest to others at once."""
    monkeypatch.setattr(trend_writer, "MAX_SPLITTING", 60 if request.param == "in one transaction" else 0)
    return request.param


@pytest.mark.parametrize("databases", [1, 2])
def test_where_storing_fails_only_the_broken_are_not_stored(server, database, databases, splitting, caplog):
    for number in range(20):
        database.classify(f"o{number:02}", at="2026-11-08 10:00", count=number + 1)
    # of two weeks before, so that the days between them cannot be known to be whole
    database.connection.execute(
        "insert into communication_trends (id, organization_id, trend_date, trend_period, topic_distribution,"
        " sentiment_distribution, escalation_counts, channel_hotspots, total_classifications)"
        """ select gen_random_uuid(), id, '2026-10-25', 'daily', '{"general": 5}', '{}', '{}', '[]', 5"""
        " from organizations where slug in ('o05', 'o11')"
    )
    database.on_write("raise 'refused';", slug="o03", when="before insert")
    at_the_end: dict[str, Any] = {"when": "after insert", "table": "communication_trends_provenance"}
    database.on_write("raise 'refused';", slug="o11", is_deferred=True, name="at_the_end", **at_the_end)
    # found by the verification, after it has been stored
    database.connection.execute("alter table topic_classifications alter confidence type numeric")
    database.connection.execute(
        "update topic_classifications set confidence = 0.5 where organization_id = %s", [database.organization("o07")]
    )
    with server.connect(database.name) as source, server.connect(database.name) as target:
        reading, writing = opened(source), opened(target)
        report = Aggregation(
            Work(list(database.organizations.values()), NOV_8, fill=Fill.NOT_FINAL),
            source=reading,
            open_target=None if databases == 1 else lambda: nullcontext(writing),
        ).run()
    assert {
        report.name(one.organization): one.reason.partition(" [")[0].partition(",")[0]
        for one in report.of(TrendStatus.FAILED)
    } == {
        "o03": "refused",
        "o11": "refused",
        "o07": "o07: the confidences of its 8 messages are fractions of 1",
    }
    stored = {
        slug: row["total_classifications"] for (slug, date), row in database.trends().items() if date == "2026-11-08"
    }
    assert stored == {f"o{number:02}": number + 1 for number in range(20) if number not in (3, 7, 11)}
    assert list(report.incomplete) == [(database.organization("o05"), NOV_8)]
    assert provenance(database, "o05")["is_final"] is False
    assert provenance(database, "o06")["is_final"] is True
    splits = [record.message for record in caplog.records if "Splitting it" in record.message]
    # what storing splits is not aggregated again, so far as one transaction does
    assert splits[0].startswith("A batch of 20 trends failed")
    assert not [said for said in splits if "trends failed" not in said]


def test_over_periods_as_well_only_the_broken_pair_fails(database, work_on, splitting):
    for slug in ("acme", "beta"):
        for day in range(1, 9):
            database.classify(slug, at=f"2026-11-0{day} 12:00")
    since(database, "2026-11-01")
    database.connection.execute(
        "alter table communication_trends add constraint broken check"
        f" (organization_id <> '{database.organization('beta')}' or trend_date <> '2026-11-03')"
    )
    report = work_on(lookback_periods=NOV_8.earlier(7))
    assert [(report.name(one.organization), str(one.period)) for one in report.of("failed")] == [("beta", "2026-11-03")]  # type: ignore[arg-type]
    assert len(database.trends()) == 15
    # each once, also where what was left over was of several periods
    assert len(report.results) == len({(one.organization, one.period) for one in report.results}) == 16


def test_after_an_error_that_affects_all_every_pair_that_was_not_tried_has_failed(database, work_on):
    for slug in ("acme", "beta"):
        database.classify(slug, at="2026-11-08 10:00")
    since(database, "2026-11-01")
    database.connection.execute("drop table escalation_alerts")
    report = work_on(lookback_periods=NOV_8.earlier(3))
    assert report.ended_by is not None
    failed = {(report.name(one.organization), one.period.first_date.day) for one in report.of("failed")}  # type: ignore[arg-type]
    ids = [database.organization(slug) for slug in ("acme", "beta")]
    assert failed == {(id_, day) for id_ in ids for day in (8, 7, 6, 5)}
