"""The API, asked over HTTP, with Airflow's own authentication; expected numbers come from the rows themselves."""

from __future__ import annotations

import datetime
import shutil
from collections import Counter

import pytest

from local import ROOT
from web import rows
from web.conftest import API, making, read_csv

FROM, TO = datetime.date(2026, 9, 30), datetime.date(2026, 10, 29)
RANGE = {"from": str(FROM), "to": str(TO)}
DAYS = [day for day in rows.DAYS if FROM <= day <= TO]


def stored(slug):
    return [rows.trend(slug, day) for day in DAYS if slug != "acme" or day not in rows.GAPS]


def risky(trend):
    return trend["topic_distribution"]["complaint"] + trend["topic_distribution"]["escalation"]


def test_trends_of_one_organization(api):
    answer = api.get(f"{API}/organizations/acme/trends", params=RANGE).json()
    assert answer["organization"] == {
        "id": rows.organization_id("acme"),
        "name": "Acme Logistics",
        "slug": "acme",
    }
    assert [day["date"] for day in answer["days"]] == [str(day) for day in DAYS]
    for day, got in zip(DAYS, answer["days"], strict=True):
        if day in rows.GAPS:
            assert got == {
                "date": str(day),
                "state": "missing",
                "missing": True,
                "unreadable": False,
                **dict.fromkeys(["topics", "tones", "escalations", "totalClassifications", "avgConfidence"]),
                **dict.fromkeys(["hotspotCount", "hotspots", "isFinal", "computedAt"]),
                **dict.fromkeys(["riskyClassifications", "escalationsTotal", "messagesWithTone", "riskScore"]),
                **dict.fromkeys(["confidenceSum", "classificationsWithConfidence"]),
                "whole": False,
            }
            continue
        expected = rows.trend("acme", day)
        assert got == {
            "date": str(day),
            "state": "stored",
            "missing": False,
            "unreadable": False,
            "topics": expected["topic_distribution"],
            "tones": expected["sentiment_distribution"],
            "escalations": expected["escalation_counts"],
            "totalClassifications": expected["total_classifications"],
            "avgConfidence": expected["avg_confidence"],
            "hotspotCount": len(expected["channel_hotspots"]),
            "hotspots": expected["channel_hotspots"],
            "riskyClassifications": risky(expected),
            "escalationsTotal": sum(expected["escalation_counts"].values()),
            "messagesWithTone": sum(expected["sentiment_distribution"].values()),
            "confidenceSum": expected["avg_confidence"] * expected["total_classifications"],
            "classificationsWithConfidence": expected["total_classifications"],
            "riskScore": int(100 * risky(expected) / expected["total_classifications"] + 0.5),
            # of unknown origin
            "isFinal": None,
            "computedAt": None,
            "whole": True,
        }
    totals = answer["totals"]
    assert [totals[f"{name}Days"] for name in ("stored", "expected", "whole", "notFinal")] == [27, 30, 27, 0]
    assert (totals["days"], totals["missingDays"]) == (30, 3)
    assert totals["topics"] == sum((Counter(trend["topic_distribution"]) for trend in stored("acme")), Counter())
    assert totals["totalClassifications"] == sum(trend["total_classifications"] for trend in stored("acme"))
    share = sum(map(risky, stored("acme"))) * 100 / totals["totalClassifications"]
    assert totals["riskScore"] == int(share + 0.5)


def test_an_id_means_the_same_as_a_slug(api):
    by_id = api.get(f"{API}/organizations/{rows.organization_id('iris').upper()}/trends", params=RANGE).json()
    assert by_id == api.get(f"{API}/organizations/iris/trends", params=RANGE).json()
    assert by_id["organization"]["slug"] == "iris"


def test_organizations_in_pages_and_by_search(api):
    answer = api.get(f"{API}/organizations", params={"limit": 4, "offset": 8}).json()
    assert [one["slug"] for one in answer["organizations"]] == ["iris", "juniper"]
    assert answer["totalEntries"] == 10
    found = api.get(f"{API}/organizations", params={"search": "RBO"}).json()
    assert [one["slug"] for one in found["organizations"]] == ["harbor"]
    # no wildcard: text to search for is text
    assert api.get(f"{API}/organizations", params={"search": "%"}).json() == {"organizations": [], "totalEntries": 0}
    beyond = api.get(f"{API}/organizations", params={"offset": 100}).json()
    assert beyond == {"organizations": [], "totalEntries": 10}


