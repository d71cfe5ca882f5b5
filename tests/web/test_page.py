"""The page in a real browser, inside Airflow's UI, against a running Airflow."""

from __future__ import annotations

import csv
import datetime
import html
import json
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import insert_trend
from playwright.sync_api import Browser, FrameLocator, Page, expect
from stored import COLUMNS

from communication_trends import __version__
from web import chromium, rows
from web.chromium import NOW, PATIENCE
from web.conftest import API, making

pytestmark = chromium.needs_chromium

DAG_ID = "communication_trends_daily"
FROM, TO = datetime.date(2026, 9, 30), datetime.date(2026, 10, 29)
RANGE = f"from={FROM}&to={TO}"


@pytest.fixture(scope="module")
def dag(web):
    """The DAG, ready to be triggered."""
    ready = web.airflow.wait_until(
        lambda: web.airflow.request("PATCH", f"/api/v2/dags/{DAG_ID}", json={"is_paused": False}).is_success,
        what="the DAG is there",
    )
    assert ready
    # the source goes back further than the gaps: what runs store is final
    web.connection.execute(
        "insert into topic_classifications (organization_id, topic, created_at) values (%s, 'general', %s)",
        (rows.organization_id("acme"), rows.FIRST_DAY),
    )
    web.connection.execute(
        "insert into escalation_alerts (organization_id, severity, created_at) values (%s, 'high', %s)",
        (rows.organization_id("acme"), rows.FIRST_DAY),
    )
    return f"/api/v2/dags/{DAG_ID}"


class Visit:
    """A browser page of one user, with what went wrong in it and which hosts it asked."""

    def __init__(self, browser: Browser, web, user: str | None) -> None:
        self.url = web.airflow.url
        self.problems: list[str] = []
        self.foreign: set[str] = set()
        self.context = browser.new_context(accept_downloads=True)
        if user:
            self.context.add_cookies([{"name": "_token", "value": web.token(user), "url": self.url}])
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", self._asked)

    def begin(self, theme: str, width: int, now: datetime.datetime | None) -> None:
        """Forget the test before: its routes, what it stored, what went wrong in it."""
        if now:
            self.context.clock.set_fixed_time(now)
        self.page.unroute_all(behavior="ignoreErrors")
        # of the same origin, without a script of its own; without a login it needs none
        self.page.goto(f"{self.url}/communication-trends/static/icon.svg")
        self.page.evaluate(
            "theme => { localStorage.clear(); sessionStorage.clear(); localStorage.setItem('theme', theme); }", theme
        )
        self.page.set_viewport_size({"width": width, "height": 1000})
        self.problems.clear()
        self.foreign.clear()

    def _said(self, message) -> None:
        if message.type == "error":
            self.problems.append(f"{message.text} {message.location}")

    def _asked(self, request) -> None:
        if not request.url.startswith((self.url, "data:", "blob:", "about:")):
            self.foreign.add(request.url)

    def open(self, query: str = RANGE) -> Page:
        """Open the page by itself, and wait until it is drawn."""
        self.page.goto(f"{self.url}/communication-trends/?{query}")
        self.drawn()
        return self.page

    def drawn(self, frame: Page | FrameLocator | None = None) -> None:
        """Wait until the charts are drawn."""
        inside = frame or self.page
        expect(inside.locator("#main")).to_have_attribute("aria-busy", "false")
        expect(inside.locator("#topics .main-svg").first).to_be_visible(timeout=PATIENCE)


@pytest.fixture(scope="module")
def shared(browser) -> Iterator[dict[str, Visit]]:
    """One visit of each user, shared by the tests: a new page has to read Plotly again, for two seconds."""
    visits: dict[str, Visit] = {}
    yield visits
    for one in visits.values():
        one.context.close()


@pytest.fixture
def visit(browser, web, shared) -> Iterator:
    alone: list[Visit] = []

    def make(
        user: str | None = "viewer",
        *,
        theme: str = "light",
        width: int = 1440,
        now: datetime.datetime | None = NOW,
        own: bool = False,
    ) -> Visit:
        """``own``: for a test that changes what the next one could not undo, such as the cookies or the clock."""
        if own or not (user and now):
            one = Visit(browser, web, user)
            alone.append(one)
        else:
            one = shared[user] = shared.get(user) or Visit(browser, web, user)
        one.begin(theme, width, now)
        return one

    yield make
    for one in alone:
        one.context.close()


def organizations(page: Page | FrameLocator):
    """What the picker offers; a chart has choices of its own."""
    return page.get_by_role("listbox", name="Organizations").get_by_role("option")


def charted(page, chart: str) -> dict[str, dict[str, float]]:
    """Return the counts that a chart was drawn from, by series and day, as Plotly holds them."""
    traces = page.locator(f"#{chart}").evaluate(
        "box => box.data.map(trace => [trace.meta, trace.x, trace.customdata ?? trace.y])"
    )
    series: dict[str, dict[str, float]] = {}
    for name, days, values in traces:
        series.setdefault(name, {}).update(dict(zip(days, values, strict=True)))
    return series


MARKS = {"gap", "partial", "notFinal", "someNotFinal", "unusual", "marks"}


def counted(page, chart: str) -> dict[str, dict[str, float]]:
    """Return the counts of a chart without its marks."""
    return {name: days for name, days in charted(page, chart).items() if name not in MARKS}


def stored(web, slug: str, column: str) -> dict[str, dict[str, float]]:
    """Return a distribution as the database has it, by key and day, 0 where a day lacks the key."""
    found = web.connection.execute(
        f"select trend_date::date::text as day, {column} as counts from communication_trends"
        " join organizations on organizations.id = organization_id"
        " where slug = %s and trend_date between %s and %s",
        (slug, FROM, TO),
    ).fetchall()
    keys = {key for row in found for key in row["counts"]}
    return {key: {row["day"]: row["counts"].get(key, 0) for row in found} for key in keys}


def test_from_the_navigation_to_the_numbers(visit, web):
    one = visit(user=None)
    page = one.page
    page.goto(one.url)
    page.get_by_label("Username").fill("viewer")
    page.get_by_label("Password", exact=True).fill(web.passwords["viewer"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Browse").click()
    # what Airflow's own UI says about the time before the login
    one.problems.clear()
    page.get_by_role("menuitem", name="Communication trends").click()
    frame = page.frame_locator("iframe[title='Communication trends']")
    one.drawn(frame)
    frame.get_by_role("button", name="7 days").click()
    one.drawn(frame)
    frame.locator("#from").fill(str(FROM))
    frame.locator("#to").fill(str(TO))
    expect(frame.locator("#ranking tbody tr")).to_have_count(10)
    frame.get_by_role("combobox", name="Organization").fill("acme")
    expect(organizations(frame)).to_have_count(1)
    frame.get_by_role("combobox", name="Organization").press("Enter")
    expect(frame.locator(".titles")).to_contain_text("Acme Logistics")
    one.drawn(frame)
    for chart, column in [
        ("topics", "topic_distribution"),
        ("tones", "sentiment_distribution"),
        ("escalations", "escalation_counts"),
    ]:
        assert set(charted(frame, chart)["gap"]) == set(map(str, rows.GAPS))
        assert counted(frame, chart) == stored(web, "acme", column)
    # the address is Airflow's own, and shows the same again
    assert f"organization={rows.organization_id('acme')}" in page.url
    assert f"from={FROM}" in page.url
    page.reload()
    expect(frame.locator(".titles")).to_contain_text("Acme Logistics")
    one.drawn(frame)
    assert str(FROM) == frame.locator("#from").input_value()
    assert (one.problems, one.foreign) == ([], set())


def test_presets_and_the_keyboard(visit):
    one = visit()
    page = one.open()
    page.get_by_role("button", name="90 days").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="90 days")).to_have_attribute("aria-pressed", "true")
    # what was pressed is where the person still is
    expect(page.get_by_role("button", name="90 days")).to_be_focused()
    assert "days=90" in page.url
    one.drawn()
    picker = page.get_by_role("combobox", name="Organization")
    picker.focus()
    expect(organizations(page).first).to_have_text("All organizations")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", name="Borealis Energy")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.locator(".titles")).to_contain_text("Borealis Energy")
    expect(picker).to_be_focused()
    expect(picker).to_have_value("Borealis Energy")
    expect(page.get_by_role("listbox", name="Organizations")).to_be_hidden()
    page.go_back()
    expect(page.locator(".titles")).to_contain_text("10 organizations")
    expect(picker).to_have_value("")
    # what had the focus is gone in the next view: it is not lost, but at what came instead
    page.locator("#ranking").get_by_role("button", name="Cobalt Health").press("Enter")
    expect(page.locator(".titles")).to_contain_text("Cobalt Health")
    expect(page.locator("#main")).to_be_focused()
    assert one.problems == []


