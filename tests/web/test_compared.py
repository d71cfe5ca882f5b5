"""Comparison, freshness, gaps, weeks and months, the ranking, what is unusual; expected values from the rows."""

from __future__ import annotations

import datetime
import random
from typing import Any

import pytest
from conftest import rows_handled
from stored import STATISTICS

from communication_trends.core.anomalies import SCREEN, is_suspect, may_last
from communication_trends.core.baseline import baseline_periods
from communication_trends.core.counts import METRICS, Counts
from communication_trends.core.period import DAILY
from communication_trends.core.statements import compose
from communication_trends.core.trend_reader import READING_PARAMETERS
from communication_trends.core.work import HotspotRule
from communication_trends.web.ranges import due_range, range_of
from local import ROOT
from web.conftest import API, making, read_csv

D = datetime.date.fromisoformat
WEEK = {"from": "2026-10-23", "to": "2026-10-29"}


@pytest.fixture
def made(api):
    with making(api.connection) as make:
        yield make


def test_an_imported_organization_exists_from_its_first_trend(api, made):
    made(
        "imported",
        # empty, as a backfill stores it: it does not say that the organization existed
        [("2026-10-23", {}), ("2026-10-24", {"total_classifications": 1}), ("2026-10-26", {})],
        created="2026-11-20",
    )
    days = api.get(f"{API}/organizations/imported/trends", params=WEEK).json()["days"]
    states = ["notCreated", "stored", "missing", "stored", "missing", "missing", "missing"]
    assert [day["state"] for day in days] == states
    answer = api.get(f"{API}/trends", params=WEEK).json()
    assert [day["organizationsMissing"] for day in answer["days"]] == [0, 0, 1, 0, 1, 1, 1]
    assert [day["organizationsStored"] for day in answer["days"]] == [10, 11, 10, 11, 10, 10, 10]
    assert answer["ignored"] == {"offGrid": 0, "ofNoOrganization": 0, "beforeExistence": 1}
    listed = api.get(f"{API}/overview", params={**WEEK, "search": "imported"}).json()["organizations"]
    assert (listed[0]["expectedDays"], listed[0]["daysStored"], listed[0]["missingDays"]) == (6, 2, 4)


def test_freshness_names_who_is_behind(api, made):
    made("behind", [(f"2026-10-{day}", {}) for day in (23, 24, 26, 27)], created="2026-10-23")
    [entry] = api.get(f"{API}/freshness", params=WEEK).json()["behind"]
    assert entry["organization"]["slug"] == "behind"
    assert entry["lastStoredDay"] == "2026-10-27"
    assert entry["missingDays"] == ["2026-10-29", "2026-10-28", "2026-10-25"]
    table = read_csv(api.get(f"{API}/freshness", params={**WEEK, "format": "csv"}))
    assert table[0]["missingDays"] == "2026-10-29 2026-10-28 2026-10-25"


def test_a_monitor_sees_what_is_not_fresh(api):
    calm = {"from": "2026-10-23", "to": "2026-10-29", "fail": "true"}
    assert api.get(f"{API}/freshness", params=calm).status_code == 200
    # acme lacks a day before the range
    assert api.get(f"{API}/freshness", params=calm).json()["completeThrough"] == "2026-10-13"
    dune = api.get(f"{API}/freshness", params={**calm, "organization": "dune"}).json()
    assert (dune["completeThrough"], dune["incompleteBefore"]) == ("2026-10-29", 0)
    # nothing is stored after that, whatever range is asked for
    for first in (None, "2026-11-10", "2026-10-30"):
        asked = {"organization": "dune", **({"from": first} if first else {})}
        dune = api.get(f"{API}/freshness", params=asked).json()
        assert (dune["completeThrough"], dune["fresh"]) == ("2026-10-29", False)
    # nothing is stored of yesterday
    now = api.get(f"{API}/freshness", params={"fail": "true"})
    assert now.status_code == 503
    assert now.json()["organizationsBehind"] == 10
    assert api.get(f"{API}/freshness").status_code == 200
    # absent is not fresh
    weekly = api.get(f"{API}/freshness", params={"period": "weekly", "fail": "true"})
    assert (weekly.status_code, weekly.json()["completeThrough"]) == (503, None)


