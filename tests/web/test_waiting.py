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

from local.airflow import Airflow
from local.servers import free_port
from web.conftest import API

REQUESTS = 40


@pytest.fixture(scope="module")
def airflow(server, tmp_path_factory) -> Iterator[tuple[Airflow, int]]:
    """An API server, and the port on loopback at which it looks for the database with the trends; nobody is there."""
    port = free_port()
    with running_airflow_on(server, tmp_path_factory.mktemp("waiting")) as (airflow, _):
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


def test_airflow_answers_while_the_database_does_not(airflow):
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
        assert took < 45