def test_who_types_fast_gets_what_he_typed(visit):
    page = visit().open("days=7")
    held = []
    # the answer to the first question, about all organizations, comes last
    page.route("**/api/v1/organizations?search=&*", lambda route: held.append(route))
    picker = page.get_by_role("combobox", name="Organization")
    picker.fill("dune")
    expect(organizations(page)).to_have_count(1)
    [first] = held
    first.continue_()
    page.wait_for_timeout(500)
    expect(organizations(page)).to_have_count(1)
    # and Enter before there is any answer means what is typed
    picker.fill("cobalt")
    picker.press("Enter")
    expect(page.locator(".titles")).to_contain_text("Cobalt Health")


def test_a_date_is_typed(visit):
    page = visit().open(f"organization=dune&{RANGE}")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#from").click(position={"x": 15, "y": 15})
    page.keyboard.type("10012026")
    page.wait_for_timeout(300)
    assert not [url for url in asked if "/api/v1/" in url]
    page.keyboard.press("Enter")
    expect(page.locator(".titles")).to_contain_text("1 Oct – 29 Oct 2026")
    expect(page.locator("#from")).to_be_focused()
    assert "from=2026-10-01" in page.url
    # leaving the field is enough, and what is wrong stands next to it
    page.locator("#from").click(position={"x": 15, "y": 15})
    page.keyboard.type("10302026")
    page.locator("#organization").focus()
    expect(page.locator("#from-problem")).to_have_text("From is after To.")
    expect(page.locator("#from")).to_have_attribute("aria-invalid", "true")
    assert "from=2026-10-01" in page.url
    page.locator("#from").fill("2026-10-20")
    expect(page.locator(".titles")).to_contain_text("20 Oct – 29 Oct 2026")
    expect(page.locator("#from-problem")).to_be_hidden()
    page.locator("#from").fill("2026-01-01")
    expect(page.locator(".titles")).to_contain_text("1 Jan – 29 Oct 2026")
    page.locator("#from").fill("2024-01-01")
    expect(page.locator("#from-problem")).to_contain_text("366 at most")
    expect(page.locator("#main")).to_be_hidden()


def test_a_change_of_a_third_of_the_days_has_no_arrow(visit):
    # 90 days against those 91 days before: nothing is stored before 1 Aug
    page = visit().open("from=2026-08-01&to=2026-10-29&organization=dune")
    expect(page.locator("#card-risk .change")).to_have_text("no comparison")
    page.goto(page.url.replace("from=2026-08-01", "from=2026-09-09"))
    # 51 days against those 56 days before: 34 of them are stored
    expect(page.locator("#card-risk .compared")).to_contain_text("over 34 of 51 days")
    expect(page.locator("#card-risk .change")).to_have_count(0)
    expect(page.locator("#cards .left-out")).to_contain_text("too few to say how the range has changed")
    page = visit().open("from=2026-09-09&to=2026-10-29")
    expect(page.locator("#ranking .moved").first).to_have_text(re.compile(r"^\(\d+%\)$"))
    moved = page.locator("#ranking .moved").all_inner_texts()
    assert not [text for text in moved if "▲" in text or "▼" in text]


def test_hotspots_of_another_rule_are_said_to_be(web, visit):
    page = visit().open()
    table = page.locator("#hotspots tbody")
    expect(table).to_be_visible()
    # nothing is known of any trend: nothing to tell apart
    expect(page.locator("#hotspots p.quiet", has_text="rule")).to_have_count(0)
    record = (
        "insert into communication_trends_provenance (organization_id, trend_date, trend_period, is_final,"
        " hotspot_rule) select organization_id, trend_date, trend_period, true, %s from communication_trends"
        " where trend_date {} %s"
    )
    present = json.dumps({"topics": ["complaint", "escalation"], "minMessages": 10, "minRatio": 0.3})
    earlier = json.dumps({"topics": ["complaint"], "minMessages": 20, "minRatio": 0.25})
    try:
        web.connection.execute(record.format("<"), [earlier, "2026-10-05"])
        web.connection.execute(record.format(">="), [present, "2026-10-05"])
        for query in (RANGE, f"{RANGE}&organization=acme"):
            page = visit().open(query)
            expect(page.locator("#hotspots p.quiet", has_text="rule")).to_have_text(
                "Hotspots of 30 Sep – 4 Oct 2026 were computed with another rule:"
                " more than 25% of at least 20 messages (complaint)."
            )
        page = visit().open("from=2026-10-05&to=2026-10-29")
        expect(table).to_be_visible()
        expect(page.locator("#hotspots p.quiet", has_text="rule")).to_have_count(0)
    finally:
        web.connection.execute("truncate communication_trends_provenance")


def test_the_ranking_is_sorted_by_any_column(visit):
    one = visit()
    page = one.open()

    def column(number: int) -> list[int]:
        texts = page.locator(f"#ranking tbody td:nth-child({number})").all_inner_texts()
        return [int(re.sub(r"[^\d,].*", "", text, flags=re.DOTALL).replace(",", "")) for text in texts]

    page.get_by_role("button", name="Sort by messages").click()
    expect(page.locator("#ranking th[aria-sort=descending]")).to_contain_text("Messages")
    expect(page.get_by_role("button", name="Sort by messages")).to_be_focused()
    assert "sort=totalClassifications" in page.url
    one.drawn()
    messages = column(6)
    assert messages == sorted(messages, reverse=True)
    assert len(messages) == 10
    page.get_by_role("button", name="Sort by messages").click()
    expect(page.locator("#ranking th[aria-sort=ascending]")).to_contain_text("Messages")
    one.drawn()
    assert column(6) == messages[::-1]
    page.go_back()
    expect(page.locator("#ranking th[aria-sort=descending]")).to_contain_text("Messages")
    with page.expect_download() as download:
        page.get_by_role("link", name="Organizations as CSV").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 11