@pytest.mark.parametrize(
    ("now", "through"),
    [("2026-10-30 03:59", "2026-10-28"), ("2026-10-30 04:00", "2026-10-29")],
)
def test_a_period_is_expected_an_hour_after_it_is_due(now, through):
    assert due_range(DAILY, datetime.datetime.fromisoformat(f"{now}+00:00")).to == D(through)


def test_months_have_the_same_shape(api, made):
    made("small", [("2026-09-01", {"total_classifications": 20})], kind="monthly")
    month = api.get(f"{API}/trends", params={"period": "monthly", "from": "2026-09-15", "to": "2026-09-15"}).json()
    assert (month["from"], month["to"], month["days"][0]["organizationsStored"]) == ("2026-09-01", "2026-09-30", 1)
    assert (month["days"][0]["organizationsMissing"], month["totals"]["totalClassifications"]) == (10, 20)


def test_a_channel_that_another_writer_has_stored_twice_was_hot_on_one_day(api, made):
    """On one day of each week, and one more of the second."""
    twice = [{"channelId": "C1", "riskScore": score, "messageCount": 10} for score in (40, 60)]
    trend = {"topic_distribution": {"complaint": 5, "general": 15}, "total_classifications": 20}
    hot = {**trend, "topic_distribution": {"complaint": 10, "general": 10}, "channel_hotspots": twice}
    made("small", [("2026-10-19", {**trend, "channel_hotspots": twice}), ("2026-10-20", trend)])
    made("small", [("2026-10-26", hot), ("2026-10-27", hot)])
    asked = {"from": "2026-10-26", "to": "2026-10-27", "organization": "small"}
    [channel] = api.get(f"{API}/hotspots", params=asked).json()["hotspots"]
    numbers = {"daysHot": 2, "messageCount": 40, "riskScore": 50, "peakRiskScore": 60, "lastHotDay": "2026-10-27"}
    assert {name: channel[name] for name in numbers} == numbers
    complaints = api.get(f"{API}/topic-changes", params=asked).json()["topics"][0]
    assert complaints["channels"] == [{"channelId": "C1", "daysHot": 2, "previousDaysHot": 1}]


def test_alerts_count_in_the_ranking(api, made):
    trend = {"topic_distribution": {"general": 5000}, "total_classifications": 5000}
    made("alarmed", [("2026-10-29", {**trend, "escalation_counts": {"critical": 75_156, "odd": 2}})])
    ranked = api.get(f"{API}/overview", params=WEEK).json()["organizations"]
    assert ranked[0]["organization"]["slug"] == "alarmed"
    assert (ranked[0]["riskScore"], ranked[0]["escalations"], ranked[0]["criticalEscalations"]) == (0, 75_158, 75_156)


