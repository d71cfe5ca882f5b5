"""
Database time of the page's requests, and time until the page has drawn its charts.

Usage: ``.venv/bin/python -m bench.web``; minutes. On 2 cores one organization over 90 days is to
take 50 ms of database time, the overview of 1,000 organizations over 90 days 250 ms, and that of 50,000 over 30 days
3 s. From a click to the charts it is to take 1 s on the demo's rows, 2 s with 1,000 organizations.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from local import ROOT
from local.airflow import Airflow, airflow_environment, run_airflow
from local.servers import Server, apply_schema, postgres

ORGANIZATIONS = 1000
MANY_ORGANIZATIONS = 50_000
LAST_DAY = datetime.date(2026, 10, 29)
NOON = datetime.datetime(2026, 10, 30, 12, tzinfo=datetime.timezone.utc)
"""Now, for the API and for the browser: the day after the last one."""

TRIES = 7

CHROMIUM = shutil.which("chromium")
"""Its path; None where it is not installed."""


def fill(connection: psycopg.Connection[Any], organizations: int, days: int) -> None:
    """
    Insert trends with their provenance, all final.

    Seven topics, five tones, up to three severities and two hotspots a row, hardly two rows alike. Each organization
    has its own level, less on weekends, and varies from day to day as chance has it.
    """
    from communication_trends.core.work import HotspotRule

    connection.execute(
        "insert into organizations (name, slug, created_at)"
        " select 'Organization ' || number, 'organization-' || number, '2026-01-01'"
        " from generate_series(1, %s) as numbers (number)",
        (organizations,),
    )
    connection.execute("select setseed(0.5)")
    # as Poisson draws it, near enough
    connection.execute(
        "create function pg_temp.drawn(mean float) returns integer language sql volatile as"
        " $$ select greatest(0, round(mean + sqrt(mean) * 2 * (random() + random() + random() - 1.5)))::integer $$"
    )
    statement = (ROOT / "bench" / "sql" / "page_trends.sql").read_text(encoding="utf-8")
    connection.execute(statement, {"last_day": LAST_DAY, "days": days})  # type: ignore[call-overload]
    connection.execute(
        """
        insert into communication_trends_provenance (organization_id, trend_date, trend_period, computed_at, changed_at,
            change, is_final, messages, messages_with_tone, messages_with_confidence, alerts, hotspot_rule)
        select organization_id, trend_date, trend_period, trend_date + interval '27 hours',
            trend_date + interval '27 hours', 'filled', true, total_classifications, total_classifications,
            total_classifications, (select coalesce(sum(value::int), 0) from jsonb_each_text(escalation_counts)), %s
        from communication_trends
        """,
        (HotspotRule().as_json(),),
    )
    connection.execute("vacuum analyze")


def measure(title: str, target: float | None, answer: Callable[[Any], Any]) -> None:
    """
    Print the median of a request's database time, and of all of its time in the API server, in ms.

    :param title: what is asked for.
    :param target: ms of database time that it is to take at most.
    :param answer: answers it, given an open transaction.
    """
    from communication_trends.connections import open_trends
    from communication_trends.core.trend_reader import TrendReader

    in_database, in_all = [], []
    ask = TrendReader.rows
    for _ in range(TRIES):
        spent = 0.0

        def timed(self: Any, name: str, **parameters: Any) -> Any:
            nonlocal spent
            started = time.perf_counter()
            rows = ask(self, name, **parameters)
            spent += time.perf_counter() - started
            return rows

        TrendReader.rows = timed  # type: ignore[method-assign]
        try:
            started = time.perf_counter()
            with open_trends() as database:
                answer(database).model_dump_json(by_alias=True)
            in_all.append(1000 * (time.perf_counter() - started))
            in_database.append(1000 * spent)
        finally:
            TrendReader.rows = ask  # type: ignore[method-assign]
    took = statistics.median(in_database)
    print(f"{title:44} {took:12.1f} {statistics.median(in_all):10.1f} {target or '':>8}", flush=True)


def measure_answers(server: Server, database: str, organizations: int) -> None:
    """Print one line per request of the page."""
    from communication_trends.core.period import DAILY
    from communication_trends.web.answers.attention import attention
    from communication_trends.web.answers.comparison import comparison
    from communication_trends.web.answers.freshness import freshness
    from communication_trends.web.answers.hotspots import hotspots
    from communication_trends.web.answers.overview import overview
    from communication_trends.web.answers.trends import trends_of_all, trends_of_one
    from communication_trends.web.ranges import Range, range_of

    os.environ["AIRFLOW_CONN_COMMUNICATION_TRENDS_DB"] = server.airflow_connection(database)

    def last(days: int) -> Range:
        return range_of(DAILY, LAST_DAY - datetime.timedelta(days - 1), LAST_DAY, now=NOON)

    def ranked(days: int, sort: str = "rank", ascending: bool = True) -> Callable[[Any], Any]:
        ranking: dict[str, Any] = {"search": "", "sort": sort, "ascending": ascending, "limit": 25, "offset": 0}
        return lambda database: overview(database, last(days), **ranking)

    many = organizations == MANY_ORGANIZATIONS
    page: dict[str, Any] = {"organization": None, "limit": 15, "offset": 0}
    cases: list[tuple[str, float | None, Callable[[Any], Any]]] = [
        ("overview, 30 days", 3000 if many else None, ranked(30)),
        ("overview by the change of risk, 30 days", None, ranked(30, "riskScoreChange", False)),
        ("all together, 30 days", None, lambda database: trends_of_all(database, last(30))),
        ("hotspots, 30 days", None, lambda database: hotspots(database, last(30), **page)),
        ("comparison, 30 days", None, lambda database: comparison(database, last(30), organization=None)),
        ("freshness, 30 days", None, lambda database: freshness(database, last(30), **page)),
        ("attention, the last day", None, lambda database: attention(database, last(1), **page)),
    ]
    if not many:
        cases += [
            (
                "one organization, 90 days",
                50,
                lambda database: trends_of_one(database, "organization-500", last(90)),
            ),
            ("overview, 90 days", 250, ranked(90)),
            ("all together, 90 days", None, lambda database: trends_of_all(database, last(90))),
            ("comparison, 90 days", None, lambda database: comparison(database, last(90), organization=None)),
        ]
    print(f"{organizations:,} organizations, median of {TRIES}, ms")
    print(f"{'':44} {'database':>12} {'in all':>10} {'target':>8}")
    for title, target, answer in cases:
        measure(title, target, answer)


@contextlib.contextmanager
def browser(server: Server, home: Path, database: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """
    Serve the page, start Chromium, and yield the page's URL and what makes a logged-in context with a separate cache.

    :param server: where the database is.
    :param home: AIRFLOW_HOME.
    :param database: the one with the trends.
    """
    from playwright.sync_api import sync_playwright

    airflow = Airflow(airflow_environment(home, server, metadata="bench_airflow", database=database))
    try:
        airflow.start("api-server")
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])

            def context() -> Any:
                made = chromium.new_context(viewport={"width": 1440, "height": 1000})
                made.clock.set_fixed_time(NOON)
                made.add_cookies([{"name": "_token", "value": airflow.token, "url": airflow.url}])
                return made

            yield f"{airflow.url}/communication-trends/", context
            chromium.close()
    finally:
        airflow.stop()


DRAWN = """() => document.getElementById("main").getAttribute("aria-busy") === "false"
    && document.querySelector("#topics .main-svg")"""

CLICK = """label => new Promise(resolve => {
    const button = [...document.querySelectorAll("#presets button")].find(one => one.textContent === label);
    const main = document.getElementById("main");
    const started = performance.now();
    button.click();
    const look = () => main.getAttribute("aria-busy") === "false"
        ? resolve(performance.now() - started) : requestAnimationFrame(look);
    requestAnimationFrame(look);
})"""


def measure_page(server: Server, home: Path, database: str, what: str, target: int) -> None:
    """
    Print the time until the page has drawn all of it: opened with an empty cache, opened again, and after a click.

    :param server: where the database is.
    :param home: AIRFLOW_HOME.
    :param database: the one with the trends.
    :param what: what it has, in words.
    :param target: ms from a click to the charts.
    """
    with server.connect(database) as connection:
        row = connection.execute("select slug from organizations order by slug limit 1").fetchone()
    assert row
    with browser(server, home, database) as (url, context):
        for title, query in {f"overview of {what}": "", f"one of {what}": f"organization={row[0]}"}.items():
            kept = context()
            opened, clicked = [], []
            for _ in range(4):
                page = kept.new_page()
                started = time.perf_counter()
                page.goto(f"{url}?{query}")
                page.wait_for_function(DRAWN)
                opened.append(1000 * (time.perf_counter() - started))
                for label in ("7 days", "90 days", "30 days"):
                    clicked.append(page.evaluate(CLICK, label))
                page.close()
            print(
                f"{title:34} opened {opened[0]:5.0f} ms, again {statistics.median(opened[1:]):5.0f} ms;"
                f" click to all drawn {statistics.median(clicked):5.0f} ms, at most {max(clicked):5.0f} ms"
                f" (target {target})",
                flush=True,
            )


def measure_the_whole_page(server: Server, home: Path, database: str, what: str) -> None:
    """
    Print how long one person, and three at once, wait until all of the page is drawn, and which answers they never got.

    :param server: where the database is.
    :param home: AIRFLOW_HOME.
    :param database: the one with the trends.
    :param what: what it has, in words.
    """
    with browser(server, home, database) as (url, context):
        for people in (1, 3):
            statuses: list[int] = []
            pages = []
            started = time.perf_counter()
            for _ in range(people):
                own = context()
                own.set_default_timeout(300_000)
                pages.append(own.new_page())
                pages[-1].on("response", lambda answer: statuses.append(answer.status))  # noqa: B023
                pages[-1].goto(url, wait_until="commit")
            charts, whole = [], []
            for page in pages:
                page.wait_for_selector("#topics .main-svg")
                charts.append(time.perf_counter() - started)
                page.wait_for_function(DRAWN)
                whole.append(time.perf_counter() - started)
            failures = sum(status >= 400 and status != 503 for status in statuses)
            unanswered = [text for page in pages for text in page.locator("#main p.problem").all_inner_texts()]
            print(
                f"{what}, {people} at once: charts after at most {max(charts):.1f} s, all of the page after"
                f" {max(whole):.1f} s; 503, which is asked again: {statuses.count(503)};"
                f" other failures: {failures}; panels without an answer: {unanswered or None}",
                flush=True,
            )
            for page in pages:
                page.context.close()


def fill_with_the_story(server: Server, database: str) -> None:
    """
    Make the demo's rows and their trends.

    :param server: where the database is.
    :param database: an empty one.
    """
    from communication_trends.connections import open_database
    from communication_trends.core.aggregation import Aggregation
    from communication_trends.core.period import DAILY
    from communication_trends.core.report import TrendStatus
    from communication_trends.core.work import Work
    from demo import story

    with server.connect(database) as connection:
        apply_schema(connection, "source_tables.sql", "communication_trends.sql")
        story.load(connection, LAST_DAY)
    os.environ["AIRFLOW_CONN_COMMUNICATION_TRENDS_DB"] = server.airflow_connection(database)
    period = DAILY.containing(LAST_DAY)
    ids = [organization.id for organization in story.ORGANIZATIONS]
    with open_database("communication_trends_db") as opened:
        outcome = Aggregation(Work(ids, period, period.earlier(story.DAYS)), source=opened).run()
    assert not outcome.of(TrendStatus.FAILED)


def main() -> None:
    """Measure, on a server of its own."""
    print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()}))
    databases = {"bench_web": (ORGANIZATIONS, 180), "bench_web_many": (MANY_ORGANIZATIONS, 65)}
    with tempfile.TemporaryDirectory(prefix="communication-trends-bench-") as folder, postgres(Path(folder)) as server:
        for database in (*databases, "bench_demo", "bench_airflow"):
            server.create_database(database)
        try:
            os.environ.update(
                airflow_environment(Path(folder) / "home", server, metadata="bench_airflow", database="bench_web")
            )
            for database, (organizations, days) in databases.items():
                with server.connect(database) as connection:
                    apply_schema(connection, "source_tables.sql", "communication_trends.sql")
                    fill(connection, organizations, days)
                    if organizations == MANY_ORGANIZATIONS:
                        apply_schema(connection, "page_index.sql")
                measure_answers(server, database, organizations)
            fill_with_the_story(server, "bench_demo")
            home = Path(folder) / "airflow"
            environment = airflow_environment(home, server, metadata="bench_airflow", database="bench_demo")
            run_airflow(environment, "db", "migrate")
            if not CHROMIUM:
                print("no Chromium: the page is not measured")
                return
            measure_page(server, home, "bench_demo", "the demo", 1000)
            measure_page(server, home, "bench_web", "1,000", 2000)
            measure_the_whole_page(server, home, "bench_web_many", "50,000")
        finally:
            for database in (*databases, "bench_demo", "bench_airflow"):
                server.drop_database(database)


if __name__ == "__main__":
    main()
