"""Whole runs through Airflow."""

from __future__ import annotations


def test_a_run_stores_each_organization(database, run_dag):
    database.classify("acme", topic="complaint", sentiment={"tone": "angry"}, count=3)
    database.organization("idle")
    run = run_dag({"date": "2026-11-01"})
    assert run.state == "success"
    assert run.names == {0: "acme", 1: "idle"}
    assert database.trend("acme")["topic_distribution"] == {"complaint": 3}
    assert run.summary == {
        "trendDate": "2026-11-01",
        "triggeredBy": "manual",
        "organizationsProcessed": 2,
        "trendsCreated": 2,
        "keptTrends": 0,
        "errors": 0,
        "failedOrganizations": [],
    }


def test_bad_date(database, run_dag):
    database.classify("acme")
    run = run_dag({"date": "2099-11-01"})
    print(run.log[-4000:], run)
    assert run.state == "failed"
    assert "in the future" in run.log
