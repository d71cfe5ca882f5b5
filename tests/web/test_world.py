"""The questions of a person who looks after sixty tenants, asked of the API: what changed, for whom, is it unusual."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from fractions import Fraction

import pytest
from conftest import made_database

from local.servers import Server
from web import world
from web.conftest import API, Api

LAST_30 = {"from": "2026-09-30", "to": "2026-10-29"}


@pytest.fixture(scope="module")
def tenants(api: Api, server: Server) -> Iterator[Api]:
    """The application on the sixty tenants."""
    with pytest.MonkeyPatch.context() as patched, made_database(server) as database:
        patched.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", server.airflow_connection(database.name))
        world.fill(database.connection)
        yield Api(api.client, database.connection)


def get(api: Api, path: str, **params: object) -> dict:
    answer = api.get(f"{API}/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def rounded(value: Fraction) -> float:
    """Half up, one decimal."""
    return float(int(value * 10 + Fraction(1, 2)) / Fraction(10))


def test_who_needs_a_call_is_first_and_a_shopping_day_is_said_once(tenants):
    found = get(tenants, "attention", to=LAST_30["to"], limit=200)
    names = list(dict.fromkeys(one["organization"]["name"] for one in found["findings"]))
    first = [one for one in found["findings"] if one["organization"]["name"] == world.CRISIS]
    assert names[0] == world.CRISIS
    assert [one["figure"] for one in first[:3]] == ["escalations", "riskScore", "negativeTones"]
    own = [one["organization"]["name"] for one in found["findings"] if not one["together"]]
    assert {world.CRISIS, world.WORSE, world.SILENT} <= set(own)
    [silent] = [one for one in found["findings"] if one["organization"]["name"] == world.SILENT]
    assert (silent["state"], silent["since"]) == ("silent", str(world.SILENT_SINCE))
    shoppers = [name for name in world.NAMES if name.split()[1] in ("Retail", "Foods")]
    [together] = found["together"]
    assert (together["figure"], together["direction"]) == ("totalClassifications", "up")
    assert len(shoppers) * 3 / 4 <= together["organizations"] <= len(shoppers)
    # all of them, page by page
    pages = [get(tenants, "attention", to=LAST_30["to"], limit=7, offset=offset) for offset in range(0, 40, 7)]
    assert [one for page in pages for one in page["findings"]] == found["findings"][:42]


def test_few_messages_rank_nobody_first_and_the_figure_is_shown(tenants):
    first, last = (datetime.date.fromisoformat(day) for day in LAST_30.values())
    sums = {name: [0, 0] for name in world.NAMES}
    for (name, day), row in world.trends().items():
        if first <= day <= last:
            alerts = sum(row["escalation_counts"].values())
            topics = row["topic_distribution"]
            sums[name][0] += topics["complaint"] + topics["escalation"] + alerts
            sums[name][1] += row["total_classifications"] + alerts
    share = Fraction(sum(one for one, _ in sums.values()), sum(all_ for _, all_ in sums.values()))
    expected = {name: 100 * (one + 200 * share) / (all_ + 200) for name, (one, all_) in sums.items()}
    ranked = get(tenants, "overview", sort="adjustedRisk", limit=200, **LAST_30)["organizations"]
    by_rank = [expected[one["organization"]["name"]] for one in ranked]
    assert by_rank == sorted(expected.values(), reverse=True)
    assert [one["adjustedRisk"] for one in ranked] == [rounded(expected[one["organization"]["name"]]) for one in ranked]
    assert {one["organization"]["name"] for one in ranked[:4]} == {world.WORSE, *world.TROUBLED}
    # by the share alone, half of the first ten are chance
    plain = get(tenants, "overview", sort="riskScore", limit=10, **LAST_30)["organizations"]
    assert len({one["organization"]["name"] for one in plain} & set(world.SMALL)) >= 4
    # the usual share is that of all, anyone who is searched for
    [one] = get(tenants, "overview", search="delta-bank", sort="riskScoreChange", **LAST_30)["organizations"]
    assert one["adjustedRisk"] == rounded(expected[world.WORSE])
    assert one["escalationsPerThousand"] == rounded(Fraction(1000 * one["escalations"], one["totalClassifications"]))


def test_who_has_no_message_has_no_rank_by_share(tenants):
    ranked = get(tenants, "overview", sort="adjustedRisk", limit=200, **{"from": "2026-10-20", "to": "2026-10-29"})
    last = ranked["organizations"][-1]
    assert last["organization"]["name"] == world.SILENT
    assert (last["totalClassifications"], last["adjustedRisk"], last["escalationsPerThousand"]) == (0, None, None)


def test_gaps_are_counted_day_by_day(tenants):
    found = get(tenants, "freshness", **{"from": "2026-09-01", "to": "2026-10-29"})
    none = {"unreadable": 0, "notFinal": 0}
    assert found["incompletePeriods"] == [
        {"date": str(world.LATE_DAY), "missing": 1, "expected": 60, **none},
        # one tenant did not exist yet
        {"date": str(world.OUTAGE), "missing": 59, "expected": 59, **none},
    ]
    assert found["organizationsBehind"] == 59
    # of a range that begins before anything is stored, only what is stored is complete
    early = get(tenants, "freshness", **{"from": "2026-06-10", "to": "2026-07-31"})
    assert (early["incompletePeriods"], early["checkedFrom"]) == ([], str(world.FIRST_DAY))


def test_a_change_is_of_most_days(tenants):
    # ten days against those two weeks before: the new tenant has not all of these, the late one not all of those
    found = get(tenants, "comparison", **{"from": "2026-10-20", "to": "2026-10-29"})
    before = [day - datetime.timedelta(14) for day in world.DAYS[-10:]]
    stored = world.trends()
    both = sum(
        (name, day) in stored and (name, day + datetime.timedelta(14)) in stored
        for name in world.NAMES
        for day in before
    )
    assert (found["matchedDays"], found["possibleDays"], found["comparable"]) == (both, 600, True)


def test_a_change_of_a_third_of_the_days_is_none(tenants):
    # 90 days against those 91 days before, of which 29 are stored
    one = get(tenants, "comparison", organization="amber-bank", **{"from": "2026-08-01", "to": "2026-10-29"})
    assert (one["matchedDays"], one["possibleDays"], one["comparable"]) == (29, 90, False)
    [entry] = get(tenants, "overview", search="amber-bank", **{"from": "2026-08-01", "to": "2026-10-29"})[
        "organizations"
    ]
    assert (entry["matchedDays"], entry["comparable"]) == (29, False)
    assert entry["previousRiskScore"] == one["riskScore"]["previous"]
    assert entry["matchedRiskScore"] == one["riskScore"]["current"]


def test_which_topic_rose_for_whom_and_in_which_channel(tenants):
    # a week against the one before, counted once more
    found = get(tenants, "topic-changes", **{"from": "2026-10-20", "to": "2026-10-26"})
    stored, week = world.trends(), datetime.timedelta(7)
    days = [day for day in world.DAYS if datetime.date(2026, 10, 20) <= day <= datetime.date(2026, 10, 26)]
    pairs = [
        (stored[name, day], stored[name, day - week])
        for name in world.NAMES
        for day in days
        if (name, day) in stored and (name, day - week) in stored
    ]
    assert (found["matchedDays"], found["possibleDays"], found["comparable"]) == (len(pairs), 60 * 7, True)
    for field, column in (("topics", "topic_distribution"), ("tones", "sentiment_distribution")):
        wholes = [sum(sum(pair[side][column].values()) for pair in pairs) for side in (0, 1)]
        for entry in found[field]:
            sides = [sum(pair[side][column].get(entry["name"], 0) for pair in pairs) for side in (0, 1)]
            assert [entry["current"], entry["previous"]] == sides
            shares = [Fraction(100 * side, whole) for side, whole in zip(sides, wholes, strict=True)]
            assert [entry["currentShare"], entry["previousShare"]] == [rounded(share) for share in shares]
        rises = [entry["changePoints"] for entry in found[field]]
        assert rises == sorted(rises, reverse=True)
    assert {entry["name"] for entry in found["tones"]} == {"angry", "frustrated", "neutral"}

    # over a month, the complaints that rose are those of the tenant that gets slowly worse
    month = get(tenants, "topic-changes", **LAST_30)
    [complaints] = [entry for entry in month["topics"] if entry["name"] == "complaint"]
    first = complaints["organizations"][0]
    assert first["organization"]["name"] == world.WORSE
    assert first["currentShare"] > 2 * first["previousShare"]
    assert [one["channelId"] for one in first["channels"]] == ["C-delta-support"]
    assert not [one for entry in month["tones"] for other in entry["organizations"] for one in other["channels"]]


def test_topics_of_one_tenant_and_of_nothing_to_compare(tenants):
    asked = {"organization": "delta-bank", **LAST_30}
    found = get(tenants, "topic-changes", **asked)
    [complaints] = [entry for entry in found["topics"] if entry["name"] == "complaint"]
    assert complaints["organizations"] == []
    [channel] = complaints["channels"]
    stored = world.trends()
    # of the days that are compared: five weeks before there is one too
    hot = [
        bool(stored[world.WORSE, day]["channel_hotspots"])
        for day in world.DAYS
        if day >= datetime.date(2026, 9, 30)
        and {(world.WORSE, day), (world.WORSE, day - datetime.timedelta(35))} <= stored.keys()
    ]
    assert (channel["channelId"], channel["daysHot"]) == ("C-delta-support", sum(hot))
    lines = tenants.get(f"{API}/topic-changes", params={**asked, "format": "csv"}).text.splitlines()
    assert len(lines) == 1 + len(found["topics"]) + len(found["tones"])
    none = get(tenants, "topic-changes", **{"from": "2026-07-02", "to": "2026-07-08"})
    assert (none["matchedDays"], none["topics"], none["tones"], none["comparable"]) == (0, [], [], False)
    assert none["possibleDays"] == 59 * 7


@pytest.mark.parametrize(
    ("compare", "previous"), [("previous", "2026-10-06"), ("quarter", "2026-07-21"), ("year", "2025-10-21")]
)
def test_a_range_is_compared_with_the_one_asked_for(tenants, compare, previous):
    asked = {"from": "2026-10-20", "to": "2026-10-29", "compare": compare}
    for path in ("comparison", "topic-changes"):
        assert get(tenants, path, **asked)["previous"]["from"] == previous
    found = get(tenants, "overview", search="amber-bank", **asked)["organizations"][0]
    stored, shift = world.trends(), datetime.date(2026, 10, 20) - datetime.date.fromisoformat(previous)
    before = [stored.get(("Amber Bank", day - shift)) for day in world.DAYS[-10:]]
    expected = sum(trend["total_classifications"] for trend in before) if all(before) else None
    assert found["previousClassifications"] == expected


def test_named_days_are_in_the_answers_and_sentences(tenants, tmp_path, monkeypatch):
    path = tmp_path / "marks.txt"
    path.write_text("2026-10-29 Big Thursday\n2026-08-17 Holiday\n", encoding="utf-8")
    plain = get(tenants, "attention", to=LAST_30["to"])
    first = tenants.get(f"{API}/trends", params=LAST_30)
    assert first.json()["marks"] == []
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__MARKS_PATH", str(path))
    marks = [{"from": "2026-10-29", "to": "2026-10-29", "name": "Big Thursday"}]
    second = tenants.get(f"{API}/trends", params=LAST_30)
    # another answer, also for who has the first
    assert second.headers["ETag"] != first.headers["ETag"]
    assert second.json()["marks"] == marks
    assert get(tenants, "organizations/amber-bank/trends", **LAST_30)["marks"] == marks
    named = get(tenants, "attention", to=LAST_30["to"])
    assert [one["sentence"] for one in named["findings"]] == [
        f"{one['sentence']} (Big Thursday)" for one in plain["findings"]
    ]
    assert named["together"][0]["sentence"].endswith("messages far above usual; Big Thursday")
    # a file that cannot be used costs no number
    path.write_text("Thursday", encoding="utf-8")
    assert get(tenants, "trends", **LAST_30)["marks"] == []
    assert get(tenants, "attention", to=LAST_30["to"]) == plain
