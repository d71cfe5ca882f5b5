"""The page with sixty tenants over 120 days, in a real browser."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import running_airflow_on
from playwright.sync_api import Page, Route, expect

from web import chromium, world
from web.chromium import NOW, PATIENCE

pytestmark = chromium.needs_chromium

LAST_30 = "from=2026-09-30&to=2026-10-29"


@pytest.fixture(scope="module")
def airflow(server, tmp_path_factory) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("world")
    marks = home / "marks.txt"
    marks.write_text(f"{world.PROMOTION} Big Thursday\n{world.HOLIDAY} Holiday\n", encoding="utf-8")
    settings = {"AIRFLOW__COMMUNICATION_TRENDS__MARKS_PATH": str(marks)}
    with running_airflow_on(server, home, **settings) as (airflow, database):
        world.fill(database.connection)
        airflow.start("api-server")
        yield airflow


@pytest.fixture(scope="module")
def shared(airflow, browser) -> Iterator[Page]:
    context = browser.new_context(accept_downloads=True, permissions=["clipboard-read", "clipboard-write"])
    context.clock.set_fixed_time(NOW)
    context.add_cookies([{"name": "_token", "value": airflow.token, "url": airflow.url}])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


@pytest.fixture
def visit(airflow, shared) -> Callable[..., Page]:
    def opened(query: str = LAST_30, *, width: int = 1440) -> Page:
        shared.unroute_all(behavior="ignoreErrors")
        shared.set_viewport_size({"width": width, "height": 1000})
        shared.goto(f"{airflow.url}/communication-trends/?{query}")
        drawn(shared)
        return shared

    return opened


def drawn(page: Page) -> None:
    expect(page.locator("#main")).to_have_attribute("aria-busy", "false")
    expect(page.locator("#topics .main-svg").first).to_be_visible()


def test_who_needs_a_call_is_first_and_data_comes_before_long_lists(visit):
    page = visit()
    panels = page.locator("main > *").evaluate_all("all => all.filter(one => one.checkVisibility()).map(one => one.id)")
    assert panels[0] == "attention"
    assert panels.index("charts") < panels.index("ranking")
    expect(page.locator("#attention-title")).to_have_text("Who needs a call: Thu, 29 Oct 2026")
    expect(page.locator("#attention [data-key=own] li button").first).to_have_text(world.CRISIS)
    # it was 2,342 below the ranking
    assert page.locator("#charts .plot").first.evaluate("one => one.getBoundingClientRect().top + scrollY") < 1_150
    names = page.locator("#ranking tbody tr td:nth-child(2)").all_inner_texts()
    assert set(names[:4]) == {world.WORSE, *world.TROUBLED}


def test_all_findings_can_be_reached(visit):
    page = visit()
    page.route(
        "**/api/v1/attention?*", lambda route: route.continue_(url=route.request.url.replace("limit=200", "limit=9"))
    )
    page.reload()
    drawn(page)
    more = page.locator("#attention").get_by_role("button", name="Show more")
    texts = []
    while more.count():
        texts.append(more.inner_text())
        more.click()
        expect(page.locator("#attention")).not_to_contain_text(texts[-1])
    assert len(texts) >= 3
    page.unroute_all()
    shown = page.locator("#attention li button").all_inner_texts()
    page.reload()
    drawn(page)
    assert sorted(shown) == sorted(page.locator("#attention li button").all_inner_texts())


@pytest.mark.parametrize("width", [1440, 1024, 768, 650, 390, 375, 320])
def test_each_view_fits(visit, width):
    for query in (LAST_30, f"{LAST_30}&organization={world.organization_id(world.WORSE)}"):
        page = visit(query, width=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        expect(page.locator("#changes tbody").first).to_be_visible()


def test_numbers_stand_under_their_heading(visit):
    page = visit()
    right = "cells => cells.map(cell => { const range = document.createRange(); range.selectNodeContents(cell);"
    right += " return Math.round(range.getBoundingClientRect().right); })"
    for column in (3, 6, 8, 9, 10, 11):
        heading = page.locator(f"#ranking th:nth-child({column})").evaluate_all(right)
        numbers = page.locator(f"#ranking tbody td:nth-child({column})").evaluate_all(right)
        assert max(numbers) - min(numbers) <= 1, column
        assert abs(heading[0] - numbers[0]) <= 12, column


def test_a_tenants_name_is_the_title_and_what_changed_has_both_sides(visit):
    page = visit(f"{LAST_30}&organization={world.organization_id(world.WORSE)}")
    expect(page.get_by_role("heading", level=1)).to_have_text(world.WORSE)
    complaint = page.locator("#changes tr").filter(has_text="complaint")
    expect(complaint).to_contain_text(
        re.compile(r"complaint1\d(\.\d)?%\d(\.\d)?%▲ \d+(\.\d)?C-delta-support \(a hotspot")
    )
    page = visit()
    expect(page.get_by_role("heading", level=1)).to_have_text("Communication trends")
    mostly = page.locator("#changes tr").filter(has_text="complaint")
    expect(mostly.get_by_role("button").first).to_have_text(world.WORSE)


def test_a_hotspots_days_open_where_the_person_looks(visit):
    page = visit()
    channel = page.locator("#hotspots").get_by_role("button", name="C-delta-support")
    channel.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(world.WORSE)
    expect(page.locator("#channel h2")).to_have_text("Channel C-delta-support")
    expect(page.locator("#channel h2")).to_be_in_viewport()
    # closed and opened again from the same page, it is in sight again
    page.locator("#channel").get_by_role("button", name="Close").click()
    expect(page.locator("#channel")).to_be_hidden()
    page.locator("#hotspots").get_by_role("button", name="C-delta-support").click()
    expect(page.locator("#channel h2")).to_be_in_viewport()


def test_a_few_messages_are_bars_and_zero_alerts_a_zero(visit):
    small = world.organization_id(world.SMALL[0])
    page = visit(f"{LAST_30}&organization={small}")
    kinds = page.locator("#topics").evaluate("box => box.data.filter(one => one.customdata).map(one => one.type)")
    assert set(kinds) == {"bar"}
    page = visit(f"{LAST_30}&organization={world.organization_id(world.WORSE)}")
    kinds = page.locator("#topics").evaluate("box => box.data.filter(one => one.customdata).map(one => one.type)")
    assert set(kinds) == {"scatter"}
    # a tenant that fell silent: nothing was counted, and that is known
    page = visit(f"from=2026-10-21&to=2026-10-29&organization={world.organization_id(world.SILENT)}")
    expect(page.locator("#card-alerts .value")).to_have_text("0")
    expect(page.locator("#escalations-legend .key").first).to_have_text("alerts 0")
    page.locator("#escalations-table").evaluate("table => table.closest('details').open = true")
    expect(page.locator("#escalations-table tbody td").first).to_have_text("0")


def test_the_shape_of_the_page_is_there_before_its_data(visit, airflow):
    page = visit()
    held: list = []
    released: list[bool] = []
    page.route("**/api/v1/**", lambda route: route.continue_() if released else held.append(route))
    page.goto(f"{airflow.url}/communication-trends/?{LAST_30}")
    expect(page.locator("body")).to_have_attribute("data-state", "loading")
    for panel in ("attention", "cards", "charts"):
        assert page.locator(f"#{panel}").evaluate("one => one.getBoundingClientRect().height") >= 100
    released.append(True)
    for route in held:
        route.continue_()
    drawn(page)


def test_a_report_is_copied_printed_and_downloaded(visit, tmp_path):
    page = visit()
    page.get_by_role("button", name="Copy as text").click()
    expect(page.locator("#progress")).to_contain_text("Copied as text.")
    text = page.evaluate("navigator.clipboard.readText()")
    heading = "Communication trends: 60 organizations, 30 Sep – 29 Oct 2026\n"
    assert re.match(rf"{heading}As of 30 Oct 2026, 12:0\d UTC\.\n\nMessages: ", text)
    assert re.search(r"^Risk: \d+% \((unchanged|[▲▼] [\d.]+ points?), \d+% compared with \d+%", text, re.MULTILINE)
    assert f"Who needs a call: Thu, 29 Oct 2026\n- {world.CRISIS}: 31 alerts" in text
    # what many have in common is said once, as on the page
    alike = page.locator("#attention [data-key=alike] summary").inner_text()
    assert f"messages far above usual; Big Thursday\n- {alike}\n" in text
    listed = text.partition("Who needs a call")[2].partition("\n\n")[0].count("\n- ")
    assert listed == page.locator("#attention [data-key=own] li").count() + 2
    assert f"\n- 27 Oct: {world.LATE}\n" in text
    assert text.endswith(page.url)
    # of the same days, whenever it is opened
    page = visit("days=7")
    page.route("**/api/v1/**", lambda route: None)
    page.get_by_role("button", name="90 days").click()
    page.get_by_role("button", name="Copy as text").click()
    expect(page.locator("#progress")).to_contain_text("Copied as text.")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("Communication trends: 60 organizations, 23 Oct – 29 Oct 2026\n")
    assert text.endswith("/communication-trends/?from=2026-10-23&to=2026-10-29")
    page = visit()
    with page.expect_download() as download:
        page.get_by_role("link", name="Metrics as CSV").click()
    lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [
        '"totalClassifications"',
        '"escalations"',
        '"riskScore"',
        '"avgConfidence"',
    ]
    with page.expect_download() as download:
        page.get_by_role("button", name="Topics as PNG").click()
    assert download.value.suggested_filename == "Topics-All-organizations-30-Sep-29-Oct-2026.png"
    png = download.value.path().read_bytes()
    # as wide and high as it says, and not of one color
    assert png.startswith(b"\x89PNG")
    assert (int.from_bytes(png[16:20]), int.from_bytes(png[20:24])) == (1920, 848)
    assert len(png) > 20_000
    for query in (LAST_30, f"{LAST_30}&organization={world.organization_id(world.WORSE)}"):
        page = visit(query)
        pdf = page.pdf(format="A4", margin=dict.fromkeys(("top", "right", "bottom", "left"), "12mm"))
        assert 1 <= len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf)) <= 2


def test_the_last_month_and_quarter_and_what_to_compare_with(visit):
    page = visit()
    page.get_by_role("button", name="Last month").click()
    expect(page.locator("#subtitle")).to_contain_text("1 Sep – 30 Sep 2026")
    expect(page.get_by_role("button", name="Last month")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Last quarter").click()
    expect(page.locator("#subtitle")).to_contain_text("1 Jul – 30 Sep 2026")
    page = visit()
    expect(page.locator("#card-messages .against")).to_have_text("vs. 26 Aug – 24 Sep 2026")
    page.get_by_label("Compared with").select_option("A quarter before")
    expect(page.locator("#card-messages .against")).to_have_text("vs. 1 Jul – 30 Jul 2026")
    expect(page.locator("#changes .about")).to_contain_text("compared with 1 Jul – 30 Jul 2026")
    assert "compare=quarter" in page.url
    page.go_back()
    expect(page.locator("#card-messages .against")).to_have_text("vs. 26 Aug – 24 Sep 2026")
    expect(page.get_by_label("Compared with")).to_have_value("")


def test_named_days_are_marked_in_the_charts(visit):
    page = visit()
    marks = page.locator("#topics").evaluate("box => box.data.find(one => one.meta === 'marks').x")
    assert marks == [str(world.PROMOTION)]
    expect(page.locator("#topics-legend")).to_contain_text("named days: Big Thursday")
    page.locator("#topics").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#topics-readout")).to_contain_text("Big Thursday")
    expect(page.locator("#attention .together")).to_contain_text("messages far above usual; Big Thursday")


def test_many_named_days_are_one_key(visit):
    names = [f"Sale {number}" for number in range(40)]
    page = visit()
    shown_days(page, [{"from": "2026-10-01", "to": "2026-10-02", "name": name} for name in names])
    expect(page.locator("#risk-legend .key").filter(has_text="named days")).to_have_text(
        "◆named days: Sale 0, Sale 1, Sale 2 and 37 more"
    )
    # a picture has all of the key, in as many lines as it takes: those of 29 topics too
    page.route("**/api/v1/trends?*", lambda route: with_topics(route, 29))
    page.reload()
    drawn(page)
    page.locator("#topics-legend").get_by_role("button", name="more").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Topics as PNG").click()
    png = download.value.path().read_bytes()
    assert int.from_bytes(png[20:24]) >= 848 + 2 * 20


def shown_days(page: Page, marks: list[dict[str, str]]) -> None:
    """Reload the page with named days."""

    def answer(route: Route) -> None:
        found = route.fetch()
        route.fulfill(response=found, json={**found.json(), "marks": marks})

    page.route("**/api/v1/trends?*", answer)
    page.reload()
    drawn(page)


def with_topics(route: Route, number: int) -> None:
    """Answer with so many topics more."""
    found = route.fetch()
    content = found.json()
    more = {f"a topic with a name {one}": 1 for one in range(number)}
    for day in content["days"]:
        day["topics"] = {**day["topics"], **more}
    content["totals"]["topics"] = {**content["totals"]["topics"], **more}
    route.fulfill(response=found, json=content)


def test_topics_that_were_asked_for_stay(visit):
    page = visit()

    def many(route: Route) -> None:
        found = route.fetch()
        route.fulfill(response=found, json={**found.json(), "organizationsTotal": 2_000})

    page.route("**/api/v1/trends?*", many)
    page.reload()
    drawn(page)
    page.get_by_role("button", name="Compare topics and tones").click()
    expect(page.locator("#changes tbody tr").first).to_be_visible()
    # as five minutes later
    with page.expect_response("**/api/v1/topic-changes?*"):
        page.context.clock.set_fixed_time(NOW + datetime.timedelta(minutes=6))
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.evaluate("dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#main")).to_have_attribute("aria-busy", "false")
    page.context.clock.set_fixed_time(NOW)
    expect(page.locator("#changes tbody tr").first).to_be_visible()
    expect(page.get_by_role("button", name="Compare topics and tones")).to_have_count(0)


def test_what_was_earlier_in_the_range_is_newest_first(visit):
    page = visit(f"from=2026-08-01&to=2026-10-28&organization={world.organization_id(world.WORSE)}")
    days = page.locator("#attention [data-key=earlier] li strong").all_inner_texts()
    found = [datetime.datetime.strptime(f"{day} 2026", "%d %b %Y") for day in days]
    assert len(found) >= 3
    assert found == sorted(found, reverse=True)
