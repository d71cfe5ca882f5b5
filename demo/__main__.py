"""
The commands behind ``make demo``, ``make up`` and ``make backfill``.

Usage: ``python -m demo run | up | backfill FROM TO | load``
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

from communication_trends.errors import InvalidInputError  # noqa: E402
from communication_trends.period import parse_date  # noqa: E402
from demo import story  # noqa: E402
from local import ROOT  # noqa: E402
from local.airflow import Airflow, airflow_environment, run_airflow  # noqa: E402
from local.servers import Server, apply_schema, dsn_of_airflow_connection, postgres  # noqa: E402

DAG_URL = "/api/v2/dags/communication_trends_daily"
DATABASE, METADATA = "communication_trends", "airflow"
DONE = {"success", "failed"}
SUMMARY_KEYS = [
    "trendDate",
    "triggeredBy",
    "organizationsProcessed",
    "trendsCreated",
    "keptTrends",
    "errors",
    "failedOrganizations",
]

console = Console(highlight=False, width=None if sys.stdout.isatty() else 165)
started = time.monotonic()


def home() -> Path:
    """Return the folder of the demo: ``.airflow`` here, unless the environment names another."""
    return Path(os.environ.get("COMMUNICATION_TRENDS_DEMO_HOME", ROOT / ".airflow"))


def yesterday() -> datetime.date:
    """Return yesterday's date, UTC."""
    return datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)


def say(text: str) -> None:
    """Tell what happens now, with the seconds since the start."""
    console.print(f"[dim]{time.monotonic() - started:5.1f} s[/dim]  {text}", soft_wrap=True)


@contextlib.contextmanager
def prepared() -> Iterator[tuple[Server, dict[str, str]]]:
    """Yield a running PostgreSQL with both databases ready, and the environment of Airflow."""
    say("Starting PostgreSQL, with its data in " + str(home()))
    with postgres(home()) as server:
        server.create_database(METADATA)
        server.create_database(DATABASE)
        environment = airflow_environment(home(), server, metadata=METADATA, database=DATABASE)
        # noted when done: an interrupted migration, or one of another version of Airflow, is done again
        migrated, version = home() / "migrated", importlib.metadata.version("apache-airflow")
        if not migrated.exists() or migrated.read_text() != version:
            say("Making Airflow's metadata database")
            run_airflow(environment, "db", "migrate")
            migrated.write_text(version)
        yield server, environment


def load(dsn: str) -> None:
    """
    Apply the schema and load the story.

    :param dsn: libpq connection string of the database.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("set client_min_messages = warning")
        apply_schema(connection, "source_tables.sql", "communication_trends.sql")
        messages = story.load(connection, yesterday())
    say(f"Loaded {messages:,} messages of {len(story.ORGANIZATIONS)} organizations over {story.DAYS} days")


@contextlib.contextmanager
def airflow_running(environment: dict[str, str], port: int = 0) -> Iterator[Airflow]:
    """Yield the Airflow of ``make up``, if it runs, or else one that lives as long as this block."""
    note = home() / "up.json"
    with contextlib.suppress(OSError, ValueError, KeyError):
        running = json.loads(note.read_text())
        os.kill(running["pid"], 0)
        say("Using the Airflow that is up already")
        yield Airflow(environment, running["port"])
        return
    say("Starting Airflow: API server, DAG processor, scheduler")
    airflow = Airflow(environment, port)
    try:
        airflow.start()
        airflow.wait_until(lambda: airflow.request("GET", DAG_URL).is_success, seconds=180, what="the DAG is parsed")
        airflow.request("PATCH", DAG_URL, json={"is_paused": False}).raise_for_status()
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


def wait_for(airflow: Airflow, **query: str) -> list[dict[str, Any]]:
    """Wait until all runs of the DAG that match have ended, telling how far they are; return them."""
    told = ""

    def ended() -> list[dict[str, Any]] | None:
        nonlocal told
        runs = listed(airflow, f"{DAG_URL}/dagRuns", "dag_runs", order_by="run_after", **query)
        path = f"{DAG_URL}/dagRuns/~/taskInstances"
        states = {"limit": 1, "state": "success", "task_id": "aggregate_organization"}
        stored = airflow.request("GET", path, params=states).raise_for_status().json()["total_entries"]
        now = f"{sum(run['state'] in DONE for run in runs)} of {len(runs)} runs have ended"
        if now != told and runs:
            say(f"{now}; {stored} task instances of aggregate_organization have stored their trends so far")
            told = now
        return runs if runs and all(run["state"] in DONE for run in runs) else None

    return airflow.wait_until(ended, seconds=1800, what="the runs have ended")


def wait_for_backfills(airflow: Airflow) -> None:
    """Wait until Airflow has closed earlier backfills: it allows one at a time, and looks every 30 s."""
    told = False

    def closed() -> bool:
        nonlocal told
        backfills = listed(airflow, "/api/v2/backfills", "backfills", dag_id="communication_trends_daily")
        if all(backfill["completed_at"] for backfill in backfills):
            return True
        if not told:
            say("Waiting until Airflow has closed the backfill before this one")
            told = True
        return False

    airflow.wait_until(closed, seconds=1800, what="Airflow has closed the backfill before this one")


def new_table(title: str) -> Table:
    """Return an empty table."""
    table = Table(title=title, box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False, header_style="bold")
    table.title_justify, table.title_style = "left", "bold"
    return table


def show(server: Server, date: datetime.date) -> None:
    """Print the trends of one day as a table."""
    table = new_table(f"communication_trends, {date} (UTC)")
    for heading in ("organization", "messages", "top topics", "tones", "escalations", "hotspots", "confidence"):
        table.add_column(heading, justify="right" if heading in ("messages", "confidence") else "left")
    with server.connect(DATABASE, row_factory=dict_row) as connection:
        sql = (Path(__file__).parent / "trends.sql").read_text()
        rows = connection.execute(sql, {"day_start": date}).fetchall()  # type: ignore[call-overload]
    for row in rows:
        hotspots = [f"{hotspot['channelId']} {hotspot['riskScore']} %" for hotspot in row["channel_hotspots"]]
        table.add_row(
            row["name"],
            f"{row['total_classifications']:,}",
            largest(row["topic_distribution"]),
            largest(row["sentiment_distribution"]),
            largest(row["escalation_counts"], limit=3),
            f"[bold red]{', '.join(hotspots)}[/]" if hotspots else "–",
            "–" if row["avg_confidence"] is None else f"{row['avg_confidence']}",
        )
    console.print()
    console.print(table)


def largest(counts: dict[str, int], limit: int = 2) -> str:
    """Return the largest entries of a distribution, in words."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ordered[:limit]) or "–"


