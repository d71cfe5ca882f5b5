"""How shares and means are rounded and when a channel is a hotspot: SQL, Python and dbt mean the same."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest
from computed import aggregate

from communication_trends.core.statements import compose
from communication_trends.core.totals import Sums, rounded
from communication_trends.core.trend_reader import READING_PARAMETERS
from local import ROOT

# messages of a channel and the risky ones of them; their share in percent, rounded; whether the channel is a hotspot
RISKS: list[tuple[int, int, int, bool]] = [
    (200, 59, 30, False),  # 29.5%
    (1000, 299, 30, False),
    (10, 3, 30, False),  # exactly the limit
    (30, 9, 30, False),
    (100, 30, 30, False),
    (1000, 300, 30, False),
    (1000, 301, 30, True),
    (200, 61, 31, True),  # 30.5%: half to even would be 30
    (200, 125, 63, True),  # 62.5%: half to even would be 62
    (200, 1, 1, False),  # 0.5%
    (201, 1, 0, False),
    (200, 199, 100, True),  # 99.5%
    (201, 200, 100, True),
    (1000, 994, 99, True),
    (3, 2, 67, False),  # too few messages
    (9, 9, 100, False),
    (10, 4, 40, True),
    (10, 10, 100, True),
    (10, 0, 0, False),
    (7, 2, 29, False),
    (16, 5, 31, True),  # 31.25%
    (16, 7, 44, True),  # 43.75%
    (40, 29, 73, True),  # 72.5%
]
# confidences and their mean
MEANS: list[tuple[list[Any], int | None]] = [
    ([29, 30], 30),
    ([0, 1], 1),
    ([99, 100], 100),
    ([62, 63], 63),
    ([0, 0, 1], 0),
    ([0, 1, 1], 1),
    ([0], 0),
    ([None], None),
    ([0, 0, None], 0),
    ([100, None], 100),
    ([1, 2], 2),
    ([80, 80, 81], 80),
    ([None, 29, None, 30], 30),
    ([79] * 199 + [80], 79),
    ([33, 33, 34], 33),
]


@pytest.fixture
def channels(database):
    """One organization with a channel for each of RISKS, named after its place."""
    organization = database.organization("acme")
    for place, (messages, risky, _, _) in enumerate(RISKS):
        database.connection.execute(
            "insert into topic_classifications (organization_id, channel_id, topic, confidence, created_at)"
            " select %s, %s, case when n > %s then 'general' when n %% 2 = 0 then 'complaint' else 'escalation' end,"
            " null, '2026-11-01 12:00' from generate_series(1, %s) as n",
            [organization, f"C{place}", risky, messages],
        )
    return {
        f"C{place}": {"riskScore": score, "messageCount": messages}
        for place, (messages, _, score, is_hot) in enumerate(RISKS)
        if is_hot
    }


@pytest.fixture
def means(database):
    """An organization for each of MEANS, named after its place."""
    for place, (confidences, _) in enumerate(MEANS):
        for confidence in confidences:
            database.classify(f"m{place}", confidence=confidence)
    return {f"m{place}": mean for place, (_, mean) in enumerate(MEANS)}


def dbt_trends(database) -> dict[str, dict[str, Any]]:
    """Return the trends that the model of bench/dbt makes, by slug."""
    template = jinja2.Template((ROOT / "bench" / "dbt" / "models" / "communication_trends.sql").read_text())
    model = template.render(config=lambda **_: "", var=lambda name: {"day": "2026-11-01"}[name])
    rows = database.connection.execute(
        f"select organizations.slug, model.* from ({model}) as model"
        " join organizations on organizations.id = model.organization_id"
    ).fetchall()
    return {row["slug"]: row for row in rows}


def test_hotspots_of_the_statement_and_of_dbt(database, channels):
    trends: list[dict[str, Any]] = [aggregate(database, "acme")["acme"], dbt_trends(database)["acme"]]
    for trend in trends:
        found = {hotspot.pop("channelId"): hotspot for hotspot in trend["channel_hotspots"]}
        assert found == channels


def test_hotspots_are_in_the_same_order_everywhere(database, channels):
    assert aggregate(database, "acme")["acme"]["channel_hotspots"] == dbt_trends(database)["acme"]["channel_hotspots"]


def test_means_of_the_statement_and_of_dbt(database, means):
    for trends in (aggregate(database, *means), dbt_trends(database)):
        assert {slug: trends[slug]["avg_confidence"] for slug in means} == means


def test_risk_and_means_in_python():
    for messages, risky, score, _ in RISKS:
        assert Sums(messages=messages, risky=risky).risk_score == score
    for confidences, mean in MEANS:
        known = [one for one in confidences if one is not None]
        assert rounded(sum(known), len(known)) == mean
    assert Sums().risk_score is None
    assert Sums().avg_confidence is None


def test_means_over_organizations_and_hot_periods_on_the_page(database):
    """Of several trends: the mean of 29 and 30 is 30, in SQL and in Python alike."""
    for slug, day, score, average in (
        ("acme", 1, 61, 29),
        ("acme", 2, 62, 29),
        ("beta", 1, 62, 30),
        ("beta", 2, 62, 30),
    ):
        hotspot = {"channelId": slug, "riskScore": score, "messageCount": 10}
        columns = {"channel_hotspots": [hotspot], "total_classifications": 10, "avg_confidence": average}
        database.insert_trend(slug, f"2026-11-{day:02}", **columns)
    asked = {
        "trend_period": "daily",
        "first_day": "2026-11-01",
        "last_day": "2026-11-02",
        "last_due": "2026-11-02",
        "last_ended": "2026-11-02",
        "read_from": "2026-11-01",
        "read_to": "2026-11-02",
        "read_days": ["2026-11-01", "2026-11-02"],
        "unit": "day",
        "step": "1 day",
        "organization_id": None,
        "limit": 10,
        "offset": 0,
        **READING_PARAMETERS,
    }

    def rows(name: str) -> list[dict[str, Any]]:
        sql = compose(ROOT / "sql" / "web" / f"{name}.sql")
        return database.connection.execute(sql, asked).fetchall()

    assert [rounded(row["confidence"], row["confident"]) for row in rows("trends_of_all")] == [30, 30]
    scores = {row["slug"]: rounded(row["risk"], row["message_count"]) for row in rows("hotspots")}
    assert scores == {"acme": 62, "beta": 62}
    assert Sums(confidence=29 * 10 + 30 * 10, confident=20).avg_confidence == 30