def test_a_chart_is_read_with_the_keys(visit, web):
    page = visit().open(f"organization=dune&{RANGE}")
    chart = page.locator("#topics")
    chart.focus()
    page.keyboard.press("ArrowLeft")
    counts = {name: days[str(TO)] for name, days in stored(web, "dune", "topic_distribution").items()}
    said = chart.get_attribute("aria-valuetext")
    assert said.startswith(f"Thu, 29 Oct 2026: {sum(counts.values())} messages")
    for name, value in counts.items():
        assert f"{name.replace('_', ' ')} {value}" in said
    expect(page.locator("#topics-readout")).to_have_text(f"Thu, 29 Oct 2026: {sum(counts.values())} messages")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#topics-readout")).to_contain_text("Wed, 28 Oct 2026")
    # the mouse says the same, and nothing covers the data
    box = page.locator("#topics .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 59 / 60, box["y"] + box["height"] / 2)
    expect(page.locator("#topics-readout")).to_contain_text("Thu, 29 Oct 2026")
    assert page.locator(".hoverlayer .hovertext, .hoverlayer .legend").count() == 0


@pytest.fixture
def made(web):
    """Make organizations with trends; they are gone afterwards."""
    with making(web.connection) as make:
        yield make


@pytest.fixture
def forty(made):
    """An organization with forty topics."""
    topics = {f"intent {index:02d}": 100 - index for index in range(40)}
    columns = {"topic_distribution": topics, "total_classifications": sum(topics.values())}
    days = [FROM + datetime.timedelta(number) for number in range((TO - FROM).days + 1)]
    made("forty", [(day, columns) for day in days], created=FROM, name="Forty Topics")
    return topics


def test_forty_topics_can_all_be_seen(visit, forty):
    page = visit().open(f"organization=forty&{RANGE}")
    legend = page.locator("#topics-legend")
    rest = legend.get_by_role("button", name="29 more")
    expect(rest).to_contain_text(f"{30 * sum(list(forty.values())[11:]):,}")
    assert len(counted(page, "topics")) == 12
    page.locator("#topics-table").evaluate("table => table.closest('details').open = true")
    expect(page.locator("#topics-table th[scope=col]")).to_have_count(41)
    rest.click()
    expect(legend.get_by_role("button")).to_have_count(41)
    drawn = counted(page, "topics")
    assert {name: set(days.values()) for name, days in drawn.items()} == {n: {v} for n, v in forty.items()}
    legend.get_by_role("button", name="show fewer").click()
    expect(rest).to_be_focused()
    # any one of them, kept in the address
    page.locator("#topic").select_option(label="intent 33")
    expect(legend.get_by_role("button")).to_have_count(1)
    assert "topic=intent+33" in page.url
    assert set(counted(page, "topics")) == {"intent 33"}
    page.get_by_label("Share (100%)").check()
    expect(page.locator("#topics-about")).to_contain_text("Share")
    [trace] = page.locator("#topics").evaluate("box => box.data.filter(one => one.meta === 'intent 33')")
    share = 100 * forty["intent 33"] / sum(forty.values())
    assert trace["y"] == pytest.approx([share] * 30)
    # half an alert is not on an axis, and there is none at all here
    assert page.locator("#escalations").evaluate("box => box.layout.yaxis.tickvals") == [0]


def ticks(page, chart: str) -> list[str]:
    """Return what stands at the vertical axis of a chart."""
    return page.locator(f"#{chart} .ytick text").all_text_contents()


def test_axes_and_shares(visit, made):
    page = visit().open(f"organization=dune&{RANGE}&share=1")
    assert ticks(page, "topics") == ticks(page, "tones") == ["0%", "25%", "50%", "75%", "100%"]
    assert all(text.endswith("%") for text in ticks(page, "risk") + ticks(page, "confidence"))
    # a line between 74 and 90 is not drawn on 0 to 100
    low, *_, high = (int(text.removesuffix("%")) for text in ticks(page, "confidence"))
    assert (low >= 60, high <= 100) == (True, True)
    # two topics that matter are no slivers: one alone has the axis to itself
    page.goto(page.url + "&topic=escalation")
    expect(page.locator("#topics-legend").get_by_role("button")).to_have_count(1)
    assert ticks(page, "topics")[-1] != "100%"
    # one alert a day: no half of one on the axis
    alert = {"topic_distribution": {"general": 3}, "escalation_counts": {"high": 1}, "total_classifications": 3}
    made("lone", [(TO, alert)], created="2026-10-28")
    page = visit().open(f"organization=lone&{RANGE}")
    assert ticks(page, "escalations") == ["0", "1"]
    expect(page.locator("#escalations-legend")).to_contain_text("high")


def test_what_is_unusual_is_said_in_words_and_marked(visit, made):
    tuesdays = [datetime.date(2026, 10, 27) - datetime.timedelta(7 * week) for week in range(9)]
    quiet = {"topic_distribution": {"general": 200}, "total_classifications": 200}
    alerts = zip(tuesdays, [58, 3, 2, 6, 4, 5, 2, 3, 6], strict=True)
    made("alarmed", [(day, {**quiet, "escalation_counts": {"high": count}}) for day, count in alerts], "2026-08-01")
    sentence = "58 alerts; on Tuesdays usually 2 to 6"
    one = visit()
    page = one.open("from=2026-10-21&to=2026-10-27")
    expect(page.locator("#attention-title")).to_have_text("Who needs a call: Tue, 27 Oct 2026")
    expect(page.locator("#attention li").first).to_have_text(f"Alarmed{sentence}")
    page.locator("#attention").get_by_role("button", name="Alarmed").click()
    expect(page.locator(".titles")).to_contain_text("Alarmed")
    one.drawn()
    assert charted(page, "escalations")["unusual"].keys() == {"2026-10-27"}
    page.locator("#escalations").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#escalations-readout")).to_contain_text(f"58 alerts · {sentence}")
    # the day after it nothing is stored: then nothing can be said, and what was before is still told
    page.goto(re.sub("2026-10-27", "2026-10-28", page.url))
    expect(page.locator("#attention")).to_contain_text("Not enough history to judge Wed, 28 Oct 2026")
    expect(page.locator("#attention li")).to_have_text([f"27 Oct{sentence}"])


def test_one_line_for_each_tenant_its_own_first_and_what_many_have_in_common_once(visit, made):
    """Nine tenants with three times the messages on a shopping day; one has alerts and risk as well, one is silent."""
    day = datetime.date(2026, 10, 27)
    ordinary, busy, alarmed, none = (100, 8, 2), (300, 24, 2), (300, 120, 38), (0, 0, 0)
    days = {f"busy-{number}": busy for number in range(9)} | {"alarmed": alarmed, "silent": none}
    for slug, today in days.items():
        trends = []
        for back in range(57):
            messages, complaints, alerts = ordinary if back else today
            columns = {
                "topic_distribution": {"complaint": complaints, "general": messages - complaints},
                "escalation_counts": {"high": alerts},
                "total_classifications": messages,
            }
            trends.append((day - datetime.timedelta(back), columns))
        made(slug, trends, "2026-08-01")
    for width in (1440, 390):
        page = visit(width=width).open("from=2026-10-21&to=2026-10-27")
        own = page.locator("#attention [data-key=own] li")
        expect(own.first).to_have_text(
            "Alarmed38 alerts; on Tuesdays usually 2 · 40% of the messages are complaints or escalations; "
            "on Tuesdays usually 8% · 300 messages; on Tuesdays usually 100"
        )
        expect(own.filter(has_text="Silent")).to_have_text("Silent0 messages; on Tuesdays usually 100")
        expect(page.locator("#attention > p").first).to_contain_text(
            "organizations: messages far above usual; a holiday, a release or the platform?"
        )
        # all of them can be reached
        alike = page.locator("#attention [data-key=alike]")
        expect(alike.locator("li").first).to_be_hidden()
        alike.locator("summary").click()
        expect(alike.locator("li").first).to_be_visible()
        expect(alike.locator("li")).to_have_count(9)
        assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def test_a_mean_of_seven_days_on_demand(visit):
    page = visit().open(f"organization=dune&{RANGE}")
    page.get_by_label("7-day mean").check()
    expect(page.locator("#topics-tools")).to_be_visible()
    assert "mean=7" in page.url
    expect(page.locator("#risk-legend")).to_contain_text("Risk, 7-day mean")
    page.locator("#topics").focus()
    page.keyboard.press("ArrowLeft")
    week = [rows.trend("dune", TO - datetime.timedelta(back)) for back in range(7)]
    mean = sum(trend["total_classifications"] for trend in week) / 7
    expect(page.locator("#topics-readout")).to_have_text(f"Thu, 29 Oct 2026: 7-day mean {round(mean, 1):g} messages")
    drawn = page.locator("#risk").evaluate("box => box.data[0].y.at(-1)")
    risky = sum(trend["topic_distribution"][topic] for trend in week for topic in ("complaint", "escalation"))
    assert drawn == pytest.approx(100 * risky / (7 * mean))


def test_a_channel_has_a_history(visit, web):
    one = visit()
    page = one.open(f"organization=acme&{RANGE}")
    channel = page.locator("#hotspots tbody tr").first.get_by_role("button")
    name = channel.inner_text()
    channel.click()
    one.drawn()
    expect(page.locator("#channel h2")).to_have_text(f"Channel {name}")
    hot = web.connection.execute(
        "select count(*) as days from communication_trends join organizations on organizations.id = organization_id,"
        " jsonb_array_elements(channel_hotspots) as hotspot"
        " where slug = 'acme' and trend_date between %s and %s and hotspot ->> 'channelId' = %s",
        (FROM, TO, name),
    ).fetchone()["days"]
    expect(page.locator("#channel tbody tr")).to_have_count(hot)
    assert f"channel={name}" in page.url
    page.locator("#channel").get_by_role("button", name="Close").click()
    expect(page.locator("#channel")).to_be_hidden()


def test_a_share_is_of_all_whatever_is_hidden(visit):
    page = visit().open(f"organization=dune&{RANGE}&share=1")
    trend = rows.trend("dune", TO)
    share = 100 * trend["topic_distribution"]["general"] / trend["total_classifications"]
    drawn = "box => box.data.find(one => one.meta === 'general').y.at(-1)"
    assert page.locator("#topics").evaluate(drawn) == pytest.approx(share)
    for name in ("complaint", "technical"):
        page.locator("#topics-legend").get_by_role("button", name=name).click()
        expect(page.locator("#topics-legend").get_by_role("button", name=name)).to_have_attribute(
            "aria-pressed", "false"
        )
    assert page.locator("#topics").evaluate(drawn) == pytest.approx(share)
    assert not {"complaint", "technical"} & set(charted(page, "topics"))


@pytest.fixture
def unfinished(web):
    """A tenant of two weeks of 100 messages a day; its last day was stored at noon, with twelve."""
    web.connection.execute(
        "insert into organizations (name, slug, created_at) values ('Unfinished', '..', '2026-10-01');"
        "insert into communication_trends (organization_id, trend_date, trend_period, topic_distribution,"
        " escalation_counts, sentiment_distribution, channel_hotspots, total_classifications)"
        " select id, day, 'daily', jsonb_build_object('general', count), '{}', '{}', '[]', count"
        " from organizations, generate_series('2026-10-16'::timestamp, '2026-10-29', '1 day') as day,"
        " lateral (select case when day < '2026-10-29' then 100 else 12 end as count) as counts where slug = '..';"
        "insert into communication_trends_provenance (organization_id, trend_date, trend_period, computed_at, is_final)"
        " select organization_id, trend_date, trend_period, trend_date + interval '12 hours', trend_date < '2026-10-29'"
        " from communication_trends join organizations on organizations.id = organization_id where slug = '..'"
    )
    yield
    web.connection.execute("delete from organizations where slug = '..'")


def test_what_is_not_final_is_said_and_compared_with_nothing(visit, unfinished):
    # its slug is no part of any path
    page = visit().open("organization=..&from=2026-10-23&to=2026-10-29&mean=7")
    expect(page.locator("#subtitle")).to_have_text(
        "Communication trends · 23 Oct – 29 Oct 2026 · 612 messages · 1 day not final"
    )
    expect(page.locator("#card-messages .value")).to_have_text("612")
    expect(page.locator("#card-messages .change")).to_have_text("unchanged")
    expect(page.locator("#card-messages .compared")).to_have_text("600 compared with 600, over 6 of 7 days")
    expect(page.locator("#cards .left-out").last).to_contain_text("Thu, 29 Oct 2026 is not final")
    assert set(charted(page, "topics")["notFinal"]) == {"2026-10-29"}
    expect(page.locator("#topics-legend")).to_contain_text("not final")
    # six whole days and half a one have no mean of seven
    assert max(counted(page, "topics")["general"]) == "2026-10-28"
    page.locator("#topics").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#topics-readout")).to_contain_text("Thu, 29 Oct 2026: no 7-day mean")
    expect(page.locator("#topics-readout")).to_contain_text("not final: as of 29 Oct 2026, 12:00 UTC")


def test_a_slug_of_any_kind_has_its_own_page(visit, web, unfinished):
    web.connection.execute("update organizations set slug = 'a/b?' || repeat('c', 300) where slug = '..'")
    one = visit()
    page = one.open(f"from=2026-10-23&to={TO}")
    page.locator("#ranking").get_by_role("button", name="Unfinished").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Unfinished")
    expect(page.locator("#subtitle")).to_contain_text("23 Oct – 29 Oct 2026 · 612 messages")
    expect(page.get_by_role("combobox", name="Organization")).to_have_value("Unfinished")
    web.connection.execute("update organizations set slug = '' where name = 'Unfinished'")
    page.reload()
    one.drawn()
    expect(page.locator(".titles")).to_contain_text("Unfinished")
    web.connection.execute("update organizations set slug = '..' where name = 'Unfinished'")
    # an id is the same in capitals
    [row] = web.connection.execute("select upper(id::text) as id from organizations where slug = '..'").fetchall()
    page = one.open(f"organization={row['id']}&from=2026-10-23&to={TO}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Unfinished")
    expect(page.get_by_role("combobox", name="Organization")).to_have_value("Unfinished")
    assert one.problems == []


def test_a_young_tenant_has_not_all_days(visit, made):
    columns = {"topic_distribution": {"general": 3}, "total_classifications": 3}
    made("young", [(day, columns) for day in ("2026-10-27", "2026-10-29")], created="2026-10-27")
    page = visit().open(f"organization=young&{RANGE}")
    expect(page.locator("#status")).to_have_text("Young: 2 of 3 days stored, 6 messages.")
    expect(page.locator("#hotspots")).to_contain_text("No hotspots, as far as is known: 2 of 3 days are stored.")
    expect(page.locator("#card-messages .change")).to_have_text("no comparison")


def test_a_page_beyond_the_last_says_so(visit):
    page = visit().open(f"{RANGE}&offset=5000")
    expect(page.locator("#ranking")).to_contain_text("There are 10 organizations: none after the first 5,000.")
    page.get_by_role("button", name="To the first").click()
    expect(page.locator("#ranking tbody tr")).to_have_count(10)


def test_escape_closes_the_picker_also_right_after_typing(visit):
    page = visit().open("days=7")
    picker = page.get_by_role("combobox", name="Organization")
    picker.focus()
    expect(organizations(page).first).to_be_visible()
    picker.press_sequentially("du")
    picker.press("Escape")
    page.wait_for_timeout(600)
    expect(page.get_by_role("listbox", name="Organizations")).to_be_hidden()


def test_the_csv_is_what_is_shown(visit, web):
    page = visit().open(f"organization=acme&{RANGE}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Topics as CSV").click()
    assert download.value.suggested_filename == f"trends-acme-{FROM}-{TO}.csv"
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        entries = list(csv.DictReader(file))
    assert len(entries) == 30
    by_day = {entry["date"]: entry["topic:complaint"] for entry in entries}
    expected = stored(web, "acme", "topic_distribution")["complaint"]
    assert {day: int(count) for day, count in by_day.items() if count} == expected


def test_the_csv_of_the_current_week_can_be_downloaded(visit, web, made):
    """By the server's own clock: the answers end on a Sunday that is still to come, unless today is one."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    monday = today - datetime.timedelta(today.weekday())
    made("newcomer", [(monday, {"topic_distribution": {"general": 3}, "total_classifications": 3})], kind="weekly")
    page = visit(now=None).open(f"period=weekly&organization=newcomer&from={today}&to={today}")
    links = page.locator("a.download").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert len(links) > 4
    assert {link: web.get(link).status_code for link in links} == dict.fromkeys(links, 200)


def test_text_never_becomes_markup(visit, made):
    evil = '<img src=x onerror="document.title=1"><a href="javascript:alert(1)">%{y}</a><b>'
    columns = {
        **{column: {evil: 20} for column in COLUMNS[:3]},
        "channel_hotspots": [{"channelId": evil, "riskScore": 90, "messageCount": 20}],
        "total_classifications": 20,
    }
    made("evil", [(TO, columns)], created=TO, name=evil)
    one = visit()
    page = one.open(f"organization=evil&{RANGE}")
    box = page.locator("#topics .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 59 / 60, box["y"] + box["height"] / 2)
    expect(page.locator("#topics-readout")).to_contain_text("20 messages")
    expect(page.locator("#topics-legend")).to_contain_text("<b>")
    for chart in ("topics", "tones", "escalations"):
        assert page.locator(f"#{chart} a, #{chart} img").count() == 0
    assert page.locator("#main img, #main a[href^='javascript'], header img").count() == 0
    expect(page.locator("#hotspots tbody")).to_contain_text(evil)
    page.goto(f"{one.url}/communication-trends/?{RANGE}")
    one.drawn()
    expect(page.locator("#ranking tbody")).to_contain_text(evil)
    assert page.locator("#main img").count() == 0
    assert page.title() == "All organizations – Communication trends"
    assert one.problems == []


@pytest.mark.parametrize("width", [1440, 390])
def test_a_name_without_spaces_fits(visit, web, width):
    web.connection.execute("update organizations set name = %s where slug = 'dune'", ("X" * 130,))
    try:
        page = visit(width=width).open(f"organization=dune&{RANGE}")
        expect(page.get_by_role("heading", level=1)).to_have_text("X" * 130)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        web.connection.execute("update organizations set name = 'Dune Retail' where slug = 'dune'")


def test_a_gap_is_filled_by_a_run(visit, web, dag):
    one = visit(user="admin")
    page = one.open(f"organization=acme&{RANGE}")
    expect(page.locator("#gaps")).to_contain_text("No data for 3 days")
    page.get_by_role("button", name="Run the DAG for Wed, 14 Oct 2026").click()
    expect(page.locator("#dialog-text")).to_contain_text("14 Oct: Acme Logistics")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#progress")).to_contain_text("has succeeded", timeout=240_000)
    expect(page.locator("#gaps")).to_contain_text("No data for 2 days")
    drawn = counted(page, "topics")
    expected = rows.trend("acme", datetime.date(2026, 10, 14))["topic_distribution"]
    assert {name: drawn[name]["2026-10-14"] for name in expected} == expected
    assert drawn.keys() == stored(web, "acme", "topic_distribution").keys()
    # only this organization: the others' day is as it was
    assert (
        stored(web, "dune", "topic_distribution")["complaint"]["2026-10-14"]
        == (rows.trend("dune", datetime.date(2026, 10, 14))["topic_distribution"]["complaint"])
    )
    runs = web.airflow.request("GET", f"{dag}/dagRuns").json()["dag_runs"]
    run = next(run for run in runs if (run["conf"] or {}).get("date") == "2026-10-14")
    # on the run itself, Airflow shows that day, and what the run did
    page.goto(f"{one.url}/dags/{DAG_ID}/runs/{run['dag_run_id']}/plugin/communication-trends-run")
    frame = page.frame_locator("iframe[title='Communication trends']")
    one.drawn(frame)
    assert [frame.locator(f"#{name}").input_value() for name in ("from", "to")] == ["2026-10-14", "2026-10-14"]
    expect(frame.locator("#run")).to_contain_text("This run, for Wed, 14 Oct 2026: success")
    expect(frame.locator("#run")).to_contain_text("1 of 1 organization stored")
    frame.get_by_role("link", name="The task summarize").click()
    page.wait_for_url("**/tasks/summarize*")
    # and on the DAG
    page.goto(f"{one.url}/dags/{DAG_ID}/plugin/communication-trends-dag")
    one.drawn(frame)
    assert one.problems == []


def test_all_that_is_missing_is_run_at_once(visit, web, dag):
    one = visit(user="admin")
    page = one.open()
    expect(page.locator("#gaps")).to_contain_text("for 9 of 10 organizations")
    # the last day first
    expect(page.locator("#gaps li")).to_have_text(["22 Oct: Acme Logistics", "15 Oct: Acme Logistics"])
    expect(page.locator("#gaps")).to_contain_text(re.compile(r"Last run .* UTC \((success|failed)\)"))
    # where some organizations are missing, the charts say so
    assert set(charted(page, "topics")["partial"]) == {"2026-10-15", "2026-10-22"}
    page.get_by_role("button", name="Run all missing").click()
    expect(page.locator("#dialog-title")).to_have_text("Run the DAG for 2 days?")
    expect(page.locator("#dialog-text li")).to_have_text(["15 Oct: Acme Logistics", "22 Oct: Acme Logistics"])
    page.get_by_role("button", name="Run 2", exact=True).click()
    expect(page.locator("#progress")).to_contain_text("2 runs have all succeeded", timeout=400_000)
    expect(page.locator("#gaps")).to_contain_text("for all 10 organizations")
    assert {str(day) for day in rows.GAPS} <= set(stored(web, "acme", "topic_distribution")["complaint"])
    assert one.problems == []


@pytest.fixture
def lacking(web):
    """acme without three days."""
    web.connection.execute(
        "delete from communication_trends using organizations where organizations.id = organization_id"
        " and slug = 'acme' and trend_date = any(%s)",
        (sorted(rows.GAPS),),
    )


def test_a_user_who_stops_starts_no_further_run(visit, web, dag, lacking):
    """And a gap whose run is queued is not offered again."""
    web.airflow.request("PATCH", dag, json={"is_paused": True})
    one = visit(user="admin")
    page = one.open(f"organization=acme&{RANGE}")
    held: list = []
    starts = lambda route: route.continue_() if route.request.method == "GET" else held.append(route)  # noqa: E731
    page.route("**/dagRuns**", starts)
    page.get_by_role("button", name="Run all missing").click()
    page.get_by_role("button", name="Run 3", exact=True).click()
    expect(page.locator("#dialog-cancel")).to_have_text("Stop")
    while not held:
        page.wait_for_timeout(50)
    page.locator("#dialog-cancel").click()
    held.pop().continue_()
    expect(page.locator("#progress")).to_contain_text("is queued. The DAG is paused")
    expect(page.locator("#progress")).to_contain_text("2 of 3 runs not started.")
    expect(page.locator("#gaps")).to_contain_text("14 Oct queued")
    assert held == []
    assert page.evaluate("document.activeElement !== document.body")
    page.unroute("**/dagRuns**")
    # another tab knows as well, and offers the others alone
    page = one.open(f"organization=acme&{RANGE}")
    expect(page.locator("#gaps")).to_contain_text("14 Oct queued")
    assert page.get_by_role("button", name="Run the DAG for Wed, 14 Oct 2026").count() == 0
    page.get_by_role("button", name="Run all others").click()
    expect(page.locator("#dialog-title")).to_have_text("Run the DAG for 2 days?")
    # another user was quicker
    conf = {"date": "2026-10-22", "organizations": ["acme"]}
    other = web.airflow.request("POST", f"{dag}/dagRuns", json={"logical_date": None, "conf": conf}).json()
    page.get_by_role("button", name="Run 2", exact=True).click()
    expect(page.locator("#dialog-problem")).to_have_text("A run for Thu, 22 Oct 2026 is queued already.")
    page.locator("#dialog-cancel").click()
    queued = web.airflow.request("GET", f"{dag}/dagRuns?state=queued").json()["dag_runs"]
    assert sorted(run["conf"]["date"] for run in queued) == ["2026-10-14", "2026-10-22"]
    assert other["dag_run_id"] in {run["dag_run_id"] for run in queued}
    # one that a user triggers without a date is for the last day that is over, whatever its logical date
    now = datetime.datetime.now(datetime.timezone.utc)
    yesterday = now.date() - datetime.timedelta(1)
    # what scheduled runs have stored
    web.connection.execute("delete from communication_trends where trend_date > '2026-10-30'")
    for logical in (None, now.isoformat()):
        run = web.airflow.request("POST", f"{dag}/dagRuns", json={"logical_date": logical}).json()
        days = f"from={yesterday - datetime.timedelta(1)}&to={yesterday}"
        # nothing is stored of these days, and so no chart is drawn
        page.goto(f"{one.url}/communication-trends/?organization=acme&{days}")
        # before 03:00 UTC yesterday is no gap yet
        if now.hour >= 3:
            expect(page.locator("#gaps")).to_contain_text(f"{yesterday.day} {yesterday:%b} queued")
        expect(page.get_by_role("button", name="Run the DAG for")).to_have_count(1)
        web.airflow.request("DELETE", f"{dag}/dagRuns/{run['dag_run_id']}")
    for run in queued:
        web.airflow.request("DELETE", f"{dag}/dagRuns/{run['dag_run_id']}")
    web.airflow.request("PATCH", dag, json={"is_paused": False})
    assert one.problems == []


def test_drawn_again_it_keeps_the_focus(visit, web, dag, lacking):
    one = visit(user="admin", now=None)
    one.context.clock.install(time=NOW)
    page = one.open(f"organization=acme&{RANGE}")

    def again() -> None:
        with page.expect_response("**/api/v1/hotspots**"):
            page.clock.run_for(5 * 60_000)
        one.drawn()

    for focused in (
        page.get_by_role("button", name="Run the DAG for Wed, 14 Oct 2026"),
        page.locator("#hotspots tbody button").first,
        page.locator("#topics-legend button").first,
        page.locator("#topic"),
        page.get_by_role("button", name="30 days"),
    ):
        focused.focus()
        again()
        expect(focused).to_be_focused()
    page.locator("#topics").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    again()
    expect(page.locator("#topics")).to_be_focused()
    expect(page.locator("#topics-readout")).to_contain_text("Tue, 27 Oct 2026")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#topics-readout")).to_contain_text("Mon, 26 Oct 2026")
    assert one.problems == []


def test_a_viewer_is_not_offered_what_he_may_not_do(visit, dag, lacking):
    page = visit().open(f"organization=acme&{RANGE}")
    expect(page.locator("#gaps")).to_contain_text("No data for 3 days")
    expect(page.locator("#gaps")).to_contain_text("22 Oct")
    assert page.get_by_role("button", name="Run").count() == 0


def test_a_run_says_what_became_of_each_organization(visit, web, dag):
    """acme's gap is filled, dune's day is kept, since its messages are not there, borealis' breaks a constraint."""
    web.connection.execute(
        "alter table communication_trends add constraint broken check"
        f" (organization_id <> '{rows.organization_id('borealis')}' or trend_date <> '2026-10-15') not valid"
    )
    web.connection.execute(
        "delete from communication_trends where organization_id = any(%s::uuid[]) and trend_date = '2026-10-15'",
        ([rows.organization_id("borealis")],),
    )
    try:
        conf = {"date": "2026-10-15", "organizations": ["acme", "borealis", "dune"], "lookback": 1}
        run = web.airflow.request("POST", f"{dag}/dagRuns", json={"logical_date": None, "conf": conf}).json()
        path = f"{dag}/dagRuns/{run['dag_run_id']}"
        web.airflow.wait_until(
            lambda: web.airflow.request("GET", path).json()["state"] == "failed", what="the run has ended"
        )
        one = visit(user="admin")
        page = one.page
        page.goto(f"{one.url}/dags/{DAG_ID}/runs/{run['dag_run_id']}/plugin/communication-trends-run")
        frame = page.frame_locator("iframe[title='Communication trends']")
        expect(frame.locator("#run-title")).to_have_text("This run, for Thu, 15 Oct 2026: failed")
        said = dict(
            text.split("\t")
            for text in frame.locator("#run li:has(a)").evaluate_all(
                "items => items.map(item => [...item.children].map(child => child.textContent).join('\t'))"
            )
        )
        assert said == {
            "acme": "filled 14 Oct",
            "borealis": "failed",
            "dune": "not overwritten: the source has fewer rows now · not overwritten: 14 Oct",
        }
        frame.get_by_role("link", name="borealis").click()
        page.wait_for_url("**/tasks/aggregate_organization/mapped/1*")
    finally:
        web.connection.execute("alter table communication_trends drop constraint broken")
        web.connection.execute(
            "delete from communication_trends where organization_id = %s and trend_date = any(%s)",
            (rows.organization_id("acme"), sorted(rows.GAPS)),
        )


def test_airflows_own_form_with_its_date_picker(visit, web, dag):
    one = visit(user="admin")
    page = one.page
    page.goto(f"{one.url}/dags/{DAG_ID}")
    page.get_by_role("button", name="Trigger").first.click()
    page.locator("input[type=date][name=element_date], #element_date").first.fill("2026-10-15")
    page.get_by_role("button", name="Trigger").last.click()
    web.airflow.wait_until(
        lambda: "2026-10-15" in stored(web, "acme", "topic_distribution")["complaint"],
        what="the day of the form is stored",
    )
    page = one.open(f"organization=acme&{RANGE}")
    expected = rows.trend("acme", datetime.date(2026, 10, 15))["topic_distribution"]
    drawn = charted(page, "topics")
    assert {name: drawn[name]["2026-10-15"] for name in expected} == expected


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    "query",
    [RANGE, f"organization=acme&{RANGE}&channel=C-acme-support", "organization=acme&from=2026-07-01&to=2026-07-02"],
)
def test_accessibility_and_theme(visit, theme, query):
    one = visit(theme=theme)
    page = one.page
    page.goto(f"{one.url}/communication-trends/?{query}")
    expect(page.locator("#main")).to_have_attribute("aria-busy", "false")
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    page.locator("#topics-table").evaluate("table => table.closest('details').open = true")
    # the rules that are off by default, too
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"]
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}}).response["violations"]
    assert [(violation["id"], [node["html"][:200] for node in violation["nodes"]]) for violation in found] == []
    assert one.problems == []


