"""
The commands behind ``make demo``, ``make up`` and ``make backfill``.

Usage: ``python -m demo run | up | backfill FROM TO [PERIOD] | load``
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")  # of libraries, about each other
sys.path.insert(0, str(Path(__file__).parents[1] / "plugins"))

import psycopg  # noqa: E402
from psycopg.rows import dict_row  # noqa: E402
from rich.box import SIMPLE_HEAD  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from communication_trends.core.errors import InvalidInputError  # noqa: E402
from communication_trends.core.period import (  # noqa: E402
    DAILY,
    KINDS,
    WEEKLY,
    Granularity,
    Period,
    parse_date,
    utc_now,
)
from demo import story  # noqa: E402
from local import ROOT  # noqa: E402
from local.airflow import Airflow, airflow_environment, run_airflow  # noqa: E402
from local.servers import Server, apply_schema, dsn_of_airflow_connection, postgres  # noqa: E402

DATABASE, METADATA = "communication_trends", "airflow"
DONE = {"success", "failed"}
SUMMARY_KEYS = [
    "trendDate",
    "period",
    "triggeredBy",
    "organizationsProcessed",
    "trendsCreated",
    "keptTrends",
    "totalClassifications",
    "errors",
    "failedOrganizations",
    "lookback",
    "attention",
]

console = Console(highlight=False, width=None if sys.stdout.isatty() else 165)
started = time.monotonic()


def home() -> Path:
    """Return the folder of the demo: ``.airflow`` here, unless the environment names another."""
    return Path(os.environ.get("COMMUNICATION_TRENDS_DEMO_HOME", ROOT / ".airflow"))


def dag_url(kind: Granularity) -> str:
    """Return where the REST API has the DAG of a length of time."""
    return f"/api/v2/dags/{kind.dag_id}"


def yesterday() -> datetime.date:
    """Return yesterday's date, UTC."""
    return DAILY.last_completed(utc_now()).first_date


def latest_date(kind: Granularity) -> datetime.date:
    """Return the last date of the latest period whose run is due; a backfill's run for a later one would wait."""
    return kind.last_due(utc_now()).next_date - datetime.timedelta(days=1)


def say(text: str) -> None:
    """Print what happens now, with the seconds since the start."""
    console.print(f"[dim]{time.monotonic() - started:5.1f} s[/dim]  {text}", soft_wrap=True)