def summary(airflow: Airflow, run: dict[str, Any]) -> dict[str, Any]:
    """Return what ``summarize`` returned; a run in which nothing could be listed has returned nothing."""
    path = f"{DAG_URL}/dagRuns/{run['dag_run_id']}/taskInstances/summarize/xcomEntries/return_value"
    response = airflow.request("GET", path)
    if response.status_code == 404:
        return dict.fromkeys(SUMMARY_KEYS, "–")
    value = response.raise_for_status().json()["value"]
    returned = json.loads(value) if isinstance(value, str) else value
    # the metadata database does not keep the order of the keys
    return {key: returned[key] for key in SUMMARY_KEYS}


def run() -> int:
    """Do the main job once and show what came out."""
    date = yesterday()
    with prepared() as (server, environment):
        load(server.dsn(DATABASE))
        with airflow_running(environment) as airflow:
            say(f"Running the DAG communication_trends_daily for yesterday, {date}, and whatever its schedule asks for")
            body = {"logical_date": None, "conf": {"date": str(date)}}
            made = airflow.request("POST", f"{DAG_URL}/dagRuns", json=body).raise_for_status().json()
            wait_for(airflow)
            made = airflow.request("GET", f"{DAG_URL}/dagRuns/{made['dag_run_id']}").json()
            if made["state"] != "success":
                console.print(f"[red]The run failed.[/] Its logs are under {airflow.logs}")
                return 1
            show(server, date)
            console.print("\n[bold]The summary of the run[/], as summarize returned it:")
            console.print_json(data=summary(airflow, made))
    first = date - datetime.timedelta(days=13)
    console.print(
        "\n[bold]What to try next[/]\n"
        f"  make backfill FROM={first} TO={date}   the two weeks before, both ends included\n"
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
        load(server.dsn(DATABASE))
        with airflow_running(environment, port) as airflow, contextlib.suppress(KeyboardInterrupt):
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


def backfill(first: str, last: str) -> int:
    """Make the trends of a range of days, both ends included, through Airflow's own backfill."""
    try:
        dates = [parse_date(first), parse_date(last)]
    except InvalidInputError as error:
        console.print(f"{str(error).split('. ')[0]}.\nUsage: make backfill FROM=2026-11-01 TO=2026-11-04", markup=False)
        return 2
    if not dates[0] <= dates[1] <= yesterday():
        console.print(
            f"FROM={first} TO={last}: FROM must not be after TO, nor TO after yesterday, {yesterday()} (UTC)."
        )
        return 2
    with prepared() as (server, environment):
        load(server.dsn(DATABASE))
        with airflow_running(environment) as airflow:
            body: dict[str, Any] = {
                "dag_id": "communication_trends_daily",
                "from_date": f"{first}T00:00:00Z",
                "to_date": f"{last}T00:00:00Z",
                "reprocess_behavior": "completed",
                "max_active_runs": 4,
                "dag_run_conf": {"organizations_per_task": 4},
            }
            wait_for_backfills(airflow)
            response = airflow.request("POST", "/api/v2/backfills", json=body)
            if not response.is_success:
                console.print(f"[red]Airflow refused the backfill:[/] {response.text}")
                return 1
            say(f"Airflow makes one run for each day from {first} to {last}, both included")
            window = {"logical_date_gte": body["from_date"], "logical_date_lte": body["to_date"]}
            runs = wait_for(airflow, run_type="backfill", **window)
            table = new_table("the runs of the backfill")
            for heading in ("day (UTC)", "state", "organizations", "trends", "kept", "errors"):
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
    ranged = commands.add_parser("backfill", help="make the trends of a range of days")
    ranged.add_argument("first", metavar="FROM", help="first day, YYYY-MM-DD, UTC")
    ranged.add_argument("last", metavar="TO", help="last day, included")
    arguments = parser.parse_args()
    # a stop from outside ends all that was started, as Ctrl-C does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments.command == "backfill":
            return backfill(arguments.first, arguments.last)
        if arguments.command == "load":
            connection = os.environ.get("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", "")
            if not connection.startswith("{"):
                console.print("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB: set it to an Airflow connection as JSON.")
                return 2
            load(dsn_of_airflow_connection(connection))
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