@pytest.mark.parametrize("width", [1440, 390])
def test_what_is_pressed_is_large_enough(visit, width):
    page = visit(user="admin", width=width).open()
    small = page.evaluate(
        "() => [...document.querySelectorAll('button, input, select, summary, main a')]"
        ".filter((one) => one.checkVisibility())"
        # a click on its label is one on the box
        ".map((one) => [one.outerHTML, (one.closest('label') ?? one).getBoundingClientRect()])"
        ".filter(([, box]) => box.width < 24 || box.height < 24).map(([text]) => text.slice(0, 100))"
    )
    assert small == []


def test_the_focus_is_never_behind_the_header(visit):
    page = visit(user="admin").open()
    page.set_viewport_size({"width": 1440, "height": 700})
    page.locator("footer a").focus()
    covered = []
    for _ in range(60):
        page.keyboard.press("Shift+Tab")
        covered += page.evaluate(
            "() => { const one = document.activeElement, header = document.querySelector('header');"
            " const [box, bar] = [one, header].map((each) => each.getBoundingClientRect());"
            " return !header.contains(one) && box.top < bar.bottom - 1 ? [one.outerHTML.slice(0, 100)] : []; }"
        )
    assert covered == []


def test_colors_that_mean_something_stay_in_forced_colors(visit):
    page = visit().open(f"organization=acme&{RANGE}")
    page.emulate_media(forced_colors="active")
    colors = page.locator("#topics-legend button i").evaluate_all(
        "keys => keys.map(key => getComputedStyle(key).backgroundColor)"
    )
    hatching = page.locator("#topics-legend .hatched").evaluate("key => getComputedStyle(key).backgroundImage")
    page.emulate_media(forced_colors="none")
    assert len(set(colors)) == len(colors) == 7
    assert "gradient" in hatching


