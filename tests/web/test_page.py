"""The page in a real browser, inside Airflow's UI, against a running Airflow."""

from __future__ import annotations

import datetime
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FrameLocator, Page, expect, sync_playwright

from web import rows

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")

DAG_ID = "communication_trends_daily"
FROM, TO = datetime.date(2026, 9, 30), datetime.date(2026, 10, 29)
RANGE = f"from={FROM}&to={TO}"
PATIENCE = 60_000
"""Milliseconds; the machine may be busy."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def dag(web):
    """The DAG, ready to be triggered."""
    ready = web.airflow.wait_until(
        lambda: web.airflow.request("PATCH", f"/api/v2/dags/{DAG_ID}", json={"is_paused": False}).is_success,
        seconds=180,
        what="the DAG is there",
    )
    assert ready
    return f"/api/v2/dags/{DAG_ID}"


class Visit:
    """A browser page of one user, with what went wrong in it and which hosts it asked."""

    def __init__(self, browser: Browser, web, user: str | None, theme: str = "light", width: int = 1440) -> None:
        self.url = web.airflow.url
        self.problems: list[str] = []
        self.foreign: set[str] = set()
        self.context = browser.new_context(viewport={"width": width, "height": 1000}, accept_downloads=True)
        self.context.add_init_script(f"localStorage.getItem('theme') ?? localStorage.setItem('theme', '{theme}')")
        if user:
            self.context.add_cookies([{"name": "_token", "value": web.token(user), "url": self.url}])
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", self._asked)

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
        expect(inside.locator("#main")).to_have_attribute("aria-busy", "false", timeout=PATIENCE)
        expect(inside.locator("#topics .main-svg").first).to_be_visible(timeout=PATIENCE)


@pytest.fixture
def visit(browser, web) -> Iterator:
    visits: list[Visit] = []

    def make(user: str | None = "viewer", **kwargs) -> Visit:
        visits.append(Visit(browser, web, user, **kwargs))
        return visits[-1]

    yield make
    for one in visits:
        one.context.close()


def charted(page, chart: str) -> dict[str, dict[str, float]]:
    """Return the counts that a chart was drawn from, by series and day, as Plotly holds them."""
    traces = page.locator(f"#{chart}").evaluate(
        "box => box.data.map(trace => [trace.meta, trace.x, trace.customdata ?? trace.y])"
    )
    series: dict[str, dict[str, float]] = {}
    for name, days, values in traces:
        series.setdefault(name, {}).update(dict(zip(days, values, strict=True)))
    return series


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
    frame.locator("#from").fill(str(FROM))
    frame.locator("#to").fill(str(TO))
    expect(frame.locator("#ranking tbody tr")).to_have_count(10)
    frame.get_by_role("combobox", name="Organization").fill("acme")
    expect(frame.get_by_role("option")).to_have_count(1)
    frame.get_by_role("combobox", name="Organization").press("Enter")
    expect(frame.locator("#subtitle")).to_contain_text("Acme Logistics")
    one.drawn(frame)
    for chart, column in [
        ("topics", "topic_distribution"),
        ("tones", "sentiment_distribution"),
        ("escalations", "escalation_counts"),
    ]:
        drawn = charted(frame, chart)
        assert set(drawn.pop("gap")) == set(map(str, rows.GAPS))
        assert drawn == stored(web, "acme", column)
    # the address is Airflow's own, and shows the same again
    assert "organization=acme" in page.url
    assert f"from={FROM}" in page.url
    page.reload()
    expect(frame.locator("#subtitle")).to_contain_text("Acme Logistics")
    one.drawn(frame)
    assert str(FROM) == frame.locator("#from").input_value()
    assert (one.problems, one.foreign) == ([], set())


def test_presets_and_the_keyboard(visit):
    one = visit()
    page = one.open()
    page.get_by_role("button", name="90 days").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="90 days")).to_have_attribute("aria-pressed", "true")
    assert "days=90" in page.url
    picker = page.get_by_role("combobox", name="Organization")
    picker.focus()
    expect(page.get_by_role("option").first).to_have_text("All organizations")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", name="Borealis Energy")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#subtitle")).to_contain_text("Borealis Energy")
    page.go_back()
    expect(page.locator("#subtitle")).to_contain_text("10 organizations")
    assert one.problems == []


def test_the_legend_hides_a_series(visit):
    page = visit().open(f"organization=dune&{RANGE}")
    assert "complaint" in charted(page, "topics")
    page.locator("#topics-legend").get_by_role("button", name="complaint").click()
    assert "complaint" not in charted(page, "topics")


def test_the_csv_is_what_is_shown(visit, web):
    page = visit().open(f"organization=acme&{RANGE}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Topics as CSV").click()
    assert download.value.suggested_filename == f"trends-acme-{FROM}-{TO}.csv"
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 31
    complaints = lines[0].split(",").index("topic:complaint")
    by_day = {line.split(",")[0]: line.split(",")[complaints] for line in lines[1:]}
    expected = stored(web, "acme", "topic_distribution")["complaint"]
    assert {day: int(count) for day, count in by_day.items() if count} == expected


def test_text_never_becomes_markup(visit, web):
    evil = '<img src=x onerror="document.title=1"><a href="javascript:alert(1)">%{y}</a><b>'
    web.connection.execute("insert into organizations (name, slug) values (%s, 'evil')", (evil,))
    web.connection.execute(
        "insert into communication_trends (organization_id, trend_date, trend_period, topic_distribution,"
        " escalation_counts, sentiment_distribution, channel_hotspots, total_classifications)"
        " select id, %(day)s, 'daily', %(counts)s, %(counts)s, %(counts)s, %(hotspots)s, 20 from organizations"
        " where slug = 'evil'",
        {
            "day": TO,
            "counts": json.dumps({evil: 20}),
            "hotspots": json.dumps([{"channelId": evil, "riskScore": 90, "messageCount": 20}]),
        },
    )
    try:
        one = visit()
        page = one.open(f"organization=evil&{RANGE}")
        box = page.locator("#topics .nsewdrag").first.bounding_box()
        page.mouse.move(box["x"] + box["width"] * 59 / 60, box["y"] + box["height"] / 2)
        expect(page.locator("#topics .hoverlayer")).to_contain_text("<b>")
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
    finally:
        web.connection.execute("delete from organizations where slug = 'evil'")


def test_a_gap_is_filled_by_a_run(visit, web, dag):
    one = visit(user="admin")
    page = one.open(f"organization=acme&{RANGE}")
    expect(page.locator("#gaps")).to_contain_text("3 days without a trend")
    page.get_by_role("button", name="Run the DAG for Wed, 14 Oct 2026").click()
    expect(page.locator("#dialog-text")).to_contain_text("Acme Logistics")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#notice")).to_contain_text("has succeeded", timeout=240_000)
    expect(page.locator("#gaps")).to_contain_text("2 days without a trend")
    drawn = charted(page, "topics")
    expected = rows.trend("acme", datetime.date(2026, 10, 14))["topic_distribution"]
    assert {name: drawn[name]["2026-10-14"] for name in expected} == expected
    assert drawn.keys() - {"gap"} == stored(web, "acme", "topic_distribution").keys()
    # only this organization: the others' day is as it was
    assert (
        stored(web, "dune", "topic_distribution")["complaint"]["2026-10-14"]
        == (rows.trend("dune", datetime.date(2026, 10, 14))["topic_distribution"]["complaint"])
    )
    runs = web.airflow.request("GET", f"{dag}/dagRuns").json()["dag_runs"]
    run = next(run for run in runs if (run["conf"] or {}).get("date") == "2026-10-14")
    # on the run itself, Airflow shows that day
    page.goto(f"{one.url}/dags/{DAG_ID}/runs/{run['dag_run_id']}/plugin/communication-trends-run")
    frame = page.frame_locator("iframe[title='Communication trends']")
    one.drawn(frame)
    assert [frame.locator(f"#{name}").input_value() for name in ("from", "to")] == ["2026-10-14", "2026-10-14"]
    # and on the DAG
    page.goto(f"{one.url}/dags/{DAG_ID}/plugin/communication-trends-dag")
    one.drawn(frame)
    assert one.problems == []


def test_a_viewer_is_told_that_he_may_not_run_it(visit, dag):
    page = visit().open(f"organization=acme&{RANGE}")
    page.get_by_role("button", name="Run the DAG for Thu, 22 Oct 2026").click()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#dialog-problem")).to_have_text("You may not trigger this DAG. Ask somebody who may.")


def test_airflows_own_form_with_its_date_picker(visit, web, dag):
    one = visit(user="admin")
    page = one.page
    page.goto(f"{one.url}/dags/{DAG_ID}")
    page.get_by_role("button", name="Trigger").first.click()
    page.locator("input[type=date][name=element_date], #element_date").first.fill("2026-10-15")
    page.get_by_role("button", name="Trigger").last.click()
    web.airflow.wait_until(
        lambda: "2026-10-15" in stored(web, "acme", "topic_distribution")["complaint"],
        seconds=240,
        what="the day of the form is stored",
    )
    page = one.open(f"organization=acme&{RANGE}")
    expected = rows.trend("acme", datetime.date(2026, 10, 15))["topic_distribution"]
    drawn = charted(page, "topics")
    assert {name: drawn[name]["2026-10-15"] for name in expected} == expected


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("query", [RANGE, f"organization=acme&{RANGE}"])
def test_accessibility_and_theme(visit, theme, query):
    one = visit(theme=theme)
    page = one.open(query)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    page.locator("#topics-table").evaluate("table => table.closest('details').open = true")
    found = Axe().run(page).response["violations"]
    serious = [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]])
        for violation in found
        if violation["impact"] in {"serious", "critical"}
    ]
    assert serious == []
    assert one.problems == []


def test_the_theme_follows_airflows_switch(visit):
    one = visit()
    page = one.open()
    other = one.context.new_page()
    other.goto(f"{one.url}/communication-trends/static/icon.svg")
    other.evaluate("localStorage.setItem('theme', 'dark')")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert one.problems == []


def test_it_fits_a_telephone(visit):
    page = visit(width=400).open(f"organization=acme&{RANGE}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page = visit(width=400).open()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_empty_and_lost(visit):
    one = visit()
    page = one.open("organization=acme&from=2026-07-01&to=2026-07-20")
    expect(page.locator("#gaps")).to_contain_text("20 days without a trend")
    expect(page.locator("#hotspots")).to_contain_text("No channel ran hot")
    assert one.problems == []
    page.route("**/api/v1/**", lambda route: route.abort())
    page.get_by_role("button", name="7 days").click()
    expect(page.locator("#notice")).to_contain_text("does not answer")
    page.unroute("**/api/v1/**")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator("#main")).to_have_attribute("aria-busy", "false")


def test_another_dag_has_nothing_to_show(visit):
    one = visit()
    one.page.goto(f"{one.url}/communication-trends/?dag=another")
    expect(one.page.locator("#notice")).to_contain_text("This is another.")
    expect(one.page.locator("#main")).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "query", "theme", "height"),
    [("overview-light", RANGE, "light", 1130), ("organization-dark", f"organization=acme&{RANGE}", "dark", 1460)],
)
def test_a_shared_address_shows_the_same_view(visit, tmp_path, name, query, theme, height):
    one = visit(theme=theme)
    one.page.set_viewport_size({"width": 1440, "height": height})
    one.page.goto(f"{one.url}/plugin/communication-trends/communication-trends/?{query}")
    frame = one.page.frame_locator("iframe[title='Communication trends']")
    one.drawn(frame)
    expect(frame.locator("html")).to_have_attribute("data-theme", theme)
    assert [frame.locator(f"#{field}").input_value() for field in ("from", "to")] == [str(FROM), str(TO)]
    expect(frame.locator("#ranking")).to_be_visible(visible="acme" not in query)
    assert one.problems == []
    # the documentation's pictures are these: COMMUNICATION_TRENDS_SCREENSHOTS=docs
    one.page.screenshot(path=Path(os.environ.get("COMMUNICATION_TRENDS_SCREENSHOTS", tmp_path)) / f"{name}.png")