SORTS = [
    *("name", "daysStored", "totalClassifications", "escalations", "criticalEscalations", "hotspotCount"),
    *("escalationsPerThousand", "riskScoreChange", "totalClassificationsChange", "escalationsChange"),
    "avgConfidenceChange",
]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_the_overview_in_any_order(api, sort, order):
    answer = api.get(f"{API}/overview", params={**WEEK, "sort": sort, "order": order, "limit": 200}).json()
    entries = answer["organizations"]
    values = [entry["organization"]["name"].lower() if sort == "name" else entry[sort] for entry in entries]
    # a change of too few days comes after those that say something; what is null comes last in either order
    few = [sort.endswith("Change") and not entry["comparable"] for entry in entries]
    parts = [
        sorted(
            (value for value, is_few in zip(values, few, strict=True) if value is not None and is_few == last),
            reverse=order == "desc",
        )
        for last in (False, True)
    ]
    known = parts[0] + parts[1]
    assert len(known) > 5
    assert values == known + [None] * (len(values) - len(known))
    assert [entry["rank"] for entry in entries] == list(range(1, 11))
    table = read_csv(api.get(f"{API}/overview", params={**WEEK, "sort": sort, "order": order, "format": "csv"}))
    assert [row["organizationSlug"] for row in table] == [entry["organization"]["slug"] for entry in entries]
    page = api.get(f"{API}/overview", params={**WEEK, "sort": sort, "order": order, "limit": 3, "offset": 2}).json()
    assert (page["organizations"], page["totalEntries"]) == (entries[2:5], 10)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_change_of_too_few_days_ranks_nobody_first(api, made, order):
    """Ten times as many messages, and none at all, over five of seven days: less than 80%."""
    for slug, now, before in (("risen", 1000, 100), ("fallen", 0, 100)):
        days = [D(WEEK["from"]) + datetime.timedelta(number) for number in range(7)]
        stored = [(day, ordinary(messages=now, complaints=0)) for day in days]
        earlier = [(day - datetime.timedelta(7), ordinary(messages=before, complaints=0)) for day in days[:5]]
        made(slug, [*stored, *earlier])
    asked = {**WEEK, "sort": "totalClassificationsChange", "order": order, "limit": 200}
    found = api.get(f"{API}/overview", params=asked).json()["organizations"]
    slugs = [one["organization"]["slug"] for one in found]
    changes = {one["organization"]["slug"]: one["totalClassificationsChange"] for one in found}
    assert (changes["risen"], changes["fallen"]) == (900.0, -100.0)
    assert slugs[-2:] == (["risen", "fallen"] if order == "desc" else ["fallen", "risen"])


def test_a_download_is_complete(api):
    api.connection.execute(
        "insert into organizations (name, slug, created_at) select 'Mass ' || n, 'mass-' || n, '2026-10-01'"
        " from generate_series(1, 1010) as numbers (n)"
    )
    api.connection.execute(
        "insert into communication_trends (organization_id, trend_date, trend_period, channel_hotspots)"
        ' select id, \'2026-10-29\', \'daily\', \'[{"channelId": "C", "riskScore": 40, "messageCount": 12}]\''
        " from organizations where slug like 'mass-%'"
    )
    try:
        for path in ("overview", "organizations", "freshness"):
            table = read_csv(api.get(f"{API}/{path}", params={**WEEK, "format": "csv", "limit": 5, "offset": 3}))
            # acme is the only one of the others that lacks nothing
            assert len(table) == (1010 if path == "freshness" else 1020), path
        hot = read_csv(api.get(f"{API}/hotspots", params={**WEEK, "format": "csv"}))
        assert len([row for row in hot if row["organizationSlug"].startswith("mass-")]) == 1010
        beyond = api.get(f"{API}/overview", params={**WEEK, "offset": 5000}).json()
        assert (beyond["organizations"], beyond["totalEntries"]) == ([], 1020)
        assert api.get(f"{API}/hotspots", params={**WEEK, "offset": 9000}).json()["totalEntries"] >= 1010
    finally:
        api.connection.execute("delete from organizations where slug like 'mass-%'")


def test_attention_says_what_is_unusual_in_words(api, made):
    tuesdays = [D("2026-10-27") - datetime.timedelta(7 * week) for week in range(9)]
    alerts = [58, 3, 2, 6, 4, 5, 2, 3, 6]
    quiet = {"total_classifications": 200, "topic_distribution": {"complaint": 20, "general": 180}}
    made(
        "alarmed",
        [(day, {**quiet, "escalation_counts": {"high": count}}) for day, count in zip(tuesdays, alerts, strict=True)],
    )
    answer = attention(api, "2026-10-27", organization="alarmed")
    [finding] = answer["findings"]
    assert answer["organizationsCompared"] == 1
    assert finding == {
        "organization": finding["organization"],
        "date": "2026-10-27",
        "figure": "escalations",
        "direction": "up",
        "value": 58,
        "usualLow": 2,
        "usualHigh": 6,
        "comparedWith": 8,
        "sentence": "58 alerts; on Tuesdays usually 2 to 6",
        "state": "single",
        "since": "2026-10-27",
        "days": 1,
        "together": False,
    }
    assert finding in attention(api, "2026-10-27")["findings"]
    # with three of the eight weeks gone, and five days before in all, nothing is said
    api.connection.execute(
        "delete from communication_trends using organizations where slug = 'alarmed' and organization_id ="
        " organizations.id and trend_date = any(%s)",
        (tuesdays[1:4],),
    )
    answer = attention(api, "2026-10-27", organization="alarmed")
    assert (answer["findings"], answer["organizationsCompared"]) == ([], 0)


