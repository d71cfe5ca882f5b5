"""
The page keeps its place inside Airflow's UI, in a real browser.

Since 3.3.2 Airflow mirrors the address of a plugin's frame into its own, before it does not: make test runs this on the
one, make test-airflow on the others.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from communication_trends.compat import HAS_EXTERNAL_VIEWS
from local.airflow import Airflow

if not HAS_EXTERNAL_VIEWS:
    pytest.skip("the page needs Airflow 3.1.2", allow_module_level=True)

from playwright.sync_api import Browser, Page, expect
from web import chromium, rows
from web.chromium import NOW

pytestmark = chromium.needs_chromium


@pytest.fixture(scope="module")
def airflow(foreign) -> Airflow:
    """The Airflow of the tests before, with rows for the page; its API server is all that has to run."""
    airflow, database = foreign
    airflow.stop("scheduler", "dag-processor")
    database.connection.execute(
        "truncate organizations cascade; alter table communication_trends"
        " drop constraint if exists broken, drop constraint if exists poison"
    )
    rows.fill(database.connection)
    return airflow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.started() as browser:
        yield browser


@pytest.fixture
def new_page(browser, airflow):
    """Open pages of a user who is logged in, each with storage and history of its own."""
    cookie = {"name": "_token", "value": airflow.token, "url": airflow.url}
    contexts = []

    def make() -> Page:
        contexts.append(browser.new_context(viewport={"width": 1440, "height": 1000}))
        contexts[-1].clock.set_fixed_time(NOW)
        contexts[-1].add_cookies([cookie])
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        return page

    yield make
    for context in contexts:
        context.close()


def shows(page: Page, organization: str, days: int) -> None:
    """Expect that the frame has drawn an organization over the last so many days, and that its controls say so."""
    frame = page.frame_locator("iframe[title='Communication trends']")
    expect(frame.locator(".titles")).to_contain_text(organization)
    expect(frame.get_by_role("button", name=f"{days} days")).to_have_attribute("aria-pressed", "true")
    expect(frame.locator("#main")).to_have_attribute("aria-busy", "false")
    expect(frame.locator("#topics .main-svg").first).to_be_visible()


def choose(page: Page, typed: str) -> None:
    picker = page.frame_locator("iframe[title='Communication trends']").get_by_role("combobox", name="Organization")
    picker.fill(typed)
    picker.press("Enter")


def test_reload_back_forward_and_a_link_for_another_user(airflow, new_page):
    page = new_page()
    page.goto(f"{airflow.url}/plugin/communication-trends?organization=borealis&days=90")
    shows(page, "Borealis Energy", 90)
    page.reload()
    shows(page, "Borealis Energy", 90)
    frame = page.frame_locator("iframe[title='Communication trends']")
    frame.get_by_role("button", name="7 days").click()
    shows(page, "Borealis Energy", 7)
    assert "days=7" in page.url
    choose(page, "dune")
    shows(page, "Dune Retail", 7)
    page.reload()
    shows(page, "Dune Retail", 7)
    page.go_back()
    shows(page, "Borealis Energy", 7)
    page.go_back()
    shows(page, "Borealis Energy", 90)
    page.go_forward()
    shows(page, "Borealis Energy", 7)
    page.go_forward()
    shows(page, "Dune Retail", 7)
    other = new_page()
    other.goto(page.url)
    shows(other, "Dune Retail", 7)


def test_a_report_is_copied_inside_airflow_and_its_link_opens_the_same_days(airflow, new_page):
    page = new_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{airflow.url}/plugin/communication-trends?organization=borealis&days=7")
    shows(page, "Borealis Energy", 7)
    place = "iframe[title='Communication trends']"
    frame = page.frame_locator(place)
    frame.get_by_role("button", name="Copy as text").click()
    expect(frame.locator("#progress")).to_contain_text("Copied as text.")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("Communication trends: Borealis Energy, 23 Oct – 29 Oct 2026\n")
    other = new_page()
    other.goto(text.splitlines()[-1])
    opened = other.frame_locator(place)
    expect(opened.locator(".titles")).to_contain_text("Borealis Energy")
    expect(opened.get_by_label("From (UTC)")).to_have_value("2026-10-23")
    expect(opened.get_by_label("To (UTC)")).to_have_value("2026-10-29")
    # Airflow before 3.3.2 allows no downloads in there
    if "allow-downloads" in (page.locator(place).get_attribute("sandbox") or ""):
        with page.expect_download() as download:
            frame.get_by_role("button", name="Topics as PNG").click()
        assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_from_the_navigation_and_back_to_airflow(airflow, new_page):
    page = new_page()
    page.goto(f"{airflow.url}/dags")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Communication trends").click()
    shows(page, "10 organizations", 30)
    choose(page, "borealis")
    shows(page, "Borealis Energy", 30)
    page.reload()
    shows(page, "Borealis Energy", 30)
    page.go_back()
    shows(page, "10 organizations", 30)
    page.go_back()
    page.wait_for_url("**/dags*")