@contextlib.contextmanager
def step(name: str, text: str) -> Iterator[None]:
    """
    Say what is done in this block, how long it took last time, and every ten seconds that it goes on.

    :param name: what the time is noted under, in the demo's folder.
    :param text: what is done.
    """
    note = home() / "seconds.json"
    seconds: dict[str, float] = {}
    with contextlib.suppress(OSError, ValueError):
        seconds = json.loads(note.read_text())
    say(f"{text}; {seconds[name]:.0f} s last time" if name in seconds else text)
    began, done = time.monotonic(), threading.Event()

    def remind() -> None:
        while not done.wait(10):
            say(f"{text}: {time.monotonic() - began:.0f} s so far")

    thread = threading.Thread(target=remind, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    seconds[name] = time.monotonic() - began
    # where the demo has no separate folder, nothing is noted
    with contextlib.suppress(OSError):
        note.write_text(json.dumps(seconds))


@contextlib.contextmanager
def prepared() -> Iterator[tuple[Server, dict[str, str]]]:
    """Yield a running PostgreSQL with both databases ready, and the environment of Airflow."""
    with contextlib.ExitStack() as stack:
        with step("postgresql", f"Starting PostgreSQL, with its data in {home()}"):
            server = stack.enter_context(postgres(home()))
            server.create_database(METADATA)
            server.create_database(DATABASE)
        environment = airflow_environment(home(), server, metadata=METADATA, database=DATABASE)
        # noted when done: an interrupted migration, or one of another version of Airflow, is done again
        migrated, version = home() / "migrated", importlib.metadata.version("apache-airflow")
        if not migrated.exists() or migrated.read_text() != version:
            with step("metadata", "Making Airflow's metadata database"):
                run_airflow(environment, "db", "migrate")
            migrated.write_text(version)
        yield server, environment


def load(dsn: str, *, again: bool) -> None:
    """
    Apply the schema and load the story.

    :param dsn: libpq connection string of the database.
    :param again: whether to put the rows in place of those that are there, which a user may have changed.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("set client_min_messages = warning")
        apply_schema(connection, "source_tables.sql", "communication_trends.sql")
        if not again and story.is_loaded(connection, yesterday()):
            say(f"The rows up to {yesterday()} are there already")
            return
        with step("rows", f"Loading {story.DAYS} days of rows of {len(story.ORGANIZATIONS)} organizations"):
            messages = story.load(connection, yesterday())
    say(f"Loaded {messages:,} messages of {len(story.ORGANIZATIONS)} organizations over {story.DAYS} days")


@contextlib.contextmanager
def airflow_running(environment: dict[str, str], *kinds: Granularity, port: int = 0) -> Iterator[Airflow]:
    """Yield the Airflow of ``make up``, if it runs, or else one that lives as long as this block; unpause its DAGs."""
    note = home() / "up.json"
    with contextlib.suppress(OSError, ValueError, KeyError):
        running = json.loads(note.read_text())
        os.kill(running["pid"], 0)
        say("Using the Airflow that is up already")
        airflow = Airflow(environment, running["port"])
        for kind in kinds:
            airflow.unpause(kind.dag_id)
        yield airflow
        return
    airflow = Airflow(environment, port)
    try:
        with step("airflow", "Starting Airflow: API server, DAG processor, scheduler"):
            airflow.start()
            for kind in kinds:
                airflow.unpause(kind.dag_id)
        yield airflow
    finally:
        airflow.stop()


def listed(airflow: Airflow, path: str, key: str, **query: str) -> list[dict[str, Any]]:
    """Return all entries of a list of the REST API, which gives a hundred at a time at most."""
    entries: list[dict[str, Any]] = []
    while True:
        page = airflow.request("GET", path, params={"limit": 100, "offset": len(entries), **query})
        page.raise_for_status()
        entries += page.json()[key]
        if not page.json()[key] or len(entries) >= page.json()["total_entries"]:
            return entries


def wait_for(airflow: Airflow, kind: Granularity, **query: str) -> list[dict[str, Any]]:
    """Wait until all runs of a DAG that match have ended, printing how far they are; return them."""
    told = ""

    def ended() -> list[dict[str, Any]] | None:
        nonlocal told
        runs = listed(airflow, f"{dag_url(kind)}/dagRuns", "dag_runs", order_by="run_after", **query)
        path = f"{dag_url(kind)}/dagRuns/~/taskInstances"
        states = {"limit": 1, "state": "success", "task_id": "aggregate_organization"}
        stored = airflow.request("GET", path, params=states).raise_for_status().json()["total_entries"]
        so_far = f"{sum(run['state'] in DONE for run in runs)} of {len(runs)} {kind.name} runs have ended"
        if so_far != told and runs:
            say(f"{so_far}; {stored} task instances of aggregate_organization have stored their trends so far")
            told = so_far
        return runs if runs and all(run["state"] in DONE for run in runs) else None

    return airflow.wait_until(ended, seconds=1800, what="the runs have ended")


def wait_for_backfills(airflow: Airflow, kind: Granularity) -> None:
    """Wait until Airflow has closed earlier backfills: it allows one at a time, and looks every 30 s."""

    def closed() -> bool:
        backfills = listed(airflow, "/api/v2/backfills", "backfills", dag_id=kind.dag_id)
        return all(backfill["completed_at"] for backfill in backfills)

    if not closed():
        what = "Airflow has closed the backfill before this one"
        with step("close", f"Waiting until {what}"):
            airflow.wait_until(closed, seconds=1800, what=what)


def new_table(title: str) -> Table:
    """Return an empty table."""
    table = Table(title=title, box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False, header_style="bold")
    table.title_justify, table.title_style = "left", "bold"
    return table


def show(server: Server, period: Period, *columns: str) -> None:
    """Print the trends of one period as a table, with some of its columns."""
    table = new_table(f"communication_trends, {period} (UTC)")
    for heading in ("organization", *columns):
        table.add_column(heading, justify="right" if heading in ("messages", "confidence") else "left")
    with server.connect(DATABASE, row_factory=dict_row) as connection:
        sql = (Path(__file__).parent / "trends.sql").read_text()
        parameters = {"trend_period": period.kind.name, "period_start": period.start}
        rows = connection.execute(sql, parameters).fetchall()  # type: ignore[call-overload]
    for row in rows:
        hotspots = [f"{hotspot['channelId']} {hotspot['riskScore']}%" for hotspot in row["channel_hotspots"]]
        cells = {
            "messages": f"{row['total_classifications']:,}",
            "top topics": largest(row["topic_distribution"]),
            "tones": largest(row["sentiment_distribution"]),
            "escalations": largest(row["escalation_counts"], limit=3),
            "hotspots": f"[bold red]{', '.join(hotspots)}[/]" if hotspots else "–",
            "confidence": "–" if row["avg_confidence"] is None else f"{row['avg_confidence']}",
        }
        table.add_row(row["name"], *(cells[column] for column in columns))
    console.print()
    console.print(table)


def largest(counts: dict[str, int], limit: int = 2) -> str:
    """Return the largest entries of a distribution, in words."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ordered[:limit]) or "–"


def trigger(airflow: Airflow, kind: Granularity, **conf: object) -> dict[str, Any]:
    """Trigger a run."""
    body = {"logical_date": None, "conf": conf}
    return airflow.request("POST", f"{dag_url(kind)}/dagRuns", json=body).raise_for_status().json()


def summary(airflow: Airflow, run: dict[str, Any]) -> dict[str, Any]:
    """Return what ``summarize`` returned; a run in which nothing could be listed has returned nothing."""
    returned = airflow.returned(run["dag_id"], run["dag_run_id"], "summarize")
    if returned is None:
        return dict.fromkeys(SUMMARY_KEYS, "–")
    # the metadata database does not keep the order of the keys
    return {key: returned[key] for key in SUMMARY_KEYS}


def run() -> int:
    """Do the main job once and show what came out."""
    date = yesterday()
    week = WEEKLY.last_completed(utc_now())
    with prepared() as (server, environment):
        load(server.dsn(DATABASE), again=True)
        with airflow_running(environment, DAILY, WEEKLY) as airflow:
            say(
                f"Running communication_trends_daily for yesterday, {date}, and the {story.DAYS - 1} days before, all "
                "organizations in one task instance; and whatever its schedule asks for, one to each"
            )
            everyone = len(story.ORGANIZATIONS)
            made = {
                DAILY: trigger(airflow, DAILY, date=str(date), lookback=story.DAYS - 1, organizations_per_task=everyone)
            }
            say(
                f"Running communication_trends_weekly for the last week, {week}, all organizations in one task instance"
            )
            weeks = story.DAYS // 7 - 2
            made[WEEKLY] = trigger(
                airflow, WEEKLY, date=str(week.first_date), lookback=weeks, organizations_per_task=everyone
            )
            with step("runs", "Waiting until the runs have ended"):
                for kind in made:
                    wait_for(airflow, kind)
            for kind, triggered in made.items():
                made[kind] = airflow.request("GET", f"{dag_url(kind)}/dagRuns/{triggered['dag_run_id']}").json()
                if made[kind]["state"] != "success":
                    console.print(f"[red]The {kind.name} run failed.[/] Its logs are under {airflow.logs}")
                    return 1
            columns = ["messages", "top topics", "tones", "escalations", "hotspots", "confidence"]
            show(server, DAILY.containing(date), *columns)
            show(server, week, "messages", "top topics", "hotspots")
            console.print("\n[bold]The summary of the daily run[/], as summarize returned it:")
            console.print_json(data=summary(airflow, made[DAILY]))
    date = latest_date(DAILY)
    first = date - datetime.timedelta(days=13)
    console.print(
        "\n[bold]What to try next[/]\n"
        f"  make backfill FROM={first} TO={date}   the two weeks before, both ends included\n"
        f"  make backfill FROM={first} TO={latest_date(WEEKLY)} PERIOD=weekly   the weeks that begin in it\n"
        "  make up                                         Airflow's UI on these rows, with a page of the trends\n"
        "  make test                                       the tests\n"
        "  make clean                                      remove all of this again"
    )
    return 0


def up() -> int:
    """Serve Airflow until Ctrl-C."""
    given = os.environ.get("PORT") or "8080"
    if not (given.isascii() and given.isdigit() and 0 < int(given) < 65536):
        console.print(f"PORT={given}: not a port. Choose one from 1 to 65535: make up PORT=8081")
        return 2
    port = int(given)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            console.print(f"Port {port} is taken. Choose another: make up PORT=8081")
            return 1
    note = home() / "up.json"
    with prepared() as (server, environment):
        load(server.dsn(DATABASE), again=False)
        with airflow_running(environment, DAILY, port=port) as airflow, contextlib.suppress(KeyboardInterrupt):
            if not airflow.processes:
                console.print(f"It is up already: {airflow.url}")
                return 1
            airflow.start("triggerer")
            note.write_text(json.dumps({"pid": os.getpid(), "port": port}))
            user, password = airflow.login
            console.print(
                f"\n[bold]Airflow is up[/] at {airflow.url}\n"
                f"  user      {user}\n  password  {password}\n"
                f"  the DAG   {airflow.url}/dags/communication_trends_daily\n"
                f"  trends    {airflow.url}/plugin/communication-trends, also under Browse\n"
                f"  logs      {airflow.logs}\n"
                "Ctrl-C stops it."
            )
            try:
                airflow.wait_until(lambda: False, seconds=float("inf"), what="Ctrl-C")
            finally:
                note.unlink()
                say("Stopping")
    return 0


def backfill(first: str, last: str, period: str) -> int:
    """Make the trends of the periods that begin in a range, both ends included, through Airflow's own backfill."""
    usage = f"Usage: make backfill FROM=2026-11-01 TO=2026-11-04 [PERIOD={'|'.join(KINDS)}]"
    if period not in KINDS:
        console.print(f"PERIOD={period}: not a length of time.\n{usage}", markup=False)
        return 2
    kind = KINDS[period]
    try:
        dates = [parse_date(first), parse_date(last)]
    except InvalidInputError as error:
        console.print(f"{str(error).split('. ')[0]}.\n{usage}", markup=False)
        return 2
    latest = latest_date(kind)
    if not dates[0] <= dates[1] <= latest:
        console.print(
            f"FROM={first} TO={last}: FROM must not be after TO, nor TO after {latest} (UTC), the end of the last "
            f"{kind.noun} whose run is due ({kind.schedule})."
        )
        return 2
    days = [dates[0] + datetime.timedelta(days=age) for age in range((dates[1] - dates[0]).days + 1)]
    if not any(kind.containing(day).first_date == day for day in days):
        around = kind.containing(dates[0])
        console.print(
            f"FROM={first} TO={last}: no {kind.noun} begins in it. For {around} give FROM={around.first_date}."
        )
        return 2
    with prepared() as (server, environment):
        load(server.dsn(DATABASE), again=False)
        with airflow_running(environment, kind) as airflow:
            wait_for_backfills(airflow, kind)
            response = airflow.backfill(
                kind.dag_id,
                first,
                last,
                reprocess_behavior="completed",
                max_active_runs=4,
                dag_run_conf={"organizations_per_task": 4},
            )
            if not response.is_success:
                console.print(f"[red]Airflow refused the backfill:[/] {response.text}")
                return 1
            say(f"Airflow makes one run for each {kind.noun} that begins from {first} to {last}, both included")
            window = {"logical_date_gte": f"{first}T00:00:00Z", "logical_date_lte": f"{last}T00:00:00Z"}
            with step(f"{kind.name} backfill", "Waiting until the runs have ended"):
                runs = wait_for(airflow, kind, run_type="backfill", **window)
            table = new_table("the runs of the backfill")
            for heading in (f"{kind.noun} (UTC)", "state", "organizations", "trends", "kept", "errors"):
                table.add_column(heading)
            for made in runs:
                told = summary(airflow, made)
                numbers = ("organizationsProcessed", "trendsCreated", "keptTrends", "errors")
                table.add_row(made["logical_date"][:10], made["state"], *(str(told[number]) for number in numbers))
            console.print(table)
            if all(made["state"] == "success" for made in runs):
                return 0
            console.print(f"[red]Runs have failed.[/] Their logs are under {airflow.logs}")
            return 1


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="run the DAG on the story's rows and show the trends")
    commands.add_parser("up", help="serve Airflow until Ctrl-C; PORT in the environment, 8080 by default")
    commands.add_parser("load", help="load the rows where AIRFLOW_CONN_COMMUNICATION_TRENDS_DB points to")
    ranged = commands.add_parser("backfill", help="make the trends of a range of days, weeks or months")
    ranged.add_argument("first", metavar="FROM", help="first day, YYYY-MM-DD, UTC")
    ranged.add_argument("last", metavar="TO", help="last day, included")
    ranged.add_argument("period", metavar="PERIOD", nargs="?", default="daily", help=" or ".join(KINDS))
    arguments = parser.parse_args()
    # a stop from outside ends all that was started, as Ctrl-C does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments.command == "backfill":
            return backfill(arguments.first, arguments.last, arguments.period)
        if arguments.command == "load":
            connection = os.environ.get("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", "")
            if not connection.startswith("{"):
                console.print("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB: set it to an Airflow connection as JSON.")
                return 2
            load(dsn_of_airflow_connection(connection), again=True)
            return 0
        return {"run": run, "up": up}[arguments.command]()
    except KeyboardInterrupt:
        return 130
    except subprocess.CalledProcessError as error:
        console.print(f"{' '.join(error.cmd[2:])} failed:\n{error.stdout}{error.stderr}", markup=False)
    except (RuntimeError, TimeoutError) as error:
        console.print(f"{error}\nAirflow's logs are under {home() / 'logs'}", markup=False)
    return 1


if __name__ == "__main__":
    sys.exit(main())