def attention(api, first, last=None, **asked):
    """Return what is said of a range, by default of one day."""
    return api.get(f"{API}/attention", params={"from": first, "to": last or first, **asked}).json()


def ordinary(alerts=2, messages=100, complaints=8):
    topics = {"complaint": complaints, "general": messages - complaints}
    return {"total_classifications": messages, "topic_distribution": topics, "escalation_counts": {"high": alerts}}


def days_before(day, number, columns):
    return [(day - datetime.timedelta(back), columns) for back in range(1, number + 1)]


def test_attention_names_a_state_until_it_is_over(api, made):
    last = D("2026-10-27")
    risky = [(last - datetime.timedelta(back), ordinary(complaints=30)) for back in range(12)]
    made("souring", [*risky, *days_before(last - datetime.timedelta(11), 50, ordinary())])
    silent: list[tuple[datetime.date, dict]] = [(last - datetime.timedelta(back), {}) for back in range(5)]
    made("silenced", [*silent, *days_before(last - datetime.timedelta(4), 56, ordinary())])
    [risk] = attention(api, "2026-10-27", organization="souring")["findings"]
    assert (risk["figure"], risk["state"], risk["since"], risk["days"]) == ("riskScore", "lasting", "2026-10-16", 12)
    assert risk["sentence"].endswith("; on Tuesdays usually 8%; above usual for 12 days, since 16 Oct")
    [silence] = attention(api, "2026-10-27", organization="silenced")["findings"]
    assert (silence["state"], silence["since"], silence["days"]) == ("silent", "2026-10-23", 5)
    assert silence["sentence"] == "silent since 23 Oct, 5 days; on Tuesdays usually 100 messages"
    # risk comes before volume, whichever organization's it is
    slugs = [one["organization"]["slug"] for one in attention(api, "2026-10-27")["findings"]]
    assert slugs.index("souring") < slugs.index("silenced")
    # two days earlier they had lasted two days less
    assert [one["days"] for one in attention(api, "2026-10-25", organization="souring")["findings"]] == [10]
    asked = {"from": "2026-10-27", "to": "2026-10-27", "organization": "silenced", "format": "csv"}
    table = read_csv(api.get(f"{API}/attention", params=asked))
    assert [(row["state"], row["since"], row["days"], row["together"]) for row in table] == [
        ("silent", "2026-10-23", "5", "false")
    ]


def test_attention_names_a_silence_on_a_weekend_that_is_always_silent(api, made):
    sunday = D("2026-10-25")
    days = [sunday - datetime.timedelta(back) for back in range(70)]
    working = [day for day in days if day.weekday() < 5 and day < D("2026-10-21")]
    made("workdays", [(day, ordinary() if day in working else {}) for day in days])
    [one] = attention(api, "2026-10-25", organization="workdays")["findings"]
    assert (one["date"], one["state"], one["since"], one["days"]) == ("2026-10-25", "silent", "2026-10-21", 5)
    assert one["sentence"] == "silent since 21 Oct, 5 days; on Fridays usually 100 messages"
    every = attention(api, "2026-10-19", "2026-10-25", organization="workdays", limit=200)
    dates = [found["date"] for found in every["findings"]]
    assert sorted(dates) == [f"2026-10-{day}" for day in range(21, 26)]
    # of a Saturday that is not stored nothing is known
    api.connection.execute(
        "delete from communication_trends using organizations where slug = 'workdays' and organization_id ="
        " organizations.id and trend_date = '2026-10-24'"
    )
    assert attention(api, "2026-10-25", organization="workdays")["findings"] == []


