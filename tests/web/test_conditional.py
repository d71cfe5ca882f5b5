"""An answer that the browser has already is not made again; one that could differ is."""

from __future__ import annotations

import datetime
import time

import pytest

from communication_trends.web import ranges
from web.conftest import API

RANGE = {"from": "2026-10-23", "to": "2026-10-29"}
PATHS = ["organizations", "organizations/acme/trends", "trends", "overview", "hotspots", "comparison", "freshness"]


def again(api, path, tag, **parameters):
    """Ask with the tag of an earlier answer."""
    return api.client.get(
        f"{API}/{path}", params={**RANGE, **parameters}, headers={**api.headers("viewer"), "If-None-Match": tag}
    )


def settled(api):
    """Wait until PostgreSQL has counted what was written; it does so a few seconds late at most."""
    api.connection.execute("select pg_stat_force_next_flush()")
    api.connection.execute("select 1")
    time.sleep(0.1)


@pytest.mark.parametrize("path", [*PATHS, "attention"])
def test_what_has_not_changed_is_not_sent_again(api, path):
    settled(api)
    asked = {} if path != "attention" else {"organization": "acme"}
    answer = api.get(f"{API}/{path}", params={**RANGE, **asked})
    tag = answer.headers["etag"]
    assert answer.headers["cache-control"] == "private, no-cache"
    same = again(api, path, tag, **asked)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert again(api, path, tag, **asked, format="csv").status_code == 200
    assert again(api, path, '"other"', **asked).status_code == 200
    assert api.get(f"{API}/{path}", params={"from": "2026-10-22", **asked}).headers["etag"] != tag


CHANGES = {
    "a trend by the package": (
        "insert into communication_trends_provenance (organization_id, trend_date, trend_period, is_final, changed_at)"
        " select id, '2026-10-29', 'daily', true, now() from organizations where slug = 'acme'",
        "truncate communication_trends_provenance",
    ),
    "a trend behind its back": (
        "update communication_trends set total_classifications = total_classifications + 1",
        "update communication_trends set total_classifications = total_classifications - 1",
    ),
    "an organization's name": (
        "update organizations set name = 'Acme 2' where slug = 'acme'",
        "update organizations set name = 'Acme Logistics' where slug = 'acme'",
    ),
    "a new organization": (
        "insert into organizations (name, slug) values ('New', 'new')",
        "delete from organizations where slug = 'new'",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_sent_again(api, change):
    settled(api)
    tags = {path: api.get(f"{API}/{path}", params=RANGE).headers["etag"] for path in PATHS}
    do, undo = CHANGES[change]
    api.connection.execute(do)
    try:
        settled(api)
        for path, tag in tags.items():
            assert again(api, path, tag).status_code == 200, path
    finally:
        api.connection.execute(undo)
        settled(api)


def test_a_change_of_the_settings_or_of_the_day_makes_another_answer(api, monkeypatch):
    settled(api)
    tag = api.get(f"{API}/overview", params=RANGE).headers["etag"]
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__HOTSPOT_TOPICS", "complaint")
    assert again(api, "overview", tag).status_code == 200
    monkeypatch.undo()
    assert again(api, "overview", tag).status_code == 304
    tomorrow = ranges.utc_now() + datetime.timedelta(1)
    monkeypatch.setattr(ranges, "utc_now", lambda: tomorrow)
    assert again(api, "overview", tag).status_code == 200


def test_an_answer_of_before_a_period_is_due_has_no_tag_of_afterwards(api, monkeypatch):
    """A thread for the request may be free only when the period is due."""
    settled(api)
    moments = [datetime.datetime(2026, 10, 30, 2, 59, 59, tzinfo=datetime.timezone.utc)]
    due = moments[0] + datetime.timedelta(seconds=1)
    monkeypatch.setattr(ranges, "utc_now", lambda: moments.pop() if moments else due)
    before = api.get(f"{API}/trends")
    assert before.json()["to"] == "2026-10-28"
    asked = {**api.headers("viewer"), "If-None-Match": before.headers["etag"]}
    after = api.client.get(f"{API}/trends", headers=asked)
    assert (after.status_code, after.json()["to"]) == (200, "2026-10-29")


def test_changes_since_a_moment_and_a_monitor_s_failure_are_never_kept(api):
    answer = api.get(f"{API}/trends", params={**RANGE, "changedSince": "2026-10-01T00:00:00Z"})
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "private, no-store"
    # nothing is stored of yesterday
    answer = api.get(f"{API}/freshness", params={"fail": "true"})
    assert (answer.status_code, answer.headers.get("etag")) == (503, None)


def test_a_view_does_not_say_when_it_has_changed(server, api, monkeypatch, database):
    connection = database.connection
    connection.execute(
        "alter table communication_trends rename to stored; create view communication_trends as select * from stored"
    )
    name = connection.info.dbname
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", server.airflow_connection(name))
    answer = api.get(f"{API}/trends", params=RANGE)
    assert (answer.status_code, answer.headers.get("etag")) == (200, None)