def test_the_theme_follows_airflows_switch(visit):
    one = visit(own=True)
    page = one.open()
    other = one.context.new_page()
    other.goto(f"{one.url}/communication-trends/static/icon.svg")
    other.evaluate("localStorage.setItem('theme', 'dark')")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert one.problems == []


def test_it_fits_at_twice_the_size_inside_airflow(visit):
    # 1440 pixels at 200%
    one = visit(width=720)
    one.page.goto(f"{one.url}/plugin/communication-trends?{RANGE}")
    frame = one.page.frame_locator("iframe[title='Communication trends']")
    one.drawn(frame)
    wide, room = frame.locator("html").evaluate("html => [html.scrollWidth, html.clientWidth]")
    assert wide <= room


def test_nothing_but_data_looks_like_data(visit, web):
    one = visit()
    page = one.page
    # before the organization existed
    page.goto(f"{one.url}/communication-trends/?organization=acme&from=2026-07-01&to=2026-07-10")
    expect(page.locator("#notice")).to_contain_text("No data for Acme Logistics, 1 Jul – 10 Jul 2026")
    expect(page.locator("#charts")).to_be_hidden()
    expect(page.locator("#cards")).to_be_hidden()
    expect(page.locator("#gaps")).to_be_hidden()
    one.open(f"organization=acme&{RANGE}")
    assert one.problems == []
    page.route("**/api/v1/**", lambda route: route.abort())
    page.get_by_role("button", name="30 days").click()
    # another range is other data: nothing of the old one is left
    expect(page.locator("#notice")).to_contain_text("does not answer")
    expect(page.locator("body")).not_to_contain_text("Loading…")
    expect(page.locator("#main")).to_be_hidden()
    expect(page.get_by_role("button", name="30 days")).to_have_attribute("aria-pressed", "true")
    page.unroute("**/api/v1/**")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#notice")).not_to_contain_text("does not answer")
    one.open(RANGE)
    # what is on the page stays while it cannot be updated, and says of when it is
    page.route("**/api/v1/**", lambda route: route.abort())
    page.get_by_role("button", name="Day", exact=True).click()
    expect(page.locator("#notice")).to_contain_text("Showing data from")
    expect(page.locator("body")).to_have_attribute("data-state", "stale")
    expect(page.locator("#cards")).to_be_visible()
    page.unroute("**/api/v1/**")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#notice")).to_be_hidden()
    # one panel's failure is that panel's
    page.route("**/api/v1/hotspots**", lambda route: route.abort())
    page.get_by_role("button", name="7 days").click()
    expect(page.locator("#hotspots")).to_contain_text("does not answer")
    expect(page.locator("body")).to_have_attribute("data-state", re.compile("ready|empty"))
    # nobody of this name
    page.goto(f"{one.url}/communication-trends/?organization=nobody")
    expect(page.locator("#notice")).to_contain_text("There is no organization 'nobody'.")
    expect(page.locator("#subtitle")).to_be_empty()
    expect(page.locator("#main")).to_be_hidden()