def test_attention_says_of_the_young_on_a_weekend_what_it_said_on_friday(api, made):
    """Of nine working days 50 to 90 messages, nothing stored of the weekend between; silent from a Friday on."""
    friday = D("2026-10-23")
    before = [friday - datetime.timedelta(back) for back in (1, 2, 3, 4, 7, 8, 9, 10, 11)]
    busy = [(day, ordinary(messages=50 + 5 * number)) for number, day in enumerate(before)]
    made("weekdays", [*busy, *[(friday + datetime.timedelta(day), {}) for day in range(3)]], created="2026-10-12")
    findings = attention(api, "2026-10-23", "2026-10-25", organization="weekdays")["findings"]
    before_it = "at least 50 on each of the 9 days stored before"
    assert [one["sentence"] for one in sorted(findings, key=lambda one: one["date"])] == [
        f"no messages; {before_it}",
        f"silent since 23 Oct, 2 days; {before_it}",
        f"silent since 23 Oct, 3 days; {before_it}",
    ]


def test_attention_says_once_what_many_have_in_common(api, made):
    day = D("2026-10-27")
    # who began before is named by itself; the young are not among those compared
    busy = days_before(day + datetime.timedelta(1), 4, ordinary(messages=300))
    made("earlier", [*busy, *days_before(day - datetime.timedelta(3), 56, ordinary())])
    for number in range(6):
        young = [(day, ordinary(alerts=40)), *days_before(day, 9, ordinary(alerts=0))]
        made(f"young-{number}", young, created="2026-10-18")
    for number in range(7):
        alerts = 40 if number == 6 else 2
        made(f"alike-{number}", [(day, ordinary(alerts, messages=300)), *days_before(day, 56, ordinary())])
    answer = attention(api, "2026-10-27")
    # of all that can be judged: those of the world and these seven
    compared = answer["organizationsCompared"]
    [together] = [one for one in answer["together"] if one["direction"] == "up"]
    assert together == {
        "date": "2026-10-27",
        "figure": "totalClassifications",
        "direction": "up",
        "organizations": 8,
        "organizationsCompared": compared,
        "since": "2026-10-27",
        "sentence": f"8 of {compared} organizations: messages far above usual; a holiday, a release or the platform?",
    }
    assert [one["figure"] for one in answer["together"]] == ["totalClassifications"]
    found = [(one["organization"]["slug"], one["figure"], one["together"]) for one in answer["findings"]]
    assert ("earlier", "totalClassifications", False) in found
    own = found.index(("alike-6", "escalations", False))
    assert found[own + 1] == ("alike-6", "totalClassifications", True)
    # a single tenant's own is on top of what all have
    assert all(found.index((f"alike-{number}", "totalClassifications", True)) > own + 1 for number in range(6))
    one = attention(api, "2026-10-27", organization="alike-1")
    assert (one["together"], len(one["findings"])) == ([], 1)


@pytest.mark.parametrize(
    ("first", "last", "asked", "organizations", "days"),
    [
        # two days of acme are missing
        ("2026-10-12", "2026-10-18", {}, 10, 68),
        ("2026-10-12", "2026-10-18", {"organization": "acme"}, 1, 5),
        # the trends begin on a Saturday: six of the same weekday are stored before this Saturday and Sunday alone
        ("2026-09-07", "2026-09-13", {"organization": "dune"}, 1, 2),
        ("2026-09-07", "2026-09-11", {"organization": "dune"}, 0, 0),
    ],
)
def test_attention_says_how_much_could_be_judged(api, first, last, asked, organizations, days):
    answer = attention(api, first, last, **asked)
    assert (answer["organizationsCompared"], answer["organizationDaysCompared"]) == (organizations, days)