def test_few_messages_rank_last(api):
    with making(api.connection) as make:
        make("tiny", [("2026-10-29", {"topic_distribution": {"complaint": 2}, "total_classifications": 2})])
        ranked = api.get(f"{API}/overview", params=RANGE).json()["organizations"]
    assert ranked[-1]["organization"]["slug"] == "tiny"
    assert ranked[-1]["riskScore"] == 100


def test_hotspots_are_ranked_over_the_range(api):
    every = api.get(f"{API}/hotspots", params=RANGE).json()["hotspots"]
    scores = [entry["riskScore"] for entry in every]
    assert scores == sorted(scores, reverse=True)
    one = api.get(f"{API}/hotspots", params={**RANGE, "organization": "acme"}).json()["hotspots"]
    assert 0 < len(one) < len(every)
    assert one == [entry for entry in every if entry["organization"]["slug"] == "acme"]


def test_csv_has_what_the_view_shows(api):
    entries = read_csv(api.get(f"{API}/organizations/acme/trends", params={**RANGE, "format": "csv"}))
    assert len(entries) == 30
    by_day = {entry["date"]: entry for entry in entries}
    gap = by_day["2026-10-14"]
    assert (gap["missing"], gap["totalClassifications"], gap["topic:complaint"]) == ("true", "", "")
    expected = rows.trend("acme", rows.INCIDENT)
    assert by_day[str(rows.INCIDENT)]["topic:complaint"] == str(expected["topic_distribution"]["complaint"])
    assert by_day[str(FROM)]["severity:critical"] == "0"
    # both sides of the mean: an average of averages is none
    total = expected["total_classifications"]
    both = (by_day[str(rows.INCIDENT)][name] for name in ("confidenceSum", "classificationsWithConfidence"))
    assert [*both] == [str(expected["avg_confidence"] * total), str(total)]
    overview = read_csv(api.get(f"{API}/overview", params={**RANGE, "format": "csv"}))
    assert next(entry["organizationSlug"] for entry in overview) == "acme"
    assert len(read_csv(api.get(f"{API}/hotspots", params={**RANGE, "format": "csv"}))) >= 2


def test_csv_runs_nothing_in_a_spreadsheet(api):
    name = '=HYPERLINK("http://example.invalid")'
    with making(api.connection) as make:
        make("formula", name=name)
        entries = read_csv(api.get(f"{API}/organizations", params={"search": "formula", "format": "csv"}))
    assert entries[0]["name"] == f"'{name}"


@pytest.mark.parametrize(
    ("path", "parameters", "field"),
    [
        ("trends", {"from": "yesterday"}, "from"),
        # not the seconds since 1970
        ("trends", {"from": "20261001"}, "from"),
        ("trends", {"to": "1790812800"}, "to"),
        ("trends", {"from": "2026-10-02", "to": "2026-10-01"}, "from"),
        ("trends", {"from": "2026-01-01", "to": "2026-10-01"}, "from"),
        ("organizations/acme/trends", {"from": "2020-01-01", "to": "2026-10-01"}, "from"),
        ("trends", {"to": "2999-01-01"}, "to"),
        ("trends", {"to": "0001-01-01"}, "to"),
        ("overview", {"limit": "0"}, "limit"),
        ("overview", {"limit": "100000"}, "limit"),
        ("overview", {"offset": "-1"}, "offset"),
        ("organizations", {"search": "a\x00b"}, "search"),
        ("organizations/a%00b/trends", {}, "organization"),
        ("hotspots", {"organization": "x" * 201}, "organization"),
        ("comparison", {"to": "2999-01-01"}, "to"),
        ("comparison", {"from": "2999-01-01"}, "from"),
        *(
            ("trends", {"period": period, field: date}, field)
            for period in ("daily", "weekly", "monthly")
            for field, date in (("to", "9999-12-31"), ("from", "9999-12-31"), ("from", "0001-01-01"))
        ),
        ("trends", {"period": "hourly"}, "period"),
        ("trends", {"period": "weekly", "from": "2024-01-01", "to": "2026-10-01"}, "from"),
        ("overview", {"sort": "luck"}, "sort"),
        ("overview", {"order": "up"}, "order"),
        ("trends", {"format": "xml"}, "format"),
    ],
)
def test_bad_input_names_the_field(api, path, parameters, field):
    answer = api.get(f"{API}/{path}", params=parameters)
    assert answer.status_code == 422
    assert field in [entry["loc"][-1] for entry in answer.json()["detail"]]