def test_the_page_asks_again_by_itself(visit):
    one = visit(now=None)
    # a clock that can be put forward
    one.context.clock.install(time=NOW)
    page = one.open(RANGE)
    page.route("**/api/v1/**", lambda route: route.abort())
    page.clock.run_for(5 * 60_000)
    expect(page.locator("#notice")).to_contain_text("Showing data from")
    expect(page.locator("body")).to_have_attribute("data-state", "stale")
    page.unroute("**/api/v1/**")
    page.clock.run_for(5 * 60_000)
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator("body")).to_have_attribute("data-state", "ready")


def test_numbers_of_days_ago_say_their_date(visit):
    one = visit(now=None)
    one.context.clock.install(time=NOW)
    page = one.open(RANGE)
    expect(page.locator("#updated")).to_have_text("As of 30 Oct 2026, 12:00 UTC; updated every 5 minutes.")
    # nobody looks for 65 hours
    hide = "hidden => Object.defineProperty(document, 'hidden', { value: hidden, configurable: true })"
    page.evaluate(hide, True)
    held: list = []
    page.route("**/api/v1/**", lambda route: held.append(route))
    page.clock.fast_forward(65 * 3600_000)
    assert held == []
    page.evaluate(hide, False)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))")
    # asked at once; what is there until the answer comes is of then
    expect(page.locator("#notice")).to_have_text("Showing data from 30 Oct 2026, 12:00 UTC. Refreshing…")
    while not held:
        page.wait_for_timeout(50)
    for route in held:
        route.abort()
    expect(page.locator("#notice")).to_contain_text("Showing data from 30 Oct 2026, 12:00 UTC. Refresh failed.")
    page.unroute_all(behavior="ignoreErrors")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator("#updated")).to_contain_text("As of 2 Nov 2026, 05:00 UTC")


