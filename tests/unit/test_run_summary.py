"""How a run is summed up, from what is stored and what task instances report: plain values, no Airflow."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

from communication_trends.core.period import DAILY, Period
from communication_trends.core.report import AggregationReport, TrendResult, TrendStatus
from communication_trends.core.run_summary import (
    Evidence,
    RunSummary,
    StoredOrganization,
    StoredTrend,
    summarize_run,
)
from communication_trends.core.task_report import TaskReport

NOV_8 = DAILY.containing(datetime.date(2026, 11, 8))
NOV_7, NOV_6 = NOV_8.earlier(2)
FINAL = StoredTrend(10, is_final=True)


def stored(name: str, trends: dict[Period, StoredTrend], existed: tuple[Period, ...] = (NOV_6, NOV_7, NOV_8)) -> Any:
    changes = [trend.change for period, trend in trends.items() if period != NOV_8]
    return StoredOrganization(
        name,
        trends.get(NOV_8),
        trends[NOV_7].messages if NOV_7 in trends else 0,
        changes.count("filled"),
        changes.count("corrected"),
        frozenset({NOV_6, NOV_7, NOV_8} - trends.keys()),
        frozenset(existed),
    )


def report(index: int, *, clear_number: int = 0, is_last_attempt: bool = True, **what: Any) -> TaskReport:
    return TaskReport(index, clear_number, is_last_attempt, **what)


def summed_up(**changes: Any) -> RunSummary:
    """Sum up a run of two task instances, one of ``a`` and ``b``, one of ``c``, where all is well but for changes."""
    whole = {NOV_6: FINAL, NOV_7: FINAL, NOV_8: FINAL}
    given: dict[str, Any] = {
        "period": NOV_8,
        "lookback_periods": [NOV_7, NOV_6],
        "triggered_by": "schedule",
        "batches": [["a", "b"], ["c"]],
        "states": {0: "success", 1: "success"},
        "reports": {},
        "clear_number": 0,
        "stored": {name: stored(name.upper(), whole) for name in "abc"},
    }
    return summarize_run(Evidence(**{**given, **changes}))


def test_where_all_is_stored_nothing_is_wrong():
    run = summed_up()
    summary = run.as_json()
    assert (summary["organizationsProcessed"], summary["trendsCreated"], summary["totalClassifications"]) == (3, 3, 30)
    assert (summary["errors"], summary["lookback"]["failed"], run.behind) == (0, 0, 0)
    assert (run.problem(), run.warnings()) == ("", [])


def test_all_of_a_task_instance_that_failed_without_a_report_have_failed_whatever_is_stored():
    run = summed_up(states={0: "failed", 1: "success"})
    assert run.has_failed_tasks
    assert run.as_json()["failedOrganizations"] == ["A", "B"]
    assert run.problem().startswith("2 of 3 organizations have no trend for 2026-11-08 from this run: A, B. The others")


def test_a_task_instance_that_has_no_state_yet_has_failed():
    assert summed_up(states={0: "success"}).as_json()["failedOrganizations"] == ["C"]


def test_a_report_of_the_last_attempt_says_who_of_a_batch_failed():
    run = summed_up(states={0: "failed", 1: "success"}, reports={0: report(0, failed=["b"])})
    assert run.as_json()["failedOrganizations"] == ["B"]
    assert run.as_json()["organizationsProcessed"] == 2


def test_a_report_from_before_a_clear_does_not_count_for_a_task_instance_that_failed():
    """It was cleared, and died before it could say anything: what is there is what it said the first time."""
    old = {0: report(0, earlier={"2026-11-07": {"kept": 2}}, kept=["a"]), 1: report(1, kept=["c"])}
    run = summed_up(states={0: "failed", 1: "failed"}, reports=old, clear_number=1)
    summary = run.as_json()
    assert summary["failedOrganizations"] == ["A", "B", "C"]
    assert (summary["organizationsProcessed"], summary["keptTrends"], summary["lookback"]["kept"]) == (0, 0, 0)


def test_a_report_of_an_attempt_that_another_one_followed_does_not_count():
    told = {0: report(0, is_last_attempt=False, failed_earlier=[["2026-11-07", "a"]])}
    assert summed_up(states={0: "failed", 1: "success"}, reports=told).as_json()["failedOrganizations"] == ["A", "B"]


def test_a_task_instance_that_succeeded_and_was_not_cleared_with_the_others_keeps_its_report():
    run = summed_up(reports={1: report(1, kept=["c"])}, clear_number=1)
    assert (run.as_json()["keptTrends"], run.as_json()["trendsCreated"]) == (1, 2)


def test_a_report_beyond_the_list_of_now_is_of_a_longer_list_from_before():
    assert summed_up(reports={7: report(7, failed=["a"])}).as_json()["errors"] == 0


def test_what_is_not_stored_has_failed_though_its_task_instance_succeeded():
    organizations = {name: stored(name, {NOV_6: FINAL, NOV_7: FINAL, NOV_8: FINAL}) for name in "ab"}
    organizations["c"] = stored("c", {NOV_6: FINAL, NOV_7: FINAL})
    run = summed_up(stored=organizations)
    assert (run.as_json()["failedOrganizations"], run.behind) == (["c"], 1)


def test_an_organization_that_only_the_source_has_has_failed_and_one_that_nobody_has_was_deleted():
    two = {name: stored(name, {NOV_6: FINAL, NOV_7: FINAL, NOV_8: FINAL}) for name in "ab"}
    assert summed_up(stored=two, unknown_to_target=frozenset("c")).as_json()["failedOrganizations"] == ["c"]
    summary = summed_up(stored=two).as_json()
    assert (summary["errors"], summary["organizationsProcessed"], summary["trendsCreated"]) == (0, 3, 2)


def test_organizations_that_the_source_lacks_fail_the_run_by_name():
    run = summed_up(unknown_to_source={"d": "delta"})
    assert run.as_json()["failedOrganizations"] == ["delta"]
    assert "The source does not have these organizations" in run.problem()
    assert "delta" in run.problem()


def test_changes_are_counted_from_provenance_whichever_attempt_made_them():
    filled, corrected = (
        StoredTrend(5, is_final=True, change="filled"),
        StoredTrend(6, is_final=True, change="corrected"),
    )
    organizations = {
        "a": stored("a", {NOV_6: filled, NOV_7: filled, NOV_8: filled}),
        "b": stored("b", {NOV_6: corrected, NOV_7: filled, NOV_8: filled}),
        "c": stored("c", {NOV_6: FINAL, NOV_7: FINAL, NOV_8: FINAL}),
    }
    # the report of an earlier attempt is not needed for it
    run = summed_up(stored=organizations, states={0: "failed", 1: "success"})
    lookback = run.as_json()["lookback"]
    assert lookback == {"periods": 2, "filled": 3, "corrected": 1, "kept": 0, "failed": 0}


def test_an_earlier_period_that_is_missing_has_failed_unless_the_source_cannot_know_it():
    organizations = {name: stored(name.upper(), {NOV_7: FINAL, NOV_8: FINAL}) for name in "abc"}
    organizations["c"] = stored("C", {NOV_7: FINAL, NOV_8: FINAL}, existed=(NOV_7, NOV_8))
    run = summed_up(stored=organizations, reports={0: report(0, not_in_source={"2026-11-06": ["a"]})})
    summary = run.as_json()
    assert summary["lookback"]["failed"] == 1
    assert summary["missingTrends"] == {"total": 1, "from": "2026-11-06", "notInSource": 1}
    said = "1 trends of earlier days are missing, though no task instance failed for them; they may have been deleted"
    assert f"{said} since: B 2026-11-06." in run.problem()
    assert not run.has_failed_tasks
    assert "1 trends are missing from 2026-11-06 on" in run.warnings()[0]
    assert run.behind == 2


def test_what_is_missing_before_of_an_organization_that_failed_is_missing():
    organizations = {name: stored(name.upper(), {NOV_6: FINAL, NOV_7: FINAL, NOV_8: FINAL}) for name in "ab"}
    organizations["c"] = stored("C", {NOV_6: FINAL})
    told = {1: report(1, failed=["c"])}
    run = summed_up(stored=organizations, states={0: "success", 1: "failed"}, reports=told)
    summary = run.as_json()
    assert (summary["failedOrganizations"], summary["lookback"]["failed"]) == (["C"], 0)
    assert summary["missingTrends"] == {"total": 1, "from": "2026-11-07", "notInSource": 0}
    assert run.warnings()[0] == (
        "1 trends are missing from 2026-11-07 on: 0 from before the lookback, which a backfill stores while their "
        "source rows are there, 1 of organizations that have failed, and 0 that the source may have lost the rows of."
    )
    # what was tried has failed
    told = {1: report(1, failed=["c"], failed_earlier=[["2026-11-07", "c"]])}
    run = summed_up(stored=organizations, states={0: "success", 1: "failed"}, reports=told)
    assert (run.as_json()["lookback"]["failed"], run.as_json()["missingTrends"]["total"]) == (1, 0)


def test_what_is_missing_from_before_the_lookback_is_said_and_fails_nothing():
    run = summed_up(missing_before=4, missing_since=datetime.date(2026, 10, 12))
    assert run.as_json()["missingTrends"] == {"total": 4, "from": "2026-10-12", "notInSource": 0}
    assert run.problem() == ""
    assert run.warnings()[0].startswith("4 trends are missing from 2026-10-12 on: 4 from before the lookback")


def test_a_backfilled_period_that_the_source_cannot_know_has_failed():
    organizations = {
        "a": stored("a", {}, existed=(NOV_8,)),
        "b": stored("b", {}, existed=()),
        "c": stored("c", {NOV_8: FINAL}),
    }
    told = {0: report(0, not_in_source={"2026-11-08": ["a", "b"]})}
    run = summed_up(stored=organizations, lookback_periods=[], states={0: "failed", 1: "success"}, reports=told)
    assert run.as_json()["failedOrganizations"] == ["a", "b"]


def test_trends_that_are_not_final_or_of_unknown_origin_are_counted():
    organizations = {
        "a": stored("a", {NOV_8: StoredTrend(1, is_final=False)}),
        "b": stored("b", {NOV_8: StoredTrend(1)}),
        "c": stored("c", {NOV_8: FINAL}),
    }
    told = {0: report(0, incomplete=[("a", "2026-11-08", "source rows have been purged")])}
    run = summed_up(stored=organizations, lookback_periods=[], reports=told)
    summary = run.as_json()
    assert (summary["notFinal"], summary["unknownOrigin"]) == (1, 1)
    assert summary["incompleteTrends"] == {
        "total": 1,
        "trends": [{"organization": "a", "trendDate": "2026-11-08", "reason": "source rows have been purged"}],
    }
    assert "1 trend is not final. a 2026-11-08: source rows have been purged." in run.warnings()


def test_trends_of_rows_that_cannot_be_meant_are_counted_and_one_is_named():
    told = [("a", "2026-11-08", "4 have a sentiment that is a text"), ("b", "2026-11-08", "1 has one")]
    # a batch names no more than so many of those that it has
    reports = {0: report(0, doubtful=told, doubtful_total=70), 1: report(1, doubtful=[told[1]], doubtful_total=1)}
    run = summed_up(reports=reports)
    doubtful = run.as_json()["doubtfulTrends"]
    assert (doubtful["total"], len(doubtful["trends"])) == (71, 3)
    assert doubtful["trends"][0] == {
        "organization": "A",
        "trendDate": "2026-11-08",
        "reason": "4 have a sentiment that is a text",
    }
    (said,) = run.warnings()
    assert said.startswith("Trends written from messages with values that cannot be right: 71. Of A 2026")


def test_a_changed_rule_is_said_once_with_what_it_was():
    rule = {"topics": ["complaint"], "minMessages": 10, "minRatio": 0.6}
    earlier = {**rule, "minRatio": 0.3, "organizations": 3}
    run = summed_up(hotspot_rule=rule, earlier_rules=[earlier])
    assert run.as_json()["hotspotRule"] == {**rule, "earlierRules": [earlier]}
    (said,) = run.warnings()
    assert "risky share above 0.3" in said


def test_all_empty_after_a_day_with_messages_is_a_warning():
    empty = {NOV_6: FINAL, NOV_7: FINAL, NOV_8: StoredTrend(0, is_final=True)}
    run = summed_up(stored={name: stored(name, empty) for name in "abc"})
    assert run.warnings()[0].startswith(
        "All 3 organizations are empty in 2026-11-08, with 30 messages in the day before"
    )
    # those of an organization that has failed say nothing of the others
    idle = dict.fromkeys((NOV_6, NOV_7, NOV_8), StoredTrend(0, is_final=True))
    organizations = {"a": stored("a", idle), "b": stored("b", idle), "c": stored("c", {NOV_6: FINAL, NOV_7: FINAL})}
    run = summed_up(stored=organizations, states={0: "success", 1: "failed"}, reports={1: report(1, failed=["c"])})
    assert (run.processed, run.warnings()) == (["a", "b"], [])


def test_no_organization_at_all_is_a_warning():
    run = summed_up(batches=[], states={}, stored={})
    assert (run.as_json()["organizationsProcessed"], run.problem()) == (0, "")
    (said,) = run.warnings()
    assert said.startswith("There is no organization, so nothing was aggregated.")


def test_a_report_survives_the_way_through_json():
    results = [
        TrendResult("a", NOV_8, TrendStatus.KEPT, is_guarded=True),
        TrendResult("b", NOV_8, TrendStatus.FAILED, reason="broken"),
        TrendResult("b", NOV_7, TrendStatus.FAILED, reason="broken"),
        TrendResult("a", NOV_7, TrendStatus.CORRECTED, is_guarded=True),
        TrendResult("a", NOV_6, TrendStatus.NOT_IN_SOURCE),
        TrendResult("c", NOV_8, TrendStatus.FILLED),
    ]
    work = AggregationReport(results, incomplete={("c", NOV_8): "why"}, deleted=["d"])
    # of those that failed nothing is stored
    work.doubtful = {("c", NOV_8): "odd", ("b", NOV_8): "odd"}
    told = TaskReport.of(NOV_8, work, map_index=3, clear_number=2, is_last_attempt=False)
    assert told
    assert told.as_json() == {
        "mapIndex": 3,
        "clearNumber": 2,
        "isLastAttempt": False,
        "kept": ["a"],
        "failed": ["b"],
        "earlier": {"2026-11-07": {"corrected": 1, "kept": 1}},
        "failedEarlier": [["2026-11-07", "b"]],
        "notInSource": {"2026-11-06": ["a"]},
        "incomplete": [("c", "2026-11-08", "why")],
        "deleted": ["d"],
        "doubtful": [("c", "2026-11-08", "odd")],
        "doubtfulTotal": 1,
    }
    assert TaskReport.from_json(told.as_json()) == told
    # of a release before this
    earlier = {key: value for key, value in told.as_json().items() if key != "deleted"}
    assert TaskReport.from_json(earlier) == replace(told, deleted=())
    nothing = AggregationReport([TrendResult("c", NOV_8, TrendStatus.FILLED)])
    assert TaskReport.of(NOV_8, nothing, map_index=0, clear_number=0, is_last_attempt=True) is None
