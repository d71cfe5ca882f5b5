"""A database that is away, or that accepts connections and never answers, against a real API server."""

from __future__ import annotations

import json
import socket
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from conftest import running_airflow_on
from receivers import StatsdServer, statsd_server

from local.airflow import Airflow
from local.servers import free_port
from web.conftest import API

REQUESTS = 40


@pytest.fixture(scope="module")
def statsd() -> Iterator[StatsdServer]:
    with statsd_server() as statsd:
        yield statsd


@pytest.fixture(scope="module")
def airflow(server, statsd, tmp_path_factory) -> Iterator[tuple[Airflow, int]]:
    """An API server, and the port on loopback at which it looks for the database with the trends; nobody is there."""
    port = free_port()
    settings = {
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
    }
    with running_airflow_on(server, tmp_path_factory.mktemp("waiting"), **settings) as (airflow, _):
        connection = json.loads(airflow.environment["AIRFLOW_CONN_COMMUNICATION_TRENDS_DB"])
        airflow.environment["AIRFLOW_CONN_COMMUNICATION_TRENDS_DB"] = json.dumps(
            {**connection, "host": "127.0.0.1", "port": port}
        )
        airflow.start("api-server")
        yield airflow, port


def test_a_database_that_is_away_is_said_plainly(airflow):
    airflow, _ = airflow
    answer = airflow.request("GET", f"{API}/trends")
    assert answer.status_code == 503
    assert answer.json() == {"detail": "The database with the trends cannot be reached. Try again in a moment."}
    # the page itself needs no database
    assert airflow.request("GET", "/communication-trends/").status_code == 200


def test_airflow_answers_while_the_database_does_not(airflow, statsd):
    airflow, port = airflow
    # the kernel accepts the connections, and nothing is ever said
    with socket.create_server(("127.0.0.1", port), backlog=200):
        # the first request builds the application
        headers = airflow.request("GET", "/communication-trends/").request.headers

        def ask(number: int) -> httpx.Response:
            path = ["trends", "overview", "hotspots", "comparison", "organizations/acme/trends"][number % 5]
            return httpx.get(
                f"{airflow.url}{API}/{path}", headers={"Authorization": headers["authorization"]}, timeout=120
            )

        def health() -> float:
            started = time.monotonic()
            httpx.get(f"{airflow.url}/api/v2/monitor/health", timeout=60).raise_for_status()
            return time.monotonic() - started

        def lists_dags() -> float:
            started = time.monotonic()
            # one of the routes that take one of the shared threads
            httpx.get(
                f"{airflow.url}/api/v2/dags", headers={"Authorization": headers["authorization"]}, timeout=60
            ).raise_for_status()
            return time.monotonic() - started

        quiet = [health() for _ in range(3)]
        statsd.packets.clear()
        with ThreadPoolExecutor(REQUESTS) as threads:
            started = time.monotonic()
            asked = [threads.submit(ask, number) for number in range(REQUESTS)]
            time.sleep(0.5)
            waited = [which() for which in (health, lists_dags) * 5]
            answers = [one.result() for one in asked]
            took = time.monotonic() - started
        # a second, and what the machine is slower than usual by
        assert statistics.median(waited) < 1 + 3 * max(quiet)
        assert {answer.status_code for answer in answers} == {503}
        refused = [answer for answer in answers if answer.headers.get("retry-after")]
        # four wait for the database, and as many again after them; nobody else has a connection
        assert len(refused) >= REQUESTS - 8
        assert all("detail" in answer.json() for answer in answers)
        sent = [packet for packet in statsd.packets if packet.startswith("airflow.communication_trends.web.")]
        counted = {name: sum(f".{name}:" in packet for packet in sent) for name in ("requests", "duration", "refused")}
        assert counted == {"requests": REQUESTS, "duration": REQUESTS, "refused": len(refused)}
        assert took < 45


def waiting_for_lock(connection) -> int:
    return connection.execute(
        "select count(*) as waiting from pg_stat_activity where wait_event_type = 'Lock' and datname ="
        " current_database()"
    ).fetchone()["waiting"]


def wait_for(reached, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not reached() and time.monotonic() < until:
        time.sleep(0.05)
    return reached()


def test_the_statement_of_a_request_that_the_browser_has_abandoned_is_canceled(web, server):
    headers = {"Authorization": f"Bearer {web.token('viewer')}"}
    web.get(f"{API}/trends")
    name = web.connection.info.dbname
    with server.connect(name) as locking, locking.transaction():
        locking.execute("lock table communication_trends")
        # more than there are slots
        for _ in range(6):
            with pytest.raises(httpx.ReadTimeout):
                httpx.get(f"{web.airflow.url}{API}/trends", headers=headers, timeout=httpx.Timeout(30, read=1))
        # each would wait for the lock for 5 seconds
        assert wait_for(lambda: waiting_for_lock(web.connection) == 0, 1.5)
    assert web.get(f"{API}/trends").status_code == 200


def test_a_monitor_tells_what_is_not_fresh_from_what_is_busy_or_broken_by_the_status(api, server):
    def ask(path: str, **parameters: str):
        return api.get(f"{API}/{path}", params=parameters)

    assert ask("freshness", fail="true").status_code == 503
    name = api.connection.info.dbname
    with server.connect(name) as locking, locking.transaction(), ThreadPoolExecutor(8) as threads:
        locking.execute("lock table communication_trends")
        people = [threads.submit(ask, "overview") for _ in range(4)]
        wait_for(lambda: waiting_for_lock(api.connection) == 4, 10)
        # all slots are taken, but not the monitor's
        monitor = threads.submit(ask, "freshness", fail="true")
        assert wait_for(lambda: waiting_for_lock(api.connection) == 5, 3)
        second = ask("freshness", fail="true")
        assert (second.status_code, second.headers["retry-after"]) == (429, "5")
        assert monitor.result().status_code == 502
        assert {one.result().status_code for one in people} == {503}
    # without fail, and for everybody else, as ever
    assert ask("freshness").status_code == 200
