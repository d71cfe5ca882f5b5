"""
Database time of the page's statements, and time until the page has drawn its charts.

Usage: ``PYTHONPATH=plugins .venv/bin/python -m bench.web``. One organization over 90 days and the overview of 1,000
organizations over 30 days are to take 50 ms and 250 ms of database time on 2 cores.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from local.airflow import Airflow, airflow_environment, run_airflow
from local.servers import Server, apply_schema, postgres

ORGANIZATIONS = 1000
LAST_DAY = datetime.datetime(2026, 10, 29)
TRIES = 15
RISKY = ["complaint", "escalation"]


def fill(connection: psycopg.Connection[Any]) -> None:
    """Insert 90 days of 1,000 organizations: seven topics, five tones, three severities, two hotspots a row."""
    connection.execute(
        "insert into organizations (name, slug) select 'Organization ' || number, 'organization-' || number"
        " from generate_series(1, %s) as numbers (number)",
        (ORGANIZATIONS,),
    )
    connection.execute(
        """
        insert into communication_trends (organization_id, trend_date, trend_period, topic_distribution,
            sentiment_distribution, escalation_counts, channel_hotspots, total_classifications, avg_confidence)
        select id, day, 'daily',
            jsonb_build_object('complaint', 40 + n, 'escalation', 10, 'general', 200, 'request', 90,
                'scheduling', 80, 'status_update', 70, 'technical', 210),
            jsonb_build_object('angry', 20, 'frustrated', 60, 'tense', 90, 'neutral', 400, 'positive', 100),
            jsonb_build_object('medium', 9, 'high', 4, 'critical', n %% 3),
            jsonb_build_array(
                jsonb_build_object('channelId', 'C-support', 'riskScore', 40 + n, 'messageCount', 120),
                jsonb_build_object('channelId', 'C-billing', 'riskScore', 35, 'messageCount', 60)),
            700 + n, 80
        from generate_series(%s::timestamp - interval '89 days', %s::timestamp, interval '1 day') as days (day)
        cross join lateral (
            select id, row_number() over (order by id)::integer %% 40 as n from organizations
        ) as numbered
        """,
        (LAST_DAY, LAST_DAY),
    )
    connection.execute("vacuum analyze")


def measure(connection: psycopg.Connection[Any], name: str, days: int, **parameters: Any) -> tuple[float, float, int]:
    """Return the server's own median in ms, planning included, the client's with all rows read, and the rows."""
    values = {"first_day": LAST_DAY - datetime.timedelta(days - 1), "last_day": LAST_DAY, **parameters}
    server, client, rows = [], [], []
    for _ in range(TRIES):
        with transaction(connection, read_only=True, statement_timeout=10) as opened:
            started = time.perf_counter()
            rows = opened.rows(read_sql(f"web/{name}.sql"), values)
            client.append(1000 * (time.perf_counter() - started))
            server.append(_explained(opened, name, values))
    return statistics.median(server), statistics.median(client), len(rows)


def _explained(opened: Transaction, name: str, values: dict[str, Any]) -> float:
    explain = "explain (analyze, timing off, format json) " + read_sql(f"web/{name}.sql")
    plan = opened.rows(explain, values)[0]["QUERY PLAN"][0]
    return plan["Planning Time"] + plan["Execution Time"]


def measure_statements(server: Server, database: str) -> None:
    """Print one line per statement."""
    ranked = {"search": "", "limit": 25, "offset": 0, "hotspot_topics": RISKY, "hotspot_min_messages": 10}
    everywhere = {"organization_id": None, "limit": 15, "offset": 0}
    week = {
        "previous_first_day": LAST_DAY - datetime.timedelta(13),
        "previous_last_day": LAST_DAY - datetime.timedelta(7),
    }
    cases: list[tuple[str, str, int, float | None, dict[str, Any]]] = [
        ("one organization, 90 days", "trends", 90, 50, {"organization": "organization-500"}),
        ("overview of 1,000, 30 days", "overview", 30, 250, ranked),
        ("overview of 1,000, 90 days", "overview", 90, None, ranked),
        ("all 1,000 together, 30 days", "trends_of_all", 30, None, {}),
        ("all 1,000 together, 90 days", "trends_of_all", 90, None, {}),
        ("hotspots of 1,000, 30 days", "hotspots", 30, None, everywhere),
        ("two weeks of 1,000", "periods", 7, None, {**week, "organization_id": None, "hotspot_topics": RISKY}),
    ]
    print(f"median of {TRIES}, ms        {'server':>38} {'client':>8} {'target':>8} {'rows':>6}")
    with psycopg.connect(server.dsn(database)) as connection:
        for title, name, days, target, parameters in cases:
            took, read, rows = measure(connection, name, days, **parameters)
            print(f"{title:48} {took:15.1f} {read:8.1f} {target or '':>8} {rows:6}")


def measure_page(server: Server, home: Path, database: str) -> None:
    """Print the time from the request of the page to drawn charts, first with an empty cache, then again."""
    chromium = shutil.which("chromium")
    if not chromium:
        print("no Chromium: the page is not measured")
        return
    from playwright.sync_api import sync_playwright

    environment = airflow_environment(home, server, metadata="bench_airflow", database=database)
    run_airflow(environment, "db", "migrate")
    airflow = Airflow(environment)
    views = {
        "overview of 1,000, 30 days": "from=2026-09-30&to=2026-10-29",
        "one organization, 90 days": "organization=organization-500&from=2026-08-01&to=2026-10-29",
    }
    try:
        airflow.start("api-server")
        token = airflow.request("GET", "/communication-trends/").request.headers["authorization"].split()[1]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            for title, query in views.items():
                context = browser.new_context(viewport={"width": 1440, "height": 1000})
                context.add_cookies([{"name": "_token", "value": token, "url": airflow.url}])
                took = []
                for _ in range(6):
                    page = context.new_page()
                    page.goto(f"{airflow.url}/communication-trends/?{query}")
                    page.wait_for_selector("#main[aria-busy=false]")
                    # by the browser's own clock: when the last chart is in the document
                    took.append(page.evaluate("performance.now()"))
                    page.close()
                print(f"{title:30} drawn after {took[0]:6.0f} ms, cached {statistics.median(took[1:]):6.0f} ms")
                context.close()
            browser.close()
    finally:
        airflow.stop()


def main() -> None:
    """Measure, on a server of its own."""
    print(json.dumps({"cores": os.cpu_count(), "organizations": ORGANIZATIONS}))
    with tempfile.TemporaryDirectory(prefix="communication-trends-bench-") as folder, postgres(Path(folder)) as server:
        for database in ("bench_web", "bench_airflow"):
            server.create_database(database)
        try:
            with server.connect("bench_web") as connection:
                apply_schema(connection, "source_tables.sql", "communication_trends.sql")
                fill(connection)
            measure_statements(server, "bench_web")
            measure_page(server, Path(folder) / "airflow", "bench_web")
        finally:
            for database in ("bench_web", "bench_airflow"):
                server.drop_database(database)


if __name__ == "__main__":
    main()