def test_attention_says_what_is_sure_of_the_young(api, made):
    day = D("2026-10-27")
    made("young", [(day, ordinary(alerts=40)), *days_before(day, 9, ordinary(alerts=0))], created="2026-10-18")
    made("fading", [(day, {}), *days_before(day, 9, ordinary())], created="2026-10-18")
    # all but the one with the same weekday
    others = [one for one in days_before(day, 9, ordinary()) if one[0] != D("2026-10-20")]
    made("gap", [(day, {}), *others], created="2026-10-18")
    made("growing", [(day, ordinary(messages=400)), *days_before(day, 9, ordinary())], created="2026-10-18")
    said = {}
    for slug in ("young", "fading", "gap", "growing"):
        answer = attention(api, "2026-10-27", organization=slug)
        assert (answer["organizationsCompared"], answer["organizationsNotCompared"]) == (0, 1)
        said[slug] = [one["sentence"] for one in answer["findings"]]
    assert said == {
        "young": ["40 alerts; none on any of the 9 days stored before"],
        "fading": ["no messages; at least 100 on each of the 9 days stored before"],
        "gap": ["no messages; at least 100 on each of the 8 days stored before"],
        "growing": [],
    }


def test_attention_names_a_young_tenant_as_long_as_it_is_silent(api, made):
    """Twelve messages on each of eight days, Monday, 5 October, to Monday, 12 October, then none for 15."""
    days = [D("2026-10-27") - datetime.timedelta(back) for back in range(23)]
    made("starter", [(day, ordinary(messages=12) if day < D("2026-10-13") else {}) for day in days], "2026-10-05")
    findings = attention(api, "2026-10-13", "2026-10-27", organization="starter")["findings"]
    assert sorted((one["date"], one["days"]) for one in findings) == [(f"2026-10-{12 + n}", n) for n in range(1, 16)]
    assert all(one["sentence"].endswith("at least 12 on each of the 8 days stored before") for one in findings)


def test_what_attention_leaves_out_in_sql_is_what_the_rule_leaves_out(database):
    """The statement asks the same as is_suspect() and may_last(), for counts of every size and spread."""
    chance = random.Random(11)
    day = DAILY.containing(D("2026-10-27"))
    days = [day, *baseline_periods(day)]
    expected, lasting = {}, 0
    for number in range(250):
        mean, spread = chance.choice([0, 1, 4, 9, 40, 300]), chance.choice([0.1, 0.3, 0.6])
        series = []
        for back in range(9):
            times = chance.choice([0, 0.3, 0.6, 1, 1.4, 2]) if back == 0 else chance.gauss(1, spread)
            risk = chance.choice([0.3, 0.38, 0.6]) if back == 0 else 0.3
            messages, risky, negative, alerts = (max(0, round(mean * share * times)) for share in (1, risk, 0.4, 0.5))
            series.append(Counts(messages, risky, alerts, negative))
            columns: dict[str, Any] = {"escalation_counts": {"high": alerts}, "total_classifications": messages}
            columns |= {"topic_distribution": {"complaint": risky}, "sentiment_distribution": {"angry": negative}}
            database.insert_trend(f"o{number}", days[back].start, **columns)
        current, *baseline = series
        is_far = any(
            is_suspect(metric.of(current), [metric.of(one) for one in baseline], sinks=metric.sinks)
            for metric in METRICS
        )
        may_go_on = any(may_last(metric, current, baseline) for metric in METRICS)
        expected[f"o{number}"] = is_far or may_go_on
        lasting += may_go_on and not is_far
    database.connection.execute("update organizations set created_at = '2026-01-01'")
    sql = compose(ROOT / "sql" / "reading" / "attention.sql")
    parameters = {
        **READING_PARAMETERS,
        **SCREEN,
        "organization_ids": None,
        "hotspot_topics": ["complaint"],
        "trend_period": "daily",
        "unit": "day",
        "step": "1 day",
        "last_ended": day.start,
        "read_from": days[-1].start,
        "read_to": day.start,
        "read_days": [one.start for one in days],
        "compared_days": [day.start] * len(days),
    }
    found = database.connection.execute(sql, parameters).fetchall()
    assert {row["slug"] for row in found} == {slug for slug, is_one in expected.items() if is_one}
    assert 50 < len(found) < 200
    assert lasting > 5
    assert {row["organizations_compared"] for row in found} == {250}