def test_brought_back_by_the_browser_it_shows_what_the_address_says(browser, web):
    """The browser keeps the page as it was left, and gives it back without loading it."""
    with chromium.launched(browser.browser_type, ignore_default_args=["--disable-back-forward-cache"]) as keeping:
        one = Visit(keeping, web, "viewer")
        one.begin("light", 1440, NOW)
        page = one.open(f"organization={rows.organization_id('acme')}&{RANGE}")
        page.evaluate("window.isKept = true")
        page.goto(f"{one.url}/communication-trends/static/icon.svg")
        page.go_back(wait_until="commit")
        expect(page.locator(".titles")).to_contain_text("Acme Logistics")
        assert page.evaluate("window.isKept") is True
        # Back and Forward go on as before
        page.evaluate(
            "([old, id]) => history.pushState(null, '', location.search.replace(old, id))",
            [rows.organization_id("acme"), rows.organization_id("dune")],
        )
        page.goto(f"{one.url}/communication-trends/static/icon.svg")
        page.go_back(wait_until="commit")
        expect(page.locator(".titles")).to_contain_text("Dune Retail")
        page.go_back(wait_until="commit")
        expect(page.locator(".titles")).to_contain_text("Acme Logistics")
        one.context.close()


def test_what_has_not_changed_is_not_sent_again(visit):
    # its own: what a test intercepts is never kept by the browser
    one = visit(now=None, own=True)
    one.context.clock.install(time=NOW)
    page = one.open(RANGE)
    answers: list = []
    page.on("response", lambda answer: "/communication-trends/api/v1/" in answer.url and answers.append(answer))  # type: ignore[func-returns-value]
    page.clock.run_for(5 * 60_000)
    expect(page.locator("#updated")).to_contain_text("12:05 UTC")
    one.drawn()
    assert len(answers) == 7
    for answer in answers:
        # the browser shows what it has as an answer of 200
        assert answer.request.all_headers()["if-none-match"] == answer.all_headers()["etag"]
        assert answer.request.sizes()["responseBodySize"] == 0
    expect(page.locator("body")).to_have_attribute("data-state", "ready")


def test_what_is_not_there_yet_does_not_look_like_what_was(visit):
    page = visit().open(RANGE)
    held: list = []
    released: list[bool] = []
    page.route("**/api/v1/**", lambda route: route.continue_() if released else held.append(route))
    page.get_by_role("button", name="7 days").click()
    expect(page.locator("body")).to_have_attribute("data-state", "loading")
    expect(page.locator("#subtitle")).to_have_text("Loading…")
    expect(page.locator("#cards")).to_have_css("opacity", "0.35")
    released.append(True)
    for route in held:
        route.continue_()
    expect(page.locator(".titles")).to_contain_text("23 Oct – 29 Oct 2026")
    expect(page.locator("#cards")).to_have_css("opacity", "1")


def test_a_slow_panel_keeps_nobody_waiting(visit):
    one = visit()
    page = one.open(RANGE)
    held = []
    page.route("**/api/v1/hotspots**", lambda route: held.append(route))
    page.get_by_role("button", name="7 days").click()
    expect(page.locator(".titles")).to_contain_text("23 Oct – 29 Oct 2026")
    expect(page.locator("#card-messages .against")).to_contain_text("16 Oct – 22 Oct 2026")
    expect(page.locator("#charts")).to_have_css("opacity", "1")
    expect(page.locator("#hotspots")).to_have_css("opacity", "0.35")
    expect(page.locator("#main")).to_have_attribute("aria-busy", "true")
    [route] = held
    route.continue_()
    one.drawn()
    expect(page.locator("#hotspots")).to_have_css("opacity", "1")
    expect(page.locator("#hotspots tbody")).to_contain_text("27 Oct")