@pytest.mark.parametrize(
    ("path", "query", "field", "said"),
    [
        ("trends", "organizations=acme", "organizations", "organization"),
        ("overview", "From=2026-10-01", "From", "from"),
        ("hotspots", "compare=year", "compare", "format, from, limit, offset, organization, period, to"),
        ("organizations/acme/trends", "changed_since=2026-10-01T00:00:00Z", "changed_since", "changedSince"),
        ("trends", "organization=acme&organization=harbor", "organization", "acme and harbor"),
        ("runs/none", "x", "x", "period"),
    ],
)
def test_a_parameter_that_would_be_ignored_is_refused(api, path, query, field, said):
    answer = api.get(f"{API}/{path}?{query}")
    assert answer.status_code == 422
    (entry,) = answer.json()["detail"]
    assert entry["loc"] == ["query", field]
    assert said in entry["msg"]


def test_what_has_no_meaning_for_a_route_is_taken_where_it_has_one_elsewhere(api):
    query = {"period": "daily", "from": "2026-10-01", "to": "2026-10-02", "organization": "acme", "format": "json"}
    assert api.get(f"{API}/organizations", params=query).status_code == 200


def test_one_organization_means_the_same_everywhere(api):
    one = api.get(f"{API}/organizations/acme/trends", params=RANGE).json()
    found = api.get(f"{API}/trends", params={**RANGE, "organization": "acme"}).json()
    assert found["organizationsTotal"] == 1
    assert found["totals"] == one["totals"]
    assert found["ignored"] == one["ignored"]
    for day, same in zip(found["days"], one["days"], strict=True):
        assert {name: day[name] for name in day if name in same} == {name: same[name] for name in same if name in day}
        assert day["organizationsExpected"] <= 1
    ranked = api.get(f"{API}/overview", params=RANGE).json()["organizations"]
    overview = api.get(f"{API}/overview", params={**RANGE, "organization": "harbor"}).json()
    [of_all] = [entry for entry in ranked if entry["organization"]["slug"] == "harbor"]
    assert overview["totalEntries"] == 1
    assert overview["organizations"] == [{**of_all, "rank": 1}]


def test_what_is_not_there(api):
    assert api.get(f"{API}/organizations/nobody/trends").status_code == 404
    for path in ("trends", "overview"):
        assert api.get(f"{API}/{path}", params={"organization": "nobody"}).status_code == 404
    assert api.get(f"{API}/hotspots", params={"organization": "nobody"}).status_code == 404
    assert api.get(f"{API}/runs/none").status_code == 404
    assert api.get(f"{API}/nothing").status_code == 404


def test_a_lock_that_another_session_holds_is_named_as_such(api, server):
    with server.connect(api.connection.info.dbname) as locking, locking.transaction():
        locking.execute("lock table communication_trends")
        answer = api.get(f"{API}/trends", params=RANGE)
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "Another session has held a lock on the trends for 5 seconds. Try again in a moment.",
    )
    assert api.get(f"{API}/trends", params=RANGE).status_code == 200


def test_a_file_of_the_sql_that_cannot_be_read_is_a_problem_of_the_installation(api, monkeypatch, tmp_path):
    shutil.copytree(ROOT / "sql", tmp_path / "sql")
    (tmp_path / "sql" / "reading" / "freshness.sql").unlink()
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH", str(tmp_path / "sql"))
    answer = api.get(f"{API}/freshness")
    assert answer.status_code == 503
    assert "The API server's log says which" in answer.json()["detail"]
    # a monitor takes 503 for trends that are missing
    assert api.get(f"{API}/freshness", params={"fail": "true"}).status_code == 502


def test_it_describes_itself(api):
    description = api.get(f"{API}/openapi.json").json()
    assert f"{API.removeprefix('/communication-trends')}/overview" in description["paths"]
    assert description["servers"] == [{"url": "/communication-trends"}]
    properties = description["components"]["schemas"]["AllTrendDay"]["properties"]
    assert {"missing", "totalClassifications", "avgConfidence"} <= set(properties)


def test_nothing_is_written(api):
    for method in ("post", "put", "delete", "patch"):
        assert api.request(method, f"{API}/organizations", user="admin").status_code == 405


def test_more_than_can_be_judged_over_all_is_refused_by_its_field_with_the_remedy(api):
    path = "/communication-trends/api/v1/attention"
    asked = {"from": "2026-10-15", "to": "2026-10-29"}
    answer = api.get(path, params=asked)
    assert answer.status_code == 422
    [problem] = answer.json()["detail"]
    assert problem["loc"] == ["query", "from"]
    assert problem["msg"] == "from: 2026-10-15 makes 15 days; 14 at most, so 2026-10-16 or later"
    assert api.get(path, params={**asked, "from": "2026-10-16"}).status_code == 200
    # of one organization it costs next to nothing
    assert api.get(path, params={**asked, "organization": "acme"}).status_code == 200
