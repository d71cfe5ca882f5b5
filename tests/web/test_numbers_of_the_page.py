"""What people read, on the page, in the digest and in the findings, once more in plain Python from the raw rows."""

from __future__ import annotations

import datetime
import json
import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from conftest import running_airflow_on
from playwright.sync_api import Browser, Page, expect

from communication_trends.core.period import DAILY
from communication_trends.core.period_range import Range
from communication_trends.notifiers import digest
from web import chromium
from web.chromium import NOW, PATIENCE
from web.conftest import API
from web.test_arithmetic import half_up, one_decimal, quotient
from web.test_broken_rows import COLUMNS, is_readable

LAST = datetime.date(2026, 10, 29)
DAYS = 14
"""Days of the range, and by how many the range before it is earlier."""
TOPICS = ("billing", "outage")
"""The settings name these as risky, and none of the usual ones."""
ONE = datetime.timedelta(1)


class World:
    """Stored trends of some organizations over ten weeks, with holes and with rows that cannot be read."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        self.organizations = {
            f"00000000-0000-4000-8000-{n:012d}": f"Tenant {n}" for n in range(1, 3 + draw.randrange(4))
        }
        self.alarmed = min(self.organizations)
        self.rows: dict[tuple[str, datetime.date], dict[str, Any]] = {}
        for id_ in self.organizations:
            for back in range(70):
                if id_ == self.alarmed or draw.random() < 0.9:
                    self.rows[id_, LAST - back * ONE] = self.row(draw, is_good=id_ == self.alarmed)
        self.rows[self.alarmed, LAST] |= {
            "topic_distribution": {"billing": 300, "outage": 200, "complaint": 100, "general": 100},
            "total_classifications": 700,
        }

    @staticmethod
    def row(draw: random.Random, *, is_good: bool) -> dict[str, Any]:
        # those of the organization whose findings are looked at have no outlier among them
        least = 20 if is_good else 0
        topics = {
            name: draw.randrange(least, 30) for name in ("billing", "outage", "complaint", "escalation", "general")
        }
        row = {
            "topic_distribution": {name: count for name, count in topics.items() if count},
            "sentiment_distribution": {"angry": draw.randrange(5), "neutral": draw.randrange(40)},
            "escalation_counts": {name: draw.randrange(1, 4) for name in ("high", "own") if draw.random() < 0.5},
            "channel_hotspots": [],
            "total_classifications": sum(topics.values()),
            "avg_confidence": draw.choice([None, 71, 80, 93]),
        }
        if not is_good and draw.random() < 0.1:
            row |= draw.choice([{"total_classifications": -1}, {"topic_distribution": {"billing": "3"}}])
        return row

    def store(self, connection) -> None:
        connection.execute("truncate communication_trends, communication_trends_provenance, organizations cascade")
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into organizations (id, name, slug, created_at) values (%s, %s, %s, '2026-01-01')",
                [(id_, name, name.lower().replace(" ", "-")) for id_, name in self.organizations.items()],
            )
            cursor.executemany(
                f"insert into communication_trends (organization_id, trend_date, trend_period, {', '.join(COLUMNS)})"
                " values (%s, %s, 'daily', %s, %s, %s, %s, %s, %s)",
                [
                    (*key, *(None if row[name] is None else json.dumps(row[name]) for name in COLUMNS))
                    for key, row in self.rows.items()
                ],
            )

    def read(self, id_: str, date: datetime.date) -> dict[str, Any] | None:
        row = self.rows.get((id_, date))
        return row if row and is_readable(row) else None

    def pairs(self, first: datetime.date, days: int, shift: int) -> list[tuple[dict, dict]]:
        """The trends that are compared: those that both ranges have."""
        found = []
        for id_ in self.organizations:
            for date in (first + n * ONE for n in range(days)):
                now, before = self.read(id_, date), self.read(id_, date - shift * ONE)
                if now and before:
                    found.append((now, before))
        return found


class Sums:
    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.messages = sum(row["total_classifications"] for row in rows)
        self.risky = sum(row["topic_distribution"].get(topic, 0) for row in rows for topic in TOPICS)
        self.alerts = sum(sum(row["escalation_counts"].values()) for row in rows)
        known = [row for row in rows if row["avg_confidence"] is not None]
        self.risk = quotient(100 * self.risky, self.messages)
        self.confidence = quotient(
            sum(row["avg_confidence"] * row["total_classifications"] for row in known),
            sum(row["total_classifications"] for row in known),
        )


def moved(change: float | None, unit: str) -> str:
    """How the page and the digest write a change; in these worlds there always is something to compare with."""
    assert change is not None
    number = f"{abs(change):,}".removesuffix(".0")
    return f"{'▲' if change > 0 else '▼'} {number}{unit}" if change else "unchanged"


def changes(now: Sums, before: Sums) -> dict[str, float | None]:
    return {
        "messages": one_decimal(quotient(100 * (now.messages - before.messages), before.messages)),
        "alerts": one_decimal(quotient(100 * (now.alerts - before.alerts), before.alerts)),
        "risk": one_decimal(now.risk - before.risk),
        "confidence": one_decimal(now.confidence - before.confidence),
    }


@pytest.fixture(scope="module")
def airflow(server, tmp_path_factory) -> Iterator[Any]:
    """An API server whose settings name other risky topics, and its database."""
    settings = {"AIRFLOW__COMMUNICATION_TRENDS__HOTSPOT_TOPICS": ", ".join(TOPICS)}
    with running_airflow_on(server, tmp_path_factory.mktemp("numbers"), **settings) as (airflow, database):
        airflow.start("api-server")
        yield airflow, database


@pytest.fixture(params=[1, 2, 3])
def world(request, airflow) -> World:
    made = World(request.param)
    made.store(airflow[1].connection)
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.started() as browser:
        yield browser


@pytest.fixture
def page(airflow, browser, world) -> Iterator[Page]:
    url = airflow[0].url
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    context.clock.set_fixed_time(NOW)
    context.add_cookies([{"name": "_token", "value": airflow[0].token, "url": url}])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url}/communication-trends/?from={LAST - (DAYS - 1) * ONE}&to={LAST}")
    expect(page.locator("#main")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#topics .main-svg").first).to_be_visible()
    yield page
    context.close()


@chromium.needs_chromium
def test_the_page_says_what_the_rows_say(page, world):
    first = LAST - (DAYS - 1) * ONE
    dates = [first + n * ONE for n in range(DAYS)]
    every = Sums([row for id_ in world.organizations for date in dates if (row := world.read(id_, date))])
    values = {
        "messages": f"{every.messages:,}",
        "alerts": f"{every.alerts:,}",
        "risk": f"{half_up(every.risk)}%",
        "confidence": f"{half_up(every.confidence)}%",
    }
    pairs = world.pairs(first, DAYS, DAYS)
    moves = changes(*(Sums([pair[side] for pair in pairs]) for side in (0, 1)))
    possible = DAYS * len(world.organizations)
    over = f", over {len(pairs)} of {possible} organization-days" if len(pairs) < possible else ""
    now, before = (Sums([pair[side] for pair in pairs]) for side in (0, 1))
    sides = {
        "messages": f"{now.messages:,} compared with {before.messages:,}",
        "alerts": f"{now.alerts:,} compared with {before.alerts:,}",
        "risk": f"{half_up(now.risk)}% compared with {half_up(before.risk)}%",
        "confidence": f"{half_up(now.confidence)}% compared with {half_up(before.confidence)}%",
    }
    for name, value in values.items():
        card = page.locator(f"#card-{name}")
        expect(card.locator(".value")).to_have_text(value)
        expect(card.locator(".compared")).to_have_text(f"{sides[name]}{over}")
        if 10 * len(pairs) < 8 * possible:
            expect(card.locator(".change")).to_have_count(0)
        elif name in ("messages", "alerts"):
            expect(card.locator(".change")).to_have_text(moved(moves[name], "%"))
        else:
            unit = "point" if moves[name] in (1, -1) else "points"
            expect(card.locator(".change")).to_have_text(moved(moves[name], f" {unit}"))
    for id_, name in world.organizations.items():
        own = [row for date in dates if (row := world.read(id_, date))]
        sums = Sums(own)
        cells = page.locator(f"#ranking tr[data-key='{id_}'] td")
        # what is smaller below it is how it has changed
        shown = cells.evaluate_all("cells => cells.map(cell => cell.firstChild?.textContent)")
        assert shown[1] == name
        usual = Fraction(every.risky + every.alerts, every.messages + every.alerts)
        adjusted = 100 * (sums.risky + sums.alerts + 200 * usual) / (sums.messages + sums.alerts + 200)
        assert shown[2] == f"{one_decimal(adjusted)}%".replace(".0%", "%")
        assert shown[3].startswith(f"{half_up(sums.risk)}%")
        assert shown[5:7] == [f"{sums.messages:,}", f"{sums.alerts:,}"]
        assert shown[-2:] == [f"{half_up(sums.confidence)}%", f"{len(own)}/{DAYS}"]


@chromium.needs_chromium
def test_the_page_names_the_topics_of_the_settings(page):
    said = page.locator("body").inner_text()
    labels = page.locator("[aria-label]").evaluate_all("all => all.map(one => one.ariaLabel)")
    for text in ("Share of the messages that are billing or outage.", "Channels where many messages are billing"):
        assert text in said
    assert any("Messages, those of billing or outage marked" in label for label in labels)
    assert not [text for text in (said, *labels) if "complaints or escalations" in text]


def test_the_findings_say_what_the_rows_say(airflow, world):
    asked = {"from": str(LAST), "to": str(LAST), "organization": world.alarmed}
    answer = airflow[0].request("GET", f"{API}/attention", params=asked).json()
    found = {one["figure"]: one for one in answer["findings"]}
    rows = [world.rows[world.alarmed, LAST - 7 * weeks * ONE] for weeks in range(9)]
    messages, *usual = [Sums([row]).messages for row in rows]
    low, high = sorted(usual)[1], sorted(usual)[-2]
    of_messages = found["totalClassifications"]
    assert (of_messages["value"], of_messages["usualLow"], of_messages["usualHigh"]) == (messages, low, high)
    assert of_messages["sentence"] == f"{messages:,} messages; on Thursdays usually {low:,} to {high:,}"
    risk, *usual = [half_up(Sums([row]).risk) for row in rows]
    low, high = sorted(usual)[1], sorted(usual)[-2]
    assert found["riskScore"]["sentence"] == (
        f"{risk}% of the messages are billing or outage; on Thursdays usually {low} to {high}%"
    )
    assert "complaint" not in json.dumps(answer["findings"])


def test_the_digest_says_what_the_rows_say(airflow, server, world, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", server.airflow_connection(airflow[1].name))
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__HOTSPOT_TOPICS", ", ".join(TOPICS))
    first, last = (DAILY.containing(date) for date in (LAST - 6 * ONE, LAST))
    text = digest(Range(first, last, last), NOW).text
    pairs = world.pairs(first.first_date, 7, 7)
    now, before = (Sums([pair[side] for pair in pairs]) for side in (0, 1))
    moves = changes(now, before)

    def written(name: str, unit: str) -> str:
        change = moves[name]
        return f"{'▲' if change > 0 else '▼'} {abs(change):,}{unit}" if change else "unchanged"

    for line in (
        f"{now.messages:,} messages ({written('messages', '%')})",
        f"{now.alerts:,} alerts ({written('alerts', '%')})",
        f"risk {half_up(now.risk)}% ({written('risk', ' points')})",
        f"confidence {half_up(now.confidence)}% ({written('confidence', ' points')})",
    ):
        assert line in text, text
    possible = 7 * len(world.organizations)
    if len(pairs) < possible:
        assert f"Counted: {len(pairs)} of {possible} organization-days" in text
    assert "billing or outage" in text
    assert "complaint" not in text