def test_what_others_keep_from_being_answered_is_asked_again(visit, web, server):
    one = visit()
    page = one.open()
    refused: list[str] = []
    page.on(
        "response",
        lambda answer: answer.status == 503 and "retry-after" in answer.headers and refused.append(answer.url),  # type: ignore[func-returns-value]
    )
    waiting = "select from pg_locks where not granted and relation = 'communication_trends'::regclass"
    for preset in ("7 days", "90 days") * 3:
        with (
            ThreadPoolExecutor() as others,
            server.connect(web.connection.info.dbname) as locking,
            locking.transaction(),
        ):
            # four wait for the table, for five seconds at most: they have all slots, and no other request gets one
            locking.execute("lock table communication_trends")
            asked = [others.submit(web.get, f"{API}/trends?{RANGE}") for _ in range(4)]
            while len(web.connection.execute(waiting).fetchall()) < 4 and not any(other.done() for other in asked):
                time.sleep(0.05)
            page.get_by_role("button", name=preset, exact=True).click()
            while not refused and not all(other.done() for other in asked):
                page.wait_for_timeout(100)
        if refused:
            break
        # a machine that is busy for seconds: the four have gone before the page was refused
    assert refused
    one.drawn()
    expect(page.locator("#ranking tbody tr").first).to_be_visible()
    expect(page.locator("body")).to_have_attribute("data-state", "ready")
    assert page.locator("#main p.problem").count() == 0


def test_an_ended_login_has_a_way_back(visit, web):
    one = visit(own=True)
    page = one.page
    page.goto(f"{one.url}/plugin/communication-trends?organization=dune&{RANGE}")
    frame = page.frame_locator("iframe[title='Communication trends']")
    one.drawn(frame)
    one.context.clear_cookies()
    frame.get_by_role("button", name="90 days").click()
    expect(frame.locator("#notice")).to_contain_text("Your session has ended.")
    frame.get_by_role("button", name="Log in").click()
    page.get_by_label("Username").fill("viewer")
    page.get_by_label("Password", exact=True).fill(web.passwords["viewer"])
    page.get_by_role("button", name="Sign in").click()
    expect(frame.locator(".titles")).to_contain_text("Dune Retail")
    expect(frame.get_by_role("button", name="90 days")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize(
    ("time", "last"), [("02:59", TO - datetime.timedelta(1)), ("03:00", TO)], ids=["not due", "due"]
)
def test_the_range_ends_with_the_last_day_that_is_due(visit, time, last):
    one = visit(now=datetime.datetime.fromisoformat(f"2026-10-30 {time}+00:00"))
    page = one.open("organization=dune&days=7")
    assert page.locator("#to").input_value() == str(last)
    assert max(charted(page, "topics")["complaint"]) == str(last)


def test_what_is_not_due_is_no_gap(visit, made):
    """By the server's own clock: today is never due."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    before = today - datetime.timedelta(2)
    columns = {"topic_distribution": {"general": 3}, "total_classifications": 3}
    made("newcomer", [(before, columns)], created=today)
    page = visit(now=None).open(f"organization=newcomer&from={before}&to={today}")
    assert str(today) not in charted(page, "topics")["gap"]
    page.locator("#topics-table").evaluate("table => table.closest('details').open = true")
    expect(page.locator("#topics-table tbody tr").first).to_contain_text("not due yet")


def test_weeks_are_their_own(visit, web):
    one = visit()
    page = one.open(f"organization=dune&{RANGE}")
    columns = {"topic_distribution": {"complaint": 7, "general": 21}, "total_classifications": 28}
    for monday in ("2026-10-05", "2026-10-19"):
        insert_trend(web.connection, "dune", monday, columns, "weekly")
    page.get_by_role("button", name="Week").click()
    expect(page.get_by_role("button", name="12 weeks")).to_have_attribute("aria-pressed", "true")
    assert "period=weekly" in page.url
    page.goto(f"{one.url}/communication-trends/?organization=dune&period=weekly&from=2026-10-06&to=2026-10-25")
    one.drawn()
    assert counted(page, "topics") == {
        "complaint": {"2026-10-05": 7, "2026-10-19": 7},
        "general": {"2026-10-05": 21, "2026-10-19": 21},
    }
    assert set(charted(page, "topics")["gap"]) == {"2026-10-12"}
    expect(page.locator("#gaps")).to_contain_text("No data for the week of 12 Oct 2026")
    expect(page.locator("#card-risk .value")).to_have_text("25%")
    # what there is for days alone leaves nothing behind
    expect(page.locator("#topics-tools")).to_have_text(re.compile(r"Share \(100%\)$"))


def test_a_gap_of_a_week_runs_the_dag_of_weeks_which_is_paused(visit, dag):
    one = visit(user="admin")
    page = one.page
    page.goto(f"{one.url}/communication-trends/?organization=iris&period=weekly&from=2026-10-12&to=2026-10-18")
    expect(page.locator("#notice")).to_have_text(
        "No week is stored: the DAG communication_trends_weekly is paused. Unpause it in Airflow to have every week"
        " from now on; run or backfill it for earlier ones."
    )
    page.get_by_role("button", name="Run the DAG for the week of 12 Oct 2026").click()
    expect(page.locator("#dialog-text")).to_contain_text("Airflow runs communication_trends_weekly")
    expect(page.locator("#dialog-text li")).to_have_text("12 Oct: Iris Media")
    page.get_by_role("button", name="Cancel").click()
    assert one.problems == []


def test_the_page_is_told_who_may_run_what(web):
    for user, may_run in (("viewer", False), ("admin", True)):
        text = web.get("/communication-trends/", user=user).text
        [given] = re.findall(r'data-config="([^"]*)"', text)
        config = json.loads(html.unescape(given))
        assert config["plurals"]["complaint"] == "complaints"
        assert config["version"] == __version__
        assert config["periods"]["daily"] == {"dagId": DAG_ID, "delay": 10_800, "mayRun": may_run}


def test_another_dag_has_nothing_to_show(visit):
    one = visit()
    one.page.goto(f"{one.url}/communication-trends/?dag=another")
    expect(one.page.locator("#notice")).to_contain_text("This is another.")
    expect(one.page.locator("#main")).to_be_hidden()


PICTURED = f"from=2026-09-20&to={rows.INCIDENT}"
"""Up to acme's worst day: something to see."""


@pytest.mark.parametrize(
    ("name", "query", "theme", "height"),
    [
        ("overview-light", PICTURED, "light", 1200),
        ("organization-dark", f"organization=acme&{PICTURED}", "dark", 1560),
    ],
)
def test_a_shared_address_shows_the_same_view(visit, tmp_path, name, query, theme, height):
    one = visit(theme=theme)
    one.page.set_viewport_size({"width": 1440, "height": height})
    one.page.goto(f"{one.url}/plugin/communication-trends?{query}")
    frame = one.page.frame_locator("iframe[title='Communication trends']")
    one.drawn(frame)
    expect(frame.locator("html")).to_have_attribute("data-theme", theme)
    assert [frame.locator(f"#{field}").input_value() for field in ("from", "to")] == ["2026-09-20", "2026-10-19"]
    expect(frame.locator("#ranking")).to_be_visible(visible="acme" not in query)
    expect(frame.locator("#attention")).to_contain_text("41% of the messages are complaints or escalations")
    assert one.problems == []
    # make screenshots: the documentation's pictures are these
    one.page.screenshot(path=Path(os.environ.get("COMMUNICATION_TRENDS_SCREENSHOTS", tmp_path)) / f"{name}.png")