@pytest.mark.parametrize(
    "statement",
    [
        "reading/attention",
        "reading/attention_history",
        "reading/comparison",
        "reading/freshness",
        "reading/overview",
        "reading/overview_totals",
        "web/trends_of_all",
        "web/hotspots",
        "web/hotspot_rules",
        "web/topic_changes",
        "web/channel_changes",
    ],
)
@pytest.mark.parametrize("known", STATISTICS)
def test_what_is_just_written_is_not_read_once_for_each_organization(database, statement, known):
    """As in the first scheduled runs: of what was just written the planner knows nothing."""
    organizations, weeks = 600, 9
    connection = database.connection
    connection.execute(
        "alter table communication_trends set (autovacuum_enabled = false);"
        "alter table communication_trends_provenance set (autovacuum_enabled = false);"
        f"{STATISTICS[known]}"
        "analyze communication_trends; analyze communication_trends_provenance;"
        "insert into organizations (name, slug)"
        f" select 'Organization ' || n, 'organization-' || n from generate_series(1, {organizations}) as ns (n);"
        "insert into communication_trends (organization_id, trend_date, trend_period, topic_distribution,"
        " sentiment_distribution, escalation_counts, channel_hotspots, total_classifications)"
        " select id, timestamp '2026-10-29' - back * interval '7 days', 'daily',"
        """ '{"general": 9}', '{}', '{}', '[]', 9"""
        f" from organizations cross join generate_series(0, {weeks - 1}) as weeks (back);"
        "insert into communication_trends_provenance (organization_id, trend_date, trend_period, computed_at,"
        " changed_at, is_final, messages, alerts, messages_with_tone, messages_with_confidence, hotspot_rule)"
        " select organization_id, trend_date, trend_period, now(), now(), true, 9, 0, 0, 0, '{}'"
        " from communication_trends where trend_date < '2026-11-01';"
        # what it knows is of a table with hardly a row, or of eighty
        f"update pg_class set reltuples = {80 if STATISTICS[known] else 1} where oid = 'communication_trends'::regclass"
    )
    ids = [row["id"] for row in connection.execute("select id from organizations")]
    day = DAILY.containing(D("2026-10-29"))
    earlier = [period.start for period in baseline_periods(day)]
    before = range_of(DAILY, D("2026-10-29"), D("2026-10-29"), now=datetime.datetime.now(datetime.timezone.utc))
    parameters = {
        **READING_PARAMETERS,
        **before.compared_parameters,
        "hotspot_topics": ["complaint", "escalation"],
        "organization_id": None,
        "organization_ids": ids if statement.endswith(("_history", "channel_changes", "_totals")) else None,
        "named_organizations": 5,
        "hotspot_rule": HotspotRule().as_json(),
        "read_days": [day.start, *earlier],
        "compared_days": [day.start] * (1 + len(earlier)),
        **SCREEN,
        "read_from": min(earlier),
        "read_to": day.start,
        "limit": 50,
        "offset": 0,
        "search": "",
        "sort": "riskScoreChange",
        "by_change": True,
        "ascending": True,
        "hotspot_min_messages": 10,
        "risk_prior": 200,
        "min_matched_percent": 80,
    }
    sql = compose(ROOT / "sql" / f"{statement}.sql")
    plan = connection.execute(f"explain (analyze, format json) {sql}", parameters).fetchone()["QUERY PLAN"]
    handled = rows_handled(plan[0]["Plan"])
    assert max(handled) >= organizations
    # once for each trend, or for each entry of its columns, or each period that there is
    times = {"web/trends_of_all": 7, "reading/freshness": 7}.get(statement, 3)
    assert max(handled) <= times * organizations * weeks
